/* SPDX-License-Identifier: Apache-2.0 */
/* How good a model is on a data set: loss and hits. */
#ifndef CAIRN_NN_EVALUATE_H
#define CAIRN_NN_EVALUATE_H

#include <stdint.h>

#include "base/err.h"
#include "data/dataset.h"
#include "nn/model.h"

/* NOT private: of public test data only, or kept on the device. */
struct evaluate_result {
    double loss;      /* mean over examples, natural logarithm */
    uint64_t correct; /* of counted */
    uint64_t n;       /* examples */
    uint64_t counted; /* targets that were not ignored: n for one class each; 0 for distances, which
                         nobody hits */
};

/* The share of targets that were hit; 0 of none. */
double evaluate_accuracy(const struct evaluate_result *result);

/* Runs all of data through the model, one forward pass per example. A tie between logits goes to
 * the smaller class. Allocates nothing. CN_E_SHAPE or CN_E_DATA when data does not fit the model
 * (gradient_check says it in words), CN_E_DIVERGED when a logit is not finite. result is zero on
 * failure. */
enum cn_err evaluate_run(struct model *model, const struct dataset *data,
                         struct evaluate_result *result);

#endif
