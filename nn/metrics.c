/* SPDX-License-Identifier: Apache-2.0 */
/* Confusions, scores per class, top-k hits, perplexity, area under the ROC curve. */
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

/* Counts one example and gives its loss. */
static double count_example(struct metrics *metrics, const float *logits, uint32_t label,
                            uint32_t k)
{
    const uint32_t classes = metrics->classes;
    bool correct;

    metrics->confusion[(size_t)label * classes + guess_of(logits, classes)]++;
    metrics->top_k += rank_of(logits, classes, label) < k;
    return loss_cross_entropy(NULL, &correct, logits, classes, label);
}

static enum cn_err count_all(struct metrics *metrics, struct model *model,
                             const struct dataset *data, uint32_t k, struct ranked *ranked)
{
    const size_t features = model_features(model);
    double loss = 0.0;

    model_prepare(model);
    for (size_t from = 0; from < data->n; from += model->batch_max) {
        size_t left = data->n - from;
        uint32_t n = left < model->batch_max ? (uint32_t)left : model->batch_max;
        const float *logits;

        for (uint32_t b = 0; b < n; b++)
            model_put_example(model, b, data->x + (from + b) * features);
        logits = model_run(model, n);
        for (uint32_t b = 0; b < n; b++) {
            const float *row = logits + (size_t)b * metrics->classes;
            uint32_t label = data->y[from + b];

            loss += count_example(metrics, row, label, k);
            if (ranked)
                ranked[from + b] = (struct ranked){(double)row[1] - (double)row[0], label};
        }
    }
    if (!isfinite(loss))
        return CN_E_DIVERGED;
    metrics->n = data->n;
    metrics->loss = data->n ? loss / (double)data->n : 0.0;
    metrics->perplexity = exp(metrics->loss);
    metrics->auc = ranked ? area(ranked, data->n) : (double)NAN;
    return CN_OK;
}

enum cn_err metrics_run(struct metrics *metrics, struct model *model, const struct dataset *data,
                        uint32_t k)
{
    const uint32_t classes = model_outputs(model);
    struct ranked *ranked = NULL;
    enum cn_err err;

    *metrics = (struct metrics){.classes = classes};
    CN_TRY_OUT(err, k >= 1 && k <= classes ? CN_OK : CN_E_CONFIG);
    CN_TRY_OUT(err, gradient_check(model, data, NULL));
    metrics->confusion = calloc((size_t)classes * classes, sizeof *metrics->confusion);
    if (classes == 2)
        ranked = calloc(data->n ? data->n : 1, sizeof *ranked);
    CN_TRY_OUT(err, metrics->confusion && (ranked || classes != 2) ? CN_OK : CN_E_NOMEM);
    err = count_all(metrics, model, data, k, ranked);
out:
    free(ranked);
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
    uint64_t hits = 0;

    for (size_t c = 0; c < metrics->classes; c++)
        hits += metrics->confusion[c * metrics->classes + c];
    return metrics->n ? (double)hits / (double)metrics->n : 0.0;
}

static double share(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : 0.0;
}

struct metrics_scores metrics_class(const struct metrics *metrics, uint32_t c)
{
    const size_t classes = metrics->classes;
    uint64_t taken = 0, there = 0, hits;

    CN_ASSERT(c < classes);
    hits = metrics->confusion[c * classes + c];
    for (size_t i = 0; i < classes; i++) {
        taken += metrics->confusion[i * classes + c];
        there += metrics->confusion[c * classes + i];
    }
    return (struct metrics_scores){share(hits, taken), share(hits, there),
                                   share(2 * hits, taken + there)};
}

struct metrics_scores metrics_mean(const struct metrics *metrics)
{
    struct metrics_scores mean = {0};

    for (uint32_t c = 0; c < metrics->classes; c++) {
        struct metrics_scores one = metrics_class(metrics, c);

        mean.precision += one.precision / metrics->classes;
        mean.recall += one.recall / metrics->classes;
        mean.f1 += one.f1 / metrics->classes;
    }
    return mean;
}
