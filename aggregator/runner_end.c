/* SPDX-License-Identifier: Apache-2.0 */
/* How rounds end: the line in the ledger, the row in the store, the word to the devices. */
#include "aggregator/runner_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aggregator/recover.h"

enum { BLOBS_MAX = 1 << 20 };

enum cn_err runner_entry(const struct runner *runner, struct ledger_entry *entry, const char *kind)
{
    if (!runner->ledger)
        return CN_E_STATE;
    struct round_facts facts;
    round_facts(runner->round, &facts);
    memset(entry, 0, sizeof(*entry));
    entry->time_s = runner_now_s(runner);
    snprintf(entry->kind, sizeof(entry->kind), "%s", kind);
    snprintf(entry->task, sizeof(entry->task), "%s", runner->task->name);
    memcpy(entry->task_id, runner->row.id, sizeof(entry->task_id));
    entry->round = runner->row.published + 1;
    entry->attempt = runner->attempt;
    entry->cohort = facts.offered;
    entry->survivors = facts.survivors;
    memcpy(entry->binding, facts.binding, HASH_BYTES);
    memcpy(entry->roster, facts.roster_hash, HASH_BYTES);
    return CN_OK;
}

static void row_fill(const struct runner *runner, struct store_round *round,
                     const struct ledger_entry *entry)
{
    struct round_facts facts;
    round_facts(runner->round, &facts);
    memset(round, 0, sizeof(*round));
    memcpy(round->task, entry->task_id, sizeof(round->task));
    round->round = entry->round;
    round->attempt = entry->attempt;
    round->charged = entry->has_event;
    round->started_s = runner->started_s;
    round->finished_s = entry->time_s;
    round->cohort = facts.offered;
    round->survivors = facts.survivors;
    snprintf(round->reason, sizeof(round->reason), "%s", entry->reason);
    struct metrics *metrics = &round->metrics;
    metrics_init(metrics);
    metrics->gather_s = (double)facts.wait_ms[ROUND_GATHER] / 1000.0;
    metrics->train_s = (double)facts.wait_ms[ROUND_TRAIN] / 1000.0;
    metrics->shares_s = (double)facts.wait_ms[ROUND_SHARES] / 1000.0;
    metrics->upload_s = (double)facts.wait_ms[ROUND_UPLOAD] / 1000.0;
    metrics->unmask_s = (double)(facts.wait_ms[ROUND_VOUCH] + facts.wait_ms[ROUND_REVEAL] +
                                 facts.wait_ms[ROUND_OPEN]) /
                        1000.0;
    uint64_t up = 0, down = 0;
    if (runner->calls.traffic)
        runner->calls.traffic(runner->calls.ctx, runner->round, &up, &down);
    if (facts.offered) {
        metrics->bytes_up = (double)up / facts.offered;
        metrics->bytes_down = (double)down / facts.offered;
    }
    double epsilon = 0;
    uint32_t charged = runner->charged + round->charged;
    if (task_epsilon(runner->task, charged, &epsilon) == CN_OK && round->charged)
        metrics->epsilon = epsilon;
}

/* published: the new model's hash; NULL: abandoned, with the reason. line: the one that was written
 * about it just now, or NULL: then nobody gets a receipt. */
static void send_outcome(struct runner *runner, const uint8_t *published,
                         const struct ledger_entry *line, const char *reason)
{
    struct round_facts facts;
    round_facts(runner->round, &facts);
    struct message_outcome outcome = {.published = published != NULL, .survivors = facts.survivors};
    memcpy(outcome.id.task, runner->row.id, TASK_ID_BYTES);
    outcome.id.round = runner->row.published + 1;
    outcome.id.attempt = runner->attempt;
    if (published)
        memcpy(outcome.model, published, HASH_BYTES);
    runner_ledger_head(runner, outcome.ledger_head, &outcome.ledger_count);
    snprintf(outcome.reason, sizeof(outcome.reason), "%s", published ? "" : reason);
    if (line)
        runner_receipts_give(runner, &outcome, line);
    else
        round_outcome(runner->round, &outcome);
}

static void drop_round(struct runner *runner)
{
    round_free(runner->round);
    runner->round = NULL;
}

/* Reads the task's row again and decides what comes next. */
static void go_on(struct runner *runner, bool published, uint64_t now_ms)
{
    struct store_task row;
    enum cn_err err = store_task_get(runner->options.store, runner->row.id, &row);
    runner->state = RUNNER_PAUSE;
    if (err == CN_OK && row.state != STORE_TASK_RUNNING) {
        cn_log(CN_LOG_INFO, row.state == STORE_TASK_DONE ? "task done" : "task stopped",
               cn_log_text("task", row.name), cn_log_uint("published", row.published));
        runner_unload(runner);
        runner->failures = 0;
        runner->resume_ms = now_ms;
        return;
    }
    if (err == CN_OK)
        runner->row = row;
    else
        runner_unload(runner); /* read anew, with all that belongs to it, after the pause */
    if (published && err == CN_OK) {
        runner->failures = 0;
        runner->resume_ms = now_ms;
        return;
    }
    runner_pause(runner, now_ms);
}

static void go_mending(struct runner *runner, enum cn_err err, const char *reason, uint64_t now_ms)
{
    snprintf(runner->reason, sizeof(runner->reason), "%s", reason);
    cn_log(CN_LOG_ERROR,
           err == CN_E_NOSPACE ? "the disk is full: free some space; the round is tried again"
                               : "ledger or store could not be written; the round is tried again",
           cn_log_err(err), cn_log_text("folder", runner->options.folder));
    runner->state = RUNNER_MENDING;
    runner_pause(runner, now_ms);
}

static void say_abandoned(const struct runner *runner, const char *reason)
{
    cn_log(CN_LOG_WARN, "round abandoned", cn_log_text("task", runner->task->name),
           cn_log_uint("round", runner->row.published + 1), cn_log_uint("attempt", runner->attempt),
           cn_log_text("reason", reason));
}

/* Ends the round with this reason, in the ledger, the store and for the devices. */
static void abandon(struct runner *runner, const char *reason, uint64_t now_ms)
{
    if (runner->opened) {
        struct round_facts facts;
        round_facts(runner->round, &facts);
        struct ledger_entry entry;
        enum cn_err err = runner_entry(runner, &entry, "round_abandoned");
        if (err == CN_OK && facts.charged)
            recover_charge(&entry, runner->task);
        if (err == CN_OK) {
            snprintf(entry.reason, sizeof(entry.reason), "%.*s", LEDGER_REASON_MAX - 1, reason);
            err = ledger_append(runner->ledger, &entry);
        }
        struct store_round row;
        if (err == CN_OK) {
            row_fill(runner, &row, &entry);
            err = store_round_add(runner->options.store, &row);
        }
        if (err != CN_OK) {
            go_mending(runner, err, reason, now_ms);
            return;
        }
        runner->charged += entry.has_event;
    }
    say_abandoned(runner, reason);
    send_outcome(runner, NULL, NULL, reason);
    drop_round(runner);
    go_on(runner, false, now_ms);
}

static void say_complaint(void *ctx, const uint8_t by[DEVICE_ID_BYTES],
                          const uint8_t of[DEVICE_ID_BYTES])
{
    const struct runner *runner = ctx;
    char one[LEDGER_REASON_MAX], other[LEDGER_REASON_MAX];
    recover_device_reason(one, by, "");
    recover_device_reason(other, of, "");
    cn_log(CN_LOG_WARN, "a device says that another one's shares do not open; watch both",
           cn_log_text("by", one), cn_log_text("of", other),
           cn_log_uint("round", runner->row.published + 1));
}

void runner_finish_failed(struct runner *runner, uint64_t now_ms)
{
    round_complaints(runner->round, say_complaint, runner);
    enum cn_err why = round_error(runner->round);
    char reason[STORE_REASON_MAX];
    snprintf(reason, sizeof(reason), "%.200s", round_reason(runner->round));
    if (runner->opened && cn_err_class(why) == CN_CLASS_LOCAL && why != CN_E_STATE)
        go_mending(runner, why, reason, now_ms); /* the opening line itself may have failed */
    else
        abandon(runner, reason, now_ms);
}

/* ---- published ---- */

struct keep_list {
    uint8_t (*hashes)[HASH_BYTES];
    size_t count, room;
};

static enum cn_err keep_add(void *ctx, const uint8_t hash[HASH_BYTES])
{
    struct keep_list *list = ctx;
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 64;
        void *more = room > BLOBS_MAX ? NULL : realloc(list->hashes, room * HASH_BYTES);
        if (!more)
            return CN_E_NOMEM;
        list->hashes = more;
        list->room = room;
    }
    memcpy(list->hashes[list->count++], hash, HASH_BYTES);
    return CN_OK;
}

/* Removes models that nobody needs. `task submit` holds the lock while its blobs have no row yet;
 * then the next round's collection will do. */
static void collect(const struct runner *runner)
{
    char path[CN_PATH_MAX];
    int fd = -1;
    if (cn_path_join(path, runner->options.folder, "blobs.lock") != CN_OK ||
        cn_file_lock(path, &fd, NULL) != CN_OK)
        return;
    struct keep_list list = {0};
    enum cn_err err =
        store_blobs(runner->options.store, runner->options.models_kept, keep_add, &list);
    if (err == CN_OK)
        err = registry_collect(runner->options.registry, list.hashes, list.count, NULL);
    if (err != CN_OK)
        cn_log(CN_LOG_WARN, "old models could not be removed", cn_log_err(err));
    free(list.hashes);
    close(fd);
}

static void take_model(struct runner *runner, struct blob *next)
{
    blob_drop(runner->model);
    runner->model = next;
    struct cn_diag diag = {0};
    enum cn_err err = registry_publish(runner->options.registry, runner->task->name, next->bytes,
                                       next->len, &diag);
    if (err != CN_OK)
        cn_log(CN_LOG_WARN, "models/ could not be brought up to date; the blob is safe",
               cn_log_err(err), cn_log_text("cause", diag.text));
}

static void publish(struct runner *runner, struct aggregate *job, uint64_t now_ms)
{
    struct ledger_entry entry;
    enum cn_err err = runner_entry(runner, &entry, "round_published");
    struct store_round row;
    if (err == CN_OK) {
        recover_charge(&entry, runner->task);
        memcpy(entry.model, job->next->hash, HASH_BYTES);
        memcpy(entry.paid_for, job->next->hash, HASH_BYTES);
        err = ledger_append(runner->ledger, &entry);
    }
    if (err == CN_OK) {
        row_fill(runner, &row, &entry);
        row.published = true;
        memcpy(row.model, job->next->hash, HASH_BYTES);
        row.metrics.train_loss = job->tally.loss;
        row.metrics.train_accuracy = job->tally.accuracy;
        err = store_round_add(runner->options.store, &row);
    }
    if (err != CN_OK) {
        blob_drop(job->next);
        job->next = NULL;
        go_mending(runner, err, "the new model could not be recorded", now_ms);
        return;
    }
    runner->charged += entry.has_event;
    take_model(runner, job->next);
    job->next = NULL;
    send_outcome(runner, runner->model->hash, &entry, "");
    drop_round(runner);
    runner->assess_wanted = true;
    if (!runner->row.test[0])
        runner_say_round(&runner->row, &row);
    go_on(runner, true, now_ms);
    collect(runner);
}

static void say_suspect(void *ctx, const uint8_t device[DEVICE_ID_BYTES])
{
    const struct runner *runner = ctx;
    char text[LEDGER_REASON_MAX];
    recover_device_reason(text, device, "");
    cn_log(CN_LOG_WARN, "wrong shares came from or belong to this device; watch it",
           cn_log_text("device", text), cn_log_uint("round", runner->row.published + 1));
}

void runner_finish_summed(struct runner *runner, uint64_t now_ms)
{
    struct aggregate *job = &runner->opening.aggregate;
    round_suspects(runner->round, say_suspect, runner);
    round_complaints(runner->round, say_complaint, runner);
    if (job->err == CN_OK) {
        publish(runner, job, now_ms);
        return;
    }
    char reason[STORE_REASON_MAX];
    const char *cause = job->diag.text[0] ? job->diag.text : cn_err_text(job->err);
    if (job->opened != CN_OK)
        snprintf(reason, sizeof(reason), "%.200s", round_reason(runner->round));
    else if (job->err == CN_E_INCONSISTENT)
        snprintf(reason, sizeof(reason), "the sum is not one of %u honest devices",
                 (unsigned)job->survivors);
    else
        snprintf(reason, sizeof(reason), "no new model: %.180s", cause);
    if (job->err == CN_E_NOSPACE)
        cn_log(CN_LOG_ERROR, "the disk is full: free some space; the round is tried again",
               cn_log_text("folder", runner->options.folder));
    abandon(runner, reason, now_ms);
}

/* ---- mending ---- */

/* Gives the task's row as it is now; true when the round that did not end was published. */
static bool mended_as_published(const struct runner *runner, struct store_task *row)
{
    return store_task_get(runner->options.store, runner->row.id, row) == CN_OK &&
           row->published > runner->row.published;
}

void runner_mend(struct runner *runner, uint64_t now_ms)
{
    struct recover what = {.store = runner->options.store,
                           .registry = runner->options.registry,
                           .ledger_path = runner->options.ledger_path,
                           .key = runner->options.key,
                           .name = runner->options.name,
                           .now_s = runner_now_s(runner),
                           .reason = runner->reason};
    struct recover_result result = {0};
    struct cn_diag diag = {0};
    enum cn_err err = recover_run(&runner->ledger, &what, &result, &diag);
    if (err != CN_OK) {
        char line[CN_DIAG_LINE_MAX];
        cn_log(CN_LOG_ERROR, "ledger and store can not be brought together yet", cn_log_err(err),
               cn_log_text("cause", cn_diag_line(&diag, line)));
        runner_pause(runner, now_ms);
        return;
    }
    struct store_task row;
    bool published = mended_as_published(runner, &row);
    cn_log(CN_LOG_INFO, "ledger and store agree again",
           cn_log_text("round", published ? "published" : "abandoned"));
    if (published)
        runner->assess_wanted = true;
    else
        say_abandoned(runner, runner->reason);
    send_outcome(runner, published ? row.model : NULL, NULL, runner->reason);
    drop_round(runner);
    runner_unload(runner); /* model and counts are read anew */
    runner->state = RUNNER_IDLE;
    runner_record(runner);
}
