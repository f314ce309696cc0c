/* SPDX-License-Identifier: Apache-2.0 */
/* The accepting side's beginning: a listening socket, a bound on links, and patience when the
 * process has no descriptors left: then the socket is closed for a while and opened again, for a
 * listening socket that can not accept keeps the loop spinning. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "protocol/link_internal.h"

#define BACKLOG 1024
#define PAUSE_FIRST_MS 100
#define PAUSE_LAST_MS 5000

struct link_listener {
    uv_tcp_t socket;
    uv_timer_t timer;
    uint32_t handles; /* whose close callback is still to come */
    uint32_t links;
    bool closing;
    bool socket_open;
    uint64_t pause_ms;
    struct link_tls *tls;
    struct link_accept accept;
    struct link_limits limits;
    struct sockaddr_storage address; /* with the port that was given */
    struct cn_log_limit log;
    struct door *door;
};

static int open_socket(struct link_listener *listener, uv_loop_t *loop);

static void listener_free_if_done(struct link_listener *listener)
{
    if (!listener->closing || listener->handles > 0 || listener->links > 0)
        return;
    link_tls_free(listener->tls);
    door_free(listener->door);
    free(listener);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct link_listener *listener = handle->data;

    listener->handles--;
    listener_free_if_done(listener);
}

void link_listener_leave(struct link_listener *listener, uint32_t place)
{
    door_leave(listener->door, place);
    listener->links--;
    listener_free_if_done(listener);
}

static void close_socket(struct link_listener *listener)
{
    if (!listener->socket_open)
        return;
    listener->socket_open = false;
    uv_close((uv_handle_t *)&listener->socket, on_handle_closed);
}

void link_listener_close(struct link_listener *listener)
{
    if (!listener || listener->closing)
        return;
    listener->closing = true;
    close_socket(listener);
    uv_close((uv_handle_t *)&listener->timer, on_handle_closed);
}

/* --- patience --- */

static void on_pause_over(uv_timer_t *timer);

static void pause_for_a_while(struct link_listener *listener, int status)
{
    uint64_t dropped, wait = listener->pause_ms ? listener->pause_ms : PAUSE_FIRST_MS;

    if (cn_log_limit_pass(&listener->log, uv_now(listener->timer.loop), 3, 60000, &dropped))
        cn_log(CN_LOG_WARN, "no connection can be accepted for a moment",
               cn_log_text("cause", uv_strerror(status)), cn_log_uint("wait_ms", wait));
    close_socket(listener);
    listener->pause_ms = wait * 2 < PAUSE_LAST_MS ? wait * 2 : PAUSE_LAST_MS;
    (void)uv_timer_start(&listener->timer, on_pause_over, wait, 0);
}

static void on_pause_over(uv_timer_t *timer)
{
    struct link_listener *listener = timer->data;
    int status = open_socket(listener, timer->loop);

    if (status < 0)
        pause_for_a_while(listener, status);
}

/* --- connections --- */

/* Takes one connection into a link; a link that is not wanted is closed without a word. */
static bool admit(struct link_listener *listener, struct link *link)
{
    struct sockaddr_storage address;
    int len = sizeof address;

    if (listener->links > listener->accept.links_max ||
        uv_tcp_getpeername(&link->socket, (struct sockaddr *)(void *)&address, &len) != 0)
        return false;
    link_address_text(link->peer, &address);
    if (!door_enter(listener->door, &address, uv_now(listener->timer.loop), &link->place)) {
        if (cn_log_limit_pass(&listener->log, uv_now(listener->timer.loop), 3, 60000, NULL))
            cn_log(CN_LOG_WARN, "too many connections of one address; some are closed",
                   cn_log_text("peer", link->peer));
        return false;
    }
    return listener->accept.accepted(listener->accept.ctx, link, &link->events, &link->ctx);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct link_listener *listener = stream->data;
    struct link *link = NULL;

    if (status == 0 && link_new(&link, stream->loop, listener->tls, &listener->limits) != CN_OK)
        status = UV_ENOMEM;
    if (status != 0) {
        pause_for_a_while(listener, status);
        return;
    }
    link->listener = listener;
    link->reader.payload_max = MESSAGE_UP_BYTES_MAX;
    link->silent = true;
    listener->links++;
    if (link_socket_init(link) != CN_OK || uv_accept(stream, (uv_stream_t *)&link->socket) != 0 ||
        !admit(listener, link)) {
        link_stop(link, CN_E_BUSY, "not wanted");
        return;
    }
    listener->pause_ms = 0;
    link->silent = false;
    link_begin(link);
}

/* --- opening --- */

static int open_socket(struct link_listener *listener, uv_loop_t *loop)
{
    const struct sockaddr *address = (const struct sockaddr *)(const void *)&listener->address;
    int len = sizeof listener->address;
    int status = uv_tcp_init(loop, &listener->socket);

    if (status < 0)
        return status;
    listener->socket.data = listener;
    listener->socket_open = true;
    listener->handles++;
    status = uv_tcp_bind(&listener->socket, address, 0);
    if (status == 0)
        status = uv_listen((uv_stream_t *)&listener->socket, BACKLOG, on_connection);
    if (status == 0)
        status = uv_tcp_getsockname(&listener->socket,
                                    (struct sockaddr *)(void *)&listener->address, &len);
    if (status < 0)
        close_socket(listener);
    return status;
}

static enum cn_err explain(int status, const char *host, uint16_t port, struct cn_diag *diag)
{
    char place[CN_DIAG_PLACE_MAX];

    (void)snprintf(place, sizeof place, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host,
                   (unsigned)port);
    switch (status) {
    case UV_EADDRINUSE:
        cn_diag_set(diag, place, 0, 0, "another process listens at this address already");
        cn_diag_hint(
            diag, "stop it ('ss -ltnp sport = :%u' names it) or choose another port to listen at",
            (unsigned)port);
        return CN_E_BUSY;
    case UV_EACCES:
        cn_diag_set(diag, place, 0, 0, "this user may not listen at port %u", (unsigned)port);
        cn_diag_hint(diag, "choose a port from 1024 up");
        return CN_E_CONFIG;
    case UV_EADDRNOTAVAIL:
        cn_diag_set(diag, place, 0, 0, "this machine does not have the address %s", host);
        cn_diag_hint(diag, "'ip address' lists those it has; 0.0.0.0 or :: listens at all of them");
        return CN_E_CONFIG;
    default:
        cn_diag_set(diag, place, 0, 0, "listening is not possible: %s", uv_strerror(status));
        return status == UV_ENOMEM ? CN_E_NOMEM : CN_E_IO;
    }
}

/* Reads an address, or looks a name up; waits for the answer, which is fine before serving. */
static enum cn_err find_address(struct sockaddr_storage *out, uv_loop_t *loop, const char *host,
                                uint16_t port, struct cn_diag *diag)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    uv_getaddrinfo_t request;
    char service[8];
    int status;

    if (link_address_parse(out, host, port))
        return CN_OK;
    (void)snprintf(service, sizeof service, "%u", (unsigned)port);
    status = uv_getaddrinfo(loop, &request, NULL, host, service, &hints);
    if (status < 0) {
        cn_diag_set(diag, NULL, 0, 0, "the address to listen at, '%s', is not known (%s)", host,
                    uv_strerror(status));
        cn_diag_hint(diag, "give an address of this machine, or 0.0.0.0 or :: for all of them");
        return CN_E_CONFIG;
    }
    memset(out, 0, sizeof *out);
    memcpy(out, request.addrinfo->ai_addr, request.addrinfo->ai_addrlen);
    uv_freeaddrinfo(request.addrinfo);
    return CN_OK;
}

enum cn_err link_listen(struct link_listener **out, uv_loop_t *loop, struct link_tls *tls,
                        const char *host, uint16_t port, const struct link_accept *accept,
                        const struct link_limits *limits, struct cn_diag *diag)
{
    struct sockaddr_storage address;
    struct link_listener *listener;
    enum cn_err err;
    int status;

    *out = NULL;
    CN_TRY(find_address(&address, loop, host, port, diag));
    listener = calloc(1, sizeof *listener);
    if (!listener)
        return CN_E_NOMEM;
    err = door_new(&listener->door, &accept->door);
    if (err != CN_OK) {
        free(listener);
        return err;
    }
    listener->address = address;
    listener->accept = *accept;
    listener->limits = limits ? *limits : (struct link_limits){0};
    listener->tls = link_tls_share(tls);
    (void)uv_timer_init(loop, &listener->timer); /* can not fail */
    listener->timer.data = listener;
    listener->handles = 1;
    status = open_socket(listener, loop);
    if (status < 0) {
        link_listener_close(listener); /* gone when the loop has run */
        return explain(status, host, port, diag);
    }
    *out = listener;
    return CN_OK;
}

uint16_t link_listener_port(const struct link_listener *listener)
{
    const struct sockaddr_in *v4 = (const void *)&listener->address;
    const struct sockaddr_in6 *v6 = (const void *)&listener->address;

    return ntohs(listener->address.ss_family == AF_INET6 ? v6->sin6_port : v4->sin_port);
}
