/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "privacy/clip.h"
#include "privacy/rotate.h"

static const uint8_t seed[ROTATE_SEED_BYTES] = "a public seed of the round, 32 b";

static float *vector(size_t d)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, d);
    float *v = malloc(d * sizeof *v);

    for (size_t i = 0; i < d; i++)
        v[i] = (float)cn_random_normal(&random);
    return v;
}

Test(rotate, equals_its_definition)
{
    for (size_t n = 1; n <= 4096; n *= 2) {
        float *fast = vector(n), *slow = vector(n);

        rotate_hadamard(fast, n);
        rotate_hadamard_ref(slow, n);
        for (size_t i = 0; i < n; i++)
            cr_assert_float_eq(fast[i], slow[i], 1e-5, "%zu of %zu", i, n);
        free(fast);
        free(slow);
    }
}

Test(rotate, knows_the_matrix_of_four)
{
    float v[4] = {1, 2, 3, 5};

    rotate_hadamard(v, 4);
    cr_assert_float_eq(v[0], 5.5, 1e-6);
    cr_assert_float_eq(v[1], -1.5, 1e-6);
    cr_assert_float_eq(v[2], -2.5, 1e-6);
    cr_assert_float_eq(v[3], 0.5, 1e-6);
}

Test(rotate, turns_back_and_keeps_the_norm_of_any_length)
{
    const size_t lengths[] = {1, 2, 3, 7, 8, 9, 1000, 16384, 16385, 26010, 100003};

    for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
        size_t d = lengths[k];
        float *v = vector(d), *same = vector(d);

        cr_assert_eq(rotate_forward(v, d, seed), CN_OK);
        cr_assert_float_eq(clip_l2_norm(v, d) / clip_l2_norm(same, d), 1, 1e-6);
        cr_assert(d < 9 || memcmp(v, same, d * sizeof *v) != 0);
        cr_assert_eq(rotate_inverse(v, d, seed), CN_OK);
        for (size_t i = 0; i < d; i++)
            cr_assert_float_eq(v[i], same[i], 5e-6, "%zu of %zu", i, d);
        free(v);
        free(same);
    }
}

Test(rotate, commutes_with_adding)
{
    size_t d = 3000;
    float *a = vector(d), *b = vector(d), *sum = vector(d);

    for (size_t i = 0; i < d; i++)
        sum[i] = a[i] + b[i];
    cr_assert_eq(rotate_forward(a, d, seed), CN_OK);
    cr_assert_eq(rotate_forward(b, d, seed), CN_OK);
    for (size_t i = 0; i < d; i++)
        a[i] += b[i];
    cr_assert_eq(rotate_inverse(a, d, seed), CN_OK);
    for (size_t i = 0; i < d; i++)
        cr_assert_float_eq(a[i], sum[i], 1e-5);
    free(a);
    free(b);
    free(sum);
}

Test(rotate, spreads_what_was_in_one_place)
{
    size_t d = 2 * ROTATE_BLOCK;
    float *v = calloc(d, sizeof *v);

    v[5] = 1000;
    v[9] = 10;
    cr_assert_eq(rotate_forward(v, d, seed), CN_OK);
    for (size_t i = 0; i < ROTATE_BLOCK; i++)
        cr_assert_lt(fabsf(v[i]), 1011 / sqrt((double)ROTATE_BLOCK));
    for (size_t i = ROTATE_BLOCK; i < d; i++)
        cr_assert_eq(v[i], 0);
    free(v);
}

Test(rotate, depends_on_the_seed)
{
    static const uint8_t other[ROTATE_SEED_BYTES] = "another";
    float *a = vector(64), *b = vector(64);

    cr_assert_eq(rotate_forward(a, 64, seed), CN_OK);
    cr_assert_eq(rotate_forward(b, 64, other), CN_OK);
    cr_assert(memcmp(a, b, 64 * sizeof *a) != 0);
    free(a);
    free(b);
}
