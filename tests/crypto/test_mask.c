/* SPDX-License-Identifier: Apache-2.0 */
/* Masks: the RFC's keystream, libsodium's for long ones, cancelling, tiles and blocks. */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <sodium.h>

#include "crypto/mask.h"

#define ok(expr) cr_assert_eq((expr), CN_OK, #expr)

static const uint8_t zero_seed[MASK_SEED_BYTES];

/* RFC 8439, appendix A.1, test vector 1: 76 b8 e0 ad a0 f1 3d 90 40 5d ... */
Test(mask, expands_the_keystream_of_the_rfc)
{
    uint32_t narrow[4] = {0}, wide[2] = {0};

    ok(mask_add(narrow, 4, 16, zero_seed));
    cr_assert_eq(narrow[0], 0xb876);
    cr_assert_eq(narrow[1], 0xade0);
    cr_assert_eq(narrow[2], 0xf1a0);
    cr_assert_eq(narrow[3], 0x903d);
    ok(mask_add(wide, 2, 32, zero_seed));
    cr_assert_eq(wide[0], 0xade0b876);
    cr_assert_eq(wide[1], 0x903df1a0);
}

Test(mask, keeps_the_low_bits_of_each_word)
{
    uint32_t narrow[2] = {0}, wide[2] = {0};

    ok(mask_add(narrow, 2, 9, zero_seed));
    cr_assert_eq(narrow[0], 0xb876 & 0x1ff);
    ok(mask_add(wide, 2, 17, zero_seed));
    cr_assert_eq(wide[1], 0x903df1a0 & 0x1ffff);
}

/* Word i of the keystream by libsodium, an independent implementation. */
static uint32_t *reference(size_t n, uint8_t bits, const uint8_t seed[MASK_SEED_BYTES])
{
    size_t word = bits <= 16 ? 2 : 4;
    uint8_t *stream = malloc(n * word + 1), nonce[12] = {0};
    uint32_t *out = calloc(n + 1, sizeof *out);

    crypto_stream_chacha20_ietf(stream, n * word, nonce, seed);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < word; k++)
            out[i] |= (uint32_t)stream[i * word + k] << (8 * k);
        out[i] &= UINT32_MAX >> (32 - bits);
    }
    free(stream);
    return out;
}

Test(mask, agrees_with_libsodium_across_blocks_and_tiles)
{
    static const size_t sizes[] = {0,    1,     31,    2047,  2048,  2049, 4096,
                                   4097, 16383, 16384, 16385, 20480, 40000};
    static const uint8_t bits[] = {1, 8, 16, 17, 24, 32};
    uint8_t seed[MASK_SEED_BYTES];

    memset(seed, 0xa5, sizeof seed);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (size_t b = 0; b < sizeof bits; b++) {
            size_t n = sizes[s];
            uint32_t *expected = reference(n, bits[b], seed);
            uint32_t *vector = calloc(n + 1, sizeof *vector);

            vector[n] = 77; /* behind the end */
            ok(mask_add(vector, n, bits[b], seed));
            cr_assert_eq(memcmp(vector, expected, n * sizeof *vector), 0, "%zu at %u", n, bits[b]);
            cr_assert_eq(vector[n], 77);
            ok(mask_sub(vector, n, bits[b], seed));
            cr_assert(n == 0 || sodium_is_zero((uint8_t *)vector, n * sizeof *vector));
            free(vector);
            free(expected);
        }
    }
}

Test(mask, applies_many_masks_as_one_after_the_other)
{
    enum { N = 20000, COUNT = 5 };
    static uint32_t together[N], alone[N];
    struct mask masks[COUNT];

    for (uint32_t i = 0; i < N; i++)
        together[i] = alone[i] = (i * 2654435761u) & 0xfffff;
    for (uint8_t k = 0; k < COUNT; k++) {
        memset(masks[k].seed, k + 1, sizeof masks[k].seed);
        masks[k].subtract = k % 2;
        ok(k % 2 ? mask_sub(alone, N, 20, masks[k].seed) : mask_add(alone, N, 20, masks[k].seed));
    }
    ok(mask_apply(together, N, 20, masks, COUNT));
    cr_assert_eq(memcmp(together, alone, sizeof alone), 0);
    ok(mask_apply(together, N, 20, masks, 0));
    cr_assert_eq(memcmp(together, alone, sizeof alone), 0);
}

Test(mask, reduces_what_it_adds_to)
{
    uint32_t vector[1] = {0xffffffff};

    ok(mask_add(vector, 1, 8, zero_seed));
    cr_assert_eq(vector[0], (0xff + 0x76) & 0xff);
    vector[0] = 0;
    ok(mask_sub(vector, 1, 16, zero_seed));
    cr_assert_eq(vector[0], 0x10000 - 0xb876);
}

Test(mask, refuses_widths_out_of_range)
{
    uint32_t vector[1] = {3};

    cr_assert_eq(mask_add(vector, 1, 0, zero_seed), CN_E_CONFIG);
    cr_assert_eq(mask_add(vector, 1, 33, zero_seed), CN_E_CONFIG);
    cr_assert_eq(mask_sub(vector, MASK_WORDS_MAX + 1, 16, zero_seed), CN_E_CONFIG);
    cr_assert_eq(vector[0], 3);
}
