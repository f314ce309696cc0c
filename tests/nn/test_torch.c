/* SPDX-License-Identifier: Apache-2.0 */
/* Layers forward and backward, optimisers and schedules against PyTorch's numbers, which
 * tests/vectors/nn/make_layers.py wrote. Weights and inputs are drawn here as they are there. */
#include <math.h>
#include <string.h>

#include "nn/gradient.h"
#include "nn/optimiser.h"
#include "tests/nn/fixture.h"

#define BATCH 3
#define CLASSES 3
#define TOKENS 7

struct torch_case {
    const char *name;
    size_t d;
    double loss;            /* summed */
    const double *logits;   /* [BATCH, CLASSES] */
    const double *gradient; /* [d], summed */
};

struct torch_way {
    const char *name;
    const double *values;
};

#include "tests/vectors/nn/layers.h"

/* draw of make_layers.py: multiples of 1/64 in [-1, 1) */
static uint32_t draw_word(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 25;
}

static float draw(uint32_t *state)
{
    return ((float)draw_word(state) - 64.0f) / 64.0f;
}

/* ---- models ---- */

#define IMAGE(...)                                                                                 \
    {                                                                                              \
        .channels = 2, .height = 5, .width = 5, .layers = {                                        \
            {.kind = LAYER_CONV2D, .filters = 4, .kernel = 1},                                     \
            __VA_ARGS__,                                                                           \
            {.kind = LAYER_FLATTEN},                                                               \
            {.kind = LAYER_DENSE, .units = CLASSES}                                                \
        }                                                                                          \
    }
#define STEPS(...)                                                                                 \
    {                                                                                              \
        .channels = 1, .height = 1, .width = 5, .vocabulary = TOKENS, .layers = {                  \
            {.kind = LAYER_EMBEDDING, .units = 4},                                                 \
            __VA_ARGS__,                                                                           \
            {.kind = LAYER_DENSE, .units = CLASSES}                                                \
        }                                                                                          \
    }

struct torch_model {
    const char *name;
    struct model_spec spec;
};

static const struct torch_model MODELS[] = {
    {"conv2d", IMAGE({.kind = LAYER_CONV2D, .filters = 3, .kernel = 3, .stride = 2, .padding = 1})},
    {"conv2d_groups",
     IMAGE({.kind = LAYER_CONV2D, .filters = 6, .kernel = 3, .padding = 2, .groups = 2})},
    {"max_pool", IMAGE({.kind = LAYER_MAX_POOL, .kernel = 2, .stride = 1})},
    {"average_pool", IMAGE({.kind = LAYER_AVERAGE_POOL, .kernel = 3, .stride = 2})},
    {"global_average_pool", IMAGE({.kind = LAYER_GLOBAL_AVERAGE_POOL})},
    {"relu", IMAGE({.kind = LAYER_RELU})},
    {"tanh", IMAGE({.kind = LAYER_TANH})},
    {"leaky_relu", IMAGE({.kind = LAYER_LEAKY_RELU, .slope = 0.2})},
    {"gelu", IMAGE({.kind = LAYER_GELU})},
    {"silu", IMAGE({.kind = LAYER_SILU})},
    {"sigmoid", IMAGE({.kind = LAYER_SIGMOID})},
    {"softmax", IMAGE({.kind = LAYER_SOFTMAX})},
    {"layer_norm", IMAGE({.kind = LAYER_LAYER_NORM})},
    {"rms_norm", IMAGE({.kind = LAYER_RMS_NORM})},
    {"group_norm", IMAGE({.kind = LAYER_GROUP_NORM, .groups = 2})},
    {"residual", IMAGE({.kind = LAYER_CONV2D, .filters = 4, .kernel = 3, .padding = 1},
                       {.kind = LAYER_RESIDUAL, .from = 1})},
    {"projection",
     IMAGE({.kind = LAYER_CONV2D, .filters = 6, .kernel = 3, .stride = 2, .padding = 1},
           {.kind = LAYER_RESIDUAL, .from = 1, .projection = true})},
    {"lstm", STEPS({.kind = LAYER_LSTM, .units = 3, .layers = 2, .sequence = true},
                   {.kind = LAYER_FLATTEN})},
    {"lstm_last", STEPS({.kind = LAYER_LSTM, .units = 3})},
    {"gru", STEPS({.kind = LAYER_GRU, .units = 3, .layers = 2, .sequence = true},
                  {.kind = LAYER_FLATTEN})},
    {"gru_last", STEPS({.kind = LAYER_GRU, .units = 3})},
    {"attention", STEPS({.kind = LAYER_ATTENTION, .heads = 2}, {.kind = LAYER_FLATTEN})},
    {"attention_causal",
     STEPS({.kind = LAYER_ATTENTION, .heads = 2, .causal = true}, {.kind = LAYER_FLATTEN})},
    {"encoder", STEPS({.kind = LAYER_ENCODER, .heads = 2, .units = 6, .causal = true},
                      {.kind = LAYER_FLATTEN})},
    {"encoder_pre_norm",
     STEPS({.kind = LAYER_ENCODER, .heads = 2, .units = 6, .causal = true, .pre_norm = true},
           {.kind = LAYER_FLATTEN})},
    {"max_pool_padded", IMAGE({.kind = LAYER_MAX_POOL, .kernel = 3, .stride = 2, .padding = 1})},
    {"average_pool_padded",
     IMAGE({.kind = LAYER_AVERAGE_POOL, .kernel = 3, .stride = 2, .padding = 1})},
    {"global_max_pool", IMAGE({.kind = LAYER_GLOBAL_MAX_POOL})},
};
#define COUNT(array) (sizeof(array) / sizeof *(array))

static uint32_t count_layers(const struct model_spec *spec)
{
    uint32_t count = 0;

    while (spec->layers[count].kind != LAYER_UNKNOWN)
        count++;
    return count;
}

static void expect_near(const char *name, const char *what, size_t at, double got, double want,
                        double largest)
{
    cr_assert_float_eq(got, want, 2e-5 * (1e-2 + largest), "%s: %s %zu is %.9g and not %.9g", name,
                       what, at, got, want);
}

static double largest_of(const double *values, size_t n)
{
    double largest = 0.0;

    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(values[i]));
    return largest;
}

static void expect_like_torch(const struct torch_case *want, const struct torch_model *row,
                              uint32_t state)
{
    static const uint32_t rows[BATCH] = {0, 1, 2};
    struct model_spec *spec = malloc(sizeof *spec);
    struct gradient_seen seen = {0};
    struct gradient_batch batch;
    float *sum = calloc(want->d, sizeof *sum), logits[BATCH * CLASSES];
    struct dataset data;
    struct model *model;

    cr_assert(spec && sum);
    *spec = row->spec;
    spec->layer_count = count_layers(spec);
    cr_assert_str_eq(want->name, row->name);
    model = fixture_model(spec, 2, 1);
    cr_assert_eq(model_params(model), want->d, "%s", want->name);
    for (size_t i = 0; i < want->d; i++)
        model_weights(model)[i] = draw(&state);
    data = fixture_data(spec, BATCH, CLASSES, 1);
    data.vocabulary = spec->vocabulary;
    for (size_t i = 0; i < BATCH * model_features(model); i++)
        data.x[i] = spec->vocabulary ? (float)(draw_word(&state) % TOKENS) : draw(&state);
    for (uint32_t i = 0; i < BATCH; i++)
        data.y[i] = i % CLASSES;
    model_forward(model, logits, data.x, BATCH);
    for (size_t i = 0; i < BATCH * CLASSES; i++)
        expect_near(want->name, "logit", i, (double)logits[i], want->logits[i],
                    largest_of(want->logits, BATCH * CLASSES));
    batch = (struct gradient_batch){&data, rows, BATCH};
    cr_assert_eq(gradient_add(model, sum, &seen, &batch), CN_OK);
    expect_near(want->name, "loss", 0, seen.loss, want->loss, want->loss);
    for (size_t i = 0; i < want->d; i++)
        expect_near(want->name, "gradient", i, (double)sum[i], want->gradient[i],
                    largest_of(want->gradient, want->d));
    free(sum);
    free(spec);
    fixture_data_free(&data);
    model_free(model);
}

Test(torch, every_layer_goes_forward_and_backward_alike)
{
    cr_assert_eq(COUNT(torch_cases), COUNT(MODELS));
    for (size_t i = 0; i < COUNT(MODELS); i++)
        expect_like_torch(&torch_cases[i], &MODELS[i], (uint32_t)i + 1);
}

/* ---- optimisers and schedules ---- */

static const struct optimiser_options OPTIMISERS[] = {
    {.learning_rate = 0.1},
    {.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.05},
    {.kind = OPTIMISER_NESTEROV, .learning_rate = 0.1, .momentum = 0.9},
    {.kind = OPTIMISER_ADAM, .learning_rate = 0.1},
    {.kind = OPTIMISER_ADAM,
     .learning_rate = 0.1,
     .beta1 = 0.8,
     .beta2 = 0.95,
     .epsilon = 1e-3,
     .weight_decay = 0.5},
    {.kind = OPTIMISER_ADAMW, .learning_rate = 0.1, .weight_decay = 0.5},
    {.kind = OPTIMISER_RMSPROP, .learning_rate = 0.01},
    {.kind = OPTIMISER_RMSPROP,
     .learning_rate = 0.01,
     .beta2 = 0.9,
     .epsilon = 1e-3,
     .momentum = 0.5},
    {.kind = OPTIMISER_ADAGRAD, .learning_rate = 0.1},
};

Test(torch, every_optimiser_goes_the_same_way)
{
    cr_assert_eq(COUNT(OPTIMISERS), COUNT(torch_ways));
    for (size_t i = 0; i < COUNT(OPTIMISERS); i++) {
        float w[4], g[4];
        uint32_t state = 99;
        struct optimiser optimiser;

        for (int j = 0; j < 4; j++)
            w[j] = draw(&state);
        cr_assert_eq(optimiser_init(&optimiser, &OPTIMISERS[i], w, 4, 6), CN_OK);
        for (size_t at = 0; at < 24; at += 4) {
            for (int j = 0; j < 4; j++)
                g[j] = draw(&state);
            optimiser_step(&optimiser, w, g);
            for (size_t j = 0; j < 4; j++)
                expect_near(torch_ways[i].name, "weight", at + j, (double)w[j],
                            torch_ways[i].values[at + j], 1.0);
        }
        optimiser_clear(&optimiser);
    }
}

Test(torch, every_schedule_gives_the_same_rates)
{
    static const struct optimiser_options schedules[] = {
        {.learning_rate = 0.1,
         .schedule = SCHEDULE_STEP,
         .schedule_every = 4,
         .schedule_factor = 0.5},
        {.learning_rate = 0.1, .schedule = SCHEDULE_COSINE},
        {.learning_rate = 0.1, .warm_up = 3},
    };

    cr_assert_eq(COUNT(schedules), COUNT(torch_rates));
    for (size_t i = 0; i < COUNT(schedules); i++)
        for (uint32_t step = 0; step < 12; step++)
            cr_assert_float_eq(optimiser_rate(&schedules[i], step, 12), torch_rates[i].values[step],
                               1e-10, "%s, step %u", torch_rates[i].name, step);
}
