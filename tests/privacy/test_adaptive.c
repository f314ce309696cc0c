/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>

#include "privacy/adaptive.h"

/* z^-2 = z_delta^-2 + (2 sigma)^-2: a count that moves by 1/2 and the update, together z. */
Test(adaptive, shares_the_noise_between_update_and_count)
{
    double z_delta, rider;

    cr_assert_eq(adaptive_noise(&z_delta, 1, 5), CN_OK);
    cr_assert_float_eq(z_delta, 1 / sqrt(1 - 0.01), 1e-12);
    cr_assert_eq(adaptive_rider(&rider, 1, 5), CN_OK);
    /* one noise for all numbers, z times the whole length, is z_delta for the update alone .. */
    cr_assert_float_eq(1 * sqrt(1 + rider * rider / 4), z_delta, 1e-12);
    /* .. and sigma for the count */
    cr_assert_float_eq(z_delta / rider, 5, 1e-12);
}

Test(adaptive, refuses_counts_that_leave_no_room)
{
    double out;

    cr_assert_eq(adaptive_noise(&out, 2, 1), CN_E_CONFIG);
    cr_assert(isinf(out));
    cr_assert_eq(adaptive_rider(&out, 0, 1), CN_E_CONFIG);
    cr_assert_eq(adaptive_rider(&out, NAN, 1), CN_E_CONFIG);
    cr_assert_eq(adaptive_rider(&out, 1, INFINITY), CN_E_CONFIG);
    cr_assert_eq(out, 0);
}

Test(adaptive, moves_the_clip_towards_the_quantile)
{
    const struct adaptive half = {.quantile = 0.5, .rate = 0.2, .sigma = 5};
    double next, rider = 0.2;

    /* 80 of 100 within: shares and norms by hand, C exp(-0.2 (0.8 - 0.5)) */
    cr_assert_eq(adaptive_next(&next, 3, &half, rider, (80 - 50) * rider, 100), CN_OK);
    cr_assert_float_eq(next, 3 * exp(-0.06), 1e-12);
    cr_assert_eq(adaptive_next(&next, 3, &half, rider, (20 - 50) * rider, 100), CN_OK);
    cr_assert_float_eq(next, 3 * exp(0.06), 1e-12);
    /* noise beyond all devices counts as all */
    cr_assert_eq(adaptive_next(&next, 3, &half, rider, 1e9, 100), CN_OK);
    cr_assert_float_eq(next, 3 * exp(-0.1), 1e-12);
    cr_assert_eq(adaptive_next(&next, ADAPTIVE_CLIP_MIN, &half, rider, 1e9, 100), CN_OK);
    cr_assert_eq(next, ADAPTIVE_CLIP_MIN);
}

/* Norms 1 .. 100: the clip settles where the wanted share is within. */
Test(adaptive, settles_at_the_quantile_of_the_norms)
{
    const struct adaptive wish = {.quantile = 0.7, .rate = 0.2, .sigma = 5};
    double clip = 0.5;

    for (int round = 0; round < 400; round++) {
        double sum = 0;

        for (int norm = 1; norm <= 100; norm++)
            sum += adaptive_bit(0.3, norm <= clip);
        cr_assert_eq(adaptive_next(&clip, clip, &wish, 0.3, sum, 100), CN_OK);
    }
    cr_assert(clip > 68 && clip < 72, "%g", clip);
}

Test(adaptive, keeps_the_clip_when_something_is_wrong)
{
    const struct adaptive good = {0.5, 0.2, 5}, fixed = {0, 0.2, 5}, fast = {0.5, 2, 5};
    double next = 0;

    cr_assert_eq(adaptive_next(&next, 3, &good, 0.2, NAN, 10), CN_E_CONFIG);
    cr_assert_eq(next, 3);
    cr_assert_eq(adaptive_next(&next, 3, &good, 0, 1, 10), CN_E_CONFIG);
    cr_assert_eq(adaptive_next(&next, 3, &good, 0.2, 1, 0), CN_E_CONFIG);
    cr_assert_eq(adaptive_next(&next, 3, &fixed, 0.2, 1, 10), CN_E_CONFIG);
    cr_assert_eq(adaptive_next(&next, 3, &fast, 0.2, 1, 10), CN_E_CONFIG);
    cr_assert_eq(adaptive_next(&next, INFINITY, &good, 0.2, 1, 10), CN_E_CONFIG);
}
