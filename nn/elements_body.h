/* SPDX-License-Identifier: Apache-2.0 */
/* The elements, written once. elements_<set>.c defines ELEMENTS_TABLE and ELEMENTS_NAME and
 * includes this file; the build compiles it for that instruction set. There is no header guard on
 * purpose.
 *
 * Every function of one value is free of branches and calls, so that loops over it become vectors.
 * The polynomials of 2^f and of (tanh(x) / x - 1) / x^2 are those of kernels_body.h: they
 * interpolate at Chebyshev nodes of |f| <= 1/2 and 0 <= x <= 0.625. */
#include <math.h>
#include <string.h>

#include "nn/elements.h"

#define INLINE static inline __attribute__((always_inline))
#define LANES 16 /* partial sums that do not wait for each other, in a fixed order */

INLINE float from_bits(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

INLINE uint32_t to_bits(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

#define TO_INTEGER 12582912.0f /* 1.5 * 2^23: adding it rounds, the low bits are the integer */

/* 2^f 2^whole for |f| <= 1/2; shifted is whole + TO_INTEGER. */
INLINE float power_of_two(float f, float shifted)
{
    float power = 1.546144469856913e-4f;

    power = power * f + 1.3400428177615838e-3f;
    power = power * f + 9.618056678524637e-3f;
    power = power * f + 5.550327226670302e-2f;
    power = power * f + 2.4022650922288757e-1f;
    power = power * f + 6.931472067028326e-1f;
    return (power * f + 1.0f) * from_bits((to_bits(shifted) << 23) + 0x3f800000u);
}

/* ln 2 goes in two parts, the first exact in products, or large arguments would lose bits. NaN
 * stays: a comparison with it is false. */
INLINE float exp_one(float x)
{
    float inside = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    float shifted = inside * 1.4426950408889634f + TO_INTEGER, whole = shifted - TO_INTEGER;
    float rest = inside - whole * 0.693359375f;

    rest = rest + whole * 2.12194440e-4f;
    return power_of_two(rest * 1.4426950408889634f, shifted);
}

INLINE float sigmoid_one(float x)
{
    return 1.0f / (1.0f + exp_one(-x));
}

/* An odd polynomial near zero keeps the relative error; elsewhere 1 - 2 / (e^2|x| + 1). */
INLINE float tanh_one(float x)
{
    float size = fabsf(x), u = x * x, z, shifted, far_value, near_value;

    z = (size > 10.0f ? 10.0f : size) * 2.8853900817779268f; /* 2 / ln 2 */
    shifted = z + TO_INTEGER;
    far_value = 1.0f - 2.0f / (power_of_two(z - (shifted - TO_INTEGER), shifted) + 1.0f);
    near_value = 2.292744816175457e-3f;
    near_value = near_value * u - 8.343945515836258e-3f;
    near_value = near_value * u + 2.1768918651027074e-2f;
    near_value = near_value * u - 5.395925957720435e-2f;
    near_value = near_value * u + 1.333330355691574e-1f;
    near_value = near_value * u - 3.333333317214036e-1f;
    return size < 0.625f ? x + x * u * near_value : copysignf(far_value, x);
}

/* The normal distribution's cumulative probability, and e^(-x^2 / 2) on the way. */
INLINE float normal_one(float x, float *bell)
{
    float size = fabsf(x), t = 1.0f / (1.0f + 0.2316419f * size), tail;

    *bell = exp_one(-0.5f * x * x);
    tail = 1.330274429f;
    tail = tail * t - 1.821255978f;
    tail = tail * t + 1.781477937f;
    tail = tail * t - 0.356563782f;
    tail = tail * t + 0.319381530f;
    tail = tail * t * *bell * 0.3989422804f;
    return x > 0.0f ? 1.0f - tail : tail;
}

static float largest(const float *x, size_t n)
{
    float lanes[LANES], best = x[0];
    size_t i = 0;

    for (size_t l = 0; l < LANES; l++)
        lanes[l] = x[0];
    for (; i + LANES <= n; i += LANES)
        for (size_t l = 0; l < LANES; l++)
            lanes[l] = x[i + l] > lanes[l] ? x[i + l] : lanes[l];
    for (size_t l = 0; l < LANES; l++)
        best = lanes[l] > best ? lanes[l] : best;
    for (; i < n; i++)
        best = x[i] > best ? x[i] : best;
    return best;
}

static double exp_shifted(float *y, const float *x, float shift, size_t n)
{
    double lanes[LANES] = {0.0}, sum = 0.0;
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        float e[LANES];

        for (size_t l = 0; l < LANES; l++)
            e[l] = exp_one(x[i + l] - shift);
        for (size_t l = 0; l < LANES; l++)
            lanes[l] += (double)e[l];
        memcpy(y + i, e, sizeof e);
    }
    for (; i < n; i++) {
        y[i] = exp_one(x[i] - shift);
        sum += (double)y[i];
    }
    for (size_t l = 0; l < LANES; l++)
        sum += lanes[l];
    return sum;
}

static void softmax(float *y, const float *x, size_t n)
{
    const float share = (float)(1.0 / exp_shifted(y, x, largest(x, n), n));

    for (size_t i = 0; i < n; i++)
        y[i] *= share;
}

static void softmax_back(float *dx, const float *dy, const float *y, size_t n)
{
    float lanes[LANES] = {0.0f}, along = 0.0f;
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (size_t l = 0; l < LANES; l++)
            lanes[l] += dy[i + l] * y[i + l];
    for (; i < n; i++)
        along += dy[i] * y[i];
    for (size_t l = 0; l < LANES; l++)
        along += lanes[l];
    for (i = 0; i < n; i++)
        dx[i] = y[i] * (dy[i] - along);
}

static void sigmoid(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = sigmoid_one(x[i]);
}

static void gelu(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float bell;

        y[i] = x[i] * normal_one(x[i], &bell);
    }
}

static void gelu_back(float *dx, const float *dy, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float bell, share = normal_one(x[i], &bell);

        dx[i] = dy[i] * (share + x[i] * bell * 0.3989422804f);
    }
}

static void lstm(float *restrict gates, float *restrict h, float *restrict c,
                 const float *restrict before, size_t units)
{
    float *restrict in = gates, *restrict forget = gates + units;
    float *restrict cell = gates + 2 * units, *restrict out = gates + 3 * units;

    for (size_t j = 0; j < units; j++) {
        float i = sigmoid_one(in[j]), f = sigmoid_one(forget[j]);
        float g = tanh_one(cell[j]), o = sigmoid_one(out[j]), now = f * before[j] + i * g;

        in[j] = i;
        forget[j] = f;
        cell[j] = g;
        out[j] = o;
        c[j] = now;
        h[j] = o * tanh_one(now);
    }
}

static void lstm_back(float *restrict gates, float *restrict dc, const float *restrict dh,
                      const float *restrict c, const float *restrict before, size_t units)
{
    float *restrict in = gates, *restrict forget = gates + units;
    float *restrict cell = gates + 2 * units, *restrict out = gates + 3 * units;

    for (size_t j = 0; j < units; j++) {
        float i = in[j], f = forget[j], g = cell[j], o = out[j], t = tanh_one(c[j]);
        float d = dc[j] + dh[j] * o * (1.0f - t * t);

        in[j] = d * g * i * (1.0f - i);
        forget[j] = d * before[j] * f * (1.0f - f);
        cell[j] = d * i * (1.0f - g * g);
        out[j] = dh[j] * t * o * (1.0f - o);
        dc[j] = d * f;
    }
}

static void gru(float *restrict gates, float *restrict h, const float *restrict inner,
                const float *restrict before, size_t units)
{
    float *restrict reset = gates, *restrict update = gates + units;
    float *restrict fresh = gates + 2 * units;

    for (size_t j = 0; j < units; j++) {
        float r = sigmoid_one(reset[j] + inner[j]);
        float z = sigmoid_one(update[j] + inner[units + j]);
        float n = tanh_one(fresh[j] + r * inner[2 * units + j]);

        reset[j] = r;
        update[j] = z;
        fresh[j] = n;
        h[j] = n + z * (before[j] - n);
    }
}

static void gru_back(float *restrict gates, float *restrict inner, float *restrict dh,
                     const float *restrict before, size_t units)
{
    float *restrict reset = gates, *restrict update = gates + units;
    float *restrict fresh = gates + 2 * units;

    for (size_t j = 0; j < units; j++) {
        float r = reset[j], z = update[j], n = fresh[j], d = dh[j];
        float dn = d * (1.0f - z) * (1.0f - n * n);
        float dr = dn * inner[2 * units + j] * r * (1.0f - r);
        float dz = d * (before[j] - n) * z * (1.0f - z);

        reset[j] = inner[j] = dr;
        update[j] = inner[units + j] = dz;
        fresh[j] = dn;
        inner[2 * units + j] = dn * r;
        dh[j] = d * z;
    }
}

const struct elements ELEMENTS_TABLE = {
    .name = ELEMENTS_NAME,
    .largest = largest,
    .exp_shifted = exp_shifted,
    .softmax = softmax,
    .softmax_back = softmax_back,
    .sigmoid = sigmoid,
    .gelu = gelu,
    .gelu_back = gelu_back,
    .lstm = lstm,
    .lstm_back = lstm_back,
    .gru = gru,
    .gru_back = gru_back,
};
