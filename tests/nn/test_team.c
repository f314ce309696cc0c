/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that share a batch: the same gradients as one thread, the same bits every time. */
#include "nn/team.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EXAMPLES 61
#define WIDTH 12

static const struct model_spec SPEC = {
    .channels = 2,
    .height = WIDTH,
    .width = WIDTH,
    .layers = {{.kind = LAYER_CONV2D, .filters = 8, .kernel = 3, .padding = 1},
               {.kind = LAYER_RELU},
               {.kind = LAYER_MAX_POOL, .kernel = 2},
               {.kind = LAYER_FLATTEN},
               {.kind = LAYER_DENSE, .units = 96},
               {.kind = LAYER_RELU},
               {.kind = LAYER_DENSE, .units = 7}},
    .layer_count = 7,
};

static struct dataset data;
static uint32_t rows[EXAMPLES];

static void setup(void)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 11);

    cr_assert_eq(dataset_new(&data, EXAMPLES, 2, WIDTH, WIDTH), CN_OK);
    for (size_t i = 0; i < (size_t)EXAMPLES * 2 * WIDTH * WIDTH; i++)
        data.x[i] = (float)cn_random_normal(&random);
    for (uint32_t i = 0; i < EXAMPLES; i++) {
        data.y[i] = i % 7;
        rows[i] = (i * 17) % EXAMPLES;
    }
    data.classes = 7;
}

static void teardown(void)
{
    dataset_free(&data);
}

static struct model *model_of(const struct model_spec *spec)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 5);
    struct model *model;

    cr_assert_eq(model_new(&model, spec, 4, NULL), CN_OK);
    model_init_weights(model, &random);
    return model;
}

static float *gradient_of(const struct model_spec *spec, uint32_t threads, size_t n, double bound,
                          struct gradient_seen *seen, double *norms)
{
    struct model *model = model_of(spec);
    struct gradient_batch batch = {&data, rows, n};
    struct gradient_clip clip = {.norm = bound};
    float *sum = calloc(model_params(model), sizeof *sum);
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 77);
    struct team *team;

    cr_assert_eq(team_new(&team, model, threads), CN_OK);
    gradient_use_random(model, &random);
    *seen = (struct gradient_seen){0};
    cr_assert_eq(team_gradient(team, sum, seen, &batch, bound > 0.0 ? &clip : NULL, norms), CN_OK);
    team_free(team);
    model_free(model);
    return sum;
}

static size_t params(void)
{
    struct model *model = model_of(&SPEC);
    size_t d = model_params(model);

    model_free(model);
    return d;
}

static double distance(const float *a, const float *b, size_t d)
{
    double away = 0.0, size = 0.0;

    for (size_t i = 0; i < d; i++) {
        away += (a[i] - b[i]) * (double)(a[i] - b[i]);
        size += (double)a[i] * a[i];
    }
    return sqrt(away / size);
}

TestSuite(team, .init = setup, .fini = teardown);

Test(team, sums_what_one_thread_sums)
{
    static const size_t sizes[] = {1, 2, 3, 31, EXAMPLES};
    const size_t d = params();

    for (uint32_t threads = 2; threads <= 5; threads++) {
        for (size_t i = 0; i < CN_COUNT(sizes); i++) {
            struct gradient_seen one, many;
            float *expected = gradient_of(&SPEC, 1, sizes[i], 0.0, &one, NULL);
            float *sum = gradient_of(&SPEC, threads, sizes[i], 0.0, &many, NULL);

            cr_expect_lt(distance(expected, sum, d), 1e-6);
            cr_expect_eq(one.n, many.n);
            cr_expect_eq(one.correct, many.correct);
            cr_expect_lt(fabs(one.loss - many.loss), 1e-9 * one.loss);
            free(expected);
            free(sum);
        }
    }
}

Test(team, clips_every_example_as_one_thread_does)
{
    const size_t d = params();
    double norms[2][EXAMPLES];
    struct gradient_seen seen;
    float *expected = gradient_of(&SPEC, 1, EXAMPLES, 0.5, &seen, norms[0]);
    float *sum = gradient_of(&SPEC, 3, EXAMPLES, 0.5, &seen, norms[1]);

    cr_expect_lt(distance(expected, sum, d), 1e-6);
    for (size_t i = 0; i < EXAMPLES; i++)
        cr_expect_eq(norms[0][i], norms[1][i], "example %zu", i);
    free(expected);
    free(sum);
}

Test(team, gives_the_same_bits_every_time)
{
    struct model_spec spec = SPEC;
    const size_t d = params();
    struct gradient_seen first, again;

    spec.layers[5] = (struct layer_spec){.kind = LAYER_DROPOUT, .rate = 0.5};
    for (uint32_t threads = 1; threads <= 4; threads++) {
        float *a = gradient_of(&spec, threads, EXAMPLES, 0.0, &first, NULL);

        for (int i = 0; i < 4; i++) {
            float *b = gradient_of(&spec, threads, EXAMPLES, 0.0, &again, NULL);

            cr_expect_eq(memcmp(a, b, d * sizeof *a), 0, "%u threads", threads);
            cr_expect_eq(first.loss, again.loss);
            free(b);
        }
        free(a);
    }
}

Test(team, shares_the_weights)
{
    struct model *model = model_of(&SPEC);
    struct team *team;

    cr_assert_eq(team_new(&team, model, 2), CN_OK);
    cr_expect_eq(team_threads(team), 2);
    /* a replica has neither weights nor packed weights, and one vector of sums */
    cr_expect_lt(team_bytes(team), model_bytes(model));
    team_free(team);
    model_free(model);
}

Test(team, says_when_a_part_diverges)
{
    struct model *model = model_of(&SPEC);
    struct gradient_batch batch = {&data, rows, EXAMPLES};
    float *sum = calloc(model_params(model), sizeof *sum);
    struct gradient_seen seen = {0};
    struct team *team;

    data.x[(size_t)rows[EXAMPLES - 1] * 2 * WIDTH * WIDTH] = NAN;
    cr_assert_eq(team_new(&team, model, 2), CN_OK);
    cr_expect_eq(team_gradient(team, sum, &seen, &batch, NULL, NULL), CN_E_DIVERGED);
    team_free(team);
    model_free(model);
    free(sum);
}

Test(team, shares_only_batches_that_pay_for_it)
{
    struct model *model = model_of(&SPEC);
    struct team *one, *two;

    cr_assert_eq(team_new(&one, model, 1), CN_OK);
    cr_assert_eq(team_new(&two, model, 2), CN_OK);
    cr_expect(team_shares(two, EXAMPLES), "the other tests count on it");
    cr_expect_not(team_shares(two, 1));
    cr_expect_not(team_shares(two, 4));
    cr_expect_not(team_shares(one, EXAMPLES));
    team_free(one);
    team_free(two);
    model_free(model);
}

Test(team, refuses_numbers_of_threads_out_of_range)
{
    struct model *model = model_of(&SPEC);
    struct team *team;

    cr_expect_eq(team_new(&team, model, 0), CN_E_CONFIG);
    cr_expect_null(team);
    cr_expect_eq(team_new(&team, model, TEAM_THREADS_MAX + 1), CN_E_CONFIG);
    team_free(NULL);
    model_free(model);
}

Test(team, cuts_ranges_without_gap_or_overlap)
{
    for (size_t count = 0; count < 400; count += 7) {
        for (uint32_t parts = 1; parts < 9; parts++) {
            size_t at = 0;

            for (uint32_t i = 0; i < parts; i++) {
                struct team_range range = team_range_of(count, i, parts);

                cr_assert_eq(range.from, at);
                cr_assert_geq(range.to, range.from);
                at = range.to;
            }
            cr_assert_eq(at, count);
        }
    }
}

/* ---- chains of dense layers, split by outputs ---- */

static const struct model_spec CHAIN = {
    .channels = 1,
    .height = 1,
    .width = 2 * WIDTH * WIDTH,
    .layers = {{.kind = LAYER_FLATTEN},
               {.kind = LAYER_DENSE, .units = 160},
               {.kind = LAYER_RELU},
               {.kind = LAYER_DENSE, .units = 40},
               {.kind = LAYER_TANH},
               {.kind = LAYER_DENSE, .units = 7}},
    .layer_count = 6,
};

static void flatten_data(void)
{
    data.channels = data.height = 1;
    data.width = 2 * WIDTH * WIDTH;
}

static struct model *chain_of(uint32_t layers)
{
    struct model_spec spec = CHAIN;
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 5);
    struct model *model;

    if (layers == 2) { /* few outputs only */
        spec.layers[1].units = 7;
        spec.layer_count = 2;
    }
    cr_assert_eq(model_new(&model, &spec, 16, NULL), CN_OK);
    model_init_weights(model, &random);
    return model;
}

struct result {
    float *sum;
    struct gradient_seen seen;
    double norms[EXAMPLES];
    size_t d;
};

static void chain_run(struct result *out, uint32_t layers, uint32_t threads, size_t n,
                      const struct gradient_clip *clip)
{
    struct model *model = chain_of(layers);
    struct gradient_batch batch = {&data, rows, n};
    struct team *team;

    out->d = model_params(model);
    out->sum = malloc(out->d * sizeof *out->sum);
    out->seen = (struct gradient_seen){0};
    cr_assert_eq(team_new(&team, model, threads), CN_OK);
    cr_assert_eq(team_gradient(team, out->sum, &out->seen, &batch, clip, clip ? out->norms : NULL),
                 CN_OK);
    team_free(team);
    model_free(model);
}

static void expect_same_result(const struct result *a, const struct result *b, size_t n, bool norms)
{
    cr_expect_arr_eq(a->sum, b->sum, a->d * sizeof *a->sum);
    cr_expect_eq(a->seen.n, b->seen.n);
    cr_expect_eq(a->seen.correct, b->seen.correct);
    cr_expect_lt(fabs(a->seen.loss - b->seen.loss), 1e-12 * fabs(a->seen.loss));
    for (size_t i = 0; norms && i < n; i++)
        cr_expect_eq(a->norms[i], b->norms[i], "example %zu", i);
}

static void try_chain(const struct gradient_clip *clip)
{
    static const size_t sizes[] = {2, 15, 16, 33, EXAMPLES};
    struct result one, many;

    flatten_data();
    for (uint32_t layers = 2; layers <= 6; layers += 4) {
        for (size_t i = 0; i < CN_COUNT(sizes); i++) {
            chain_run(&one, layers, 1, sizes[i], clip);
            for (uint32_t threads = 2; threads <= 4; threads++) {
                chain_run(&many, layers, threads, sizes[i], clip);
                expect_same_result(&one, &many, sizes[i], clip);
                free(many.sum);
            }
            free(one.sum);
        }
    }
}

Test(team, sums_a_chain_to_the_bits_of_one_thread)
{
    try_chain(NULL);
}

Test(team, clips_a_chain_to_the_bits_of_one_thread)
{
    try_chain(&(struct gradient_clip){.norm = 0.5});
    try_chain(&(struct gradient_clip){.norm = 0.5, .per_layer = true});
}

/* An example that is not finite adds nothing where gradients are clipped, in its micro-batch or in
 * any other, and ends the gradient where they are not. */
Test(team, leaves_out_of_a_chain_what_is_not_finite)
{
    const struct gradient_clip clip = {.norm = 0.5};
    struct result one, two;
    struct gradient_batch batch = {&data, rows, EXAMPLES};
    struct gradient_seen seen = {0};
    struct model *model = chain_of(6);
    float *sum = calloc(model_params(model), sizeof *sum);
    struct team *team;

    flatten_data();
    data.x[(size_t)rows[20] * data.width] = INFINITY;
    chain_run(&one, 6, 1, EXAMPLES, &clip);
    chain_run(&two, 6, 2, EXAMPLES, &clip);
    cr_expect_eq(one.seen.n, EXAMPLES - 1);
    cr_expect(isinf(two.norms[20]));
    expect_same_result(&one, &two, EXAMPLES, true);
    cr_assert_eq(team_new(&team, model, 2), CN_OK);
    cr_expect_eq(team_gradient(team, sum, &seen, &batch, NULL, NULL), CN_E_DIVERGED);
    team_free(team);
    model_free(model);
    free(sum);
    free(one.sum);
    free(two.sum);
}

static void count_range(void *ctx, struct team_range range)
{
    unsigned char *times = ctx;

    for (size_t i = range.from; i < range.to; i++)
        times[i]++;
}

Test(team, covers_every_parameter_once_after_a_gradient)
{
    flatten_data();
    for (uint32_t layers = 2; layers <= 6; layers += 4) {
        for (size_t n = 1; n <= EXAMPLES; n += 20) {
            struct model *model = chain_of(layers);
            const size_t d = model_params(model);
            unsigned char *times = calloc(d, 1);
            float *sum = malloc(d * sizeof *sum);
            struct gradient_batch batch = {&data, rows, n};
            struct gradient_seen seen = {0};
            struct team *team;

            cr_assert_eq(team_new(&team, model, 2), CN_OK);
            cr_assert_eq(team_gradient(team, sum, &seen, &batch, NULL, NULL), CN_OK);
            team_ranges(team, count_range, times);
            for (size_t i = 0; i < d; i++)
                cr_assert_eq(times[i], 1, "parameter %zu", i);
            team_free(team);
            model_free(model);
            free(times);
            free(sum);
        }
    }
}

static void meet_often(void *ctx, uint32_t index, uint32_t threads)
{
    struct team *const *team = ctx;

    (void)index;
    (void)threads;
    for (int i = 0; i < 500; i++)
        team_barrier(*team);
}

Test(team, meets_at_barriers_with_more_threads_than_cores)
{
    struct model *model = model_of(&SPEC);
    struct team *team;

    cr_assert_eq(team_new(&team, model, 12), CN_OK);
    team_run(team, meet_often, &team);
    team_free(team);
    model_free(model);
}

struct tally {
    unsigned runs[4];
};

static void count_run(void *ctx, uint32_t index, uint32_t threads)
{
    struct tally *tally = ctx;

    cr_assert_eq(threads, 4);
    tally->runs[index]++;
}

Test(team, runs_every_thread_once_each_time)
{
    struct model *model = model_of(&SPEC);
    struct tally tally = {0};
    struct team *team;

    cr_assert_eq(team_new(&team, model, 4), CN_OK);
    for (unsigned i = 1; i <= 200; i++) {
        team_run(team, count_run, &tally);
        for (int j = 0; j < 4; j++)
            cr_assert_eq(tally.runs[j], i);
    }
    team_free(team);
    model_free(model);
}
