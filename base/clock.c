/* SPDX-License-Identifier: Apache-2.0 */
/* The system's clocks, the manual clock, and times in words. */
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static uint64_t system_steady_ms(void *ctx)
{
    struct timespec now;

    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int64_t system_wall_s(void *ctx)
{
    (void)ctx;
    return (int64_t)time(NULL);
}

struct cn_clock cn_clock_system(void)
{
    return (struct cn_clock){system_steady_ms, system_wall_s, NULL};
}

static uint64_t manual_steady_ms(void *ctx)
{
    const struct cn_clock_manual *manual = ctx;

    return manual->steady_ms;
}

static int64_t manual_wall_s(void *ctx)
{
    const struct cn_clock_manual *manual = ctx;

    return manual->wall_s + (int64_t)(manual->steady_ms / 1000);
}

struct cn_clock cn_clock_manual(struct cn_clock_manual *manual)
{
    return (struct cn_clock){manual_steady_ms, manual_wall_s, manual};
}

const char *cn_time_text(int64_t wall_s, char out[CN_TIME_TEXT_BYTES])
{
    time_t seconds = (time_t)wall_s;
    struct tm utc;

    if (!gmtime_r(&seconds, &utc) || !strftime(out, CN_TIME_TEXT_BYTES, "%Y-%m-%dT%H:%M:%SZ", &utc))
        snprintf(out, CN_TIME_TEXT_BYTES, "@%" PRId64, wall_s);
    return out;
}

const char *cn_duration_text(uint64_t ms, char out[CN_TIME_TEXT_BYTES])
{
    uint64_t s = ms / 1000;

    if (ms < 1000)
        snprintf(out, CN_TIME_TEXT_BYTES, "%" PRIu64 " ms", ms);
    else if (s < 60)
        snprintf(out, CN_TIME_TEXT_BYTES, "%.1f s", (double)ms / 1000.0);
    else if (s < 3600)
        snprintf(out, CN_TIME_TEXT_BYTES, "%" PRIu64 " min %02" PRIu64 " s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(out, CN_TIME_TEXT_BYTES, "%" PRIu64 " h %02" PRIu64 " min", s / 3600,
                 s % 3600 / 60);
    else
        snprintf(out, CN_TIME_TEXT_BYTES, "%" PRIu64 " d %" PRIu64 " h", s / 86400,
                 s % 86400 / 3600);
    return out;
}

#define DURATION_MAX_MS (UINT64_C(1000) * 366 * 86400 * 1000)

enum cn_err cn_duration_parse(uint64_t *ms, const char *text)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {{"w", 604800000}, {"d", 86400000}, {"h", 3600000},
                 {"m", 60000},     {"s", 1000},     {"ms", 1}};
    uint64_t total = 0;
    size_t next_unit = 0;

    if (!text[0])
        return CN_E_PARSE;
    while (*text) {
        size_t digits = strspn(text, "0123456789"), letters;
        uint64_t number = 0, part;

        if (digits == 0)
            return CN_E_PARSE;
        for (size_t i = 0; i < digits && number <= DURATION_MAX_MS; i++)
            number = number * 10 + (uint64_t)(text[i] - '0');
        text += digits;
        letters = strcspn(text, "0123456789");
        while (next_unit < CN_COUNT(units) && (strlen(units[next_unit].name) != letters ||
                                               memcmp(units[next_unit].name, text, letters) != 0))
            next_unit++;
        if (next_unit == CN_COUNT(units) ||
            __builtin_mul_overflow(number, units[next_unit].ms, &part) || part > DURATION_MAX_MS)
            return CN_E_PARSE;
        total += part;
        text += letters;
        next_unit++;
    }
    if (total > DURATION_MAX_MS)
        return CN_E_PARSE;
    *ms = total;
    return CN_OK;
}
