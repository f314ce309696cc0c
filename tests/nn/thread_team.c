/* SPDX-License-Identifier: Apache-2.0 */
/* Trainings by several threads, for ThreadSanitizer: the same weights every time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/train.h"

#define EXAMPLES 256 /* batches of half of them are shared */
#define FEATURES 96
#define PARAMS_MAX 20000

/* With dropout replicas share the batch, without it the threads share the layers. */
static const struct model_spec SPECS[] = {
    {.channels = 1,
     .height = 1,
     .width = FEATURES,
     .layers = {{.kind = LAYER_DENSE, .units = 160},
                {.kind = LAYER_RELU},
                {.kind = LAYER_DROPOUT, .rate = 0.25},
                {.kind = LAYER_DENSE, .units = 5}},
     .layer_count = 4},
    {.channels = 1,
     .height = 1,
     .width = FEATURES,
     .layers = {{.kind = LAYER_DENSE, .units = 160},
                {.kind = LAYER_RELU},
                {.kind = LAYER_DENSE, .units = 5}},
     .layer_count = 3},
};

static float weights[2][PARAMS_MAX];

/* Leaves the weights in out; the number of them, or 0 when something failed. */
static size_t train(float *out, const struct dataset *data, const struct model_spec *spec,
                    uint32_t threads, double clip)
{
    struct train_options options = {
        .learning_rate = 0.05, .momentum = 0.9, .batch = 128, .steps = 6, .clip_norm = clip};
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 3);
    struct train_result result;
    struct model *model;
    size_t d = 0;

    options.threads = threads;
    if (model_new(&model, spec, MODEL_BATCH_AUTO, NULL) != CN_OK)
        return 0;
    model_init_weights(model, &random);
    if (train_run(model, data, &options, &random, &result) == CN_OK)
        d = model_params(model);
    memcpy(out, model_weights(model), d * sizeof *out);
    model_free(model);
    return d;
}

int main(void)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 1);
    struct dataset data;
    int passed = 0, failed = 0;

    if (dataset_new(&data, EXAMPLES, 1, 1, FEATURES) != CN_OK)
        return EXIT_FAILURE;
    data.classes = 5;
    for (size_t i = 0; i < EXAMPLES * FEATURES; i++)
        data.x[i] = (float)cn_random_normal(&random);
    for (uint32_t i = 0; i < EXAMPLES; i++)
        data.y[i] = i % 5;
    for (uint32_t i = 0; i < 16; i++) {
        const struct model_spec *spec = &SPECS[i / 8];
        const uint32_t threads = 1 + i % 4;
        const double clip = i % 8 < 4 ? 0.0 : 0.1;
        const size_t d = train(weights[0], &data, spec, threads, clip);
        const int same = d > 0 && train(weights[1], &data, spec, threads, clip) == d &&
                         memcmp(weights[0], weights[1], d * sizeof **weights) == 0;

        passed += same;
        failed += !same;
    }
    dataset_free(&data);
    printf("%d passed, %d failed\n", passed, failed);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
