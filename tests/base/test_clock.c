/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <time.h>

#include "base/clock.h"

static char text[CN_TIME_TEXT_BYTES];

Test(clock, the_system_clock_moves_on_and_knows_the_date)
{
    struct cn_clock clock = cn_clock_system();
    uint64_t before = clock.steady_ms(clock.ctx);
    struct timespec nap = {0, 3000000};

    nanosleep(&nap, NULL);
    cr_assert_geq(clock.steady_ms(clock.ctx), before + 2);
    cr_assert_leq(llabs((long long)clock.wall_s(clock.ctx) - (long long)time(NULL)), 1);
}

Test(clock, a_manual_clock_moves_by_hand)
{
    struct cn_clock_manual manual = {.steady_ms = 0, .wall_s = 1000};
    struct cn_clock clock = cn_clock_manual(&manual);

    cr_assert_eq(clock.steady_ms(clock.ctx), 0);
    manual.steady_ms = 5999;
    cr_assert_eq(clock.steady_ms(clock.ctx), 5999);
    cr_assert_eq(clock.wall_s(clock.ctx), 1005);
}

Test(clock, writes_times)
{
    cr_assert_str_eq(cn_time_text(0, text), "1970-01-01T00:00:00Z");
    cr_assert_str_eq(cn_time_text(951782400, text), "2000-02-29T00:00:00Z");
    cr_assert_str_eq(cn_time_text(1795462500, text), "2026-11-23T19:35:00Z");
    cr_assert_str_eq(cn_time_text(INT64_MAX, text), "@9223372036854775807");
    cr_assert_str_eq(cn_time_text(INT64_MIN, text), "@-9223372036854775808");
}

Test(clock, writes_durations_for_people)
{
    cr_assert_str_eq(cn_duration_text(0, text), "0 ms");
    cr_assert_str_eq(cn_duration_text(999, text), "999 ms");
    cr_assert_str_eq(cn_duration_text(12340, text), "12.3 s");
    cr_assert_str_eq(cn_duration_text(245000, text), "4 min 05 s");
    cr_assert_str_eq(cn_duration_text(7800000, text), "2 h 10 min");
    cr_assert_str_eq(cn_duration_text(273600000, text), "3 d 4 h");
}

static uint64_t parsed(const char *words)
{
    uint64_t ms = 12345;

    cr_assert_eq(cn_duration_parse(&ms, words), CN_OK, "%s", words);
    return ms;
}

Test(clock, reads_durations)
{
    cr_assert_eq(parsed("250ms"), 250);
    cr_assert_eq(parsed("90s"), 90000);
    cr_assert_eq(parsed("5m"), 300000);
    cr_assert_eq(parsed("12h"), 43200000);
    cr_assert_eq(parsed("7d"), 604800000);
    cr_assert_eq(parsed("2w"), 1209600000);
    cr_assert_eq(parsed("1h30m"), 5400000);
    cr_assert_eq(parsed("1d2h3m4s5ms"), 93784005);
    cr_assert_eq(parsed("0s"), 0);
}

Test(clock, refuses_what_is_no_duration)
{
    static const char *const wrong[] = {"",        "7",
                                        "d",       "7 d",
                                        "7y",      "-1s",
                                        "1.5h",    "30m1h",
                                        "1h1h",    "7dd",
                                        "1ms1s",   "99999999999999999999s",
                                        "400000d", "18446744073709551616ms",
                                        "1h "};

    for (size_t i = 0; i < CN_COUNT(wrong); i++) {
        uint64_t ms = 12345;

        cr_assert_eq(cn_duration_parse(&ms, wrong[i]), CN_E_PARSE, "%s", wrong[i]);
        cr_assert_eq(ms, 12345);
    }
}
