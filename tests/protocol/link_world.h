/* SPDX-License-Identifier: Apache-2.0 */
/* A loop with a listener, links to it, and a peer made of a bare socket that can misbehave in ways
 * a link never would. */
#ifndef CAIRN_TESTS_PROTOCOL_LINK_WORLD_H
#define CAIRN_TESTS_PROTOCOL_LINK_WORLD_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/frame.h"
#include "protocol/link.h"
#include "protocol/tls.h"
#include "protocol/transfer.h"

#define WORLD_ENDS 16
#define GUARD_MS 20000

/* One side of one connection: what happened to it, and what it shall do. */
struct end {
    struct link *link;
    int opened, closed, messages, drained;
    enum cn_err why;
    enum bye_code bye;
    char text[512];
    struct message last; /* without its arrays */
    struct transfer_in in;
    struct transfer_out out;
    bool done;
    enum cn_err answer; /* what message() returns */
    void (*on_opened)(struct end *end);
    void (*on_message)(struct end *end, const struct message *message);
    void (*on_drained)(struct end *end);
};

struct world {
    uv_loop_t loop;
    uv_timer_t guard;
    struct link_tls *server_tls, *client_tls;
    struct link_listener *listener;
    struct link_limits limits;
    struct end ends[WORLD_ENDS]; /* of accepted links, in order */
    int accepted;
    uint32_t links_max;
    bool turn_away;
    void (*on_accepted)(struct end *end); /* sets what a new end shall do */
    char folder[64], certificate[96], key[96];
};

static inline void end_opened(void *ctx, struct link *link)
{
    struct end *end = ctx;

    cr_assert_eq(end->closed, 0);
    end->link = link;
    end->opened++;
    if (end->on_opened)
        end->on_opened(end);
}

static inline enum cn_err end_message(void *ctx, struct link *link, const struct message *message)
{
    struct end *end = ctx;

    cr_assert_eq(end->link, link);
    cr_assert_eq(end->closed, 0);
    end->messages++;
    end->last = *message;
    if (end->on_message)
        end->on_message(end, message);
    return end->answer;
}

static inline void end_drained(void *ctx, struct link *link)
{
    struct end *end = ctx;

    cr_assert_eq(end->link, link);
    end->drained++;
    if (end->on_drained)
        end->on_drained(end);
}

static inline void end_closed(void *ctx, struct link *link, enum cn_err why, enum bye_code bye,
                              const char *text)
{
    struct end *end = ctx;

    (void)link;
    cr_assert_eq(end->closed, 0, "closed comes once");
    end->closed++;
    end->link = NULL;
    end->why = why;
    end->bye = bye;
    snprintf(end->text, sizeof end->text, "%s", text);
}

static const struct link_events end_events = {end_opened, end_message, end_drained, end_closed};

static inline bool world_accepted(void *ctx, struct link *link, struct link_events *events,
                                  void **link_ctx)
{
    struct world *world = ctx;
    struct end *end = &world->ends[world->accepted % WORLD_ENDS];

    if (world->turn_away)
        return false;
    world->accepted++;
    end->link = link;
    if (world->on_accepted)
        world->on_accepted(end);
    *events = end_events;
    *link_ctx = end;
    return true;
}

static inline void world_guard(uv_timer_t *timer)
{
    (void)timer;
    cr_assert_fail("the awaited did not happen within %d ms", GUARD_MS);
}

/* Runs the loop until *flag. */
static inline void run_until(struct world *world, const int *flag)
{
    uv_timer_start(&world->guard, world_guard, GUARD_MS, 0);
    while (!*flag)
        uv_run(&world->loop, UV_RUN_ONCE);
    uv_timer_stop(&world->guard);
}

static inline void world_wake(uv_timer_t *timer)
{
    (void)timer;
}

/* Runs the loop for so long. */
static inline void run_for(struct world *world, uint64_t ms)
{
    uint64_t end = uv_hrtime() / 1000000 + ms;

    uv_timer_start(&world->guard, world_wake, 1, 1);
    while (uv_hrtime() / 1000000 < end)
        uv_run(&world->loop, UV_RUN_ONCE);
    uv_timer_stop(&world->guard);
}

static inline void world_keys(struct world *world)
{
    uint8_t pin[LINK_PIN_BYTES];

    strcpy(world->folder, "/tmp/cairn-link-XXXXXX");
    cr_assert_not_null(mkdtemp(world->folder));
    snprintf(world->certificate, sizeof world->certificate, "%s/tls.crt", world->folder);
    snprintf(world->key, sizeof world->key, "%s/tls.key", world->folder);
    cr_assert_eq(link_tls_generate(world->certificate, world->key, "test", NULL), CN_OK);
    cr_assert_eq(link_tls_server(&world->server_tls, world->certificate, world->key, NULL), CN_OK);
    link_tls_pin(world->server_tls, pin);
    cr_assert_eq(link_tls_client(&world->client_tls, pin, NULL), CN_OK);
}

static inline void world_listen(struct world *world, const char *host)
{
    struct link_accept accept = {
        world_accepted, world, world->links_max ? world->links_max : 100, {0}};
    struct cn_diag diag = {0};

    cr_assert_eq(link_listen(&world->listener, &world->loop, world->server_tls, host, 0, &accept,
                             &world->limits, &diag),
                 CN_OK, "%s", diag.text);
}

static inline void world_start(struct world *world)
{
    cr_assert_eq(uv_loop_init(&world->loop), 0);
    uv_timer_init(&world->loop, &world->guard);
    world_keys(world);
    world_listen(world, "127.0.0.1");
}

static inline void world_connect(struct world *world, struct end *end)
{
    cr_assert_eq(link_connect(&end->link, &world->loop, world->client_tls, "127.0.0.1",
                              link_listener_port(world->listener), &end_events, end,
                              &world->limits),
                 CN_OK);
}

/* Connects one end and waits until both sides are open. */
static inline void world_pair(struct world *world, struct end *end)
{
    struct end *other = &world->ends[world->accepted];

    world_connect(world, end);
    run_until(world, &end->opened);
    run_until(world, &other->opened);
}

/* Ends everything; nothing may be left in the loop. end: the connecting side, may be NULL. */
static inline void world_stop(struct world *world, struct end *end)
{
    if (end && end->link)
        link_abort(end->link, CN_E_CLOSED, "the test is over");
    for (int i = 0; i < WORLD_ENDS; i++) {
        if (world->ends[i].link)
            link_abort(world->ends[i].link, CN_E_CLOSED, "the test is over");
    }
    link_listener_close(world->listener);
    link_tls_free(world->server_tls);
    link_tls_free(world->client_tls);
    uv_close((uv_handle_t *)&world->guard, NULL);
    cr_assert_eq(uv_run(&world->loop, UV_RUN_DEFAULT), 0);
    cr_assert_eq(uv_loop_close(&world->loop), 0);
    unlink(world->certificate);
    unlink(world->key);
    rmdir(world->folder);
}

/* --- a peer of bare bytes --- */

struct raw {
    int fd;
    struct tls_context *context;
    struct tls *tls; /* NULL: plain TCP */
    struct cn_buf records;
    uint8_t in[65536];
    bool eof;
};

static inline void raw_open(struct world *world, struct raw *raw)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(link_listener_port(world->listener)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    memset(raw, 0, sizeof *raw);
    raw->fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_geq(raw->fd, 0);
    cr_assert_eq(connect(raw->fd, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(fcntl(raw->fd, F_SETFL, O_NONBLOCK), 0);
}

static inline void raw_flush(struct raw *raw)
{
    while (raw->records.len > 0) {
        ssize_t len = send(raw->fd, raw->records.data, raw->records.len, MSG_NOSIGNAL);
        if (len <= 0)
            return;
        cn_buf_drop(&raw->records, (size_t)len);
    }
}

/* Takes bytes that came; false when there are none. */
static inline bool raw_receive(struct raw *raw)
{
    ssize_t len = recv(raw->fd, raw->in, sizeof raw->in, 0);

    if (len == 0 || (len < 0 && errno != EAGAIN))
        raw->eof = true;
    if (len <= 0)
        return false;
    if (raw->tls)
        tls_input(raw->tls, raw->in, (size_t)len);
    return true;
}

static inline void raw_tls(struct world *world, struct raw *raw)
{
    enum tls_status status = TLS_HUNGRY;
    uint8_t pin[LINK_PIN_BYTES];

    raw_open(world, raw);
    link_tls_pin(world->server_tls, pin);
    cn_buf_init(&raw->records, (size_t)8 << 20);
    cr_assert_eq(tls_context_client(&raw->context, pin, NULL), CN_OK);
    cr_assert_eq(tls_new(&raw->tls, raw->context, &raw->records), CN_OK);
    tls_input(raw->tls, NULL, 0);
    while (status == TLS_HUNGRY) {
        status = tls_handshake(raw->tls);
        raw_flush(raw);
        run_for(world, 2);
        if (status == TLS_HUNGRY && !raw_receive(raw))
            tls_input(raw->tls, NULL, 0);
    }
    cr_assert_eq(status, TLS_OK);
    run_until(world, &world->ends[0].opened);
}

static inline void raw_send(struct raw *raw, const void *bytes, size_t len)
{
    cr_assert_eq(tls_write(raw->tls, bytes, len), CN_OK);
    raw_flush(raw);
}

/* The next message, whatever the loop has to do for it; MESSAGE_NONE at the end of the stream. */
static inline enum message_type raw_next(struct world *world, struct raw *raw,
                                         struct message *message)
{
    static struct frame_reader reader;
    static struct cn_arena arena;
    static uint8_t plain[65536];
    static size_t at, len;
    struct frame frame;
    size_t used;

    cn_arena_init(&arena, 1 << 20);
    if (reader.part.max == 0)
        frame_reader_init(&reader);
    for (int i = 0; i < 5000; i++) {
        if (at == len) {
            at = 0;
            if (tls_read(raw->tls, plain, sizeof plain, &len) != TLS_OK) {
                len = 0;
                if (raw->eof)
                    break;
                run_for(world, 1);
                if (!raw_receive(raw))
                    tls_input(raw->tls, NULL, 0);
                continue;
            }
        }
        cr_assert_eq(frame_reader_take(&reader, plain + at, len - at, &used, &frame), CN_OK);
        at += used;
        if (frame.payload) {
            cr_assert_eq(message_decode(message, frame.payload, frame.len, &arena), CN_OK);
            return message->type;
        }
    }
    frame_reader_clear(&reader);
    return MESSAGE_NONE;
}

static inline void raw_close(struct raw *raw)
{
    close(raw->fd);
    tls_free(raw->tls);
    tls_context_free(raw->context);
    cn_buf_clear(&raw->records);
}

#endif
