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

#define METRICS_CONFUSION_MAX 4096u /* classes; a table of more would be too large */

/* A target is a class, of each position or one per example, or a real number. Binary cross-entropy
 * has the classes 0 and 1, all its outputs together; a real target above 1/2 counts as 1. Numbers
 * that do not apply are NaN. */
struct metrics {
    uint32_t classes;    /* outputs of the model; 2 with binary cross-entropy; 0: distances */
    uint64_t n;          /* targets that count */
    uint64_t *confusion; /* [classes, classes]: label, then what the model took it for; NULL for
                            distances and for more than METRICS_CONFUSION_MAX classes */
    uint64_t correct;    /* labels that were taken for what they are */
    uint64_t top_k;      /* labels among the k largest logits */
    double loss;         /* mean over targets, natural logarithm; of huber as the loss has it */
    double perplexity;   /* e^loss: of cross-entropy */
    double bits;         /* loss / ln 2: bits per character, when the tokens are characters */
    double auc;          /* two classes, both in the data: area under the ROC curve */
    double mae, rmse;    /* distances: mean absolute error, root of the mean squared error */
    double r2;           /* 1 - squares left / squares about the mean, the mean over the outputs
                            whose targets differ */
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
 *   k  1 to the classes; 1 for distances
 *
 * CN_E_CONFIG for another k; CN_E_SHAPE, CN_E_DATA as evaluate_run; CN_E_DIVERGED, CN_E_NOMEM.
 * metrics is zero on failure. Source of auc: Mann and Whitney 1947, by ranks. */
enum cn_err metrics_run(struct metrics *metrics, struct model *model, const struct dataset *data,
                        uint32_t k);

/* Frees the table. Allowed on a zeroed struct. */
void metrics_clear(struct metrics *metrics);

/* The share of labels that were taken for what they are; 0 of none. */
double metrics_accuracy(const struct metrics *metrics);

/* The scores of class c < classes; the confusion must be there. */
struct metrics_scores metrics_class(const struct metrics *metrics, uint32_t c);

/* The plain means over the classes that somebody has or was taken for ("macro"). */
struct metrics_scores metrics_mean(const struct metrics *metrics);

#endif
