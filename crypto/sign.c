/* SPDX-License-Identifier: Apache-2.0 */
/* Ed25519 over the hash of a label and a message. */
#include "crypto/sign.h"

#include <sodium.h>
#include <string.h>

#include "crypto/hash.h"

_Static_assert(SIGN_PUBLIC_BYTES == crypto_sign_PUBLICKEYBYTES, "Ed25519 key");
_Static_assert(SIGN_BYTES == crypto_sign_BYTES, "Ed25519 signature");
_Static_assert(SIGN_SEED_BYTES == crypto_sign_SEEDBYTES, "Ed25519 seed");

struct sign_key {
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    uint8_t secret[crypto_sign_SECRETKEYBYTES]; /* libsodium's form: the seed, the public key */
    uint8_t seed[SIGN_SEED_BYTES];
};

static enum cn_err key_alloc(struct sign_key **key)
{
    *key = NULL;
    if (sodium_init() < 0)
        return CN_E_RANDOM;
    *key = sodium_malloc(sizeof **key);
    return *key ? CN_OK : CN_E_NOMEM;
}

/* Expects the seed in place and protects the block against stray writes. */
static void key_expand(struct sign_key *key)
{
    crypto_sign_seed_keypair(key->public_key, key->secret, key->seed);
    sodium_mprotect_readonly(key);
}

enum cn_err sign_key_new(struct sign_key **key, const struct cn_random *random)
{
    CN_TRY(key_alloc(key));
    cn_random_fill(random, (*key)->seed, SIGN_SEED_BYTES);
    key_expand(*key);
    return CN_OK;
}

enum cn_err sign_key_from_seed(struct sign_key **key, const uint8_t seed[SIGN_SEED_BYTES])
{
    CN_TRY(key_alloc(key));
    memcpy((*key)->seed, seed, SIGN_SEED_BYTES);
    key_expand(*key);
    return CN_OK;
}

void sign_key_free(struct sign_key *key)
{
    sodium_free(key); /* which wipes */
}

struct sign_keys {
    uint32_t count;
    struct sign_key keys[]; /* [count] */
};

enum cn_err sign_keys_new(struct sign_keys **keys, uint32_t count, const struct cn_random *random)
{
    *keys = NULL;
    if (sodium_init() < 0)
        return CN_E_RANDOM;
    struct sign_keys *made = sodium_malloc(sizeof *made + count * sizeof made->keys[0]);
    if (!made)
        return CN_E_NOMEM;
    made->count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct sign_key *key = &made->keys[i];

        cn_random_fill(random, key->seed, SIGN_SEED_BYTES);
        crypto_sign_seed_keypair(key->public_key, key->secret, key->seed);
    }
    sodium_mprotect_readonly(made);
    *keys = made;
    return CN_OK;
}

const struct sign_key *sign_keys_at(const struct sign_keys *keys, uint32_t i)
{
    CN_ASSERT(i < keys->count);
    return &keys->keys[i];
}

void sign_keys_free(struct sign_keys *keys)
{
    sodium_free(keys); /* which wipes */
}

void sign_key_public(const struct sign_key *key, uint8_t out[SIGN_PUBLIC_BYTES])
{
    memcpy(out, key->public_key, SIGN_PUBLIC_BYTES);
}

void sign_key_seed(const struct sign_key *key, uint8_t out[SIGN_SEED_BYTES])
{
    memcpy(out, key->seed, SIGN_SEED_BYTES);
}

static void digest_of(uint8_t out[HASH_BYTES], const char *label, const void *msg, size_t len)
{
    struct hash hash;

    hash_init(&hash, "cairn-sign");
    hash_add(&hash, label, strlen(label));
    hash_add(&hash, msg, len);
    hash_final(&hash, out);
}

void sign_make(uint8_t sig[SIGN_BYTES], const struct sign_key *key, const char *label,
               const void *msg, size_t len)
{
    uint8_t digest[HASH_BYTES];

    digest_of(digest, label, msg, len);
    crypto_sign_detached(sig, NULL, digest, sizeof digest, key->secret);
}

enum cn_err sign_check(const uint8_t sig[SIGN_BYTES], const uint8_t public_key[SIGN_PUBLIC_BYTES],
                       const char *label, const void *msg, size_t len)
{
    uint8_t digest[HASH_BYTES];

    digest_of(digest, label, msg, len);
    if (crypto_sign_verify_detached(sig, digest, sizeof digest, public_key) != 0)
        return CN_E_AUTH;
    return CN_OK;
}
