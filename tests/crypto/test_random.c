/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "crypto/random.h"

#define GIVEN_BYTES (RANDOM_POOL_BYTES - RANDOM_KEY_BYTES)

static struct random_stream *stream_of(uint8_t byte)
{
    struct random_stream *stream;
    uint8_t key[RANDOM_KEY_BYTES];

    memset(key, byte, sizeof key);
    cr_assert(random_stream_new_keyed(&stream, key) == CN_OK);
    return stream;
}

Test(random, system_gives_different_bytes_each_time)
{
    struct cn_random random;
    uint8_t a[32], b[32];

    cr_assert(random_system(&random) == CN_OK);
    cn_random_fill(&random, a, sizeof a);
    cn_random_fill(&random, b, sizeof b);
    cr_assert(memcmp(a, b, sizeof a) != 0);
    cr_assert_not(sodium_is_zero(a, sizeof a));
}

/* RFC 8439, appendix A.1, test vector 1: the keystream of the zero key. Its first half is the next
 * key, its second half is the first thing given out. */
Test(random, zero_key_gives_the_keystream_of_rfc_8439)
{
    struct random_stream *stream = stream_of(0);
    uint8_t want[32], got[32];

    cr_assert(cn_hex_decode(want, 32,
                            "da41597c5157488d7724e03fb8d84a37"
                            "6a43b8f41518a11cc387b669b2ee6586") == CN_OK);
    random_stream_fill(stream, got, sizeof got);
    cr_assert_arr_eq(got, want, 32);
    random_stream_free(stream);
}

Test(random, every_pool_begins_with_the_key_of_the_next)
{
    static const uint8_t nonce[12];
    uint8_t key[RANDOM_KEY_BYTES], pool[RANDOM_POOL_BYTES], got[GIVEN_BYTES];
    struct random_stream *stream = stream_of(7);

    memset(key, 7, sizeof key);
    for (int i = 0; i < 3; i++) {
        crypto_stream_chacha20_ietf(pool, sizeof pool, nonce, key);
        memcpy(key, pool, sizeof key);
        random_stream_fill(stream, got, sizeof got);
        cr_assert_arr_eq(got, pool + RANDOM_KEY_BYTES, GIVEN_BYTES);
    }
    random_stream_free(stream);
}

Test(random, what_was_given_out_is_wiped_from_the_pool)
{
    struct random_stream *stream = stream_of(7);
    uint8_t got[1000];

    random_stream_fill(stream, got, sizeof got);
    random_stream_u64(stream);
    cr_assert(sodium_is_zero(stream->pool + RANDOM_KEY_BYTES, 1008));
    cr_assert_not(sodium_is_zero(stream->pool + RANDOM_KEY_BYTES + 1008, 8));
    random_stream_free(stream);
}

Test(random, pieces_of_any_size_join_to_the_same_stream)
{
    static uint8_t whole[50000], pieces[50000];
    struct random_stream *a = stream_of(9), *b = stream_of(9);
    struct cn_random through = random_stream_interface(b);

    random_stream_fill(a, whole, sizeof whole);
    for (size_t at = 0, step = 0; at < sizeof pieces; at += step) {
        step = (step + 13) % 997 + 1;
        if (step > sizeof pieces - at)
            step = sizeof pieces - at;
        cn_random_fill(&through, pieces + at, step);
    }
    cr_assert_arr_eq(whole, pieces, sizeof whole);
    random_stream_free(a);
    random_stream_free(b);
}

Test(random, words_are_the_stream_read_little_endian)
{
    struct random_stream *a = stream_of(3), *b = stream_of(3);
    struct cn_random through = random_stream_interface(b);

    for (int i = 0; i < 5000; i++)
        cr_assert_eq(random_stream_u64(a), cn_random_u64(&through), "word %d", i);
    random_stream_free(a);
    random_stream_free(b);
}

Test(random, words_go_on_after_a_part_of_one_was_read)
{
    struct random_stream *stream = stream_of(3);
    uint8_t five[5];
    uint64_t last = 0;

    random_stream_fill(stream, five, sizeof five);
    for (int i = 0; i < 3000; i++) {
        uint64_t word = random_stream_u64(stream);

        cr_assert_neq(word, last);
        cr_assert_neq(word, 0);
        cr_assert(stream->left <= GIVEN_BYTES);
        last = word;
    }
    random_stream_free(stream);
}

Test(random, seed_decides_the_stream)
{
    struct cn_seeded one, two;
    struct cn_random seed_one = cn_random_seeded(&one, 5), seed_two = cn_random_seeded(&two, 5);
    struct random_stream *a, *b, *c;
    uint64_t word;

    cr_assert(random_stream_new(&a, &seed_one) == CN_OK);
    cr_assert(random_stream_new(&b, &seed_two) == CN_OK);
    cr_assert(random_stream_new(&c, &seed_two) == CN_OK);
    word = random_stream_u64(a);
    cr_assert_eq(word, random_stream_u64(b));
    cr_assert_neq(word, random_stream_u64(c));
    random_stream_free(a);
    random_stream_free(b);
    random_stream_free(c);
}

/* Reads the child's next bytes through a pipe. */
static void next_in_child(struct random_stream *stream, uint8_t *out, size_t len, bool word)
{
    int ends[2], status;
    pid_t child;

    cr_assert_eq(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        uint64_t drawn;

        if (word) {
            drawn = random_stream_u64(stream);
            memcpy(out, &drawn, 8);
        } else {
            random_stream_fill(stream, out, len);
        }
        _exit(write(ends[1], out, len) != (ssize_t)len);
    }
    cr_assert_eq(read(ends[0], out, len), (ssize_t)len);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    close(ends[0]);
    close(ends[1]);
}

Test(random, child_never_repeats_its_parent)
{
    struct random_stream *stream = stream_of(3);
    uint8_t parent[8], child[8], sibling[8];

    random_stream_u64(stream);
    next_in_child(stream, child, 8, true);
    next_in_child(stream, sibling, 8, false);
    random_stream_fill(stream, parent, 8);
    cr_assert(memcmp(parent, child, 8) != 0);
    cr_assert(memcmp(parent, sibling, 8) != 0);
    cr_assert(memcmp(child, sibling, 8) != 0);
    random_stream_free(stream);
}

/* Bits of 2^20 words: each of the 64 counts is binomial, standard deviation 512. A limit of six
 * deviations makes a false alarm once in 8 million runs; the key is fixed, so it holds for good. */
Test(random, every_bit_is_set_half_of_the_time)
{
    struct random_stream *stream = stream_of(11);
    int count[64] = {0};

    for (int i = 0; i < 1 << 20; i++) {
        uint64_t word = random_stream_u64(stream);

        for (int bit = 0; bit < 64; bit++)
            count[bit] += word >> bit & 1;
    }
    for (int bit = 0; bit < 64; bit++)
        cr_assert(abs(count[bit] - (1 << 19)) < 6 * 512, "bit %d: %d", bit, count[bit]);
    random_stream_free(stream);
}

Test(random, free_takes_null)
{
    random_stream_free(NULL);
}
