/* SPDX-License-Identifier: Apache-2.0 */
/* The file: a model of one graph, whose nodes follow the layers. */
#include "nn/onnx.h"

#include <stdio.h>

#include "base/file.h"
#include "nn/onnx_internal.h"

#define IR_VERSION 7 /* what opset 13 came with */
#define OPSET 13
#define PRODUCER "cairn"
#define HEAD_BYTES_MAX 4096u

enum { MODEL_IR = 1, MODEL_PRODUCER = 2, MODEL_GRAPH = 7, MODEL_OPSET = 8, OPSET_VERSION = 2 };
enum { GRAPH_NAME = 2, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { VALUE_NAME = 1, VALUE_TYPE, TYPE_TENSOR = 1, TENSOR_ELEMENT = 1, TENSOR_SHAPE };
enum { SHAPE_DIM = 1, DIM_VALUE = 1, DIM_PARAM = 2, ELEMENT_FLOAT = 1, ELEMENT_INT64 = 7 };

/* ---- inputs and outputs ---- */

struct ends {
    const char *name;
    uint32_t element;
    uint32_t dims[ONNX_RANK_MAX]; /* behind the batch */
    uint32_t rank;
};

static struct ends input_of(const struct model *model)
{
    const struct shape in = model->in;

    if (model->vocabulary)
        return (struct ends){"input", ELEMENT_INT64, {in.width}, 1};
    if (shape_is_flat(in))
        return (struct ends){"input", ELEMENT_FLOAT, {in.channels}, 1};
    return (struct ends){"input", ELEMENT_FLOAT, {in.channels, in.height, in.width}, 3};
}

static struct ends output_of(const struct model *model)
{
    const struct shape out = model->layers[model->layer_count - 1].out;

    if (shape_is_flat(out))
        return (struct ends){"logits", ELEMENT_FLOAT, {out.channels}, 1};
    return (struct ends){"logits", ELEMENT_FLOAT, {out.width, out.channels}, 2};
}

/* Messages inside messages: each is written to the scratch buffers and then put, with its length.
 */
static void put_end(struct onnx *onnx, struct cn_buf *out, uint32_t field, const struct ends *end)
{
    struct cn_buf *shape = &onnx->part, *dim = &onnx->inner;

    cn_buf_reset(shape);
    for (uint32_t i = 0; i <= end->rank; i++) {
        cn_buf_reset(dim);
        if (i == 0)
            onnx_put_text(dim, DIM_PARAM, "batch");
        else
            onnx_put_number(dim, DIM_VALUE, end->dims[i - 1]);
        onnx_put_bytes(shape, SHAPE_DIM, dim->data, dim->len);
    }
    cn_buf_reset(dim); /* the tensor's type */
    onnx_put_number(dim, TENSOR_ELEMENT, end->element);
    onnx_put_bytes(dim, TENSOR_SHAPE, shape->data, shape->len);
    cn_buf_reset(shape); /* the type */
    onnx_put_bytes(shape, TYPE_TENSOR, dim->data, dim->len);
    cn_buf_reset(dim); /* the value */
    onnx_put_text(dim, VALUE_NAME, end->name);
    onnx_put_bytes(dim, VALUE_TYPE, shape->data, shape->len);
    onnx_put_bytes(out, field, dim->data, dim->len);
}

/* ---- the graph ---- */

static enum cn_err put_layers(struct onnx *onnx, struct cn_diag *diag)
{
    const struct model *model = onnx->model;

    onnx->places[0] = ONNX_INPUT;
    onnx->next = ONNX_INPUT + 1;
    if (!model->vocabulary && !shape_is_flat(model->in))
        onnx->places[0] = onnx_from_image(onnx, ONNX_INPUT, model->in);
    for (uint32_t i = 0; i < model->layer_count; i++) {
        const struct layer *layer = &model->layers[i];
        onnx_value value = onnx_layer(onnx, layer, onnx->places[layer->input]);

        if (value == ONNX_NONE)
            return layer_fault(layer, diag, CN_E_CONFIG, "can not be written as ONNX");
        onnx->places[i + 1] = value;
    }
    return CN_OK;
}

/* The last value under its own name. */
static void put_logits(struct onnx *onnx)
{
    struct cn_buf *node = &onnx->part;
    char name[16] = "input";

    if (onnx->places[onnx->model->layer_count] != ONNX_INPUT)
        snprintf(name, sizeof name, "t%u", onnx->places[onnx->model->layer_count]);
    cn_buf_reset(node);
    onnx_put_text(node, 1, name);
    onnx_put_text(node, 2, "logits");
    onnx_put_text(node, 3, "logits");
    onnx_put_text(node, 4, "Identity");
    onnx_put_bytes(&onnx->nodes, 1, node->data, node->len);
}

static enum cn_err put_file(struct cn_buf *out, struct onnx *onnx, const char *name)
{
    const struct ends input = input_of(onnx->model), output = output_of(onnx->model);
    struct cn_buf ends, opset;
    enum cn_err err;

    cn_buf_init(&ends, HEAD_BYTES_MAX);
    cn_buf_init(&opset, HEAD_BYTES_MAX);
    onnx_put_text(&ends, GRAPH_NAME, name);
    put_end(onnx, &ends, GRAPH_INPUT, &input);
    put_end(onnx, &ends, GRAPH_OUTPUT, &output);
    onnx_put_text(&opset, 1, "");
    onnx_put_number(&opset, OPSET_VERSION, OPSET);
    CN_TRY_OUT(err, cn_buf_finish(&onnx->nodes));
    CN_TRY_OUT(err, cn_buf_finish(&onnx->weights));
    CN_TRY_OUT(err, cn_buf_finish(&onnx->part));
    CN_TRY_OUT(err, cn_buf_finish(&onnx->inner));
    CN_TRY_OUT(err, cn_buf_finish(&ends));
    onnx_put_number(out, MODEL_IR, IR_VERSION);
    onnx_put_text(out, MODEL_PRODUCER, PRODUCER);
    onnx_put_bytes(out, MODEL_OPSET, opset.data, opset.len);
    onnx_put_varint(out, MODEL_GRAPH << 3 | 2);
    onnx_put_varint(out, onnx->nodes.len + ends.len + onnx->weights.len);
    cn_put_bytes(out, onnx->nodes.data, onnx->nodes.len);
    cn_put_bytes(out, ends.data, ends.len);
    cn_put_bytes(out, onnx->weights.data, onnx->weights.len);
    err = cn_buf_finish(out);
out:
    cn_buf_clear(&ends);
    cn_buf_clear(&opset);
    return err;
}

enum cn_err onnx_encode(struct cn_buf *out, const struct model *model, const char *name,
                        struct cn_diag *diag)
{
    struct onnx onnx = {.model = model};
    enum cn_err err;

    cn_buf_init(&onnx.nodes, ONNX_BYTES_MAX);
    cn_buf_init(&onnx.weights, ONNX_BYTES_MAX);
    cn_buf_init(&onnx.part, HEAD_BYTES_MAX);
    cn_buf_init(&onnx.inner, HEAD_BYTES_MAX);
    err = put_layers(&onnx, diag);
    if (err == CN_OK) {
        put_logits(&onnx);
        err = put_file(out, &onnx, name);
    }
    cn_buf_clear(&onnx.nodes);
    cn_buf_clear(&onnx.weights);
    cn_buf_clear(&onnx.part);
    cn_buf_clear(&onnx.inner);
    return err;
}

enum cn_err onnx_save(const char *path, const struct model *model, const char *name,
                      struct cn_diag *diag)
{
    struct cn_buf bytes;
    enum cn_err err;

    cn_buf_init(&bytes, ONNX_BYTES_MAX);
    err = onnx_encode(&bytes, model, name, diag);
    if (err == CN_OK)
        err = cn_file_write(path, bytes.data, bytes.len, 0644, diag);
    else if (err != CN_E_CONFIG)
        cn_diag_set(diag, path, 0, 0, "the ONNX file could not be made: %s", cn_err_text(err));
    cn_buf_clear(&bytes);
    return err;
}
