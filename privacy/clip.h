/* SPDX-License-Identifier: Apache-2.0 */
/* Bounding the length of a vector: what one example or one device can move. */
#ifndef CAIRN_PRIVACY_CLIP_H
#define CAIRN_PRIVACY_CLIP_H

#include <stddef.h>

#include "base/err.h"

/* Gives the L2 norm of v, summed in double; an infinity or NaN in v gives one of these. */
double clip_l2_norm(const float *v, size_t d);

/* Scales v, in place, until its L2 norm is at most bound.
 *
 *   v      [d]  update, in the unit of the weights; all finite
 *   bound       > 0, same unit; the C of the noise scale sigma * C
 *   norm        out, may be NULL: the norm before clipping
 *
 * The norm after clipping, taken exactly, is at most bound * (1 + 2^-23): the factor and the
 * products are rounded to nearest. CN_E_CONFIG if bound is not a positive finite number;
 * CN_E_DIVERGED if v holds a NaN or an infinity (v is then unchanged). Two passes, no allocation.
 * Source: Abadi et al., CCS 2016, algorithm 1. */
enum cn_err clip_l2(float *v, size_t d, double bound, double *norm);

#endif
