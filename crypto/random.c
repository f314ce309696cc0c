/* SPDX-License-Identifier: Apache-2.0 */
/* The system's generator and the key-erasing stream. */
#include "crypto/random.h"

#include <pthread.h>
#include <sodium.h>

#include "crypto/hash.h"

_Static_assert(RANDOM_KEY_BYTES == crypto_stream_chacha20_ietf_KEYBYTES, "the pool keeps a key");
_Static_assert(RANDOM_POOL_BYTES % 64 == 0, "whole ChaCha20 blocks, no keystream thrown away");

uint32_t random_forks;

static void count_fork(void)
{
    random_forks++;
}

static void watch_forks(void)
{
    /* Without the handler a child would repeat its parent's noise: no randomness at all then. */
    CN_ASSERT(pthread_atfork(NULL, NULL, count_fork) == 0);
}

static enum cn_err ready(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    if (sodium_init() < 0)
        return CN_E_RANDOM;
    pthread_once(&once, watch_forks);
    return CN_OK;
}

static void system_fill(void *ctx, void *out, size_t len)
{
    (void)ctx;
    randombytes_buf(out, len);
}

enum cn_err random_system(struct cn_random *out)
{
    CN_TRY(ready());
    *out = (struct cn_random){system_fill, NULL};
    return CN_OK;
}

static enum cn_err stream_alloc(struct random_stream **stream)
{
    struct random_stream *made;

    *stream = NULL;
    CN_TRY(ready());
    made = sodium_malloc(sizeof *made);
    if (!made)
        return CN_E_NOMEM;
    memset(made, 0, sizeof *made);
    made->forks = random_forks;
    *stream = made;
    return CN_OK;
}

enum cn_err random_stream_new(struct random_stream **stream, const struct cn_random *seed)
{
    CN_TRY(stream_alloc(stream));
    cn_random_fill(seed, (*stream)->pool, RANDOM_KEY_BYTES);
    return CN_OK;
}

enum cn_err random_stream_new_keyed(struct random_stream **stream,
                                    const uint8_t key[RANDOM_KEY_BYTES])
{
    CN_TRY(stream_alloc(stream));
    memcpy((*stream)->pool, key, RANDOM_KEY_BYTES);
    return CN_OK;
}

void random_stream_free(struct random_stream *stream)
{
    sodium_free(stream); /* which wipes */
}

/* In a child: a key that the parent does not have. */
static void rekey_after_fork(struct random_stream *stream, uint8_t key[RANDOM_KEY_BYTES])
{
    uint8_t fresh[RANDOM_KEY_BYTES];
    struct hash hash;

    randombytes_buf(fresh, sizeof fresh);
    hash_init(&hash, "cairn-random-fork");
    hash_add(&hash, key, RANDOM_KEY_BYTES);
    hash_add(&hash, fresh, sizeof fresh);
    hash_final(&hash, key);
    sodium_memzero(fresh, sizeof fresh);
    stream->forks = random_forks;
}

/* The nonce may stay zero: every key makes exactly one pool. */
void random_stream_refill(struct random_stream *stream)
{
    static const uint8_t nonce[crypto_stream_chacha20_ietf_NONCEBYTES];
    uint8_t key[RANDOM_KEY_BYTES];

    memcpy(key, stream->pool, sizeof key);
    if (stream->forks != random_forks)
        rekey_after_fork(stream, key);
    crypto_stream_chacha20_ietf(stream->pool, RANDOM_POOL_BYTES, nonce, key);
    stream->left = RANDOM_POOL_BYTES - RANDOM_KEY_BYTES;
    sodium_memzero(key, sizeof key);
}

void random_stream_fill(struct random_stream *stream, void *out, size_t len)
{
    uint8_t *to = out;

    if (stream->forks != random_forks)
        random_stream_refill(stream);
    while (len) {
        size_t take = len < stream->left ? len : stream->left;
        uint8_t *at = stream->pool + (RANDOM_POOL_BYTES - stream->left);

        memcpy(to, at, take);
        memset(at, 0, take);
        stream->left -= (uint32_t)take;
        to += take;
        len -= take;
        if (len)
            random_stream_refill(stream);
    }
}

/* Most callers want words; a constant length lets the copy become one load and one store. */
static void stream_fill(void *ctx, void *out, size_t len)
{
    struct random_stream *stream = ctx;

    if (len == 8 && stream->left >= 8 && stream->forks == random_forks) {
        uint8_t *at = stream->pool + (RANDOM_POOL_BYTES - stream->left);

        memcpy(out, at, 8);
        memset(at, 0, 8);
        stream->left -= 8;
        return;
    }
    random_stream_fill(stream, out, len);
}

struct cn_random random_stream_interface(struct random_stream *stream)
{
    return (struct cn_random){stream_fill, stream};
}
