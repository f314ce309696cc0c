/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "privacy/gaussian.h"
#include "privacy/report.h"

static struct report made(const struct report_event *events, size_t count,
                          enum pld_adjacency adjacency)
{
    struct report report;

    cr_assert_eq(report_make(&report, events, count, adjacency, 1e-5), CN_OK);
    return report;
}

Test(report, brackets_the_truth_of_a_sampled_gaussian)
{
    const struct report_event event = {
        .kind = REPORT_GAUSSIAN, .noise_multiplier = 0.7, .sampling_rate = 0.01, .steps = 1000};
    struct report got = made(&event, 1, PLD_ADD_REMOVE);

    cr_assert(got.has_pld && got.epsilon == got.epsilon_pld);
    cr_assert_float_eq(got.epsilon_pld, 4.61828835843904, 1e-3);
    cr_assert(got.epsilon_pld_lower <= 4.61828835843904 && got.epsilon_pld_lower > 4.5);
    cr_assert(got.epsilon_rdp >= 5.418 && got.epsilon_rdp < 5.422 && got.rdp_order > 3);
}

Test(report, charges_the_grid_a_trace_more_than_the_real_line)
{
    const struct accountant_event spent[] = {
        {.kind = ACCOUNTANT_GAUSSIAN, .noise_multiplier = 1, .sampling_rate = 0.02, .steps = 500},
        {.kind = ACCOUNTANT_DISCRETE_GAUSSIAN,
         .noise_multiplier = 1,
         .sampling_rate = 0.02,
         .steps = 500}};
    struct report_event real = report_event_of(&spent[0]), grid = report_event_of(&spent[1]);
    struct report on_line = made(&real, 1, PLD_ADD_REMOVE),
                  on_grid = made(&grid, 1, PLD_ADD_REMOVE);

    cr_assert_gt(on_grid.epsilon_pld, on_line.epsilon_pld);
    cr_assert_float_eq(on_grid.epsilon_pld / on_line.epsilon_pld, 1, 2e-5);
    cr_assert_geq(on_grid.epsilon_rdp, on_line.epsilon_rdp);
}

Test(report, prices_correlated_noise_as_one_gaussian)
{
    const struct report_event tree = {
        .kind = REPORT_CORRELATED, .noise_multiplier = 8, .steps = 1, .square = 10};
    struct report once = made(&tree, 1, PLD_ADD_REMOVE), twice = made(&tree, 1, PLD_REPLACE_ONE);
    double exact;

    cr_assert_eq(gaussian_epsilon(&exact, 8 / sqrt(10), 1e-5), CN_OK);
    cr_assert(once.epsilon_pld >= exact && once.epsilon_pld < exact + 1e-3);
    cr_assert_eq(gaussian_epsilon(&exact, 4 / sqrt(10), 1e-5), CN_OK);
    cr_assert(twice.epsilon_pld >= exact && twice.epsilon_pld < exact + 1e-3);
    cr_assert_gt(twice.epsilon_rdp, exact);
}

Test(report, composes_every_kind)
{
    const struct report_event events[] = {
        {.kind = REPORT_GAUSSIAN, .noise_multiplier = 4, .sampling_rate = 0.1, .steps = 100},
        {.kind = REPORT_LAPLACE, .noise_multiplier = 20, .steps = 2},
        {.kind = REPORT_SKELLAM, .steps = 1, .skellam = {10, 100, 1e5}},
        {.kind = REPORT_DISTRIBUTED, .steps = 3, .distributed = {100, 1024, 1, 100, exp(-0.5), 40}},
    };
    struct report all = made(events, 4, PLD_ADD_REMOVE), two = made(events, 2, PLD_ADD_REMOVE);
    struct report replaced = made(events + 2, 2, PLD_REPLACE_ONE);

    cr_assert(!all.has_pld && isinf(all.epsilon_pld) && all.epsilon == all.epsilon_rdp);
    cr_assert(all.epsilon_rdp > two.epsilon_rdp && two.epsilon == two.epsilon_pld);
    cr_assert(replaced.epsilon_rdp > made(events + 2, 2, PLD_ADD_REMOVE).epsilon_rdp);
    cr_assert(isfinite(replaced.epsilon));
}

Test(report, knows_no_rdp_for_replacement_under_sampling_but_the_distribution)
{
    const struct report_event event = {
        .kind = REPORT_GAUSSIAN, .noise_multiplier = 2, .sampling_rate = 0.01, .steps = 100};
    struct report got = made(&event, 1, PLD_REPLACE_ONE);

    cr_assert(isinf(got.epsilon_rdp) && isfinite(got.epsilon));
}

Test(report, forgets_amplification_before_the_one_who_samples)
{
    const struct report_event event = {
        .kind = REPORT_GAUSSIAN, .noise_multiplier = 20, .sampling_rate = 0.01, .steps = 100};
    struct report open;
    double exact;

    cr_assert_eq(report_unsampled(&open, &event, 1, PLD_ADD_REMOVE, 1e-5), CN_OK);
    cr_assert_eq(gaussian_epsilon(&exact, 2, 1e-5), CN_OK);
    cr_assert(open.epsilon >= exact && open.epsilon < exact + 1e-3);
    cr_assert_gt(open.epsilon, 10 * made(&event, 1, PLD_ADD_REMOVE).epsilon);
}

Test(report, has_an_epsilon_at_delta_zero_for_laplace_alone)
{
    const struct report_event laplace = {
        .kind = REPORT_LAPLACE, .noise_multiplier = 20, .steps = 3};
    const struct report_event gaussian = {
        .kind = REPORT_GAUSSIAN, .noise_multiplier = 20, .sampling_rate = 1, .steps = 3};
    struct report report;

    cr_assert_eq(report_make(&report, &laplace, 1, PLD_ADD_REMOVE, 0), CN_OK);
    cr_assert_float_eq(report.epsilon, 0.15, 1e-12);
    cr_assert_eq(report_make(&report, &gaussian, 1, PLD_ADD_REMOVE, 0), CN_OK);
    cr_assert(isinf(report.epsilon));
}

Test(report, takes_the_best_of_all_real_orders_where_nothing_is_sampled)
{
    const struct report_event sums = {
        .kind = REPORT_DISTRIBUTED, .steps = 3, .distributed = {100, 1024, 1, 100, exp(-0.5), 400}};
    struct report report;
    struct report_delta back;
    double rho, best, rdp;

    cr_assert_eq(report_make(&report, &sums, 1, PLD_ADD_REMOVE, 1e-5), CN_OK);
    cr_assert_eq(bounds_distributed_zcdp(&rho, &sums.distributed), CN_OK);
    cr_assert_eq(bounds_zcdp_epsilon(&best, 3 * rho, 1e-5), CN_OK);
    cr_assert_float_eq(report.epsilon_rdp / best, 1, 1e-9);
    cr_assert_eq(report_delta_make(&back, &sums, 1, PLD_ADD_REMOVE, best), CN_OK);
    cr_assert_float_eq(back.delta_rdp / 1e-5, 1, 1e-6);
    cr_assert_eq(report_rdp(&rdp, 7.5, &sums, 1, PLD_ADD_REMOVE), CN_OK);
    cr_assert_float_eq(rdp / (3 * rho * 7.5), 1, 1e-9);
    cr_assert_eq(report_rdp(&rdp, 1, &sums, 1, PLD_ADD_REMOVE), CN_E_CONFIG);
    cr_assert(isinf(rdp));
}

Test(report, names_its_kinds)
{
    enum report_kind kind;

    for (unsigned k = 0; k < REPORT_KIND_COUNT; k++) {
        cr_assert_eq(report_kind_parse(&kind, report_kind_name((enum report_kind)k)), CN_OK);
        cr_assert_eq(kind, k);
    }
    cr_assert_eq(report_kind_parse(&kind, "uniform"), CN_E_PARSE);
    cr_assert_str_eq(report_kind_name(REPORT_KIND_COUNT), "unknown");
}

Test(report, is_infinite_for_what_can_not_be)
{
    const struct report_event bad[] = {
        {.kind = REPORT_GAUSSIAN, .noise_multiplier = 0, .sampling_rate = 0.1, .steps = 1},
        {.kind = REPORT_CORRELATED, .noise_multiplier = 1, .steps = 1, .square = 0},
        {.kind = REPORT_KIND_COUNT, .noise_multiplier = 1, .steps = 1},
        {.kind = REPORT_SKELLAM, .steps = 1},
    };
    struct report report;

    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(report_make(&report, &bad[i], 1, PLD_ADD_REMOVE, 1e-5), CN_E_CONFIG);
        cr_assert(isinf(report.epsilon));
    }
    cr_assert_eq(report_make(&report, NULL, 0, PLD_ADD_REMOVE, 1), CN_E_CONFIG);
    cr_assert_eq(report_make(&report, NULL, 0, PLD_ADD_REMOVE, 1e-101), CN_E_CONFIG);
    cr_assert(isinf(report.epsilon));
    cr_assert_eq(report_make(&report, NULL, 0, PLD_ADD_REMOVE, 1e-5), CN_OK);
    cr_assert_eq(report.epsilon, 0);
}

/* One Gaussian, exactly (Balle, Wang 2018); at 0 it is the total variation, 2 Phi(1/2z) - 1. */
Test(report, gives_delta_at_an_epsilon)
{
    const struct report_event event = {
        .kind = REPORT_GAUSSIAN, .noise_multiplier = 2, .sampling_rate = 1, .steps = 1};
    struct report_delta got;
    double exact;

    for (double epsilon = 0; epsilon < 4; epsilon += 0.5) {
        cr_assert_eq(gaussian_log_delta(&exact, 2, epsilon), CN_OK);
        exact = exp(exact);
        cr_assert_eq(report_delta_make(&got, &event, 1, PLD_ADD_REMOVE, epsilon), CN_OK);
        cr_assert(got.has_pld && got.delta == fmin(got.delta_pld, got.delta_rdp));
        cr_assert(got.delta_pld >= exact * (1 - 1e-9) && got.delta_pld <= exact * 1.01 + 1e-9,
                  "%g: %g not %g", epsilon, got.delta_pld, exact);
        cr_assert(got.delta_pld_lower <= exact * (1 + 1e-9) && got.delta_rdp >= exact);
    }
}

Test(report, gives_delta_one_for_what_can_not_be_told)
{
    const struct report_event skellam = {
        .kind = REPORT_SKELLAM, .steps = 1, .skellam = {10, 100, 1e5}};
    const struct report_event bad = {.kind = REPORT_SKELLAM, .steps = 1};
    struct report_delta got;

    cr_assert_eq(report_delta_make(&got, &skellam, 1, PLD_ADD_REMOVE, 1), CN_OK);
    cr_assert(!got.has_pld && got.delta_pld == 1 && got.delta_pld_lower == 0);
    cr_assert(got.delta == got.delta_rdp && got.delta > 0 && got.delta < 1);
    cr_assert_eq(report_delta_make(&got, &bad, 1, PLD_ADD_REMOVE, 1), CN_E_CONFIG);
    cr_assert(got.delta == 1 && got.delta_rdp == 1);
    cr_assert_eq(report_delta_make(&got, &skellam, 1, PLD_ADD_REMOVE, -1), CN_E_CONFIG);
    cr_assert_eq(report_delta_make(&got, &skellam, 1, PLD_ADD_REMOVE, INFINITY), CN_E_CONFIG);
    cr_assert_eq(got.delta, 1);
}

Test(report, tells_steps_apart_by_every_parameter)
{
    const struct report_event one = {
        .kind = REPORT_DISTRIBUTED, .steps = 3, .distributed = {100, 1024, 1, 100, exp(-0.5), 40}};
    struct report_event other = one;

    other.steps = 5;
    cr_assert(report_same_step(&one, &other));
    other.distributed.sigma = 41;
    cr_assert(!report_same_step(&one, &other));
    other = one;
    other.distributed.devices = 99;
    cr_assert(!report_same_step(&one, &other));
    other = one;
    other.square = 2;
    cr_assert(!report_same_step(&one, &other));
}
