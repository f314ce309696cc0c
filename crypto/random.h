/* SPDX-License-Identifier: Apache-2.0 */
/* Randomness for secrets and for noise: the system's generator, and a fast one keyed from it.
 *
 * The fast one is ChaCha20 with key erasure: the first 32 bytes of every refill become the key of
 * the next, bytes that were given out are wiped, so a memory image taken later shows nothing of the
 * past. Source: Bernstein, "Fast-key-erasure random-number generators", 2017; RFC 8439. */
#ifndef CAIRN_CRYPTO_RANDOM_H
#define CAIRN_CRYPTO_RANDOM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/random.h"

#define RANDOM_KEY_BYTES 32
#define RANDOM_POOL_BYTES 8192 /* one refill: the next key, then what is given out */

/* Gives the system's generator (getrandom, one call into the kernel per fill), and readies
 * libsodium. Safe from any thread and across fork. CN_E_RANDOM. */
enum cn_err random_system(struct cn_random *out);

/* Lives in a sodium_malloc block. The fields are open only for random_stream_u64 to be inlined. */
struct random_stream {
    uint32_t left;  /* bytes of the pool not given out yet; they are its last ones */
    uint32_t forks; /* random_forks when the key was made */
    uint8_t pool[RANDOM_POOL_BYTES];
};

/* How many forks lie between the first process and this one; counted by a pthread_atfork handler.
 * A stream that finds itself in a child mixes fresh system randomness into its key, so parent and
 * child never share a byte. */
extern uint32_t random_forks;

/* Makes a stream whose key is drawn from seed; the caller owns it. One stream, one thread.
 * CN_E_RANDOM, CN_E_NOMEM. About 2 GB/s in bulk. */
enum cn_err random_stream_new(struct random_stream **stream, const struct cn_random *seed);

/* The same, with a key that is given: equal keys give equal bytes on every machine. For tests and
 * for parties that must expand one secret alike. */
enum cn_err random_stream_new_keyed(struct random_stream **stream,
                                    const uint8_t key[RANDOM_KEY_BYTES]);

/* Wipes and frees; NULL is allowed. */
void random_stream_free(struct random_stream *stream);

/* The stream as a struct cn_random, valid as long as the stream. */
struct cn_random random_stream_interface(struct random_stream *stream);

/* Fills out; any len. */
void random_stream_fill(struct random_stream *stream, void *out, size_t len);

/* Replaces the pool, whatever was left in it. Called by random_stream_u64. */
void random_stream_refill(struct random_stream *stream);

/* Gives 64 uniform bits: the next eight bytes, little-endian. Up to seven bytes that are left
 * at the end of a pool are skipped, which random_stream_fill never does; both are deterministic. */
static inline uint64_t random_stream_u64(struct random_stream *stream)
{
    uint64_t word;

    if (stream->left < sizeof word || stream->forks != random_forks)
        random_stream_refill(stream);
    uint8_t *at = stream->pool + (RANDOM_POOL_BYTES - stream->left);
    memcpy(&word, at, sizeof word);
    memset(at, 0, sizeof word);
    stream->left -= (uint32_t)sizeof word;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

#endif
