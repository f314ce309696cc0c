/* SPDX-License-Identifier: Apache-2.0 */
/* See direct.h. */
#include "crypto/direct.h"

#include <string.h>

#include <sodium.h>

#include "crypto/agree.h"
#include "crypto/random.h"
#include "crypto/seal.h"

_Static_assert(DIRECT_OVERHEAD == SEAL_OVERHEAD, "one seal");
_Static_assert(SECAGG_KEY_BYTES == AGREE_PUBLIC_BYTES, "one kind of keys");

#define KEY_LABEL "cairn-direct-key"
#define BINDING_BYTES 32

struct direct_key {
    uint8_t secret[AGREE_SECRET_BYTES];
    uint8_t public_key[AGREE_PUBLIC_BYTES];
};

/* What signature and seal speak of: the round, and whose vector it is. */
struct words {
    uint8_t binding[BINDING_BYTES];
    uint8_t device[SECAGG_KEY_BYTES];
};

static void words_fill(struct words *words, const uint8_t binding[BINDING_BYTES],
                       const uint8_t device[SECAGG_KEY_BYTES])
{
    memcpy(words->binding, binding, sizeof words->binding);
    memcpy(words->device, device, sizeof words->device);
}

enum cn_err direct_key_new(struct direct_key **out, const struct cn_random *random)
{
    struct direct_key *key;
    enum cn_err err;

    *out = NULL;
    if (sodium_init() < 0)
        return CN_E_RANDOM;
    key = sodium_malloc(sizeof *key);
    if (!key)
        return CN_E_NOMEM;
    err = agree_pair(key->public_key, key->secret, random);
    if (err != CN_OK) {
        sodium_free(key);
        return err;
    }
    *out = key;
    return CN_OK;
}

void direct_key_free(struct direct_key *key)
{
    sodium_free(key); /* wipes; NULL is fine */
}

void direct_key_public(const struct direct_key *key, uint8_t out[SECAGG_KEY_BYTES])
{
    memcpy(out, key->public_key, SECAGG_KEY_BYTES);
}

void direct_announce(struct secagg_keys *out, const struct direct_key *key,
                     const uint8_t binding[BINDING_BYTES], const struct sign_key *identity)
{
    struct words words;

    memset(out, 0, sizeof *out);
    memcpy(out->seal_public, key->public_key, sizeof out->seal_public);
    words_fill(&words, binding, key->public_key);
    sign_make(out->signature, identity, KEY_LABEL, &words, sizeof words);
}

enum cn_err direct_announced(const struct secagg_keys *keys, const uint8_t binding[BINDING_BYTES],
                             const uint8_t device[SIGN_PUBLIC_BYTES])
{
    struct words words;

    if (!sodium_is_zero(keys->mask_public, sizeof keys->mask_public) ||
        !sodium_is_zero(keys->self_public, sizeof keys->self_public))
        return CN_E_AUTH;
    CN_TRY(agree_check_public(keys->seal_public));
    words_fill(&words, binding, keys->seal_public);
    return sign_check(keys->signature, device, KEY_LABEL, &words, sizeof words);
}

static enum cn_err derive(uint8_t key[AGREE_KEY_BYTES], const struct direct_key *own,
                          const uint8_t peer[SECAGG_KEY_BYTES],
                          const uint8_t binding[BINDING_BYTES])
{
    struct agree_binding purpose = {"cairn-direct-1", binding, BINDING_BYTES};

    return agree_derive(key, own->secret, peer, &purpose);
}

enum cn_err direct_seal(uint8_t *out, const void *bytes, size_t len,
                        const struct direct_key *device, const uint8_t aggregator[SECAGG_KEY_BYTES],
                        const uint8_t binding[BINDING_BYTES])
{
    uint8_t key[AGREE_KEY_BYTES];
    struct words words;
    struct seal_binding purpose = {"cairn-direct-update", &words, sizeof words};
    struct cn_random random;

    CN_TRY(random_system(&random));
    CN_TRY(derive(key, device, aggregator, binding));
    words_fill(&words, binding, device->public_key);
    seal_make(out, bytes, len, &purpose, key, &random);
    sodium_memzero(key, sizeof key);
    return CN_OK;
}

enum cn_err direct_open(uint8_t *out, const uint8_t *sealed, size_t len,
                        const struct direct_key *aggregator, const uint8_t device[SECAGG_KEY_BYTES],
                        const uint8_t binding[BINDING_BYTES])
{
    uint8_t key[AGREE_KEY_BYTES];
    struct words words;
    struct seal_binding purpose = {"cairn-direct-update", &words, sizeof words};
    enum cn_err err;

    CN_TRY(derive(key, aggregator, device, binding));
    words_fill(&words, binding, device);
    err = seal_open(out, sealed, len, &purpose, key);
    sodium_memzero(key, sizeof key);
    return err;
}
