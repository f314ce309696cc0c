/* SPDX-License-Identifier: Apache-2.0 */
#include "data/augment.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

TestSuite(augment);

#define SIDE 5
#define VALUES ((size_t)2 * SIDE * SIDE)

static const struct augment_shape shape = {2, SIDE, SIDE};
static struct cn_seeded seeded;
static struct cn_random random_of(uint64_t seed)
{
    return cn_random_seeded(&seeded, seed);
}

/* Two channels whose values name their place, none of them 0. */
static void fill(float x[VALUES])
{
    for (size_t i = 0; i < VALUES; i++)
        x[i] = (float)(i + 1);
}

static void change(float x[VALUES], const struct augment_options *options, uint64_t seed)
{
    float scratch[SIDE * SIDE];
    struct cn_random random = random_of(seed);

    cr_assert_eq(augment_check(options, &shape, NULL), CN_OK);
    cr_assert_eq(augment_scratch(&shape), SIDE * SIDE);
    fill(x);
    augment_example(x, scratch, options, &shape, &random);
}

static float before(size_t c, int y, int x)
{
    return y < 0 || x < 0 || y >= SIDE || x >= SIDE
               ? 0
               : (float)(c * SIDE * SIDE + (size_t)y * SIDE + (size_t)x + 1);
}

Test(augment, mirrors_all_channels)
{
    float x[VALUES];

    change(x, &(struct augment_options){.flip = 1}, 1);
    for (size_t i = 0; i < VALUES; i++)
        cr_assert_eq(x[i], before(i / 25, (int)(i % 25 / 5), 4 - (int)(i % 5)));
    change(x, &(struct augment_options){.flip_up = 1}, 1);
    for (size_t i = 0; i < VALUES; i++)
        cr_assert_eq(x[i], before(i / 25, 4 - (int)(i % 25 / 5), (int)(i % 5)));
    change(x, &(struct augment_options){.flip = 1, .flip_up = 1, .rotate = 0}, 1);
    for (size_t i = 0; i < 25; i++)
        cr_assert_eq(x[i], (float)(25 - i));
}

/* The offset by which the image has moved, and that it has moved as a whole. */
static void find_offset(const float x[VALUES], int *down, int *right)
{
    for (*down = -4; *down <= 4; (*down)++) {
        for (*right = -4; *right <= 4; (*right)++) {
            size_t same = 0;

            for (size_t i = 0; i < VALUES; i++)
                same += x[i] == before(i / 25, (int)(i % 25 / 5) - *down, (int)(i % 5) - *right);
            if (same == VALUES)
                return;
        }
    }
    cr_assert_fail("the image has not moved as a whole");
}

Test(augment, shifts_and_crops_within_their_bounds_and_reach_them)
{
    bool seen[2][5][5] = {{{false}}};

    for (uint64_t seed = 0; seed < 600; seed++) {
        for (int way = 0; way < 2; way++) {
            struct augment_options options = {.shift = way ? 0 : 2, .crop = way ? 2 : 0};
            int down, right;
            float x[VALUES];

            change(x, &options, seed);
            find_offset(x, &down, &right);
            cr_assert(down >= -2 && down <= 2 && right >= -2 && right <= 2);
            seen[way][down + 2][right + 2] = true;
        }
    }
    /* 25 offsets, 600 draws: one is missed with probability 25 * (24/25)^600 < 6e-10. */
    for (int i = 0; i < 25; i++)
        cr_assert(seen[0][i / 5][i % 5] && seen[1][i / 5][i % 5]);
}

Test(augment, turns_around_the_middle)
{
    float x[VALUES];

    for (uint64_t seed = 0; seed < 20; seed++) {
        change(x, &(struct augment_options){.rotate = 180}, seed);
        cr_assert_float_eq(x[12], 13, 1e-4); /* the middle stays */
        for (size_t i = 0; i < VALUES; i++)
            cr_assert(x[i] >= 0 && x[i] <= VALUES);
    }
    change(x, &(struct augment_options){.rotate = 1e-9}, 3);
    for (size_t i = 0; i < VALUES; i++)
        cr_assert_float_eq(x[i], (float)(i + 1), 1e-3);
}

Test(augment, adds_brightness_and_noise_of_the_right_size)
{
    double sum = 0, squares = 0;
    float x[VALUES];

    for (uint64_t seed = 0; seed < 200; seed++) {
        change(x, &(struct augment_options){.brightness = 0.5}, seed);
        cr_assert(fabs((double)x[0] - 1) <= 0.5);
        for (size_t i = 0; i < VALUES; i++)
            cr_assert_float_eq(x[i] - (float)(i + 1), x[0] - 1, 1e-5);
        change(x, &(struct augment_options){.noise = 0.25}, seed);
        for (size_t i = 0; i < VALUES; i++) {
            double off = (double)x[i] - (double)(i + 1);

            sum += off;
            squares += off * off;
        }
    }
    /* 10,000 draws: the mean within 5 deviations of 0.0025, the variance within 5 of 0.00088;
     * false alarm below 1e-6, and the seeds are fixed. */
    cr_assert(fabs(sum / 10000) < 0.0125);
    cr_assert_float_eq(squares / 10000, 0.0625, 0.0045);
}

Test(augment, cuts_a_square_out_of_all_channels)
{
    unsigned whole = 0;

    for (uint64_t seed = 0; seed < 100; seed++) {
        size_t zeros = 0;
        float x[VALUES];

        change(x, &(struct augment_options){.cut_out = 1, .cut_out_size = 3}, seed);
        for (size_t i = 0; i < 25; i++) {
            cr_assert_eq(x[i] == 0, x[25 + i] == 0);
            zeros += x[i] == 0;
        }
        cr_assert(zeros >= 4 && zeros <= 9);
        whole += zeros == 9;
    }
    cr_assert(whole > 10);
}

Test(augment, gives_the_same_for_the_same_seed)
{
    struct augment_options all = {.shift = 1,
                                  .crop = 1,
                                  .flip = 0.5,
                                  .flip_up = 0.5,
                                  .rotate = 20,
                                  .brightness = 1,
                                  .noise = 1,
                                  .cut_out = 0.5,
                                  .cut_out_size = 2};
    float a[VALUES], b[VALUES];

    change(a, &all, 7);
    change(b, &all, 7);
    cr_assert(memcmp(a, b, sizeof a) == 0);
    change(b, &all, 8);
    cr_assert(memcmp(a, b, sizeof a) != 0);
}

Test(augment, draws_shares_of_a_symmetric_beta)
{
    static const double alphas[] = {0.2, 1, 5};
    struct cn_random random = random_of(5);

    for (size_t i = 0; i < 3; i++) {
        double sum = 0, squares = 0, variance = 1 / (4 * (2 * alphas[i] + 1));

        for (int n = 0; n < 20000; n++) {
            double share = augment_mix_share(alphas[i], &random);

            cr_assert(share >= 0 && share <= 1);
            sum += share;
            squares += (share - 0.5) * (share - 0.5);
        }
        cr_assert_float_eq(sum / 20000, 0.5, 0.02);
        cr_assert_float_eq(squares / 20000, variance, 0.05 * variance);
    }
}

Test(augment, fills_batches_with_mixed_pairs)
{
    struct dataset set;
    struct augment_options options = {.mix_up = 1};
    struct augment_batch batch = {0};
    struct cn_random random = random_of(9);
    static const uint32_t rows[] = {4, 2, 0};

    cr_assert_eq(dataset_new(&set, 5, 1, 1, 2), CN_OK);
    for (uint32_t i = 0; i < 5; i++) {
        set.x[2 * i] = (float)i;
        set.x[2 * i + 1] = 1;
        set.y[i] = i;
    }
    set.classes = 5;
    for (int round = 0; round < 50; round++) {
        cr_assert_eq(
            augment_batch_fill(&batch, &set, rows, (size_t)(1 + round % 3), &options, &random),
            CN_OK);
        cr_assert(batch.set.n == (size_t)(1 + round % 3) && batch.set.classes == 5);
        for (size_t i = 0; i < batch.set.n; i++) {
            cr_assert(batch.rows[i] == i && batch.set.y[i] % 2 == 0);
            cr_assert_float_eq(batch.set.x[2 * i + 1], 1, 1e-6);
            cr_assert(batch.set.x[2 * i] >= 0 && batch.set.x[2 * i] <= 4);
        }
    }
    options = (struct augment_options){.noise = 1e-9};
    cr_assert_eq(augment_batch_fill(&batch, &set, rows, 3, &options, &random), CN_OK);
    cr_assert(batch.set.y[0] == 4 && batch.set.y[1] == 2 && batch.set.y[2] == 0);
    cr_assert_float_eq(batch.set.x[0], 4, 1e-6);
    cr_assert(set.x[8] == 4 && set.y[4] == 4); /* the data itself is as it was */
    augment_batch_clear(&batch);
    dataset_free(&set);
}

static void refuses(struct augment_options options, struct augment_shape of, const char *part)
{
    struct cn_diag diag = {0};

    cr_assert_eq(augment_check(&options, &of, &diag), CN_E_CONFIG, "%s", part);
    cr_assert(strstr(diag.text, part), "'%s' lacks '%s'", diag.text, part);
}

Test(augment, refuses_options_out_of_range_or_without_an_image)
{
    static const struct augment_shape row = {1, 1, 9};

    refuses((struct augment_options){.flip = 1.1}, shape, "'flip'");
    refuses((struct augment_options){.flip_up = -1}, shape, "'flip_up'");
    refuses((struct augment_options){.rotate = 181}, shape, "'rotate'");
    refuses((struct augment_options){.noise = NAN}, shape, "'noise'");
    refuses((struct augment_options){.brightness = INFINITY}, shape, "'brightness'");
    refuses((struct augment_options){.mix_up = 1e-9}, shape, "'mix_up'");
    refuses((struct augment_options){.shift = 5}, shape, "'shift'");
    refuses((struct augment_options){.crop = 5}, shape, "'crop'");
    refuses((struct augment_options){.cut_out = 0.5}, shape, "'cut_out'");
    refuses((struct augment_options){.cut_out_size = 2}, shape, "together");
    refuses((struct augment_options){.cut_out = 1, .cut_out_size = 6}, shape, "'cut_out_size'");
    refuses((struct augment_options){.flip = 0.5}, row, "no images");
    cr_assert_eq(augment_check(&(struct augment_options){.noise = 1, .mix_up = 1}, &row, NULL),
                 CN_OK);
    cr_assert(!augment_any(&(struct augment_options){0}));
    cr_assert(augment_any(&(struct augment_options){.mix_up = 1}) &&
              !augment_alone(&(struct augment_options){.mix_up = 1}));
}
