/* SPDX-License-Identifier: Apache-2.0 */
/* The distributed discrete Gaussian: every device adds a part of the noise, only the sum carries
 * all of it, and nobody sees less than the sum.
 *
 * A device clips, rotates (rotate.h), scales, rounds at random until the length is at most l2, adds
 * discrete Gaussian noise and takes everything modulo 2^b. Its price is bounds_distributed's, with
 * `devices` the smallest number of honest survivors of a round: noise of the others, and of those
 * who drop out, is not counted. With devices 1 it is local differential privacy.
 *
 * Everything here is in clip norms: clip 1, whatever norm a round clips to, so that plan and price
 * stay the same when the clip adapts. Source: Kairouz, Liu, Steinke 2021, algorithms 1 and 2. */
#ifndef CAIRN_PRIVACY_DISTRIBUTED_H
#define CAIRN_PRIVACY_DISTRIBUTED_H

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "base/random.h"
#include "privacy/bounds.h"
#include "privacy/rotate.h"

#define DISTRIBUTED_PAD                                                                            \
    1024 /* vectors are padded to a multiple; shorter ones to a power of two                       \
          */
#define DISTRIBUTED_SIGMA_MIN 2.5 /* of one device: keeps tau below 2^-80 */
#define DISTRIBUTED_BETA_LOG 20.0 /* rounding is tried again with a chance of e^-20 at most */

struct distributed_wish {
    double noise_multiplier; /* z: the honest survivors' noise / what one device can move */
    uint32_t honest_min;     /* >= 1 */
    uint32_t cohort_max;     /* >= honest_min: so many are added up */
    double rider; /* 0, or the weight of the one real behind the values, in clip norms: that many
                     for a count of 1 (adaptive.h) */
};

struct distributed_plan {
    struct bounds_distributed mechanism; /* what is priced: clip 1; devices 0: no plan */
    uint32_t dim_in;                     /* numbers before padding */
    uint64_t sigma2;                     /* one device's variance, in whole units */
    double l2;                           /* no rounded vector is longer */
    double rider;                        /* as wished */
    double length;                       /* sqrt(1 + rider^2 / 4): a device's, in clip norms */
    double wrap_log2;     /* log2 of the chance that any coordinate of a sum wraps, at most */
    uint8_t modulus_bits; /* 8 .. 32 */
};

/* Chooses scale, noise and modulus together: the scale so large that rounding costs at most a
 * hundredth of the noise, the noise so that honest_min devices carry z, the modulus the smallest in
 * which a sum of cohort_max wraps anywhere with a chance below 2^-40, for updates that all point in
 * one direction. All parties that give the same arguments get the same plan.
 *
 *   n   numbers in the vector, riders included
 *
 * CN_E_CONFIG, with the reason in diag, when no modulus of 32 bits holds the sum. */
enum cn_err distributed_plan_make(struct distributed_plan *plan, uint32_t n,
                                  const struct distributed_wish *wish, struct cn_diag *diag);

/* Encodes v, which is used up.
 *
 *   out   [mechanism.dim]  modulo 2^b
 *   v     [mechanism.dim]  in clip norms, L2 norm at most length (longer ones are clipped again);
 *                          dim_in numbers, the rest is set to zero
 *
 * CN_E_DIVERGED for a NaN or an infinity; CN_E_RANDOM when rounding fails 64 times (never seen);
 * CN_E_NOMEM. On failure out is zero. The sampler is noise_table's, its distance from the exact
 * distribution below 2^-95 a number; beyond sigma 4096 the exact one. */
enum cn_err distributed_encode(uint32_t *out, float *v, const struct distributed_plan *plan,
                               const uint8_t seed[ROTATE_SEED_BYTES],
                               const struct cn_random *random);

/* Turns a sum of vectors back into the sum of updates, in clip norms.
 *
 *   v       [mechanism.dim]  the first dim_in are the sum, the rest is what noise left of padding
 *   vector  [mechanism.dim]  modulo 2^b; higher bits are cut off */
enum cn_err distributed_decode(float *v, const uint32_t *vector,
                               const struct distributed_plan *plan,
                               const uint8_t seed[ROTATE_SEED_BYTES]);

#endif
