/* SPDX-License-Identifier: Apache-2.0 */
/* What turns a gradient into a step of the weights, with its state, and how long steps are.
 *
 * Formulas are PyTorch's (torch.optim, version 1.13), so that numbers can be compared. */
#ifndef CAIRN_NN_OPTIMISER_H
#define CAIRN_NN_OPTIMISER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "nn/kernels.h"

enum optimiser_kind {
    OPTIMISER_SGD = 0,  /* v = momentum v + g, w -= rate v */
    OPTIMISER_NESTEROV, /* w -= rate (g + momentum v) with the new v */
    OPTIMISER_ADAM,     /* Kingma and Ba 2015, both moments corrected for their start at 0 */
    OPTIMISER_ADAMW,    /* weight decay apart from the gradient: Loshchilov and Hutter 2019 */
    OPTIMISER_RMSPROP,  /* s = beta2 s + (1 - beta2) g^2, v = momentum v + g / (sqrt(s) + eps) */
    OPTIMISER_ADAGRAD,  /* s += g^2, w -= rate g / (sqrt(s) + eps) */
    OPTIMISER_KIND_COUNT
};

enum schedule_kind {
    SCHEDULE_CONSTANT = 0,
    SCHEDULE_STEP,   /* times schedule_factor after every schedule_every steps */
    SCHEDULE_COSINE, /* half a cosine from the full rate down to 0 at the end */
    SCHEDULE_KIND_COUNT
};

/* Zero is "not used", or the default that is named. */
struct optimiser_options {
    enum optimiser_kind kind;
    double learning_rate; /* > 0 */
    double momentum;      /* sgd, nesterov (> 0), rmsprop: in [0, 1) */
    double beta1;         /* adam, adamw: of the first moment, in (0, 1); 0.9 */
    double beta2;         /* of the squares, in (0, 1); adam, adamw 0.999, rmsprop 0.99 */
    double epsilon;       /* > 0, added to roots of squares; 1e-8, adagrad 1e-10 */
    double weight_decay;  /* >= 0: adds weight_decay w to g; adamw: w -= rate weight_decay w */
    double gradient_clip; /* > 0: the whole gradient is shortened to this L2 norm, first of all */
    double proximal;      /* > 0: adds proximal (w - start) to g, FedProx: Li et al. 2020 */
    enum schedule_kind schedule;
    uint32_t warm_up;        /* steps over which the rate rises linearly to its full height */
    uint32_t schedule_every; /* SCHEDULE_STEP: > 0 */
    double schedule_factor;  /* SCHEDULE_STEP: in (0, 1] */
};

struct optimiser {
    struct optimiser_options options; /* defaults filled in */
    float *first;                     /* [d] velocity or first moment; NULL where there is none */
    float *squares;                   /* [d] of adam, adamw, rmsprop, adagrad */
    float *start;                     /* [d] weights at the start; with proximal */
    size_t d;
    uint32_t step;          /* done */
    uint32_t steps;         /* in all, for the schedule */
    uint32_t schedule_from; /* the step of the schedule at which the first one stands */
};

/* Checks the options. CN_E_CONFIG, with the option's name in diag. */
enum cn_err optimiser_check(const struct optimiser_options *options, struct cn_diag *diag);

/* Makes the state for d weights that start at weights, and for as many steps. CN_E_CONFIG as
 * optimiser_check, CN_E_NOMEM; clear it then, too. */
enum cn_err optimiser_init(struct optimiser *optimiser, const struct optimiser_options *options,
                           const float *weights, size_t d, uint32_t steps);

/* Frees the state. Allowed on a zeroed struct. */
void optimiser_clear(struct optimiser *optimiser);

/* The learning rate of step `step`, from 0, of `steps`. Warm-up: step + 1 of warm_up + 1 parts.
 * Steps past the last have the last one's rate. */
double optimiser_rate(const struct optimiser_options *options, uint32_t step, uint32_t steps);

struct optimiser_range {
    size_t from, to;
};

/* A step in parts, for threads that share the weights: begin once, apply to ranges that cover
 * [0, d) without overlap, at the same time if need be, and end.
 *
 * begin gives the numbers of a step along share * gradient [d]. apply changes a range of weights
 * and of the state, spoils gradient there, and gives false when a weight of the range is not
 * finite any more. */
struct update optimiser_begin(const struct optimiser *optimiser, const float *gradient,
                              float share);
bool optimiser_apply(struct optimiser *optimiser, const struct update *update, float *weights,
                     float *gradient, struct optimiser_range range);
void optimiser_end(struct optimiser *optimiser);

/* Changes weights [d] by one step along gradient [d], which it spoils. */
void optimiser_step(struct optimiser *optimiser, float *weights, float *gradient);

#endif
