/* SPDX-License-Identifier: Apache-2.0 */
/* Masks: a keystream expanded from a seed and added to a vector modulo 2^bits in the same pass.
 *
 * Word i of a mask is word i of the ChaCha20 keystream (RFC 8439) under the seed as key, a nonce of
 * zeros and block counter 0: 16-bit words when bits <= 16, else 32-bit words, little-endian, of
 * which the low `bits` bits count. A power of two divides the range, so masks are uniform. A seed
 * masks one vector only. */
#ifndef CAIRN_CRYPTO_MASK_H
#define CAIRN_CRYPTO_MASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define MASK_SEED_BYTES 32
#define MASK_BITS_MAX 32
#define MASK_WORDS_MAX ((size_t)1 << 32) /* well before the block counter wraps */

/* Where the keystream comes from. Both ends of a mask must agree. */
enum mask_algorithm {
    MASK_CHACHA20,   /* as above: the portable choice, and that of the functions without a choice */
    MASK_AES256_CTR, /* AES-256 (FIPS 197) in counter mode (SP 800-38A): the seed is the key, the
                      * counter block a big-endian 128-bit number from 0. Only where
                      * mask_has_instructions: in software it is slow and its timing may depend on
                      * the key */
};

/* True when this processor has instructions that make the algorithm fast and constant-time:
 * ChaCha20 needs none, AES needs those for AES. */
bool mask_has_instructions(enum mask_algorithm algorithm);

struct mask {
    uint8_t seed[MASK_SEED_BYTES];
    bool subtract;
};

/* Adds (or subtracts) every mask to vector modulo 2^bits, in one pass over it.
 *
 *   vector  [n]      in place; every coordinate ends below 2^bits
 *   masks   [count]  secret
 *   bits    1 .. MASK_BITS_MAX
 *
 * The vector goes by in tiles that stay in the L2 cache while all masks are applied; keystreams are
 * made in blocks that stay in L1. One OpenSSL context and 100 KiB of workspace. CN_E_CONFIG when
 * bits or n is out of range; CN_E_NOMEM and CN_E_CRYPTO from OpenSSL, after which vector holds
 * neither the input nor the result: throw it away. */
enum cn_err mask_apply(uint32_t *vector, size_t n, uint8_t bits, const struct mask *masks,
                       size_t count);

/* Masks that belong to one vector. */
struct mask_set {
    uint8_t bits;
    enum mask_algorithm algorithm;
    const struct mask *masks; /* [count] secret */
    size_t count;
};

/* Applies a set to the coordinates first .. first + n - 1 alone, so that several threads can share
 * a vector.
 *
 *   vector  [n]  the range itself
 *   first        a multiple of MASK_TILE_WORDS, else CN_E_CONFIG */
#define MASK_TILE_WORDS ((size_t)16384)
enum cn_err mask_apply_range(uint32_t *vector, size_t first, size_t n, const struct mask_set *set);

/* Masks and packs in one pass.
 *
 *   out     [pack_bytes(n, bits)]; on failure worthless
 *   vector  [n]  not changed */
enum cn_err mask_pack(uint8_t *out, const uint32_t *vector, size_t n, const struct mask_set *set);

/* The same with a choice. CN_E_CONFIG also for an algorithm that is none. */
enum cn_err mask_apply_with(uint32_t *vector, size_t n, uint8_t bits, enum mask_algorithm algorithm,
                            const struct mask *masks, size_t count);

/* mask_apply with one mask. */
enum cn_err mask_add(uint32_t *vector, size_t n, uint8_t bits, const uint8_t seed[MASK_SEED_BYTES]);
enum cn_err mask_sub(uint32_t *vector, size_t n, uint8_t bits, const uint8_t seed[MASK_SEED_BYTES]);

/* Writes the first len bytes of a seed's keystream, len at most MASK_EXPAND_MAX: for tests, and to
 * measure what masks can cost at least. Errors as mask_apply_with; out is then zero. */
#define MASK_EXPAND_MAX ((size_t)1 << 30)
enum cn_err mask_expand(uint8_t *out, size_t len, enum mask_algorithm algorithm,
                        const uint8_t seed[MASK_SEED_BYTES]);

#endif
