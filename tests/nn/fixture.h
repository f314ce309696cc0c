/* SPDX-License-Identifier: Apache-2.0 */
/* Small models and random data for the tests of nn/. */
#ifndef CAIRN_TESTS_NN_FIXTURE_H
#define CAIRN_TESTS_NN_FIXTURE_H

#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/random.h"
#include "data/dataset.h"
#include "nn/model.h"

static inline struct layer_spec spec_dense(uint32_t units)
{
    return (struct layer_spec){.kind = LAYER_DENSE, .units = units};
}

static inline struct layer_spec spec_conv(uint32_t filters, uint32_t kernel, uint32_t stride,
                                          uint32_t padding)
{
    return (struct layer_spec){.kind = LAYER_CONV2D,
                               .filters = filters,
                               .kernel = kernel,
                               .stride = stride,
                               .padding = padding};
}

static inline struct layer_spec spec_pool(enum layer_kind kind, uint32_t kernel, uint32_t stride)
{
    return (struct layer_spec){.kind = kind, .kernel = kernel, .stride = stride};
}

static inline struct layer_spec spec_of(enum layer_kind kind)
{
    return (struct layer_spec){.kind = kind};
}

/* Builds the model, with random weights from seed; ends the test if that fails. */
static inline struct model *fixture_model(const struct model_spec *spec, uint32_t batch_max,
                                          uint64_t seed)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, seed);
    struct cn_diag diag = {0};
    struct model *model = NULL;
    char line[CN_DIAG_LINE_MAX];

    cr_assert_eq(model_new(&model, spec, batch_max, &diag), CN_OK, "%s", cn_diag_line(&diag, line));
    model_init_weights(model, &random);
    return model;
}

/* n normal examples with uniform labels. Freed by fixture_data_free. */
static inline struct dataset fixture_data(const struct model_spec *spec, size_t n, uint32_t classes,
                                          uint64_t seed)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, seed);
    size_t features = (size_t)spec->channels * spec->height * spec->width;
    struct dataset data = {.n = n,
                           .channels = spec->channels,
                           .height = spec->height,
                           .width = spec->width,
                           .classes = classes};

    data.x = calloc(n * features, sizeof *data.x);
    data.y = calloc(n, sizeof *data.y);
    cr_assert(data.x && data.y);
    for (size_t i = 0; i < n * features; i++)
        data.x[i] = (float)cn_random_normal(&random);
    for (size_t i = 0; i < n; i++)
        data.y[i] = (uint32_t)cn_random_below(&random, classes);
    return data;
}

/* Random tokens; the last third of every other example is padding (token 0). */
static inline void fixture_tokens(struct dataset *data, const struct cn_random *random)
{
    for (size_t i = 0; i < data->n * data->width; i++) {
        bool padding = i / data->width % 2 && i % data->width >= data->width - data->width / 3;

        data->x[i] = padding ? 0.0f : (float)cn_random_below(random, data->vocabulary);
    }
}

/* As fixture_data, with the tokens, the targets of every position (of several, one in five is
 * ignored) or the real targets (from 0 to 1) that the model wants. */
static inline struct dataset
fixture_data_for(const struct model *model, const struct model_spec *spec, size_t n, uint64_t seed)
{
    struct dataset data = fixture_data(spec, n, model_outputs(model), seed);
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, seed + 1000);
    const bool reals = model_loss(model).kind != LOSS_CROSS_ENTROPY;

    data.vocabulary = spec->vocabulary;
    if (data.vocabulary)
        fixture_tokens(&data, &random);
    free(data.y);
    data.y = NULL;
    data.targets = reals ? 0 : model_positions(model);
    data.reals = reals ? model_positions(model) * model_outputs(model) : 0;
    data.y = data.targets ? calloc(n * data.targets, sizeof *data.y) : NULL;
    data.z = data.reals ? calloc(n * data.reals, sizeof *data.z) : NULL;
    cr_assert(data.y || data.z);
    for (size_t i = 0; i < n * data.targets; i++) {
        data.y[i] = (uint32_t)cn_random_below(&random, data.classes);
        if (data.targets > 1 && cn_random_below(&random, 5) == 0)
            data.y[i] = DATASET_IGNORE;
    }
    for (size_t i = 0; i < n * data.reals; i++)
        data.z[i] = (float)cn_random_unit(&random);
    return data;
}

static inline void fixture_data_free(struct dataset *data)
{
    free(data->x);
    free(data->y);
    free(data->z);
    *data = (struct dataset){0};
}

static inline uint32_t *fixture_rows(size_t n)
{
    uint32_t *rows = calloc(n ? n : 1, sizeof *rows);

    cr_assert(rows);
    for (size_t i = 0; i < n; i++)
        rows[i] = (uint32_t)i;
    return rows;
}

#endif
