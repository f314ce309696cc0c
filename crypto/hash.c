/* SPDX-License-Identifier: Apache-2.0 */
/* Labelled, length-prefixed BLAKE2b-256. */
#include "crypto/hash.h"

#include <sodium.h>
#include <string.h>

#include "base/err.h"
#include "crypto/bytes.h"

_Static_assert(HASH_BYTES == crypto_generichash_blake2b_BYTES, "256 bits");
_Static_assert(sizeof(crypto_generichash_blake2b_state) <= sizeof((struct hash){0}.state),
               "libsodium's state fits");

static crypto_generichash_blake2b_state *state_of(struct hash *hash)
{
    return (crypto_generichash_blake2b_state *)(void *)hash->state;
}

static void absorb(struct hash *hash, const void *bytes, size_t len)
{
    if (len)
        crypto_generichash_blake2b_update(state_of(hash), bytes, len);
}

void hash_init(struct hash *hash, const char *label)
{
    size_t len = strlen(label);
    uint8_t prefix = (uint8_t)len;

    CN_ASSERT(len >= 1 && len <= HASH_LABEL_MAX);
    hash->owed = 0;
    crypto_generichash_blake2b_init(state_of(hash), NULL, 0, HASH_BYTES);
    absorb(hash, &prefix, sizeof prefix);
    absorb(hash, label, len);
}

void hash_part(struct hash *hash, uint64_t len)
{
    uint8_t prefix[8];

    CN_ASSERT(hash->owed == 0);
    bytes_put_uint(prefix, len, sizeof prefix);
    absorb(hash, prefix, sizeof prefix);
    hash->owed = len;
}

void hash_part_more(struct hash *hash, const void *bytes, size_t len)
{
    CN_ASSERT(len <= hash->owed);
    absorb(hash, bytes, len);
    hash->owed -= len;
}

void hash_add(struct hash *hash, const void *bytes, size_t len)
{
    hash_part(hash, len);
    hash_part_more(hash, bytes, len);
}

void hash_add_u64(struct hash *hash, uint64_t value)
{
    uint8_t bytes[8];

    bytes_put_uint(bytes, value, sizeof bytes);
    hash_add(hash, bytes, sizeof bytes);
    sodium_memzero(bytes, sizeof bytes);
}

void hash_final(struct hash *hash, uint8_t out[HASH_BYTES])
{
    CN_ASSERT(hash->owed == 0);
    crypto_generichash_blake2b_final(state_of(hash), out, HASH_BYTES);
    sodium_memzero(hash, sizeof *hash);
}

void hash_of(uint8_t out[HASH_BYTES], const char *label, const void *bytes, size_t len)
{
    struct hash hash;

    hash_init(&hash, label);
    hash_add(&hash, bytes, len);
    hash_final(&hash, out);
}

void hash_blob(uint8_t out[HASH_BYTES], const void *bytes, size_t len)
{
    hash_of(out, HASH_BLOB_LABEL, bytes, len);
}
