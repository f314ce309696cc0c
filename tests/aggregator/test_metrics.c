/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/metrics.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

Test(metrics, come_back_as_they_went)
{
    struct metrics out, in;
    metrics_init(&out);
    out.train_s = 1.25;
    out.bytes_up = 1e9;
    out.accuracy = 0.8125;
    char *text = metrics_encode(&out);
    cr_assert_not_null(text);
    cr_assert_eq((int)metrics_decode(&in, text), (int)CN_OK);
    cr_assert_float_eq(in.train_s, 1.25, 0);
    cr_assert_float_eq(in.bytes_up, 1e9, 0);
    cr_assert_float_eq(in.accuracy, 0.8125, 0);
    cr_assert(isnan(in.epsilon));
    cr_assert(isnan(in.loss));
    free(text);
}

Test(metrics, leave_what_is_missing_unknown)
{
    struct metrics in;
    cr_assert_eq((int)metrics_decode(&in, "{\"accuracy\":1,\"of_the_future\":3}"), (int)CN_OK);
    cr_assert_float_eq(in.accuracy, 1, 0);
    cr_assert(isnan(in.loss));
    cr_assert_float_eq(in.gather_s, 0, 0);
}

Test(metrics, refuse_what_is_no_object)
{
    static const char *const bad[] = {"", "[]", "3", "{", "{\"a\":1}x"};
    struct metrics in;
    for (size_t i = 0; i < CN_COUNT(bad); i++)
        cr_assert_eq((int)metrics_decode(&in, bad[i]), (int)CN_E_DATA);
}
