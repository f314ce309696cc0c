/* SPDX-License-Identifier: Apache-2.0 */
/* Adding up a ledger: one accountant per task, one for all. */
#include "privacy/ledger_total.h"

#include <stdlib.h>
#include <string.h>

#include "privacy/receipt.h"

static void start(struct ledger_total_task *task)
{
    memset(task, 0, sizeof *task);
    accountant_init(&task->spent);
}

void ledger_total_init(struct ledger_total *total, int64_t since_s)
{
    memset(total, 0, sizeof *total);
    total->since_s = since_s;
    start(&total->all);
}

void ledger_total_clear(struct ledger_total *total)
{
    free(total->tasks);
    ledger_total_init(total, total->since_s);
}

static bool same_task(const struct ledger_total_task *task, const struct ledger_entry *entry)
{
    static const uint8_t none[LEDGER_TASK_ID_BYTES];

    if (memcmp(task->task_id, entry->task_id, sizeof none) != 0)
        return false;
    return memcmp(entry->task_id, none, sizeof none) != 0 || strcmp(task->task, entry->task) == 0;
}

static enum cn_err make_room(struct ledger_total *total)
{
    uint32_t room = total->room ? 2 * total->room : 8;
    struct ledger_total_task *tasks;

    if (total->count < total->room)
        return CN_OK;
    if (room > LEDGER_TOTAL_TASKS_MAX)
        return CN_E_TOO_LARGE;
    tasks = realloc(total->tasks, room * sizeof *tasks);
    if (!tasks)
        return CN_E_NOMEM;
    total->tasks = tasks;
    total->room = room;
    return CN_OK;
}

static enum cn_err find(struct ledger_total *total, const struct ledger_entry *entry,
                        struct ledger_total_task **task)
{
    for (uint32_t i = total->count; i-- > 0;) { /* the latest is the likeliest */
        *task = &total->tasks[i];
        if (same_task(*task, entry))
            return CN_OK;
    }
    CN_TRY(make_room(total));
    *task = &total->tasks[total->count++];
    start(*task);
    memcpy((*task)->task, entry->task, sizeof entry->task);
    memcpy((*task)->task_id, entry->task_id, sizeof entry->task_id);
    return CN_OK;
}

static enum cn_err add_to(struct ledger_total_task *task, const struct ledger_entry *entry)
{
    CN_TRY(accountant_add(&task->spent, &entry->event));
    if (task->spendings == 0)
        task->first_time_s = entry->time_s;
    task->last_time_s = entry->time_s;
    task->spendings++;
    task->steps += entry->event.steps;
    if (entry->round > task->round_last)
        task->round_last = entry->round;
    if (entry->delta > 0 && (task->delta == 0 || entry->delta < task->delta))
        task->delta = entry->delta;
    if (entry->unit[0])
        memcpy(task->unit, entry->unit, sizeof entry->unit);
    return CN_OK;
}

enum cn_err ledger_total_add(void *ctx, const struct ledger_entry *entry)
{
    struct ledger_total *total = ctx;
    struct ledger_total_task *task;

    if (!entry->has_event || entry->time_s < total->since_s ||
        strcmp(entry->kind, "participation") == 0)
        return CN_OK;
    if (strcmp(entry->kind, RECEIPT_PARTICIPATION_KIND) == 0)
        return CN_OK; /* what one device was charged for a round that its own line counts */
    CN_TRY(accountant_event_check(&entry->event));
    CN_TRY(find(total, entry, &task));
    CN_TRY(add_to(task, entry));
    return add_to(&total->all, entry);
}

enum cn_err ledger_total_epsilon(const struct ledger_total_task *task, double fallback_delta,
                                 double *epsilon, double *delta)
{
    *delta = task->delta > 0 ? task->delta : fallback_delta;
    return accountant_epsilon(&task->spent, *delta, epsilon, NULL);
}

enum cn_err ledger_total_read(struct ledger_total *total, const char *path, int64_t since_s,
                              struct ledger_summary *summary, struct cn_diag *diag)
{
    enum cn_err err;

    ledger_total_init(total, since_s);
    err = ledger_read(path, ledger_total_add, total, summary, diag);
    if (err != CN_OK)
        ledger_total_clear(total);
    return err;
}
