/* SPDX-License-Identifier: Apache-2.0 */
/* Invitations: a registrar's signed word that whoever holds a one-time key may certify up to `uses`
 * devices before `expires_s`. The registrar's key may stay offline; the aggregator has no part in
 * it, so it can not invent devices.
 *
 * As bytes (INVITATION_BYTES, integers big-endian): version 1 | public key [32] | registrar [32] |
 * expires [8] | uses [4] | signature [64]. The signature is the registrar's, under the label
 * "cairn-invitation", over everything before it. The id does not travel: it is the first 16 bytes
 * of the hash of the public key under "cairn-invitation-id".
 *
 * Whether an invitation was used up is the aggregator's book-keeping (and, per roster, everybody's:
 * certificate_roster_check). */
#ifndef CAIRN_CRYPTO_INVITATION_H
#define CAIRN_CRYPTO_INVITATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/err.h"
#include "base/random.h"
#include "crypto/sign.h"

#define INVITATION_ID_BYTES 16
#define INVITATION_BYTES 141
#define INVITATION_USES_MAX 1000000

struct invitation {
    uint8_t id[INVITATION_ID_BYTES];
    uint8_t public_key[SIGN_PUBLIC_BYTES]; /* of the one-time key */
    int64_t expires_s;                     /* wall clock, exclusive; > 0 */
    uint32_t uses;                         /* devices it may certify, 1 .. INVITATION_USES_MAX */
    uint8_t registrar[SIGN_PUBLIC_BYTES];
    uint8_t signature[SIGN_BYTES];
};

/* Makes an invitation and returns ownership of its one-time key, which becomes the secret of the
 * join link and is then freed. CN_E_CONFIG when uses or expires_s is out of range; CN_E_RANDOM,
 * CN_E_NOMEM. On failure *invitation is unchanged and *one_time is NULL. */
enum cn_err invitation_make(struct invitation *invitation, struct sign_key **one_time,
                            const struct sign_key *registrar, uint32_t uses, int64_t expires_s,
                            const struct cn_random *random);

/* Verifies that this registrar signed it, that all fields are in range and that the id fits the
 * key. Says nothing about time or use. CN_E_AUTH. */
enum cn_err invitation_check(const struct invitation *invitation,
                             const uint8_t registrar[SIGN_PUBLIC_BYTES]);

/* True from expires_s on. */
bool invitation_expired(const struct invitation *invitation, int64_t now_s);

void invitation_id(uint8_t id[INVITATION_ID_BYTES], const uint8_t public_key[SIGN_PUBLIC_BYTES]);

/* Lays the invitation out as bytes. */
void invitation_bytes(uint8_t out[INVITATION_BYTES], const struct invitation *invitation);

/* The same into a buffer; failures stick in buf. */
void invitation_encode(struct cn_buf *buf, const struct invitation *invitation);

/* Reads INVITATION_BYTES and leaves what follows. The signature is not verified here. CN_E_PARSE
 * (fields out of range, too), CN_E_VERSION; *invitation is then unchanged. */
enum cn_err invitation_decode(struct cn_reader *reader, struct invitation *invitation);

#endif
