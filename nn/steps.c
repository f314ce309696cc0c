/* SPDX-License-Identifier: Apache-2.0 */
/* Panels, blocks of rows, and two ways to the norm of a gradient. */
#include "nn/steps.h"

#include <math.h>
#include <string.h>

#define ROWS 192u  /* of a block that stays in the cache while all panels pass */
#define DEPTH 256u /* of one block of a sum over steps */
#define NARROW 32u /* a right-hand side this narrow is turned, so that vectors are full */

void steps_pack_forward(const struct kernels *kernels, float *packed, const float *w, uint32_t out,
                        uint32_t in)
{
    for (uint32_t from = 0; from < out; from += STEPS_PANEL) {
        uint32_t width = out - from < STEPS_PANEL ? out - from : STEPS_PANEL;

        kernels->transpose(packed + (size_t)from * in, w + (size_t)from * in, width, in);
    }
}

void steps_pack_back(float *packed, const float *w, uint32_t out, uint32_t in)
{
    for (uint32_t from = 0; from < in; from += STEPS_PANEL) {
        uint32_t width = in - from < STEPS_PANEL ? in - from : STEPS_PANEL;
        float *panel = packed + (size_t)from * out;

        for (uint32_t r = 0; r < out; r++)
            memcpy(panel + (size_t)r * width, w + (size_t)r * in + from, width * sizeof *w);
    }
}

void steps_product(const struct kernels *kernels, float *c, const float *a, const float *packed,
                   const struct gemm *g)
{
    struct gemm part = *g;

    part.parts = 1;
    for (uint32_t row = 0; row < g->m; row += ROWS) {
        part.m = g->m - row < ROWS ? g->m - row : ROWS;
        for (uint32_t from = 0; from < g->n; from += STEPS_PANEL) {
            part.n = g->n - from < STEPS_PANEL ? g->n - from : STEPS_PANEL;
            part.ldb = part.n;
            part.bias = g->bias ? g->bias + from : NULL;
            kernels->gemm_nn(c + row * g->ldc + from, a + row * g->lda,
                             packed + (size_t)from * g->k, &part);
        }
    }
}

/* The same sum with the sides swapped: n is less than a vector is wide, m is not. */
static void outer_turned(const struct kernels *kernels, float *c, const float *a, const float *b,
                         const struct gemm *g, float *scratch)
{
    const uint32_t columns = 64;
    float *turned = scratch + 256 * 64;
    struct gemm part = {
        .m = g->n, .k = g->k, .parts = 1, .lda = g->ldb, .ldb = g->lda, .ldc = columns};

    for (uint32_t from = 0; from < g->m; from += columns) {
        part.n = g->m - from < columns ? g->m - from : columns;
        kernels->gemm_tn(turned, b, a + from, &part);
        for (uint32_t i = 0; i < part.n; i++)
            for (uint32_t j = 0; j < g->n; j++)
                c[(from + i) * g->ldc + j] += turned[j * columns + i];
    }
}

void steps_outer(const struct kernels *kernels, float *c, const float *a, const float *b,
                 const struct gemm *g, float *scratch)
{
    struct gemm part = *g;

    if (g->n < NARROW && g->m > g->n) {
        outer_turned(kernels, c, a, b, g, scratch);
        return;
    }
    part.parts = 1;
    part.add = true;
    part.bias = NULL;
    for (uint32_t from = 0; from < g->k; from += DEPTH) {
        part.k = g->k - from < DEPTH ? g->k - from : DEPTH;
        part.lda = 48;
        for (uint32_t row = 0; row < g->m; row += 48) {
            part.m = g->m - row < 48 ? g->m - row : 48;
            for (uint32_t i = 0; i < part.k; i++)
                memcpy(scratch + i * part.lda, a + (from + i) * g->lda + row, part.m * sizeof *a);
            kernels->gemm_tn(c + row * g->ldc, scratch, b + from * g->ldb, &part);
        }
    }
}

void steps_gram(const struct kernels *kernels, float *gram, const struct steps *s, bool add,
                float *scratch)
{
    const struct gemm g = {.m = s->count,
                           .n = s->count,
                           .k = s->width,
                           .parts = 1,
                           .lda = s->ld,
                           .ldb = s->count,
                           .ldc = s->count,
                           .add = add};

    for (uint32_t t = 0; t < s->count; t++)
        for (uint32_t i = 0; i < s->width; i++)
            scratch[(size_t)i * s->count + t] = s->rows[t * s->ld + i];
    kernels->gemm_nn(gram, s->rows, scratch, &g);
}

/* A sum of w products in floats is off by about sqrt(w) roundings of the rows' lengths. */
double steps_gram_square(const float *of_dy, const float *of_x, double plus, uint32_t count,
                         uint64_t widths)
{
    double square = 0.0, reach = 0.0;

    for (size_t i = 0; i < (size_t)count * count; i++)
        square += (double)of_dy[i] * (plus + (double)of_x[i]);
    for (size_t t = 0; t < count; t++) {
        size_t own = t * count + t;

        reach += sqrt((double)of_dy[own] * (plus + (double)of_x[own]));
    }
    if (isnan(square))
        return square;
    return fmax(square, 0.0) + 0x1p-24 * (4.0 + 1.5 * sqrt((double)widths)) * reach * reach;
}

static double square_by_gram(const struct kernels *kernels, const struct steps *dy,
                             const struct steps *x, float *scratch)
{
    const size_t all = (size_t)dy->count * dy->count;
    float *of_dy = scratch, *of_x = scratch + all;

    steps_gram(kernels, of_dy, dy, false, of_x + all);
    steps_gram(kernels, of_x, x, false, of_x + all);
    return steps_gram_square(of_dy, of_x, 1.0, dy->count, (uint64_t)dy->width + x->width);
}

static double square_by_gradient(const struct kernels *kernels, const struct steps *dy,
                                 const struct steps *x, float *scratch)
{
    const size_t weights = (size_t)dy->width * x->width;
    const struct gemm g = {.m = dy->width,
                           .n = x->width,
                           .k = dy->count,
                           .parts = 1,
                           .lda = dy->ld,
                           .ldb = x->ld,
                           .ldc = x->width};

    kernels->gemm_tn(scratch, dy->rows, x->rows, &g);
    memset(scratch + weights, 0, dy->width * sizeof *scratch);
    for (uint32_t t = 0; t < dy->count; t++)
        kernels->add_scaled(scratch + weights, dy->rows + t * dy->ld, 1.0f, dy->width);
    return kernels->sum_squares(scratch, weights + dy->width);
}

double steps_square(const struct kernels *kernels, const struct steps *dy, const struct steps *x,
                    enum norm_way way, float *scratch)
{
    return way == NORM_GRAM ? square_by_gram(kernels, dy, x, scratch)
                            : square_by_gradient(kernels, dy, x, scratch);
}

enum norm_way steps_way(uint32_t count, uint32_t out, uint32_t in)
{
    uint64_t gram = (uint64_t)count * ((uint64_t)out + in), gradient = (uint64_t)out * in;

    return gram < gradient ? NORM_GRAM : NORM_TWICE;
}

size_t steps_scratch(enum norm_way way, size_t count, size_t out, size_t in)
{
    if (way == NORM_GRAM)
        return 2 * count * count + count * (out > in ? out : in);
    return out * in + out;
}

#define CLAIM_ANYWAY ((size_t)1 << 14)

void steps_claim(struct model *model, enum norm_way way, size_t wanted_gram, size_t wanted_twice)
{
    if (way == NORM_GRAM || wanted_gram <= CLAIM_ANYWAY)
        model_claim_scratch(model, wanted_gram);
    if (way == NORM_TWICE || wanted_twice <= CLAIM_ANYWAY)
        model_claim_scratch(model, wanted_twice);
}
