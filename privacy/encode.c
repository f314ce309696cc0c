/* SPDX-License-Identifier: Apache-2.0 */
/* The bits of a plan, and both ends of the sum.
 *
 * Why nothing wraps: one device's value is at most L = 2^(value_bits-1) - 1 in size, and
 * modulus_bits = value_bits + ceil(log2 cohort_max), so cohort_max * L < 2^(modulus_bits-1); one
 * device's counter is at most (2^modulus_bits - 1) / cohort_max. */
#include "privacy/encode.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "privacy/clip.h"
#include "privacy/quantise.h"

#define MODULUS_BITS_MIN 8
#define MODULUS_BITS_MAX 32

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
    if (!(range >= 0x1p-60 && range <= 0x1p60))
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

size_t encode_length(const struct encode_plan *plan)
{
    return (size_t)plan->values + plan->counters;
}

uint32_t encode_counter_max(const struct encode_plan *plan)
{
    return modulus_mask(plan) / plan->cohort_max;
}

enum cn_err encode_update(uint32_t *out, const float *update, const uint32_t *counters,
                          const struct encode_plan *plan, const struct cn_random *random)
{
    uint32_t mask = modulus_mask(plan), limit = value_limit(plan);
    double norm = clip_l2_norm(update, plan->values);
    double scale = limit / (norm > plan->range ? norm : plan->range); /* clips and scales at once */

    if (!isfinite(norm))
        return CN_E_DIVERGED;
    for (uint32_t i = 0; i < plan->counters; i++)
        if (counters[i] > encode_counter_max(plan))
            return CN_E_TOO_LARGE;
    CN_TRY(
        quantise_stochastic((int32_t *)out, update, plan->values, scale, (int32_t)limit, random));
    for (uint32_t i = 0; i < plan->values; i++)
        out[i] &= mask;
    if (plan->counters)
        memcpy(out + plan->values, counters, plan->counters * sizeof *counters);
    return CN_OK;
}

/* The representative of v modulo 2^b that lies in -2^(b-1) .. 2^(b-1) - 1. */
static int64_t signed_of(uint32_t v, const struct encode_plan *plan)
{
    uint32_t sign = (uint32_t)1 << (plan->modulus_bits - 1);

    return (int64_t)(v ^ sign) - (int64_t)sign;
}

static bool sum_is_possible(const uint32_t *vector, const struct encode_plan *plan,
                            uint32_t survivors)
{
    int64_t reach = (int64_t)survivors * value_limit(plan);
    uint64_t counter_reach = (uint64_t)survivors * encode_counter_max(plan);
    uint32_t mask = modulus_mask(plan);

    for (uint32_t i = 0; i < plan->values; i++) {
        int64_t value = signed_of(vector[i], plan);

        if (vector[i] > mask || value > reach || value < -reach)
            return false;
    }
    for (uint32_t i = 0; i < plan->counters; i++)
        if (vector[plan->values + i] > counter_reach)
            return false;
    return true;
}

enum cn_err encode_sum_decode(float *sum, uint64_t *counters, const uint32_t *vector,
                              const struct encode_plan *plan, uint32_t survivors)
{
    double step = plan->range / value_limit(plan);
    bool counted = survivors >= 1 && survivors <= plan->cohort_max;

    if (!counted || !sum_is_possible(vector, plan, survivors)) {
        memset(sum, 0, plan->values * sizeof *sum);
        if (counters)
            memset(counters, 0, plan->counters * sizeof *counters);
        return counted ? CN_E_INCONSISTENT : CN_E_COHORT;
    }
    for (uint32_t i = 0; i < plan->values; i++)
        sum[i] = (float)((double)signed_of(vector[i], plan) * step);
    for (uint32_t i = 0; counters && i < plan->counters; i++)
        counters[i] = vector[plan->values + i];
    return CN_OK;
}
