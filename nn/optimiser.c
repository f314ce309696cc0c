/* SPDX-License-Identifier: Apache-2.0 */
/* SGD with momentum. */
#include "nn/optimiser.h"

#include <math.h>
#include <stdlib.h>

enum cn_err optimiser_init(struct optimiser *optimiser, size_t d, double learning_rate,
                           double momentum)
{
    *optimiser = (struct optimiser){.learning_rate = learning_rate, .momentum = momentum, .d = d};
    if (!(learning_rate > 0.0) || !isfinite(learning_rate) || !(momentum >= 0.0 && momentum < 1.0))
        return CN_E_CONFIG;
    if (momentum == 0.0)
        return CN_OK;
    optimiser->velocity = calloc(d ? d : 1, sizeof *optimiser->velocity);
    return optimiser->velocity ? CN_OK : CN_E_NOMEM;
}

void optimiser_clear(struct optimiser *optimiser)
{
    free(optimiser->velocity);
    *optimiser = (struct optimiser){0};
}

void optimiser_step(struct optimiser *optimiser, float *weights, const float *gradient)
{
    float rate = (float)optimiser->learning_rate, momentum = (float)optimiser->momentum;
    float *velocity = optimiser->velocity;

    if (!velocity) {
        for (size_t i = 0; i < optimiser->d; i++)
            weights[i] -= rate * gradient[i];
        return;
    }
    for (size_t i = 0; i < optimiser->d; i++) {
        velocity[i] = momentum * velocity[i] + gradient[i];
        weights[i] -= rate * velocity[i];
    }
}
