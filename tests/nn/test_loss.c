/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>

#include "data/dataset.h"
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

/* 61 classes go another way than few: the same numbers, hits, smoothing and NaN. */
Test(loss, of_many_classes_is_what_it_is_of_few)
{
    const struct loss_form form = {{.kind = LOSS_CROSS_ENTROPY}, 0.1, 2, 61};
    float logits[122], gradient[122], want[61];
    uint32_t y[2] = {17, 60};
    struct loss_sum sum = {0};
    double loss = 0.0;
    bool correct;

    for (int i = 0; i < 122; i++)
        logits[i] = (float)(3.0 * sin(i * 1.7) + (i == 61 + 60 ? 9.0 : 0.0));
    loss_add(&sum, gradient, logits, &form, y, NULL);
    for (size_t p = 0; p < 2; p++) {
        loss += loss_cross_entropy(want, &correct, logits + 61 * p, 61, y[p]);
        loss += loss_smooth(want, logits + 61 * p, 61, y[p], 0.1);
        for (int c = 0; c < 61; c++)
            cr_assert_float_eq(gradient[61 * (int)p + c], (double)want[c] / 2, 1e-7);
    }
    cr_assert_float_eq(sum.loss, loss / 2, 1e-6);
    cr_assert(sum.counted == 2 && sum.correct == 1);
    logits[5] = NAN;
    loss_add(&sum, gradient, logits, &form, y, NULL);
    cr_assert(isnan(sum.loss));
}

Test(loss, of_equal_largest_logits_hits_the_smaller_class_only)
{
    const struct loss_form form = {{.kind = LOSS_CROSS_ENTROPY}, 0.0, 1, 50};
    float logits[50] = {0}, gradient[50];
    struct loss_sum sum = {0};

    loss_add(&sum, gradient, logits, &form, (uint32_t[]){3}, NULL);
    cr_assert_eq(sum.correct, 0);
    loss_add(&sum, gradient, logits, &form, (uint32_t[]){0}, NULL);
    cr_assert_eq(sum.correct, 1);
}

Test(loss, leaves_ignored_positions_out_of_the_mean)
{
    const struct loss_form form = {{.kind = LOSS_CROSS_ENTROPY}, 0.0, 3, 2};
    const float logits[6] = {0.0f, 0.0f, 5.0f, NAN, 0.0f, 0.0f};
    float gradient[6];
    struct loss_sum sum = {0};

    loss_add(&sum, gradient, logits, &form, (uint32_t[]){0, DATASET_IGNORE, 1}, NULL);
    cr_assert_float_eq(sum.loss, log(2.0), 1e-12, "what is ignored may even be NaN");
    cr_assert_float_eq(gradient[0], -0.25, 1e-7);
    cr_assert(gradient[2] == 0.0f && gradient[3] == 0.0f && sum.counted == 2);
    sum = (struct loss_sum){0};
    loss_add(&sum, gradient, logits, &form,
             (uint32_t[]){DATASET_IGNORE, DATASET_IGNORE, DATASET_IGNORE}, NULL);
    cr_assert(sum.loss == 0.0 && sum.counted == 0 && gradient[0] == 0.0f);
}

Test(loss, of_real_targets_matches_numbers_worked_out_by_hand)
{
    const float output[2] = {3.0f, -0.5f}, z[2] = {1.0f, 0.0f};
    struct loss_form form = {{.kind = LOSS_MEAN_SQUARED_ERROR}, 0.0, 1, 2};
    struct loss_sum sum = {0};
    float gradient[2];

    loss_add(&sum, gradient, output, &form, NULL, z);
    cr_assert_float_eq(sum.loss, (4.0 + 0.25) / 2, 1e-12);
    cr_assert(gradient[0] == 2.0f && gradient[1] == -0.5f);
    sum = (struct loss_sum){0};
    form.spec = (struct loss_spec){LOSS_HUBER, 1.0};
    loss_add(&sum, gradient, output, &form, NULL, z);
    cr_assert_float_eq(sum.loss, (1.5 + 0.125) / 2, 1e-12);
    cr_assert(gradient[0] == 0.5f && gradient[1] == -0.25f);
    sum = (struct loss_sum){0};
    form.spec = (struct loss_spec){.kind = LOSS_BINARY_CROSS_ENTROPY};
    loss_add(&sum, gradient, output, &form, NULL, z);
    cr_assert_float_eq(sum.loss, (log1p(exp(-3.0)) + log1p(exp(-0.5))) / 2, 1e-12);
    cr_assert_eq(sum.correct, 2);
    loss_add(&sum, gradient, (const float[2]){INFINITY, 0.0f}, &form, NULL, z);
    cr_assert(isnan(sum.loss));
    cr_assert_str_eq(loss_kind_name(LOSS_HUBER), "huber");
    cr_assert_str_eq(loss_kind_name(LOSS_KIND_COUNT), "unknown");
}
