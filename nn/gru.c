/* SPDX-License-Identifier: Apache-2.0 */
/* GRU (Cho et al. 2014) as PyTorch has it: gates reset, update, new; the reset gate weighs what the
 * state sends to the new gate behind its bias. */
#include <string.h>

#include "nn/recurrent.h"

static void gru_forward(struct layer *layer, struct model *model, uint32_t n)
{
    struct recurrent *r = layer->own;
    const size_t h = layer->spec.units, block = n * h;

    recurrent_begin_forward(layer, model, n);
    for (uint32_t t = 0; t < layer->in.width; t++) {
        float *acts = r->acts + (size_t)t * n * r->row;
        float *inner = r->inner + (size_t)t * n * r->row;

        recurrent_step(layer, model, inner, t, n, false);
        for (uint32_t b = 0; b < n; b++) {
            size_t at = (t + 1) * block + b * h;

            r->elements->gru(acts + b * r->row, r->h + at, inner + b * r->row, r->h + at - block,
                             h);
        }
    }
    recurrent_end_forward(layer, n);
}

static void gru_backward(struct layer *layer, struct model *model, uint32_t n)
{
    struct recurrent *r = layer->own;
    const size_t h = layer->spec.units, block = n * h;

    memset(r->dh, 0, block * sizeof *r->dh);
    for (uint32_t t = layer->in.width; t-- > 0;) {
        float *acts = r->acts + (size_t)t * n * r->row;
        float *inner = r->inner + (size_t)t * n * r->row;

        recurrent_add_dy(layer, model, t, n);
        for (uint32_t b = 0; b < n; b++)
            r->elements->gru_back(acts + b * r->row, inner + b * r->row, r->dh + b * h,
                                  r->h + t * block + b * h, h);
        if (t > 0)
            recurrent_step_back(layer, model, inner, n, true);
    }
    recurrent_end_back(layer, model, n);
}

const struct layer_ops gru_ops = {
    .name = "gru",
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
    .forward = gru_forward,
    .backward = gru_backward,
    .norms = recurrent_norms,
    .gradient = recurrent_gradient,
};
