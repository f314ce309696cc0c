/* SPDX-License-Identifier: Apache-2.0 */
/* The loops that training spends its time in, as free functions on raw arrays.
 *
 * One source (kernels_body.h) is compiled for several instruction sets; kernels_best picks the best
 * one that this processor has, and kernels_ref is the plain loops that tests compare with. Nothing
 * here allocates or fails. Results of two sets agree up to rounding, not bit for bit.
 *
 * Activations are channels-last: x [height, width, channels]. */
#ifndef CAIRN_NN_KERNELS_H
#define CAIRN_NN_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A matrix product c [m, n] = start + a [m, parts * k] * b [parts * k, n], all row-major.
 *
 * Rows of a may overlap (lda small), and a may be read in parts that lie a_part floats apart: a
 * convolution is then a product over the image itself, without copying its patches. With groups,
 * the rows come in that many groups of m, whose first rows lie a_group floats apart in a and
 * c_group in c: all output rows of a convolution in one product. */
struct gemm {
    uint32_t m, n, k;
    uint32_t parts;       /* 1: a plain product */
    size_t a_part;        /* floats from one part of a to the next */
    size_t lda, ldb, ldc; /* floats from one row to the next, as each lies in memory */
    const float *bias;    /* [n]: every row of c starts from it; NULL: from zero */
    bool add;             /* start from what c holds; bias is then NULL */
    uint32_t groups;      /* 0 and 1: one */
    size_t a_group, c_group;
};

/* A square window that slides over one example, without or with zeros around it. */
struct window {
    uint32_t channels;
    uint32_t in_height, in_width;
    uint32_t out_height, out_width;
    uint32_t kernel, stride, padding;
};

/* The numbers of one step of an optimiser; each kernel says which it uses. */
struct update {
    float share; /* the gradient is multiplied by it first */
    float rate;
    float momentum;
    bool ahead; /* Nesterov's look ahead */
    float beta1, beta2, new1, new2, root, epsilon, keep;
};

/* What a set of values that are normalised together has: v = (x - mean) inverse. For its gradient,
 * the means of dy gain (or 0) and of dy gain v. */
struct norm {
    float mean, inverse;
    float slope, along;
};

/* The matrices E [n, q] of Winograd's transforms (winograd_matrices.h). */
enum wino_matrix {
    WINO_MATRIX_B6,
    WINO_MATRIX_A64,
    WINO_MATRIX_G63,
    WINO_MATRIX_B8,
    WINO_MATRIX_A84,
    WINO_MATRIX_G85,
    WINO_MATRICES
};

/* A tile [q, q, channels] of an image and its transform, n * n planes of [channels]. */
struct wino_tile {
    enum wino_matrix matrix;
    size_t channels;    /* a multiple of 16 */
    size_t row, column; /* floats from one row and column of the tile to the next */
    size_t plane;       /* floats from one plane to the next */
    const float *bias;  /* gather: [channels], what the tile starts from; NULL: zero */
    bool add;           /* gather: starts from what the tile holds; bias is then not read */
};

struct kernels {
    const char *name;

    void (*gemm_nn)(float *c, const float *a, const float *b, const struct gemm *g);
    /* a lies transposed in memory, as [k, m] */
    void (*gemm_tn)(float *c, const float *a, const float *b, const struct gemm *g);
    /* b lies transposed in memory, as [n, k]; one part, one group */
    void (*gemm_nt)(float *c, const float *a, const float *b, const struct gemm *g);

    /* col [out_height * out_width, kernel * kernel * channels] = the patches of x. */
    void (*im2col)(float *col, const float *x, const struct window *w);
    /* Adds every patch of col back to where it came from; dx [in_height, in_width, channels]. */
    void (*col2im)(float *dx, const float *col, const struct window *w);

    /* planes = E tile E^T for every channel: plane i n + j is row i, column j. */
    void (*wino_spread)(float *planes, const float *tile, const struct wino_tile *t);
    /* tile = start + E^T planes E: what spread's slope hands back. */
    void (*wino_gather)(float *tile, const float *planes, const struct wino_tile *t);

    /* y = the largest of each window, tap [same shape as y] = which place of the window, from 0,
     * row by row; of equals the first. No padding. */
    void (*max_pool)(float *y, uint32_t *tap, const float *x, const struct window *w);
    /* Adds dy to dx where tap points. */
    void (*max_pool_back)(float *dx, const float *dy, const uint32_t *tap, const struct window *w);
    void (*average_pool)(float *y, const float *x, const struct window *w);
    /* Adds dy / (kernel * kernel) to every place of its window in dx. */
    void (*average_pool_back)(float *dx, const float *dy, const struct window *w);

    /* y = tanh(x), relative error below 1e-6, NaN stays NaN; y may be x. */
    void (*tanh)(float *y, const float *x, size_t n);
    /* dx = dy * (1 - y^2); dx may be dy. */
    void (*tanh_back)(float *dx, const float *dy, const float *y, size_t n);
    /* y = max(x, 0), NaN stays NaN; y may be x. */
    void (*relu)(float *y, const float *x, size_t n);
    /* dx = y > 0 ? dy : 0; dx may be dy. */
    void (*relu_back)(float *dx, const float *dy, const float *y, size_t n);

    /* y += factor * x, all [n] */
    void (*add_scaled)(float *y, const float *x, float factor, size_t n);
    /* y *= factor */
    void (*scale)(float *y, float factor, size_t n);
    /* out [columns, rows] = in [rows, columns] turned over; they do not overlap */
    void (*transpose)(float *out, const float *in, size_t rows, size_t columns);
    /* sum [n] += the rows of x [m, n] */
    void (*add_rows)(float *sum, const float *x, size_t m, size_t n);
    /* The sum of x^2 in double; can not overflow for finite x. */
    double (*sum_squares)(const float *x, size_t n);
    bool (*all_finite)(const float *x, size_t n);

    /* Adds the sums of x - centre and of its square to out. */
    void (*moments)(double out[2], const float *x, double centre, size_t n);
    /* y = v gain + bias; bias NULL: none. y is not x. */
    void (*normalise)(float *y, const float *x, const float *gain, const float *bias,
                      const struct norm *norm, size_t n);
    /* Adds the sums of dy gain and of dy gain v to out. */
    void (*norm_dots)(double out[2], const float *dy, const float *x, const float *gain,
                      const struct norm *norm, size_t n);
    /* dx = inverse (dy gain - slope - v along); dx is not dy. */
    void (*norm_back)(float *dx, const float *dy, const float *x, const float *gain,
                      const struct norm *norm, size_t n);
    /* gain += dy v, bias += dy; bias NULL: none. */
    void (*norm_slopes)(float *gain, float *bias, const float *dy, const float *x,
                        const struct norm *norm, size_t n);

    /* Steps of optimisers: change w and their state [n] by g [n]; true while all of w is finite.
     * w -= share rate g */
    bool (*step_plain)(float *w, const float *g, const struct update *u, size_t n);
    /* v = momentum v + share g; w -= rate v, or with ahead rate (share g + momentum v) */
    bool (*step_momentum)(float *w, float *v, const float *g, const struct update *u, size_t n);
    /* With h = share g: m = beta1 m + new1 h; s = beta2 s + new2 h^2;
     * w = keep w - rate m / (root sqrt(s) + epsilon) */
    bool (*step_adam)(float *w, float *m, float *s, const float *g, const struct update *u,
                      size_t n);
};

/* The plain loops. */
extern const struct kernels kernels_ref;

/* The best set this processor has. Costs a look at a flag. */
const struct kernels *kernels_best(void);

#define KERNELS_SETS_MAX 4

/* Gives every set this processor can run, the best first, kernels_ref last. */
uint32_t kernels_all(const struct kernels *out[KERNELS_SETS_MAX]);

#endif
