/* SPDX-License-Identifier: Apache-2.0 */
/* Norms without batches: layer_norm and rms_norm over the channels of each place, group_norm over
 * all places of each group of channels. Then gain and bias per channel; rms_norm has no bias and
 * takes no mean out.
 *
 * Sources: Ba et al. 2016, Wu and He 2018, Zhang and Sennrich 2019. A set is what is normalised
 * together: `runs` runs of `len` values, `step` apart. The gradient of one example is as small as
 * gain and bias, so all of them are kept for clipping. */
#include <math.h>
#include <string.h>

#include "nn/model_internal.h"

#define NORM_EPSILON 1e-5 /* under the root */

struct sets {
    size_t count, next; /* sets of one example, values from one to the next */
    size_t runs, step, len;
    size_t channel_step; /* from the first channel of one set to that of the next */
};

/* What forward remembers of a set. */
struct moments {
    float mean, inverse; /* inverse: 1 / deviation */
};
_Static_assert(sizeof(struct moments) == 2 * sizeof(float), "state holds them as floats");

static struct sets sets_of(const struct layer *layer)
{
    size_t channels = layer->in.channels, places = (size_t)layer->in.height * layer->in.width;
    size_t groups = layer->spec.groups;

    if (layer->spec.kind == LAYER_GROUP_NORM)
        return (struct sets){groups,   channels / groups, places,
                             channels, channels / groups, channels / groups};
    return (struct sets){places, channels, 1, channels, channels, 0};
}

static enum cn_err norm_infer(struct layer *layer, struct cn_diag *diag)
{
    (void)diag;
    layer->out = layer->in;
    layer->weight_count = layer->in.channels;
    layer->bias_count = layer->spec.kind == LAYER_RMS_NORM ? 0 : layer->in.channels;
    layer->way = NORM_KEEP;
    return CN_OK;
}

static enum cn_err group_norm_infer(struct layer *layer, struct cn_diag *diag)
{
    if (layer->spec.groups == 0)
        return layer_fault(layer, diag, CN_E_CONFIG, "'groups' is missing; it must be 1 to %u",
                           MODEL_SIZE_MAX);
    if (layer->in.channels % layer->spec.groups)
        return layer_fault(layer, diag, CN_E_SHAPE, "%u groups do not divide its %u channels",
                           layer->spec.groups, layer->in.channels);
    return norm_infer(layer, diag);
}

static enum cn_err norm_plan(struct layer *layer, struct model *model)
{
    CN_TRY(model_floats(model, &layer->state, model->batch_max, 2 * sets_of(layer).count));
    return model_floats(model, &layer->kept, model->batch_max,
                        layer->weight_count + layer->bias_count);
}

static struct norm norm_of(const struct layer *layer, size_t set)
{
    const struct moments m = ((const struct moments *)layer->state)[set];

    return (struct norm){.mean = m.mean, .inverse = m.inverse};
}

static struct moments measure(const struct kernels *kernels, const float *x, const struct sets *s,
                              bool centred)
{
    double n = (double)(s->runs * s->len), sums[2] = {0.0}, mean = 0.0;

    for (size_t r = 0; centred && r < s->runs; r++)
        kernels->moments(sums, x + r * s->step, 0.0, s->len);
    mean = sums[0] / n;
    sums[1] = 0.0;
    for (size_t r = 0; r < s->runs; r++)
        kernels->moments(sums, x + r * s->step, mean, s->len);
    return (struct moments){(float)mean, (float)(1.0 / sqrt(sums[1] / n + NORM_EPSILON))};
}

static void norm_forward(struct layer *layer, struct model *model, uint32_t n)
{
    const float *gains = model->weights + layer->weight, *biases = model->weights + layer->bias;
    const struct sets s = sets_of(layer);
    struct moments *moments = (struct moments *)layer->state;

    for (size_t at = 0; at < n * s.count; at++) {
        size_t set = at % s.count, from = at / s.count * shape_count(layer->in) + set * s.next;
        const float *x = layer->x + from, *gain = gains + set * s.channel_step;
        const float *bias = layer->bias_count ? biases + set * s.channel_step : NULL;
        struct norm norm;

        moments[at] = measure(model->kernels, x, &s, layer->bias_count > 0);
        norm = norm_of(layer, at);
        for (size_t r = 0; r < s.runs; r++)
            model->kernels->normalise(layer->y + from + r * s.step, x + r * s.step, gain, bias,
                                      &norm, s.len);
    }
}

/* dx = (g - mean(g) - v mean(g v)) / deviation, g = dy gain, v the normalised values; rms_norm
 * does without mean(g). */
static void norm_backward(struct layer *layer, struct model *model, uint32_t n)
{
    const struct kernels *kernels = model->kernels;
    const struct sets s = sets_of(layer);
    const double size = (double)(s.runs * s.len);

    for (size_t at = 0; at < n * s.count; at++) {
        size_t set = at % s.count, from = at / s.count * shape_count(layer->in) + set * s.next;
        const float *gain = model->weights + layer->weight + set * s.channel_step;
        const float *x = layer->x + from, *dy = layer->dy + from;
        struct norm norm = norm_of(layer, at);
        double sums[2] = {0.0};

        for (size_t r = 0; r < s.runs; r++)
            kernels->norm_dots(sums, dy + r * s.step, x + r * s.step, gain, &norm, s.len);
        norm.slope = layer->bias_count ? (float)(sums[0] / size) : 0.0f;
        norm.along = (float)(sums[1] / size);
        for (size_t r = 0; r < s.runs; r++)
            kernels->norm_back(layer->dx + from + r * s.step, dy + r * s.step, x + r * s.step, gain,
                               &norm, s.len);
    }
}

/* Adds the gradient of example b to out: gains, then biases. */
static void example_gradient(const struct layer *layer, const struct kernels *kernels, uint32_t b,
                             float *out)
{
    const struct sets s = sets_of(layer);

    for (size_t set = 0; set < s.count; set++) {
        const size_t from = b * shape_count(layer->in) + set * s.next;
        const struct norm norm = norm_of(layer, b * s.count + set);
        float *gain = out + set * s.channel_step;
        float *bias = layer->bias_count ? gain + layer->weight_count : NULL;

        for (size_t r = 0; r < s.runs; r++)
            kernels->norm_slopes(gain, bias, layer->dy + from + r * s.step,
                                 layer->x + from + r * s.step, &norm, s.len);
    }
}

static void norm_norms(struct layer *layer, struct model *model, uint32_t n)
{
    size_t count = layer->weight_count + layer->bias_count;

    memset(layer->kept, 0, n * count * sizeof *layer->kept);
    for (uint32_t b = 0; b < n; b++) {
        example_gradient(layer, model->kernels, b, layer->kept + b * count);
        model->squares[b] += model->kernels->sum_squares(layer->kept + b * count, count);
    }
}

static void norm_gradient(struct layer *layer, struct model *model, uint32_t n, float *sum,
                          const float *factors)
{
    size_t count = layer->weight_count + layer->bias_count;

    for (uint32_t b = 0; b < n; b++) {
        if (factors)
            model->kernels->add_scaled(sum + layer->weight, layer->kept + b * count, factors[b],
                                       count);
        else
            example_gradient(layer, model->kernels, b, sum + layer->weight);
    }
}

const struct layer_ops layer_norm_ops = {
    .name = "layer_norm",
    .rank = 1,
    .starts_even = true,
    .infer = norm_infer,
    .plan = norm_plan,
    .forward = norm_forward,
    .backward = norm_backward,
    .norms = norm_norms,
    .gradient = norm_gradient,
};

const struct layer_ops rms_norm_ops = {
    .name = "rms_norm",
    .rank = 1,
    .starts_even = true,
    .infer = norm_infer,
    .plan = norm_plan,
    .forward = norm_forward,
    .backward = norm_backward,
    .norms = norm_norms,
    .gradient = norm_gradient,
};

const struct layer_ops group_norm_ops = {
    .name = "group_norm",
    .rank = 1,
    .starts_even = true,
    .may_use_groups = true,
    .infer = group_norm_infer,
    .plan = norm_plan,
    .forward = norm_forward,
    .backward = norm_backward,
    .norms = norm_norms,
    .gradient = norm_gradient,
};
