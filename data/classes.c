/* SPDX-License-Identifier: Apache-2.0 */
/* Rows into parts, parts into tables. */
#include "data/classes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define HELD 64 /* records of a part that wait in memory */
#define FIRST_ROOM ((size_t)1024)

struct record {
    struct classes_row row;
    uint64_t number;
};

struct part {
    int fd; /* -1: not made */
    uint32_t held;
    struct record records[HELD];
};

/* A table of digests by open addressing. A key of zeros is an empty place. */
struct entry {
    uint64_t key[2];
    uint32_t persons;
    uint32_t values;
};

struct table {
    struct entry *entries; /* [room], room a power of two */
    size_t room;
    size_t count;
};

struct classes {
    struct classes_options options;
    struct part parts[CLASSES_PARTS];
    uint8_t *dropped; /* [rows / 8 + 1], after counting */
    uint64_t rows;
};

static void table_clear(struct table *table)
{
    free(table->entries);
    *table = (struct table){0};
}

static struct entry *place_of(const struct table *table, const uint64_t key[2])
{
    size_t at = key[1] & (table->room - 1);

    CN_ASSERT(table->entries);
    while ((table->entries[at].key[0] || table->entries[at].key[1]) &&
           (table->entries[at].key[0] != key[0] || table->entries[at].key[1] != key[1]))
        at = (at + 1) & (table->room - 1);
    return &table->entries[at];
}

/* Keeps a third of the places free, so that searches stay short. */
static enum cn_err make_room(struct table *table)
{
    const size_t room = table->entries ? table->room : 0;
    struct table larger = {.room = room ? 2 * room : FIRST_ROOM, .count = table->count};

    if (room && table->count < room / 3 * 2)
        return CN_OK;
    if (table->count >= CLASSES_MAX)
        return CN_E_TOO_LARGE;
    larger.entries = calloc(larger.room, sizeof *larger.entries);
    if (!larger.entries)
        return CN_E_NOMEM;
    for (size_t i = 0; i < room; i++)
        if (table->entries[i].key[0] || table->entries[i].key[1])
            *place_of(&larger, table->entries[i].key) = table->entries[i];
    free(table->entries);
    *table = larger;
    return CN_OK;
}

/* Finds the entry or makes it; *fresh out. It is valid until the next one is made. */
static enum cn_err table_take(struct table *table, struct entry **entry, const uint64_t key[2],
                              bool *fresh)
{
    CN_TRY(make_room(table));
    *entry = place_of(table, key);
    *fresh = !(*entry)->key[0] && !(*entry)->key[1];
    if (*fresh) {
        (*entry)->key[0] = key[0];
        (*entry)->key[1] = key[1];
        table->count++;
    }
    return CN_OK;
}

static enum cn_err part_open(struct part *part, const char *folder, struct cn_diag *diag)
{
    char path[CN_PATH_MAX];
    int number;

    CN_TRY(cn_path_join(path, folder, ".cairn-classes-XXXXXX"));
    part->fd = mkostemp(path, O_CLOEXEC);
    if (part->fd >= 0 && unlink(path) == 0)
        return CN_OK;
    number = errno;
    cn_diag_set(diag, folder, 0, 0, "no temporary file can be made here: %s", strerror(number));
    return cn_err_from_errno(number);
}

enum cn_err classes_new(struct classes **out, const char *folder,
                        const struct classes_options *options, struct cn_diag *diag)
{
    struct classes *classes = calloc(1, sizeof *classes);
    enum cn_err err = CN_OK;

    *out = NULL;
    if (!classes)
        return CN_E_NOMEM;
    classes->options = *options;
    for (size_t i = 0; i < CLASSES_PARTS; i++)
        classes->parts[i].fd = -1;
    for (size_t i = 0; err == CN_OK && i < CLASSES_PARTS; i++)
        err = part_open(&classes->parts[i], folder, diag);
    if (err != CN_OK) {
        classes_free(classes);
        return err;
    }
    *out = classes;
    return CN_OK;
}

void classes_free(struct classes *classes)
{
    if (!classes)
        return;
    for (size_t i = 0; i < CLASSES_PARTS; i++)
        if (classes->parts[i].fd >= 0)
            close(classes->parts[i].fd);
    free(classes->dropped);
    free(classes);
}

static enum cn_err part_flush(struct part *part)
{
    size_t len = part->held * sizeof *part->records;

    part->held = 0;
    return cn_file_write_all(part->fd, part->records, len);
}

enum cn_err classes_add(struct classes *classes, const struct classes_row *row)
{
    struct part *part = &classes->parts[row->key[0] % CLASSES_PARTS];
    struct record *record = &part->records[part->held];

    if (classes->rows == CLASSES_ROWS_MAX)
        return CN_E_TOO_LARGE;
    *record = (struct record){*row, classes->rows++};
    record->row.key[1] |= 1; /* no key is all zeros */
    return ++part->held == HELD ? part_flush(part) : CN_OK;
}

/* Reads the next records of a part into its buffer; held 0 at the end. */
static enum cn_err part_read(struct part *part)
{
    size_t want = sizeof part->records, got = 0;

    while (got < want) {
        ssize_t more = read(part->fd, (char *)part->records + got, want - got);

        if (more < 0 && errno != EINTR)
            return CN_E_IO;
        if (more == 0)
            break;
        got += more > 0 ? (size_t)more : 0;
    }
    part->held = (uint32_t)(got / sizeof *part->records);
    return got % sizeof *part->records == 0 ? CN_OK : CN_E_IO;
}

static enum cn_err part_rewind(struct part *part)
{
    return lseek(part->fd, 0, SEEK_SET) == 0 ? CN_OK : CN_E_IO;
}

/* splitmix64's finisher: what it is fed is a keyed digest already. */
static uint64_t stirred(uint64_t value)
{
    value ^= value >> 30;
    value *= UINT64_C(0xbf58476d1ce4e5b9);
    value ^= value >> 27;
    value *= UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

/* Raises *count, up to a bound, if this member of the class is new to it. */
static enum cn_err count_member(struct table *members, uint32_t *count, uint32_t bound,
                                const uint64_t key[2], const uint64_t member[2])
{
    uint64_t pair[2] = {stirred(key[0] ^ member[0]), stirred(key[1] + member[1]) | 1};
    struct entry *entry;
    bool fresh;

    if (*count >= bound)
        return CN_OK;
    CN_TRY(table_take(members, &entry, pair, &fresh));
    *count += fresh;
    return CN_OK;
}

/* The tables of one part. */
struct count {
    const struct classes_options *options;
    struct table classes;
    struct table members;
};

static enum cn_err count_record(struct count *count, const struct classes_row *row)
{
    const struct classes_options *options = count->options;
    uint32_t most = options->all ? UINT32_MAX : options->k;
    uint64_t person[2] = {row->person, stirred(row->person ^ 1)};
    uint64_t value[2] = {stirred(row->value ^ 2), row->value};
    struct entry *entry;
    bool fresh;

    CN_TRY(table_take(&count->classes, &entry, row->key, &fresh));
    if (options->persons)
        CN_TRY(count_member(&count->members, &entry->persons, most, row->key, person));
    else if (entry->persons < UINT32_MAX)
        entry->persons++;
    if (!options->values)
        return CN_OK;
    most = options->all ? UINT32_MAX : options->l;
    return count_member(&count->members, &entry->values, most, row->key, value);
}

static bool is_kept(const struct classes_options *options, const struct entry *entry)
{
    return entry->persons >= options->k && (!options->values || entry->values >= options->l);
}

static void mark_record(struct classes *classes, const struct count *count,
                        const struct record *record, struct classes_summary *summary)
{
    if (is_kept(&classes->options, place_of(&count->classes, record->row.key)))
        return;
    classes->dropped[record->number / 8] |= (uint8_t)(1u << record->number % 8);
    summary->rows_dropped++;
}

static void summarise(const struct count *count, struct classes_summary *summary)
{
    for (size_t i = 0; i < count->classes.room; i++) {
        const struct entry *entry = &count->classes.entries[i];

        if (!entry->key[0] && !entry->key[1])
            continue;
        summary->classes++;
        summary->classes_dropped += !is_kept(count->options, entry);
        summary->smallest = entry->persons < summary->smallest ? entry->persons : summary->smallest;
        summary->values = entry->values < summary->values ? entry->values : summary->values;
    }
}

static enum cn_err count_part(struct classes *classes, struct part *part, struct count *count,
                              struct classes_summary *summary)
{
    CN_TRY(part_flush(part));
    CN_TRY(part_rewind(part));
    CN_TRY(part_read(part));
    while (part->held) {
        for (uint32_t i = 0; i < part->held; i++)
            CN_TRY(count_record(count, &part->records[i].row));
        CN_TRY(part_read(part));
    }
    summarise(count, summary);
    CN_TRY(part_rewind(part));
    CN_TRY(part_read(part));
    while (part->held) {
        for (uint32_t i = 0; i < part->held; i++)
            mark_record(classes, count, &part->records[i], summary);
        CN_TRY(part_read(part));
    }
    return CN_OK;
}

enum cn_err classes_count(struct classes *classes, struct classes_summary *summary,
                          struct cn_diag *diag)
{
    enum cn_err err = CN_OK;

    *summary = (struct classes_summary){
        .rows = classes->rows, .smallest = UINT64_MAX, .values = UINT64_MAX};
    classes->dropped = calloc((size_t)(classes->rows / 8 + 1), 1);
    if (!classes->dropped)
        return CN_E_NOMEM;
    for (size_t i = 0; err == CN_OK && i < CLASSES_PARTS; i++) {
        struct count count = {.options = &classes->options};

        err = count_part(classes, &classes->parts[i], &count, summary);
        table_clear(&count.classes);
        table_clear(&count.members);
    }
    if (err == CN_E_TOO_LARGE) {
        cn_diag_set(diag, NULL, 0, 0, "more than %zu classes in one of %d parts of the table",
                    CLASSES_MAX, CLASSES_PARTS);
        cn_diag_hint(diag, "generalise the quasi-identifiers: almost every row is its own class");
    }
    if (summary->classes == 0)
        summary->smallest = 0;
    if (summary->classes == 0 || !classes->options.values)
        summary->values = 0;
    return err;
}

bool classes_kept(const struct classes *classes, uint64_t row)
{
    return !(classes->dropped[row / 8] >> row % 8 & 1);
}
