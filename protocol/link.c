/* SPDX-License-Identifier: Apache-2.0 */
/* A connection's life from the first TLS byte to its end.
 *
 * Bytes that come: socket -> tls -> frame -> message -> the owner's callback. Bytes that go:
 * message
 * -> frame -> tls -> pending -> socket. While one batch of records is with the kernel (flying) the
 * next gathers (pending), so that many small messages become one write. closed() is called from the
 * loop after the last handle's close callback, never inside a call of the owner's. */
#include "protocol/link.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/clock.h"
#include "protocol/link_internal.h"

/* PONG, BYE and TLS's own records may still be queued when messages may not. */
#define QUEUE_SPARE_BYTES ((size_t)64 * 1024)
#define BUFFER_KEEP_BYTES ((size_t)64 * 1024) /* an idle link holds no more than this */
#define LATE_MS 1000                          /* a timer so late: the loop was busy, not the peer */

static const struct link_limits limits_default = {
    .handshake_ms = 10000,
    .heartbeat_ms = 15000,
    .dead_ms = 45000,
    .close_ms = 2000,
    .frame_ms = 30000,
};

static void on_timer(uv_timer_t *timer);
static void flush(struct link *link);

/* --- beginning and end --- */

static struct link_limits limits_or_default(const struct link_limits *limits)
{
    struct link_limits out = limits ? *limits : limits_default;

#define DEFAULT(field) out.field = out.field ? out.field : limits_default.field
    DEFAULT(handshake_ms);
    DEFAULT(heartbeat_ms);
    DEFAULT(dead_ms);
    DEFAULT(close_ms);
    DEFAULT(frame_ms);
#undef DEFAULT
    return out;
}

enum cn_err link_new(struct link **out, uv_loop_t *loop, struct link_tls *tls,
                     const struct link_limits *limits)
{
    struct link *link = calloc(1, sizeof *link);

    *out = NULL;
    if (!link)
        return CN_E_NOMEM;
    link->loop = loop;
    link->limits = limits_or_default(limits);
    link->bye = BYE_CODE_COUNT;
    frame_reader_init(&link->reader);
    cn_buf_init(&link->pending, LINK_QUEUE_BYTES_MAX + QUEUE_SPARE_BYTES);
    cn_buf_init(&link->flying, LINK_QUEUE_BYTES_MAX + QUEUE_SPARE_BYTES);
    if (tls_new(&link->session, tls->context, &link->pending) != CN_OK) {
        free(link);
        return CN_E_NOMEM;
    }
    link->tls = link_tls_share(tls);
    (void)uv_timer_init(loop, &link->timer); /* can not fail */
    link->timer.data = link;
    link->handles = 1;
    *out = link;
    return CN_OK;
}

enum cn_err link_socket_init(struct link *link)
{
    if (uv_tcp_init(link->loop, &link->socket) != 0)
        return CN_E_NOMEM;
    link->socket.data = link;
    link->socket_open = true;
    link->handles++;
    return CN_OK;
}

static void link_free(struct link *link)
{
    tls_free(link->session);
    frame_reader_clear(&link->reader);
    cn_buf_clear(&link->pending);
    cn_buf_clear(&link->flying);
    link_tls_free(link->tls);
    free(link->target);
    free(link);
}

void link_handle_closed(struct link *link)
{
    if (--link->handles > 0 || link->state != LINK_CLOSED)
        return;
    if (link->listener)
        link_listener_leave(link->listener, link->place);
    if (!link->silent)
        link->events.closed(link->ctx, link, link->why, link->bye, link->text);
    link_free(link);
}

static void on_handle_closed(uv_handle_t *handle)
{
    link_handle_closed(handle->data);
}

/* Keeps the first reason. */
static void keep_reason(struct link *link, enum cn_err why, const char *text)
{
    if (link->why != CN_OK)
        return;
    link->why = why;
    (void)snprintf(link->text, sizeof link->text, "%s", text);
}

static void close_handles(struct link *link)
{
    if (link->state == LINK_CLOSED)
        return;
    link->state = LINK_CLOSED;
    if (link->target)
        link_connect_forget(link);
    if (link->socket_open) {
        link->socket_open = false;
        uv_close((uv_handle_t *)&link->socket, on_handle_closed);
    }
    uv_close((uv_handle_t *)&link->timer, on_handle_closed);
}

void link_stop(struct link *link, enum cn_err why, const char *format, ...)
{
    char text[LINK_TEXT_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    keep_reason(link, why, text);
    close_handles(link);
}

/* --- time --- */

/* Sees that the timer fires at due_ms or before. A timer that fires early only looks and sets
 * itself again, so hearing something costs no timer call. */
static void wake_by(struct link *link, uint64_t due_ms)
{
    uint64_t now = uv_now(link->loop);

    if (link->state == LINK_CLOSED || (link->due_ms != 0 && link->due_ms <= due_ms))
        return;
    link->due_ms = due_ms;
    (void)uv_timer_start(&link->timer, on_timer, due_ms > now ? due_ms - now : 0, 0);
}

void link_set_deadline(struct link *link, uint64_t deadline_ms)
{
    link->deadline_ms = deadline_ms;
    wake_by(link, deadline_ms);
}

/* An open link's next moment to look. */
static void wake_when_open(struct link *link)
{
    uint64_t quiet = link->heard_ms > link->pinged_ms ? link->heard_ms : link->pinged_ms;
    uint64_t due = quiet + link->limits.heartbeat_ms;

    if (link->heard_ms + link->limits.dead_ms < due)
        due = link->heard_ms + link->limits.dead_ms;
    if (frame_reader_inside(&link->reader) && link->frame_ms + link->limits.frame_ms < due)
        due = link->frame_ms + link->limits.frame_ms;
    wake_by(link, due);
}

/* Stops a link whose peer takes no bytes: heartbeats alone would keep it. */
static bool is_stuck(struct link *link, uint64_t now)
{
    size_t waiting = link->socket_open ? uv_stream_get_write_queue_size((void *)&link->socket) : 0;

    if (waiting == 0 || waiting != link->stuck_bytes)
        link->moved_ms = now;
    link->stuck_bytes = waiting;
    return now - link->moved_ms >= link->limits.dead_ms;
}

static enum cn_err send_any(struct link *link, const struct message *message, size_t queue_max);

static void refuse(struct link *link, enum cn_err why, const char *text);

static void look_at_open(struct link *link, uint64_t now)
{
    char text[CN_TIME_TEXT_BYTES];

    if (frame_reader_inside(&link->reader) && now - link->frame_ms >= link->limits.frame_ms) {
        refuse(link, CN_E_DEADLINE, "a message was begun and not finished in time");
        return;
    }
    if (now - link->heard_ms >= link->limits.dead_ms) {
        link_stop(link, CN_E_DEADLINE, "nothing was heard from %s for %s", link->peer,
                  cn_duration_text(link->limits.dead_ms, text));
        return;
    }
    if (is_stuck(link, now)) {
        link_stop(link, CN_E_DEADLINE, "%s took no bytes for %s", link->peer,
                  cn_duration_text(link->limits.dead_ms, text));
        return;
    }
    if (now - link->heard_ms >= link->limits.heartbeat_ms &&
        now - link->pinged_ms >= link->limits.heartbeat_ms) {
        struct message ping = {.type = MESSAGE_PING, .as.ping.nonce = now};

        link->pinged_ms = now;
        CN_IGNORE(send_any(link, &ping, LINK_QUEUE_BYTES_MAX)); /* a full queue is traffic enough */
    }
    wake_when_open(link);
}

/* The loop itself was away (a debugger, a suspended machine, a long callback): what the peer sent
 * meanwhile lies unread, so the time does not count against it. */
static void forgive_lateness(struct link *link, uint64_t now, uint64_t due)
{
    uint64_t late = now - due;

    if (now < due || late < LATE_MS)
        return;
    link->heard_ms += late;
    link->pinged_ms += late;
    link->frame_ms += late;
    link->moved_ms += late;
}

static void on_timer(uv_timer_t *timer)
{
    struct link *link = timer->data;
    uint64_t now = uv_now(link->loop), due = link->due_ms;
    char text[CN_TIME_TEXT_BYTES];

    link->due_ms = 0;
    if (link->state == LINK_OPEN) {
        forgive_lateness(link, now, due);
        look_at_open(link, now);
    } else if (now < link->deadline_ms) {
        wake_by(link, link->deadline_ms);
    } else if (link->state == LINK_LINGER) {
        close_handles(link);
    } else if (link->state == LINK_HANDSHAKE) {
        link_stop(link, CN_E_DEADLINE, "%s did not set up TLS within %s", link->peer,
                  cn_duration_text(link->limits.handshake_ms, text));
    } else {
        link_connect_late(link);
    }
}

/* --- bytes that go --- */

static size_t queued(const struct link *link)
{
    return link->pending.len + uv_stream_get_write_queue_size((const void *)&link->socket);
}

/* When nothing waits any more a lingering link sends FIN; the peer's end of stream, or the
 * deadline, is then the end. Closing at once could make the kernel throw the last bytes away. */
static void on_shut(uv_shutdown_t *request, int status)
{
    (void)request;
    (void)status;
}

static void all_has_left(struct link *link)
{
    if (link->pending.cap > BUFFER_KEEP_BYTES)
        cn_buf_clear(&link->pending);
    if (link->flying.cap > BUFFER_KEEP_BYTES)
        cn_buf_clear(&link->flying);
    if (link->state != LINK_LINGER || link->shut)
        return;
    link->shut = true;
    if (uv_shutdown(&link->shutdown, (uv_stream_t *)&link->socket, on_shut) != 0)
        close_handles(link);
}

static void tell_drained(struct link *link)
{
    if (!link->congested || link->state != LINK_OPEN || queued(link) > LINK_QUEUE_BYTES_MAX / 2)
        return;
    link->congested = false;
    link->corked = true;
    if (link->events.drained)
        link->events.drained(link->ctx, link);
    link->corked = false;
}

static void on_written(uv_write_t *request, int status)
{
    struct link *link = request->data;

    link->writing = false;
    cn_buf_reset(&link->flying);
    if (link->state == LINK_CLOSED)
        return;
    if (status < 0) {
        link_stop(link, CN_E_CLOSED, "the connection to %s broke (%s)", link->peer,
                  uv_strerror(status));
        return;
    }
    link->moved_ms = uv_now(link->loop);
    flush(link);
    tell_drained(link);
    flush(link);
    if (link->state != LINK_CLOSED && !link->writing)
        all_has_left(link);
}

/* Hands the pending records to the kernel unless earlier ones are still on their way. */
static void flush(struct link *link)
{
    struct cn_buf records = link->pending;
    uv_buf_t buf;
    int status;

    if (link->writing || link->corked || link->state == LINK_CLOSED || records.len == 0)
        return;
    link->pending = link->flying;
    link->flying = records;
    link->writing = true;
    link->sent += records.len;
    link->write.data = link;
    buf = uv_buf_init((char *)records.data, (unsigned)records.len);
    status = uv_write(&link->write, (uv_stream_t *)&link->socket, &buf, 1, on_written);
    if (status < 0) {
        link->writing = false;
        link_stop(link, CN_E_CLOSED, "the connection to %s broke (%s)", link->peer,
                  uv_strerror(status));
    }
}

static enum cn_err send_any(struct link *link, const struct message *message, size_t queue_max)
{
    struct cn_buf *frame = &link->tls->frame;
    size_t waiting = queued(link);
    const char *text;
    enum cn_err err;

    cn_buf_reset(frame);
    CN_TRY(frame_encode(frame, message));
    if (waiting + tls_write_bytes_max(frame->len) > queue_max)
        return CN_E_TOO_LARGE;
    err = tls_write(link->session, frame->data, frame->len);
    if (message->type == MESSAGE_REVEAL)
        OPENSSL_cleanse(frame->data, frame->len);
    if (err != CN_OK) {
        err = tls_failure(link->session, &text);
        link_stop(link, err, "%s", text);
        return CN_E_CLOSED;
    }
    if (queued(link) > LINK_QUEUE_BYTES_MAX / 2)
        link->congested = true;
    flush(link);
    return CN_OK;
}

enum cn_err link_send(struct link *link, const struct message *message)
{
    if (link->state < LINK_OPEN)
        return CN_E_STATE;
    if (link->state > LINK_OPEN)
        return CN_E_CLOSED;
    return send_any(link, message, LINK_QUEUE_BYTES_MAX);
}

/* Lets what is queued leave, drops what comes, then closes. */
static void linger(struct link *link)
{
    link->state = LINK_LINGER;
    flush(link);
    if (link->state != LINK_LINGER)
        return;
    link_set_deadline(link, uv_now(link->loop) + link->limits.close_ms);
    if (!link->writing && link->pending.len == 0)
        all_has_left(link);
}

static void say_bye(struct link *link, enum bye_code code, const char *text)
{
    struct message bye = {.type = MESSAGE_BYE, .as.bye.code = (uint8_t)code};

    (void)snprintf(bye.as.bye.text, sizeof bye.as.bye.text, "%s", text);
    CN_IGNORE(send_any(link, &bye, LINK_QUEUE_BYTES_MAX + QUEUE_SPARE_BYTES / 2));
    if (link->state != LINK_OPEN)
        return;
    tls_close(link->session);
    linger(link);
}

void link_bye(struct link *link, enum bye_code code, const char *text)
{
    if (link->state >= LINK_LINGER)
        return;
    keep_reason(link, CN_E_CLOSED, text);
    if (link->state == LINK_OPEN)
        say_bye(link, code, text);
    else
        close_handles(link);
}

void link_abort(struct link *link, enum cn_err why, const char *text)
{
    if (link->state < LINK_CLOSED)
        link_stop(link, why, "%s", text);
}

/* The peer broke the protocol: says so, and closes for this reason. */
static void refuse(struct link *link, enum cn_err why, const char *text)
{
    keep_reason(link, why, text);
    say_bye(link, BYE_PROTOCOL, text);
}

static void fail_tls(struct link *link)
{
    const char *text;
    enum cn_err why = tls_failure(link->session, &text);

    keep_reason(link, why, text);
    linger(link); /* an alert may be on its way */
}

/* --- bytes that come --- */

static void answer_ping(struct link *link, uint64_t nonce)
{
    struct message pong = {.type = MESSAGE_PONG, .as.pong.nonce = nonce};

    /* A peer that asks and does not read gets no answer: its queue is full. */
    CN_IGNORE(send_any(link, &pong, LINK_QUEUE_BYTES_MAX));
}

static void take_bye(struct link *link, const struct message_bye *bye)
{
    if (link->why == CN_OK)
        link->bye = (enum bye_code)bye->code;
    if (bye->text[0] != '\0')
        link_stop(link, CN_E_CLOSED, "%s", bye->text);
    else
        link_stop(link, CN_E_CLOSED, "%s ended the connection", link->peer);
}

static void give_message(struct link *link, const struct message *message)
{
    enum cn_err err = link->events.message(link->ctx, link, message);
    char text[MESSAGE_TEXT_MAX];

    if (err == CN_OK || link->state != LINK_OPEN)
        return;
    (void)snprintf(text, sizeof text, "%s: %s", message_name(message->type), cn_err_text(err));
    if (cn_err_class(err) == CN_CLASS_PEER)
        refuse(link, err, text);
    else
        link_stop(link, err, "%s", text);
}

/* Secrets do not stay in shared memory. */
static void wipe(struct link *link, const struct message *message, const struct frame *frame)
{
    const struct message_reveal *reveal = &message->as.reveal;
    bool whole = frame->payload != link->reader.part.data; /* it came in one piece */

    if (message->type != MESSAGE_REVEAL)
        return;
    OPENSSL_cleanse(reveal->shares, reveal->count * sizeof *reveal->shares);
    if (whole)
        OPENSSL_cleanse(link->tls->plain + (frame->payload - link->tls->plain), frame->len);
    else
        OPENSSL_cleanse(link->reader.part.data, frame->len);
}

static void take_frame(struct link *link, const struct frame *frame)
{
    struct cn_arena *arena = &link->tls->arena;
    struct message message;
    enum cn_err err = message_decode(&message, frame->payload, frame->len, arena);

    if (err != CN_OK)
        refuse(link, err, "a message could not be read");
    else if (message.type == MESSAGE_PING)
        answer_ping(link, message.as.ping.nonce);
    else if (message.type == MESSAGE_BYE)
        take_bye(link, &message.as.bye);
    else if (message.type != MESSAGE_PONG)
        give_message(link, &message);
    wipe(link, &message, frame);
    if (arena->used_bytes > 0)
        cn_arena_clear(arena);
}

static void take_plain(struct link *link, size_t len)
{
    uint64_t now = uv_now(link->loop);
    bool began = !frame_reader_inside(&link->reader);
    size_t at = 0, used;
    struct frame frame;

    link->heard_ms = now;
    while (at < len && link->state == LINK_OPEN) {
        enum cn_err err =
            frame_reader_take(&link->reader, link->tls->plain + at, len - at, &used, &frame);

        at += used;
        if (err != CN_OK) {
            refuse(link, err, "the length of a message is out of range");
        } else if (frame.payload) {
            began = true;
            take_frame(link, &frame);
        }
    }
    if (began)
        link->frame_ms = now;
}

/* Reads records until the scratch is full or more is needed. */
static enum tls_status read_plain(struct link *link, size_t *len)
{
    enum tls_status status = TLS_OK;

    *len = 0;
    while (status == TLS_OK && *len < LINK_RECEIVE_BYTES) {
        size_t got;

        status = tls_read(link->session, link->tls->plain + *len, LINK_RECEIVE_BYTES - *len, &got);
        *len += got;
    }
    return status;
}

static void end_of_stream(struct link *link, int status)
{
    if (link->state == LINK_LINGER)
        close_handles(link);
    else if (status == UV_EOF || status == UV_ECONNRESET)
        link_stop(link, CN_E_CLOSED, "%s closed the connection%s", link->peer,
                  link->state == LINK_HANDSHAKE ? " while TLS was being set up" : "");
    else
        link_stop(link, CN_E_CLOSED, "the connection to %s broke (%s)", link->peer,
                  uv_strerror(status));
}

static void take_open(struct link *link)
{
    enum tls_status status = TLS_OK;

    while (status == TLS_OK && link->state == LINK_OPEN) {
        size_t len;

        status = read_plain(link, &len);
        if (len > 0)
            take_plain(link, len);
    }
    if (link->state != LINK_OPEN)
        return;
    if (status == TLS_FAILED)
        fail_tls(link);
    else if (status == TLS_CLOSED)
        end_of_stream(link, UV_EOF);
    else
        wake_when_open(link);
}

static void take_handshake(struct link *link)
{
    enum tls_status status = tls_handshake(link->session);
    uint64_t now = uv_now(link->loop);

    if (status == TLS_FAILED)
        fail_tls(link);
    else if (status == TLS_CLOSED)
        end_of_stream(link, UV_EOF);
    if (status != TLS_OK)
        return;
    link->state = LINK_OPEN;
    link->heard_ms = link->pinged_ms = link->moved_ms = now;
    free(link->target);
    link->target = NULL;
    link->events.opened(link->ctx, link);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct link *link = handle->data;

    (void)suggested;
    *buf = uv_buf_init((char *)link->tls->received, LINK_RECEIVE_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct link *link = stream->data;

    if (len < 0)
        end_of_stream(link, (int)len);
    if (len <= 0 || link->state == LINK_LINGER || link->state == LINK_CLOSED)
        return;
    link->received += (uint64_t)len;
    link->corked = true;
    tls_input(link->session, (const uint8_t *)buf->base, (size_t)len);
    if (link->state == LINK_HANDSHAKE)
        take_handshake(link);
    if (link->state == LINK_OPEN)
        take_open(link);
    tls_input(link->session, NULL, 0); /* what is left belongs to a link that closes */
    link->corked = false;
    flush(link);
    if (link->state == LINK_LINGER && !link->writing)
        all_has_left(link);
}

void link_begin(struct link *link)
{
    uint64_t now = uv_now(link->loop);
    int status = uv_read_start((uv_stream_t *)&link->socket, on_alloc, on_read);

    if (status < 0) {
        link_stop(link, CN_E_CLOSED, "the connection broke (%s)", uv_strerror(status));
        return;
    }
    (void)uv_tcp_nodelay(&link->socket, 1);
    (void)uv_tcp_keepalive(&link->socket, 1, 60);
    link->state = LINK_HANDSHAKE;
    link_set_deadline(link, link->target ? link->target->end_ms : now + link->limits.handshake_ms);
    tls_input(link->session, NULL, 0);
    if (!link->listener && tls_handshake(link->session) == TLS_FAILED)
        fail_tls(link);
    flush(link);
}

/* --- questions --- */

bool link_congested(const struct link *link)
{
    return link->state == LINK_OPEN && queued(link) > LINK_QUEUE_BYTES_MAX / 2;
}

void link_traffic(const struct link *link, uint64_t *sent, uint64_t *received)
{
    *sent = link->sent;
    *received = link->received;
}

enum cn_err link_exporter(struct link *link, uint8_t out[LINK_EXPORTER_BYTES])
{
    if (link->state != LINK_OPEN)
        return CN_E_STATE;
    return tls_exporter(link->session, out, LINK_EXPORTER_BYTES);
}

const char *link_peer(const struct link *link)
{
    return link->peer;
}

void link_set_ctx(struct link *link, void *ctx)
{
    link->ctx = ctx;
}
