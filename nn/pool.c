/* SPDX-License-Identifier: Apache-2.0 */
/* Max- and average-pooling over square windows or the whole image, each channel for itself. */
#include <string.h>

#include "nn/window.h"

static enum cn_err pool_infer(struct layer *layer, struct cn_diag *diag)
{
    if (layer->spec.stride == 0)
        layer->spec.stride = layer->spec.kernel;
    layer->out.channels = layer->in.channels;
    return window_infer(layer, diag);
}

static enum cn_err max_pool_plan(struct layer *layer, struct model *model)
{
    size_t count = shape_count(layer->out);

    if (count > SIZE_MAX / model->batch_max)
        return CN_E_NOMEM;
    layer->tap = cn_arena_alloc(&model->arena, model->batch_max * count, sizeof *layer->tap);
    return layer->tap ? CN_OK : CN_E_NOMEM;
}

static void max_pool_forward(struct layer *layer, struct model *model, uint32_t n)
{
    size_t in = shape_count(layer->in), out = shape_count(layer->out);

    for (uint32_t b = 0; b < n; b++)
        model->kernels->max_pool(layer->y + b * out, layer->tap + b * out, layer->x + b * in,
                                 &layer->window);
}

static void max_pool_backward(struct layer *layer, struct model *model, uint32_t n)
{
    size_t in = shape_count(layer->in), out = shape_count(layer->out);

    memset(layer->dx, 0, n * in * sizeof *layer->dx);
    for (uint32_t b = 0; b < n; b++)
        model->kernels->max_pool_back(layer->dx + b * in, layer->dy + b * out, layer->tap + b * out,
                                      &layer->window);
}

static void average_pool_forward(struct layer *layer, struct model *model, uint32_t n)
{
    size_t in = shape_count(layer->in), out = shape_count(layer->out);

    for (uint32_t b = 0; b < n; b++)
        model->kernels->average_pool(layer->y + b * out, layer->x + b * in, &layer->window);
}

static void average_pool_backward(struct layer *layer, struct model *model, uint32_t n)
{
    size_t in = shape_count(layer->in), out = shape_count(layer->out);

    memset(layer->dx, 0, n * in * sizeof *layer->dx);
    for (uint32_t b = 0; b < n; b++)
        model->kernels->average_pool_back(layer->dx + b * in, layer->dy + b * out, &layer->window);
}

static enum cn_err global_infer(struct layer *layer, struct cn_diag *diag)
{
    (void)diag;
    layer->out = (struct shape){layer->in.channels, 1, 1};
    return CN_OK;
}

static void global_forward(struct layer *layer, struct model *model, uint32_t n)
{
    size_t places = (size_t)layer->in.height * layer->in.width, channels = layer->in.channels;

    memset(layer->y, 0, n * channels * sizeof *layer->y);
    for (uint32_t b = 0; b < n; b++)
        model->kernels->add_rows(layer->y + b * channels, layer->x + b * places * channels, places,
                                 channels);
    model->kernels->scale(layer->y, 1.0f / (float)places, n * channels);
}

static void global_backward(struct layer *layer, struct model *model, uint32_t n)
{
    size_t places = (size_t)layer->in.height * layer->in.width, channels = layer->in.channels;

    for (size_t i = 0; i < n * places; i++)
        memcpy(layer->dx + i * channels, layer->dy + i / places * channels,
               channels * sizeof *layer->dx);
    model->kernels->scale(layer->dx, 1.0f / (float)places, n * places * channels);
}

const struct layer_ops max_pool_ops = {
    .name = "max_pool",
    .uses_window = true,
    .infer = pool_infer,
    .plan = max_pool_plan,
    .forward = max_pool_forward,
    .backward = max_pool_backward,
};

const struct layer_ops average_pool_ops = {
    .name = "average_pool",
    .uses_window = true,
    .infer = pool_infer,
    .forward = average_pool_forward,
    .backward = average_pool_backward,
};

const struct layer_ops global_average_pool_ops = {
    .name = "global_average_pool",
    .infer = global_infer,
    .forward = global_forward,
    .backward = global_backward,
};
