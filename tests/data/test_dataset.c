/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "data/dataset.h"

Test(dataset, holds_what_it_was_made_for)
{
    struct dataset set;

    cr_assert_eq(dataset_new(&set, 4, 3, 5, 7), CN_OK);
    cr_assert(set.n == 4 && dataset_features(&set) == 105);
    for (size_t i = 0; i < 4 * 105; i++)
        set.x[i] = (float)i;
    cr_assert_eq(dataset_resize(&set, 2), CN_OK);
    cr_assert(set.n == 2 && set.x[209] == 209);
    dataset_free(&set);
    dataset_free(&set);
    cr_assert(!set.x && set.n == 0);
}

Test(dataset, refuses_sizes_past_its_limits)
{
    struct dataset set;

    cr_assert_eq(dataset_new(&set, 0, 1, 1, 1), CN_E_SHAPE);
    cr_assert_eq(dataset_new(&set, 1, 1, 0, 1), CN_E_SHAPE);
    cr_assert_eq(dataset_new(&set, DATASET_EXAMPLES_MAX + 1, 1, 1, 1), CN_E_TOO_LARGE);
    cr_assert_eq(dataset_new(&set, 1, UINT32_MAX, UINT32_MAX, UINT32_MAX), CN_E_TOO_LARGE);
    cr_assert_eq(dataset_new(&set, 1, 1 << 13, 1 << 13, 1), CN_E_TOO_LARGE);
    cr_assert_eq(dataset_new(&set, DATASET_EXAMPLES_MAX, 1, 64, 64), CN_E_TOO_LARGE);
    cr_assert(!set.x && set.n == 0);
}

Test(dataset, counts_by_class)
{
    uint32_t y[] = {2, 0, 2};
    struct dataset set = {.y = y, .n = 3, .classes = 4};
    size_t counts[4];

    dataset_counts(counts, &set);
    cr_assert(counts[0] == 1 && counts[1] == 0 && counts[2] == 2 && counts[3] == 0);
}

Test(dataset, holds_tokens_with_a_target_for_each)
{
    const struct dataset_options options = {1, 1, 6, 90, 6, 0};
    struct dataset set;

    cr_assert_eq(dataset_new_with(&set, 3, &options), CN_OK);
    cr_assert(set.vocabulary == 90 && dataset_targets(&set) == 6 && set.y && !set.z);
    for (size_t i = 0; i < 18; i++)
        set.y[i] = i % 3 ? (uint32_t)(i % 2) : DATASET_IGNORE;
    cr_assert_eq(dataset_resize(&set, 30), CN_OK);
    cr_assert(set.y[17] == 1 && set.y[15] == DATASET_IGNORE);
    cr_assert_eq(dataset_resize(&set, 3), CN_OK);
    set.classes = 2;
    {
        size_t counts[2];

        dataset_counts(counts, &set);
        cr_assert(counts[0] == 6 && counts[1] == 6, "ignored targets do not count");
    }
    dataset_free(&set);
}

Test(dataset, holds_real_targets_in_place_of_classes)
{
    const struct dataset_options options = {.channels = 1, .height = 1, .width = 2, .reals = 5};
    struct dataset set;

    cr_assert_eq(dataset_new_with(&set, 4, &options), CN_OK);
    cr_assert(dataset_targets(&set) == 0 && !set.y && set.z && set.reals == 5);
    set.z[19] = 3.0f;
    cr_assert_eq(dataset_resize(&set, 4000), CN_OK);
    cr_assert_eq(set.z[19], 3.0f);
    dataset_free(&set);
    cr_assert(!set.z && set.reals == 0);
}

Test(dataset, refuses_options_that_exclude_each_other)
{
    struct dataset_options options = {1, 1, 2, 0, 3, 3};
    struct dataset set;

    cr_assert_eq(dataset_new_with(&set, 1, &options), CN_E_SHAPE);
    options = (struct dataset_options){2, 1, 2, 90, 1, 0};
    cr_assert_eq(dataset_new_with(&set, 1, &options), CN_E_SHAPE);
    options = (struct dataset_options){1, 1, 2, DATASET_VOCABULARY_MAX + 1, 1, 0};
    cr_assert_eq(dataset_new_with(&set, 1, &options), CN_E_TOO_LARGE);
    options = (struct dataset_options){1, 1, 2, 0, DATASET_TARGETS_MAX + 1, 0};
    cr_assert_eq(dataset_new_with(&set, 1, &options), CN_E_TOO_LARGE);
    cr_assert(!set.x && !set.y && !set.z);
}
