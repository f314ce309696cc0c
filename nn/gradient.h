/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of the loss: of a whole batch, or the sum of every example's own, each clipped.
 *
 * One forward pass and one backward pass that keeps the output gradient of every layer. Per-example
 * norms come from activations and output gradients (Goodfellow 2015; Li et al. 2022, ghost
 * clipping); a convolution materialises each example's gradient when that is cheaper. The clipped
 * sum then needs one weighted product per layer and no second pass. The weighted rows are rounded
 * as float sums are: the norm of what one example adds is at most the bound times (1 + 1e-5). */
#ifndef CAIRN_NN_GRADIENT_H
#define CAIRN_NN_GRADIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/random.h"
#include "data/dataset.h"
#include "nn/model.h"

/* Examples of a data set, picked by row. */
struct gradient_batch {
    const struct dataset *data;
    const uint32_t *rows; /* [n], each < data->n */
    size_t n;             /* any, 0 too; runs in micro-batches of the model's batch_max */
};

/* What was seen along the way. These are NOT private: under differential privacy they must not
 * leave the device. */
struct gradient_seen {
    double loss;      /* summed over the examples, natural logarithm */
    uint64_t correct; /* of counted: hits of the largest logit, or of the right side of 1/2 */
    uint64_t n;       /* examples */
    uint64_t counted; /* targets that were not ignored: positions, outputs; n for one class each */
};

/* How gradients are clipped. */
struct gradient_clip {
    double norm;          /* flat: of the whole gradient, above 0 */
    bool per_layer;       /* each layer with weights by itself; a block counts its layers singly */
    const double *bounds; /* [gradient_clip_layers], each above 0; NULL: norm / sqrt(layers), so
                             that the whole stays within norm. With bounds, the whole stays within
                             the root of their squares' sum */
};

/* Layers that have weights and are not frozen. */
uint32_t gradient_clip_layers(const struct model *model);

/* Checks that data fits the model and its loss: CN_E_SHAPE with both shapes in diag (of examples,
 * of targets), or CN_E_DATA when it has more classes than the model has outputs, a label is none of
 * the model's, a token is none of the vocabulary, or a real target is not finite. */
enum cn_err gradient_check(const struct model *model, const struct dataset *data,
                           struct cn_diag *diag);

/* Lets dropout draw from random in the gradients to come, one 64-bit key per example, in order and
 * independent of the micro-batch; NULL, as at first: dropout lets everything pass. random must
 * stay valid until it is replaced. Models without dropout draw nothing. */
void gradient_use_random(struct model *model, const struct cn_random *random);

/* Spreads this share, in [0, 1), of each label over all classes in the gradients to come; 0, as at
 * first: labels as they are. Losses that were seen are then those of the smoothed labels. */
void gradient_smooth_labels(struct model *model, double share);

/* Adds the sum of the examples' gradients to sum [d] and what was seen to seen. Data must have
 * passed gradient_check. CN_E_DIVERGED when a loss is not finite: sum is then spoilt. */
enum cn_err gradient_add(struct model *model, float *sum, struct gradient_seen *seen,
                         const struct gradient_batch *batch);

/* As gradient_add, each example's gradient first scaled until its L2 norm is at most clip_norm > 0.
 *
 *   norms  [n], out, may be NULL: each example's norm before clipping. Not private.
 *
 * The factor is rounded down, so a computed norm never passes the bound. An example whose loss or
 * norm is not finite adds nothing (its norm is given as infinite): the bound holds for it too, and
 * a failure would tell that it is there. Source: Abadi et al., CCS 2016, algorithm 1. */
enum cn_err gradient_add_clipped(struct model *model, float *sum, struct gradient_seen *seen,
                                 const struct gradient_batch *batch, double clip_norm,
                                 double *norms);

/* The same with all the ways of clipping: flat, or per layer. norms are of the whole gradient. */
enum cn_err gradient_add_clipped_with(struct model *model, float *sum, struct gradient_seen *seen,
                                      const struct gradient_batch *batch,
                                      const struct gradient_clip *clip, double *norms);

#endif
