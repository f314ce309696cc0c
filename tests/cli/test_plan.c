/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_world.h"

#include "cli/plan.h"

TestSuite(plan, .init = scratch_make, .fini = world_clear);

static const char task_text[] = "task: small\n"
                                "model:\n"
                                "  input: [1, 4, 4]\n"
                                "  layers:\n"
                                "    - {type: flatten}\n"
                                "    - {type: dense, units: 3}\n"
                                "  seed: 1\n"
                                "data: {classes: 3, mean: 0.5, deviation: 0.5}\n"
                                "training: {learning_rate: 0.5, steps: 10, batch: 20, "
                                "sampling_rate: 0.1}\n"
                                "privacy: {unit: example, clip_norm: 1.0, noise_multiplier: 1.5, "
                                "delta: 1.0e-5, epsilon_max: 20}\n"
                                "secure_aggregation: {mode: on, update_range: 10}\n"
                                "rounds: {count: 6, cohort_min: 4, cohort_max: 8}\n"
                                "strategy: {name: fedavg, learning_rate: 1.0}\n";

static const char *task_file(void)
{
    scratch_file("task.yaml", task_text, sizeof task_text - 1);
    return scratch_path("task.yaml");
}

Test(plan, draws_epsilon_and_counts_the_rounds_of_a_budget)
{
    cr_assert_eq(world_runf("privacy plan %s --epsilon 4", task_file()), 0, "%s", world_err);
    SAYS(world_out, "After 6 rounds");
    SAYS(world_out, "A budget of epsilon 4 affords");
    SAYS(world_out, "noise per coordinate");
    SAYS(world_out, "7 of 8 devices");
    SAYS(world_out, "\xe2\x94\x94");
    cr_assert_eq(world_runf("privacy plan %s --ascii", task_file()), 0);
    for (const char *c = world_out; *c; c++)
        cr_assert((unsigned char)*c < 128, "plain ASCII");
}

Test(plan, agrees_with_the_price_of_a_task)
{
    struct task *task;
    double at, above;
    uint32_t rounds;

    cr_assert_eq(task_load(&task, task_file(), NULL), CN_OK);
    rounds = plan_rounds_afforded(task, 4);
    cr_assert_gt(rounds, 0);
    cr_assert_eq(task_epsilon(task, rounds, &at), CN_OK);
    cr_assert_eq(task_epsilon(task, rounds + 1, &above), CN_OK);
    cr_assert_leq(at, 4.0);
    cr_assert_gt(above, 4.0);
    cr_assert_eq(plan_rounds_afforded(task, 1e-9), 0);
    task_free(task);
}

Test(plan, gives_every_number_as_json)
{
    json_t *answer, *epsilon, *rdp, *rows;

    cr_assert_eq(world_runf("privacy plan %s --json --sweep noise", task_file()), 0);
    answer = world_json();
    epsilon = json_object_get(answer, "epsilon");
    rdp = json_object_get(answer, "epsilon_rdp");
    cr_assert_eq(json_array_size(epsilon), 6);
    for (size_t i = 0; i < 6; i++) {
        double tight = json_real_value(json_array_get(epsilon, i));

        cr_assert_gt(tight, i ? json_real_value(json_array_get(epsilon, i - 1)) : 0);
        cr_assert_leq(tight, json_real_value(json_array_get(rdp, i)));
    }
    /* 0.5 * 1 / 20 * 1.5 * sqrt(10 / 8) */
    cr_assert_float_eq(json_real_value(json_object_get(answer, "noise_coordinate")), 0.0419263,
                       1e-6);
    rows = json_object_get(answer, "sweep");
    cr_assert_eq(json_array_size(rows), PLAN_ROWS);
    for (size_t i = 1; i < PLAN_ROWS; i++)
        cr_assert_lt(json_real_value(json_object_get(json_array_get(rows, i), "epsilon")),
                     json_real_value(json_object_get(json_array_get(rows, i - 1), "epsilon")));
    json_decref(answer);
}

Test(plan, sweeps_rounds_and_cohorts)
{
    cr_assert_eq(world_runf("privacy plan %s --sweep rounds", task_file()), 0);
    SAYS(world_out, ">       8      1.5        6");
    cr_assert_eq(world_runf("privacy plan %s --sweep cohort", task_file()), 0);
    SAYS(world_out, "       32      1.5        6");
}

Test(plan, draws_a_chart_that_stands_alone)
{
    unsigned char *svg;
    size_t len;

    cr_assert_eq(world_runf("privacy plan %s --svg %s/plan.svg", task_file(), scratch_folder), 0);
    svg = scratch_read(scratch_path("plan.svg"), &len);
    cr_assert(memmem(svg, len, "</svg>", 6));
    cr_assert(memmem(svg, len, "prefers-color-scheme:dark", 25));
    cr_assert_null(memmem(svg, len, "href", 4));
    cr_assert_eq(world_runf("privacy plan %s --svg %s/no/plan.svg", task_file(), scratch_folder),
                 3);
}

Test(plan, tells_a_task_that_is_wrong)
{
    cr_assert_eq(world_run("privacy plan /nonexistent.yaml"), 3);
    scratch_file("bad.yaml", "task: 7\n", 8);
    cr_assert_eq(world_runf("privacy plan %s", scratch_path("bad.yaml")), 2);
    cr_assert_eq(world_run("privacy plan"), 2);
}
