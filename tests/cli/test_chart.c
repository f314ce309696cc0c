/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/chart.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

TestSuite(chart);

static char *drawn;
static size_t drawn_len;

static FILE *start(void)
{
    FILE *out = open_memstream(&drawn, &drawn_len);

    cr_assert(out);
    return out;
}

static void expect_says(const char *part)
{
    cr_assert(strstr(drawn, part), "'%s' lacks '%s'", drawn, part);
}

Test(chart, chooses_round_ticks_that_hold_the_values)
{
    static const double ranges[][2] = {{0, 1}, {0.3, 7.7}, {-4, 13}, {5, 5}, {0, 0}, {1e-9, 3e-9}};

    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        struct chart_axis axis;

        chart_axis_make(&axis, ranges[i][0], ranges[i][1], false);
        cr_assert_leq(axis.low, ranges[i][0]);
        cr_assert_geq(axis.high, ranges[i][1]);
        cr_assert(axis.tick_count >= 2 && axis.tick_count <= 12, "%zu", axis.tick_count);
        cr_assert_float_eq(chart_axis_place(&axis, axis.low), 0, 1e-12);
        cr_assert_float_eq(chart_axis_place(&axis, axis.high), 1, 1e-12);
    }
}

Test(chart, has_powers_of_ten_on_a_logarithmic_axis)
{
    struct chart_axis axis;

    chart_axis_make(&axis, 0.003, 40, true);
    cr_assert_float_eq(axis.low, 1e-3, 1e-12);
    cr_assert_float_eq(axis.high, 100, 1e-9);
    cr_assert_float_eq(chart_axis_place(&axis, 1), 0.6, 1e-9);
    chart_axis_make(&axis, -1, 2, true); /* can not be: a range that can */
    cr_assert_gt(axis.low, 0);
    chart_axis_make(&axis, NAN, INFINITY, false);
    cr_assert(isfinite(axis.low) && isfinite(axis.high));
}

Test(chart, leaves_out_what_can_not_be_drawn_and_escapes_words)
{
    static const double x[] = {1, 2, 3, 4}, y[] = {1, NAN, INFINITY, 2};
    struct chart chart = {.title = "<b> & \"q\"",
                          .x_label = "x",
                          .y_label = "y",
                          .series = {{.name = "a<b", .x = x, .y = y, .count = 4, .points = true}},
                          .count = 1,
                          .limit = 1.5,
                          .limit_label = "limit"};
    FILE *out = start();

    chart_svg(out, &chart, true);
    fclose(out);
    expect_says("&lt;b&gt; &amp; &quot;q&quot;");
    expect_says("a&lt;b");
    expect_says("<?xml");
    cr_assert_null(strstr(drawn, "nan"));
    cr_assert_null(strstr(drawn, "inf"));
    cr_assert_null(strstr(drawn, "<b>"));
    free(drawn);
}

Test(chart, draws_nothing_without_a_point)
{
    struct chart chart = {.title = "empty", .x_label = "x", .y_label = "y"};
    struct chart_bars bars = {.title = "none", .y_label = "y"};
    FILE *out = start();

    chart_svg(out, &chart, false);
    chart_bars_svg(out, &bars, false);
    chart_text(out, &chart, 40, 8, true);
    fclose(out);
    cr_assert_null(strstr(drawn, "nan"));
    free(drawn);
}

Test(chart, draws_a_rising_line_from_below_left_to_above_right)
{
    static const double x[] = {0, 10}, y[] = {0, 10};
    struct chart chart = {.title = "t",
                          .x_label = "round",
                          .y_label = "epsilon",
                          .series = {{.name = "a", .x = x, .y = y, .count = 2}},
                          .count = 1};
    FILE *out = start();
    const char *first, *last;

    chart_text(out, &chart, 60, 10, true);
    fclose(out);
    expect_says("epsilon");
    expect_says("round");
    first = strchr(drawn, '*');
    last = strrchr(drawn, '*');
    cr_assert(first && last);
    cr_assert_gt(strcspn(last, "\n"), 40);
    cr_assert_lt(strcspn(first, "\n"), 8, "the top of the line is at the right");
    free(drawn);
}

Test(chart, draws_bars_as_high_as_their_values)
{
    static const char *const names[] = {"2026-01", "2026-02"};
    static const double values[] = {1, 2};
    struct chart_bars bars = {"months", "epsilon", names, values, 2};
    FILE *out = start();

    chart_bars_svg(out, &bars, false);
    fclose(out);
    expect_says("2026-02: 2");
    expect_says("height=\"258.0\"");
    expect_says("height=\"129.0\"");
    free(drawn);
}
