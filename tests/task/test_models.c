/* SPDX-License-Identifier: Apache-2.0 */
/* The ready models: every file loads and learns. And the keys of training that models need. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/gradient.h"
#include "task/task.h"

#define FOLDER CAIRN_SOURCE_DIR "/configs/models"
#define EXAMPLES 6

/* Random examples as the model wants them: values or tokens, a class for every position. */
static struct dataset data_for(const struct task *task, const struct model *model)
{
    struct dataset_options options = {.channels = task->model.channels,
                                      .height = task->model.height,
                                      .width = task->model.width,
                                      .vocabulary = task->model.vocabulary,
                                      .targets = model_positions(model)};
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 1);
    struct dataset data;

    cr_assert_eq(dataset_new_with(&data, EXAMPLES, &options), CN_OK);
    data.classes = task->data.classes;
    for (size_t i = 0; i < EXAMPLES * dataset_features(&data); i++)
        data.x[i] = options.vocabulary ? (float)cn_random_below(&random, options.vocabulary)
                                       : (float)cn_random_normal(&random);
    for (size_t i = 0; i < EXAMPLES * dataset_targets(&data); i++)
        data.y[i] = (uint32_t)cn_random_below(&random, data.classes);
    return data;
}

static double loss_of(struct model *model, const struct dataset *data)
{
    static const uint32_t rows[EXAMPLES] = {0, 1, 2, 3, 4, 5};
    float *sum = calloc(model_params(model), sizeof *sum);
    struct gradient_batch batch = {data, rows, EXAMPLES};
    struct gradient_seen seen = {0};

    cr_assert_eq(gradient_add(model, sum, &seen, &batch), CN_OK);
    free(sum);
    return seen.loss / EXAMPLES;
}

static void expect_learns(const char *path)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 2);
    struct cn_diag diag = {0};
    char line[CN_DIAG_LINE_MAX];
    struct train_options options;
    struct train_result result;
    struct task *task;
    struct model *model;
    struct dataset data;
    double before;

    cr_assert_eq(task_load(&task, path, &diag), CN_OK, "%s", cn_diag_line(&diag, line));
    cr_assert_eq(task_model_new(&model, task, EXAMPLES, NULL), CN_OK);
    data = data_for(task, model);
    cr_assert_eq(gradient_check(model, &data, &diag), CN_OK, "%s", cn_diag_line(&diag, line));
    before = loss_of(model, &data);
    task_train_options(&options, task);
    options.batch = EXAMPLES;
    options.epochs = 0;
    options.steps = 3;
    options.optimiser.warm_up = 0;
    cr_assert_eq(train_run(model, &data, &options, &random, &result), CN_OK, "%s", path);
    cr_assert_lt(loss_of(model, &data), before, "%s does not learn six examples", path);
    dataset_free(&data);
    model_free(model);
    task_free(task);
}

Test(models, every_ready_model_loads_and_learns)
{
    DIR *folder = opendir(FOLDER);
    unsigned count = 0;

    cr_assert(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        char path[1024];

        if (!strstr(entry->d_name, ".yaml"))
            continue;
        snprintf(path, sizeof path, FOLDER "/%s", entry->d_name);
        expect_learns(path);
        count++;
    }
    closedir(folder);
    cr_assert_eq(count, 9);
}

/* ---- keys ---- */

#define HEAD                                                                                       \
    "task: t\n"                                                                                    \
    "model: {input: [3], layers: [{type: dense, units: 4, name: body}, {type: tanh}, {type: "      \
    "dense, units: 2, name: head}]}\n"                                                             \
    "data: {classes: 2}\n"                                                                         \
    "secure_aggregation: {update_range: 1}\n"                                                      \
    "rounds: {count: 4, cohort_min: 2, cohort_max: 2}\n"
#define PRIVATE                                                                                    \
    "training: {learning_rate: 0.1, steps: 2, batch: 4, sampling_rate: 0.5}\n"                     \
    "privacy: {unit: example, clip_norm: 1, noise_multiplier: 2, delta: 1.0e-5"

static struct task *parse(const char *text, enum cn_err want, const char *says)
{
    struct cn_diag diag = {0};
    char line[CN_DIAG_LINE_MAX];
    struct task *task;

    cr_assert_eq(task_parse(&task, text, strlen(text), "t.yaml", &diag), want, "%s",
                 cn_diag_line(&diag, line));
    if (says)
        cr_assert(strstr(cn_diag_line(&diag, line), says), "%s", line);
    return task;
}

#define TRAINING(more)                                                                             \
    HEAD "privacy: {unit: none}\ntraining: {learning_rate: 0.1, steps: 5, batch: 2" more "}\n"

Test(models, frozen_layers_stay_as_they_are_through_decay_and_momentum)
{
    struct task *task =
        parse(TRAINING(", momentum: 0.9, weight_decay: 0.1, freeze: [body]"), CN_OK, NULL);
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 2);
    struct train_options options;
    struct train_result result;
    struct model *model;
    struct dataset data;
    float before[26];

    cr_assert_eq(task_model_new(&model, task, 4, NULL), CN_OK);
    cr_assert_eq(model_params(model), 26);
    memcpy(before, model_weights(model), sizeof before);
    data = data_for(task, model);
    task_train_options(&options, task);
    cr_assert_eq(train_run(model, &data, &options, &random, &result), CN_OK);
    cr_assert_arr_eq(before, model_weights(model), 16 * sizeof(float));
    for (int i = 16; i < 26; i++)
        cr_assert_neq(before[i], model_weights(model)[i]);
    dataset_free(&data);
    model_free(model);
    task_free(task);
}

Test(models, freezing_what_is_not_there_or_everything_is_refused)
{
    parse(TRAINING(", freeze: [nobody]"), CN_E_CONFIG, "nobody");
    parse(TRAINING(", freeze: [\"*\"]"), CN_E_CONFIG, NULL);
}

Test(models, a_schedule_over_the_task_goes_on_where_the_round_before_ended)
{
    struct task *task = parse(TRAINING(", schedule: cosine, schedule_over: task"), CN_OK, NULL);
    struct task *each = parse(TRAINING(", schedule: cosine"), CN_OK, NULL);
    struct train_options options;

    task_train_round(&options, task, 3);
    cr_assert(options.round == 3 && options.rounds == 4);
    task_train_round(&options, each, 3);
    cr_assert_eq(options.rounds, 0);
    task_free(task);
    task_free(each);
}

Test(models, clipping_per_layer_is_for_examples_only)
{
    struct task *task = parse(HEAD PRIVATE ", clipping: per_layer}\n", CN_OK, NULL);
    struct task *flat = parse(HEAD PRIVATE "}\n", CN_OK, NULL);
    struct train_options options;

    task_train_options(&options, task);
    cr_assert(options.clip_per_layer);
    task_train_options(&options, flat);
    cr_assert(!options.clip_per_layer);
    task_free(task);
    task_free(flat);
    parse(HEAD "training: {learning_rate: 1, steps: 1, batch: 1}\n"
               "privacy: {unit: none, clipping: per_layer}\n",
          CN_E_CONFIG, "clipping");
}

Test(models, the_loss_decides_what_the_outputs_are)
{
    static const char *const body = "data: {classes: 2}\n"
                                    "training: {learning_rate: 1, steps: 1, batch: 1}\n"
                                    "privacy: {unit: none}\n"
                                    "secure_aggregation: {update_range: 1}\n"
                                    "rounds: {count: 4, cohort_min: 2, cohort_max: 2}\n";
    char text[1024];

    snprintf(text, sizeof text,
             "task: t\nmodel: {input: [3], loss: binary_cross_entropy, layers: [{type: dense, "
             "units: 1}]}\n%s",
             body);
    task_free(parse(text, CN_OK, NULL));
    snprintf(text, sizeof text,
             "task: t\nmodel: {input: [3], layers: [{type: dense, units: 1}]}\n%s", body);
    parse(text, CN_E_CONFIG, "its output is 1 but 'data.classes' is 2");
}
