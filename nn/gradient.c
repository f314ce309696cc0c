/* SPDX-License-Identifier: Apache-2.0 */
/* Forward, backward, norms, weighted sums: one micro-batch at a time. */
#include "nn/gradient.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "nn/loss.h"
#include "nn/model_internal.h"

/* A clipped norm stays under the bound although factors and products are rounded to float. */
#define CLIP_MARGIN (1.0 - 0x1p-20)

static bool same_shape(const struct model *model, const struct dataset *data)
{
    if (data->channels == model->in.channels && data->height == model->in.height &&
        data->width == model->in.width)
        return true;
    return shape_is_flat(model->in) && data->channels == 1 && data->height == 1 &&
           data->width == model->in.channels;
}

enum cn_err gradient_check(const struct model *model, const struct dataset *data,
                           struct cn_diag *diag)
{
    char text[SHAPE_TEXT_MAX];

    if (!same_shape(model, data)) {
        cn_diag_set(diag, NULL, 0, 0, "the model wants examples of %s but the data has %ux%ux%u",
                    shape_text(model->in, text), data->channels, data->height, data->width);
        return CN_E_SHAPE;
    }
    if (data->classes > model_outputs(model)) {
        cn_diag_set(diag, NULL, 0, 0, "the data has %u classes but the model has %u outputs",
                    data->classes, model_outputs(model));
        return CN_E_DATA;
    }
    for (size_t i = 0; i < data->n; i++) {
        if (data->y[i] < model_outputs(model))
            continue;
        cn_diag_set(diag, NULL, 0, 0, "example %zu has label %u but the model has %u outputs", i,
                    data->y[i], model_outputs(model));
        return CN_E_DATA;
    }
    return CN_OK;
}

void gradient_use_random(struct model *model, const struct cn_random *random)
{
    model->random = random;
}

void gradient_smooth_labels(struct model *model, double share)
{
    CN_ASSERT(share >= 0.0 && share < 1.0);
    model->smoothing = share;
}

/* Puts rows [n] of data through the model and the loss; leaves every layer's dy in place. */
static enum cn_err forward_backward(struct model *model, struct gradient_seen *seen,
                                    const struct dataset *data, const uint32_t *rows, uint32_t n)
{
    struct layer *last = &model->layers[model->layer_count - 1];
    size_t features = model_features(model);
    uint32_t outputs = model_outputs(model);
    double loss = 0.0;

    for (uint32_t b = 0; b < n; b++)
        model_put_example(model, b, data->x + rows[b] * features);
    model->dropping = model->draws && model->random;
    for (uint32_t b = 0; model->dropping && b < n; b++)
        model->keys[b] = cn_random_u64(model->random);
    model_run(model, n);
    model->dropping = false;
    for (uint32_t b = 0; b < n; b++) {
        bool correct;

        loss += loss_cross_entropy(last->dy + b * outputs, &correct, last->y + b * outputs, outputs,
                                   data->y[rows[b]]);
        if (model->smoothing > 0.0)
            loss += loss_smooth(last->dy + b * outputs, last->y + b * outputs, outputs,
                                data->y[rows[b]], model->smoothing);
        seen->correct += correct;
    }
    seen->loss += loss;
    seen->n += n;
    if (!isfinite(loss))
        return CN_E_DIVERGED;
    for (uint32_t i = model->layer_count; i > model->first + 1; i--) {
        model_add_residuals(model, &model->layers[i - 1], n);
        model->layers[i - 1].ops->backward(&model->layers[i - 1], model, n);
    }
    model_add_residuals(model, &model->layers[model->first], n);
    return CN_OK;
}

static void add_gradients(struct model *model, uint32_t n, float *sum, const float *factors)
{
    for (uint32_t i = model->first; i < model->layer_count; i++)
        if (model->layers[i].ops->gradient)
            model->layers[i].ops->gradient(&model->layers[i], model, n, sum, factors);
}

/* Finds each example's norm and factor. norms [n] may be NULL. */
static enum cn_err find_factors(struct model *model, uint32_t n, double clip_norm, double *norms)
{
    memset(model->squares, 0, n * sizeof *model->squares);
    for (uint32_t i = model->first; i < model->layer_count; i++)
        if (model->layers[i].ops->norms)
            model->layers[i].ops->norms(&model->layers[i], model, n);
    for (uint32_t b = 0; b < n; b++) {
        double norm = sqrt(model->squares[b]), bound = clip_norm * CLIP_MARGIN;

        if (!isfinite(norm))
            return CN_E_DIVERGED;
        if (norms)
            norms[b] = norm;
        model->factors[b] = norm > bound ? (float)(bound / norm) : 1.0f;
    }
    return CN_OK;
}

static void finish(struct model *model, float *sum)
{
    for (uint32_t i = model->first; i < model->layer_count; i++)
        if (model->layers[i].ops->finish)
            model->layers[i].ops->finish(&model->layers[i], model, sum);
}

enum cn_err gradient_add(struct model *model, float *sum, struct gradient_seen *seen,
                         const struct gradient_batch *batch)
{
    model_prepare(model);
    for (size_t done = 0; done < batch->n;) {
        size_t left = batch->n - done;
        uint32_t n = left < model->batch_max ? (uint32_t)left : model->batch_max;

        CN_TRY(forward_backward(model, seen, batch->data, batch->rows + done, n));
        add_gradients(model, n, sum, NULL);
        done += n;
    }
    finish(model, sum);
    return CN_OK;
}

static enum cn_err add_micro(struct model *model, float *sum, struct gradient_seen *seen,
                             const struct gradient_batch *micro, double clip_norm, double *norms)
{
    uint32_t n = (uint32_t)micro->n;

    CN_TRY(forward_backward(model, seen, micro->data, micro->rows, n));
    CN_TRY(find_factors(model, n, clip_norm, norms));
    add_gradients(model, n, sum, model->factors);
    return CN_OK;
}

/* Adds those of a micro-batch whose gradient is finite. */
static void add_finite(struct model *model, float *sum, struct gradient_seen *seen,
                       const struct gradient_batch *micro, double clip_norm, double *norms)
{
    for (size_t b = 0; b < micro->n; b++) {
        struct gradient_batch one = {micro->data, micro->rows + b, 1};
        struct gradient_seen before = *seen;

        if (add_micro(model, sum, seen, &one, clip_norm, norms ? norms + b : NULL) == CN_OK)
            continue;
        *seen = before;
        if (norms)
            norms[b] = INFINITY;
    }
}

enum cn_err gradient_add_clipped(struct model *model, float *sum, struct gradient_seen *seen,
                                 const struct gradient_batch *batch, double clip_norm,
                                 double *norms)
{
    CN_ASSERT(clip_norm > 0.0 && isfinite(clip_norm));
    model_prepare(model);
    for (size_t done = 0; done < batch->n;) {
        size_t left = batch->n - done, n = left < model->batch_max ? left : model->batch_max;
        struct gradient_batch micro = {batch->data, batch->rows + done, n};
        struct gradient_seen before = *seen;
        double *here = norms ? norms + done : NULL;

        if (add_micro(model, sum, seen, &micro, clip_norm, here) != CN_OK) {
            *seen = before;
            add_finite(model, sum, seen, &micro, clip_norm, here);
        }
        done += n;
    }
    finish(model, sum);
    return CN_OK;
}
