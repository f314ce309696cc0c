/* SPDX-License-Identifier: Apache-2.0 */
/* Key agreement over ristretto255: key pairs, Diffie-Hellman, and keys derived from it.
 *
 * The group has prime order, so every point but the identity is as good as any other and a secret
 * key is a plain scalar, which crypto/shamir can share. Source: RFC 9496; libsodium computes. */
#ifndef CAIRN_CRYPTO_AGREE_H
#define CAIRN_CRYPTO_AGREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/random.h"

#define AGREE_SECRET_BYTES 32 /* a scalar below the group's order, little-endian */
#define AGREE_PUBLIC_BYTES 32 /* a point, in its one canonical encoding */
#define AGREE_KEY_BYTES 32

/* What a derived key is good for: a purpose and the data both sides know. */
struct agree_binding {
    const char *label; /* as for hash_init */
    const void *data;
    size_t len;
};

/* Draws a uniform scalar: 64 bytes of random, reduced. */
void agree_scalar(uint8_t secret[AGREE_SECRET_BYTES], const struct cn_random *random);

/* True for a scalar in canonical form (below the order). In constant time. */
bool agree_is_scalar(const uint8_t secret[AGREE_SECRET_BYTES]);

/* Gives secret * G. CN_E_CRYPTO for a scalar of zero; public_key is then zero. About 20 us. */
enum cn_err agree_public(uint8_t public_key[AGREE_PUBLIC_BYTES],
                         const uint8_t secret[AGREE_SECRET_BYTES]);

/* Draws a key pair. CN_E_RANDOM when random gives a scalar of zero, as a broken source may. */
enum cn_err agree_pair(uint8_t public_key[AGREE_PUBLIC_BYTES], uint8_t secret[AGREE_SECRET_BYTES],
                       const struct cn_random *random);

/* CN_E_AUTH unless public_key is the canonical encoding of a point other than the identity. */
enum cn_err agree_check_public(const uint8_t public_key[AGREE_PUBLIC_BYTES]);

/* Derives a key that this side and the peer share: the hash under binding's label of binding's data
 * and the point secret * peer. CN_E_AUTH when peer is no valid key; key is then zero. About 60 us.
 */
enum cn_err agree_derive(uint8_t key[AGREE_KEY_BYTES], const uint8_t secret[AGREE_SECRET_BYTES],
                         const uint8_t peer[AGREE_PUBLIC_BYTES],
                         const struct agree_binding *binding);

#endif
