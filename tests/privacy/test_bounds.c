/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "golden.h"
#include "privacy/bounds.h"
#include "privacy/rdp.h"

Test(bounds, meet_every_row_of_skellam)
{
    struct golden g;

    for (golden_open(&g, "bounds/skellam_rdp.csv"); golden_next(&g);) {
        const struct bounds_skellam s = {golden_get(&g, "l2_sens_int"),
                                         golden_get(&g, "l1_sens_int"),
                                         golden_get(&g, "total_variance")};
        double rdp;

        cr_assert_eq(bounds_skellam_rdp(&rdp, golden_get(&g, "order"), &s), CN_OK);
        cr_expect_float_eq(rdp / golden_get(&g, "rdp_bound"), 1, 1e-12);
    }
}

Test(bounds, meet_every_row_of_the_discrete_gaussian)
{
    struct golden g;

    for (golden_open(&g, "bounds/discrete_gaussian_delta.csv"); golden_next(&g);) {
        double sigma2 = golden_get(&g, "sigma2"), truth = golden_get(&g, "delta_exact"), got;

        cr_assert_eq(bounds_discrete_delta(&got, sigma2, (uint32_t)golden_get(&g, "sensitivity"),
                                           golden_get(&g, "epsilon")),
                     CN_OK);
        cr_expect(truth < 1e-300 ? got < 1e-290 : fabs(got / truth - 1) <= 1e-9, "%.17g not %.17g",
                  got, truth);
        cr_assert_eq(bounds_discrete_variance(&got, sigma2), CN_OK);
        cr_expect_float_eq(got / golden_get(&g, "variance_exact"), 1, 1e-9);
    }
}

Test(bounds, meet_every_row_of_zcdp)
{
    struct golden g;

    for (golden_open(&g, "bounds/zcdp_to_eps.csv"); golden_next(&g);) {
        double got;

        cr_assert_eq(bounds_zcdp_epsilon(&got, golden_get(&g, "rho"), golden_get(&g, "delta")),
                     CN_OK);
        cr_expect_float_eq(got / golden_get(&g, "eps_cks"), 1, 1e-8, "%.15g not %s", got,
                           g.value[2]);
    }
}

static enum cn_err distributed(double *rdp, double order, const void *ctx)
{
    return bounds_distributed_rdp(rdp, order, ctx);
}

static double whole_orders(const struct bounds_distributed *m, double steps, double delta)
{
    double orders[128], rdp[128], epsilon;

    for (int i = 0; i < 128; i++) {
        orders[i] = i < 127 ? i + 2 : 256;
        cr_assert_eq(bounds_distributed_rdp(&rdp[i], orders[i], m), CN_OK);
        rdp[i] *= steps;
    }
    cr_assert_eq(rdp_epsilon(&epsilon, NULL, orders, rdp, 128, delta), CN_OK);
    return epsilon;
}

static void expect_like(double got, const struct golden *g, const char *name)
{
    double want = golden_get(g, name);

    cr_expect(fabs(got - want) <= 1e-6 * want + (want < 1e-300 ? 1e-300 : 0), "%s: %.15g not %.15g",
              name, got, want);
}

Test(bounds, meet_every_row_of_the_distributed_discrete_gaussian)
{
    struct golden g;

    for (golden_open(&g, "bounds/distributed_discrete_gaussian.csv"); golden_next(&g);) {
        double steps = golden_get(&g, "steps"), delta = golden_get(&g, "delta"), rho, epsilon;
        const struct bounds_distributed m = {
            .devices = (uint32_t)golden_get(&g, "n_clients"),
            .dim = (uint32_t)golden_get(&g, "dim"),
            .clip = golden_get(&g, "l2_clip"),
            .scale = golden_get(&g, "scale"),
            .beta = strcmp(g.value[4], "e-0.5") == 0 ? exp(-0.5) : golden_get(&g, "beta"),
            .sigma = golden_get(&g, "local_sigma_int")};
        struct bounds_sensitivity s;

        cr_assert_eq(bounds_distributed_sensitivity(&s, &m), CN_OK);
        expect_like(s.l2, &g, "l2_sens_int");
        expect_like(s.l1, &g, "l1_sens_int");
        expect_like(s.tau, &g, "tau");
        cr_assert_eq(bounds_distributed_zcdp(&rho, &m), CN_OK);
        expect_like(rho, &g, "rho_zcdp_per_step");
        expect_like(whole_orders(&m, steps, delta), &g, "eps_rdp_int_orders");
        cr_assert_eq(bounds_rdp_epsilon(&epsilon, NULL, distributed, &m, steps, delta), CN_OK);
        expect_like(epsilon, &g, "eps_rdp_cont");
        cr_assert_eq(bounds_zcdp_epsilon(&epsilon, rho * steps, delta), CN_OK);
        expect_like(epsilon, &g, "eps_zcdp_cks");
    }
}

static enum cn_err laplace(double *rdp, double order, const void *ctx)
{
    return bounds_laplace_rdp(rdp, order, *(const double *)ctx);
}

Test(bounds, meet_every_row_of_laplace)
{
    struct golden g;

    for (golden_open(&g, "bounds/laplace_composition.csv"); golden_next(&g);) {
        double b = golden_get(&g, "b_over_sensitivity"), delta = golden_get(&g, "delta"), epsilon;
        double steps = golden_get(&g, "steps"), bound = golden_get(&g, "eps_rdp_or_pure");

        if (steps == 1) {
            cr_assert_eq(bounds_laplace_epsilon(&epsilon, b, delta), CN_OK);
            cr_expect_float_eq(epsilon, golden_get(&g, "eps_exact"), 1e-12);
        }
        if (delta == 0)
            continue;
        cr_assert_eq(bounds_rdp_epsilon(&epsilon, NULL, laplace, &b, steps, delta), CN_OK);
        epsilon = fmin(epsilon, steps / b);
        cr_expect(epsilon <= bound * (1 + 1e-6) && epsilon >= golden_get(&g, "eps_pld_lower"),
                  "b %g T %g: %.12g not %.12g", b, steps, epsilon, bound);
    }
}

Test(bounds, refuse_parameters_out_of_range_with_an_infinite_price)
{
    const struct bounds_skellam none = {0, 0, 0};
    const struct bounds_distributed thin = {10, 16, 1, 10, 0.5, 0.4},
                                    nobody = {0, 16, 1, 10, 0.5, 5};
    double x;

    cr_assert_eq(bounds_laplace_rdp(&x, 1, 1), CN_E_CONFIG);
    cr_assert(isinf(x));
    cr_assert_eq(bounds_laplace_epsilon(&x, 0, 0), CN_E_CONFIG);
    cr_assert_eq(bounds_skellam_rdp(&x, 2, &none), CN_E_CONFIG);
    cr_assert_eq(bounds_distributed_rdp(&x, 2, &thin), CN_E_CONFIG);
    cr_assert(isinf(x));
    cr_assert_eq(bounds_distributed_zcdp(&x, &nobody), CN_E_CONFIG);
    cr_assert_eq(bounds_zcdp_epsilon(&x, NAN, 1e-5), CN_E_CONFIG);
    cr_assert_eq(bounds_zcdp_epsilon(&x, 1, 0), CN_E_CONFIG);
    cr_assert_eq(bounds_discrete_delta(&x, 0, 1, 1), CN_E_CONFIG);
    cr_assert_eq(x, 1);
    cr_assert_eq(bounds_discrete_variance(&x, -1), CN_E_CONFIG);
}
