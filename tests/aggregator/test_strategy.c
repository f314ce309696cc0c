/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/strategy.h"

#include <criterion/criterion.h>
#include <math.h>

Test(strategy, averages_the_updates)
{
    float model[3] = {1, 2, 3};
    const float sum[3] = {4, -8, 0};
    cr_assert_eq((int)strategy_fedavg(model, sum, 3, 4, 1), (int)CN_OK);
    cr_assert_float_eq(model[0], 2.0f, 0);
    cr_assert_float_eq(model[1], 0.0f, 0);
    cr_assert_float_eq(model[2], 3.0f, 0);
}

Test(strategy, moves_by_the_servers_rate)
{
    float model[1] = {1};
    const float sum[1] = {6};
    cr_assert_eq((int)strategy_fedavg(model, sum, 1, 3, 0.25), (int)CN_OK);
    cr_assert_float_eq(model[0], 1.5f, 0);
}

Test(strategy, refuses_weights_and_rates_that_mean_nothing)
{
    static const double bad[] = {0, -1, NAN, INFINITY};
    float model[1] = {1};
    const float sum[1] = {1};
    for (size_t i = 0; i < CN_COUNT(bad); i++) {
        cr_assert_eq((int)strategy_fedavg(model, sum, 1, bad[i], 1), (int)CN_E_CONFIG);
        cr_assert_eq((int)strategy_fedavg(model, sum, 1, 1, bad[i]), (int)CN_E_CONFIG);
    }
    cr_assert_float_eq(model[0], 1.0f, 0);
}

Test(strategy, leaves_the_model_alone_when_the_next_one_would_not_be_finite)
{
    float model[2] = {1, 3e38f};
    const float sum[2] = {1, 3e38f};
    cr_assert_eq((int)strategy_fedavg(model, sum, 2, 1, 1), (int)CN_E_DIVERGED);
    cr_assert_float_eq(model[0], 1.0f, 0);
    const float nan[2] = {1, NAN};
    cr_assert_eq((int)strategy_fedavg(model, nan, 2, 1, 1), (int)CN_E_DIVERGED);
    cr_assert_float_eq(model[0], 1.0f, 0);
}

Test(strategy, is_found_by_name)
{
    cr_assert_not_null(strategy_find("fedavg"));
    cr_assert_null(strategy_find("fedsgd"));
}
