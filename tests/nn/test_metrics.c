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
