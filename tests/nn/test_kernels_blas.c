/* SPDX-License-Identifier: Apache-2.0 */
/* The matrix products of every instruction set against OpenBLAS, at sizes like those of training
 * and at awkward ones. */
#include <math.h>
#include <stdlib.h>

#include <cblas.h>
#include <criterion/criterion.h>

#include "base/err.h"
#include "base/random.h"
#include "nn/kernels.h"

struct size {
    uint32_t m, n, k;
};

static const struct size sizes[] = {{1, 1, 1},    {3, 5, 7},     {17, 33, 65},  {32, 128, 784},
                                    {64, 10, 31}, {255, 16, 64}, {25, 32, 256}, {129, 257, 63}};

static float *random_matrix(const struct cn_random *random, size_t count)
{
    float *x = malloc(count * sizeof *x);

    cr_assert_not_null(x);
    for (size_t i = 0; i < count; i++)
        x[i] = (float)cn_random_normal(random);
    return x;
}

/* Sums of k products of normals differ by about sqrt(k) roundings. */
static void compare(const float *ours, const float *theirs, const struct size *s, const char *set)
{
    for (size_t i = 0; i < (size_t)s->m * s->n; i++)
        cr_assert_float_eq(ours[i], theirs[i], 2e-5 * sqrt(s->k) + 1e-6, "%s %ux%ux%u at %zu", set,
                           s->m, s->n, s->k, i);
}

static void run(const struct kernels *set, const struct size *s, bool transposed,
                const struct cn_random *random)
{
    float *a = random_matrix(random, (size_t)s->m * s->k);
    float *b = random_matrix(random, (size_t)s->k * s->n);
    float *ours = calloc((size_t)s->m * s->n, sizeof *ours);
    float *theirs = calloc((size_t)s->m * s->n, sizeof *theirs);
    struct gemm g = {.m = s->m, .n = s->n, .k = s->k, .parts = 1, .ldb = s->n, .ldc = s->n};

    g.lda = transposed ? s->m : s->k;
    (transposed ? set->gemm_tn : set->gemm_nn)(ours, a, b, &g);
    cblas_sgemm(CblasRowMajor, transposed ? CblasTrans : CblasNoTrans, CblasNoTrans, (int)s->m,
                (int)s->n, (int)s->k, 1.0f, a, (int)g.lda, b, (int)s->n, 0.0f, theirs, (int)s->n);
    compare(ours, theirs, s, set->name);
    free(a);
    free(b);
    free(ours);
    free(theirs);
}

Test(kernels_blas, every_set_multiplies_as_openblas_does)
{
    const struct kernels *sets[KERNELS_SETS_MAX];
    uint32_t count = kernels_all(sets);
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 11);

    openblas_set_num_threads(1);
    for (uint32_t k = 0; k < count; k++)
        for (size_t i = 0; i < CN_COUNT(sizes); i++) {
            run(sets[k], &sizes[i], false, &random);
            run(sets[k], &sizes[i], true, &random);
        }
}
