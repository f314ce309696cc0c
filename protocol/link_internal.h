/* SPDX-License-Identifier: Apache-2.0 */
/* What link.c (a connection's life), link_connect.c, link_listen.c (its two beginnings) and
 * link_tls.c (its keys) share. */
#ifndef CAIRN_PROTOCOL_LINK_INTERNAL_H
#define CAIRN_PROTOCOL_LINK_INTERNAL_H

#include <netinet/in.h>

#include "base/arena.h"
#include "protocol/frame.h"
#include "protocol/link.h"
#include "protocol/tls.h"

#define LINK_TEXT_MAX 512
#define LINK_PEER_MAX 320 /* the longest host name, a port and punctuation */
#define LINK_ADDRESSES_MAX 8
#define LINK_RECEIVE_BYTES ((size_t)256 * 1024) /* taken from the socket in one go */
#define LINK_ARENA_BYTES_MAX ((size_t)4 * 1024 * 1024)

/* One side's keys, and the scratch memory that all its links use in turn: each use ends before the
 * callback returns to the loop, and the loop has one thread. */
struct link_tls {
    struct tls_context *context;
    uint32_t users;        /* the owner, listeners and links */
    uint8_t *received;     /* [LINK_RECEIVE_BYTES] records as they came */
    uint8_t *plain;        /* [LINK_RECEIVE_BYTES] what was in them */
    struct cn_buf frame;   /* the message that is being sent */
    struct cn_arena arena; /* the arrays of the message that came */
};

struct link_tls *link_tls_share(struct link_tls *tls);

enum link_state {
    LINK_LOOKUP,    /* the name is being looked up */
    LINK_CONNECT,   /* TCP is being connected */
    LINK_HANDSHAKE, /* TLS is being set up */
    LINK_OPEN,
    LINK_LINGER, /* the last bytes are leaving; what comes is dropped */
    LINK_CLOSED, /* handles are being closed; then closed() and the end */
};

struct link_lookup; /* a name look-up under way; outlives the link if it must */

struct link_target {
    char host[256];
    uint16_t port;
    struct sockaddr_storage addresses[LINK_ADDRESSES_MAX];
    uint32_t count, next;
    uint64_t end_ms; /* when TLS must stand */
    struct link_lookup *lookup;
    uv_connect_t request;
};

struct link {
    enum link_state state;
    bool silent;  /* never handed out: closed() is not called */
    bool corked;  /* records wait for the end of the callback */
    bool writing; /* flying is with the kernel */
    bool shut;    /* FIN is sent or being sent */
    bool congested;
    bool socket_open; /* tcp is a handle that nobody closes yet */
    uint32_t handles; /* whose close callback is still to come */

    uv_loop_t *loop;
    struct link_tls *tls;
    uint32_t place;                 /* at the listener's door */
    struct link_listener *listener; /* NULL on the connecting side */
    struct link_target *target;     /* NULL on the accepting side, and once connected */
    uv_tcp_t socket;
    uv_timer_t timer;
    uv_write_t write;
    uv_shutdown_t shutdown;

    struct tls *session;
    struct frame_reader reader;
    struct cn_buf pending, flying; /* records; they change places when flying has left */
    struct link_events events;
    void *ctx;
    struct link_limits limits;

    uint64_t due_ms;      /* when the timer fires; 0: not set */
    uint64_t deadline_ms; /* of the state, but OPEN */
    uint64_t heard_ms;    /* when plain text last came */
    uint64_t pinged_ms;
    uint64_t frame_ms; /* when the frame that is incomplete began */
    uint64_t moved_ms; /* when the kernel last took bytes */
    size_t stuck_bytes;
    uint64_t sent, received;

    enum cn_err why;
    enum bye_code bye;
    char text[LINK_TEXT_MAX];
    char peer[LINK_PEER_MAX];
};

/* Makes a link that owns nothing but its timer. CN_E_NOMEM. */
enum cn_err link_new(struct link **out, uv_loop_t *loop, struct link_tls *tls,
                     const struct link_limits *limits);

/* Opens link->socket. */
enum cn_err link_socket_init(struct link *link);

/* TCP stands: begins TLS. */
void link_begin(struct link *link);

/* Closes for this reason; the first one counts. closed() follows from the loop. */
__attribute__((format(printf, 3, 4))) void link_stop(struct link *link, enum cn_err why,
                                                     const char *format, ...);

/* Sets the deadline of the present state and sees that the timer fires by then. */
void link_set_deadline(struct link *link, uint64_t deadline_ms);

/* After a handle's close callback: the end of the link when it was the last. */
void link_handle_closed(struct link *link);

/* The connecting side's: the deadline of LOOKUP or CONNECT passed; the link is closing. */
void link_connect_late(struct link *link);
void link_connect_forget(struct link *link);

/* The accepting side's: one link less; place is the link's at the door. */
void link_listener_leave(struct link_listener *listener, uint32_t place);

/* "1.2.3.4:80", "[::1]:80". */
void link_address_text(char out[LINK_PEER_MAX], const struct sockaddr_storage *address);

/* Reads a numeric address. */
bool link_address_parse(struct sockaddr_storage *out, const char *host, uint16_t port);

#endif
