/* SPDX-License-Identifier: Apache-2.0 */
/* Some steps of a sequence, of tokens or of values: y = x[start .. start + length).
 *
 * One example can so carry two sequences (source and target), and one step becomes a flat vector.
 */
#include <string.h>

#include "nn/model_internal.h"

static enum cn_err slice_infer(struct layer *layer, struct cn_diag *diag)
{
    const struct layer_spec *spec = &layer->spec;
    char shape[SHAPE_TEXT_MAX];

    if (!shape_is_sequence(layer->in))
        return layer_fault(layer, diag, CN_E_SHAPE, "wants a sequence but its input is %s",
                           shape_text(layer->in, shape));
    if (spec->start > layer->in.width || spec->length > layer->in.width - spec->start)
        return layer_fault(
            layer, diag, CN_E_SHAPE, "steps %u to %u are not all in its input %s, which has %u",
            spec->start, spec->start + spec->length, shape_text(layer->in, shape), layer->in.width);
    layer->out = (struct shape){layer->in.channels, 1, spec->length};
    return CN_OK;
}

static void slice_forward(struct layer *layer, struct model *model, uint32_t n)
{
    const size_t in = shape_count(layer->in), out = shape_count(layer->out);
    const size_t from = (size_t)layer->spec.start * layer->in.channels;

    (void)model;
    for (uint32_t b = 0; b < n; b++)
        memcpy(layer->y + b * out, layer->x + b * in + from, out * sizeof *layer->y);
}

static void slice_backward(struct layer *layer, struct model *model, uint32_t n)
{
    const size_t in = shape_count(layer->in), out = shape_count(layer->out);
    const size_t from = (size_t)layer->spec.start * layer->in.channels;

    (void)model;
    memset(layer->dx, 0, n * in * sizeof *layer->dx);
    for (uint32_t b = 0; b < n; b++)
        memcpy(layer->dx + b * in + from, layer->dy + b * out, out * sizeof *layer->dx);
}

const struct layer_ops slice_ops = {
    .name = "slice",
    .may = MAY_STEPS | MAY_TOKENS,
    .infer = slice_infer,
    .forward = slice_forward,
    .backward = slice_backward,
};
