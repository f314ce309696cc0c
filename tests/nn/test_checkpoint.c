/* SPDX-License-Identifier: Apache-2.0 */
/* A training that is interrupted and goes on ends with the bits of one that was not. */
#include "nn/checkpoint.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "nn/train_internal.h"
#include "tests/nn/fixture.h"

static const struct model_spec SPEC = {.channels = 1,
                                       .height = 5,
                                       .width = 5,
                                       .layers = {{.kind = LAYER_CONV2D, .filters = 2, .kernel = 3},
                                                  {.kind = LAYER_RELU},
                                                  {.kind = LAYER_FLATTEN},
                                                  {.kind = LAYER_DROPOUT, .rate = 0.25},
                                                  {.kind = LAYER_DENSE, .units = 3}},
                                       .layer_count = 5};
#define EXAMPLES 23

struct scene {
    struct model *model;
    struct dataset data;
    struct cn_seeded seeded;
    struct cn_random random;
    struct train *train;
    struct checkpoint checkpoint;
};

static struct scene *scene_make(const struct train_options *options)
{
    struct scene *s = calloc(1, sizeof *s);

    cr_assert(s);
    s->model = fixture_model(&SPEC, 4, 5);
    s->data = fixture_data(&SPEC, EXAMPLES, 3, 6);
    s->random = cn_random_seeded(&s->seeded, 7);
    s->checkpoint.identity[0] = 9;
    s->checkpoint.seeded = &s->seeded;
    cr_assert_eq(train_new(&s->train, s->model, &s->data, options, &s->random), CN_OK);
    return s;
}

static void scene_free(struct scene *s)
{
    train_free(s->train);
    fixture_data_free(&s->data);
    model_free(s->model);
    free(s);
}

static void steps(struct scene *s, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        cr_assert_eq(train_step(s->train), CN_OK);
}

static struct cn_buf encode(const struct scene *s)
{
    struct cn_buf bytes;

    cn_buf_init(&bytes, checkpoint_bytes_max(s->train));
    cr_assert_eq(checkpoint_encode(&bytes, s->train, &s->checkpoint), CN_OK);
    return bytes;
}

static void expect_same_end(const struct train_options *options, uint32_t before, uint32_t after)
{
    struct scene *whole = scene_make(options), *first = scene_make(options),
                 *second = scene_make(options);
    struct cn_buf bytes;
    struct train_result a, b;

    steps(whole, before + after);
    steps(first, before);
    bytes = encode(first);
    scene_free(first);
    cr_assert_eq(
        checkpoint_decode(second->train, &second->checkpoint, bytes.data, bytes.len, "f", NULL),
        CN_OK);
    steps(second, after);
    cr_assert_arr_eq(model_weights(whole->model), model_weights(second->model),
                     model_params(whole->model) * sizeof(float));
    cr_assert_arr_eq(&whole->seeded, &second->seeded, sizeof whole->seeded);
    a = train_result_of(whole->train);
    b = train_result_of(second->train);
    cr_assert(a.steps == b.steps && a.examples == b.examples && a.correct == b.correct);
    cr_assert_arr_eq(&a.loss, &b.loss, sizeof a.loss);
    cn_buf_clear(&bytes);
    scene_free(whole);
    scene_free(second);
}

Test(checkpoint, goes_on_with_every_optimiser_in_the_middle_of_an_epoch)
{
    for (int kind = 0; kind < OPTIMISER_KIND_COUNT; kind++) {
        struct train_options options = {
            .learning_rate = 0.01,
            .momentum = kind == OPTIMISER_NESTEROV || kind == OPTIMISER_RMSPROP ? 0.9 : 0,
            .batch = 5,
            .steps = 20,
            .optimiser = {.kind = (enum optimiser_kind)kind,
                          .proximal = 0.1,
                          .schedule = SCHEDULE_COSINE,
                          .warm_up = 3}};

        expect_same_end(&options, 7, 13); /* an epoch has 5 steps */
        expect_same_end(&options, 10, 10);
        expect_same_end(&options, 0, 20);
    }
}

Test(checkpoint, goes_on_with_poisson_batches_that_are_clipped)
{
    struct train_options options = {.learning_rate = 0.1,
                                    .momentum = 0.5,
                                    .sampling_rate = 0.3,
                                    .steps = 16,
                                    .clip_norm = 0.2,
                                    .expected_batch = 7};

    expect_same_end(&options, 9, 7);
}

static const struct train_options PLAIN = {
    .learning_rate = 0.1, .momentum = 0.9, .batch = 4, .steps = 9};

Test(checkpoint, keeps_the_words_and_weights_of_its_caller)
{
    struct scene *a = scene_make(&PLAIN), *b = scene_make(&PLAIN);
    size_t d = model_params(a->model);
    struct cn_buf bytes;

    a->checkpoint.best = calloc(d, sizeof(float));
    b->checkpoint.best = calloc(d, sizeof(float));
    cr_assert(a->checkpoint.best && b->checkpoint.best);
    a->checkpoint.best[3] = 1.5f;
    a->checkpoint.extra[0] = INFINITY;
    a->checkpoint.extra[CHECKPOINT_EXTRA_MAX - 1] = -0.25;
    bytes = encode(a);
    cr_assert_eq(checkpoint_decode(b->train, &b->checkpoint, bytes.data, bytes.len, "f", NULL),
                 CN_OK);
    cr_assert_eq(b->checkpoint.best[3], 1.5f);
    cr_assert(isinf(b->checkpoint.extra[0]));
    cr_assert_eq(b->checkpoint.extra[CHECKPOINT_EXTRA_MAX - 1], -0.25);
    free(a->checkpoint.best);
    free(b->checkpoint.best);
    cn_buf_clear(&bytes);
    scene_free(a);
    scene_free(b);
}

/* Decodes into a fresh scene, which must stay as it was when that fails. */
static enum cn_err decode(const struct train_options *options, const void *bytes, size_t len,
                          void (*change)(struct scene *s), struct cn_diag *diag)
{
    struct scene *s = scene_make(options);
    size_t size = model_params(s->model) * sizeof(float);
    float *before = malloc(size);
    enum cn_err err;

    cr_assert(before);
    memcpy(before, model_weights(s->model), size);
    if (change)
        change(s);
    err = checkpoint_decode(s->train, &s->checkpoint, bytes, len, "f", diag);
    if (err != CN_OK) {
        cr_assert_arr_eq(model_weights(s->model), before, size);
        cr_assert_eq(train_result_of(s->train).steps, 0);
    }
    free(before);
    scene_free(s);
    return err;
}

Test(checkpoint, refuses_every_cut_and_every_changed_byte)
{
    struct scene *s = scene_make(&PLAIN);
    struct cn_buf bytes;

    steps(s, 2);
    bytes = encode(s);
    for (size_t cut = 0; cut < bytes.len; cut += cut < 400 ? 1 : 37)
        cr_assert_eq(decode(&PLAIN, bytes.data, cut, NULL, NULL), CN_E_PARSE, "cut at %zu", cut);
    for (size_t at = 0; at < bytes.len; at += 13) {
        bytes.data[at] ^= 0x10;
        cr_assert_eq(decode(&PLAIN, bytes.data, bytes.len, NULL, NULL), CN_E_PARSE, "byte %zu", at);
        bytes.data[at] ^= 0x10;
    }
    cr_assert_eq(decode(&PLAIN, bytes.data, bytes.len, NULL, NULL), CN_OK);
    cn_buf_clear(&bytes);
    scene_free(s);
}

static void other_identity(struct scene *s)
{
    s->checkpoint.identity[31] ^= 1;
}

static void no_generator(struct scene *s)
{
    s->checkpoint.seeded = NULL;
}

static void wants_best(struct scene *s)
{
    static float best[1024];

    s->checkpoint.best = best;
}

Test(checkpoint, refuses_what_is_of_another_training)
{
    struct train_options longer = PLAIN, adam = PLAIN;
    struct scene *s = scene_make(&PLAIN);
    struct cn_buf bytes = encode(s);
    struct cn_diag diag = {0};

    longer.steps = 10;
    adam.momentum = 0;
    adam.optimiser.kind = OPTIMISER_ADAM;
    cr_assert_eq(decode(&longer, bytes.data, bytes.len, NULL, &diag), CN_E_CONFIG);
    cr_assert(strstr(diag.text, "another task, other data or other options"));
    cr_assert_eq(decode(&adam, bytes.data, bytes.len, NULL, NULL), CN_E_CONFIG);
    cr_assert_eq(decode(&PLAIN, bytes.data, bytes.len, other_identity, NULL), CN_E_CONFIG);
    cn_diag_clear(&diag);
    cr_assert_eq(decode(&PLAIN, bytes.data, bytes.len, no_generator, &diag), CN_E_CONFIG);
    cr_assert(strstr(diag.text, "with a seed"));
    cr_assert_eq(decode(&PLAIN, bytes.data, bytes.len, wants_best, NULL), CN_E_CONFIG);
    cn_buf_clear(&bytes);
    scene_free(s);
}

Test(checkpoint, refuses_weights_that_are_not_finite)
{
    struct scene *s = scene_make(&PLAIN);
    struct cn_buf bytes;

    model_weights(s->model)[1] = NAN;
    bytes = encode(s);
    cr_assert_eq(decode(&PLAIN, bytes.data, bytes.len, NULL, NULL), CN_E_DIVERGED);
    cn_buf_clear(&bytes);
    scene_free(s);
}

Test(checkpoint, refuses_examples_that_are_not_there)
{
    struct scene *s = scene_make(&PLAIN);
    struct cn_buf bytes;

    s->train->rows[4] = EXAMPLES;
    bytes = encode(s);
    cr_assert_eq(decode(&PLAIN, bytes.data, bytes.len, NULL, NULL), CN_E_PARSE);
    cn_buf_clear(&bytes);
    scene_free(s);
}

Test(checkpoint, stands_in_a_file_that_only_its_owner_reads)
{
    char path[] = "/tmp/cairn-checkpoint-XXXXXX";
    struct scene *a = scene_make(&PLAIN), *b = scene_make(&PLAIN);
    int fd = mkstemp(path);

    cr_assert(fd >= 0);
    close(fd);
    steps(a, 3);
    cr_assert_eq(checkpoint_save(path, a->train, &a->checkpoint, NULL), CN_OK);
    cr_assert_eq(checkpoint_load(b->train, &b->checkpoint, path, NULL), CN_OK);
    cr_assert_eq(train_result_of(b->train).steps, 3);
    unlink(path);
    cr_assert_eq(checkpoint_load(b->train, &b->checkpoint, path, NULL), CN_E_NOT_FOUND);
    cr_assert_neq(checkpoint_save("/nowhere/at/all", a->train, &a->checkpoint, NULL), CN_OK);
    scene_free(a);
    scene_free(b);
}
