/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>

#include "golden.h"
#include "privacy/bounds.h"
#include "privacy/gaussian.h"
#include "privacy/pld_exact.h"

static struct pld_event gaussian(double noise, uint64_t steps)
{
    return (struct pld_event){PLD_GAUSSIAN, noise, 1, steps, 0};
}

Test(pld_exact, knows_what_has_a_closed_form)
{
    struct pld_event event = gaussian(1, 10);

    cr_assert(pld_exact_knows(&event, PLD_ADD_REMOVE));
    event.sampling_rate = 0.5;
    cr_assert_not(pld_exact_knows(&event, PLD_ADD_REMOVE));
    event = (struct pld_event){PLD_LAPLACE, 1, 1, 1, 0};
    cr_assert(pld_exact_knows(&event, PLD_REPLACE_ONE));
    event.steps = 2;
    cr_assert_not(pld_exact_knows(&event, PLD_REPLACE_ONE));
    event = gaussian(1e-2, 1u << 20);
    cr_assert_not(pld_exact_knows(&event, PLD_ADD_REMOVE), "less noise than the formula takes");
}

Test(pld_exact, meets_every_row_of_the_gaussian_between_its_bounds)
{
    struct golden g;

    for (golden_open(&g, "gaussian/gaussian_analytic_eps.csv"); golden_next(&g);) {
        struct pld_event event = gaussian(golden_get(&g, "sigma"), 1);
        double truth = golden_get(&g, "eps_mpmath");
        struct pld_bracket got, four;

        cr_assert_eq(pld_exact_epsilon(&got, &event, PLD_ADD_REMOVE, golden_get(&g, "delta")),
                     CN_OK);
        cr_expect_float_eq(got.upper / truth, 1, 1e-9);
        cr_expect(got.upper >= truth * (1 - 1e-12) && got.lower <= truth * (1 + 1e-12));
        event = gaussian(2 * event.noise, 4); /* the same twice as noisy, four times */
        cr_assert_eq(pld_exact_epsilon(&four, &event, PLD_ADD_REMOVE, golden_get(&g, "delta")),
                     CN_OK);
        cr_expect_float_eq(four.upper / got.upper, 1, 1e-12);
        event = gaussian(event.noise, 1); /* twice as far apart */
        cr_assert_eq(pld_exact_epsilon(&four, &event, PLD_REPLACE_ONE, golden_get(&g, "delta")),
                     CN_OK);
        cr_expect_float_eq(four.upper / got.upper, 1, 1e-12);
    }
}

Test(pld_exact, gives_back_the_delta_of_every_kind_at_its_epsilon)
{
    const struct pld_event events[] = {
        gaussian(2, 3), {PLD_LAPLACE, 0.7, 1, 1, 0}, {PLD_DISCRETE_GAUSSIAN, 3, 1, 1, 2}};

    for (size_t i = 0; i < 3; i++) {
        for (int both = 0; both < 2; both++) {
            enum pld_adjacency adjacency = both ? PLD_REPLACE_ONE : PLD_ADD_REMOVE;
            struct pld_bracket epsilon, delta, grid;

            cr_assert_eq(pld_exact_epsilon(&epsilon, &events[i], adjacency, 1e-4), CN_OK);
            cr_assert_eq(pld_exact_delta(&delta, &events[i], adjacency, epsilon.upper), CN_OK);
            cr_expect_float_eq(delta.upper, 1e-4, 1e-10, "kind %zu: %.15g", i, delta.upper);
            cr_expect(delta.lower <= delta.upper && epsilon.lower <= epsilon.upper);
            /* what the grid says of one step more is more */
            struct pld_event more = events[i];
            more.steps++;
            cr_assert_eq(pld_epsilon(&grid, &more, 1, adjacency, 1e-4), CN_OK);
            cr_expect(grid.upper > epsilon.upper && grid.lower < grid.upper * (1 + 1e-12));
        }
    }
}

Test(pld_exact, is_zero_where_delta_alone_allows_everything)
{
    const struct pld_event faint = {PLD_DISCRETE_GAUSSIAN, 4000, 1, 1, 1};
    const struct pld_event laplace = {PLD_LAPLACE, 1e5, 1, 1, 0};
    struct pld_bracket got;

    cr_assert_eq(pld_exact_epsilon(&got, &faint, PLD_ADD_REMOVE, 0.5), CN_OK);
    cr_assert_eq(got.upper, 0);
    cr_assert_eq(pld_exact_epsilon(&got, &laplace, PLD_ADD_REMOVE, 0.5), CN_OK);
    cr_assert_eq(got.upper, 0);
    cr_assert_eq(pld_exact_delta(&got, &laplace, PLD_ADD_REMOVE, 1), CN_OK);
    cr_assert_eq(got.upper, 0);
}
