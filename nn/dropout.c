/* SPDX-License-Identifier: Apache-2.0 */
/* Dropout: while training, each value is 0 with probability rate, else divided by 1 - rate.
 *
 * Every example has a key of its own, drawn from the training's random in the order of examples;
 * the mask follows from key and layer. So it does not depend on the micro-batch. */
#include <string.h>

#include "nn/model_internal.h"

#define DRAWS 256

static enum cn_err dropout_infer(struct layer *layer, struct cn_diag *diag)
{
    (void)diag;
    layer->out = layer->in;
    return CN_OK;
}

static enum cn_err dropout_plan(struct layer *layer, struct model *model)
{
    return model_floats(model, &layer->state, model->batch_max, shape_count(layer->in));
}

/* mask [count] = 0 or 1 / (1 - rate) */
static void draw_mask(float *mask, size_t count, double rate, uint64_t key)
{
    const uint32_t below = (uint32_t)(rate * 0x1p32);
    const float kept = (float)(1.0 / (1.0 - rate));
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, key);
    uint32_t words[DRAWS];

    for (size_t from = 0; from < count; from += DRAWS) {
        size_t n = count - from < DRAWS ? count - from : DRAWS;

        cn_random_fill(&random, words, n * sizeof *words);
        for (size_t i = 0; i < n; i++)
            mask[from + i] = words[i] < below ? 0.0f : kept;
    }
}

static void dropout_forward(struct layer *layer, struct model *model, uint32_t n)
{
    size_t count = shape_count(layer->in);

    if (!model->dropping) {
        memmove(layer->y, layer->x, n * count * sizeof *layer->y);
        for (size_t i = 0; i < n * count; i++)
            layer->state[i] = 1.0f;
        return;
    }
    for (uint32_t b = 0; b < n; b++)
        draw_mask(layer->state + b * count, count, layer->spec.rate, model->keys[b] + layer->index);
    for (size_t i = 0; i < n * count; i++)
        layer->y[i] = layer->x[i] * layer->state[i];
}

static void dropout_backward(struct layer *layer, struct model *model, uint32_t n)
{
    size_t count = n * shape_count(layer->in);

    (void)model;
    for (size_t i = 0; i < count; i++)
        layer->dx[i] = layer->dy[i] * layer->state[i];
}

const struct layer_ops dropout_ops = {
    .name = "dropout",
    .in_place = true,
    .uses_rate = true,
    .draws = true,
    .infer = dropout_infer,
    .plan = dropout_plan,
    .forward = dropout_forward,
    .backward = dropout_backward,
};
