/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in trainer: nn/'s engine, with privacy/'s noise called back into every step. */
#include "client/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "crypto/random.h"
#include "nn/evaluate.h"
#include "nn/safetensors.h"
#include "nn/train.h"
#include "privacy/adaptive.h"
#include "privacy/clip.h"
#include "privacy/noise.h"
#include "task/tally.h"

uint32_t trainer_batch_bound(uint32_t batch, double expected)
{
    double b = batch;

    while (expected > b + sqrt(b))
        b *= 2;
    return (uint32_t)ceil(b + 10.0 * sqrt(b)) + 32;
}

struct noise {
    double clip_norm;
    double noise_multiplier;
    double slack;
    struct cn_random random;
};

static enum cn_err add_noise(void *ctx, float *clipped_sum, size_t d)
{
    const struct noise *noise = ctx;

    return noise_gradient(clipped_sum, d, noise->clip_norm, noise->noise_multiplier, noise->slack,
                          &noise->random);
}

static bool stop_asked(void *ctx, uint32_t step, uint32_t steps)
{
    struct trainer_job *job = ctx;

    (void)step;
    (void)steps;
    if (job->deadline_ms > 0) {
        struct cn_clock clock = cn_clock_system();

        if (clock.steady_ms(clock.ctx) >= job->deadline_ms)
            return true;
    }
    return atomic_load(&job->cancel);
}

void trainer_init(struct trainer *trainer, const struct data_source *source)
{
    *trainer = (struct trainer){.source = *source};
}

void trainer_clear(struct trainer *trainer)
{
    dataset_free(&trainer->data);
}

/* The data set of the last task is kept: a task's rounds all want the same one. */
static enum cn_err load_data(struct trainer_job *job)
{
    struct trainer *trainer = job->trainer;

    if (trainer->data.n && memcmp(trainer->data_plan, job->plan, HASH_BYTES) == 0)
        return CN_OK;
    if (!trainer->source.format[0]) {
        cn_diag_set(&job->diag, "client.yaml", 0, 0, "does not say where the data lies");
        cn_diag_hint(&job->diag, "add the key data: the comments in the file show how");
        return CN_E_DATA;
    }
    dataset_free(&trainer->data);
    struct data_form form = task_data_form(job->task);
    /* Whether a record fits is a fact about the data, so under differential privacy nobody else may
     * learn it: such a record is an example like any other, without a gradient. */
    form.lenient = job->task->privacy.unit != TASK_UNIT_NONE;
    CN_TRY(data_source_load(&trainer->data, &trainer->source, &form, &job->diag));
    if (trainer->data.faulty)
        cn_log(CN_LOG_WARN, "records that do not fit the task add nothing to it",
               cn_log_text("task", job->task->name), cn_log_uint("records", trainer->data.faulty));
    memcpy(trainer->data_plan, job->plan, HASH_BYTES);
    return CN_OK;
}

/* Training with noise: everything random comes from one cryptographic stream, because the secrecy
 * of which examples were drawn is a part of the promise. */
static enum cn_err train_private(struct trainer_job *job, struct model *model,
                                 struct random_stream *stream)
{
    const struct task *task = job->task;
    double expected = task->training.sampling_rate * (double)job->trainer->data.n;
    uint32_t bound = trainer_batch_bound(task->training.batch, expected);
    struct noise noise = {
        .clip_norm = task->privacy.clip_norm,
        .noise_multiplier = task->privacy.noise_multiplier,
        .random = random_stream_interface(stream),
    };
    struct train_options options;
    struct train_result result;

    task_train_round(&options, task, job->round);
    noise.slack = noise_slack(bound, bound);
    options.batch_limit = bound;
    options.noise = add_noise;
    options.noise_ctx = &noise;
    options.progress = stop_asked;
    options.progress_ctx = job;
    CN_TRY(train_run(model, &job->trainer->data, &options, &noise.random, &result));
    job->examples = result.examples;
    return CN_OK;
}

static enum cn_err train_plain(struct trainer_job *job, struct model *model,
                               struct random_stream *stream)
{
    struct cn_random random = random_stream_interface(stream);
    struct train_options options;
    struct train_result result;

    task_train_round(&options, job->task, job->round);
    options.progress = stop_asked;
    options.progress_ctx = job;
    CN_TRY(train_run(model, &job->trainer->data, &options, &random, &result));
    job->examples = result.examples;
    return CN_OK;
}

/* What this device says about the model it was given: only without differential privacy, where
 * task/tally lets it travel (as a part of the sum). */
static enum cn_err report(struct trainer_job *job, struct model *model, struct tally_report *out)
{
    struct evaluate_result result;

    *out = (struct tally_report){.examples = job->trainer->data.n};
    if (job->task->privacy.unit != TASK_UNIT_NONE)
        return CN_OK;
    CN_TRY(evaluate_run(model, &job->trainer->data, &result));
    out->loss = result.loss;
    out->accuracy = evaluate_accuracy(&result);
    return CN_OK;
}

/* update = trained - global, clipped to the norm that the round clips to, times the weight; behind
 * it, for a clip that adapts, whether clipping was needed. */
static enum cn_err make_update(struct trainer_job *job, const struct model *model,
                               const struct tally_report *tally)
{
    const float *trained = model_weights_const(model);
    double scale = tally_scale(job->task, tally->examples), norm;

    for (size_t i = 0; i < job->d; i++)
        job->update[i] = trained[i] - job->update[i];
    CN_TRY(clip_l2(job->update, job->d, job->clip, &norm));
    job->update[job->d] = (float)adaptive_bit(task_rider(job->task), norm <= job->clip);
    if (scale < 1.0)
        for (size_t i = 0; i < job->d; i++)
            job->update[i] = (float)(job->update[i] * scale);
    tally_write(job->counters, job->task, tally);
    return CN_OK;
}

/* Whether a training with noise diverges depends on the data. An aggregator that learnt it could
 * choose models that diverge or not by a single example, and would pay for none of the answers: so
 * the device goes on, pays, and adds nothing to the sum. */
static void keep_still(struct trainer_job *job, const struct tally_report *tally)
{
    memset(job->update, 0, job->d * sizeof *job->update);
    job->update[job->d] = (float)adaptive_bit(task_rider(job->task), true);
    tally_write(job->counters, job->task, tally);
    job->diverged = true;
}

/* The model of the round and, beside its weights, the norm that the round clips to. */
static enum cn_err read_model(struct trainer_job *job, struct model *model)
{
    struct safetensors_metadata *words = calloc(1, sizeof *words);
    enum cn_err err;

    if (!words)
        return CN_E_NOMEM;
    err = safetensors_decode(model, job->model, job->model_len, words, "the global model",
                             &job->diag);
    if (err == CN_OK)
        err = task_clip_read(&job->clip, job->task, safetensors_metadata_get(words, TASK_CLIP_KEY),
                             &job->diag);
    free(words);
    return err;
}

static enum cn_err run_model(struct trainer_job *job, struct model *model,
                             struct random_stream *stream)
{
    bool private = job->task->privacy.unit != TASK_UNIT_NONE;
    bool noisy = job->task->privacy.unit == TASK_UNIT_EXAMPLE;
    struct tally_report tally;
    enum cn_err err;

    CN_TRY(read_model(job, model));
    job->d = model_params(model);
    job->update = malloc((job->d + 1) * sizeof *job->update);
    if (!job->update)
        return CN_E_NOMEM;
    /* The update's buffer holds the global weights until training has ended. */
    memcpy(job->update, model_weights_const(model), job->d * sizeof *job->update);
    CN_TRY(report(job, model, &tally));
    err = noisy ? train_private(job, model, stream) : train_plain(job, model, stream);
    if (err == CN_OK)
        err = make_update(job, model, &tally);
    if (err != CN_E_DIVERGED || !private)
        return err;
    keep_still(job, &tally);
    return CN_OK;
}

static enum cn_err run(struct trainer_job *job)
{
    struct random_stream *stream = NULL;
    struct model *model = NULL;
    struct cn_random seed;
    enum cn_err err;

    CN_TRY_OUT(err, load_data(job));
    CN_TRY_OUT(err, task_model_new(&model, job->task, MODEL_BATCH_AUTO, &job->diag));
    CN_TRY_OUT(err, random_system(&seed));
    CN_TRY_OUT(err, random_stream_new(&stream, &seed));
    err = run_model(job, model, stream);
out:
    random_stream_free(stream);
    if (model) /* trained minus global is the update: as secret as that */
        explicit_bzero(model_weights(model), model_params(model) * sizeof(float));
    model_free(model);
    return err;
}

void trainer_run(struct trainer_job *job)
{
    struct cn_clock clock = cn_clock_system();
    uint64_t start_ms = clock.steady_ms(clock.ctx);

    cn_diag_clear(&job->diag);
    job->diverged = false;
    job->err = run(job);
    if (job->err != CN_OK)
        trainer_job_clear(job);
    job->seconds = (double)(clock.steady_ms(clock.ctx) - start_ms) / 1000.0;
}

void trainer_job_clear(struct trainer_job *job)
{
    if (job->update)
        explicit_bzero(job->update, (job->d + 1) * sizeof *job->update);
    free(job->update);
    job->update = NULL;
}
