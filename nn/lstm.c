/* SPDX-License-Identifier: Apache-2.0 */
/* LSTM (Hochreiter and Schmidhuber 1997, with forget gates), gates in PyTorch's order: input,
 * forget, cell, output. */
#include <string.h>

#include "nn/recurrent.h"

static void lstm_forward(struct layer *layer, struct model *model, uint32_t n)
{
    struct recurrent *r = layer->own;
    const size_t h = layer->spec.units, block = n * h;

    recurrent_begin_forward(layer, model, n);
    for (uint32_t t = 0; t < layer->in.width; t++) {
        float *acts = r->acts + (size_t)t * n * r->row;

        if (t > 0)
            recurrent_step(layer, model, acts, t, n, true);
        for (uint32_t b = 0; b < n; b++) {
            size_t at = (t + 1) * block + b * h;

            r->elements->lstm(acts + b * r->row, r->h + at, r->c + at, r->c + at - block, h);
        }
    }
    recurrent_end_forward(layer, n);
}

static void lstm_backward(struct layer *layer, struct model *model, uint32_t n)
{
    struct recurrent *r = layer->own;
    const size_t h = layer->spec.units, block = n * h;

    memset(r->dh, 0, block * sizeof *r->dh);
    memset(r->dc, 0, block * sizeof *r->dc);
    for (uint32_t t = layer->in.width; t-- > 0;) {
        float *acts = r->acts + (size_t)t * n * r->row;

        recurrent_add_dy(layer, model, t, n);
        for (uint32_t b = 0; b < n; b++) {
            size_t at = (t + 1) * block + b * h;

            r->elements->lstm_back(acts + b * r->row, r->dc + b * h, r->dh + b * h, r->c + at,
                                   r->c + at - block, h);
        }
        if (t > 0)
            recurrent_step_back(layer, model, acts, n, false);
    }
    recurrent_end_back(layer, model, n);
}

const struct layer_ops lstm_ops = {
    .name = "lstm",
    .rank = 2,
    .uses_units = true,
    .may = MAY_LAYERS | MAY_SEQUENCE,
    .inner = true,
    .batch_wish = 32,
    .infer = recurrent_infer,
    .tensors = recurrent_tensors,
    .init = recurrent_init,
    .floats = recurrent_floats,
    .plan = recurrent_plan,
    .prepare = recurrent_prepare,
    .forward = lstm_forward,
    .backward = lstm_backward,
    .norms = recurrent_norms,
    .gradient = recurrent_gradient,
};
