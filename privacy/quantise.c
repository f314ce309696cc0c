/* SPDX-License-Identifier: Apache-2.0 */
/* Stochastic rounding: one 32-bit word of randomness per number. */
#include "privacy/quantise.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define WORDS 256

static bool all_finite(const float *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(v[i]))
            return false;
    return true;
}

static int32_t round_at_random(double x, int32_t limit, uint32_t word)
{
    double low;

    if (x >= limit)
        return limit;
    if (x <= -limit)
        return -limit;
    low = floor(x);
    return (int32_t)low + (word < (x - low) * 0x1p32);
}

enum cn_err quantise_stochastic(int32_t *out, const float *v, size_t n, double scale, int32_t limit,
                                const struct cn_random *random)
{
    uint32_t words[WORDS];

    if (!(scale > 0) || !isfinite(scale) || limit < 1 || limit > QUANTISE_LIMIT_MAX)
        return CN_E_CONFIG;
    if (!all_finite(v, n))
        return CN_E_DIVERGED;
    for (size_t start = 0; start < n; start += WORDS) {
        size_t count = n - start < WORDS ? n - start : WORDS;

        cn_random_fill(random, words, count * sizeof words[0]);
        for (size_t i = 0; i < count; i++)
            out[start + i] = round_at_random((double)v[start + i] * scale, limit, words[i]);
    }
    explicit_bzero(words, sizeof words);
    return CN_OK;
}
