/* SPDX-License-Identifier: Apache-2.0 */
/* Ledgers against each other. What devices spent must stand in rounds that the aggregator opened,
 * with the same task, round, attempt and mechanism; what a receipt says must be what the round
 * published; who countersigned must have spent; and every head that somebody was shown must be a
 * head of the one ledger. Rounds are found by their binding, the hash that both sides put into the
 * masks. */
#ifndef CAIRN_CLI_AUDIT_CROSS_H
#define CAIRN_CLI_AUDIT_CROSS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "privacy/ledger.h"

#define CROSS_LINES_MAX ((size_t)1 << 22)
#define CROSS_FAULTS_MAX 16
#define CROSS_FAULT_TEXT 640
#define CROSS_FACTS_BYTES 16

enum cross_kind {
    CROSS_ROUND,         /* the aggregators' "round_..." */
    CROSS_SPENT,         /* the devices' "spent" */
    CROSS_RECEIPT,       /* the devices' "receipt" */
    CROSS_PARTICIPATION, /* the aggregators' "participation" */
    CROSS_KINDS
};

/* What matters of a line. */
struct cross_line {
    uint8_t binding[HASH_BYTES];
    uint8_t task_id[LEDGER_TASK_ID_BYTES];
    uint8_t facts[CROSS_FACTS_BYTES]; /* of survivors, roster and model; zero: none were said */
    uint8_t signer[SIGN_PUBLIC_BYTES];
    uint32_t file;
    uint32_t round, attempt;
    uint64_t number; /* of the line, from 1 */
    bool has_event;
    struct accountant_event event;
    double delta;
};

struct cross_lines {
    struct cross_line *at; /* [count] */
    size_t count, room;
    size_t kept; /* count when the current file began */
};

/* A head of somebody's ledger as a line remembers it. */
struct cross_mark {
    uint8_t owner[SIGN_PUBLIC_BYTES];
    struct ledger_mark mark;
    uint32_t file;
    uint64_t number;
};

struct cross_marks {
    struct cross_mark *at; /* [count] */
    size_t count, room, kept;
};

/* Zero it but for files. */
struct cross {
    const char *const *files;                   /* names, by number; borrowed */
    const uint8_t (*owners)[SIGN_PUBLIC_BYTES]; /* keys of the files that verify; borrowed */
    const bool *whole;                          /* which files verify; borrowed */
    uint32_t file_count;
    struct cross_lines lines[CROSS_KINDS];
    struct cross_marks marks;
    uint32_t file;
};

struct cross_result {
    size_t rounds; /* lines of aggregators that there were to compare with */
    size_t spendings;
    size_t matched;
    size_t foreign; /* of tasks that no aggregator's ledger here knows */
    size_t receipts, receipts_matched;
    size_t participations, participations_matched;
    size_t marks; /* heads that devices remember */
    uint64_t faults_total;
    uint32_t fault_count;
    char faults[CROSS_FAULTS_MAX][CROSS_FAULT_TEXT];
};

/* What follows comes from this file. */
void cross_begin(struct cross *cross, uint32_t file);

/* Takes what matters from an entry. CN_E_NOMEM, CN_E_TOO_LARGE. */
enum cn_err cross_add(struct cross *cross, const struct ledger_entry *entry);

/* Forgets what came since cross_begin: the file does not verify. */
void cross_drop(struct cross *cross);

/* The heads of owner's ledger that the lines so far remember, by rising count, to free().
 * CN_E_NOMEM. */
enum cn_err cross_marks_of(const struct cross *cross, const uint8_t owner[SIGN_PUBLIC_BYTES],
                           struct ledger_mark **marks, size_t *count);

/* The line that remembers another head of owner's ledger after count lines than now (NULL: that
 * remembers so many lines at all), or NULL. */
const struct cross_mark *cross_witness(const struct cross *cross,
                                       const uint8_t owner[SIGN_PUBLIC_BYTES], uint64_t count,
                                       const uint8_t *now);

/* Compares; sorts what was added. */
void cross_match(struct cross *cross, struct cross_result *result);

/* Adds words about a line to the faults. */
void cross_tell(const struct cross *cross, struct cross_result *result, uint32_t file,
                uint64_t number, const char *what);

void cross_clear(struct cross *cross);

#endif
