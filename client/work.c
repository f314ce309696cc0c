/* SPDX-License-Identifier: Apache-2.0 */
/* One offer, from the plan to the outcome. */
#include "client/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "client/guard.h"
#include "client/participant.h"
#include "client/unmasked.h"
#include "client/witness.h"
#include "crypto/random.h"
#include "nn/safetensors.h"
#include "privacy/encode.h"
#include "protocol/transfer.h"
#include "task/tally.h"

#define PLAN_BYTES_MAX TASK_TEXT_BYTES_MAX

enum { LOG_BURST = 10, LOG_WINDOW_MS = 60000 };

enum stage { STAGE_PLAN, STAGE_MODEL, STAGE_TRAIN, STAGE_SUM, STAGE_OVER };

struct work {
    enum stage stage;
    struct message_offer offer;
    uint64_t offered_ms; /* when the offer came */
    struct home *home;
    struct work_host host;
    struct transfer_in plan, model;
    struct task *task;
    struct trainer_job job;
    bool training;
    struct encode_plan encoding;
    struct cn_random random;
    struct participant *participant;
    struct unmasked *unmasked; /* in its place, for a task without masks */
    struct transfer_out upload;
};

enum cn_err work_new(struct work **out, const struct message_offer *offer, struct home *home,
                     struct trainer *trainer, const struct work_host *host)
{
    struct work *work = calloc(1, sizeof *work);
    enum cn_err err;

    *out = NULL;
    if (!work)
        return CN_E_NOMEM;
    work->offer = *offer;
    work->home = home;
    work->host = *host;
    work->offered_ms = home->clock.steady_ms(home->clock.ctx);
    work->job.trainer = trainer;
    CN_TRY_OUT(err, random_system(&work->random));
    CN_TRY_OUT(err, transfer_in_start(&work->plan, offer->plan, offer->plan_bytes, PLAN_BYTES_MAX));
    *out = work;
    return CN_OK;
out:
    work_free(work);
    return err;
}

const struct round_id *work_id(const struct work *work)
{
    return &work->offer.id;
}

bool work_is_training(const struct work *work)
{
    return work->training;
}

void work_cancel(struct work *work)
{
    work->stage = STAGE_OVER;
    atomic_store(&work->job.cancel, true);
}

void work_free(struct work *work)
{
    if (!work)
        return;
    CN_ASSERT(!work->training);
    participant_free(work->participant);
    unmasked_free(work->unmasked);
    trainer_job_clear(&work->job);
    transfer_in_clear(&work->plan);
    transfer_in_clear(&work->model);
    task_free(work->task);
    free(work);
}

static void send_fetch(struct work *work, const struct transfer_in *in)
{
    struct message message = {.type = MESSAGE_FETCH};

    memcpy(message.as.fetch.hash, in->hash, HASH_BYTES);
    message.as.fetch.offset = in->at;
    work->host.send(work->host.ctx, &message);
}

static void send_accept(struct work *work)
{
    struct message message = {.type = MESSAGE_ACCEPT};

    message.as.accept.id = work->offer.id;
    work->host.send(work->host.ctx, &message);
}

/* The round is over for this device; a trainer that still runs is waited for. */
static void finish(struct work *work)
{
    work_cancel(work);
    if (!work->training)
        work->host.over(work->host.ctx, work);
}

static uint64_t now_ms(const struct work *work)
{
    return work->home->clock.steady_ms(work->home->clock.ctx);
}

/* For what an aggregator can trigger as often as it likes. */
static bool may_log(struct work *work)
{
    return cn_log_limit_pass(&work->home->decline_log, now_ms(work), LOG_BURST, LOG_WINDOW_MS,
                             NULL);
}

static void decline(struct work *work, enum decline_code code, const char *text)
{
    struct message message = {.type = MESSAGE_DECLINE};

    if (may_log(work))
        cn_log(CN_LOG_WARN, "declined to take part", cn_log_uint("round", work->offer.id.round),
               cn_log_uint("attempt", work->offer.id.attempt), cn_log_text("why", text));
    message.as.decline.id = work->offer.id;
    message.as.decline.code = (uint8_t)code;
    snprintf(message.as.decline.text, sizeof message.as.decline.text, "%.*s",
             (int)sizeof message.as.decline.text - 1, text);
    work->host.send(work->host.ctx, &message);
    finish(work);
}

static enum decline_code decline_code_of(enum cn_err err)
{
    switch (err) {
    case CN_E_BUDGET:
        return DECLINE_BUDGET;
    case CN_E_DENIED:
    case CN_E_CONFIG:
    case CN_E_TAMPERED:
        return DECLINE_LIMIT;
    case CN_E_DEADLINE:
        return DECLINE_BUSY;
    case CN_E_DATA:
    case CN_E_SHAPE:
    case CN_E_NOT_FOUND:
        return DECLINE_DATA;
    default:
        return DECLINE_FAILED;
    }
}

/* What leaves the device about a fault is its kind; paths and places stay in the owner's log. */
static void decline_fault(struct work *work, enum cn_err err, const struct cn_diag *diag)
{
    char line[CN_DIAG_LINE_MAX];

    if (may_log(work))
        cn_log(CN_LOG_ERROR, "can not take part", cn_log_err(err),
               cn_log_text("cause", cn_diag_line(diag, line)));
    decline(work, decline_code_of(err), cn_err_text(err));
}

/* Memory for the model is taken when the plan has told how large one can be. */
static enum cn_err fetch_model(struct work *work)
{
    uint64_t max = work->task->params * sizeof(float) + SAFETENSORS_HEADER_MAX + sizeof(uint64_t);
    const struct message_offer *offer = &work->offer;

    CN_TRY(transfer_in_start(&work->model, offer->model, offer->model_bytes, max));
    work->stage = STAGE_MODEL;
    return CN_OK;
}

/* The plan is here: may this device take part? */
static void judge(struct work *work)
{
    struct guard_verdict verdict;
    struct cn_diag diag = {0};
    enum cn_err err;

    err = task_parse(&work->task, (const char *)work->plan.bytes, work->plan.len, "offered task",
                     &diag);
    if (err != CN_OK) {
        decline_fault(work, err, &diag);
        return;
    }
    err = guard_judge(&verdict, work->home, work->task, &work->offer.id);
    if (err == CN_E_BUDGET)
        guard_keep_declined(work->home, work->task, &work->offer.id, &verdict);
    if (err != CN_OK) {
        decline(work, decline_code_of(err), verdict.reason);
        return;
    }
    err = fetch_model(work);
    if (err != CN_OK) {
        cn_diag_set(&diag, NULL, 0, 0, "a model of %llu bytes is offered for %zu weights",
                    (unsigned long long)work->offer.model_bytes, work->task->params);
        decline_fault(work, err, &diag);
        return;
    }
    if (work->task->secure_aggregation.mode == TASK_MODE_OFF)
        cn_log(CN_LOG_WARN,
               "this task shows this device's own update to the aggregator, as its "
               "owner allows",
               cn_log_text("task", work->task->name));
    send_accept(work);
    cn_log(CN_LOG_INFO, "taking part", cn_log_text("task", work->task->name),
           cn_log_uint("round", work->offer.id.round), cn_log_uint("of", work->offer.rounds),
           cn_log_real("epsilon_after", verdict.epsilon_after));
    send_fetch(work, &work->model);
}

/* The offer's time or the owner's, whichever is shorter. */
static uint64_t train_deadline(const struct work *work)
{
    uint64_t owner_ms = (uint64_t)work->home->limits.train_minutes * 60 * 1000;
    uint64_t end = work->offered_ms + work->offer.train_ms;

    return owner_ms > 0 && now_ms(work) + owner_ms < end ? now_ms(work) + owner_ms : end;
}

/* From 0; an offer past the task's last round, which nothing else depends on, counts as the last.
 */
static uint32_t round_of(const struct work *work)
{
    const uint32_t count = work->task->rounds.count, round = work->offer.id.round;

    return round < 1 ? 0 : (round > count ? count : round) - 1;
}

static void start_training(struct work *work)
{
    struct trainer_job *job = &work->job;
    enum cn_err err;

    job->deadline_ms = train_deadline(work);
    job->task = work->task;
    job->round = round_of(work);
    job->plan = work->offer.plan;
    job->model = work->model.bytes;
    job->model_len = work->model.len;
    work->stage = STAGE_TRAIN;
    work->training = true;
    err = work->host.train(work->host.ctx, work, job);
    if (err != CN_OK) {
        work->training = false;
        decline(work, DECLINE_FAILED, cn_err_text(err));
    }
}

static enum cn_err encode(void *ctx, uint32_t *vector)
{
    struct work *work = ctx;
    struct random_stream *stream;
    enum cn_err err = random_stream_new(&stream, &work->random);

    if (err == CN_OK) {
        struct cn_random random = random_stream_interface(stream); /* noise needs much of it */

        err = encode_update(vector, work->job.update, work->job.counters, &work->encoding, &random);
        random_stream_free(stream);
    }
    trainer_job_clear(&work->job); /* called once: nobody needs the plain update any more */
    return err;
}

static enum cn_err spend(void *ctx, uint32_t cohort, uint32_t threshold)
{
    struct work *work = ctx;
    struct cn_diag diag = {0};
    char line[CN_DIAG_LINE_MAX];
    uint8_t binding[HASH_BYTES];
    enum cn_err err;

    round_binding(binding, &work->offer.id, work->offer.plan, work->offer.model);
    err = guard_spend(work->home, work->task, &work->offer.id, binding,
                      (struct guard_cohort){cohort, threshold}, &diag);
    if (err != CN_OK)
        cn_log(CN_LOG_ERROR, "the spending can not be written, so nothing is sent", cn_log_err(err),
               cn_log_text("cause", cn_diag_line(&diag, line)));
    return err;
}

static enum cn_err start_sum(struct work *work)
{
    struct participant_setup setup = {
        .id = work->offer.id,
        .identity = work->home->identity,
        .certificate = &work->home->certificate,
        .registrar = work->home->config.registrar,
        .known = work->home->known,
        .random = &work->random,
        .encode = encode,
        .spend = spend,
        .ctx = work,
    };

    CN_TRY(task_encode_plan(&work->encoding, work->task, &work->job.diag));
    if (work->encoding.values != work->job.d)
        return CN_E_SHAPE;
    CN_TRY(task_secagg_config(&setup.secagg, work->task));
    round_binding(setup.secagg.binding, &work->offer.id, work->offer.plan, work->offer.model);
    CN_TRY(encode_plan_round(&work->encoding, work->job.clip, setup.secagg.binding));
    guard_floors(work->home, work->task, &setup.secagg.cohort_min, &setup.secagg.threshold_min);
    setup.secagg.prg = work->offer.prg;
    if (work->task->secure_aggregation.mode == TASK_MODE_OFF)
        return unmasked_new(&work->unmasked, &setup, work->home->seen.owner);
    return participant_new(&work->participant, &setup);
}

static void send_ready(struct work *work)
{
    struct message message;

    if (work->unmasked)
        unmasked_ready(work->unmasked, &message);
    else
        participant_ready(work->participant, &message);
    work->host.send(work->host.ctx, &message);
}

void work_trained(struct work *work)
{
    enum cn_err err = work->job.err;

    work->training = false;
    if (work->stage == STAGE_OVER) {
        work->host.over(work->host.ctx, work);
        return;
    }
    if (err == CN_OK)
        err = start_sum(work);
    if (err != CN_OK) {
        decline_fault(work, err, &work->job.diag);
        return;
    }
    if (work->job.diverged)
        cn_log(CN_LOG_WARN, "the training diverged: this device adds nothing to the round",
               cn_log_text("task", work->task->name), cn_log_uint("round", work->offer.id.round));
    cn_log(CN_LOG_INFO, "trained", cn_log_uint("round", work->offer.id.round),
           cn_log_uint("examples", work->job.examples), cn_log_real("seconds", work->job.seconds));
    work->stage = STAGE_SUM;
    send_ready(work);
}

static enum cn_err take_chunk(struct work *work, const struct message_chunk *chunk)
{
    bool plan = work->stage == STAGE_PLAN && memcmp(chunk->hash, work->plan.hash, HASH_BYTES) == 0;
    bool model =
        work->stage == STAGE_MODEL && memcmp(chunk->hash, work->model.hash, HASH_BYTES) == 0;
    bool done = false;

    if (!plan && !model)
        return CN_OK; /* of a blob that has meanwhile become complete or useless */
    CN_TRY(transfer_in_chunk(plan ? &work->plan : &work->model, chunk, &done));
    if (done && plan)
        judge(work);
    else if (done)
        start_training(work);
    return CN_OK;
}

void work_pump(struct work *work)
{
    struct message message;

    while (work->upload.active && !work->host.congested(work->host.ctx)) {
        if (!transfer_out_next(&work->upload, &message))
            return;
        work->host.send(work->host.ctx, &message);
    }
}

/* The sealed or masked vector; NULL before there is one. */
static const uint8_t *blob_of(const struct work *work, uint64_t *len, uint8_t hash[HASH_BYTES])
{
    if (work->unmasked)
        return unmasked_blob(work->unmasked, len, hash);
    return work->participant ? participant_blob(work->participant, len, hash) : NULL;
}

static enum cn_err take_resume(struct work *work, const struct message_resume *resume)
{
    uint8_t hash[HASH_BYTES];
    uint64_t len;
    const uint8_t *blob;

    blob = blob_of(work, &len, hash);
    if (!blob || memcmp(resume->hash, hash, HASH_BYTES) != 0)
        return CN_E_UNEXPECTED;
    if (resume->offset == len) {
        work->upload.active = false;
        return CN_OK;
    }
    CN_TRY(transfer_out_start(&work->upload, hash, blob, len, resume->offset));
    work_pump(work);
    return CN_OK;
}

static void log_outcome(const struct message_outcome *outcome)
{
    if (outcome->published)
        cn_log(CN_LOG_INFO, "round published", cn_log_uint("round", outcome->id.round),
               cn_log_uint("survivors", outcome->survivors));
    else
        cn_log(CN_LOG_WARN, "round abandoned", cn_log_uint("round", outcome->id.round),
               cn_log_uint("attempt", outcome->id.attempt), cn_log_text("why", outcome->reason));
}

/* The same offer again: the aggregator has no READY of this device. */
static void offered_again(struct work *work)
{
    if (work->stage == STAGE_SUM)
        send_ready(work);
    else if (work->stage != STAGE_PLAN)
        send_accept(work);
}

static enum cn_err take_step(struct work *work, const struct message *message)
{
    struct message answer, complaint;
    enum cn_err err;

    if (!work->participant && !work->unmasked)
        return CN_E_UNEXPECTED;
    err = work->unmasked ? unmasked_collect(work->unmasked, message, &answer)
                         : participant_message(work->participant, message, &answer);
    if (err != CN_OK) {
        cn_log(CN_LOG_ERROR, "left the round", cn_log_text("at", message_name(message->type)),
               cn_log_uint("round", work->offer.id.round), cn_log_err(err));
        finish(work);
        return cn_err_class(err) == CN_CLASS_PEER ? err : CN_OK;
    }
    if (answer.type == MESSAGE_UPLOAD && work->participant &&
        participant_complaint(work->participant, &complaint)) {
        cn_log(CN_LOG_WARN, "the shares of other devices do not open; they are left out",
               cn_log_uint("round", work->offer.id.round),
               cn_log_uint("devices", complaint.as.complaint.count));
        work->host.send(work->host.ctx, &complaint);
    }
    work->host.send(work->host.ctx, &answer);
    return CN_OK;
}

/* The receipt is checked against what this device knows of its own part. A false one is said and
 * not kept; the round is over all the same. */
static void take_receipt(struct work *work, const struct message_outcome *outcome)
{
    uint8_t upload[HASH_BYTES];
    uint64_t len;
    struct witness_part part = {0};
    struct message answer;
    bool give;
    enum cn_err err;

    if (blob_of(work, &len, upload))
        part.upload = upload;
    if (work->participant)
        part.roster = participant_survivors(work->participant);
    err = witness_receipt(work->home, outcome, &part, &answer, &give);
    if (err != CN_OK)
        cn_log(CN_LOG_ERROR, "the aggregator's receipt is not kept", cn_log_err(err),
               cn_log_uint("round", outcome->id.round));
    else if (give)
        work->host.send(work->host.ctx, &answer);
}

enum cn_err work_message(struct work *work, const struct message *message)
{
    if (work->stage == STAGE_OVER)
        return CN_OK;
    switch (message->type) {
    case MESSAGE_OFFER:
        offered_again(work);
        return CN_OK;
    case MESSAGE_CHUNK:
        return take_chunk(work, &message->as.chunk);
    case MESSAGE_RESUME:
        return take_resume(work, &message->as.resume);
    case MESSAGE_OUTCOME:
        log_outcome(&message->as.outcome);
        take_receipt(work, &message->as.outcome);
        finish(work);
        return CN_OK;
    default:
        return take_step(work, message);
    }
}

void work_connected(struct work *work)
{
    work->upload.active = false; /* the aggregator says where to go on */
    if (work->stage == STAGE_PLAN)
        send_fetch(work, &work->plan);
    else if (work->stage == STAGE_MODEL)
        send_fetch(work, &work->model);
}
