/* SPDX-License-Identifier: Apache-2.0 */
/* Every thread's way through a chain of dense layers; see wide.h.
 *
 * What a thread computes of a layer's output is its share: of the columns, or of the rows where
 * there are few columns. A barrier stands wherever a share is read by others, and only there. */
#include "nn/wide.h"

#include <math.h>
#include <string.h>

#include "nn/gradient_internal.h"
#include "nn/model_internal.h"

#define COLUMNS_MIN 32u /* per thread: fewer do not fill the kernels' vectors */

/* One thread in one micro-batch of n examples. */
struct share {
    struct wide *wide;
    struct model *model;
    uint32_t index, threads, n;
    unsigned number; /* of the micro-batch, from 1 */
    double *norms;   /* of the micro-batch; may be NULL */
    struct gradient_span rows;
};

static bool is_dense(const struct layer *layer)
{
    return layer->ops == &dense_ops;
}

static bool is_curve(const struct layer *layer)
{
    return (layer->ops == &relu_ops || layer->ops == &tanh_ops) && shape_is_flat(layer->in);
}

bool wide_fits(const struct model *model)
{
    const struct layer *last = &model->layers[model->layer_count - 1];

    if (model->vocabulary || model->positions != 1 || model->primary || !is_dense(last))
        return false;
    for (uint32_t i = 0; i < model->layer_count; i++) {
        const struct layer *layer = &model->layers[i];
        bool flattens = i == 0 && layer->ops == &flatten_ops && layer->in.channels == 1;

        if (layer->input != i || layer->shared || layer->other != LAYER_NONE)
            return false;
        if (!flattens && !is_curve(layer) && !(is_dense(layer) && layer->learns))
            return false;
    }
    return true;
}

static bool by_rows(const struct layer *layer, uint32_t threads)
{
    return layer->out.channels < COLUMNS_MIN * threads;
}

/* Whether what a layer reads is split by rows: the model's input always is. */
static bool reads_rows(const struct share *share, const struct layer *layer)
{
    for (uint32_t i = layer->index; i > 0; i--)
        if (is_dense(&share->model->layers[i - 1]))
            return by_rows(&share->model->layers[i - 1], share->threads);
    return true;
}

static struct team_range columns_of(const struct share *share, uint32_t count)
{
    return team_range_of(count, share->index, share->threads);
}

/* ---- forward ---- */

static void put_rows(const struct share *share, const struct gradient_batch *micro)
{
    struct model *model = share->model;
    const size_t features = model_features(model);
    const struct layer *first = &model->layers[0];

    for (uint32_t b = share->rows.from; b < share->rows.to; b++) {
        const float *x = micro->data->x + micro->rows[b] * features;

        if (first->ops == &flatten_ops)
            memcpy(first->y + b * features, x, features * sizeof *x);
        else
            model_put_example(model, b, x);
    }
}

static void dense_forward_share(const struct share *share, const struct layer *layer)
{
    struct model *model = share->model;
    const uint32_t in = layer->in.channels, out = layer->out.channels;
    struct team_range columns = columns_of(share, out);
    const float *weights = model->weights + layer->weight, *bias = model->weights + layer->bias;
    struct gemm g = {.k = in, .parts = 1, .lda = in, .ldb = in, .ldc = out};

    if (by_rows(layer, share->threads)) {
        g.m = share->rows.to - share->rows.from;
        g.n = out;
        g.bias = bias;
        if (g.m)
            model->kernels->gemm_nt(layer->y + (size_t)share->rows.from * out,
                                    layer->x + (size_t)share->rows.from * in, weights, &g);
        return;
    }
    g.m = share->n;
    g.n = (uint32_t)(columns.to - columns.from);
    g.bias = bias + columns.from;
    if (g.n)
        model->kernels->gemm_nt(layer->y + columns.from, layer->x, weights + columns.from * in, &g);
}

/* Runs a layer's curve, or its slope, over the share of each row. */
static void curve_share(const struct share *share, struct layer *layer, bool back)
{
    const struct kernels *kernels = share->model->kernels;
    const bool relu = layer->ops == &relu_ops, rows = reads_rows(share, layer);
    const size_t count = layer->in.channels;
    struct team_range columns = columns_of(share, layer->in.channels);
    uint32_t from = rows ? share->rows.from : 0, to = rows ? share->rows.to : share->n;
    size_t at = rows ? 0 : columns.from, length = rows ? count : columns.to - columns.from;

    for (uint32_t b = from; b < to; b++) {
        size_t place = b * count + at;

        if (back)
            (relu ? kernels->relu_back : kernels->tanh_back)(layer->dx + place, layer->dy + place,
                                                             layer->y + place, length);
        else
            (relu ? kernels->relu : kernels->tanh)(layer->y + place, layer->x + place, length);
    }
}

static void forward_share(const struct share *share)
{
    struct model *model = share->model;

    for (uint32_t i = 0; i < model->layer_count; i++) {
        struct layer *layer = &model->layers[i];

        if (is_curve(layer)) {
            curve_share(share, layer, false);
        } else if (is_dense(layer)) {
            if (!reads_rows(share, layer) || !by_rows(layer, share->threads))
                team_barrier(share->wide->team);
            dense_forward_share(share, layer);
        }
    }
}

/* ---- backward ---- */

/* dx by the split of what the layer reads. */
static void dense_backward_share(const struct share *share, const struct layer *layer)
{
    struct model *model = share->model;
    const uint32_t in = layer->in.channels, out = layer->out.channels;
    struct team_range columns = columns_of(share, in);
    const float *weights = model->weights + layer->weight;
    struct gemm g = {.k = out, .parts = 1, .lda = out, .ldb = in, .ldc = in};

    if (reads_rows(share, layer)) {
        g.m = share->rows.to - share->rows.from;
        g.n = in;
        if (g.m)
            model->kernels->gemm_nn(layer->dx + (size_t)share->rows.from * in,
                                    layer->dy + (size_t)share->rows.from * out, weights, &g);
        return;
    }
    g.m = share->n;
    g.n = (uint32_t)(columns.to - columns.from);
    if (g.n)
        model->kernels->gemm_nn(layer->dx + columns.from, layer->dy, weights + columns.from, &g);
}

static void backward_share(const struct share *share)
{
    struct model *model = share->model;

    /* dy of the last layer is there by rows: each thread made that of its own examples */
    bool dy_rows = true;

    for (uint32_t i = model->layer_count; i > model->first + 1; i--) {
        struct layer *layer = &model->layers[i - 1];

        if (is_curve(layer)) {
            curve_share(share, layer, true);
            continue;
        }
        if (!dy_rows || !reads_rows(share, layer))
            team_barrier(share->wide->team);
        dense_backward_share(share, layer);
        dy_rows = reads_rows(share, layer);
    }
}

/* ---- norms and sums ---- */

/* The factors of the share's examples, and their dy scaled by them. */
static void clip_rows(const struct share *share)
{
    struct model *model = share->model;
    const struct gradient_clip *clip = share->wide->clip;
    const size_t stride = clip->per_layer ? model->batch_max : 0;

    for (uint32_t b = share->rows.from; b < share->rows.to; b++) {
        size_t k = 0;

        model->all_squares[b] = 0.0;
        for (uint32_t i = model->first; i < model->layer_count; i++) {
            const struct layer *layer = &model->layers[i];
            const size_t in = layer->in.channels, out = layer->out.channels;

            if (!is_dense(layer))
                continue;
            if (stride)
                model->all_squares[k * stride + b] = 0.0;
            model->all_squares[k++ * stride + b] +=
                model->kernels->sum_squares(layer->dy + b * out, out) *
                (1.0 + model->kernels->sum_squares(layer->x + b * in, in));
        }
        if (!gradient_factors(model, clip, b, share->norms ? share->norms + b : NULL))
            atomic_store(&share->wide->spoilt, share->number);
    }
}

static void scale_rows(const struct share *share)
{
    struct model *model = share->model;
    const size_t stride = share->wide->clip->per_layer ? model->batch_max : 0;
    size_t k = 0;

    for (uint32_t i = model->first; i < model->layer_count; i++) {
        struct layer *layer = &model->layers[i];
        const size_t out = layer->out.channels;

        if (!is_dense(layer))
            continue;
        for (uint32_t b = share->rows.from; b < share->rows.to; b++)
            model->kernels->scale(layer->dy + b * out, model->factors[k * stride + b], out);
        k++;
    }
}

static void add_gradient_share(const struct share *share, const struct layer *layer)
{
    struct model *model = share->model;
    const uint32_t in = layer->in.channels, out = layer->out.channels;
    const bool rows = by_rows(layer, share->threads);
    struct team_range own = columns_of(share, rows ? in : out);
    const uint32_t count = (uint32_t)(own.to - own.from);
    float *weights = share->wide->sum + layer->weight, *bias = share->wide->sum + layer->bias;
    struct gemm g = {.k = share->n, .parts = 1, .lda = out, .ldb = in, .ldc = in, .add = true};

    g.m = rows ? out : count;
    g.n = rows ? count : in;
    if (count && rows)
        model->kernels->gemm_tn(weights + own.from, layer->dy, layer->x + own.from, &g);
    else if (count)
        model->kernels->gemm_tn(weights + own.from * in, layer->dy + own.from, layer->x, &g);
    if (rows && share->index == 0)
        model->kernels->add_rows(bias, layer->dy, share->n, out);
    for (uint32_t b = 0; !rows && count && b < share->n; b++)
        model->kernels->add_rows(bias + own.from, layer->dy + (size_t)b * out + own.from, 1, count);
}

static void add_gradients_share(const struct share *share)
{
    struct model *model = share->model;

    for (uint32_t i = model->first; i < model->layer_count; i++)
        if (is_dense(&model->layers[i]))
            add_gradient_share(share, &model->layers[i]);
}

/* ---- one micro-batch ---- */

/* Sums a micro-batch that came through; one whose losses or norms are not finite goes example by
 * example on one thread when gradients are clipped, and ends the gradient when they are not. */
static enum cn_err close_micro(const struct share *share, struct gradient_seen *seen,
                               const struct gradient_seen *before,
                               const struct gradient_batch *micro)
{
    struct wide *wide = share->wide;

    if (atomic_load(&wide->spoilt) != share->number) {
        add_gradients_share(share);
        return CN_OK;
    }
    if (!wide->clip)
        return CN_E_DIVERGED;
    *seen = *before;
    if (share->index == 0)
        gradient_add_finite(share->model, wide->sum, seen, micro, wide->clip, share->norms);
    return CN_OK;
}

static enum cn_err run_micro(struct share *share, struct gradient_seen *seen,
                             const struct gradient_batch *micro)
{
    struct wide *wide = share->wide;
    const struct gradient_seen before = *seen;
    const struct layer *last = &share->model->layers[share->model->layer_count - 1];

    share->n = (uint32_t)micro->n;
    share->rows =
        (struct gradient_span){(uint32_t)(micro->n * share->index / share->threads),
                               (uint32_t)(micro->n * (share->index + 1) / share->threads)};
    put_rows(share, micro);
    forward_share(share);
    if (!by_rows(last, share->threads))
        team_barrier(wide->team);
    if (gradient_losses(share->model, seen, micro, share->rows) != CN_OK)
        atomic_store(&wide->spoilt, share->number);
    backward_share(share);
    team_barrier(wide->team);
    if (wide->clip) {
        clip_rows(share);
        scale_rows(share);
        team_barrier(wide->team);
    }
    return close_micro(share, seen, &before, micro);
}

static void clear_range(void *ctx, struct team_range range)
{
    memset((float *)ctx + range.from, 0, (range.to - range.from) * sizeof(float));
}

enum cn_err wide_part(struct wide *wide, struct gradient_seen *seen, uint32_t index,
                      uint32_t threads)
{
    struct share share = {.wide = wide, .model = wide->model, .index = index, .threads = threads};
    const struct gradient_batch *batch = wide->batch;

    wide_own(wide->model, index, threads, clear_range, wide->sum);
    for (size_t done = 0; done < batch->n;) {
        size_t left = batch->n - done, max = wide->model->batch_max;
        struct gradient_batch micro = {batch->data, batch->rows + done, left < max ? left : max};

        share.number++;
        share.norms = wide->norms ? wide->norms + done : NULL;
        CN_TRY(run_micro(&share, seen, &micro));
        done += micro.n;
        if (done < batch->n) /* the next one takes the same buffers */
            team_barrier(wide->team);
    }
    return CN_OK;
}

void wide_own(const struct model *model, uint32_t index, uint32_t threads, team_range_fn fn,
              void *ctx)
{
    for (uint32_t i = 0; i < model->layer_count; i++) {
        const struct layer *layer = &model->layers[i];
        const size_t in = layer->in.channels, out = layer->out.channels;

        if (!is_dense(layer))
            continue;
        const bool rows = by_rows(layer, threads);
        struct team_range own = team_range_of(rows ? in : out, index, threads);

        for (size_t o = 0; rows && own.to > own.from && o < out; o++)
            fn(ctx, (struct team_range){layer->weight + o * in + own.from,
                                        layer->weight + o * in + own.to});
        if (rows && index == 0)
            fn(ctx, (struct team_range){layer->bias, layer->bias + out});
        if (rows || own.to == own.from)
            continue;
        fn(ctx, (struct team_range){layer->weight + own.from * in, layer->weight + own.to * in});
        fn(ctx, (struct team_range){layer->bias + own.from, layer->bias + own.to});
    }
}
