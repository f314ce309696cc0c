/* SPDX-License-Identifier: Apache-2.0 */
/* One connection: TCP by libuv, TLS 1.3 by OpenSSL, frames of at most MESSAGE_BYTES_MAX, heartbeats
 * and deadlines. Both sides use it; it carries messages and knows none but PING, PONG and BYE.
 *
 * Everything happens on the loop's thread, and all links of one struct link_tls live on one loop. A
 * link closes once, for one reason, and says it once. Its owner may call link_send, link_bye and
 * link_abort inside every callback but closed. */
#ifndef CAIRN_PROTOCOL_LINK_H
#define CAIRN_PROTOCOL_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "base/diag.h"
#include "base/err.h"
#include "protocol/door.h"
#include "protocol/messages.h"

#define LINK_PIN_BYTES 32      /* SHA-256 of the certificate's SubjectPublicKeyInfo */
#define LINK_EXPORTER_BYTES 32 /* RFC 5705, label "EXPORTER-cairn-device" */
#define LINK_QUEUE_BYTES_MAX ((size_t)4 * 1024 * 1024) /* sent, not yet taken by the kernel */

struct link;
struct link_tls; /* keys and settings of one side; shared by its links */
struct link_listener;

struct link_events {
    /* TLS stands: the exporter can be read, messages can be sent. */
    void (*opened)(void *ctx, struct link *link);
    /* One message, decoded. It and its arrays are valid until the callback returns. PING and PONG
     * are answered by the link and not reported. Returning an error closes the link with it:
     * a PEER class error sends BYE_PROTOCOL first. */
    enum cn_err (*message)(void *ctx, struct link *link, const struct message *message);
    /* The queue fell under half of LINK_QUEUE_BYTES_MAX after having been above it. */
    void (*drained)(void *ctx, struct link *link);
    /* The last call for this link, which is freed when it returns. text says why, in words for a
     * person: the peer's BYE text, a TLS or socket failure, a deadline. bye is the code of the
     * peer's BYE or BYE_CODE_COUNT. */
    void (*closed)(void *ctx, struct link *link, enum cn_err why, enum bye_code bye,
                   const char *text);
};

/* Settings with defaults for 0. */
struct link_limits {
    uint32_t handshake_ms; /* until TLS stands (10 s) */
    uint32_t heartbeat_ms; /* silence until a PING (15 s) */
    uint32_t dead_ms;      /* silence until the peer is given up (45 s) */
    uint32_t close_ms;     /* for the last bytes to leave after link_bye (2 s) */
    uint32_t frame_ms;     /* for a frame that has begun to be complete (30 s) */
};

/* Makes a server's TLS side from PEM files (Ed25519 key). With diag: CN_E_NOT_FOUND; CN_E_CONFIG
 * when others may read the key, when it is of another kind or does not belong to the certificate;
 * CN_E_TLS. Here and below: SIGPIPE is ignored from now on unless the program has a handler. */
enum cn_err link_tls_server(struct link_tls **out, const char *certificate_path,
                            const char *key_path, struct cn_diag *diag);

/* Makes a client's TLS side that accepts exactly the server with this pin. */
enum cn_err link_tls_client(struct link_tls **out, const uint8_t pin[LINK_PIN_BYTES],
                            struct cn_diag *diag);

/* Gives it back; links and listeners that still use it keep it until they end. NULL is allowed. */
void link_tls_free(struct link_tls *tls);

/* The pin of a server's side, to be put in join links. */
void link_tls_pin(const struct link_tls *tls, uint8_t pin[LINK_PIN_BYTES]);

/* Writes a new Ed25519 key (0600) and a self-signed certificate for it; both as PEM. */
enum cn_err link_tls_generate(const char *certificate_path, const char *key_path,
                              const char *common_name, struct cn_diag *diag);

/* Listens; port 0 takes a free one. host is an address or a name; "::" takes IPv6 and IPv4 at all
 * of the machine's addresses, "0.0.0.0" IPv4. accepted is called for every new connection before
 * TLS: it fills events and ctx for the link, or returns false to shut it. At most links_max at a
 * time: one more is closed at once. Without descriptors left it waits, 0.1 to 5 s, and listens
 * again. With diag: CN_E_BUSY when the address is in use, CN_E_CONFIG when it is not this machine's
 * or not allowed, CN_E_IO; the loop has then to run once before it can be closed. */
struct link_accept {
    bool (*accepted)(void *ctx, struct link *link, struct link_events *events, void **link_ctx);
    void *ctx;
    uint32_t links_max;
    struct door_limits
        door; /* of one address; zeros: none. One that is refused is closed at once */
};
enum cn_err link_listen(struct link_listener **out, uv_loop_t *loop, struct link_tls *tls,
                        const char *host, uint16_t port, const struct link_accept *accept,
                        const struct link_limits *limits, struct cn_diag *diag);

uint16_t link_listener_port(const struct link_listener *listener);

/* Stops listening; links that stand are not touched. Frees the listener when the loop has run. */
void link_listener_close(struct link_listener *listener);

/* Starts connecting (name look-up included; of several addresses the first that answers); the
 * outcome is opened or closed: CN_E_AUTH when the server is not the pinned one, CN_E_TLS,
 * CN_E_CLOSED when it can not be reached, CN_E_DEADLINE. CN_E_CONFIG for a host or port that can
 * not be, CN_E_NOMEM; nothing follows then. */
enum cn_err link_connect(struct link **out, uv_loop_t *loop, struct link_tls *tls, const char *host,
                         uint16_t port, const struct link_events *events, void *ctx,
                         const struct link_limits *limits);

/* Queues one message; what is queued within one callback leaves in one write. CN_E_TOO_LARGE when
 * the queue is full (nothing is queued then), CN_E_STATE before opened, CN_E_CLOSED; errors of
 * message_encode. */
enum cn_err link_send(struct link *link, const struct message *message);

/* True while more bytes than half of LINK_QUEUE_BYTES_MAX wait: bulk senders stop until drained. */
bool link_congested(const struct link *link);

/* Bytes of TLS records sent and received so far. */
void link_traffic(const struct link *link, uint64_t *sent, uint64_t *received);

/* The value that the device signs: binds the login to this connection. CN_E_STATE unless open. */
enum cn_err link_exporter(struct link *link, uint8_t out[LINK_EXPORTER_BYTES]);

/* "127.0.0.1:41234", "[::1]:41234"; while connecting the name and port that were given. */
const char *link_peer(const struct link *link);

void link_set_ctx(struct link *link, void *ctx);

/* Sends BYE after what is queued, closes when it has left or close_ms are over; closed follows,
 * with CN_E_CLOSED and text. Nothing that comes is reported any more. Before opened: closes at
 * once. */
void link_bye(struct link *link, enum bye_code code, const char *text);

/* Closes at once; closed follows (never inside this call). */
void link_abort(struct link *link, enum cn_err why, const char *text);

#endif
