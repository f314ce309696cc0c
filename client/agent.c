/* SPDX-License-Identifier: Apache-2.0 */
/* The device's main loop: connect, prove, serve rounds, reconnect. */
#include "client/agent.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "base/log.h"
#include "base/options.h"
#include "client/trainer.h"
#include "client/witness.h"
#include "client/work.h"
#include "crypto/random.h"
#include "protocol/link.h"

#ifndef CAIRN_VERSION
#define CAIRN_VERSION "0.1.0"
#endif
#define SOFTWARE "cairn-client/" CAIRN_VERSION

#define PAUSE_FIRST_MS 500
#define PAUSE_MAX_MS 60000

struct agent {
    struct agent_options options;
    struct home *home;
    uv_loop_t loop;
    uv_timer_t retry;
    uv_signal_t interrupt, terminate;
    uv_work_t pool;
    struct link_tls *tls;
    struct link *link;
    bool welcomed;
    bool stopping;
    uint64_t pause_ms;
    uint64_t alone_since_ms; /* when the connection was lost */
    struct cn_random random;
    struct trainer trainer;
    struct work *work;
    bool has_next; /* an offer that waits until the pool thread lets go of the work before it */
    struct message_offer next;
    enum cn_err result;
    struct cn_diag *diag;
};

static uint64_t now_ms(const struct agent *agent)
{
    return agent->home->clock.steady_ms(agent->home->clock.ctx);
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void drop_work(struct agent *agent)
{
    if (!agent->work)
        return;
    work_cancel(agent->work);
    if (work_is_training(agent->work))
        return; /* pool_done frees it */
    work_free(agent->work);
    agent->work = NULL;
}

/* Closes whatever keeps the loop alive, so that it runs out. */
static void stop(struct agent *agent, enum cn_err result, enum bye_code code, const char *text)
{
    if (agent->stopping)
        return;
    agent->stopping = true;
    agent->result = result;
    agent->has_next = false;
    drop_work(agent);
    close_handle((uv_handle_t *)&agent->retry);
    if (agent->link)
        link_bye(agent->link, code, text);
}

/* ---- the work's side ---- */

static void send_message(void *ctx, const struct message *message)
{
    struct agent *agent = ctx;
    enum cn_err err;

    if (!agent->link || !agent->welcomed)
        return; /* the aggregator asks again after the next WELCOME */
    err = link_send(agent->link, message);
    if (err != CN_OK && err != CN_E_CLOSED)
        link_abort(agent->link, err, "a message could not be queued");
}

static bool is_congested(void *ctx)
{
    const struct agent *agent = ctx;

    return !agent->link || !agent->welcomed || link_congested(agent->link);
}

static void over(void *ctx, struct work *work)
{
    struct agent *agent = ctx;

    CN_ASSERT(work == agent->work);
    agent->work = NULL;
    work_free(work);
}

static void take_offer(struct agent *agent, const struct message_offer *offer);

static void pool_run(uv_work_t *request)
{
    trainer_run(request->data);
}

static void pool_done(uv_work_t *request, int status)
{
    struct agent *agent = (struct agent *)((char *)request - offsetof(struct agent, pool));

    (void)status; /* never cancelled by us: a request that was queued runs */
    work_trained(agent->work);
    if (agent->has_next && !agent->work) {
        agent->has_next = false;
        take_offer(agent, &agent->next);
    }
}

static enum cn_err start_training(void *ctx, struct work *work, struct trainer_job *job)
{
    struct agent *agent = ctx;

    (void)work;
    agent->pool.data = job;
    return uv_queue_work(&agent->loop, &agent->pool, pool_run, pool_done) == 0 ? CN_OK : CN_E_NOMEM;
}

static void refuse_offer(struct agent *agent, const struct message_offer *offer, enum cn_err err)
{
    struct message message = {.type = MESSAGE_DECLINE};

    message.as.decline.id = offer->id;
    message.as.decline.code = DECLINE_FAILED;
    snprintf(message.as.decline.text, sizeof message.as.decline.text, "%s", cn_err_text(err));
    cn_log(CN_LOG_WARN, "declined to take part", cn_log_uint("round", offer->id.round),
           cn_log_err(err));
    send_message(agent, &message);
}

/* A new offer replaces whatever the device was at: the aggregator has given that up. */
static void take_offer(struct agent *agent, const struct message_offer *offer)
{
    struct work_host host = {send_message, is_congested, start_training, over, agent};
    enum cn_err err;

    drop_work(agent);
    if (agent->work) {
        agent->next = *offer;
        agent->has_next = true;
        return;
    }
    err = work_new(&agent->work, offer, agent->home, &agent->trainer, &host);
    if (err != CN_OK) {
        refuse_offer(agent, offer, err);
        return;
    }
    work_connected(agent->work);
}

/* ---- the connection's side ---- */

static const struct round_id *id_of(const struct message *message)
{
    switch (message->type) {
    case MESSAGE_OFFER:
        return &message->as.offer.id;
    case MESSAGE_ROSTER:
        return &message->as.roster.id;
    case MESSAGE_INBOX:
        return &message->as.inbox.id;
    case MESSAGE_SURVIVORS:
        return &message->as.survivors.id;
    case MESSAGE_VOUCHES:
        return &message->as.vouches.id;
    case MESSAGE_COLLECT:
        return &message->as.collect.id;
    case MESSAGE_OUTCOME:
        return &message->as.outcome.id;
    default:
        return NULL;
    }
}

static enum cn_err welcome(struct agent *agent, const struct message_welcome *message)
{
    enum cn_err err;

    if (message->version < PROTOCOL_VERSION_MIN || message->version > PROTOCOL_VERSION_MAX)
        return CN_E_VERSION;
    err = witness_welcome(agent->home, message, agent->diag);
    if (err != CN_OK && cn_err_class(err) == CN_CLASS_PEER && err != CN_E_TAMPERED)
        return err;
    if (err != CN_OK) {
        char line[CN_DIAG_LINE_MAX];

        cn_log(CN_LOG_ERROR, "this device does not take part", cn_log_err(err),
               cn_log_text("cause", cn_diag_line(agent->diag, line)));
        stop(agent, err, BYE_DONE, "the device's owner has to look at this");
        return CN_OK;
    }
    agent->welcomed = true;
    agent->pause_ms = PAUSE_FIRST_MS;
    if (agent->options.enrol) {
        stop(agent, CN_OK, BYE_DONE, "enrolled");
        return CN_OK;
    }
    cn_log(CN_LOG_INFO, "connected", cn_log_text("aggregator", link_peer(agent->link)),
           cn_log_text("device", agent->home->config.name));
    if (agent->work)
        work_connected(agent->work);
    return CN_OK;
}

/* True when the message belongs to the work at hand. Of another round nothing is wanted but a new
 * offer: what comes late for one that is over is not an offence. */
static bool is_ours(const struct agent *agent, const struct message *message)
{
    const struct round_id *id = id_of(message);

    return agent->work && (!id || round_id_equal(id, work_id(agent->work)));
}

/* Of a round that is over for this device, by a restart or a broken connection. */
static void late_receipt(struct agent *agent, const struct message_outcome *outcome)
{
    const struct witness_part unknown = {0};
    struct message answer;
    bool give;
    enum cn_err err = witness_receipt(agent->home, outcome, &unknown, &answer, &give);

    if (err != CN_OK)
        cn_log(CN_LOG_ERROR, "the aggregator's receipt is not kept", cn_log_err(err),
               cn_log_uint("round", outcome->id.round));
    else if (give)
        send_message(agent, &answer);
}

static enum cn_err on_message(void *ctx, struct link *link, const struct message *message)
{
    struct agent *agent = ctx;

    (void)link;
    if (agent->stopping)
        return CN_OK;
    if (message->type == MESSAGE_WELCOME)
        return agent->welcomed ? CN_E_UNEXPECTED : welcome(agent, &message->as.welcome);
    if (!agent->welcomed)
        return CN_E_UNEXPECTED;
    if (is_ours(agent, message))
        return work_message(agent->work, message);
    if (message->type == MESSAGE_OFFER)
        take_offer(agent, &message->as.offer);
    else if (message->type == MESSAGE_OUTCOME)
        late_receipt(agent, &message->as.outcome);
    else if (id_of(message) == NULL && message->type != MESSAGE_CHUNK &&
             message->type != MESSAGE_RESUME)
        return CN_E_UNEXPECTED;
    return CN_OK;
}

static void on_opened(void *ctx, struct link *link)
{
    struct agent *agent = ctx;
    struct message message = {.type = MESSAGE_HELLO};
    struct message_hello *hello = &message.as.hello;
    uint8_t exporter[LINK_EXPORTER_BYTES];
    enum cn_err err = link_exporter(link, exporter);

    if (err == CN_OK) {
        hello->version_min = PROTOCOL_VERSION_MIN;
        hello->version_max = PROTOCOL_VERSION_MAX;
        hello->enrol = agent->options.enrol;
        hello->certificate = agent->home->certificate;
        hello->abilities = secagg_prg_is_safe(SECAGG_PRG_AES256CTR) ? HELLO_CAN_AES : 0;
        witness_hello(agent->home, hello);
        sign_make(hello->proof, agent->home->identity, MESSAGE_PROOF_LABEL, exporter,
                  sizeof exporter);
        snprintf(hello->software, sizeof hello->software, "%s", SOFTWARE);
        err = link_send(link, &message);
    }
    explicit_bzero(exporter, sizeof exporter);
    if (err != CN_OK)
        link_abort(link, err, "the login could not be sent");
}

static void on_drained(void *ctx, struct link *link)
{
    struct agent *agent = ctx;

    (void)link;
    if (agent->work)
        work_pump(agent->work);
}

/* The refusals after which coming back is useless. */
struct refusal {
    enum bye_code bye;
    enum cn_err err;
    const char *hint;
};

static const struct refusal *refusal_of(enum bye_code bye)
{
    static const struct refusal refusals[] = {
        {BYE_AUTH, CN_E_AUTH, "this device belongs to another federation: ask for an invitation"},
        {BYE_UNKNOWN, CN_E_NOT_FOUND, "join first, or again with a new invitation"},
        {BYE_EXPIRED, CN_E_EXPIRED, "ask the operator for a new invitation"},
        {BYE_USED, CN_E_USED, "ask the operator for a new invitation"},
        {BYE_REVOKED, CN_E_REVOKED, "talk to the operator"},
        {BYE_VERSION, CN_E_VERSION, "update cairn-client"},
        {BYE_REPLACED, CN_E_BUSY, "another process runs with a copy of this device's key: stop it"},
    };

    for (size_t i = 0; i < CN_COUNT(refusals); i++)
        if (refusals[i].bye == bye)
            return &refusals[i];
    return NULL;
}

static void schedule(struct agent *agent);

static bool gives_up(struct agent *agent, const char *text)
{
    if (!agent->options.give_up_ms ||
        now_ms(agent) - agent->alone_since_ms < agent->options.give_up_ms)
        return false;
    cn_diag_set(agent->diag, agent->home->config.host, agent->home->config.port, 0, "%s", text);
    cn_diag_hint(agent->diag, "is the aggregator running, and the address right?");
    stop(agent, CN_E_CLOSED, BYE_DONE, "");
    return true;
}

static void on_closed(void *ctx, struct link *link, enum cn_err why, enum bye_code bye,
                      const char *text)
{
    struct agent *agent = ctx;
    const struct refusal *refusal = refusal_of(bye);

    (void)link;
    agent->link = NULL;
    if (agent->welcomed)
        agent->alone_since_ms = now_ms(agent);
    agent->welcomed = false;
    if (agent->stopping)
        return;
    if (refusal) {
        cn_diag_set(agent->diag, agent->home->config.host, agent->home->config.port, 0,
                    "the aggregator refuses this device: %s", text);
        cn_diag_hint(agent->diag, "%s", refusal->hint);
        stop(agent, refusal->err, BYE_DONE, "");
        return;
    }
    if (gives_up(agent, text))
        return;
    cn_log(CN_LOG_WARN, "not connected", cn_log_text("why", text), cn_log_err(why),
           cn_log_uint("again_within_ms", agent->pause_ms));
    schedule(agent);
}

static void connect_now(struct agent *agent)
{
    struct link_events events = {on_opened, on_message, on_drained, on_closed};
    struct client_config *config = &agent->home->config;
    enum cn_err err = link_connect(&agent->link, &agent->loop, agent->tls, config->host,
                                   config->port, &events, agent, NULL);

    if (err == CN_OK)
        return;
    agent->link = NULL;
    cn_log(CN_LOG_WARN, "can not connect", cn_log_err(err));
    if (!gives_up(agent, cn_err_text(err)))
        schedule(agent);
}

static void on_retry(uv_timer_t *timer)
{
    connect_now(timer->data);
}

/* Half of the pause is random, so that a restarted aggregator does not meet all devices at once. */
static void schedule(struct agent *agent)
{
    uint64_t half = agent->pause_ms / 2;

    uv_timer_start(&agent->retry, on_retry, half + cn_random_below(&agent->random, half + 1), 0);
    agent->pause_ms = agent->pause_ms < PAUSE_MAX_MS / 2 ? agent->pause_ms * 2 : PAUSE_MAX_MS;
}

/* ---- life ---- */

static void on_signal(uv_signal_t *handle, int number)
{
    struct agent *agent = handle->data;

    (void)number;
    if (agent->stopping)
        _exit(CN_EXIT_FAILED); /* asked twice: the ledger is on disk at every moment */
    cn_log(CN_LOG_INFO, "stopping");
    stop(agent, CN_OK, BYE_STOPPING, "the device's owner stopped it");
}

static void start_signal(struct agent *agent, uv_signal_t *handle, int number)
{
    uv_signal_init(&agent->loop, handle);
    handle->data = agent;
    uv_signal_start(handle, on_signal, number);
    uv_unref((uv_handle_t *)handle);
}

static void run_loop(struct agent *agent)
{
    agent->retry.data = agent;
    uv_timer_init(&agent->loop, &agent->retry);
    start_signal(agent, &agent->interrupt, SIGINT);
    start_signal(agent, &agent->terminate, SIGTERM);
    agent->pause_ms = PAUSE_FIRST_MS;
    agent->alone_since_ms = now_ms(agent);
    connect_now(agent);
    uv_run(&agent->loop, UV_RUN_DEFAULT);
    close_handle((uv_handle_t *)&agent->retry);
    close_handle((uv_handle_t *)&agent->interrupt);
    close_handle((uv_handle_t *)&agent->terminate);
    uv_run(&agent->loop, UV_RUN_DEFAULT);
    CN_ASSERT(uv_loop_close(&agent->loop) == 0);
}

enum cn_err agent_run(const struct agent_options *options, struct cn_diag *diag)
{
    struct agent *agent = calloc(1, sizeof *agent);
    enum cn_err err;

    if (!agent)
        return CN_E_NOMEM;
    err = witness_check(options->home, diag);
    if (err != CN_OK) {
        free(agent);
        return err;
    }
    signal(SIGPIPE, SIG_IGN);
    agent->options = *options;
    agent->home = options->home;
    agent->diag = diag;
    trainer_init(&agent->trainer, &options->home->config.data);
    CN_TRY_OUT(err, random_system(&agent->random));
    CN_TRY_OUT(err, link_tls_client(&agent->tls, options->home->config.pin, diag));
    if (uv_loop_init(&agent->loop) != 0) {
        err = CN_E_NOMEM;
        goto out;
    }
    run_loop(agent);
    err = agent->result;
out:
    drop_work(agent);
    trainer_clear(&agent->trainer);
    link_tls_free(agent->tls);
    free(agent);
    return err;
}
