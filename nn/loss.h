/* SPDX-License-Identifier: Apache-2.0 */
/* What a model is trained to make small: cross-entropies and distances. */
#ifndef CAIRN_NN_LOSS_H
#define CAIRN_NN_LOSS_H

#include <stdbool.h>
#include <stddef.h>
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

/* The losses of one model: kind, smoothing, and the shape of one example's outputs. */
struct loss_form {
    struct loss_spec spec;
    double smoothing; /* of class targets of cross-entropy */
    uint32_t positions, outputs;
};

/* Sums over examples. */
struct loss_sum {
    double loss;
    uint64_t correct; /* of counted; 0 for distances */
    uint64_t counted; /* positions that are not ignored, or outputs */
};

/* Adds the loss of one example to sum and gives its gradient along the outputs.
 *
 *   gradient  [positions, outputs], out, may be NULL
 *   output    [positions, outputs]
 *   y         [positions] classes or DATASET_IGNORE; NULL when z is given
 *   z         [positions, outputs] real targets; NULL when y is given. y with binary cross-entropy
 *             needs one output
 *
 * The loss is NaN when an output that counts is not finite. */
void loss_add(struct loss_sum *sum, float *gradient, const float *output,
              const struct loss_form *form, const uint32_t *y, const float *z);

/* p = 1 / (1 + e^-x), p [n] may be x. */
void loss_sigmoid(float *p, const float *x, size_t n);

#endif
