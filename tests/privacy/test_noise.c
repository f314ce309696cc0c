/* SPDX-License-Identifier: Apache-2.0 */
/* Distributions are compared by Pearson's chi-square at the critical value that a right sampler
 * passes with probability 1 - 1e-6 (Wilson and Hilferty's approximation). Streams are keyed, so a
 * run either always passes or always fails; with another key there is one false alarm in a million
 * per comparison. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/random.h"
#include "privacy/noise.h"

#define SAMPLES 300000
#define BINS_MAX 64
#define NORMAL_1E6 4.753424 /* one-sided quantile of 1e-6 */

static struct random_stream *stream;
static struct cn_random keyed;
static int64_t sample[SAMPLES];

static void start(void)
{
    static const uint8_t key[RANDOM_KEY_BYTES] = "the noise tests' fixed key 32 b";

    cr_assert_eq(random_stream_new_keyed(&stream, key), CN_OK);
    keyed = random_stream_interface(stream);
}

static void stop(void)
{
    random_stream_free(stream);
}

TestSuite(noise, .init = start, .fini = stop);

static double critical(size_t freedom)
{
    double k = (double)freedom, c = 2 / (9 * k);

    return k * pow(1 - c + NORMAL_1E6 * sqrt(c), 3);
}

/* Chi-square of the sample against values -reach..reach, each its own bin, and what is beyond. */
static double chi_square_values(double sigma2, int reach, size_t *freedom)
{
    double count[2 * 32 + 2] = {0}, weight[2 * 32 + 2] = {0}, total = 0, chi = 0;
    size_t bins = 2 * (size_t)reach + 2;

    for (int x = -400; x <= 400; x++) {
        double p = exp(-x * x / (2 * sigma2));

        weight[abs(x) > reach ? bins - 1 : (size_t)(x + reach)] += p;
        total += p;
    }
    for (size_t i = 0; i < SAMPLES; i++)
        count[llabs(sample[i]) > reach ? bins - 1 : (size_t)(sample[i] + reach)]++;
    for (size_t b = 0; b < bins; b++) {
        double want = SAMPLES * weight[b] / total;

        cr_assert_gt(want, 5, "bin %zu is too thin for the test", b);
        chi += (count[b] - want) * (count[b] - want) / want;
    }
    *freedom = bins - 1;
    return chi;
}

/* For large sigma: bins of sigma / 8 up to 3.5 sigma on either side, by the normal distribution,
 * from which the discrete one differs by less than 1e-8 there. */
static double chi_square_shape(double sigma, size_t *freedom)
{
    double count[BINS_MAX] = {0}, chi = 0;
    size_t bins = 58;

    for (size_t i = 0; i < SAMPLES; i++) {
        double place = floor(((double)sample[i] / sigma + 3.5) * 8) + 1;

        count[place < 0 ? 0 : place > 57 ? 57 : (size_t)place]++;
    }
    for (size_t b = 0; b < bins; b++) {
        double low = b == 0 ? -INFINITY : ((double)b - 1) / 8 - 3.5;
        double high = b == 57 ? INFINITY : (double)b / 8 - 3.5;
        double shift = 0.5 / sigma; /* integers x cover x - 1/2 to x + 1/2 */
        double p = 0.5 * (erf((high - shift) / sqrt(2)) - erf((low - shift) / sqrt(2)));

        chi += (count[b] - SAMPLES * p) * (count[b] - SAMPLES * p) / (SAMPLES * p);
    }
    *freedom = bins - 1;
    return chi;
}

static void check_values(uint64_t num, uint64_t den, int reach)
{
    size_t freedom;
    double chi;

    cr_assert_eq(noise_discrete_gaussian(sample, SAMPLES, num, den, &keyed), CN_OK);
    chi = chi_square_values((double)num / (double)den, reach, &freedom);
    cr_assert_lt(chi, critical(freedom), "sigma^2 = %lu / %lu: chi-square %g of %zu", num, den, chi,
                 freedom);
}

Test(noise, has_the_exact_probabilities_for_whole_sigma)
{
    check_values(1, 1, 3);
    check_values(9, 1, 9);
    check_values(100, 1, 30);
}

Test(noise, has_the_exact_probabilities_for_fractional_variance)
{
    check_values(1, 4, 1);
    check_values(7, 4, 4);
    check_values(20, 1, 12);
    check_values(NOISE_SIGMA2_PART_MAX - 1, (uint64_t)1 << 38, 12);
}

Test(noise, has_the_shape_of_a_gaussian_for_large_sigma)
{
    const uint64_t sigmas[] = {100003, 1u << 20, NOISE_SIGMA_WHOLE_MAX};
    size_t freedom;

    for (size_t i = 0; i < 3; i++) {
        double chi;

        cr_assert_eq(noise_discrete_gaussian(sample, SAMPLES, sigmas[i] * sigmas[i], 1, &keyed),
                     CN_OK);
        chi = chi_square_shape((double)sigmas[i], &freedom);
        cr_assert_lt(chi, critical(freedom), "sigma %lu: %g", sigmas[i], chi);
    }
    cr_assert_eq(noise_discrete_gaussian(sample, SAMPLES, 10000000001, 1, &keyed), CN_OK);
    cr_assert_lt(chi_square_shape(sqrt(10000000001.0), &freedom), critical(freedom));
}

Test(noise, would_be_caught_with_a_sigma_two_percent_off)
{
    size_t freedom;

    cr_assert_eq(noise_discrete_gaussian(sample, SAMPLES, 102 * 102, 100, &keyed), CN_OK);
    cr_assert_gt(chi_square_values(100, 30, &freedom), critical(freedom));
    cr_assert_eq(noise_discrete_gaussian(sample, SAMPLES, 102000ull * 102000, 1, &keyed), CN_OK);
    cr_assert_gt(chi_square_shape(100000, &freedom), critical(freedom));
}

Test(noise, does_not_repeat_its_low_digits)
{
    size_t freedom = 9;
    double count[10] = {0}, chi = 0;

    cr_assert_eq(noise_discrete_gaussian(sample, SAMPLES, 1000003ull * 1000003, 1, &keyed), CN_OK);
    for (size_t i = 0; i < SAMPLES; i++)
        count[(sample[i] % 10 + 10) % 10]++;
    for (size_t b = 0; b < 10; b++)
        chi += (count[b] - SAMPLES / 10.0) * (count[b] - SAMPLES / 10.0) / (SAMPLES / 10.0);
    cr_assert_lt(chi, critical(freedom));
}

Test(noise, follows_from_the_key_alone)
{
    int64_t first[100];

    cr_assert_eq(noise_discrete_gaussian(first, 100, 1ull << 40, 1, &keyed), CN_OK);
    stop();
    start();
    cr_assert_eq(noise_discrete_gaussian(sample, 100, 1ull << 40, 1, &keyed), CN_OK);
    cr_assert_arr_eq(sample, first, sizeof first);
}

Test(noise, refuses_variances_out_of_range)
{
    const uint64_t bad[][2] = {{0, 1},
                               {1, 0},
                               {NOISE_SIGMA2_PART_MAX + 1, 1},
                               {1, NOISE_SIGMA2_PART_MAX + 1},
                               {((uint64_t)1 << 62) + 1, 1},
                               {(NOISE_SIGMA_WHOLE_MAX + 1) * (NOISE_SIGMA_WHOLE_MAX + 1), 1},
                               {UINT64_MAX, 1}};
    int64_t out = 77;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_eq(noise_discrete_gaussian(&out, 1, bad[i][0], bad[i][1], &keyed), CN_E_CONFIG);
    cr_assert_eq(out, 77);
}

#define D 20000

Test(noise, of_a_gradient_is_never_less_than_asked_for)
{
    /* the variance of 20,000 samples is within 5 % of the truth but for 1 in 10^6 */
    static float sum[D];
    const double z = 0.95, clip = 0.1;
    double slack = noise_slack(430, 430), total = 0, want;

    cr_assert_eq(noise_gradient(sum, D, clip, z, slack, &keyed), CN_OK);
    for (size_t i = 0; i < D; i++)
        total += (double)sum[i] * sum[i];
    want = z * clip * (1 + slack);
    cr_assert_gt(total / D, want * want * 0.95);
    cr_assert_lt(total / D, want * want * 1.05);
}

Test(noise, of_a_gradient_lies_on_the_grid)
{
    static float sum[D];
    const double step = ldexp(1, -4 - NOISE_GRID_BITS); /* 0.1 lies in [2^-4, 2^-3) */

    for (size_t i = 0; i < D; i++)
        sum[i] = (float)i * 1e-5f;
    cr_assert_eq(noise_gradient(sum, D, 0.1, 0.01, 0.01, &keyed), CN_OK);
    for (size_t i = 0; i < D; i++)
        cr_assert_eq((double)sum[i] / step, rint((double)sum[i] / step));
}

Test(noise, of_a_gradient_is_centred_on_the_sum)
{
    /* mean of 20,000: standard deviation z C / 141; 6 of them: false alarm 2e-9 */
    static float sum[D];
    double total = 0;

    for (size_t i = 0; i < D; i++)
        sum[i] = 3.25f;
    cr_assert_eq(noise_gradient(sum, D, 1, 2, 0, &keyed), CN_OK);
    for (size_t i = 0; i < D; i++)
        total += sum[i];
    cr_assert_float_eq(total / D, 3.25, 6 * 2 / sqrt(D));
}

Test(noise, of_a_gradient_refuses_sums_that_are_not_finite_or_too_large)
{
    const float bad[] = {NAN, INFINITY, -INFINITY, 0x1.1p20f, -0x1.1p20f};
    float sum[5], same[5];

    for (size_t i = 0; i < 5; i++) {
        for (size_t j = 0; j < 5; j++)
            sum[j] = 1;
        sum[4] = bad[i];
        memcpy(same, sum, sizeof sum);
        cr_assert_eq(noise_gradient(sum, 5, 1, 1, 0.01, &keyed), CN_E_DIVERGED);
        cr_assert(memcmp(sum, same, sizeof sum) == 0);
    }
    sum[4] = 0x1p20f;
    cr_assert_eq(noise_gradient(sum, 5, 1, 1, 0.01, &keyed), CN_OK);
}

Test(noise, of_a_gradient_refuses_parameters_out_of_range)
{
    const double bad[][3] = {{0, 1, 0},     {-1, 1, 0},  {NAN, 1, 0}, {INFINITY, 1, 0},
                             {1, 0, 0},     {1, NAN, 0}, {1, 300, 0}, {1, 0.001, 0},
                             {1, 1, -0.01}, {1, 1, 0.3}, {1, 1, NAN}};
    float sum = 1;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_eq(noise_gradient(&sum, 1, bad[i][0], bad[i][1], bad[i][2], &keyed), CN_E_CONFIG);
    cr_assert_eq(sum, 1);
}

Test(noise, slack_covers_sums_in_float_in_the_worst_order)
{
    /* 430 equal gradients of norm C, with and without one more: the float sums may lie apart by C
     * and the slack, not more */
    float with = 0, without = 0;

    for (int i = 0; i < 430; i++) {
        with += 0.1f;
        if (i < 429)
            without += 0.1f;
    }
    cr_assert_leq(fabs((double)with - without), 0.1 * (1 + noise_slack(430, 430)));
    cr_assert_float_eq(noise_slack(430, 430), 0.024, 0.0005);
    cr_assert_float_eq(noise_slack(1024, 64), 0.010, 0.0005);
}

static void check_laplace(uint64_t num, uint64_t den, int reach)
{
    double scale = (double)num / (double)den, count[2 * 40 + 2] = {0}, chi = 0, rest = 1;
    size_t bins = 2 * (size_t)reach + 1;

    cr_assert_eq(noise_discrete_laplace(sample, SAMPLES, num, den, &keyed), CN_OK);
    for (size_t i = 0; i < SAMPLES; i++)
        count[llabs(sample[i]) > reach ? bins : (size_t)(sample[i] + reach)]++;
    for (size_t b = 0; b < bins; b++) {
        double p = tanh(0.5 / scale) * exp(-fabs((double)b - reach) / scale);

        chi += (count[b] - SAMPLES * p) * (count[b] - SAMPLES * p) / (SAMPLES * p);
        rest -= p;
    }
    chi += (count[bins] - SAMPLES * rest) * (count[bins] - SAMPLES * rest) / (SAMPLES * rest);
    cr_assert_lt(chi, critical(bins), "scale %lu / %lu: chi-square %g", num, den, chi);
}

Test(noise, of_laplace_has_the_exact_probabilities)
{
    check_laplace(1, 1, 6);
    check_laplace(10, 1, 40);
    check_laplace(7, 3, 15);
    check_laplace(1, 3, 2);
    check_laplace(NOISE_SCALE_PART_MAX, NOISE_SCALE_PART_MAX - 1, 6);
}

Test(noise, of_laplace_refuses_scales_out_of_range)
{
    int64_t out = 7;

    cr_assert_eq(noise_discrete_laplace(&out, 1, 0, 1, &keyed), CN_E_CONFIG);
    cr_assert_eq(noise_discrete_laplace(&out, 1, 1, 0, &keyed), CN_E_CONFIG);
    cr_assert_eq(noise_discrete_laplace(&out, 1, NOISE_SCALE_PART_MAX + 1, 1, &keyed), CN_E_CONFIG);
    cr_assert_eq(out, 7);
}
