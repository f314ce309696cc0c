/* SPDX-License-Identifier: Apache-2.0 */
/* Structured logs: a message, fixed in the source, and typed fields.
 *
 *     cn_log(CN_LOG_INFO, "device enrolled", cn_log_text("device", name), cn_log_uint("round", n));
 *
 * A person at a terminal reads "19:35:00 info  device enrolled  device=phone round=4", in colour;
 * anything else gets one JSON object per line:
 *     {"time":"2026-11-23T19:35:00Z","level":"info","message":"device enrolled","device":"phone",
 *      "round":4}
 * Values are escaped (base/escape.h), so a peer can put anything into them. A line is one write(2);
 * threads may log at the same time. The one sink of the process is set by the program's main. */
#ifndef CAIRN_BASE_LOG_H
#define CAIRN_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/diag.h"
#include "base/err.h"

enum cn_log_level { CN_LOG_DEBUG, CN_LOG_INFO, CN_LOG_WARN, CN_LOG_ERROR, CN_LOG_LEVEL_COUNT };

enum cn_log_format {
    CN_LOG_AUTO, /* for people when fd is a terminal, else JSON lines */
    CN_LOG_HUMAN,
    CN_LOG_COLOUR, /* for people, with colours */
    CN_LOG_JSON,
};

/* "debug", "info", "warn", "error". */
const char *cn_log_level_name(enum cn_log_level level);

/* Reads a level's name. CN_E_CONFIG for any other word. */
enum cn_err cn_log_level_parse(enum cn_log_level *level, const char *name);

struct cn_log_options {
    enum cn_log_level level; /* the least important that is written */
    enum cn_log_format format;
    int fd; /* borrowed, e.g. STDERR_FILENO */
    struct cn_clock clock;
};

/* Sets the sink. Call from main, before any thread starts. Until then: standard error, info, AUTO,
 * the system's clock. The environment's NO_COLOR turns AUTO's colours off. */
void cn_log_open(const struct cn_log_options *options);

/* Whether a line of this level would be written; to spare costly fields. */
bool cn_log_enabled(enum cn_log_level level);

enum cn_log_kind { CN_LOG_END, CN_LOG_TEXT, CN_LOG_INT, CN_LOG_UINT, CN_LOG_REAL, CN_LOG_BOOL };

struct cn_log_field {
    const char *key; /* fixed in the source: letters, digits, '_' */
    enum cn_log_kind kind;
    union {
        const char *text;
        int64_t number;
        uint64_t count;
        double real;
        bool flag;
    };
};

/* text may be NULL: printed as "-" and null. Borrowed until the line is written. */
static inline struct cn_log_field cn_log_text(const char *key, const char *text)
{
    return (struct cn_log_field){.key = key, .kind = CN_LOG_TEXT, .text = text};
}

static inline struct cn_log_field cn_log_int(const char *key, int64_t number)
{
    return (struct cn_log_field){.key = key, .kind = CN_LOG_INT, .number = number};
}

static inline struct cn_log_field cn_log_uint(const char *key, uint64_t count)
{
    return (struct cn_log_field){.key = key, .kind = CN_LOG_UINT, .count = count};
}

/* Six significant digits; null in JSON when not finite. */
static inline struct cn_log_field cn_log_real(const char *key, double real)
{
    return (struct cn_log_field){.key = key, .kind = CN_LOG_REAL, .real = real};
}

static inline struct cn_log_field cn_log_bool(const char *key, bool flag)
{
    return (struct cn_log_field){.key = key, .kind = CN_LOG_BOOL, .flag = flag};
}

/* "error":"COHORT" with the words for a person: the field every failure carries. */
static inline struct cn_log_field cn_log_err(enum cn_err err)
{
    return cn_log_text("error", cn_err_text(err));
}

/* Writes one line if the level is enabled; any number of fields, none too. Lines are cut at 4 KiB
 * (a cut JSON line keeps the message and says "cut":true). errno is kept. */
#define cn_log(level, message, ...)                                                                \
    cn_log_write((level), (message),                                                               \
                 (const struct cn_log_field[]){__VA_ARGS__ __VA_OPT__(, ){.kind = CN_LOG_END}})

/* What cn_log() expands to; fields end with CN_LOG_END. */
void cn_log_write(enum cn_log_level level, const char *message, const struct cn_log_field *fields);

/* Lets the first `burst` lines of each window through; for what a hostile peer can trigger. Zeroed
 * it is ready. */
struct cn_log_limit {
    uint64_t window_end_ms;
    uint32_t passed;
    uint64_t dropped;
};

/* Whether to log now. On the first line that passes in a new window *dropped is the number of lines
 * kept back since the last that passed (0 otherwise): log it as a field. dropped may be NULL. */
bool cn_log_limit_pass(struct cn_log_limit *limit, uint64_t now_ms, uint32_t burst,
                       uint64_t window_ms, uint64_t *dropped);

#endif
