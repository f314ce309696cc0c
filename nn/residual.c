/* SPDX-License-Identifier: Apache-2.0 */
/* A residual connection: y = x + the output of an earlier layer.
 *
 * The earlier layer keeps its output (nothing behind it works in place), and this layer keeps its
 * own dy, so that model_collect can hand it on when the backward pass gets there. */
#include <string.h>

#include "nn/model_internal.h"

static enum cn_err residual_infer(struct layer *layer, struct cn_diag *diag)
{
    char here[SHAPE_TEXT_MAX], there[SHAPE_TEXT_MAX];
    const struct layer *source = layer->other ? layer - layer->index + layer->other - 1 : NULL;

    if (layer->in_other.channels != layer->in.channels ||
        layer->in_other.height != layer->in.height || layer->in_other.width != layer->in.width)
        return layer_fault(
            layer, diag, CN_E_SHAPE, "its input is %s but the output of layer %u (%s) is %s",
            shape_text(layer->in, here), source ? source->number : 0,
            source ? source->ops->name : "the input", shape_text(layer->in_other, there));
    layer->out = layer->in;
    return CN_OK;
}

static void residual_forward(struct layer *layer, struct model *model, uint32_t n)
{
    size_t count = n * shape_count(layer->in);

    memcpy(layer->y, layer->x, count * sizeof *layer->y);
    model->kernels->add_scaled(layer->y, model_at(model, layer->other), 1.0f, count);
}

static void residual_backward(struct layer *layer, struct model *model, uint32_t n)
{
    (void)model;
    if (layer->dx)
        memcpy(layer->dx, layer->dy, n * shape_count(layer->in) * sizeof *layer->dx);
}

/* What a layer that reads the place hands back besides the next layer's dx; NULL: nothing. */
static const float *handed_back(const struct layer *layer, uint32_t place)
{
    if (layer->other == place)
        return layer->ops == &residual_ops ? layer->dy : layer->dother;
    return NULL;
}

void model_collect(struct model *model, const struct layer *source, uint32_t n)
{
    const uint32_t place = source->index + 1;
    const size_t count = n * shape_count(source->out);

    if (place == model->layer_count)
        return;
    if (model->layers[place].input != place)
        memset(source->dy, 0, count * sizeof *source->dy);
    for (uint32_t i = place; source->shared && i < model->layer_count; i++) {
        const struct layer *layer = &model->layers[i];
        const float *back = handed_back(layer, place);

        if (i > place && layer->input == place)
            model->kernels->add_scaled(source->dy, layer->dx, 1.0f, count);
        if (back)
            model->kernels->add_scaled(source->dy, back, 1.0f, count);
    }
}

const struct layer_ops residual_ops = {
    .name = "residual",
    .uses_from = true,
    .may = MAY_PROJECT,
    .inner = true,
    .infer = residual_infer,
    .forward = residual_forward,
    .backward = residual_backward,
};
