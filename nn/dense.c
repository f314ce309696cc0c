/* SPDX-License-Identifier: Apache-2.0 */
/* Dense layer: y [B, O] = x [B, I] W^T + b, W [O, I].
 *
 * The gradient of one example is the outer product of dy and (x, 1), so its norm is the product of
 * two norms (Goodfellow 2015) and nothing is ever made per example. */
#include <string.h>

#include "nn/model_internal.h"

static enum cn_err dense_infer(struct layer *layer, struct cn_diag *diag)
{
    char shape[SHAPE_TEXT_MAX];

    if (!shape_is_flat(layer->in)) {
        cn_diag_hint(diag, "put a flatten layer before it");
        return layer_fault(layer, diag, CN_E_SHAPE,
                           "wants a flat vector but its input is %s; its output would be %u",
                           shape_text(layer->in, shape), layer->spec.units);
    }
    layer->out = (struct shape){layer->spec.units, 1, 1};
    layer->weight_count = (size_t)layer->in.channels * layer->spec.units;
    layer->bias_count = layer->spec.units;
    layer->way = NORM_PRODUCT;
    return CN_OK;
}

static void dense_forward(struct layer *layer, struct model *model, uint32_t n)
{
    uint32_t in = layer->in.channels, out = layer->out.channels;
    struct gemm g = {.m = n,
                     .n = out,
                     .k = in,
                     .parts = 1,
                     .lda = in,
                     .ldb = in,
                     .ldc = out,
                     .bias = model->weights + layer->bias};

    model->kernels->gemm_nt(layer->y, layer->x, model->weights + layer->weight, &g);
}

static void dense_backward(struct layer *layer, struct model *model, uint32_t n)
{
    uint32_t in = layer->in.channels, out = layer->out.channels;
    struct gemm g = {.m = n, .n = in, .k = out, .parts = 1, .lda = out, .ldb = in, .ldc = in};

    model->kernels->gemm_nn(layer->dx, layer->dy, model->weights + layer->weight, &g);
}

static void dense_norms(struct layer *layer, struct model *model, uint32_t n)
{
    size_t in = layer->in.channels, out = layer->out.channels;

    for (uint32_t b = 0; b < n; b++)
        model->squares[b] += model->kernels->sum_squares(layer->dy + b * out, out) *
                             (1.0 + model->kernels->sum_squares(layer->x + b * in, in));
}

static void dense_gradient(struct layer *layer, struct model *model, uint32_t n, float *sum,
                           const float *factors)
{
    uint32_t in = layer->in.channels, out = layer->out.channels;
    struct gemm g = {
        .m = out, .n = in, .k = n, .parts = 1, .lda = out, .ldb = in, .ldc = in, .add = true};

    for (uint32_t b = 0; factors && b < n; b++)
        model->kernels->scale(layer->dy + (size_t)b * out, factors[b], out);
    model->kernels->gemm_tn(sum + layer->weight, layer->dy, layer->x, &g);
    model->kernels->add_rows(sum + layer->bias, layer->dy, n, out);
}

const struct layer_ops dense_ops = {
    .name = "dense",
    .rank = 2,
    .uses_units = true,
    .batch_wish = 16, /* fewer rows would wait for the weights to come from memory */
    .infer = dense_infer,
    .forward = dense_forward,
    .backward = dense_backward,
    .norms = dense_norms,
    .gradient = dense_gradient,
};
