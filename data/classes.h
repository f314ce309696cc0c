/* SPDX-License-Identifier: Apache-2.0 */
/* Equivalence classes of a table larger than memory: which rows share their quasi-identifiers, how
 * many people are in each class, how many different sensitive values.
 *
 * Rows come as keyed digests, go by their key into CLASSES_PARTS unnamed temporary files, and each
 * part is then counted by itself. Memory: one part's classes (at most CLASSES_MAX of them, 24 bytes
 * each, and as much again for every person and value that has to be told apart) and one bit per
 * row. Disk: 40 bytes per row. Source: Samarati 2001 (k-anonymity); Machanavajjhala et al. 2007
 * (distinct l-diversity). */
#ifndef CAIRN_DATA_CLASSES_H
#define CAIRN_DATA_CLASSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"

#define CLASSES_PARTS 256
#define CLASSES_MAX ((size_t)1 << 24)        /* entries of one part's tables */
#define CLASSES_ROWS_MAX ((uint64_t)1 << 34) /* 2 GiB of bits */

struct classes_options {
    bool persons; /* rows say whom they are about: people are counted, not rows */
    bool values;  /* rows have a sensitive value */
    uint32_t k;   /* a class of fewer people is too small; 0 or 1: none is */
    uint32_t l;   /* a class of fewer different values is not diverse; 0 or 1: all are */
    bool all;     /* count beyond k and l, for the summary's smallest numbers */
};

struct classes_row {
    uint64_t key[2]; /* of the quasi-identifiers; rows of one class have the same */
    uint64_t person; /* a digest; rows of one person have the same */
    uint64_t value;  /* a digest of the sensitive value */
};

struct classes_summary {
    uint64_t rows;
    uint64_t classes;
    uint64_t rows_dropped; /* of classes that are too small or not diverse */
    uint64_t classes_dropped;
    uint64_t smallest; /* people in the smallest class (at most k unless options.all) */
    uint64_t values;   /* different values in the least diverse class (at most l ...) */
};

struct classes;

/* Makes the temporary files in folder, which needs the room. Returns ownership, to classes_free.
 * CN_E_NOMEM, CN_E_NOSPACE, CN_E_IO with the folder in diag. */
enum cn_err classes_new(struct classes **out, const char *folder,
                        const struct classes_options *options, struct cn_diag *diag);

void classes_free(struct classes *classes);

/* Adds the next row. CN_E_TOO_LARGE past CLASSES_ROWS_MAX, CN_E_NOSPACE, CN_E_IO. */
enum cn_err classes_add(struct classes *classes, const struct classes_row *row);

/* Counts; no rows can be added after. CN_E_TOO_LARGE past CLASSES_MAX, with what to do;
 * CN_E_NOMEM, CN_E_IO. */
enum cn_err classes_count(struct classes *classes, struct classes_summary *summary,
                          struct cn_diag *diag);

/* After counting: whether a row, from 0, is of a class that is large and diverse enough. */
bool classes_kept(const struct classes *classes, uint64_t row);

#endif
