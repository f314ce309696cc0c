/* SPDX-License-Identifier: Apache-2.0 */
/* Tables: the header decides what becomes of each column, then every record becomes an example. */
#include "data/csv.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/text.h"
#include "data/csv_internal.h"
#include "data/csv_labels.h"
#include "data/csv_record.h"

#define FIRST_ROWS 1024
#define NOT_A_FEATURE UINT32_MAX

/* What becomes of one column of the file. */
struct column {
    char name[DATA_NAME_MAX];
    uint32_t feature; /* its place in an example, or NOT_A_FEATURE */
    double mean;
    double deviation;
};

struct table {
    struct csv_reader reader;
    struct csv_labels labels;
    const struct data_form *form; /* may be NULL */
    const char *path;
    struct column *columns; /* [count] */
    uint32_t count;
    uint32_t label; /* the label's column */
    uint32_t features;
    size_t rows;
};

const char *csv_shown(char out[CSV_SHOWN_MAX], const struct csv_field *field)
{
    struct cn_buf buf;
    size_t len = field->len < 40 ? field->len : 40;

    cn_buf_init(&buf, 256);
    cn_put_printable(&buf, field->text, len);
    (void)snprintf(out, CSV_SHOWN_MAX, "%.*s%s", (int)(buf.len < 56 ? buf.len : 56),
                   buf.data ? (const char *)buf.data : "", len < field->len ? "..." : "");
    cn_buf_clear(&buf);
    return out;
}

/* Gives the text without blanks around it. */
static const char *trimmed(const struct csv_field *field, size_t *len)
{
    const char *text = field->text;

    *len = field->len;
    while (*len && (text[0] == ' ' || text[0] == '\t'))
        text++, (*len)--;
    while (*len && (text[*len - 1] == ' ' || text[*len - 1] == '\t'))
        (*len)--;
    return text;
}

/* Takes the names; longer ones are cut, empty ones are no names. */
static enum cn_err take_names(struct table *table, struct cn_diag *diag)
{
    const struct csv_field *fields = table->reader.fields;

    table->count = table->reader.field_count;
    if (table->count < 2) {
        cn_diag_set(diag, table->path, 1, 1, "one column, expected a label and at least one more");
        cn_diag_hint(diag, "columns are separated by commas");
        return CN_E_DATA;
    }
    table->columns = calloc(table->count, sizeof *table->columns);
    if (!table->columns)
        return CN_E_NOMEM;
    for (uint32_t i = 0; i < table->count; i++) {
        size_t len;
        const char *text = trimmed(&fields[i], &len);

        if (len >= DATA_NAME_MAX || !cn_utf8_valid(text, len, NULL)) {
            cn_diag_set(diag, table->path, fields[i].line, fields[i].column,
                        "the name of column %u is longer than %d bytes or not UTF-8", i + 1,
                        DATA_NAME_MAX - 1);
            return CN_E_DATA;
        }
        memcpy(table->columns[i].name, text, len);
        table->columns[i].feature = NOT_A_FEATURE;
    }
    return CN_OK;
}

static enum cn_err check_double_names(const struct table *table, struct cn_diag *diag)
{
    for (uint32_t i = 1; i < table->count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (!table->columns[i].name[0] ||
                strcmp(table->columns[i].name, table->columns[j].name) != 0)
                continue;
            cn_diag_set(diag, table->path, table->reader.fields[i].line,
                        table->reader.fields[i].column, "columns %u and %u have the same name '%s'",
                        j + 1, i + 1, table->columns[i].name);
            return CN_E_DATA;
        }
    }
    return CN_OK;
}

/* The column called name, or count. */
static uint32_t find_name(const struct table *table, const char *name)
{
    uint32_t i = 0;

    while (i < table->count && strcmp(table->columns[i].name, name) != 0)
        i++;
    return i;
}

/* Tells that the header lacks a name, and which one it has that is near. */
static enum cn_err refuse_name(const struct table *table, const char *what, const char *name,
                               struct cn_diag *diag)
{
    const char **known = calloc(table->count, sizeof *known);
    const char *near = NULL;

    for (uint32_t i = 0; known && i < table->count; i++)
        known[i] = table->columns[i].name;
    if (known)
        near = cn_text_nearest(name, known, table->count);
    cn_diag_set(diag, table->path, 1, 0, "no column '%.63s' in the header, which the %s names",
                name, what);
    if (near && near[0])
        cn_diag_hint(diag, "did you mean '%s'?", near);
    else
        cn_diag_hint(diag, "the first line must name the columns");
    free((void *)known);
    return CN_E_CONFIG;
}

/* By name; a number counts only where no column is called so. */
static enum cn_err find_label(struct table *table, const char *label, struct cn_diag *diag)
{
    char *end = NULL;
    unsigned long number;

    table->label = find_name(table, label);
    if (table->label < table->count)
        return CN_OK;
    number = label[0] >= '0' && label[0] <= '9' ? strtoul(label, &end, 10) : 0;
    if (number == 0 || *end != '\0')
        return refuse_name(table, "data source", label, diag);
    if (number > table->count) {
        cn_diag_set(diag, table->path, 1, 0, "label column %lu, but there are %u columns", number,
                    table->count);
        return CN_E_CONFIG;
    }
    table->label = (uint32_t)number - 1;
    return CN_OK;
}

/* Numbers the columns that make an example and gives each its mean and deviation. */
static enum cn_err choose_features(struct table *table, struct cn_diag *diag)
{
    const struct data_form *form = table->form;
    double deviation = form && form->deviation > 0 ? form->deviation : 1;

    for (uint32_t i = 0; form && i < form->column_count; i++) {
        uint32_t at = find_name(table, form->columns[i].name);

        if (at == table->count)
            return refuse_name(table, "task", form->columns[i].name, diag);
        if (at == table->label || table->columns[at].feature != NOT_A_FEATURE) {
            cn_diag_set(diag, table->path, 1, 0, "column '%s' is %s", form->columns[i].name,
                        at == table->label ? "both a feature and the label" : "taken twice");
            return CN_E_CONFIG;
        }
        table->columns[at].feature = table->features++;
        table->columns[at].mean = form->columns[i].mean;
        table->columns[at].deviation = form->columns[i].deviation;
    }
    for (uint32_t i = 0; !(form && form->column_count) && i < table->count; i++) {
        if (i == table->label)
            continue;
        table->columns[i].feature = table->features++;
        table->columns[i].mean = form ? form->mean : 0;
        table->columns[i].deviation = deviation;
    }
    return data_form_check(form, 1, 1, table->features, table->path, diag);
}

static enum cn_err read_header(struct table *table, const char *label, struct cn_diag *diag)
{
    bool got;

    CN_TRY(csv_reader_next(&table->reader, &got, diag));
    if (!got) {
        cn_diag_set(diag, table->path, 0, 0, "the file is empty, expected a header and records");
        return CN_E_DATA;
    }
    CN_TRY(take_names(table, diag));
    CN_TRY(check_double_names(table, diag));
    CN_TRY(find_label(table, label, diag));
    return choose_features(table, diag);
}

static bool is_missing(const char *text, size_t len)
{
    static const char *const words[] = {"",    "?",   "NA",   "N/A",  "na",   "n/a", "NaN",
                                        "nan", "NAN", "null", "NULL", "None", "none"};

    for (size_t i = 0; i < CN_COUNT(words); i++)
        if (strlen(words[i]) == len && memcmp(words[i], text, len) == 0)
            return true;
    return false;
}

/* Reads a decimal number; no hexadecimal, no infinities. */
static bool parse_number(const char *text, size_t len, double *value)
{
    char *end = NULL;

    if (len == 0 || strspn(text, "+-.0123456789eE") < len)
        return false;
    *value = strtod(text, &end);
    return end == text + len && isfinite(*value);
}

static enum cn_err take_value(const struct table *table, float *out, uint32_t index,
                              struct cn_diag *diag)
{
    const struct csv_field *field = &table->reader.fields[index];
    const struct column *column = &table->columns[index];
    char shown[CSV_SHOWN_MAX];
    double value = 0;
    size_t len;
    const char *text = trimmed(field, &len);

    if (is_missing(text, len)) {
        cn_diag_set(diag, table->path, field->line, field->column, "column '%s': no value ('%s')",
                    column->name, csv_shown(shown, field));
        cn_diag_hint(diag, "missing values are not guessed: fill them or leave the record out");
        return CN_E_DATA;
    }
    if (!parse_number(text, len, &value)) {
        cn_diag_set(diag, table->path, field->line, field->column,
                    "column '%s': '%s' is not a number", column->name, csv_shown(shown, field));
        return CN_E_DATA;
    }
    *out = (float)((value - column->mean) / column->deviation);
    if (isfinite(*out))
        return CN_OK;
    cn_diag_set(diag, table->path, field->line, field->column, "column '%s': '%s' is too large",
                column->name, csv_shown(shown, field));
    return CN_E_DATA;
}

static enum cn_err take_record(struct table *table, struct dataset *set, struct cn_diag *diag)
{
    const struct csv_reader *reader = &table->reader;
    const struct csv_field *label = &reader->fields[table->label];
    float *x = set->x + table->rows * table->features;

    if (reader->field_count != table->count) {
        cn_diag_set(diag, table->path, reader->fields[0].line, 1,
                    "%u fields, the header has %u columns", reader->field_count, table->count);
        cn_diag_hint(diag, "text with commas needs quotes around it");
        return CN_E_DATA;
    }
    for (uint32_t i = 0; i < table->count; i++)
        if (table->columns[i].feature != NOT_A_FEATURE)
            CN_TRY(take_value(table, x + table->columns[i].feature, i, diag));
    if (is_missing(label->text, label->len)) {
        cn_diag_set(diag, table->path, label->line, label->column, "column '%s': no label",
                    table->columns[table->label].name);
        cn_diag_hint(diag, "leave records without a label out");
        return CN_E_DATA;
    }
    return csv_labels_add(&table->labels, &set->y[table->rows++], label, diag);
}

static enum cn_err read_records(struct table *table, struct dataset *set, struct cn_diag *diag)
{
    bool got;

    CN_TRY(dataset_new(set, FIRST_ROWS, 1, 1, table->features));
    for (;;) {
        CN_TRY(csv_reader_next(&table->reader, &got, diag));
        if (!got)
            break;
        if (table->rows == set->n)
            CN_TRY(dataset_resize(set, 2 * set->n));
        CN_TRY(take_record(table, set, diag));
    }
    if (table->rows == 0) {
        cn_diag_set(diag, table->path, 0, 0, "no records behind the header");
        return CN_E_DATA;
    }
    CN_TRY(dataset_resize(set, table->rows));
    return csv_labels_finish(&table->labels, set, diag);
}

enum cn_err csv_load(struct dataset *set, const char *path, const char *label,
                     const struct data_form *form, struct cn_diag *diag)
{
    struct table table = {.form = form, .path = path, .labels = {.form = form, .path = path}};
    enum cn_err err;

    *set = (struct dataset){0};
    CN_TRY_OUT(err, csv_reader_open(&table.reader, path, DATA_COLUMNS_MAX, diag));
    CN_TRY_OUT(err, read_header(&table, label, diag));
    err = read_records(&table, set, diag);
out:
    if (err != CN_OK)
        dataset_free(set);
    csv_labels_clear(&table.labels);
    csv_reader_close(&table.reader);
    free(table.columns);
    return err;
}
