/* SPDX-License-Identifier: Apache-2.0 */
/* An update and its counters as integers modulo 2^b, and the sum of many back as numbers: the
 * coordinates that secure aggregation adds.
 *
 * Without noise nothing wraps, by construction. With noise on the devices (distributed.h) the
 * values are rotated, rounded and noised, and wrap with a probability below 2^-40 a round. */
#ifndef CAIRN_PRIVACY_ENCODE_H
#define CAIRN_PRIVACY_ENCODE_H

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "base/random.h"
#include "privacy/distributed.h"

#define ENCODE_VALUES_MAX ((uint32_t)1 << 30)
#define ENCODE_COUNTERS_MAX 256
#define ENCODE_COHORT_MAX 65536
#define ENCODE_VALUE_BITS_MAX 20 /* finer steps than range / 2^19 only cost bytes */

struct encode_plan {
    uint32_t values;      /* d, coordinates of the update */
    uint32_t counters;    /* k, whole numbers behind them */
    double range;         /* > 0; the L2 norm that an update is clipped to */
    uint8_t value_bits;   /* one device's values lie within +-(2^(value_bits-1) - 1) */
    uint8_t modulus_bits; /* b: 8..32; sums are taken modulo 2^b */
    uint32_t cohort_max;  /* so many devices may be added up */
    double rider; /* 0, or the weight in clip norms of one real behind the values (adaptive.h) */
    struct distributed_plan noise; /* of every device; devices 0: none */
    /* Of one round, by encode_plan_round: */
    uint8_t seed[ROTATE_SEED_BYTES]; /* public: the signs of the rotation */
};

/* Chooses the bits: as many for a value as fit modulo 2^32 with cohort_max devices, at most
 * ENCODE_VALUE_BITS_MAX, and the smallest modulus in which the sum can not wrap. All parties that
 * give the same arguments get the same plan. CN_E_CONFIG, with the reason in diag. */
enum cn_err encode_plan_make(struct encode_plan *plan, uint32_t values, uint32_t counters,
                             double range, uint32_t cohort_max, struct cn_diag *diag);

/* Makes a plan in which every device adds its share of the noise to its values. Clipping is to
 * range (1 until encode_plan_round says otherwise). CN_E_CONFIG, with the reason in diag. */
enum cn_err encode_plan_noised(struct encode_plan *plan, uint32_t values, uint32_t counters,
                               const struct distributed_wish *wish, struct cn_diag *diag);

/* Adds a rider to a plan without noise on the devices. CN_E_CONFIG unless it is in (0, 2]. */
enum cn_err encode_plan_rider(struct encode_plan *plan, double rider);

/* Sets what changes from round to round: the norm that updates are clipped to, and the seed of the
 * rotation, which is derived from the round's binding. range as for encode_plan_make; CN_E_CONFIG.
 */
enum cn_err encode_plan_round(struct encode_plan *plan, double range,
                              const uint8_t binding[ROTATE_SEED_BYTES]);

/* values (padded, when they are rotated) + counters: the length of the encoded vector. */
size_t encode_length(const struct encode_plan *plan);

/* The largest counter of one device: (2^b - 1) / cohort_max. Half a million or more up to cohorts
 * of 4096, 65,535 at the largest. */
uint32_t encode_counter_max(const struct encode_plan *plan);

/* Clips the update to plan->range, scales, rounds at random, and writes two's complement modulo
 * 2^b, the counters behind; with plan->noise as distributed_encode does.
 *
 *   out       [encode_length]
 *   update    [values]    unchanged; with a rider [values + 1], the last in clip
 *                          norms, at most rider / 2 in size
 *   counters  [counters]  each at most encode_counter_max; may be NULL when there are none
 *
 * CN_E_DIVERGED if the update holds a NaN or an infinity; CN_E_TOO_LARGE for a counter; out is then
 * unchanged. CN_E_NOMEM and CN_E_RANDOM with noise only; out then holds nothing that may leave. */
enum cn_err encode_update(uint32_t *out, const float *update, const uint32_t *counters,
                          const struct encode_plan *plan, const struct cn_random *random);

/* Turns the sum of survivors' vectors back into the sum of updates (not the mean) and of counters.
 *
 *   sum       [values]  in the unit of the weights; with a rider [values + 1], in clip norms
 *   counters  [counters]  may be NULL when there are none
 *   vector    [encode_length]  modulo 2^b
 *
 * CN_E_COHORT unless survivors is in 1..cohort_max; CN_E_INCONSISTENT if a coordinate is no sum of
 * that many honest ones; outputs are then zero. */
enum cn_err encode_sum_decode(float *sum, uint64_t *counters, const uint32_t *vector,
                              const struct encode_plan *plan, uint32_t survivors);

/* Noise that one place adds to the sum, on whole numbers (central placement): called with the
 * integers of the sum, which it changes in place, and what one device's L2 norm in them can be. */
typedef enum cn_err (*encode_noise)(void *ctx, int64_t *values, size_t n, double sensitivity);

/* The same with noise on the integers before they become numbers. On failure of noise the outputs
 * are zero. CN_E_NOMEM. */
enum cn_err encode_sum_decode_noised(float *sum, uint64_t *counters, const uint32_t *vector,
                                     const struct encode_plan *plan, uint32_t survivors,
                                     encode_noise noise, void *ctx);

/* The noise multiplier's unit: the L2 norm that one device's integers can have. */
double encode_sensitivity(const struct encode_plan *plan);

#endif
