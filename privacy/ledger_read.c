/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and verifying a ledger, line by line, and naming what is wrong with it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "privacy/ledger.h"
#include "privacy/ledger_line.h"

#define BUFFER_BYTES 65536

/* A file by lines. */
struct lines {
    int fd;
    size_t start, end; /* what of the buffer was read and not given out yet */
    bool ended;
    char buffer[BUFFER_BYTES];
};

/* What verified so far, and the two lines that matter for the next decision. */
struct scan {
    const struct ledger_reading *reading;
    struct ledger_summary *summary;
    struct lines *lines;
    size_t marks_seen;            /* of reading->marks */
    struct ledger_summary before; /* the summary without the last line */
    struct ledger_line last;      /* the last line that fitted */
    struct ledger_line now;       /* the line that is looked at */
};

static const char *const fault_texts[] = {
#define X(name, text) text,
    LEDGER_FAULTS(X)
#undef X
};
_Static_assert(CN_COUNT(fault_texts) == LEDGER_FAULT_COUNT, "one text per fault");

const char *ledger_fault_text(enum ledger_fault fault)
{
    return (unsigned)fault < LEDGER_FAULT_COUNT ? fault_texts[fault] : "unknown fault";
}

static enum cn_err fill(struct lines *lines)
{
    ssize_t got;

    memmove(lines->buffer, lines->buffer + lines->start, lines->end - lines->start);
    lines->end -= lines->start;
    lines->start = 0;
    do
        got = read(lines->fd, lines->buffer + lines->end, BUFFER_BYTES - lines->end);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return CN_E_IO;
    lines->ended = got == 0;
    lines->end += (size_t)got;
    return CN_OK;
}

/* Gives the next line, without its newline, valid until the next call. *text is NULL when no whole
 * line is left, *len then counts the bytes of a torn one. A line that is too long is given as the
 * first LEDGER_LINE_MAX bytes of it, which never parse. */
static enum cn_err next_line(struct lines *lines, const char **text, size_t *len)
{
    for (;;) {
        const char *start = lines->buffer + lines->start;
        size_t held = lines->end - lines->start;
        const char *newline = memchr(start, '\n', held);

        *text = start;
        if (newline || held >= LEDGER_LINE_MAX) {
            *len = newline ? (size_t)(newline - start) : LEDGER_LINE_MAX;
            lines->start += *len + (newline ? 1 : 0);
            return CN_OK;
        }
        if (lines->ended) {
            *text = NULL;
            *len = held;
            return CN_OK;
        }
        CN_TRY(fill(lines));
    }
}

static enum cn_err fault_at(struct scan *scan, enum ledger_fault fault, uint64_t line)
{
    scan->summary->fault = fault;
    scan->summary->bad_line = line;
    return CN_E_TAMPERED;
}

/* The last line that fitted turns out to be the bad one: it no longer counts as verified. */
static enum cn_err fault_at_last(struct scan *scan, enum ledger_fault fault)
{
    uint64_t line = scan->summary->lines, signatures = scan->summary->signatures;

    *scan->summary = scan->before;
    scan->summary->signatures = signatures;
    return fault_at(scan, fault, line);
}

static bool signature_ok(struct scan *scan, const struct ledger_line *line)
{
    scan->summary->signatures++;
    return ledger_line_check(line, scan->summary->public_key) == CN_OK;
}

/* Whether a line with this sequence stands further down. */
static bool stands_below(struct scan *scan, uint64_t sequence)
{
    const char *text;
    size_t len;

    while (next_line(scan->lines, &text, &len) == CN_OK && text)
        if (ledger_line_parse(&scan->now, text, len) == CN_OK &&
            scan->now.entry.sequence == sequence)
            return true;
    return false;
}

/* The line does not follow the one before it: which of the two is wrong, and how? */
static enum cn_err name_broken_chain(struct scan *scan)
{
    uint64_t expected = scan->summary->lines, sequence = scan->now.entry.sequence;

    if (!signature_ok(scan, &scan->last))
        return fault_at_last(scan, LEDGER_CHANGED);
    if (!signature_ok(scan, &scan->now))
        return fault_at(scan, LEDGER_CHANGED, expected + 1);
    if (sequence == expected)
        return fault_at(scan, LEDGER_FOREIGN, expected + 1);
    if (sequence < expected || stands_below(scan, expected))
        return fault_at(scan, LEDGER_SWAPPED, expected + 1);
    return fault_at(scan, LEDGER_GAP, expected + 1);
}

/* The first line says whose the ledger is. */
static enum cn_err check_first(struct scan *scan)
{
    static const uint8_t none[HASH_BYTES];
    struct ledger_summary *summary = scan->summary;
    const struct ledger_entry *entry = &scan->now.entry;

    if (entry->sequence != 0)
        return fault_at(scan, stands_below(scan, 0) ? LEDGER_SWAPPED : LEDGER_GAP, 1);
    memcpy(summary->public_key, entry->public_key, sizeof summary->public_key);
    memcpy(summary->owner, entry->owner, sizeof summary->owner);
    memcpy(summary->role, entry->role, sizeof summary->role);
    summary->first_time_s = entry->time_s;
    if (memcmp(scan->now.previous, none, sizeof none) != 0 || !signature_ok(scan, &scan->now))
        return fault_at(scan, LEDGER_CHANGED, 1);
    if (scan->reading->public_key &&
        memcmp(scan->reading->public_key, summary->public_key, sizeof summary->public_key) != 0)
        return fault_at(scan, LEDGER_OTHER_KEY, 1);
    return CN_OK;
}

static void accept(struct scan *scan)
{
    struct ledger_summary *summary = scan->summary;

    scan->before = *summary;
    summary->lines++;
    summary->last_time_s = scan->now.entry.time_s;
    summary->bytes += scan->now.len + 1;
    ledger_line_hash(summary->head, &scan->now);
    memcpy(&scan->last, &scan->now, offsetof(struct ledger_line, text) + scan->now.len);
}

/* The head that was seen earlier after so many lines must be the head now. */
static enum cn_err check_marks(struct scan *scan)
{
    const struct ledger_reading *reading = scan->reading;
    const struct ledger_summary *summary = scan->summary;

    while (scan->marks_seen < reading->mark_count) {
        const struct ledger_mark *mark = &reading->marks[scan->marks_seen];

        if (mark->count > summary->lines)
            return CN_OK;
        if (mark->count < summary->lines || memcmp(mark->head, summary->head, HASH_BYTES) != 0)
            return fault_at_last(scan, LEDGER_FORKED);
        scan->marks_seen++;
    }
    return CN_OK;
}

static enum cn_err check_line(struct scan *scan, const char *text, size_t len)
{
    const struct ledger_reading *reading = scan->reading;
    struct ledger_summary *summary = scan->summary;

    if (ledger_line_parse(&scan->now, text, len) != CN_OK)
        return fault_at(scan, LEDGER_MALFORMED, summary->lines + 1);
    if (summary->lines == 0)
        CN_TRY(check_first(scan));
    else if (scan->now.entry.sequence != summary->lines ||
             memcmp(scan->now.previous, summary->head, HASH_BYTES) != 0)
        return name_broken_chain(scan);
    else if (reading->every_signature && !signature_ok(scan, &scan->now))
        return fault_at(scan, LEDGER_CHANGED, summary->lines + 1);
    accept(scan);
    CN_TRY(check_marks(scan));
    return reading->visit ? reading->visit(reading->ctx, &scan->now.entry) : CN_OK;
}

/* Whether a file without a whole line can be a ledger whose first line was torn: anybody else's
 * file is not to be taken for one. */
static bool may_be_torn(const struct lines *lines, size_t torn)
{
    static const char opening[] = "{\"sequence\":0,";
    size_t len = torn < sizeof opening - 1 ? torn : sizeof opening - 1;

    return memcmp(lines->buffer + lines->start, opening, len) == 0;
}

/* What can be said only when all lines were seen. */
static enum cn_err check_end(struct scan *scan, size_t torn)
{
    const struct ledger_reading *reading = scan->reading;
    struct ledger_summary *summary = scan->summary;

    summary->torn_bytes = torn;
    if (summary->lines == 0)
        return fault_at(scan, may_be_torn(scan->lines, torn) ? LEDGER_EMPTY : LEDGER_MALFORMED, 1);
    if (summary->lines > 1 && !reading->every_signature && !signature_ok(scan, &scan->last))
        return fault_at_last(scan, LEDGER_CHANGED);
    if (scan->marks_seen < reading->mark_count)
        return fault_at(scan, LEDGER_TRUNCATED, summary->lines + 1);
    return CN_OK;
}

static enum cn_err scan_lines(struct scan *scan)
{
    const char *text;
    size_t len;

    for (;;) {
        CN_TRY(next_line(scan->lines, &text, &len));
        if (!text)
            return check_end(scan, len);
        CN_TRY(check_line(scan, text, len));
    }
}

static enum cn_err scan_file(const char *path, const struct ledger_reading *reading,
                             struct ledger_summary *summary, struct cn_diag *diag)
{
    struct scan *scan = calloc(1, sizeof *scan);
    struct lines *lines = calloc(1, sizeof *lines);
    enum cn_err err = CN_E_NOMEM;

    memset(summary, 0, sizeof *summary);
    if (!scan || !lines)
        goto out;
    lines->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (lines->fd < 0) {
        err = cn_err_from_errno(errno);
        cn_diag_set(diag, path, 0, 0, "the ledger can not be opened: %s", strerror(errno));
        goto out;
    }
    scan->reading = reading;
    scan->summary = summary;
    scan->lines = lines;
    err = scan_lines(scan);
    close(lines->fd);
out:
    free(lines);
    free(scan);
    return err;
}

static void explain(const char *path, const struct ledger_summary *summary, struct cn_diag *diag)
{
    cn_diag_set(diag, path, (unsigned)summary->bad_line, 0, "the ledger does not verify: %s",
                ledger_fault_text(summary->fault));
    if (summary->fault == LEDGER_EMPTY)
        cn_diag_hint(diag, "name the file of a ledger; it starts with a line \"opened\"");
    else if (summary->fault == LEDGER_OTHER_KEY)
        cn_diag_hint(diag, "use the key the ledger was opened with, or another file");
    else
        cn_diag_hint(diag,
                     "the %llu lines above it verify; compare with a copy or with the other "
                     "side's ledger before you rely on it",
                     (unsigned long long)summary->lines);
}

enum cn_err ledger_read_as(const char *path, const struct ledger_reading *reading,
                           struct ledger_summary *summary, struct cn_diag *diag)
{
    struct ledger_reading closer = *reading;
    enum cn_err err = scan_file(path, reading, summary, diag);

    /* A chain that was forged up to the end shows only there; find where the forging starts. */
    closer.every_signature = true;
    closer.visit = NULL;
    if (err == CN_E_TAMPERED && summary->fault == LEDGER_CHANGED && !reading->every_signature)
        err = scan_file(path, &closer, summary, diag);
    if (err == CN_E_TAMPERED && summary->fault != LEDGER_NONE)
        explain(path, summary, diag);
    return err;
}

enum cn_err ledger_read(const char *path, ledger_visit visit, void *ctx,
                        struct ledger_summary *summary, struct cn_diag *diag)
{
    struct ledger_reading reading = {.visit = visit, .ctx = ctx};

    return ledger_read_as(path, &reading, summary, diag);
}
