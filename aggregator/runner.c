/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/runner_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/recover.h"
#include "base/text.h"
#include "nn/safetensors.h"

enum {
    PAUSE_FIRST_MS = 1000,
    PAUSE_MAX_MS = 60000,
    SAY_MS = 60000,
    DECLINE_BURST = 50,
    MODEL_ROOM = 1 << 21
};

int64_t runner_now_s(const struct runner *runner)
{
    int64_t now_s = runner->options.clock.wall_s(runner->options.clock.ctx);
    return now_s > 0 ? now_s : 0;
}

void runner_pause(struct runner *runner, uint64_t now_ms)
{
    uint64_t pause = PAUSE_FIRST_MS;
    for (uint32_t i = 0; i < runner->failures && pause < PAUSE_MAX_MS; i++)
        pause *= 2;
    runner->failures++;
    runner->resume_ms = now_ms + (pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS);
}

void runner_unload(struct runner *runner)
{
    task_free(runner->task);
    blob_drop(runner->plan);
    blob_drop(runner->model);
    runner->task = NULL;
    runner->plan = runner->model = NULL;
    runner->loaded = false;
}

/* ---- making and freeing ---- */

enum cn_err runner_new(struct runner **out, const struct runner_options *options,
                       const struct runner_calls *calls, struct cn_diag *diag)
{
    *out = NULL;
    struct runner *runner = calloc(1, sizeof(*runner));
    if (!runner)
        return CN_E_NOMEM;
    runner->options = *options;
    runner->calls = *calls;
    runner->assess_wanted = true;
    runner->declines = calloc(MESSAGE_MEMBERS_MAX, sizeof(*runner->declines));
    struct recover what = {.store = options->store,
                           .registry = options->registry,
                           .ledger_path = options->ledger_path,
                           .key = options->key,
                           .name = options->name,
                           .now_s = runner_now_s(runner)};
    struct recover_result result = {0};
    enum cn_err err = runner->declines ? runner_receipts_new(runner) : CN_E_NOMEM;
    if (err == CN_OK)
        err = recover_run(&runner->ledger, &what, &result, diag);
    if (err != CN_OK) {
        runner_free(runner);
        return err;
    }
    if (result.abandoned || result.restored)
        cn_log(CN_LOG_WARN, "the last stop was not a clean one; ledger and store agree again",
               cn_log_uint("rounds_abandoned", result.abandoned),
               cn_log_uint("rounds_restored", result.restored));
    runner_record(runner);
    *out = runner;
    return CN_OK;
}

void runner_free(struct runner *runner)
{
    if (!runner)
        return;
    CN_ASSERT(runner_rests(runner));
    round_free(runner->round);
    runner_unload(runner);
    assess_cache_clear(&runner->assessing.cache);
    ledger_close(runner->ledger);
    free(runner->declines);
    runner_receipts_free(runner);
    free(runner);
}

/* ---- the ledger's lines about what happened in the store ---- */

static enum cn_err record_one(struct runner *runner, const struct store_event *event)
{
    static const char *const kinds[] = {[STORE_ENROLLED] = "device_enrolled",
                                        [STORE_REVOKED] = "device_revoked",
                                        [STORE_SUBMITTED] = "task_submitted"};
    struct ledger_entry entry = {.time_s = runner_now_s(runner)};
    snprintf(entry.kind, sizeof(entry.kind), "%s", kinds[event->kind]);
    if (event->kind == STORE_SUBMITTED) {
        snprintf(entry.task, sizeof(entry.task), "%s", event->name);
        memcpy(entry.task_id, event->id, sizeof(entry.task_id));
    } else {
        recover_device_reason(entry.reason, event->id, event->name);
    }
    CN_TRY(ledger_append(runner->ledger, &entry));
    return store_event_done(runner->options.store, event);
}

void runner_record(struct runner *runner)
{
    struct store_event event;
    enum cn_err err = CN_OK;
    while (runner->ledger && err == CN_OK) {
        err = store_event_next(runner->options.store, &event);
        if (err == CN_OK)
            err = record_one(runner, &event);
    }
    if (err != CN_OK && err != CN_E_NOT_FOUND)
        cn_log(CN_LOG_ERROR, "the ledger could not be written; it is tried again", cn_log_err(err));
}

/* ---- tasks ---- */

static enum cn_err load_blobs(struct runner *runner, struct cn_diag *diag)
{
    const struct registry *registry = runner->options.registry;
    CN_TRY(registry_get(registry, &runner->plan, runner->row.plan, TASK_TEXT_BYTES_MAX, diag));
    CN_TRY(task_parse(&runner->task, (const char *)runner->plan->bytes, runner->plan->len,
                      "the plan", diag));
    size_t max = runner->task->params * sizeof(float) + MODEL_ROOM;
    CN_TRY(registry_get(registry, &runner->model, runner->row.model, max, diag));
    CN_TRY(registry_publish(registry, runner->task->name, runner->model->bytes, runner->model->len,
                            diag));
    return store_round_charged(runner->options.store, runner->row.id, &runner->charged);
}

/* Loads the next task, if there is one. One that can not be loaded is stopped with the reason. */
static void load_task(struct runner *runner, uint64_t now_ms)
{
    struct cn_diag diag = {0};
    enum cn_err err = store_task_next(runner->options.store, &runner->row);
    if (err == CN_E_NOT_FOUND)
        return;
    if (err == CN_OK)
        err = load_blobs(runner, &diag);
    if (err == CN_OK)
        err = store_task_state_set(runner->options.store, runner->row.id, STORE_TASK_RUNNING,
                                   "starting");
    if (err == CN_OK) {
        runner->loaded = true;
        cohort_next_task(runner->options.cohort);
        cn_log(CN_LOG_INFO, "task runs", cn_log_text("task", runner->task->name),
               cn_log_uint("rounds", runner->row.rounds),
               cn_log_uint("published", runner->row.published));
        return;
    }
    runner_unload(runner);
    char line[CN_DIAG_LINE_MAX];
    cn_diag_line(&diag, line);
    cn_log(CN_LOG_ERROR, "task can not run", cn_log_text("task", runner->row.name), cn_log_err(err),
           cn_log_text("cause", line));
    runner->state = RUNNER_PAUSE;
    runner_pause(runner, now_ms);
    if (err != CN_E_DATA && err != CN_E_CONFIG && err != CN_E_NOT_FOUND)
        return; /* memory or disk: later, maybe */
    char note[STORE_REASON_MAX];
    snprintf(note, sizeof(note), "can not run: %.200s", line[0] ? line : cn_err_text(err));
    CN_IGNORE(
        store_task_state_set(runner->options.store, runner->row.id, STORE_TASK_STOPPED, note));
}

/* ---- rounds ---- */

static void call_send(void *ctx, const uint8_t device[DEVICE_ID_BYTES],
                      const struct message *message)
{
    const struct runner *runner = ctx;
    runner->calls.send(runner->calls.ctx, device, message);
}

static enum cn_err note_attempt(struct runner *runner)
{
    struct store *store = runner->options.store;
    char note[STORE_REASON_MAX];
    snprintf(note, sizeof(note), "round %u, attempt %u, is under way",
             (unsigned)(runner->row.published + 1), (unsigned)runner->attempt);
    CN_TRY(store_begin(store));
    enum cn_err err = store_attempt(store, runner->row.id, runner->attempt);
    if (err == CN_OK)
        err = store_task_note(store, runner->row.id, note);
    if (err == CN_OK)
        return store_commit(store);
    store_rollback(store);
    return err;
}

/* The attempt's number, then the ledger's line, each flushed; only then the first OFFER. */
static enum cn_err call_opening(void *ctx, uint32_t cohort)
{
    struct runner *runner = ctx;
    CN_TRY(note_attempt(runner));
    struct ledger_entry entry;
    CN_TRY(runner_entry(runner, &entry, "round_opened"));
    entry.cohort = cohort;
    memcpy(entry.model, runner->model->hash, HASH_BYTES);
    memcpy(entry.paid_for, runner->plan->hash, HASH_BYTES);
    runner->started_s = entry.time_s;
    runner->opened = true; /* even if the flush fails: mending finds out */
    CN_TRY(ledger_append(runner->ledger, &entry));
    if (runner->calls.traffic_start)
        runner->calls.traffic_start(runner->calls.ctx);
    cn_log(CN_LOG_DEBUG, "round opened", cn_log_uint("round", entry.round),
           cn_log_uint("attempt", entry.attempt), cn_log_uint("cohort", cohort));
    return CN_OK;
}

static void call_declined(void *ctx, const uint8_t device[DEVICE_ID_BYTES], enum decline_code code,
                          const char *text)
{
    static const char *const words[DECLINE_CODE_COUNT] = {
        [DECLINE_BUDGET] = "budget", [DECLINE_LIMIT] = "limit",   [DECLINE_DATA] = "data",
        [DECLINE_BUSY] = "busy",     [DECLINE_FAILED] = "failed",
    };
    struct runner *runner = ctx;
    char hex[2 * DEVICE_ID_BYTES + 1];
    uint64_t now_ms = runner->options.clock.steady_ms(runner->options.clock.ctx), dropped = 0;
    cn_hex_encode(hex, device, DEVICE_ID_BYTES);
    if (cn_log_limit_pass(&runner->decline_log, now_ms, DECLINE_BURST, SAY_MS, &dropped))
        cn_log(CN_LOG_INFO, "device declined", cn_log_text("device", hex),
               cn_log_uint("round", runner->row.published + 1), cn_log_text("why", words[code]),
               cn_log_text("reason", text), cn_log_uint("not_shown", dropped));
    if (runner->decline_count == MESSAGE_MEMBERS_MAX)
        return;
    struct runner_decline *decline = &runner->declines[runner->decline_count++];
    memcpy(decline->device, device, DEVICE_ID_BYTES);
    snprintf(decline->reason, sizeof(decline->reason), "%s: %.230s", words[code], text);
}

/* One transaction for all of them. */
static void keep_declines(struct runner *runner)
{
    if (!runner->decline_count)
        return;
    struct store *store = runner->options.store;
    enum cn_err err = store_begin(store);
    for (uint32_t i = 0; err == CN_OK && i < runner->decline_count; i++)
        err = store_device_declined(store, runner->declines[i].device, runner->declines[i].reason,
                                    runner_now_s(runner));
    if (err == CN_OK)
        CN_IGNORE(store_commit(store));
    else
        store_rollback(store);
    runner->decline_count = 0;
}

/* From here on the round is charged: after a crash the ledger must tell, so the line is on the disk
 * before a share or a key leaves that lets a device upload. */
static enum cn_err call_uploading(void *ctx)
{
    struct runner *runner = ctx;
    struct ledger_entry entry;
    CN_TRY(runner_entry(runner, &entry, RECOVER_UPLOADING));
    return ledger_append(runner->ledger, &entry);
}

static enum cn_err round_options_fill(const struct runner *runner, struct round_options *options)
{
    const struct task *task = runner->task;
    const struct task_rounds *rounds = &task->rounds;
    memset(options, 0, sizeof(*options));
    CN_TRY(task_secagg_config(&options->secagg, task));
    memcpy(options->id.task, runner->row.id, TASK_ID_BYTES);
    options->id.round = runner->row.published + 1;
    options->id.attempt = runner->attempt;
    memcpy(options->plan, runner->plan->hash, HASH_BYTES);
    options->plan_bytes = runner->plan->len;
    memcpy(options->model, runner->model->hash, HASH_BYTES);
    options->model_bytes = runner->model->len;
    options->rounds = runner->row.rounds;
    memcpy(options->registrar, runner->options.registrar, SIGN_PUBLIC_BYTES);
    round_binding(options->secagg.binding, &options->id, options->plan, options->model);
    options->cohort_max = rounds->cohort_max;
    options->threads = runner->options.threads;
    options->aes = secagg_prg_is_safe(SECAGG_PRG_AES256CTR);
    options->unmasked = task->secure_aggregation.mode == TASK_MODE_OFF;
    options->ledger_key = runner->options.key;
    options->uploads_max = runner->options.uploads_max;
    options->grace_ms = runner->options.grace_ms;
    options->wait_ms[ROUND_GATHER] = (uint64_t)rounds->gather_s * 1000;
    options->wait_ms[ROUND_TRAIN] = ((uint64_t)rounds->train_s + rounds->keys_s) * 1000;
    options->wait_ms[ROUND_SHARES] = (uint64_t)rounds->exchange_s * 1000;
    options->wait_ms[ROUND_UPLOAD] = (uint64_t)rounds->upload_s * 1000;
    options->wait_ms[ROUND_VOUCH] = (uint64_t)rounds->survivors_s * 1000;
    options->wait_ms[ROUND_REVEAL] = (uint64_t)rounds->reveal_s * 1000;
    return CN_OK;
}

static void start_attempt(struct runner *runner, uint64_t now_ms)
{
    struct round_calls calls = {.send = call_send,
                                .opening = call_opening,
                                .declined = call_declined,
                                .uploading = call_uploading,
                                .ctx = runner};
    struct round_options options;
    runner->attempt = runner->row.attempt + 1;
    runner->opened = false;
    runner->said_ms = now_ms;
    cohort_next_attempt(runner->options.cohort);
    enum cn_err err = round_options_fill(runner, &options);
    if (err == CN_OK)
        err = round_new(&runner->round, &options, &calls, runner->options.cohort,
                        &runner->options.random, now_ms);
    if (err == CN_OK) {
        runner->state = RUNNER_ROUND;
        return;
    }
    cn_log(CN_LOG_ERROR, "no round can begin", cn_log_text("task", runner->task->name),
           cn_log_err(err));
    runner->state = RUNNER_PAUSE;
    runner_pause(runner, now_ms);
}

/* Says once a minute, in log and store, what a gathering round waits for. */
static void say_waiting(struct runner *runner, uint64_t now_ms)
{
    uint32_t available, needed;
    round_gathered(runner->round, &available, &needed);
    if (round_phase(runner->round) != ROUND_GATHER || available >= needed ||
        now_ms < runner->said_ms)
        return;
    runner->said_ms = now_ms + SAY_MS;
    char note[STORE_REASON_MAX];
    snprintf(note, sizeof(note), "round %u waits for devices: %u of %u are available",
             (unsigned)(runner->row.published + 1), (unsigned)available, (unsigned)needed);
    cn_log(CN_LOG_INFO, "waiting for devices", cn_log_text("task", runner->task->name),
           cn_log_uint("round", runner->row.published + 1), cn_log_uint("available", available),
           cn_log_uint("needed", needed));
    CN_IGNORE(store_task_note(runner->options.store, runner->row.id, note));
}

static void job_open_run(struct runner_job *job)
{
    struct runner_opening *opening = (struct runner_opening *)(void *)job;
    aggregate_run(&opening->aggregate);
}

static void job_open_done(struct runner_job *job, uint64_t now_ms)
{
    struct runner_opening *opening = (struct runner_opening *)(void *)job;
    struct runner *runner = opening->runner;
    runner->opening_out = false;
    round_opened(runner->round, opening->aggregate.opened, now_ms);
    runner_finish_summed(runner, now_ms);
}

static void start_opening(struct runner *runner)
{
    struct runner_opening *opening = &runner->opening;
    memset(opening, 0, sizeof(*opening));
    opening->job = (struct runner_job){.run = job_open_run, .done = job_open_done};
    opening->runner = runner;
    opening->aggregate = (struct aggregate){.folder = runner->options.folder,
                                            .task_id = runner->row.id,
                                            .round = runner->round,
                                            .task = runner->task,
                                            .registry = runner->options.registry,
                                            .model = runner->model,
                                            .round_number = runner->row.published + 1};
    runner->state = RUNNER_OPENING;
    runner->opening_out = true;
    runner->calls.work(runner->calls.ctx, &opening->job);
}

/* Looks where the round stands after it has been touched. */
static void round_step(struct runner *runner, uint64_t now_ms)
{
    if (runner->state != RUNNER_ROUND)
        return;
    if (round_phase(runner->round) == ROUND_OPEN)
        start_opening(runner);
    else if (round_phase(runner->round) == ROUND_FAILED)
        runner_finish_failed(runner, now_ms);
}

void runner_tick(struct runner *runner, uint64_t now_ms)
{
    keep_declines(runner);
    runner_receipts_keep(runner, now_ms, false);
    runner_assess_start(runner);
    if (runner->state == RUNNER_ROUND) {
        round_tick(runner->round, now_ms);
        say_waiting(runner, now_ms);
        round_step(runner, now_ms);
        return;
    }
    if (runner->state == RUNNER_MENDING && now_ms >= runner->resume_ms)
        runner_mend(runner, now_ms);
    if (runner->state == RUNNER_PAUSE && now_ms >= runner->resume_ms)
        runner->state = RUNNER_IDLE;
    if (runner->state != RUNNER_IDLE || runner->stopping)
        return;
    if (!runner->loaded)
        load_task(runner, now_ms);
    if (runner->loaded)
        start_attempt(runner, now_ms);
}

void runner_poll(struct runner *runner, uint64_t now_ms)
{
    runner_record(runner);
    runner->assess_wanted = true;
    if (!runner->loaded)
        return;
    struct store_task row;
    enum cn_err err = store_task_get(runner->options.store, runner->row.id, &row);
    if (err != CN_OK || row.state != STORE_TASK_STOPPED)
        return;
    cn_log(CN_LOG_INFO, "task stopped by the operator", cn_log_text("task", row.name));
    runner->row.state = STORE_TASK_STOPPED;
    if (runner->state == RUNNER_ROUND) {
        round_fail(runner->round, CN_E_STATE, "the operator stopped the task", now_ms);
        round_step(runner, now_ms);
    } else if (runner->state == RUNNER_PAUSE || runner->state == RUNNER_IDLE) {
        runner_unload(runner);
        runner->state = RUNNER_IDLE;
    }
}

/* ---- what the server brings ---- */

enum cn_err runner_message(struct runner *runner, const uint8_t device[DEVICE_ID_BYTES],
                           const struct message *message, uint64_t now_ms)
{
    if (message->type == MESSAGE_RECEIPTED)
        return runner_receipts_signed(runner, device, &message->as.receipted, now_ms);
    if (runner->state != RUNNER_ROUND)
        return CN_OK; /* an answer to a round that is over */
    enum cn_err err = round_message(runner->round, device, message, now_ms);
    round_step(runner, now_ms);
    return err;
}

void runner_device_here(struct runner *runner, const uint8_t device[DEVICE_ID_BYTES],
                        uint64_t now_ms)
{
    runner_receipts_again(runner, device);
    if (runner->round)
        round_device_here(runner->round, device, now_ms);
}

void runner_device_lost(struct runner *runner, const uint8_t device[DEVICE_ID_BYTES],
                        uint64_t now_ms)
{
    if (runner->round)
        round_device_lost(runner->round, device, now_ms);
}

void runner_device_out(struct runner *runner, const uint8_t device[DEVICE_ID_BYTES],
                       uint64_t now_ms)
{
    if (runner->round)
        round_device_out(runner->round, device, now_ms);
}

void runner_stop(struct runner *runner, uint64_t now_ms)
{
    runner->stopping = true;
    keep_declines(runner);
    runner_receipts_keep(runner, now_ms, true);
    if (runner->state != RUNNER_ROUND)
        return;
    round_fail(runner->round, CN_E_STATE, "the aggregator is being stopped", now_ms);
    round_step(runner, now_ms);
}

bool runner_rests(const struct runner *runner)
{
    return !runner->opening_out && !runner->assessing_out;
}

bool runner_done(const struct runner *runner)
{
    struct store_task task;
    return runner->state == RUNNER_IDLE && !runner->loaded && runner_rests(runner) &&
           !runner->assess_wanted &&
           store_task_next(runner->options.store, &task) == CN_E_NOT_FOUND;
}

struct blob *runner_blob(const struct runner *runner, const uint8_t hash[HASH_BYTES])
{
    if (runner->plan && memcmp(runner->plan->hash, hash, HASH_BYTES) == 0)
        return runner->plan;
    if (runner->model && memcmp(runner->model->hash, hash, HASH_BYTES) == 0)
        return runner->model;
    return NULL;
}

void runner_ledger_head(const struct runner *runner, uint8_t head[HASH_BYTES], uint64_t *count)
{
    memset(head, 0, HASH_BYTES);
    *count = 0;
    if (runner->ledger)
        ledger_head(runner->ledger, head, count);
}

enum cn_err runner_checkpoint(const struct runner *runner, struct checkpoint *checkpoint,
                              uint64_t count, uint8_t then[HASH_BYTES])
{
    uint8_t head[HASH_BYTES];
    uint64_t lines = 0;
    memset(then, 0, HASH_BYTES);
    runner_ledger_head(runner, head, &lines);
    if (lines == 0)
        return CN_E_STATE;
    checkpoint_make(checkpoint, lines, head, runner->options.key);
    enum cn_err err = count > 0 ? ledger_head_at(runner->ledger, count, then) : CN_OK;
    return err == CN_E_NOT_FOUND ? CN_OK : err;
}
