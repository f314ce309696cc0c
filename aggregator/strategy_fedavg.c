/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/strategy.h"

#include <math.h>
#include <string.h>

static float moved(float weight_of_model, float of_sum, double scale)
{
    return (float)((double)weight_of_model + scale * (double)of_sum);
}

enum cn_err strategy_fedavg(float *model, const float *sum, size_t d, double weight,
                            double learning_rate)
{
    if (!(weight > 0) || !isfinite(weight) || !(learning_rate > 0) || !isfinite(learning_rate))
        return CN_E_CONFIG;
    double scale = learning_rate / weight;
    /* Look before the leap: a model is replaced whole or not at all. */
    for (size_t i = 0; i < d; i++)
        if (!isfinite(moved(model[i], sum[i], scale)))
            return CN_E_DIVERGED;
    for (size_t i = 0; i < d; i++)
        model[i] = moved(model[i], sum[i], scale);
    return CN_OK;
}

static const struct strategy strategies[] = {
    {.name = "fedavg", .step = strategy_fedavg},
};

const struct strategy *strategy_find(const char *name)
{
    for (size_t i = 0; i < CN_COUNT(strategies); i++)
        if (strcmp(strategies[i].name, name) == 0)
            return &strategies[i];
    return NULL;
}
