/* SPDX-License-Identifier: Apache-2.0 */
/* The exact sampler (Canonne, Kamath, Steinke 2020, algorithms 1 to 3) and the grid for DP-SGD.
 *
 * The paper's parts, in integers only: a Bernoulli of a fraction, compared with random bits only as
 * far as needed; BerExp, a Bernoulli of exp(-fraction), by von Neumann's alternating series; the
 * discrete Laplace of scale t; the discrete Gaussian by rejection from it. t may be any whole
 * number (the paper takes floor(sigma) + 1): a whole sigma is its own t, which keeps fractions
 * short.
 *
 * Ranges, with x^ for the largest value of x:
 *   a fraction p / q has p < q < 2^96, so p * 2^32 and 2^32 * q stay below 2^128;
 *   q is D * K, where D is at most 2^87 (plan_of) and K below 2^9: K = 512 comes with probability
 *   under 1/511!, which no program sees, and is asserted. */
#include "privacy/noise.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

__extension__ typedef unsigned __int128 wide;

#define WORDS 512 /* 2 KiB of randomness per refill */
#define RUN_MAX 512
#define LAPLACE_STEPS_MAX ((uint64_t)1 << 16) /* probability of more: exp(-65536) */

struct bits {
    const struct cn_random *random;
    uint32_t at; /* the next word; WORDS: none left */
    uint32_t word[WORDS];
};

static void bits_init(struct bits *bits, const struct cn_random *random)
{
    bits->random = random;
    bits->at = WORDS;
}

static uint32_t next_word(struct bits *bits)
{
    if (__builtin_expect(bits->at == WORDS, 0)) {
        cn_random_fill(bits->random, bits->word, sizeof bits->word);
        bits->at = 0;
    }
    return bits->word[bits->at++];
}

/* Uniform in 0..bound-1, 0 < bound <= 2^32: Lemire 2019, without bias. */
static uint32_t uniform_below(struct bits *bits, uint64_t bound)
{
    uint64_t product = next_word(bits) * bound;

    if (__builtin_expect((uint32_t)product < bound, 0)) {
        uint64_t reject_below = ((uint64_t)1 << 32) % bound;

        while ((uint32_t)product < reject_below)
            product = next_word(bits) * bound;
    }
    return (uint32_t)(product >> 32);
}

/* True with probability p / q exactly, p <= q < 2^96. With U = 0.w1 w2 w3 .. in base 2^32 decides
 * U < p / q: after the word w, U lies in [w, w + 1) / 2^32, which p / q cuts with probability 2^-32
 * only; the rest of the question is then the fraction (p * 2^32 - w * q) / q. */
static bool bernoulli(struct bits *bits, wide p, wide q)
{
    if (p >= q)
        return true;
    for (;;) {
        uint32_t w = next_word(bits);
        wide target = p << 32;
        wide low = w * q;

        if (__builtin_expect(low >= target, 0))
            return false;
        p = target - low;
        if (__builtin_expect(p >= q, 1))
            return true;
    }
}

/* True with probability exp(-p / q), p <= q <= 2^87: K runs while Bernoulli(p / (q K)) holds. */
static bool bernoulli_exp_unit(struct bits *bits, wide p, wide q)
{
    uint32_t k = 1;

    while (bernoulli(bits, p, q * k)) {
        k++;
        CN_ASSERT(k < RUN_MAX);
    }
    return k & 1;
}

/* The same for any p: exp(-p / q) = exp(-1) .. exp(-1) exp(-rest). */
static bool bernoulli_exp(struct bits *bits, wide p, wide q)
{
    for (; p > q; p -= q)
        if (!bernoulli_exp_unit(bits, 1, 1))
            return false;
    return bernoulli_exp_unit(bits, p, q);
}

/* A Gaussian's constants: |Y| = y is kept with probability exp(-(a y - b)^2 / D). */
struct plan {
    uint64_t t; /* scale of the discrete Laplace; 1 <= t <= 2^31 */
    uint64_t a, b;
    wide denominator; /* D */
};

static uint64_t square_root(uint64_t x)
{
    uint64_t root = (uint64_t)sqrt((double)x);

    while (root > 0 && (wide)root * root > x)
        root--;
    while ((wide)(root + 1) * (root + 1) <= x)
        root++;
    return root;
}

/* (y - sigma^2 / t)^2 / (2 sigma^2) as (a y - b)^2 / D.
 *
 * Whole sigma = t: (y - t)^2 / (2 t^2), so D <= 2^63 and a y <= t * 2^16 <= 2^47.
 * Else sigma^2 = num / den: (t den y - num)^2 / (2 t^2 den num). num, den <= 2^42 and
 * t <= sqrt(num / den) + 1 give t^2 den <= (sqrt num + sqrt den)^2 <= 2^44, so D <= 2^87; and with
 * y < t * 2^16: a y < t^2 den 2^16 <= 2^60, whose square stays below 2^128. */
static enum cn_err plan_of(struct plan *plan, uint64_t num, uint64_t den)
{
    uint64_t root;

    if (num == 0 || den == 0)
        return CN_E_CONFIG;
    root = square_root(num);
    if (den == 1 && root * root == num && root <= NOISE_SIGMA_WHOLE_MAX) {
        *plan = (struct plan){root, 1, root, 2 * (wide)num};
        return CN_OK;
    }
    if (num > NOISE_SIGMA2_PART_MAX || den > NOISE_SIGMA2_PART_MAX)
        return CN_E_CONFIG;
    plan->t = square_root(num / den) + 1;
    plan->a = plan->t * den;
    plan->b = num;
    plan->denominator = 2 * (wide)plan->t * plan->a * num;
    return CN_OK;
}

/* |Y| of the discrete Laplace with scale t: U + t V, U weighted by exp(-U / t), V by exp(-V). */
static uint64_t laplace_magnitude(struct bits *bits, uint64_t t)
{
    uint64_t u, v = 0;

    do
        u = uniform_below(bits, t);
    while (!bernoulli_exp_unit(bits, u, t));
    while (bernoulli_exp_unit(bits, 1, 1)) {
        v++;
        CN_ASSERT(v < LAPLACE_STEPS_MAX);
    }
    return u + t * v;
}

static int64_t draw(struct bits *bits, const struct plan *plan)
{
    for (;;) {
        uint64_t y = laplace_magnitude(bits, plan->t);
        uint64_t ay = plan->a * y;
        uint64_t off = ay > plan->b ? ay - plan->b : plan->b - ay;
        bool negative;

        if (!bernoulli_exp(bits, (wide)off * off, plan->denominator))
            continue;
        negative = next_word(bits) >> 31;
        if (negative && y == 0)
            continue; /* else zero would come twice as often */
        return negative ? -(int64_t)y : (int64_t)y;
    }
}

enum cn_err noise_discrete_gaussian(int64_t *out, size_t n, uint64_t sigma2_num,
                                    uint64_t sigma2_den, const struct cn_random *random)
{
    struct plan plan;
    struct bits bits;

    CN_TRY(plan_of(&plan, sigma2_num, sigma2_den));
    bits_init(&bits, random);
    for (size_t i = 0; i < n; i++)
        out[i] = draw(&bits, &plan);
    explicit_bzero(&bits, sizeof bits);
    return CN_OK;
}

enum cn_err noise_discrete_laplace(int64_t *out, size_t n, uint64_t scale_num, uint64_t scale_den,
                                   const struct cn_random *random)
{
    struct bits bits;

    if (scale_num == 0 || scale_den == 0 || scale_num > NOISE_SCALE_PART_MAX ||
        scale_den > NOISE_SCALE_PART_MAX)
        return CN_E_CONFIG;
    bits_init(&bits, random);
    for (size_t i = 0; i < n;) { /* the paper's algorithm 2 */
        uint64_t y = laplace_magnitude(&bits, scale_num) / scale_den;
        bool negative = next_word(&bits) >> 31;

        if (negative && y == 0)
            continue; /* else zero would come twice as often */
        out[i++] = negative ? -(int64_t)y : (int64_t)y;
    }
    explicit_bzero(&bits, sizeof bits);
    return CN_OK;
}

double noise_slack(uint32_t batch_max, uint32_t chunk)
{
    return 2.0 * batch_max * (chunk + 1.0) * 0x1p-24 + 0x1p-9;
}

/* The noise's sigma in steps of the grid, rounded up: z * ((1 + slack) * clip / g + sqrt d). Each
 * of the five operations errs by 2^-53 of its result, which the factor 1 + 2^-49 covers. */
static uint64_t grid_sigma(size_t d, double clip_steps, double z, double slack)
{
    double sensitivity = (1.0 + slack) * clip_steps + sqrt((double)d);

    return (uint64_t)ceil(z * sensitivity * (1.0 + 0x1p-49));
}

static bool gradient_config_ok(size_t d, double clip_norm, double z, double slack)
{
    return d <= NOISE_DIMENSION_MAX && clip_norm >= 0x1p-60 && clip_norm <= 0x1p60 &&
           z >= NOISE_MULTIPLIER_MIN && z <= NOISE_MULTIPLIER_MAX && slack >= 0 &&
           slack <= NOISE_SLACK_MAX;
}

enum cn_err noise_gradient(float *sum, size_t d, double clip_norm, double noise_multiplier,
                           double slack, const struct cn_random *random)
{
    struct plan plan;
    struct bits bits;
    double step, reach = NOISE_SUM_CLIPS_MAX * clip_norm;
    uint64_t sigma;
    int exponent;

    if (!gradient_config_ok(d, clip_norm, noise_multiplier, slack))
        return CN_E_CONFIG;
    for (size_t i = 0; i < d; i++)
        if (!(fabs((double)sum[i]) <= reach)) /* false for NaN too */
            return CN_E_DIVERGED;
    frexp(clip_norm, &exponent); /* clip_norm in [2^(exponent-1), 2^exponent) */
    step = ldexp(1.0, exponent - 1 - NOISE_GRID_BITS);
    sigma = grid_sigma(d, clip_norm / step, noise_multiplier, slack);
    /* sigma < 256 * (1.25 * 2^21 + 2^15) + 1 < 2^30; |sum| < 2^20 * 2^21 steps: all far below 2^53.
     */
    CN_TRY(plan_of(&plan, sigma * sigma, 1));
    bits_init(&bits, random);
    for (size_t i = 0; i < d; i++) {
        double steps = rint((double)sum[i] / step);

        sum[i] = (float)((double)((int64_t)steps + draw(&bits, &plan)) * step);
    }
    explicit_bzero(&bits, sizeof bits);
    return CN_OK;
}
