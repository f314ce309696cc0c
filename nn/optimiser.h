/* SPDX-License-Identifier: Apache-2.0 */
/* What turns a gradient into a step of the weights, with its state. */
#ifndef CAIRN_NN_OPTIMISER_H
#define CAIRN_NN_OPTIMISER_H

#include <stddef.h>

#include "base/err.h"

/* SGD with heavy-ball momentum: v = momentum v + g, w -= learning_rate v. */
struct optimiser {
    double learning_rate;
    double momentum;
    float *velocity; /* [d]; NULL without momentum */
    size_t d;
};

/* Makes the state, zero, for d weights. CN_E_CONFIG unless learning_rate is positive and finite and
 * momentum is in [0, 1); CN_E_NOMEM. */
enum cn_err optimiser_init(struct optimiser *optimiser, size_t d, double learning_rate,
                           double momentum);

/* Frees the state. Allowed on a zeroed struct. */
void optimiser_clear(struct optimiser *optimiser);

/* Changes weights [d] by one step along gradient [d]. */
void optimiser_step(struct optimiser *optimiser, float *weights, const float *gradient);

#endif
