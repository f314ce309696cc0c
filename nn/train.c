/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of an optimiser over shuffled or Poisson batches. */
#include "nn/train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn/gradient.h"
#include "nn/optimiser.h"

/* What lives as long as one training. */
struct run {
    struct model *model;
    const struct dataset *data;
    const struct train_options *options;
    const struct cn_random *random;
    struct optimiser optimiser;
    struct gradient_seen seen;
    float *sum;      /* [d] */
    uint32_t *rows;  /* [n]: a permutation, or the Poisson batch */
    size_t position; /* in the permutation; n when it is used up */
};

static enum cn_err refuse(struct cn_diag *diag, const char *option, const char *expected)
{
    cn_diag_set(diag, NULL, 0, 0, "training: '%s' must be %s", option, expected);
    return CN_E_CONFIG;
}

static struct optimiser_options optimiser_of(const struct train_options *options)
{
    struct optimiser_options all = options->optimiser;

    all.learning_rate = options->learning_rate;
    all.momentum = options->momentum;
    return all;
}

static enum cn_err check_numbers(const struct train_options *options, struct cn_diag *diag)
{
    struct optimiser_options optimiser = optimiser_of(options);

    CN_TRY(optimiser_check(&optimiser, diag));
    if (!(options->label_smoothing >= 0.0 && options->label_smoothing < 1.0))
        return refuse(diag, "label_smoothing", "at least 0 and below 1");
    if (!(options->sampling_rate >= 0.0 && options->sampling_rate <= 1.0))
        return refuse(diag, "sampling_rate", "above 0 and at most 1");
    if (!(options->clip_norm >= 0.0) || !isfinite(options->clip_norm))
        return refuse(diag, "clip_norm", "a positive number");
    if ((options->batch > 0) == (options->sampling_rate > 0.0))
        return refuse(diag, "batch", "given, or else 'sampling_rate', but not both");
    if ((options->epochs > 0) == (options->steps > 0))
        return refuse(diag, "epochs", "given, or else 'steps', but not both");
    if (options->noise && !(options->clip_norm > 0.0))
        return refuse(diag, "clip_norm", "given when noise is added");
    if (options->noise && options->expected_batch == 0)
        return refuse(diag, "expected_batch", "given when noise is added");
    return CN_OK;
}

enum cn_err train_check(uint32_t *steps, const struct train_options *options, size_t n,
                        struct cn_diag *diag)
{
    double per_epoch, all;

    *steps = 0;
    CN_TRY(check_numbers(options, diag));
    if (n == 0 || n > UINT32_MAX) {
        cn_diag_set(diag, NULL, 0, 0, "training: the data set has %zu examples", n);
        return CN_E_CONFIG;
    }
    per_epoch =
        options->batch > 0 ? ceil((double)n / options->batch) : ceil(1.0 / options->sampling_rate);
    all = options->steps > 0 ? options->steps : options->epochs * per_epoch;
    if (!(all <= TRAIN_STEPS_MAX))
        return refuse(diag, options->steps > 0 ? "steps" : "epochs", "fewer");
    *steps = (uint32_t)all;
    return CN_OK;
}

#define DRAWS 512 /* asking for many at a time: a generator may cost a system call */

/* Every example by itself, below floor(rate * 2^64): exact in double as a power of two. */
static uint32_t draw_poisson(struct run *run)
{
    double rate = run->options->sampling_rate;
    uint64_t words[DRAWS], below = rate < 1.0 ? (uint64_t)ldexp(rate, 64) : 0;
    uint32_t count = 0;

    for (size_t from = 0; from < run->data->n; from += DRAWS) {
        size_t n = run->data->n - from < DRAWS ? run->data->n - from : DRAWS;

        cn_random_fill(run->random, words, n * sizeof *words);
        for (size_t i = 0; i < n; i++)
            if (rate >= 1.0 || words[i] < below)
                run->rows[count++] = (uint32_t)(from + i);
    }
    return count;
}

static struct gradient_batch next_batch(struct run *run)
{
    struct gradient_batch batch = {.data = run->data, .rows = run->rows};
    size_t left;

    if (run->options->sampling_rate > 0.0) {
        batch.n = draw_poisson(run);
        return batch;
    }
    if (run->position == run->data->n) {
        cn_random_shuffle(run->random, run->rows, run->data->n);
        run->position = 0;
    }
    left = run->data->n - run->position;
    batch.rows += run->position;
    batch.n = left < run->options->batch ? left : run->options->batch;
    run->position += batch.n;
    return batch;
}

static enum cn_err check_weights(const struct model *model)
{
    const float *weights = model_weights_const(model);
    float poison = 0.0f; /* 0 * w is 0 for a finite w, NaN otherwise */

    for (size_t i = 0; i < model_params(model); i++)
        poison += 0.0f * weights[i];
    return poison == 0.0f ? CN_OK : CN_E_DIVERGED;
}

static enum cn_err step(struct run *run)
{
    const struct train_options *options = run->options;
    struct gradient_batch batch = next_batch(run);
    size_t d = model_params(run->model);
    double divisor = options->expected_batch > 0 ? options->expected_batch : (double)batch.n;
    float share;

    if (options->batch_limit > 0 && batch.n > options->batch_limit)
        return CN_E_TOO_LARGE;
    if (divisor == 0.0)
        return CN_OK;
    share = (float)(1.0 / divisor);
    memset(run->sum, 0, d * sizeof *run->sum);
    if (options->clip_norm > 0.0)
        CN_TRY(gradient_add_clipped(run->model, run->sum, &run->seen, &batch, options->clip_norm,
                                    NULL));
    else
        CN_TRY(gradient_add(run->model, run->sum, &run->seen, &batch));
    if (options->noise)
        CN_TRY(options->noise(options->noise_ctx, run->sum, d));
    for (size_t i = 0; i < d; i++)
        run->sum[i] *= share;
    optimiser_step(&run->optimiser, model_weights(run->model), run->sum);
    return check_weights(run->model);
}

static enum cn_err run_steps(struct run *run, uint32_t steps, struct train_result *result)
{
    const struct train_options *options = run->options;

    while (result->steps < steps) {
        CN_TRY(step(run));
        result->steps++;
        if (options->progress && options->progress(options->progress_ctx, result->steps, steps)) {
            result->cancelled = true;
            return CN_E_DEADLINE;
        }
    }
    return CN_OK;
}

static enum cn_err run_init(struct run *run, uint32_t steps)
{
    struct optimiser_options optimiser = optimiser_of(run->options);

    CN_TRY(optimiser_init(&run->optimiser, &optimiser, model_weights(run->model),
                          model_params(run->model), steps));
    run->sum = calloc(model_params(run->model), sizeof *run->sum);
    run->rows = calloc(run->data->n, sizeof *run->rows);
    if (!run->sum || !run->rows)
        return CN_E_NOMEM;
    for (size_t i = 0; i < run->data->n; i++)
        run->rows[i] = (uint32_t)i;
    run->position = run->data->n;
    return CN_OK;
}

enum cn_err train_run(struct model *model, const struct dataset *data,
                      const struct train_options *options, const struct cn_random *random,
                      struct train_result *result)
{
    struct run run = {.model = model, .data = data, .options = options, .random = random};
    uint32_t steps;
    enum cn_err err;

    *result = (struct train_result){0};
    CN_TRY(train_check(&steps, options, data->n, NULL));
    CN_TRY(gradient_check(model, data, NULL));
    CN_TRY_OUT(err, run_init(&run, steps));
    gradient_use_random(model, random);
    gradient_smooth_labels(model, options->label_smoothing);
    err = run_steps(&run, steps, result);
    gradient_use_random(model, NULL);
    gradient_smooth_labels(model, 0.0);
    result->examples = run.seen.n;
    result->correct = run.seen.correct;
    result->loss = run.seen.n ? run.seen.loss / (double)run.seen.n : 0.0;
out:
    optimiser_clear(&run.optimiser);
    free(run.sum);
    free(run.rows);
    return err;
}
