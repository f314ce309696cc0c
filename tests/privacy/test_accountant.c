/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>

#include "golden.h"
#include "privacy/accountant.h"

static double price(enum accountant_kind kind, double z, double q, uint64_t steps, double delta)
{
    const struct accountant_event event = {
        .kind = kind, .noise_multiplier = z, .sampling_rate = q, .steps = steps};
    struct accountant a;
    double epsilon;

    accountant_init(&a);
    cr_assert_eq(accountant_add(&a, &event), CN_OK);
    cr_assert_eq(accountant_epsilon(&a, delta, &epsilon, NULL), CN_OK);
    return epsilon;
}

Test(accountant, lies_between_the_best_order_and_the_published_grid)
{
    struct golden g;
    size_t rows = 0;

    for (golden_open(&g, "accountant/poisson_gaussian_add_remove.csv"); golden_next(&g); rows++) {
        double got =
            price(ACCOUNTANT_GAUSSIAN, golden_get(&g, "noise_multiplier"), golden_get(&g, "q"),
                  (uint64_t)golden_get(&g, "steps"), golden_get(&g, "delta"));

        cr_assert_geq(got, golden_get(&g, "eps_rdp_cont") * (1 - 1e-9));
        cr_assert_leq(got, golden_get(&g, "eps_rdp_grid") * (1 + 1e-6));
        cr_assert_geq(got, golden_get(&g, "eps_exact"));
    }
    cr_assert_eq(rows, 300);
}

Test(accountant, calibrates_upwards_to_the_published_noise)
{
    struct golden g;

    for (golden_open(&g, "accountant/calibration_noise_multiplier.csv"); golden_next(&g);) {
        struct accountant_event event = {.kind = ACCOUNTANT_GAUSSIAN,
                                         .sampling_rate = golden_get(&g, "q"),
                                         .steps = (uint64_t)golden_get(&g, "steps")};
        double target = golden_get(&g, "target_epsilon"), delta = golden_get(&g, "delta");
        double truth = golden_get(&g, "z_rdp_grid");

        cr_assert_eq(accountant_calibrate(&event, target, delta), CN_OK);
        cr_assert_float_eq(event.noise_multiplier / truth, 1, 1e-5);
        cr_assert_leq(price(ACCOUNTANT_GAUSSIAN, event.noise_multiplier, event.sampling_rate,
                            event.steps, delta),
                      target);
        cr_assert_gt(price(ACCOUNTANT_GAUSSIAN, event.noise_multiplier * (1 - 4e-6),
                           event.sampling_rate, event.steps, delta),
                     target, "not the smallest");
    }
}

Test(accountant, never_reports_less_than_the_discrete_gaussians_exact_delta)
{
    struct golden g;
    size_t rows = 0;

    for (golden_open(&g, "accountant/discrete_gaussian_delta.csv"); golden_next(&g); rows++) {
        const struct accountant_event event = {.kind = ACCOUNTANT_DISCRETE_GAUSSIAN,
                                               .noise_multiplier = sqrt(golden_get(&g, "sigma2")) /
                                                                   golden_get(&g, "sensitivity"),
                                               .sampling_rate = 1,
                                               .steps = 1};
        struct accountant a;
        double delta, exact = golden_get(&g, "delta_exact");

        accountant_init(&a);
        cr_assert_eq(accountant_add(&a, &event), CN_OK);
        cr_assert_eq(accountant_delta(&a, golden_get(&g, "epsilon"), &delta, NULL), CN_OK);
        cr_assert_geq(delta, exact, "%s: %g", g.line, delta);
        cr_assert_leq(delta, 1);
    }
    cr_assert_eq(rows, 72);
}

Test(accountant, prices_the_demo_below_six)
{
    double real = price(ACCOUNTANT_GAUSSIAN, 0.95, 0.034, 29 * 15, 1e-5);
    double discrete = price(ACCOUNTANT_DISCRETE_GAUSSIAN, 0.95, 0.034, 29 * 15, 1e-5);

    cr_assert_float_eq(real, 5.71, 0.005);
    cr_assert(discrete >= real * (1 - 1e-10) && discrete < 6);
}

Test(accountant, composes_unlike_events_by_adding)
{
    const struct accountant_event events[] = {
        {.kind = ACCOUNTANT_GAUSSIAN, .noise_multiplier = 1.1, .sampling_rate = 0.01, .steps = 100},
        {.kind = ACCOUNTANT_DISCRETE_GAUSSIAN,
         .noise_multiplier = 0.9,
         .sampling_rate = 0.03,
         .steps = 7},
        {.kind = ACCOUNTANT_GAUSSIAN, .noise_multiplier = 1.1, .sampling_rate = 0.01, .steps = 50}};
    struct accountant a, forwards;
    double together, apart, whole;

    accountant_init(&a);
    for (size_t i = 0; i < 3; i++)
        cr_assert_eq(accountant_add(&a, &events[i]), CN_OK);
    accountant_init(&forwards);
    for (size_t i = 3; i-- > 0;)
        cr_assert_eq(accountant_add(&forwards, &events[i]), CN_OK);
    cr_assert_eq(accountant_epsilon(&a, 1e-6, &together, NULL), CN_OK);
    cr_assert_eq(accountant_epsilon(&forwards, 1e-6, &apart, NULL), CN_OK);
    cr_assert_float_eq(together / apart, 1, 1e-12);
    cr_assert_eq(a.events, 3);
    whole = price(ACCOUNTANT_GAUSSIAN, 1.1, 0.01, 150, 1e-6);
    cr_assert_gt(together, whole);
}

Test(accountant, charges_many_small_entries_like_one_large)
{
    const struct accountant_event event = {.kind = ACCOUNTANT_DISCRETE_GAUSSIAN,
                                           .noise_multiplier = 0.95,
                                           .sampling_rate = 0.034,
                                           .steps = 29};
    struct accountant a;
    double epsilon;

    accountant_init(&a);
    for (int i = 0; i < 15; i++)
        cr_assert_eq(accountant_add(&a, &event), CN_OK);
    cr_assert_eq(accountant_epsilon(&a, 1e-5, &epsilon, NULL), CN_OK);
    cr_assert_float_eq(epsilon / price(ACCOUNTANT_DISCRETE_GAUSSIAN, 0.95, 0.034, 435, 1e-5), 1,
                       1e-12);
}

Test(accountant, owes_nothing_before_anything_is_spent)
{
    const struct accountant_event none = {
        .kind = ACCOUNTANT_GAUSSIAN, .noise_multiplier = 1, .sampling_rate = 0.1, .steps = 0};
    struct accountant a;
    double epsilon = 1, delta = 1;

    accountant_init(&a);
    cr_assert_eq(accountant_add(&a, &none), CN_OK);
    cr_assert_eq(accountant_epsilon(&a, 1e-5, &epsilon, NULL), CN_OK);
    cr_assert_eq(epsilon, 0);
    cr_assert_eq(accountant_delta(&a, 0, &delta, NULL), CN_OK);
    cr_assert_eq(delta, 0);
}

Test(accountant, refuses_events_that_are_no_mechanism)
{
    const struct accountant_event bad[] = {
        {.kind = ACCOUNTANT_GAUSSIAN, .noise_multiplier = 0, .sampling_rate = 0.1, .steps = 1},
        {.kind = ACCOUNTANT_GAUSSIAN, .noise_multiplier = NAN, .sampling_rate = 0.1, .steps = 1},
        {.kind = ACCOUNTANT_GAUSSIAN, .noise_multiplier = 1, .sampling_rate = -0.1, .steps = 1},
        {.kind = ACCOUNTANT_GAUSSIAN, .noise_multiplier = 1, .sampling_rate = 1.5, .steps = 1},
        {.kind = ACCOUNTANT_GAUSSIAN, .noise_multiplier = 1, .sampling_rate = NAN, .steps = 1},
        {.kind = ACCOUNTANT_GAUSSIAN,
         .noise_multiplier = 1,
         .sampling_rate = 0.1,
         .steps = ACCOUNTANT_STEPS_MAX + 1},
        {.kind = ACCOUNTANT_GAUSSIAN, .noise_multiplier = 1e7, .sampling_rate = 0.1, .steps = 1},
        {.kind = ACCOUNTANT_KIND_COUNT, .noise_multiplier = 1, .sampling_rate = 0.1, .steps = 1},
    };
    struct accountant a;
    double epsilon;

    accountant_init(&a);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_eq(accountant_add(&a, &bad[i]), CN_E_CONFIG, "case %zu", i);
    cr_assert_eq(a.events, 0);
    cr_assert_eq(accountant_epsilon(&a, 0, &epsilon, NULL), CN_E_CONFIG);
    cr_assert(isinf(epsilon));
}

Test(accountant, refuses_targets_that_no_noise_meets)
{
    struct accountant_event event = {.kind = ACCOUNTANT_GAUSSIAN,
                                     .noise_multiplier = 5,
                                     .sampling_rate = 1,
                                     .steps = ACCOUNTANT_STEPS_MAX};

    cr_assert_eq(accountant_calibrate(&event, 1e-3, 1e-9), CN_E_BUDGET);
    cr_assert_eq(event.noise_multiplier, 0);
    event.steps = 1;
    cr_assert_eq(accountant_calibrate(&event, 0, 1e-5), CN_E_CONFIG);
    cr_assert_eq(accountant_calibrate(&event, INFINITY, 1e-5), CN_E_CONFIG);
    cr_assert_eq(accountant_calibrate(&event, 1, 1), CN_E_CONFIG);
    event.sampling_rate = 2;
    cr_assert_eq(accountant_calibrate(&event, 1, 1e-5), CN_E_CONFIG);
}

Test(accountant, names_its_kinds_and_reads_them_back)
{
    enum accountant_kind kind;

    for (unsigned i = 0; i < ACCOUNTANT_KIND_COUNT; i++) {
        const char *name = accountant_kind_name((enum accountant_kind)i);

        cr_assert_lt(strlen(name), ACCOUNTANT_KIND_TEXT_MAX);
        cr_assert_eq(accountant_kind_parse(&kind, name), CN_OK);
        cr_assert_eq((unsigned)kind, i);
    }
    cr_assert_eq(accountant_kind_parse(&kind, "laplace"), CN_E_PARSE);
    cr_assert_str_eq(accountant_kind_name(ACCOUNTANT_KIND_COUNT), "unknown");
}
