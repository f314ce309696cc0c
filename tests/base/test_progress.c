/* SPDX-License-Identifier: Apache-2.0 */
#include "base/progress.h"

#include "tests/base/base_fixture.h"

static struct cn_clock_manual manual;
static FILE *file;

static struct cn_progress start(uint64_t total, enum cn_progress_unit unit,
                                enum cn_progress_style style)
{
    struct cn_progress progress;

    manual = (struct cn_clock_manual){0};
    file = tmpfile();
    cr_assert_not_null(file);
    cn_progress_start(&progress, "training", total, unit, false);
    progress.fd = fileno(file);
    progress.clock = cn_clock_manual(&manual);
    progress.started_ms = progress.drawn_ms = 0;
    progress.style = style;
    return progress;
}

Test(progress, a_bar_shows_share_rate_and_remaining_time)
{
    struct cn_progress progress = start(200, CN_PROGRESS_COUNT, CN_PROGRESS_BAR);

    cn_progress_update(&progress, 1);
    cr_assert_str_eq(fixture_read(file), "", "too early to say anything");
    manual.steady_ms = 2000;
    cn_progress_update(&progress, 50);
    cr_assert_str_eq(
        fixture_read(file),
        "\r\x1b[Ktraining  ━━━━━━──────────────────  50 of 200  25 %  25/s  6.0 s left");
    manual.steady_ms = 2099;
    cn_progress_update(&progress, 60);
    manual.steady_ms = 2100;
    cn_progress_finish(&progress);
    cr_assert_str_eq(fixture_read(file),
                     "\r\x1b[Ktraining  ━━━━━━──────────────────  50 of 200  25 %  25/s  6.0 s left"
                     "\r\x1b[K",
                     "at most ten times a second; the end leaves no bar");
    fclose(file);
}

Test(progress, elsewhere_a_line_every_five_seconds)
{
    struct cn_progress progress = start(20000000, CN_PROGRESS_BYTES, CN_PROGRESS_LINES);

    for (int i = 1; i <= 110; i++) {
        manual.steady_ms = (uint64_t)i * 100;
        cn_progress_update(&progress, (uint64_t)i * 100000);
    }
    cr_assert_str_eq(fixture_read(file),
                     "training  5.0 MB of 20.0 MB  25 %  1.0 MB/s  15.0 s left\n"
                     "training  10.0 MB of 20.0 MB  50 %  1.0 MB/s  10.0 s left\n");
    fclose(file);
}

Test(progress, the_last_line_comes_only_after_others)
{
    struct cn_progress progress = start(10, CN_PROGRESS_COUNT, CN_PROGRESS_LINES);

    manual.steady_ms = 1000;
    cn_progress_update(&progress, 10);
    cn_progress_finish(&progress);
    cr_assert_str_eq(fixture_read(file), "", "quick work needs no words");
    fclose(file);
    progress = start(10, CN_PROGRESS_COUNT, CN_PROGRESS_LINES);
    manual.steady_ms = 5000;
    cn_progress_update(&progress, 9);
    cn_progress_update(&progress, 10);
    cn_progress_finish(&progress);
    cr_assert_str_eq(fixture_read(file), "training  9 of 10  90 %  1/s  555 ms left\n"
                                         "training  10 of 10  100 %  2/s\n");
    fclose(file);
}

Test(progress, an_unknown_total_shows_amount_and_rate)
{
    struct cn_progress progress = start(0, CN_PROGRESS_COUNT, CN_PROGRESS_LINES);

    manual.steady_ms = 5000;
    cn_progress_update(&progress, 12345);
    cr_assert_str_eq(fixture_read(file), "training  12,345  2,469/s\n");
    fclose(file);
}

Test(progress, quiet_writes_nothing)
{
    struct cn_progress progress = start(10, CN_PROGRESS_COUNT, CN_PROGRESS_NONE);

    manual.steady_ms = 60000;
    cn_progress_update(&progress, 5);
    cn_progress_finish(&progress);
    cr_assert_str_eq(fixture_read(file), "");
    fclose(file);
    cn_progress_start(&progress, "x", 1, CN_PROGRESS_COUNT, true);
    cr_assert_eq(progress.style, CN_PROGRESS_NONE);
}

Test(progress, more_than_all_is_all)
{
    struct cn_progress progress = start(10, CN_PROGRESS_COUNT, CN_PROGRESS_LINES);

    manual.steady_ms = 10000;
    cn_progress_update(&progress, 11);
    cr_assert_str_eq(fixture_read(file), "training  10 of 10  100 %  1/s\n");
    fclose(file);
}

Test(progress, writes_amounts)
{
    char text[CN_AMOUNT_TEXT_BYTES];

    cr_assert_str_eq(cn_bytes_text(0, text), "0 B");
    cr_assert_str_eq(cn_bytes_text(999, text), "999 B");
    cr_assert_str_eq(cn_bytes_text(12400, text), "12.4 kB");
    cr_assert_str_eq(cn_bytes_text(999949, text), "999.9 kB");
    cr_assert_str_eq(cn_bytes_text(999999, text), "1.0 MB");
    cr_assert_str_eq(cn_bytes_text(UINT64_MAX, text), "18.4 EB");
    cr_assert_str_eq(cn_count_text(0, text), "0");
    cr_assert_str_eq(cn_count_text(999, text), "999");
    cr_assert_str_eq(cn_count_text(1000, text), "1,000");
    cr_assert_str_eq(cn_count_text(UINT64_MAX, text), "18,446,744,073,709,551,615");
}
