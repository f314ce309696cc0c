/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "privacy/clip.h"

Test(clip, leaves_a_short_vector_as_it_is)
{
    float v[3] = {0.1f, -0.2f, 0.2f};
    const float same[3] = {0.1f, -0.2f, 0.2f};
    double norm = 0;

    cr_assert_eq(clip_l2(v, 3, 0.5, &norm), CN_OK);
    cr_assert(memcmp(v, same, sizeof v) == 0);
    cr_assert_float_eq(norm, 0.3, 1e-7);
}

Test(clip, scales_a_long_vector_to_the_bound)
{
    float v[2] = {3, -4};

    cr_assert_eq(clip_l2(v, 2, 1, NULL), CN_OK);
    cr_assert_float_eq(v[0], 0.6f, 1e-7);
    cr_assert_float_eq(v[1], -0.8f, 1e-7);
}

Test(clip, never_passes_the_bound_by_more_than_it_says)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 7);
    float v[1003];

    for (int turn = 0; turn < 200; turn++) {
        size_t d = 1 + cn_random_below(&random, 1003);
        double scale = exp(40 * (cn_random_unit(&random) - 0.5));

        for (size_t i = 0; i < d; i++)
            v[i] = (float)(scale * cn_random_normal(&random));
        cr_assert_eq(clip_l2(v, d, 0.1, NULL), CN_OK);
        cr_assert_leq(clip_l2_norm(v, d), 0.1 * (1 + 0x1p-23));
    }
}

Test(clip, survives_the_largest_floats)
{
    float v[20];

    for (size_t i = 0; i < 20; i++)
        v[i] = 3.4e38f;
    cr_assert_eq(clip_l2(v, 20, 1, NULL), CN_OK);
    cr_assert_float_eq(clip_l2_norm(v, 20), 1, 1e-6);
}

Test(clip, accepts_zeros_and_nothing)
{
    float v[9] = {0};
    double norm = 1;

    cr_assert_eq(clip_l2(v, 9, 1, &norm), CN_OK);
    cr_assert_eq(norm, 0);
    cr_assert_eq(clip_l2(v, 0, 1, &norm), CN_OK);
}

Test(clip, refuses_what_is_not_finite_and_leaves_it_unchanged)
{
    for (size_t place = 0; place < 17; place++) {
        float v[17], same[17];

        for (size_t i = 0; i < 17; i++)
            v[i] = 5;
        v[place] = place % 2 ? NAN : -INFINITY;
        memcpy(same, v, sizeof v);
        cr_assert_eq(clip_l2(v, 17, 1, NULL), CN_E_DIVERGED);
        cr_assert(memcmp(v, same, sizeof v) == 0);
    }
}

Test(clip, refuses_a_bound_that_is_no_positive_number)
{
    const double bounds[] = {0, -1, NAN, INFINITY};
    float v[1] = {2};

    for (size_t i = 0; i < 4; i++)
        cr_assert_eq(clip_l2(v, 1, bounds[i], NULL), CN_E_CONFIG);
    cr_assert_eq(v[0], 2);
}
