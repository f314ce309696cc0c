/* SPDX-License-Identifier: Apache-2.0 */
/* Winograd's convolutions against sums in double, by every set of kernels; and models that use
 * them: slopes, and clipping in every way of finding norms. */
#include "nn/winograd.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/nn/checks.h"

#define ERROR_MAX 3e-5 /* of the mean size of what is right; the issue allows 1e-4 */

struct sizes {
    uint32_t height, width, kernel, padding, channels, filters, n;
};

static const struct sizes SIZES[] = {
    {8, 8, 3, 1, 16, 16, 5},   /* whole tiles, several examples in one product */
    {26, 9, 3, 0, 16, 32, 2},  /* a tile that hangs over on one side */
    {7, 11, 3, 2, 32, 16, 3},  /* more outputs than inputs */
    {4, 4, 3, 1, 48, 16, 17},  /* one tile, and one example left over */
    {14, 14, 5, 2, 32, 64, 2}, /* the well-known second convolution */
    {12, 16, 5, 0, 16, 16, 1}, {5, 9, 5, 4, 16, 32, 4},
};

struct room {
    struct winograd wino;
    size_t in, out, weights;
    float *x, *y, *dy, *dx, *w, *by_filter, *bias, *dw, *packed, *scratch;
    double *want;
};

static float *floats(size_t count, const struct cn_random *random)
{
    float *values = calloc(count + 1, sizeof *values);

    cr_assert(values);
    for (size_t i = 0; random && i < count; i++)
        values[i] = (float)cn_random_normal(random);
    return values;
}

static struct room room_make(const struct sizes *s, uint64_t seed)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, seed);
    const struct window window = {.channels = s->channels,
                                  .in_height = s->height,
                                  .in_width = s->width,
                                  .out_height = s->height + 2 * s->padding - s->kernel + 1,
                                  .out_width = s->width + 2 * s->padding - s->kernel + 1,
                                  .kernel = s->kernel,
                                  .stride = 1,
                                  .padding = s->padding};
    struct room r = {.in = (size_t)s->height * s->width * s->channels,
                     .out = (size_t)window.out_height * window.out_width * s->filters,
                     .weights = (size_t)s->kernel * s->kernel * s->channels * s->filters};
    size_t most = s->n * (r.in > r.out ? r.in : r.out);

    cr_assert(winograd_plan(&r.wino, &window, s->filters));
    r.x = floats(s->n * r.in, &random);
    r.dy = floats(s->n * r.out, &random);
    r.w = floats(r.weights, &random);
    r.bias = floats(s->filters, &random);
    r.y = floats(s->n * r.out, NULL);
    r.dx = floats(s->n * r.in, NULL);
    r.dw = floats(r.weights, NULL);
    r.by_filter = floats(r.weights, NULL);
    r.packed = floats(winograd_packed(&r.wino), NULL);
    r.scratch = floats(winograd_scratch(&r.wino), NULL);
    r.want = calloc(most > r.weights ? most : r.weights, sizeof *r.want);
    cr_assert(r.want);
    kernels_ref.transpose(r.by_filter, r.w, r.weights / s->filters, s->filters);
    return r;
}

static void room_free(struct room *r)
{
    float *all[] = {r->x,         r->y,    r->dy, r->dx,     r->w,
                    r->by_filter, r->bias, r->dw, r->packed, r->scratch};

    for (size_t i = 0; i < CN_COUNT(all); i++)
        free(all[i]);
    free(r->want);
}

enum pass { FORWARD, BACKWARD, GRADIENT };

/* Every product of the convolution goes to where this pass sums it. */
static void add_products(const struct room *r, const struct sizes *s, enum pass pass)
{
    const struct window *w = &r->wino.window;
    const size_t taps = (size_t)s->kernel * s->kernel;

    for (size_t at = 0; at < s->n * w->out_height * w->out_width * taps; at++) {
        const size_t tap = at % taps, place = at / taps, b = place / w->out_width / w->out_height;
        const size_t y = place / w->out_width % w->out_height + tap / s->kernel - s->padding;
        const size_t x = place % w->out_width + tap % s->kernel - s->padding;

        if (y >= s->height || x >= s->width) /* before the first is far behind the last */
            continue;
        for (size_t c = 0; c < s->channels; c++) {
            const size_t in = ((b * s->height + y) * s->width + x) * s->channels + c;

            for (size_t f = 0; f < s->filters; f++) {
                const size_t out = place * s->filters + f;
                const size_t weight = (tap * s->channels + c) * s->filters + f;

                if (pass == FORWARD)
                    r->want[out] += (double)r->x[in] * (double)r->w[weight];
                else if (pass == BACKWARD)
                    r->want[in] += (double)r->dy[out] * (double)r->w[weight];
                else
                    r->want[weight] += (double)r->x[in] * (double)r->dy[out];
            }
        }
    }
}

static void expect_close(const float *got, const double *want, size_t count, const char *what)
{
    double size = 0.0, worst = 0.0;

    for (size_t i = 0; i < count; i++) {
        const double error = fabs((double)got[i] - want[i]);

        size += want[i] * want[i];
        worst = error > worst || isnan(error) ? error : worst;
    }
    size = sqrt(size / (double)count);
    cr_assert(worst <= ERROR_MAX * size, "%s: off by %g of %g", what, worst, size);
}

static void check_sizes(const struct kernels *set, const struct sizes *s, uint64_t seed)
{
    struct room r = room_make(s, seed);

    winograd_pack(&r.wino, set, r.packed, r.w);
    winograd_forward(&r.wino, set, r.y, r.x, r.packed, r.bias, s->n, r.scratch);
    for (size_t i = 0; i < s->n * r.out; i++)
        r.want[i] = (double)r.bias[i % s->filters];
    add_products(&r, s, FORWARD);
    expect_close(r.y, r.want, s->n * r.out, set->name);

    winograd_pack_back(&r.wino, set, r.packed, r.by_filter);
    winograd_backward(&r.wino, set, r.dx, r.dy, r.packed, s->n, r.scratch);
    memset(r.want, 0, s->n * r.in * sizeof *r.want);
    add_products(&r, s, BACKWARD);
    expect_close(r.dx, r.want, s->n * r.in, set->name);

    winograd_gradient(&r.wino, set, r.dw, r.x, r.dy, s->n, false, r.scratch);
    memset(r.want, 0, r.weights * sizeof *r.want);
    add_products(&r, s, GRADIENT);
    expect_close(r.dw, r.want, r.weights, set->name);
    winograd_gradient(&r.wino, set, r.dw, r.x, r.dy, s->n, true, r.scratch);
    add_products(&r, s, GRADIENT);
    expect_close(r.dw, r.want, r.weights, set->name);
    room_free(&r);
}

Test(winograd, convolves_as_sums_in_double_do)
{
    const struct kernels *sets[KERNELS_SETS_MAX];
    uint32_t count = kernels_all(sets);

    for (uint32_t set = 0; set < count; set++)
        for (size_t i = 0; i < CN_COUNT(SIZES); i++)
            check_sizes(sets[set], &SIZES[i], i);
}

Test(winograd, says_when_it_is_not_the_way)
{
    struct window w = {.channels = 16,
                       .in_height = 8,
                       .in_width = 8,
                       .out_height = 8,
                       .out_width = 8,
                       .kernel = 3,
                       .stride = 1,
                       .padding = 1};
    struct winograd wino;

    cr_assert(winograd_plan(&wino, &w, 16));
    cr_assert_not(winograd_plan(&wino, &w, 24), "filters that do not fill vectors");
    w.channels = 20;
    cr_assert_not(winograd_plan(&wino, &w, 16), "channels that do not fill vectors");
    w.channels = 2048;
    cr_assert_not(winograd_plan(&wino, &w, 2048), "weights that no cache holds");
    w.channels = 16;
    w.out_height = w.out_width = 2;
    cr_assert_not(winograd_plan(&wino, &w, 16), "tiles that are mostly outside");
    w.out_height = w.out_width = 8;
    w.kernel = 7;
    cr_assert_not(winograd_plan(&wino, &w, 16));
    w.kernel = 3;
    w.stride = 2;
    cr_assert_not(winograd_plan(&wino, &w, 16));
}

/* The second convolution goes this way; the first has too few channels. */
static struct model_spec image_model(uint32_t kernel, uint32_t side, uint32_t filters)
{
    return (struct model_spec){.channels = 1,
                               .height = side,
                               .width = side,
                               .layers = {spec_conv(16, 3, 1, 1), spec_of(LAYER_TANH),
                                          spec_conv(filters, kernel, 1, kernel / 2),
                                          spec_of(LAYER_TANH), spec_of(LAYER_GLOBAL_AVERAGE_POOL),
                                          spec_dense(CLASSES)},
                               .layer_count = 6};
}

Test(winograd, has_the_right_slope_in_a_model)
{
    for (uint32_t kernel = 3; kernel <= 5; kernel += 2) {
        struct model_spec spec = image_model(kernel, 6, 16);

        expect_central_differences(&spec, SMOOTH);
    }
}

static void expect_clipped_by(enum norm_way way, const struct model_spec *spec, uint32_t batch)
{
    struct clipping c = clipping_make(spec, batch);

    cr_assert_eq(c.model->layers[2].way, way);
    expect_clipped(&c);
    clipping_free(&c);
}

Test(winograd, clips_by_kept_gradients)
{
    struct model_spec three = image_model(3, 6, 16), five = image_model(5, 6, 16);

    expect_clipped_by(NORM_KEEP, &three, 4);
    expect_clipped_by(NORM_KEEP, &five, 4);
}

Test(winograd, clips_by_making_the_gradient_twice)
{
    struct model_spec three = image_model(3, 7, 16), five = image_model(5, 7, 16);

    expect_clipped_by(NORM_TWICE, &three, 4096);
    expect_clipped_by(NORM_TWICE, &five, 4096);
}

Test(winograd, clips_by_inner_products)
{
    struct model_spec spec = image_model(3, 4, 64);

    expect_clipped_by(NORM_GRAM, &spec, 4096);
}
