/* SPDX-License-Identifier: Apache-2.0 */
/* Every set of elements against libm in double, at odd sizes and unaligned pointers. */
#include "nn/elements.h"

#include <math.h>

#include "tests/nn/fixture.h"

#define SIZES 40

static const struct elements *sets[ELEMENTS_SETS_MAX];

/* Runs check for every set and for sizes 1 to SIZES at unaligned places. */
static void for_all(void (*check)(const struct elements *, float *x, float *y, size_t n))
{
    const uint32_t count = elements_all(sets);
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 3);
    float x[SIZES + 4], y[SIZES + 4];

    cr_assert_gt(count, 0u);
    cr_assert_eq(sets[0], elements_best());
    for (uint32_t s = 0; s < count; s++)
        for (size_t n = 1; n <= SIZES; n++) {
            for (size_t i = 0; i < SIZES + 4; i++)
                x[i] = (float)(4.0 * cn_random_normal(&random));
            check(sets[s], x + n % 4, y + (n + 1) % 4, n);
        }
}

static void expect_near(float got, double want, double relative, const struct elements *set)
{
    cr_assert_float_eq(got, want, relative * fabs(want) + 1e-37, "%s: %.9g and not %.9g", set->name,
                       (double)got, want);
}

static void check_exp(const struct elements *set, float *x, float *y, size_t n)
{
    const float top = set->largest(x, n);
    double sum = 0.0, got;

    for (size_t i = 0; i < n; i++)
        cr_assert_leq(x[i], top);
    got = set->exp_shifted(y, x, top, n);
    for (size_t i = 0; i < n; i++) {
        expect_near(y[i], exp((double)(x[i] - top)), 3e-7, set);
        sum += (double)y[i];
    }
    cr_assert_float_eq(got, sum, 1e-12 * sum);
}

Test(elements, exponentials_of_what_is_below_the_largest)
{
    for_all(check_exp);
}

static void check_softmax(const struct elements *set, float *x, float *y, size_t n)
{
    double sum = 0.0, along = 0.0;
    float dx[SIZES];

    for (size_t i = 0; i < n; i++)
        sum += exp((double)x[i]);
    set->softmax(y, x, n);
    for (size_t i = 0; i < n; i++)
        expect_near(y[i], exp((double)x[i]) / sum, 4e-6, set);
    for (size_t i = 0; i < n; i++)
        along += (double)x[i] * (double)y[i];
    set->softmax_back(dx, x, y, n);
    for (size_t i = 0; i < n; i++)
        cr_assert_float_eq(dx[i], (double)y[i] * ((double)x[i] - along), 1e-5);
}

Test(elements, softmax_and_its_slope)
{
    for_all(check_softmax);
}

static void check_curves(const struct elements *set, float *x, float *y, size_t n)
{
    float ones[SIZES], slopes[SIZES];

    for (size_t i = 0; i < n; i++)
        ones[i] = 1.0f;
    set->sigmoid(y, x, n);
    for (size_t i = 0; i < n; i++)
        expect_near(y[i], 1.0 / (1.0 + exp(-(double)x[i])), 1e-6, set);
    set->gelu(y, x, n);
    set->gelu_back(slopes, ones, x, n);
    for (size_t i = 0; i < n; i++) {
        const double v = (double)x[i], share = 0.5 * erfc(-v / sqrt(2.0));
        const double bell = exp(-0.5 * v * v) / sqrt(2.0 * acos(-1.0));

        cr_assert_float_eq(y[i], v * share, 1e-6 * (1.0 + fabs(v)));
        cr_assert_float_eq(slopes[i], share + v * bell, 2e-6);
    }
}

Test(elements, sigmoid_and_gelu)
{
    for_all(check_curves);
}

Test(elements, keep_nan_and_survive_what_is_large)
{
    const uint32_t count = elements_all(sets);
    float y[3];

    for (uint32_t s = 0; s < count; s++) {
        sets[s]->sigmoid(y, (const float[3]){NAN, 1e30f, -1e30f}, 3);
        cr_assert(isnan(y[0]) && y[1] == 1.0f && y[2] >= 0.0f && y[2] < 1e-37f);
        sets[s]->softmax(y, (const float[3]){-INFINITY, 0.0f, -3e38f}, 3);
        cr_assert(y[0] < 1e-37f && y[1] == 1.0f && y[2] < 1e-37f);
        cr_assert(isnan(sets[s]->exp_shifted(y, (const float[2]){NAN, 0.0f}, 0.0f, 2)));
    }
}

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

/* x holds no more than 40 values: one unit's gates at a time, then all units together. */
static void check_cells(const struct elements *set, float *x, float *y, size_t n)
{
    const size_t units = n / 6;
    float gates[SIZES], inner[SIZES], h[SIZES], c[SIZES];

    (void)y;
    memcpy(gates, x, 4 * units * sizeof *gates);
    set->lstm(gates, h, c, x + 4 * units, units);
    for (size_t j = 0; j < units; j++) {
        const double now = sigmoid(x[units + j]) * (double)x[4 * units + j] +
                           sigmoid(x[j]) * tanh(x[2 * units + j]);

        cr_assert_float_eq(c[j], now, 1e-5);
        cr_assert_float_eq(h[j], sigmoid(x[3 * units + j]) * tanh(now), 1e-5);
    }
    memcpy(gates, x, 3 * units * sizeof *gates);
    memcpy(inner, x + 3 * units, 3 * units * sizeof *inner);
    set->gru(gates, h, inner, x + units, units);
    for (size_t j = 0; j < units; j++) {
        const double r = sigmoid((double)x[j] + (double)inner[j]);
        const double z = sigmoid((double)x[units + j] + (double)inner[units + j]);
        const double fresh = tanh((double)x[2 * units + j] + r * (double)inner[2 * units + j]);

        cr_assert_float_eq(h[j], (1 - z) * fresh + z * (double)x[units + j], 1e-5);
    }
}

Test(elements, cells_of_lstm_and_gru)
{
    for_all(check_cells);
}
