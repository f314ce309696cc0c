/* SPDX-License-Identifier: Apache-2.0 */
/* A residual connection: y = x + the output of an earlier layer.
 *
 * The earlier layer keeps its output (nothing behind it works in place), and this layer keeps its
 * own dy, so that model_add_residuals can hand it on when the backward pass gets there. */
#include <string.h>

#include "nn/model_internal.h"

static struct layer *source_of(const struct layer *layer, struct layer *layers)
{
    return &layers[layer->spec.from - 1];
}

static enum cn_err residual_infer(struct layer *layer, struct cn_diag *diag)
{
    char here[SHAPE_TEXT_MAX], there[SHAPE_TEXT_MAX];
    struct layer *source;

    if (layer->spec.from < 1 || layer->spec.from > layer->index)
        return layer_fault(layer, diag, CN_E_CONFIG,
                           "'from' must be the number of a layer before it but is %u",
                           layer->spec.from);
    source = source_of(layer, layer - layer->index);
    if (source->out.channels != layer->in.channels || source->out.height != layer->in.height ||
        source->out.width != layer->in.width)
        return layer_fault(layer, diag, CN_E_SHAPE,
                           "its input is %s but the output of layer %u (%s) is %s",
                           shape_text(layer->in, here), layer->spec.from, source->ops->name,
                           shape_text(source->out, there));
    source->shared = true;
    layer->out = layer->in;
    return CN_OK;
}

static void residual_forward(struct layer *layer, struct model *model, uint32_t n)
{
    size_t count = n * shape_count(layer->in);

    memcpy(layer->y, layer->x, count * sizeof *layer->y);
    model->kernels->add_scaled(layer->y, source_of(layer, model->layers)->y, 1.0f, count);
}

static void residual_backward(struct layer *layer, struct model *model, uint32_t n)
{
    (void)model;
    memcpy(layer->dx, layer->dy, n * shape_count(layer->in) * sizeof *layer->dx);
}

void model_add_residuals(struct model *model, const struct layer *source, uint32_t n)
{
    if (!source->shared || !source->dy)
        return;
    for (uint32_t i = source->index + 1; i < model->layer_count; i++) {
        const struct layer *layer = &model->layers[i];

        if (layer->spec.kind == LAYER_RESIDUAL && layer->spec.from == source->index + 1)
            model->kernels->add_scaled(source->dy, layer->dy, 1.0f, n * shape_count(source->out));
    }
}

const struct layer_ops residual_ops = {
    .name = "residual",
    .uses_from = true,
    .infer = residual_infer,
    .forward = residual_forward,
    .backward = residual_backward,
};
