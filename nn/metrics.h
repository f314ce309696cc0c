/* SPDX-License-Identifier: Apache-2.0 */
/* What evaluate.h leaves out: which classes a model confuses, and how it ranks.
 *
 * NOT private: of public test data only, or kept on the device. */
#ifndef CAIRN_NN_METRICS_H
#define CAIRN_NN_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "data/dataset.h"
#include "nn/model.h"

struct metrics {
    uint32_t classes;    /* outputs of the model */
    uint64_t n;          /* examples */
    uint64_t *confusion; /* [classes, classes]: label, then what the model took it for */
    uint64_t top_k;      /* examples whose label is among the k largest logits */
    double loss;         /* mean, natural logarithm */
    double perplexity;   /* e^loss */
    double auc;          /* two classes, both in the data: area under the ROC curve; else NaN */
};

/* Of one class against all others, or the means over classes. A share of nothing is 0. */
struct metrics_scores {
    double precision; /* of what was taken for the class, the share that is */
    double recall;    /* of the class, the share that was found */
    double f1;        /* their harmonic mean */
};

/* Runs data through the model, one forward pass per example. A tie between logits goes to the
 * smaller class; in auc it counts half. Free with metrics_clear, on failure too.
 *
 *   k  1 to the model's outputs
 *
 * CN_E_CONFIG for another k; CN_E_SHAPE, CN_E_DATA as evaluate_run; CN_E_DIVERGED, CN_E_NOMEM.
 * metrics is zero on failure. Source of auc: Mann and Whitney 1947, by ranks. */
enum cn_err metrics_run(struct metrics *metrics, struct model *model, const struct dataset *data,
                        uint32_t k);

/* Frees the table. Allowed on a zeroed struct. */
void metrics_clear(struct metrics *metrics);

/* The share of examples that were taken for what they are; 0 of none. */
double metrics_accuracy(const struct metrics *metrics);

/* The scores of class c < classes. */
struct metrics_scores metrics_class(const struct metrics *metrics, uint32_t c);

/* The plain means over all classes ("macro"). */
struct metrics_scores metrics_mean(const struct metrics *metrics);

#endif
