/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients against central differences; clipped sums against gradients of single examples. */
#include "nn/gradient.h"

#include <math.h>
#include <string.h>

#include "nn/model_internal.h"
#include "tests/nn/checks.h"

Test(gradient, of_dense_layers_is_the_slope)
{
    struct model_spec spec = {.channels = 1,
                              .height = 1,
                              .width = 7,
                              .layers = {spec_dense(5), spec_of(LAYER_TANH), spec_dense(4),
                                         spec_of(LAYER_TANH), spec_dense(CLASSES)},
                              .layer_count = 5};

    expect_central_differences(&spec, SMOOTH);
}

Test(gradient, of_relu_is_the_slope)
{
    struct model_spec spec = {.channels = 1,
                              .height = 1,
                              .width = 9,
                              .layers = {spec_of(LAYER_TANH), spec_dense(6), spec_of(LAYER_RELU),
                                         spec_of(LAYER_TANH), spec_of(LAYER_RELU),
                                         spec_dense(CLASSES)},
                              .layer_count = 6};

    expect_central_differences(&spec, KINKED);
}

Test(gradient, of_convolutions_is_the_slope_for_odd_sizes_strides_and_paddings)
{
    static const uint32_t SIZES[][3] = {{3, 2, 1}, {2, 1, 1}, {1, 2, 0}, {3, 3, 2}, {2, 3, 0}};

    for (size_t i = 0; i < CN_COUNT(SIZES); i++) {
        struct model_spec spec = {.channels = 2,
                                  .height = 7,
                                  .width = 6,
                                  .layers = {spec_conv(5, SIZES[i][0], SIZES[i][1], SIZES[i][2]),
                                             spec_of(LAYER_TANH), spec_conv(3, 2, 1, 1),
                                             spec_of(LAYER_TANH), spec_of(LAYER_FLATTEN),
                                             spec_dense(CLASSES)},
                                  .layer_count = 6};

        expect_central_differences(&spec, SMOOTH);
    }
}

Test(gradient, of_wide_convolutions_is_the_slope)
{
    struct model_spec spec = {.channels = 1,
                              .height = 6,
                              .width = 5,
                              .layers = {spec_conv(17, 3, 1, 1), spec_of(LAYER_TANH),
                                         spec_pool(LAYER_AVERAGE_POOL, 5, 1), spec_conv(2, 2, 1, 1),
                                         spec_of(LAYER_FLATTEN), spec_dense(CLASSES)},
                              .layer_count = 6};

    expect_central_differences(&spec, SMOOTH);
}

Test(gradient, of_max_pools_is_the_slope)
{
    for (uint32_t stride = 0; stride < 3; stride++) {
        struct model_spec spec = {
            .channels = 1,
            .height = 6,
            .width = 7,
            .layers = {spec_conv(3, 2, 1, 0), spec_pool(LAYER_MAX_POOL, 2, stride),
                       spec_of(LAYER_TANH), spec_of(LAYER_FLATTEN), spec_dense(CLASSES)},
            .layer_count = 5};

        expect_central_differences(&spec, KINKED);
    }
}

Test(gradient, of_average_pools_is_the_slope)
{
    for (uint32_t stride = 0; stride < 3; stride++) {
        struct model_spec spec = {.channels = 3,
                                  .height = 7,
                                  .width = 6,
                                  .layers = {spec_conv(4, 2, 1, 0), spec_of(LAYER_TANH),
                                             spec_pool(LAYER_AVERAGE_POOL, 3, stride),
                                             spec_of(LAYER_FLATTEN), spec_dense(CLASSES)},
                                  .layer_count = 5};

        expect_central_differences(&spec, SMOOTH);
    }
}

Test(gradient, of_padded_pools_is_the_slope)
{
    for (uint32_t padding = 1; padding < 3; padding++) {
        struct layer_spec largest = spec_pool(LAYER_MAX_POOL, 3, 2);
        struct layer_spec average = spec_pool(LAYER_AVERAGE_POOL, 3, padding);
        struct model_spec spec = {.channels = 2,
                                  .height = 6,
                                  .width = 7,
                                  .layers = {spec_conv(3, 2, 1, 0), largest, average,
                                             spec_of(LAYER_FLATTEN), spec_dense(CLASSES)},
                                  .layer_count = 5};

        spec.layers[1].padding = spec.layers[2].padding = padding;
        expect_central_differences(&spec, KINKED);
    }
}

Test(gradient, of_the_largest_of_all_places_is_the_slope)
{
    struct model_spec spec = {
        .channels = 2,
        .height = 4,
        .width = 5,
        .layers = {spec_conv(3, 2, 1, 0), spec_of(LAYER_GLOBAL_MAX_POOL), spec_dense(CLASSES)},
        .layer_count = 3};

    expect_central_differences(&spec, KINKED);
}

/* ---- clipping ---- */

static const struct model_spec DENSE = {.channels = 1,
                                        .height = 1,
                                        .width = 9,
                                        .layers = {{.kind = LAYER_DENSE, .units = 21},
                                                   {.kind = LAYER_RELU},
                                                   {.kind = LAYER_DENSE, .units = CLASSES}},
                                        .layer_count = 3};

/* 6x6 patches of 8 channels by 40 filters. */
static const struct model_spec CONV = {
    .channels = 8,
    .height = 6,
    .width = 6,
    .layers = {{.kind = LAYER_CONV2D, .filters = 40, .kernel = 3, .padding = 1, .stride = 2},
               {.kind = LAYER_TANH},
               {.kind = LAYER_CONV2D, .filters = 10, .kernel = 2},
               {.kind = LAYER_FLATTEN},
               {.kind = LAYER_DENSE, .units = CLASSES}},
    .layer_count = 5};

Test(gradient, clips_dense_layers_example_by_example)
{
    struct clipping c = clipping_make(&DENSE, 3);

    expect_clipped(&c);
    clipping_free(&c);
}

Test(gradient, clips_convolutions_by_kept_gradients)
{
    struct clipping c = clipping_make(&CONV, 4);

    cr_assert_eq(c.model->layers[0].way, NORM_KEEP);
    expect_clipped(&c);
    clipping_free(&c);
}

Test(gradient, clips_convolutions_by_inner_products)
{
    struct clipping c = clipping_make(&CONV, 4096);

    cr_assert_eq(c.model->layers[0].way, NORM_GRAM);
    expect_clipped(&c);
    clipping_free(&c);
}

Test(gradient, clips_convolutions_by_making_the_gradient_twice)
{
    struct model_spec spec = {
        .channels = 2,
        .height = 16,
        .width = 16,
        .layers = {{.kind = LAYER_CONV2D, .filters = 16, .kernel = 3, .padding = 1},
                   {.kind = LAYER_RELU},
                   {.kind = LAYER_MAX_POOL, .kernel = 4},
                   {.kind = LAYER_FLATTEN},
                   {.kind = LAYER_DENSE, .units = CLASSES}},
        .layer_count = 5};
    struct clipping c = clipping_make(&spec, 4096);

    cr_assert_eq(c.model->layers[0].way, NORM_TWICE);
    expect_clipped(&c);
    clipping_free(&c);
}

Test(gradient, never_lets_one_example_pass_the_bound)
{
    static const double BOUNDS[] = {1e-6, 0.01, 0.1, 1.0};
    struct clipping c = clipping_make(&CONV, 4);

    for (uint32_t i = 0; i < EXAMPLES * CN_COUNT(BOUNDS); i++) {
        struct gradient_batch one = {&c.data, &c.rows[i % EXAMPLES], 1};
        struct gradient_seen seen = {0};
        float *sum = calloc(c.d, sizeof *sum);
        double bound = BOUNDS[i / EXAMPLES];

        cr_assert_eq(gradient_add_clipped(c.model, sum, &seen, &one, bound, NULL), CN_OK);
        cr_assert_leq(sqrt(kernels_ref.sum_squares(sum, c.d)), bound);
        free(sum);
    }
    clipping_free(&c);
}

Test(gradient, does_not_depend_on_the_micro_batch)
{
    struct clipping one = clipping_make(&CONV, 1), many = clipping_make(&CONV, 5);
    float *a = calloc(one.d, sizeof *a), *b = calloc(one.d, sizeof *b);
    struct gradient_seen seen = {0};

    cr_assert_eq(
        gradient_add(one.model, a, &seen, &(struct gradient_batch){&one.data, one.rows, EXAMPLES}),
        CN_OK);
    cr_assert_eq(gradient_add(many.model, b, &seen,
                              &(struct gradient_batch){&many.data, many.rows, EXAMPLES}),
                 CN_OK);
    for (size_t i = 0; i < one.d; i++)
        cr_assert_float_eq(a[i], b[i], 1e-5);
    free(a);
    free(b);
    clipping_free(&one);
    clipping_free(&many);
}

Test(gradient, of_no_examples_adds_nothing)
{
    struct clipping c = clipping_make(&DENSE, 3);
    struct gradient_seen seen = {0};
    float *sum = calloc(c.d, sizeof *sum);

    cr_assert_eq(gradient_add_clipped(c.model, sum, &seen,
                                      &(struct gradient_batch){&c.data, NULL, 0}, 1.0, NULL),
                 CN_OK);
    for (size_t i = 0; i < c.d; i++)
        cr_assert_eq(sum[i], 0.0f);
    cr_assert_eq(seen.n, 0);
    free(sum);
    clipping_free(&c);
}

Test(gradient, says_so_when_values_are_not_finite)
{
    struct clipping c = clipping_make(&CONV, 3);
    struct gradient_batch all = {&c.data, c.rows, EXAMPLES};
    struct gradient_seen seen = {0};
    float *sum = calloc(c.d, sizeof *sum);

    c.data.x[5] = NAN;
    cr_assert_eq(gradient_add(c.model, sum, &seen, &all), CN_E_DIVERGED);
    free(sum);
    clipping_free(&c);
}

/* Under differential privacy a failure would say that the example is in the batch. */
static void expect_left_out(struct clipping *c, uint32_t example)
{
    struct gradient_batch all = {&c->data, c->rows, EXAMPLES}, rest = {&c->data, NULL, 0};
    struct gradient_seen seen = {0}, fewer = {0};
    float *sum = calloc(c->d, sizeof *sum), *without = calloc(c->d, sizeof *without);
    uint32_t rows[EXAMPLES];
    double norms[EXAMPLES];

    for (uint32_t i = 0; i < EXAMPLES; i++)
        if (i != example)
            rows[rest.n++] = c->rows[i];
    rest.rows = rows;
    cr_assert_eq(gradient_add_clipped(c->model, sum, &seen, &all, 1.0, norms), CN_OK);
    cr_assert_eq(gradient_add_clipped(c->model, without, &fewer, &rest, 1.0, NULL), CN_OK);
    for (size_t i = 0; i < c->d; i++)
        cr_assert_float_eq(sum[i], without[i], 1e-5);
    cr_assert(isinf(norms[example]));
    cr_assert_eq(seen.n, EXAMPLES - 1);
    cr_assert_float_eq(seen.loss, fewer.loss, 1e-6);
    free(sum);
    free(without);
}

Test(gradient, leaves_out_an_example_whose_loss_is_not_finite)
{
    struct clipping c = clipping_make(&CONV, 3);

    c.data.x[5] = NAN;
    expect_left_out(&c, 0);
    clipping_free(&c);
}

Test(gradient, leaves_out_an_example_of_which_only_the_norm_is_not_finite)
{
    struct clipping c = clipping_make(&DENSE, 3);

    /* the hidden layer is off whatever comes in, so the loss is finite and the gradient is 0 * inf
     */
    memset(model_weights(c.model), 0, c.d * sizeof(float));
    c.model->weights[9 * 21 + 21] = 1.0f;
    c.data.x[0] = INFINITY;
    expect_left_out(&c, 0);
    clipping_free(&c);
}

Test(gradient, check_refuses_data_that_does_not_fit)
{
    struct clipping c = clipping_make(&CONV, 3);
    struct dataset other = c.data;
    struct cn_diag diag = {0};

    other.height = 5;
    cr_assert_eq(gradient_check(c.model, &other, &diag), CN_E_SHAPE);
    cr_assert_str_eq(diag.text, "the model wants examples of 8x6x6 but the data has 8x5x6");
    other = c.data;
    other.classes = CLASSES + 1;
    cr_assert_eq(gradient_check(c.model, &other, NULL), CN_E_DATA);
    c.data.y[2] = CLASSES;
    cn_diag_clear(&diag);
    cr_assert_eq(gradient_check(c.model, &c.data, &diag), CN_E_DATA);
    cr_assert_str_eq(diag.text, "example 2 has label 3 but the model has 3 outputs");
    clipping_free(&c);
}
