/* SPDX-License-Identifier: Apache-2.0 */
/* Samples are compared by Pearson's chi-square at the critical value of probability 1e-6; streams
 * are keyed, so with another key there is one false alarm in a million per comparison. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "crypto/random.h"
#include "privacy/noise_table.h"

#define SAMPLES 400000

static int32_t sample[SAMPLES];

static void draw_all(const struct noise_table *table)
{
    static const uint8_t key[RANDOM_KEY_BYTES] = "the noise table's fixed key, 32";
    struct random_stream *stream;
    struct cn_random random;

    cr_assert_eq(random_stream_new_keyed(&stream, key), CN_OK);
    random = random_stream_interface(stream);
    noise_table_draw(table, sample, SAMPLES, &random);
    random_stream_free(stream);
}

static double critical(size_t freedom)
{
    double k = (double)freedom, c = 2 / (9 * k);

    return k * pow(1 - c + 4.753424 * sqrt(c), 3);
}

/* Values -reach .. reach, and all beyond in one bin; p [2 reach + 1]. */
static void check_sample(const double *p, int reach)
{
    double *count = calloc(2 * (size_t)reach + 2, sizeof *count), rest = 1, chi = 0;
    size_t bins = 2 * (size_t)reach + 1;

    for (size_t i = 0; i < SAMPLES; i++)
        count[abs(sample[i]) > reach ? bins : (size_t)(sample[i] + reach)]++;
    for (size_t b = 0; b < bins; b++) {
        chi += pow(count[b] - SAMPLES * p[b], 2) / (SAMPLES * p[b]);
        rest -= p[b];
    }
    chi += pow(count[bins] - SAMPLES * rest, 2) / (SAMPLES * rest);
    cr_assert_lt(chi, critical(bins), "chi-square %g of %zu", chi, bins);
    free(count);
}

static void check_gaussian(uint64_t num, uint64_t den, int reach)
{
    double sigma2 = (double)num / (double)den, total = 0, p[2 * 400 + 1];
    struct noise_table *table;

    cr_assert_eq(noise_table_gaussian(&table, num, den), CN_OK);
    for (int x = -2000; x <= 2000; x++)
        total += exp(-x * x / (2 * sigma2));
    for (int x = 0; x * x <= 130 * sigma2; x++) { /* to probabilities of 1e-28 */
        double want = exp(-x * x / (2 * sigma2)) / total;

        cr_assert_float_eq(noise_table_probability(table, x), want, 1e-12 * want + 0x1p-100);
        cr_assert_float_eq(noise_table_probability(table, -x), want, 1e-12 * want + 0x1p-100);
    }
    for (int x = -reach; x <= reach; x++)
        p[x + reach] = exp(-x * x / (2 * sigma2)) / total;
    draw_all(table);
    check_sample(p, reach);
    noise_table_free(table);
}

Test(noise_table, has_the_gaussians_probabilities)
{
    check_gaussian(1, 1, 3);
    check_gaussian(7, 4, 4);
    check_gaussian(10000, 1, 300);
    check_gaussian(NOISE_TABLE_SIGMA2_MAX, 1, 380);
    check_gaussian(3000000001, 1000000000, 6);
}

static void check_skellam(uint32_t variance, int reach)
{
    double mean = variance / 2, p[2 * 400 + 1] = {0};
    struct noise_table *table;
    int end = (int)(mean + 13 * sqrt(mean) + 100);
    double *poisson = calloc((size_t)end + 1, sizeof *poisson);

    cr_assert_eq(noise_table_skellam(&table, variance), CN_OK);
    for (int k = 0; k <= end; k++) {
        poisson[k] = exp(k * log(mean) - mean - lgamma(k + 1));
        if (poisson[k] > 1e-25)
            cr_assert_float_eq(noise_table_probability(table, k) / poisson[k], 1, 1e-8, "%d", k);
    }
    for (int x = -reach; x <= reach; x++)
        for (int k = x > 0 ? x : 0; k <= end && k - x <= end; k++)
            p[x + reach] += poisson[k] * poisson[k - x];
    draw_all(table);
    check_sample(p, reach);
    noise_table_free(table);
    free(poisson);
}

Test(noise_table, has_skellams_probabilities)
{
    check_skellam(2, 4);
    check_skellam(100, 30);
    check_skellam(8000, 260);
    check_skellam(2 * NOISE_TABLE_POISSON_MAX, 400);
}

/* sigma^2 just past one table, in the middle, and the widest. */
Test(noise_table, draws_wide_noise_from_two_tables)
{
    static const uint64_t variances[] = {NOISE_TABLE_SIGMA2_MAX + 1, 250007, NOISE_TABLE_WIDE_MAX};

    for (size_t v = 0; v < sizeof variances / sizeof *variances; v++) {
        double sigma2 = (double)variances[v], sigma = sqrt(sigma2), mean = 0, square = 0;
        struct noise_table *table;

        cr_assert_eq(noise_table_gaussian(&table, variances[v], 1), CN_OK);
        for (int i = 0; i <= 14; i++) { /* to 7 sigma */
            double x = floor(i * sigma / 2);
            double want = exp(-x * x / (2 * sigma2)) / sqrt(2 * M_PI * sigma2);

            cr_assert_float_eq(noise_table_probability(table, (int32_t)x) / want, 1, 1e-12);
            cr_assert_float_eq(noise_table_probability(table, -(int32_t)x) / want, 1, 1e-12);
        }
        draw_all(table);
        for (size_t i = 0; i < SAMPLES; i++) {
            mean += sample[i] / sigma / SAMPLES;
            square += sample[i] / sigma2 * sample[i] / SAMPLES;
        }
        /* five standard deviations: one false alarm in a million */
        cr_assert_lt(fabs(mean), 5 / sqrt(SAMPLES));
        cr_assert_lt(fabs(square - 1), 5 * sqrt(2.0 / SAMPLES));
        noise_table_free(table);
    }
}

Test(noise_table, refuses_what_does_not_fit)
{
    struct noise_table *table;

    cr_assert_eq(noise_table_gaussian(&table, 1, 2), CN_E_CONFIG);
    cr_assert_eq(noise_table_gaussian(&table, 1, 0), CN_E_CONFIG);
    cr_assert_eq(noise_table_gaussian(&table, 2 * NOISE_TABLE_SIGMA2_MAX + 1, 2), CN_E_CONFIG);
    cr_assert_eq(noise_table_gaussian(&table, NOISE_TABLE_WIDE_MAX + 1, 1), CN_E_CONFIG);
    cr_assert_eq(noise_table_gaussian(&table, UINT64_MAX, NOISE_TABLE_DEN_MAX + 1), CN_E_CONFIG);
    cr_assert_eq(noise_table_skellam(&table, 0), CN_E_CONFIG);
    cr_assert_eq(noise_table_skellam(&table, 3), CN_E_CONFIG);
    cr_assert_eq(noise_table_skellam(&table, 2 * NOISE_TABLE_POISSON_MAX + 2), CN_E_CONFIG);
    cr_assert_null(table);
}
