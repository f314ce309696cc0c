/* SPDX-License-Identifier: Apache-2.0 */
/* Membership inference: every model is trained on a random half of the same examples; each in turn
 * is attacked, with the others as shadows. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "cli/audit_empirical.h"
#include "nn/train.h"
#include "privacy/noise.h"

#define FPR_LOW 1e-4
#define PROBABILITY_LOW 1e-7
#define SPREAD_MIN 0.05 /* of a logit; keeps few shadows from claiming to be sure */
#define MODEL_BATCH 64u

struct members {
    const struct members_options *options;
    const struct cn_random *random;
    uint32_t examples;
    float *logit; /* [models, examples] log p - log(1 - p) of the true class */
    bool *member; /* [models, examples] */
};

/* ---- models ---- */

struct noise {
    const struct members_options *options;
    const struct cn_random *random;
    double slack;
};

static enum cn_err add_noise(void *ctx, float *sum, size_t d)
{
    const struct noise *noise = ctx;
    const struct task_privacy *privacy = &noise->options->task->privacy;
    double multiplier = privacy->noise_multiplier * noise->options->noise_scale;

    if (multiplier <= 0)
        return CN_OK;
    return noise_gradient(sum, d, privacy->clip_norm, multiplier, noise->slack, noise->random);
}

static enum cn_err train_one(struct members *all, struct model *model, const struct dataset *own)
{
    const struct task *task = all->options->task;
    double expected = task->training.sampling_rate * (double)own->n;
    uint32_t bound = (uint32_t)ceil(expected + 10 * sqrt(expected)) + 10;
    struct noise noise = {all->options, all->random, noise_slack(bound, bound)};
    struct train_options options;
    struct train_result trained;

    task_train_options(&options, task);
    if (options.steps)
        options.steps *= task->rounds.count;
    else
        options.epochs *= task->rounds.count;
    options.threads = all->options->threads;
    if (task->privacy.unit == TASK_UNIT_EXAMPLE) {
        options.batch_limit = bound;
        options.noise = add_noise;
        options.noise_ctx = &noise;
    }
    return train_run(model, own, &options, all->random, &trained);
}

/* Logits of the true classes of all examples. */
static enum cn_err look_at(struct members *all, struct model *model, float *logit)
{
    const struct dataset *data = all->options->data;
    size_t width = dataset_features(data);
    uint32_t classes = model_outputs(model);
    float *p = malloc((size_t)MODEL_BATCH * classes * sizeof *p);

    if (!p)
        return CN_E_NOMEM;
    for (uint32_t at = 0; at < all->examples; at += MODEL_BATCH) {
        uint32_t n = all->examples - at < MODEL_BATCH ? all->examples - at : MODEL_BATCH;

        model_probabilities(model, p, data->x + at * width, n);
        for (uint32_t i = 0; i < n; i++) {
            double right = fmin(fmax((double)p[i * classes + data->y[at + i]], PROBABILITY_LOW),
                                1 - PROBABILITY_LOW);

            logit[at + i] = (float)(log(right) - log1p(-right));
        }
    }
    free(p);
    return CN_OK;
}

static enum cn_err make_one(struct members *all, uint32_t k, uint32_t *order, struct cn_diag *diag)
{
    uint32_t half = all->examples / 2;
    struct model *model = NULL;
    struct dataset own = {0};
    enum cn_err err;

    for (uint32_t i = 0; i < all->examples; i++)
        order[i] = i;
    cn_random_shuffle(all->random, order, all->examples);
    for (uint32_t i = 0; i < half; i++)
        all->member[(size_t)k * all->examples + order[i]] = true;
    err = empirical_pick(&own, all->options->data, order, half);
    if (err == CN_OK)
        err = task_model_new(&model, all->options->task, MODEL_BATCH, diag);
    if (err == CN_OK)
        err = train_one(all, model, &own);
    if (err == CN_OK)
        err = look_at(all, model, all->logit + (size_t)k * all->examples);
    if (err == CN_OK && all->options->progress)
        cn_progress_update(all->options->progress, k + 1);
    dataset_free(&own);
    model_free(model);
    return err;
}

/* ---- scores ---- */

struct sums {
    double n, sum, square;
};

static void put(struct sums *sums, double value)
{
    sums->n++;
    sums->sum += value;
    sums->square += value * value;
}

static double mean_of(const struct sums *sums, double otherwise)
{
    return sums->n > 0 ? sums->sum / sums->n : otherwise;
}

/* The spread of logits around the means of their examples, over all examples, for in or out: few
 * shadows can not tell each example's own (Carlini et al. 2022, section VI). */
static double spread_of(const struct members *all, bool in)
{
    double square = 0, freedom = 0;

    for (uint32_t i = 0; i < all->examples; i++) {
        struct sums sums = {.n = 0};

        for (uint32_t k = 0; k < all->options->models; k++)
            if (all->member[(size_t)k * all->examples + i] == in)
                put(&sums, (double)all->logit[(size_t)k * all->examples + i]);
        if (sums.n < 2)
            continue;
        square += sums.square - sums.sum * sums.sum / sums.n;
        freedom += sums.n - 1;
    }
    return freedom > 0 ? fmax(sqrt(fmax(square / freedom, 0)), SPREAD_MIN) : 1;
}

static double log_normal(double value, double mean, double spread)
{
    double z = (value - mean) / spread;

    return -z * z / 2 - log(spread);
}

/* How much likelier the target's logit is if the example is in, by the other models. */
static double lira_score(const struct members *all, uint32_t target, uint32_t i,
                         const double spread[2])
{
    double seen = (double)all->logit[(size_t)target * all->examples + i];
    struct sums sums[2] = {{.n = 0}, {.n = 0}};

    for (uint32_t k = 0; k < all->options->models; k++)
        if (k != target)
            put(&sums[all->member[(size_t)k * all->examples + i]],
                (double)all->logit[(size_t)k * all->examples + i]);
    if (sums[0].n == 0 || sums[1].n == 0)
        return 0; /* no shadow knows the other side of it */
    return log_normal(seen, mean_of(&sums[1], seen), spread[1]) -
           log_normal(seen, mean_of(&sums[0], seen), spread[0]);
}

struct scored {
    float score;
    bool member;
};

static int falling(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;

    return x->score > y->score ? -1 : x->score < y->score;
}

/* tpr at every fpr: the largest that a threshold reaches without passing it. */
static void curve_make(struct members_curve *curve, struct scored *scored, size_t n,
                       const double fpr[EMPIRICAL_CURVE])
{
    double members = 0, others = 0, found = 0, wrong = 0, area = 0;
    size_t at = 0;

    memset(curve, 0, sizeof *curve);
    qsort(scored, n, sizeof *scored, falling);
    for (size_t i = 0; i < n; i++) {
        members += scored[i].member;
        others += !scored[i].member;
    }
    for (size_t i = 0; i < n;) {
        double found_before = found, wrong_before = wrong;
        float score = scored[i].score;

        for (; i < n && scored[i].score == score; i++) {
            found += scored[i].member;
            wrong += !scored[i].member;
        }
        area += (wrong - wrong_before) * (found + found_before) / 2;
        while (at < EMPIRICAL_CURVE && wrong > fpr[at] * others)
            curve->tpr[at++] = found_before / members;
        if (wrong <= 0.01 * others)
            curve->tpr_at_1_percent = found / members;
        if (wrong <= 0.001 * others)
            curve->tpr_at_1_permille = found / members;
    }
    while (at < EMPIRICAL_CURVE)
        curve->tpr[at++] = 1;
    curve->auc = area / (members * others);
}

static enum cn_err curves(struct members_result *result, const struct members *all)
{
    size_t n = (size_t)all->options->models * all->examples;
    double spread[2] = {spread_of(all, false), spread_of(all, true)};
    struct scored *scored = malloc(n * sizeof *scored);

    if (!scored)
        return CN_E_NOMEM;
    for (size_t i = 0; i < n; i++) /* the loss falls as the logit rises */
        scored[i] = (struct scored){all->logit[i], all->member[i]};
    curve_make(&result->loss, scored, n, result->fpr);
    for (size_t i = 0; i < n; i++)
        scored[i] = (struct scored){(float)lira_score(all, (uint32_t)(i / all->examples),
                                                      (uint32_t)(i % all->examples), spread),
                                    all->member[i]};
    curve_make(&result->lira, scored, n, result->fpr);
    free(scored);
    return CN_OK;
}

/* ---- the run ---- */

static enum cn_err check(const struct members_options *options, struct cn_diag *diag)
{
    if (options->task->privacy.unit == TASK_UNIT_USER) {
        cn_diag_set(diag, NULL, 0, 0, "membership curves are about examples, not about devices");
        return CN_E_CONFIG;
    }
    if (options->models < 3 || options->models > EMPIRICAL_SHADOWS_MAX) {
        cn_diag_set(diag, NULL, 0, 0, "shadow models: 3 to %u, not %u", EMPIRICAL_SHADOWS_MAX,
                    options->models);
        return CN_E_CONFIG;
    }
    return empirical_check(options->task, options->data, diag);
}

enum cn_err members_run(struct members_result *result, const struct members_options *options,
                        const struct cn_random *random, struct cn_diag *diag)
{
    struct members all = {.options = options, .random = random};
    size_t wanted = 2 * empirical_device_examples(options->task, options->data->n), cells;
    uint32_t *order;
    enum cn_err err;

    memset(result, 0, sizeof *result);
    CN_TRY(check(options, diag));
    all.examples = (uint32_t)(wanted < options->data->n ? wanted : options->data->n);
    cells = (size_t)options->models * all.examples;
    order = malloc(all.examples * sizeof *order);
    all.logit = malloc(cells * sizeof *all.logit);
    all.member = calloc(cells, sizeof *all.member);
    err = order && all.logit && all.member ? CN_OK : CN_E_NOMEM;
    for (uint32_t k = 0; err == CN_OK && k < options->models; k++)
        err = make_one(&all, k, order, diag);
    for (size_t i = 0; i < EMPIRICAL_CURVE; i++)
        result->fpr[i] = pow(FPR_LOW, 1 - (double)i / (EMPIRICAL_CURVE - 1));
    if (err == CN_OK)
        err = curves(result, &all);
    result->models = options->models;
    result->examples = all.examples;
    free(order);
    free(all.logit);
    free(all.member);
    return err;
}
