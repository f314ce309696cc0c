/* SPDX-License-Identifier: Apache-2.0 */
/* One field of a table becomes the values that its column makes of it: a standardised number, or a
 * one for its category among zeros, and the indicator of a missing field. */
#ifndef CAIRN_DATA_CSV_VALUE_H
#define CAIRN_DATA_CSV_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "data/csv_record.h"
#include "data/form.h"

struct csv_category {
    const char *name; /* the form's */
    uint32_t index;   /* its place in the form's list */
};

/* What becomes of one column of the file. */
struct csv_column {
    const char *name;               /* borrowed */
    uint32_t feature;               /* of its first value in an example, or CSV_NOT_A_FEATURE */
    uint32_t target;                /* its place among the targets, or CSV_NOT_A_FEATURE */
    const struct data_column *spec; /* borrowed; of features and targets */
    struct csv_category *sorted;    /* [spec->category_count] by name */
};

#define CSV_NOT_A_FEATURE UINT32_MAX

/* The field without blanks around it; *len out. */
const char *csv_trimmed(const struct csv_field *field, size_t *len);

/* True for "", "?", "NA", "null" and their like, which stand for no value. */
bool csv_is_missing(const char *text, size_t len);

/* Reads a finite decimal number; no hexadecimal, no infinities, nothing behind it. */
bool csv_number(const char *text, size_t len, double *value);

/* Makes the column read by spec from feature on; cleared by csv_column_clear. CN_E_NOMEM. */
enum cn_err csv_column_use(struct csv_column *column, const struct data_column *spec,
                           uint32_t feature);

void csv_column_clear(struct csv_column *column);

/* Writes the values of one field: out [data_column_values(column->spec)]. path is the file's, for
 * places. CN_E_DATA: what is no number or none of the categories, too large, or missing where that
 * is refused. */
enum cn_err csv_value_take(float *out, const struct csv_column *column,
                           const struct csv_field *field, const char *path, struct cn_diag *diag);

#endif
