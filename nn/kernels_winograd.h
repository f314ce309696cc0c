/* SPDX-License-Identifier: Apache-2.0 */
/* Winograd's transforms of one tile, all channels: a part of kernels_body.h, which includes it.
 *
 * A matrix E [n, q] is applied along rows and along columns. Its rows for points p and -p share
 * their even and their odd halves, so a pair costs as much as one row. n, q and E are constants
 * wherever this is inlined: zeros cost nothing and every inner loop disappears. */
#include "nn/winograd_matrices.h"

/* One row of E times the vectors in, only its columns of one parity. */
INLINE vec wino_half(const float *row, const vec *in, const unsigned q, const unsigned parity)
{
    vec sum = {0.0f};
    bool any = false;

    UNROLL
    for (unsigned j = parity; j < q; j += 2) {
        if (row[j] == 0.0f)
            continue;
        sum = any ? sum + row[j] * in[j] : row[j] * in[j];
        any = true;
    }
    return sum;
}

/* out [n] = E in [q] */
INLINE void wino_spread_line(vec *out, const vec *in, const float *e, const unsigned n,
                             const unsigned q)
{
    out[0] = wino_half(e, in, q, 0) + wino_half(e, in, q, 1);
    UNROLL
    for (unsigned i = 1; i + 1 < n; i += 2) {
        const vec even = wino_half(e + i * q, in, q, 0), odd = wino_half(e + i * q, in, q, 1);

        out[i] = even + odd;
        out[i + 1] = even - odd;
    }
    out[n - 1] = wino_half(e + (n - 1) * q, in, q, 0) + wino_half(e + (n - 1) * q, in, q, 1);
}

/* out [q] = E^T in [n] */
INLINE void wino_gather_line(vec *out, const vec *in, const float *e, const unsigned n,
                             const unsigned q)
{
    vec sums[WINO_N_MAX / 2], differences[WINO_N_MAX / 2];

    UNROLL
    for (unsigned k = 0; k < n / 2 - 1; k++) {
        sums[k] = in[2 * k + 1] + in[2 * k + 2];
        differences[k] = in[2 * k + 1] - in[2 * k + 2];
    }
    UNROLL
    for (unsigned j = 0; j < q; j++) {
        vec sum = {0.0f};

        if (e[j] != 0.0f)
            sum += e[j] * in[0];
        UNROLL
        for (unsigned k = 0; k < n / 2 - 1; k++)
            if (e[(2 * k + 1) * q + j] != 0.0f)
                sum += e[(2 * k + 1) * q + j] * (j % 2 ? differences[k] : sums[k]);
        if (e[(n - 1) * q + j] != 0.0f)
            sum += e[(n - 1) * q + j] * in[n - 1];
        out[j] = sum;
    }
}

INLINE void wino_spread_tile(float *planes, const float *tile, const struct wino_tile *t,
                             const float *e, const unsigned n, const unsigned q)
{
    for (size_t c = 0; c < t->channels; c += LANES) {
        vec half[WINO_N_MAX][WINO_N_MAX]; /* [q, n] */

        UNROLL
        for (unsigned a = 0; a < q; a++) {
            vec in[WINO_N_MAX];

            UNROLL
            for (unsigned b = 0; b < q; b++)
                in[b] = *(const vec_mem *)(tile + a * t->row + b * t->column + c);
            wino_spread_line(half[a], in, e, n, q);
        }
        UNROLL
        for (unsigned j = 0; j < n; j++) {
            vec in[WINO_N_MAX], out[WINO_N_MAX];

            UNROLL
            for (unsigned a = 0; a < q; a++)
                in[a] = half[a][j];
            wino_spread_line(out, in, e, n, q);
            UNROLL
            for (unsigned i = 0; i < n; i++)
                *(vec_mem *)(planes + (i * n + j) * t->plane + c) = out[i];
        }
    }
}

INLINE void wino_gather_tile(float *tile, const float *planes, const struct wino_tile *t,
                             const float *e, const unsigned n, const unsigned q)
{
    for (size_t c = 0; c < t->channels; c += LANES) {
        vec start = {0.0f};
        vec half[WINO_N_MAX][WINO_N_MAX]; /* [n, q] */

        if (t->bias && !t->add)
            start = *(const vec_mem *)(t->bias + c);
        UNROLL
        for (unsigned i = 0; i < n; i++) {
            vec in[WINO_N_MAX];

            UNROLL
            for (unsigned j = 0; j < n; j++)
                in[j] = *(const vec_mem *)(planes + (i * n + j) * t->plane + c);
            wino_gather_line(half[i], in, e, n, q);
        }
        UNROLL
        for (unsigned b = 0; b < q; b++) {
            vec in[WINO_N_MAX], out[WINO_N_MAX];

            UNROLL
            for (unsigned i = 0; i < n; i++)
                in[i] = half[i][b];
            wino_gather_line(out, in, e, n, q);
            UNROLL
            for (unsigned a = 0; a < q; a++) {
                vec_mem *to = (vec_mem *)(tile + a * t->row + b * t->column + c);

                if (t->add)
                    start = *to;
                *to = start + out[a];
            }
        }
    }
}

#define WINO_KIND(name, matrix, n, q)                                                              \
    static __attribute__((noinline)) void spread_##name(float *planes, const float *tile,          \
                                                        const struct wino_tile *t)                 \
    {                                                                                              \
        wino_spread_tile(planes, tile, t, matrix, n, q);                                           \
    }                                                                                              \
    static __attribute__((noinline)) void gather_##name(float *tile, const float *planes,          \
                                                        const struct wino_tile *t)                 \
    {                                                                                              \
        wino_gather_tile(tile, planes, t, matrix, n, q);                                           \
    }

WINO_KIND(b6, WINO_B6, 6, 6)
WINO_KIND(a64, WINO_A64, 6, 4)
WINO_KIND(g63, WINO_G63, 6, 3)
WINO_KIND(b8, WINO_B8, 8, 8)
WINO_KIND(a84, WINO_A84, 8, 4)
WINO_KIND(g85, WINO_G85, 8, 5)

static void wino_spread_fast(float *planes, const float *tile, const struct wino_tile *t)
{
    static void (*const RUN[WINO_MATRICES])(float *, const float *, const struct wino_tile *) = {
        spread_b6, spread_a64, spread_g63, spread_b8, spread_a84, spread_g85};

    RUN[t->matrix](planes, tile, t);
}

static void wino_gather_fast(float *tile, const float *planes, const struct wino_tile *t)
{
    static void (*const RUN[WINO_MATRICES])(float *, const float *, const struct wino_tile *) = {
        gather_b6, gather_a64, gather_g63, gather_b8, gather_a84, gather_g85};

    RUN[t->matrix](tile, planes, t);
}
