/* SPDX-License-Identifier: Apache-2.0 */
/* Where a device's data lies, as its owner writes it, and the one call that loads it. */
#ifndef CAIRN_DATA_SOURCE_H
#define CAIRN_DATA_SOURCE_H

#include "base/diag.h"
#include "base/err.h"
#include "base/file.h"
#include "data/dataset.h"
#include "data/form.h"

#define DATA_SOURCE_TEXT_MAX (2 * CN_PATH_MAX + 256)

/* What the formats are called in texts and files of configuration:
 *
 *   idx:IMAGES,LABELS        two IDX files
 *   csv:FILE,label=COLUMN    a table; without label when the task names targets
 *   tsv:FILE,label=COLUMN    the same with tabs
 *   libsvm:FILE              a sparse table
 *   images:FOLDER            PNG and JPEG files, a folder per class
 *   text:FILE[,length=N]     a stream of tokens for a language model
 *   text:FILE,label=1        lines of label, tab, text
 *   pairs:FILE               lines of a text, a tab, and what it becomes
 *
 * All but idx take ",sample=N" and ",seed=N" behind: N examples drawn uniformly in one pass over a
 * file that may be larger than memory. */
struct data_source {
    char format[8];                   /* a word from above; "": not set */
    char images[CN_PATH_MAX];         /* idx */
    char labels[CN_PATH_MAX];         /* idx */
    char path[CN_PATH_MAX];           /* all others: file or folder */
    char label[DATA_NAME_MAX];        /* csv, tsv: the label's column, by name, or by number from 1;
                                         text: "1": lines have labels */
    uint32_t length;                  /* text: tokens of a sequence; 0: the task's */
    uint32_t sample;                  /* at most this many examples; 0: all */
    uint32_t seed;                    /* of the sample */
    char require_policy[CN_PATH_MAX]; /* csv, tsv: a policy's file that `cairn data deidentify` must
                                         have made the table by, or it is not loaded; from files of
                                         configuration only, no part of the text */
};

/* Reads a text as above. Does not look at the files. CN_E_CONFIG with what was expected. */
enum cn_err data_source_parse(struct data_source *source, const char *text, struct cn_diag *diag);

/* Checks that a source that was not made by data_source_parse has what its format needs and nothing
 * that it does not know. CN_E_CONFIG with what was expected, without a place. */
enum cn_err data_source_check(const struct data_source *source, struct cn_diag *diag);

/* Makes relative paths count from folder, for sources that stand in a file. CN_E_TOO_LARGE. */
enum cn_err data_source_rebase(struct data_source *source, const char *folder);

/* Writes the source as data_source_parse reads it; returns out. */
const char *data_source_text(const struct data_source *source, char out[DATA_SOURCE_TEXT_MAX]);

/* The file or folder that holds the examples; valid as long as the source. */
const char *data_source_place(const struct data_source *source);

/* Loads the data set, standardised. Returns ownership, to dataset_free. form may be NULL (no
 * expectations). CN_E_DENIED when require_policy is set and the table's manifest does not say that
 * this policy made it; other errors as of the formats' readers; the data set is then empty. Memory:
 * the data set, one record (or image) and 64 KiB. */
enum cn_err data_source_load(struct dataset *set, const struct data_source *source,
                             const struct data_form *form, struct cn_diag *diag);

#endif
