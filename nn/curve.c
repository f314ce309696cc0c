/* SPDX-License-Identifier: Apache-2.0 */
/* More layers without parameters: curves over single values, and softmax over channels.
 *
 * Those whose slope follows from the output work in place; gelu and silu need their input. */
#include <math.h>

#include "nn/loss.h"
#include "nn/model_internal.h"

#define LEAK_DEFAULT 0.01

static enum cn_err same_infer(struct layer *layer, struct cn_diag *diag)
{
    (void)diag;
    layer->out = layer->in;
    return CN_OK;
}

static enum cn_err leaky_relu_infer(struct layer *layer, struct cn_diag *diag)
{
    if (layer->spec.slope == 0.0)
        layer->spec.slope = LEAK_DEFAULT;
    return same_infer(layer, diag);
}

static void leaky_relu_forward(struct layer *layer, struct model *model, uint32_t n)
{
    const float slope = (float)layer->spec.slope;
    size_t count = n * shape_count(layer->in);

    (void)model;
    for (size_t i = 0; i < count; i++)
        layer->y[i] = layer->x[i] > 0.0f ? layer->x[i] : slope * layer->x[i];
}

static void leaky_relu_backward(struct layer *layer, struct model *model, uint32_t n)
{
    const float slope = (float)layer->spec.slope;
    size_t count = n * shape_count(layer->in);

    (void)model;
    for (size_t i = 0; i < count; i++)
        layer->dx[i] = layer->y[i] > 0.0f ? layer->dy[i] : slope * layer->dy[i];
}

/* 1 / (1 + e^-x) = (1 + tanh(x / 2)) / 2 */
static void sigmoid(const struct model *model, float *y, const float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        y[i] = 0.5f * x[i];
    model->kernels->tanh(y, y, count);
    for (size_t i = 0; i < count; i++)
        y[i] = 0.5f + 0.5f * y[i];
}

static void sigmoid_forward(struct layer *layer, struct model *model, uint32_t n)
{
    sigmoid(model, layer->y, layer->x, n * shape_count(layer->in));
}

static void sigmoid_backward(struct layer *layer, struct model *model, uint32_t n)
{
    size_t count = n * shape_count(layer->in);

    (void)model;
    for (size_t i = 0; i < count; i++)
        layer->dx[i] = layer->dy[i] * layer->y[i] * (1.0f - layer->y[i]);
}

static void silu_forward(struct layer *layer, struct model *model, uint32_t n)
{
    size_t count = n * shape_count(layer->in);

    sigmoid(model, layer->y, layer->x, count);
    for (size_t i = 0; i < count; i++)
        layer->y[i] *= layer->x[i];
}

/* (x s)' = s + x s (1 - s) with s = sigmoid(x), made anew in dx */
static void silu_backward(struct layer *layer, struct model *model, uint32_t n)
{
    size_t count = n * shape_count(layer->in);

    sigmoid(model, layer->dx, layer->x, count);
    for (size_t i = 0; i < count; i++) {
        const float s = layer->dx[i];

        layer->dx[i] = layer->dy[i] * (s + layer->x[i] * s * (1.0f - s));
    }
}

/* x times the normal distribution's cumulative probability of x, exactly: no tanh formula. */
static void gelu_forward(struct layer *layer, struct model *model, uint32_t n)
{
    size_t count = n * shape_count(layer->in);

    (void)model;
    for (size_t i = 0; i < count; i++)
        layer->y[i] = 0.5f * layer->x[i] * erfcf(-(float)M_SQRT1_2 * layer->x[i]);
}

static void gelu_backward(struct layer *layer, struct model *model, uint32_t n)
{
    const float density = (float)(0.5 * M_SQRT1_2 * M_2_SQRTPI); /* 1 / sqrt(2 pi) */
    size_t count = n * shape_count(layer->in);

    (void)model;
    for (size_t i = 0; i < count; i++) {
        const float x = layer->x[i];
        const float slope = 0.5f * erfcf(-(float)M_SQRT1_2 * x) + x * density * expf(-0.5f * x * x);

        layer->dx[i] = layer->dy[i] * slope;
    }
}

static void softmax_forward(struct layer *layer, struct model *model, uint32_t n)
{
    size_t rows = (size_t)n * layer->in.height * layer->in.width, width = layer->in.channels;

    (void)model;
    for (size_t r = 0; r < rows; r++)
        loss_softmax(layer->y + r * width, layer->x + r * width, layer->in.channels);
}

/* dx = y (dy - y . dy), row by row */
static void softmax_backward(struct layer *layer, struct model *model, uint32_t n)
{
    size_t rows = (size_t)n * layer->in.height * layer->in.width, width = layer->in.channels;

    (void)model;
    for (size_t at = 0; at < rows * width; at += width) {
        double mean = 0.0;

        for (size_t i = at; i < at + width; i++)
            mean += (double)layer->y[i] * (double)layer->dy[i];
        for (size_t i = at; i < at + width; i++)
            layer->dx[i] = layer->y[i] * (layer->dy[i] - (float)mean);
    }
}

const struct layer_ops leaky_relu_ops = {
    .name = "leaky_relu",
    .in_place = true,
    .needs_output = true,
    .uses_slope = true,
    .infer = leaky_relu_infer,
    .forward = leaky_relu_forward,
    .backward = leaky_relu_backward,
};

const struct layer_ops sigmoid_ops = {
    .name = "sigmoid",
    .in_place = true,
    .needs_output = true,
    .infer = same_infer,
    .forward = sigmoid_forward,
    .backward = sigmoid_backward,
};

const struct layer_ops silu_ops = {
    .name = "silu",
    .infer = same_infer,
    .forward = silu_forward,
    .backward = silu_backward,
};

const struct layer_ops gelu_ops = {
    .name = "gelu",
    .infer = same_infer,
    .forward = gelu_forward,
    .backward = gelu_backward,
};

const struct layer_ops softmax_ops = {
    .name = "softmax",
    .in_place = true,
    .needs_output = true,
    .infer = same_infer,
    .forward = softmax_forward,
    .backward = softmax_backward,
};
