/* SPDX-License-Identifier: Apache-2.0 */
/* Layers of sequences: slopes, clipping in every way, what reads what, diagnostics. */
#include "tests/nn/checks.h"

#define VOCABULARY 6

static struct layer_spec embedding(uint32_t units)
{
    return (struct layer_spec){.kind = LAYER_EMBEDDING, .units = units};
}

static struct layer_spec recurrent(enum layer_kind kind, uint32_t units, uint32_t layers,
                                   bool sequence)
{
    return (struct layer_spec){
        .kind = kind, .units = units, .layers = layers, .sequence = sequence};
}

static struct layer_spec slice(uint32_t start, uint32_t length)
{
    return (struct layer_spec){.kind = LAYER_SLICE, .start = start, .length = length};
}

static struct layer_spec attention(uint32_t heads, bool causal, bool masked)
{
    return (struct layer_spec){
        .kind = LAYER_ATTENTION, .heads = heads, .causal = causal, .mask_padding = masked};
}

static struct layer_spec encoder(bool causal, bool pre_norm)
{
    return (struct layer_spec){.kind = LAYER_ENCODER,
                               .heads = 2,
                               .units = 5,
                               .causal = causal,
                               .pre_norm = pre_norm,
                               .mask_padding = true,
                               .activation = LAYER_GELU};
}

static struct model_spec of_tokens(uint32_t steps, const struct layer_spec *layers, uint32_t count)
{
    struct model_spec spec = {.channels = 1, .height = 1, .width = steps, .vocabulary = VOCABULARY};

    memcpy(spec.layers, layers, count * sizeof *layers);
    spec.layer_count = count;
    return spec;
}

/* Every layer is asked for its norms in the way that it would not choose as well. */
static void expect_clipped_every_way(const struct model_spec *spec)
{
    for (int forced = 0; forced < 3; forced++) {
        struct clipping c = clipping_make(spec, 1 + 3 * (uint32_t)forced);

        for (uint32_t i = 0; forced && i < c.model->layer_count; i++) {
            struct layer *layer = &c.model->layers[i];

            if (layer->way == NORM_GRAM || layer->way == NORM_TWICE)
                layer->way = forced == 1 ? NORM_GRAM : NORM_TWICE;
        }
        expect_clipped(&c);
        clipping_free(&c);
    }
}

static void expect_all(const struct model_spec *spec)
{
    expect_central_differences(spec, SMOOTH);
    expect_clipped_every_way(spec);
}

Test(sequence, embedding_and_dense_at_every_position)
{
    const struct layer_spec layers[] = {embedding(3), spec_dense(4), spec_of(LAYER_TANH),
                                        spec_dense(CLASSES)};
    struct model_spec spec = of_tokens(9, layers, CN_COUNT(layers));

    expect_all(&spec);
}

Test(sequence, lstm_of_two_layers_gives_its_last_output)
{
    const struct layer_spec layers[] = {embedding(3), recurrent(LAYER_LSTM, 5, 2, false),
                                        spec_dense(CLASSES)};
    struct model_spec spec = of_tokens(6, layers, CN_COUNT(layers));

    expect_all(&spec);
}

Test(sequence, lstm_gives_every_output)
{
    const struct layer_spec layers[] = {embedding(3), recurrent(LAYER_LSTM, 4, 1, true),
                                        spec_dense(CLASSES)};
    struct model_spec spec = of_tokens(5, layers, CN_COUNT(layers));

    expect_all(&spec);
}

Test(sequence, gru_of_two_layers)
{
    const struct layer_spec layers[] = {embedding(3), recurrent(LAYER_GRU, 5, 2, true),
                                        recurrent(LAYER_GRU, 3, 0, false), spec_dense(CLASSES)};
    struct model_spec spec = of_tokens(5, layers, CN_COUNT(layers));

    expect_all(&spec);
}

/* The first layer has weights but nothing before it wants a gradient. */
Test(sequence, lstm_reads_values)
{
    struct model_spec spec = {.channels = 3, .height = 1, .width = 5};

    spec.layers[0] = recurrent(LAYER_LSTM, 4, 1, true);
    spec.layers[1] = recurrent(LAYER_GRU, 4, 1, false);
    spec.layers[2] = spec_dense(CLASSES);
    spec.layer_count = 3;
    expect_all(&spec);
}

Test(sequence, attention_causal_and_masked)
{
    for (int i = 0; i < 4; i++) {
        const struct layer_spec layers[] = {embedding(6),
                                            {.kind = LAYER_POSITION},
                                            attention(2, i & 1, i & 2),
                                            spec_dense(CLASSES)};
        struct model_spec spec = of_tokens(6, layers, CN_COUNT(layers));

        expect_all(&spec);
    }
}

Test(sequence, attention_without_a_key_gives_its_bias)
{
    const struct layer_spec layers[] = {embedding(4), attention(2, false, true)};
    struct model_spec spec = of_tokens(3, layers, CN_COUNT(layers));
    struct model *model = fixture_model(&spec, 2, 1);
    const float x[3] = {0.0f, 0.0f, 0.0f};
    float y[12];

    model_forward(model, y, x, 1);
    for (int i = 0; i < 12; i++)
        cr_assert_eq(y[i], 0.0f, "biases start at zero; value %d is %g", i, (double)y[i]);
    model_free(model);
}

Test(sequence, position_is_learned_or_made_of_waves)
{
    const struct layer_spec layers[] = {embedding(3),
                                        {.kind = LAYER_POSITION, .learned = true},
                                        spec_of(LAYER_TANH),
                                        {.kind = LAYER_POSITION},
                                        spec_dense(CLASSES)};
    struct model_spec spec = of_tokens(4, layers, CN_COUNT(layers));
    struct model_spec bare = {.channels = 4, .height = 1, .width = 3};
    struct model *model;
    float x[12] = {0}, y[12];

    expect_all(&spec);
    bare.layers[0] = (struct layer_spec){.kind = LAYER_POSITION};
    bare.layers[1] = spec_of(LAYER_LAYER_NORM);
    bare.layer_count = 2;
    model = fixture_model(&bare, 1, 1);
    model_forward(model, y, x, 1);
    for (int t = 0; t < 3; t++) {
        const double waves[4] = {sin(t), cos(t), sin(t * 0.01), cos(t * 0.01)};

        for (int c = 0; c < 4; c++)
            cr_assert_float_eq(model->layers[0].y[4 * t + c], waves[c], 1e-6);
    }
    model_free(model);
}

Test(sequence, encoder_blocks_of_both_kinds)
{
    for (int i = 0; i < 4; i++) {
        const struct layer_spec layers[] = {embedding(4), encoder(i & 1, i & 2),
                                            encoder(i & 1, i & 2), slice(2, 1),
                                            spec_dense(CLASSES)};
        struct model_spec spec = of_tokens(5, layers, CN_COUNT(layers));

        expect_all(&spec);
    }
}

/* Steps 0 to 3 are the source, 4 to 6 the target so far. */
static struct model_spec translator(bool pre_norm)
{
    struct layer_spec layers[] = {slice(0, 4),
                                  embedding(4),
                                  {.kind = LAYER_POSITION},
                                  encoder(false, pre_norm),
                                  slice(4, 3),
                                  embedding(4),
                                  {.kind = LAYER_POSITION, .learned = true},
                                  {.kind = LAYER_DECODER,
                                   .heads = 2,
                                   .units = 5,
                                   .pre_norm = pre_norm,
                                   .mask_padding = true,
                                   .activation = LAYER_SILU,
                                   .memory = "memory"},
                                  {.kind = LAYER_DECODER, .heads = 1, .units = 3, .memory = "4"},
                                  spec_dense(CLASSES)};

    memcpy(layers[3].name, "memory", sizeof "memory");
    memcpy(layers[4].source, MODEL_INPUT, sizeof MODEL_INPUT);
    return of_tokens(7, layers, CN_COUNT(layers));
}

Test(sequence, encoder_and_decoder_learn_together)
{
    for (int pre_norm = 0; pre_norm < 2; pre_norm++) {
        struct model_spec spec = translator(pre_norm);

        expect_all(&spec);
    }
}

Test(sequence, a_layer_reads_the_one_that_it_names)
{
    struct model_spec spec = {.channels = 3,
                              .height = 4,
                              .width = 4,
                              .layers = {spec_conv(4, 3, 1, 1),
                                         spec_of(LAYER_TANH),
                                         spec_conv(4, 3, 2, 1),
                                         spec_of(LAYER_SIGMOID),
                                         {.kind = LAYER_RESIDUAL, .from = 2, .projection = true},
                                         spec_of(LAYER_FLATTEN),
                                         {.kind = LAYER_FLATTEN, .from = 4},
                                         {.kind = LAYER_RESIDUAL, .from = 6},
                                         spec_dense(CLASSES)},
                              .layer_count = 9};

    expect_all(&spec);
}

Test(sequence, losses_of_real_targets_have_the_right_slope)
{
    static const struct loss_spec LOSSES[] = {{LOSS_BINARY_CROSS_ENTROPY, 0.0},
                                              {LOSS_MEAN_SQUARED_ERROR, 0.0},
                                              {LOSS_HUBER, 0.0},
                                              {LOSS_HUBER, 0.25}};

    for (size_t i = 0; i < CN_COUNT(LOSSES); i++) {
        const struct layer_spec layers[] = {embedding(3), spec_of(LAYER_TANH), spec_dense(2)};
        struct model_spec spec = of_tokens(4, layers, CN_COUNT(layers));

        spec.loss = LOSSES[i];
        expect_all(&spec);
    }
}

Test(sequence, one_output_tells_two_classes_apart)
{
    struct model_spec spec = {.channels = 1, .height = 1, .width = 4};
    struct model *model;
    struct dataset data;
    struct gradient_seen seen = {0};
    uint32_t *rows = fixture_rows(6);
    float sum[5] = {0};

    spec.layers[0] = spec_dense(1);
    spec.layer_count = 1;
    spec.loss.kind = LOSS_BINARY_CROSS_ENTROPY;
    model = fixture_model(&spec, 4, 1);
    data = fixture_data(&spec, 6, 2, 5);
    data.y[3] = DATASET_IGNORE;
    cr_assert_eq(gradient_check(model, &data, NULL), CN_OK);
    cr_assert_eq(gradient_add(model, sum, &seen, &(struct gradient_batch){&data, rows, 6}), CN_OK);
    cr_assert_eq(seen.counted, 5);
    cr_assert_eq(seen.n, 6);
    fixture_data_free(&data);
    free(rows);
    model_free(model);
}

/* ---- freezing ---- */

Test(sequence, frozen_layers_have_no_gradient_and_no_norm)
{
    struct model_spec spec = translator(false);
    struct clipping c = clipping_make(&spec, 4);
    struct gradient_batch all = {&c.data, c.rows, EXAMPLES};
    struct gradient_seen seen = {0};
    float *sum = calloc(c.d, sizeof *sum);
    double norms[EXAMPLES];

    cr_assert_eq(model_freeze(c.model, "mem*", NULL), CN_OK);
    cr_assert_eq(model_freeze(c.model, "2", NULL), CN_OK);
    cr_assert_eq(gradient_add_clipped(c.model, sum, &seen, &all, 1e9, norms), CN_OK);
    cr_assert_gt(c.model->first, 2u, "nothing before the second embedding learns");
    for (uint32_t b = 0; b < EXAMPLES; b++)
        model_zero_frozen(c.model, c.single + b * c.d);
    for (uint32_t t = 0; t < model_tensor_count(c.model); t++) {
        const struct model_tensor *tensor = model_tensor_at(c.model, t);

        for (size_t i = tensor->offset; tensor->frozen && i < tensor->offset + tensor->count; i++)
            cr_assert_eq(sum[i], 0.0f, "%s", tensor->name);
    }
    expect_clipped(&c);
    model_thaw(c.model);
    cr_assert_eq(c.model->first, 1u);
    free(sum);
    clipping_free(&c);
}

Test(sequence, freezing_needs_a_layer_and_leaves_one)
{
    const struct layer_spec layers[] = {embedding(3), spec_dense(CLASSES)};
    struct model_spec spec = of_tokens(4, layers, CN_COUNT(layers));
    struct model *model = fixture_model(&spec, 2, 1);
    struct cn_diag diag = {0};

    cr_assert_eq(model_freeze(model, "head", &diag), CN_E_NOT_FOUND);
    cr_assert_str_eq(diag.text, "no layer with weights is called or numbered 'head'");
    diag = (struct cn_diag){0};
    cr_assert_eq(model_freeze(model, "*", &diag), CN_E_CONFIG);
    cr_assert_str_eq(diag.text, "with '*' frozen, nothing is left to learn");
    cr_assert_eq(model_freeze(model, "1", &diag), CN_OK);
    cr_assert(model_tensor_at(model, 0)->frozen && !model_tensor_at(model, 1)->frozen);
    model_free(model);
}

/* ---- clipping per layer ---- */

/* bounds as given, or the flat bound's share; the sum is that of parts clipped one by one */
static void expect_clipped_per_layer(const struct model_spec *spec, const double *bounds)
{
    struct clipping c = clipping_make(spec, 3);
    struct gradient_batch all = {&c.data, c.rows, EXAMPLES};
    struct gradient_clip clip = {.norm = bounds ? 0.0 : 0.3, .per_layer = true, .bounds = bounds};
    struct gradient_seen seen = {0};
    float *sum = calloc(c.d, sizeof *sum);
    uint32_t layers = gradient_clip_layers(c.model), at = 0;

    cr_assert_eq(gradient_add_clipped_with(c.model, sum, &seen, &all, &clip, NULL), CN_OK);
    for (uint32_t l = 0; l < c.model->layer_count; l++) {
        const struct layer *layer = &c.model->layers[l];
        const size_t count = layer->weight_count + layer->bias_count;
        const double bound = bounds ? bounds[at] : 0.3 / sqrt(layers);
        double *want = calloc(count + 1, sizeof *want);

        for (size_t b = 0; b < EXAMPLES; b++) {
            const float *part = c.single + b * c.d + layer->weight;
            double norm = sqrt(kernels_ref.sum_squares(part, count));

            for (size_t i = 0; i < count; i++)
                want[i] += (double)part[i] * (norm > bound ? bound / norm : 1.0);
        }
        for (size_t i = 0; i < count; i++)
            cr_assert_float_eq(sum[layer->weight + i], want[i], 3e-5 * (bound + fabs(want[i])));
        free(want);
        at += count > 0;
    }
    cr_assert_eq(at, layers);
    free(sum);
    clipping_free(&c);
}

Test(sequence, clipping_per_layer_bounds_each_part)
{
    static const double BOUNDS[3] = {0.01, 0.5, 0.02};
    const struct layer_spec layers[] = {embedding(3), recurrent(LAYER_LSTM, 4, 1, true),
                                        spec_dense(CLASSES)};
    struct model_spec spec = of_tokens(5, layers, CN_COUNT(layers));
    struct model_spec both = translator(true);

    expect_clipped_per_layer(&spec, NULL);
    expect_clipped_per_layer(&spec, BOUNDS);
    expect_clipped_per_layer(&both, NULL);
}

/* ---- diagnostics ---- */

static void expect_refused(const struct layer_spec *layers, uint32_t count, enum cn_err err,
                           const char *text)
{
    struct model_spec spec = of_tokens(7, layers, count);
    struct cn_diag diag = {0};
    struct model *model;

    cr_assert_eq(model_new(&model, &spec, 2, &diag), err, "%s: %s", text, diag.text);
    cr_assert_str_eq(diag.text, text);
    cr_assert_null(model);
}

Test(sequence, says_what_does_not_fit)
{
    struct layer_spec two[2] = {spec_dense(3)};

    expect_refused(two, 1, CN_E_SHAPE,
                   "layer 1 (dense): its input are numbers of tokens, not values");
    two[0] = embedding(6);
    two[1] = embedding(6);
    expect_refused(two, 2, CN_E_SHAPE, "layer 2 (embedding): its input must be numbers of tokens");
    two[1] = attention(4, false, false);
    expect_refused(two, 2, CN_E_SHAPE, "layer 2 (attention): 4 heads do not divide its 6 channels");
    two[1] = slice(5, 3);
    expect_refused(two, 2, CN_E_SHAPE,
                   "layer 2 (slice): steps 5 to 8 are not all in its input 6x1x7, which has 7");
    two[1] = (struct layer_spec){.kind = LAYER_DECODER, .heads = 2, .units = 3};
    expect_refused(two, 2, CN_E_CONFIG, "layer 2 (decoder): 'memory' must name an earlier layer");
    memcpy(two[1].memory, "nowhere", sizeof "nowhere");
    expect_refused(two, 2, CN_E_CONFIG,
                   "layer 2 (decoder): 'memory' names 'nowhere', which is no layer before it");
    two[1] = spec_dense(3);
    two[1].causal = true;
    expect_refused(two, 2, CN_E_CONFIG,
                   "layer 2 (dense): 'causal' does not belong to this kind of layer");
    two[1] = attention(0, false, false);
    expect_refused(two, 2, CN_E_CONFIG,
                   "layer 2 (attention): 'heads' is missing; it must be 1 to 65536");
    two[1] = encoder(false, false);
    two[1].activation = LAYER_DENSE;
    expect_refused(two, 2, CN_E_CONFIG,
                   "layer 2 (encoder): 'activation' must be relu, gelu or silu");
}

Test(sequence, names_are_checked)
{
    struct layer_spec two[2] = {embedding(6), spec_dense(3)};

    memcpy(two[0].name, "a b", sizeof "a b");
    expect_refused(two, 2, CN_E_CONFIG,
                   "layer 1 (embedding): 'name' is made of letters, digits, '_' and '-'");
    memcpy(two[0].name, "7up", sizeof "7up");
    expect_refused(two, 2, CN_E_CONFIG,
                   "layer 1 (embedding): 'name' starts with a letter and is not 'input'");
    memcpy(two[0].name, "same", sizeof "same");
    memcpy(two[1].name, "same", sizeof "same");
    expect_refused(two, 2, CN_E_CONFIG, "layer 2 (dense): layer 1 is called 'same' too");
    memset(two[1].name, 'x', sizeof two[1].name);
    expect_refused(two, 2, CN_E_CONFIG, "layer 2 (dense): a name is longer than 31 characters");
}

Test(sequence, a_mask_needs_tokens)
{
    struct model_spec spec = {.channels = 4, .height = 1, .width = 3};
    struct cn_diag diag = {0};
    struct model *model;

    spec.layers[0] = attention(2, false, true);
    spec.layer_count = 1;
    cr_assert_eq(model_new(&model, &spec, 2, &diag), CN_E_CONFIG);
    cr_assert_str_eq(diag.text, "layer 1 (attention): 'mask_padding' needs the tokens that its "
                                "keys come from, with as many steps");
}

Test(sequence, data_has_to_fit_tokens_and_targets)
{
    const struct layer_spec layers[] = {embedding(3), spec_dense(CLASSES)};
    struct model_spec spec = of_tokens(4, layers, CN_COUNT(layers));
    struct model *model = fixture_model(&spec, 2, 1);
    struct dataset data = fixture_data_for(model, &spec, 3, 1);
    struct cn_diag diag = {0};

    cr_assert_eq(gradient_check(model, &data, &diag), CN_OK);
    data.x[5] = VOCABULARY;
    cr_assert_eq(gradient_check(model, &data, &diag), CN_E_DATA);
    cr_assert_str_eq(diag.text, "example 1 has the token 6 but the model's vocabulary has 6");
    data.x[5] = 1.5f;
    diag = (struct cn_diag){0};
    cr_assert_eq(gradient_check(model, &data, &diag), CN_E_DATA);
    data.x[5] = 1.0f;
    data.targets = 2;
    diag = (struct cn_diag){0};
    cr_assert_eq(gradient_check(model, &data, &diag), CN_E_SHAPE);
    cr_assert_str_eq(diag.text, "the data has 2 targets per example but the model gives 4");
    data.targets = 4;
    data.vocabulary = 0;
    diag = (struct cn_diag){0};
    cr_assert_eq(gradient_check(model, &data, &diag), CN_E_SHAPE);
    cr_assert_str_eq(diag.text, "the model wants numbers of tokens but the data has values");
    fixture_data_free(&data);
    model_free(model);
}
