/* SPDX-License-Identifier: Apache-2.0 */
/* Positional encodings, added to the steps of a sequence: fixed sines and cosines (Vaswani et al.
 * 2017, section 3.5), or learned vectors W [T, C].
 *
 * Every step has a vector of its own, so the gradient of an example is its dy, and its norm too. */
#include <math.h>
#include <string.h>

#include "nn/model_internal.h"

#define POSITION_BASE 10000.0
#define POSITION_START 0.02 /* deviation of learned vectors at first */

static enum cn_err position_infer(struct layer *layer, struct cn_diag *diag)
{
    char shape[SHAPE_TEXT_MAX];

    if (!shape_is_sequence(layer->in))
        return layer_fault(layer, diag, CN_E_SHAPE, "wants a sequence but its input is %s",
                           shape_text(layer->in, shape));
    layer->out = layer->in;
    layer->weight_count = layer->spec.learned ? shape_count(layer->in) : 0;
    layer->way = layer->spec.learned ? NORM_PRODUCT : NORM_NONE;
    return CN_OK;
}

static uint32_t position_tensors(const struct layer *layer,
                                 struct layer_tensor out[LAYER_TENSORS_MAX])
{
    out[0] = (struct layer_tensor){"weight", 2, {layer->in.width, layer->in.channels}};
    return 1;
}

static void position_init(const struct layer *layer, float *weights, const struct cn_random *random)
{
    for (size_t i = 0; i < layer->weight_count; i++)
        weights[i] = (float)(POSITION_START * cn_random_normal(random));
}

/* Pairs of channels turn at wavelengths from 2 pi to 10000 * 2 pi. */
static void fill_waves(float *table, uint32_t steps, uint32_t channels)
{
    for (uint32_t t = 0; t < steps; t++)
        for (uint32_t c = 0; c < channels; c++) {
            double angle = t / pow(POSITION_BASE, (double)(c / 2 * 2) / channels);

            table[(size_t)t * channels + c] = (float)(c % 2 ? cos(angle) : sin(angle));
        }
}

static enum cn_err position_plan(struct layer *layer, struct model *model)
{
    if (layer->spec.learned)
        return CN_OK;
    CN_TRY(model_shared_floats(model, &layer->state, shape_count(layer->in), 1));
    if (!model->primary)
        fill_waves(layer->state, layer->in.width, layer->in.channels);
    return CN_OK;
}

static void position_forward(struct layer *layer, struct model *model, uint32_t n)
{
    const size_t count = shape_count(layer->in);
    const float *table = layer->spec.learned ? model->weights + layer->weight : layer->state;

    if (layer->y != layer->x)
        memcpy(layer->y, layer->x, n * count * sizeof *layer->y);
    for (uint32_t b = 0; b < n; b++)
        model->kernels->add_scaled(layer->y + b * count, table, 1.0f, count);
}

static void position_backward(struct layer *layer, struct model *model, uint32_t n)
{
    (void)model;
    if (layer->dx != layer->dy)
        memcpy(layer->dx, layer->dy, n * shape_count(layer->in) * sizeof *layer->dx);
}

static void position_norms(struct layer *layer, struct model *model, uint32_t n)
{
    const size_t count = shape_count(layer->in);

    for (uint32_t b = 0; b < n; b++)
        model->squares[b] += model->kernels->sum_squares(layer->dy + b * count, count);
}

static void position_gradient(struct layer *layer, struct model *model, uint32_t n, float *sum,
                              const float *factors)
{
    const size_t count = shape_count(layer->in);

    for (uint32_t b = 0; b < n; b++)
        model->kernels->add_scaled(sum + layer->weight, layer->dy + b * count,
                                   factors ? factors[b] : 1.0f, count);
}

const struct layer_ops position_ops = {
    .name = "position",
    .rank = 2,
    .may = MAY_LEARN,
    .infer = position_infer,
    .tensors = position_tensors,
    .init = position_init,
    .plan = position_plan,
    .forward = position_forward,
    .backward = position_backward,
    .norms = position_norms,
    .gradient = position_gradient,
};
