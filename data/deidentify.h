/* SPDX-License-Identifier: Apache-2.0 */
/* De-identification of a table by a policy: every column kept, dropped, hashed, generalised,
 * bucketed or shifted, rows left out until every class of quasi-identifiers has k people in it (and
 * l different sensitive values).
 *
 * Two passes over the file; memory and disk as of classes.h, whatever the file's size. Without k
 * one pass. Nothing of the table is lost silently: a column that the policy does not name, one that
 * is missing, a value that an action can not take are refused with their place.
 *
 * What it can not promise: who knows more than the quasi-identifiers named may find people still.
 * De-identified is not anonymous; that is why training adds noise. */
#ifndef CAIRN_DATA_DEIDENTIFY_H
#define CAIRN_DATA_DEIDENTIFY_H

#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "crypto/pseudonym.h"
#include "data/classes.h"
#include "data/identifier.h"
#include "data/policy.h"

struct deidentify_options {
    const char *in;     /* CSV or TSV, plain or gzip */
    const char *out;    /* must not exist; gzip when it ends in ".gz" */
    char separator;     /* ',' or '\t', of both */
    const char *folder; /* for temporary files; they hold salted digests only */
    const struct policy *policy;
    const struct pseudonym_key *key; /* NULL unless policy_needs_key */
};

struct deidentify_column {
    char name[DATA_NAME_MAX];
    enum policy_action action;
    uint64_t missing; /* of the rows written; so the following */
    uint64_t changed;
    uint64_t suspects[IDENTIFIER_COUNT]; /* values written that look like an identifier */
};

struct deidentify_report {
    uint64_t rows_in;
    uint64_t rows_out;
    struct classes_summary classes;    /* before suppression, if there was any */
    struct deidentify_column *columns; /* [column_count], in the file's order */
    uint32_t column_count;
};

/* Writes options->out and its manifest. The report is to be cleared, after a failure too.
 * CN_E_CONFIG: a column that the policy lacks or the file lacks, a key that is missing; CN_E_DATA
 * with line and column: a value that an action can not take, no person, a file that changed between
 * the passes, or nothing left to write; CN_E_EXISTS, CN_E_TOO_LARGE, CN_E_NOSPACE, CN_E_NOT_FOUND,
 * CN_E_IO, CN_E_NOMEM, CN_E_RANDOM. */
enum cn_err deidentify_run(struct deidentify_report *report,
                           const struct deidentify_options *options, struct cn_diag *diag);

void deidentify_report_clear(struct deidentify_report *report);

#endif
