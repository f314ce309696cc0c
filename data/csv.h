/* SPDX-License-Identifier: Apache-2.0 */
/* Tables in CSV (RFC 4180: quotes, doubled quotes, line ends inside quotes; LF or CRLF), plain or
 * gzip: a header line, numeric columns and one label column. Read in one pass.
 *
 * Faults carry file, line and column of the text: "train.csv:17:3: column 'age': '4x' is not a
 * number". Missing values are refused: guessing them is the owner's decision, not a reader's. */
#ifndef CAIRN_DATA_CSV_H
#define CAIRN_DATA_CSV_H

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "data/dataset.h"
#include "data/form.h"

#define CSV_RECORD_BYTES_MAX ((size_t)1 << 20) /* one record, with the line ends inside quotes */
#define CSV_FIELD_BYTES_MAX 4096u
#define CSV_LABELS_MAX DATASET_CLASSES_MAX

/* Loads the table. Returns ownership, to dataset_free; its shape is 1 x 1 x columns.
 *
 *   label  the label's column: a header's name, or its number from 1
 *   form   may be NULL; names the columns that make an example, their mean and deviation, and the
 *          labels' names. Without names, labels that are all whole numbers are classes as they are;
 *          others become classes in sorted (byte) order.
 *
 * CN_E_DATA with the place for anything wrong in the text; CN_E_CONFIG when the label's column or a
 * column of the form is not in the header (with the nearest name); CN_E_SHAPE when the number of
 * columns is not form->width; CN_E_TOO_LARGE, CN_E_NOT_FOUND, CN_E_IO, CN_E_NOMEM. */
enum cn_err csv_load(struct dataset *set, const char *path, const char *label,
                     const struct data_form *form, struct cn_diag *diag);

#endif
