/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>

#include "privacy/factorise.h"

Test(factorise, is_independent_noise_with_a_band_of_one)
{
    struct factorise factor;

    cr_assert_eq(factorise_banded(&factor, 99, 1), CN_OK);
    cr_assert_eq(factor.c[0], FACTORISE_ONE);
    cr_assert_eq(factor.square, 1);
    cr_assert_float_eq(factor.error, sqrt(50), 1e-12); /* mean of 1 .. 99 */
}

/* Two rounds by hand: c = (1, x); B's rows 1 and 1 - x; error^2 = (1 + x^2) (2 + (1 - x)^2) / 2,
 * whose derivative 4 x^3 - 6 x^2 + 8 x - 2 vanishes at x = 0.3058542794976277. */
Test(factorise, finds_what_a_hand_finds_for_two_rounds)
{
    struct factorise factor;
    double x = 0.3058542794976277;

    cr_assert_lt(fabs(4 * x * x * x - 6 * x * x + 8 * x - 2), 1e-12);
    cr_assert_eq(factorise_banded(&factor, 2, 2), CN_OK);
    cr_assert_lt(fabs((double)factor.c[1] / (double)FACTORISE_ONE - x), 1e-6);
    cr_assert_float_eq(factor.error, sqrt((1 + x * x) * (2 + (1 - x) * (1 - x)) / 2), 1e-9);
}

/* The square root of A has the error that its coefficients f_k give: sum of f^2, twice. */
static double root_error(size_t n)
{
    double f = 1, square = 0, sum = 0;

    for (size_t k = 0; k < n; k++) {
        square += f * f;
        sum += (double)(n - k) * f * f;
        f *= (2 * (double)k + 1) / (2 * (double)k + 2);
    }
    return sqrt(sum / (double)n * square);
}

Test(factorise, beats_the_square_root_and_wider_bands_beat_narrower_ones)
{
    struct factorise factor;
    double last = INFINITY;

    for (size_t band = 1; band <= 64; band *= 2) {
        cr_assert_eq(factorise_banded(&factor, 64, band), CN_OK);
        cr_assert_lt(factor.error, last, "band %zu", band);
        last = factor.error;
    }
    cr_assert_leq(last, root_error(64));
    cr_assert_gt(last, 0.9 * root_error(64)); /* nothing is much better (Fichtenberger 2022) */
}

Test(factorise, stands_at_the_bottom)
{
    struct factorise factor, beside;
    double error;

    cr_assert_eq(factorise_banded(&factor, 300, 8), CN_OK);
    for (size_t j = 1; j < 8; j++)
        for (int sign = -1; sign <= 1; sign += 2) {
            beside = factor;
            beside.c[j] += sign * FACTORISE_ONE / 500;
            cr_assert_eq(factorise_error(&error, &beside, 300), CN_OK);
            cr_assert_gt(error, factor.error * (1 - 1e-10), "coefficient %zu", j);
        }
}

Test(factorise, is_worth_its_while_over_a_thousand_rounds)
{
    struct factorise factor;

    cr_assert_eq(factorise_banded(&factor, 1000, 16), CN_OK);
    cr_assert_lt(factor.error, 0.35 * sqrt(1001 / 2.0), "%g", factor.error);
}

Test(factorise, refuses_what_has_no_factor)
{
    struct factorise factor = {0};
    double error;

    cr_assert_eq(factorise_banded(&factor, 0, 1), CN_E_CONFIG);
    cr_assert_eq(factorise_banded(&factor, 1, 0), CN_E_CONFIG);
    cr_assert_eq(factorise_banded(&factor, 100, FACTORISE_BAND_MAX + 1), CN_E_CONFIG);
    cr_assert_eq(factorise_banded(&factor, FACTORISE_ROUNDS_MAX + 1, 2), CN_E_CONFIG);
    cr_assert_eq(factorise_error(&error, &factor, 10), CN_E_CONFIG);
    cr_assert(isinf(error));
}
