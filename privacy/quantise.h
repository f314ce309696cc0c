/* SPDX-License-Identifier: Apache-2.0 */
/* Real numbers to integers, without bias. */
#ifndef CAIRN_PRIVACY_QUANTISE_H
#define CAIRN_PRIVACY_QUANTISE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/random.h"

#define QUANTISE_LIMIT_MAX ((int32_t)1 << 30)

/* Rounds scale * v to integers at random: up with the probability of the fraction, down otherwise,
 * so that the expectation is scale * v to within 2^-32.
 *
 *   out    [n]  in -limit .. limit; what lies beyond is clamped
 *   v      [n]  all finite
 *   scale       > 0, finite
 *   limit       1 .. QUANTISE_LIMIT_MAX
 *
 * CN_E_CONFIG for scale or limit; CN_E_DIVERGED if v holds a NaN or an infinity (out is then
 * unchanged). No allocation. */
enum cn_err quantise_stochastic(int32_t *out, const float *v, size_t n, double scale, int32_t limit,
                                const struct cn_random *random);

#endif
