/* SPDX-License-Identifier: Apache-2.0 */
/* Max- and average-pooling over square windows or the whole image, each channel for itself.
 *
 * Padding is what no maximum takes, and 0 to an average, which counts it (as PyTorch does unless
 * told otherwise). The kernels know no padding: they work on a padded copy of one example. */
#include <math.h>
#include <string.h>

#include "nn/window.h"

static enum cn_err pool_infer(struct layer *layer, struct cn_diag *diag)
{
    if (layer->spec.stride == 0)
        layer->spec.stride = layer->spec.kernel;
    layer->out.channels = layer->in.channels;
    CN_TRY(window_infer(layer, diag));
    layer->window.in_height += 2 * layer->spec.padding;
    layer->window.in_width += 2 * layer->spec.padding;
    layer->window.padding = 0;
    return CN_OK;
}

static size_t padded_count(const struct layer *layer)
{
    return (size_t)layer->window.in_height * layer->window.in_width * layer->in.channels;
}

static enum cn_err pool_plan(struct layer *layer, struct model *model)
{
    if (layer->spec.padding)
        model_claim_scratch(model, padded_count(layer));
    return CN_OK;
}

/* Where row `y` of the image begins in the padded copy. */
static size_t inside(const struct layer *layer, uint32_t y)
{
    const size_t padding = layer->spec.padding;

    return ((y + padding) * layer->window.in_width + padding) * layer->in.channels;
}

/* The example x, or with padding its copy in scratch with `fill` around it. */
static const float *padded(const struct layer *layer, struct model *model, const float *x,
                           float fill)
{
    const size_t row = (size_t)layer->in.width * layer->in.channels;

    if (layer->spec.padding == 0)
        return x;
    for (size_t i = 0; i < padded_count(layer); i++)
        model->scratch[i] = fill;
    for (uint32_t y = 0; y < layer->in.height; y++)
        memcpy(model->scratch + inside(layer, y), x + y * row, row * sizeof *x);
    return model->scratch;
}

/* Where the gradient of one example is summed, all 0: dx itself, or a padded one in scratch. */
static float *gradient_begin(const struct layer *layer, struct model *model, float *dx)
{
    float *sum = layer->spec.padding ? model->scratch : dx;

    memset(sum, 0, padded_count(layer) * sizeof *sum);
    return sum;
}

static void gradient_end(const struct layer *layer, const struct model *model, float *dx)
{
    const size_t row = (size_t)layer->in.width * layer->in.channels;

    if (layer->spec.padding == 0)
        return;
    for (uint32_t y = 0; y < layer->in.height; y++)
        memcpy(dx + y * row, model->scratch + inside(layer, y), row * sizeof *dx);
}

static enum cn_err max_pool_plan(struct layer *layer, struct model *model)
{
    size_t count = shape_count(layer->out);

    CN_TRY(pool_plan(layer, model));
    if (count > SIZE_MAX / model->batch_max)
        return CN_E_NOMEM;
    layer->tap = cn_arena_alloc(&model->arena, model->batch_max * count, sizeof *layer->tap);
    return layer->tap ? CN_OK : CN_E_NOMEM;
}

static void max_pool_forward(struct layer *layer, struct model *model, uint32_t n)
{
    size_t in = shape_count(layer->in), out = shape_count(layer->out);

    for (uint32_t b = 0; b < n; b++)
        model->kernels->max_pool(layer->y + b * out, layer->tap + b * out,
                                 padded(layer, model, layer->x + b * in, -INFINITY),
                                 &layer->window);
}

static void max_pool_backward(struct layer *layer, struct model *model, uint32_t n)
{
    size_t in = shape_count(layer->in), out = shape_count(layer->out);

    for (uint32_t b = 0; b < n; b++) {
        float *sum = gradient_begin(layer, model, layer->dx + b * in);

        model->kernels->max_pool_back(sum, layer->dy + b * out, layer->tap + b * out,
                                      &layer->window);
        gradient_end(layer, model, layer->dx + b * in);
    }
}

static void average_pool_forward(struct layer *layer, struct model *model, uint32_t n)
{
    size_t in = shape_count(layer->in), out = shape_count(layer->out);

    for (uint32_t b = 0; b < n; b++)
        model->kernels->average_pool(layer->y + b * out,
                                     padded(layer, model, layer->x + b * in, 0.0f), &layer->window);
}

static void average_pool_backward(struct layer *layer, struct model *model, uint32_t n)
{
    size_t in = shape_count(layer->in), out = shape_count(layer->out);

    for (uint32_t b = 0; b < n; b++) {
        float *sum = gradient_begin(layer, model, layer->dx + b * in);

        model->kernels->average_pool_back(sum, layer->dy + b * out, &layer->window);
        gradient_end(layer, model, layer->dx + b * in);
    }
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

/* The largest of each channel, of equals the first; tap is its place. */
static void global_max_forward(struct layer *layer, struct model *model, uint32_t n)
{
    size_t places = (size_t)layer->in.height * layer->in.width, channels = layer->in.channels;

    (void)model;
    for (size_t i = 0; i < n * channels; i++) {
        const float *x = layer->x + i / channels * places * channels + i % channels;
        uint32_t best = 0;

        for (uint32_t p = 1; p < places; p++)
            best = x[p * channels] > x[best * channels] ? p : best;
        layer->tap[i] = best;
        layer->y[i] = x[best * channels];
    }
}

static void global_max_backward(struct layer *layer, struct model *model, uint32_t n)
{
    size_t places = (size_t)layer->in.height * layer->in.width, channels = layer->in.channels;

    (void)model;
    memset(layer->dx, 0, n * places * channels * sizeof *layer->dx);
    for (size_t i = 0; i < n * channels; i++)
        layer->dx[(i / channels * places + layer->tap[i]) * channels + i % channels] = layer->dy[i];
}

const struct layer_ops global_max_pool_ops = {
    .name = "global_max_pool",
    .infer = global_infer,
    .plan = max_pool_plan,
    .forward = global_max_forward,
    .backward = global_max_backward,
};

const struct layer_ops max_pool_ops = {
    .name = "max_pool",
    .uses_window = true,
    .uses_padding = true,
    .infer = pool_infer,
    .plan = max_pool_plan,
    .forward = max_pool_forward,
    .backward = max_pool_backward,
};

const struct layer_ops average_pool_ops = {
    .name = "average_pool",
    .uses_window = true,
    .uses_padding = true,
    .infer = pool_infer,
    .plan = pool_plan,
    .forward = average_pool_forward,
    .backward = average_pool_backward,
};

const struct layer_ops global_average_pool_ops = {
    .name = "global_average_pool",
    .infer = global_infer,
    .forward = global_forward,
    .backward = global_backward,
};
