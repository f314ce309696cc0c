/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>

#include "golden.h"
#include "privacy/gaussian.h"

Test(gaussian, meets_every_epsilon)
{
    struct golden g;

    for (golden_open(&g, "gaussian/gaussian_analytic_eps.csv"); golden_next(&g);) {
        double got, want = golden_get(&g, "eps_mpmath");

        cr_assert_eq(gaussian_epsilon(&got, golden_get(&g, "sigma"), golden_get(&g, "delta")),
                     CN_OK);
        cr_expect(fabs(got - want) <= 1e-9 * want, "%.17g not %.17g", got, want);
    }
}

Test(gaussian, meets_every_delta)
{
    struct golden g;

    for (golden_open(&g, "gaussian/gaussian_analytic_delta.csv"); golden_next(&g);) {
        double got, want = golden_get(&g, "delta_mpmath");

        cr_assert_eq(gaussian_log_delta(&got, golden_get(&g, "sigma"), golden_get(&g, "epsilon")),
                     CN_OK);
        cr_expect(want < 1e-300 || fabs(exp(got) / want - 1) <= 1e-9, "%.17g not %.17g", exp(got),
                  want);
    }
}

Test(gaussian, meets_every_sigma)
{
    struct golden g;

    for (golden_open(&g, "gaussian/gaussian_analytic_sigma.csv"); golden_next(&g);) {
        double got, want = golden_get(&g, "sigma_mpmath");

        cr_assert_eq(gaussian_sigma(&got, golden_get(&g, "epsilon"), golden_get(&g, "delta")),
                     CN_OK);
        cr_expect(fabs(got / want - 1) <= 1e-9, "%.17g not %.17g", got, want);
    }
}

Test(gaussian, keeps_its_digits_in_logarithms)
{
    double got;

    /* far out, delta is phi(a) (1 / a^2 - 1 / b^2 - ..) to the leading order */
    cr_assert_eq(gaussian_log_delta(&got, 1, 1000), CN_OK);
    cr_assert_float_eq(got,
                       -0.5 * 999.5 * 999.5 - 0.91893853320467274 +
                           log(1 / 999.5 - 1 / 1000.5 - pow(999.5, -3) + pow(1000.5, -3)),
                       1e-6);
    cr_assert_eq(gaussian_epsilon(&got, 5, 0.5), CN_OK);
    cr_assert_eq(got, 0);
}

Test(gaussian, refuses_parameters_out_of_range)
{
    double got;

    cr_assert_eq(gaussian_log_delta(&got, 0, 1), CN_E_CONFIG);
    cr_assert_eq(gaussian_log_delta(&got, 1, -1), CN_E_CONFIG);
    cr_assert_eq(gaussian_epsilon(&got, 1, 0), CN_E_CONFIG);
    cr_assert(isinf(got));
    cr_assert_eq(gaussian_epsilon(&got, NAN, 0.1), CN_E_CONFIG);
    cr_assert_eq(gaussian_sigma(&got, 1, 1), CN_E_CONFIG);
    cr_assert_eq(gaussian_sigma(&got, 1e-9, 1e-12), CN_E_BUDGET);
    cr_assert_eq(got, 0);
}
