/* SPDX-License-Identifier: Apache-2.0 */
/* Layers that stand for several: stacks of recurrent layers, residual connections with a
 * projection, Transformer blocks.
 *
 * They become the layers that they are made of when the specification is inferred, so whatever
 * walks the layers of a model (gradients, norms, files) never meets a block. Source of the blocks:
 * Vaswani et al. 2017; norms before each part as in Xiong et al. 2020. */
#include "nn/model_internal.h"

/* A block while it is laid out. */
struct block {
    struct model *model;
    const struct layer *written;
    uint32_t place; /* of the output so far */
    struct cn_diag *diag;
};

static enum cn_err add(struct block *block, const struct layer_spec *spec, uint32_t other)
{
    CN_TRY(model_append(block->model, block->written, spec, block->place, other, block->diag));
    block->place = block->model->layer_count;
    return CN_OK;
}

static enum cn_err add_kind(struct block *block, enum layer_kind kind)
{
    const struct layer_spec spec = {.kind = kind};

    return add(block, &spec, LAYER_NONE);
}

static enum cn_err expand_stack(struct block *block)
{
    struct layer_spec spec = block->written->spec;
    const uint32_t layers = spec.layers;

    spec.layers = 0;
    for (uint32_t i = 0; i < layers; i++) {
        spec.sequence = i + 1 < layers || block->written->spec.sequence;
        CN_TRY(add(block, &spec, LAYER_NONE));
    }
    return CN_OK;
}

/* A 1x1 convolution of what is added, then the residual connection proper. */
static enum cn_err expand_projection(struct block *block)
{
    const struct layer *written = block->written;
    const struct shape to = written->in, from = model_shape_at(block->model, written->other);
    const struct layer_spec residual = {.kind = LAYER_RESIDUAL, .from = 1};
    struct layer_spec conv = {.kind = LAYER_CONV2D, .filters = to.channels, .kernel = 1};
    char here[SHAPE_TEXT_MAX], there[SHAPE_TEXT_MAX];

    conv.stride = (from.height + to.height - 1) / to.height;
    if ((from.height - 1) / conv.stride + 1 != to.height ||
        (from.width - 1) / conv.stride + 1 != to.width)
        return layer_fault(written, block->diag, CN_E_SHAPE,
                           "no stride makes %s of %s, which 'from' gives", shape_text(to, here),
                           shape_text(from, there));
    block->place = written->other;
    CN_TRY(add(block, &conv, LAYER_NONE));
    return add(block, &residual, written->input);
}

static enum cn_err add_dropout(struct block *block)
{
    const struct layer_spec spec = {.kind = LAYER_DROPOUT, .rate = block->written->spec.rate};

    return spec.rate > 0.0 ? add(block, &spec, LAYER_NONE) : CN_OK;
}

/* Behind a part: what went into it is added; norm before or after. */
static enum cn_err close_part(struct block *block, uint32_t before)
{
    const struct layer_spec residual = {.kind = LAYER_RESIDUAL, .from = 1};

    CN_TRY(add_dropout(block));
    CN_TRY(add(block, &residual, before));
    return block->written->spec.pre_norm ? CN_OK : add_kind(block, LAYER_LAYER_NORM);
}

static enum cn_err add_attention(struct block *block, bool causal, uint32_t memory)
{
    const struct layer_spec *spec = &block->written->spec;
    const struct layer_spec attention = {.kind = LAYER_ATTENTION,
                                         .heads = spec->heads,
                                         .causal = causal,
                                         .mask_padding = spec->mask_padding};
    const uint32_t before = block->place;

    if (spec->pre_norm)
        CN_TRY(add_kind(block, LAYER_LAYER_NORM));
    CN_TRY(add(block, &attention, memory));
    return close_part(block, before);
}

static enum cn_err add_feed_forward(struct block *block)
{
    const struct layer_spec *spec = &block->written->spec;
    const struct layer_spec wide = {.kind = LAYER_DENSE, .units = spec->units};
    const struct layer_spec narrow = {.kind = LAYER_DENSE, .units = block->written->in.channels};
    const uint32_t before = block->place;

    if (spec->pre_norm)
        CN_TRY(add_kind(block, LAYER_LAYER_NORM));
    CN_TRY(add(block, &wide, LAYER_NONE));
    CN_TRY(add_kind(block, spec->activation ? spec->activation : LAYER_RELU));
    CN_TRY(add_dropout(block));
    CN_TRY(add(block, &narrow, LAYER_NONE));
    return close_part(block, before);
}

static enum cn_err expand_transformer(struct block *block)
{
    const struct layer_spec *spec = &block->written->spec;
    const bool decoder = spec->kind == LAYER_DECODER;

    if (spec->activation != LAYER_UNKNOWN && spec->activation != LAYER_RELU &&
        spec->activation != LAYER_GELU && spec->activation != LAYER_SILU)
        return layer_fault(block->written, block->diag, CN_E_CONFIG,
                           "'activation' must be relu, gelu or silu");
    CN_TRY(add_attention(block, decoder || spec->causal, LAYER_NONE));
    if (decoder)
        CN_TRY(add_attention(block, false, block->written->other));
    return add_feed_forward(block);
}

static bool same_shape(struct shape a, struct shape b)
{
    return a.channels == b.channels && a.height == b.height && a.width == b.width;
}

enum cn_err block_expand(struct model *model, const struct layer *layer, bool *whole,
                         struct cn_diag *diag)
{
    struct block block = {model, layer, layer->input, diag};
    const struct layer_spec *spec = &layer->spec;

    *whole = false;
    if (spec->kind == LAYER_ENCODER || spec->kind == LAYER_DECODER)
        return expand_transformer(&block);
    if ((spec->kind == LAYER_LSTM || spec->kind == LAYER_GRU) && spec->layers > 1)
        return expand_stack(&block);
    if (spec->kind == LAYER_RESIDUAL && spec->projection &&
        !same_shape(layer->in, model_shape_at(model, layer->other)))
        return expand_projection(&block);
    *whole = true;
    return CN_OK;
}

/* Never a layer of a model: expand_transformer replaced it. */
static enum cn_err block_infer(struct layer *layer, struct cn_diag *diag)
{
    return layer_fault(layer, diag, CN_E_STATE, "a block was not laid out");
}

const struct layer_ops encoder_ops = {
    .name = "encoder",
    .uses_units = true,
    .may = MAY_HEADS | MAY_CAUSAL | MAY_MASK | MAY_PRE_NORM | MAY_RATE | MAY_ACTIVATION,
    .infer = block_infer,
};

const struct layer_ops decoder_ops = {
    .name = "decoder",
    .uses_units = true,
    .may =
        MAY_HEADS | MAY_MASK | MAY_PRE_NORM | MAY_RATE | MAY_ACTIVATION | MAY_MEMORY | MUST_MEMORY,
    .infer = block_infer,
};
