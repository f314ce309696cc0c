/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "aggregator/runner.h"
#include "aggregator/session.h"
#include "base/log.h"
#include "crypto/keyfile.h"
#include "crypto/random.h"

enum {
    TICK_MS = 50,
    POLL_MS = 300,
    HOUSEKEEPING_MS = 1000,
    JOBS_MAX = 2,
    EXIT_AT_ONCE = 3,
    LOCK_TRIES = 5,
    LOCK_WAIT_MS = 40
};

struct server_job {
    uv_work_t work;
    struct runner_job *job; /* NULL: the slot is free */
    struct server *server;
};

struct server {
    const struct server_options *options;
    uv_loop_t loop;
    uv_timer_t timer;
    uv_signal_t signals[2];
    struct link_tls *tls;
    struct link_listener *listener;
    struct store *store;
    struct registry registry;
    struct cohort *cohort;
    struct certificate_cache *known;
    struct runner *runner;
    struct sign_key *key;
    uint8_t ledger_key[SIGN_PUBLIC_BYTES];
    char ledger_path[CN_PATH_MAX];
    struct cn_random random;
    struct cn_clock clock;
    struct session_host host;
    struct server_job jobs[JOBS_MAX];
    uint64_t store_seen;
    uint64_t poll_ms, housekeeping_ms;
    bool stopping;
    int lock;
};

static uint64_t now(const struct server *server)
{
    return server->clock.steady_ms(server->clock.ctx);
}

/* ---- what the runner asks for ---- */

static void call_send(void *ctx, const uint8_t device[DEVICE_ID_BYTES],
                      const struct message *message)
{
    struct server *server = ctx;
    session_send(&server->host, device, message);
}

static void job_run(uv_work_t *work)
{
    struct server_job *slot = work->data;
    slot->job->run(slot->job);
}

static void job_done(uv_work_t *work, int status)
{
    struct server_job *slot = work->data;
    struct runner_job *job = slot->job;
    (void)status; /* nothing cancels jobs */
    slot->job = NULL;
    job->done(job, now(slot->server));
}

static void call_work(void *ctx, struct runner_job *job)
{
    struct server *server = ctx;
    struct server_job *slot = server->jobs;
    while (slot < server->jobs + JOBS_MAX && slot->job)
        slot++;
    CN_ASSERT(slot < server->jobs + JOBS_MAX); /* one sum and one evaluation at a time */
    slot->job = job;
    slot->server = server;
    slot->work.data = slot;
    int status = uv_queue_work(&server->loop, &slot->work, job_run, job_done);
    CN_ASSERT(status == 0);
}

static void call_traffic_start(void *ctx)
{
    struct server *server = ctx;
    session_traffic_start(&server->host);
}

static void call_traffic(void *ctx, const struct round *round, uint64_t *up, uint64_t *down)
{
    const struct server *server = ctx;
    session_traffic(&server->host, round, up, down);
}

/* ---- stopping ---- */

static void close_handles(struct server *server)
{
    uv_handle_t *handles[] = {(uv_handle_t *)&server->timer, (uv_handle_t *)&server->signals[0],
                              (uv_handle_t *)&server->signals[1]};
    for (size_t i = 0; i < CN_COUNT(handles); i++)
        if (handles[i]->loop && !uv_is_closing(handles[i])) /* without a loop: never begun */
            uv_close(handles[i], NULL);
}

static void stop(struct server *server, const char *why)
{
    if (server->stopping)
        return;
    server->stopping = true;
    cn_log(CN_LOG_INFO, "stopping", cn_log_text("why", why));
    session_tick(&server->host); /* who was seen is written down */
    runner_stop(server->runner, now(server));
    link_listener_close(server->listener);
    session_close_all(&server->host, BYE_STOPPING, "the aggregator is being stopped");
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct server *server = handle->data;
    if (server->stopping) {
        cn_log(CN_LOG_WARN, "stopped at once; the next start tidies up");
        _exit(EXIT_AT_ONCE);
    }
    stop(server, number == SIGINT ? "interrupted" : "terminated");
}

/* ---- time ---- */

/* Notices what other verbs changed in the store. */
static void poll_store(struct server *server)
{
    uint64_t version = 0;
    if (store_version(server->store, &version) != CN_OK || version == server->store_seen)
        return;
    server->store_seen = version;
    session_revoke(&server->host);
    runner_poll(server->runner, now(server));
}

static void on_tick(uv_timer_t *timer)
{
    struct server *server = timer->data;
    uint64_t now_ms = now(server);
    if (server->stopping) {
        if (runner_rests(server->runner) && server->host.count == 0)
            close_handles(server);
        return;
    }
    if (now_ms >= server->poll_ms) {
        server->poll_ms = now_ms + POLL_MS;
        poll_store(server);
    }
    if (now_ms >= server->housekeeping_ms) {
        server->housekeeping_ms = now_ms + HOUSEKEEPING_MS;
        session_tick(&server->host);
    }
    runner_tick(server->runner, now_ms);
    if (server->options->until_done && runner_done(server->runner))
        stop(server, "no task is left to do");
}

static bool on_accepted(void *ctx, struct link *link, struct link_events *events, void **link_ctx)
{
    struct server *server = ctx;
    return !server->stopping && session_accept(&server->host, link, events, link_ctx);
}

/* ---- starting ---- */

static enum cn_err path_in(const struct server *server, char out[CN_PATH_MAX], const char *name)
{
    return cn_path_join(out, server->options->folder, name);
}

static enum cn_err lock_folder(struct server *server, struct cn_diag *diag)
{
    char path[CN_PATH_MAX];
    CN_TRY(path_in(server, path, CONFIG_LOCK));
    enum cn_err err = CN_E_BUSY;
    for (int i = 0; err == CN_E_BUSY && i < LOCK_TRIES; i++) {
        if (i > 0)
            uv_sleep(LOCK_WAIT_MS); /* `status` holds it for a moment when it looks */
        err = cn_file_lock(path, &server->lock, NULL);
    }
    if (err == CN_E_BUSY) {
        cn_diag_set(diag, server->options->folder, 0, 0,
                    "another cairn-aggregator serves this"
                    " folder");
        cn_diag_hint(diag, "stop it first, or look for it: pgrep -a cairn-aggregator");
    } else if (err != CN_OK) {
        cn_diag_set(diag, path, 0, 0, "the lock can not be taken: %s", cn_err_text(err));
    }
    return err;
}

static enum cn_err open_files(struct server *server, struct cn_diag *diag)
{
    char path[CN_PATH_MAX], certificate[CN_PATH_MAX];
    CN_TRY(path_in(server, path, CONFIG_STORE));
    CN_TRY(store_open(&server->store, path, diag));
    CN_TRY(registry_open(&server->registry, server->options->folder, diag));
    CN_TRY(path_in(server, path, CONFIG_LEDGER_KEY));
    CN_TRY(keyfile_load(&server->key, path, NULL, diag));
    sign_key_public(server->key, server->ledger_key);
    CN_TRY(path_in(server, certificate, CONFIG_TLS_CERTIFICATE));
    CN_TRY(path_in(server, path, CONFIG_TLS_KEY));
    CN_TRY(link_tls_server(&server->tls, certificate, path, diag));
    CN_TRY(random_system(&server->random));
    return path_in(server, server->ledger_path, CONFIG_LEDGER);
}

/* All but the one that the loop needs. */
static uint32_t spare_cores(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores > 1 ? (uint32_t)cores - 1 : 1;
}

static enum cn_err make_runner(struct server *server, struct cn_diag *diag)
{
    const struct config *config = &server->options->config;
    CN_TRY(cohort_new(&server->cohort, config->connections_max));
    struct runner_options options = {.folder = server->options->folder,
                                     .ledger_path = server->ledger_path,
                                     .name = config->name,
                                     .store = server->store,
                                     .registry = &server->registry,
                                     .cohort = server->cohort,
                                     .key = server->key,
                                     .random = server->random,
                                     .clock = server->clock,
                                     .uploads_max = config->uploads_max,
                                     .grace_ms = (uint64_t)config->grace_s * 1000,
                                     .threads = spare_cores(),
                                     .models_kept = config->models_kept};
    memcpy(options.registrar, config->registrar, SIGN_PUBLIC_BYTES);
    struct runner_calls calls = {.send = call_send,
                                 .work = call_work,
                                 .traffic_start = call_traffic_start,
                                 .traffic = call_traffic,
                                 .ctx = server};
    CN_TRY(runner_new(&server->runner, &options, &calls, diag));
    CN_TRY(certificate_cache_new(&server->known));
    server->host = (struct session_host){.store = server->store,
                                         .cohort = server->cohort,
                                         .runner = server->runner,
                                         .known = server->known,
                                         .registrar = config->registrar,
                                         .ledger_key = server->ledger_key,
                                         .clock = server->clock,
                                         .downloads_max = config->downloads_max};
    return CN_OK;
}

static enum cn_err start_handles(struct server *server)
{
    static const int numbers[2] = {SIGINT, SIGTERM};
    int status = uv_timer_init(&server->loop, &server->timer);
    server->timer.data = server;
    for (int i = 0; i < 2 && status == 0; i++) {
        status = uv_signal_init(&server->loop, &server->signals[i]);
        server->signals[i].data = server;
        if (status == 0)
            status = uv_signal_start(&server->signals[i], on_signal, numbers[i]);
    }
    if (status == 0)
        status = uv_timer_start(&server->timer, on_tick, 0, TICK_MS);
    return status == 0 ? CN_OK : CN_E_IO;
}

static enum cn_err start_listening(struct server *server, struct cn_diag *diag)
{
    const struct config *config = &server->options->config;
    struct link_accept accept = {
        .accepted = on_accepted,
        .ctx = server,
        .links_max = config->connections_max,
        .door = {.connections = config->address_connections, .per_second = config->address_per_s}};
    CN_TRY(link_listen(&server->listener, &server->loop, server->tls, config->listen_host,
                       config->listen_port, &accept, NULL, diag));
    uint16_t port = link_listener_port(server->listener);
    cn_log(CN_LOG_INFO, "listening", cn_log_text("host", config->listen_host),
           cn_log_uint("port", port));
    if (server->options->listening)
        server->options->listening(server->options->ctx, config->listen_host, port);
    return CN_OK;
}

static void close_files(struct server *server)
{
    runner_free(server->runner);
    cohort_free(server->cohort);
    certificate_cache_free(server->known);
    link_tls_free(server->tls);
    sign_key_free(server->key);
    store_close(server->store);
    if (server->lock >= 0)
        close(server->lock);
}

static enum cn_err run(struct server *server, struct cn_diag *diag)
{
    CN_TRY(lock_folder(server, diag));
    CN_TRY(open_files(server, diag));
    CN_TRY(make_runner(server, diag));
    if (uv_loop_init(&server->loop) != 0)
        return CN_E_NOMEM;
    enum cn_err err = start_handles(server);
    if (err == CN_OK)
        err = start_listening(server, diag);
    if (err != CN_OK)
        close_handles(server);
    uv_run(&server->loop, UV_RUN_DEFAULT);
    CN_ASSERT(uv_loop_close(&server->loop) == 0);
    if (err == CN_OK)
        cn_log(CN_LOG_INFO, "stopped");
    return err;
}

enum cn_err server_run(const struct server_options *options, struct cn_diag *diag)
{
    struct server *server = calloc(1, sizeof(*server));
    if (!server)
        return CN_E_NOMEM;
    (void)signal(SIGPIPE, SIG_IGN);
    server->options = options;
    server->clock = cn_clock_system();
    server->lock = -1;
    enum cn_err err = run(server, diag);
    close_files(server);
    free(server);
    return err;
}
