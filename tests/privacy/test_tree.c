/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "golden.h"
#include "privacy/gaussian.h"
#include "privacy/tree.h"

Test(tree, meets_every_row)
{
    struct golden g;

    for (golden_open(&g, "tree/tree_dpftrl.csv"); golden_next(&g);) {
        uint64_t steps = (uint64_t)golden_get(&g, "steps_per_tree_or_total"), square;
        double z = golden_get(&g, "noise_multiplier"), epsilon, want;

        if (strcmp(g.value[0], "restart") == 0)
            cr_assert_eq(tree_restart_square(&square, steps, (uint64_t)golden_get(&g, "trees")),
                         CN_OK);
        else
            cr_assert_eq(tree_square(&square, steps, (uint32_t)golden_get(&g, "max_participation"),
                                     (uint64_t)golden_get(&g, "min_separation")),
                         CN_OK);
        cr_expect_eq(square, (uint64_t)golden_get(&g, "sum_sens_sq"), "%lu steps: %lu", steps,
                     square);
        cr_expect_float_eq((double)square / (2 * z * z) / golden_get(&g, "rho_zcdp"), 1, 1e-12);
        want = golden_get(&g, "eps_gauss_exact");
        cr_assert_eq(gaussian_epsilon(&epsilon, z / sqrt((double)square), golden_get(&g, "delta")),
                     CN_OK);
        cr_expect_float_eq(epsilon / want, 1, 1e-9);
    }
}

/* Every pattern on a small tree, one by one. */
static uint64_t brute(unsigned steps, unsigned participations, unsigned separation)
{
    uint64_t worst = 0;

    for (uint32_t pattern = 1; pattern < (uint32_t)1 << steps; pattern++) {
        uint64_t sum = 0;
        int last = -100;
        int ok = (unsigned)__builtin_popcount(pattern) <= participations;

        for (int i = 0; i < (int)steps; i++)
            if (pattern >> i & 1) {
                ok &= i - last > (int)separation;
                last = i;
            }
        if (!ok)
            continue;
        for (unsigned size = 1; size <= steps; size *= 2) /* nodes that are complete */
            for (unsigned at = 0; at + size <= steps; at += size) {
                uint64_t c = (uint64_t)__builtin_popcountll(pattern >> at & ((1ull << size) - 1));

                sum += c * c;
            }
        worst = sum > worst ? sum : worst;
    }
    return worst;
}

Test(tree, equals_the_worst_of_all_patterns)
{
    for (unsigned steps = 1; steps <= 13; steps++)
        for (unsigned k = 1; k <= 4; k++)
            for (unsigned separation = 0; separation < 5; separation++) {
                uint64_t square;

                cr_assert_eq(tree_square(&square, steps, k, separation), CN_OK);
                cr_assert_eq(square, brute(steps, k, separation), "%u %u %u: %lu", steps, k,
                             separation, square);
            }
}

Test(tree, bounds_what_is_too_large_to_search)
{
    uint64_t square;

    cr_assert_eq(tree_square(&square, 1000000, 20, 40000), CN_OK);
    cr_assert(square >= 20 * 16 && square <= 20 * 20 * 20);
}

Test(tree, finds_the_worst_participations_of_a_banded_factor)
{
    const double norms[] = {4, 1, 9, 2, 2, 8, 1};
    double square;

    cr_assert_eq(tree_banded_square(&square, norms, 7, 2, 1, 2), CN_OK);
    cr_assert_float_eq(square, 9, 1e-7);
    cr_assert_eq(tree_banded_square(&square, norms, 7, 2, 2, 2), CN_OK);
    cr_assert_float_eq(square, 17, 1e-7);
    cr_assert_eq(tree_banded_square(&square, norms, 7, 1, 9, 1), CN_OK);
    cr_assert_float_eq(square, 4 + 9 + 8, 1e-7);
    cr_assert_eq(tree_banded_square(&square, norms, 7, 4, 1, 2), CN_E_CONFIG);
    cr_assert(isinf(square));
}

Test(tree, refuses_nothing_at_all)
{
    uint64_t square;

    cr_assert_eq(tree_restart_square(&square, 0, 1), CN_E_CONFIG);
    cr_assert_eq(tree_restart_square(&square, 1, 0), CN_E_CONFIG);
    cr_assert_eq(tree_square(&square, 0, 1, 1), CN_E_CONFIG);
    cr_assert_eq(tree_square(&square, 1, 0, 1), CN_E_CONFIG);
    cr_assert_eq(square, UINT64_MAX);
}
