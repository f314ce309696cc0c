/* SPDX-License-Identifier: Apache-2.0 */
/* A training under way, for the two files that know its parts: train.c and checkpoint.c. */
#ifndef CAIRN_NN_TRAIN_INTERNAL_H
#define CAIRN_NN_TRAIN_INTERNAL_H

#include "nn/gradient.h"
#include "nn/train.h"

struct train {
    struct model *model;
    const struct dataset *data;
    struct train_options options;
    const struct cn_random *random;
    struct optimiser optimiser;
    struct gradient_seen seen;
    uint32_t done;  /* steps */
    uint32_t steps; /* in all */
    struct team *team;
    struct augment_batch augmented; /* with options.augment: the batch as it is learnt from */
    float *sum;                     /* [d] */
    float *held;     /* [d] weights at the start, where frozen ones need it; or NULL */
    uint32_t *rows;  /* [n]: a permutation, or the Poisson batch */
    size_t position; /* in the permutation; n when it is used up */
};

#endif
