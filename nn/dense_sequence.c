/* SPDX-License-Identifier: Apache-2.0 */
/* Dense layer on a sequence, the same at every step: y [n, T, O] = x [n, T, I] W^T + b, W [O, I].
 *
 * An example's gradient is a sum over its steps, so its norm comes from the inner products of the
 * rows of dy and x, or from the gradient itself, whichever multiplies less. */
#include "nn/model_internal.h"
#include "nn/steps.h"

static enum cn_err infer(struct layer *layer, struct cn_diag *diag)
{
    (void)diag;
    layer->out = (struct shape){layer->spec.units, 1, layer->in.width};
    layer->weight_count = (size_t)layer->in.channels * layer->spec.units;
    layer->bias_count = layer->spec.units;
    layer->way = steps_way(layer->in.width, layer->out.channels, layer->in.channels);
    return CN_OK;
}

static enum cn_err plan(struct layer *layer, struct model *model)
{
    const size_t in = layer->in.channels, out = layer->out.channels;

    CN_TRY(model_shared_floats(model, &layer->packed, layer->weight_count, 1));
    if (layer->dx)
        CN_TRY(model_shared_floats(model, &layer->packed_back, layer->weight_count, 1));
    model_claim_scratch(model, STEPS_OUTER_SCRATCH(in));
    steps_claim(model, layer->way, steps_scratch(NORM_GRAM, layer->in.width, out, in),
                steps_scratch(NORM_TWICE, layer->in.width, out, in));
    return CN_OK;
}

static void prepare(struct layer *layer, const struct model *model)
{
    const float *w = model->weights + layer->weight;

    steps_pack_forward(model->kernels, layer->packed, w, layer->out.channels, layer->in.channels);
    if (layer->packed_back)
        steps_pack_back(layer->packed_back, w, layer->out.channels, layer->in.channels);
}

static void forward(struct layer *layer, struct model *model, uint32_t n)
{
    const uint32_t in = layer->in.channels, out = layer->out.channels;
    const struct gemm g = {.m = n * layer->in.width,
                           .n = out,
                           .k = in,
                           .lda = in,
                           .ldc = out,
                           .bias = model->weights + layer->bias};

    steps_product(model->kernels, layer->y, layer->x, layer->packed, &g);
}

static void backward(struct layer *layer, struct model *model, uint32_t n)
{
    const uint32_t in = layer->in.channels, out = layer->out.channels;
    const struct gemm g = {.m = n * layer->in.width, .n = in, .k = out, .lda = out, .ldc = in};

    steps_product(model->kernels, layer->dx, layer->dy, layer->packed_back, &g);
}

static void norms(struct layer *layer, struct model *model, uint32_t n)
{
    const uint32_t in = layer->in.channels, out = layer->out.channels, steps = layer->in.width;

    for (uint32_t b = 0; b < n; b++) {
        const struct steps dy = {layer->dy + (size_t)b * steps * out, out, steps, out};
        const struct steps x = {layer->x + (size_t)b * steps * in, in, steps, in};

        model->squares[b] += steps_square(model->kernels, &dy, &x, layer->way, model->scratch);
    }
}

static void gradient(struct layer *layer, struct model *model, uint32_t n, float *sum,
                     const float *factors)
{
    const uint32_t in = layer->in.channels, out = layer->out.channels, steps = layer->in.width;
    const struct gemm g = {
        .m = out, .n = in, .k = n * steps, .lda = out, .ldb = in, .ldc = in, .add = true};

    for (uint32_t b = 0; factors && b < n; b++)
        model->kernels->scale(layer->dy + (size_t)b * steps * out, factors[b], (size_t)steps * out);
    steps_outer(model->kernels, sum + layer->weight, layer->dy, layer->x, &g, model->scratch);
    model->kernels->add_rows(sum + layer->bias, layer->dy, (size_t)n * steps, out);
}

const struct layer_ops dense_sequence_ops = {
    .name = "dense",
    .rank = 2,
    .uses_units = true,
    .infer = infer,
    .plan = plan,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .norms = norms,
    .gradient = gradient,
};
