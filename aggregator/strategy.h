/* SPDX-License-Identifier: Apache-2.0 */
/* Strategies: how the sum of a round's updates becomes the next model.
 *
 * A strategy sees the sum and its weight, never a single update. It works in place on flat vectors
 * and keeps no state, so that after a crash the last published model is all there is to know. */
#ifndef CAIRN_AGGREGATOR_STRATEGY_H
#define CAIRN_AGGREGATOR_STRATEGY_H

#include <stddef.h>

#include "base/err.h"

struct strategy {
    const char *name;
    /* Moves model [d] by sum [d] in place. See strategy_fedavg. */
    enum cn_err (*step)(float *model, const float *sum, size_t d, double weight,
                        double learning_rate);
};

/* Federated averaging: model += learning_rate * sum / weight.
 *
 *   model          [d]  the global model, in and out
 *   sum            [d]  of the survivors' updates (their weights minus the model's)
 *   weight         > 0: what the sum is divided by: the survivors, each counting once, because
 *                  encode_update clips every update to the same norm
 *   learning_rate  > 0; 1 is plain averaging
 *
 * CN_E_CONFIG for a weight or rate that is not positive and finite; CN_E_DIVERGED when a weight of
 * the new model is not finite (the model is then unchanged). Products in double, one rounding.
 * Source: McMahan et al., AISTATS 2017, with the server's rate of Reddi et al., ICLR 2021. */
enum cn_err strategy_fedavg(float *model, const float *sum, size_t d, double weight,
                            double learning_rate);

/* Gives the strategy called name ("fedavg"), or NULL. */
const struct strategy *strategy_find(const char *name);

#endif
