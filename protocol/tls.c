/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL 3: the profile of every connection, the pin, and one connection's bytes. */
#include "protocol/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <sys/stat.h>

#include "base/file.h"

#define SUITES "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define PEM_BYTES_MAX ((size_t)64 * 1024)
#define RECORD_BYTES 16384       /* of plain text in one record */
#define RECORD_EXTRA_BYTES 64    /* head, type and tag take 22 */
#define HANDSHAKE_SPARE_BYTES 64 /* for a key update that goes out with a write */

static const unsigned char alpn[] = "\x07" TLS_ALPN;
#define ALPN_LEN (sizeof alpn - 1)
_Static_assert(sizeof alpn - 1 == 1 + 7, "the length byte fits the name");

struct tls_context {
    SSL_CTX *ctx;
    BIO_METHOD *method;
    bool server;
    uint8_t pin[TLS_PIN_BYTES];
};

struct tls {
    SSL *ssl;
    const struct tls_context *context;
    const uint8_t *in;
    size_t in_len;
    struct cn_buf *records;
    bool wrong_pin;
    char failure[192];
};

/* --- the connection's two ends as a BIO --- */

static int bio_read(BIO *bio, char *out, size_t len, size_t *got)
{
    struct tls *tls = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    *got = 0;
    if (tls->in_len == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    *got = len < tls->in_len ? len : tls->in_len;
    memcpy(out, tls->in, *got);
    tls->in += *got;
    tls->in_len -= *got;
    return 1;
}

static int bio_write(BIO *bio, const char *bytes, size_t len, size_t *put)
{
    struct tls *tls = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    cn_put_bytes(tls->records, bytes, len);
    *put = tls->records->failed ? 0 : len;
    return !tls->records->failed;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "cairn bytes");

    if (method && BIO_meth_set_read_ex(method, bio_read) &&
        BIO_meth_set_write_ex(method, bio_write) && BIO_meth_set_ctrl(method, bio_ctrl))
        return method;
    BIO_meth_free(method);
    return NULL;
}

/* --- contexts --- */

static bool spki_hash(uint8_t out[TLS_PIN_BYTES], X509 *certificate)
{
    unsigned char *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    bool ok = len > 0 && EVP_Digest(der, (size_t)len, out, NULL, EVP_sha256(), NULL) == 1;

    OPENSSL_free(der);
    return ok;
}

/* The whole of a client's trust: the key that the handshake proves is the pinned one. */
static int check_pin(X509_STORE_CTX *store, void *context_pointer)
{
    const struct tls_context *context = context_pointer;
    X509 *certificate = X509_STORE_CTX_get0_cert(store);
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls *tls = ssl ? SSL_get_app_data(ssl) : NULL;
    uint8_t seen[TLS_PIN_BYTES];

    if (certificate && spki_hash(seen, certificate) &&
        CRYPTO_memcmp(seen, context->pin, TLS_PIN_BYTES) == 0)
        return 1;
    if (tls)
        tls->wrong_pin = true;
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *offered, unsigned offered_len, void *context)
{
    unsigned char *chosen = NULL;

    (void)ssl;
    (void)context;
    if (SSL_select_next_proto(&chosen, out_len, alpn, ALPN_LEN, offered, offered_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static bool set_profile(SSL_CTX *ctx)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) &&
           SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) && SSL_CTX_set_num_tickets(ctx, 0) &&
           SSL_CTX_set_max_early_data(ctx, 0) && SSL_CTX_set_ciphersuites(ctx, SUITES) &&
           SSL_CTX_set1_groups_list(ctx, "X25519") && SSL_CTX_set1_sigalgs_list(ctx, "ed25519");
}

static enum cn_err context_new(struct tls_context **out, bool server, struct cn_diag *diag)
{
    struct tls_context *context = calloc(1, sizeof *context);

    *out = NULL;
    if (!context)
        return CN_E_NOMEM;
    context->server = server;
    context->method = method_new();
    context->ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (!context->method || !context->ctx || !set_profile(context->ctx)) {
        cn_diag_set(diag, NULL, 0, 0, "OpenSSL does not offer TLS 1.3 with X25519 and Ed25519");
        tls_context_free(context);
        return CN_E_TLS;
    }
    *out = context;
    return CN_OK;
}

/* Reads a PEM file through a parser of OpenSSL's that takes one. */
static enum cn_err read_pem(BIO **out, struct cn_buf *bytes, const char *path, struct cn_diag *diag)
{
    *out = NULL;
    CN_TRY(cn_file_read(bytes, path, PEM_BYTES_MAX, diag));
    *out = BIO_new_mem_buf(bytes->data, (int)bytes->len);
    return *out ? CN_OK : CN_E_NOMEM;
}

static enum cn_err use_certificate(struct tls_context *context, const char *path,
                                   struct cn_diag *diag)
{
    struct cn_buf bytes;
    BIO *bio;
    X509 *certificate = NULL;
    enum cn_err err = read_pem(&bio, &bytes, path, diag);

    if (err == CN_OK) {
        certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (!certificate || SSL_CTX_use_certificate(context->ctx, certificate) != 1 ||
            !spki_hash(context->pin, certificate)) {
            cn_diag_set(diag, path, 0, 0, "not a certificate in PEM form");
            err = CN_E_TLS;
        }
    }
    X509_free(certificate);
    BIO_free(bio);
    cn_buf_clear(&bytes);
    return err;
}

static enum cn_err check_private(const char *path, struct cn_diag *diag)
{
    struct stat status;

    if (stat(path, &status) != 0 || (status.st_mode & 077) == 0)
        return CN_OK; /* a missing file is told by who reads it */
    cn_diag_set(diag, path, 0, 0, "the private key may be read by others (mode %04o)",
                (unsigned)status.st_mode & 07777U);
    cn_diag_hint(diag, "run: chmod 600 '%s'", path);
    return CN_E_CONFIG;
}

static enum cn_err use_key(struct tls_context *context, const char *path, struct cn_diag *diag)
{
    struct cn_buf bytes;
    BIO *bio;
    EVP_PKEY *key = NULL;
    enum cn_err err;

    CN_TRY(check_private(path, diag));
    err = read_pem(&bio, &bytes, path, diag);
    if (err == CN_OK) {
        key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
        if (!key || EVP_PKEY_get_id(key) != EVP_PKEY_ED25519) {
            cn_diag_set(diag, path, 0, 0, "not an Ed25519 private key in PEM form");
            err = CN_E_CONFIG;
        } else if (SSL_CTX_use_PrivateKey(context->ctx, key) != 1) {
            cn_diag_set(diag, path, 0, 0, "the private key does not belong to the certificate");
            err = CN_E_CONFIG;
        }
    }
    EVP_PKEY_free(key);
    BIO_free(bio);
    if (bytes.data)
        OPENSSL_cleanse(bytes.data, bytes.cap);
    cn_buf_clear(&bytes);
    return err;
}

enum cn_err tls_context_server(struct tls_context **out, const char *certificate_path,
                               const char *key_path, struct cn_diag *diag)
{
    struct tls_context *context;
    enum cn_err err;

    ERR_clear_error();
    *out = NULL;
    CN_TRY(context_new(&context, true, diag));
    SSL_CTX_set_alpn_select_cb(context->ctx, choose_alpn, NULL);
    err = use_certificate(context, certificate_path, diag);
    if (err == CN_OK)
        err = use_key(context, key_path, diag);
    if (err == CN_OK)
        *out = context;
    else
        tls_context_free(context);
    return err;
}

enum cn_err tls_context_client(struct tls_context **out, const uint8_t pin[TLS_PIN_BYTES],
                               struct cn_diag *diag)
{
    ERR_clear_error();
    CN_TRY(context_new(out, false, diag));
    memcpy((*out)->pin, pin, TLS_PIN_BYTES);
    SSL_CTX_set_verify((*out)->ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback((*out)->ctx, check_pin, *out);
    if (SSL_CTX_set_alpn_protos((*out)->ctx, alpn, ALPN_LEN) == 0) /* 0 is success here */
        return CN_OK;
    tls_context_free(*out);
    *out = NULL;
    return CN_E_NOMEM;
}

void tls_context_free(struct tls_context *context)
{
    if (!context)
        return;
    SSL_CTX_free(context->ctx);
    BIO_meth_free(context->method);
    free(context);
}

void tls_context_pin(const struct tls_context *context, uint8_t pin[TLS_PIN_BYTES])
{
    memcpy(pin, context->pin, TLS_PIN_BYTES);
}

/* --- one connection --- */

enum cn_err tls_new(struct tls **out, struct tls_context *context, struct cn_buf *records)
{
    struct tls *tls = calloc(1, sizeof *tls);
    BIO *bio = BIO_new(context->method);

    *out = NULL;
    if (tls)
        tls->ssl = SSL_new(context->ctx);
    if (!tls || !bio || !tls->ssl) {
        BIO_free(bio);
        tls_free(tls);
        return CN_E_NOMEM;
    }
    tls->context = context;
    tls->records = records;
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio); /* takes ownership */
    SSL_set_app_data(tls->ssl, tls);
    if (context->server)
        SSL_set_accept_state(tls->ssl);
    else
        SSL_set_connect_state(tls->ssl);
    *out = tls;
    return CN_OK;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    SSL_free(tls->ssl);
    free(tls);
}

void tls_input(struct tls *tls, const uint8_t *bytes, size_t len)
{
    tls->in = bytes;
    tls->in_len = len;
}

/* What is to be said before OpenSSL's own words; *whole when those add nothing. */
static const char *failure_words(const struct tls *tls, unsigned long error, bool *whole)
{
    int reason = ERR_GET_REASON(error);

    *whole = tls->wrong_pin || tls->records->failed;
    if (tls->wrong_pin)
        return "the server's key is not the one this client was told to trust: the server was set "
               "up anew (ask for a new join link) or someone else answers in its place";
    if (tls->records->failed)
        return "too many bytes wait to be sent";
    if (ERR_GET_LIB(error) != ERR_LIB_SSL)
        return "TLS failed";
    if (reason > SSL_AD_REASON_OFFSET)
        return "the other side refused the TLS connection";
    if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST ||
        reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_BAD_RECORD_TYPE)
        return "the other side does not speak TLS 1.3";
    return "TLS failed";
}

/* Keeps the reason of OpenSSL's first error. */
static void keep_failure(struct tls *tls)
{
    unsigned long error = ERR_peek_error();
    const char *reason = ERR_reason_error_string(error);
    bool whole;
    const char *words = failure_words(tls, error, &whole);

    if (whole || !reason)
        (void)snprintf(tls->failure, sizeof tls->failure, "%s", words);
    else
        (void)snprintf(tls->failure, sizeof tls->failure, "%s (%s)", words, reason);
    ERR_clear_error();
}

static enum tls_status status_of(struct tls *tls, int result)
{
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_NONE:
        return TLS_OK;
    case SSL_ERROR_WANT_READ:
        return TLS_HUNGRY;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_CLOSED;
    default:
        keep_failure(tls);
        return TLS_FAILED;
    }
}

enum tls_status tls_handshake(struct tls *tls)
{
    const unsigned char *chosen;
    unsigned chosen_len;
    enum tls_status status;

    ERR_clear_error();
    status = status_of(tls, SSL_do_handshake(tls->ssl));
    if (status != TLS_OK)
        return status;
    SSL_get0_alpn_selected(tls->ssl, &chosen, &chosen_len);
    if (chosen_len == ALPN_LEN - 1 && memcmp(chosen, alpn + 1, chosen_len) == 0)
        return TLS_OK;
    (void)snprintf(tls->failure, sizeof tls->failure,
                   "the other side speaks TLS but not the protocol " TLS_ALPN);
    return TLS_FAILED;
}

enum tls_status tls_read(struct tls *tls, uint8_t *out, size_t len, size_t *got)
{
    *got = 0;
    ERR_clear_error();
    return status_of(tls, SSL_read_ex(tls->ssl, out, len, got));
}

enum cn_err tls_write(struct tls *tls, const uint8_t *bytes, size_t len)
{
    size_t put = 0;

    ERR_clear_error();
    if (SSL_write_ex(tls->ssl, bytes, len, &put) == 1 && put == len)
        return CN_OK;
    keep_failure(tls);
    return CN_E_TLS;
}

size_t tls_write_bytes_max(size_t len)
{
    return len + (len / RECORD_BYTES + 1) * RECORD_EXTRA_BYTES + HANDSHAKE_SPARE_BYTES;
}

void tls_close(struct tls *tls)
{
    ERR_clear_error();
    (void)SSL_shutdown(tls->ssl); /* its answer is not waited for */
    ERR_clear_error();
}

enum cn_err tls_failure(const struct tls *tls, const char **text)
{
    *text = tls->failure;
    return tls->wrong_pin ? CN_E_AUTH : CN_E_TLS;
}

enum cn_err tls_exporter(struct tls *tls, uint8_t *out, size_t len)
{
    ERR_clear_error();
    if (SSL_export_keying_material(tls->ssl, out, len, TLS_EXPORTER_LABEL,
                                   sizeof TLS_EXPORTER_LABEL - 1, NULL, 0, 0) == 1)
        return CN_OK;
    memset(out, 0, len);
    return CN_E_TLS;
}
