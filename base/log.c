/* SPDX-License-Identifier: Apache-2.0 */
/* Lines are built in a buffer of their own and leave in one write, so threads do not mix. */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cursor.h"
#include "base/escape.h"
#include "base/file.h"

#define LINE_MAX_BYTES 4096

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *const level_colours[] = {"\x1b[2m", "\x1b[32m", "\x1b[33m", "\x1b[31m"};
_Static_assert(CN_COUNT(level_names) == CN_LOG_LEVEL_COUNT, "one name per level");
_Static_assert(CN_COUNT(level_colours) == CN_LOG_LEVEL_COUNT, "one colour per level");

/* The process's one sink; written by main only, before threads start. */
static struct {
    struct cn_log_options options;
    bool opened;
} sink;

const char *cn_log_level_name(enum cn_log_level level)
{
    return (unsigned)level < CN_LOG_LEVEL_COUNT ? level_names[level] : "unknown";
}

enum cn_err cn_log_level_parse(enum cn_log_level *level, const char *name)
{
    for (size_t i = 0; i < CN_COUNT(level_names); i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *level = (enum cn_log_level)i;
            return CN_OK;
        }
    }
    return CN_E_CONFIG;
}

static enum cn_log_format resolve_format(const struct cn_log_options *options)
{
    const char *no_colour = getenv("NO_COLOR");

    if (options->format != CN_LOG_AUTO)
        return options->format;
    if (!isatty(options->fd))
        return CN_LOG_JSON;
    return no_colour && no_colour[0] ? CN_LOG_HUMAN : CN_LOG_COLOUR;
}

void cn_log_open(const struct cn_log_options *options)
{
    sink.options = *options;
    sink.options.format = resolve_format(options);
    sink.opened = true;
}

static struct cn_log_options sink_options(void)
{
    struct cn_log_options options = {CN_LOG_INFO, CN_LOG_AUTO, STDERR_FILENO, cn_clock_system()};

    if (sink.opened)
        return sink.options;
    options.format = resolve_format(&options);
    return options;
}

bool cn_log_enabled(enum cn_log_level level)
{
    return level >= (sink.opened ? sink.options.level : CN_LOG_INFO);
}

static void put_number(struct cn_buf *line, const struct cn_log_field *field, bool json)
{
    switch (field->kind) {
    case CN_LOG_INT:
        cn_put_text(line, "%" PRId64, field->number);
        break;
    case CN_LOG_UINT:
        cn_put_text(line, "%" PRIu64, field->count);
        break;
    case CN_LOG_BOOL:
        cn_put_text(line, "%s", field->flag ? "true" : "false");
        break;
    case CN_LOG_REAL:
        if (json && !isfinite(field->real))
            cn_put_text(line, "null");
        else
            cn_put_text(line, "%.6g", field->real);
        break;
    case CN_LOG_TEXT:
    case CN_LOG_END:
        break;
    }
}

static void put_json_field(struct cn_buf *line, const struct cn_log_field *field)
{
    cn_put_text(line, ",");
    cn_put_json(line, field->key, strlen(field->key));
    cn_put_text(line, ":");
    if (field->kind != CN_LOG_TEXT)
        put_number(line, field, true);
    else if (field->text)
        cn_put_json(line, field->text, strlen(field->text));
    else
        cn_put_text(line, "null");
}

/* A line that is too long keeps what comes first and is still one valid object. */
static void put_json_line(struct cn_buf *line, enum cn_log_level level, const char *message,
                          const struct cn_log_field *fields, int64_t now_s)
{
    char time[CN_TIME_TEXT_BYTES];
    size_t whole;

    cn_put_text(line, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":", cn_time_text(now_s, time),
                cn_log_level_name(level));
    cn_put_json(line, message, strnlen(message, 256));
    line->max -= strlen(",\"cut\":true}\n");
    for (whole = line->len; fields->kind != CN_LOG_END && !line->failed; fields++) {
        whole = line->len;
        put_json_field(line, fields);
    }
    line->max += strlen(",\"cut\":true}\n");
    if (line->failed) {
        line->failed = false;
        line->len = whole;
        cn_put_text(line, ",\"cut\":true");
    }
    cn_put_bytes(line, "}\n", 2);
}

static bool needs_quotes(const char *text)
{
    return text[0] == '\0' || strpbrk(text, " \t\"=") != NULL;
}

/* A quote inside quotes would let a peer end its value and write fields of its own. */
static void put_quoted(struct cn_buf *line, const char *text)
{
    cn_put_text(line, "\"");
    for (const char *quote; (quote = strchr(text, '"')) != NULL; text = quote + 1) {
        cn_put_printable(line, text, (size_t)(quote - text));
        cn_put_text(line, "\\x22");
    }
    cn_put_printable(line, text, strlen(text));
    cn_put_text(line, "\"");
}

static void put_human_field(struct cn_buf *line, const struct cn_log_field *field, bool colour)
{
    const char *dim = colour ? "\x1b[2m" : "", *plain = colour ? "\x1b[0m" : "";

    cn_put_text(line, " %s%s=%s", dim, field->key, plain);
    if (field->kind != CN_LOG_TEXT) {
        put_number(line, field, false);
    } else if (!field->text) {
        cn_put_text(line, "-");
    } else if (needs_quotes(field->text)) {
        put_quoted(line, field->text);
    } else {
        cn_put_printable(line, field->text, strlen(field->text));
    }
}

static void put_human_line(struct cn_buf *line, enum cn_log_level level, const char *message,
                           const struct cn_log_field *fields, const struct cn_log_options *options)
{
    bool colour = options->format == CN_LOG_COLOUR;
    time_t now = (time_t)options->clock.wall_s(options->clock.ctx);
    struct tm local;
    char hour[16] = "";
    size_t whole;

    if (localtime_r(&now, &local))
        CN_ASSERT(strftime(hour, sizeof hour, "%H:%M:%S", &local) > 0);
    /* On a terminal a progress bar may stand on this line: the line's start clears it. */
    cn_put_text(line, "%s%s %s%-5s%s ", colour ? "\r\x1b[K" : "", hour,
                colour ? level_colours[level] : "", cn_log_level_name(level),
                colour ? "\x1b[0m" : "");
    cn_put_text(line, "%.256s%s", message, fields->kind == CN_LOG_END ? "" : " ");
    line->max -= strlen(" ...\n");
    for (whole = line->len; fields->kind != CN_LOG_END && !line->failed; fields++) {
        whole = line->len;
        put_human_field(line, fields, colour);
    }
    line->max += strlen(" ...\n");
    if (line->failed) {
        line->failed = false;
        line->len = whole;
        cn_put_text(line, " ...");
    }
    cn_put_bytes(line, "\n", 1);
}

void cn_log_write(enum cn_log_level level, const char *message, const struct cn_log_field *fields)
{
    int number = errno;
    struct cn_log_options options;
    struct cn_buf line;

    if (!cn_log_enabled(level))
        return;
    options = sink_options();
    cn_buf_init(&line, LINE_MAX_BYTES);
    if (options.format == CN_LOG_JSON)
        put_json_line(&line, level, message, fields, options.clock.wall_s(options.clock.ctx));
    else
        put_human_line(&line, level, message, fields, &options);
    /* A log that can not be written must not stop what it tells about. */
    if (cn_buf_finish(&line) == CN_OK)
        CN_IGNORE(cn_file_write_all(options.fd, line.data, line.len));
    cn_buf_clear(&line);
    errno = number;
}

bool cn_log_limit_pass(struct cn_log_limit *limit, uint64_t now_ms, uint32_t burst,
                       uint64_t window_ms, uint64_t *dropped)
{
    if (dropped)
        *dropped = 0;
    if (now_ms >= limit->window_end_ms) {
        limit->window_end_ms = now_ms + window_ms;
        limit->passed = 0;
    }
    if (limit->passed >= burst) {
        limit->dropped++;
        return false;
    }
    limit->passed++;
    if (dropped)
        *dropped = limit->dropped;
    limit->dropped = 0;
    return true;
}
