/* SPDX-License-Identifier: Apache-2.0 */
/* Time as an argument: the system's clock, or one that a test or a simulation moves by hand. */
#ifndef CAIRN_BASE_CLOCK_H
#define CAIRN_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct cn_clock {
    uint64_t (*steady_ms)(void *ctx); /* never goes back; for deadlines */
    int64_t (*wall_s)(void *ctx);     /* seconds since 1970 UTC; for ledgers and expiries */
    void *ctx;
};

struct cn_clock cn_clock_system(void);

struct cn_clock_manual {
    uint64_t steady_ms;
    int64_t wall_s; /* at steady_ms == 0 */
};

/* A clock that shows what manual says; manual is borrowed. Its wall moves with steady_ms. */
struct cn_clock cn_clock_manual(struct cn_clock_manual *manual);

#define CN_TIME_TEXT_BYTES 24

/* Writes "2026-11-23T19:35:00Z"; returns out. */
const char *cn_time_text(int64_t wall_s, char out[CN_TIME_TEXT_BYTES]);

/* Writes a duration for people: "450 ms", "12.3 s", "4 min 05 s", "2 h 10 min", "3 d 4 h". */
const char *cn_duration_text(uint64_t ms, char out[CN_TIME_TEXT_BYTES]);

/* Reads a duration that a person wrote: whole numbers each with a unit (ms, s, m, h, d, w), largest
 * unit first, each unit once: "250ms", "90s", "7d", "1h30m". CN_E_PARSE otherwise, and beyond a
 * thousand years; *ms is then unchanged. */
enum cn_err cn_duration_parse(uint64_t *ms, const char *text);

#endif
