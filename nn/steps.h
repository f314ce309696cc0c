/* SPDX-License-Identifier: Apache-2.0 */
/* Products that layers of sequences share: one weight matrix over all steps of all examples.
 *
 * Packed weights lie in panels of STEPS_PANEL columns, each contiguous, so that a product reads
 * memory in order however wide the matrix is. Matrices are row-major. */
#ifndef CAIRN_NN_STEPS_H
#define CAIRN_NN_STEPS_H

#include "nn/kernels.h"
#include "nn/model_internal.h"

#define STEPS_PANEL 32u

/* packed [in * out]: panels of the transpose of w [out, in], for y = x w^T. */
void steps_pack_forward(const struct kernels *kernels, float *packed, const float *w, uint32_t out,
                        uint32_t in);

/* packed [out * in]: panels of w [out, in], for dx = dy w. */
void steps_pack_back(float *packed, const float *w, uint32_t out, uint32_t in);

/* c [m, n] = start + a [m, k] * the packed matrix [k, n]; g as of kernels.h, ldb is not used. */
void steps_product(const struct kernels *kernels, float *c, const float *a, const float *packed,
                   const struct gemm *g);

/* c [m, n] += a^T b with a [k, m], b [k, n]: gradients of weights, summed over k steps.
 *
 *   scratch  [STEPS_OUTER_SCRATCH(n)] */
#define STEPS_OUTER_SCRATCH(n) ((size_t)64 * (n) + 256 * 64)
void steps_outer(const struct kernels *kernels, float *c, const float *a, const float *b,
                 const struct gemm *g, float *scratch);

/* Rows of one example: count of them, width wide, ld apart. */
struct steps {
    const float *rows;
    size_t ld;
    uint32_t count, width;
};

/* gram [count, count] = the inner products of the rows, added to what it holds when add is set.
 *
 *   scratch  [count * width] */
void steps_gram(const struct kernels *kernels, float *gram, const struct steps *s, bool add,
                float *scratch);

/* The square of a norm from two matrices of inner products [count, count]: the sum of of_dy (plus +
 * of_x), and what rounding may have taken from it on top, by the lengths of the rows: gradients of
 * steps that cancel each other must not look smaller than they are.
 *
 *   widths  of the rows of both together */
double steps_gram_square(const float *of_dy, const float *of_x, double plus, uint32_t count,
                         uint64_t widths);

/* The square of the norm of dy^T (x, 1): of the gradient of weights and bias of one example, by
 * what costs less: inner products of the rows, or the gradient itself.
 *
 *   way      NORM_GRAM or NORM_TWICE
 *   scratch  [steps_scratch(way, count, dy's width, x's width)] */
double steps_square(const struct kernels *kernels, const struct steps *dy, const struct steps *x,
                    enum norm_way way, float *scratch);

/* The cheaper way, by multiplications. */
enum norm_way steps_way(uint32_t count, uint32_t out, uint32_t in);
size_t steps_scratch(enum norm_way way, size_t count, size_t out, size_t in);

/* Makes sure that scratch will do for `way`; for the other way too when that costs little, so that
 * tests can force it. */
void steps_claim(struct model *model, enum norm_way way, size_t wanted_gram, size_t wanted_twice);

#endif
