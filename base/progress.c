/* SPDX-License-Identifier: Apache-2.0 */
/* Drawing a bar, or writing a line now and then. The rate is the mean since the start. */
#include "base/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"

#define BAR_CELLS 24
#define BAR_EVERY_MS 100
#define LINE_EVERY_MS 5000
#define LINE_BYTES 320

const char *cn_bytes_text(uint64_t bytes, char out[CN_AMOUNT_TEXT_BYTES])
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)bytes;
    size_t unit = 0;

    if (bytes < 1000) {
        snprintf(out, CN_AMOUNT_TEXT_BYTES, "%" PRIu64 " B", bytes);
        return out;
    }
    for (value /= 1000; value >= 999.95 && unit + 1 < CN_COUNT(units); unit++)
        value /= 1000;
    snprintf(out, CN_AMOUNT_TEXT_BYTES, "%.1f %s", value, units[unit]);
    return out;
}

const char *cn_count_text(uint64_t count, char out[CN_AMOUNT_TEXT_BYTES])
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, count);
    char *at = out;

    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            *at++ = ',';
        *at++ = digits[i];
    }
    *at = '\0';
    return out;
}

static const char *amount_text(const struct cn_progress *progress, uint64_t amount,
                               char out[CN_AMOUNT_TEXT_BYTES])
{
    return progress->unit == CN_PROGRESS_BYTES ? cn_bytes_text(amount, out)
                                               : cn_count_text(amount, out);
}

static uint64_t now_ms(const struct cn_progress *progress)
{
    return progress->clock.steady_ms(progress->clock.ctx);
}

void cn_progress_start(struct cn_progress *progress, const char *label, uint64_t total,
                       enum cn_progress_unit unit, bool quiet)
{
    *progress = (struct cn_progress){
        .label = label,
        .total = total,
        .unit = unit,
        .style = quiet ? CN_PROGRESS_NONE : CN_PROGRESS_AUTO,
        .fd = STDERR_FILENO,
        .clock = cn_clock_system(),
    };
    progress->started_ms = progress->drawn_ms = now_ms(progress);
}

/* The bar in half cells; no bar when the total is unknown. */
static void bar_text(const struct cn_progress *progress, char out[BAR_CELLS * 3 + 1])
{
    double share = (double)progress->done / (double)progress->total;
    int halves = (int)(share * 2 * BAR_CELLS);
    size_t at = 0;

    for (int i = 0; i < BAR_CELLS; i++) {
        const char *cell = 2 * i + 2 <= halves ? "━" : 2 * i + 1 <= halves ? "╺" : "─";

        memcpy(out + at, cell, 3);
        at += 3;
    }
    out[at] = '\0';
}

/* "4,350 of 7,500  58 %  1,210/s  3 s left": as much of it as is known. */
static void numbers_text(const struct cn_progress *progress, uint64_t now, char *out, size_t len)
{
    char done[CN_AMOUNT_TEXT_BYTES], total[CN_AMOUNT_TEXT_BYTES], rate[CN_AMOUNT_TEXT_BYTES];
    char left[CN_TIME_TEXT_BYTES];
    uint64_t spent_ms = now - progress->started_ms;
    double per_s = spent_ms ? (double)progress->done * 1000.0 / (double)spent_ms : 0;
    size_t at = (size_t)snprintf(out, len, "%s", amount_text(progress, progress->done, done));

    if (progress->total)
        at += (size_t)snprintf(out + at, len - at, " of %s  %d %%",
                               amount_text(progress, progress->total, total),
                               (int)(100.0 * (double)progress->done / (double)progress->total));
    if (per_s < 1)
        return;
    at += (size_t)snprintf(out + at, len - at, "  %s/s",
                           amount_text(progress, (uint64_t)per_s, rate));
    if (progress->done < progress->total)
        snprintf(
            out + at, len - at, "  %s left",
            cn_duration_text(
                (uint64_t)((double)(progress->total - progress->done) * 1000.0 / per_s), left));
}

static void draw(struct cn_progress *progress, uint64_t now)
{
    char bar[BAR_CELLS * 3 + 1] = "", numbers[160], line[LINE_BYTES];
    int len;

    numbers_text(progress, now, numbers, sizeof numbers);
    if (progress->style == CN_PROGRESS_BAR && progress->total)
        bar_text(progress, bar);
    if (progress->style == CN_PROGRESS_BAR)
        len = snprintf(line, sizeof line, "\r\x1b[K%.40s  %s%s%s", progress->label, bar,
                       bar[0] ? "  " : "", numbers);
    else
        len = snprintf(line, sizeof line, "%.40s  %s\n", progress->label, numbers);
    CN_IGNORE(cn_file_write_all(progress->fd, line, (size_t)len));
    progress->drawn_ms = now;
    progress->drawn = true;
}

static void settle_style(struct cn_progress *progress)
{
    if (progress->style == CN_PROGRESS_AUTO)
        progress->style = isatty(progress->fd) ? CN_PROGRESS_BAR : CN_PROGRESS_LINES;
}

void cn_progress_update(struct cn_progress *progress, uint64_t done)
{
    uint64_t now, every;

    progress->done = progress->total && done > progress->total ? progress->total : done;
    if (progress->style == CN_PROGRESS_NONE)
        return;
    settle_style(progress);
    now = now_ms(progress);
    every = progress->style == CN_PROGRESS_BAR ? BAR_EVERY_MS : LINE_EVERY_MS;
    if (now - progress->drawn_ms >= every)
        draw(progress, now);
}

void cn_progress_finish(struct cn_progress *progress)
{
    if (!progress->drawn)
        return;
    if (progress->style == CN_PROGRESS_BAR)
        CN_IGNORE(cn_file_write_all(progress->fd, "\r\x1b[K", 4));
    else
        draw(progress, now_ms(progress));
    progress->drawn = false;
}
