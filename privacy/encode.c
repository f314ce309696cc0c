/* SPDX-License-Identifier: Apache-2.0 */
/* The bits of a plan, and both ends of the sum.
 *
 * Why nothing wraps: one device's value is at most L = 2^(value_bits-1) - 1 in size, and
 * modulus_bits = value_bits + ceil(log2 cohort_max), so cohort_max * L < 2^(modulus_bits-1); one
 * device's counter is at most (2^modulus_bits - 1) / cohort_max. With noise on the devices that is
 * distributed.c's affair. */
#include "privacy/encode.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/hash.h"
#include "privacy/clip.h"
#include "privacy/quantise.h"

#define MODULUS_BITS_MIN 8
#define MODULUS_BITS_MAX 32
#define RANGE_MIN 0x1p-60
#define RANGE_MAX 0x1p60

static uint32_t value_limit(const struct encode_plan *plan)
{
    return ((uint32_t)1 << (plan->value_bits - 1)) - 1;
}

static uint32_t modulus_mask(const struct encode_plan *plan)
{
    return UINT32_MAX >> (MODULUS_BITS_MAX - plan->modulus_bits);
}

static enum cn_err refuse(struct cn_diag *diag, const char *what)
{
    cn_diag_set(diag, NULL, 0, 0, "%s", what);
    return CN_E_CONFIG;
}

enum cn_err encode_plan_make(struct encode_plan *plan, uint32_t values, uint32_t counters,
                             double range, uint32_t cohort_max, struct cn_diag *diag)
{
    uint32_t cohort_bits = 0, value_bits;

    if (values == 0 || values > ENCODE_VALUES_MAX)
        return refuse(diag, "the model must have between 1 and 2^30 parameters");
    if (counters > ENCODE_COUNTERS_MAX)
        return refuse(diag, "an update can carry at most 256 counters");
    if (!(range >= RANGE_MIN && range <= RANGE_MAX))
        return refuse(diag, "the norm that updates are clipped to must be a positive number");
    if (cohort_max == 0 || cohort_max > ENCODE_COHORT_MAX)
        return refuse(diag, "the largest cohort must be between 1 and 65536 devices");
    while (((uint32_t)1 << cohort_bits) < cohort_max)
        cohort_bits++;
    value_bits = MODULUS_BITS_MAX - cohort_bits;
    if (value_bits > ENCODE_VALUE_BITS_MAX)
        value_bits = ENCODE_VALUE_BITS_MAX;
    *plan = (struct encode_plan){
        .values = values,
        .counters = counters,
        .range = range,
        .value_bits = (uint8_t)value_bits,
        .modulus_bits = (uint8_t)(value_bits + cohort_bits),
        .cohort_max = cohort_max,
    };
    CN_ASSERT(plan->modulus_bits >= MODULUS_BITS_MIN && plan->modulus_bits <= MODULUS_BITS_MAX);
    CN_ASSERT((uint64_t)cohort_max * value_limit(plan) < (uint64_t)1 << (plan->modulus_bits - 1));
    return CN_OK;
}

enum cn_err encode_plan_noised(struct encode_plan *plan, uint32_t values, uint32_t counters,
                               const struct distributed_wish *wish, struct cn_diag *diag)
{
    CN_TRY(encode_plan_make(plan, values, counters, 1, wish->cohort_max, diag));
    CN_TRY(distributed_plan_make(&plan->noise, values + (wish->rider > 0 ? 1 : 0), wish, diag));
    plan->rider = wish->rider;
    plan->value_bits = 0;
    plan->modulus_bits = plan->noise.modulus_bits;
    while (encode_counter_max(plan) == 0) /* every device counts as one */
        plan->modulus_bits = ++plan->noise.modulus_bits;
    return CN_OK;
}

enum cn_err encode_plan_rider(struct encode_plan *plan, double rider)
{
    if (!(rider > 0 && rider <= 2) || plan->noise.mechanism.devices)
        return CN_E_CONFIG;
    plan->rider = rider;
    return CN_OK;
}

enum cn_err encode_plan_round(struct encode_plan *plan, double range,
                              const uint8_t binding[ROTATE_SEED_BYTES])
{
    static const char label[] = "cairn-rotate";
    struct hash state;

    if (!(range >= RANGE_MIN && range <= RANGE_MAX))
        return CN_E_CONFIG;
    plan->range = range;
    hash_init(&state, label);
    hash_add(&state, binding, ROTATE_SEED_BYTES);
    hash_final(&state, plan->seed);
    return CN_OK;
}

static uint32_t reals(const struct encode_plan *plan)
{
    return plan->values + (plan->rider > 0 ? 1 : 0);
}

/* Length of everything before the counters. */
static uint32_t coordinates(const struct encode_plan *plan)
{
    return plan->noise.mechanism.devices ? plan->noise.mechanism.dim : reals(plan);
}

/* What a device's values and its rider can be together, in clip norms. */
static double length_of(const struct encode_plan *plan)
{
    return sqrt(1 + plan->rider * plan->rider / 4);
}

size_t encode_length(const struct encode_plan *plan)
{
    return (size_t)coordinates(plan) + plan->counters;
}

uint32_t encode_counter_max(const struct encode_plan *plan)
{
    return modulus_mask(plan) / plan->cohort_max;
}

double encode_sensitivity(const struct encode_plan *plan)
{
    if (plan->noise.mechanism.devices)
        return plan->noise.l2;
    return value_limit(plan) + sqrt(reals(plan)); /* every coordinate is rounded by less than 1 */
}

/* Clips and scales at once: factor * update is in clip norms and at most one long. */
static enum cn_err encode_plain(uint32_t *out, const float *update, double factor,
                                const struct encode_plan *plan, const struct cn_random *random)
{
    uint32_t mask = modulus_mask(plan), limit = value_limit(plan);
    double unit = limit / length_of(plan);

    CN_TRY(quantise_stochastic((int32_t *)out, update, plan->values, factor * unit, (int32_t)limit,
                               random));
    if (plan->rider > 0)
        CN_TRY(quantise_stochastic((int32_t *)out + plan->values, update + plan->values, 1, unit,
                                   (int32_t)limit, random));
    for (uint32_t i = 0; i < reals(plan); i++)
        out[i] &= mask;
    return CN_OK;
}

static enum cn_err encode_noised(uint32_t *out, const float *update, double factor,
                                 const struct encode_plan *plan, const struct cn_random *random)
{
    size_t size = plan->noise.mechanism.dim * sizeof(float);
    float *v = malloc(size);
    enum cn_err err;

    if (!v)
        return CN_E_NOMEM;
    for (uint32_t i = 0; i < plan->values; i++)
        v[i] = (float)(update[i] * factor);
    if (plan->rider > 0)
        v[plan->values] = update[plan->values];
    err = distributed_encode(out, v, &plan->noise, plan->seed, random);
    explicit_bzero(v, size);
    free(v);
    return err;
}

enum cn_err encode_update(uint32_t *out, const float *update, const uint32_t *counters,
                          const struct encode_plan *plan, const struct cn_random *random)
{
    double norm = clip_l2_norm(update, plan->values);
    double factor = 1 / (norm > plan->range ? norm : plan->range);

    if (!isfinite(norm) || (plan->rider > 0 && !isfinite(update[plan->values])))
        return CN_E_DIVERGED;
    for (uint32_t i = 0; i < plan->counters; i++)
        if (counters[i] > encode_counter_max(plan))
            return CN_E_TOO_LARGE;
    if (plan->noise.mechanism.devices)
        CN_TRY(encode_noised(out, update, factor, plan, random));
    else
        CN_TRY(encode_plain(out, update, factor, plan, random));
    if (plan->counters)
        memcpy(out + coordinates(plan), counters, plan->counters * sizeof *counters);
    return CN_OK;
}

/* The representative of v modulo 2^b that lies in -2^(b-1) .. 2^(b-1) - 1. */
static int64_t signed_of(uint32_t v, const struct encode_plan *plan)
{
    uint32_t sign = (uint32_t)1 << (plan->modulus_bits - 1);

    return (int64_t)(v ^ sign) - (int64_t)sign;
}

/* Noise leaves any value possible. */
static bool sum_is_possible(const uint32_t *vector, const struct encode_plan *plan,
                            uint32_t survivors)
{
    bool noised = plan->noise.mechanism.devices > 0;
    int64_t reach = noised ? (int64_t)1 << 32 : (int64_t)survivors * value_limit(plan);
    uint64_t counter_reach = (uint64_t)survivors * encode_counter_max(plan);
    uint32_t mask = modulus_mask(plan), count = coordinates(plan);

    for (uint32_t i = 0; i < count; i++) {
        int64_t value = signed_of(vector[i], plan);

        if (vector[i] > mask || value > reach || value < -reach)
            return false;
    }
    for (uint32_t i = 0; i < plan->counters; i++)
        if (vector[count + i] > counter_reach)
            return false;
    return true;
}

/* Values in the unit of the weights, the rider in clip norms. */
static void numbers_of(float *sum, const int64_t *whole, const struct encode_plan *plan)
{
    double unit = length_of(plan) / value_limit(plan);

    for (uint32_t i = 0; i < plan->values; i++)
        sum[i] = (float)((double)whole[i] * (unit * plan->range));
    if (plan->rider > 0)
        sum[plan->values] = (float)((double)whole[plan->values] * unit);
}

/* With what the aggregator adds to the whole numbers. */
static enum cn_err decode_plain(float *sum, const uint32_t *vector, const struct encode_plan *plan,
                                encode_noise noise, void *ctx)
{
    uint32_t n = reals(plan);
    int64_t *whole = n ? malloc(n * sizeof *whole) : NULL;
    enum cn_err err = CN_OK;

    if (!whole)
        return CN_E_NOMEM;
    for (uint32_t i = 0; i < n; i++)
        whole[i] = signed_of(vector[i], plan);
    if (noise)
        err = noise(ctx, whole, n, encode_sensitivity(plan));
    if (err == CN_OK)
        numbers_of(sum, whole, plan);
    explicit_bzero(whole, n * sizeof *whole);
    free(whole);
    return err;
}

static enum cn_err decode_noised(float *sum, const uint32_t *vector, const struct encode_plan *plan)
{
    float *v = malloc(plan->noise.mechanism.dim * sizeof *v);
    enum cn_err err;

    if (!v)
        return CN_E_NOMEM;
    err = distributed_decode(v, vector, &plan->noise, plan->seed);
    for (uint32_t i = 0; err == CN_OK && i < plan->values; i++)
        sum[i] = (float)(v[i] * plan->range);
    if (err == CN_OK && plan->rider > 0)
        sum[plan->values] = v[plan->values];
    free(v);
    return err;
}

static enum cn_err decode(float *sum, const uint32_t *vector, const struct encode_plan *plan,
                          encode_noise noise, void *ctx)
{
    if (!plan->noise.mechanism.devices)
        return decode_plain(sum, vector, plan, noise, ctx);
    return noise ? CN_E_CONFIG : decode_noised(sum, vector, plan); /* never noised twice */
}

enum cn_err encode_sum_decode_noised(float *sum, uint64_t *counters, const uint32_t *vector,
                                     const struct encode_plan *plan, uint32_t survivors,
                                     encode_noise noise, void *ctx)
{
    bool counted = survivors >= 1 && survivors <= plan->cohort_max;
    enum cn_err err = counted ? CN_E_INCONSISTENT : CN_E_COHORT;

    if (counted && sum_is_possible(vector, plan, survivors))
        err = decode(sum, vector, plan, noise, ctx);
    if (err != CN_OK)
        memset(sum, 0, reals(plan) * sizeof *sum);
    for (uint32_t i = 0; counters && i < plan->counters; i++)
        counters[i] = err == CN_OK ? vector[coordinates(plan) + i] : 0;
    return err;
}

enum cn_err encode_sum_decode(float *sum, uint64_t *counters, const uint32_t *vector,
                              const struct encode_plan *plan, uint32_t survivors)
{
    return encode_sum_decode_noised(sum, counters, vector, plan, survivors, NULL, NULL);
}
