/* SPDX-License-Identifier: Apache-2.0 */
/* Forward, backward, norms, weighted sums: one micro-batch at a time. */
#include "nn/gradient_internal.h"

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

static enum cn_err check_tokens(const struct model *model, const struct dataset *data,
                                struct cn_diag *diag)
{
    const size_t tokens = shape_count(model->in);

    if ((data->vocabulary > 0) != (model->vocabulary > 0)) {
        cn_diag_set(diag, NULL, 0, 0, "the model wants %s but the data has %s",
                    model->vocabulary ? "numbers of tokens" : "values",
                    data->vocabulary ? "numbers of tokens" : "values");
        return CN_E_SHAPE;
    }
    for (size_t i = 0; model->vocabulary && i < data->n * tokens; i++) {
        float token = data->x[i];

        if (token >= 0.0f && token < (float)model->vocabulary && token == floorf(token))
            continue;
        cn_diag_set(diag, NULL, 0, 0,
                    "example %zu has the token %g but the model's vocabulary has %u", i / tokens,
                    (double)token, model->vocabulary);
        return CN_E_DATA;
    }
    return CN_OK;
}

static enum cn_err check_reals(const struct model *model, const struct dataset *data,
                               struct cn_diag *diag)
{
    const uint32_t wanted = model->positions * model_outputs(model);
    const bool shares = model->loss.kind == LOSS_BINARY_CROSS_ENTROPY;

    if (model->loss.kind == LOSS_CROSS_ENTROPY || data->reals != wanted || (data->n && !data->z)) {
        cn_diag_set(diag, NULL, 0, 0, "the data has %u real targets but the model's %s wants %u %s",
                    data->reals, loss_kind_name(model->loss.kind),
                    model->loss.kind == LOSS_CROSS_ENTROPY ? model->positions : wanted,
                    model->loss.kind == LOSS_CROSS_ENTROPY ? "classes" : "of them");
        return CN_E_SHAPE;
    }
    for (size_t i = 0; i < data->n * wanted; i++) {
        float z = data->z[i];

        if (isfinite(z) && (!shares || (z >= 0.0f && z <= 1.0f)))
            continue;
        cn_diag_set(diag, NULL, 0, 0, "example %zu has the target %g, which is not %s", i / wanted,
                    (double)z, shares ? "from 0 to 1" : "finite");
        return CN_E_DATA;
    }
    return CN_OK;
}

/* One output tells two classes apart in binary cross-entropy. */
static enum cn_err check_classes(const struct model *model, const struct dataset *data,
                                 struct cn_diag *diag)
{
    const bool sides = model->loss.kind == LOSS_BINARY_CROSS_ENTROPY;
    const uint32_t classes = sides ? 2 : model_outputs(model), targets = dataset_targets(data);

    if ((model->loss.kind != LOSS_CROSS_ENTROPY && !(sides && model_outputs(model) == 1)) ||
        (data->n && !data->y)) {
        cn_diag_set(diag, NULL, 0, 0,
                    "the data has classes but the model's %s wants %u real targets",
                    loss_kind_name(model->loss.kind), model->positions * model_outputs(model));
        return CN_E_SHAPE;
    }
    if (targets != model->positions) {
        cn_diag_set(diag, NULL, 0, 0, "the data has %u targets per example but the model gives %u",
                    targets, model->positions);
        cn_diag_hint(diag, "a stream of text has a target at every step, lines with a label have "
                           "one, pairs have one at every step of the second half");
        return CN_E_SHAPE;
    }
    if (data->classes > classes) {
        cn_diag_set(diag, NULL, 0, 0, "the data has %u classes but the model has %u outputs",
                    data->classes, model_outputs(model));
        return CN_E_DATA;
    }
    for (size_t i = 0; i < data->n * targets; i++) {
        if (data->y[i] < classes || data->y[i] == DATASET_IGNORE)
            continue;
        cn_diag_set(diag, NULL, 0, 0, "example %zu has label %u but the model has %u outputs",
                    i / targets, data->y[i], model_outputs(model));
        return CN_E_DATA;
    }
    return CN_OK;
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
    CN_TRY(check_tokens(model, data, diag));
    if (data->reals)
        return check_reals(model, data, diag);
    return check_classes(model, data, diag);
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

enum cn_err gradient_losses(struct model *model, struct gradient_seen *seen,
                            const struct gradient_batch *micro, struct gradient_span span)
{
    const struct layer *last = &model->layers[model->layer_count - 1];
    const struct loss_form form = {model->loss, model->smoothing, model->positions,
                                   last->out.channels};
    const struct dataset *data = micro->data;
    const size_t outputs = shape_count(last->out), targets = dataset_targets(data);
    struct loss_sum sum = {0};

    for (uint32_t b = span.from; b < span.to; b++) {
        const uint32_t row = micro->rows[b];

        loss_add(&sum, last->dy + b * outputs, last->y + b * outputs, &form,
                 targets ? data->y + row * targets : NULL,
                 data->reals ? data->z + (size_t)row * data->reals : NULL);
    }
    seen->loss += sum.loss;
    seen->correct += sum.correct;
    seen->counted += sum.counted;
    seen->n += span.to - span.from;
    return isfinite(sum.loss) ? CN_OK : CN_E_DIVERGED;
}

static bool wants_back(const struct model *model, const struct layer *layer)
{
    if (layer->ops->inner)
        return true;
    return layer->dx && layer->input > 0 && model->layers[layer->input - 1].reached;
}

/* Puts a micro-batch through the model and the loss; leaves every layer's dy in place. */
static enum cn_err forward_backward(struct model *model, struct gradient_seen *seen,
                                    const struct gradient_batch *micro)
{
    const size_t features = model_features(model);
    const uint32_t n = (uint32_t)micro->n;

    for (uint32_t b = 0; b < n; b++)
        model_put_example(model, b, micro->data->x + micro->rows[b] * features);
    model->dropping = model->draws && model->random;
    for (uint32_t b = 0; model->dropping && b < n; b++)
        model->keys[b] = cn_random_u64(model->random);
    model_run(model, n);
    model->dropping = false;
    CN_TRY(gradient_losses(model, seen, micro, (struct gradient_span){0, n}));
    for (uint32_t i = model->layer_count; i > model->first; i--) {
        struct layer *layer = &model->layers[i - 1];

        if (!layer->reached)
            continue;
        model_collect(model, layer, n);
        if (layer->ops->backward && wants_back(model, layer))
            layer->ops->backward(layer, model, n);
    }
    return CN_OK;
}

/* Adds what each layer learns; its factors [batch_max] begin `stride` behind those of the last. */
static void add_gradients(struct model *model, uint32_t n, float *sum, const float *factors,
                          size_t stride)
{
    for (uint32_t i = model->first; i < model->layer_count; i++) {
        struct layer *layer = &model->layers[i];

        if (!layer->learns)
            continue;
        layer->ops->gradient(layer, model, n, sum, factors);
        factors = factors ? factors + stride : NULL;
    }
}

/* squares [learning, batch_max], or [1, batch_max] for all layers together. */
static void find_squares(struct model *model, uint32_t n, size_t stride)
{
    memset(model->all_squares, 0,
           (stride ? model->learning : 1) * (size_t)model->batch_max * sizeof *model->squares);
    model->squares = model->all_squares;
    for (uint32_t i = model->first; i < model->layer_count; i++) {
        if (!model->layers[i].learns)
            continue;
        model->layers[i].ops->norms(&model->layers[i], model, n);
        model->squares += stride;
    }
    model->squares = model->all_squares;
}

static double bound_of(const struct model *model, const struct gradient_clip *clip, uint32_t layer)
{
    double bound = clip->norm;

    if (clip->per_layer)
        bound = clip->bounds ? clip->bounds[layer] : clip->norm / sqrt(model->learning);
    return bound * CLIP_MARGIN;
}

bool gradient_factors(struct model *model, const struct gradient_clip *clip, uint32_t b,
                      double *norm)
{
    const size_t stride = clip->per_layer ? model->batch_max : 0;
    double whole = 0.0;

    for (uint32_t k = 0; k < (stride ? model->learning : 1); k++) {
        double square = model->all_squares[k * stride + b], length = sqrt(square);
        double bound = bound_of(model, clip, k);

        whole += square;
        model->factors[k * stride + b] = length > bound ? (float)(bound / length) : 1.0f;
    }
    if (norm)
        *norm = sqrt(whole);
    return isfinite(whole);
}

/* Finds each example's norm and factors. norms [n] may be NULL. */
static enum cn_err find_factors(struct model *model, uint32_t n, const struct gradient_clip *clip,
                                double *norms)
{
    find_squares(model, n, clip->per_layer ? model->batch_max : 0);
    for (uint32_t b = 0; b < n; b++)
        if (!gradient_factors(model, clip, b, norms ? norms + b : NULL))
            return CN_E_DIVERGED;
    return CN_OK;
}

static void finish(struct model *model, float *sum)
{
    for (uint32_t i = model->first; i < model->layer_count; i++)
        if (model->layers[i].learns && model->layers[i].ops->finish)
            model->layers[i].ops->finish(&model->layers[i], model, sum);
}

enum cn_err gradient_add(struct model *model, float *sum, struct gradient_seen *seen,
                         const struct gradient_batch *batch)
{
    model_prepare(model);
    for (size_t done = 0; done < batch->n;) {
        size_t left = batch->n - done, n = left < model->batch_max ? left : model->batch_max;
        struct gradient_batch micro = {batch->data, batch->rows + done, n};

        CN_TRY(forward_backward(model, seen, &micro));
        add_gradients(model, (uint32_t)n, sum, NULL, 0);
        done += n;
    }
    finish(model, sum);
    return CN_OK;
}

static enum cn_err add_micro(struct model *model, float *sum, struct gradient_seen *seen,
                             const struct gradient_batch *micro, const struct gradient_clip *clip,
                             double *norms)
{
    uint32_t n = (uint32_t)micro->n;

    CN_TRY(forward_backward(model, seen, micro));
    CN_TRY(find_factors(model, n, clip, norms));
    add_gradients(model, n, sum, model->factors, clip->per_layer ? model->batch_max : 0);
    return CN_OK;
}

void gradient_add_finite(struct model *model, float *sum, struct gradient_seen *seen,
                         const struct gradient_batch *micro, const struct gradient_clip *clip,
                         double *norms)
{
    for (size_t b = 0; b < micro->n; b++) {
        struct gradient_batch one = {micro->data, micro->rows + b, 1};
        struct gradient_seen before = *seen;

        if (add_micro(model, sum, seen, &one, clip, norms ? norms + b : NULL) == CN_OK)
            continue;
        *seen = before;
        if (norms)
            norms[b] = INFINITY;
    }
}

uint32_t gradient_clip_layers(const struct model *model)
{
    return model->learning;
}

void gradient_check_clip(const struct model *model, const struct gradient_clip *clip)
{
    if (!clip->per_layer || !clip->bounds)
        CN_ASSERT(clip->norm > 0.0 && isfinite(clip->norm));
    for (uint32_t i = 0; clip->per_layer && clip->bounds && i < model->learning; i++)
        CN_ASSERT(clip->bounds[i] > 0.0 && isfinite(clip->bounds[i]));
}

enum cn_err gradient_add_clipped_with(struct model *model, float *sum, struct gradient_seen *seen,
                                      const struct gradient_batch *batch,
                                      const struct gradient_clip *clip, double *norms)
{
    gradient_check_clip(model, clip);
    model_prepare(model);
    for (size_t done = 0; done < batch->n;) {
        size_t left = batch->n - done, n = left < model->batch_max ? left : model->batch_max;
        struct gradient_batch micro = {batch->data, batch->rows + done, n};
        struct gradient_seen before = *seen;
        double *here = norms ? norms + done : NULL;

        if (add_micro(model, sum, seen, &micro, clip, here) != CN_OK) {
            *seen = before;
            gradient_add_finite(model, sum, seen, &micro, clip, here);
        }
        done += n;
    }
    finish(model, sum);
    return CN_OK;
}

enum cn_err gradient_add_clipped(struct model *model, float *sum, struct gradient_seen *seen,
                                 const struct gradient_batch *batch, double clip_norm,
                                 double *norms)
{
    const struct gradient_clip clip = {.norm = clip_norm};

    return gradient_add_clipped_with(model, sum, seen, batch, &clip, norms);
}
