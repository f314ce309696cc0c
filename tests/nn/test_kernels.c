/* SPDX-License-Identifier: Apache-2.0 */
/* Every set of kernels this processor runs against the plain loops: odd sizes, unaligned pointers.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "nn/kernels.h"

#define ROOM 12000

struct pair {
    float got[ROOM], want[ROOM];
    uint32_t got_tap[ROOM], want_tap[ROOM];
};

static float in_a[ROOM], in_b[ROOM];
static struct pair out;

static void fill(uint64_t seed)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, seed);

    for (size_t i = 0; i < ROOM; i++) {
        in_a[i] = (float)cn_random_normal(&random);
        in_b[i] = (float)cn_random_normal(&random);
        out.got[i] = out.want[i] = (float)cn_random_normal(&random);
        out.got_tap[i] = out.want_tap[i] = 77;
    }
}

static void expect_near(const struct kernels *set, const char *what, double tolerance)
{
    size_t bad = ROOM;

    for (size_t i = 0; i < ROOM && bad == ROOM; i++)
        if (!(fabs((double)out.got[i] - (double)out.want[i]) <=
              tolerance * (1.0 + fabs((double)out.want[i]))))
            bad = i;
    if (bad < ROOM)
        cr_assert_fail("%s %s: value %zu is %g and not %g", set->name, what, bad,
                       (double)out.got[bad], (double)out.want[bad]);
    cr_assert_arr_eq(out.got_tap, out.want_tap, sizeof out.got_tap, "%s %s taps", set->name, what);
}

/* Runs check for every fast set. */
static void for_each_set(void (*check)(const struct kernels *set))
{
    const struct kernels *sets[KERNELS_SETS_MAX];
    uint32_t count = kernels_all(sets);

    cr_assert_geq(count, 2);
    cr_assert_eq(sets[count - 1], &kernels_ref);
    cr_assert_eq(sets[0], kernels_best());
    for (uint32_t i = 0; i + 1 < count; i++)
        check(sets[i]);
}

static void check_gemm(const struct kernels *set)
{
    static const uint32_t M[] = {1, 2, 13, 37}, N[] = {1, 3, 16, 33, 48, 70}, K[] = {1, 7, 130};

    for (size_t i = 0; i < 4 * 6 * 3 * 3; i++) {
        struct gemm g = {.m = M[i % 4], .n = N[i / 4 % 6], .k = K[i / 24 % 3], .parts = 1};
        int start = (int)(i / 72);

        fill(i);
        g.lda = g.k + 3;
        g.ldb = g.n + 1;
        g.ldc = g.n + 2;
        g.bias = start == 1 ? in_b + 5 : NULL;
        g.add = start == 2;
        set->gemm_nn(out.got + 1, in_a + 3, in_b + 1, &g);
        kernels_ref.gemm_nn(out.want + 1, in_a + 3, in_b + 1, &g);
        expect_near(set, "gemm_nn", 5e-5);
        g.ldb = g.k + 1;
        set->gemm_nt(out.got + 1, in_a + 3, in_b + 1, &g);
        kernels_ref.gemm_nt(out.want + 1, in_a + 3, in_b + 1, &g);
        expect_near(set, "gemm_nt", 5e-5);
        g.ldb = g.n + 1;
        g.lda = g.m + 1;
        set->gemm_tn(out.got + 1, in_a + 3, in_b + 1, &g);
        kernels_ref.gemm_tn(out.want + 1, in_a + 3, in_b + 1, &g);
        expect_near(set, "gemm_tn", 5e-5);
    }
}

Test(kernels, multiply_as_the_plain_loops_do)
{
    for_each_set(check_gemm);
}

static void check_parts(const struct kernels *set)
{
    static const uint32_t N[] = {1, 5, 16, 35};

    for (size_t i = 0; i < 16; i++) {
        struct gemm g = {.m = 9, .n = N[i % 4], .k = 6, .parts = 5, .a_part = 31, .lda = 4};

        fill(i);
        g.ldb = g.ldc = g.n;
        g.add = i / 4 % 2;
        g.bias = i / 4 == 2 ? in_b : NULL;
        set->gemm_nn(out.got, in_a + 1, in_b, &g);
        kernels_ref.gemm_nn(out.want, in_a + 1, in_b, &g);
        expect_near(set, "gemm_nn in parts", 5e-5);
        set->gemm_tn(out.got, in_a + 1, in_b, &g);
        kernels_ref.gemm_tn(out.want, in_a + 1, in_b, &g);
        expect_near(set, "gemm_tn in parts", 5e-5);
    }
}

Test(kernels, multiply_in_parts_with_overlapping_rows)
{
    for_each_set(check_parts);
}

static void check_winograd(const struct kernels *set)
{
    for (uint32_t i = 0; i < WINO_MATRICES * 3u; i++) {
        struct wino_tile t = {.matrix = (enum wino_matrix)(i / 3),
                              .channels = 16 * (1 + i % 3),
                              .bias = i % 2 ? in_b + 1 : NULL};

        t.column = t.channels + 3;
        t.row = 8 * t.column + 5;
        t.plane = t.channels + 1;
        fill(i);
        set->wino_spread(out.got + 3, in_a + 1, &t);
        kernels_ref.wino_spread(out.want + 3, in_a + 1, &t);
        expect_near(set, "wino_spread", 1e-4);
        for (int add = 0; add < 2; add++) {
            t.add = add;
            set->wino_gather(out.got + 1, in_a + 3, &t);
            kernels_ref.wino_gather(out.want + 1, in_a + 3, &t);
            expect_near(set, "wino_gather", 2e-4);
        }
    }
}

Test(kernels, transform_tiles_as_the_plain_loops_do)
{
    for_each_set(check_winograd);
}

/* Sums that are cut into blocks, products that are walked through by rows. */
static void check_deep(const struct kernels *set)
{
    static const uint32_t K[] = {20, 64, 65, 255, 256, 385, 700}, M[] = {1, 5, 14},
                          N[] = {3, 16, 77};

    for (size_t i = 0; i < 7 * 3 * 3 * 2; i++) {
        struct gemm g = {.m = M[i / 7 % 3], .n = N[i / 21 % 3], .k = K[i % 7], .parts = 1};

        g.parts = g.k < 300 && i >= 63 ? 2 : 1;
        g.a_part = g.k / 2;
        g.lda = 11;
        g.ldb = g.k * g.parts * g.n + 1 < ROOM ? g.n : 8; /* rows may overlap */
        g.ldc = g.n;
        g.bias = in_b + 1;
        fill(i);
        set->gemm_nn(out.got + 1, in_a + 3, in_b + 5, &g);
        kernels_ref.gemm_nn(out.want + 1, in_a + 3, in_b + 5, &g);
        expect_near(set, "deep gemm_nn", 1e-4);
        set->gemm_tn(out.got + 1, in_a + 3, in_b + 5, &g);
        kernels_ref.gemm_tn(out.want + 1, in_a + 3, in_b + 5, &g);
        expect_near(set, "deep gemm_tn", 1e-4);
        g.parts = 1;
        set->gemm_nt(out.got + 1, in_a + 3, in_b + 5, &g);
        kernels_ref.gemm_nt(out.want + 1, in_a + 3, in_b + 5, &g);
        expect_near(set, "deep gemm_nt", 1e-4);
    }
}

Test(kernels, multiply_with_deep_sums_and_short_ones)
{
    for_each_set(check_deep);
}

static void check_groups(const struct kernels *set)
{
    static const uint32_t N[] = {2, 16, 33, 70}, K[] = {3, 40, 300};

    for (size_t i = 0; i < 4 * 3 * 3; i++) {
        struct gemm g = {.m = 7, .n = N[i % 4], .k = K[i / 4 % 3], .parts = 2, .a_part = 50};

        g.groups = (uint32_t)(i / 12) * 2; /* 0, 2, 4 */
        g.lda = 5;
        g.ldb = 9;
        g.ldc = g.n + 1;
        g.a_group = 41;
        g.c_group = 7 * g.ldc + 3;
        g.bias = in_b;
        fill(i);
        set->gemm_nn(out.got + 1, in_a + 1, in_b + 1, &g);
        kernels_ref.gemm_nn(out.want + 1, in_a + 1, in_b + 1, &g);
        expect_near(set, "gemm_nn in groups", 1e-4);
        g.bias = NULL;
        g.add = true;
        set->gemm_tn(out.got + 1, in_a + 1, in_b + 1, &g);
        kernels_ref.gemm_tn(out.want + 1, in_a + 1, in_b + 1, &g);
        expect_near(set, "gemm_tn in groups", 1e-4);
    }
}

Test(kernels, multiply_groups_of_rows)
{
    for_each_set(check_groups);
}

static struct window window_make(uint32_t channels, uint32_t kernel, uint32_t stride,
                                 uint32_t padding)
{
    struct window w = {.channels = channels,
                       .in_height = 9,
                       .in_width = 11,
                       .kernel = kernel,
                       .stride = stride,
                       .padding = padding};

    w.out_height = (w.in_height + 2 * padding - kernel) / stride + 1;
    w.out_width = (w.in_width + 2 * padding - kernel) / stride + 1;
    return w;
}

static void check_patches(const struct kernels *set)
{
    static const uint32_t CHANNELS[] = {1, 2, 5, 16, 19};

    for (uint32_t i = 0; i < 5 * 4 * 3; i++) {
        uint32_t kernel = i / 5 % 4 + 1, stride = i / 20 + 1;

        for (uint32_t padding = 0; padding < kernel; padding++) {
            struct window w = window_make(CHANNELS[i % 5], kernel, stride, padding);

            if (w.out_height * w.out_width * kernel * kernel * w.channels > ROOM - 1)
                continue;
            fill(i);
            set->im2col(out.got + 1, in_a + 1, &w);
            kernels_ref.im2col(out.want + 1, in_a + 1, &w);
            expect_near(set, "im2col", 0.0);
            set->col2im(out.got + 1, in_a + 3, &w);
            kernels_ref.col2im(out.want + 1, in_a + 3, &w);
            expect_near(set, "col2im", 1e-5);
        }
    }
}

Test(kernels, cut_and_add_patches_as_the_plain_loops_do)
{
    for_each_set(check_patches);
}

static void check_pools(const struct kernels *set)
{
    static const uint32_t CHANNELS[] = {1, 3, 16, 21};

    for (uint32_t i = 0; i < 4 * 3 * 3; i++) {
        struct window w = window_make(CHANNELS[i % 4], i / 4 % 3 + 1, i / 12 + 1, 0);

        fill(i);
        for (size_t j = 0; j < ROOM; j++)
            in_a[j] = roundf(2.0f * in_a[j]); /* many ties */
        set->max_pool(out.got + 1, out.got_tap, in_a + 1, &w);
        kernels_ref.max_pool(out.want + 1, out.want_tap, in_a + 1, &w);
        expect_near(set, "max_pool", 0.0);
        set->max_pool_back(out.got + 3, in_b + 1, out.got_tap, &w);
        kernels_ref.max_pool_back(out.want + 3, in_b + 1, out.want_tap, &w);
        expect_near(set, "max_pool_back", 1e-6);
        set->average_pool(out.got + 1, in_b + 1, &w);
        kernels_ref.average_pool(out.want + 1, in_b + 1, &w);
        expect_near(set, "average_pool", 1e-6);
        set->average_pool_back(out.got + 1, in_a + 1, &w);
        kernels_ref.average_pool_back(out.want + 1, in_a + 1, &w);
        expect_near(set, "average_pool_back", 1e-5);
    }
}

Test(kernels, pool_as_the_plain_loops_do)
{
    for_each_set(check_pools);
}

static void check_vectors(const struct kernels *set)
{
    for (size_t n = 0; n < 70; n += n < 36 ? 1 : 11) {
        double squares;

        fill(n);
        set->tanh_back(out.got + 1, in_a + 1, in_b + 3, n);
        kernels_ref.tanh_back(out.want + 1, in_a + 1, in_b + 3, n);
        set->relu(out.got + 101, in_a + 1, n);
        kernels_ref.relu(out.want + 101, in_a + 1, n);
        set->relu_back(out.got + 201, in_a + 1, in_b + 3, n);
        kernels_ref.relu_back(out.want + 201, in_a + 1, in_b + 3, n);
        set->add_scaled(out.got + 301, in_a + 1, 0.3f, n);
        kernels_ref.add_scaled(out.want + 301, in_a + 1, 0.3f, n);
        set->scale(out.got + 401, 0.3f, n);
        kernels_ref.scale(out.want + 401, 0.3f, n);
        set->add_rows(out.got + 501, in_a + 1, 7, n);
        kernels_ref.add_rows(out.want + 501, in_a + 1, 7, n);
        set->transpose(out.got + 601, in_a + 1, n, 37);
        kernels_ref.transpose(out.want + 601, in_a + 1, n, 37);
        expect_near(set, "on vectors", 1e-6);
        squares = kernels_ref.sum_squares(in_a + 1, n);
        cr_assert_float_eq(set->sum_squares(in_a + 1, n), squares, 1e-12 * (1.0 + squares));
    }
}

Test(kernels, work_on_vectors_of_every_length)
{
    for_each_set(check_vectors);
}

static void check_tanh(const struct kernels *set)
{
    static float x[4096], y[4096];
    double worst = 0.0;

    for (int part = 0; part < 40; part++) {
        for (int i = 0; i < 4096; i++)
            x[i] = part < 30 ? (float)(part - 15) * 0.9f + (float)i * (0.9f / 4096.0f)
                             : ldexpf(1.0f + (float)i / 4096.0f, -4 * (part - 29));
        set->tanh(y, x, 4096);
        for (int i = 0; i < 4096; i++) {
            double want = tanh((double)x[i]);

            if (want != 0.0)
                worst = fmax(worst, fabs((double)y[i] / want - 1.0));
        }
    }
    cr_assert_lt(worst, 1e-6, "%s: relative error %g", set->name, worst);
}

Test(kernels, tanh_is_exact_to_a_millionth)
{
    for_each_set(check_tanh);
}

static void check_special(const struct kernels *set)
{
    float x[5] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f}, y[5];

    set->tanh(y, x, 5);
    cr_assert(isnan(y[0]) && y[1] == 1.0f && y[2] == -1.0f && y[3] == 0.0f && y[4] == 0.0f);
    set->relu(y, x, 5);
    cr_assert(isnan(y[0]) && isinf(y[1]) && y[2] == 0.0f);
}

Test(kernels, keep_what_is_not_a_number)
{
    for_each_set(check_special);
}

static void check_large(const struct kernels *set)
{
    float x[20];

    for (size_t i = 0; i < 20; i++)
        x[i] = 3e38f;
    cr_assert(isfinite(set->sum_squares(x, 20)));
}

Test(kernels, squares_of_large_values_do_not_overflow)
{
    for_each_set(check_large);
}

static void check_steps(const struct kernels *set)
{
    const struct update u = {.share = 0.25f,
                             .rate = 0.1f,
                             .momentum = 0.9f,
                             .beta1 = 0.9f,
                             .beta2 = 0.99f,
                             .new1 = 0.1f,
                             .new2 = 0.01f,
                             .root = 1.3f,
                             .epsilon = 1e-3f,
                             .keep = 0.98f};

    for (size_t n = 0; n < 70; n += n < 36 ? 1 : 11) {
        struct update ahead = u;

        fill(n);
        ahead.ahead = true;
        for (size_t i = 601; i < 701; i++)
            out.got[i] = out.want[i] = fabsf(out.got[i]); /* squares */
        cr_assert(set->step_plain(out.got + 1, in_a + 3, &u, n));
        cr_assert(kernels_ref.step_plain(out.want + 1, in_a + 3, &u, n));
        cr_assert(set->step_momentum(out.got + 101, out.got + 201, in_a + 3, &u, n));
        cr_assert(kernels_ref.step_momentum(out.want + 101, out.want + 201, in_a + 3, &u, n));
        cr_assert(set->step_momentum(out.got + 301, out.got + 401, in_a + 3, &ahead, n));
        cr_assert(kernels_ref.step_momentum(out.want + 301, out.want + 401, in_a + 3, &ahead, n));
        cr_assert(set->step_adam(out.got + 501, out.got + 701, out.got + 601, in_a + 3, &u, n));
        cr_assert(
            kernels_ref.step_adam(out.want + 501, out.want + 701, out.want + 601, in_a + 3, &u, n));
        expect_near(set, "steps", 1e-6);
    }
}

Test(kernels, step_as_the_plain_loops_do)
{
    for_each_set(check_steps);
}

static void check_finite(const struct kernels *set)
{
    static const float BAD[] = {NAN, -NAN, INFINITY, -INFINITY};
    const struct update u = {.share = 1.0f, .rate = 1.0f, .keep = 1.0f, .epsilon = 1.0f};
    float w[37], v[37] = {0.0f}, s[37] = {0.0f}, g[37] = {0.0f};

    for (size_t i = 0; i < 37; i++)
        w[i] = i % 2 ? 3.4e38f : -1e-42f;
    cr_expect(set->all_finite(w, 37) && set->all_finite(NULL, 0));
    for (size_t at = 0; at < 37; at++) {
        for (size_t i = 0; i < 4; i++) {
            float kept = w[at];

            w[at] = BAD[i];
            cr_expect_not(set->all_finite(w, 37), "%s %zu", set->name, at);
            cr_expect_not(set->step_plain(w, g, &u, 37));
            cr_expect_not(set->step_momentum(w, v, g, &u, 37));
            cr_expect_not(set->step_adam(w, v, s, g, &u, 37));
            w[at] = kept;
        }
    }
}

Test(kernels, say_when_a_weight_is_not_finite)
{
    for_each_set(check_finite);
}

static void check_norms(const struct kernels *set)
{
    const struct norm norm = {.mean = 0.3f, .inverse = 1.7f, .slope = 0.2f, .along = -0.4f};

    for (size_t n = 0; n < 70; n += n < 36 ? 1 : 11) {
        double got[4] = {1.0, 2.0, 3.0, 4.0}, want[4] = {1.0, 2.0, 3.0, 4.0};

        fill(n);
        set->moments(got, in_a + 1, 0.25, n);
        kernels_ref.moments(want, in_a + 1, 0.25, n);
        set->norm_dots(got + 2, in_a + 1, in_b + 3, in_b + 101, &norm, n);
        kernels_ref.norm_dots(want + 2, in_a + 1, in_b + 3, in_b + 101, &norm, n);
        for (int i = 0; i < 4; i++)
            cr_assert_float_eq(got[i], want[i], 1e-5, "%s sum %d of %zu", set->name, i, n);
        set->normalise(out.got + 1, in_a + 1, in_b + 1, in_b + 201, &norm, n);
        kernels_ref.normalise(out.want + 1, in_a + 1, in_b + 1, in_b + 201, &norm, n);
        set->normalise(out.got + 101, in_a + 1, in_b + 1, NULL, &norm, n);
        kernels_ref.normalise(out.want + 101, in_a + 1, in_b + 1, NULL, &norm, n);
        set->norm_back(out.got + 201, in_a + 1, in_b + 3, in_b + 101, &norm, n);
        kernels_ref.norm_back(out.want + 201, in_a + 1, in_b + 3, in_b + 101, &norm, n);
        set->norm_slopes(out.got + 301, out.got + 401, in_a + 1, in_b + 3, &norm, n);
        kernels_ref.norm_slopes(out.want + 301, out.want + 401, in_a + 1, in_b + 3, &norm, n);
        set->norm_slopes(out.got + 501, NULL, in_a + 1, in_b + 3, &norm, n);
        kernels_ref.norm_slopes(out.want + 501, NULL, in_a + 1, in_b + 3, &norm, n);
        expect_near(set, "norms", 3e-6);
    }
}

Test(kernels, normalise_as_the_plain_loops_do)
{
    for_each_set(check_norms);
}
