/* SPDX-License-Identifier: Apache-2.0 */
/* Both ends of the distributed discrete Gaussian, and the numbers they agree on.
 *
 * Plan. With C the clip in whole units and D the padded length, a rounded vector is at most l2
 * long: l2^2 = min((C + sqrt D)^2, C^2 + D/4 + sqrt(2 ln(1/beta)) (C + sqrt(D)/2)). C is at least 5
 * sqrt D and 1024, so rounding adds some 1 % to l2; and large enough that one device's sigma is 2.5
 * or more.
 *
 * Why the sum hardly ever wraps. Over the public random signs each coordinate of a block of size B
 * is subgaussian with the block's norm / sqrt B, at most n C / sqrt B for n devices that all say
 * the same; the rounding of n devices with sqrt(n) / 2 (Hoeffding), their noise with sqrt(n) sigma
 * (Canonne, Kamath, Steinke 2020, corollary 17). Given the signs these are independent and centred,
 * so the coordinate is subgaussian with p^2 = n^2 C^2 / B + n / 4 + n sigma^2, and passes 2^(b-1)
 * with a chance of at most 2 exp(-2^(2b-2) / 2p^2). The condition on the rounding holds with 1 -
 * e^-20 a device, which these chances are divided by. A wrap spoils a coordinate, never privacy:
 * the modulus is taken after the noise. */
#include "privacy/distributed.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "privacy/clip.h"
#include "privacy/noise.h"
#include "privacy/noise_table.h"
#include "privacy/quantise.h"

#define CLIP_UNITS_MIN 1024
#define CLIP_PER_ROOT 5
#define WRAP_BITS 40
#define BITS_MIN 8
#define BITS_MAX 32
#define TRIES_MAX 64
#define PIECE 2048 /* numbers per draw of noise */
#define LN2 0.69314718055994531
#define SIGMA2_MAX 0x1p42
/* Below the true length by more than any rounding here. */
#define LENGTH_GUARD (1 - 0x1p-40)

static uint32_t padded(uint32_t n)
{
    uint32_t dim = 1;

    if (n > DISTRIBUTED_PAD)
        return (n + DISTRIBUTED_PAD - 1) / DISTRIBUTED_PAD * DISTRIBUTED_PAD;
    while (dim < n)
        dim *= 2;
    return dim;
}

/* The smallest block that rotate.c makes of dim numbers. */
static uint32_t smallest_block(uint32_t dim)
{
    uint32_t low = dim & (~dim + 1);

    return low < ROTATE_BLOCK ? low : (uint32_t)ROTATE_BLOCK;
}

static double length_square(double c, double dim)
{
    double root = sqrt(dim), all = (c + root) * (c + root);

    return fmin(all, c * c + dim / 4 + sqrt(2 * DISTRIBUTED_BETA_LOG) * (c + root / 2));
}

/* What no coordinate of a sum passes, but with a chance of 2^-40 over all: bits for the modulus. */
static void choose_modulus(struct distributed_plan *plan, uint32_t cohort_max)
{
    const struct bounds_distributed *m = &plan->mechanism;
    double n = cohort_max, c = m->scale * m->clip, sure, spread;
    unsigned log2_dim = 0, bits = BITS_MIN;

    while (((uint64_t)1 << log2_dim) < m->dim)
        log2_dim++;
    spread = n * n * c * c / smallest_block(m->dim) + n / 4 + n * (double)plan->sigma2;
    sure = 2 * LN2 * (WRAP_BITS + 1 + log2_dim);
    while (bits <= BITS_MAX && ldexp(1, 2 * (int)bits - 2) < sure * spread)
        bits++;
    plan->modulus_bits = (uint8_t)bits;
    plan->wrap_log2 = 1 + log2_dim - ldexp(1, 2 * (int)bits - 2) / (2 * LN2 * spread);
}

static enum cn_err refuse(struct cn_diag *diag, const char *what, const char *hint)
{
    cn_diag_set(diag, NULL, 0, 0, "%s", what);
    cn_diag_hint(diag, "%s", hint);
    return CN_E_CONFIG;
}

static bool wish_ok(const struct distributed_wish *wish)
{
    return wish->noise_multiplier >= NOISE_MULTIPLIER_MIN &&
           wish->noise_multiplier <= NOISE_MULTIPLIER_MAX && wish->honest_min >= 1 &&
           wish->honest_min <= wish->cohort_max && wish->rider >= 0 && wish->rider <= 2;
}

enum cn_err distributed_plan_make(struct distributed_plan *plan, uint32_t n,
                                  const struct distributed_wish *wish, struct cn_diag *diag)
{
    double z = wish->noise_multiplier, h = wish->honest_min, clip, square, sigma2;
    uint32_t dim;

    *plan = (struct distributed_plan){0};
    if (n == 0 || n > (uint32_t)1 << 30 || !wish_ok(wish))
        return refuse(diag, "the noise of the devices can not be planned with these numbers",
                      "noise_multiplier 2^-9 .. 256, honest_min from 1 to the largest cohort");
    dim = padded(n);
    plan->length = sqrt(1 + wish->rider * wish->rider / 4);
    clip =
        fmax(fmax(CLIP_UNITS_MIN, CLIP_PER_ROOT * sqrt(dim)), DISTRIBUTED_SIGMA_MIN * sqrt(h) / z);
    plan->mechanism = (struct bounds_distributed){
        .devices = wish->honest_min,
        .dim = dim,
        .clip = plan->length,
        .scale = ceil(clip),
        .beta = 0x1.1b48655f37267p-29, /* e^-20 */
    };
    clip = plan->mechanism.scale * plan->length;
    square = length_square(clip, dim);
    sigma2 = ceil(z * z * square / h);
    plan->dim_in = n;
    plan->rider = wish->rider;
    plan->l2 = sqrt(square);
    if (!(sigma2 <= SIGMA2_MAX))
        return refuse(diag, "so much noise has no sampler", "take a smaller noise_multiplier");
    plan->sigma2 = (uint64_t)sigma2;
    plan->mechanism.sigma = sqrt(sigma2);
    choose_modulus(plan, wish->cohort_max);
    if (plan->modulus_bits > BITS_MAX)
        return refuse(diag, "the noisy sum of the largest cohort does not fit into 32 bits",
                      "take a smaller noise_multiplier or a smaller cohort_max");
    return CN_OK;
}

/* Rounds until the result is no longer than l2. */
static enum cn_err round_within(int32_t *out, const float *v, const struct distributed_plan *plan,
                                const struct cn_random *random)
{
    double most = plan->l2 * plan->l2 * LENGTH_GUARD;

    for (int tries = 0; tries < TRIES_MAX; tries++) {
        uint64_t square = 0;

        CN_TRY(quantise_stochastic(out, v, plan->mechanism.dim, plan->mechanism.scale,
                                   QUANTISE_LIMIT_MAX, random));
        for (uint32_t i = 0; i < plan->mechanism.dim; i++)
            square += (uint64_t)((int64_t)out[i] * out[i]);
        if ((double)square <= most)
            return CN_OK;
    }
    return CN_E_RANDOM;
}

/* By the table, in constant time. */
static enum cn_err add_table_noise(uint32_t *out, const struct distributed_plan *plan,
                                   const struct cn_random *random)
{
    struct noise_table *table;
    int32_t noise[PIECE];
    uint32_t dim = plan->mechanism.dim;

    CN_TRY(noise_table_gaussian(&table, plan->sigma2, 1));
    for (uint32_t at = 0; at < dim; at += PIECE) {
        uint32_t now = dim - at < PIECE ? dim - at : PIECE;

        noise_table_draw(table, noise, now, random);
        for (uint32_t i = 0; i < now; i++)
            out[at + i] += (uint32_t)noise[i];
    }
    explicit_bzero(noise, sizeof noise);
    noise_table_free(table);
    return CN_OK;
}

static enum cn_err add_noise(uint32_t *out, const struct distributed_plan *plan,
                             const struct cn_random *random)
{
    int64_t noise[PIECE];
    uint32_t dim = plan->mechanism.dim;

    if (plan->sigma2 <= NOISE_TABLE_WIDE_MAX)
        return add_table_noise(out, plan, random);
    for (uint32_t at = 0; at < dim; at += PIECE) {
        uint32_t now = dim - at < PIECE ? dim - at : PIECE;

        CN_TRY(noise_discrete_gaussian(noise, now, plan->sigma2, 1, random));
        for (uint32_t i = 0; i < now; i++)
            out[at + i] += (uint32_t)(uint64_t)noise[i];
    }
    explicit_bzero(noise, sizeof noise);
    return CN_OK;
}

static enum cn_err encode(uint32_t *out, float *v, const struct distributed_plan *plan,
                          const uint8_t seed[ROTATE_SEED_BYTES], const struct cn_random *random)
{
    uint32_t dim = plan->mechanism.dim, mask = UINT32_MAX >> (BITS_MAX - plan->modulus_bits);

    CN_TRY(clip_l2(v, plan->dim_in, plan->length, NULL));
    memset(v + plan->dim_in, 0, (dim - plan->dim_in) * sizeof *v);
    CN_TRY(rotate_forward(v, dim, seed));
    CN_TRY(round_within((int32_t *)out, v, plan, random));
    CN_TRY(add_noise(out, plan, random));
    for (uint32_t i = 0; i < dim; i++)
        out[i] &= mask;
    return CN_OK;
}

enum cn_err distributed_encode(uint32_t *out, float *v, const struct distributed_plan *plan,
                               const uint8_t seed[ROTATE_SEED_BYTES],
                               const struct cn_random *random)
{
    enum cn_err err = encode(out, v, plan, seed, random);

    if (err != CN_OK) /* what was rounded and not noised must not stay */
        explicit_bzero(out, plan->mechanism.dim * sizeof *out);
    return err;
}

enum cn_err distributed_decode(float *v, const uint32_t *vector,
                               const struct distributed_plan *plan,
                               const uint8_t seed[ROTATE_SEED_BYTES])
{
    unsigned unused = BITS_MAX - plan->modulus_bits;

    for (uint32_t i = 0; i < plan->mechanism.dim; i++)
        v[i] = (float)((double)((int32_t)(vector[i] << unused) >> unused) / plan->mechanism.scale);
    return rotate_inverse(v, plan->mechanism.dim, seed);
}
