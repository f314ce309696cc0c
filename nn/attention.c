/* SPDX-License-Identifier: Apache-2.0 */
/* Multi-head attention (Vaswani et al. 2017): softmax(Q K^T / sqrt(D)) V in each head, D = C /
 * heads.
 *
 * Queries come from x [n, T, C]; keys and values from x too, or from another layer's output, the
 * memory [n, S, C]. Weights are PyTorch's: in_weight [3 C, C] (queries, keys, values), in_bias
 * [3 C], out_weight [C, C], out_bias [C]; out_weight follows in_weight and the biases follow both.
 * A step that may see nothing at all (everything is padding) gives zeros, not NaN. */
#include <math.h>
#include <string.h>

#include "nn/elements.h"
#include "nn/model_internal.h"
#include "nn/steps.h"

struct attention {
    const struct elements *elements;
    uint32_t steps, seen; /* T, S */
    uint32_t width, head; /* C, D */
    const float *keys_of; /* [n, S, C]: x or the memory */
    float *q, *k, *v;     /* rows of queries [n, T], of keys and values [n, S] */
    size_t q_row, kv_row; /* floats from one row to the next: one matrix holds all three for self */
    float *dq, *dk, *dv;  /* their gradients, in the same order */
    float *shares;        /* [n, heads, T, S] softmax */
    float *mixed;         /* [n, T, C] shares V */
    float *dmixed;
    float *in_forward, *in_back, *out_forward, *out_back; /* packed */
    float *kv_forward, *kv_back; /* cross: keys' and values' part; in_* is the queries' then */
};

static bool is_cross(const struct layer *layer)
{
    return layer->other != LAYER_NONE;
}

/* The place whose tokens tell which keys are padding; LAYER_NONE without a mask or tokens. */
static uint32_t tokens_place(const struct layer *layer)
{
    return layer->spec.mask_padding ? layer->keys_of : LAYER_NONE;
}

static enum cn_err attention_infer(struct layer *layer, struct cn_diag *diag)
{
    const struct shape seen = is_cross(layer) ? layer->in_other : layer->in;
    const size_t c = layer->in.channels;
    char here[SHAPE_TEXT_MAX], there[SHAPE_TEXT_MAX];

    if (!shape_is_sequence(layer->in))
        return layer_fault(layer, diag, CN_E_SHAPE, "wants a sequence but its input is %s",
                           shape_text(layer->in, here));
    if (c % layer->spec.heads)
        return layer_fault(layer, diag, CN_E_SHAPE, "%u heads do not divide its %zu channels",
                           layer->spec.heads, c);
    if (!shape_is_sequence(seen) || seen.channels != c)
        return layer_fault(layer, diag, CN_E_SHAPE,
                           "its input is %s but its memory is %s; the channels must be the same",
                           shape_text(layer->in, here), shape_text(seen, there));
    if (is_cross(layer) && layer->spec.causal)
        return layer_fault(layer, diag, CN_E_CONFIG, "'causal' and 'memory' exclude each other");
    if (layer->spec.mask_padding && tokens_place(layer) == LAYER_NONE)
        return layer_fault(layer, diag, CN_E_CONFIG,
                           "'mask_padding' needs the tokens that its keys come from, with as many "
                           "steps");
    layer->out = layer->in;
    layer->weight_count = 4 * c * c;
    layer->bias_count = 4 * c;
    layer->way = steps_way(layer->in.width, 3 * layer->in.channels, layer->in.channels);
    return CN_OK;
}

static uint32_t attention_tensors(const struct layer *layer,
                                  struct layer_tensor out[LAYER_TENSORS_MAX])
{
    const uint32_t c = layer->in.channels;

    out[0] = (struct layer_tensor){"in_weight", 2, {3 * c, c}};
    out[1] = (struct layer_tensor){"out_weight", 2, {c, c}};
    out[2] = (struct layer_tensor){"in_bias", 1, {3 * c}};
    out[3] = (struct layer_tensor){"out_bias", 1, {c}};
    return 4;
}

/* Glorot and Bengio 2010 for the three, uniform by fan in for the last; biases zero. */
static void attention_init(const struct layer *layer, float *weights,
                           const struct cn_random *random)
{
    const size_t c = layer->in.channels;

    model_draw_uniform(weights, 3 * c * c, sqrt(6.0 / (4.0 * (double)c)), random);
    model_draw_uniform(weights + 3 * c * c, c * c, 1.0 / sqrt((double)c), random);
    memset(weights + layer->weight_count, 0, layer->bias_count * sizeof *weights);
}

static enum cn_err plan_packed(struct layer *layer, struct model *model, struct attention *a)
{
    const size_t c = a->width, in = is_cross(layer) ? 1 : 3;

    CN_TRY(model_shared_floats(model, &a->in_forward, in * c, c));
    CN_TRY(model_shared_floats(model, &a->out_forward, c, c));
    CN_TRY(model_shared_floats(model, &a->out_back, c, c));
    CN_TRY(model_shared_floats(model, &a->in_back, in * c, c));
    if (!is_cross(layer))
        return CN_OK;
    CN_TRY(model_shared_floats(model, &a->kv_forward, 2 * c, c));
    return model_shared_floats(model, &a->kv_back, 2 * c, c);
}

/* Self attention holds q, k, v side by side in rows of 3 C; cross attention q apart. */
static enum cn_err plan_rows(struct layer *layer, struct model *model, struct attention *a)
{
    const size_t c = a->width, queries = (size_t)model->batch_max * a->steps;
    const size_t keys = (size_t)model->batch_max * a->seen;

    if (!is_cross(layer)) {
        CN_TRY(model_floats(model, &a->q, queries, 3 * c));
        CN_TRY(model_floats(model, &a->dq, queries, 3 * c));
        a->k = a->q + c;
        a->dk = a->dq + c;
        a->q_row = a->kv_row = 3 * c;
    } else {
        CN_TRY(model_floats(model, &a->q, queries, c));
        CN_TRY(model_floats(model, &a->dq, queries, c));
        CN_TRY(model_floats(model, &a->k, keys, 2 * c));
        CN_TRY(model_floats(model, &a->dk, keys, 2 * c));
        a->q_row = c;
        a->kv_row = 2 * c;
    }
    a->v = a->k + c;
    a->dv = a->dk + c;
    if (is_cross(layer) && model_gradient_at(model, layer->other))
        CN_TRY(model_floats(model, &layer->dother, keys, c));
    return CN_OK;
}

static void claim(const struct layer *layer, struct model *model, const struct attention *a)
{
    const size_t c = a->width, longest = a->steps > a->seen ? a->steps : a->seen;
    const size_t head = a->head * longest + longest * longest;

    model_claim_scratch(model, head);
    model_claim_scratch(model, STEPS_OUTER_SCRATCH(c));
    steps_claim(model, layer->way, steps_scratch(NORM_GRAM, longest, 3 * c, c),
                steps_scratch(NORM_TWICE, longest, 3 * c, c));
}

static size_t attention_floats(const struct layer *layer)
{
    const size_t steps = layer->in.width, seen = is_cross(layer) ? layer->in_other.width : steps;

    return layer->spec.heads * steps * seen + (4 * steps + 4 * seen) * layer->in.channels;
}

static enum cn_err attention_plan(struct layer *layer, struct model *model)
{
    struct attention *a = cn_arena_alloc(&model->arena, 1, sizeof *a);
    size_t rows;

    if (!a)
        return CN_E_NOMEM;
    layer->own = a;
    a->elements = elements_best();
    a->width = layer->in.channels;
    a->head = a->width / layer->spec.heads;
    a->steps = layer->in.width;
    a->seen = is_cross(layer) ? layer->in_other.width : layer->in.width;
    a->keys_of = is_cross(layer) ? model_at(model, layer->other) : layer->x;
    rows = (size_t)model->batch_max * a->steps;
    CN_TRY(plan_packed(layer, model, a));
    CN_TRY(plan_rows(layer, model, a));
    CN_TRY(model_floats(model, &a->shares, rows * layer->spec.heads, a->seen));
    CN_TRY(model_floats(model, &a->mixed, rows, a->width));
    CN_TRY(model_floats(model, &a->dmixed, rows, a->width));
    claim(layer, model, a);
    return CN_OK;
}

static void attention_prepare(struct layer *layer, const struct model *model)
{
    const struct attention *a = layer->own;
    const uint32_t c = a->width, in = is_cross(layer) ? c : 3 * c;
    const float *w = model->weights + layer->weight, *out = w + (size_t)3 * c * c;

    steps_pack_forward(model->kernels, a->in_forward, w, in, c);
    steps_pack_back(a->in_back, w, in, c);
    steps_pack_forward(model->kernels, a->out_forward, out, c, c);
    steps_pack_back(a->out_back, out, c, c);
    if (!is_cross(layer))
        return;
    steps_pack_forward(model->kernels, a->kv_forward, w + (size_t)c * c, 2 * c, c);
    steps_pack_back(a->kv_back, w + (size_t)c * c, 2 * c, c);
}

static void project(struct layer *layer, struct model *model, uint32_t n)
{
    const struct attention *a = layer->own;
    const float *bias = model->weights + layer->bias;
    struct gemm g = {.m = n * a->steps,
                     .n = is_cross(layer) ? a->width : 3 * a->width,
                     .k = a->width,
                     .lda = a->width,
                     .ldc = a->q_row,
                     .bias = bias};

    steps_product(model->kernels, a->q, layer->x, a->in_forward, &g);
    if (!is_cross(layer))
        return;
    g.m = n * a->seen;
    g.n = 2 * a->width;
    g.ldc = a->kv_row;
    g.bias = bias + a->width;
    steps_product(model->kernels, a->k, a->keys_of, a->kv_forward, &g);
}

/* turned [D, count] = rows [count, D] turned over */
static void turn(float *turned, const float *rows, size_t ld, uint32_t count, uint32_t head)
{
    for (uint32_t t = 0; t < count; t++)
        for (uint32_t i = 0; i < head; i++)
            turned[(size_t)i * count + t] = rows[t * ld + i];
}

/* Softmax over what each step may see; tokens [S] or NULL. */
static void share_out(const struct layer *layer, float *shares, const float *tokens)
{
    const struct attention *a = layer->own;
    const float scale = 1.0f / sqrtf((float)a->head);

    for (uint32_t t = 0; t < a->steps; t++) {
        float *row = shares + (size_t)t * a->seen;
        const uint32_t end = layer->spec.causal ? t + 1 : a->seen;
        bool any = !tokens;

        for (uint32_t s = 0; s < end; s++)
            row[s] *= scale;
        for (uint32_t s = 0; tokens && s < end; s++) {
            bool padding = tokens[s] < 0.5f;

            row[s] = padding ? -INFINITY : row[s];
            any = any || !padding;
        }
        if (any)
            a->elements->softmax(row, row, end);
        for (uint32_t s = 0; tokens && s < end; s++)
            row[s] = tokens[s] < 0.5f ? 0.0f : row[s];
        memset(row + end, 0, (a->seen - end) * sizeof *row);
    }
}

/* Where example b's head lies. */
struct place {
    size_t q, kv, shares, mixed;
};

static struct place place_of(const struct layer *layer, uint32_t b, uint32_t head)
{
    const struct attention *a = layer->own;
    const size_t column = (size_t)head * a->head, heads = layer->spec.heads;

    return (struct place){.q = (size_t)b * a->steps * a->q_row + column,
                          .kv = (size_t)b * a->seen * a->kv_row + column,
                          .shares = (b * heads + head) * a->steps * a->seen,
                          .mixed = (size_t)b * a->steps * a->width + column};
}

static void head_forward(struct layer *layer, struct model *model, const struct place *at,
                         const float *tokens)
{
    const struct attention *a = layer->own;
    float *shares = a->shares + at->shares;
    struct gemm g = {.m = a->steps,
                     .n = a->seen,
                     .k = a->head,
                     .parts = 1,
                     .lda = a->q_row,
                     .ldb = a->seen,
                     .ldc = a->seen};

    turn(model->scratch, a->k + at->kv, a->kv_row, a->seen, a->head);
    model->kernels->gemm_nn(shares, a->q + at->q, model->scratch, &g);
    share_out(layer, shares, tokens);
    g.n = a->head;
    g.k = a->seen;
    g.lda = a->seen;
    g.ldb = a->kv_row;
    g.ldc = a->width;
    model->kernels->gemm_nn(a->mixed + at->mixed, shares, a->v + at->kv, &g);
}

static void attention_forward(struct layer *layer, struct model *model, uint32_t n)
{
    const struct attention *a = layer->own;
    const uint32_t place = tokens_place(layer);
    const float *tokens = place == LAYER_NONE ? NULL : model_at(model, place);
    const struct gemm g = {.m = n * a->steps,
                           .n = a->width,
                           .k = a->width,
                           .lda = a->width,
                           .ldc = a->width,
                           .bias = model->weights + layer->bias + 3 * (size_t)a->width};

    project(layer, model, n);
    for (uint32_t b = 0; b < n; b++)
        for (uint32_t head = 0; head < layer->spec.heads; head++) {
            const struct place at = place_of(layer, b, head);

            head_forward(layer, model, &at, tokens ? tokens + (size_t)b * a->seen : NULL);
        }
    steps_product(model->kernels, layer->y, a->mixed, a->out_forward, &g);
}

/* dV = P^T dM; dP = dM V^T; dS = P (dP - <dP, P>) / sqrt(D); dQ = dS K; dK = dS^T Q */
static void head_backward(struct layer *layer, struct model *model, const struct place *at)
{
    const struct attention *a = layer->own;
    const float *shares = a->shares + at->shares, *dmixed = a->dmixed + at->mixed;
    float *ds = model->scratch, *turned = ds + (size_t)a->steps * a->seen;
    struct gemm g = {.m = a->seen,
                     .n = a->head,
                     .k = a->steps,
                     .parts = 1,
                     .lda = a->seen,
                     .ldb = a->width,
                     .ldc = a->kv_row};

    model->kernels->gemm_tn(a->dv + at->kv, shares, dmixed, &g);
    turn(turned, a->v + at->kv, a->kv_row, a->seen, a->head);
    g = (struct gemm){.m = a->steps,
                      .n = a->seen,
                      .k = a->head,
                      .parts = 1,
                      .lda = a->width,
                      .ldb = a->seen,
                      .ldc = a->seen};
    model->kernels->gemm_nn(ds, dmixed, turned, &g);
    for (uint32_t t = 0; t < a->steps; t++)
        a->elements->softmax_back(ds + (size_t)t * a->seen, ds + (size_t)t * a->seen,
                                  shares + (size_t)t * a->seen, a->seen);
    model->kernels->scale(ds, 1.0f / sqrtf((float)a->head), (size_t)a->steps * a->seen);
    g = (struct gemm){.m = a->steps,
                      .n = a->head,
                      .k = a->seen,
                      .parts = 1,
                      .lda = a->seen,
                      .ldb = a->kv_row,
                      .ldc = a->q_row};
    model->kernels->gemm_nn(a->dq + at->q, ds, a->k + at->kv, &g);
    g.m = a->seen;
    g.k = a->steps;
    g.ldb = a->q_row;
    g.ldc = a->kv_row;
    model->kernels->gemm_tn(a->dk + at->kv, ds, a->q + at->q, &g);
}

/* Gradients of what the projections read. */
static void project_back(struct layer *layer, struct model *model, uint32_t n)
{
    const struct attention *a = layer->own;
    struct gemm g = {.m = n * a->steps,
                     .n = a->width,
                     .k = is_cross(layer) ? a->width : 3 * a->width,
                     .lda = a->q_row,
                     .ldc = a->width};

    if (layer->dx)
        steps_product(model->kernels, layer->dx, a->dq, a->in_back, &g);
    if (!layer->dother)
        return;
    g.m = n * a->seen;
    g.k = 2 * a->width;
    g.lda = a->kv_row;
    steps_product(model->kernels, layer->dother, a->dk, a->kv_back, &g);
}

static void attention_backward(struct layer *layer, struct model *model, uint32_t n)
{
    const struct attention *a = layer->own;
    const struct gemm g = {
        .m = n * a->steps, .n = a->width, .k = a->width, .lda = a->width, .ldc = a->width};

    steps_product(model->kernels, a->dmixed, layer->dy, a->out_back, &g);
    for (uint32_t b = 0; b < n; b++)
        for (uint32_t head = 0; head < layer->spec.heads; head++) {
            const struct place at = place_of(layer, b, head);

            head_backward(layer, model, &at);
        }
    project_back(layer, model, n);
}

static void attention_norms(struct layer *layer, struct model *model, uint32_t n)
{
    const struct attention *a = layer->own;
    const uint32_t c = a->width, in = is_cross(layer) ? c : 3 * c;

    for (uint32_t b = 0; b < n; b++) {
        const size_t row = (size_t)b * a->steps, key = (size_t)b * a->seen;
        const struct steps x = {layer->x + row * c, c, a->steps, c};
        const struct steps dq = {a->dq + row * a->q_row, a->q_row, a->steps, in};
        const struct steps mixed = {a->mixed + row * c, c, a->steps, c};
        const struct steps dy = {layer->dy + row * c, c, a->steps, c};
        const struct steps seen = {a->keys_of + key * c, c, a->seen, c};
        const struct steps dk = {a->dk + key * a->kv_row, a->kv_row, a->seen, 2 * c};

        model->squares[b] += steps_square(model->kernels, &dq, &x, layer->way, model->scratch) +
                             steps_square(model->kernels, &dy, &mixed, layer->way, model->scratch);
        if (is_cross(layer))
            model->squares[b] +=
                steps_square(model->kernels, &dk, &seen, layer->way, model->scratch);
    }
}

/* Adds what one projection learns: dy [rows, O] at ld, x [rows, C], weights [O, C] at w. */
static void add_projection(struct model *model, float *w, float *bias, const struct steps *dy,
                           const float *x, uint32_t c)
{
    const struct gemm g = {.m = dy->width,
                           .n = c,
                           .k = dy->count,
                           .parts = 1,
                           .lda = dy->ld,
                           .ldb = c,
                           .ldc = c,
                           .add = true};

    steps_outer(model->kernels, w, dy->rows, x, &g, model->scratch);
    for (uint32_t i = 0; i < dy->count; i++)
        model->kernels->add_scaled(bias, dy->rows + i * dy->ld, 1.0f, dy->width);
}

static void weigh(struct layer *layer, struct model *model, uint32_t n, const float *factors)
{
    const struct attention *a = layer->own;

    for (uint32_t b = 0; b < n; b++) {
        const size_t queries = a->steps * a->q_row, keys = a->seen * a->kv_row;
        const size_t outputs = (size_t)a->steps * a->width;

        model->kernels->scale(layer->dy + b * outputs, factors[b], outputs);
        model->kernels->scale(a->dq + b * queries, factors[b], queries);
        if (is_cross(layer))
            model->kernels->scale(a->dk + b * keys, factors[b], keys);
    }
}

static void attention_gradient(struct layer *layer, struct model *model, uint32_t n, float *sum,
                               const float *factors)
{
    const struct attention *a = layer->own;
    const uint32_t c = a->width, in = is_cross(layer) ? c : 3 * c;
    const struct steps dq = {a->dq, a->q_row, n * a->steps, in};
    const struct steps dk = {a->dk, a->kv_row, n * a->seen, 2 * c};
    const struct steps dy = {layer->dy, c, n * a->steps, c};
    float *w = sum + layer->weight, *bias = sum + layer->bias;
    const size_t square = (size_t)c * c;

    if (factors)
        weigh(layer, model, n, factors);
    add_projection(model, w, bias, &dq, layer->x, c);
    if (is_cross(layer))
        add_projection(model, w + square, bias + c, &dk, a->keys_of, c);
    add_projection(model, w + 3 * square, bias + 3 * (size_t)c, &dy, a->mixed, c);
}

const struct layer_ops attention_ops = {
    .name = "attention",
    .rank = 2,
    .may = MAY_HEADS | MAY_CAUSAL | MAY_MASK | MAY_MEMORY,
    .inner = true,
    .infer = attention_infer,
    .tensors = attention_tensors,
    .init = attention_init,
    .floats = attention_floats,
    .plan = attention_plan,
    .prepare = attention_prepare,
    .forward = attention_forward,
    .backward = attention_backward,
    .norms = attention_norms,
    .gradient = attention_gradient,
};
