/* SPDX-License-Identifier: Apache-2.0 */
/* The fast kernels, written once over vectors of KERNELS_LANES floats.
 *
 * kernels_<set>.c defines KERNELS_LANES, KERNELS_ROWS_1, KERNELS_ROWS_2 (rows of c that one or two
 * vectors of accumulators per row leave registers for), KERNELS_TABLE and KERNELS_NAME and includes
 * this file; the build compiles it for that instruction set. There is no header guard on purpose.
 */
#include <math.h>
#include <string.h>

#include "nn/kernels.h"

#define LANES KERNELS_LANES
#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

typedef float vec __attribute__((vector_size(LANES * sizeof(float))));
/* The same in memory, where it may start at any float. */
typedef float vec_mem __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));

#include "nn/kernels_transpose.h"

#include "nn/kernels_gemm.h"

/* The part [from, to) of a row of the window that lies inside the input, for output column ox. */
struct span {
    uint32_t from, to;
};

INLINE struct span inside(const struct window *w, uint32_t ox)
{
    uint32_t left = ox * w->stride; /* counted with the padding */
    uint32_t end = w->in_width + w->padding;
    struct span s = {0, w->kernel};

    if (left < w->padding)
        s.from = w->padding - left;
    if (left + w->kernel > end)
        s.to = left < end ? end - left : 0;
    if (s.from > s.to)
        s.from = s.to;
    return s;
}

INLINE bool row_inside(const struct window *w, uint32_t y)
{
    return y >= w->padding && y - w->padding < w->in_height;
}

/* Runs are short: a call to memcpy or memset would cost more than the copying, so the last few
 * floats go in fixed sizes, which the compiler turns into single instructions. */
INLINE void copy_run(float *restrict out, const float *restrict in, size_t n)
{
    for (; n >= LANES; n -= LANES, out += LANES, in += LANES)
        *(vec_mem *)out = *(const vec_mem *)in;
    for (; n >= 4; n -= 4, out += 4, in += 4)
        memcpy(out, in, 4 * sizeof *out);
    if (n & 2)
        memcpy(out, in, 2 * sizeof *out);
    if (n & 1)
        out[n - 1] = in[n - 1];
}

INLINE void zero_run(float *out, size_t n)
{
    for (; n >= LANES; n -= LANES, out += LANES)
        *(vec_mem *)out = (vec){0.0f};
    for (; n >= 4; n -= 4, out += 4)
        memset(out, 0, 4 * sizeof *out);
    if (n & 2)
        memset(out, 0, 2 * sizeof *out);
    if (n & 1)
        out[n - 1] = 0.0f;
}

INLINE void add_run(float *restrict out, const float *restrict in, size_t n)
{
    for (; n >= LANES; n -= LANES, out += LANES, in += LANES)
        *(vec_mem *)out += *(const vec_mem *)in;
    for (; n > 0; n--)
        *out++ += *in++;
}

/* One row of one patch; row is where it would start in x, which it may do outside. */
INLINE void patch_row(float *restrict col, const float *x, ptrdiff_t row, struct span s,
                      const struct window *w)
{
    const size_t c = w->channels;

    zero_run(col, s.from * c);
    copy_run(col + s.from * c, x + row + (ptrdiff_t)(s.from * c), (s.to - s.from) * c);
    zero_run(col + s.to * c, (w->kernel - s.to) * c);
}

/* Where the patch at (oy, ox) starts in x, counted as if x went on into the padding. */
INLINE ptrdiff_t patch_start(const struct window *w, uint32_t oy, uint32_t ox)
{
    ptrdiff_t y = (ptrdiff_t)(oy * w->stride) - (ptrdiff_t)w->padding;
    ptrdiff_t x = (ptrdiff_t)(ox * w->stride) - (ptrdiff_t)w->padding;

    return (y * (ptrdiff_t)w->in_width + x) * (ptrdiff_t)w->channels;
}

static void im2col_fast(float *col, const float *x, const struct window *w)
{
    const size_t run = (size_t)w->kernel * w->channels;
    const ptrdiff_t row = (ptrdiff_t)((size_t)w->in_width * w->channels);

    for (uint32_t oy = 0; oy < w->out_height; oy++) {
        for (uint32_t ox = 0; ox < w->out_width; ox++) {
            struct span s = inside(w, ox);
            ptrdiff_t from = patch_start(w, oy, ox);

            for (uint32_t ky = 0; ky < w->kernel; ky++, col += run, from += row) {
                if (!row_inside(w, oy * w->stride + ky) || s.from == s.to)
                    zero_run(col, run);
                else if (s.to - s.from == w->kernel)
                    copy_run(col, x + from, run);
                else
                    patch_row(col, x, from, s, w);
            }
        }
    }
}

static void col2im_fast(float *dx, const float *col, const struct window *w)
{
    const size_t c = w->channels, run = w->kernel * c;
    const ptrdiff_t row = (ptrdiff_t)(w->in_width * c);

    for (uint32_t oy = 0; oy < w->out_height; oy++) {
        for (uint32_t ox = 0; ox < w->out_width; ox++) {
            struct span s = inside(w, ox);
            ptrdiff_t from = patch_start(w, oy, ox) + (ptrdiff_t)(s.from * c);

            for (uint32_t ky = 0; ky < w->kernel; ky++, col += run, from += row)
                if (row_inside(w, oy * w->stride + ky) && s.from < s.to)
                    add_run(dx + from, col + s.from * c, (s.to - s.from) * c);
        }
    }
}

/* Pools walk runs of outputs whose inputs lie side by side: a whole row when the stride is 1, the
 * channels of one place otherwise. */
struct runs {
    size_t count, length, in_step;
};

INLINE struct runs runs_of(const struct window *w)
{
    if (w->stride == 1)
        return (struct runs){1, (size_t)w->out_width * w->channels, 0};
    return (struct runs){w->out_width, w->channels, (size_t)w->stride * w->channels};
}

INLINE size_t tap_offset(const struct window *w, uint32_t tap)
{
    return ((size_t)(tap / w->kernel) * w->in_width + tap % w->kernel) * w->channels;
}

INLINE void max_run(float *restrict y, uint32_t *restrict which, const float *restrict x,
                    uint32_t tap, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool more = x[i] > y[i];

        y[i] = more ? x[i] : y[i];
        which[i] = more ? tap : which[i];
    }
}

static void max_pool_fast(float *y, uint32_t *tap, const float *x, const struct window *w)
{
    const struct runs r = runs_of(w);
    const size_t row = (size_t)w->in_width * w->channels;

    for (size_t at = 0; at < w->out_height * r.count; at++, y += r.length, tap += r.length) {
        const float *in = x + at / r.count * w->stride * row + at % r.count * r.in_step;

        memcpy(y, in, r.length * sizeof *y);
        memset(tap, 0, r.length * sizeof *tap);
        for (uint32_t t = 1; t < w->kernel * w->kernel; t++)
            max_run(y, tap, in + tap_offset(w, t), t, r.length);
    }
}

INLINE void add_where(float *restrict dx, const float *restrict dy, const uint32_t *restrict which,
                      uint32_t tap, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dx[i] += which[i] == tap ? dy[i] : 0.0f;
}

static void max_pool_back_fast(float *dx, const float *dy, const uint32_t *tap,
                               const struct window *w)
{
    const struct runs r = runs_of(w);
    const size_t row = (size_t)w->in_width * w->channels;

    for (size_t at = 0; at < w->out_height * r.count; at++, dy += r.length, tap += r.length) {
        float *in = dx + at / r.count * w->stride * row + at % r.count * r.in_step;

        for (uint32_t t = 0; t < w->kernel * w->kernel; t++)
            add_where(in + tap_offset(w, t), dy, tap, t, r.length);
    }
}

INLINE void add_scaled_run(float *restrict y, const float *restrict x, float factor, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += factor * x[i];
}

static void average_pool_fast(float *y, const float *x, const struct window *w)
{
    const struct runs r = runs_of(w);
    const size_t row = (size_t)w->in_width * w->channels;
    const float share = 1.0f / (float)(w->kernel * w->kernel);

    for (size_t at = 0; at < w->out_height * r.count; at++, y += r.length) {
        const float *in = x + at / r.count * w->stride * row + at % r.count * r.in_step;

        zero_run(y, r.length);
        for (uint32_t t = 0; t < w->kernel * w->kernel; t++)
            add_scaled_run(y, in + tap_offset(w, t), share, r.length);
    }
}

static void average_pool_back_fast(float *dx, const float *dy, const struct window *w)
{
    const struct runs r = runs_of(w);
    const size_t row = (size_t)w->in_width * w->channels;
    const float share = 1.0f / (float)(w->kernel * w->kernel);

    for (size_t at = 0; at < w->out_height * r.count; at++, dy += r.length) {
        float *in = dx + at / r.count * w->stride * row + at % r.count * r.in_step;

        for (uint32_t t = 0; t < w->kernel * w->kernel; t++)
            add_scaled_run(in + tap_offset(w, t), dy, share, r.length);
    }
}

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

/* Both ways are computed and one is chosen, so that the loop has no branch. Near zero an odd
 * polynomial keeps the relative error; elsewhere 1 - 2 / (e^2|x| + 1). The coefficients interpolate
 * (tanh(x) / x - 1) / x^2 and 2^f at Chebyshev nodes of 0 <= x <= 0.625 and |f| <= 1/2. */
INLINE float tanh_one(float x)
{
    const float to_integer = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    float size = fabsf(x), u = x * x, z, whole, f, power, far_value, near_value;

    z = (size > 10.0f ? 10.0f : size) * 2.8853900817779268f; /* 2 / ln 2; NaN stays */
    whole = z + to_integer;
    f = z - (whole - to_integer);
    power = 1.546144469856913e-4f;
    power = power * f + 1.3400428177615838e-3f;
    power = power * f + 9.618056678524637e-3f;
    power = power * f + 5.550327226670302e-2f;
    power = power * f + 2.4022650922288757e-1f;
    power = power * f + 6.931472067028326e-1f;
    power = (power * f + 1.0f) * from_bits((to_bits(whole) << 23) + 0x3f800000u);
    far_value = copysignf(1.0f - 2.0f / (power + 1.0f), x);
    near_value = 2.292744816175457e-3f;
    near_value = near_value * u - 8.343945515836258e-3f;
    near_value = near_value * u + 2.1768918651027074e-2f;
    near_value = near_value * u - 5.395925957720435e-2f;
    near_value = near_value * u + 1.333330355691574e-1f;
    near_value = near_value * u - 3.333333317214036e-1f;
    return size < 0.625f ? x + x * u * near_value : far_value;
}

static void tanh_fast(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = tanh_one(x[i]);
}

static void tanh_back_fast(float *dx, const float *dy, const float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dx[i] = dy[i] * (1.0f - y[i] * y[i]);
}

static void relu_fast(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] < 0.0f ? 0.0f : x[i];
}

static void relu_back_fast(float *dx, const float *dy, const float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dx[i] = y[i] > 0.0f ? dy[i] : 0.0f;
}

static void add_scaled_fast(float *y, const float *x, float factor, size_t n)
{
    add_scaled_run(y, x, factor, n);
}

static void scale_fast(float *y, float factor, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] *= factor;
}

static void add_rows_fast(float *sum, const float *x, size_t m, size_t n)
{
    for (size_t i = 0; i < m; i++)
        add_run(sum, x + i * n, n);
}

#define SUMS 16 /* partial sums that do not wait for each other, in a fixed order */

static double sum_squares_fast(const float *x, size_t n)
{
    double sums[SUMS] = {0.0}, total = 0.0;
    size_t i = 0;

    for (; i + SUMS <= n; i += SUMS)
        for (size_t l = 0; l < SUMS; l++)
            sums[l] += (double)x[i + l] * (double)x[i + l];
    for (size_t l = 0; l < SUMS; l++)
        total += sums[l];
    for (; i < n; i++)
        total += (double)x[i] * (double)x[i];
    return total;
}

#include "nn/kernels_norm.h"
#include "nn/kernels_update.h"

#include "nn/kernels_winograd.h"

const struct kernels KERNELS_TABLE = {
    .name = KERNELS_NAME,
    .gemm_nn = gemm_nn_fast,
    .gemm_tn = gemm_tn_fast,
    .gemm_nt = gemm_nt_fast,
    .im2col = im2col_fast,
    .col2im = col2im_fast,
    .wino_spread = wino_spread_fast,
    .wino_gather = wino_gather_fast,
    .max_pool = max_pool_fast,
    .max_pool_back = max_pool_back_fast,
    .average_pool = average_pool_fast,
    .average_pool_back = average_pool_back_fast,
    .tanh = tanh_fast,
    .tanh_back = tanh_back_fast,
    .relu = relu_fast,
    .relu_back = relu_back_fast,
    .add_scaled = add_scaled_fast,
    .scale = scale_fast,
    .transpose = transpose_fast,
    .add_rows = add_rows_fast,
    .sum_squares = sum_squares_fast,
    .all_finite = all_finite_fast,
    .moments = moments_fast,
    .normalise = normalise_fast,
    .norm_dots = norm_dots_fast,
    .norm_back = norm_back_fast,
    .norm_slopes = norm_slopes_fast,
    .step_plain = step_plain_fast,
    .step_momentum = step_momentum_fast,
    .step_adam = step_adam_fast,
};
