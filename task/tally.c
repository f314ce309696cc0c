/* SPDX-License-Identifier: Apache-2.0 */
/* Counters beside the weights. */
#include "task/tally.h"

#include <math.h>

uint32_t task_counters(const struct task *task)
{
    return task->privacy.unit == TASK_UNIT_NONE ? TASK_COUNTER_COUNT : 1;
}

static enum cn_err plan_noised(struct encode_plan *plan, const struct task *task,
                               struct cn_diag *diag)
{
    const struct task_privacy *privacy = &task->privacy;
    bool shared = privacy->placement == TASK_PLACEMENT_DISTRIBUTED;
    struct distributed_wish wish = {.noise_multiplier = privacy->noise_multiplier,
                                    .honest_min = shared ? privacy->honest_min : 1,
                                    .cohort_max = task->rounds.cohort_max,
                                    .rider = task_rider(task)};

    return encode_plan_noised(plan, (uint32_t)task->params, task_counters(task), &wish, diag);
}

static enum cn_err plan_plain(struct encode_plan *plan, const struct task *task,
                              struct cn_diag *diag)
{
    double rider = task_rider(task);

    CN_TRY(encode_plan_make(plan, (uint32_t)task->params, task_counters(task),
                            task->secure_aggregation.update_range, task->rounds.cohort_max, diag));
    return rider > 0 ? encode_plan_rider(plan, rider) : CN_OK;
}

/* The sum of all losses must fit the modulus. */
static uint32_t loss_max(const struct task *task)
{
    return task->rounds.cohort_max > TALLY_COHORT_LARGE ? TALLY_LOSS_MILLI_LARGE
                                                        : TALLY_LOSS_MILLI_MAX;
}

enum cn_err task_encode_plan(struct encode_plan *plan, const struct task *task,
                             struct cn_diag *diag)
{
    CN_TRY(task_noise_on_devices(task) ? plan_noised(plan, task, diag)
                                       : plan_plain(plan, task, diag));
    if (task_counters(task) == 1 || (encode_counter_max(plan) >= loss_max(task) &&
                                     encode_counter_max(plan) >= task->training.examples_max))
        return CN_OK;
    cn_diag_set(diag, NULL, 0, 0,
                "cohorts of %u leave no room for the counters: 'examples_max' may be at most %u",
                task->rounds.cohort_max, encode_counter_max(plan));
    return CN_E_CONFIG;
}

/* What a device counts for: at least 1, so that the sum of weights is never 0. */
static uint32_t weight_of(const struct task *task, uint64_t examples)
{
    uint64_t most = task->training.examples_max;

    if (task->training.weighting == TASK_WEIGHTING_EQUAL)
        return 1;
    if (examples < 1)
        return 1;
    return (uint32_t)(examples < most ? examples : most);
}

/* value * unit as a whole number from 0 to most; most for what is none. */
static uint32_t counted(double value, double unit, uint32_t most)
{
    double scaled = value * unit;

    if (!(scaled < most))
        return most;
    return scaled > 0 ? (uint32_t)lround(scaled) : 0;
}

void tally_write(uint32_t *counters, const struct task *task, const struct tally_report *report)
{
    counters[TASK_COUNTER_DEVICES] = 1;
    if (task->privacy.unit != TASK_UNIT_NONE)
        return;
    counters[TASK_COUNTER_WEIGHT] = weight_of(task, report->examples);
    counters[TASK_COUNTER_LOSS_MILLI] = counted(report->loss, 1000, loss_max(task));
    counters[TASK_COUNTER_ACCURACY] =
        counted(report->accuracy, TALLY_ACCURACY_ONE, TALLY_ACCURACY_ONE);
}

double tally_scale(const struct task *task, uint64_t examples)
{
    if (task->training.weighting == TASK_WEIGHTING_EQUAL)
        return 1;
    return (double)weight_of(task, examples) / task->training.examples_max;
}

enum cn_err tally_read(struct tally_sum *sum, const uint64_t *counters, const struct task *task,
                       uint32_t survivors)
{
    bool by_examples = task->training.weighting == TASK_WEIGHTING_EXAMPLES;
    uint64_t weight_max = by_examples ? task->training.examples_max : 1;

    *sum = (struct tally_sum){0};
    if (survivors == 0 || counters[TASK_COUNTER_DEVICES] != survivors)
        return CN_E_INCONSISTENT;
    if (task->privacy.unit != TASK_UNIT_NONE) {
        *sum = (struct tally_sum){survivors, survivors, survivors, NAN, NAN};
        return CN_OK;
    }
    if (counters[TASK_COUNTER_WEIGHT] < survivors ||
        counters[TASK_COUNTER_WEIGHT] > survivors * weight_max ||
        counters[TASK_COUNTER_LOSS_MILLI] > (uint64_t)survivors * loss_max(task) ||
        counters[TASK_COUNTER_ACCURACY] > (uint64_t)survivors * TALLY_ACCURACY_ONE)
        return CN_E_INCONSISTENT;
    sum->devices = survivors;
    sum->weight = counters[TASK_COUNTER_WEIGHT];
    sum->divisor = (double)sum->weight / (double)weight_max;
    sum->loss = (double)counters[TASK_COUNTER_LOSS_MILLI] / 1000 / survivors;
    sum->accuracy = (double)counters[TASK_COUNTER_ACCURACY] / TALLY_ACCURACY_ONE / survivors;
    return CN_OK;
}
