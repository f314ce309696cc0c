/* SPDX-License-Identifier: Apache-2.0 */
/* Two passes: count classes, then write the rows that stay. */
#include "data/deidentify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "crypto/random.h"
#include "data/csv_header.h"
#include "data/csv_internal.h"
#include "data/csv_value.h"
#include "data/csv_write.h"
#include "data/date.h"
#include "data/manifest.h"

#define SALT_BYTES 32

struct work {
    const struct deidentify_options *options;
    const struct policy *policy;
    struct deidentify_report *report;
    struct cn_diag *diag;
    struct csv_reader reader;
    struct csv_header header;
    uint32_t *spec_of; /* [header.count] columns of the policy */
    uint32_t *quasi;   /* [quasi_count] columns of the file */
    uint32_t person;   /* column of the file, or header.count */
    uint32_t sensitive;
    struct classes *classes; /* NULL without k */
    struct csv_writer writer;
    uint8_t salt[SALT_BYTES];
    char text[POLICY_TEXT_MAX + 1]; /* of the value that is being changed */
};

/* A value on its way: what was read, what is written. */
struct value {
    const char *text;
    size_t len;
    bool missing;
    bool changed;
};

static enum cn_err refuse_field(const struct work *work, const struct csv_field *field,
                                const char *column, const char *what)
{
    char shown[CSV_SHOWN_MAX];

    cn_diag_set(work->diag, work->options->in, field->line, field->column, "column '%s': '%s' %s",
                column, csv_shown(shown, field), what);
    return CN_E_DATA;
}

static void put_pseudonym(struct work *work, const char *domain, struct value *value)
{
    uint8_t digest[PSEUDONYM_BYTES];

    pseudonym_of(digest, work->options->key, domain, value->text, value->len);
    value->text = cn_hex_encode(work->text, digest, sizeof digest);
    value->len = (size_t)2 * PSEUDONYM_BYTES;
}

/* The same for all dates of one person; uniform from -days to days but for 2^-50. */
static int64_t shift_of(const struct work *work, uint32_t days)
{
    const struct csv_field *person = &work->reader.fields[work->person];
    uint8_t digest[PSEUDONYM_BYTES];
    size_t len;
    const char *text = csv_trimmed(person, &len);
    uint64_t drawn;

    pseudonym_of(digest, work->options->key, "cairn-date-shift", text, len);
    memcpy(&drawn, digest, sizeof drawn);
    return (int64_t)(drawn % (2 * (uint64_t)days + 1)) - days;
}

/* The date is written as YYYY-MM-DD; a time behind it would tell as much again and is left out. */
static bool put_shifted(struct work *work, uint32_t days, struct value *value)
{
    struct date date;
    int64_t at;

    if (!date_parse(&date, value->text, value->len))
        return false;
    at = date_to_days(date) + shift_of(work, days);
    date = date_from_days(at);
    value->len = (size_t)snprintf(work->text, sizeof work->text, "%04d-%02d-%02d", date.year,
                                  date.month, date.day);
    value->text = work->text;
    return true;
}

/* Makes of a field what the policy says. The value is valid until the next call. */
static enum cn_err change(struct work *work, uint32_t i, struct value *value)
{
    const struct policy_column *spec = &work->policy->columns[work->spec_of[i]];
    const struct csv_field *field = &work->reader.fields[i];
    const char *what = "is no date that exists (YYYY-MM-DD, YYYY/MM/DD, DD.MM.YYYY, DD/MM/YYYY)";
    bool done = true;

    *value = (struct value){0};
    value->text = csv_trimmed(field, &value->len);
    value->missing = csv_is_missing(value->text, value->len);
    if (value->missing || spec->action == POLICY_KEEP || spec->action == POLICY_DROP)
        return CN_OK;
    value->changed = true;
    if (spec->action == POLICY_HASH) {
        put_pseudonym(work, spec->name, value);
    } else if (spec->action == POLICY_SHIFT_DATE) {
        done = put_shifted(work, spec->days, value);
    } else {
        done = policy_generalise(work->text, spec, value->text, value->len, &what);
        value->text = work->text;
        value->len = done ? strlen(work->text) : 0;
    }
    return done ? CN_OK : refuse_field(work, field, work->header.names[i], what);
}

/* ---- columns ---- */

static enum cn_err bind_column(struct work *work, uint32_t i)
{
    const char *name = work->header.names[i];
    const char *near;
    uint32_t at = policy_find(work->policy, name);
    const char **known;

    work->spec_of[i] = at;
    if (at < work->policy->column_count)
        return CN_OK;
    known = calloc(work->policy->column_count, sizeof *known);
    for (uint32_t c = 0; known && c < work->policy->column_count; c++)
        known[c] = work->policy->columns[c].name;
    near = known ? cn_text_nearest(name, known, work->policy->column_count) : NULL;
    free((void *)known);
    cn_diag_set(work->diag, work->options->in, 1, work->reader.fields[i].column,
                "column '%s' is none of the policy's: it would pass as it is", name);
    if (near)
        cn_diag_hint(work->diag, "did the policy mean it by '%s'?", near);
    else
        cn_diag_hint(work->diag, "say in the policy what becomes of it: keep, drop, ...");
    return CN_E_CONFIG;
}

static enum cn_err bind(struct work *work)
{
    const struct policy *policy = work->policy;

    work->spec_of = calloc(work->header.count, sizeof *work->spec_of);
    work->quasi = calloc(policy->quasi_count + 1, sizeof *work->quasi);
    if (!work->spec_of || !work->quasi)
        return CN_E_NOMEM;
    for (uint32_t i = 0; i < work->header.count; i++)
        CN_TRY(bind_column(work, i));
    for (uint32_t i = 0; i < policy->column_count; i++)
        if (csv_header_find(&work->header, policy->columns[i].name) == work->header.count)
            return csv_header_refuse(&work->header, work->options->in, "policy",
                                     policy->columns[i].name, work->diag);
    for (uint32_t i = 0; i < policy->quasi_count; i++)
        work->quasi[i] = csv_header_find(&work->header, policy->quasi[i]);
    work->person = work->sensitive = work->header.count;
    if (policy->person)
        work->person = csv_header_find(&work->header, policy->person);
    if (policy->sensitive)
        work->sensitive = csv_header_find(&work->header, policy->sensitive);
    return CN_OK;
}

static void close_input(struct work *work)
{
    csv_reader_close(&work->reader);
    csv_header_clear(&work->header);
    free(work->spec_of);
    free(work->quasi);
    work->spec_of = work->quasi = NULL;
}

static enum cn_err open_input(struct work *work)
{
    CN_TRY(csv_reader_open(&work->reader, work->options->in, work->options->separator,
                           DATA_COLUMNS_MAX, work->diag));
    CN_TRY(csv_header_read(&work->header, &work->reader, work->diag));
    return bind(work);
}

static enum cn_err next_record(struct work *work, bool *got)
{
    CN_TRY(csv_reader_next(&work->reader, got, work->diag));
    if (!*got)
        return CN_OK;
    CN_TRY(csv_header_check(&work->header, &work->reader, work->diag));
    if (work->person < work->header.count) {
        const struct csv_field *field = &work->reader.fields[work->person];
        size_t len;
        const char *text = csv_trimmed(field, &len);

        if (csv_is_missing(text, len))
            return refuse_field(work, field, work->policy->person, "names no person");
    }
    return CN_OK;
}

/* ---- the first pass ---- */

static void digest_start(const struct work *work, struct hash *hash)
{
    hash_init(hash, "cairn-class");
    hash_add(hash, work->salt, sizeof work->salt);
}

static uint64_t digest_of(const struct work *work, const char *text, size_t len)
{
    uint8_t out[HASH_BYTES];
    struct hash hash;
    uint64_t value;

    digest_start(work, &hash);
    hash_add(&hash, text, len);
    hash_final(&hash, out);
    memcpy(&value, out, sizeof value);
    return value;
}

/* Classes are those of the values that are written, people those that were read. */
static enum cn_err count_record(struct work *work)
{
    struct classes_row row = {0};
    uint8_t out[HASH_BYTES];
    struct value value;
    struct hash hash;

    digest_start(work, &hash);
    for (uint32_t i = 0; i < work->policy->quasi_count; i++) {
        CN_TRY(change(work, work->quasi[i], &value));
        hash_add(&hash, value.text, value.len);
    }
    hash_final(&hash, out);
    memcpy(row.key, out, sizeof row.key);
    if (work->person < work->header.count) {
        size_t len;
        const char *text = csv_trimmed(&work->reader.fields[work->person], &len);

        row.person = digest_of(work, text, len);
    }
    if (work->sensitive < work->header.count) {
        CN_TRY(change(work, work->sensitive, &value));
        row.value = digest_of(work, value.text, value.len);
    }
    return classes_add(work->classes, &row);
}

static enum cn_err count_all(struct work *work)
{
    struct classes_options options = {.persons = work->policy->person != NULL,
                                      .values = work->policy->sensitive != NULL,
                                      .k = work->policy->k,
                                      .l = work->policy->l};
    bool got;

    CN_TRY(classes_new(&work->classes, work->options->folder, &options, work->diag));
    for (;;) {
        CN_TRY(next_record(work, &got));
        if (!got)
            break;
        CN_TRY(count_record(work));
    }
    return classes_count(work->classes, &work->report->classes, work->diag);
}

/* ---- the second pass ---- */

static void note(struct deidentify_column *column, const struct value *value)
{
    unsigned kinds = 0;

    column->missing += value->missing;
    column->changed += value->changed;
    if (!value->missing && column->action == POLICY_KEEP)
        kinds = identifier_kinds(value->text, value->len, column->name);
    for (unsigned i = 0; kinds >> i; i++)
        column->suspects[i] += kinds >> i & 1;
}

/* Every value is changed, so that faults in rows that go are told, too. */
static enum cn_err write_record(struct work *work, bool kept)
{
    for (uint32_t i = 0; i < work->header.count; i++) {
        struct value value;

        CN_TRY(change(work, i, &value));
        if (!kept || work->report->columns[i].action == POLICY_DROP)
            continue;
        csv_writer_field(&work->writer, value.text, value.len);
        note(&work->report->columns[i], &value);
    }
    if (kept)
        csv_writer_end_record(&work->writer);
    return CN_OK;
}

static enum cn_err write_header(struct work *work)
{
    struct deidentify_report *report = work->report;

    report->columns = calloc(work->header.count, sizeof *report->columns);
    if (!report->columns)
        return CN_E_NOMEM;
    report->column_count = work->header.count;
    for (uint32_t i = 0; i < report->column_count; i++) {
        struct deidentify_column *column = &report->columns[i];

        memcpy(column->name, work->header.names[i], sizeof column->name);
        column->action = work->policy->columns[work->spec_of[i]].action;
        if (column->action != POLICY_DROP)
            csv_writer_field(&work->writer, column->name, strlen(column->name));
    }
    csv_writer_end_record(&work->writer);
    return CN_OK;
}

static enum cn_err refuse_whole(const struct work *work, const char *what, const char *hint)
{
    cn_diag_set(work->diag, work->options->in, 0, 0, "%s", what);
    cn_diag_hint(work->diag, "%s", hint);
    return CN_E_DATA;
}

static enum cn_err write_all(struct work *work)
{
    struct deidentify_report *report = work->report;
    bool got;

    CN_TRY(write_header(work));
    for (;;) {
        bool kept;

        CN_TRY(next_record(work, &got));
        if (!got)
            break;
        if (work->classes && report->rows_in == report->classes.rows)
            break; /* more rows than were counted */
        kept = !work->classes || classes_kept(work->classes, report->rows_in);
        report->rows_in++;
        report->rows_out += kept;
        CN_TRY(write_record(work, kept));
    }
    if (work->classes && (got || report->rows_in != report->classes.rows))
        return refuse_whole(work, "changed while it was read", "start again when it is still");
    if (report->rows_out == 0)
        return refuse_whole(work, "no row is left", "generalise further, or lower k or l");
    return CN_OK;
}

/* The note comes last: a table without one is refused where a policy is demanded. */
static enum cn_err finish(struct work *work)
{
    struct manifest manifest = {.rows_in = work->report->rows_in,
                                .rows_out = work->report->rows_out};

    CN_TRY(csv_writer_close(&work->writer, work->diag));
    memcpy(manifest.policy, work->policy->hash, HASH_BYTES);
    CN_TRY(manifest_hash_file(manifest.output, work->options->out, work->diag));
    return manifest_save(&manifest, work->options->out, work->diag);
}

static enum cn_err start(struct work *work)
{
    struct cn_random random;

    if (policy_needs_key(work->policy) && !work->options->key) {
        cn_diag_set(work->diag, NULL, 0, 0,
                    "the policy '%s' hashes or shifts dates: it needs a key", work->policy->name);
        cn_diag_hint(work->diag, "add --key FILE; `cairn data key FILE` makes one");
        return CN_E_CONFIG;
    }
    CN_TRY(random_system(&random));
    cn_random_fill(&random, work->salt, sizeof work->salt);
    return csv_writer_open(&work->writer, work->options->out, work->options->separator, work->diag);
}

enum cn_err deidentify_run(struct deidentify_report *report,
                           const struct deidentify_options *options, struct cn_diag *diag)
{
    struct work *work = calloc(1, sizeof *work);
    enum cn_err err;

    *report = (struct deidentify_report){0};
    if (!work)
        return CN_E_NOMEM;
    work->options = options;
    work->policy = options->policy;
    work->report = report;
    work->diag = diag;
    CN_TRY_OUT(err, start(work));
    if (work->policy->k) {
        CN_TRY_OUT(err, open_input(work));
        CN_TRY_OUT(err, count_all(work));
        close_input(work);
    }
    CN_TRY_OUT(err, open_input(work));
    CN_TRY_OUT(err, write_all(work));
    err = finish(work);
out:
    close_input(work);
    csv_writer_drop(&work->writer);
    classes_free(work->classes);
    free(work);
    return err;
}

void deidentify_report_clear(struct deidentify_report *report)
{
    free(report->columns);
    *report = (struct deidentify_report){0};
}
