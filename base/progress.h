/* SPDX-License-Identifier: Apache-2.0 */
/* Progress on standard error: on a terminal a bar with rate and remaining time, elsewhere a line
 * every five seconds, nothing when quiet.
 *
 *   training  ━━━━━━━━━━━━━━╺─────────  58 %  4,350 of 7,500  1,210/s  3 s left
 *   download  [12.4 MB of 20.1 MB, 61 %, 4.1 MB/s, 2 s left]
 */
#ifndef CAIRN_BASE_PROGRESS_H
#define CAIRN_BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

enum cn_progress_unit { CN_PROGRESS_COUNT, CN_PROGRESS_BYTES };

enum cn_progress_style {
    CN_PROGRESS_AUTO, /* BAR when fd is a terminal, else LINES */
    CN_PROGRESS_BAR,
    CN_PROGRESS_LINES,
    CN_PROGRESS_NONE, /* --quiet */
};

struct cn_progress {
    const char *label; /* borrowed; one word or two */
    uint64_t total;    /* 0: unknown */
    enum cn_progress_unit unit;
    enum cn_progress_style style;
    int fd; /* borrowed */
    struct cn_clock clock;
    uint64_t started_ms;
    uint64_t drawn_ms; /* the last time something was written */
    uint64_t done;
    bool drawn;
};

/* Starts at zero, on standard error with the system's clock; quiet writes nothing at all. A caller
 * may change fd, clock and style before the first update. */
void cn_progress_start(struct cn_progress *progress, const char *label, uint64_t total,
                       enum cn_progress_unit unit, bool quiet);

/* Sets how much is done; draws at most ten times a second (a line every five seconds). Cheap: call
 * it after every item. */
void cn_progress_update(struct cn_progress *progress, uint64_t done);

/* Removes the bar, or writes the last line if any was written. */
void cn_progress_finish(struct cn_progress *progress);

#define CN_AMOUNT_TEXT_BYTES 32

/* "812 B", "12.4 MB" (powers of 1000); returns out. */
const char *cn_bytes_text(uint64_t bytes, char out[CN_AMOUNT_TEXT_BYTES]);

/* "1,234,567"; returns out. */
const char *cn_count_text(uint64_t count, char out[CN_AMOUNT_TEXT_BYTES]);

#endif
