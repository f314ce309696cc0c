/* SPDX-License-Identifier: Apache-2.0 */
/* One training with canaries. They enter where the noise does: into the sum of clipped gradients
 * (or of clipped updates), each with exactly the clip norm, sampled like any record. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "cli/audit_empirical.h"
#include "nn/evaluate.h"
#include "nn/train.h"
#include "privacy/audit.h"
#include "privacy/clip.h"
#include "privacy/noise.h"
#include "privacy/report.h"

#define NORMAL_95 1.6449 /* quantile of the standard normal distribution */
#define CANARIES_MIN 16u

struct canaries {
    const struct empirical_options *options;
    const struct cn_random *random;
    size_t d;
    double clip_norm, noise_multiplier, slack, rate;
    bool *in;             /* [canaries] the secret coins */
    uint32_t *coordinate; /* [canaries] dirac */
    uint64_t *seed;       /* [canaries] gradient */
    double *seen;         /* [d] all that the attacker saw, real gradients taken off, added up */
    float *real, *noised; /* [d] of one step */
    double square;        /* of all noise */
    uint64_t samples, steps;
};

/* ---- one canary ---- */

/* Adds factor times the canary's direction, a vector of norm 1, to v. */
static void add_direction(float *v, const struct canaries *all, uint32_t i, double factor)
{
    double each = factor / sqrt((double)all->d);
    struct cn_seeded seeded;
    struct cn_random signs;
    uint64_t bits = 0;

    if (all->options->canary == EMPIRICAL_DIRAC) {
        v[all->coordinate[i]] += (float)factor;
        return;
    }
    signs = cn_random_seeded(&seeded, all->seed[i]);
    for (size_t j = 0; j < all->d; j++) {
        bits = j % 64 ? bits >> 1 : cn_random_u64(&signs);
        v[j] += (float)(bits & 1 ? each : -each);
    }
}

static double score_of(const struct canaries *all, uint32_t i)
{
    struct cn_seeded seeded;
    struct cn_random signs;
    double score = 0;
    uint64_t bits = 0;

    if (all->options->canary == EMPIRICAL_DIRAC)
        return all->seen[all->coordinate[i]];
    signs = cn_random_seeded(&seeded, all->seed[i]);
    for (size_t j = 0; j < all->d; j++) {
        bits = j % 64 ? bits >> 1 : cn_random_u64(&signs);
        score += bits & 1 ? all->seen[j] : -all->seen[j];
    }
    return score;
}

/* ---- one step ---- */

/* Canaries, noise, and what the attacker sees of both. */
static enum cn_err add_noise(void *ctx, float *sum, size_t d)
{
    struct canaries *all = ctx;
    double scale = all->options->noise_scale;

    memcpy(all->real, sum, d * sizeof *sum);
    for (uint32_t i = 0; i < all->options->canaries; i++)
        if (all->in[i] && (all->rate >= 1 || cn_random_unit(all->random) < all->rate))
            add_direction(sum, all, i, all->clip_norm);
    memcpy(all->noised, sum, d * sizeof *sum);
    if (scale > 0)
        CN_TRY(noise_gradient(sum, d, all->clip_norm, all->noise_multiplier * scale, all->slack,
                              all->random));
    for (size_t j = 0; j < d; j++) {
        double noise = (double)sum[j] - (double)all->noised[j];

        all->square += noise * noise;
        all->seen[j] += (double)sum[j] - (double)all->real[j];
    }
    all->samples += d;
    all->steps++;
    if (all->options->progress)
        cn_progress_update(all->options->progress, all->steps);
    return CN_OK;
}

/* ---- training ---- */

size_t empirical_device_examples(const struct task *task, size_t n)
{
    double held = task->training.sampling_rate > 0
                      ? round(task->training.batch / task->training.sampling_rate)
                      : (double)n;

    return held < (double)n ? (size_t)held : n;
}

uint64_t empirical_steps(const struct task *task)
{
    bool example = task->privacy.unit == TASK_UNIT_EXAMPLE;

    return (uint64_t)task->rounds.count * (example ? task->training.steps : 1);
}

enum cn_err empirical_pick(struct dataset *out, const struct dataset *data, const uint32_t *rows,
                           size_t n)
{
    size_t width = dataset_features(data);

    CN_TRY(dataset_new(out, n, data->channels, data->height, data->width));
    out->classes = data->classes;
    for (size_t i = 0; i < n; i++) {
        memcpy(out->x + i * width, data->x + rows[i] * width, width * sizeof *out->x);
        out->y[i] = data->y[rows[i]];
    }
    return CN_OK;
}

/* The first rows of the data, as one device's. */
static enum cn_err pick_range(struct dataset *out, const struct dataset *data, size_t from,
                              size_t n)
{
    uint32_t *rows = malloc(n * sizeof *rows);
    enum cn_err err;

    if (!rows)
        return CN_E_NOMEM;
    for (size_t i = 0; i < n; i++)
        rows[i] = (uint32_t)(from + i);
    err = empirical_pick(out, data, rows, n);
    free(rows);
    return err;
}

/* Unit example: one device's DP-SGD over all rounds. */
static enum cn_err train_example(struct canaries *all, struct model *model,
                                 struct empirical_result *result)
{
    const struct task *task = all->options->task;
    size_t held = empirical_device_examples(task, all->options->data->n);
    double expected = task->training.sampling_rate * (double)held;
    uint32_t bound = (uint32_t)ceil(expected + 10 * sqrt(expected)) + 10;
    struct evaluate_result seen;
    struct train_options options;
    struct train_result trained;
    struct dataset own;
    enum cn_err err;

    task_train_options(&options, task);
    options.steps = (uint32_t)empirical_steps(task);
    options.threads = all->options->threads;
    options.batch_limit = bound;
    options.noise = add_noise;
    options.noise_ctx = all;
    all->slack = noise_slack(bound, bound);
    CN_TRY(pick_range(&own, all->options->data, 0, held));
    err = train_run(model, &own, &options, all->random, &trained);
    if (err == CN_OK)
        err = evaluate_run(model, &own, &seen);
    dataset_free(&own);
    CN_TRY(err);
    result->loss = seen.loss;
    result->accuracy = evaluate_accuracy(&seen);
    return CN_OK;
}

/* Adds one device's clipped update for this round to sum; the model keeps the round's weights. */
static enum cn_err add_device(struct canaries *all, struct model *model, float *sum,
                              uint32_t device)
{
    const struct task *task = all->options->task;
    size_t n = all->options->data->n / task->rounds.cohort_max;
    float *before = malloc(all->d * sizeof *before), *update = malloc(all->d * sizeof *update);
    struct train_options options;
    struct train_result trained;
    struct dataset own = {0};
    enum cn_err err = before && update ? CN_OK : CN_E_NOMEM;

    task_train_options(&options, task);
    options.threads = all->options->threads;
    if (err == CN_OK)
        err = pick_range(&own, all->options->data, device * n, n);
    if (err == CN_OK) {
        memcpy(before, model_weights_const(model), all->d * sizeof *before);
        err = train_run(model, &own, &options, all->random, &trained);
    }
    if (err == CN_OK) {
        for (size_t j = 0; j < all->d; j++)
            update[j] = model_weights_const(model)[j] - before[j];
        err = clip_l2(update, all->d, all->clip_norm, NULL);
        for (size_t j = 0; err == CN_OK && j < all->d; j++)
            sum[j] += update[j];
    }
    if (err == CN_OK)
        err = model_set_weights(model, before);
    dataset_free(&own);
    free(before);
    free(update);
    return err;
}

static enum cn_err train_round(struct canaries *all, struct model *model, float *sum)
{
    const struct task *task = all->options->task;
    uint32_t devices = task->rounds.cohort_max;
    float *weights = model_weights(model);

    memset(sum, 0, all->d * sizeof *sum);
    for (uint32_t device = 0; device < devices; device++)
        CN_TRY(add_device(all, model, sum, device));
    CN_TRY(add_noise(all, sum, all->d));
    for (size_t j = 0; j < all->d; j++)
        weights[j] += (float)(task->strategy.learning_rate * (double)sum[j] / devices);
    return CN_OK;
}

/* Unit user: all rounds of a federation, canaries as further devices. */
static enum cn_err train_user(struct canaries *all, struct model *model,
                              struct empirical_result *result)
{
    float *sum = malloc(all->d * sizeof *sum);
    struct evaluate_result seen;
    enum cn_err err = sum ? CN_OK : CN_E_NOMEM;

    for (uint32_t round = 0; err == CN_OK && round < all->options->task->rounds.count; round++)
        err = train_round(all, model, sum);
    free(sum);
    CN_TRY(err);
    CN_TRY(evaluate_run(model, all->options->data, &seen));
    result->loss = seen.loss;
    result->accuracy = evaluate_accuracy(&seen);
    return CN_OK;
}

/* ---- guessing ---- */

struct guess {
    double score;
    bool in;
};

static int by_score(const void *a, const void *b)
{
    const struct guess *x = a, *y = b;

    return x->score < y->score ? -1 : x->score > y->score;
}

/* The share of pairs of one that is in and one that is not in which the former has more. */
static double auc_of(const struct guess *guesses, uint32_t n)
{
    double out = 0, in = 0, right = 0;

    for (uint32_t i = 0; i < n; i++) {
        in += guesses[i].in;
        out += !guesses[i].in;
        if (guesses[i].in)
            right += out;
    }
    return in > 0 && out > 0 ? right / (in * out) : 0.5;
}

/* Says "in" of the half with the highest scores and "out" of the half with the lowest, and nothing
 * of those between. How many to guess is tried at a few sizes fixed in advance; the significance is
 * shared among the tries. */
static enum cn_err best_guess(struct empirical_result *result, const struct guess *guesses,
                              const struct empirical_options *options)
{
    static const double shares[EMPIRICAL_TRIES] = {0.01, 0.03, 0.1, 0.3, 0.6, 1};
    uint32_t m = options->canaries;

    result->canaries = m;
    for (size_t t = 0; t < EMPIRICAL_TRIES; t++) {
        uint32_t half = (uint32_t)fmax(1, floor(shares[t] * m / 2));
        struct audit_result audit = {.canaries = m, .guesses = 2 * half};
        double epsilon;

        for (uint32_t i = 0; i < half; i++)
            audit.correct += (uint32_t)!guesses[i].in + guesses[m - 1 - i].in;
        CN_TRY(audit_epsilon(&epsilon, &audit, options->task->privacy.delta,
                             options->significance / EMPIRICAL_TRIES));
        if (t == 0 || epsilon > result->epsilon_lower) {
            result->epsilon_lower = epsilon;
            result->guesses = audit.guesses;
            result->correct = audit.correct;
        }
    }
    return CN_OK;
}

static enum cn_err guess_all(struct empirical_result *result, const struct canaries *all)
{
    uint32_t m = all->options->canaries;
    struct guess *guesses = malloc(m * sizeof *guesses);
    enum cn_err err;

    if (!guesses)
        return CN_E_NOMEM;
    for (uint32_t i = 0; i < m; i++)
        guesses[i] = (struct guess){score_of(all, i), all->in[i]};
    qsort(guesses, m, sizeof *guesses, by_score);
    result->auc = auc_of(guesses, m);
    err = best_guess(result, guesses, all->options);
    free(guesses);
    return err;
}

/* ---- bounds ---- */

static enum cn_err proven(struct empirical_result *result, const struct task *task)
{
    struct accountant_event event;
    struct report_event step;
    struct report report;

    CN_ASSERT(task_round_event(task, &event));
    event.steps *= task->rounds.count;
    step = report_event_of(&event);
    CN_TRY(report_make(&report, &step, 1, PLD_ADD_REMOVE, task->privacy.delta));
    result->epsilon_proven = report.epsilon;
    return CN_OK;
}

/* The noise that was drawn is there to be measured. If it is Gaussian, of at most the size of its
 * upper confidence limit, then epsilon is at least that of such a Gaussian. */
static enum cn_err by_noise(struct empirical_result *result, const struct canaries *all)
{
    const struct task *task = all->options->task;
    double n = (double)all->samples, variance = all->square / n / (all->clip_norm * all->clip_norm);
    struct accountant_event event;
    struct report_event step;
    struct report report;

    CN_ASSERT(task_round_event(task, &event));
    result->noise_samples = all->samples;
    result->noise_multiplier = sqrt(variance);
    result->noise_multiplier_high = sqrt(variance / fmax(1 - NORMAL_95 * sqrt(2 / n), 0.01));
    if (!(result->noise_multiplier_high >= 10 * RDP_SIGMA_MIN)) {
        result->epsilon_lower_noise = INFINITY; /* there is none to speak of */
        return CN_OK;
    }
    event.steps *= task->rounds.count;
    event.noise_multiplier = result->noise_multiplier_high;
    step = report_event_of(&event);
    CN_TRY(report_make(&report, &step, 1, PLD_ADD_REMOVE, task->privacy.delta));
    result->epsilon_lower_noise = report.has_pld ? report.epsilon_pld_lower : 0;
    return CN_OK;
}

/* ---- the run ---- */

static enum cn_err say(struct cn_diag *diag, const char *words, const char *next)
{
    cn_diag_set(diag, NULL, 0, 0, "%s", words);
    cn_diag_hint(diag, "%s", next);
    return CN_E_CONFIG;
}

enum cn_err empirical_check(const struct task *task, const struct dataset *data,
                            struct cn_diag *diag)
{
    if (!data->y || dataset_targets(data) != 1 || data->vocabulary)
        return say(diag, "the attacks know images and tables with one class per example",
                   "audit a task of that kind");
    if (empirical_device_examples(task, data->n) < 2 ||
        data->n < 2 * (size_t)task->rounds.cohort_max)
        return say(diag, "the data holds too few examples for this task", "give more with --data");
    return CN_OK;
}

static enum cn_err check(const struct empirical_options *options, size_t d, struct cn_diag *diag)
{
    const struct task *task = options->task;
    struct accountant_event event;

    if (!task_round_event(task, &event))
        return say(diag, "this task promises no differential privacy: there is nothing to refute",
                   "choose privacy.unit example or user");
    if (event.kind != ACCOUNTANT_GAUSSIAN && event.kind != ACCOUNTANT_DISCRETE_GAUSSIAN)
        return say(diag, "the audit with canaries knows independent Gaussian noise only",
                   "audit the same task with placement local or central and no correlation");
    if (options->canaries < CANARIES_MIN || options->canaries > EMPIRICAL_CANARIES_MAX ||
        (options->canary == EMPIRICAL_DIRAC && options->canaries > d))
        return say(diag, "so many canaries do not fit: 16 or more, and one per weight at most",
                   "choose another --canaries");
    return empirical_check(task, options->data, diag);
}

static enum cn_err canaries_init(struct canaries *all, size_t d)
{
    uint32_t m = all->options->canaries;
    uint32_t *order = malloc(d * sizeof *order);

    all->d = d;
    all->in = calloc(m, sizeof *all->in);
    all->coordinate = calloc(m, sizeof *all->coordinate);
    all->seed = calloc(m, sizeof *all->seed);
    all->seen = calloc(d, sizeof *all->seen);
    all->real = malloc(d * sizeof *all->real);
    all->noised = malloc(d * sizeof *all->noised);
    if (!order || !all->in || !all->coordinate || !all->seed || !all->seen || !all->real ||
        !all->noised) {
        free(order);
        return CN_E_NOMEM;
    }
    for (size_t j = 0; j < d; j++)
        order[j] = (uint32_t)j;
    cn_random_shuffle(all->random, order, d);
    for (uint32_t i = 0; i < m; i++) {
        all->in[i] = cn_random_u64(all->random) & 1;
        all->coordinate[i] = order[i % d];
        all->seed[i] = cn_random_u64(all->random);
    }
    free(order);
    return CN_OK;
}

static void canaries_clear(struct canaries *all)
{
    free(all->in);
    free(all->coordinate);
    free(all->seed);
    free(all->seen);
    free(all->real);
    free(all->noised);
}

static enum cn_err run(struct empirical_result *result, struct canaries *all, struct model *model)
{
    const struct task *task = all->options->task;

    CN_TRY(canaries_init(all, model_params(model)));
    CN_TRY(proven(result, task));
    CN_TRY(task->privacy.unit == TASK_UNIT_EXAMPLE ? train_example(all, model, result)
                                                   : train_user(all, model, result));
    CN_TRY(guess_all(result, all));
    CN_TRY(by_noise(result, all));
    result->violated = result->epsilon_lower > result->epsilon_proven ||
                       result->epsilon_lower_noise > result->epsilon_proven;
    return CN_OK;
}

enum cn_err empirical_run(struct empirical_result *result, const struct empirical_options *options,
                          const struct cn_random *random, struct cn_diag *diag)
{
    struct canaries all = {.options = options, .random = random};
    struct accountant_event event;
    struct model *model;
    enum cn_err err;

    memset(result, 0, sizeof *result);
    CN_TRY(check(options, options->task->params, diag));
    CN_TRY(task_model_new(&model, options->task, 64, diag));
    CN_ASSERT(task_round_event(options->task, &event));
    all.clip_norm = options->task->privacy.clip_norm;
    all.noise_multiplier = event.noise_multiplier;
    all.rate = event.sampling_rate;
    err = run(result, &all, model);
    canaries_clear(&all);
    model_free(model);
    return err;
}
