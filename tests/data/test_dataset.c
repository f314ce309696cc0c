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
