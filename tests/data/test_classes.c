/* SPDX-License-Identifier: Apache-2.0 */
#include "data/classes.h"

#include "base/random.h"
#include "scratch.h"

TestSuite(classes, .init = scratch_make, .fini = scratch_remove);

#define KEYS 40
#define PEOPLE 30
#define VALUES 5

/* Digests of small numbers, as far apart as real ones. */
static uint64_t digest(uint64_t value, uint64_t purpose)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, value * 1000 + purpose);

    return cn_random_u64(&random);
}

/* The same counts, the simple way. */
struct naive {
    unsigned rows[KEYS];
    bool persons[KEYS][PEOPLE];
    bool values[KEYS][VALUES];
};

static unsigned ones(const bool *flags, size_t n)
{
    unsigned sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += flags[i];
    return sum;
}

static void compare(const struct classes_options *options, uint64_t rows, uint64_t seed)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, seed);
    struct naive naive = {0};
    struct classes_summary summary;
    struct classes *classes;
    uint64_t dropped = 0;
    uint8_t *keys = malloc(rows);

    cr_assert_eq(classes_new(&classes, scratch_folder, options, NULL), CN_OK);
    for (uint64_t i = 0; i < rows; i++) {
        /* Small numbers are frequent, so classes are of all sizes. */
        uint64_t key = cn_random_below(&random, cn_random_below(&random, KEYS) + 1);
        uint64_t person = cn_random_below(&random, PEOPLE);
        uint64_t value = cn_random_below(&random, cn_random_below(&random, VALUES) + 1);
        struct classes_row row = {
            {digest(key, 1), digest(key, 2)}, digest(person, 3), digest(value, 4)};

        keys[i] = (uint8_t)key;
        naive.rows[key]++;
        naive.persons[key][person] = naive.values[key][value] = true;
        cr_assert_eq(classes_add(classes, &row), CN_OK);
    }
    cr_assert_eq(classes_count(classes, &summary, NULL), CN_OK);
    for (uint64_t i = 0; i < rows; i++) {
        unsigned people =
            options->persons ? ones(naive.persons[keys[i]], PEOPLE) : naive.rows[keys[i]];
        bool kept = people >= options->k &&
                    (!options->values || ones(naive.values[keys[i]], VALUES) >= options->l);

        cr_assert_eq(classes_kept(classes, i), kept);
        dropped += !kept;
    }
    cr_assert(summary.rows == rows && summary.rows_dropped == dropped);
    classes_free(classes);
    free(keys);
}

Test(classes, drops_what_a_simple_count_drops)
{
    for (uint64_t seed = 0; seed < 8; seed++) {
        compare(&(struct classes_options){.k = 5}, 600, seed);
        compare(&(struct classes_options){.persons = true, .k = 8}, 600, seed);
        compare(&(struct classes_options){.persons = true, .values = true, .k = 3, .l = 3}, 600,
                seed);
        compare(&(struct classes_options){.values = true, .l = 4, .all = true}, 600, seed);
    }
    compare(&(struct classes_options){.k = 1000}, 30000, 1);
}

Test(classes, says_the_smallest_class_and_the_least_diverse)
{
    struct classes_options options = {.values = true, .k = 2, .l = 2, .all = true};
    static const unsigned rows[][2] = {{1, 1}, {1, 1}, {1, 2}, {2, 1}, {2, 1}, {3, 7}};
    struct classes_summary summary;
    struct classes *classes;

    cr_assert_eq(classes_new(&classes, scratch_folder, &options, NULL), CN_OK);
    for (size_t i = 0; i < 6; i++) {
        struct classes_row row = {
            {digest(rows[i][0], 1), digest(rows[i][0], 2)}, 0, digest(rows[i][1], 3)};

        cr_assert_eq(classes_add(classes, &row), CN_OK);
    }
    cr_assert_eq(classes_count(classes, &summary, NULL), CN_OK);
    cr_assert(summary.classes == 3 && summary.smallest == 1 && summary.values == 1);
    cr_assert(summary.rows_dropped == 3 && summary.classes_dropped == 2);
    cr_assert(classes_kept(classes, 2) && !classes_kept(classes, 3) && !classes_kept(classes, 5));
    classes_free(classes);
}

Test(classes, takes_an_empty_table_and_tells_a_folder_that_is_not_there)
{
    struct classes_options options = {.k = 2};
    struct classes_summary summary;
    struct cn_diag diag = {0};
    struct classes *classes;

    cr_assert_eq(classes_new(&classes, scratch_folder, &options, NULL), CN_OK);
    cr_assert_eq(classes_count(classes, &summary, NULL), CN_OK);
    cr_assert(summary.rows == 0 && summary.smallest == 0);
    classes_free(classes);
    cr_assert_eq(classes_new(&classes, scratch_path("none"), &options, &diag), CN_E_NOT_FOUND);
    cr_assert(!classes && strstr(diag.text, "no temporary file"));
}
