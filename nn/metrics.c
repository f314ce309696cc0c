/* SPDX-License-Identifier: Apache-2.0 */
/* Confusions, scores per class, top-k hits, perplexity, area under the ROC curve; errors of real
 * targets. */
#include "nn/metrics.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "nn/gradient.h"
#include "nn/loss.h"
#include "nn/model_internal.h"

struct ranked {
    double score;
    uint32_t label;
};

static int by_score(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;

    return (x->score > y->score) - (x->score < y->score);
}

/* The share of pairs of both labels that stand in the right order, equal scores half. */
static double area(struct ranked *ranked, size_t n)
{
    double below = 0.0, zeros = 0.0, pairs = 0.0;

    qsort(ranked, n, sizeof *ranked, by_score);
    for (size_t from = 0, to; from < n; from = to) {
        double equal[2] = {0.0, 0.0};

        for (to = from; to < n && ranked[to].score <= ranked[from].score; to++)
            equal[ranked[to].label]++;
        below += equal[1] * (zeros + 0.5 * equal[0]);
        zeros += equal[0];
    }
    pairs = zeros * ((double)n - zeros);
    return pairs > 0.0 ? below / pairs : (double)NAN;
}

static uint32_t guess_of(const float *logits, uint32_t classes)
{
    uint32_t best = 0;

    for (uint32_t c = 1; c < classes; c++)
        if (logits[c] > logits[best])
            best = c;
    return best;
}

/* How many classes come before the label. */
static uint32_t rank_of(const float *logits, uint32_t classes, uint32_t label)
{
    uint32_t rank = 0;

    for (uint32_t c = 0; c < classes; c++)
        rank += logits[c] > logits[label] || (c < label && logits[c] >= logits[label]);
    return rank;
}

/* Sums over one output's targets, for R^2: the mean and squares about it, updated one by one
 * (Welford 1962). */
struct spread {
    double n, mean, about, left; /* left: squared errors */
};

/* What lives while the data runs through. */
struct count {
    struct metrics *metrics;
    struct model *model;
    const struct dataset *data;
    uint32_t k;
    double loss, absolute, squares;
    struct ranked *ranked;  /* [n * positions * outputs of binary cross-entropy] two classes */
    struct spread *spreads; /* [positions * outputs] distances */
    size_t ranks;
};

static void rank(struct count *count, double score, uint32_t label)
{
    if (count->ranked)
        count->ranked[count->ranks++] = (struct ranked){score, label};
}

static void note(struct metrics *metrics, uint32_t label, uint32_t guess)
{
    metrics->correct += label == guess;
    metrics->n++;
    if (metrics->confusion)
        metrics->confusion[(size_t)label * metrics->classes + guess]++;
}

/* One position of cross-entropy. */
static void count_class(struct count *count, const float *logits, uint32_t label)
{
    struct metrics *metrics = count->metrics;
    bool correct;

    note(metrics, label, guess_of(logits, metrics->classes));
    metrics->top_k += rank_of(logits, metrics->classes, label) < count->k;
    count->loss += loss_cross_entropy(NULL, &correct, logits, metrics->classes, label);
    if (metrics->classes == 2)
        rank(count, (double)logits[1] - (double)logits[0], label);
}

/* One output of binary cross-entropy, its share z of class 1. */
static void count_side(struct count *count, float logit, float z)
{
    const struct loss_form form = {{.kind = LOSS_BINARY_CROSS_ENTROPY}, 0.0, 1, 1};
    const uint32_t label = z > 0.5f, guess = logit > 0.0f;
    struct loss_sum sum = {0};

    note(count->metrics, label, guess);
    count->metrics->top_k += label == guess || count->k == 2;
    loss_add(&sum, NULL, &logit, &form, NULL, &z);
    count->loss += sum.loss;
    rank(count, (double)logit, label);
}

static void count_distance(struct count *count, struct spread *spread, float output, float z)
{
    const struct loss_form form = {count->model->loss, 0.0, 1, 1};
    const double apart = (double)output - (double)z, before = (double)z - spread->mean;
    struct loss_sum sum = {0};

    count->metrics->n++;
    loss_add(&sum, NULL, &output, &form, NULL, &z);
    count->loss += sum.loss;
    count->absolute += fabs(apart);
    count->squares += apart * apart;
    spread->n++;
    spread->mean += before / spread->n;
    spread->about += before * ((double)z - spread->mean);
    spread->left += apart * apart;
}

static void count_example(struct count *count, const float *output, size_t row)
{
    const struct model *model = count->model;
    const struct dataset *data = count->data;
    const size_t outputs = model_outputs(model), targets = dataset_targets(data);
    const bool sides = model->loss.kind == LOSS_BINARY_CROSS_ENTROPY;

    for (size_t p = 0; p < targets; p++) {
        uint32_t label = data->y[row * targets + p];

        if (label != DATASET_IGNORE && sides)
            count_side(count, output[p], (float)label);
        else if (label != DATASET_IGNORE)
            count_class(count, output + p * outputs, label);
    }
    for (size_t i = 0; i < data->reals; i++) {
        float z = data->z[row * data->reals + i];

        if (sides)
            count_side(count, output[i], z);
        else
            count_distance(count, &count->spreads[i], output[i], z);
    }
}

static double mean_r2(const struct spread *spreads, size_t n)
{
    double sum = 0.0, outputs = 0.0;

    for (size_t i = 0; i < n; i++) {
        if (!(spreads[i].about > 0.0))
            continue;
        sum += 1.0 - spreads[i].left / spreads[i].about;
        outputs++;
    }
    return outputs > 0.0 ? sum / outputs : (double)NAN;
}

static enum cn_err conclude(struct count *count)
{
    struct metrics *metrics = count->metrics;
    const double n = metrics->n ? (double)metrics->n : 1.0;
    const bool likelihood = count->model->loss.kind == LOSS_CROSS_ENTROPY;

    if (!isfinite(count->loss))
        return CN_E_DIVERGED;
    metrics->loss = count->loss / n;
    metrics->perplexity = likelihood ? exp(metrics->loss) : (double)NAN;
    metrics->bits = likelihood ? metrics->loss / log(2.0) : (double)NAN;
    metrics->auc = count->ranked ? area(count->ranked, count->ranks) : (double)NAN;
    metrics->mae = metrics->rmse = metrics->r2 = (double)NAN;
    if (!count->spreads)
        return CN_OK;
    metrics->mae = count->absolute / n;
    metrics->rmse = sqrt(count->squares / n);
    metrics->r2 = mean_r2(count->spreads, count->data->reals);
    return CN_OK;
}

static enum cn_err count_all(struct count *count)
{
    struct model *model = count->model;
    const size_t features = model_features(model);
    const size_t outputs = (size_t)model_outputs(model) * model_positions(model);

    model_prepare(model);
    for (size_t from = 0; from < count->data->n; from += model->batch_max) {
        size_t left = count->data->n - from;
        uint32_t n = left < model->batch_max ? (uint32_t)left : model->batch_max;
        const float *logits;

        for (uint32_t b = 0; b < n; b++)
            model_put_example(model, b, count->data->x + (from + b) * features);
        logits = model_run(model, n);
        for (uint32_t b = 0; b < n; b++)
            count_example(count, logits + b * outputs, from + b);
    }
    return conclude(count);
}

static uint32_t classes_of(const struct model *model)
{
    switch (model->loss.kind) {
    case LOSS_CROSS_ENTROPY:
        return model_outputs(model);
    case LOSS_BINARY_CROSS_ENTROPY:
        return 2;
    default:
        return 0;
    }
}

/* Tables and lists as large as this model and data need them. */
static enum cn_err count_init(struct count *count)
{
    struct metrics *metrics = count->metrics;
    const size_t classes = metrics->classes, n = count->data->n ? count->data->n : 1;
    const size_t targets = dataset_targets(count->data) + count->data->reals;

    if (classes > 0 && classes <= METRICS_CONFUSION_MAX) {
        metrics->confusion = calloc(classes * classes, sizeof *metrics->confusion);
        if (!metrics->confusion)
            return CN_E_NOMEM;
    }
    if (classes == 2) {
        count->ranked = calloc(n, targets * sizeof *count->ranked);
        if (!count->ranked)
            return CN_E_NOMEM;
    }
    if (classes == 0) {
        count->spreads = calloc(targets, sizeof *count->spreads);
        if (!count->spreads)
            return CN_E_NOMEM;
    }
    return CN_OK;
}

enum cn_err metrics_run(struct metrics *metrics, struct model *model, const struct dataset *data,
                        uint32_t k)
{
    const uint32_t classes = classes_of(model);
    struct count count = {.metrics = metrics, .model = model, .data = data, .k = k};
    enum cn_err err;

    *metrics = (struct metrics){.classes = classes};
    CN_TRY_OUT(err, k >= 1 && k <= (classes ? classes : 1) ? CN_OK : CN_E_CONFIG);
    CN_TRY_OUT(err, gradient_check(model, data, NULL));
    CN_TRY_OUT(err, count_init(&count));
    err = count_all(&count);
out:
    free(count.ranked);
    free(count.spreads);
    if (err != CN_OK)
        metrics_clear(metrics);
    return err;
}

void metrics_clear(struct metrics *metrics)
{
    free(metrics->confusion);
    *metrics = (struct metrics){0};
}

double metrics_accuracy(const struct metrics *metrics)
{
    return metrics->n ? (double)metrics->correct / (double)metrics->n : 0.0;
}

static double share(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : 0.0;
}

struct metrics_scores metrics_class(const struct metrics *metrics, uint32_t c)
{
    const size_t classes = metrics->classes;
    uint64_t taken = 0, there = 0, hits;

    CN_ASSERT(c < classes && metrics->confusion);
    hits = metrics->confusion[c * classes + c];
    for (size_t i = 0; i < classes; i++) {
        taken += metrics->confusion[i * classes + c];
        there += metrics->confusion[c * classes + i];
    }
    return (struct metrics_scores){share(hits, taken), share(hits, there),
                                   share(2 * hits, taken + there)};
}

/* Somebody has the class or was taken for it. */
static bool occurs(const struct metrics *metrics, uint32_t c)
{
    for (size_t i = 0; i < metrics->classes; i++)
        if (metrics->confusion[i * metrics->classes + c] > 0 ||
            metrics->confusion[c * metrics->classes + i] > 0)
            return true;
    return false;
}

struct metrics_scores metrics_mean(const struct metrics *metrics)
{
    struct metrics_scores mean = {0};
    uint32_t there = 0;

    for (uint32_t c = 0; c < metrics->classes; c++) {
        struct metrics_scores one = metrics_class(metrics, c);

        there += occurs(metrics, c);
        mean.precision += one.precision;
        mean.recall += one.recall;
        mean.f1 += one.f1;
    }
    there = there ? there : 1;
    return (struct metrics_scores){mean.precision / there, mean.recall / there, mean.f1 / there};
}
