/* SPDX-License-Identifier: Apache-2.0 */
/* One device in one round, from its one-time keys to the shares that open the sum. Sans-I/O:
 * messages in, messages out, and one call-back that must put the spending on disk first.
 *
 *   trained ──READY──▶ roster ──SHARES──▶ inbox ──spend, mask, UPLOAD──▶ survivors ──VOUCH──▶
 * vouches ──REVEAL──▶ done
 *
 * Connections break, so every answer is kept until the round ends: a message that comes again word
 * for word gets the same answer again. One that comes again with other words ends the round for
 * this device, since only a lying aggregator sends it. */
#ifndef CAIRN_CLIENT_PARTICIPANT_H
#define CAIRN_CLIENT_PARTICIPANT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/random.h"
#include "crypto/certificate.h"
#include "crypto/secagg_device.h"
#include "crypto/sign.h"
#include "protocol/messages.h"

struct participant;

struct participant_setup {
    struct round_id id;
    struct secagg_config secagg;     /* binding, dimension, modulus and this device's floors */
    const struct sign_key *identity; /* borrowed, must outlive the participant */
    const struct certificate *certificate; /* copied */
    const uint8_t *registrar;              /* [SIGN_PUBLIC_BYTES] */
    struct certificate_cache *known;       /* borrowed: members of earlier rounds; may be NULL */
    const struct cn_random *random;        /* borrowed, must outlive the participant */
    /* Encodes the update into vector [dim] (clipped, rounded, below 2^bits). */
    enum cn_err (*encode)(void *ctx, uint32_t *vector);
    /* Puts the spending on disk; called once, after encode and before a masked byte can leave. */
    enum cn_err (*spend)(void *ctx, uint32_t cohort, uint32_t threshold);
    void *ctx;
};

/* Draws the one-time keys of a device that has finished training. CN_E_CONFIG, CN_E_AUTH as of
 * secagg_device_new; CN_E_NOMEM. Returns ownership. */
enum cn_err participant_new(struct participant **out, const struct participant_setup *setup);

/* Wipes and frees; NULL is allowed. */
void participant_free(struct participant *participant);

/* Gives READY; the same one every time. */
void participant_ready(const struct participant *participant, struct message *out);

/* Takes ROSTER, INBOX, SURVIVORS or VOUCHES of this round and gives the answer, whose arrays are
 * valid until the next call. Any error ends the round for this device (CN_E_UNEXPECTED and
 * CN_E_REPLAY too: the aggregator broke the protocol or lies). */
enum cn_err participant_message(struct participant *participant, const struct message *in,
                                struct message *out);

/* The masked vector that UPLOAD announced; NULL before. Valid until participant_free. */
const uint8_t *participant_blob(const struct participant *participant, uint64_t *len,
                                uint8_t hash[HASH_BYTES]);

/* Gives the complaint that goes out before UPLOAD; false when every neighbour's shares opened. Its
 * list is valid until participant_free. */
bool participant_complaint(const struct participant *participant, struct message *out);

/* The hash over the ids of the survivors this device vouched for; NULL before. */
const uint8_t *participant_survivors(const struct participant *participant);

/* True once the masked vector exists: the spending is written and counts, whatever happens. */
bool participant_has_spent(const struct participant *participant);

#endif
