/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes, diagnostics, tensors, and a forward pass against one written out. */
#include "nn/model.h"

#include <math.h>
#include <string.h>

#include "tests/nn/fixture.h"

static const struct model_spec DEMO = {
    .channels = 1,
    .height = 28,
    .width = 28,
    .layers = {{.kind = LAYER_CONV2D, .filters = 16, .kernel = 8, .stride = 2, .padding = 2},
               {.kind = LAYER_TANH},
               {.kind = LAYER_MAX_POOL, .kernel = 2, .stride = 1},
               {.kind = LAYER_CONV2D, .filters = 32, .kernel = 4, .stride = 2},
               {.kind = LAYER_TANH},
               {.kind = LAYER_MAX_POOL, .kernel = 2, .stride = 1},
               {.kind = LAYER_FLATTEN},
               {.kind = LAYER_DENSE, .units = 32},
               {.kind = LAYER_TANH},
               {.kind = LAYER_DENSE, .units = 10}},
    .layer_count = 10,
};

Test(model, infers_the_shapes_of_the_demo)
{
    static const char *const LINES[] = {
        "conv2d 16 filters 8x8 stride 2 padding 2: 1x28x28 -> 16x13x13, 1040 parameters",
        "tanh: 16x13x13 -> 16x13x13",
        "max_pool 2x2 stride 1: 16x13x13 -> 16x12x12",
        "conv2d 32 filters 4x4 stride 2: 16x12x12 -> 32x5x5, 8224 parameters",
        "tanh: 32x5x5 -> 32x5x5",
        "max_pool 2x2 stride 1: 32x5x5 -> 32x4x4",
        "flatten: 32x4x4 -> 512",
        "dense 32 units: 512 -> 32, 16416 parameters",
        "tanh: 32 -> 32",
        "dense 10 units: 32 -> 10, 330 parameters",
    };
    struct model *model = fixture_model(&DEMO, MODEL_BATCH_AUTO, 1);
    char line[MODEL_LAYER_TEXT_MAX];

    cr_assert_eq(model_params(model), 26010);
    cr_assert_eq(model_features(model), 784);
    cr_assert_eq(model_outputs(model), 10);
    cr_assert_geq(model_batch_max(model), 1);
    cr_assert_eq(model_layer_count(model), CN_COUNT(LINES));
    for (uint32_t i = 0; i < CN_COUNT(LINES); i++)
        cr_assert_str_eq(model_describe(model, i, line), LINES[i]);
    model_free(model);
}

Test(model, lists_tensors_that_cover_the_weights)
{
    struct model *model = fixture_model(&DEMO, 4, 1);
    const struct model_tensor *tensor = model_tensor_at(model, 2);
    size_t at = 0;

    for (uint32_t i = 0; i < model_tensor_count(model); i++) {
        cr_assert_eq(model_tensor_at(model, i)->offset, at);
        at += model_tensor_at(model, i)->count;
    }
    cr_assert_eq(at, model_params(model));
    cr_assert_str_eq(tensor->name, "3.conv2d.weight");
    cr_assert_eq(tensor->rank, 4);
    cr_assert(tensor->shape[0] == 32 && tensor->shape[1] == 16 && tensor->shape[2] == 4 &&
              tensor->shape[3] == 4);
    cr_assert_str_eq(model_tensor_at(model, 7)->name, "9.dense.bias");
    model_free(model);
}

Test(model, knows_every_kind_by_its_name)
{
    for (unsigned kind = LAYER_UNKNOWN + 1; kind < LAYER_KIND_COUNT; kind++)
        cr_assert_eq(layer_kind_parse(layer_kind_name((enum layer_kind)kind)), kind);
    cr_assert_eq(layer_kind_parse("conv3d"), LAYER_UNKNOWN);
    cr_assert_str_eq(layer_kind_name(LAYER_KIND_COUNT), "unknown");
}

/* ---- diagnostics ---- */

static void expect_refused(const struct model_spec *spec, enum cn_err err, const char *text)
{
    struct cn_diag diag = {0};
    struct model *model = (struct model *)1;

    cr_assert_eq(model_new(&model, spec, 2, &diag), err, "%s: %s", text, diag.text);
    cr_assert_null(model);
    cr_assert_str_eq(diag.text, text);
    model = NULL;
    cr_assert_eq(model_new(&model, spec, 2, NULL), err);
}

static struct model_spec image_spec(struct layer_spec first, unsigned line)
{
    struct model_spec spec = {.channels = 3,
                              .height = 5,
                              .width = 5,
                              .layers = {first, spec_of(LAYER_FLATTEN), spec_dense(2)},
                              .layer_count = 3};

    spec.layers[0].line = line;
    return spec;
}

Test(model, names_layer_line_and_shapes_of_a_mistake)
{
    struct model_spec spec = image_spec(spec_conv(4, 8, 1, 0), 17);

    expect_refused(
        &spec, CN_E_SHAPE,
        "layer 1 (conv2d, line 17): kernel 8x8 is larger than its input 5x5 + padding 0");
    spec = image_spec(spec_pool(LAYER_MAX_POOL, 6, 0), 0);
    expect_refused(&spec, CN_E_SHAPE,
                   "layer 1 (max_pool): kernel 6x6 is larger than its input 5x5 + padding 0");
    spec = image_spec(spec_dense(7), 9);
    expect_refused(
        &spec, CN_E_SHAPE,
        "layer 1 (dense, line 9): wants a flat vector but its input is 3x5x5; its output "
        "would be 7");
    spec = image_spec(spec_conv(4, 3, 1, 0), 0);
    spec.layer_count = 1;
    expect_refused(&spec, CN_E_SHAPE,
                   "layer 1 (conv2d): the last layer must give a flat vector but its output is "
                   "4x3x3");
}

Test(model, puts_the_line_where_diagnostics_look_for_it)
{
    struct model_spec spec = image_spec(spec_conv(4, 8, 1, 0), 17);
    struct cn_diag diag = {0};
    struct model *model;

    cr_assert_eq(model_new(&model, &spec, 2, &diag), CN_E_SHAPE);
    cr_assert_eq(diag.line, 17);
}

Test(model, refuses_numbers_outside_their_range)
{
    struct model_spec spec = image_spec(spec_conv(0, 3, 1, 0), 3);

    expect_refused(&spec, CN_E_CONFIG,
                   "layer 1 (conv2d, line 3): 'filters' is missing; it must be 1 to 65536");
    spec = image_spec(spec_conv(4, 3, 1, 3), 0);
    expect_refused(&spec, CN_E_CONFIG,
                   "layer 1 (conv2d): padding 3 must be smaller than its kernel 3x3");
    spec = image_spec(spec_conv(4, 1025, 1, 0), 0);
    expect_refused(&spec, CN_E_CONFIG, "layer 1 (conv2d): 'kernel' must be 1 to 1024 but is 1025");
    spec = image_spec(spec_conv(4, 3, 70000, 0), 0);
    expect_refused(&spec, CN_E_CONFIG,
                   "layer 1 (conv2d): 'stride' must be 1 to 65536 but is 70000");
    spec = image_spec(spec_of(LAYER_UNKNOWN), 0);
    expect_refused(&spec, CN_E_CONFIG, "layer 1 (unknown): no such kind of layer");
}

Test(model, refuses_numbers_that_do_not_belong_to_the_kind)
{
    struct layer_spec relu = {.kind = LAYER_RELU, .units = 3};
    struct layer_spec pool = {.kind = LAYER_GLOBAL_MAX_POOL, .padding = 1};
    struct model_spec spec = image_spec(relu, 5);

    expect_refused(&spec, CN_E_CONFIG,
                   "layer 1 (relu, line 5): 'units' does not belong to this kind of layer");
    spec = image_spec(pool, 0);
    expect_refused(&spec, CN_E_CONFIG,
                   "layer 1 (global_max_pool): 'padding' does not belong to this kind of layer");
}

Test(model, refuses_models_that_can_not_learn_or_are_too_large)
{
    struct model_spec spec = image_spec(spec_of(LAYER_TANH), 0);

    spec.layer_count = 2;
    expect_refused(&spec, CN_E_CONFIG,
                   "layer 2 (flatten): no layer up to here has weights to train");
    spec.layer_count = 0;
    expect_refused(&spec, CN_E_CONFIG, "a model has 1 to 256 layers but this one has 0");
    spec = (struct model_spec){.channels = 1,
                               .height = 1,
                               .width = 65536,
                               .layers = {spec_dense(65536)},
                               .layer_count = 1};
    expect_refused(&spec, CN_E_TOO_LARGE,
                   "layer 1 (dense): with it the model has more than 268435456 parameters");
    spec = (struct model_spec){.channels = 3,
                               .height = 2000,
                               .width = 2000,
                               .layers = {spec_conv(64, 1, 1, 0)},
                               .layer_count = 1};
    expect_refused(&spec, CN_E_TOO_LARGE,
                   "layer 1 (conv2d): input 3x2000x2000 gives output 64x2000x2000, more than "
                   "16777216 values");
    spec.channels = 0;
    expect_refused(
        &spec, CN_E_CONFIG,
        "the model's input is 0x2000x2000; each size must be at least 1 and all together "
        "at most 16777216 values");
}

Test(model, refuses_micro_batches_beyond_the_maximum)
{
    struct cn_diag diag = {0};
    struct model *model;

    cr_assert_eq(model_new(&model, &DEMO, MODEL_BATCH_MAX + 1, &diag), CN_E_CONFIG);
    cr_assert_str_eq(diag.text, "micro-batches of 4097 examples; at most 4096 are possible");
}

/* ---- forward ---- */

/* One output of a convolution as the textbook writes it: x [C, H, W], w [F, C, k, k]. */
static double conv_at(const struct model_spec *spec, const float *x, const float *w, uint32_t f,
                      const uint32_t place[2])
{
    const struct layer_spec *conv = &spec->layers[0];
    double sum = 0.0;

    for (uint32_t i = 0; i < spec->channels * conv->kernel * conv->kernel; i++) {
        uint32_t kx = i % conv->kernel, ky = i / conv->kernel % conv->kernel;
        uint32_t c = i / conv->kernel / conv->kernel;
        long y = (long)(place[0] * conv->stride + ky) - (long)conv->padding;
        long column = (long)(place[1] * conv->stride + kx) - (long)conv->padding;

        if (y >= 0 && y < (long)spec->height && column >= 0 && column < (long)spec->width)
            sum += (double)x[(c * spec->height + (uint32_t)y) * spec->width + (uint32_t)column] *
                   (double)w[f * spec->channels * conv->kernel * conv->kernel + i];
    }
    return sum;
}

Test(model, convolves_as_the_textbook_does_in_files_order)
{
    struct model_spec spec = {.channels = 3,
                              .height = 7,
                              .width = 6,
                              .layers = {spec_conv(4, 3, 2, 1), spec_of(LAYER_FLATTEN)},
                              .layer_count = 2};
    struct model *model = fixture_model(&spec, 2, 5);
    struct dataset data = fixture_data(&spec, 3, 2, 6);
    const float *w = model_weights_const(model), *bias = w + 4 * 27;
    float logits[3 * 48];

    cr_assert_eq(model_outputs(model), 48); /* 4 filters, 4 x 3 places */
    model_forward(model, logits, data.x, 3);
    for (uint32_t i = 0; i < 3 * 48; i++) {
        uint32_t f = i / 12 % 4, place[2] = {i / 3 % 4, i % 3};
        double want = conv_at(&spec, data.x + i / 48 * 126, w, f, place) + (double)bias[f];

        cr_assert_float_eq(logits[i], want, 1e-5, "value %u: %g and not %g", i, (double)logits[i],
                           want);
    }
    fixture_data_free(&data);
    model_free(model);
}

Test(model, pools_and_activates_each_channel_for_itself)
{
    /* a 1x1 convolution that copies the two channels, then pools them */
    struct model_spec spec = {.channels = 2,
                              .height = 2,
                              .width = 4,
                              .layers = {spec_conv(2, 1, 1, 0), spec_pool(LAYER_MAX_POOL, 2, 0),
                                         spec_of(LAYER_RELU), spec_of(LAYER_FLATTEN)},
                              .layer_count = 4};
    const float x[16] = {1, 2, -3, -4, 5, 6, -7, -8, -1, -2, 3, 4, -5, -6, 7, 8};
    const float weights[6] = {1, 0, 0, 1, 0, 0.5f};
    struct model *model = fixture_model(&spec, 2, 5);
    float out[4];

    cr_assert_eq(model_set_weights(model, weights), CN_OK);
    model_forward(model, out, x, 1);
    cr_assert(out[0] == 6.0f && out[1] == 0.0f && out[2] == 0.0f && out[3] == 8.5f);
    model_free(model);
    spec.layers[1].kind = LAYER_AVERAGE_POOL;
    model = fixture_model(&spec, 2, 5);
    cr_assert_eq(model_set_weights(model, weights), CN_OK);
    model_forward(model, out, x, 1);
    cr_assert(out[0] == 3.5f && out[1] == 0.0f && out[2] == 0.0f && out[3] == 6.0f);
    model_free(model);
}

static void expect_pooled(struct layer_spec pool, const float *want)
{
    struct model_spec spec = {.channels = 2,
                              .height = 2,
                              .width = 4,
                              .layers = {spec_conv(2, 1, 1, 0), pool, spec_of(LAYER_FLATTEN)},
                              .layer_count = 3};
    const float x[16] = {1, 2, -3, -4, 5, 6, -7, -8, -1, -2, 3, 4, -5, -6, 7, 8};
    const float weights[6] = {1, 0, 0, 1, 0, 0};
    struct model *model = fixture_model(&spec, 2, 5);
    float out[12];

    cr_assert_eq(model_set_weights(model, weights), CN_OK);
    model_forward(model, out, x, 1);
    for (uint32_t i = 0; i < model_outputs(model); i++)
        cr_assert_float_eq(out[i], want[i], 1e-7, "output %u is %g", i, (double)out[i]);
    model_free(model);
}

Test(model, pads_so_that_no_maximum_takes_it_and_averages_count_it)
{
    struct layer_spec pool = spec_pool(LAYER_MAX_POOL, 2, 0);

    pool.padding = 1;
    expect_pooled(pool, (float[]){1, 2, -4, 5, 6, -8, -1, 3, 4, -5, 7, 8});
    pool.kind = LAYER_AVERAGE_POOL;
    expect_pooled(
        pool, (float[]){0.25f, -0.25f, -1, 1.25f, -0.25f, -2, -0.25f, 0.25f, 1, -1.25f, 0.25f, 2});
    expect_pooled(spec_of(LAYER_GLOBAL_MAX_POOL), (float[]){6, 8});
}

Test(model, gives_probabilities_that_sum_to_one)
{
    struct model *model = fixture_model(&DEMO, 3, 5);
    struct dataset data = fixture_data(&DEMO, 8, 10, 6);
    float p[80], logits[80];

    model_probabilities(model, p, data.x, 8);
    model_forward(model, logits, data.x, 8);
    for (size_t i = 0; i < 8; i++) {
        double sum = 0.0;

        for (size_t c = 0; c < 10; c++) {
            sum += (double)p[i * 10 + c];
            cr_assert_float_eq(log((double)p[i * 10 + c] / (double)p[i * 10]),
                               logits[i * 10 + c] - logits[i * 10], 1e-5);
        }
        cr_assert_float_eq(sum, 1.0, 1e-6);
    }
    fixture_data_free(&data);
    model_free(model);
}

Test(model, draws_the_same_weights_from_the_same_seed_within_their_bound)
{
    struct model *one = fixture_model(&DEMO, 2, 5), *same = fixture_model(&DEMO, 9, 5);
    struct model *other = fixture_model(&DEMO, 2, 6);
    size_t bytes = model_params(one) * sizeof(float);
    double largest = 0.0;

    cr_assert_arr_eq(model_weights(one), model_weights(same), bytes);
    cr_assert_arr_neq(model_weights(one), model_weights(other), bytes);
    for (size_t i = 0; i < 1040; i++) /* fan in 64 */
        largest = fmax(largest, fabs((double)model_weights(one)[i]));
    cr_assert(largest <= 0.125 && largest > 0.12);
    model_free(one);
    model_free(same);
    model_free(other);
}

Test(model, refuses_weights_that_are_not_finite)
{
    struct model *model = fixture_model(&DEMO, 2, 5);
    float *weights = calloc(model_params(model), sizeof *weights), was = *model_weights(model);

    weights[26009] = NAN;
    cr_assert_eq(model_set_weights(model, weights), CN_E_DIVERGED);
    cr_assert_eq(*model_weights(model), was);
    weights[26009] = 1.0f;
    cr_assert_eq(model_set_weights(model, weights), CN_OK);
    cr_assert_eq(*model_weights(model), 0.0f);
    free(weights);
    model_free(model);
}
