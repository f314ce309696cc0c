/* SPDX-License-Identifier: Apache-2.0 */
/* Packed products and sums over steps against the plain loops, across panels and blocks. */
#include "nn/steps.h"

#include "tests/nn/checks.h"

static float *draw(size_t n, uint64_t seed)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, seed);
    float *v = calloc(n ? n : 1, sizeof *v);

    cr_assert_not_null(v);
    for (size_t i = 0; i < n; i++)
        v[i] = (float)cn_random_normal(&random);
    return v;
}

static void expect_same(const float *got, const float *want, size_t n, double scale)
{
    for (size_t i = 0; i < n; i++)
        cr_assert_float_eq(got[i], want[i], 1e-5 * scale, "%zu: %g and not %g", i, (double)got[i],
                           (double)want[i]);
}

/* y = x w^T + bias and dx = dy w of a matrix [out, in] */
static void check_products(const struct kernels *kernels, uint32_t m, uint32_t out, uint32_t in)
{
    float *w = draw((size_t)out * in, 1), *x = draw((size_t)m * in, 2), *bias = draw(out, 3);
    float *packed = calloc((size_t)out * in, sizeof *packed);
    float *y = calloc((size_t)m * out, sizeof *y), *want = calloc((size_t)m * out, sizeof *want);
    float *dx = draw((size_t)m * in, 4), *want_dx = draw((size_t)m * in, 4);
    struct gemm g = {.m = m, .n = out, .k = in, .lda = in, .ldc = out, .bias = bias};

    steps_pack_forward(kernels, packed, w, out, in);
    steps_product(kernels, y, x, packed, &g);
    for (uint32_t r = 0; r < m; r++)
        for (uint32_t o = 0; o < out; o++) {
            double sum = (double)bias[o];

            for (uint32_t i = 0; i < in; i++)
                sum += (double)x[(size_t)r * in + i] * (double)w[(size_t)o * in + i];
            want[(size_t)r * out + o] = (float)sum;
        }
    expect_same(y, want, (size_t)m * out, 1.0 + sqrt(in));
    steps_pack_back(packed, w, out, in);
    g = (struct gemm){.m = m, .n = in, .k = out, .lda = out, .ldc = in, .add = true};
    steps_product(kernels, dx, y, packed, &g);
    for (uint32_t r = 0; r < m; r++)
        for (uint32_t i = 0; i < in; i++)
            for (uint32_t o = 0; o < out; o++)
                want_dx[(size_t)r * in + i] += y[(size_t)r * out + o] * w[(size_t)o * in + i];
    expect_same(dx, want_dx, (size_t)m * in, 5.0 + 2.0 * sqrt((double)in * out));
    free(w);
    free(x);
    free(bias);
    free(packed);
    free(y);
    free(want);
    free(dx);
    free(want_dx);
}

Test(steps, products_do_not_depend_on_panels_and_blocks)
{
    static const uint32_t SIZES[][3] = {{1, 1, 1}, {3, 33, 5}, {200, 70, 33}, {391, 32, 7}};
    const struct kernels *sets[KERNELS_SETS_MAX];
    uint32_t count = kernels_all(sets);

    for (uint32_t s = 0; s < count; s++)
        for (size_t i = 0; i < CN_COUNT(SIZES); i++)
            check_products(sets[s], SIZES[i][0], SIZES[i][1], SIZES[i][2]);
}

static void check_outer(const struct kernels *kernels, uint32_t k, uint32_t m, uint32_t n)
{
    const size_t lda = m + 3, ldb = n + 1;
    float *a = draw(k * lda, 1), *b = draw(k * ldb, 2);
    float *c = draw((size_t)m * n, 3), *want = draw((size_t)m * n, 3);
    float *scratch = calloc(STEPS_OUTER_SCRATCH(n), sizeof *scratch);
    const struct gemm g = {.m = m, .n = n, .k = k, .lda = lda, .ldb = ldb, .ldc = n, .add = true};

    steps_outer(kernels, c, a, b, &g, scratch);
    for (uint32_t t = 0; t < k; t++)
        for (uint32_t i = 0; i < m; i++)
            for (uint32_t j = 0; j < n; j++)
                want[(size_t)i * n + j] += a[t * lda + i] * b[t * ldb + j];
    expect_same(c, want, (size_t)m * n, 3.0 + sqrt(k));
    free(a);
    free(b);
    free(c);
    free(want);
    free(scratch);
}

Test(steps, sums_over_steps_do_not_depend_on_blocks)
{
    static const uint32_t SIZES[][3] = {{1, 1, 1},    {5, 3, 40},    {600, 100, 50},
                                        {300, 70, 9}, {257, 49, 31}, {40, 8, 20}};
    const struct kernels *sets[KERNELS_SETS_MAX];
    uint32_t count = kernels_all(sets);

    for (uint32_t s = 0; s < count; s++)
        for (size_t i = 0; i < CN_COUNT(SIZES); i++)
            check_outer(sets[s], SIZES[i][0], SIZES[i][1], SIZES[i][2]);
}

Test(steps, both_ways_find_the_same_norm)
{
    const uint32_t steps = 37, out = 19, in = 23;
    float *dy = draw(steps * out, 1), *x = draw(steps * in, 2), *scratch = calloc(8192, 4);
    const struct steps rows = {dy, out, steps, out}, inputs = {x, in, steps, in};
    double square = 0.0, got;

    for (uint32_t o = 0; o < out; o++)
        for (uint32_t i = 0; i <= in; i++) {
            double sum = 0.0;

            for (uint32_t t = 0; t < steps; t++)
                sum += (double)dy[t * out + o] * (i < in ? (double)x[t * in + i] : 1.0);
            square += sum * sum;
        }
    cr_assert_leq(steps_scratch(NORM_GRAM, steps, out, in), 8192u);
    got = steps_square(kernels_best(), &rows, &inputs, NORM_GRAM, scratch);
    cr_assert(got >= square && got < square * (1 + 5e-5), "%.9g and not %.9g", got, square);
    got = steps_square(kernels_best(), &rows, &inputs, NORM_TWICE, scratch);
    cr_assert_float_eq(got, square, 1e-5 * square);
    cr_assert_eq(steps_way(10, 100, 100), NORM_GRAM);
    cr_assert_eq(steps_way(100, 10, 10), NORM_TWICE);
    free(dy);
    free(x);
    free(scratch);
}

/* Steps that cancel: the gradient is the rounding that is left, and never looks smaller. */
Test(steps, inner_products_never_hide_a_norm)
{
    const uint32_t steps = 64, out = 40, in = 24;
    float *dy = draw(steps * out, 5), *x = draw(steps * in, 6), *scratch = calloc(16384, 4);
    const struct steps rows = {dy, out, steps, out}, inputs = {x, in, steps, in};
    double made, gram;

    for (uint32_t t = 0; t < steps; t += 2) {
        memcpy(x + (t + 1) * in, x + t * in, in * sizeof *x);
        for (uint32_t o = 0; o < out; o++)
            dy[(t + 1) * out + o] = -dy[t * out + o] * (1.0f + 1e-5f * (float)(o % 3));
    }
    made = steps_square(kernels_best(), &rows, &inputs, NORM_TWICE, scratch);
    gram = steps_square(kernels_best(), &rows, &inputs, NORM_GRAM, scratch);
    cr_assert(made > 0.0 && gram >= made, "%g and %g", gram, made);
    dy[3] = NAN;
    cr_assert(isnan(steps_square(kernels_best(), &rows, &inputs, NORM_GRAM, scratch)));
    free(dy);
    free(x);
    free(scratch);
}
