/* SPDX-License-Identifier: Apache-2.0 */
/* Updates without masks (secure_aggregation.mode: off): one vector sealed by a device to the
 * aggregator, whoever carries it. Both draw a key for one round; the device signs its own with its
 * identity, the aggregator's comes signed by its ledger key. Who holds the aggregator's key reads
 * the vector: that is what the mode is for, and what a device's owner has to allow.
 *
 *   key      agree_derive, label "cairn-direct-1", data: the round's binding
 *   sealed   seal_make under it, label "cairn-direct-update", data: binding and the device's key
 *   signed   crypto/sign, label "cairn-direct-key": binding and the device's key */
#ifndef CAIRN_CRYPTO_DIRECT_H
#define CAIRN_CRYPTO_DIRECT_H

#include "base/random.h"
#include "crypto/secagg.h"
#include "crypto/sign.h"

#define DIRECT_OVERHEAD 40 /* bytes that sealing adds */

struct direct_key; /* a key pair for one round, in a sodium_malloc block */

/* Draws a key pair. CN_E_RANDOM, CN_E_NOMEM. Returns ownership. */
enum cn_err direct_key_new(struct direct_key **out, const struct cn_random *random);

/* Wipes and frees; NULL is allowed. */
void direct_key_free(struct direct_key *key);

void direct_key_public(const struct direct_key *key, uint8_t out[SECAGG_KEY_BYTES]);

/* What a device announces: its key as seal_public, signed; the other keys are zero. */
void direct_announce(struct secagg_keys *out, const struct direct_key *key,
                     const uint8_t binding[32], const struct sign_key *identity);

/* CN_E_AUTH unless keys are what direct_announce gives for this device. */
enum cn_err direct_announced(const struct secagg_keys *keys, const uint8_t binding[32],
                             const uint8_t device[SIGN_PUBLIC_BYTES]);

/* Seals len bytes for the aggregator's key; out [len + DIRECT_OVERHEAD], not overlapping bytes.
 * CN_E_AUTH when aggregator is no valid key; CN_E_NOMEM. */
enum cn_err direct_seal(uint8_t *out, const void *bytes, size_t len,
                        const struct direct_key *device, const uint8_t aggregator[SECAGG_KEY_BYTES],
                        const uint8_t binding[32]);

/* Opens what a device sealed; out [len - DIRECT_OVERHEAD]. CN_E_AUTH, without a reason. */
enum cn_err direct_open(uint8_t *out, const uint8_t *sealed, size_t len,
                        const struct direct_key *aggregator, const uint8_t device[SECAGG_KEY_BYTES],
                        const uint8_t binding[32]);

#endif
