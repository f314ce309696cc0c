/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_world.h"

TestSuite(privacy, .init = scratch_make, .fini = world_clear);

#define PLAN "--sampling-rate 0.034 --steps 435 --delta 1e-5"

Test(privacy, prices_a_plan)
{
    json_t *answer;

    cr_assert_eq(world_run("privacy epsilon --noise-multiplier 0.95 " PLAN " --json"), 0);
    answer = world_json();
    cr_assert_float_eq(json_real_value(json_object_get(answer, "epsilon")), 5.7066, 1e-3);
    cr_assert_eq(json_integer_value(json_object_get(answer, "steps")), 435);
    cr_assert_str_eq(json_string_value(json_object_get(answer, "accountant")), "rdp");
    json_decref(answer);
    cr_assert_str_eq(world_err, "");
    cr_assert_eq(world_run("privacy epsilon --noise-multiplier 0.95 " PLAN), 0);
    SAYS(world_out, "epsilon = 5.707");
    SAYS(world_out, "3.4 %");
}

Test(privacy, prices_discrete_noise)
{
    json_t *answer;

    cr_assert_eq(world_run("privacy epsilon --mechanism discrete_gaussian --noise-multiplier 0.95 "
                           PLAN " --json"), 0);
    answer = world_json();
    cr_assert_str_eq(json_string_value(json_object_get(answer, "mechanism")), "discrete_gaussian");
    json_decref(answer);
}

Test(privacy, finds_noise_whose_price_is_the_budget)
{
    double noise, epsilon;
    json_t *answer;

    cr_assert_eq(world_run("privacy calibrate --epsilon 3 " PLAN " --json"), 0);
    answer = world_json();
    noise = json_real_value(json_object_get(answer, "noise_multiplier"));
    json_decref(answer);
    cr_assert_eq(world_runf("privacy epsilon --noise-multiplier %.12g " PLAN " --json", noise), 0);
    answer = world_json();
    epsilon = json_real_value(json_object_get(answer, "epsilon"));
    json_decref(answer);
    cr_assert(epsilon <= 3 && epsilon > 2.999, "%g", epsilon);
    cr_assert_eq(world_run("privacy calibrate --epsilon 3 " PLAN), 0);
    SAYS(world_out, "noise multiplier = ");
}

Test(privacy, says_no_to_a_budget_that_no_noise_keeps)
{
    cr_assert_eq(world_run("privacy calibrate --epsilon 1e-6 --delta 1e-12 --sampling-rate 1 "
                           "--steps 1000000000000"), 1);
    SAYS(world_err, "no noise brings");
}

Test(privacy, refuses_wrong_usage)
{
    cr_assert_eq(world_run("privacy epsilon " PLAN), 2);
    SAYS(world_err, "noise-multiplier");
    cr_assert_eq(world_run("privacy epsilon --noise-multiplier 0 " PLAN), 2);
    cr_assert_eq(world_run("privacy epsilon --noise-multiplier 1 --sampling-rate 2 --steps 1 "
                           "--delta 1e-5"), 2);
    cr_assert_eq(world_run("privacy epsilon --noise-multiplier 1 --sampling-rate 0.1 --steps 1 "
                           "--delta 1"), 2);
    cr_assert_eq(world_run("privacy epsilom"), 2);
    SAYS(world_err, "privacy epsilon");
}

Test(privacy, shows_an_example_in_every_help)
{
    const struct cn_program *program = cli_program();

    for (size_t i = 0; i < program->verb_count; i++) {
        cr_assert_eq(world_runf("%s --help", program->verbs[i].name), 0);
        SAYS(world_out, "example:");
        SAYS(world_out, program->verbs[i].example);
    }
    cr_assert_geq(program->verb_count, 8);
}
