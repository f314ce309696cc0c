/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>

#include "nn/optimiser.h"

Test(optimiser, without_momentum_goes_down_the_gradient)
{
    struct optimiser o;
    float w[2] = {1.0f, -1.0f};
    const float g[2] = {0.5f, -2.0f};

    cr_assert_eq(optimiser_init(&o, 2, 0.1, 0.0), CN_OK);
    optimiser_step(&o, w, g);
    optimiser_step(&o, w, g);
    cr_assert_float_eq(w[0], 0.9, 1e-6);
    cr_assert_float_eq(w[1], -0.6, 1e-6);
    optimiser_clear(&o);
}

Test(optimiser, with_momentum_remembers_the_way)
{
    /* v: 1, 0.9 + 1 = 1.9, 0.9 * 1.9 - 1 = 0.71; w = 0 - 0.1 (1 + 1.9 + 0.71) */
    struct optimiser o;
    float w = 0.0f;
    const float g[3] = {1.0f, 1.0f, -1.0f};

    cr_assert_eq(optimiser_init(&o, 1, 0.1, 0.9), CN_OK);
    for (int i = 0; i < 3; i++)
        optimiser_step(&o, &w, &g[i]);
    cr_assert_float_eq(w, -0.361, 1e-6);
    optimiser_clear(&o);
}

Test(optimiser, refuses_numbers_that_can_not_work)
{
    const double bad[][2] = {{0.0, 0.0},  {-1.0, 0.0}, {INFINITY, 0.0}, {NAN, 0.0},
                             {0.1, -0.1}, {0.1, 1.0},  {0.1, NAN}};

    for (size_t i = 0; i < CN_COUNT(bad); i++) {
        struct optimiser o;

        cr_assert_eq(optimiser_init(&o, 1, bad[i][0], bad[i][1]), CN_E_CONFIG);
        optimiser_clear(&o);
    }
}
