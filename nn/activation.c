/* SPDX-License-Identifier: Apache-2.0 */
/* Layers without parameters that look at one value at a time, or only move values. */
#include <string.h>

#include "nn/model_internal.h"

static enum cn_err same_infer(struct layer *layer, struct cn_diag *diag)
{
    (void)diag;
    layer->out = layer->in;
    return CN_OK;
}

static void relu_forward(struct layer *layer, struct model *model, uint32_t n)
{
    model->kernels->relu(layer->y, layer->x, n * shape_count(layer->in));
}

static void relu_backward(struct layer *layer, struct model *model, uint32_t n)
{
    model->kernels->relu_back(layer->dx, layer->dy, layer->y, n * shape_count(layer->in));
}

static void tanh_forward(struct layer *layer, struct model *model, uint32_t n)
{
    model->kernels->tanh(layer->y, layer->x, n * shape_count(layer->in));
}

static void tanh_backward(struct layer *layer, struct model *model, uint32_t n)
{
    model->kernels->tanh_back(layer->dx, layer->dy, layer->y, n * shape_count(layer->in));
}

static enum cn_err flatten_infer(struct layer *layer, struct cn_diag *diag)
{
    (void)diag;
    layer->out = (struct shape){(uint32_t)shape_count(layer->in), 1, 1};
    return CN_OK;
}

/* A flat vector counts channels first, as files and PyTorch do; images here are channels-last. */
static void flatten_forward(struct layer *layer, struct model *model, uint32_t n)
{
    size_t places = (size_t)layer->in.height * layer->in.width, count = shape_count(layer->in);

    for (uint32_t b = 0; b < n; b++)
        model->kernels->transpose(layer->y + b * count, layer->x + b * count, places,
                                  layer->in.channels);
}

static void flatten_backward(struct layer *layer, struct model *model, uint32_t n)
{
    size_t places = (size_t)layer->in.height * layer->in.width, count = shape_count(layer->in);

    for (uint32_t b = 0; b < n; b++)
        model->kernels->transpose(layer->dx + b * count, layer->dy + b * count, layer->in.channels,
                                  places);
}

const struct layer_ops relu_ops = {
    .name = "relu",
    .in_place = true,
    .needs_output = true,
    .infer = same_infer,
    .forward = relu_forward,
    .backward = relu_backward,
};

const struct layer_ops tanh_ops = {
    .name = "tanh",
    .in_place = true,
    .needs_output = true,
    .infer = same_infer,
    .forward = tanh_forward,
    .backward = tanh_backward,
};

const struct layer_ops flatten_ops = {
    .name = "flatten",
    .infer = flatten_infer,
    .forward = flatten_forward,
    .backward = flatten_backward,
};
