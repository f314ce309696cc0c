/* SPDX-License-Identifier: Apache-2.0 */
/* Protobuf's bytes and the parts of a graph. Field numbers are those of onnx/onnx.proto. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/onnx_internal.h"

enum { WIRE_VARINT = 0, WIRE_BYTES = 2, WIRE_FLOAT = 5 };
enum { GRAPH_NODE = 1, GRAPH_INITIALIZER = 5 };
enum { NODE_INPUT = 1, NODE_OUTPUT, NODE_NAME, NODE_KIND, NODE_ATTRIBUTE };
enum {
    ATTRIBUTE_NAME = 1,
    ATTRIBUTE_FLOAT,
    ATTRIBUTE_INT,
    ATTRIBUTE_INTS = 8,
    ATTRIBUTE_TYPE = 20
};
enum { TYPE_FLOAT = 1, TYPE_INT = 2, TYPE_INTS = 7 };
enum { TENSOR_DIMS = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW = 9 };
enum { DATA_FLOAT = 1, DATA_INT64 = 7 };

void onnx_put_varint(struct cn_buf *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        cn_put_u8(out, (uint8_t)(value | 0x80));
    cn_put_u8(out, (uint8_t)value);
}

static void put_tag(struct cn_buf *out, uint32_t field, uint32_t wire)
{
    onnx_put_varint(out, (uint64_t)field << 3 | wire);
}

void onnx_put_number(struct cn_buf *out, uint32_t field, uint64_t value)
{
    put_tag(out, field, WIRE_VARINT);
    onnx_put_varint(out, value);
}

void onnx_put_bytes(struct cn_buf *out, uint32_t field, const void *bytes, size_t len)
{
    put_tag(out, field, WIRE_BYTES);
    onnx_put_varint(out, len);
    cn_put_bytes(out, bytes, len);
}

void onnx_put_text(struct cn_buf *out, uint32_t field, const char *text)
{
    onnx_put_bytes(out, field, text, strlen(text));
}

static void put_little(struct cn_buf *out, uint64_t bits, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        cn_put_u8(out, (uint8_t)(bits >> 8 * i));
}

static void put_float(struct cn_buf *out, float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    put_little(out, bits, sizeof bits);
}

static const char *value_name(char out[16], onnx_value value)
{
    if (value == ONNX_NONE)
        out[0] = '\0';
    else if (value == ONNX_INPUT)
        snprintf(out, 16, "input");
    else
        snprintf(out, 16, "t%u", value);
    return out;
}

static void put_value(struct cn_buf *out, uint32_t field, onnx_value value)
{
    char name[16];

    onnx_put_text(out, field, value_name(name, value));
}

static void put_attribute(struct onnx *onnx, const struct onnx_attribute *attribute)
{
    struct cn_buf *out = &onnx->inner;

    cn_buf_reset(out);
    onnx_put_text(out, ATTRIBUTE_NAME, attribute->name);
    if (attribute->kind == ONNX_REAL) {
        put_tag(out, ATTRIBUTE_FLOAT, WIRE_FLOAT);
        put_float(out, attribute->real);
        onnx_put_number(out, ATTRIBUTE_TYPE, TYPE_FLOAT);
    } else if (attribute->kind == ONNX_INT) {
        onnx_put_number(out, ATTRIBUTE_INT, (uint64_t)attribute->ints[0]);
        onnx_put_number(out, ATTRIBUTE_TYPE, TYPE_INT);
    } else {
        for (uint32_t i = 0; i < attribute->count; i++)
            onnx_put_number(out, ATTRIBUTE_INTS, (uint64_t)attribute->ints[i]);
        onnx_put_number(out, ATTRIBUTE_TYPE, TYPE_INTS);
    }
    onnx_put_bytes(&onnx->part, NODE_ATTRIBUTE, out->data, out->len);
}

onnx_value onnx_node_at(struct onnx *onnx, const char *kind, const onnx_value *inputs,
                        uint32_t count, const struct onnx_attribute *attributes, uint32_t output)
{
    const onnx_value value = onnx->next++;
    struct cn_buf *out = &onnx->part;
    char name[16];

    cn_buf_reset(out);
    for (uint32_t i = 0; i < count; i++)
        put_value(out, NODE_INPUT, inputs[i]);
    for (uint32_t i = 0; i < output; i++)
        put_value(out, NODE_OUTPUT, ONNX_NONE);
    put_value(out, NODE_OUTPUT, value);
    onnx_put_text(out, NODE_NAME, value_name(name, value));
    onnx_put_text(out, NODE_KIND, kind);
    for (; attributes && attributes->name; attributes++)
        put_attribute(onnx, attributes);
    onnx_put_bytes(&onnx->nodes, GRAPH_NODE, out->data, out->len);
    return value;
}

onnx_value onnx_one(struct onnx *onnx, const char *kind, onnx_value a)
{
    return onnx_node_at(onnx, kind, &a, 1, NULL, 0);
}

onnx_value onnx_two(struct onnx *onnx, const char *kind, onnx_value a, onnx_value b)
{
    return onnx_node_at(onnx, kind, (onnx_value[]){a, b}, 2, NULL, 0);
}

/* Everything of a tensor but its values, whose bytes the caller adds: raw_len of them. */
static onnx_value begin_tensor(struct onnx *onnx, const uint32_t *dims, uint32_t rank,
                               uint32_t type, size_t raw_len)
{
    const onnx_value value = onnx->next++;
    struct cn_buf *head = &onnx->part, *length = &onnx->inner;
    char name[16];

    cn_buf_reset(head);
    for (uint32_t i = 0; i < rank; i++)
        onnx_put_number(head, TENSOR_DIMS, dims[i]);
    onnx_put_number(head, TENSOR_TYPE, type);
    onnx_put_text(head, TENSOR_NAME, value_name(name, value));
    cn_buf_reset(length);
    put_tag(length, TENSOR_RAW, WIRE_BYTES);
    onnx_put_varint(length, raw_len);
    put_tag(&onnx->weights, GRAPH_INITIALIZER, WIRE_BYTES);
    onnx_put_varint(&onnx->weights, head->len + length->len + raw_len);
    cn_put_bytes(&onnx->weights, head->data, head->len);
    cn_put_bytes(&onnx->weights, length->data, length->len);
    return value;
}

onnx_value onnx_floats(struct onnx *onnx, const float *values, const uint32_t *dims, uint32_t rank)
{
    size_t count = 1;
    onnx_value value;

    for (uint32_t i = 0; i < rank; i++)
        count *= dims[i];
    value = begin_tensor(onnx, dims, rank, DATA_FLOAT, count * sizeof *values);
    for (size_t i = 0; i < count; i++)
        put_float(&onnx->weights, values[i]);
    return value;
}

onnx_value onnx_real(struct onnx *onnx, float value)
{
    return onnx_floats(onnx, &value, NULL, 0);
}

onnx_value onnx_ints(struct onnx *onnx, const int64_t *values, uint32_t count)
{
    onnx_value value = begin_tensor(onnx, &count, 1, DATA_INT64, count * sizeof *values);

    for (uint32_t i = 0; i < count; i++)
        put_little(&onnx->weights, (uint64_t)values[i], sizeof *values);
    return value;
}

onnx_value onnx_turned(struct onnx *onnx, const float *values, uint32_t rows, uint32_t cols)
{
    const size_t count = (size_t)rows * cols;
    onnx_value value =
        begin_tensor(onnx, (uint32_t[]){cols, rows}, 2, DATA_FLOAT, count * sizeof *values);

    for (uint32_t j = 0; j < cols; j++)
        for (uint32_t i = 0; i < rows; i++)
            put_float(&onnx->weights, values[(size_t)i * cols + j]);
    return value;
}

onnx_value onnx_reshape(struct onnx *onnx, onnx_value a, const int64_t *dims, uint32_t count)
{
    return onnx_two(onnx, "Reshape", a, onnx_ints(onnx, dims, count));
}

onnx_value onnx_transpose(struct onnx *onnx, onnx_value a, const int64_t *order, uint32_t count)
{
    struct onnx_attribute attributes[] = {{.name = "perm", .kind = ONNX_INTS, .count = count}, {0}};

    memcpy(attributes[0].ints, order, count * sizeof *order);
    return onnx_node_at(onnx, "Transpose", &a, 1, attributes, 0);
}

static const int64_t SWAP[] = {0, 2, 1};

onnx_value onnx_to_image(struct onnx *onnx, onnx_value a, struct shape shape)
{
    if (shape.height > 1)
        return a;
    if (shape.width > 1)
        a = onnx_transpose(onnx, a, SWAP, 3);
    return onnx_reshape(onnx, a, (int64_t[]){0, shape.channels, 1, shape.width}, 4);
}

onnx_value onnx_from_image(struct onnx *onnx, onnx_value a, struct shape shape)
{
    if (shape.height > 1)
        return a;
    if (shape.width == 1)
        return onnx_reshape(onnx, a, (int64_t[]){0, shape.channels}, 2);
    a = onnx_reshape(onnx, a, (int64_t[]){0, shape.channels, shape.width}, 3);
    return onnx_transpose(onnx, a, SWAP, 3);
}

onnx_value onnx_to_steps(struct onnx *onnx, onnx_value a, struct shape shape)
{
    return shape.width > 1 ? a : onnx_reshape(onnx, a, (int64_t[]){0, 1, shape.channels}, 3);
}

onnx_value onnx_from_steps(struct onnx *onnx, onnx_value a, struct shape shape)
{
    return shape.width > 1 ? a : onnx_reshape(onnx, a, (int64_t[]){0, shape.channels}, 2);
}

const float *onnx_weights(const struct onnx *onnx, const struct layer *layer)
{
    return model_weights_const(onnx->model) + layer->weight;
}
