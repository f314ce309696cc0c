/* SPDX-License-Identifier: Apache-2.0 */
/* Counts and scores worked out by hand, of a model whose logits are its inputs. */
#include "nn/metrics.h"

#include <math.h>

#include "tests/nn/fixture.h"

static struct model *identity(uint32_t classes)
{
    struct model_spec spec = {.channels = 1,
                              .height = 1,
                              .width = classes,
                              .layers = {spec_dense(classes)},
                              .layer_count = 1};
    struct model *model = fixture_model(&spec, 2, 1);
    float *weights = model_weights(model);

    for (size_t i = 0; i < model_params(model); i++)
        weights[i] = i < (size_t)classes * classes && i % (classes + 1) == 0 ? 1.0f : 0.0f;
    return model;
}

Test(metrics, counts_confusions_and_scores_each_class)
{
    float x[] = {9, 5, 1, 1, 2, 0, 3, 3, 1, 0, 8, 7, 4, 6, 5};
    uint32_t y[] = {0, 0, 1, 1, 2};
    struct dataset data = {
        .x = x, .y = y, .n = 5, .channels = 1, .height = 1, .width = 3, .classes = 3};
    static const uint64_t WANT[9] = {1, 1, 0, 1, 1, 0, 0, 1, 0};
    struct model *model = identity(3);
    struct metrics_scores scores;
    struct metrics m;

    cr_assert_eq(metrics_run(&m, model, &data, 2), CN_OK);
    for (int i = 0; i < 9; i++)
        cr_assert_eq(m.confusion[i], WANT[i], "cell %d", i);
    cr_assert(m.n == 5 && m.classes == 3 && m.top_k == 5 && isnan(m.auc));
    cr_assert_float_eq(metrics_accuracy(&m), 0.4, 1e-12);
    scores = metrics_class(&m, 1);
    cr_assert_float_eq(scores.precision, 1.0 / 3, 1e-12);
    cr_assert_float_eq(scores.recall, 0.5, 1e-12);
    cr_assert_float_eq(scores.f1, 0.4, 1e-12);
    scores = metrics_class(&m, 2);
    cr_assert(scores.precision == 0 && scores.recall == 0 && scores.f1 == 0);
    scores = metrics_mean(&m);
    cr_assert_float_eq(scores.precision, (0.5 + 1.0 / 3) / 3, 1e-12);
    cr_assert_float_eq(scores.recall, 1.0 / 3, 1e-12);
    cr_assert_float_eq(scores.f1, 0.3, 1e-12);
    metrics_clear(&m);
    cr_assert_eq(metrics_run(&m, model, &data, 1), CN_OK);
    cr_assert_eq(m.top_k, 2);
    metrics_clear(&m);
    model_free(model);
}

Test(metrics, gives_the_area_under_the_curve_with_ties)
{
    /* scores of 0: 1 2 2, of 1: 2 3 0; pairs right: 1 + 2 halves, 3, 0 of 9 */
    float x[] = {0, 1, 0, 2, 0, 2, 0, 2, 0, 3, 0, 0};
    uint32_t y[] = {0, 0, 0, 1, 1, 1};
    struct dataset data = {
        .x = x, .y = y, .n = 6, .channels = 1, .height = 1, .width = 2, .classes = 2};
    struct model *model = identity(2);
    struct metrics m;

    cr_assert_eq(metrics_run(&m, model, &data, 1), CN_OK);
    cr_assert_float_eq(m.auc, 5.0 / 9, 1e-12);
    metrics_clear(&m);
    data.n = 3; /* one label only */
    cr_assert_eq(metrics_run(&m, model, &data, 1), CN_OK);
    cr_assert(isnan(m.auc));
    metrics_clear(&m);
    model_free(model);
}

Test(metrics, perplexity_of_equal_logits_is_the_number_of_classes)
{
    float x[8] = {0};
    uint32_t y[] = {3, 1};
    struct dataset data = {
        .x = x, .y = y, .n = 2, .channels = 1, .height = 1, .width = 4, .classes = 4};
    struct model *model = identity(4);
    struct metrics m;

    cr_assert_eq(metrics_run(&m, model, &data, 2), CN_OK);
    cr_assert_float_eq(m.perplexity, 4.0, 1e-9);
    cr_assert_float_eq(m.loss, log(4.0), 1e-12);
    cr_assert_eq(m.top_k, 1); /* ties go to the smaller class: 1 is second, 3 is last */
    metrics_clear(&m);
    model_free(model);
}

Test(metrics, refuses_what_it_can_not_count_and_leaves_zeros)
{
    float x[] = {1, NAN};
    uint32_t y[] = {0};
    struct dataset data = {
        .x = x, .y = y, .n = 1, .channels = 1, .height = 1, .width = 2, .classes = 2};
    struct model *model = identity(2);
    struct metrics m;

    cr_assert_eq(metrics_run(&m, model, &data, 1), CN_E_DIVERGED);
    cr_assert(m.confusion == NULL && m.n == 0);
    cr_assert_eq(metrics_run(&m, model, &data, 0), CN_E_CONFIG);
    cr_assert_eq(metrics_run(&m, model, &data, 3), CN_E_CONFIG);
    data.width = 1;
    cr_assert_eq(metrics_run(&m, model, &data, 1), CN_E_SHAPE);
    cr_assert_null(m.confusion);
    model_free(model);
}

Test(metrics, of_nothing_are_zero)
{
    struct dataset data = {.channels = 1, .height = 1, .width = 2, .classes = 2};
    struct model *model = identity(2);
    struct metrics m;

    cr_assert_eq(metrics_run(&m, model, &data, 1), CN_OK);
    cr_assert(m.n == 0 && metrics_accuracy(&m) == 0 && metrics_mean(&m).f1 == 0 && isnan(m.auc));
    metrics_clear(&m);
    model_free(model);
}

/* One embedding row per token gives its logits: 0 0, 0 ln 3. */
Test(metrics, of_positions_leave_out_what_is_ignored)
{
    struct model_spec spec = {.channels = 1,
                              .height = 1,
                              .width = 3,
                              .vocabulary = 2,
                              .layers = {{.kind = LAYER_EMBEDDING, .units = 2}},
                              .layer_count = 1};
    const float weights[4] = {0.0f, 0.0f, 0.0f, 1.0986123f};
    float x[6] = {0, 1, 1, 1, 0, 0};
    uint32_t y[6] = {0, 1, DATASET_IGNORE, 0, DATASET_IGNORE, 1};
    struct dataset data = {.x = x,
                           .y = y,
                           .n = 2,
                           .channels = 1,
                           .height = 1,
                           .width = 3,
                           .classes = 2,
                           .vocabulary = 2,
                           .targets = 3};
    struct model *model = fixture_model(&spec, 2, 1);
    const double loss = (2 * log(2.0) + log(4.0 / 3) + log(4.0)) / 4;
    struct metrics m;

    cr_assert_eq(model_set_weights(model, weights), CN_OK);
    cr_assert_eq(metrics_run(&m, model, &data, 1), CN_OK);
    cr_assert(m.n == 4 && m.correct == 2 && m.top_k == 2);
    cr_assert_float_eq(m.loss, loss, 1e-6);
    cr_assert_float_eq(m.perplexity, exp(loss), 1e-5);
    cr_assert_float_eq(m.bits, loss / log(2.0), 1e-6);
    cr_assert(m.confusion[0] == 1 && m.confusion[1] == 1 && m.confusion[2] == 1 &&
              m.confusion[3] == 1);
    cr_assert_float_eq(m.auc, 0.5, 1e-9, "of 0: 0, ln 3; of 1: ln 3, 0");
    cr_assert(isnan(m.r2) && isnan(m.mae));
    metrics_clear(&m);
    model_free(model);
}

static struct model *reals_model(enum loss_kind loss)
{
    struct model_spec spec = {.channels = 1,
                              .height = 1,
                              .width = 2,
                              .loss = {.kind = loss},
                              .layers = {spec_dense(2)},
                              .layer_count = 1};
    static const float IDENTITY[6] = {1, 0, 0, 1, 0, 0};
    struct model *model = fixture_model(&spec, 2, 1);

    cr_assert_eq(model_set_weights(model, IDENTITY), CN_OK);
    return model;
}

/* Outputs 1 5, 2 5, 3 7, 4 7 for 1 4, 3 5, 3 6, 5 5: errors 0 1, 1 0, 0 1, 1 2. */
Test(metrics, of_real_targets_are_errors_and_what_is_explained)
{
    float x[8] = {1, 5, 2, 5, 3, 7, 4, 7}, z[8] = {1, 4, 3, 5, 3, 6, 5, 5};
    struct dataset data = {
        .x = x, .z = z, .n = 4, .channels = 1, .height = 1, .width = 2, .reals = 2};
    struct model *model = reals_model(LOSS_MEAN_SQUARED_ERROR);
    struct metrics m;

    cr_assert_eq(metrics_run(&m, model, &data, 2), CN_E_CONFIG);
    cr_assert_eq(metrics_run(&m, model, &data, 1), CN_OK);
    cr_assert(m.n == 8 && m.classes == 0 && !m.confusion);
    cr_assert_float_eq(m.mae, 6.0 / 8, 1e-12);
    cr_assert_float_eq(m.rmse, 1.0, 1e-12);
    cr_assert_float_eq(m.loss, 1.0, 1e-12);
    /* squares about the means 3 and 5: 8 and 2; left: 2 and 6 */
    cr_assert_float_eq(m.r2, (1 - 2.0 / 8 + 1 - 6.0 / 2) / 2, 1e-12);
    cr_assert(isnan(m.perplexity) && isnan(m.bits) && isnan(m.auc));
    metrics_clear(&m);
    model_free(model);
}

Test(metrics, of_yes_or_no_labels_are_those_of_two_classes)
{
    float x[6] = {2, -1, -2, 1, 1, -3}, z[6] = {1, 0, 1, 1, 0, 0};
    struct dataset data = {
        .x = x, .z = z, .n = 3, .channels = 1, .height = 1, .width = 2, .reals = 2};
    struct model *model = reals_model(LOSS_BINARY_CROSS_ENTROPY);
    struct metrics m;

    cr_assert_eq(metrics_run(&m, model, &data, 1), CN_OK);
    cr_assert(m.n == 6 && m.classes == 2 && m.correct == 4);
    cr_assert(m.confusion[0] == 2 && m.confusion[1] == 1 && m.confusion[2] == 1 &&
              m.confusion[3] == 2);
    /* of 1: 2 -2 1, of 0: -1 1 -3; pairs right: 3, 1, 2 and a half */
    cr_assert_float_eq(m.auc, 6.5 / 9, 1e-12);
    cr_assert(isnan(m.r2));
    metrics_clear(&m);
    model_free(model);
}
