/* SPDX-License-Identifier: Apache-2.0 */
/* Noise on integers, exactly distributed, and DP-SGD's noise on a grid of integers.
 *
 * Source: Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy", 2020. No
 * floating point touches a probability, so the holes of Mironov (CCS 2012) do not exist. The time a
 * sample takes depends on its value: call where nobody can time single samples. What the noise
 * proves is in docs/privacy.md. */
#ifndef CAIRN_PRIVACY_NOISE_H
#define CAIRN_PRIVACY_NOISE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/random.h"

/* For sigma^2 = num / den in general, and for whole sigma (den 1, num a square). */
#define NOISE_SIGMA2_PART_MAX ((uint64_t)1 << 42)
#define NOISE_SIGMA_WHOLE_MAX ((uint64_t)1 << 31)

/* Draws n independent samples of the discrete Gaussian: P[x] proportional to
 * exp(-x^2 / (2 sigma^2)) on the integers, sigma^2 = sigma2_num / sigma2_den.
 *
 *   out     [n]
 *   random  uniform bytes: crypto/random's stream in production; buffered here, wiped after
 *
 * CN_E_CONFIG unless both parts are in 1..NOISE_SIGMA2_PART_MAX, or den is 1 and num the square of
 * a whole sigma in 1..NOISE_SIGMA_WHOLE_MAX (out is then unchanged). No allocation; the rate is in
 * privacy/README.md. */
enum cn_err noise_discrete_gaussian(int64_t *out, size_t n, uint64_t sigma2_num,
                                    uint64_t sigma2_den, const struct cn_random *random);

#define NOISE_SCALE_PART_MAX ((uint64_t)1 << 31)

/* Draws n independent samples of the discrete Laplace: P[x] proportional to exp(-|x| / scale) on
 * the integers, scale = scale_num / scale_den. A query of whole numbers with L1 sensitivity s is
 * then exactly s / scale differentially private.
 *
 * CN_E_CONFIG unless both parts are in 1..NOISE_SCALE_PART_MAX (out is then unchanged). */
enum cn_err noise_discrete_laplace(int64_t *out, size_t n, uint64_t scale_num, uint64_t scale_den,
                                   const struct cn_random *random);

#define NOISE_GRID_BITS 20          /* the clip norm spans 2^20 to 2^21 steps of the grid */
#define NOISE_SUM_CLIPS_MAX 0x1p20  /* a coordinate may reach so many clip norms */
#define NOISE_SLACK_MAX 0.25        /* more slack than this says that the sum needs doubles */
#define NOISE_MULTIPLIER_MIN 0x1p-9 /* keeps sigma at 2^11 grid steps or more */
#define NOISE_MULTIPLIER_MAX 256.0
#define NOISE_DIMENSION_MAX ((size_t)1 << 30)

/* Bounds how far float arithmetic can carry the sums of two neighbouring batches apart beyond the
 * clip norm C, in units of C. For sums of at most batch_max clipped gradients, added in float in
 * any order within chunks of at most chunk, the chunks' sums then added in double, the result
 * rounded to float once (chunk = batch_max when everything is added in float):
 *
 *   2 * batch_max * (chunk + 1) * 2^-24   a float addition errs by 2^-24 of its partial sum; both
 *                                         batches err; + 1 for the last rounding
 *   + 2^-9                                the clipped norms themselves may be C * (1 + 2^-10), so
 *                                         norms must be summed in double; and the products of both
 *
 * A Poisson batch is now and then larger than expected: batch_max must be a limit that the caller
 * enforces (10 standard deviations above the mean are never seen). The count is of additions of
 * whole gradients; docs/privacy.md, A1, says what that leaves to assume. Example: 430 in one chunk
 * gives 0.024; 1024 in chunks of 64 gives 0.010. */
double noise_slack(uint32_t batch_max, uint32_t chunk);

/* Adds noise for DP-SGD to a sum of clipped gradients, in place, on a grid of integers.
 *
 *   sum      [d]  sum of gradients, each of L2 norm at most clip_norm (and the error in slack)
 *   clip_norm     2^-60 .. 2^60
 *   noise_multiplier  z, NOISE_MULTIPLIER_MIN .. NOISE_MULTIPLIER_MAX
 *   slack         0 .. NOISE_SLACK_MAX, from noise_slack; fixed before the batch is drawn
 *
 * The grid's step g is the power of two with clip_norm / g in [2^20, 2^21), so that dividing by it
 * is exact. The sum is rounded to the grid; every coordinate moves by at most g / 2 in each of two
 * neighbouring batches, so in grid steps the L2 sensitivity is at most
 * S = (1 + slack) * clip_norm / g + sqrt(d). Discrete Gaussian noise of the whole number
 * sigma >= z * S is added, and the result converted back, which is post-processing. The noise
 * multiplier that holds is therefore z or more, never less.
 *
 * CN_E_CONFIG for parameters out of range; CN_E_DIVERGED if sum holds a NaN or a coordinate beyond
 * NOISE_SUM_CLIPS_MAX * clip_norm; sum is unchanged in both cases. No allocation. */
enum cn_err noise_gradient(float *sum, size_t d, double clip_norm, double noise_multiplier,
                           double slack, const struct cn_random *random);

#endif
