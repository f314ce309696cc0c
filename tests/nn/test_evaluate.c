/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/evaluate.h"

#include <math.h>

#include "tests/nn/fixture.h"

static const struct model_spec LINE = {.channels = 1,
                                       .height = 1,
                                       .width = 2,
                                       .layers = {{.kind = LAYER_DENSE, .units = 2}},
                                       .layer_count = 1};
/* logits are the inputs */
static const float IDENTITY[6] = {1, 0, 0, 1, 0, 0};

Test(evaluate, counts_hits_and_averages_losses)
{
    struct model *model = fixture_model(&LINE, 2, 1);
    float x[] = {3, 1, 1, 3, 2, 2, 0, 4, 5, 0};
    uint32_t y[] = {0, 1, 0, 0, 1};
    struct dataset data = {
        .x = x, .y = y, .n = 5, .channels = 1, .height = 1, .width = 2, .classes = 2};
    struct evaluate_result result;
    double want = 2 * log1p(exp(-2)) + log(2) + log1p(exp(4)) + log1p(exp(5));

    cr_assert_eq(model_set_weights(model, IDENTITY), CN_OK);
    cr_assert_eq(evaluate_run(model, &data, &result), CN_OK);
    cr_assert_eq(result.n, 5);
    cr_assert_eq(result.correct, 3);
    cr_assert_float_eq(result.loss, want / 5, 1e-9);
    model_free(model);
}

Test(evaluate, gives_zeros_with_every_error)
{
    struct model *model = fixture_model(&LINE, 2, 1);
    float x[] = {3, NAN};
    uint32_t y[] = {0};
    struct dataset data = {
        .x = x, .y = y, .n = 1, .channels = 1, .height = 1, .width = 2, .classes = 2};
    struct evaluate_result result = {.n = 9};

    cr_assert_eq(evaluate_run(model, &data, &result), CN_E_DIVERGED);
    cr_assert_eq(result.n, 0);
    data.classes = 3;
    cr_assert_eq(evaluate_run(model, &data, &result), CN_E_DATA);
    data.width = 1;
    cr_assert_eq(evaluate_run(model, &data, &result), CN_E_SHAPE);
    model_free(model);
}

Test(evaluate, of_nothing_is_zero)
{
    struct model *model = fixture_model(&LINE, 2, 1);
    struct dataset data = {.channels = 1, .height = 1, .width = 2, .classes = 2};
    struct evaluate_result result;

    cr_assert_eq(evaluate_run(model, &data, &result), CN_OK);
    cr_assert(result.n == 0 && result.loss == 0.0);
    model_free(model);
}
