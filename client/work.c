/* SPDX-License-Identifier: Apache-2.0 */
/* One offer, from the plan to the outcome. */
#include "client/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "client/guard.h"
#include "client/participant.h"
#include "crypto/random.h"
#include "nn/safetensors.h"
#include "privacy/encode.h"
#include "protocol/transfer.h"
#include "task/tally.h"

#define PLAN_BYTES_MAX TASK_TEXT_BYTES_MAX

enum stage { STAGE_PLAN, STAGE_MODEL, STAGE_TRAIN, STAGE_SUM, STAGE_OVER };

struct work {
    enum stage stage;
    struct message_offer offer;
    struct home *home;
    struct work_host host;
    struct transfer_in plan, model;
    struct task *task;
    struct trainer_job job;
    bool training;
    struct encode_plan encoding;
    struct cn_random random;
    struct participant *participant;
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

static void decline(struct work *work, enum decline_code code, const char *text)
{
    struct message message = {.type = MESSAGE_DECLINE};

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
    send_accept(work);
    cn_log(CN_LOG_INFO, "taking part", cn_log_text("task", work->task->name),
           cn_log_uint("round", work->offer.id.round), cn_log_uint("of", work->offer.rounds),
           cn_log_real("epsilon_after", verdict.epsilon_after));
    send_fetch(work, &work->model);
}

static void start_training(struct work *work)
{
    struct trainer_job *job = &work->job;
    enum cn_err err;

    job->task = work->task;
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
    return participant_new(&work->participant, &setup);
}

static void send_ready(struct work *work)
{
    struct message message;

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

static enum cn_err take_resume(struct work *work, const struct message_resume *resume)
{
    uint8_t hash[HASH_BYTES];
    uint64_t len;
    const uint8_t *blob;

    if (!work->participant)
        return CN_E_UNEXPECTED;
    blob = participant_blob(work->participant, &len, hash);
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
    struct message answer;
    enum cn_err err;

    if (!work->participant)
        return CN_E_UNEXPECTED;
    err = participant_message(work->participant, message, &answer);
    if (err != CN_OK) {
        cn_log(CN_LOG_ERROR, "left the round", cn_log_text("at", message_name(message->type)),
               cn_log_uint("round", work->offer.id.round), cn_log_err(err));
        finish(work);
        return cn_err_class(err) == CN_CLASS_PEER ? err : CN_OK;
    }
    work->host.send(work->host.ctx, &answer);
    return CN_OK;
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
