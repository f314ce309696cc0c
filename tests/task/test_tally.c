/* SPDX-License-Identifier: Apache-2.0 */
#include "task_text.h"

#include <math.h>

#include "task/tally.h"

Test(tally, sends_nothing_about_data_under_differential_privacy)
{
    struct task *task = parsed(private_text);
    struct tally_report report = {.examples = 500, .loss = 1.5, .accuracy = 0.5};
    uint32_t counters[2] = {77, 77};

    cr_assert_eq(task_counters(task), 1);
    tally_write(counters, task, &report);
    cr_assert(counters[0] == 1 && counters[1] == 77);
    cr_assert_eq(tally_scale(task, 500), 1);
    task_free(task);
}

Test(tally, lays_out_weights_then_counters)
{
    struct task *task = parsed(private_text);
    struct encode_plan plan;

    cr_assert_eq(task_encode_plan(&plan, task, NULL), CN_OK);
    cr_assert(plan.values == 15 && plan.counters == 1 && plan.range == 8 && plan.cohort_max == 5);
    task_free(task);
    task = parsed(open_text);
    cr_assert_eq(task_encode_plan(&plan, task, NULL), CN_OK);
    cr_assert(plan.values == 6 && plan.counters == TASK_COUNTER_COUNT);
    task_free(task);
}

Test(tally, has_room_for_every_counter_in_the_largest_cohort)
{
    struct task *task = parsed(with(open_text, "cohort_max: 5", "cohort_max: 1024"));
    uint32_t counters[TASK_COUNTER_COUNT];
    struct tally_report report = {.loss = 1e9};
    struct encode_plan plan;

    cr_assert_eq(task_encode_plan(&plan, task, NULL), CN_OK);
    cr_assert(encode_counter_max(&plan) >= TALLY_LOSS_MILLI_MAX);
    task_free(task);
    task = parsed(with(open_text, "cohort_max: 5", "cohort_max: 16384"));
    cr_assert_eq(task_encode_plan(&plan, task, NULL), CN_OK);
    tally_write(counters, task, &report);
    cr_assert(counters[TASK_COUNTER_LOSS_MILLI] == TALLY_LOSS_MILLI_LARGE &&
              encode_counter_max(&plan) >= TALLY_LOSS_MILLI_LARGE);
    task_free(task);
    task = parsed(with(open_text, "examples_max: 100", "examples_max: 1000000"));
    cr_assert_eq(task_encode_plan(&plan, task, NULL), CN_OK);
    task_free(task);
}

Test(tally, counts_examples_up_to_the_maximum)
{
    struct task *task = parsed(open_text);
    static const struct {
        uint64_t examples;
        uint32_t weight;
    } cases[] = {{0, 1}, {1, 1}, {40, 40}, {100, 100}, {101, 100}, {UINT64_MAX, 100}};

    for (size_t i = 0; i < CN_COUNT(cases); i++) {
        struct tally_report report = {.examples = cases[i].examples};
        uint32_t counters[TASK_COUNTER_COUNT];

        tally_write(counters, task, &report);
        cr_assert_eq(counters[TASK_COUNTER_WEIGHT], cases[i].weight);
        cr_assert_float_eq(tally_scale(task, cases[i].examples), cases[i].weight / 100.0, 1e-15);
    }
    task_free(task);
}

Test(tally, bounds_losses_and_accuracies_that_are_none)
{
    struct task *task = parsed(open_text);
    static const struct {
        double loss, accuracy;
        uint32_t milli, share;
    } cases[] = {
        {0.4996, 0.25, 500, 2500},
        {-1, -1, 0, 0},
        {1e9, 2, TALLY_LOSS_MILLI_MAX, TALLY_ACCURACY_ONE},
        {(double)NAN, (double)NAN, TALLY_LOSS_MILLI_MAX, TALLY_ACCURACY_ONE},
        {(double)INFINITY, 1, TALLY_LOSS_MILLI_MAX, TALLY_ACCURACY_ONE},
    };

    for (size_t i = 0; i < CN_COUNT(cases); i++) {
        struct tally_report report = {1, cases[i].loss, cases[i].accuracy};
        uint32_t counters[TASK_COUNTER_COUNT];

        tally_write(counters, task, &report);
        cr_assert_eq(counters[TASK_COUNTER_LOSS_MILLI], cases[i].milli);
        cr_assert_eq(counters[TASK_COUNTER_ACCURACY], cases[i].share);
    }
    task_free(task);
}

/* Three devices with 20, 50 and 200 examples (which counts as 100) move one weight by 1, 2 and 4:
 * the weighted mean is (20 + 100 + 400) / 170. */
Test(tally, divides_a_sum_into_its_weighted_mean)
{
    static const uint64_t examples[] = {20, 50, 200};
    static const double moves[] = {1, 2, 4};
    struct task *task = parsed(open_text);
    uint64_t sums[TASK_COUNTER_COUNT] = {0};
    struct tally_sum sum;
    double moved = 0;

    for (size_t i = 0; i < 3; i++) {
        struct tally_report report = {examples[i], 0.5 + (double)i, 0.1 * (double)(i + 1)};
        uint32_t counters[TASK_COUNTER_COUNT];

        tally_write(counters, task, &report);
        for (size_t k = 0; k < TASK_COUNTER_COUNT; k++)
            sums[k] += counters[k];
        moved += moves[i] * tally_scale(task, examples[i]);
    }
    cr_assert_eq(tally_read(&sum, sums, task, 3), CN_OK);
    cr_assert(sum.devices == 3 && sum.weight == 170);
    cr_assert_float_eq(moved / sum.divisor, 520.0 / 170, 1e-12);
    cr_assert_float_eq(sum.loss, 1.5, 1e-9);
    cr_assert_float_eq(sum.accuracy, 0.2, 1e-9);
    task_free(task);
}

Test(tally, divides_by_the_devices_under_differential_privacy)
{
    struct task *task = parsed(private_text);
    uint64_t sums[] = {4};
    struct tally_sum sum;

    cr_assert_eq(tally_read(&sum, sums, task, 4), CN_OK);
    cr_assert(sum.devices == 4 && sum.divisor == 4 && isnan(sum.loss) && isnan(sum.accuracy));
    cr_assert_eq(tally_read(&sum, sums, task, 3), CN_E_INCONSISTENT);
    cr_assert_eq(tally_read(&sum, sums, task, 0), CN_E_INCONSISTENT);
    task_free(task);
}

Test(tally, refuses_sums_that_the_devices_can_not_have)
{
    static const uint64_t bad[][TASK_COUNTER_COUNT] = {
        {2, 60, 100, 100},
        {3, 2, 100, 100},
        {3, 301, 100, 100},
        {3, 60, 3ull * TALLY_LOSS_MILLI_MAX + 1, 100},
        {3, 60, 100, 3ull * TALLY_ACCURACY_ONE + 1},
    };
    static const uint64_t good[] = {3, 300, 3ull * TALLY_LOSS_MILLI_MAX, 0};
    struct task *task = parsed(open_text);
    struct tally_sum sum;

    cr_assert_eq(tally_read(&sum, good, task, 3), CN_OK);
    for (size_t i = 0; i < CN_COUNT(bad); i++) {
        cr_assert_eq(tally_read(&sum, bad[i], task, 3), CN_E_INCONSISTENT);
        cr_assert_eq(sum.devices, 0);
    }
    task_free(task);
}
