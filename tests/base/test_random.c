/* SPDX-License-Identifier: Apache-2.0 */
/* The generator's known answers are the published ones that other implementations of xoshiro256**
 * test with too. Seeds are fixed; with others the statistical tests would err below 1e-5. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/random.h"

Test(random, gives_the_reference_stream_for_a_seed)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 0);

    /* splitmix64 from 0: the published first outputs */
    cr_assert_eq(seeded.state[0], 0xe220a8397b1dcdafu);
    cr_assert_eq(seeded.state[1], 0x6e789e6aa1b965f4u);
    cr_assert_eq(seeded.state[2], 0x06c45d188009454fu);
    cr_assert_eq(seeded.state[3], 0xf88bb8a8724c81ecu);
    cr_assert_eq(cn_random_u64(&random), 0x99ec5f36cb75f2b4u);
    cr_assert_eq(cn_random_u64(&random), 0xbf6e1f784956452au);
}

Test(random, gives_the_reference_stream_for_a_state)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 7);
    static const uint64_t state[] = {1, 2, 3, 4};
    static const uint64_t expected[] = {11520, 0, 1509978240, 1215971899390074240};

    memcpy(seeded.state, state, sizeof state);
    for (size_t i = 0; i < 4; i++)
        cr_assert_eq(cn_random_u64(&random), expected[i]);
}

Test(random, bytes_are_the_words_in_little_endian)
{
    struct cn_seeded one, two;
    struct cn_random a = cn_random_seeded(&one, 42), b = cn_random_seeded(&two, 42);
    uint8_t bytes[11];
    uint64_t word = cn_random_u64(&a);

    cn_random_fill(&b, bytes, sizeof bytes);
    for (int i = 0; i < 8; i++)
        cr_assert_eq(bytes[i], (uint8_t)(word >> (8 * i)));
    word = cn_random_u64(&a);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(bytes[8 + i], (uint8_t)(word >> (8 * i)));
}

Test(random, below_is_uniform_and_in_bounds)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 3);
    unsigned counts[7] = {0};
    double chi2 = 0;

    for (int i = 0; i < 70000; i++) {
        uint64_t value = cn_random_below(&random, 7);

        cr_assert_lt(value, 7);
        counts[value]++;
    }
    for (int i = 0; i < 7; i++)
        chi2 += (counts[i] - 10000.0) * (counts[i] - 10000.0) / 10000.0;
    cr_assert_lt(chi2, 40.0); /* six degrees of freedom: 5e-7 */
    cr_assert_eq(cn_random_below(&random, 1), 0);
}

/* Says what the test wants to hear, to reach the rejection. */
struct script {
    uint64_t words[4];
    size_t at;
};

static void script_fill(void *ctx, void *out, size_t len)
{
    struct script *script = ctx;

    cr_assert_eq(len, 8);
    for (size_t i = 0; i < 8; i++)
        ((uint8_t *)out)[i] = (uint8_t)(script->words[script->at] >> (8 * i));
    script->at++;
}

Test(random, below_rejects_the_words_that_would_bias)
{
    /* 2^64 mod 3 = 1: the word 0 has to be rejected, 1 is kept. */
    struct script script = {.words = {0, 1, 5, 0}};
    struct cn_random random = {script_fill, &script};

    cr_assert_eq(cn_random_below(&random, 3), 1);
    cr_assert_eq(script.at, 2);
    cr_assert_eq(cn_random_below(&random, 3), 2);
}

Test(random, unit_lies_in_the_half_open_interval)
{
    struct script script = {.words = {0, UINT64_MAX, UINT64_C(1) << 63, 0}};
    struct cn_random random = {script_fill, &script};

    cr_assert_eq(cn_random_unit(&random), 0.0);
    cr_assert_lt(cn_random_unit(&random), 1.0);
    cr_assert_eq(cn_random_unit(&random), 0.5);
}

Test(random, normal_has_mean_zero_and_variance_one)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 11);
    double sum = 0, squares = 0;
    const int n = 100000;

    for (int i = 0; i < n; i++) {
        double x = cn_random_normal(&random);

        cr_assert(isfinite(x));
        sum += x;
        squares += x * x;
    }
    cr_assert_lt(fabs(sum / n), 5.0 / sqrt(n));
    cr_assert_lt(fabs(squares / n - 1), 5.0 * sqrt(2.0 / n));
}

Test(random, shuffle_permutes_and_every_order_comes)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 5);
    unsigned counts[6] = {0};

    for (int i = 0; i < 6000; i++) {
        uint32_t order[] = {0, 1, 2};

        cn_random_shuffle(&random, order, 3);
        cr_assert_eq(1u << order[0] | 1u << order[1] | 1u << order[2], 7u);
        counts[order[0] * 2 + (order[1] > order[2])]++;
    }
    for (int i = 0; i < 6; i++)
        cr_assert(counts[i] > 840 && counts[i] < 1160, "order %d came %u times", i, counts[i]);
    cn_random_shuffle(&random, NULL, 0);
}
