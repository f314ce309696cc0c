/* SPDX-License-Identifier: Apache-2.0 */
/* What layers of values become in ONNX. Kinds that ONNX lacks at opset 13 are made of smaller
 * nodes. */
#include <math.h>

#include "nn/onnx_internal.h"

#define NORM_EPSILON 1e-5f

static struct onnx_attribute four(const char *name, uint32_t number)
{
    return (struct onnx_attribute){
        .name = name, .kind = ONNX_INTS, .ints = {number, number, number, number}, .count = 4};
}

static struct onnx_attribute two(const char *name, uint32_t number)
{
    return (struct onnx_attribute){
        .name = name, .kind = ONNX_INTS, .ints = {number, number}, .count = 2};
}

static struct onnx_attribute one(const char *name, int64_t number)
{
    return (struct onnx_attribute){.name = name, .kind = ONNX_INT, .ints = {number}};
}

static onnx_value dense(struct onnx *onnx, const struct layer *layer, onnx_value x)
{
    const struct onnx_attribute attributes[] = {one("transB", 1), {0}};
    const uint32_t units = layer->out.channels, in = layer->in.channels;
    const float *w = onnx_weights(onnx, layer);
    onnx_value inputs[3] = {x};

    if (layer->in.width > 1) {
        x = onnx_two(onnx, "MatMul", x, onnx_turned(onnx, w, units, in));
        return onnx_two(onnx, "Add", x, onnx_floats(onnx, w + layer->weight_count, &units, 1));
    }
    inputs[1] = onnx_floats(onnx, w, (uint32_t[]){units, in}, 2);
    inputs[2] = onnx_floats(onnx, w + layer->weight_count, &units, 1);
    return onnx_node_at(onnx, "Gemm", inputs, 3, attributes, 0);
}

static onnx_value conv2d(struct onnx *onnx, const struct layer *layer, onnx_value x)
{
    const struct layer_spec *spec = &layer->spec;
    const uint32_t groups = spec->groups ? spec->groups : 1, filters = layer->out.channels;
    const uint32_t dims[] = {filters, layer->in.channels / groups, spec->kernel, spec->kernel};
    const struct onnx_attribute attributes[] = {two("kernel_shape", spec->kernel),
                                                two("strides", spec->stride),
                                                four("pads", spec->padding),
                                                one("group", groups),
                                                {0}};
    const float *w = onnx_weights(onnx, layer);
    onnx_value inputs[3];

    inputs[0] = onnx_to_image(onnx, x, layer->in);
    inputs[1] = onnx_floats(onnx, w, dims, 4);
    inputs[2] = onnx_floats(onnx, w + layer->weight_count, &filters, 1);
    return onnx_from_image(onnx, onnx_node_at(onnx, "Conv", inputs, 3, attributes, 0), layer->out);
}

static onnx_value pool(struct onnx *onnx, const struct layer *layer, onnx_value x, const char *kind)
{
    const struct onnx_attribute attributes[] = {two("kernel_shape", layer->spec.kernel),
                                                two("strides", layer->spec.stride),
                                                four("pads", layer->spec.padding),
                                                layer->spec.kind == LAYER_AVERAGE_POOL
                                                    ? one("count_include_pad", 1)
                                                    : (struct onnx_attribute){0},
                                                {0}};

    x = onnx_to_image(onnx, x, layer->in);
    return onnx_from_image(onnx, onnx_node_at(onnx, kind, &x, 1, attributes, 0), layer->out);
}

static onnx_value global_pool(struct onnx *onnx, const struct layer *layer, onnx_value x,
                              const char *kind)
{
    x = onnx_to_image(onnx, x, layer->in);
    return onnx_from_image(onnx, onnx_one(onnx, kind, x), layer->out);
}

static onnx_value flatten(struct onnx *onnx, const struct layer *layer, onnx_value x)
{
    x = onnx_to_image(onnx, x, layer->in);
    return onnx_reshape(onnx, x, (int64_t[]){0, layer->out.channels}, 2);
}

static onnx_value leaky_relu(struct onnx *onnx, const struct layer *layer, onnx_value x)
{
    const struct onnx_attribute attributes[] = {
        {.name = "alpha", .kind = ONNX_REAL, .real = (float)layer->spec.slope}, {0}};

    return onnx_node_at(onnx, "LeakyRelu", &x, 1, attributes, 0);
}

/* x / 2 (1 + erf(x / sqrt 2)) */
static onnx_value gelu(struct onnx *onnx, onnx_value x)
{
    onnx_value y = onnx_two(onnx, "Mul", x, onnx_real(onnx, (float)M_SQRT1_2));

    y = onnx_two(onnx, "Add", onnx_one(onnx, "Erf", y), onnx_real(onnx, 1.0f));
    return onnx_two(onnx, "Mul", y, onnx_two(onnx, "Mul", x, onnx_real(onnx, 0.5f)));
}

/* Channels behind everything else, and back: for what works on the channels of each place. */
static onnx_value channels_last(struct onnx *onnx, const struct layer *layer, onnx_value x)
{
    static const int64_t order[] = {0, 2, 3, 1};

    return layer->in.height > 1 ? onnx_transpose(onnx, x, order, 4) : x;
}

static onnx_value channels_first(struct onnx *onnx, const struct layer *layer, onnx_value x)
{
    static const int64_t order[] = {0, 3, 1, 2};

    return layer->in.height > 1 ? onnx_transpose(onnx, x, order, 4) : x;
}

static onnx_value softmax(struct onnx *onnx, const struct layer *layer, onnx_value x)
{
    const struct onnx_attribute attributes[] = {one("axis", -1), {0}};

    x = channels_last(onnx, layer, x);
    x = onnx_node_at(onnx, "Softmax", &x, 1, attributes, 0);
    return channels_first(onnx, layer, x);
}

static onnx_value last_mean(struct onnx *onnx, onnx_value x)
{
    const struct onnx_attribute attributes[] = {
        {.name = "axes", .kind = ONNX_INTS, .ints = {-1}, .count = 1}, one("keepdims", 1), {0}};

    return onnx_node_at(onnx, "ReduceMean", &x, 1, attributes, 0);
}

/* layer_norm, and rms_norm without mean and bias */
static onnx_value norm(struct onnx *onnx, const struct layer *layer, onnx_value x)
{
    const float *w = onnx_weights(onnx, layer);
    onnx_value scale;

    x = channels_last(onnx, layer, x);
    if (layer->spec.kind == LAYER_LAYER_NORM)
        x = onnx_two(onnx, "Sub", x, last_mean(onnx, x));
    scale = last_mean(onnx, onnx_two(onnx, "Mul", x, x));
    scale = onnx_two(onnx, "Add", scale, onnx_real(onnx, NORM_EPSILON));
    x = onnx_two(onnx, "Div", x, onnx_one(onnx, "Sqrt", scale));
    x = onnx_two(onnx, "Mul", x, onnx_floats(onnx, w, &layer->in.channels, 1));
    if (layer->bias_count)
        x = onnx_two(onnx, "Add", x,
                     onnx_floats(onnx, w + layer->weight_count, &layer->in.channels, 1));
    return channels_first(onnx, layer, x);
}

static onnx_value group_norm(struct onnx *onnx, const struct layer *layer, onnx_value x)
{
    const struct shape in = layer->in;
    const uint32_t groups = layer->spec.groups, per_channel[] = {in.channels, 1, 1};
    const struct onnx_attribute attributes[] = {
        {.name = "epsilon", .kind = ONNX_REAL, .real = NORM_EPSILON}, {0}};
    const float *w = onnx_weights(onnx, layer);
    float ones[MODEL_SIZE_MAX / 16], zeros[MODEL_SIZE_MAX / 16];
    onnx_value inputs[3];

    if (groups > MODEL_SIZE_MAX / 16)
        return ONNX_NONE;
    for (uint32_t i = 0; i < groups; i++) {
        ones[i] = 1.0f;
        zeros[i] = 0.0f;
    }
    x = onnx_to_image(onnx, x, in);
    inputs[0] = onnx_reshape(onnx, x, (int64_t[]){0, groups, -1}, 3);
    inputs[1] = onnx_floats(onnx, ones, &groups, 1);
    inputs[2] = onnx_floats(onnx, zeros, &groups, 1);
    x = onnx_node_at(onnx, "InstanceNormalization", inputs, 3, attributes, 0);
    x = onnx_reshape(onnx, x, (int64_t[]){0, in.channels, in.height, in.width}, 4);
    x = onnx_two(onnx, "Mul", x, onnx_floats(onnx, w, per_channel, 3));
    x = onnx_two(onnx, "Add", x, onnx_floats(onnx, w + layer->weight_count, per_channel, 3));
    return onnx_from_image(onnx, x, in);
}

onnx_value onnx_layer(struct onnx *onnx, const struct layer *layer, onnx_value x)
{
    switch (layer->spec.kind) {
    case LAYER_DENSE:
        return dense(onnx, layer, x);
    case LAYER_CONV2D:
        return conv2d(onnx, layer, x);
    case LAYER_MAX_POOL:
        return pool(onnx, layer, x, "MaxPool");
    case LAYER_AVERAGE_POOL:
        return pool(onnx, layer, x, "AveragePool");
    case LAYER_GLOBAL_AVERAGE_POOL:
        return global_pool(onnx, layer, x, "GlobalAveragePool");
    case LAYER_GLOBAL_MAX_POOL:
        return global_pool(onnx, layer, x, "GlobalMaxPool");
    case LAYER_RELU:
        return onnx_one(onnx, "Relu", x);
    case LAYER_TANH:
        return onnx_one(onnx, "Tanh", x);
    case LAYER_SIGMOID:
        return onnx_one(onnx, "Sigmoid", x);
    case LAYER_SILU:
        return onnx_two(onnx, "Mul", x, onnx_one(onnx, "Sigmoid", x));
    case LAYER_GELU:
        return gelu(onnx, x);
    case LAYER_LEAKY_RELU:
        return leaky_relu(onnx, layer, x);
    case LAYER_SOFTMAX:
        return softmax(onnx, layer, x);
    case LAYER_FLATTEN:
        return flatten(onnx, layer, x);
    case LAYER_DROPOUT:
        return x;
    case LAYER_LAYER_NORM:
    case LAYER_RMS_NORM:
        return norm(onnx, layer, x);
    case LAYER_GROUP_NORM:
        return group_norm(onnx, layer, x);
    case LAYER_RESIDUAL:
        return onnx_two(onnx, "Add", x, onnx->places[layer->other]);
    default:
        return onnx_sequence_layer(onnx, layer, x);
    }
}
