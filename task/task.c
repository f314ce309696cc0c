/* SPDX-License-Identifier: Apache-2.0 */
/* A task from its text, and what follows from it for training and accounting. */
#include "task/task.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/file.h"
#include "task/tally.h"
#include "task/task_internal.h"

#define TASK_ID_LABEL "cairn-task-id"

static void default_u32(uint32_t *value, uint32_t fallback)
{
    *value = *value ? *value : fallback;
}

static void default_real(double *value, double fallback)
{
    *value = *value != 0 ? *value : fallback;
}

/* Zeros are keys that are absent: the ranges refuse a written 0 where a default is not 0. */
static void fill_defaults(struct task *task)
{
    struct task_rounds *rounds = &task->rounds;
    struct task_secagg *secagg = &task->secure_aggregation;

    if (secagg->mode == TASK_MODE_UNSAID)
        secagg->mode = TASK_MODE_ON;
    default_real(&secagg->corrupt, TASK_CORRUPT_DEFAULT);
    default_real(&secagg->dropout, TASK_DROPOUT_DEFAULT);
    task_data_defaults(task);
    default_u32(&rounds->gather_s, TASK_GATHER_DEFAULT_S);
    default_u32(&rounds->train_s, TASK_TRAIN_DEFAULT_S);
    default_u32(&rounds->keys_s, TASK_PHASE_DEFAULT_S);
    default_u32(&rounds->exchange_s, TASK_PHASE_DEFAULT_S);
    default_u32(&rounds->upload_s, TASK_UPLOAD_DEFAULT_S);
    default_u32(&rounds->survivors_s, TASK_PHASE_DEFAULT_S);
    default_u32(&rounds->reveal_s, TASK_PHASE_DEFAULT_S);
    default_real(&task->strategy.learning_rate, 1);
    task_privacy_defaults(task);
}

/* Copies the layers and notes where each stands, for diagnostics. input may have one number (the
 * columns of a table) or three; a wrong count is found by task_check_settings. */
static void fill_model(struct task *task, const struct task_raw_model *raw)
{
    struct model_spec *spec = &task->model;

    spec->channels = raw->input_count == 3 ? raw->input[0] : 1;
    spec->height = raw->input_count == 3 ? raw->input[1] : 1;
    spec->width = raw->input[raw->input_count - 1];
    spec->layer_count = raw->layer_count;
    spec->vocabulary = raw->vocabulary;
    spec->loss = raw->loss;
    for (uint32_t i = 0; i < raw->layer_count; i++) {
        char path[CN_CONFIG_PATH_MAX];
        unsigned column;

        spec->layers[i] = raw->layers[i];
        snprintf(path, sizeof path, "model.layers[%u]", i);
        (void)cn_config_where(task->text, task->len, path, &spec->layers[i].line, &column);
    }
    task->model_seed = raw->seed;
}

static void fill(struct task *task, const struct task_raw *raw)
{
    snprintf(task->name, sizeof task->name, "%s", raw->task);
    task->data = raw->data;
    task->training = raw->training;
    task->privacy = raw->privacy;
    task->secure_aggregation = raw->secure_aggregation;
    task->rounds = raw->rounds;
    task->strategy = raw->strategy;
    fill_model(task, &raw->model);
    fill_defaults(task);
}

static enum cn_err keep_text(struct task *task, const char *text, size_t len)
{
    if (len > TASK_TEXT_BYTES_MAX)
        return CN_E_TOO_LARGE;
    task->text = malloc(len + 1);
    if (!task->text)
        return CN_E_NOMEM;
    memcpy(task->text, text, len);
    task->text[len] = '\0';
    task->len = len;
    hash_blob(task->hash, text, len);
    return CN_OK;
}

/* Types, then ranges, then what belongs together: the first fault is the plainest. */
static enum cn_err read_text(struct task *task, const char *place, struct cn_diag *diag)
{
    CN_TRY(cn_config_parse(&task->parsed, task->text, task->len, place, &task_schema, diag));
    CN_TRY(cn_config_check(task->text, task->len, place, task_ranges, task_range_count, diag));
    fill(task, task->parsed);
    CN_TRY(task_check_settings(task, task->parsed, place, diag));
    CN_TRY(task_check_model(task, place, diag));
    return task_check_budget(task, place, diag);
}

enum cn_err task_parse(struct task **out, const char *text, size_t len, const char *place,
                       struct cn_diag *diag)
{
    struct task *task = calloc(1, sizeof *task);
    enum cn_err err;

    *out = NULL;
    if (!task)
        return CN_E_NOMEM;
    err = keep_text(task, text, len);
    if (err == CN_E_TOO_LARGE)
        cn_diag_set(diag, place, 0, 0, "larger than the %zu bytes allowed", TASK_TEXT_BYTES_MAX);
    if (err == CN_OK)
        err = read_text(task, place, diag);
    if (err != CN_OK) {
        task_free(task);
        return err;
    }
    *out = task;
    return CN_OK;
}

enum cn_err task_load(struct task **out, const char *path, struct cn_diag *diag)
{
    struct cn_buf text;
    enum cn_err err;

    *out = NULL;
    CN_TRY(cn_file_read(&text, path, TASK_TEXT_BYTES_MAX, diag));
    err = task_parse(out, (const char *)text.data, text.len, path, diag);
    cn_buf_clear(&text);
    return err;
}

void task_free(struct task *task)
{
    if (!task)
        return;
    cn_config_free(&task_schema, task->parsed);
    free(task->text);
    free(task);
}

void task_make_id(uint8_t id[TASK_ID_BYTES], const uint8_t hash[HASH_BYTES],
                  const uint8_t nonce[TASK_NONCE_BYTES])
{
    uint8_t full[HASH_BYTES];
    struct hash state;

    hash_init(&state, TASK_ID_LABEL);
    hash_add(&state, hash, HASH_BYTES);
    hash_add(&state, nonce, TASK_NONCE_BYTES);
    hash_final(&state, full);
    memcpy(id, full, TASK_ID_BYTES);
}

uint16_t task_permille(double share)
{
    return (uint16_t)ceil(share * 1000 - 1e-9);
}

void task_secagg_ring(struct secagg_ring *ring, const struct task *task)
{
    const struct task_secagg *secagg = &task->secure_aggregation;
    bool curious = secagg->adversary == TASK_ADVERSARY_CURIOUS;

    *ring = (struct secagg_ring){.devices_min = SECAGG_RING_DEVICES_MIN,
                                 .corrupt_permille = task_permille(secagg->corrupt),
                                 .dropout_permille = task_permille(secagg->dropout),
                                 .security_bits = SECAGG_RING_SECURITY_BITS,
                                 .correctness_bits = SECAGG_RING_CORRECTNESS_BITS,
                                 .adversary = curious ? SECAGG_CURIOUS : SECAGG_MALICIOUS};
}

enum cn_err task_secagg_config(struct secagg_config *config, const struct task *task)
{
    const struct task_secagg *secagg = &task->secure_aggregation;
    struct encode_plan plan;

    *config = (struct secagg_config){0};
    CN_TRY(task_encode_plan(&plan, task, NULL));
    config->dim = (uint32_t)encode_length(&plan);
    config->bits = plan.modulus_bits;
    config->cohort_min = task->rounds.cohort_min;
    config->threshold_min = secagg->threshold;
    task_secagg_ring(&config->ring, task);
    return CN_OK;
}

enum cn_err task_freeze(struct model *model, const struct task *task, struct cn_diag *diag)
{
    for (uint32_t i = 0; i < task->training.freeze_count; i++)
        CN_TRY(model_freeze(model, task->training.freeze[i], diag));
    return CN_OK;
}

enum cn_err task_model_new(struct model **out, const struct task *task, uint32_t batch_max,
                           struct cn_diag *diag)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, task->model_seed);

    struct model *model;
    enum cn_err err;

    *out = NULL;
    CN_TRY(model_new(&model, &task->model, batch_max, diag));
    model_init_weights(model, &random);
    err = task_freeze(model, task, diag);
    if (err != CN_OK) {
        model_free(model);
        return err;
    }
    *out = model;
    return CN_OK;
}

struct data_form task_data_form(const struct task *task)
{
    return (struct data_form){
        .channels = task->model.channels,
        .height = task->model.height,
        .width = task->model.width,
        .classes = task->data.classes,
        .mean = task->data.mean,
        .deviation = task->data.deviation,
        .columns = task->data.columns,
        .column_count = task->data.column_count,
        .labels = (const char *const *)task->data.labels,
        .label_count = task->data.label_count,
        .targets = task->data.targets,
        .target_count = task->data.target_count,
        .text = task->data.text,
    };
}

enum cn_err task_data_load(struct dataset *set, const struct task *task,
                           const struct data_source *source, struct cn_diag *diag)
{
    struct data_form form = task_data_form(task);

    return data_source_load(set, source, &form, diag);
}

void task_train_options(struct train_options *options, const struct task *task)
{
    const struct task_training *training = &task->training;
    bool private = task->privacy.unit == TASK_UNIT_EXAMPLE;

    *options = (struct train_options){
        .learning_rate = training->learning_rate,
        .momentum = training->momentum,
        .optimiser = training->optimiser,
        .label_smoothing = training->label_smoothing,
        .batch = private ? 0 : training->batch,
        .epochs = training->epochs,
        .steps = training->steps,
        .sampling_rate = training->sampling_rate,
        .clip_norm = private ? task->privacy.clip_norm : 0,
        .clip_per_layer = private && task->privacy.clipping == TASK_CLIPPING_PER_LAYER,
        .expected_batch = private ? training->batch : 0,
        .augment = augment_any(&training->augment) ? &training->augment : NULL,
    };
}

void task_train_round(struct train_options *options, const struct task *task, uint32_t round)
{
    task_train_options(options, task);
    if (task->training.schedule_over == TASK_SPAN_TASK) {
        options->round = round;
        options->rounds = task->rounds.count;
    }
}
