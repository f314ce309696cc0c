/* SPDX-License-Identifier: Apache-2.0 */
/* A learned vector for each token: y [n, T, C] = the rows of W [V, C] that x [n, T] names.
 *
 * The gradient of an example touches only the rows of its tokens: the output gradients of equal
 * tokens add up, and the squares of those sums are its norm. Nothing as large as W is made. */
#include <string.h>

#include "nn/model_internal.h"

#define NO_SLOT UINT32_MAX

struct embedding {
    uint32_t *slots; /* [V]: which row of scratch a token of this example has, or NO_SLOT */
};

static enum cn_err embedding_infer(struct layer *layer, struct cn_diag *diag)
{
    if (!layer->vocabulary) {
        cn_diag_hint(diag, "give the input a vocabulary");
        return layer_fault(layer, diag, CN_E_SHAPE, "its input must be numbers of tokens");
    }
    layer->out = (struct shape){layer->spec.units, 1, layer->in.width};
    layer->weight_count = (size_t)layer->vocabulary * layer->spec.units;
    layer->vocabulary = 0; /* what it gives are values */
    layer->way = NORM_PRODUCT;
    return CN_OK;
}

static uint32_t embedding_tensors(const struct layer *layer,
                                  struct layer_tensor out[LAYER_TENSORS_MAX])
{
    const uint32_t rows = (uint32_t)(layer->weight_count / layer->spec.units);

    out[0] = (struct layer_tensor){"weight", 2, {rows, layer->spec.units}};
    return 1;
}

static void embedding_init(const struct layer *layer, float *weights,
                           const struct cn_random *random)
{
    for (size_t i = 0; i < layer->weight_count; i++)
        weights[i] = (float)cn_random_normal(random);
}

static enum cn_err embedding_plan(struct layer *layer, struct model *model)
{
    const size_t rows = layer->weight_count / layer->spec.units;
    struct embedding *own = cn_arena_alloc(&model->arena, 1, sizeof *own);

    if (!own)
        return CN_E_NOMEM;
    own->slots = cn_arena_alloc(&model->arena, rows, sizeof *own->slots);
    if (!own->slots)
        return CN_E_NOMEM;
    for (size_t i = 0; i < rows; i++)
        own->slots[i] = NO_SLOT;
    layer->own = own;
    model_claim_scratch(model, shape_count(layer->out));
    return CN_OK;
}

static void embedding_forward(struct layer *layer, struct model *model, uint32_t n)
{
    const size_t c = layer->out.channels, steps = layer->in.width;
    const float *w = model->weights + layer->weight;

    for (size_t i = 0; i < n * steps; i++)
        memcpy(layer->y + i * c, w + (size_t)layer->x[i] * c, c * sizeof *w);
}

/* Sums the output gradients of equal tokens; scratch then holds as many rows as it gives. */
static size_t group(struct layer *layer, struct model *model, const float *tokens, const float *dy)
{
    const size_t c = layer->out.channels, steps = layer->in.width;
    uint32_t *slots = ((struct embedding *)layer->own)->slots, used = 0;

    for (size_t t = 0; t < steps; t++) {
        uint32_t *slot = &slots[(size_t)tokens[t]];

        if (*slot == NO_SLOT) {
            *slot = used++;
            memcpy(model->scratch + *slot * c, dy + t * c, c * sizeof *dy);
        } else {
            model->kernels->add_scaled(model->scratch + *slot * c, dy + t * c, 1.0f, c);
        }
    }
    for (size_t t = 0; t < steps; t++)
        slots[(size_t)tokens[t]] = NO_SLOT;
    return used;
}

static void embedding_norms(struct layer *layer, struct model *model, uint32_t n)
{
    const size_t c = layer->out.channels, steps = layer->in.width;

    for (uint32_t b = 0; b < n; b++) {
        size_t rows = group(layer, model, layer->x + b * steps, layer->dy + b * steps * c);

        model->squares[b] += model->kernels->sum_squares(model->scratch, rows * c);
    }
}

static void embedding_gradient(struct layer *layer, struct model *model, uint32_t n, float *sum,
                               const float *factors)
{
    const size_t c = layer->out.channels, steps = layer->in.width;

    for (size_t i = 0; i < n * steps; i++)
        model->kernels->add_scaled(sum + layer->weight + (size_t)layer->x[i] * c, layer->dy + i * c,
                                   factors ? factors[i / steps] : 1.0f, c);
}

const struct layer_ops embedding_ops = {
    .name = "embedding",
    .rank = 2,
    .uses_units = true,
    .may = MAY_TOKENS,
    .infer = embedding_infer,
    .tensors = embedding_tensors,
    .init = embedding_init,
    .plan = embedding_plan,
    .forward = embedding_forward,
    .norms = embedding_norms,
    .gradient = embedding_gradient,
};
