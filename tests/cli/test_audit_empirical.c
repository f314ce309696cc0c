/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks on a small training: the promise holds with its noise, and is refuted without it, with
 * half of it, and by members of a training that learns by heart. Every test is seeded. */
#include "cli/audit_empirical.h"

#include <math.h>

#include "base/random.h"
#include "cli_world.h"
#include "data/idx.h"

TestSuite(audit_empirical, .init = scratch_make, .fini = world_clear);

#define EXAMPLES 400

static const char model_text[] = "task: small\n"
                                 "model:\n"
                                 "  input: [1, 4, 4]\n"
                                 "  layers:\n"
                                 "    - {type: flatten}\n"
                                 "    - {type: dense, units: 64}\n"
                                 "    - {type: tanh}\n"
                                 "    - {type: dense, units: 3}\n"
                                 "  seed: 1\n"
                                 "data: {classes: 3, mean: 0.5, deviation: 0.5}\n"
                                 "rounds: {count: 6, cohort_min: 4, cohort_max: 8}\n"
                                 "strategy: {name: fedavg, learning_rate: 1.0}\n";

static const char private_text[] =
    "training: {learning_rate: 0.5, steps: 10, batch: 40, sampling_rate: 0.2}\n"
    "privacy: {unit: example, clip_norm: 1.0, noise_multiplier: 1.5, delta: 1.0e-5, "
    "epsilon_max: 50}\n"
    "secure_aggregation: {mode: on, update_range: 10}\n";

static const char plain_text[] = "training: {learning_rate: 0.5, momentum: 0.9, epochs: 40, "
                                 "batch: 20}\n"
                                 "privacy: {unit: none}\n"
                                 "secure_aggregation: {mode: on, update_range: 10}\n";

static struct cn_seeded seeded;
static struct cn_random random_source;
static struct dataset data;
static struct task *task;

/* Labels by chance: what a model knows of them it has learnt by heart. */
static void start(const char *part)
{
    char text[4096];
    struct cn_diag diag = {0};

    random_source = cn_random_seeded(&seeded, 20261123);
    cr_assert_eq(dataset_new(&data, EXAMPLES, 1, 4, 4), CN_OK);
    data.classes = 3;
    for (size_t i = 0; i < EXAMPLES * 16; i++)
        data.x[i] = (float)cn_random_normal(&random_source);
    for (size_t i = 0; i < EXAMPLES; i++)
        data.y[i] = (uint32_t)cn_random_below(&random_source, 3);
    snprintf(text, sizeof text, "%s%s", model_text, part);
    cr_assert_eq(task_parse(&task, text, strlen(text), "small.yaml", &diag), CN_OK, "%s",
                 diag.text);
}

static void end(void)
{
    dataset_free(&data);
    task_free(task);
}

static struct empirical_result attack(double noise_scale, enum empirical_canary canary)
{
    struct empirical_options options = {.task = task,
                                        .data = &data,
                                        .canary = canary,
                                        .canaries = 800,
                                        .noise_scale = noise_scale,
                                        .significance = 0.05,
                                        .threads = 1};
    struct empirical_result result;
    struct cn_diag diag = {0};

    cr_assert_eq(empirical_run(&result, &options, &random_source, &diag), CN_OK, "%s", diag.text);
    return result;
}

Test(audit_empirical, finds_no_more_than_is_promised)
{
    struct empirical_result result;

    start(private_text);
    result = attack(1, EMPIRICAL_DIRAC);
    cr_assert_not(result.violated);
    cr_assert_lt(result.epsilon_lower, result.epsilon_proven);
    cr_assert_gt(result.epsilon_lower, 0.1, "but it finds something");
    cr_assert_gt(result.auc, 0.6);
    cr_assert_geq(result.noise_multiplier, 1.5, "noise is never less than asked for");
    cr_assert_leq(result.noise_multiplier, 1.6);
    cr_assert_lt(result.epsilon_lower_noise, result.epsilon_proven);
    cr_assert_gt(result.epsilon_lower_noise, 0.8 * result.epsilon_proven, "and it is near");
    end();
}

Test(audit_empirical, refutes_a_training_without_noise)
{
    struct empirical_result result;

    start(private_text);
    result = attack(0, EMPIRICAL_DIRAC);
    cr_assert(result.violated);
    cr_assert_gt(result.epsilon_lower, 3, "%g: %u of %u", result.epsilon_lower, result.correct,
                 result.guesses);
    cr_assert_gt(result.auc, 0.999);
    cr_assert(isinf(result.epsilon_lower_noise));
    end();
}

Test(audit_empirical, refutes_half_of_the_noise)
{
    struct empirical_result whole, half;

    start(private_text);
    whole = attack(1, EMPIRICAL_DIRAC);
    half = attack(0.5, EMPIRICAL_DIRAC);
    cr_assert(half.violated);
    cr_assert_gt(half.epsilon_lower_noise, 1.5 * half.epsilon_proven);
    cr_assert_gt(half.epsilon_lower, whole.epsilon_lower);
    end();
}

Test(audit_empirical, finds_canaries_in_every_direction)
{
    struct empirical_result result;

    start(private_text);
    result = attack(1, EMPIRICAL_GRADIENT);
    cr_assert_not(result.violated);
    cr_assert_gt(result.auc, 0.55);
    end();
}

Test(audit_empirical, attacks_whole_devices_as_well)
{
    static const char text[] = "training: {learning_rate: 0.1, epochs: 1, batch: 20}\n"
                               "privacy: {unit: user, placement: central, clip_norm: 1.0, "
                               "noise_multiplier: 2.0, delta: 1.0e-5}\n"
                               "secure_aggregation: {mode: on}\n";
    struct empirical_result result;

    start(text);
    result = attack(1, EMPIRICAL_DIRAC);
    cr_assert_not(result.violated);
    cr_assert_gt(result.epsilon_lower, 0.1);
    cr_assert(attack(0.5, EMPIRICAL_DIRAC).violated);
    end();
}

Test(audit_empirical, has_nothing_to_refute_without_a_promise)
{
    struct empirical_options options = {.canaries = 100, .noise_scale = 1, .significance = 0.05};
    struct empirical_result result;
    struct cn_diag diag = {0};

    start(plain_text);
    options.task = task;
    options.data = &data;
    cr_assert_eq(empirical_run(&result, &options, &random_source, &diag), CN_E_CONFIG);
    cr_assert(strstr(diag.text, "nothing to refute"));
    end();
}

Test(audit_empirical, refuses_more_canaries_than_weights)
{
    struct empirical_options options = {.noise_scale = 1, .significance = 0.05};
    struct empirical_result result;

    start(private_text);
    options.task = task;
    options.data = &data;
    options.canaries = (uint32_t)task->params + 1;
    cr_assert_eq(empirical_run(&result, &options, &random_source, NULL), CN_E_CONFIG);
    options.canaries = 15;
    cr_assert_eq(empirical_run(&result, &options, &random_source, NULL), CN_E_CONFIG);
    end();
}

static struct members_result members(uint32_t models)
{
    struct members_options options = {
        .task = task, .data = &data, .models = models, .noise_scale = 1, .threads = 1};
    struct members_result result;

    cr_assert_eq(members_run(&result, &options, &random_source, NULL), CN_OK);
    return result;
}

Test(audit_empirical, finds_members_of_a_training_that_learns_by_heart)
{
    struct members_result result;

    start(plain_text);
    result = members(4);
    cr_assert_eq(result.examples, EXAMPLES);
    cr_assert_gt(result.loss.auc, 0.75);
    cr_assert_gt(result.lira.auc, 0.75);
    for (size_t i = 1; i < EMPIRICAL_CURVE; i++) {
        cr_assert_geq(result.loss.tpr[i], result.loss.tpr[i - 1]);
        cr_assert_geq(result.lira.tpr[i], result.lira.tpr[i - 1]);
    }
    cr_assert_float_eq(result.fpr[EMPIRICAL_CURVE - 1], 1, 1e-12);
    cr_assert_float_eq(result.loss.tpr[EMPIRICAL_CURVE - 1], 1, 1e-12);
    end();
}

Test(audit_empirical, hardly_finds_members_of_a_private_training)
{
    struct members_result result;

    start(private_text);
    result = members(4);
    cr_assert_lt(result.loss.auc, 0.6);
    cr_assert_lt(result.lira.auc, 0.6);
    end();
}

Test(audit_empirical, refuses_too_few_shadows)
{
    struct members_options options = {.models = 2, .noise_scale = 1};
    struct members_result result;

    start(private_text);
    options.task = task;
    options.data = &data;
    cr_assert_eq(members_run(&result, &options, &random_source, NULL), CN_E_CONFIG);
    end();
}
