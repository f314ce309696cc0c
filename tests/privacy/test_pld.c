/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>
#include <time.h>

#include "golden.h"
#include "privacy/gaussian.h"
#include "privacy/pld.h"

static struct pld_bracket epsilon_of(const struct pld_event *events, size_t count,
                                     enum pld_adjacency adjacency, double delta)
{
    struct pld_bracket epsilon;

    cr_assert_eq(pld_epsilon(&epsilon, events, count, adjacency, delta), CN_OK);
    return epsilon;
}

/* Under a sanitizer, which makes this slow, one row in ROWS_EVERY; else all. */
#if defined(__SANITIZE_ADDRESS__)
#define ROWS_EVERY 5
#else
#define ROWS_EVERY 1
#endif

/* Every row: never below the truth, at most 2e-3 above (the table's tolerance), and the lower end
 * never above the truth. */
static void check_table(const char *name, enum pld_adjacency adjacency, size_t rows)
{
    struct golden g;
    size_t count = 0;

    for (golden_open(&g, name); golden_next(&g); count++) {
        const struct pld_event event = {PLD_GAUSSIAN, golden_get(&g, "noise_multiplier"),
                                        golden_get(&g, "q"), (uint64_t)golden_get(&g, "steps"), 0};
        double truth = golden_get(&g, "eps_exact"), known = golden_get(&g, "exact_err_est");
        struct pld_bracket got;

        if (count % ROWS_EVERY)
            continue;
        got = epsilon_of(&event, 1, adjacency, golden_get(&g, "delta"));

        cr_expect(got.upper >= truth * (1 - 1e-9) - known && got.upper <= truth + 2e-3,
                  "z %g q %g T %lu: %.12g not %.12g", event.noise, event.sampling_rate, event.steps,
                  got.upper, truth);
        cr_expect(got.lower <= truth * (1 + 1e-9) + known && got.lower >= truth * 0.9 - 5e-3,
                  "z %g q %g T %lu: lower %.12g not %.12g", event.noise, event.sampling_rate,
                  event.steps, got.lower, truth);
    }
    cr_assert_eq(count, rows);
}

Test(pld, meets_every_row_for_a_record_added_or_removed)
{
    check_table("pld/poisson_gaussian_add_remove.csv", PLD_ADD_REMOVE, 300);
}

Test(pld, meets_every_row_for_a_record_replaced)
{
    check_table("pld/poisson_gaussian_replace_one.csv", PLD_REPLACE_ONE, 67);
}

Test(pld, meets_every_row_of_laplace)
{
    struct golden g;
    size_t rows = 0;

    for (golden_open(&g, "pld/laplace_composition.csv"); golden_next(&g); rows++) {
        const struct pld_event event = {PLD_LAPLACE, golden_get(&g, "b_over_sensitivity"), 1,
                                        (uint64_t)golden_get(&g, "steps"), 0};
        struct pld_bracket got = epsilon_of(&event, 1, PLD_ADD_REMOVE, golden_get(&g, "delta"));
        double lower = golden_get(&g, "eps_pld_lower");

        cr_expect(got.upper >= lower && fabs(got.upper - golden_get(&g, "eps_pld")) < 1e-3,
                  "b %g T %lu: %.12g not %s", event.noise, event.steps, got.upper, g.value[4]);
        cr_expect(got.lower <= got.upper && got.lower > got.upper * 0.975 - 5e-3);
    }
    cr_assert_eq(rows, 60);
}

Test(pld, never_falls_below_the_exact_gaussian)
{
    const double sigmas[] = {0.035, 0.1, 0.3, 0.77, 1.9, 6, 33, 410};
    const double deltas[] = {0.1, 1e-3, 1e-6, 1e-12, 1e-40};

    for (size_t i = 0; i < 8; i++)
        for (size_t j = 0; j < 5; j++) {
            const struct pld_event event = {PLD_GAUSSIAN, sigmas[i], 1, 1, 0};
            struct pld_bracket got = epsilon_of(&event, 1, PLD_ADD_REMOVE, deltas[j]);
            double exact;

            cr_assert_eq(gaussian_epsilon(&exact, sigmas[i], deltas[j]), CN_OK);
            cr_expect(got.upper >= exact * (1 - 1e-9) && got.upper <= exact + 2e-3,
                      "%g %g: %.12g not %.12g", sigmas[i], deltas[j], got.upper, exact);
            cr_expect(got.lower <= exact * (1 + 1e-9) && got.lower >= 0.99 * exact - 2e-3,
                      "%g %g: lower %.12g not %.12g", sigmas[i], deltas[j], got.lower, exact);
        }
}

Test(pld, composes_unlike_events_on_one_grid)
{
    const struct pld_event whole = {PLD_GAUSSIAN, 1.1, 0.02, 1000, 0};
    const struct pld_event parts[] = {{PLD_GAUSSIAN, 1.1, 0.02, 400, 0},
                                      {PLD_GAUSSIAN, 1.1, 0.02, 599, 0},
                                      {PLD_GAUSSIAN, 1.1 * (1 + 1e-9), 0.02, 1, 0}};
    const struct pld_event mixed[] = {{PLD_GAUSSIAN, 1.1, 0.02, 1000, 0},
                                      {PLD_GAUSSIAN, 9, 1, 4, 0},
                                      {PLD_LAPLACE, 20, 1, 3, 0},
                                      {PLD_DISCRETE_GAUSSIAN, 8, 1, 5, 1}};
    double alone = epsilon_of(&whole, 1, PLD_ADD_REMOVE, 1e-5).upper, sum = 0;
    struct pld_bracket all = epsilon_of(mixed, 4, PLD_ADD_REMOVE, 1e-5);

    cr_assert_float_eq(epsilon_of(parts, 3, PLD_ADD_REMOVE, 1e-5).upper, alone, 1e-5);
    for (size_t i = 0; i < 4; i++)
        sum += epsilon_of(&mixed[i], 1, PLD_ADD_REMOVE, 1e-5).upper;
    cr_assert(all.lower > alone && all.upper < sum && all.upper - all.lower < 0.1);
}

Test(pld, of_the_discrete_gaussian_is_its_exact_table_when_taken_once)
{
    struct golden g;

    for (golden_open(&g, "accountant/discrete_gaussian_delta.csv"); golden_next(&g);) {
        const struct pld_event event = {PLD_DISCRETE_GAUSSIAN, sqrt(golden_get(&g, "sigma2")), 1, 1,
                                        (uint32_t)golden_get(&g, "sensitivity")};
        double truth = golden_get(&g, "delta_exact");
        struct pld_bracket got;

        if (truth < 1e-90)
            continue;
        cr_assert_eq(pld_delta(&got, &event, 1, PLD_ADD_REMOVE, golden_get(&g, "epsilon")), CN_OK);
        cr_expect(got.upper >= truth * (1 - 1e-9) && got.upper <= truth * 1.02 + 1e-3, "%s: %.15g",
                  g.value[3], got.upper);
        cr_expect(got.lower <= truth * (1 + 1e-9), "%s: lower %.15g", g.value[3], got.lower);
    }
}

Test(pld, gives_delta_and_epsilon_that_undo_each_other)
{
    const struct pld_event event = {PLD_GAUSSIAN, 0.95, 0.034, 435, 0};
    const double deltas[] = {1e-3, 1e-5, 1e-9, 1e-30, 1e-90};

    for (size_t i = 0; i < 5; i++) {
        double epsilon = epsilon_of(&event, 1, PLD_ADD_REMOVE, deltas[i]).upper;
        struct pld_bracket delta;

        cr_assert_eq(pld_delta(&delta, &event, 1, PLD_ADD_REMOVE, epsilon), CN_OK);
        cr_assert_float_eq(delta.upper / deltas[i], 1, 1e-2);
        cr_assert(delta.lower > 0 && delta.lower <= delta.upper);
    }
}

Test(pld, calibrates_like_the_golden_table_and_never_too_low)
{
    struct golden g;

    for (golden_open(&g, "accountant/calibration_noise_multiplier.csv"); golden_next(&g);) {
        const struct pld_event event = {PLD_GAUSSIAN, 0, golden_get(&g, "q"),
                                        (uint64_t)golden_get(&g, "steps"), 0};
        double noise;

        cr_assert_eq(pld_calibrate(&noise, &event, PLD_ADD_REMOVE, golden_get(&g, "target_epsilon"),
                                   golden_get(&g, "delta")),
                     CN_OK);
        cr_expect(noise >= golden_get(&g, "z_exact") * (1 - 1e-8) && /* printed so precisely */
                      fabs(noise / golden_get(&g, "z_pld_h1e-4") - 1) < 2e-4,
                  "%.9g not %s or %s", noise, g.value[4], g.value[5]);
    }
}

Test(pld, calibrates_laplace_by_its_largest_loss)
{
    const struct pld_event event = {PLD_LAPLACE, 0, 1, 1, 0};
    double noise;

    cr_assert_eq(pld_calibrate(&noise, &event, PLD_ADD_REMOVE, 1, 1e-9), CN_OK);
    cr_assert(noise >= 1 - 2e-9 && noise < 1 + 1e-6, "%.12g", noise);
}

Test(pld, keeps_both_bounds_where_rates_are_tiny_and_steps_many)
{
    /* who takes part in no step with probability 1 - 1e-6 loses nothing at delta 1e-5 */
    const struct pld_event rare = {PLD_GAUSSIAN, 0.3, 1e-12, 1000000, 0};
    const struct pld_event often = {PLD_GAUSSIAN, 0.1, 1e-12, 1000000000, 0};
    struct pld_bracket got = epsilon_of(&rare, 1, PLD_ADD_REMOVE, 1e-5);

    cr_expect_eq(got.lower, 0);
    cr_expect_leq(got.upper, 0.4);
    got = epsilon_of(&often, 1, PLD_ADD_REMOVE, 1e-5);
    cr_expect_leq(got.lower, 58.0950065743517, "what RDP proves from above");
    cr_assert_eq(pld_delta(&got, &often, 1, PLD_ADD_REMOVE, 1), CN_OK);
    cr_expect(got.upper > 0 && got.lower <= got.upper);
}

Test(pld, is_nothing_when_nothing_is_done)
{
    const struct pld_event none[] = {{PLD_GAUSSIAN, 1, 0.1, 0, 0}, {PLD_GAUSSIAN, 1, 0, 5, 0}};

    cr_assert_eq(epsilon_of(none, 2, PLD_ADD_REMOVE, 1e-5).upper, 0);
    cr_assert_eq(epsilon_of(NULL, 0, PLD_ADD_REMOVE, 1e-5).upper, 0);
}

Test(pld, knows_that_a_gaussian_never_is_pure)
{
    const struct pld_event event = {PLD_GAUSSIAN, 1, 0.1, 1, 0};

    cr_assert(isinf(epsilon_of(&event, 1, PLD_ADD_REMOVE, 0).upper));
}

Test(pld, refuses_parameters_out_of_range_with_an_infinite_price)
{
    const struct pld_event bad[] = {
        {PLD_GAUSSIAN, 0, 0.1, 1, 0},        {PLD_GAUSSIAN, NAN, 0.1, 1, 0},
        {PLD_GAUSSIAN, 1, 1.5, 1, 0},        {PLD_GAUSSIAN, 1, NAN, 1, 0},
        {PLD_LAPLACE, 1, 0.5, 1, 0},         {PLD_DISCRETE_GAUSSIAN, 4, 1, 1, 0},
        {(enum pld_mechanism)9, 1, 1, 1, 0}, {PLD_GAUSSIAN, 1, 0.1, PLD_STEPS_MAX + 1, 0}};
    const struct pld_event good = {PLD_GAUSSIAN, 1, 0.1, 1, 0};
    struct pld_bracket got;
    double noise;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert_eq(pld_epsilon(&got, &bad[i], 1, PLD_ADD_REMOVE, 1e-5), CN_E_CONFIG);
        cr_assert(isinf(got.upper));
        cr_assert_eq(pld_delta(&got, &bad[i], 1, PLD_ADD_REMOVE, 1), CN_E_CONFIG);
        cr_assert_eq(got.upper, 1);
    }
    cr_assert_eq(pld_epsilon(&got, &good, 1, PLD_ADD_REMOVE, 1), CN_E_CONFIG);
    cr_assert_eq(pld_epsilon(&got, &good, 1, PLD_ADD_REMOVE, -1), CN_E_CONFIG);
    cr_assert_eq(pld_delta(&got, &good, 1, PLD_ADD_REMOVE, NAN), CN_E_CONFIG);
    cr_assert_eq(pld_calibrate(&noise, &good, PLD_ADD_REMOVE, 0, 1e-5), CN_E_CONFIG);
    cr_assert_eq(noise, 0);
}
