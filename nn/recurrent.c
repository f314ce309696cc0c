/* SPDX-License-Identifier: Apache-2.0 */
/* Products over all steps, products step by step, and per-example norms of recurrent layers.
 *
 * An example's gradient of W_ih is the sum over its steps of (gate gradient) x (input), that of
 * W_hh of (gate gradient) x (state before); both biases get the sum of the gate gradients. The
 * square of the norm is then sum over steps s, t of <g_s, g_t> (<x_s, x_t> + <h_s, h_t> + 2), or
 * the gradients are made in scratch, whichever multiplies less. */
#include "nn/recurrent.h"

#include <math.h>
#include <string.h>

#include "nn/steps.h"

#define LSTM_GATES 4u
#define GRU_GATES 3u
#define ROW_APART 16u /* floats, one line of the cache */

static uint32_t gates_of(const struct layer *layer)
{
    return layer->spec.kind == LAYER_LSTM ? LSTM_GATES : GRU_GATES;
}

static uint32_t steps_of(const struct layer *layer)
{
    return layer->in.width;
}

static uint64_t gram_cost(const struct layer *layer)
{
    const uint64_t steps = layer->in.width, gates = (uint64_t)gates_of(layer) * layer->spec.units;
    const uint64_t sides = layer->spec.kind == LAYER_LSTM ? 1 : 2;

    return steps * (sides * gates + layer->in.channels + layer->spec.units);
}

enum cn_err recurrent_infer(struct layer *layer, struct cn_diag *diag)
{
    const uint64_t h = layer->spec.units, gates = gates_of(layer) * h;
    char shape[SHAPE_TEXT_MAX];

    if (!shape_is_sequence(layer->in))
        return layer_fault(layer, diag, CN_E_SHAPE, "wants a sequence but its input is %s",
                           shape_text(layer->in, shape));
    layer->out = (struct shape){layer->spec.units, 1, layer->spec.sequence ? layer->in.width : 1};
    layer->weight_count = gates * (layer->in.channels + h);
    layer->bias_count = 2 * gates;
    layer->way = gram_cost(layer) < layer->weight_count ? NORM_GRAM : NORM_TWICE;
    return CN_OK;
}

uint32_t recurrent_tensors(const struct layer *layer, struct layer_tensor out[LAYER_TENSORS_MAX])
{
    const uint32_t h = layer->spec.units, gates = gates_of(layer) * h;

    out[0] = (struct layer_tensor){"weight_ih", 2, {gates, layer->in.channels}};
    out[1] = (struct layer_tensor){"weight_hh", 2, {gates, h}};
    out[2] = (struct layer_tensor){"bias_ih", 1, {gates}};
    out[3] = (struct layer_tensor){"bias_hh", 1, {gates}};
    return 4;
}

void recurrent_init(const struct layer *layer, float *weights, const struct cn_random *random)
{
    model_draw_uniform(weights, layer->weight_count + layer->bias_count,
                       1.0 / sqrt(layer->spec.units), random);
}

size_t recurrent_floats(const struct layer *layer)
{
    const size_t h = layer->spec.units, sides = layer->spec.kind == LAYER_LSTM ? 1 : 2;

    return steps_of(layer) * (layer->in.channels + 2 * h + sides * gates_of(layer) * h);
}

static void claim(const struct layer *layer, struct model *model, const struct recurrent *r)
{
    const size_t steps = steps_of(layer), h = layer->spec.units, gates = r->gates * h;
    const size_t in = layer->in.channels, widest = gates > in ? gates : in;

    steps_claim(model, layer->way, 2 * steps * steps + steps * widest,
                steps_scratch(NORM_TWICE, steps, gates, in > h ? in : h));
    model_claim_scratch(model, STEPS_OUTER_SCRATCH(h > in ? h : in));
}

static enum cn_err plan_packed(struct layer *layer, struct model *model, struct recurrent *r)
{
    const size_t h = layer->spec.units, in = layer->in.channels, gates = r->gates * h;

    CN_TRY(model_shared_floats(model, &r->bias, gates, 1));
    CN_TRY(model_shared_floats(model, &r->in_forward, gates, in));
    CN_TRY(model_shared_floats(model, &r->own_forward, gates, h));
    CN_TRY(model_shared_floats(model, &r->own_back, gates, h));
    if (layer->dx)
        CN_TRY(model_shared_floats(model, &r->in_back, gates, in));
    return CN_OK;
}

enum cn_err recurrent_plan(struct layer *layer, struct model *model)
{
    struct recurrent *r = cn_arena_alloc(&model->arena, 1, sizeof *r);
    const size_t h = layer->spec.units, rows = (size_t)steps_of(layer) * model->batch_max;

    if (!r)
        return CN_E_NOMEM;
    layer->own = r;
    r->elements = elements_best();
    r->gates = gates_of(layer);
    r->row = r->gates * h + ROW_APART;
    CN_TRY(plan_packed(layer, model, r));
    CN_TRY(model_floats(model, &r->x, rows, layer->in.channels));
    CN_TRY(model_floats(model, &r->h, rows + model->batch_max, h));
    CN_TRY(model_floats(model, &r->acts, rows, r->row));
    CN_TRY(model_floats(model, &r->dh, model->batch_max, h));
    r->inner = r->acts;
    if (layer->spec.kind == LAYER_GRU) {
        CN_TRY(model_floats(model, &r->inner, rows, r->row));
    } else {
        CN_TRY(model_floats(model, &r->c, rows + model->batch_max, h));
        CN_TRY(model_floats(model, &r->dc, model->batch_max, h));
    }
    claim(layer, model, r);
    return CN_OK;
}

void recurrent_prepare(struct layer *layer, const struct model *model)
{
    struct recurrent *r = layer->own;
    const uint32_t h = layer->spec.units, in = layer->in.channels, gates = r->gates * h;
    const float *w = model->weights + layer->weight, *own = w + (size_t)gates * in;
    const float *bias = model->weights + layer->bias;

    steps_pack_forward(model->kernels, r->in_forward, w, gates, in);
    steps_pack_forward(model->kernels, r->own_forward, own, gates, h);
    steps_pack_back(r->own_back, own, gates, h);
    if (r->in_back)
        steps_pack_back(r->in_back, w, gates, in);
    memcpy(r->bias, bias, gates * sizeof *bias);
    if (layer->spec.kind == LAYER_LSTM)
        model->kernels->add_scaled(r->bias, bias + gates, 1.0f, gates);
}

void recurrent_begin_forward(struct layer *layer, struct model *model, uint32_t n)
{
    struct recurrent *r = layer->own;
    const size_t in = layer->in.channels, steps = steps_of(layer), h = layer->spec.units;
    const struct gemm g = {.m = (uint32_t)(steps * n),
                           .n = r->gates * layer->spec.units,
                           .k = layer->in.channels,
                           .lda = in,
                           .ldc = r->row,
                           .bias = r->bias};

    for (size_t t = 0; t < steps; t++)
        for (uint32_t b = 0; b < n; b++)
            memcpy(r->x + (t * n + b) * in, layer->x + (b * steps + t) * in, in * sizeof *r->x);
    steps_product(model->kernels, r->acts, r->x, r->in_forward, &g);
    memset(r->h, 0, n * h * sizeof *r->h);
    if (r->c)
        memset(r->c, 0, n * h * sizeof *r->c);
}

void recurrent_step(struct layer *layer, struct model *model, float *out, uint32_t t, uint32_t n,
                    bool add)
{
    struct recurrent *r = layer->own;
    const uint32_t h = layer->spec.units, gates = r->gates * h;
    const struct gemm g = {.m = n,
                           .n = gates,
                           .k = h,
                           .lda = h,
                           .ldc = r->row,
                           .bias = add ? NULL : model->weights + layer->bias + gates,
                           .add = add};

    steps_product(model->kernels, out, r->h + (size_t)t * n * h, r->own_forward, &g);
}

void recurrent_end_forward(struct layer *layer, uint32_t n)
{
    const struct recurrent *r = layer->own;
    const size_t h = layer->spec.units, steps = steps_of(layer);

    for (size_t t = layer->spec.sequence ? 0 : steps - 1; t < steps; t++)
        for (uint32_t b = 0; b < n; b++) {
            size_t to = layer->spec.sequence ? b * steps + t : b;

            memcpy(layer->y + to * h, r->h + ((t + 1) * n + b) * h, h * sizeof *r->h);
        }
}

void recurrent_add_dy(struct layer *layer, const struct model *model, uint32_t t, uint32_t n)
{
    const struct recurrent *r = layer->own;
    const size_t h = layer->spec.units, steps = steps_of(layer);

    if (!layer->spec.sequence && t + 1 < steps)
        return;
    for (uint32_t b = 0; b < n; b++) {
        size_t from = layer->spec.sequence ? b * steps + t : b;

        model->kernels->add_scaled(r->dh + b * h, layer->dy + from * h, 1.0f, h);
    }
}

void recurrent_step_back(struct layer *layer, struct model *model, const float *rows, uint32_t n,
                         bool add)
{
    const struct recurrent *r = layer->own;
    const uint32_t h = layer->spec.units;
    const struct gemm g = {.m = n, .n = h, .k = r->gates * h, .lda = r->row, .ldc = h, .add = add};

    steps_product(model->kernels, r->dh, rows, r->own_back, &g);
}

void recurrent_end_back(struct layer *layer, struct model *model, uint32_t n)
{
    const struct recurrent *r = layer->own;
    const size_t in = layer->in.channels, steps = steps_of(layer);

    if (!layer->dx)
        return;
    for (size_t t = 0; t < steps; t++) {
        /* rows of dx lie T * I apart, so the product writes them where they belong */
        const struct gemm g = {.m = n,
                               .n = layer->in.channels,
                               .k = r->gates * layer->spec.units,
                               .lda = r->row,
                               .ldc = steps * in};

        steps_product(model->kernels, layer->dx + t * in, r->acts + t * n * r->row, r->in_back, &g);
    }
}

static double example_gram(const struct layer *layer, struct model *model, uint32_t b, uint32_t n)
{
    const struct recurrent *r = layer->own;
    const uint32_t h = layer->spec.units, in = layer->in.channels, steps = steps_of(layer);
    const size_t all = (size_t)steps * steps;
    const struct steps acts = {r->acts + b * r->row, n * r->row, steps, r->gates * h};
    const struct steps inner = {r->inner + b * r->row, n * r->row, steps, r->gates * h};
    const struct steps x = {r->x + (size_t)b * in, (size_t)n * in, steps, in};
    const struct steps before = {r->h + (size_t)b * h, (size_t)n * h, steps, h};
    const bool both = r->inner == r->acts;
    float *of_gates = model->scratch, *of_rows = of_gates + all, *rest = of_rows + all;
    const uint64_t width = (uint64_t)r->gates * h;
    double square;

    steps_gram(model->kernels, of_gates, &acts, false, rest);
    steps_gram(model->kernels, of_rows, &x, false, rest);
    if (both) {
        steps_gram(model->kernels, of_rows, &before, true, rest);
        return steps_gram_square(of_gates, of_rows, 2.0, steps, width + in + h);
    }
    square = steps_gram_square(of_gates, of_rows, 1.0, steps, width + in);
    steps_gram(model->kernels, of_gates, &inner, false, rest);
    steps_gram(model->kernels, of_rows, &before, false, rest);
    return square + steps_gram_square(of_gates, of_rows, 1.0, steps, width + h);
}

static double example_made(const struct layer *layer, struct model *model, uint32_t b, uint32_t n)
{
    const struct recurrent *r = layer->own;
    const uint32_t h = layer->spec.units, in = layer->in.channels, steps = steps_of(layer);
    const struct steps acts = {r->acts + b * r->row, n * r->row, steps, r->gates * h};
    const struct steps inner = {r->inner + b * r->row, n * r->row, steps, r->gates * h};
    const struct steps x = {r->x + (size_t)b * in, (size_t)n * in, steps, in};
    const struct steps before = {r->h + (size_t)b * h, (size_t)n * h, steps, h};

    return steps_square(model->kernels, &acts, &x, NORM_TWICE, model->scratch) +
           steps_square(model->kernels, &inner, &before, NORM_TWICE, model->scratch);
}

void recurrent_norms(struct layer *layer, struct model *model, uint32_t n)
{
    for (uint32_t b = 0; b < n; b++)
        model->squares[b] += layer->way == NORM_GRAM ? example_gram(layer, model, b, n)
                                                     : example_made(layer, model, b, n);
}

static void weigh(const struct layer *layer, const struct model *model, float *rows, uint32_t n,
                  const float *factors)
{
    const struct recurrent *r = layer->own;

    for (size_t i = 0; i < (size_t)steps_of(layer) * n; i++)
        model->kernels->scale(rows + i * r->row, factors[i % n], r->gates * layer->spec.units);
}

void recurrent_gradient(struct layer *layer, struct model *model, uint32_t n, float *sum,
                        const float *factors)
{
    struct recurrent *r = layer->own;
    const uint32_t h = layer->spec.units, in = layer->in.channels, gates = r->gates * h;
    struct gemm g = {.m = gates,
                     .n = in,
                     .k = steps_of(layer) * n,
                     .parts = 1,
                     .lda = r->row,
                     .ldb = in,
                     .ldc = in,
                     .add = true};
    float *bias = sum + layer->bias;

    if (factors)
        weigh(layer, model, r->acts, n, factors);
    if (factors && r->inner != r->acts)
        weigh(layer, model, r->inner, n, factors);
    steps_outer(model->kernels, sum + layer->weight, r->acts, r->x, &g, model->scratch);
    g.n = h;
    g.ldb = g.ldc = h;
    steps_outer(model->kernels, sum + layer->weight + (size_t)gates * in, r->inner, r->h, &g,
                model->scratch);
    for (size_t i = 0; i < g.k; i++) {
        model->kernels->add_scaled(bias, r->acts + i * r->row, 1.0f, gates);
        model->kernels->add_scaled(bias + gates, r->inner + i * r->row, 1.0f, gates);
    }
}
