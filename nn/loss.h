/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax cross-entropy. */
#ifndef CAIRN_NN_LOSS_H
#define CAIRN_NN_LOSS_H

#include <stdbool.h>
#include <stdint.h>

enum loss_kind {
    LOSS_CROSS_ENTROPY = 0,    /* softmax; class targets */
    LOSS_BINARY_CROSS_ENTROPY, /* sigmoid of each output; real targets from 0 to 1, or with one
                                  output the classes 0 and 1 */
    LOSS_MEAN_SQUARED_ERROR,   /* real targets */
    LOSS_HUBER,                /* real targets; quadratic up to delta, then linear */
    LOSS_KIND_COUNT
};

/* What a model is trained to make small. The loss of one example is the mean over what it counts:
 * cross-entropy over its positions that are not ignored (0 if all are), the others over all its
 * outputs; a batch adds up its examples. PyTorch's reduction "mean" gives the same for a batch of
 * one example. */
struct loss_spec {
    enum loss_kind kind;
    double delta; /* huber: above 0; 0: 1. Other kinds: 0 */
};

/* "cross_entropy", "binary_cross_entropy", "mean_squared_error", "huber"; "unknown" outside. */
const char *loss_kind_name(enum loss_kind kind);

/* Writes the softmax of logits [classes] to out [classes], which may be logits. Logits must be
 * finite; then the result is finite and sums to 1. */
void loss_softmax(float *out, const float *logits, uint32_t classes);

/* Gives -ln softmax(logits)[label] of one example, and its gradient along the logits.
 *
 *   gradient  [classes], out, may be NULL: softmax(logits) - (class is label)
 *   correct   out: label has the largest logit; of equals the smaller class counts
 *   label     < classes
 *
 * NaN when a logit is not finite (gradient is then useless). */
double loss_cross_entropy(float *gradient, bool *correct, const float *logits, uint32_t classes,
                          uint32_t label);

/* What smoothing of labels adds to loss_cross_entropy: the label keeps 1 - share, and every class,
 * the label too, gets share / classes (Szegedy et al. 2016; PyTorch's label_smoothing).
 *
 *   gradient  [classes], of loss_cross_entropy; changed by what smoothing adds
 *
 * Gives the difference of the losses: share (logits[label] - mean of logits). */
double loss_smooth(float *gradient, const float *logits, uint32_t classes, uint32_t label,
                   double share);

#endif
