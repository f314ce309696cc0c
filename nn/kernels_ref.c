/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels as plain loops: what each one means, and what the fast ones are compared with. */
#include <math.h>

#include "nn/kernels.h"
#include "nn/winograd_matrices.h"

static float sum_of(float start, const float *a, const float *b, const struct gemm *g,
                    size_t k_step)
{
    double sum = (double)start;

    for (size_t q = 0; q < (size_t)g->parts * g->k; q++)
        sum += (double)a[q / g->k * g->a_part + q % g->k * k_step] * (double)b[q * g->ldb];
    return (float)sum;
}

/* row_step and k_step say how a lies in memory. */
static void gemm_plain(float *c, const float *a, const float *b, const struct gemm *g,
                       size_t row_step, size_t k_step)
{
    size_t rows = (size_t)g->m * (g->groups > 1 ? g->groups : 1);

    for (size_t i = 0; i < rows; i++) {
        const float *own = a + i / g->m * g->a_group + i % g->m * row_step;
        float *row = c + i / g->m * g->c_group + i % g->m * g->ldc;

        for (size_t j = 0; j < g->n; j++)
            row[j] = sum_of(g->add ? row[j] : g->bias ? g->bias[j] : 0.0f, own, b + j, g, k_step);
    }
}

static void gemm_nn_ref(float *c, const float *a, const float *b, const struct gemm *g)
{
    gemm_plain(c, a, b, g, g->lda, 1);
}

static void gemm_tn_ref(float *c, const float *a, const float *b, const struct gemm *g)
{
    gemm_plain(c, a, b, g, 1, g->lda);
}

static void gemm_nt_ref(float *c, const float *a, const float *b, const struct gemm *g)
{
    for (size_t i = 0; i < g->m; i++) {
        for (size_t j = 0; j < g->n; j++) {
            float *to = c + i * g->ldc + j;
            double sum = (double)(g->add ? *to : g->bias ? g->bias[j] : 0.0f);

            for (size_t q = 0; q < g->k; q++)
                sum += (double)a[i * g->lda + q] * (double)b[j * g->ldb + q];
            *to = (float)sum;
        }
    }
}

struct wino_size {
    const float *e;
    size_t n, q;
};

static struct wino_size wino_size_of(enum wino_matrix matrix)
{
    switch (matrix) {
    case WINO_MATRIX_B6:
        return (struct wino_size){WINO_B6, 6, 6};
    case WINO_MATRIX_A64:
        return (struct wino_size){WINO_A64, 6, 4};
    case WINO_MATRIX_G63:
        return (struct wino_size){WINO_G63, 6, 3};
    case WINO_MATRIX_B8:
        return (struct wino_size){WINO_B8, 8, 8};
    case WINO_MATRIX_A84:
        return (struct wino_size){WINO_A84, 8, 4};
    case WINO_MATRIX_G85:
    case WINO_MATRICES:
        break;
    }
    return (struct wino_size){WINO_G85, 8, 5};
}

static void wino_spread_ref(float *planes, const float *tile, const struct wino_tile *t)
{
    const struct wino_size s = wino_size_of(t->matrix);

    for (size_t i = 0; i < s.n * s.n * t->channels; i++) {
        const size_t at = i / t->channels, c = i % t->channels;
        const float *down = s.e + at / s.n * s.q, *across = s.e + at % s.n * s.q;
        double sum = 0.0;

        for (size_t p = 0; p < s.q * s.q; p++)
            sum += (double)down[p / s.q] * (double)across[p % s.q] *
                   (double)tile[p / s.q * t->row + p % s.q * t->column + c];
        planes[at * t->plane + c] = (float)sum;
    }
}

static float wino_gathered(float start, const float *planes, size_t plane,
                           const struct wino_size *s, const size_t at[2])
{
    double sum = (double)start;

    for (size_t i = 0; i < s->n; i++)
        for (size_t j = 0; j < s->n; j++)
            sum += (double)s->e[i * s->q + at[0]] * (double)s->e[j * s->q + at[1]] *
                   (double)planes[(i * s->n + j) * plane];
    return (float)sum;
}

static void wino_gather_ref(float *tile, const float *planes, const struct wino_tile *t)
{
    const struct wino_size s = wino_size_of(t->matrix);

    for (size_t i = 0; i < s.q * s.q * t->channels; i++) {
        const size_t at[2] = {i / t->channels / s.q, i / t->channels % s.q}, c = i % t->channels;
        float *to = tile + at[0] * t->row + at[1] * t->column + c;
        const float start = t->add ? *to : t->bias ? t->bias[c] : 0.0f;

        *to = wino_gathered(start, planes + c, t->plane, &s, at);
    }
}

/* Where in x the place `at` of col lies: at counts (output row, output column, window row, window
 * column, channel). SIZE_MAX in the padding. */
static size_t source_of(size_t at, const struct window *w)
{
    size_t channel = at % w->channels, tap_x = at / w->channels % w->kernel;
    size_t tap_y = at / w->channels / w->kernel % w->kernel;
    size_t place = at / w->channels / w->kernel / w->kernel;
    size_t y = place / w->out_width * w->stride + tap_y;
    size_t x = place % w->out_width * w->stride + tap_x;

    if (y < w->padding || y >= w->in_height + w->padding || x < w->padding ||
        x >= w->in_width + w->padding)
        return SIZE_MAX;
    return ((y - w->padding) * w->in_width + (x - w->padding)) * w->channels + channel;
}

static size_t places_of(const struct window *w)
{
    return (size_t)w->out_height * w->out_width;
}

static size_t col_count(const struct window *w)
{
    return places_of(w) * w->kernel * w->kernel * w->channels;
}

static void im2col_ref(float *col, const float *x, const struct window *w)
{
    for (size_t at = 0; at < col_count(w); at++) {
        size_t source = source_of(at, w);

        col[at] = source == SIZE_MAX ? 0.0f : x[source];
    }
}

static void col2im_ref(float *dx, const float *col, const struct window *w)
{
    for (size_t at = 0; at < col_count(w); at++) {
        size_t source = source_of(at, w);

        if (source != SIZE_MAX)
            dx[source] += col[at];
    }
}

/* Where in x the tap of the window at output place `out` lies. */
static size_t tap_source(size_t out, size_t tap, const struct window *w)
{
    size_t place = out / w->channels, channel = out % w->channels;
    size_t taps = (size_t)w->kernel * w->kernel;

    return source_of((place * taps + tap) * w->channels + channel, w);
}

static void max_pool_ref(float *y, uint32_t *tap, const float *x, const struct window *w)
{
    for (size_t out = 0; out < places_of(w) * w->channels; out++) {
        tap[out] = 0;
        for (uint32_t t = 1; t < w->kernel * w->kernel; t++)
            if (x[tap_source(out, t, w)] > x[tap_source(out, tap[out], w)])
                tap[out] = t;
        y[out] = x[tap_source(out, tap[out], w)];
    }
}

static void max_pool_back_ref(float *dx, const float *dy, const uint32_t *tap,
                              const struct window *w)
{
    for (size_t out = 0; out < places_of(w) * w->channels; out++)
        dx[tap_source(out, tap[out], w)] += dy[out];
}

static void average_pool_ref(float *y, const float *x, const struct window *w)
{
    uint32_t taps = w->kernel * w->kernel;

    for (size_t out = 0; out < places_of(w) * w->channels; out++) {
        double sum = 0.0;

        for (uint32_t t = 0; t < taps; t++)
            sum += (double)x[tap_source(out, t, w)];
        y[out] = (float)(sum / taps);
    }
}

static void average_pool_back_ref(float *dx, const float *dy, const struct window *w)
{
    uint32_t taps = w->kernel * w->kernel;

    for (size_t out = 0; out < places_of(w) * w->channels; out++)
        for (uint32_t t = 0; t < taps; t++)
            dx[tap_source(out, t, w)] += dy[out] / (float)taps;
}

static void tanh_ref(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = (float)tanh((double)x[i]);
}

static void tanh_back_ref(float *dx, const float *dy, const float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dx[i] = dy[i] * (1.0f - y[i] * y[i]);
}

static void relu_ref(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] < 0.0f ? 0.0f : x[i];
}

static void relu_back_ref(float *dx, const float *dy, const float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dx[i] = y[i] > 0.0f ? dy[i] : 0.0f;
}

static void add_scaled_ref(float *y, const float *x, float factor, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += factor * x[i];
}

static void scale_ref(float *y, float factor, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] *= factor;
}

static void transpose_ref(float *out, const float *in, size_t rows, size_t columns)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            out[j * rows + i] = in[i * columns + j];
}

static void add_rows_ref(float *sum, const float *x, size_t m, size_t n)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            sum[j] += x[i * n + j];
}

static double sum_squares_ref(const float *x, size_t n)
{
    double sum = 0.0;

    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

static bool all_finite_ref(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

static void moments_ref(double out[2], const float *x, double centre, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[0] += (double)x[i] - centre;
        out[1] += ((double)x[i] - centre) * ((double)x[i] - centre);
    }
}

static float normal_of(float x, const struct norm *norm)
{
    return (x - norm->mean) * norm->inverse;
}

static void normalise_ref(float *y, const float *x, const float *gain, const float *bias,
                          const struct norm *norm, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = normal_of(x[i], norm) * gain[i] + (bias ? bias[i] : 0.0f);
}

static void norm_dots_ref(double out[2], const float *dy, const float *x, const float *gain,
                          const struct norm *norm, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[0] += (double)(dy[i] * gain[i]);
        out[1] += (double)(dy[i] * gain[i]) * (double)normal_of(x[i], norm);
    }
}

static void norm_back_ref(float *dx, const float *dy, const float *x, const float *gain,
                          const struct norm *norm, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dx[i] =
            norm->inverse * (dy[i] * gain[i] - norm->slope - normal_of(x[i], norm) * norm->along);
}

static void norm_slopes_ref(float *gain, float *bias, const float *dy, const float *x,
                            const struct norm *norm, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        gain[i] += dy[i] * normal_of(x[i], norm);
        if (bias)
            bias[i] += dy[i];
    }
}

static bool step_plain_ref(float *w, const float *g, const struct update *u, size_t n)
{
    for (size_t i = 0; i < n; i++)
        w[i] -= u->rate * (u->share * g[i]);
    return all_finite_ref(w, n);
}

static bool step_momentum_ref(float *w, float *v, const float *g, const struct update *u, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = u->momentum * v[i] + u->share * g[i];
        w[i] -= u->rate * (u->ahead ? u->share * g[i] + u->momentum * v[i] : v[i]);
    }
    return all_finite_ref(w, n);
}

static bool step_adam_ref(float *w, float *m, float *s, const float *g, const struct update *u,
                          size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float h = u->share * g[i];

        m[i] = u->beta1 * m[i] + u->new1 * h;
        s[i] = u->beta2 * s[i] + u->new2 * h * h;
        w[i] = u->keep * w[i] - u->rate * m[i] / (u->root * sqrtf(s[i]) + u->epsilon);
    }
    return all_finite_ref(w, n);
}

const struct kernels kernels_ref = {
    .name = "plain",
    .gemm_nn = gemm_nn_ref,
    .gemm_tn = gemm_tn_ref,
    .gemm_nt = gemm_nt_ref,
    .im2col = im2col_ref,
    .col2im = col2im_ref,
    .wino_spread = wino_spread_ref,
    .wino_gather = wino_gather_ref,
    .max_pool = max_pool_ref,
    .max_pool_back = max_pool_back_ref,
    .average_pool = average_pool_ref,
    .average_pool_back = average_pool_back_ref,
    .tanh = tanh_ref,
    .tanh_back = tanh_back_ref,
    .relu = relu_ref,
    .relu_back = relu_back_ref,
    .add_scaled = add_scaled_ref,
    .scale = scale_ref,
    .transpose = transpose_ref,
    .add_rows = add_rows_ref,
    .sum_squares = sum_squares_ref,
    .all_finite = all_finite_ref,
    .moments = moments_ref,
    .normalise = normalise_ref,
    .norm_dots = norm_dots_ref,
    .norm_back = norm_back_ref,
    .norm_slopes = norm_slopes_ref,
    .step_plain = step_plain_ref,
    .step_momentum = step_momentum_ref,
    .step_adam = step_adam_ref,
};
