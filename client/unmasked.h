/* SPDX-License-Identifier: Apache-2.0 */
/* One device in one round without masks (secure_aggregation.mode: off): a key, then the update,
 * sealed to the aggregator. Sans-I/O. Only for owners who allow that their own update is seen:
 * client/guard asks that question first. */
#ifndef CAIRN_CLIENT_UNMASKED_H
#define CAIRN_CLIENT_UNMASKED_H

#include "client/participant.h"

struct unmasked;

/* Draws the key of this round. Of setup: id, secagg (binding, dim, bits, cohort_min), identity,
 * random, encode, spend and ctx.
 *
 *   ledger_key  the aggregator's, which signs the key that updates are sealed to; copied
 *
 * CN_E_RANDOM, CN_E_NOMEM. Returns ownership. */
enum cn_err unmasked_new(struct unmasked **out, const struct participant_setup *setup,
                         const uint8_t ledger_key[SIGN_PUBLIC_BYTES]);

/* Wipes and frees; NULL is allowed. */
void unmasked_free(struct unmasked *unmasked);

/* Gives READY; the same one every time. */
void unmasked_ready(const struct unmasked *unmasked, struct message *out);

/* Takes COLLECT and gives UPLOAD; once spent, the same question gets the same answer. CN_E_AUTH for
 * a key that is not the aggregator's, CN_E_COHORT below cohort_min, CN_E_INCONSISTENT for a second,
 * other COLLECT; errors of encode and spend. Any error ends the round for this device. */
enum cn_err unmasked_collect(struct unmasked *unmasked, const struct message *in,
                             struct message *out);

/* As participant_blob. */
const uint8_t *unmasked_blob(const struct unmasked *unmasked, uint64_t *len,
                             uint8_t hash[HASH_BYTES]);

#endif
