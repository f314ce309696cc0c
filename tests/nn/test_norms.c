/* SPDX-License-Identifier: Apache-2.0 */
/* Norms and residual connections: values worked out by hand, slopes, clipping, diagnostics. */
#include "tests/nn/checks.h"

static struct layer_spec group_norm(uint32_t groups)
{
    return (struct layer_spec){.kind = LAYER_GROUP_NORM, .groups = groups};
}

static struct layer_spec residual(uint32_t from)
{
    return (struct layer_spec){.kind = LAYER_RESIDUAL, .from = from};
}

static void expect_refused(const struct model_spec *spec, enum cn_err err, const char *text)
{
    struct cn_diag diag = {0};
    struct model *model;

    cr_assert_eq(model_new(&model, spec, 2, &diag), err, "%s: %s", text, diag.text);
    cr_assert_str_eq(diag.text, text);
}

/* x [4, 1, 2], channels first, through the norm with gains and biases; y is compared. */
static void expect_normed(struct layer_spec norm, const float *gains_biases, const double want[8])
{
    static const float X[8] = {1, -1, 3, 0, 5, 2, 7, 3};
    struct model_spec spec = {
        .channels = 4, .height = 1, .width = 2, .layers = {norm, spec_of(LAYER_FLATTEN)}};
    struct model *model;
    float y[8];

    spec.layer_count = 2;
    model = fixture_model(&spec, 1, 1);
    if (gains_biases)
        cr_assert_eq(model_set_weights(model, gains_biases), CN_OK);
    model_forward(model, y, X, 1);
    for (int i = 0; i < 8; i++)
        cr_assert_float_eq(y[i], want[i], 2e-5, "value %d: %g and not %g", i, (double)y[i],
                           want[i]);
    model_free(model);
}

Test(norms, layer_norm_normalises_the_channels_of_each_place)
{
    /* place 0: 1 3 5 7, mean 4, variance 5; place 1: -1 0 2 3, mean 1, variance 2.5 */
    const double a = 1 / sqrt(5.00001), b = 1 / sqrt(2.50001);
    const float weights[8] = {1, 1, 2, 1, 0, 0, 0, -1};

    expect_normed(spec_of(LAYER_LAYER_NORM), NULL,
                  (double[]){-3 * a, -2 * b, -a, -b, a, b, 3 * a, 2 * b});
    expect_normed(spec_of(LAYER_LAYER_NORM), weights,
                  (double[]){-3 * a, -2 * b, -a, -b, 2 * a, 2 * b, 3 * a - 1, 2 * b - 1});
}

Test(norms, rms_norm_keeps_the_mean)
{
    /* mean squares: 84 / 4 and 14 / 4 */
    const double a = 1 / sqrt(21.00001), b = 1 / sqrt(3.50001);
    const float gains[4] = {1, 1, 1, 3};

    expect_normed(spec_of(LAYER_RMS_NORM), gains,
                  (double[]){a, -b, 3 * a, 0, 5 * a, 2 * b, 21 * a, 9 * b});
}

Test(norms, group_norm_normalises_each_group_over_all_places)
{
    /* channels 0 and 1: 1 -1 3 0, mean 0.75, variance 2.1875; 2 and 3: 5 2 7 3, 4.25, 3.6875 */
    const double a = 1 / sqrt(2.18751), b = 1 / sqrt(3.68751);

    expect_normed(group_norm(2), NULL,
                  (double[]){0.25 * a, -1.75 * a, 2.25 * a, -0.75 * a, 0.75 * b, -2.25 * b,
                             2.75 * b, -1.25 * b});
}

/* Norms as the first layer with weights, in the middle and on a flat vector. */
static struct model_spec normed(struct layer_spec norm)
{
    return (struct model_spec){.channels = 4,
                               .height = 3,
                               .width = 4,
                               .layers = {norm, spec_conv(6, 2, 1, 0), norm, spec_of(LAYER_TANH),
                                          spec_conv(2, 2, 1, 0), norm, spec_of(LAYER_FLATTEN), norm,
                                          spec_dense(CLASSES)},
                               .layer_count = 9};
}

static void expect_slope_and_clipping(const struct model_spec *spec, float step)
{
    for (uint32_t batch_max = 1; batch_max < 8; batch_max += 3) {
        struct clipping c = clipping_make(spec, batch_max);

        expect_clipped(&c);
        clipping_free(&c);
    }
    expect_central_differences(spec, step);
}

Test(norms, have_the_right_slope_and_clip)
{
    const struct layer_spec norms[] = {spec_of(LAYER_LAYER_NORM), spec_of(LAYER_RMS_NORM),
                                       group_norm(2), group_norm(1)};

    for (size_t i = 0; i < CN_COUNT(norms); i++) {
        struct model_spec spec = normed(norms[i]);

        expect_slope_and_clipping(&spec, SMOOTH);
    }
}

Test(norms, start_with_gains_of_one_and_list_their_tensors)
{
    struct model_spec spec = normed(group_norm(2));
    struct model *model = fixture_model(&spec, 2, 1);
    char line[MODEL_LAYER_TEXT_MAX];

    for (size_t i = 0; i < 8; i++)
        cr_assert_eq(model_weights(model)[i], i < 4 ? 1.0f : 0.0f);
    cr_assert_str_eq(model_tensor_at(model, 1)->name, "0.group_norm.bias");
    cr_assert(model_tensor_at(model, 1)->rank == 1 && model_tensor_at(model, 1)->count == 4);
    cr_assert_str_eq(model_describe(model, 0, line),
                     "group_norm groups 2: 4x3x4 -> 4x3x4, 8 parameters");
    model_free(model);
    spec = normed(spec_of(LAYER_RMS_NORM));
    model = fixture_model(&spec, 2, 1);
    cr_assert_str_eq(model_tensor_at(model, 0)->name, "0.rms_norm.weight");
    cr_assert_str_eq(model_tensor_at(model, 1)->name, "1.conv2d.weight");
    cr_assert_eq(model_tensor_at(model, 1)->offset, 4);
    model_free(model);
}

Test(norms, group_norm_says_when_groups_do_not_divide)
{
    struct model_spec spec = normed(group_norm(2));

    spec.layers[0].groups = 3;
    expect_refused(&spec, CN_E_SHAPE,
                   "layer 1 (group_norm): 3 groups do not divide its 4 channels");
    spec.layers[0].groups = 0;
    expect_refused(&spec, CN_E_CONFIG,
                   "layer 1 (group_norm): 'groups' is missing; it must be 1 to 65536");
    spec.layers[0] = (struct layer_spec){.kind = LAYER_LAYER_NORM, .groups = 2};
    expect_refused(&spec, CN_E_CONFIG,
                   "layer 1 (layer_norm): 'groups' does not belong to this kind of layer");
}

/* ---- residual connections ---- */

Test(residual, adds_the_output_of_the_layer_that_it_names)
{
    struct model_spec spec = {.channels = 1,
                              .height = 1,
                              .width = 2,
                              .layers = {spec_dense(2), spec_of(LAYER_RELU), residual(1)},
                              .layer_count = 3};
    static const float WEIGHTS[6] = {1, 0, 0, 1, 0, 0}, X[2] = {-3, 4};
    struct model *model = fixture_model(&spec, 1, 1);
    char line[MODEL_LAYER_TEXT_MAX];
    float y[2];

    cr_assert_eq(model_set_weights(model, WEIGHTS), CN_OK);
    model_forward(model, y, X, 1);
    cr_assert(y[0] == -3.0f && y[1] == 8.0f);
    cr_assert_str_eq(model_describe(model, 2, line), "residual from layer 1: 2 -> 2");
    model_free(model);
}

/* In place before and behind the source, two residuals on one source, one on the layer just
 * before, one nested, and one from before all weights. */
Test(residual, has_the_right_slope_and_clips)
{
    struct model_spec spec = {
        .channels = 3,
        .height = 4,
        .width = 3,
        .layers = {spec_of(LAYER_SIGMOID), spec_conv(3, 3, 1, 1), residual(1), spec_of(LAYER_TANH),
                   spec_of(LAYER_TANH), spec_conv(3, 3, 1, 1), residual(4), spec_of(LAYER_TANH),
                   residual(8), spec_conv(3, 3, 1, 1), spec_of(LAYER_LAYER_NORM), residual(4),
                   spec_of(LAYER_TANH), residual(2), spec_of(LAYER_FLATTEN), spec_dense(CLASSES)},
        .layer_count = 16};

    expect_slope_and_clipping(&spec, SMOOTH);
}

Test(residual, may_be_the_last_layer)
{
    struct model_spec spec = {
        .channels = 1,
        .height = 1,
        .width = 4,
        .layers = {spec_dense(CLASSES), spec_of(LAYER_TANH), spec_dense(CLASSES), residual(1)},
        .layer_count = 4};

    expect_slope_and_clipping(&spec, SMOOTH);
}

Test(residual, names_both_shapes_and_refuses_layers_that_are_not_before_it)
{
    struct model_spec spec = {.channels = 3,
                              .height = 4,
                              .width = 3,
                              .layers = {spec_conv(2, 3, 1, 1), spec_conv(2, 2, 1, 0), residual(1),
                                         spec_of(LAYER_FLATTEN), spec_dense(CLASSES)},
                              .layer_count = 5};

    expect_refused(&spec, CN_E_SHAPE,
                   "layer 3 (residual): its input is 2x3x2 but the output of layer 1 (conv2d) is "
                   "2x4x3");
    spec.layers[2].from = 3;
    expect_refused(&spec, CN_E_CONFIG,
                   "layer 3 (residual): 'from' must be the number of a layer before it but is 3");
    spec.layers[2].from = 0;
    expect_refused(&spec, CN_E_CONFIG,
                   "layer 3 (residual): 'from' is missing; it must be 1 to 65536");
}
