/* SPDX-License-Identifier: Apache-2.0 */
/* A chain of dense layers on several threads without replicas.
 *
 * Where every weight is used once for each example, a replica per thread would double the traffic
 * of sums and weights between cores, which is all that such a model costs. Here all threads run one
 * micro-batch together: each computes its columns of every layer's output, keeps the same columns'
 * weights and gradients in its core's cache, and only activations cross over. A layer of few
 * outputs is split by examples, and its gradient by inputs. No value is summed in another order
 * than by one thread alone. */
#ifndef CAIRN_NN_WIDE_H
#define CAIRN_NN_WIDE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "nn/gradient.h"
#include "nn/model.h"
#include "nn/team.h"

/* One call's work; the same for all threads. */
struct wide {
    struct team *team; /* whose threads meet at barriers */
    struct model *model;
    float *sum; /* [d], set by the call */
    const struct gradient_batch *batch;
    const struct gradient_clip *clip; /* may be NULL */
    double *norms;                    /* may be NULL */
    atomic_uint spoilt; /* the last micro-batch, from 1, with a loss or norm that is not finite */
};

/* Whether model is such a chain: flatten of one channel, dense, relu and tanh, nothing frozen. */
bool wide_fits(const struct model *model);

/* A thread's share of team_gradient; every thread of the team calls it once. All give the same
 * error. seen is the thread's own. */
enum cn_err wide_part(struct wide *wide, struct gradient_seen *seen, uint32_t index,
                      uint32_t threads);

/* Calls fn for every range of parameters that thread index computes. */
void wide_own(const struct model *model, uint32_t index, uint32_t threads, team_range_fn fn,
              void *ctx);

#endif
