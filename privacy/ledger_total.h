/* SPDX-License-Identifier: Apache-2.0 */
/* What a ledger's entries cost together: per task and over all tasks. */
#ifndef CAIRN_PRIVACY_LEDGER_TOTAL_H
#define CAIRN_PRIVACY_LEDGER_TOTAL_H

#include <stdint.h>

#include "privacy/ledger.h"

#define LEDGER_TOTAL_TASKS_MAX 1024

/* One task, told apart by its id and, without one, by its name. */
struct ledger_total_task {
    char task[LEDGER_NAME_MAX];
    uint8_t task_id[LEDGER_TASK_ID_BYTES];
    char unit[LEDGER_UNIT_MAX]; /* of the last entry that named one */
    double delta;               /* the smallest that an entry named; 0: none did */
    uint64_t spendings;         /* entries with an event */
    uint64_t steps;
    uint32_t round_last;
    int64_t first_time_s, last_time_s;
    struct accountant spent;
};

struct ledger_total {
    int64_t since_s;                 /* entries before it are not counted */
    struct ledger_total_task *tasks; /* [count] in order of appearance; owned */
    uint32_t count;
    uint32_t room;
    struct ledger_total_task all; /* every spending; task empty */
};

/* Starts a total of entries at since_s or later (0: all). Clear it with ledger_total_clear. */
void ledger_total_init(struct ledger_total *total, int64_t since_s);

/* Adds one entry; those without an event change nothing, and neither do participations, which say
 * again of single devices what their round says of all. A ledger_visit; ctx is the struct
 * ledger_total. CN_E_TOO_LARGE past LEDGER_TOTAL_TASKS_MAX tasks, CN_E_NOMEM, CN_E_CONFIG for the
 * event. */
enum cn_err ledger_total_add(void *ctx, const struct ledger_entry *entry);

void ledger_total_clear(struct ledger_total *total);

/* The epsilon of one task, or of total->all, at its own delta; at fallback_delta if it has none.
 * CN_E_CONFIG unless that is in (0, 1). */
enum cn_err ledger_total_epsilon(const struct ledger_total_task *task, double fallback_delta,
                                 double *epsilon, double *delta);

/* Reads and verifies the ledger and adds it all up, in one go: as ledger_read. On failure total is
 * empty; on success the caller clears it. summary may not be NULL. */
enum cn_err ledger_total_read(struct ledger_total *total, const char *path, int64_t since_s,
                              struct ledger_summary *summary, struct cn_diag *diag);

#endif
