/* SPDX-License-Identifier: Apache-2.0 */
/* Packing: worked examples, a plain bit-by-bit model for every width, refusals. */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/random.h"
#include "crypto/pack.h"

#define ok(expr) cr_assert_eq((expr), CN_OK, "%s", #expr)

Test(pack, counts_bytes_rounded_up)
{
    cr_assert_eq(pack_bytes(0, 8), 0);
    cr_assert_eq(pack_bytes(1, 1), 1);
    cr_assert_eq(pack_bytes(8, 1), 1);
    cr_assert_eq(pack_bytes(9, 1), 2);
    cr_assert_eq(pack_bytes(3, 20), 8);
    cr_assert_eq(pack_bytes((size_t)1 << 28, 32), (size_t)1 << 30);
}

Test(pack, lays_numbers_out_from_the_lowest_bit)
{
    uint32_t vector[] = {0xabcde, 0x12345, 0x00001};
    uint8_t out[8], expected[] = {0xde, 0xbc, 0x5a, 0x34, 0x12, 0x01, 0x00, 0x00};

    pack_bits(out, vector, 3, 20);
    cr_assert_arr_eq(out, expected, sizeof out);
}

/* Bit k of the packed bytes, one at a time. */
static void model(uint8_t *out, const uint32_t *vector, size_t n, uint8_t bits)
{
    memset(out, 0, pack_bytes(n, bits));
    for (size_t k = 0; k < n * bits; k++)
        out[k / 8] = (uint8_t)(out[k / 8] | (vector[k / bits] >> k % bits & 1) << k % 8);
}

Test(pack, agrees_with_the_model_for_every_width_and_length)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 7);

    for (uint8_t bits = 1; bits <= 32; bits++) {
        for (size_t n = 0; n < 40; n++) {
            uint32_t vector[40], sum[40], low = UINT32_MAX >> (32 - bits);
            size_t len = pack_bytes(n, bits);
            uint8_t *got = malloc(len + 1), *expected = malloc(len + 1);

            cn_random_fill(&random, vector, sizeof vector); /* high bits are ignored */
            model(expected, vector, n, bits);
            got[len] = 0x5c;
            pack_bits(got, vector, n, bits);
            cr_assert_eq(memcmp(got, expected, len), 0, "%zu numbers of %u bits", n, bits);
            cr_assert_eq(got[len], 0x5c);

            for (size_t i = 0; i < n; i++)
                sum[i] = low - (uint32_t)i % (low < 7 ? low + 1 : 7);
            uint8_t *exact = malloc(len ? len : 1); /* the sanitizer guards its end */
            memcpy(exact, got, len);
            ok(unpack_bits_add(sum, n, bits, exact, len));
            for (size_t i = 0; i < n; i++) {
                uint32_t before = low - (uint32_t)i % (low < 7 ? low + 1 : 7);
                cr_assert_eq(sum[i], (before + vector[i]) & low);
            }
            free(exact);
            free(got);
            free(expected);
        }
    }
}

Test(pack, refuses_every_other_length)
{
    uint8_t packed[64] = {0};
    uint32_t sum[10] = {0};

    for (size_t len = 0; len < sizeof packed; len++) {
        enum cn_err expected = len == pack_bytes(10, 13) ? CN_OK : CN_E_PARSE;
        cr_assert_eq(unpack_bits_add(sum, 10, 13, packed, len), expected);
    }
}

Test(pack, refuses_unused_bits_that_are_set)
{
    uint32_t sum[3] = {1, 2, 3};
    uint8_t packed[5] = {0}; /* 39 bits: one is unused */

    packed[4] = 0x80;
    cr_assert_eq(unpack_bits_add(sum, 3, 13, packed, sizeof packed), CN_E_PARSE);
    cr_assert_eq(sum[0], 1);
    packed[4] = 0x40;
    ok(unpack_bits_add(sum, 3, 13, packed, sizeof packed));
    cr_assert_eq(sum[2], 3 + 0x1000);
}
