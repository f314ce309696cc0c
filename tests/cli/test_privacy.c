/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_world.h"

#include <math.h>

#include "crypto/sign.h"
#include "privacy/ledger.h"

TestSuite(privacy, .init = scratch_make, .fini = world_clear);

#define PLAN "--sampling-rate 0.034 --steps 435 --delta 1e-5"

Test(privacy, prices_a_plan)
{
    json_t *answer;

    cr_assert_eq(world_run("privacy epsilon --noise-multiplier 0.95 " PLAN " --json"), 0);
    answer = world_json();
    cr_assert_float_eq(json_real_value(json_object_get(answer, "epsilon_rdp")), 5.7066, 1e-3);
    cr_assert_lt(json_real_value(json_object_get(answer, "epsilon")), 5.7);
    cr_assert_eq(json_integer_value(json_object_get(answer, "steps")), 435);
    cr_assert_str_eq(json_string_value(json_object_get(answer, "accountant")), "pld");
    json_decref(answer);
    cr_assert_str_eq(world_err, "");
    cr_assert_eq(world_run("privacy epsilon --noise-multiplier 0.95 " PLAN), 0);
    SAYS(world_out, "5.707");
    SAYS(world_out, "3.4 %");
}

Test(privacy, prices_discrete_noise)
{
    json_t *answer;

    cr_assert_eq(
        world_run("privacy epsilon --mechanism discrete_gaussian --noise-multiplier 0.95 " PLAN
                  " --json"),
        0);
    answer = world_json();
    cr_assert_str_eq(json_string_value(json_object_get(answer, "mechanism")), "discrete_gaussian");
    json_decref(answer);
}

Test(privacy, tells_the_rdp_of_one_order_and_what_a_distributed_sum_rests_on)
{
    json_t *answer;

    cr_assert_eq(world_run("privacy epsilon --noise-multiplier 2 --sampling-rate 1 --steps 3 "
                           "--delta 1e-5 --order 8 --json"),
                 0);
    answer = world_json();
    cr_assert_float_eq(json_real_value(json_object_get(answer, "rdp_at_order")), 3, 1e-9);
    json_decref(answer);
    cr_assert_eq(world_run("privacy epsilon --noise-multiplier 2 --sampling-rate 1 --steps 3 "
                           "--delta 1e-5 --order 1"),
                 2);
    SAYS(world_err, "above 1");
    cr_assert_eq(world_run("privacy epsilon --mechanism distributed-discrete-gaussian --clients 2 "
                           "--dim 1 --clip 1 --scale 100 --sigma-local 50 --steps 1 --delta 1e-5 "
                           "--json"),
                 0);
    answer = world_json();
    cr_assert_float_eq(json_real_value(json_object_get(answer, "rho_per_step")), 1.0201, 1e-9);
    cr_assert_float_eq(json_real_value(json_object_get(answer, "l2_sensitivity")), 101, 1e-9);
    cr_assert_float_eq(json_real_value(json_object_get(answer, "epsilon")), 7.1608178567888, 1e-5);
    json_decref(answer);
}

Test(privacy, promises_without_a_delta_for_laplace_alone)
{
    json_t *answer;

    cr_assert_eq(world_run("privacy epsilon --mechanism laplace --scale 20 --steps 100 --delta 0 "
                           "--json"),
                 0);
    answer = world_json();
    cr_assert_float_eq(json_real_value(json_object_get(answer, "epsilon")), 5, 1e-9);
    json_decref(answer);
    cr_assert_eq(
        world_run("privacy epsilon --noise-multiplier 2 --sampling-rate 1 --steps 3 --delta 0"), 2);
    SAYS(world_err, "--delta 0 is for laplace");
}

/* What was found keeps the budget and a millionth less does not, for every mechanism. */
Test(privacy, finds_the_smallest_noise_of_every_mechanism)
{
    static const char *const mechanisms[] = {
        "gaussian --sampling-rate 0.1 --steps 100",
        "gaussian --sampling-rate 1 --steps 100 --adjacency replace-one",
        "discrete-gaussian --sampling-rate 0.1 --steps 100",
        "discrete-gaussian --sampling-rate 1 --steps 1 --sensitivity 4",
        "laplace --steps 10",
        "tree --steps 100 --trees 5",
        "skellam --l2 100 --l1 1000 --steps 10",
        "distributed-discrete-gaussian --clients 100 --dim 4096 --clip 1 --scale 100 --steps 10",
    };

    for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++) {
        char option[64];
        double noise;
        json_t *answer;

        cr_assert_eq(world_runf("privacy calibrate --mechanism %s --epsilon 2 --delta 1e-5 --json",
                                mechanisms[i]),
                     0);
        answer = world_json();
        noise = json_real_value(json_object_get(answer, "noise"));
        snprintf(option, sizeof option, "%s",
                 json_string_value(json_object_get(answer, "noise_is")));
        json_decref(answer);
        for (int less = 0; less < 2; less++) {
            double epsilon;

            cr_assert_eq(world_runf("privacy epsilon --mechanism %s --%s %.15g --delta 1e-5 --json",
                                    mechanisms[i], option, noise * (less ? 1 - 1e-6 : 1)),
                         0);
            answer = world_json();
            epsilon = json_real_value(json_object_get(answer, "epsilon"));
            json_decref(answer);
            cr_expect((epsilon <= 2) == !less, "%s: %.15g costs %.15g", mechanisms[i], noise,
                      epsilon);
        }
    }
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
                           "--steps 1000000000000"),
                 1);
    SAYS(world_err, "no noise brings");
}

Test(privacy, refuses_wrong_usage)
{
    cr_assert_eq(world_run("privacy epsilon " PLAN), 2);
    SAYS(world_err, "noise-multiplier");
    cr_assert_eq(world_run("privacy epsilon --noise-multiplier 0 " PLAN), 2);
    cr_assert_eq(world_run("privacy epsilon --noise-multiplier 1 --sampling-rate 2 --steps 1 "
                           "--delta 1e-5"),
                 2);
    cr_assert_eq(world_run("privacy epsilon --noise-multiplier 1 --sampling-rate 0.1 --steps 1 "
                           "--delta 1"),
                 2);
    cr_assert_eq(world_run("privacy epsilom"), 2);
    SAYS(world_err, "privacy epsilon");
}

#define RATE "--sampling-rate 0.01 --steps 1000 --delta 1e-05 --json"

/* The named number of the last answer; infinite where it is null. */
static double answered(const char *name)
{
    json_t *answer = world_json(), *member = json_object_get(answer, name);
    double value = json_is_null(member) ? INFINITY : json_real_value(member);

    cr_assert(member, "'%s' lacks %s", world_out, name);
    json_decref(answer);
    return value;
}

/* Between truth, rounded up by tight relative, and truth itself. */
static void is_just_above(const char *name, double truth, double tight)
{
    double value = answered(name);

    cr_assert(value >= truth * (1 - 1e-9) && value <= truth * (1 + tight), "%s: %.12g for %.12g",
              name, value, truth);
}

/* Rows of tests/vectors/: see SOURCE there for who computed them. */

Test(privacy, brackets_the_true_epsilon_of_sampled_noise)
{
    cr_assert_eq(world_run("privacy epsilon --noise-multiplier 0.7 " RATE), 0);
    is_just_above("epsilon_pld", 4.61828835843904, 1e-4);
    cr_assert_float_eq(answered("epsilon"), answered("epsilon_pld"), 0);
    cr_assert_float_eq(answered("epsilon_rdp"), 5.421397067537377, 1e-6);
    cr_assert_float_eq(answered("rdp_order"), 3.6, 1e-9);
    cr_assert_leq(answered("epsilon_pld_lower"), 4.61828835843904);
    cr_assert_geq(answered("epsilon_pld_lower"), 4.3);
    cr_assert_geq(answered("epsilon_unsampled"), 100);
}

Test(privacy, knows_both_kinds_of_neighbours)
{
    cr_assert_eq(world_run("privacy epsilon --noise-multiplier 0.7 --sampling-rate 1 --steps 10 "
                           "--delta 1e-5 --adjacency replace-one --json"),
                 0);
    is_just_above("epsilon", 78.53226798063523, 1e-4);
    cr_assert_eq(world_run("privacy epsilon --noise-multiplier 0.7 --adjacency replace-one " RATE),
                 0);
    cr_assert(isinf(answered("epsilon_rdp")), "no such bound is proven for sampled replacement");
    cr_assert_gt(answered("epsilon"), 4.62);
}

Test(privacy, prices_every_other_mechanism)
{
    cr_assert_eq(world_run("privacy epsilon --mechanism laplace --scale 0.5 --steps 1 --delta 1e-5 "
                           "--json"),
                 0);
    is_just_above("epsilon", 1.9999799998999994, 1e-4);
    cr_assert_eq(world_run("privacy epsilon --mechanism tree --noise-multiplier 0.5 --steps 100 "
                           "--delta 1e-5 --json"),
                 0);
    is_just_above("epsilon", 35.83658204274528, 1e-4);
    cr_assert_float_eq(answered("squared_sensitivity"), 7, 0);
    cr_assert_eq(world_run("privacy epsilon --mechanism distributed-discrete-gaussian --clients 10 "
                           "--dim 1 --clip 1 --scale 1 --sigma-local 1 --steps 1 --delta 1e-5 "
                           "--json"),
                 0);
    is_just_above("epsilon", 2.81417571359013, 1e-3);
    cr_assert(isinf(answered("epsilon_pld")));
}

/* The row states the RDP 0.8925 at order 16; no epsilon may exceed what that order proves. */
Test(privacy, prices_skellam_noise_by_its_curve)
{
    double at_16 = 0.8925 + log1p(-1.0 / 16) - log(1e-5 * 16) / 15;

    cr_assert_eq(world_run("privacy epsilon --mechanism skellam --l2 1 --l1 1 --variance 10 "
                           "--steps 1 --delta 1e-5 --json"),
                 0);
    cr_assert_leq(answered("epsilon"), at_16 * (1 + 1e-9));
    cr_assert_geq(answered("epsilon"), at_16 - 0.1);
}

Test(privacy, gives_delta_for_epsilon)
{
    cr_assert_eq(world_run("privacy delta --noise-multiplier 0.7 --sampling-rate 0.01 --steps 1000 "
                           "--epsilon 4.61828835843904 --json"),
                 0);
    is_just_above("delta", 1e-5, 1e-3);
    cr_assert_gt(answered("delta_rdp"), answered("delta_pld"));
    cr_assert_leq(answered("delta_pld_lower"), 1e-5);
    cr_assert_eq(world_run("privacy delta --mechanism discrete-gaussian --noise-multiplier 0.5 "
                           "--sensitivity 1 --sampling-rate 1 --steps 1 --epsilon 2 --json"),
                 0);
    is_just_above("delta", 0.104764844109898, 1e-4);
    cr_assert_eq(
        world_run("privacy delta --mechanism skellam --l2 1 --l1 1 --variance 10 --steps 1 "
                  "--epsilon 2"),
        0);
    SAYS(world_out, "delta = ");
    SAYS(world_out, "by PLD             none");
}

Test(privacy, calibrates_to_the_smallest_noise_and_never_less)
{
    static const double rows[][3] = {/* epsilon, truth, by RDP */
                                     {0.5, 2.3821666, 2.584213},
                                     {1, 1.41461941, 1.513122},
                                     {4, 0.734781767, 0.7775735}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_assert_eq(world_runf("privacy calibrate --epsilon %g " RATE, rows[i][0]), 0);
        is_just_above("noise_multiplier", rows[i][1], 1e-4);
        cr_assert_float_eq(answered("noise_multiplier_rdp"), rows[i][2], 1e-4 * rows[i][2]);
        cr_assert_leq(answered("epsilon"), rows[i][0]);
    }
    cr_assert_eq(world_run("privacy calibrate --mechanism discrete-gaussian --epsilon 1 " RATE), 0);
    is_just_above("noise_multiplier", 1.41461941, 1e-4);
    cr_assert_leq(answered("epsilon"), 1);
    cr_assert_eq(world_run("privacy calibrate --adjacency replace-one --epsilon 1 " RATE), 0);
    cr_assert(isinf(answered("noise_multiplier_rdp")));
    cr_assert_gt(answered("noise_multiplier"), 1.4147);
}

Test(privacy, refuses_what_a_mechanism_does_not_use)
{
    cr_assert_eq(world_run("privacy epsilon --mechanism laplace --scale 1 --steps 1 "
                           "--noise-multiplier 1 --delta 1e-5"),
                 2);
    SAYS(world_err, "mechanism laplace does not use --noise-multiplier (it takes --steps --scale)");
    cr_assert_eq(world_run("privacy epsilon --mechanism skellam --l2 1 --steps 1 --delta 1e-5"), 2);
    SAYS(world_err, "mechanism skellam needs --l1");
    cr_assert_eq(world_run("privacy epsilon --mechanism tree --noise-multiplier 1 --steps 8 "
                           "--trees 2 --separation 3 --delta 1e-5"),
                 2);
    SAYS(world_err, "--trees does not go with");
    cr_assert_eq(world_run("privacy epsilon --ledger x.jsonl --steps 3 --delta 1e-5"), 2);
    SAYS(world_err, "--steps does not go with --ledger");
    cr_assert_eq(world_run("privacy delta --noise-multiplier 1 --sampling-rate 0.1 --steps 1"), 2);
    SAYS(world_err, "epsilon");
}

/* A ledger of 10 entries of 100 steps each, for one unit. */
static void write_ledger(const char *file, const char *unit)
{
    const uint8_t seed[32] = {9};
    struct ledger_owner owner = {"ward", "device", 1000};
    struct ledger_entry entry = {.time_s = 1001,
                                 .kind = "spent",
                                 .task = "t",
                                 .has_event = true,
                                 .delta = 1e-5,
                                 .event = {.kind = ACCOUNTANT_GAUSSIAN,
                                           .noise_multiplier = 0.7,
                                           .sampling_rate = 0.01,
                                           .steps = 100}};
    struct sign_key *key;
    struct ledger *ledger;

    snprintf(entry.unit, sizeof entry.unit, "%s", unit);
    cr_assert_eq(sign_key_from_seed(&key, seed), CN_OK);
    cr_assert_eq(ledger_open(&ledger, scratch_path(file), key, &owner, NULL), CN_OK);
    for (uint32_t round = 1; round <= 10; round++) {
        entry.round = round;
        cr_assert_eq(ledger_append(ledger, &entry), CN_OK);
    }
    ledger_close(ledger);
    sign_key_free(key);
}

Test(privacy, prices_a_ledger_and_says_whom_sampling_fools)
{
    write_ledger("own.jsonl", "example");
    write_ledger("led.jsonl", "user");
    cr_assert_eq(
        world_runf("privacy epsilon --ledger %s/own.jsonl --delta 1e-5 --json", scratch_folder), 0);
    is_just_above("epsilon", 4.61828835843904, 1e-4);
    SAYS(world_out, "and against the aggregator");
    cr_assert_eq(world_runf("privacy epsilon --ledger %s/led.jsonl --delta 1e-5", scratch_folder),
                 0);
    SAYS(world_out, "epsilon = 4.618");
    SAYS(world_out, "not against the aggregator");
    SAYS(world_out, "unsampled");
    cr_assert_eq(world_runf("privacy delta --ledger %s/led.jsonl --epsilon 4.61828835843904 --json",
                            scratch_folder),
                 0);
    is_just_above("delta", 1e-5, 1e-3);
    SAYS(world_out, "delta_against_aggregator");
}

Test(privacy, prices_no_ledger_that_was_changed)
{
    char path[512];
    FILE *file;

    write_ledger("own.jsonl", "example");
    snprintf(path, sizeof path, "%s/own.jsonl", scratch_folder);
    file = fopen(path, "r+");
    cr_assert(file && fseek(file, 40, SEEK_SET) == 0 && fputc('7', file) == '7');
    fclose(file);
    cr_assert_eq(world_runf("privacy epsilon --ledger %s --delta 1e-5", path), 1);
    cr_assert_str_eq(world_out, "");
    cr_assert_eq(world_run("privacy epsilon --ledger /nowhere/l.jsonl --delta 1e-5"), 3);
}

Test(privacy, shows_an_example_in_every_help)
{
    const struct cn_program *program = cli_program();

    for (size_t i = 0; i < program->verb_count; i++) {
        char lines[1024], *rest = lines;

        cr_assert_eq(world_runf("%s --help", program->verbs[i].name), 0);
        SAYS(world_out, "example:");
        snprintf(lines, sizeof lines, "%s", program->verbs[i].example);
        for (char *line; (line = strsep(&rest, "\n")) != NULL;) /* each is indented by itself */
            SAYS(world_out, line);
    }
    cr_assert_geq(program->verb_count, 8);
}

/* The noise that is found keeps the budget and a thousandth less breaks it. */
static void check_calibrated(const char *mechanism, const char *option)
{
    double noise;

    cr_assert_eq(world_runf("privacy calibrate --epsilon 2 --delta 1e-5 %s --json", mechanism), 0,
                 "%s: %s", mechanism, world_err);
    noise = answered("noise");
    cr_assert_eq(world_runf("privacy epsilon --delta 1e-5 %s --%s %.15g --json", mechanism, option,
                            noise * (1 + 1e-12)),
                 0);
    cr_assert_leq(answered("epsilon"), 2 * (1 + 1e-9), "%s", mechanism);
    cr_assert_eq(world_runf("privacy epsilon --delta 1e-5 %s --%s %.15g --json", mechanism, option,
                            noise * 0.999),
                 0);
    cr_assert_gt(answered("epsilon"), 2, "%s", mechanism);
}

Test(privacy, calibrates_every_mechanism)
{
    check_calibrated("--mechanism laplace --steps 10", "scale");
    check_calibrated("--mechanism tree --steps 100 --trees 3", "noise-multiplier");
    check_calibrated("--mechanism banded --steps 60 --band 6 --participations 3",
                     "noise-multiplier");
    check_calibrated("--mechanism skellam --l2 20 --l1 200 --steps 5", "variance");
    check_calibrated("--mechanism distributed-discrete-gaussian --clients 50 --dim 1024 --clip 1 "
                     "--scale 1000 --steps 5",
                     "sigma-local");
    cr_assert_eq(world_run("privacy calibrate --mechanism laplace --scale 3 --steps 1 --epsilon 1 "
                           "--delta 1e-5"),
                 2);
    SAYS(world_err, "is asked for its --scale");
}

/* Three turns of a device, a band apart, cost three Gaussians. */
Test(privacy, prices_banded_noise_by_turns)
{
    double epsilon;

    cr_assert_eq(world_run("privacy epsilon --mechanism banded --steps 60 --band 6 "
                           "--participations 3 --noise-multiplier 4 --delta 1e-5 --json"),
                 0);
    epsilon = answered("epsilon");
    cr_assert_eq(world_run("privacy epsilon --noise-multiplier 4 --sampling-rate 1 --steps 3 "
                           "--delta 1e-5 --json"),
                 0);
    cr_assert_float_eq(epsilon / answered("epsilon"), 1, 1e-4);
    cr_assert_eq(world_run("privacy epsilon --mechanism banded --steps 60 --band 6 --separation 2 "
                           "--noise-multiplier 4 --delta 1e-5"),
                 2);
}
