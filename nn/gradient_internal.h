/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a gradient that one thread's way and the shared way have in common. */
#ifndef CAIRN_NN_GRADIENT_INTERNAL_H
#define CAIRN_NN_GRADIENT_INTERNAL_H

#include "nn/gradient.h"
#include "nn/model_internal.h"

/* Examples [from, to) of a micro-batch. */
struct gradient_span {
    uint32_t from, to;
};

/* The loss of a span of the examples that went through, and its gradient as the last layer's dy.
 * CN_E_DIVERGED when it is not finite. */
enum cn_err gradient_losses(struct model *model, struct gradient_seen *seen,
                            const struct gradient_batch *micro, struct gradient_span span);

/* From the squares of example b to its factors; norm may be NULL. False when they are not finite.
 */
bool gradient_factors(struct model *model, const struct gradient_clip *clip, uint32_t b,
                      double *norm);

/* Adds, one by one, those of a micro-batch whose clipped gradient is finite. */
void gradient_add_finite(struct model *model, float *sum, struct gradient_seen *seen,
                         const struct gradient_batch *micro, const struct gradient_clip *clip,
                         double *norms);

/* Refuses bounds that are none. */
void gradient_check_clip(const struct model *model, const struct gradient_clip *clip);

#endif
