/* SPDX-License-Identifier: Apache-2.0 */
/* Tables: the header decides what becomes of each column, then every record becomes an example. */
#include "data/csv.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/text.h"
#include "data/csv_header.h"
#include "data/csv_internal.h"
#include "data/csv_labels.h"
#include "data/csv_record.h"
#include "data/csv_value.h"

#define NOBODY UINT32_MAX

struct table {
    struct csv_reader reader;
    struct csv_header header;
    struct csv_labels labels;
    struct intake intake;
    const struct data_form *form; /* may be NULL */
    const char *path;
    const char *label_text;
    struct csv_column *columns; /* [count] */
    uint32_t count;
    uint32_t label;           /* the label's column, or NOBODY */
    struct data_column plain; /* how columns that nobody describes are read */
    uint32_t features;
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

static enum cn_err take_names(struct table *table, struct cn_diag *diag)
{
    CN_TRY(csv_header_read(&table->header, &table->reader, diag));
    table->count = table->header.count;
    if (table->count < 2) {
        cn_diag_set(diag, table->path, 1, 1, "one column, expected a label and at least one more");
        cn_diag_hint(diag, "columns are separated by %s",
                     table->reader.separator == ',' ? "commas" : "tabs");
        return CN_E_DATA;
    }
    table->columns = calloc(table->count, sizeof *table->columns);
    if (!table->columns)
        return CN_E_NOMEM;
    for (uint32_t i = 0; i < table->count; i++) {
        table->columns[i].name = table->header.names[i];
        table->columns[i].feature = CSV_NOT_A_FEATURE;
        table->columns[i].target = CSV_NOT_A_FEATURE;
    }
    return CN_OK;
}

static uint32_t find_name(const struct table *table, const char *name)
{
    return csv_header_find(&table->header, name);
}

static enum cn_err refuse_name(const struct table *table, const char *what, const char *name,
                               struct cn_diag *diag)
{
    return csv_header_refuse(&table->header, table->path, what, name, diag);
}

/* By name; a number counts only where no column is called so. */
static enum cn_err find_label(struct table *table, const char *label, struct cn_diag *diag)
{
    char *end = NULL;
    unsigned long number;

    table->label = NOBODY;
    if (table->form && table->form->target_count)
        return CN_OK;
    if (!label || !label[0]) {
        cn_diag_set(diag, table->path, 0, 0, "which column is the label?");
        cn_diag_hint(diag, "add ',label=COLUMN' to the data source");
        return CN_E_CONFIG;
    }
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

/* Gives the next values of an example to the column at. */
static enum cn_err use(struct table *table, uint32_t at, const struct data_column *spec)
{
    uint32_t values = data_column_values(spec);

    CN_TRY(csv_column_use(&table->columns[at], spec, table->features));
    return __builtin_add_overflow(table->features, values, &table->features) ? CN_E_TOO_LARGE
                                                                             : CN_OK;
}

static enum cn_err use_named(struct table *table, const struct data_column *spec,
                             struct cn_diag *diag)
{
    uint32_t at = find_name(table, spec->name);

    if (at == table->count)
        return refuse_name(table, "task", spec->name, diag);
    if (at == table->label || table->columns[at].spec) {
        bool both = at == table->label || table->columns[at].target != CSV_NOT_A_FEATURE;

        cn_diag_set(diag, table->path, 1, 0, "column '%s' is %s", spec->name,
                    both ? "both a feature and the label or a target" : "taken twice");
        return CN_E_CONFIG;
    }
    return use(table, at, spec);
}

static enum cn_err choose_targets(struct table *table, struct cn_diag *diag)
{
    const struct data_form *form = table->form;

    for (uint32_t i = 0; form && i < form->target_count; i++) {
        uint32_t at = find_name(table, form->targets[i].name);

        if (at == table->count)
            return refuse_name(table, "task", form->targets[i].name, diag);
        if (table->columns[at].spec) {
            cn_diag_set(diag, table->path, 1, 0, "target '%s' is taken twice",
                        form->targets[i].name);
            return CN_E_CONFIG;
        }
        CN_TRY(csv_column_use(&table->columns[at], &form->targets[i], CSV_NOT_A_FEATURE));
        table->columns[at].target = i;
    }
    return CN_OK;
}

/* Numbers the columns that make an example and says how each is read. */
static enum cn_err choose_features(struct table *table, struct cn_diag *diag)
{
    const struct data_form *form = table->form;

    table->plain.mean = form ? form->mean : 0;
    table->plain.deviation = form && form->deviation > 0 ? form->deviation : 1;
    for (uint32_t i = 0; form && i < form->column_count; i++)
        CN_TRY(use_named(table, &form->columns[i], diag));
    for (uint32_t i = 0; !(form && form->column_count) && i < table->count; i++)
        if (i != table->label && !table->columns[i].spec)
            CN_TRY(use(table, i, &table->plain));
    return data_form_check(form, 1, 1, table->features, table->path, diag);
}

static enum cn_err read_header(struct table *table, struct cn_diag *diag)
{
    CN_TRY(take_names(table, diag));
    CN_TRY(find_label(table, table->label_text, diag));
    CN_TRY(choose_targets(table, diag));
    return choose_features(table, diag);
}

static enum cn_err take_label(struct table *table, struct dataset *set, size_t row,
                              struct cn_diag *diag)
{
    const struct csv_field *label = &table->reader.fields[table->label];

    if (csv_is_missing(label->text, label->len)) {
        cn_diag_set(diag, table->path, label->line, label->column, "column '%s': no label",
                    table->columns[table->label].name);
        cn_diag_hint(diag, "leave records without a label out");
        return CN_E_DATA;
    }
    return csv_labels_add(&table->labels, &set->y[row], label, diag);
}

/* Writes an example into its row. */
static enum cn_err fill_row(struct table *table, struct dataset *set, size_t row,
                            struct cn_diag *diag)
{
    const struct csv_reader *reader = &table->reader;
    float *x = set->x + row * table->features;

    CN_TRY(csv_header_check(&table->header, reader, diag));
    for (uint32_t i = 0; i < table->count; i++) {
        const struct csv_column *column = &table->columns[i];
        float *out = column->feature != CSV_NOT_A_FEATURE ? x + column->feature
                     : column->target != CSV_NOT_A_FEATURE
                         ? set->z + row * set->reals + column->target
                         : NULL;

        if (out)
            CN_TRY(csv_value_take(out, column, &reader->fields[i], table->path, diag));
    }
    return set->reals ? CN_OK : take_label(table, set, row, diag);
}

static void spoil_row(const struct table *table, struct dataset *set, size_t row)
{
    memset(set->x + row * table->features, 0, table->features * sizeof *set->x);
    if (set->reals)
        memset(set->z + row * set->reals, 0, set->reals * sizeof *set->z);
    else
        set->y[row] = DATASET_IGNORE;
    set->faulty++;
}

static enum cn_err take_record(struct table *table, struct dataset *set, struct cn_diag *diag)
{
    bool lenient = table->form && table->form->lenient;
    size_t row;
    enum cn_err err;

    CN_TRY(intake_row(&table->intake, &row, table->path, diag));
    err = fill_row(table, set, row, diag);
    if (!lenient || err != CN_E_DATA)
        return err;
    spoil_row(table, set, row);
    return CN_OK;
}

static enum cn_err read_records(struct table *table, struct dataset *set,
                                const struct csv_options *options, struct cn_diag *diag)
{
    bool got;

    *set = (struct dataset){.channels = 1, .height = 1, .width = table->features};
    if (table->form)
        set->reals = table->form->target_count;
    CN_TRY(intake_start(&table->intake, set, &options->intake));
    for (;;) {
        CN_TRY(csv_reader_next(&table->reader, &got, diag));
        if (!got)
            break;
        CN_TRY(take_record(table, set, diag));
    }
    CN_TRY(intake_finish(&table->intake, table->path, "no records behind the header", diag));
    return set->reals ? CN_OK : csv_labels_finish(&table->labels, set, diag);
}

static void table_clear(struct table *table)
{
    for (uint32_t i = 0; table->columns && i < table->count; i++)
        csv_column_clear(&table->columns[i]);
    free(table->columns);
    csv_header_clear(&table->header);
    csv_labels_clear(&table->labels);
    csv_reader_close(&table->reader);
}

enum cn_err csv_load_as(struct dataset *set, const char *path, const struct csv_options *options,
                        const struct data_form *form, struct cn_diag *diag)
{
    struct table table = {.form = form,
                          .path = path,
                          .label_text = options->label,
                          .labels = {.form = form, .path = path}};
    enum cn_err err;

    *set = (struct dataset){0};
    CN_TRY_OUT(err,
               csv_reader_open(&table.reader, path, options->separator, DATA_COLUMNS_MAX, diag));
    CN_TRY_OUT(err, read_header(&table, diag));
    err = read_records(&table, set, options, diag);
out:
    if (err != CN_OK)
        dataset_free(set);
    table_clear(&table);
    return err;
}

enum cn_err csv_load(struct dataset *set, const char *path, const char *label,
                     const struct data_form *form, struct cn_diag *diag)
{
    struct csv_options options = {.label = label, .separator = ','};

    return csv_load_as(set, path, &options, form, diag);
}
