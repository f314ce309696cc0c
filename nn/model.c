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

static const struct layer_ops *const KINDS[LAYER_KIND_COUNT] = {
    [LAYER_DENSE] = &dense_ops,
    [LAYER_CONV2D] = &conv2d_ops,
    [LAYER_MAX_POOL] = &max_pool_ops,
    [LAYER_AVERAGE_POOL] = &average_pool_ops,
    [LAYER_RELU] = &relu_ops,
    [LAYER_TANH] = &tanh_ops,
    [LAYER_FLATTEN] = &flatten_ops,
    [LAYER_LEAKY_RELU] = &leaky_relu_ops,
    [LAYER_GELU] = &gelu_ops,
    [LAYER_SILU] = &silu_ops,
    [LAYER_SIGMOID] = &sigmoid_ops,
    [LAYER_SOFTMAX] = &softmax_ops,
    [LAYER_DROPOUT] = &dropout_ops,
    [LAYER_GLOBAL_AVERAGE_POOL] = &global_average_pool_ops,
    [LAYER_LAYER_NORM] = &layer_norm_ops,
    [LAYER_RMS_NORM] = &rms_norm_ops,
    [LAYER_GROUP_NORM] = &group_norm_ops,
    [LAYER_RESIDUAL] = &residual_ops,
    [LAYER_EMBEDDING] = &embedding_ops,
    [LAYER_POSITION] = &position_ops,
    [LAYER_SLICE] = &slice_ops,
    [LAYER_LSTM] = &lstm_ops,
    [LAYER_GRU] = &gru_ops,
    [LAYER_ATTENTION] = &attention_ops,
    [LAYER_ENCODER] = &encoder_ops,
    [LAYER_DECODER] = &decoder_ops,
};
_Static_assert(LAYER_KIND_COUNT == 27, "every kind has its operations above");

const struct layer_ops *layer_ops_of(enum layer_kind kind)
{
    return (unsigned)kind < LAYER_KIND_COUNT ? KINDS[kind] : NULL;
}

enum layer_kind layer_kind_parse(const char *name)
{
    for (unsigned kind = LAYER_UNKNOWN + 1; kind < LAYER_KIND_COUNT; kind++)
        if (strcmp(name, KINDS[kind]->name) == 0)
            return (enum layer_kind)kind;
    return LAYER_UNKNOWN;
}

const char *layer_kind_name(enum layer_kind kind)
{
    const struct layer_ops *ops = layer_ops_of(kind);

    return ops ? ops->name : "unknown";
}

const char *shape_text(struct shape shape, char out[SHAPE_TEXT_MAX])
{
    if (shape_is_flat(shape))
        snprintf(out, SHAPE_TEXT_MAX, "%u", shape.channels);
    else
        snprintf(out, SHAPE_TEXT_MAX, "%ux%ux%u", shape.channels, shape.height, shape.width);
    return out;
}

enum cn_err layer_fault(const struct layer *layer, struct cn_diag *diag, enum cn_err err,
                        const char *format, ...)
{
    char text[CN_DIAG_TEXT_MAX / 2], line[32] = "";
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (layer->spec.line)
        snprintf(line, sizeof line, ", line %u", layer->spec.line);
    cn_diag_set(diag, NULL, layer->spec.line, 0, "layer %u (%s%s): %s", layer->index + 1,
                layer_kind_name(layer->spec.kind), line, text);
    return err;
}

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

/* A number that the kind uses must be there, one that it does not use must not. */
static enum cn_err check_number(const struct layer *layer, const char *name, uint32_t value,
                                bool used, struct cn_diag *diag)
{
    if (!used && value != 0)
        return layer_fault(layer, diag, CN_E_CONFIG, "'%s' does not belong to this kind of layer",
                           name);
    if (used && (value < 1 || value > MODEL_SIZE_MAX))
        return layer_fault(layer, diag, CN_E_CONFIG, "'%s' must be 1 to %u but is %u", name,
                           MODEL_SIZE_MAX, value);
    return CN_OK;
}

/* The same for a number between 0 and 1; where it may be left out, it is 0 then. */
static enum cn_err check_share(const struct layer *layer, const char *name, double value, bool used,
                               struct cn_diag *diag)
{
    if (!used && value != 0.0)
        return layer_fault(layer, diag, CN_E_CONFIG, "'%s' does not belong to this kind of layer",
                           name);
    if (used && !(value > 0.0 && value < 1.0))
        return layer_fault(layer, diag, CN_E_CONFIG, "'%s' must be above 0 and below 1 but is %g",
                           name, value);
    return CN_OK;
}

static enum cn_err check_spec(const struct layer *layer, struct cn_diag *diag)
{
    const struct layer_spec *spec = &layer->spec;
    const struct layer_ops *ops = layer->ops;

    CN_TRY(check_number(layer, "units", spec->units, ops->uses_units, diag));
    CN_TRY(check_number(layer, "filters", spec->filters, ops->uses_filters, diag));
    CN_TRY(check_number(layer, "kernel", spec->kernel, ops->uses_window, diag));
    if (spec->stride)
        CN_TRY(check_number(layer, "stride", spec->stride, ops->uses_window, diag));
    if (spec->padding)
        CN_TRY(check_number(layer, "padding", spec->padding, ops->uses_padding, diag));
    if (spec->groups)
        CN_TRY(check_number(layer, "groups", spec->groups, ops->may_use_groups, diag));
    CN_TRY(check_number(layer, "from", spec->from, ops->uses_from, diag));
    if (spec->slope != 0.0)
        CN_TRY(check_share(layer, "slope", spec->slope, ops->uses_slope, diag));
    CN_TRY(check_share(layer, "rate", spec->rate, ops->uses_rate, diag));
    if (spec->kernel > MODEL_KERNEL_MAX)
        return layer_fault(layer, diag, CN_E_CONFIG, "'kernel' must be 1 to %u but is %u",
                           MODEL_KERNEL_MAX, spec->kernel);
    return CN_OK;
}

static void add_tensor(struct model *model, const struct layer *layer, const char *part,
                       const struct model_tensor *tensor)
{
    char *name = model->names[model->tensor_count];
    struct model_tensor *place = &model->tensors[model->tensor_count++];

    snprintf(name, MODEL_NAME_MAX, "%u.%s.%s", layer->index, layer->ops->name, part);
    *place = *tensor;
    place->name = name;
    place->offset = model->d;
    model->d += place->count;
}

static void add_tensors(struct model *model, struct layer *layer)
{
    struct model_tensor weight = {.rank = layer->ops->rank, .count = layer->weight_count};
    struct model_tensor bias = {.rank = 1, .count = layer->bias_count};

    if (layer->weight_count == 0)
        return;
    weight.shape[0] = bias.shape[0] = layer->out.channels;
    if (weight.rank > 1)
        weight.shape[1] = layer->in.channels / (layer->spec.groups ? layer->spec.groups : 1);
    if (weight.rank > 2)
        weight.shape[2] = weight.shape[3] = layer->spec.kernel;
    layer->weight = model->d;
    add_tensor(model, layer, "weight", &weight);
    layer->bias = model->d;
    if (layer->bias_count)
        add_tensor(model, layer, "bias", &bias);
    if (model->first > layer->index)
        model->first = layer->index;
}

static enum cn_err infer_layer(struct model *model, struct layer *layer, struct cn_diag *diag)
{
    char in[SHAPE_TEXT_MAX], out[SHAPE_TEXT_MAX];

    layer->ops = layer_ops_of(layer->spec.kind);
    if (!layer->ops)
        return layer_fault(layer, diag, CN_E_CONFIG, "no such kind of layer");
    CN_TRY(check_spec(layer, diag));
    if (layer->spec.kind == LAYER_CONV2D && layer->spec.groups > 1)
        layer->ops = &conv2d_groups_ops;
    model->draws = model->draws || layer->ops->draws;
    CN_TRY(layer->ops->infer(layer, diag));
    if ((uint64_t)layer->out.channels * layer->out.height * layer->out.width > MODEL_FEATURES_MAX)
        return layer_fault(
            layer, diag, CN_E_TOO_LARGE, "input %s gives output %s, more than %" PRIu64 " values",
            shape_text(layer->in, in), shape_text(layer->out, out), MODEL_FEATURES_MAX);
    if (layer->weight_count + layer->bias_count > MODEL_PARAMS_MAX - model->d)
        return layer_fault(layer, diag, CN_E_TOO_LARGE,
                           "with it the model has more than %zu parameters", MODEL_PARAMS_MAX);
    add_tensors(model, layer);
    return CN_OK;
}

static enum cn_err infer_input(struct model *model, const struct model_spec *spec,
                               struct cn_diag *diag)
{
    uint64_t pixels = (uint64_t)spec->height * spec->width;

    if (spec->channels < 1 || pixels < 1 || spec->channels > MODEL_SIZE_MAX ||
        pixels > MODEL_FEATURES_MAX / spec->channels) {
        cn_diag_set(diag, NULL, 0, 0,
                    "the model's input is %ux%ux%u; each size must be at least 1 and all together "
                    "at most %" PRIu64 " values",
                    spec->channels, spec->height, spec->width, MODEL_FEATURES_MAX);
        return CN_E_CONFIG;
    }
    model->in = (struct shape){spec->channels, spec->height, spec->width};
    if (spec->channels == 1 && spec->height == 1)
        model->in = (struct shape){spec->width, 1, 1}; /* a row of a table is a flat vector */
    return CN_OK;
}

static enum cn_err infer(struct model *model, const struct model_spec *spec, struct cn_diag *diag)
{
    struct shape shape;

    if (spec->layer_count < 1 || spec->layer_count > MODEL_LAYERS_MAX) {
        cn_diag_set(diag, NULL, 0, 0, "a model has 1 to %u layers but this one has %u",
                    MODEL_LAYERS_MAX, spec->layer_count);
        return CN_E_CONFIG;
    }
    CN_TRY(infer_input(model, spec, diag));
    model->layer_count = model->first = spec->layer_count;
    shape = model->in;
    for (uint32_t i = 0; i < spec->layer_count; i++) {
        struct layer *layer = &model->layers[i];

        *layer = (struct layer){.spec = spec->layers[i], .index = i, .in = shape};
        CN_TRY(infer_layer(model, layer, diag));
        shape = layer->out;
    }
    return CN_OK;
}

/* The last layer's output is a flat vector of logits, and something in the model learns. */
static enum cn_err check_ends(const struct model *model, struct cn_diag *diag)
{
    const struct layer *last = &model->layers[model->layer_count - 1];
    char text[SHAPE_TEXT_MAX];

    if (!shape_is_flat(last->out)) {
        cn_diag_hint(diag, "end with flatten and a dense layer of one unit per class");
        return layer_fault(last, diag, CN_E_SHAPE,
                           "the last layer must give a flat vector but its output is %s",
                           shape_text(last->out, text));
    }
    if (model->d == 0) {
        cn_diag_hint(diag, "add a dense or a conv2d layer");
        return layer_fault(last, diag, CN_E_CONFIG, "no layer up to here has weights to train");
    }
    return CN_OK;
}

/* Floats that one example fills: activations, gradients, kept gradients of small convolutions. */
static size_t floats_per_example(const struct model *model)
{
    size_t count = shape_count(model->in);

    for (uint32_t i = 0; i < model->layer_count; i++) {
        const struct layer *layer = &model->layers[i];

        if (!layer->ops->in_place)
            count += 2 * shape_count(layer->out);
        if (layer->spec.kind == LAYER_CONV2D && layer->weight_count < BATCH_AUTO_FLOATS / 16)
            count += layer->weight_count;
    }
    return count;
}

static uint32_t batch_auto(const struct model *model)
{
    size_t batch = BATCH_AUTO_FLOATS / floats_per_example(model) / 4 * 4;

    if (batch < BATCH_AUTO_MIN)
        return BATCH_AUTO_MIN;
    return batch > BATCH_AUTO_MAX ? BATCH_AUTO_MAX : (uint32_t)batch;
}

/* Gives the layer its buffers; its x and dx are the y and dy of the layer before. */
static enum cn_err plan_layer(struct model *model, struct layer *layer, const struct layer *before)
{
    size_t out = shape_count(layer->out);
    bool in_place = layer->ops->in_place && before && !before->ops->needs_output && !before->shared;

    layer->x = before ? before->y : layer->x;
    layer->dx = before ? before->dy : NULL;
    layer->y = layer->x;
    if (!in_place)
        CN_TRY(model_floats(model, &layer->y, model->batch_max, out));
    layer->dy = layer->dx;
    if (layer->index < model->first)
        layer->dx = layer->dy = NULL;
    else if (!in_place || !layer->dx)
        CN_TRY(model_floats(model, &layer->dy, model->batch_max, out));
    if (layer->index <= model->first)
        layer->dx = NULL;
    return layer->ops->plan ? layer->ops->plan(layer, model) : CN_OK;
}

static enum cn_err plan(struct model *model)
{
    CN_TRY(model_shared_floats(model, &model->weights, model->d, 1));
    CN_TRY(model_floats(model, &model->factors, model->batch_max, 1));
    CN_TRY(model_floats(model, &model->layers[0].x, model->batch_max, shape_count(model->in)));
    model->squares = cn_arena_alloc(&model->arena, model->batch_max, sizeof *model->squares);
    model->keys = cn_arena_alloc(&model->arena, model->batch_max, sizeof *model->keys);
    if (!model->squares || !model->keys)
        return CN_E_NOMEM;
    for (uint32_t i = 0; i < model->layer_count; i++)
        CN_TRY(plan_layer(model, &model->layers[i], i ? &model->layers[i - 1] : NULL));
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
    CN_TRY_OUT(err, infer(model, spec, diag));
    CN_TRY_OUT(err, check_ends(model, diag));
    model->batch_max = batch_max == MODEL_BATCH_AUTO ? batch_auto(model) : batch_max;
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

void model_init_weights(struct model *model, const struct cn_random *random)
{
    for (uint32_t i = 0; i < model->layer_count; i++) {
        const struct layer *layer = &model->layers[i];
        float *weights = model->weights + layer->weight;
        double bound;

        if (layer->weight_count == 0)
            continue;
        if (layer->ops->starts_even) {
            for (size_t j = 0; j < layer->weight_count + layer->bias_count; j++)
                weights[j] = j < layer->weight_count ? 1.0f : 0.0f;
            continue;
        }
        bound = 1.0 / sqrt((double)(layer->weight_count / layer->bias_count));
        for (size_t j = 0; j < layer->weight_count + layer->bias_count; j++)
            weights[j] = (float)((2.0 * cn_random_unit(random) - 1.0) * bound);
    }
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
    float *out = model->layers[0].x + b * count;

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
    size_t outputs = model_outputs(model), features = model_features(model);

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
    uint32_t outputs = model_outputs(model);

    model_forward(model, probabilities, x, n);
    for (size_t i = 0; i < n; i++)
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
    else if (layer->ops->uses_from)
        snprintf(how, sizeof how, " from layer %u", layer->spec.from);
    else if (layer->ops->uses_slope || layer->ops->uses_rate)
        snprintf(how, sizeof how, " %g", layer->spec.slope + layer->spec.rate);
    if (layer->weight_count)
        snprintf(params, sizeof params, ", %zu parameters",
                 layer->weight_count + layer->bias_count);
    snprintf(out, MODEL_LAYER_TEXT_MAX, "%s%s%s: %s -> %s%s", layer->ops->name, how, padding,
             shape_text(layer->in, in), shape_text(layer->out, to), params);
    return out;
}
