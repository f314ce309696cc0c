/* SPDX-License-Identifier: Apache-2.0 */
/* Shape inference of convolutions and pools. */
#include "nn/window.h"

enum cn_err window_infer(struct layer *layer, struct cn_diag *diag)
{
    const struct layer_spec *spec = &layer->spec;
    uint64_t height = (uint64_t)layer->in.height + 2 * (uint64_t)spec->padding;
    uint64_t width = (uint64_t)layer->in.width + 2 * (uint64_t)spec->padding;

    if (spec->padding >= spec->kernel)
        return layer_fault(layer, diag, CN_E_CONFIG,
                           "padding %u must be smaller than its kernel %ux%u", spec->padding,
                           spec->kernel, spec->kernel);
    if (spec->kernel > height || spec->kernel > width)
        return layer_fault(layer, diag, CN_E_SHAPE,
                           "kernel %ux%u is larger than its input %ux%u + padding %u", spec->kernel,
                           spec->kernel, layer->in.height, layer->in.width, spec->padding);
    layer->out.height = (uint32_t)((height - spec->kernel) / spec->stride + 1);
    layer->out.width = (uint32_t)((width - spec->kernel) / spec->stride + 1);
    layer->window = (struct window){
        .channels = layer->in.channels,
        .in_height = layer->in.height,
        .in_width = layer->in.width,
        .out_height = layer->out.height,
        .out_width = layer->out.width,
        .kernel = spec->kernel,
        .stride = spec->stride,
        .padding = spec->padding,
    };
    return CN_OK;
}
