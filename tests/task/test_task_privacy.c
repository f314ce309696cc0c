/* SPDX-License-Identifier: Apache-2.0 */
#include "task_text.h"

#include <math.h>

#include "task/tally.h"

static const char user_text[] = "task: user\n"
                                "model:\n"
                                "  input: [2]\n"
                                "  layers:\n"
                                "    - {type: dense, units: 2}\n"
                                "data: {classes: 2}\n"
                                "training: {learning_rate: 0.1, epochs: 2, batch: 4}\n"
                                "privacy:\n"
                                "  unit: user\n"
                                "  placement: distributed\n"
                                "  clip_norm: 0.5\n"
                                "  noise_multiplier: 1.5\n"
                                "  delta: 1.0e-5\n"
                                "rounds: {count: 12, cohort_min: 10, cohort_max: 20}\n";

static void refuses(const char *text, const char *part)
{
    char line[CN_DIAG_LINE_MAX];
    struct cn_diag diag = {0};
    struct task *task;
    enum cn_err err = task_parse(&task, text, strlen(text), "t.yaml", &diag);

    cn_diag_line(&diag, line);
    cr_assert_eq(err, CN_E_CONFIG, "%s for '%s': %s", cn_err_name(err), part, line);
    cr_assert(strstr(line, part), "'%s' lacks '%s'", line, part);
}

static struct accountant_event event_of(const struct task *task)
{
    struct accountant_event event;

    cr_assert(task_round_event(task, &event));
    cr_assert_eq(accountant_event_check(&event), CN_OK);
    return event;
}

/* A tenth of 20 may be corrupt: of 10 survivors 8 are honest, and these carry all of the noise. */
Test(task_privacy, lets_the_honest_survivors_carry_the_noise)
{
    struct task *task = parsed(user_text);
    struct accountant_event event = event_of(task);
    struct bounds_sensitivity moved;
    struct encode_plan plan;

    cr_assert(task->privacy.unit == TASK_UNIT_USER && task->privacy.honest_min == 8);
    cr_assert(task->privacy.placement == TASK_PLACEMENT_DISTRIBUTED);
    cr_assert_eq(event.kind, ACCOUNTANT_DISTRIBUTED);
    cr_assert_eq(event.distributed.devices, 8);
    cr_assert_eq(bounds_distributed_sensitivity(&moved, &event.distributed), CN_OK);
    cr_assert_geq(sqrt(8) * event.distributed.sigma / moved.l2, 1.5 * (1 - 1e-12));
    cr_assert_eq(task_encode_plan(&plan, task, NULL), CN_OK);
    cr_assert(plan.values == 6 && plan.counters == 1 && encode_length(&plan) == 9);
    cr_assert_eq(task_counters(task), 1);
    cr_assert_str_eq(task_unit_text(task->privacy.unit), "user");
    cr_assert_str_eq(task_placement_text(task->privacy.placement), "distributed");
    task_free(task);
}

Test(task_privacy, counts_local_noise_as_one_devices_own)
{
    struct task *task = parsed(with(user_text, "distributed", "local"));

    cr_assert_eq(event_of(task).distributed.devices, 1);
    cr_assert(task_noise_on_devices(task));
    task_free(task);
}

Test(task_privacy, counts_central_noise_unsampled)
{
    struct task *task = parsed(with(user_text, "distributed", "central"));
    struct accountant_event event = event_of(task);
    struct encode_plan plan;

    cr_assert(event.kind == ACCOUNTANT_DISCRETE_GAUSSIAN && event.sampling_rate == 1);
    cr_assert(event.noise_multiplier == 1.5 && event.steps == 1);
    cr_assert(!task_noise_on_devices(task));
    cr_assert_eq(task_encode_plan(&plan, task, NULL), CN_OK);
    cr_assert(plan.noise.mechanism.devices == 0 && plan.range == 0.5);
    task_free(task);
}

Test(task_privacy, charges_a_device_for_its_turns_in_correlated_noise)
{
    struct task *task = parsed(with(user_text, "distributed",
                                    "central\n  correlation: banded\n"
                                    "  correlation_rounds: 4"));
    struct correlated_plan plan;
    struct accountant_event event = event_of(task);
    struct accountant three;
    double epsilon, want;

    cr_assert(event.kind == ACCOUNTANT_CORRELATED && event.square == 1);
    event.steps = 3; /* of 12 rounds, 4 apart */
    accountant_init(&three);
    cr_assert_eq(accountant_add(&three, &event), CN_OK);
    cr_assert_eq(accountant_epsilon(&three, 1e-5, &want, NULL), CN_OK);
    cr_assert(task_epsilon(task, 12, &epsilon) == CN_OK && epsilon == want);
    cr_assert(task_epsilon(task, 9, &epsilon) == CN_OK && epsilon == want);
    cr_assert(task_epsilon(task, 8, &epsilon) == CN_OK && epsilon < want);
    cr_assert(task_next_round(task, 3) == 7 && task_next_round(task, 0) == 1);
    cr_assert_eq(task_correlated_plan(&plan, task), CN_OK);
    cr_assert(plan.kind == CORRELATED_BANDED && plan.factor.band == 4);
    task_free(task);
    task = parsed(with(user_text, "distributed",
                       "central\n  correlation: tree\n"
                       "  correlation_rounds: 5"));
    cr_assert(task_next_round(task, 3) == 6 && task_next_round(task, 5) == 6);
    cr_assert_eq(task_correlated_plan(&plan, task), CN_OK);
    cr_assert(plan.kind == CORRELATED_TREE && plan.rounds == 5);
    task_free(task);
}

Test(task_privacy, lets_the_count_of_unclipped_devices_ride)
{
    struct task *task = parsed(
        with(user_text, "  clip_norm", "  clip_quantile: 0.5\n  clip_count_noise: 4\n  clip_norm"));
    struct encode_plan plan;

    cr_assert_float_eq(task->privacy.clip_rate, 0.2, 1e-12);
    cr_assert_eq(task_encode_plan(&plan, task, NULL), CN_OK);
    cr_assert_float_eq(plan.rider, task_rider(task), 0);
    /* z_delta / sigma_b with 1 / z_delta^2 = 1 / 1.5^2 - 1 / 8^2 */
    cr_assert_float_eq(plan.rider, 1 / sqrt(1 / 2.25 - 1 / 64.0) / 4, 1e-12);
    cr_assert_float_eq(event_of(task).distributed.clip, sqrt(1 + plan.rider * plan.rider / 4),
                       1e-12);
    task_free(task);
}

Test(task_privacy, refuses_keys_where_nobody_keeps_them)
{
    refuses(with(user_text, "  placement: distributed\n", ""), "needs 'placement'");
    refuses(with(user_text, "  clip_norm: 0.5\n", ""), "unit user needs 'clip_norm'");
    refuses(with(user_text, "  noise_multiplier: 1.5\n", ""), "needs 'noise_multiplier'");
    refuses(with(user_text, "  delta: 1.0e-5\n", ""), "unit user needs 'delta'");
    refuses(with(user_text, "distributed", "local\n  honest_min: 4"), "'honest_min' needs");
    refuses(with(user_text, "distributed", "distributed\n  honest_min: 9"), "only 8 of the 10");
    refuses(with(user_text, "cohort_min: 10", "cohort_min: 2"), "corrupt devices only");
    refuses(with(user_text, "distributed", "distributed\n  correlation: tree"),
            "'correlation' needs 'placement: central'");
    refuses(with(user_text, "distributed", "central\n  correlation: tree"),
            "needs 'correlation_rounds'");
    refuses(with(user_text, "distributed", "central\n  correlation_rounds: 3"),
            "'correlation_rounds' needs");
    refuses(
        with(user_text, "distributed", "central\n  correlation: banded\n  correlation_rounds: 65"),
        "at most 64");
    refuses(with(user_text, "  delta", "  clip_rate: 0.1\n  delta"), "'clip_rate' needs");
    refuses(with(user_text, "  delta", "  clip_quantile: 0.5\n  delta"),
            "needs 'clip_count_noise'");
    refuses(with(user_text, "  delta", "  clip_quantile: 0.5\n  clip_count_noise: 0.7\n  delta"),
            "so little noise");
    refuses(with(user_text, "rounds:", "secure_aggregation: {update_range: 8}\nrounds:"),
            "clipped to 'privacy.clip_norm'");
    refuses(with(user_text, "rounds:", "secure_aggregation: {mode: off}\nrounds:"), "seen alone");
    refuses(with(user_text, "batch: 4", "batch: 4, sampling_rate: 0.1"), "unit example only");
    refuses(with(user_text, "batch: 4", "batch: 4, weighting: examples, examples_max: 9"),
            "would be revealed");
    refuses(with(private_text, "unit: example", "unit: example\n  placement: distributed"),
            "protected by the device");
    refuses(with(private_text, "unit: example", "unit: example\n  clip_quantile: 0.5"),
            "'clip_quantile' needs 'unit: user'");
    refuses(with(private_text, "secure_aggregation: {update_range: 8}\n", ""),
            "'update_range' is missing");
    refuses(with(open_text, "{unit: none}", "{unit: none, placement: local}"), "needs a unit");
}
