/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/recover.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

struct pass {
    const struct recover *what;
    struct recover_result *result;
    struct cn_diag *diag;
    struct ledger_entry open; /* the round that has begun and not ended */
    bool is_open;
    bool uploading; /* updates may have left devices in it */
    uint64_t ends;  /* lines that end a round */
};

void recover_device_reason(char out[LEDGER_REASON_MAX], const uint8_t id[DEVICE_ID_BYTES],
                           const char *name)
{
    char hex[2 * DEVICE_ID_BYTES + 1];
    snprintf(out, LEDGER_REASON_MAX, "%s %s", cn_hex_encode(hex, id, DEVICE_ID_BYTES), name);
}

static bool is(const struct ledger_entry *entry, const char *kind)
{
    return strcmp(entry->kind, kind) == 0;
}

/* Remembers in the store that the ledger has the line. */
static enum cn_err see_event(struct pass *pass, const struct ledger_entry *entry)
{
    struct store_event event = {.kind = STORE_SUBMITTED};
    memcpy(event.id, entry->task_id, sizeof(event.id));
    if (!is(entry, "task_submitted")) {
        char hex[2 * DEVICE_ID_BYTES + 1];
        snprintf(hex, sizeof(hex), "%.*s", 2 * DEVICE_ID_BYTES, entry->reason);
        if (cn_hex_decode(event.id, sizeof(event.id), hex) != CN_OK)
            return CN_OK; /* not a line of this kind that we wrote */
        event.kind = is(entry, "device_enrolled") ? STORE_ENROLLED : STORE_REVOKED;
    }
    return store_event_done(pass->what->store, &event);
}

/* The blob of a published model must be there before the store may point to it. */
static enum cn_err check_model(struct pass *pass, const struct ledger_entry *entry)
{
    struct store_task task;
    enum cn_err err = store_task_get(pass->what->store, entry->task_id, &task);
    if (err == CN_E_NOT_FOUND) {
        cn_diag_set(pass->diag, pass->what->ledger_path, (unsigned)(entry->sequence + 1), 0,
                    "the ledger tells of task '%s', which the store does not know", entry->task);
        cn_diag_hint(pass->diag, "the store was lost or is an old copy: restore store.sqlite that"
                                 " belongs to this ledger");
        return CN_E_DATA;
    }
    CN_TRY(err);
    if (task.published >= entry->round || !is(entry, "round_published") ||
        registry_has(pass->what->registry, entry->model))
        return CN_OK;
    cn_diag_set(pass->diag, pass->what->ledger_path, (unsigned)(entry->sequence + 1), 0,
                "the model that round %u of '%s' published is missing from blobs/",
                (unsigned)entry->round, entry->task);
    cn_diag_hint(pass->diag, "restore the folder blobs/ from a backup");
    return CN_E_DATA;
}

/* Reads the plan of a line's task. Returns ownership. */
static enum cn_err plan_of(struct pass *pass, const struct ledger_entry *entry, struct task **task)
{
    struct store_task row;
    struct blob *plan = NULL;
    CN_TRY(store_task_get(pass->what->store, entry->task_id, &row));
    CN_TRY(registry_get(pass->what->registry, &plan, row.plan, TASK_TEXT_BYTES_MAX, pass->diag));
    enum cn_err err =
        task_parse(task, (const char *)plan->bytes, plan->len, "the plan", pass->diag);
    blob_drop(plan);
    return err;
}

/* What can still be known about a round that the store has lost: the epsilon so far. Times in each
 * phase and bytes are gone; the model is evaluated again. */
static enum cn_err price(struct pass *pass, const struct ledger_entry *entry,
                         struct metrics *metrics)
{
    struct store_task row;
    struct task *task = NULL;
    uint32_t charged = 0;
    CN_TRY(store_task_get(pass->what->store, entry->task_id, &row));
    if (row.published >= entry->round || !entry->has_event)
        return CN_OK; /* the store has it, numbers and all */
    CN_TRY(store_round_charged(pass->what->store, entry->task_id, &charged));
    CN_TRY(plan_of(pass, entry, &task));
    double epsilon = 0;
    if (task_epsilon(task, charged + 1, &epsilon) == CN_OK)
        metrics->epsilon = epsilon;
    task_free(task);
    return CN_OK;
}

static enum cn_err see_end(struct pass *pass, const struct ledger_entry *entry)
{
    pass->ends++;
    struct store_round round = {.round = entry->round,
                                .attempt = entry->attempt,
                                .published = is(entry, "round_published"),
                                .charged = entry->has_event,
                                .started_s = pass->is_open ? pass->open.time_s : entry->time_s,
                                .finished_s = entry->time_s,
                                .cohort = entry->cohort,
                                .survivors = entry->survivors};
    pass->is_open = false;
    memcpy(round.task, entry->task_id, sizeof(round.task));
    memcpy(round.model, entry->model, sizeof(round.model));
    snprintf(round.reason, sizeof(round.reason), "%s", entry->reason);
    metrics_init(&round.metrics);
    CN_TRY(check_model(pass, entry));
    CN_TRY(price(pass, entry, &round.metrics));
    uint64_t before = 0, after = 0;
    CN_TRY(store_round_count(pass->what->store, &before));
    CN_TRY(store_round_add(pass->what->store, &round));
    CN_TRY(store_round_count(pass->what->store, &after));
    pass->result->restored += (uint32_t)(after - before);
    return CN_OK;
}

static enum cn_err see(void *ctx, const struct ledger_entry *entry)
{
    struct pass *pass = ctx;
    if (is(entry, "round_opened")) {
        pass->open = *entry;
        pass->is_open = true;
        pass->uploading = false;
        return CN_OK;
    }
    if (is(entry, RECOVER_UPLOADING)) {
        pass->uploading = true;
        return CN_OK;
    }
    if (is(entry, "round_published") || is(entry, "round_abandoned"))
        return see_end(pass, entry);
    if (is(entry, "task_submitted") || is(entry, "device_enrolled") || is(entry, "device_revoked"))
        return see_event(pass, entry);
    return CN_OK;
}

static enum cn_err read_all(struct pass *pass)
{
    struct store *store = pass->what->store;
    struct ledger_summary summary;
    CN_TRY(store_begin(store));
    enum cn_err err = ledger_read(pass->what->ledger_path, see, pass, &summary, pass->diag);
    uint64_t known = 0;
    if (err == CN_OK)
        err = store_round_count(store, &known);
    if (err == CN_OK && known > pass->ends) {
        cn_diag_set(pass->diag, pass->what->ledger_path, 0, 0,
                    "the ledger tells how %llu rounds ended, the store knows of %llu: lines were"
                    " taken away",
                    (unsigned long long)pass->ends, (unsigned long long)known);
        cn_diag_hint(pass->diag, "restore the ledger that belongs to this store");
        err = CN_E_TAMPERED;
    }
    if (err != CN_OK) {
        store_rollback(store);
        return err;
    }
    return store_commit(store);
}

void recover_charge(struct ledger_entry *entry, const struct task *task)
{
    entry->has_event = task_round_event(task, &entry->event);
    if (!entry->has_event)
        return;
    entry->delta = task->privacy.delta;
    snprintf(entry->unit, sizeof(entry->unit), "%s", task_unit_text(task->privacy.unit));
    snprintf(entry->placement, sizeof(entry->placement), "%s",
             task_placement_text(task->privacy.placement));
}

/* What the round costs stands in the task's plan. */
static enum cn_err charge_by_plan(struct pass *pass, struct ledger_entry *entry)
{
    struct task *task = NULL;
    CN_TRY(check_model(pass, entry));
    CN_TRY(plan_of(pass, entry, &task));
    recover_charge(entry, task);
    task_free(task);
    return CN_OK;
}

static enum cn_err abandon_open(struct ledger *ledger, struct pass *pass)
{
    struct ledger_entry end = pass->open;
    snprintf(end.kind, sizeof(end.kind), "round_abandoned");
    snprintf(end.reason, sizeof(end.reason), "%s",
             pass->what->reason ? pass->what->reason : RECOVER_REASON);
    end.time_s = pass->what->now_s;
    memset(end.model, 0, sizeof(end.model));
    memset(end.paid_for, 0, sizeof(end.paid_for));
    if (pass->uploading)
        CN_TRY(charge_by_plan(pass, &end));
    CN_TRY(ledger_append(ledger, &end));
    pass->result->abandoned++;
    CN_TRY(store_begin(pass->what->store));
    enum cn_err err = see_end(pass, &end);
    if (err != CN_OK) {
        store_rollback(pass->what->store);
        return err;
    }
    return store_commit(pass->what->store);
}

enum cn_err recover_run(struct ledger **ledger, const struct recover *what,
                        struct recover_result *result, struct cn_diag *diag)
{
    struct ledger_owner owner = {.owner = what->name, .role = "aggregator", .now_s = what->now_s};
    struct pass pass = {.what = what, .result = result, .diag = diag};
    memset(result, 0, sizeof(*result));
    ledger_close(*ledger);
    *ledger = NULL;
    CN_TRY(ledger_open(ledger, what->ledger_path, what->key, &owner, diag));
    enum cn_err err = read_all(&pass);
    if (err == CN_OK && pass.is_open)
        err = abandon_open(*ledger, &pass);
    if (err != CN_OK) {
        ledger_close(*ledger);
        *ledger = NULL;
    }
    return err;
}
