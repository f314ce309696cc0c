/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>

#include "data/split.h"

#define N 1003
#define PARTS 8
#define CLASSES 10

static uint32_t y[N], owner[N], again[N];

static void make_labels(void)
{
    for (uint32_t i = 0; i < N; i++)
        y[i] = i % CLASSES;
}

TestSuite(split, .init = make_labels);

static struct cn_random seeded(uint64_t seed)
{
    static struct cn_seeded state;

    return cn_random_seeded(&state, seed);
}

static void dirichlet(uint32_t *out, double alpha, uint64_t seed)
{
    struct split_dirichlet how = {PARTS, CLASSES, alpha};
    struct cn_random random = seeded(seed);

    cr_assert_eq(split_dirichlet(out, y, N, &how, &random), CN_OK);
}

static void check_equal_parts(const uint32_t *who)
{
    size_t counts[PARTS] = {0}, nobody = 0;

    for (size_t i = 0; i < N; i++) {
        cr_assert(who[i] < PARTS || who[i] == SPLIT_NOBODY);
        if (who[i] < PARTS)
            counts[who[i]]++;
        else
            nobody++;
    }
    for (size_t p = 0; p < PARTS; p++)
        cr_assert_eq(counts[p], N / PARTS);
    cr_assert_eq(nobody, N % PARTS);
}

/* Mean over parts of the largest share that one label has in a part. */
static double peak(const uint32_t *who)
{
    size_t counts[PARTS][CLASSES] = {{0}};
    double sum = 0;

    for (size_t i = 0; i < N; i++)
        if (who[i] < PARTS)
            counts[who[i]][y[i]]++;
    for (size_t p = 0; p < PARTS; p++) {
        size_t largest = 0;

        for (size_t c = 0; c < CLASSES; c++)
            largest = counts[p][c] > largest ? counts[p][c] : largest;
        sum += (double)largest / (N / PARTS);
    }
    return sum / PARTS;
}

Test(split, gives_equal_parts_whatever_alpha_is)
{
    static const double alphas[] = {SPLIT_ALPHA_MIN, 0.1, 1, 100, SPLIT_ALPHA_MAX};
    struct cn_random random = seeded(7);

    for (size_t i = 0; i < sizeof alphas / sizeof alphas[0]; i++) {
        dirichlet(owner, alphas[i], 7);
        check_equal_parts(owner);
    }
    cr_assert_eq(split_iid(owner, N, PARTS, &random), CN_OK);
    check_equal_parts(owner);
}

Test(split, is_the_same_for_a_seed_and_another_for_another)
{
    dirichlet(owner, 1, 1);
    dirichlet(again, 1, 1);
    cr_assert_eq(memcmp(owner, again, sizeof owner), 0);
    dirichlet(again, 1, 2);
    cr_assert_neq(memcmp(owner, again, sizeof owner), 0);
}

/* Computed once on x86-64 with gcc 12 and glibc 2.36: another machine has to agree. */
Test(split, is_the_same_on_every_machine)
{
    uint64_t hash = 14695981039346656037u;

    dirichlet(owner, 0.5, 42);
    for (size_t i = 0; i < N; i++)
        hash = (hash ^ owner[i]) * 1099511628211u;
    cr_assert_eq(hash, 0x46ca79fd98c2d292u, "%#llx", (unsigned long long)hash);
}

Test(split, is_uneven_for_a_small_alpha_and_even_for_a_large_one)
{
    double tiny, small, large;

    dirichlet(owner, 0.01, 3);
    tiny = peak(owner);
    dirichlet(owner, 1, 3);
    small = peak(owner);
    dirichlet(owner, 10000, 3);
    large = peak(owner);
    cr_assert(tiny > 0.6 && small > 0.15 && small < 0.5 && large < 0.2, "%g %g %g", tiny, small,
              large);
}

/* Shares of one label in the first part are Beta(alpha, 9 alpha): mean 1/10, variance
 * 0.09 / (10 alpha + 1). 2,000 draws of 100 examples; false alarms below 1e-6 (5 deviations). */
Test(split, draws_dirichlet_proportions)
{
    static uint32_t many[4000], who[4000];
    struct split_dirichlet how = {40, CLASSES, 2};
    struct cn_random random = seeded(11);
    double sum = 0, squares = 0, expected;
    size_t draws = 2000;

    for (uint32_t i = 0; i < 4000; i++)
        many[i] = i % CLASSES;
    for (size_t t = 0; t < draws; t++) {
        size_t count = 0;

        cr_assert_eq(split_dirichlet(who, many, 4000, &how, &random), CN_OK);
        for (size_t i = 0; i < 4000; i++)
            count += who[i] == 0 && many[i] == 0;
        sum += count / 100.0;
        squares += count / 100.0 * (count / 100.0);
    }
    sum /= (double)draws;
    squares = squares / (double)draws - sum * sum;
    expected = 0.09 / 21 + (0.09 - 0.09 / 21) / 100; /* and the draw of 100 from the shares */
    cr_assert_float_eq(sum, 0.1, 5 * sqrt(expected / (double)draws), "%g", sum);
    cr_assert_float_eq(squares, expected, 0.25 * expected, "%g %g", squares, expected);
}

Test(split, takes_everything_when_labels_run_out)
{
    uint32_t few[6] = {0, 0, 0, 0, 0, 1}, who[6];
    struct split_dirichlet how = {2, 2, 0.001};

    for (uint64_t seed = 0; seed < 50; seed++) {
        struct cn_random random = seeded(seed);
        size_t first = 0;

        cr_assert_eq(split_dirichlet(who, few, 6, &how, &random), CN_OK);
        for (size_t i = 0; i < 6; i++) {
            cr_assert(who[i] < 2);
            first += who[i] == 0;
        }
        cr_assert_eq(first, 3);
    }
}

Test(split, refuses_what_makes_no_sense)
{
    struct cn_random random = seeded(1);

    cr_assert_eq(split_iid(owner, N, 0, &random), CN_E_CONFIG);
    cr_assert_eq(split_iid(owner, 3, 4, &random), CN_E_CONFIG);
    cr_assert_eq(split_iid(owner, N, SPLIT_PARTS_MAX + 1, &random), CN_E_CONFIG);
    cr_assert_eq(split_dirichlet(owner, y, N, &(struct split_dirichlet){2, CLASSES, 0}, &random),
                 CN_E_CONFIG);
    cr_assert_eq(split_dirichlet(owner, y, N, &(struct split_dirichlet){2, CLASSES, NAN}, &random),
                 CN_E_CONFIG);
    cr_assert_eq(split_dirichlet(owner, y, N, &(struct split_dirichlet){2, 9, 1}, &random),
                 CN_E_DATA);
}
