/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>

#include "base/random.h"
#include "privacy/quantise.h"

static void fill_ones(void *ctx, void *out, size_t len)
{
    (void)ctx;
    memset(out, 0xff, len);
}

static void fill_zeros(void *ctx, void *out, size_t len)
{
    (void)ctx;
    memset(out, 0, len);
}

Test(quantise, rounds_down_and_up_by_the_random_word)
{
    const float v[6] = {1.25f, -1.25f, 0.5f, -0.5f, 3, -3};
    const int32_t low[6] = {1, -2, 0, -1, 3, -3}, high[6] = {2, -1, 1, 0, 3, -3};
    const struct cn_random ones = {fill_ones, NULL}, zeros = {fill_zeros, NULL};
    int32_t out[6];

    cr_assert_eq(quantise_stochastic(out, v, 6, 1, 100, &ones), CN_OK);
    cr_assert_arr_eq(out, low, sizeof low);
    cr_assert_eq(quantise_stochastic(out, v, 6, 1, 100, &zeros), CN_OK);
    cr_assert_arr_eq(out, high, sizeof high);
}

Test(quantise, is_right_on_average)
{
    /* 200,000 Bernoulli(0.3): standard deviation 205; 6 of them: false alarm below 2e-9 */
    enum { N = 200000 };
    static float v[N];
    static int32_t out[N];
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 3);
    int64_t total = 0;

    for (size_t i = 0; i < N; i++)
        v[i] = -0.7f;
    cr_assert_eq(quantise_stochastic(out, v, N, 10, 100, &random), CN_OK);
    for (size_t i = 0; i < N; i++)
        total += out[i];
    cr_assert_float_eq((double)total, -7.0 * N, 6,
                       "an exact multiple stays one (to float's error)");
    for (size_t i = 0; i < N; i++)
        v[i] = -0.67f;
    cr_assert_eq(quantise_stochastic(out, v, N, 10, 100, &random), CN_OK);
    total = 0;
    for (size_t i = 0; i < N; i++)
        total += out[i];
    cr_assert_float_eq((double)total, -6.7 * N, 6 * 205);
}

Test(quantise, clamps_at_the_limit)
{
    const float v[4] = {1e30f, -1e30f, 7.9f, -7.9f};
    const int32_t want[4] = {7, -7, 7, -7};
    const struct cn_random zeros = {fill_zeros, NULL};
    int32_t out[4];

    cr_assert_eq(quantise_stochastic(out, v, 4, 1, 7, &zeros), CN_OK);
    cr_assert_arr_eq(out, want, sizeof want);
}

Test(quantise, refuses_nonsense)
{
    const struct cn_random zeros = {fill_zeros, NULL};
    float v[2] = {1, NAN};
    int32_t out[2] = {9, 9};

    cr_assert_eq(quantise_stochastic(out, v, 2, 1, 7, &zeros), CN_E_DIVERGED);
    v[1] = INFINITY;
    cr_assert_eq(quantise_stochastic(out, v, 2, 1, 7, &zeros), CN_E_DIVERGED);
    v[1] = 1;
    cr_assert_eq(quantise_stochastic(out, v, 2, 0, 7, &zeros), CN_E_CONFIG);
    cr_assert_eq(quantise_stochastic(out, v, 2, INFINITY, 7, &zeros), CN_E_CONFIG);
    cr_assert_eq(quantise_stochastic(out, v, 2, 1, 0, &zeros), CN_E_CONFIG);
    cr_assert_eq(quantise_stochastic(out, v, 2, 1, QUANTISE_LIMIT_MAX + 1, &zeros), CN_E_CONFIG);
    cr_assert(out[0] == 9 && out[1] == 9);
}
