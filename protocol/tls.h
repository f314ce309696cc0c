/* SPDX-License-Identifier: Apache-2.0 */
/* TLS 1.3 as bytes in, bytes out (OpenSSL behind BIOs of our own): the records that came are read
 * in place, the records to send are appended to the caller's buffer. No socket, no clock.
 *
 * One profile and nothing to negotiate down to: TLS 1.3, X25519, Ed25519 certificates, AES-GCM or
 * ChaCha20-Poly1305, ALPN "cairn/1"; no tickets, no resumption, no early data, no compression.
 * A client knows its server by the SHA-256 of its SubjectPublicKeyInfo and by nothing else: names,
 * dates and authorities have no part in it. For link.c and its neighbours only. */
#ifndef CAIRN_PROTOCOL_TLS_H
#define CAIRN_PROTOCOL_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/diag.h"
#include "base/err.h"

#define TLS_PIN_BYTES 32
#define TLS_ALPN "cairn/1"
#define TLS_EXPORTER_LABEL "EXPORTER-cairn-device"

struct tls_context; /* keys and settings of one side */
struct tls;         /* one connection */

/* Reads PEM files. CN_E_NOT_FOUND, CN_E_IO; CN_E_CONFIG when others may read the key, when it is
 * not Ed25519 or does not belong to the certificate; CN_E_TLS. */
enum cn_err tls_context_server(struct tls_context **out, const char *certificate_path,
                               const char *key_path, struct cn_diag *diag);

enum cn_err tls_context_client(struct tls_context **out, const uint8_t pin[TLS_PIN_BYTES],
                               struct cn_diag *diag);

void tls_context_free(struct tls_context *context);

/* A server's own pin; a client's pin of its server. */
void tls_context_pin(const struct tls_context *context, uint8_t pin[TLS_PIN_BYTES]);

/* Writes a new Ed25519 key (0600) and a self-signed certificate for it (0644), both as PEM. */
enum cn_err tls_generate(const char *certificate_path, const char *key_path,
                         const char *common_name, struct cn_diag *diag);

/* Starts one connection. context and records are borrowed; records is where the bytes to send go,
 * and its maximum is the most that may wait: past it the connection fails. */
enum cn_err tls_new(struct tls **out, struct tls_context *context, struct cn_buf *records);

void tls_free(struct tls *tls);

enum tls_status {
    TLS_OK,     /* done what was asked */
    TLS_HUNGRY, /* more bytes from the other side are needed */
    TLS_CLOSED, /* the other side ended the connection in order */
    TLS_FAILED, /* see tls_failure; an alert may be among the records */
};

/* Gives bytes that came. Borrowed until the next call that returns TLS_HUNGRY, which used them up.
 */
void tls_input(struct tls *tls, const uint8_t *bytes, size_t len);

/* Goes on with the handshake; a client calls it once before anything came. */
enum tls_status tls_handshake(struct tls *tls);

/* Reads 1 .. len bytes. */
enum tls_status tls_read(struct tls *tls, uint8_t *out, size_t len, size_t *got);

/* Writes all of bytes into records. CN_E_TLS. After the handshake only. */
enum cn_err tls_write(struct tls *tls, const uint8_t *bytes, size_t len);

/* An upper bound of what tls_write(len) appends to records. */
size_t tls_write_bytes_max(size_t len);

/* Appends the record that ends the connection in order. */
void tls_close(struct tls *tls);

/* Why it failed: CN_E_AUTH for a server that is not the pinned one, else CN_E_TLS; text is for a
 * person and valid until tls_free. */
enum cn_err tls_failure(const struct tls *tls, const char **text);

/* RFC 8446 section 7.5, without context. */
enum cn_err tls_exporter(struct tls *tls, uint8_t *out, size_t len);

#endif
