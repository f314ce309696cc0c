/* SPDX-License-Identifier: Apache-2.0 */
/* Layers of sequences and losses against PyTorch's numbers: tests/vectors/nn/sequence.txt, made by
 * make_sequence.py beside it. */
#include <stdio.h>

#include "tests/nn/checks.h"

#define FILE_PATH CAIRN_SOURCE_DIR "/tests/vectors/nn/sequence.txt"
#define ROW_MAX 2048
#define CASE_EXAMPLES 3
#define STEPS 5
#define VOCABULARY 6

struct row {
    float v[ROW_MAX];
    size_t n;
};

struct vectors {
    struct row weights, x, y, z, output, loss, gradient;
};

/* Reads what follows the name, "COUNT v v v". */
static void read_row(struct row *row, FILE *file)
{
    cr_assert_eq(fscanf(file, "%zu", &row->n), 1);
    cr_assert_leq(row->n, ROW_MAX);
    for (size_t i = 0; i < row->n; i++)
        cr_assert_eq(fscanf(file, "%f", &row->v[i]), 1);
}

static struct row *row_of(struct vectors *v, const char *name)
{
    const struct {
        const char *name;
        struct row *row;
    } rows[] = {{"weights", &v->weights},
                {"x", &v->x},
                {"y", &v->y},
                {"z", &v->z},
                {"output", &v->output},
                {"loss", &v->loss},
                {"gradient", &v->gradient}};

    for (size_t i = 0; i < CN_COUNT(rows); i++)
        if (strcmp(name, rows[i].name) == 0)
            return rows[i].row;
    return NULL;
}

static struct vectors *read_case(const char *name)
{
    struct vectors *v = calloc(1, sizeof *v);
    FILE *file = fopen(FILE_PATH, "r");
    char word[64], text[64];
    bool here = false;

    cr_assert(v && file, "%s", FILE_PATH);
    while (fscanf(file, "%63s", word) == 1) {
        struct row skipped, *row = row_of(v, word);

        if (strcmp(word, "case") == 0) {
            cr_assert_eq(fscanf(file, "%63s", text), 1);
            here = strcmp(text, name) == 0;
            continue;
        }
        cr_assert_not_null(row, "%s", word);
        read_row(here ? row : &skipped, file);
    }
    fclose(file);
    cr_assert_gt(v->weights.n, 0u, "no case %s", name);
    return v;
}

static void expect_row(const struct row *want, const float *got, size_t n, const char *what)
{
    cr_assert_eq(want->n, n, "%s: %zu and not %zu", what, n, want->n);
    for (size_t i = 0; i < n; i++)
        cr_assert_float_eq(got[i], want->v[i], 2e-5 * (1.0 + fabs((double)want->v[i])),
                           "%s %zu: %g and not %g", what, i, (double)got[i], (double)want->v[i]);
}

static struct dataset data_of(const struct model *model, const struct vectors *v)
{
    const struct dataset_options options = {1,
                                            1,
                                            STEPS,
                                            VOCABULARY,
                                            v->y.n ? model_positions(model) : 0,
                                            (uint32_t)v->z.n / CASE_EXAMPLES};
    struct dataset data;

    cr_assert_eq(dataset_new_with(&data, CASE_EXAMPLES, &options), CN_OK);
    memcpy(data.x, v->x.v, v->x.n * sizeof *data.x);
    for (size_t i = 0; i < v->y.n; i++)
        data.y[i] = v->y.v[i] < 0.0f ? DATASET_IGNORE : (uint32_t)v->y.v[i];
    if (data.z)
        memcpy(data.z, v->z.v, v->z.n * sizeof *data.z);
    data.classes = v->y.n ? model_outputs(model) : 0;
    return data;
}

static void expect_case(const char *name, struct model_spec *spec, double smoothing)
{
    struct vectors *v = read_case(name);
    struct model *model;
    struct dataset data;
    struct gradient_seen seen = {0};
    uint32_t *rows = fixture_rows(CASE_EXAMPLES);
    float *sum = calloc(v->weights.n, sizeof *sum), outputs[ROW_MAX];

    spec->channels = spec->height = 1;
    spec->width = STEPS;
    spec->vocabulary = VOCABULARY;
    model = fixture_model(spec, 2, 1);
    data = data_of(model, v);
    cr_assert_eq(model_params(model), v->weights.n, "%zu weights", model_params(model));
    cr_assert_eq(model_set_weights(model, v->weights.v), CN_OK);
    cr_assert_eq(gradient_check(model, &data, NULL), CN_OK);
    model_forward(model, outputs, data.x, CASE_EXAMPLES);
    expect_row(&v->output, outputs,
               CASE_EXAMPLES * model_outputs(model) * (size_t)model_positions(model), "output");
    gradient_smooth_labels(model, smoothing);
    cr_assert_eq(
        gradient_add(model, sum, &seen, &(struct gradient_batch){&data, rows, CASE_EXAMPLES}),
        CN_OK);
    cr_assert_float_eq(seen.loss, v->loss.v[0], 2e-5);
    expect_row(&v->gradient, sum, model_params(model), "gradient");
    dataset_free(&data);
    model_free(model);
    free(sum);
    free(rows);
    free(v);
}

/* An embedding of 4, then the layers, then dense to 3 classes. */
static struct model_spec around(const struct layer_spec *layers, uint32_t count, uint32_t units)
{
    struct model_spec spec = {.layers = {{.kind = LAYER_EMBEDDING, .units = 4}}};

    memcpy(spec.layers + 1, layers, count * sizeof *layers);
    spec.layers[1 + count] = spec_dense(units);
    spec.layer_count = count + 2;
    return spec;
}

Test(sequence_vectors, lstm_of_two_layers)
{
    const struct layer_spec layer = {.kind = LAYER_LSTM, .units = 5, .layers = 2};
    struct model_spec spec = around(&layer, 1, 3);

    expect_case("lstm", &spec, 0.0);
}

Test(sequence_vectors, gru_with_smoothed_labels_and_ignored_positions)
{
    const struct layer_spec layer = {.kind = LAYER_GRU, .units = 5, .layers = 2, .sequence = true};
    struct model_spec spec = around(&layer, 1, 3);

    expect_case("gru", &spec, 0.1);
}

Test(sequence_vectors, attention_causal_padded_and_cross)
{
    struct layer_spec layers[3] = {{.kind = LAYER_ATTENTION, .heads = 2, .causal = true}};
    struct model_spec spec = around(layers, 1, 3);

    expect_case("attention_causal", &spec, 0.0);
    layers[0].causal = false;
    layers[0].mask_padding = true;
    spec = around(layers, 1, 3);
    expect_case("attention_padded", &spec, 0.0);
    layers[0] = (struct layer_spec){.kind = LAYER_SLICE, .length = 2};
    layers[1] = (struct layer_spec){.kind = LAYER_SLICE, .start = 2, .length = 3, .from = 1};
    layers[2] = (struct layer_spec){.kind = LAYER_ATTENTION, .heads = 2, .memory = "2"};
    spec = around(layers, 3, 3);
    expect_case("attention_cross", &spec, 0.0);
}

Test(sequence_vectors, encoders_with_norms_after_and_before)
{
    struct layer_spec layer = {
        .kind = LAYER_ENCODER, .heads = 2, .units = 7, .causal = true, .mask_padding = true};
    struct model_spec spec = around(&layer, 1, 3);

    expect_case("encoder_post", &spec, 0.0);
    layer.pre_norm = true;
    layer.activation = LAYER_GELU;
    spec = around(&layer, 1, 3);
    expect_case("encoder_pre", &spec, 0.0);
}

Test(sequence_vectors, encoder_and_decoder)
{
    struct model_spec spec = {
        .layers = {{.kind = LAYER_SLICE, .length = 3},
                   {.kind = LAYER_EMBEDDING, .units = 4},
                   {.kind = LAYER_ENCODER,
                    .heads = 2,
                    .units = 7,
                    .mask_padding = true,
                    .name = "memory"},
                   {.kind = LAYER_SLICE, .start = 3, .length = 2, .source = MODEL_INPUT},
                   {.kind = LAYER_EMBEDDING, .units = 4},
                   {.kind = LAYER_DECODER,
                    .heads = 2,
                    .units = 7,
                    .mask_padding = true,
                    .memory = "memory"},
                   spec_dense(3)},
        .layer_count = 7};

    expect_case("decoder", &spec, 0.0);
}

Test(sequence_vectors, losses_of_real_targets)
{
    const struct layer_spec layer = {.kind = LAYER_LAYER_NORM};
    struct model_spec spec = around(&layer, 1, 2);

    spec.loss.kind = LOSS_BINARY_CROSS_ENTROPY;
    expect_case("binary_cross_entropy", &spec, 0.0);
    spec.loss.kind = LOSS_MEAN_SQUARED_ERROR;
    expect_case("mean_squared_error", &spec, 0.0);
    spec.loss = (struct loss_spec){LOSS_HUBER, 0.4};
    expect_case("huber", &spec, 0.0);
}
