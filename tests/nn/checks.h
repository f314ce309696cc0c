/* SPDX-License-Identifier: Apache-2.0 */
/* What every layer has to pass: its gradient is the slope, and it is clipped example by example. */
#ifndef CAIRN_TESTS_NN_CHECKS_H
#define CAIRN_TESTS_NN_CHECKS_H

#include <math.h>
#include <string.h>

#include "nn/gradient.h"
#include "nn/model_internal.h"
#include "tests/nn/fixture.h"

#define CLASSES 3

static inline double loss_of(struct model *model, const struct gradient_batch *batch)
{
    struct gradient_seen seen = {0};
    float *ignored = calloc(model_params(model), sizeof *ignored);

    cr_assert_eq(gradient_add(model, ignored, &seen, batch), CN_OK);
    free(ignored);
    return seen.loss;
}

#define SMOOTH 2e-3f /* float logits make a larger step exacter */
#define KINKED 2e-4f /* for relu and max_pool, so that hardly a step crosses a kink */

static inline void expect_central_differences(const struct model_spec *spec, const float step)
{
    struct model *model = fixture_model(spec, 2, 11);
    struct dataset data = fixture_data_for(model, spec, 3, 12);
    uint32_t *rows = fixture_rows(3);
    struct gradient_batch batch = {&data, rows, 3};
    struct gradient_seen seen = {0};
    float *weights = model_weights(model), *sum = calloc(model_params(model), sizeof *sum);

    cr_assert_eq(gradient_check(model, &data, NULL), CN_OK);
    cr_assert_eq(gradient_add(model, sum, &seen, &batch), CN_OK);
    for (size_t i = 0; i < model_params(model); i++) {
        const float was = weights[i];
        double up, down, slope;

        weights[i] = was + step;
        up = loss_of(model, &batch);
        weights[i] = was - step;
        down = loss_of(model, &batch);
        slope = (up - down) / ((double)(was + step) - (double)(was - step));
        weights[i] = was;
        cr_assert_float_eq(sum[i], slope, 2e-3 * (0.5 + fabs(slope)), "weight %zu: %g and not %g",
                           i, (double)sum[i], slope);
    }
    free(sum);
    free(rows);
    fixture_data_free(&data);
    model_free(model);
}

#define EXAMPLES 7

struct clipping {
    struct model *model;
    struct dataset data;
    uint32_t *rows;
    size_t d;
    float *single; /* [EXAMPLES, d] gradients of single examples */
};

static inline struct clipping clipping_make(const struct model_spec *spec, uint32_t batch_max)
{
    struct clipping c = {.model = fixture_model(spec, batch_max, 21),
                         .rows = fixture_rows(EXAMPLES)};

    c.data = fixture_data_for(c.model, spec, EXAMPLES, 22);
    c.d = model_params(c.model);
    c.single = calloc(EXAMPLES * c.d, sizeof *c.single);
    cr_assert(c.single);
    for (uint32_t i = 0; i < EXAMPLES; i++) {
        struct gradient_batch one = {&c.data, &c.rows[i], 1};
        struct gradient_seen seen = {0};

        cr_assert_eq(gradient_add(c.model, c.single + i * c.d, &seen, &one), CN_OK);
    }
    return c;
}

static inline void clipping_free(struct clipping *c)
{
    free(c->single);
    free(c->rows);
    fixture_data_free(&c->data);
    model_free(c->model);
}

/* The norms are those of the single gradients; the sum is that of the clipped ones. */
static inline void expect_clipped(struct clipping *c)
{
    struct gradient_batch all = {&c->data, c->rows, EXAMPLES};
    struct gradient_seen seen = {0};
    double norms[EXAMPLES], bound;
    float *sum = calloc(c->d, sizeof *sum);

    cr_assert_eq(gradient_add_clipped(c->model, sum, &seen, &all, 1e9, norms), CN_OK);
    for (size_t b = 0; b < EXAMPLES; b++) {
        double norm = sqrt(kernels_ref.sum_squares(c->single + b * c->d, c->d));

        cr_assert_float_eq(norms[b], norm, 2e-5 * norm, "example %zu: %g and not %g", b, norms[b],
                           norm);
    }
    bound = (norms[0] + norms[1]) / 2; /* some are clipped and some are not */
    memset(sum, 0, c->d * sizeof *sum);
    cr_assert_eq(gradient_add_clipped(c->model, sum, &seen, &all, bound, NULL), CN_OK);
    for (size_t i = 0; i < c->d; i++) {
        double want = 0.0;

        for (size_t b = 0; b < EXAMPLES; b++)
            want += (double)c->single[b * c->d + i] * fmin(1.0, bound / norms[b]);
        cr_assert_float_eq(sum[i], want, 2e-5 * (bound + fabs(want)), "weight %zu: %g and not %g",
                           i, (double)sum[i], want);
    }
    cr_assert_eq(seen.n, 2 * EXAMPLES);
    free(sum);
}

#endif
