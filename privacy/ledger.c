/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a ledger: opening, mending what a crash tore, appending. */
#include "privacy/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "privacy/ledger_line.h"

#define PLACE_LINES 256u /* one place in so many lines is remembered */

struct ledger {
    int fd;
    int lock_fd;
    const struct sign_key *key;
    uint64_t bytes; /* of whole lines in the file */
    uint64_t lines;
    uint8_t head[HASH_BYTES];
    bool broken;      /* what the disk holds is not known any more */
    uint64_t *places; /* [place_room] where line i * PLACE_LINES, from 0, starts in the file */
    size_t place_room;
    struct ledger_line line;
};

static enum cn_err from_errno(int number)
{
    return number == EFBIG ? CN_E_NOSPACE : cn_err_from_errno(number);
}

static enum cn_err write_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t wrote = write(fd, bytes, len);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return from_errno(errno);
        bytes += wrote;
        len -= (size_t)wrote;
    }
    return CN_OK;
}

static enum cn_err cut_back(struct ledger *ledger)
{
    if (ftruncate(ledger->fd, (off_t)ledger->bytes) == 0)
        return CN_OK;
    ledger->broken = true;
    return CN_E_IO;
}

/* Remembers where the line to come starts, if it is one of those. */
static enum cn_err note_place(struct ledger *ledger)
{
    size_t at = (size_t)(ledger->lines / PLACE_LINES);

    if (ledger->lines % PLACE_LINES)
        return CN_OK;
    if (at == ledger->place_room) {
        size_t room = at ? 2 * at : 16;
        uint64_t *places = realloc(ledger->places, room * sizeof *places);

        if (!places)
            return CN_E_NOMEM;
        ledger->places = places;
        ledger->place_room = room;
    }
    ledger->places[at] = ledger->bytes;
    return CN_OK;
}

/* Flushes; on failure the file ends at bytes again. After a flush that failed for
 * another reason than space nobody knows what the device will do next: the ledger is then left
 * alone until it is opened, and verified, again. (A line that was cut back may still be there after
 * a power failure: more is then written than was spent, never less.) */
static enum cn_err flush(struct ledger *ledger, enum cn_err err)
{
    if (err == CN_OK && fdatasync(ledger->fd) != 0) {
        err = from_errno(errno);
        ledger->broken = err != CN_E_NOSPACE;
    }
    if (err != CN_OK)
        CN_IGNORE(cut_back(ledger));
    return err;
}

/* Writes the line behind the others; what is not flushed yet lies beyond ledger->bytes. */
static enum cn_err write_line(struct ledger *ledger, uint64_t sequence,
                              const uint8_t previous[HASH_BYTES])
{
    struct ledger_line *line = &ledger->line;

    line->entry.sequence = sequence;
    memcpy(line->previous, previous, HASH_BYTES);
    ledger_line_clean(line->entry.reason, sizeof line->entry.reason);
    CN_TRY(ledger_line_make(line, ledger->key));
    line->text[line->len] = '\n';
    return write_all(ledger->fd, line->text, line->len + 1);
}

static enum cn_err append_copy(struct ledger *ledger)
{
    struct ledger_line *line = &ledger->line;

    CN_TRY(note_place(ledger));
    CN_TRY(flush(ledger, write_line(ledger, ledger->lines, ledger->head)));
    ledger_line_hash(ledger->head, line);
    ledger->bytes += line->len + 1;
    ledger->lines++;
    return CN_OK;
}

enum cn_err ledger_append(struct ledger *ledger, struct ledger_entry *entry)
{
    if (ledger->broken)
        return CN_E_STATE;
    ledger->line.entry = *entry;
    CN_TRY(append_copy(ledger));
    entry->sequence = ledger->line.entry.sequence;
    return CN_OK;
}

/* The ledger as it was before a batch. */
struct batch {
    uint64_t lines, bytes;
    uint8_t head[HASH_BYTES];
};

static enum cn_err append_batch(struct ledger *ledger, struct ledger_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CN_TRY(note_place(ledger));
        ledger->line.entry = entries[i];
        CN_TRY(write_line(ledger, ledger->lines, ledger->head));
        entries[i].sequence = ledger->lines;
        ledger_line_hash(ledger->head, &ledger->line);
        ledger->bytes += ledger->line.len + 1;
        ledger->lines++;
    }
    return CN_OK;
}

enum cn_err ledger_append_all(struct ledger *ledger, struct ledger_entry *entries, size_t count)
{
    struct batch before = {.lines = ledger->lines, .bytes = ledger->bytes};
    enum cn_err err;

    if (ledger->broken)
        return CN_E_STATE;
    if (count > LEDGER_BATCH_MAX)
        return CN_E_TOO_LARGE;
    memcpy(before.head, ledger->head, HASH_BYTES);
    err = append_batch(ledger, entries, count);
    if (err == CN_OK && count > 0 && fdatasync(ledger->fd) != 0) {
        err = from_errno(errno);
        ledger->broken = err != CN_E_NOSPACE;
    }
    if (err == CN_OK)
        return CN_OK;
    ledger->lines = before.lines;
    ledger->bytes = before.bytes;
    memcpy(ledger->head, before.head, HASH_BYTES);
    CN_IGNORE(cut_back(ledger));
    return err;
}

static enum cn_err read_line_at(struct ledger_line *line, int fd, uint64_t *place)
{
    ssize_t got = pread(fd, line->text, LEDGER_LINE_MAX, (off_t)*place);
    const char *newline = got > 0 ? memchr(line->text, '\n', (size_t)got) : NULL;

    if (!newline)
        return CN_E_IO;
    line->len = (size_t)(newline - line->text);
    *place += line->len + 1;
    return CN_OK;
}

enum cn_err ledger_head_at(const struct ledger *ledger, uint64_t count, uint8_t head[HASH_BYTES])
{
    struct ledger_line line;
    uint64_t at, place;

    memset(head, 0, HASH_BYTES);
    if (count == 0 || count > ledger->lines)
        return CN_E_NOT_FOUND;
    at = (count - 1) / PLACE_LINES;
    place = ledger->places[at];
    for (uint64_t n = at * PLACE_LINES; n < count; n++)
        CN_TRY(read_line_at(&line, ledger->fd, &place));
    ledger_line_hash(head, &line);
    return CN_OK;
}

static enum cn_err append_opened(struct ledger *ledger, const struct ledger_owner *owner)
{
    struct ledger_entry *entry = &ledger->line.entry;
    bool fits =
        strlen(owner->owner) < sizeof entry->owner && strlen(owner->role) < sizeof entry->role;

    if (!fits)
        return CN_E_CONFIG;
    memset(entry, 0, sizeof *entry);
    memcpy(entry->kind, "opened", sizeof "opened");
    memcpy(entry->owner, owner->owner, strlen(owner->owner));
    memcpy(entry->role, owner->role, strlen(owner->role));
    entry->time_s = owner->now_s;
    sign_key_public(ledger->key, entry->public_key);
    return append_copy(ledger);
}

static enum cn_err append_recovered(struct ledger *ledger, uint64_t torn_bytes, int64_t now_s)
{
    struct ledger_entry *entry = &ledger->line.entry;

    memset(entry, 0, sizeof *entry);
    memcpy(entry->kind, "recovered", sizeof "recovered");
    entry->time_s = now_s;
    snprintf(entry->reason, sizeof entry->reason,
             "%llu bytes of a last line that was never finished were cut off",
             (unsigned long long)torn_bytes);
    return append_copy(ledger);
}

/* Keeps a copy of the torn bytes in PATH.torn, for whoever wants to know, and cuts them off. */
static enum cn_err move_torn_aside(struct ledger *ledger, const char *path, uint64_t torn_bytes,
                                   struct cn_diag *diag)
{
    char aside[CN_PATH_MAX + 8], bytes[LEDGER_LINE_MAX];
    size_t len = torn_bytes < sizeof bytes ? (size_t)torn_bytes : sizeof bytes;
    ssize_t got = pread(ledger->fd, bytes, len, (off_t)ledger->bytes);

    if (got < 0)
        return CN_E_IO;
    snprintf(aside, sizeof aside, "%s.torn", path);
    CN_TRY(cn_file_write(aside, bytes, (size_t)got, 0600, diag));
    CN_TRY(cut_back(ledger));
    return fdatasync(ledger->fd) == 0 ? CN_OK : from_errno(errno);
}

static enum cn_err sync_folder_of(const char *path)
{
    char folder[CN_PATH_MAX];
    char *slash;

    snprintf(folder, sizeof folder, "%s", path);
    slash = strrchr(folder, '/');
    if (!slash)
        return cn_folder_sync(".");
    slash[slash == folder ? 1 : 0] = '\0';
    return cn_folder_sync(folder);
}

struct places {
    struct ledger *ledger;
    const struct ledger_summary *summary; /* filled as the reading goes on */
};

/* Sees line n when the summary has counted it: the next one starts behind it. */
static enum cn_err see_place(void *ctx, const struct ledger_entry *entry)
{
    const struct places *seen = ctx;

    (void)entry;
    seen->ledger->lines = seen->summary->lines;
    seen->ledger->bytes = seen->summary->bytes;
    return note_place(seen->ledger);
}

/* Verifies what is there; a file without a whole line is a new ledger. */
static enum cn_err verify(struct ledger *ledger, const char *path, struct ledger_summary *summary,
                          struct cn_diag *diag)
{
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    struct places seen = {ledger, summary};
    struct ledger_reading reading = {.public_key = public_key, .visit = see_place, .ctx = &seen};
    struct cn_diag words;
    enum cn_err err;

    cn_diag_clear(&words);
    CN_TRY(note_place(ledger));
    sign_key_public(ledger->key, public_key);
    err = ledger_read_as(path, &reading, summary, &words);
    if (err == CN_E_TAMPERED && summary->fault == LEDGER_EMPTY)
        err = CN_OK;
    else if (err == CN_E_TAMPERED && summary->fault == LEDGER_OTHER_KEY)
        err = CN_E_AUTH;
    if (err != CN_OK && diag && diag->text[0] == '\0')
        *diag = words;
    ledger->bytes = summary->bytes;
    ledger->lines = summary->lines;
    memcpy(ledger->head, summary->head, HASH_BYTES);
    return err;
}

static enum cn_err open_locked(struct ledger *ledger, const char *path,
                               const struct ledger_owner *owner, struct cn_diag *diag)
{
    struct ledger_summary summary;

    ledger->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (ledger->fd < 0) {
        cn_diag_set(diag, path, 0, 0, "the ledger can not be opened: %s", strerror(errno));
        return from_errno(errno);
    }
    CN_TRY(verify(ledger, path, &summary, diag));
    if (summary.torn_bytes)
        CN_TRY(move_torn_aside(ledger, path, summary.torn_bytes, diag));
    if (ledger->lines == 0) {
        CN_TRY(append_opened(ledger, owner));
        CN_TRY(sync_folder_of(path));
    }
    if (summary.torn_bytes)
        CN_TRY(append_recovered(ledger, summary.torn_bytes, owner->now_s));
    return CN_OK;
}

enum cn_err ledger_open(struct ledger **ledger, const char *path, const struct sign_key *key,
                        const struct ledger_owner *owner, struct cn_diag *diag)
{
    char lock[CN_PATH_MAX + 8];
    struct ledger *made;
    enum cn_err err;

    *ledger = NULL;
    if (strlen(path) >= CN_PATH_MAX)
        return CN_E_TOO_LARGE;
    made = calloc(1, sizeof *made);
    if (!made)
        return CN_E_NOMEM;
    made->fd = made->lock_fd = -1;
    made->key = key;
    snprintf(lock, sizeof lock, "%s.lock", path);
    err = cn_file_lock(lock, &made->lock_fd, diag);
    if (err == CN_OK)
        err = open_locked(made, path, owner, diag);
    if (err != CN_OK) {
        cn_diag_set(diag, path, 0, 0, "the ledger can not be opened: %s", cn_err_text(err));
        ledger_close(made);
        return err;
    }
    *ledger = made;
    return CN_OK;
}

void ledger_head(const struct ledger *ledger, uint8_t head[HASH_BYTES], uint64_t *count)
{
    if (head)
        memcpy(head, ledger->head, HASH_BYTES);
    if (count)
        *count = ledger->lines;
}

void ledger_close(struct ledger *ledger)
{
    if (!ledger)
        return;
    if (ledger->fd >= 0)
        close(ledger->fd);
    if (ledger->lock_fd >= 0)
        close(ledger->lock_fd);
    free(ledger->places);
    free(ledger);
}
