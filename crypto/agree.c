/* SPDX-License-Identifier: Apache-2.0 */
/* Key agreement over ristretto255; see agree.h. */
#include "crypto/agree.h"

#include <sodium.h>

#include "crypto/hash.h"

_Static_assert(AGREE_SECRET_BYTES == crypto_core_ristretto255_SCALARBYTES, "scalar size");
_Static_assert(AGREE_PUBLIC_BYTES == crypto_core_ristretto255_BYTES, "point size");
_Static_assert(AGREE_KEY_BYTES == HASH_BYTES, "a derived key is one hash");

void agree_scalar(uint8_t secret[AGREE_SECRET_BYTES], const struct cn_random *random)
{
    uint8_t wide[crypto_core_ristretto255_NONREDUCEDSCALARBYTES];

    cn_random_fill(random, wide, sizeof wide);
    crypto_core_ristretto255_scalar_reduce(secret, wide);
    sodium_memzero(wide, sizeof wide);
}

bool agree_is_scalar(const uint8_t secret[AGREE_SECRET_BYTES])
{
    uint8_t wide[crypto_core_ristretto255_NONREDUCEDSCALARBYTES] = {0};
    uint8_t reduced[AGREE_SECRET_BYTES];

    for (size_t i = 0; i < AGREE_SECRET_BYTES; i++)
        wide[i] = secret[i];
    crypto_core_ristretto255_scalar_reduce(reduced, wide);
    bool same = sodium_memcmp(reduced, secret, AGREE_SECRET_BYTES) == 0;
    sodium_memzero(wide, sizeof wide);
    sodium_memzero(reduced, sizeof reduced);
    return same;
}

enum cn_err agree_public(uint8_t public_key[AGREE_PUBLIC_BYTES],
                         const uint8_t secret[AGREE_SECRET_BYTES])
{
    if (crypto_scalarmult_ristretto255_base(public_key, secret) == 0)
        return CN_OK;
    sodium_memzero(public_key, AGREE_PUBLIC_BYTES);
    return CN_E_CRYPTO;
}

enum cn_err agree_pair(uint8_t public_key[AGREE_PUBLIC_BYTES], uint8_t secret[AGREE_SECRET_BYTES],
                       const struct cn_random *random)
{
    agree_scalar(secret, random);
    return agree_public(public_key, secret) == CN_OK ? CN_OK : CN_E_RANDOM;
}

enum cn_err agree_check_public(const uint8_t public_key[AGREE_PUBLIC_BYTES])
{
    if (sodium_is_zero(public_key, AGREE_PUBLIC_BYTES) ||
        crypto_core_ristretto255_is_valid_point(public_key) != 1)
        return CN_E_AUTH;
    return CN_OK;
}

enum cn_err agree_derive(uint8_t key[AGREE_KEY_BYTES], const uint8_t secret[AGREE_SECRET_BYTES],
                         const uint8_t peer[AGREE_PUBLIC_BYTES],
                         const struct agree_binding *binding)
{
    uint8_t point[AGREE_PUBLIC_BYTES];
    struct hash hash;

    /* Refuses encodings that are not canonical and a product that is the identity. */
    if (crypto_scalarmult_ristretto255(point, secret, peer) != 0) {
        sodium_memzero(point, sizeof point);
        sodium_memzero(key, AGREE_KEY_BYTES);
        return CN_E_AUTH;
    }
    hash_init(&hash, binding->label);
    hash_add(&hash, binding->data, binding->len);
    hash_add(&hash, point, sizeof point);
    hash_final(&hash, key);
    sodium_memzero(point, sizeof point);
    return CN_OK;
}
