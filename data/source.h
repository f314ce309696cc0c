/* SPDX-License-Identifier: Apache-2.0 */
/* Where a device's data lies, as its owner writes it, and the one call that loads it. */
#ifndef CAIRN_DATA_SOURCE_H
#define CAIRN_DATA_SOURCE_H

#include "base/diag.h"
#include "base/err.h"
#include "base/file.h"
#include "data/dataset.h"
#include "data/form.h"

#define DATA_SOURCE_TEXT_MAX (2 * CN_PATH_MAX + 8)

struct data_source {
    char format[8];           /* "idx" or "csv" */
    char images[CN_PATH_MAX]; /* idx */
    char labels[CN_PATH_MAX];
    char path[CN_PATH_MAX];    /* csv */
    char label[DATA_NAME_MAX]; /* csv: the label's column, by name, or by number from 1 */
};

/* Reads "idx:IMAGES,LABELS" or "csv:FILE,label=COLUMN". Does not look at the files. CN_E_CONFIG
 * with what was expected. */
enum cn_err data_source_parse(struct data_source *source, const char *text, struct cn_diag *diag);

/* Makes relative paths count from folder, for sources that stand in a file. CN_E_TOO_LARGE. */
enum cn_err data_source_rebase(struct data_source *source, const char *folder);

/* Writes the source as data_source_parse reads it; returns out. */
const char *data_source_text(const struct data_source *source, char out[DATA_SOURCE_TEXT_MAX]);

/* Loads the data set in one pass, standardised. Returns ownership, to dataset_free. form may be
 * NULL (no expectations). Errors as of idx_load_dataset and csv_load; the data set is then empty.
 * Memory: the data set and 64 KiB. */
enum cn_err data_source_load(struct dataset *set, const struct data_source *source,
                             const struct data_form *form, struct cn_diag *diag);

#endif
