/* SPDX-License-Identifier: Apache-2.0 */
/* The connecting side's beginning: the name, its addresses one after the other, TCP. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "protocol/link_internal.h"

/* A look-up runs on a pool thread and can not always be called back; link is NULL once the link has
 * stopped waiting for it. */
struct link_lookup {
    uv_getaddrinfo_t request;
    struct link *link;
};

static void try_next(struct link *link);

bool link_address_parse(struct sockaddr_storage *out, const char *host, uint16_t port)
{
    memset(out, 0, sizeof *out);
    return uv_ip4_addr(host, port, (struct sockaddr_in *)(void *)out) == 0 ||
           uv_ip6_addr(host, port, (struct sockaddr_in6 *)(void *)out) == 0;
}

void link_address_text(char out[LINK_PEER_MAX], const struct sockaddr_storage *address)
{
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;
    char name[INET6_ADDRSTRLEN] = "";

    if (address->ss_family == AF_INET6) {
        (void)uv_ip6_name(v6, name, sizeof name);
        (void)snprintf(out, LINK_PEER_MAX, "[%s]:%u", name, (unsigned)ntohs(v6->sin6_port));
    } else {
        (void)uv_ip4_name(v4, name, sizeof name);
        (void)snprintf(out, LINK_PEER_MAX, "%s:%u", name, (unsigned)ntohs(v4->sin_port));
    }
}

/* Says what a person can do about it. */
static void stop_for(struct link *link, int status)
{
    if (status == UV_ECONNREFUSED)
        link_stop(link, CN_E_CLOSED,
                  "nothing listens at %s (connection refused): is the aggregator running, and are "
                  "address and port right?",
                  link->peer);
    else if (status == UV_ENETUNREACH || status == UV_EHOSTUNREACH)
        link_stop(link, CN_E_CLOSED, "there is no way to %s (%s): is this machine online?",
                  link->peer, uv_strerror(status));
    else
        link_stop(link, CN_E_CLOSED, "%s can not be reached (%s)", link->peer, uv_strerror(status));
}

static void on_attempt_closed(uv_handle_t *handle)
{
    struct link *link = handle->data;

    link_handle_closed(link); /* the timer still counts, so the link is still there unless closed */
}

/* For an attempt that failed: its socket goes, and the next address is tried when it has gone. */
static void on_failed_closed(uv_handle_t *handle)
{
    struct link *link = handle->data;

    if (link->state == LINK_CLOSED) {
        on_attempt_closed(handle);
        return;
    }
    link->handles--;
    try_next(link);
}

static void attempt_failed(struct link *link, int status)
{
    if (link->target->next >= link->target->count) {
        stop_for(link, status);
        return;
    }
    link->socket_open = false;
    uv_close((uv_handle_t *)&link->socket, on_failed_closed);
}

static void on_connect(uv_connect_t *request, int status)
{
    struct link *link = request->data;

    /* Cancelled: the deadline or the owner closed this socket already. */
    if (link->state != LINK_CONNECT || !link->socket_open || status == UV_ECANCELED)
        return;
    if (status < 0)
        attempt_failed(link, status);
    else
        link_begin(link);
}

/* Tries the next address; the time that is left is shared among those not tried. */
static void try_next(struct link *link)
{
    struct link_target *target = link->target;
    const struct sockaddr_storage *address = &target->addresses[target->next];
    uint64_t now = uv_now(link->loop);
    uint64_t left = target->end_ms > now ? target->end_ms - now : 0;
    int status;

    link->state = LINK_CONNECT;
    link_set_deadline(link, now + left / (target->count - target->next));
    target->next++;
    link_address_text(link->peer, address);
    if (link_socket_init(link) != CN_OK) {
        link_stop(link, CN_E_NOMEM, "%s", cn_err_text(CN_E_NOMEM));
        return;
    }
    target->request.data = link;
    status = uv_tcp_connect(&target->request, &link->socket,
                            (const struct sockaddr *)(const void *)address, on_connect);
    if (status < 0)
        attempt_failed(link, status);
}

void link_connect_late(struct link *link)
{
    char text[CN_TIME_TEXT_BYTES];

    if (link->state == LINK_CONNECT && link->target->next < link->target->count) {
        if (link->socket_open)
            attempt_failed(link, UV_ETIMEDOUT);
        return;
    }
    cn_duration_text(link->limits.handshake_ms, text);
    if (link->state == LINK_LOOKUP)
        link_stop(link, CN_E_DEADLINE, "the name %s was not found within %s", link->target->host,
                  text);
    else
        link_stop(
            link, CN_E_DEADLINE,
            "no answer from %s within %s: is it switched on, and does a firewall let the port "
            "through?",
            link->peer, text);
}

void link_connect_forget(struct link *link)
{
    struct link_lookup *lookup = link->target->lookup;

    if (!lookup)
        return;
    lookup->link = NULL;
    (void)uv_cancel((uv_req_t *)&lookup->request); /* or its answer comes and finds nobody */
    link->target->lookup = NULL;
}

static void keep_addresses(struct link_target *target, const struct addrinfo *found)
{
    for (; found && target->count < LINK_ADDRESSES_MAX; found = found->ai_next) {
        struct sockaddr_storage *out = &target->addresses[target->count];

        if (found->ai_family != AF_INET && found->ai_family != AF_INET6)
            continue;
        memset(out, 0, sizeof *out);
        memcpy(out, found->ai_addr, found->ai_addrlen);
        target->count++;
    }
}

static void on_found(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct link_lookup *lookup = request->data;
    struct link *link = lookup->link;

    if (link) {
        link->target->lookup = NULL;
        if (status == 0)
            keep_addresses(link->target, found);
        if (link->target->count > 0)
            try_next(link);
        else
            link_stop(link, CN_E_CLOSED, "the name %s is not known (%s)", link->target->host,
                      uv_strerror(status));
    }
    uv_freeaddrinfo(found);
    free(lookup);
}

static enum cn_err look_up(struct link *link)
{
    struct link_target *target = link->target;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    char port[8];

    target->lookup = calloc(1, sizeof *target->lookup);
    if (!target->lookup)
        return CN_E_NOMEM;
    target->lookup->link = link;
    target->lookup->request.data = target->lookup;
    (void)snprintf(port, sizeof port, "%u", (unsigned)target->port);
    if (uv_getaddrinfo(link->loop, &target->lookup->request, on_found, target->host, port,
                       &hints) == 0)
        return CN_OK;
    free(target->lookup);
    target->lookup = NULL;
    return CN_E_NOMEM;
}

static enum cn_err target_new(struct link_target **out, const char *host, uint16_t port,
                              uint64_t end_ms)
{
    struct link_target *target;

    *out = NULL;
    if (strlen(host) == 0 || strlen(host) >= sizeof target->host || port == 0)
        return CN_E_CONFIG;
    target = calloc(1, sizeof *target);
    if (!target)
        return CN_E_NOMEM;
    (void)snprintf(target->host, sizeof target->host, "%s", host);
    target->port = port;
    target->end_ms = end_ms;
    *out = target;
    return CN_OK;
}

enum cn_err link_connect(struct link **out, uv_loop_t *loop, struct link_tls *tls, const char *host,
                         uint16_t port, const struct link_events *events, void *ctx,
                         const struct link_limits *limits)
{
    struct link *link;
    enum cn_err err;

    *out = NULL;
    CN_TRY(link_new(&link, loop, tls, limits));
    uv_update_time(loop);
    (void)snprintf(link->peer, sizeof link->peer, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host,
                   (unsigned)port);
    err = target_new(&link->target, host, port, uv_now(loop) + link->limits.handshake_ms);
    if (err == CN_OK && link_address_parse(&link->target->addresses[0], host, port)) {
        link->target->count = 1;
        try_next(link);
    } else if (err == CN_OK) {
        link->state = LINK_LOOKUP;
        link_set_deadline(link, link->target->end_ms);
        err = look_up(link);
    }
    if (err != CN_OK) {
        link->silent = true;
        link_stop(link, err, "%s", cn_err_text(err));
        return err;
    }
    link->events = *events;
    link->ctx = ctx;
    *out = link;
    return CN_OK;
}
