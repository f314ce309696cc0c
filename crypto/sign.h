/* SPDX-License-Identifier: Apache-2.0 */
/* Ed25519 signatures over a label and a message. Source: RFC 8032.
 *
 * What Ed25519 signs are 32 bytes: the hash (crypto/hash) under the label "cairn-sign" of the two
 * parts label and message. A signature made for one purpose verifies for no other. */
#ifndef CAIRN_CRYPTO_SIGN_H
#define CAIRN_CRYPTO_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/random.h"

#define SIGN_PUBLIC_BYTES 32
#define SIGN_BYTES 64
#define SIGN_SEED_BYTES 32

struct sign_key; /* in a sodium_malloc block */

/* Makes a key pair from 32 bytes of random; the caller owns it. CN_E_RANDOM, CN_E_NOMEM. */
enum cn_err sign_key_new(struct sign_key **key, const struct cn_random *random);

/* Makes the key pair that follows from seed. CN_E_RANDOM, CN_E_NOMEM. */
enum cn_err sign_key_from_seed(struct sign_key **key, const uint8_t seed[SIGN_SEED_BYTES]);

/* Wipes and frees; NULL is allowed. */
void sign_key_free(struct sign_key *key);

/* Many key pairs in one block, for simulations and benches: the system allows a process some tens
 * of thousands of blocks. */
struct sign_keys;
enum cn_err sign_keys_new(struct sign_keys **keys, uint32_t count, const struct cn_random *random);

/* The key at place i, below count (asserted), valid until the keys are freed. */
const struct sign_key *sign_keys_at(const struct sign_keys *keys, uint32_t i);

/* Wipes and frees; NULL is allowed. */
void sign_keys_free(struct sign_keys *keys);

void sign_key_public(const struct sign_key *key, uint8_t out[SIGN_PUBLIC_BYTES]);

/* Gives the secret itself, for key files and join links; the caller wipes it (sodium_memzero). */
void sign_key_seed(const struct sign_key *key, uint8_t out[SIGN_SEED_BYTES]);

/* Signs; can not fail. label as for hash_init; msg may be NULL when len is 0. About 20 us. */
void sign_make(uint8_t sig[SIGN_BYTES], const struct sign_key *key, const char *label,
               const void *msg, size_t len);

/* Verifies; about 60 us. CN_E_AUTH, also for keys of small order, keys and signatures that are not
 * in their one canonical form. */
enum cn_err sign_check(const uint8_t sig[SIGN_BYTES], const uint8_t public_key[SIGN_PUBLIC_BYTES],
                       const char *label, const void *msg, size_t len);

#endif
