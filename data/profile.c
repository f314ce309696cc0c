/* SPDX-License-Identifier: Apache-2.0 */
/* Counting columns. */
#include "data/profile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/hash.h"
#include "crypto/random.h"
#include "data/csv_header.h"
#include "data/csv_value.h"
#include "data/date.h"

#define SEEN_ROOM ((size_t)4 * PROFILE_DISTINCT_MAX) /* open addressing, a quarter full at most */
#define CATEGORIES_MAX 64                            /* a column of more different words is text */
#define SALT_BYTES 32

struct work {
    struct profile *profile;
    const struct profile_options *options;
    struct cn_diag *diag;
    struct csv_reader reader;
    struct csv_header header;
    struct classes *classes; /* NULL without quasi-identifiers */
    uint32_t *quasi;         /* [quasi_count] */
    uint32_t quasi_count;
    uint32_t sensitive; /* header.count: none */
    uint8_t salt[SALT_BYTES];
};

const char *profile_type_text(enum profile_type type)
{
    static const char *const texts[] = {"empty", "number", "date", "category", "text"};

    return texts[type];
}

/* The salt keeps digests in temporary files from being guessed, and tables from being clogged. */
static void digest_of(uint64_t out[2], const struct work *work, const uint32_t *columns,
                      uint32_t count)
{
    uint8_t full[HASH_BYTES];
    struct hash hash;

    hash_init(&hash, "cairn-profile");
    hash_add(&hash, work->salt, sizeof work->salt);
    for (uint32_t i = 0; i < count; i++) {
        size_t len;
        const char *text = csv_trimmed(&work->reader.fields[columns[i]], &len);

        hash_add(&hash, text, len);
    }
    hash_final(&hash, full);
    memcpy(out, full, 2 * sizeof *out);
}

static enum cn_err note_distinct(struct profile_column *column, uint64_t digest)
{
    size_t at = digest % SEEN_ROOM;

    if (column->distinct == PROFILE_DISTINCT_MAX)
        return CN_OK;
    if (!column->seen)
        column->seen = calloc(SEEN_ROOM, sizeof *column->seen);
    if (!column->seen)
        return CN_E_NOMEM;
    digest |= 1;
    while (column->seen[at] && column->seen[at] != digest)
        at = (at + 1) % SEEN_ROOM;
    column->distinct += column->seen[at] == 0;
    column->seen[at] = digest;
    return CN_OK;
}

/* Welford's method. */
static void note_number(struct profile_column *column, double value)
{
    double off = value - column->mean;

    column->min = column->numbers == 0 || value < column->min ? value : column->min;
    column->max = column->numbers == 0 || value > column->max ? value : column->max;
    column->numbers++;
    column->mean += off / (double)column->numbers;
    column->squares += off * (value - column->mean);
}

static enum cn_err note_field(struct work *work, uint32_t i)
{
    struct profile_column *column = &work->profile->columns[i];
    uint64_t digest[2];
    unsigned kinds;
    double number;
    size_t len;
    const char *text = csv_trimmed(&work->reader.fields[i], &len);

    if (csv_is_missing(text, len)) {
        column->missing++;
        return CN_OK;
    }
    column->values++;
    if (csv_number(text, len, &number))
        note_number(column, number);
    column->dates += date_parse(NULL, text, len);
    kinds = identifier_kinds(text, len, column->name);
    for (unsigned kind = 0; kinds >> kind; kind++)
        column->suspects[kind] += kinds >> kind & 1;
    if (column->distinct == PROFILE_DISTINCT_MAX)
        return CN_OK;
    digest_of(digest, work, &i, 1);
    return note_distinct(column, digest[0]);
}

static enum cn_err note_record(struct work *work)
{
    struct classes_row row = {0};
    uint64_t value[2];

    CN_TRY(csv_header_check(&work->header, &work->reader, work->diag));
    work->profile->rows++;
    for (uint32_t i = 0; i < work->header.count; i++)
        CN_TRY(note_field(work, i));
    if (!work->classes)
        return CN_OK;
    digest_of(row.key, work, work->quasi, work->quasi_count);
    if (work->sensitive < work->header.count) {
        digest_of(value, work, &work->sensitive, 1);
        row.value = value[0];
    }
    return classes_add(work->classes, &row);
}

static enum cn_err find(const struct work *work, uint32_t *at, const char *name)
{
    *at = csv_header_find(&work->header, name);
    return *at < work->header.count ? CN_OK
                                    : csv_header_refuse(&work->header, work->reader.in.path,
                                                        "command", name, work->diag);
}

static enum cn_err find_quasi(struct work *work)
{
    char *names = strdup(work->options->quasi), *rest = NULL;
    enum cn_err err = CN_OK;

    work->quasi = calloc(work->header.count, sizeof *work->quasi);
    if (!names || !work->quasi)
        err = CN_E_NOMEM;
    for (char *name = names ? strtok_r(names, ",", &rest) : NULL; name && err == CN_OK;
         name = strtok_r(NULL, ",", &rest)) {
        if (work->quasi_count == work->header.count)
            err = CN_E_CONFIG;
        else
            err = find(work, &work->quasi[work->quasi_count++], name);
    }
    free(names);
    return err;
}

static enum cn_err start_classes(struct work *work)
{
    struct classes_options options = {
        .values = work->options->sensitive != NULL, .k = work->options->k, .all = true};

    work->sensitive = work->header.count;
    if (!work->options->quasi)
        return CN_OK;
    CN_TRY(find_quasi(work));
    if (work->options->sensitive)
        CN_TRY(find(work, &work->sensitive, work->options->sensitive));
    return classes_new(&work->classes, work->options->folder, &options, work->diag);
}

static enum cn_err start(struct work *work, const char *path)
{
    struct profile *profile = work->profile;
    struct cn_random random;

    CN_TRY(random_system(&random));
    cn_random_fill(&random, work->salt, sizeof work->salt);
    CN_TRY(csv_reader_open(&work->reader, path, work->options->separator, DATA_COLUMNS_MAX,
                           work->diag));
    CN_TRY(csv_header_read(&work->header, &work->reader, work->diag));
    profile->columns = calloc(work->header.count, sizeof *profile->columns);
    if (!profile->columns)
        return CN_E_NOMEM;
    profile->column_count = work->header.count;
    for (uint32_t i = 0; i < profile->column_count; i++)
        memcpy(profile->columns[i].name, work->header.names[i], DATA_NAME_MAX);
    return start_classes(work);
}

static void finish_column(struct profile_column *column)
{
    if (column->numbers)
        column->deviation = sqrt(column->squares / (double)column->numbers);
    if (column->values == 0)
        column->type = PROFILE_EMPTY;
    else if (column->numbers == column->values)
        column->type = PROFILE_NUMBER;
    else if (column->dates == column->values)
        column->type = PROFILE_DATE;
    else
        column->type = column->distinct <= CATEGORIES_MAX && column->distinct * 2 <= column->values
                           ? PROFILE_CATEGORY
                           : PROFILE_TEXT;
}

static enum cn_err read_all(struct work *work, const char *path)
{
    bool got;

    CN_TRY(start(work, path));
    for (;;) {
        CN_TRY(csv_reader_next(&work->reader, &got, work->diag));
        if (!got)
            break;
        CN_TRY(note_record(work));
    }
    for (uint32_t i = 0; i < work->profile->column_count; i++)
        finish_column(&work->profile->columns[i]);
    work->profile->crowd = work->classes != NULL;
    return work->classes ? classes_count(work->classes, &work->profile->classes, work->diag)
                         : CN_OK;
}

enum cn_err profile_run(struct profile *profile, const char *path,
                        const struct profile_options *options, struct cn_diag *diag)
{
    struct work work = {.profile = profile, .options = options, .diag = diag};
    enum cn_err err;

    *profile = (struct profile){0};
    if (options->sensitive && !options->quasi) {
        cn_diag_set(diag, NULL, 0, 0, "--sensitive needs --quasi: diversity is counted by class");
        return CN_E_CONFIG;
    }
    err = read_all(&work, path);
    csv_reader_close(&work.reader);
    csv_header_clear(&work.header);
    classes_free(work.classes);
    free(work.quasi);
    return err;
}

void profile_clear(struct profile *profile)
{
    for (uint32_t i = 0; profile->columns && i < profile->column_count; i++)
        free(profile->columns[i].seen);
    free(profile->columns);
    *profile = (struct profile){0};
}
