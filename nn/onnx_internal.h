/* SPDX-License-Identifier: Apache-2.0 */
/* An ONNX graph while it is written, for onnx_graph.c (bytes), onnx_layers.c, onnx_sequence.c (what
 * each kind of layer becomes) and onnx.c (the whole).
 *
 * A value is a tensor between nodes, named by a number. The value of a place has one of three
 * layouts, by the shape that the place has: [batch, C] when it is flat, [batch, T, C] for a
 * sequence, [batch, C, H, W] for an image; tokens are [batch, T]. */
#ifndef CAIRN_NN_ONNX_INTERNAL_H
#define CAIRN_NN_ONNX_INTERNAL_H

#include "base/cursor.h"
#include "nn/model_internal.h"
#include "nn/onnx.h"

#define ONNX_INPUTS_MAX 4u
#define ONNX_NUMBERS_MAX 8u
#define ONNX_RANK_MAX 4u

typedef uint32_t onnx_value;

#define ONNX_NONE UINT32_MAX /* in place of a value: an optional input that is absent */
#define ONNX_INPUT 0u        /* the model's input */

struct onnx {
    const struct model *model;
    struct cn_buf nodes;   /* of the graph, each with its tag */
    struct cn_buf weights; /* initializers, alike */
    struct cn_buf part;    /* one node while it is written */
    struct cn_buf inner;   /* one attribute of it */
    onnx_value next;
    onnx_value places[MODEL_LAYERS_MAX + 1]; /* the value of each place */
};

/* A number that a node has beside its inputs. */
struct onnx_attribute {
    const char *name; /* NULL ends a list */
    enum { ONNX_INT, ONNX_INTS, ONNX_REAL } kind;
    int64_t ints[ONNX_NUMBERS_MAX]; /* INT: the first */
    uint32_t count;                 /* INTS */
    float real;
};

/* Fields of protobuf messages: a varint, bytes with their length, a text. */
void onnx_put_number(struct cn_buf *out, uint32_t field, uint64_t value);
void onnx_put_bytes(struct cn_buf *out, uint32_t field, const void *bytes, size_t len);
void onnx_put_text(struct cn_buf *out, uint32_t field, const char *text);
void onnx_put_varint(struct cn_buf *out, uint64_t value);

/* Adds a node with one output (its `output`-th, those before it are not named) and gives that
 * value. inputs [count], attributes may be NULL. */
onnx_value onnx_node_at(struct onnx *onnx, const char *kind, const onnx_value *inputs,
                        uint32_t count, const struct onnx_attribute *attributes, uint32_t output);

/* The same with one and two inputs, the first output and no attributes. */
onnx_value onnx_one(struct onnx *onnx, const char *kind, onnx_value a);
onnx_value onnx_two(struct onnx *onnx, const char *kind, onnx_value a, onnx_value b);

/* Adds constants. floats: [product of dims]. */
onnx_value onnx_floats(struct onnx *onnx, const float *values, const uint32_t *dims, uint32_t rank);
onnx_value onnx_real(struct onnx *onnx, float value);
onnx_value onnx_ints(struct onnx *onnx, const int64_t *values, uint32_t count);

/* A weight matrix [rows, cols] turned to [cols, rows], as MatMul wants it from the right. */
onnx_value onnx_turned(struct onnx *onnx, const float *values, uint32_t rows, uint32_t cols);

/* Shapes: dims [count] where 0 keeps a dimension and -1 takes the rest; order [count]. */
onnx_value onnx_reshape(struct onnx *onnx, onnx_value a, const int64_t *dims, uint32_t count);
onnx_value onnx_transpose(struct onnx *onnx, onnx_value a, const int64_t *order, uint32_t count);

/* From a place's layout to [batch, C, H, W] and back; to [batch, T, C] and back, for one step. */
onnx_value onnx_to_image(struct onnx *onnx, onnx_value a, struct shape shape);
onnx_value onnx_from_image(struct onnx *onnx, onnx_value a, struct shape shape);
onnx_value onnx_to_steps(struct onnx *onnx, onnx_value a, struct shape shape);
onnx_value onnx_from_steps(struct onnx *onnx, onnx_value a, struct shape shape);

/* Weights of a layer, from its offset on. */
const float *onnx_weights(const struct onnx *onnx, const struct layer *layer);

/* What a layer becomes; ONNX_NONE for a kind that these do not know. x is the value it reads. */
onnx_value onnx_layer(struct onnx *onnx, const struct layer *layer, onnx_value x);
onnx_value onnx_sequence_layer(struct onnx *onnx, const struct layer *layer, onnx_value x);

#endif
