/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of optimisers, one pass over the weights: a part of kernels_body.h, which includes it.
 *
 * Every loop also finds the largest magnitude, as bits, of the weights it wrote: those of
 * infinities and NaNs are above those of all numbers, and a maximum of integers can be vectorised.
 */

#define SIGN_OFF 0x7fffffffu
#define INFINITE_BITS 0x7f800000u

INLINE uint32_t larger_bits(uint32_t worst, float value)
{
    uint32_t bits = to_bits(value) & SIGN_OFF;

    return bits > worst ? bits : worst;
}

static bool all_finite_fast(const float *x, size_t n)
{
    uint32_t worst = 0;

    for (size_t i = 0; i < n; i++)
        worst = larger_bits(worst, x[i]);
    return worst < INFINITE_BITS;
}

static bool step_plain_fast(float *restrict w, const float *restrict g, const struct update *u,
                            size_t n)
{
    const float factor = u->share * u->rate;
    uint32_t worst = 0;

    for (size_t i = 0; i < n; i++) {
        w[i] -= factor * g[i];
        worst = larger_bits(worst, w[i]);
    }
    return worst < INFINITE_BITS;
}

INLINE bool step_velocity(float *restrict w, float *restrict v, const float *restrict g,
                          const struct update *u, size_t n, const bool ahead)
{
    const float share = u->share, rate = u->rate, momentum = u->momentum;
    uint32_t worst = 0;

    for (size_t i = 0; i < n; i++) {
        const float slope = share * g[i], now = momentum * v[i] + slope;

        v[i] = now;
        w[i] -= rate * (ahead ? slope + momentum * now : now);
        worst = larger_bits(worst, w[i]);
    }
    return worst < INFINITE_BITS;
}

static bool step_momentum_fast(float *w, float *v, const float *g, const struct update *u, size_t n)
{
    return u->ahead ? step_velocity(w, v, g, u, n, true) : step_velocity(w, v, g, u, n, false);
}

static bool step_adam_fast(float *restrict w, float *restrict first, float *restrict squares,
                           const float *restrict g, const struct update *u, size_t n)
{
    const struct update c = *u;
    uint32_t worst = 0;

    for (size_t i = 0; i < n; i++) {
        const float slope = c.share * g[i];
        const float m = c.beta1 * first[i] + c.new1 * slope;
        const float s = c.beta2 * squares[i] + c.new2 * slope * slope;

        first[i] = m;
        squares[i] = s;
        w[i] = w[i] * c.keep - c.rate * m / (sqrtf(s) * c.root + c.epsilon);
        worst = larger_bits(worst, w[i]);
    }
    return worst < INFINITE_BITS;
}
