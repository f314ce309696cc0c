/* SPDX-License-Identifier: Apache-2.0 */
/* 2-D convolution: y [places, F] = patches(x) [places, K] W + b for every example.
 *
 * Images are channels-last, so that one row of one patch (kernel * channels values) lies side by
 * side and the patches of one output row are the overlapping rows of a matrix: forward and weight
 * gradient are products over the padded image itself, and no patch is copied. So is the input
 * gradient where windows move by one over a padded image: the convolution of the padded dy with the
 * weights turned round. Elsewhere it goes through a matrix of patches. Where Winograd's way has
 * fewer multiplications (winograd.h), all three go that way instead.
 *
 * W is [F, C, ky, kx] in the weights. Here it is packed as [K, F] (forward), K counting ky, kx, C;
 * and for backward as [F, K], or for the direct way as [ky, kx, F, C] with ky and kx from the end;
 * for Winograd's way both as it has them.
 * Sums of gradients are packed like forward, [K, F] and then the bias [F]. */
#include <math.h>
#include <string.h>

#include "nn/window.h"
#include "nn/winograd.h"

#define KEEP_FLOATS_MAX ((size_t)1 << 20) /* of kept gradients of one layer */
#define DIRECT_CHANNELS_MIN 16            /* fewer would leave vectors half empty */

/* Sizes of one convolution, in floats. */
struct plan {
    size_t run;    /* kernel * channels: one row of a patch */
    size_t k;      /* kernel * kernel * channels: one patch */
    size_t f;      /* filters */
    size_t places; /* output places */
    size_t row;    /* one row of the padded image */
    size_t padded; /* the padded image */
    size_t in, out;
    bool direct; /* dx by a convolution of dy */
    uint32_t back_padding;
    size_t back_row, back_padded; /* of dy with zeros around it */
    bool fast;                    /* all products by wino */
    struct winograd wino;
};

static struct plan plan_of(const struct layer *layer)
{
    const struct window *w = &layer->window;
    struct plan p = {
        .run = (size_t)w->kernel * w->channels,
        .f = layer->spec.filters,
        .places = window_places(w),
        .row = ((size_t)w->in_width + 2 * (size_t)w->padding) * w->channels,
        .in = shape_count(layer->in),
        .out = shape_count(layer->out),
    };

    p.k = p.run * w->kernel;
    p.padded = w->padding ? p.row * (w->in_height + 2 * (size_t)w->padding) : 0;
    /* Without padding it would multiply more zeros than it saves copying. */
    p.direct = w->stride == 1 && w->channels >= DIRECT_CHANNELS_MIN &&
               p.places * 8 >= (size_t)w->in_height * w->in_width * 7;
    p.back_padding = w->kernel - 1 - w->padding;
    p.back_row = ((size_t)w->in_width + w->kernel - 1) * p.f;
    p.back_padded = p.back_row * ((size_t)w->in_height + w->kernel - 1);
    p.fast = winograd_plan(&p.wino, w, layer->spec.filters);
    p.direct = p.direct && !p.fast;
    return p;
}

static enum cn_err conv2d_infer(struct layer *layer, struct cn_diag *diag)
{
    uint64_t k;

    if (layer->spec.stride == 0)
        layer->spec.stride = 1;
    layer->out.channels = layer->spec.filters;
    CN_TRY(window_infer(layer, diag));
    k = (uint64_t)layer->spec.kernel * layer->spec.kernel * layer->in.channels;
    if (k * layer->spec.filters > MODEL_PARAMS_MAX)
        return layer_fault(layer, diag, CN_E_TOO_LARGE, "more than %zu parameters",
                           MODEL_PARAMS_MAX);
    layer->weight_count = (size_t)k * layer->spec.filters;
    layer->bias_count = layer->spec.filters;
    return CN_OK;
}

/* Costs in multiplications per example: Gram products, against making the gradient once more. */
static enum norm_way cheapest(const struct plan *p, uint32_t batch_max)
{
    double gram = (double)p->places * (double)p->places * (double)(p->k + p->f) +
                  6.0 * (double)p->places * (double)p->k;

    if ((p->k + 1) * p->f <= KEEP_FLOATS_MAX / batch_max)
        return NORM_KEEP;
    return gram < (double)p->places * (double)p->k * (double)p->f ? NORM_GRAM : NORM_TWICE;
}

static enum cn_err conv2d_plan(struct layer *layer, struct model *model)
{
    struct plan p = plan_of(layer);
    size_t count = layer->weight_count + layer->bias_count;
    size_t packed = p.fast ? winograd_packed(&p.wino) : layer->weight_count;

    layer->way = cheapest(&p, model->batch_max);
    CN_TRY(model_shared_floats(model, &layer->packed, packed, 1));
    CN_TRY(model_shared_floats(model, &layer->packed_back, packed, 1));
    CN_TRY(model_floats(model, &layer->sum, count, 1));
    if (layer->way == NORM_KEEP)
        CN_TRY(model_floats(model, &layer->kept, count, model->batch_max));
    if (layer->way == NORM_TWICE)
        model_claim_scratch(model, count + (p.fast ? winograd_scratch(&p.wino) : p.padded));
    if (layer->way == NORM_GRAM)
        model_claim_scratch(model, 2 * p.places * p.k + p.places * p.f + 2 * p.places * p.places);
    model_claim_scratch(model, p.padded);
    model_claim_scratch(model, 2 * layer->weight_count);
    if (p.fast)
        model_claim_scratch(model, winograd_scratch(&p.wino));
    else if (layer->index > model->first)
        model_claim_scratch(model, p.direct ? p.back_padded : p.places * p.k);
    return CN_OK;
}

/* From [F, K] to [ky, kx, F, C], taps from the end. */
static void turn_round(float *out, const float *in, size_t filters, size_t taps, size_t channels)
{
    for (size_t f = 0; f < filters; f++)
        for (size_t tap = 0; tap < taps; tap++)
            memcpy(out + ((taps - 1 - tap) * filters + f) * channels,
                   in + (f * taps + tap) * channels, channels * sizeof *out);
}

static void conv2d_prepare(struct layer *layer, const struct model *model)
{
    const float *weights = model->weights + layer->weight;
    struct plan p = plan_of(layer);
    size_t channels = layer->in.channels, taps = p.k / channels;
    float *by_filter = p.direct || p.fast ? model->scratch : layer->packed_back;
    float *by_tap = p.fast ? model->scratch + layer->weight_count : layer->packed;

    for (size_t f = 0; f < p.f; f++)
        model->kernels->transpose(by_filter + f * p.k, weights + f * p.k, channels, taps);
    model->kernels->transpose(by_tap, by_filter, p.f, p.k);
    if (p.fast) {
        winograd_pack(&p.wino, model->kernels, layer->packed, by_tap);
        winograd_pack_back(&p.wino, model->kernels, layer->packed_back, by_filter);
    }
    if (p.direct)
        turn_round(layer->packed_back, by_filter, p.f, taps, channels);
}

static void conv2d_begin(struct layer *layer, const struct model *model)
{
    (void)model;
    memset(layer->sum, 0, (layer->weight_count + layer->bias_count) * sizeof *layer->sum);
}

/* Copies rows [height, inner] into the middle of out, with border zeros above and below and side
 * zeros left and right of each row. */
static void surround(float *out, const float *x, size_t height, size_t inner, size_t border,
                     size_t side)
{
    memset(out, 0, border * sizeof *out);
    out += border;
    for (size_t y = 0; y < height; y++, out += inner + 2 * side, x += inner) {
        memset(out, 0, side * sizeof *out);
        memcpy(out + side, x, inner * sizeof *out);
        memset(out + side + inner, 0, side * sizeof *out);
    }
    memset(out, 0, border * sizeof *out);
}

/* Gives example b with zeros around it: in out [plan.padded], or where it lies. */
static const float *padded_example(const struct layer *layer, const struct plan *p, uint32_t b,
                                   float *out)
{
    const struct window *w = &layer->window;
    const float *x = layer->x + b * p->in;

    if (w->padding == 0)
        return x;
    surround(out, x, w->in_height, (size_t)w->in_width * w->channels, w->padding * p->row,
             (size_t)w->padding * w->channels);
    return out;
}

static void conv2d_forward(struct layer *layer, struct model *model, uint32_t n)
{
    const struct window *w = &layer->window;
    struct plan p = plan_of(layer);
    struct gemm g = {.m = w->out_width,
                     .n = (uint32_t)p.f,
                     .k = (uint32_t)p.run,
                     .parts = w->kernel,
                     .a_part = p.row,
                     .lda = (size_t)w->stride * w->channels,
                     .ldb = p.f,
                     .ldc = p.f,
                     .bias = model->weights + layer->bias,
                     .groups = w->out_height,
                     .a_group = w->stride * p.row,
                     .c_group = w->out_width * p.f};

    if (p.fast) {
        winograd_forward(&p.wino, model->kernels, layer->y, layer->x, layer->packed,
                         model->weights + layer->bias, n, model->scratch);
        return;
    }
    for (uint32_t b = 0; b < n; b++)
        model->kernels->gemm_nn(layer->y + b * p.out, padded_example(layer, &p, b, model->scratch),
                                layer->packed, &g);
}

static void backward_direct(struct layer *layer, struct model *model, uint32_t n)
{
    const struct window *w = &layer->window;
    struct plan p = plan_of(layer);
    struct gemm g = {.m = w->in_width,
                     .n = w->channels,
                     .k = (uint32_t)(w->kernel * p.f),
                     .parts = w->kernel,
                     .a_part = p.back_row,
                     .lda = p.f,
                     .ldb = w->channels,
                     .ldc = w->channels,
                     .groups = w->in_height,
                     .a_group = p.back_row,
                     .c_group = (size_t)w->in_width * w->channels};

    for (uint32_t b = 0; b < n; b++) {
        const float *dy = layer->dy + b * p.out;

        if (p.back_padding > 0) {
            surround(model->scratch, dy, w->out_height, w->out_width * p.f,
                     p.back_padding * p.back_row, p.back_padding * p.f);
            dy = model->scratch;
        }
        model->kernels->gemm_nn(layer->dx + b * p.in, dy, layer->packed_back, &g);
    }
}

static void backward_patches(struct layer *layer, struct model *model, uint32_t n)
{
    struct plan p = plan_of(layer);
    struct gemm g = {.m = (uint32_t)p.places,
                     .n = (uint32_t)p.k,
                     .k = (uint32_t)p.f,
                     .parts = 1,
                     .lda = p.f,
                     .ldb = p.k,
                     .ldc = p.k};

    memset(layer->dx, 0, n * p.in * sizeof *layer->dx);
    for (uint32_t b = 0; b < n; b++) {
        model->kernels->gemm_nn(model->scratch, layer->dy + b * p.out, layer->packed_back, &g);
        model->kernels->col2im(layer->dx + b * p.in, model->scratch, &layer->window);
    }
}

static void conv2d_backward(struct layer *layer, struct model *model, uint32_t n)
{
    const struct plan p = plan_of(layer);

    if (p.fast)
        winograd_backward(&p.wino, model->kernels, layer->dx, layer->dy, layer->packed_back, n,
                          model->scratch);
    else if (p.direct)
        backward_direct(layer, model, n);
    else
        backward_patches(layer, model, n);
}

/* Writes, or adds, the gradient of example b to out [k * f + f]; scratch is for what the way of
 * multiplying needs besides. */
static void example_gradient(struct layer *layer, const struct model *model, uint32_t b, float *out,
                             float *scratch, bool add)
{
    const struct window *w = &layer->window;
    struct plan p = plan_of(layer);
    const float *dy = layer->dy + b * p.out, *x;
    struct gemm g = {.m = (uint32_t)p.run,
                     .n = (uint32_t)p.f,
                     .k = w->out_width,
                     .parts = w->out_height,
                     .a_part = w->stride * p.row,
                     .lda = (size_t)w->stride * w->channels,
                     .ldb = p.f,
                     .ldc = p.f,
                     .add = add};

    /* Norms from inner products must be those of the very gradient that is summed. */
    if (p.fast && layer->way != NORM_GRAM) {
        winograd_gradient(&p.wino, model->kernels, out, layer->x + b * p.in, dy, 1, add, scratch);
    } else {
        x = padded_example(layer, &p, b, scratch);
        for (uint32_t y = 0; y < w->kernel; y++)
            model->kernels->gemm_tn(out + y * p.run * p.f, x + y * p.row, dy, &g);
    }
    if (!add)
        memset(out + p.k * p.f, 0, p.f * sizeof *out);
    model->kernels->add_rows(out + p.k * p.f, dy, p.places, p.f);
}

/* Sum over places p and q of (dy_p . dy_q) (patch_p . patch_q + 1), the 1 being the bias. The terms
 * may cancel, so the result is raised by what their rounding can hide: a norm is never too small.
 */
static double gram_square(const struct layer *layer, struct model *model, uint32_t b)
{
    struct plan p = plan_of(layer);
    float *col = model->scratch, *turned = col + p.places * p.k, *dy = turned + p.places * p.k;
    float *patches = dy + p.places * p.f, *outputs = patches + p.places * p.places;
    struct gemm g = {.m = (uint32_t)p.places,
                     .n = (uint32_t)p.places,
                     .k = (uint32_t)p.k,
                     .parts = 1,
                     .lda = p.places,
                     .ldb = p.places,
                     .ldc = p.places};
    double square = 0.0, size = 0.0;

    model->kernels->im2col(col, layer->x + b * p.in, &layer->window);
    model->kernels->transpose(turned, col, p.places, p.k);
    model->kernels->gemm_tn(patches, turned, turned, &g);
    model->kernels->transpose(dy, layer->dy + b * p.out, p.places, p.f);
    g.k = (uint32_t)p.f;
    model->kernels->gemm_tn(outputs, dy, dy, &g);
    for (size_t i = 0; i < p.places * p.places; i++)
        square += (double)outputs[i] * ((double)patches[i] + 1.0);
    for (size_t i = 0; i < p.places; i++)
        size +=
            sqrt((double)outputs[i * (p.places + 1)] * ((double)patches[i * (p.places + 1)] + 1.0));
    return (square > 0.0 ? square : 0.0) + (double)(p.k + p.f + 2) * 0x1p-24 * size * size;
}

static void conv2d_norms(struct layer *layer, struct model *model, uint32_t n)
{
    size_t count = layer->weight_count + layer->bias_count;
    float *scratch = model->scratch;

    for (uint32_t b = 0; b < n; b++) {
        float *out = layer->way == NORM_KEEP ? layer->kept + b * count : scratch;

        if (layer->way == NORM_GRAM) {
            model->squares[b] += gram_square(layer, model, b);
            continue;
        }
        example_gradient(layer, model, b, out, layer->way == NORM_KEEP ? scratch : scratch + count,
                         false);
        model->squares[b] += model->kernels->sum_squares(out, count);
    }
}

static void conv2d_gradient(struct layer *layer, struct model *model, uint32_t n, float *sum,
                            const float *factors)
{
    size_t count = layer->weight_count + layer->bias_count, out = shape_count(layer->out);
    const struct plan p = plan_of(layer);

    (void)sum;
    if (p.fast && !factors) {
        winograd_gradient(&p.wino, model->kernels, layer->sum, layer->x, layer->dy, n, true,
                          model->scratch);
        model->kernels->add_rows(layer->sum + p.k * p.f, layer->dy, n * p.places, p.f);
        return;
    }
    for (uint32_t b = 0; b < n; b++) {
        if (factors && layer->way == NORM_KEEP) {
            model->kernels->add_scaled(layer->sum, layer->kept + b * count, factors[b], count);
            continue;
        }
        if (factors)
            model->kernels->scale(layer->dy + b * out, factors[b], out);
        example_gradient(layer, model, b, layer->sum, model->scratch, true);
    }
}

/* The sum [K, F] back to [F, C, ky, kx]: through [F, K], in scratch. */
static void conv2d_finish(struct layer *layer, const struct model *model, float *sum)
{
    struct plan p = plan_of(layer);
    size_t channels = layer->in.channels, taps = p.k / channels;
    float *by_filter = model->scratch, *turned = layer->sum; /* which is not needed any more */

    model->kernels->add_rows(sum + layer->bias, layer->sum + layer->weight_count, 1, p.f);
    model->kernels->transpose(by_filter, layer->sum, p.k, p.f);
    for (size_t f = 0; f < p.f; f++)
        model->kernels->transpose(turned + f * p.k, by_filter + f * p.k, taps, channels);
    model->kernels->add_rows(sum + layer->weight, turned, 1, layer->weight_count);
}

const struct layer_ops conv2d_ops = {
    .name = "conv2d",
    .rank = 4,
    .uses_filters = true,
    .uses_window = true,
    .uses_padding = true,
    .may_use_groups = true,
    .infer = conv2d_infer,
    .plan = conv2d_plan,
    .prepare = conv2d_prepare,
    .begin = conv2d_begin,
    .forward = conv2d_forward,
    .backward = conv2d_backward,
    .norms = conv2d_norms,
    .gradient = conv2d_gradient,
    .finish = conv2d_finish,
};
