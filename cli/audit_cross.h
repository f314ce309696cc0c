/* SPDX-License-Identifier: Apache-2.0 */
/* Ledgers against each other: what devices spent must stand in rounds that the aggregator opened,
 * with the same task, round, attempt and mechanism. Rounds are found by their binding, the hash
 * that both sides put into the masks. */
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

/* What matters of a line, on either side. */
struct cross_line {
    uint8_t binding[HASH_BYTES];
    uint8_t task_id[LEDGER_TASK_ID_BYTES];
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

/* Zero it but for files. */
struct cross {
    const char *const *files;  /* names, by number; borrowed */
    struct cross_lines rounds; /* the aggregators' lines with a binding */
    struct cross_lines spent;  /* the devices' */
    uint32_t file;
};

struct cross_result {
    size_t rounds; /* lines of aggregators that there were to compare with */
    size_t spendings;
    size_t matched;
    size_t foreign; /* of tasks that no aggregator's ledger here knows */
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

/* Compares; sorts what was added. */
void cross_match(struct cross *cross, struct cross_result *result);

void cross_clear(struct cross *cross);

#endif
