/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of an optimiser over shuffled or Poisson batches. */
#include "nn/train.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "nn/kernels.h"
#include "nn/train_internal.h"

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
    if (options->threads > TEAM_THREADS_MAX)
        return refuse(diag, "threads", "at most 64");
    if ((options->batch > 0) == (options->sampling_rate > 0.0))
        return refuse(diag, "batch", "given, or else 'sampling_rate', but not both");
    if ((options->epochs > 0) == (options->steps > 0))
        return refuse(diag, "epochs", "given, or else 'steps', but not both");
    if (options->noise && !(options->clip_norm > 0.0))
        return refuse(diag, "clip_norm", "given when noise is added");
    if (options->noise && options->expected_batch == 0)
        return refuse(diag, "expected_batch", "given when noise is added");
    if (options->augment && options->augment->mix_up > 0.0 && options->clip_norm > 0.0)
        return refuse(diag, "mix_up", "left out when gradients are clipped per example");
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
    if (options->rounds > 0 && options->round >= options->rounds)
        return refuse(diag, "round", "below 'rounds'");
    if (!(all * fmax(options->rounds, 1) <= UINT32_MAX))
        return refuse(diag, "rounds", "fewer, or shorter");
    *steps = (uint32_t)all;
    return CN_OK;
}

#define DRAWS 512 /* asking for many at a time: a generator may cost a system call */

/* Every example by itself, below floor(rate * 2^64): exact in double as a power of two. */
static uint32_t draw_poisson(struct train *train)
{
    double rate = train->options.sampling_rate;
    uint64_t words[DRAWS], below = rate < 1.0 ? (uint64_t)ldexp(rate, 64) : 0;
    uint32_t count = 0;

    for (size_t from = 0; from < train->data->n; from += DRAWS) {
        size_t n = train->data->n - from < DRAWS ? train->data->n - from : DRAWS;

        cn_random_fill(train->random, words, n * sizeof *words);
        for (size_t i = 0; i < n; i++)
            if (rate >= 1.0 || words[i] < below)
                train->rows[count++] = (uint32_t)(from + i);
    }
    return count;
}

static struct gradient_batch next_batch(struct train *train)
{
    struct gradient_batch batch = {.data = train->data, .rows = train->rows};
    size_t left;

    if (train->options.sampling_rate > 0.0) {
        batch.n = draw_poisson(train);
        return batch;
    }
    if (train->position == train->data->n) {
        cn_random_shuffle(train->random, train->rows, train->data->n);
        train->position = 0;
    }
    left = train->data->n - train->position;
    batch.rows += train->position;
    batch.n = left < train->options.batch ? left : train->options.batch;
    train->position += batch.n;
    return batch;
}

/* The schedule of a round begins where the rounds before, as long as this one, left off. */
static void span_rounds(struct train *train)
{
    const struct train_options *options = &train->options;

    if (options->rounds == 0)
        return;
    train->optimiser.schedule_from = options->round * train->steps;
    train->optimiser.steps = options->rounds * train->steps;
}

static enum cn_err check_augment(const struct train *train)
{
    const struct dataset *data = train->data;
    struct augment_shape shape = {data->channels, data->height, data->width};

    if (!train->options.augment)
        return CN_OK;
    return data->vocabulary ? CN_E_CONFIG : augment_check(train->options.augment, &shape, NULL);
}

/* Puts changed copies in the place of the batch's examples. Each still comes from one example, so
 * that its clipped gradient is bounded as before. */
static enum cn_err augment(struct train *train, struct gradient_batch *batch)
{
    if (!train->options.augment || batch->n == 0)
        return CN_OK;
    CN_TRY(augment_batch_fill(&train->augmented, batch->data, batch->rows, batch->n,
                              train->options.augment, train->random));
    batch->data = &train->augmented.set;
    batch->rows = train->augmented.rows;
    return CN_OK;
}

/* The sum of the batch's gradients, each clipped where the options say so. */
static enum cn_err sum_batch(struct train *train, const struct gradient_batch *batch)
{
    const struct train_options *options = &train->options;
    struct gradient_clip clip = {.norm = options->clip_norm, .per_layer = options->clip_per_layer};

    return team_gradient(train->team, train->sum, &train->seen, batch,
                         options->clip_norm > 0.0 ? &clip : NULL, NULL);
}

/* What all threads of one step of the optimiser need. */
struct stride {
    struct train *train;
    struct update update;
    atomic_bool diverged;
};

static void stride_range(void *ctx, struct team_range range)
{
    struct stride *stride = ctx;
    struct train *train = stride->train;

    if (!optimiser_apply(&train->optimiser, &stride->update, model_weights(train->model),
                         train->sum, (struct optimiser_range){range.from, range.to}))
        atomic_store(&stride->diverged, true);
}

/* One step of the optimiser along share * sum, by the threads that made it. */
static enum cn_err change_weights(struct train *train, float share)
{
    struct stride stride = {.train = train,
                            .update = optimiser_begin(&train->optimiser, train->sum, share)};

    atomic_init(&stride.diverged, false);
    team_ranges(train->team, stride_range, &stride);
    optimiser_end(&train->optimiser);
    return atomic_load(&stride.diverged) ? CN_E_DIVERGED : CN_OK;
}

/* Weight decay pulls at all weights; the frozen ones stay as they were. */
static void put_frozen_back(struct train *train)
{
    float *weights = model_weights(train->model);

    for (uint32_t i = 0; train->held && i < model_tensor_count(train->model); i++) {
        const struct model_tensor *tensor = model_tensor_at(train->model, i);

        if (tensor->frozen)
            memcpy(weights + tensor->offset, train->held + tensor->offset,
                   tensor->count * sizeof *weights);
    }
}

static bool any_frozen(const struct model *model)
{
    for (uint32_t i = 0; i < model_tensor_count(model); i++)
        if (model_tensor_at(model, i)->frozen)
            return true;
    return false;
}

/* Keeps the weights where a step could change frozen ones. */
static enum cn_err hold_frozen(struct train *train)
{
    size_t bytes = model_params(train->model) * sizeof *train->held;

    if (!(train->options.optimiser.weight_decay > 0.0) || !any_frozen(train->model))
        return CN_OK;
    train->held = malloc(bytes);
    if (!train->held)
        return CN_E_NOMEM;
    memcpy(train->held, model_weights(train->model), bytes);
    return CN_OK;
}

static enum cn_err make_step(struct train *train)
{
    const struct train_options *options = &train->options;
    struct gradient_batch batch = next_batch(train);
    double divisor = options->expected_batch > 0 ? options->expected_batch : (double)batch.n;

    if (options->batch_limit > 0 && batch.n > options->batch_limit)
        return CN_E_TOO_LARGE;
    if (divisor == 0.0)
        return CN_OK;
    CN_TRY(augment(train, &batch));
    CN_TRY(sum_batch(train, &batch));
    if (options->noise)
        CN_TRY(options->noise(options->noise_ctx, train->sum, model_params(train->model)));
    model_zero_frozen(train->model, train->sum); /* of the noise */
    CN_TRY(change_weights(train, (float)(1.0 / divisor)));
    put_frozen_back(train);
    return CN_OK;
}

enum cn_err train_step(struct train *train)
{
    CN_TRY(make_step(train));
    train->done++;
    return CN_OK;
}

static enum cn_err prepare(struct train *train)
{
    struct optimiser_options optimiser = optimiser_of(&train->options);
    size_t d = model_params(train->model), n = train->data->n;

    CN_TRY(train_check(&train->steps, &train->options, n, NULL));
    CN_TRY(gradient_check(train->model, train->data, NULL));
    CN_TRY(check_augment(train));
    CN_TRY(optimiser_init(&train->optimiser, &optimiser, model_weights(train->model), d,
                          train->steps));
    span_rounds(train);
    CN_TRY(hold_frozen(train));
    CN_TRY(
        team_new(&train->team, train->model, train->options.threads ? train->options.threads : 1));
    train->sum = calloc(d, sizeof *train->sum);
    train->rows = calloc(n, sizeof *train->rows);
    if (!train->sum || !train->rows)
        return CN_E_NOMEM;
    for (size_t i = 0; i < n; i++)
        train->rows[i] = (uint32_t)i;
    train->position = n;
    return CN_OK;
}

enum cn_err train_new(struct train **out, struct model *model, const struct dataset *data,
                      const struct train_options *options, const struct cn_random *random)
{
    struct train *train = calloc(1, sizeof *train);
    enum cn_err err;

    *out = NULL;
    if (!train)
        return CN_E_NOMEM;
    *train = (struct train){.model = model, .data = data, .options = *options, .random = random};
    err = prepare(train);
    if (err != CN_OK) {
        train_free(train);
        return err;
    }
    gradient_use_random(model, random);
    gradient_smooth_labels(model, options->label_smoothing);
    *out = train;
    return CN_OK;
}

void train_free(struct train *train)
{
    if (!train)
        return;
    gradient_use_random(train->model, NULL);
    gradient_smooth_labels(train->model, 0.0);
    optimiser_clear(&train->optimiser);
    augment_batch_clear(&train->augmented);
    team_free(train->team);
    free(train->sum);
    free(train->rows);
    free(train->held);
    free(train);
}

uint32_t train_steps(const struct train *train)
{
    return train->steps;
}

struct train_result train_result_of(const struct train *train)
{
    const struct gradient_seen *seen = &train->seen;

    return (struct train_result){
        .steps = train->done,
        .examples = seen->n,
        .correct = seen->correct,
        .loss = seen->n ? seen->loss / (double)seen->n : 0.0,
    };
}

static enum cn_err run_steps(struct train *train, bool *cancelled)
{
    const struct train_options *options = &train->options;

    while (train->done < train->steps) {
        CN_TRY(train_step(train));
        *cancelled = options->progress &&
                     options->progress(options->progress_ctx, train->done, train->steps);
        if (*cancelled)
            return CN_E_DEADLINE;
    }
    return CN_OK;
}

enum cn_err train_run(struct model *model, const struct dataset *data,
                      const struct train_options *options, const struct cn_random *random,
                      struct train_result *result)
{
    struct train *train;
    bool cancelled = false;
    enum cn_err err;

    *result = (struct train_result){0};
    CN_TRY(train_new(&train, model, data, options, random));
    err = run_steps(train, &cancelled);
    *result = train_result_of(train);
    result->cancelled = cancelled;
    train_free(train);
    return err;
}
