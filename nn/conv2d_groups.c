/* SPDX-License-Identifier: Apache-2.0 */
/* A convolution in groups: group g of the filters sees group g of the channels only.
 *
 * One example and group at a time: the group's channels are picked into an image of their own, its
 * patches become a matrix, and products write into the columns of the group. With cg = channels /
 * groups, fg = filters / groups and K = kernel * kernel * cg, W is [F, cg, ky, kx] in the weights
 * and packed here per filter as [K] counting ky, kx, c (packed_back, and sums of gradients), and
 * per group as [K, fg] (packed). */
#include <string.h>

#include "nn/window.h"

#define KEEP_FLOATS_MAX ((size_t)1 << 20) /* of kept gradients of one layer */

struct plan {
    size_t groups, cg, fg;
    size_t f, k, places, pixels;
    size_t in, out, count;
};

static struct plan plan_of(const struct layer *layer)
{
    struct plan p = {
        .groups = layer->spec.groups,
        .cg = layer->in.channels / layer->spec.groups,
        .fg = layer->spec.filters / layer->spec.groups,
        .f = layer->spec.filters,
        .places = window_places(&layer->window),
        .pixels = (size_t)layer->in.height * layer->in.width,
        .in = shape_count(layer->in),
        .out = shape_count(layer->out),
        .count = layer->weight_count + layer->bias_count,
    };

    p.k = (size_t)layer->spec.kernel * layer->spec.kernel * p.cg;
    return p;
}

static enum cn_err grouped_infer(struct layer *layer, struct cn_diag *diag)
{
    uint32_t groups = layer->spec.groups;
    uint64_t k;

    if (layer->in.channels % groups || layer->spec.filters % groups)
        return layer_fault(layer, diag, CN_E_SHAPE,
                           "%u groups do not divide its %u input channels and %u filters", groups,
                           layer->in.channels, layer->spec.filters);
    if (layer->spec.stride == 0)
        layer->spec.stride = 1;
    layer->out.channels = layer->spec.filters;
    CN_TRY(window_infer(layer, diag));
    layer->window.channels = layer->in.channels / groups;
    k = (uint64_t)layer->spec.kernel * layer->spec.kernel * layer->window.channels;
    if (k * layer->spec.filters > MODEL_PARAMS_MAX)
        return layer_fault(layer, diag, CN_E_TOO_LARGE, "more than %zu parameters",
                           MODEL_PARAMS_MAX);
    layer->weight_count = (size_t)k * layer->spec.filters;
    layer->bias_count = layer->spec.filters;
    return CN_OK;
}

static enum cn_err grouped_plan(struct layer *layer, struct model *model)
{
    struct plan p = plan_of(layer);

    layer->way = p.count <= KEEP_FLOATS_MAX / model->batch_max ? NORM_KEEP : NORM_TWICE;
    CN_TRY(model_shared_floats(model, &layer->packed, layer->weight_count, 1));
    CN_TRY(model_shared_floats(model, &layer->packed_back, layer->weight_count, 1));
    CN_TRY(model_floats(model, &layer->sum, p.count, 1));
    if (layer->way == NORM_KEEP)
        CN_TRY(model_floats(model, &layer->kept, p.count, model->batch_max));
    model_claim_scratch(model, p.pixels * p.cg + p.places * p.k + p.count);
    return CN_OK;
}

static void grouped_prepare(struct layer *layer, const struct model *model)
{
    const float *weights = model->weights + layer->weight;
    struct plan p = plan_of(layer);

    for (size_t f = 0; f < p.f; f++)
        model->kernels->transpose(layer->packed_back + f * p.k, weights + f * p.k, p.cg,
                                  p.k / p.cg);
    for (size_t g = 0; g < p.groups; g++)
        model->kernels->transpose(layer->packed + g * p.k * p.fg,
                                  layer->packed_back + g * p.k * p.fg, p.fg, p.k);
}

static void grouped_begin(struct layer *layer, const struct model *model)
{
    (void)model;
    memset(layer->sum, 0, (layer->weight_count + layer->bias_count) * sizeof *layer->sum);
}

/* Gives the patches [places, K] of group g of example b, in scratch behind the group's image. */
static float *patches_of(const struct layer *layer, struct model *model, uint32_t b, size_t g)
{
    struct plan p = plan_of(layer);
    const float *x = layer->x + b * p.in + g * p.cg;
    float *image = model->scratch, *col = image + p.pixels * p.cg;

    for (size_t i = 0; i < p.pixels; i++)
        memcpy(image + i * p.cg, x + i * layer->in.channels, p.cg * sizeof *x);
    model->kernels->im2col(col, image, &layer->window);
    return col;
}

static void grouped_forward(struct layer *layer, struct model *model, uint32_t n)
{
    struct plan p = plan_of(layer);
    struct gemm product = {.m = (uint32_t)p.places,
                           .n = (uint32_t)p.fg,
                           .k = (uint32_t)p.k,
                           .parts = 1,
                           .lda = p.k,
                           .ldb = p.fg,
                           .ldc = p.f};

    for (size_t i = 0; i < n * p.groups; i++) {
        uint32_t b = (uint32_t)(i / p.groups);
        size_t g = i % p.groups;
        const float *col = patches_of(layer, model, b, g);

        product.bias = model->weights + layer->bias + g * p.fg;
        model->kernels->gemm_nn(layer->y + b * p.out + g * p.fg, col,
                                layer->packed + g * p.k * p.fg, &product);
    }
}

static void grouped_backward(struct layer *layer, struct model *model, uint32_t n)
{
    struct plan p = plan_of(layer);
    float *image = model->scratch, *col = image + p.pixels * p.cg;
    struct gemm product = {.m = (uint32_t)p.places,
                           .n = (uint32_t)p.k,
                           .k = (uint32_t)p.fg,
                           .parts = 1,
                           .lda = p.f,
                           .ldb = p.k,
                           .ldc = p.k};

    for (size_t i = 0; i < n * p.groups; i++) {
        size_t b = i / p.groups, g = i % p.groups;
        float *dx = layer->dx + b * p.in + g * p.cg;

        model->kernels->gemm_nn(col, layer->dy + b * p.out + g * p.fg,
                                layer->packed_back + g * p.k * p.fg, &product);
        memset(image, 0, p.pixels * p.cg * sizeof *image);
        model->kernels->col2im(image, col, &layer->window);
        for (size_t pixel = 0; pixel < p.pixels; pixel++)
            memcpy(dx + pixel * layer->in.channels, image + pixel * p.cg, p.cg * sizeof *dx);
    }
}

/* Adds the gradient of example b to out [F * K + F]. */
static void example_gradient(struct layer *layer, struct model *model, uint32_t b, float *out)
{
    struct plan p = plan_of(layer);
    const float *dy = layer->dy + b * p.out;
    struct gemm product = {.m = (uint32_t)p.fg,
                           .n = (uint32_t)p.k,
                           .k = (uint32_t)p.places,
                           .parts = 1,
                           .lda = p.f,
                           .ldb = p.k,
                           .ldc = p.k,
                           .add = true};

    for (size_t g = 0; g < p.groups; g++)
        model->kernels->gemm_tn(out + g * p.fg * p.k, dy + g * p.fg, patches_of(layer, model, b, g),
                                &product);
    model->kernels->add_rows(out + p.f * p.k, dy, p.places, p.f);
}

static void grouped_norms(struct layer *layer, struct model *model, uint32_t n)
{
    struct plan p = plan_of(layer);

    for (uint32_t b = 0; b < n; b++) {
        float *out = layer->way == NORM_KEEP ? layer->kept + b * p.count
                                             : model->scratch + p.pixels * p.cg + p.places * p.k;

        memset(out, 0, p.count * sizeof *out);
        example_gradient(layer, model, b, out);
        model->squares[b] += model->kernels->sum_squares(out, p.count);
    }
}

static void grouped_gradient(struct layer *layer, struct model *model, uint32_t n, float *sum,
                             const float *factors)
{
    struct plan p = plan_of(layer);

    (void)sum;
    for (uint32_t b = 0; b < n; b++) {
        if (factors && layer->way == NORM_KEEP) {
            model->kernels->add_scaled(layer->sum, layer->kept + b * p.count, factors[b], p.count);
            continue;
        }
        if (factors)
            model->kernels->scale(layer->dy + b * p.out, factors[b], p.out);
        example_gradient(layer, model, b, layer->sum);
    }
}

static void grouped_finish(struct layer *layer, const struct model *model, float *sum)
{
    struct plan p = plan_of(layer);
    size_t taps = p.k / p.cg;

    (void)model;
    for (size_t at = 0; at < layer->weight_count; at++) {
        size_t filter = at / p.k, channel = at / taps % p.cg, tap = at % taps;

        sum[layer->weight + at] += layer->sum[filter * p.k + tap * p.cg + channel];
    }
    for (size_t i = 0; i < p.f; i++)
        sum[layer->bias + i] += layer->sum[layer->weight_count + i];
}

const struct layer_ops conv2d_groups_ops = {
    .name = "conv2d",
    .rank = 4,
    .uses_filters = true,
    .uses_window = true,
    .uses_padding = true,
    .may_use_groups = true,
    .infer = grouped_infer,
    .plan = grouped_plan,
    .prepare = grouped_prepare,
    .begin = grouped_begin,
    .forward = grouped_forward,
    .backward = grouped_backward,
    .norms = grouped_norms,
    .gradient = grouped_gradient,
    .finish = grouped_finish,
};
