/* SPDX-License-Identifier: Apache-2.0 */
/* Tables in CSV (RFC 4180: quotes, doubled quotes, line ends inside quotes) and TSV (no quotes, as
 * IANA has text/tab-separated-values), LF or CRLF, plain or gzip: a header line, columns of numbers
 * and categories, one label column or columns of numbers to predict. Read in one pass; memory is
 * the data set, one record and 64 KiB.
 *
 * Faults carry file, line and column of the text: "train.csv:17:3: column 'age': '4x' is not a
 * number". Missing values are refused unless the task says what they become: guessing is nothing
 * for a reader. */
#ifndef CAIRN_DATA_CSV_H
#define CAIRN_DATA_CSV_H

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "data/dataset.h"
#include "data/form.h"
#include "data/intake.h"

#define CSV_RECORD_BYTES_MAX ((size_t)1 << 20) /* one record, with the line ends inside quotes */
#define CSV_FIELD_BYTES_MAX 4096u
#define CSV_LABELS_MAX 4096u /* different ones; more are rather a column of names or numbers */

struct csv_options {
    const char *label; /* the label's column: a header's name, or its number from 1; NULL or "" when
                          the form has targets */
    char separator;    /* ',' or '\t' */
    struct intake_options intake;
};

/* Loads the table. Returns ownership, to dataset_free; its shape is 1 x 1 x values of the columns.
 *
 *   form   may be NULL; names the columns that make an example and how each is read, the labels'
 *          names, or the columns that are targets. Without columns, all but the label's (and the
 *          targets') are numbers. Without names, labels that are all whole numbers are classes as
 *          they are; others become classes in sorted (byte) order.
 *
 * CN_E_DATA with the place for anything wrong in the text; CN_E_CONFIG when the label's column or a
 * column of the form is not in the header (with the nearest name); CN_E_SHAPE when the number of
 * values is not form->width; CN_E_TOO_LARGE, CN_E_NOT_FOUND, CN_E_IO, CN_E_NOMEM.
 *
 * With form->lenient a record with other than the header's number of fields, a value that does not
 * fit or a label that is none of the task's is kept as a faulty example and counted in set->faulty.
 * What makes no records (a quote that never ends, a field or record past its bound) is refused. */
enum cn_err csv_load_as(struct dataset *set, const char *path, const struct csv_options *options,
                        const struct data_form *form, struct cn_diag *diag);

/* The same for CSV, all of the file. */
enum cn_err csv_load(struct dataset *set, const char *path, const char *label,
                     const struct data_form *form, struct cn_diag *diag);

#endif
