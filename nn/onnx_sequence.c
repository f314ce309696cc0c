/* SPDX-License-Identifier: Apache-2.0 */
/* What layers of sequences become in ONNX. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn/onnx_internal.h"

#define MASKED 1e9f /* taken from scores that count nothing: e^-1e9 is 0 */

static struct onnx_attribute one(const char *name, int64_t number)
{
    return (struct onnx_attribute){.name = name, .kind = ONNX_INT, .ints = {number}};
}

static onnx_value embedding(struct onnx *onnx, const struct layer *layer, onnx_value x)
{
    const uint32_t c = layer->out.channels, rows = (uint32_t)(layer->weight_count / c);
    onnx_value table = onnx_floats(onnx, onnx_weights(onnx, layer), (uint32_t[]){rows, c}, 2);

    return onnx_from_steps(onnx, onnx_two(onnx, "Gather", table, x), layer->out);
}

static onnx_value position(struct onnx *onnx, const struct layer *layer, onnx_value x)
{
    const uint32_t dims[] = {layer->in.width, layer->in.channels};
    const float *table = layer->spec.learned ? onnx_weights(onnx, layer) : layer->state;

    x = onnx_to_steps(onnx, x, layer->in);
    return onnx_from_steps(onnx, onnx_two(onnx, "Add", x, onnx_floats(onnx, table, dims, 2)),
                           layer->in);
}

static onnx_value slice_values(struct onnx *onnx, onnx_value x, uint32_t start, uint32_t length,
                               int64_t axis)
{
    onnx_value inputs[4] = {x};

    inputs[1] = onnx_ints(onnx, (int64_t[]){start}, 1);
    inputs[2] = onnx_ints(onnx, (int64_t[]){(int64_t)start + length}, 1);
    inputs[3] = onnx_ints(onnx, &axis, 1);
    return onnx_node_at(onnx, "Slice", inputs, 4, NULL, 0);
}

static onnx_value slice(struct onnx *onnx, const struct layer *layer, onnx_value x)
{
    if (layer->vocabulary) /* tokens stay [batch, T], however many */
        return slice_values(onnx, x, layer->spec.start, layer->spec.length, 1);
    x = onnx_to_steps(onnx, x, layer->in);
    x = slice_values(onnx, x, layer->spec.start, layer->spec.length, 1);
    return onnx_from_steps(onnx, x, layer->out);
}

/* ---- recurrent ---- */

/* PyTorch's gates i f g o and r z n in ONNX's order i o f c and z r h. */
static const uint32_t LSTM_ORDER[] = {0, 3, 1, 2}, GRU_ORDER[] = {1, 0, 2};

struct gates {
    const uint32_t *order;
    uint32_t count;
};

/* Copies blocks [count] of `block` floats in the other order; returns where it ended. */
static float *reorder(float *out, const float *in, struct gates gates, size_t block)
{
    for (uint32_t i = 0; i < gates.count; i++)
        memcpy(out + i * block, in + gates.order[i] * block, block * sizeof *out);
    return out + gates.count * block;
}

/* inputs: W [1, G H, I], R [1, G H, H], B [1, 2 G H] */
static bool recurrent_weights(struct onnx *onnx, const struct layer *layer, struct gates gates,
                              onnx_value inputs[3])
{
    const uint32_t in = layer->in.channels, h = layer->spec.units, rows = gates.count * h;
    const float *w = onnx_weights(onnx, layer), *own = w + (size_t)rows * in;
    const float *bias = own + (size_t)rows * h;
    float *turned = malloc((size_t)rows * (in > h ? in : h) * sizeof *turned + 2 * sizeof *turned);

    if (!turned)
        return false;
    reorder(turned, w, gates, (size_t)h * in);
    inputs[0] = onnx_floats(onnx, turned, (uint32_t[]){1, rows, in}, 3);
    reorder(turned, own, gates, (size_t)h * h);
    inputs[1] = onnx_floats(onnx, turned, (uint32_t[]){1, rows, h}, 3);
    free(turned);
    turned = malloc((size_t)rows * 2 * sizeof *turned);
    if (!turned)
        return false;
    reorder(reorder(turned, bias, gates, h), bias + rows, gates, h);
    inputs[2] = onnx_floats(onnx, turned, (uint32_t[]){1, 2 * rows}, 2);
    free(turned);
    return true;
}

static onnx_value recurrent(struct onnx *onnx, const struct layer *layer, onnx_value x)
{
    static const int64_t time_first[] = {1, 0, 2}, batch_first[] = {2, 0, 1, 3};
    const bool gru = layer->spec.kind == LAYER_GRU;
    const uint32_t h = layer->spec.units;
    const struct gates gates = gru ? (struct gates){GRU_ORDER, 3} : (struct gates){LSTM_ORDER, 4};
    const struct onnx_attribute attributes[] = {one("hidden_size", h),
                                                gru ? one("linear_before_reset", 1)
                                                    : (struct onnx_attribute){0},
                                                {0}};
    onnx_value inputs[4];

    if (!recurrent_weights(onnx, layer, gates, inputs + 1))
        return ONNX_NONE;
    x = onnx_to_steps(onnx, x, layer->in);
    inputs[0] = onnx_transpose(onnx, x, time_first, 3);
    x = onnx_node_at(onnx, gru ? "GRU" : "LSTM", inputs, 4, attributes,
                     layer->spec.sequence ? 0 : 1);
    if (!layer->spec.sequence) { /* Y_h [1, batch, H] */
        x = onnx_transpose(onnx, x, time_first, 3);
        return onnx_reshape(onnx, x, (int64_t[]){0, h}, 2);
    }
    x = onnx_transpose(onnx, x, batch_first, 4); /* Y [T, 1, batch, H] to [batch, T, 1, H] */
    x = onnx_reshape(onnx, x, (int64_t[]){0, layer->in.width, h}, 3);
    return onnx_from_steps(onnx, x, layer->out);
}

/* ---- attention ---- */

/* Rows [from, from + C) of in_weight and in_bias on [batch, T, C], cut into heads: [batch, heads,
 * T, D], or with keys [batch, heads, D, T]. */
static onnx_value heads_of(struct onnx *onnx, const struct layer *layer, onnx_value x,
                           uint32_t part, bool keys)
{
    static const int64_t plain[] = {0, 2, 1, 3}, turned[] = {0, 2, 3, 1};
    const uint32_t c = layer->in.channels, heads = layer->spec.heads;
    const float *w = onnx_weights(onnx, layer), *bias = w + layer->weight_count;

    x = onnx_two(onnx, "MatMul", x, onnx_turned(onnx, w + (size_t)part * c * c, c, c));
    x = onnx_two(onnx, "Add", x, onnx_floats(onnx, bias + (size_t)part * c, &c, 1));
    x = onnx_reshape(onnx, x, (int64_t[]){0, 0, heads, c / heads}, 4);
    return onnx_transpose(onnx, x, keys ? turned : plain, 4);
}

/* 1 where a step may see another and 0 where not, to be broadcast over [batch, heads, T, S];
 * ONNX_NONE where all see all, or with short set when memory is. */
static onnx_value visible(struct onnx *onnx, const struct layer *layer, bool *is_short)
{
    const uint32_t steps = layer->in.width;
    const int64_t shape[] = {0, 1, 1, -1};
    onnx_value seen = ONNX_NONE, before;
    float *mask;

    if (layer->spec.mask_padding) {
        const struct onnx_attribute to_float[] = {one("to", 1), {0}};

        seen = onnx_two(onnx, "Equal", onnx->places[layer->keys_of],
                        onnx_ints(onnx, (int64_t[]){0}, 1));
        seen = onnx_one(onnx, "Not", seen);
        seen = onnx_node_at(onnx, "Cast", &seen, 1, to_float, 0);
        seen = onnx_reshape(onnx, seen, shape, 4);
    }
    if (!layer->spec.causal)
        return seen;
    mask = calloc((size_t)steps * steps, sizeof *mask);
    *is_short = !mask;
    if (!mask)
        return ONNX_NONE;
    for (uint32_t t = 0; t < steps; t++)
        for (uint32_t s = 0; s <= t; s++)
            mask[(size_t)t * steps + s] = 1.0f;
    before = onnx_floats(onnx, mask, (uint32_t[]){steps, steps}, 2);
    free(mask);
    return seen == ONNX_NONE ? before : onnx_two(onnx, "Mul", seen, before);
}

/* softmax over what is visible; where nothing is, zeros */
static onnx_value shares_of(struct onnx *onnx, onnx_value scores, onnx_value seen)
{
    const struct onnx_attribute last[] = {one("axis", -1), {0}};
    onnx_value gone;

    if (seen == ONNX_NONE)
        return onnx_node_at(onnx, "Softmax", &scores, 1, last, 0);
    gone = onnx_two(onnx, "Sub", seen, onnx_real(onnx, 1.0f));
    gone = onnx_two(onnx, "Mul", gone, onnx_real(onnx, MASKED));
    scores = onnx_two(onnx, "Add", scores, gone);
    scores = onnx_node_at(onnx, "Softmax", &scores, 1, last, 0);
    return onnx_two(onnx, "Mul", scores, seen);
}

static onnx_value attention(struct onnx *onnx, const struct layer *layer, onnx_value x)
{
    static const int64_t back[] = {0, 2, 1, 3};
    const uint32_t c = layer->in.channels;
    const float *w = onnx_weights(onnx, layer), *out = w + (size_t)3 * c * c;
    const float scale = 1.0f / sqrtf((float)(c / layer->spec.heads));
    onnx_value memory, scores, seen;
    bool is_short = false;

    x = onnx_to_steps(onnx, x, layer->in);
    memory = layer->other == LAYER_NONE
                 ? x
                 : onnx_to_steps(onnx, onnx->places[layer->other], layer->in_other);
    seen = visible(onnx, layer, &is_short);
    if (is_short)
        return ONNX_NONE;
    scores = onnx_two(onnx, "MatMul", heads_of(onnx, layer, x, 0, false),
                      heads_of(onnx, layer, memory, 1, true));
    scores = onnx_two(onnx, "Mul", scores, onnx_real(onnx, scale));
    x = onnx_two(onnx, "MatMul", shares_of(onnx, scores, seen),
                 heads_of(onnx, layer, memory, 2, false));
    x = onnx_transpose(onnx, x, back, 4);
    x = onnx_reshape(onnx, x, (int64_t[]){0, 0, c}, 3);
    x = onnx_two(onnx, "MatMul", x, onnx_turned(onnx, out, c, c));
    x = onnx_two(onnx, "Add", x, onnx_floats(onnx, w + layer->weight_count + (size_t)3 * c, &c, 1));
    return onnx_from_steps(onnx, x, layer->out);
}

onnx_value onnx_sequence_layer(struct onnx *onnx, const struct layer *layer, onnx_value x)
{
    switch (layer->spec.kind) {
    case LAYER_EMBEDDING:
        return embedding(onnx, layer, x);
    case LAYER_POSITION:
        return position(onnx, layer, x);
    case LAYER_SLICE:
        return slice(onnx, layer, x);
    case LAYER_LSTM:
    case LAYER_GRU:
        return recurrent(onnx, layer, x);
    case LAYER_ATTENTION:
        return attention(onnx, layer, x);
    default:
        return ONNX_NONE;
    }
}
