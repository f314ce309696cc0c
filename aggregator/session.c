/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { LOG_BURST = 20, LOG_WINDOW_MS = 10000, HEARTBEAT_MS = 15000 };

struct session {
    struct session_host *host;
    struct link *link;
    struct session *next, *before;
    struct session *bucket_next;
    bool in;       /* logged in, and in the cohort */
    bool enrolled; /* came to enrol only */
    bool leaving;  /* goodbye was said; what still arrives is ignored */
    bool unseen;   /* its login is not in the store yet */
    bool waits;    /* for a place among the downloads */
    uint64_t begun_ms;
    uint8_t device[DEVICE_ID_BYTES];
    char name[CERTIFICATE_NAME_MAX + 1];
    char software[MESSAGE_TEXT_MAX];
    struct blob *blob; /* being fetched, or NULL */
    uint64_t fetch_offset;
    struct transfer_out out;
    uint64_t up_mark, down_mark;
};

static uint64_t now(const struct session_host *host)
{
    return host->clock.steady_ms(host->clock.ctx);
}

/* ---- which session is which device ---- */

static struct session **bucket(struct session_host *host, const uint8_t device[DEVICE_ID_BYTES])
{
    return &host->devices[(device[0] | (uint32_t)device[1] << 8) % SESSION_BUCKETS];
}

static struct session *find(struct session_host *host, const uint8_t device[DEVICE_ID_BYTES])
{
    struct session *session = *bucket(host, device);
    while (session && memcmp(session->device, device, DEVICE_ID_BYTES) != 0)
        session = session->bucket_next;
    return session;
}

static void take_out(struct session *session)
{
    struct session **at = bucket(session->host, session->device);
    while (*at != session)
        at = &(*at)->bucket_next;
    *at = session->bucket_next;
    session->in = false;
}

static bool may_log(struct session_host *host)
{
    return cn_log_limit_pass(&host->log, now(host), LOG_BURST, LOG_WINDOW_MS, NULL);
}

/* ---- leaving ---- */

static void downloads_next(struct session_host *host);

static void download_end(struct session *session)
{
    struct session_host *host = session->host;
    bool active = session->out.active;
    session->out.active = false;
    session->waits = false;
    blob_drop(session->blob);
    session->blob = NULL;
    if (!active)
        return;
    host->downloads--;
    downloads_next(host);
}

/* The device is no longer reachable through this session. */
static void leave(struct session *session)
{
    download_end(session);
    if (!session->in)
        return;
    take_out(session);
    cohort_leave(session->host->cohort, session->device);
    runner_device_lost(session->host->runner, session->device, now(session->host));
}

static void goodbye(struct session *session, enum bye_code code, const char *text)
{
    if (session->leaving)
        return;
    session->leaving = true;
    leave(session);
    link_bye(session->link, code, text);
}

static void on_closed(void *ctx, struct link *link, enum cn_err why, enum bye_code bye,
                      const char *text)
{
    struct session *session = ctx;
    struct session_host *host = session->host;
    uint64_t sent, received;
    (void)why, (void)bye;
    link_traffic(link, &sent, &received);
    host->gone_up += received - session->up_mark;
    host->gone_down += sent - session->down_mark;
    if (session->in && may_log(host))
        cn_log(CN_LOG_INFO, "device left", cn_log_text("device", session->name),
               cn_log_text("why", text));
    else if (!session->in && !session->enrolled)
        cn_log(CN_LOG_DEBUG, "connection closed", cn_log_text("peer", link_peer(link)),
               cn_log_text("why", text));
    leave(session);
    if (session->next)
        session->next->before = session->before;
    if (session->before)
        session->before->next = session->next;
    else
        host->first = session->next;
    host->count--;
    free(session);
}

/* ---- login ---- */

struct refusal {
    enum bye_code code;
    const char *text;
};

/* Who says hello really is that device: certificate, registrar, and a signature over this very
 * connection. */
static bool authentic(const struct session *session, const struct message_hello *hello,
                      struct refusal *refusal)
{
    const struct session_host *host = session->host;
    const struct certificate *certificate = &hello->certificate;
    uint8_t exporter[LINK_EXPORTER_BYTES];
    if (hello->version_min > PROTOCOL_VERSION_MAX || hello->version_max < PROTOCOL_VERSION_MIN) {
        *refusal = (struct refusal){BYE_VERSION, "this aggregator speaks protocol version 1"};
        return false;
    }
    *refusal = (struct refusal){BYE_AUTH, "the certificate is not one of this federation's"};
    if (certificate_cache_check(host->known, certificate, host->registrar) != CN_OK)
        return false;
    *refusal = (struct refusal){BYE_AUTH, "the proof of identity does not verify"};
    return link_exporter(session->link, exporter) == CN_OK &&
           sign_check(hello->proof, certificate->device, MESSAGE_PROOF_LABEL, exporter,
                      sizeof(exporter)) == CN_OK;
}

static enum cn_err enrol(const struct session *session, const struct certificate *certificate)
{
    const struct session_host *host = session->host;
    int64_t now_s = host->clock.wall_s(host->clock.ctx);
    bool again = false;
    if (invitation_expired(&certificate->invitation, now_s))
        return CN_E_EXPIRED;
    CN_TRY(store_enrol(host->store, certificate, now_s, &again));
    if (!again)
        cn_log(CN_LOG_INFO, "device enrolled", cn_log_text("device", certificate->name));
    runner_record(host->runner);
    return CN_OK;
}

/* Whether the device may come in, by what the store knows of it. */
static bool welcome(const struct session *session, const struct message_hello *hello,
                    struct refusal *refusal)
{
    struct store_device device;
    enum cn_err err = store_device_get(session->host->store, session->device, &device);
    bool known = err == CN_OK;
    /* The certificate says which invitation was used up: one that was not may not be shown. */
    bool same = known && memcmp(device.certificate.signature, hello->certificate.signature,
                                sizeof(device.certificate.signature)) == 0;
    if (known && device.revoked_s)
        err = CN_E_REVOKED;
    else if (known && !same && !hello->enrol)
        err = CN_E_AUTH;
    else if (hello->enrol && !same && (known || err == CN_E_NOT_FOUND))
        err = enrol(session, &hello->certificate); /* who is enrolled costs the disk nothing */
    switch (err) {
    case CN_OK:
        return true;
    case CN_E_REVOKED:
        *refusal = (struct refusal){BYE_REVOKED, "the operator shut this device out"};
        break;
    case CN_E_AUTH:
        *refusal = (struct refusal){BYE_AUTH, "this device enrolled with another certificate"};
        break;
    case CN_E_NOT_FOUND:
        *refusal = (struct refusal){BYE_UNKNOWN, "this device is not enrolled here: join first"};
        break;
    case CN_E_EXPIRED:
        *refusal = (struct refusal){BYE_EXPIRED, "the invitation has expired: ask for a new one"};
        break;
    case CN_E_USED:
        *refusal = (struct refusal){BYE_USED, "the invitation is used up: ask for a new one"};
        break;
    default:
        cn_log(CN_LOG_ERROR, "a login could not be looked up or stored", cn_log_err(err));
        *refusal = (struct refusal){BYE_BUSY, "the aggregator has trouble with its store: come"
                                              " back later"};
    }
    return false;
}

static enum cn_err send_welcome(const struct session *session, const struct message_hello *hello)
{
    const struct session_host *host = session->host;
    struct message message = {.type = MESSAGE_WELCOME};
    struct message_welcome *reply = &message.as.welcome;
    reply->version = PROTOCOL_VERSION_MAX;
    reply->heartbeat_ms = HEARTBEAT_MS;
    reply->now_s = host->clock.wall_s(host->clock.ctx);
    memcpy(reply->aggregator, host->ledger_key, SIGN_PUBLIC_BYTES);
    struct checkpoint now;
    CN_TRY(runner_checkpoint(host->runner, &now, hello->ledger_count, reply->ledger_then));
    reply->ledger_count = now.count;
    memcpy(reply->ledger_head, now.head, HASH_BYTES);
    memcpy(reply->ledger_signature, now.signature, SIGN_BYTES);
    return link_send(session->link, &message);
}

/* A device that has seen a longer ledger than ours, or another one of the same length, tells us
 * that ours was set back. */
static void compare_ledgers(const struct session *session, const struct message_hello *hello)
{
    struct checkpoint now;
    uint8_t then[HASH_BYTES];
    if (hello->ledger_count == 0 ||
        runner_checkpoint(session->host->runner, &now, hello->ledger_count, then) != CN_OK ||
        memcmp(then, hello->ledger_head, HASH_BYTES) == 0 || !may_log(session->host))
        return;
    cn_log(CN_LOG_ERROR, "a device has seen another ledger than this one; was it set back?",
           cn_log_text("device", session->name), cn_log_uint("lines_seen", hello->ledger_count),
           cn_log_uint("lines", now.count));
}

/* Joins the cohort; an older connection of the same device makes way. */
static void come_in(struct session *session, const struct message_hello *hello)
{
    struct session_host *host = session->host;
    struct session *old = find(host, session->device);
    if (old)
        goodbye(old, BYE_REPLACED, "the same device connected again");
    enum cn_err err = cohort_join(host->cohort, &hello->certificate);
    if (err != CN_OK) {
        goodbye(session, BYE_BUSY, "too many devices: come back later");
        return;
    }
    cohort_set_abilities(host->cohort, session->device, hello->abilities);
    struct session **head = bucket(host, session->device);
    session->bucket_next = *head;
    *head = session;
    session->in = true;
    session->unseen = true;
    if (may_log(host))
        cn_log(CN_LOG_INFO, "device connected", cn_log_text("device", session->name),
               cn_log_text("peer", link_peer(session->link)),
               cn_log_uint("devices", cohort_count(host->cohort)));
    runner_device_here(host->runner, session->device, now(host));
}

static void on_hello(struct session *session, const struct message_hello *hello)
{
    struct refusal refusal;
    certificate_device_id(session->device, &hello->certificate);
    snprintf(session->name, sizeof(session->name), "%s", hello->certificate.name);
    snprintf(session->software, sizeof(session->software), "%s", hello->software);
    if (!authentic(session, hello, &refusal) || !welcome(session, hello, &refusal)) {
        if (may_log(session->host))
            cn_log(CN_LOG_WARN, "login refused", cn_log_text("device", session->name),
                   cn_log_text("peer", link_peer(session->link)), cn_log_text("why", refusal.text));
        goodbye(session, refusal.code, refusal.text);
        return;
    }
    compare_ledgers(session, hello);
    session->enrolled = hello->enrol;
    if (send_welcome(session, hello) != CN_OK)
        goodbye(session, BYE_BUSY, "the aggregator has trouble with its ledger: come back later");
    else if (!hello->enrol)
        come_in(session, hello);
}

/* ---- downloads ---- */

/* Sends chunks until the link has enough of them or nothing is left. */
static void download_pump(struct session *session)
{
    struct message chunk;
    while (session->out.active && !link_congested(session->link)) {
        bool more = transfer_out_next(&session->out, &chunk);
        if (more && link_send(session->link, &chunk) != CN_OK) {
            goodbye(session, BYE_BUSY, "no room for a message: come back later");
            return;
        }
        if (!more) {
            session->out.active = true; /* download_end gives its place back */
            download_end(session);
        }
    }
}

static bool download_begin(struct session *session)
{
    struct session_host *host = session->host;
    const struct blob *blob = session->blob;
    session->waits = false;
    if (transfer_out_start(&session->out, blob->hash, blob->bytes, blob->len,
                           session->fetch_offset) != CN_OK)
        return false;
    session->out.active = true;
    host->downloads++;
    download_pump(session);
    return true;
}

/* Gives free places to those that wait. */
static void downloads_next(struct session_host *host)
{
    struct session *session = host->first;
    if (host->handing_out)
        return; /* a download that ended at once: the loop below goes on */
    host->handing_out = true;
    while (session && host->downloads < host->downloads_max) {
        struct session *next = session->next;
        if (session->waits && !download_begin(session))
            goodbye(session, BYE_PROTOCOL, "the offset lies behind the blob's end");
        session = next;
    }
    host->handing_out = false;
}

static void on_fetch(struct session *session, const struct message_fetch *fetch)
{
    struct session_host *host = session->host;
    download_end(session); /* one at a time: the last wish counts */
    struct blob *blob = runner_blob(host->runner, fetch->hash);
    if (!blob) {
        char hex[2 * HASH_BYTES + 1];
        cn_log(CN_LOG_DEBUG, "a device asks for a blob that is not offered now",
               cn_log_text("device", session->name),
               cn_log_text("blob", cn_hex_encode(hex, fetch->hash, HASH_BYTES)));
        return; /* of a round that is over: its OUTCOME tells the device */
    }
    session->blob = blob_hold(blob);
    session->fetch_offset = fetch->offset;
    session->waits = host->downloads >= host->downloads_max;
    if (!session->waits && !download_begin(session))
        goodbye(session, BYE_PROTOCOL, "the offset lies behind the blob's end");
}

/* ---- messages ---- */

static void on_round_message(struct session *session, const struct message *message)
{
    struct session_host *host = session->host;
    enum cn_err err = runner_message(host->runner, session->device, message, now(host));
    if (err == CN_OK || err == CN_E_NOMEM)
        return;
    char text[MESSAGE_TEXT_MAX];
    snprintf(text, sizeof(text), "%s: %s", message_name(message->type), cn_err_text(err));
    if (may_log(host))
        cn_log(CN_LOG_WARN, "device broke the protocol", cn_log_text("device", session->name),
               cn_log_text("why", text));
    goodbye(session, BYE_PROTOCOL, text);
}

static enum cn_err on_message(void *ctx, struct link *link, const struct message *message)
{
    struct session *session = ctx;
    (void)link;
    if (session->leaving)
        return CN_OK;
    bool hello = message->type == MESSAGE_HELLO;
    if (hello && !session->in && !session->enrolled)
        on_hello(session, &message->as.hello);
    else if (!session->in || hello)
        goodbye(session, BYE_PROTOCOL, "HELLO comes first, and once");
    else if (message->type == MESSAGE_FETCH)
        on_fetch(session, &message->as.fetch);
    else
        on_round_message(session, message);
    return CN_OK;
}

static void on_opened(void *ctx, struct link *link)
{
    struct session *session = ctx;
    (void)link;
    session->begun_ms = now(session->host);
}

static void on_drained(void *ctx, struct link *link)
{
    (void)link;
    download_pump(ctx);
}

/* ---- the host's side ---- */

bool session_accept(struct session_host *host, struct link *link, struct link_events *events,
                    void **link_ctx)
{
    struct session *session = calloc(1, sizeof(*session));
    if (!session)
        return false;
    session->host = host;
    session->link = link;
    session->begun_ms = now(host);
    session->next = host->first;
    if (host->first)
        host->first->before = session;
    host->first = session;
    host->count++;
    *events = (struct link_events){
        .opened = on_opened, .message = on_message, .drained = on_drained, .closed = on_closed};
    *link_ctx = session;
    return true;
}

void session_send(struct session_host *host, const uint8_t device[DEVICE_ID_BYTES],
                  const struct message *message)
{
    struct session *session = find(host, device);
    if (!session || link_send(session->link, message) == CN_OK)
        return;
    /* Not here: the round is in the middle of something. The link reports its end later. */
    link_abort(session->link, CN_E_TOO_LARGE, "the device does not take what it is sent");
}

static void keep_seen(struct session_host *host)
{
    bool begun = false;
    int64_t now_s = host->clock.wall_s(host->clock.ctx);
    for (struct session *session = host->first; session; session = session->next) {
        if (!session->in || !session->unseen)
            continue;
        if (!begun && store_begin(host->store) != CN_OK)
            return;
        begun = true;
        session->unseen = false;
        CN_IGNORE(store_device_seen(host->store, session->device, session->software, now_s));
    }
    if (begun)
        CN_IGNORE(store_commit(host->store));
}

void session_tick(struct session_host *host)
{
    uint64_t now_ms = now(host);
    for (struct session *session = host->first, *next; session; session = next) {
        next = session->next;
        if (session->in || session->leaving)
            continue;
        if (session->enrolled && now_ms > session->begun_ms + SESSION_ENROL_MS)
            goodbye(session, BYE_DONE, "enrolled");
        else if (!session->enrolled && now_ms > session->begun_ms + SESSION_HELLO_MS)
            goodbye(session, BYE_PROTOCOL, "no HELLO came in time");
    }
    keep_seen(host);
}

void session_revoke(struct session_host *host)
{
    for (struct session *session = host->first, *next; session; session = next) {
        next = session->next;
        struct store_device device;
        if (!session->in || store_device_get(host->store, session->device, &device) != CN_OK ||
            !device.revoked_s)
            continue;
        cn_log(CN_LOG_INFO, "device revoked", cn_log_text("device", session->name));
        runner_device_out(host->runner, session->device, now(host));
        goodbye(session, BYE_REVOKED, "the operator shut this device out");
    }
}

void session_close_all(struct session_host *host, enum bye_code code, const char *text)
{
    for (struct session *session = host->first, *next; session; session = next) {
        next = session->next;
        goodbye(session, code, text);
    }
}

void session_traffic_start(struct session_host *host)
{
    host->gone_up = host->gone_down = 0;
    for (struct session *session = host->first; session; session = session->next)
        link_traffic(session->link, &session->down_mark, &session->up_mark);
}

void session_traffic(const struct session_host *host, const struct round *round, uint64_t *up,
                     uint64_t *down)
{
    *up = host->gone_up;
    *down = host->gone_down;
    for (const struct session *session = host->first; session; session = session->next) {
        if (!session->in || !round_has(round, session->device))
            continue;
        uint64_t sent, received;
        link_traffic(session->link, &sent, &received);
        *up += received - session->up_mark;
        *down += sent - session->down_mark;
    }
}
