/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>

#include "nn/loss.h"

Test(loss, of_equal_logits_is_the_logarithm_of_the_classes)
{
    const float logits[4] = {2.0f, 2.0f, 2.0f, 2.0f};
    float gradient[4];
    bool correct;

    cr_assert_float_eq(loss_cross_entropy(gradient, &correct, logits, 4, 1), log(4.0), 1e-12);
    cr_assert_not(correct, "of equals the smaller class counts");
    cr_assert_float_eq(gradient[0], 0.25, 1e-7);
    cr_assert_float_eq(gradient[1], -0.75, 1e-7);
}

Test(loss, matches_numbers_worked_out_by_hand)
{
    /* e^0, e^1, e^2 over their sum 11.1073...: 0.0900306, 0.2447285, 0.6652410 */
    const float logits[3] = {0.0f, 1.0f, 2.0f};
    float out[3];
    bool correct;

    loss_softmax(out, logits, 3);
    cr_assert_float_eq(out[0], 0.09003057, 1e-7);
    cr_assert_float_eq(out[1], 0.24472847, 1e-7);
    cr_assert_float_eq(out[2], 0.66524096, 1e-7);
    cr_assert_float_eq(loss_cross_entropy(NULL, &correct, logits, 3, 2), 0.40760596, 1e-8);
    cr_assert(correct);
}

Test(loss, survives_logits_of_any_finite_size)
{
    const float logits[3] = {3e38f, -3e38f, 0.0f};
    float gradient[3];
    bool correct;

    cr_assert(isfinite(loss_cross_entropy(gradient, &correct, logits, 3, 1)));
    cr_assert_float_eq(gradient[0], 1.0, 1e-7);
    cr_assert_float_eq(gradient[1], -1.0, 1e-7);
}

Test(loss, is_not_a_number_when_a_logit_is_not_finite)
{
    const float bad[3] = {NAN, INFINITY, -INFINITY};

    for (int i = 0; i < 3; i++) {
        float logits[3] = {0.0f, 0.0f, 0.0f}, gradient[3];
        bool correct;

        logits[1] = bad[i];
        cr_assert(isnan(loss_cross_entropy(gradient, &correct, logits, 3, 0)));
    }
}

/* The sum over classes of -q log softmax, q the smoothed label, as PyTorch defines it. */
Test(loss, of_smoothed_labels_spreads_their_share)
{
    const float logits[4] = {0.5f, -1.0f, 2.0f, 0.0f};
    const double share = 0.2;
    float gradient[4], p[4];
    double want = 0.0, got;
    bool correct;

    loss_softmax(p, logits, 4);
    got = loss_cross_entropy(gradient, &correct, logits, 4, 1);
    got += loss_smooth(gradient, logits, 4, 1, share);
    for (int c = 0; c < 4; c++) {
        double q = share / 4 + (c == 1 ? 1 - share : 0);

        want -= q * log((double)p[c]);
        cr_assert_float_eq(gradient[c], (double)p[c] - q, 1e-6);
    }
    cr_assert_float_eq(got, want, 1e-6);
}
