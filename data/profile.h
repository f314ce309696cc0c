/* SPDX-License-Identifier: Apache-2.0 */
/* A look at a table before anything is done with it: what each column holds, what is missing, what
 * looks like an identifier, and how well people hide among each other. One pass (and classes.h's
 * counting, where quasi-identifiers are named), in bounded memory. */
#ifndef CAIRN_DATA_PROFILE_H
#define CAIRN_DATA_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "data/classes.h"
#include "data/form.h"
#include "data/identifier.h"

#define PROFILE_DISTINCT_MAX 1024u /* different values are counted up to here */

enum profile_type { PROFILE_EMPTY, PROFILE_NUMBER, PROFILE_DATE, PROFILE_CATEGORY, PROFILE_TEXT };

struct profile_column {
    char name[DATA_NAME_MAX];
    enum profile_type
        type;        /* of the values that are there: all numbers, all dates, few words ... */
    uint64_t values; /* that are there */
    uint64_t missing;
    uint64_t numbers;
    uint64_t dates;
    uint32_t distinct; /* PROFILE_DISTINCT_MAX: that many or more */
    double mean;       /* of the numbers */
    double deviation;
    double min, max;
    uint64_t suspects[IDENTIFIER_COUNT]; /* values that look like an identifier */
    double squares;                      /* Welford's sum */
    uint64_t *seen;                      /* digests of different values */
};

struct profile {
    struct profile_column *columns; /* [column_count] */
    uint32_t column_count;
    uint64_t rows;
    bool crowd; /* classes is filled */
    struct classes_summary classes;
};

struct profile_options {
    char separator;
    const char *quasi;     /* names separated by commas, or NULL */
    const char *sensitive; /* a column, or NULL; needs quasi */
    uint32_t k;            /* classes below it are counted in classes.classes_dropped */
    const char *folder;    /* for temporary files, with quasi */
};

/* Reads the table at path, CSV or TSV, plain or gzip. The profile is to be cleared, after a failure
 * too. CN_E_CONFIG when a column that is named is not there; other errors as of csv.h and
 * classes.h. */
enum cn_err profile_run(struct profile *profile, const char *path,
                        const struct profile_options *options, struct cn_diag *diag);

void profile_clear(struct profile *profile);

const char *profile_type_text(enum profile_type type);

#endif
