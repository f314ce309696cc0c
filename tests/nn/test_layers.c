/* SPDX-License-Identifier: Apache-2.0 */
/* Every further kind of layer: values worked out by hand, slopes, clipping, diagnostics. */
#include "tests/nn/checks.h"

static struct model_spec image(const struct layer_spec *layers, uint32_t count)
{
    struct model_spec spec = {.channels = 2, .height = 4, .width = 5};

    spec.layers[0] = spec_conv(4, 2, 1, 0);
    spec.layers[1] = spec_of(LAYER_TANH);
    for (uint32_t i = 0; i < count; i++)
        spec.layers[2 + i] = layers[i];
    spec.layers[2 + count] = spec_of(LAYER_FLATTEN);
    spec.layers[3 + count] = spec_dense(CLASSES);
    spec.layer_count = 4 + count;
    return spec;
}

static void expect_clipping(const struct model_spec *spec, uint32_t batch_max)
{
    struct clipping c = clipping_make(spec, batch_max);

    expect_clipped(&c);
    clipping_free(&c);
}

/* Runs x [4] through the layer after a dense identity. */
static void run_one(float y[4], struct layer_spec layer, const float x[4])
{
    static const float IDENTITY[20] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    struct model_spec spec = {.channels = 1, .height = 1, .width = 4, .layer_count = 2};
    struct model *model;

    spec.layers[0] = spec_dense(4);
    spec.layers[1] = layer;
    model = fixture_model(&spec, 1, 1);
    memcpy(model_weights(model), IDENTITY, sizeof IDENTITY);
    model_forward(model, y, x, 1);
    model_free(model);
}

static void expect_values(struct layer_spec layer, const float x[4], const double want[4])
{
    float y[4];

    run_one(y, layer, x);
    for (int i = 0; i < 4; i++)
        cr_assert_float_eq(y[i], want[i], 2e-6, "%s of %g: %g and not %g",
                           layer_kind_name(layer.kind), (double)x[i], (double)y[i], want[i]);
}

static void expect_refused(const struct model_spec *spec, enum cn_err err, const char *text)
{
    struct cn_diag diag = {0};
    struct model *model;

    cr_assert_eq(model_new(&model, spec, 2, &diag), err, "%s: %s", text, diag.text);
    cr_assert_str_eq(diag.text, text);
}

Test(layers, of_activation_give_the_known_values)
{
    static const float X[4] = {-2.0f, -0.5f, 1.0f, 3.0f};
    const struct layer_spec tenth = {.kind = LAYER_LEAKY_RELU, .slope = 0.1};

    expect_values(spec_of(LAYER_LEAKY_RELU), X, (double[]){-0.02, -0.005, 1, 3});
    expect_values(tenth, X, (double[]){-0.2, -0.05, 1, 3});
    expect_values(spec_of(LAYER_GELU), X,
                  (double[]){-0.04550026, -0.15426877, 0.84134475, 2.99595031});
    expect_values(spec_of(LAYER_SILU), X,
                  (double[]){-0.23840584, -0.18877033, 0.73105858, 2.85772238});
    expect_values(spec_of(LAYER_SIGMOID), X,
                  (double[]){0.11920292, 0.37754067, 0.73105858, 0.95257413});
    expect_values(spec_of(LAYER_SOFTMAX), X,
                  (double[]){0.00574777, 0.02575973, 0.11544706, 0.85304543});
}

Test(layers, of_activation_let_nan_pass)
{
    static const enum layer_kind KINDS[] = {LAYER_LEAKY_RELU, LAYER_GELU, LAYER_SILU, LAYER_SIGMOID,
                                            LAYER_SOFTMAX};
    static const float X[4] = {NAN, NAN, NAN, NAN};
    float y[4];

    for (size_t i = 0; i < CN_COUNT(KINDS); i++) {
        run_one(y, spec_of(KINDS[i]), X);
        cr_assert(isnan(y[0]) && isnan(y[3]), "%s", layer_kind_name(KINDS[i]));
    }
}

Test(layers, of_activation_have_the_right_slope_and_clip)
{
    static const enum layer_kind KINDS[] = {LAYER_GELU, LAYER_SILU, LAYER_SIGMOID, LAYER_SOFTMAX,
                                            LAYER_LEAKY_RELU};

    for (size_t i = 0; i < CN_COUNT(KINDS); i++) {
        struct layer_spec layers[] = {spec_of(KINDS[i]), spec_conv(3, 2, 1, 1), spec_of(KINDS[i])};
        struct model_spec spec = image(layers, 3);

        expect_central_differences(&spec, KINDS[i] == LAYER_LEAKY_RELU ? KINKED : SMOOTH);
        expect_clipping(&spec, 3);
    }
}

Test(layers, global_average_pool_averages_each_channel)
{
    struct model_spec spec = {.channels = 2, .height = 2, .width = 2, .layer_count = 2};
    static const float X[8] = {1, 2, 3, 4, 10, 20, 30, 60}, W[6] = {1, 0, 0, 1, 0, 0};
    struct model *model;
    float y[2];

    spec.layers[0] = spec_conv(2, 1, 1, 0);
    spec.layers[1] = spec_of(LAYER_GLOBAL_AVERAGE_POOL);
    model = fixture_model(&spec, 1, 1);
    memcpy(model_weights(model), W, sizeof W);
    model_forward(model, y, X, 1);
    cr_assert(y[0] == 2.5f && y[1] == 30.0f);
    model_free(model);
}

Test(layers, global_average_pool_has_the_right_slope_and_clips)
{
    struct layer_spec pool = spec_of(LAYER_GLOBAL_AVERAGE_POOL);
    struct model_spec spec = image(&pool, 1);

    expect_central_differences(&spec, SMOOTH);
    expect_clipping(&spec, 2);
}

/* ---- convolutions in groups ---- */

static struct layer_spec grouped(uint32_t filters, uint32_t groups)
{
    struct layer_spec layer = spec_conv(filters, 3, 2, 1);

    layer.groups = groups;
    return layer;
}

/* A grouped convolution is the plain one whose weights between groups are 0. */
static void expect_grouped_as_plain(uint32_t groups)
{
    struct model_spec spec = {.channels = 6, .height = 5, .width = 4, .layer_count = 2};
    const uint32_t cg = 6 / groups, fg = 12 / groups;
    struct dataset data;
    struct model *one, *plain;
    float a[3 * 72], b[3 * 72], *wide;
    const float *narrow;

    spec.layers[0] = grouped(12, groups);
    spec.layers[1] = spec_of(LAYER_FLATTEN);
    one = fixture_model(&spec, 2, 3);
    spec.layers[0].groups = 1;
    plain = fixture_model(&spec, 2, 4);
    data = fixture_data(&spec, 3, CLASSES, 5);
    wide = model_weights(plain);
    narrow = model_weights_const(one);
    memset(wide, 0, model_params(plain) * sizeof *wide);
    for (size_t f = 0; f < 12; f++)
        memcpy(wide + (f * 6 + f / fg * cg) * 9, narrow + f * cg * 9, cg * 9 * sizeof *wide);
    memcpy(wide + 12 * 54, narrow + (size_t)12 * cg * 9, 12 * sizeof *wide);
    cr_assert_eq(model_tensor_at(one, 0)->shape[1], cg);
    cr_assert_eq(model_outputs(one), 72);
    model_forward(one, a, data.x, 3);
    model_forward(plain, b, data.x, 3);
    for (size_t i = 0; i < CN_COUNT(a); i++)
        cr_assert_float_eq(a[i], b[i], 1e-5);
    fixture_data_free(&data);
    model_free(one);
    model_free(plain);
}

Test(layers, conv2d_in_groups_is_one_convolution_per_group)
{
    expect_grouped_as_plain(2);
    expect_grouped_as_plain(3);
    expect_grouped_as_plain(6);
}

Test(layers, conv2d_in_groups_has_the_right_slope)
{
    for (uint32_t groups = 2; groups <= 4; groups += 2) {
        struct layer_spec layers[] = {grouped(8, groups), spec_of(LAYER_TANH)};
        struct model_spec spec = image(layers, 2);

        expect_central_differences(&spec, SMOOTH);
    }
}

Test(layers, conv2d_in_groups_clips_by_kept_gradients_and_by_making_them_twice)
{
    static const uint32_t BATCHES[] = {3, 4096};
    struct layer_spec layers[] = {grouped(32, 2), spec_of(LAYER_TANH)};
    struct model_spec spec = image(layers, 2);

    for (size_t i = 0; i < CN_COUNT(BATCHES); i++) {
        struct clipping c = clipping_make(&spec, BATCHES[i]);

        cr_assert_eq(c.model->layers[2].way, i ? NORM_TWICE : NORM_KEEP);
        expect_clipped(&c);
        clipping_free(&c);
    }
}

Test(layers, conv2d_says_when_groups_do_not_divide)
{
    struct layer_spec bad = grouped(9, 2);
    struct model_spec spec = image(&bad, 1);

    expect_refused(&spec, CN_E_SHAPE,
                   "layer 3 (conv2d): 2 groups do not divide its 4 input channels and 9 filters");
    spec.layers[2] = spec_dense(3);
    spec.layers[2].groups = 2;
    expect_refused(&spec, CN_E_CONFIG,
                   "layer 3 (dense): 'groups' does not belong to this kind of layer");
}

/* ---- dropout ---- */

static const struct model_spec DROPPING = {.channels = 1,
                                           .height = 1,
                                           .width = 20,
                                           .layers = {{.kind = LAYER_DENSE, .units = 30},
                                                      {.kind = LAYER_DROPOUT, .rate = 0.25},
                                                      {.kind = LAYER_TANH},
                                                      {.kind = LAYER_DROPOUT, .rate = 0.5},
                                                      {.kind = LAYER_DENSE, .units = CLASSES}},
                                           .layer_count = 5};

Test(layers, dropout_does_nothing_outside_of_training)
{
    struct model_spec bare = DROPPING;
    struct model *with = fixture_model(&DROPPING, 3, 1), *without;
    struct dataset data = fixture_data(&DROPPING, 4, CLASSES, 2);
    float a[4 * CLASSES], b[4 * CLASSES];

    bare.layers[1] = bare.layers[2];
    bare.layers[2] = bare.layers[4];
    bare.layer_count = 3;
    without = fixture_model(&bare, 3, 1);
    model_forward(with, a, data.x, 4);
    model_forward(without, b, data.x, 4);
    cr_assert_arr_eq(a, b, sizeof a);
    fixture_data_free(&data);
    model_free(with);
    model_free(without);
    expect_central_differences(&DROPPING, SMOOTH);
    expect_clipping(&DROPPING, 3);
}

/* Gradients of all rows from a fresh random of the same seed. */
static void dropped_gradient(float *sum, struct model *model, const struct dataset *data,
                             double clip_norm)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 77);
    struct gradient_seen seen = {0};
    uint32_t *rows = fixture_rows(data->n);
    struct gradient_batch batch = {data, rows, data->n};

    memset(sum, 0, model_params(model) * sizeof *sum);
    gradient_use_random(model, &random);
    cr_assert_eq(clip_norm > 0.0 ? gradient_add_clipped(model, sum, &seen, &batch, clip_norm, NULL)
                                 : gradient_add(model, sum, &seen, &batch),
                 CN_OK);
    gradient_use_random(model, NULL);
    free(rows);
}

Test(layers, dropout_does_not_depend_on_the_micro_batch)
{
    struct model *one = fixture_model(&DROPPING, 1, 1), *many = fixture_model(&DROPPING, 5, 1);
    struct dataset data = fixture_data(&DROPPING, 8, CLASSES, 2);
    size_t d = model_params(one);
    float *a = calloc(d, sizeof *a), *b = calloc(d, sizeof *b);

    for (int clipped = 0; clipped < 2; clipped++) {
        dropped_gradient(a, one, &data, clipped * 0.7);
        dropped_gradient(b, many, &data, clipped * 0.7);
        for (size_t i = 0; i < d; i++)
            cr_assert_float_eq(a[i], b[i], 1e-5);
    }
    free(a);
    free(b);
    fixture_data_free(&data);
    model_free(one);
    model_free(many);
}

/* Inputs are 1 and the first layer copies them, so y shows the mask: of 200,000 values, the share
 * of zeros is within 5 deviations of the rate (false alarms: 1 in a million for the fixed seed). */
Test(layers, dropout_drops_at_its_rate_and_scales_what_is_left)
{
    static const struct model_spec WIDE = {
        .channels = 1,
        .height = 1,
        .width = 200,
        .layers = {{.kind = LAYER_DENSE, .units = 200}, {.kind = LAYER_DROPOUT, .rate = 0.2}},
        .layer_count = 2};
    struct model *model = fixture_model(&WIDE, 1000, 1);
    struct dataset data = fixture_data(&WIDE, 1000, CLASSES, 2);
    float *sum = calloc(model_params(model), sizeof *sum), *weights = model_weights(model);
    size_t zeros = 0;

    memset(weights, 0, 40000 * sizeof *weights);
    for (size_t i = 0; i < 200; i++)
        weights[40000 + i] = 1.0f;
    dropped_gradient(sum, model, &data, 0.0);
    for (size_t i = 0; i < 200000; i++) {
        cr_assert(model->layers[1].y[i] == 0.0f || model->layers[1].y[i] == 1.25f);
        zeros += model->layers[1].y[i] == 0.0f;
    }
    cr_assert_float_eq((double)zeros / 200000, 0.2, 5 * sqrt(0.2 * 0.8 / 200000));
    free(sum);
    fixture_data_free(&data);
    model_free(model);
}

Test(layers, refuse_shares_outside_of_zero_to_one)
{
    struct layer_spec drop = {.kind = LAYER_DROPOUT};
    struct model_spec spec = image(&drop, 1);

    expect_refused(&spec, CN_E_CONFIG,
                   "layer 3 (dropout): 'rate' must be above 0 and below 1 but is 0");
    spec.layers[2].rate = 1.0;
    expect_refused(&spec, CN_E_CONFIG,
                   "layer 3 (dropout): 'rate' must be above 0 and below 1 but is 1");
    spec.layers[2] = spec_of(LAYER_TANH);
    spec.layers[2].rate = 0.5;
    expect_refused(&spec, CN_E_CONFIG,
                   "layer 3 (tanh): 'rate' does not belong to this kind of layer");
    spec.layers[2] = (struct layer_spec){.kind = LAYER_LEAKY_RELU, .slope = 1.5};
    expect_refused(&spec, CN_E_CONFIG,
                   "layer 3 (leaky_relu): 'slope' must be above 0 and below 1 but is 1.5");
}

Test(layers, describe_their_settings)
{
    struct layer_spec layers[] = {grouped(8, 2),
                                  {.kind = LAYER_DROPOUT, .rate = 0.25},
                                  spec_of(LAYER_LEAKY_RELU),
                                  spec_of(LAYER_GLOBAL_AVERAGE_POOL)};
    static const char *const LINES[] = {
        "conv2d 8 filters 3x3 stride 2 padding 1 groups 2: 4x3x4 -> 8x2x2, 152 parameters",
        "dropout 0.25: 8x2x2 -> 8x2x2", "leaky_relu 0.01: 8x2x2 -> 8x2x2",
        "global_average_pool: 8x2x2 -> 8"};
    struct model_spec spec = image(layers, 4);
    struct model *model = fixture_model(&spec, 2, 1);
    char line[MODEL_LAYER_TEXT_MAX];

    for (uint32_t i = 0; i < CN_COUNT(LINES); i++)
        cr_assert_str_eq(model_describe(model, 2 + i, line), LINES[i]);
    model_free(model);
}
