/* SPDX-License-Identifier: Apache-2.0 */
/* From a specification to layers with shapes: checks, names, what reads what, tensors. */
#include <ctype.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/model_internal.h"

/* What a micro-batch may fill when model_new chooses: it stays in a core's second-level cache. */
#define BATCH_AUTO_FLOATS ((size_t)384 * 1024)
#define BATCH_AUTO_MIN 8u
#define BATCH_AUTO_MAX 256u
/* Models whose single examples are large take fewer, so as not to fill the memory. */
#define BATCH_AUTO_FLOATS_MAX ((size_t)64 * 1024 * 1024)

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
    [LAYER_GLOBAL_MAX_POOL] = &global_max_pool_ops,
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
_Static_assert(LAYER_KIND_COUNT == 28, "every kind has its operations above");

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
    cn_diag_set(diag, NULL, layer->spec.line, 0, "layer %u (%s%s): %s", layer->number,
                layer_kind_name(layer->written), line, text);
    return err;
}

/* A number that the kind uses must be there, one that it does not use must not. */
static enum cn_err check_number(const struct layer *layer, const char *name, uint32_t value,
                                bool used, struct cn_diag *diag)
{
    if (!used && value != 0)
        return layer_fault(layer, diag, CN_E_CONFIG, "'%s' does not belong to this kind of layer",
                           name);
    if (used && value == 0)
        return layer_fault(layer, diag, CN_E_CONFIG, "'%s' is missing; it must be 1 to %u", name,
                           MODEL_SIZE_MAX);
    if (used && value > MODEL_SIZE_MAX)
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

/* Switches and numbers that only some kinds of layers of sequences know. */
static enum cn_err check_words(const struct layer *layer, struct cn_diag *diag)
{
    const struct layer_spec *spec = &layer->spec;
    const struct {
        const char *name;
        bool there;
        unsigned may;
    } words[] = {
        {"layers", spec->layers > 0, MAY_LAYERS},
        {"start", spec->start > 0, MAY_STEPS},
        {"sequence", spec->sequence, MAY_SEQUENCE},
        {"causal", spec->causal, MAY_CAUSAL},
        {"mask_padding", spec->mask_padding, MAY_MASK},
        {"pre_norm", spec->pre_norm, MAY_PRE_NORM},
        {"learned", spec->learned, MAY_LEARN},
        {"projection", spec->projection, MAY_PROJECT},
        {"memory", spec->memory[0] != '\0', MAY_MEMORY},
        {"activation", spec->activation != LAYER_UNKNOWN, MAY_ACTIVATION},
    };

    for (size_t i = 0; i < CN_COUNT(words); i++)
        if (words[i].there && !(layer->ops->may & words[i].may))
            return layer_fault(layer, diag, CN_E_CONFIG,
                               "'%s' does not belong to this kind of layer", words[i].name);
    CN_TRY(check_number(layer, "heads", spec->heads, layer->ops->may & MAY_HEADS, diag));
    CN_TRY(check_number(layer, "length", spec->length, layer->ops->may & MAY_STEPS, diag));
    if (layer->ops->may & MUST_MEMORY && !spec->memory[0])
        return layer_fault(layer, diag, CN_E_CONFIG, "'memory' must name an earlier layer");
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
    if (spec->from || !spec->source[0])
        CN_TRY(check_number(layer, "from", spec->from, ops->uses_from || spec->from, diag));
    if (spec->slope != 0.0)
        CN_TRY(check_share(layer, "slope", spec->slope, ops->uses_slope, diag));
    if (spec->rate != 0.0 || !(ops->may & MAY_RATE))
        CN_TRY(check_share(layer, "rate", spec->rate, ops->uses_rate || ops->may & MAY_RATE, diag));
    if (spec->kernel > MODEL_KERNEL_MAX)
        return layer_fault(layer, diag, CN_E_CONFIG, "'kernel' must be 1 to %u but is %u",
                           MODEL_KERNEL_MAX, spec->kernel);
    return check_words(layer, diag);
}

/* Names go "0.conv2d.weight" or, when the layer has a name, "0.NAME.conv2d.weight". */
static void add_tensor(struct model *model, const struct layer *layer,
                       const struct layer_tensor *tensor)
{
    char *name = model->names[model->tensor_count];
    struct model_tensor *place = &model->tensors[model->tensor_count++];
    char own[MODEL_LABEL_MAX]; /* a copy: the compiler can not know that names do not overlap */

    memcpy(own, layer->spec.name, sizeof own);
    snprintf(name, MODEL_NAME_MAX, "%u.%s%s%s.%s", layer->index, own, own[0] ? "." : "",
             layer->ops->name, tensor->part);
    *place = (struct model_tensor){.name = name, .rank = tensor->rank, .offset = model->d};
    place->count = 1;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        place->shape[i] = tensor->shape[i];
        place->count *= tensor->shape[i];
    }
    model->d += place->count;
}

static uint32_t default_tensors(const struct layer *layer, struct layer_tensor out[])
{
    const uint32_t groups = layer->spec.groups ? layer->spec.groups : 1;

    out[0] = (struct layer_tensor){
        "weight", layer->ops->rank, {layer->out.channels, layer->in.channels / groups}};
    if (layer->ops->rank > 2)
        out[0].shape[2] = out[0].shape[3] = layer->spec.kernel;
    out[1] = (struct layer_tensor){"bias", 1, {layer->out.channels}};
    return layer->bias_count ? 2 : 1;
}

static void add_tensors(struct model *model, struct layer *layer)
{
    struct layer_tensor tensors[LAYER_TENSORS_MAX];
    uint32_t count;

    if (layer->weight_count == 0)
        return;
    count =
        layer->ops->tensors ? layer->ops->tensors(layer, tensors) : default_tensors(layer, tensors);
    layer->weight = model->d;
    layer->bias = model->d + layer->weight_count;
    for (uint32_t i = 0; i < count; i++)
        add_tensor(model, layer, &tensors[i]);
    CN_ASSERT(model->d == layer->bias + layer->bias_count);
}

/* The place whose tokens the steps at a place belong to, or LAYER_NONE. */
static uint32_t tokens_at(const struct model *model, uint32_t place)
{
    if (place > 0)
        return model->layers[place - 1].tokens;
    return model->vocabulary ? 0 : LAYER_NONE;
}

/* What the steps of the output are steps of: the input's tokens, if there are as many. */
static uint32_t tokens_of_output(const struct model *model, const struct layer *layer)
{
    if (layer->vocabulary)
        return layer->index + 1;
    if (layer->out.width == layer->in.width && layer->out.height == layer->in.height)
        return tokens_at(model, layer->input);
    return LAYER_NONE;
}

static uint32_t vocabulary_at(const struct model *model, uint32_t place)
{
    return place ? model->layers[place - 1].vocabulary : model->vocabulary;
}

static enum cn_err infer_layer(struct model *model, struct layer *layer, struct cn_diag *diag)
{
    char in[SHAPE_TEXT_MAX], out[SHAPE_TEXT_MAX];

    CN_TRY(check_spec(layer, diag));
    layer->vocabulary = vocabulary_at(model, layer->input);
    if (layer->vocabulary && !(layer->ops->may & MAY_TOKENS)) {
        cn_diag_hint(diag, "put an embedding layer before it");
        return layer_fault(layer, diag, CN_E_SHAPE, "its input are numbers of tokens, not values");
    }
    if (layer->spec.kind == LAYER_CONV2D && layer->spec.groups > 1)
        layer->ops = &conv2d_groups_ops;
    if (layer->spec.kind == LAYER_DENSE && layer->in.height == 1 && layer->in.width > 1)
        layer->ops = &dense_sequence_ops;
    model->draws = model->draws || layer->ops->draws;
    layer->keys_of = tokens_at(model, layer->other == LAYER_NONE ? layer->input : layer->other);
    CN_TRY(layer->ops->infer(layer, diag));
    if ((uint64_t)layer->out.channels * layer->out.height * layer->out.width > MODEL_FEATURES_MAX)
        return layer_fault(
            layer, diag, CN_E_TOO_LARGE, "input %s gives output %s, more than %" PRIu64 " values",
            shape_text(layer->in, in), shape_text(layer->out, out), MODEL_FEATURES_MAX);
    if (layer->weight_count + layer->bias_count > MODEL_PARAMS_MAX - model->d)
        return layer_fault(layer, diag, CN_E_TOO_LARGE,
                           "with it the model has more than %zu parameters", MODEL_PARAMS_MAX);
    layer->tokens = tokens_of_output(model, layer);
    add_tensors(model, layer);
    return CN_OK;
}

enum cn_err model_append(struct model *model, const struct layer *written,
                         const struct layer_spec *spec, uint32_t input, uint32_t other,
                         struct cn_diag *diag)
{
    struct layer *layer = &model->layers[model->layer_count];

    if (model->layer_count == MODEL_LAYERS_MAX)
        return layer_fault(written, diag, CN_E_TOO_LARGE,
                           "with the layers of its blocks the model has more than %u",
                           MODEL_LAYERS_MAX);
    *layer = (struct layer){.spec = *spec,
                            .ops = layer_ops_of(spec->kind),
                            .index = model->layer_count,
                            .number = written->number,
                            .written = written->written,
                            .input = input,
                            .other = other,
                            .in = model_shape_at(model, input)};
    layer->spec.line = written->spec.line;
    memcpy(layer->spec.name, written->spec.name, sizeof layer->spec.name);
    if (input != layer->index && input > 0)
        model->layers[input - 1].shared = true;
    if (other != LAYER_NONE)
        layer->in_other = model_shape_at(model, other);
    if (other != LAYER_NONE && other > 0)
        model->layers[other - 1].shared = true;
    CN_TRY(infer_layer(model, layer, diag));
    model->layer_count++;
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
    if (spec->vocabulary > DATASET_VOCABULARY_MAX ||
        (spec->vocabulary && (spec->channels != 1 || spec->height != 1))) {
        cn_diag_set(diag, NULL, 0, 0,
                    "the model's input of tokens is one row of them, with a vocabulary of at most "
                    "%u, but is %ux%ux%u with one of %u",
                    DATASET_VOCABULARY_MAX, spec->channels, spec->height, spec->width,
                    spec->vocabulary);
        return CN_E_CONFIG;
    }
    model->vocabulary = spec->vocabulary;
    model->in = (struct shape){spec->channels, spec->height, spec->width};
    if (spec->channels == 1 && spec->height == 1 && !spec->vocabulary)
        model->in = (struct shape){spec->width, 1, 1}; /* a row of a table is a flat vector */
    return CN_OK;
}

/* Finds what text, or else number, means as an earlier layer. */
static enum cn_err find_place(uint32_t *place, const struct model *model,
                              const struct model_spec *spec, const struct layer *layer,
                              const char *key, struct cn_diag *diag)
{
    const char *text = strcmp(key, "from") == 0 ? layer->spec.source : layer->spec.memory;
    uint32_t number = strcmp(key, "from") == 0 ? layer->spec.from : 0;

    if (strcmp(text, MODEL_INPUT) == 0) {
        *place = 0;
        return CN_OK;
    }
    if (isdigit((unsigned char)text[0]))
        number = (uint32_t)strtoul(text, NULL, 10);
    for (uint32_t i = 0; text[0] && i + 1 < layer->number; i++)
        if (strcmp(spec->layers[i].name, text) == 0)
            number = i + 1;
    if (number >= 1 && number < layer->number) {
        *place = model->ends[number];
        return CN_OK;
    }
    if (text[0] && !isdigit((unsigned char)text[0]))
        return layer_fault(layer, diag, CN_E_CONFIG, "'%s' names '%s', which is no layer before it",
                           key, text);
    return layer_fault(layer, diag, CN_E_CONFIG,
                       "'%s' must be the number of a layer before it but is %u", key, number);
}

static bool is_terminated(const char text[MODEL_LABEL_MAX])
{
    return memchr(text, '\0', MODEL_LABEL_MAX) != NULL;
}

static enum cn_err check_name(const struct model_spec *spec, const struct layer *layer,
                              struct cn_diag *diag)
{
    const char *name = layer->spec.name;

    if (!is_terminated(name) || !is_terminated(layer->spec.source) ||
        !is_terminated(layer->spec.memory))
        return layer_fault(layer, diag, CN_E_CONFIG, "a name is longer than %u characters",
                           MODEL_LABEL_MAX - 1);
    if (name[0] == '\0')
        return CN_OK;
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-')
            return layer_fault(layer, diag, CN_E_CONFIG,
                               "'name' is made of letters, digits, '_' and '-'");
    if (!isalpha((unsigned char)name[0]) || strcmp(name, MODEL_INPUT) == 0)
        return layer_fault(layer, diag, CN_E_CONFIG,
                           "'name' starts with a letter and is not '" MODEL_INPUT "'");
    for (uint32_t i = 0; i + 1 < layer->number; i++)
        if (strcmp(spec->layers[i].name, name) == 0)
            return layer_fault(layer, diag, CN_E_CONFIG, "layer %u is called '%s' too", i + 1,
                               name);
    return CN_OK;
}

/* Makes of one specified layer the layers that it stands for. */
static enum cn_err infer_written(struct model *model, const struct model_spec *spec, uint32_t at,
                                 struct cn_diag *diag)
{
    struct layer written = {.spec = spec->layers[at],
                            .number = at + 1,
                            .written = spec->layers[at].kind,
                            .input = model->layer_count,
                            .other = LAYER_NONE};
    uint32_t place = 0;
    bool whole = false;

    written.ops = layer_ops_of(written.written);
    if (!written.ops)
        return layer_fault(&written, diag, CN_E_CONFIG, "no such kind of layer");
    CN_TRY(check_name(spec, &written, diag));
    CN_TRY(check_spec(&written, diag));
    if (written.spec.from || written.spec.source[0]) {
        CN_TRY(find_place(&place, model, spec, &written, "from", diag));
        *(written.ops->uses_from ? &written.other : &written.input) = place;
    }
    if (written.spec.memory[0])
        CN_TRY(find_place(&written.other, model, spec, &written, "memory", diag));
    written.in = model_shape_at(model, written.input);
    CN_TRY(block_expand(model, &written, &whole, diag));
    if (whole)
        CN_TRY(model_append(model, &written, &written.spec, written.input, written.other, diag));
    model->ends[at + 1] = model->layer_count;
    return CN_OK;
}

/* The last layer gives logits, once or for each step, and something in the model learns. */
static enum cn_err check_ends(struct model *model, struct cn_diag *diag)
{
    const struct layer *last = &model->layers[model->layer_count - 1];
    char text[SHAPE_TEXT_MAX];

    if (!shape_is_sequence(last->out) || last->vocabulary) {
        cn_diag_hint(diag, "end with flatten and a dense layer of one unit per class");
        return layer_fault(last, diag, CN_E_SHAPE,
                           "the last layer must give a flat vector but its output is %s",
                           shape_text(last->out, text));
    }
    if (model->d == 0) {
        cn_diag_hint(diag, "add a dense or a conv2d layer");
        return layer_fault(last, diag, CN_E_CONFIG, "no layer up to here has weights to train");
    }
    model->positions = last->out.width;
    return CN_OK;
}

static enum cn_err check_loss(struct model *model, const struct model_spec *spec,
                              struct cn_diag *diag)
{
    model->loss = spec->loss;
    if ((unsigned)spec->loss.kind >= LOSS_KIND_COUNT) {
        cn_diag_set(diag, NULL, 0, 0, "the model's loss is of no known kind");
        return CN_E_CONFIG;
    }
    if (!(spec->loss.delta >= 0.0) || spec->loss.delta > 1e30 ||
        (spec->loss.delta > 0.0 && spec->loss.kind != LOSS_HUBER)) {
        cn_diag_set(diag, NULL, 0, 0, "the loss's 'delta' is for huber, and positive, but is %g",
                    spec->loss.delta);
        return CN_E_CONFIG;
    }
    if (spec->loss.kind == LOSS_HUBER && spec->loss.delta <= 0.0)
        model->loss.delta = 1.0;
    return CN_OK;
}

enum cn_err model_infer(struct model *model, const struct model_spec *spec, struct cn_diag *diag)
{
    if (spec->layer_count < 1 || spec->layer_count > MODEL_LAYERS_MAX) {
        cn_diag_set(diag, NULL, 0, 0, "a model has 1 to %u layers but this one has %u",
                    MODEL_LAYERS_MAX, spec->layer_count);
        return CN_E_CONFIG;
    }
    CN_TRY(infer_input(model, spec, diag));
    CN_TRY(check_loss(model, spec, diag));
    for (uint32_t i = 0; i < spec->layer_count; i++)
        CN_TRY(infer_written(model, spec, i, diag));
    CN_TRY(check_ends(model, diag));
    model_reach(model);
    return CN_OK;
}

static bool reached_at(const struct model *model, uint32_t place)
{
    return place != LAYER_NONE && place > 0 && model->layers[place - 1].reached;
}

void model_reach(struct model *model)
{
    model->first = model->layer_count;
    model->learning = 0;
    for (uint32_t i = 0; i < model->layer_count; i++) {
        struct layer *layer = &model->layers[i];

        layer->learns = layer->weight_count > 0 && !layer->frozen;
        layer->reached =
            layer->learns || reached_at(model, layer->input) || reached_at(model, layer->other);
        model->learning += layer->learns;
        if (layer->learns && model->first > i)
            model->first = i;
    }
    for (uint32_t t = 0, i = 0; t < model->tensor_count; t++) {
        while (model->tensors[t].offset >= model->layers[i].bias + model->layers[i].bias_count)
            i++;
        model->tensors[t].frozen = model->layers[i].frozen;
    }
}

static bool matches(const struct layer *layer, const char *pattern)
{
    char number[16];

    snprintf(number, sizeof number, "%u", layer->number);
    return fnmatch(pattern, number, 0) == 0 ||
           (layer->spec.name[0] && fnmatch(pattern, layer->spec.name, 0) == 0);
}

enum cn_err model_freeze(struct model *model, const char *pattern, struct cn_diag *diag)
{
    uint32_t found = 0, left = 0;

    for (uint32_t i = 0; i < model->layer_count; i++) {
        const struct layer *layer = &model->layers[i];
        bool fits = layer->weight_count > 0 && matches(layer, pattern);

        found += fits;
        left += layer->weight_count > 0 && !layer->frozen && !fits;
    }
    if (found == 0) {
        cn_diag_set(diag, NULL, 0, 0, "no layer with weights is called or numbered '%s'", pattern);
        return CN_E_NOT_FOUND;
    }
    if (left == 0) {
        cn_diag_set(diag, NULL, 0, 0, "with '%s' frozen, nothing is left to learn", pattern);
        return CN_E_CONFIG;
    }
    for (uint32_t i = 0; i < model->layer_count; i++)
        model->layers[i].frozen |=
            model->layers[i].weight_count > 0 && matches(&model->layers[i], pattern);
    model_reach(model);
    return CN_OK;
}

void model_thaw(struct model *model)
{
    for (uint32_t i = 0; i < model->layer_count; i++)
        model->layers[i].frozen = false;
    model_reach(model);
}

void model_zero_frozen(const struct model *model, float *v)
{
    for (uint32_t i = 0; i < model->layer_count; i++) {
        const struct layer *layer = &model->layers[i];

        if (layer->frozen)
            memset(v + layer->weight, 0, (layer->weight_count + layer->bias_count) * sizeof *v);
    }
}

/* Floats that one example fills: activations, gradients, kept gradients of small convolutions. */
static size_t floats_per_example(const struct model *model)
{
    size_t count = shape_count(model->in);

    for (uint32_t i = 0; i < model->layer_count; i++) {
        const struct layer *layer = &model->layers[i];

        if (!layer->ops->in_place)
            count += 2 * shape_count(layer->out);
        if (layer->ops->floats)
            count += layer->ops->floats(layer);
        if (layer->spec.kind == LAYER_CONV2D && layer->weight_count < BATCH_AUTO_FLOATS / 16)
            count += layer->weight_count;
    }
    return count;
}

uint32_t model_batch_auto(const struct model *model)
{
    size_t batch = BATCH_AUTO_FLOATS / floats_per_example(model) / 4 * 4, least = BATCH_AUTO_MIN;

    for (uint32_t i = 0; i < model->layer_count; i++)
        if (model->layers[i].ops->batch_wish > least)
            least = model->layers[i].ops->batch_wish;
    while (least > 1 && least * floats_per_example(model) > BATCH_AUTO_FLOATS_MAX)
        least /= 2;
    if (batch < least)
        return (uint32_t)least;
    return batch > BATCH_AUTO_MAX ? BATCH_AUTO_MAX : (uint32_t)batch;
}
