/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>

#include "golden.h"
#include "privacy/rdp.h"

static double rdp_of(double order, double q, double sigma)
{
    double rdp;

    cr_assert_eq(rdp_gaussian(&rdp, order, q, sigma), CN_OK);
    return rdp;
}

static double discrete_of(double order, double q, double sigma)
{
    double rdp;

    cr_assert_eq(rdp_discrete_gaussian(&rdp, order, q, sigma), CN_OK);
    return rdp;
}

Test(rdp, matches_fifty_digits_at_whole_and_fractional_orders)
{
    struct golden g;
    size_t rows = 0;

    for (golden_open(&g, "rdp/rdp_subsampled_gaussian.csv"); golden_next(&g); rows++) {
        double truth = golden_get(&g, "rdp_mpmath");
        double got = rdp_of(golden_get(&g, "order"), golden_get(&g, "q"),
                            golden_get(&g, "noise_multiplier"));

        cr_assert(got >= truth * (1 - 1e-14) && got <= truth * (1 + 1e-10), "%s: %.17g not %.17g",
                  g.line, got, truth);
    }
    cr_assert_eq(rows, 460);
}

Test(rdp, is_continuous_across_whole_orders)
{
    const double q[] = {1e-6, 0.01, 0.5, 0.999}, sigma[] = {0.3, 1, 20};

    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 3; j++)
            for (double order = 2; order < 12; order++) {
                double at = rdp_of(order, q[i], sigma[j]);

                cr_assert_float_eq(rdp_of(order * (1 + 1e-12), q[i], sigma[j]) / at, 1, 1e-9);
            }
}

Test(rdp, keeps_its_digits_when_the_rate_is_tiny)
{
    /* for small rates the whole of it is the second moment: a q^2 (exp(1 / s^2) - 1) / 2 */
    const double order[] = {1.1, 2, 7.3, 32};

    for (size_t i = 0; i < 4; i++) {
        double want = order[i] * 1e-18 * expm1(1.0 / 9) / 2;

        cr_assert_float_eq(rdp_of(order[i], 1e-9, 3) / want, 1, 1e-6);
    }
}

/* E_Q[(M / Q)^a] and E_Q[(M / Q)^(1 - a)] in logarithms over a - 1, for the subsampled discrete
 * Gaussian, summed directly: summed directly: both directions of what docs/privacy.md proves. */
static double direct(double order, double q, double sigma, int shift, bool remove)
{
    double total = 0, normal = 0;

    for (int x = -200; x <= 200; x++)
        normal += exp(-x * x / (2 * sigma * sigma));
    for (int x = -200; x <= 200; x++) {
        double ratio = exp((2.0 * x * shift - shift * shift) / (2 * sigma * sigma));
        double mixed = 1 - q + q * ratio;

        total += exp((remove ? order : 1 - order) * log(mixed) - x * x / (2 * sigma * sigma));
    }
    return log(total / normal) / (order - 1);
}

Test(rdp, of_the_discrete_gaussian_is_the_gaussians_at_whole_orders)
{
    const double sigma[] = {1.2, 2, 5}; /* in integers; small, where the two could differ */
    const double q[] = {0.01, 0.2, 0.7};

    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 3; j++)
            for (int shift = 1; shift <= 3; shift++)
                for (double order = 2; order <= 9; order++) {
                    double want = discrete_of(order, q[j], sigma[i] / shift);
                    double got = direct(order, q[j], sigma[i], shift, true);

                    cr_assert_float_eq(got / want, 1, 1e-9, "%g %g %d %g", sigma[i], q[j], shift,
                                       order);
                    cr_assert_leq(direct(order, q[j], sigma[i], shift, false), want);
                }
}

Test(rdp, of_the_discrete_gaussian_is_bounded_between_whole_orders)
{
    const double sigma[] = {0.6, 1.2, 5};

    for (size_t i = 0; i < 3; i++)
        for (double order = 1.1; order < 8; order += 0.3) {
            double bound = discrete_of(order, 0.2, sigma[i]);

            cr_assert_geq(bound, direct(order, 0.2, sigma[i], 1, true) * (1 - 1e-12));
            cr_assert_geq(bound, direct(order, 0.2, sigma[i], 1, false) * (1 - 1e-12));
            cr_assert_geq(bound, rdp_of(order, 0.2, sigma[i]) * (1 - 1e-12));
        }
}

Test(rdp, takes_the_chord_where_quadrature_would_be_long)
{
    double low = rdp_of(500, 0.1, 0.005), high = rdp_of(501, 0.1, 0.005);
    double between = rdp_of(500.5, 0.1, 0.005);

    cr_assert(between > low && between < high);
}

Test(rdp, converts_zcdp_at_the_best_order)
{
    struct golden g;

    for (golden_open(&g, "rdp/zcdp_to_eps.csv"); golden_next(&g);) {
        double order = golden_get(&g, "opt_alpha"), epsilon, best;
        double rdp = golden_get(&g, "rho") * order;

        cr_assert_eq(rdp_epsilon(&epsilon, &best, &order, &rdp, 1, golden_get(&g, "delta")), CN_OK);
        cr_assert_float_eq(epsilon / golden_get(&g, "eps_cks"), 1, 1e-8);
        cr_assert_eq(best, order);
    }
}

Test(rdp, gives_delta_and_epsilon_that_undo_each_other)
{
    double rdp[RDP_ORDERS], epsilon, delta, order, order_back;

    for (size_t i = 0; i < RDP_ORDERS; i++)
        rdp[i] = 435 * rdp_of(rdp_orders[i], 0.034, 0.95);
    cr_assert_eq(rdp_epsilon(&epsilon, &order, rdp_orders, rdp, RDP_ORDERS, 1e-5), CN_OK);
    cr_assert_eq(rdp_delta(&delta, &order_back, rdp_orders, rdp, RDP_ORDERS, epsilon), CN_OK);
    cr_assert_float_eq(delta / 1e-5, 1, 1e-9);
    cr_assert_eq(order, order_back);
}

Test(rdp, knows_the_default_orders)
{
    for (size_t i = 0; i < 99; i++)
        cr_assert_float_eq(rdp_orders[i], 1 + (double)(i + 1) / 10, 1e-15);
    for (size_t i = 99; i < 152; i++)
        cr_assert_eq(rdp_orders[i], 11 + (double)(i - 99));
    cr_assert(rdp_orders[152] == 128 && rdp_orders[155] == 1024);
}

Test(rdp, is_zero_when_nobody_is_sampled)
{
    cr_assert_eq(rdp_of(3, 0, 1), 0);
    cr_assert_eq(discrete_of(3.5, 0, 1), 0);
}

Test(rdp, refuses_parameters_out_of_range_with_an_infinite_price)
{
    const double bad[][3] = {{1, 0.1, 1},   {NAN, 0.1, 1}, {5000, 0.1, 1}, {2, -0.1, 1},
                             {2, 1.1, 1},   {2, NAN, 1},   {2, 0.1, 0},    {2, 0.1, NAN},
                             {2, 0.1, 2e6}, {2, 0.1, 1e-4}};
    double rdp, order = 2, one = 1;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rdp = 0;
        cr_assert_eq(rdp_gaussian(&rdp, bad[i][0], bad[i][1], bad[i][2]), CN_E_CONFIG);
        cr_assert(isinf(rdp));
        cr_assert_eq(rdp_discrete_gaussian(&rdp, bad[i][0], bad[i][1], bad[i][2]), CN_E_CONFIG);
    }
    cr_assert_eq(rdp_epsilon(&rdp, NULL, &order, &one, 1, 0), CN_E_CONFIG);
    cr_assert(isinf(rdp));
    cr_assert_eq(rdp_epsilon(&rdp, NULL, &order, &one, 1, 1), CN_E_CONFIG);
    cr_assert_eq(rdp_delta(&rdp, NULL, &order, &one, 1, -1), CN_E_CONFIG);
    cr_assert_eq(rdp, 1);
}
