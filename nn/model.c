/* SPDX-License-Identifier: Apache-2.0 */
/* From a specification to a planned graph, and running it forward. */
#include "nn/model.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/loss.h"
#include "nn/model_internal.h"

#define MODEL_BYTES_MAX (SIZE_MAX / 4)
/* What a micro-batch may fill when model_new chooses: it stays in a core's second-level cache. */
#define BATCH_AUTO_FLOATS ((size_t)384 * 1024)
#define BATCH_AUTO_MIN 8u
#define BATCH_AUTO_MAX 256u

enum cn_err model_floats(struct model *model, float **out, size_t a, size_t b)
{
    size_t count;

    if (__builtin_mul_overflow(a, b, &count))
        return CN_E_NOMEM;
    *out = cn_arena_alloc(&model->arena, count, sizeof **out);
    return *out ? CN_OK : CN_E_NOMEM;
}

enum cn_err model_shared_floats(struct model *model, float **out, size_t a, size_t b)
{
    CN_ASSERT(model->shared_count < MODEL_SHARED_MAX);
    if (model->primary)
        *out = model->primary->shared[model->shared_count];
    else
        CN_TRY(model_floats(model, out, a, b));
    model->shared[model->shared_count++] = *out;
    return CN_OK;
}

void model_claim_scratch(struct model *model, size_t count)
{
    if (count > model->scratch_count)
        model->scratch_count = count;
}

float *model_at(const struct model *model, uint32_t place)
{
    return place ? model->layers[place - 1].y : model->x;
}

float *model_gradient_at(const struct model *model, uint32_t place)
{
    return place ? model->layers[place - 1].dy : NULL;
}

struct shape model_shape_at(const struct model *model, uint32_t place)
{
    return place ? model->layers[place - 1].out : model->in;
}

/* Gives the layer its buffers. Its x and dx are the y and dy of what it reads; a layer that reads
 * another than the one before it has a dx of its own, which model_collect adds. */
static enum cn_err plan_layer(struct model *model, struct layer *layer)
{
    const size_t out = shape_count(layer->out);
    const struct layer *before = layer->index ? layer - 1 : NULL;
    const bool chained = layer->input == layer->index;
    const bool in_place =
        layer->ops->in_place && chained && before && !before->ops->needs_output && !before->shared;

    if ((uint64_t)model->batch_max * layer->in.height * layer->in.width > INT32_MAX)
        return CN_E_TOO_LARGE; /* rows of a product are counted in 32 bits */
    layer->x = layer->y = model_at(model, layer->input);
    layer->dx = layer->dy = model_gradient_at(model, layer->input);
    if (layer->dx && !chained)
        CN_TRY(model_floats(model, &layer->dx, model->batch_max, shape_count(layer->in)));
    if (!in_place)
        CN_TRY(model_floats(model, &layer->y, model->batch_max, out));
    if (!layer->reached)
        layer->dy = NULL;
    else if (!in_place || !layer->dx)
        CN_TRY(model_floats(model, &layer->dy, model->batch_max, out));
    return layer->ops->plan ? layer->ops->plan(layer, model) : CN_OK;
}

/* Squares and factors of each layer that may learn, and of all together. */
static enum cn_err plan_norms(struct model *model)
{
    size_t count = (size_t)model->learning * model->batch_max;

    CN_TRY(model_floats(model, &model->factors, count, 1));
    model->squares = model->all_squares =
        cn_arena_alloc(&model->arena, count, sizeof *model->squares);
    return model->squares ? CN_OK : CN_E_NOMEM;
}

static enum cn_err plan(struct model *model)
{
    CN_TRY(model_shared_floats(model, &model->weights, model->d, 1));
    CN_TRY(plan_norms(model));
    CN_TRY(model_floats(model, &model->x, model->batch_max, shape_count(model->in)));
    model->keys = cn_arena_alloc(&model->arena, model->batch_max, sizeof *model->keys);
    if (!model->keys)
        return CN_E_NOMEM;
    for (uint32_t i = 0; i < model->layer_count; i++)
        CN_TRY(plan_layer(model, &model->layers[i]));
    return model_floats(model, &model->scratch, model->scratch_count, 1);
}

static enum cn_err keep_spec(struct model *model, const struct model_spec *spec)
{
    struct model_spec *own = cn_arena_alloc(&model->arena, 1, sizeof *own);

    if (!own)
        return CN_E_NOMEM;
    *own = *spec;
    model->spec = own;
    return CN_OK;
}

/* A model of its own, or a replica of primary. */
static enum cn_err model_build(struct model **out, const struct model_spec *spec,
                               uint32_t batch_max, const struct model *primary,
                               struct cn_diag *diag)
{
    struct model *model = calloc(1, sizeof *model);
    enum cn_err err;

    *out = NULL;
    if (!model)
        return CN_E_NOMEM;
    cn_arena_init(&model->arena, MODEL_BYTES_MAX);
    model->kernels = primary ? primary->kernels : kernels_best();
    model->primary = primary;
    CN_TRY_OUT(err, keep_spec(model, spec));
    CN_TRY_OUT(err, model_infer(model, spec, diag));
    model->batch_max = batch_max == MODEL_BATCH_AUTO ? model_batch_auto(model) : batch_max;
    CN_TRY_OUT(err, plan(model));
    *out = model;
    return CN_OK;
out:
    if (err == CN_E_NOMEM)
        cn_diag_set(diag, NULL, 0, 0, "not enough memory for a model of %zu parameters", model->d);
    model_free(model);
    return err;
}

enum cn_err model_new(struct model **out, const struct model_spec *spec, uint32_t batch_max,
                      struct cn_diag *diag)
{
    *out = NULL;
    if (batch_max > MODEL_BATCH_MAX) {
        cn_diag_set(diag, NULL, 0, 0, "micro-batches of %u examples; at most %u are possible",
                    batch_max, MODEL_BATCH_MAX);
        return CN_E_CONFIG;
    }
    return model_build(out, spec, batch_max, NULL, diag);
}

enum cn_err model_replica(struct model **out, const struct model *primary)
{
    return model_build(out, primary->spec, primary->batch_max, primary, NULL);
}

void model_follow(struct model *replica)
{
    replica->smoothing = replica->primary->smoothing;
    for (uint32_t i = 0; i < replica->layer_count; i++)
        replica->layers[i].frozen = replica->primary->layers[i].frozen;
    model_reach(replica);
}

void model_free(struct model *model)
{
    if (!model)
        return;
    cn_arena_clear(&model->arena);
    free(model);
}

size_t model_params(const struct model *model)
{
    return model->d;
}

float *model_weights(struct model *model)
{
    return model->weights;
}

const float *model_weights_const(const struct model *model)
{
    return model->weights;
}

size_t model_features(const struct model *model)
{
    return shape_count(model->in);
}

uint32_t model_outputs(const struct model *model)
{
    return model->layers[model->layer_count - 1].out.channels;
}

uint32_t model_positions(const struct model *model)
{
    return model->positions;
}

struct loss_spec model_loss(const struct model *model)
{
    return model->loss;
}

uint32_t model_batch_max(const struct model *model)
{
    return model->batch_max;
}

size_t model_bytes(const struct model *model)
{
    return sizeof *model + model->arena.used_bytes;
}

uint32_t model_tensor_count(const struct model *model)
{
    return model->tensor_count;
}

const struct model_tensor *model_tensor_at(const struct model *model, uint32_t index)
{
    CN_ASSERT(index < model->tensor_count);
    return &model->tensors[index];
}

uint32_t model_layer_count(const struct model *model)
{
    return model->layer_count;
}

static void init_layer(const struct layer *layer, float *weights, const struct cn_random *random)
{
    const size_t count = layer->weight_count + layer->bias_count;
    double bound;

    if (layer->ops->starts_even) {
        for (size_t j = 0; j < count; j++)
            weights[j] = j < layer->weight_count ? 1.0f : 0.0f;
        return;
    }
    if (layer->ops->init) {
        layer->ops->init(layer, weights, random);
        return;
    }
    bound = 1.0 / sqrt((double)(layer->weight_count / layer->bias_count));
    model_draw_uniform(weights, count, bound, random);
}

void model_draw_uniform(float *weights, size_t count, double bound, const struct cn_random *random)
{
    for (size_t j = 0; j < count; j++)
        weights[j] = (float)((2.0 * cn_random_unit(random) - 1.0) * bound);
}

void model_init_weights(struct model *model, const struct cn_random *random)
{
    for (uint32_t i = 0; i < model->layer_count; i++)
        if (model->layers[i].weight_count > 0)
            init_layer(&model->layers[i], model->weights + model->layers[i].weight, random);
}

enum cn_err model_set_weights(struct model *model, const float *weights)
{
    for (size_t i = 0; i < model->d; i++)
        if (!isfinite(weights[i]))
            return CN_E_DIVERGED;
    memmove(model->weights, weights, model->d * sizeof *weights);
    return CN_OK;
}

void model_put_example(struct model *model, uint32_t b, const float *x)
{
    size_t count = shape_count(model->in), places = (size_t)model->in.height * model->in.width;
    float *out = model->x + b * count;

    if (model->in.channels == 1 || places == 1)
        memcpy(out, x, count * sizeof *x);
    else
        model->kernels->transpose(out, x, model->in.channels, places);
}

void model_prepare(struct model *model)
{
    for (uint32_t i = 0; i < model->layer_count; i++) {
        struct layer *layer = &model->layers[i];

        if (layer->ops->prepare && !model->prepared && !model->primary)
            layer->ops->prepare(layer, model);
        if (layer->ops->begin)
            layer->ops->begin(layer, model);
    }
}

const float *model_run(struct model *model, uint32_t n)
{
    for (uint32_t i = 0; i < model->layer_count; i++)
        model->layers[i].ops->forward(&model->layers[i], model, n);
    return model->layers[model->layer_count - 1].y;
}

void model_forward(struct model *model, float *logits, const float *x, size_t n)
{
    size_t outputs = shape_count(model->layers[model->layer_count - 1].out);
    size_t features = model_features(model);

    model_prepare(model);
    for (size_t done = 0; done < n;) {
        uint32_t count = n - done < model->batch_max ? (uint32_t)(n - done) : model->batch_max;

        for (uint32_t b = 0; b < count; b++)
            model_put_example(model, b, x + (done + b) * features);
        memcpy(logits + done * outputs, model_run(model, count), count * outputs * sizeof *logits);
        done += count;
    }
}

void model_probabilities(struct model *model, float *probabilities, const float *x, size_t n)
{
    const uint32_t outputs = model_outputs(model);
    const size_t rows = n * model->positions;

    model_forward(model, probabilities, x, n);
    if (model->loss.kind == LOSS_BINARY_CROSS_ENTROPY)
        loss_sigmoid(probabilities, probabilities, rows * outputs);
    for (size_t i = 0; model->loss.kind == LOSS_CROSS_ENTROPY && i < rows; i++)
        loss_softmax(probabilities + i * outputs, probabilities + i * outputs, outputs);
}

const char *model_describe(const struct model *model, uint32_t index,
                           char out[MODEL_LAYER_TEXT_MAX])
{
    const struct layer *layer;
    char in[SHAPE_TEXT_MAX], to[SHAPE_TEXT_MAX], how[64] = "", padding[48] = "", params[32] = "";
    int at = 0;

    CN_ASSERT(index < model->layer_count);
    layer = &model->layers[index];
    if (layer->spec.padding)
        at = snprintf(padding, sizeof padding, " padding %u", layer->spec.padding);
    if (layer->spec.groups > 1)
        snprintf(padding + at, sizeof padding - (size_t)at, " groups %u", layer->spec.groups);
    if (layer->ops->uses_units)
        snprintf(how, sizeof how, " %u units", layer->spec.units);
    else if (layer->ops->uses_filters)
        snprintf(how, sizeof how, " %u filters %ux%u stride %u", layer->spec.filters,
                 layer->spec.kernel, layer->spec.kernel, layer->spec.stride);
    else if (layer->ops->uses_window)
        snprintf(how, sizeof how, " %ux%u stride %u", layer->spec.kernel, layer->spec.kernel,
                 layer->spec.stride);
    else if (layer->ops->uses_from && layer->other == 0)
        snprintf(how, sizeof how, " from the input");
    else if (layer->ops->uses_from)
        snprintf(how, sizeof how, " from layer %u", layer->other);
    else if (layer->spec.heads)
        snprintf(how, sizeof how, " %u heads%s%s", layer->spec.heads,
                 layer->spec.causal ? " causal" : "",
                 layer->other != LAYER_NONE ? " of memory" : "");
    else if (layer->spec.length)
        snprintf(how, sizeof how, " %u steps from %u", layer->spec.length, layer->spec.start);
    else if (layer->ops->uses_slope || layer->ops->uses_rate)
        snprintf(how, sizeof how, " %g", layer->spec.slope + layer->spec.rate);
    if (layer->weight_count)
        snprintf(params, sizeof params, ", %zu parameters",
                 layer->weight_count + layer->bias_count);
    snprintf(out, MODEL_LAYER_TEXT_MAX, "%s%s%s: %s -> %s%s", layer->ops->name, how, padding,
             shape_text(layer->in, in), shape_text(layer->out, to), params);
    return out;
}
