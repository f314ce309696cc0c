/* SPDX-License-Identifier: Apache-2.0 */
/* Training on changed examples: nn/train.c's side of data/augment. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "nn/train.h"

TestSuite(train_augment);

#define N 12
#define SIDE 4

static struct dataset set;
static float first[SIDE * SIDE * 2 + 2];

static void make(void)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 3);

    cr_assert_eq(dataset_new(&set, N, 1, SIDE, SIDE), CN_OK);
    for (size_t i = 0; i < N * SIDE * SIDE; i++)
        set.x[i] = (float)cn_random_normal(&random);
    for (size_t i = 0; i < N; i++)
        set.y[i] = (uint32_t)(i % 2);
    set.classes = 2;
}

static void drop(void)
{
    dataset_free(&set);
}

/* Trains a small model and keeps its weights. */
static enum cn_err train(float weights[], const struct augment_options *augment, double clip_norm,
                         uint32_t threads, uint64_t seed)
{
    struct model_spec spec = {.channels = 1, .height = SIDE, .width = SIDE, .layer_count = 2};
    struct train_options options = {.learning_rate = 0.1,
                                    .batch = 5,
                                    .epochs = 2,
                                    .threads = threads,
                                    .clip_norm = clip_norm,
                                    .augment = augment};
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, seed);
    struct train_result result;
    struct model *model;
    enum cn_err err;

    spec.layers[0] = (struct layer_spec){.kind = LAYER_FLATTEN};
    spec.layers[1] = (struct layer_spec){.kind = LAYER_DENSE, .units = 2};
    cr_assert_eq(model_new(&model, &spec, 8, NULL), CN_OK);
    memset(model_weights(model), 0, model_params(model) * sizeof(float));
    err = train_run(model, &set, &options, &random, &result);
    memcpy(weights, model_weights(model), sizeof first);
    model_free(model);
    return err;
}

Test(train_augment, is_the_same_for_a_seed_and_leaves_the_data_alone, .init = make, .fini = drop)
{
    struct augment_options augment = {.flip = 0.5, .shift = 1, .noise = 0.3, .mix_up = 0.4};
    float again[SIDE * SIDE * 2 + 2], kept[N * SIDE * SIDE];

    memcpy(kept, set.x, sizeof kept);
    cr_assert_eq(train(first, &augment, 0, 1, 7), CN_OK);
    cr_assert_eq(train(again, &augment, 0, 1, 7), CN_OK);
    cr_assert(memcmp(first, again, sizeof first) == 0);
    cr_assert_eq(train(again, &augment, 0, 1, 8), CN_OK);
    cr_assert(memcmp(first, again, sizeof first) != 0);
    cr_assert_eq(train(again, NULL, 0, 1, 7), CN_OK);
    cr_assert(memcmp(first, again, sizeof first) != 0);
    cr_assert(memcmp(kept, set.x, sizeof kept) == 0);
}

/* Without shuffling's luck: with flip 1 each draw moves the generator, so the comparison trains on
 * data that was mirrored before, with a flip that never comes (2^-53) and draws as much. */
Test(train_augment, learns_from_what_was_changed, .init = make, .fini = drop)
{
    struct augment_options always = {.flip = 1}, never = {.flip = 0x1p-60};
    float mirrored[SIDE * SIDE * 2 + 2];

    cr_assert_eq(train(mirrored, &always, 0.5, 1, 7), CN_OK);
    cr_assert_eq(train(first, &never, 0.5, 1, 7), CN_OK);
    cr_assert(memcmp(mirrored, first, sizeof first) != 0);
    for (size_t i = 0; i < N * SIDE; i++) {
        float *row = set.x + i * SIDE;

        for (size_t a = 0; a < SIDE / 2; a++) {
            float value = row[a];

            row[a] = row[SIDE - 1 - a];
            row[SIDE - 1 - a] = value;
        }
    }
    cr_assert_eq(train(first, &never, 0.5, 1, 7), CN_OK);
    cr_assert(memcmp(mirrored, first, sizeof first) == 0);
}

Test(train_augment, refuses_mixed_examples_where_each_is_clipped, .init = make, .fini = drop)
{
    struct augment_options augment = {.mix_up = 0.4}, wrong = {.shift = SIDE};
    struct train_options options = {
        .learning_rate = 0.1, .batch = 5, .epochs = 1, .clip_norm = 1, .augment = &augment};
    struct cn_diag diag = {0};
    uint32_t steps;

    cr_assert_eq(train_check(&steps, &options, N, &diag), CN_E_CONFIG);
    cr_assert(strstr(diag.text, "mix_up"));
    cr_assert_eq(train(first, &augment, 1, 1, 7), CN_E_CONFIG);
    cr_assert_eq(train(first, &wrong, 0, 1, 7), CN_E_CONFIG);
    set.vocabulary = 5;
    cr_assert_neq(train(first, &augment, 0, 1, 7), CN_OK);
    set.vocabulary = 0;
}
