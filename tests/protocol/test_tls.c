/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/tls.h"

#include <criterion/criterion.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static char folder[64], certificate[96], key[96];

static void setup(void)
{
    strcpy(folder, "/tmp/cairn-tls-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(certificate, sizeof certificate, "%s/tls.crt", folder);
    snprintf(key, sizeof key, "%s/tls.key", folder);
    cr_assert_eq(tls_generate(certificate, key, "cairn test", NULL), CN_OK);
}

static void teardown(void)
{
    unlink(certificate);
    unlink(key);
    rmdir(folder);
}

TestSuite(tls, .init = setup, .fini = teardown);

struct side {
    struct tls_context *context;
    struct tls *tls;
    struct cn_buf records;
    enum tls_status status;
};

static void side_init(struct side *side, struct tls_context *context, size_t records_max)
{
    side->context = context;
    cn_buf_init(&side->records, records_max);
    cr_assert_eq(tls_new(&side->tls, context, &side->records), CN_OK);
    tls_input(side->tls, NULL, 0);
    side->status = TLS_HUNGRY;
}

static void side_clear(struct side *side)
{
    tls_free(side->tls);
    tls_context_free(side->context);
    cn_buf_clear(&side->records);
}

static void sides_init(struct side *server, struct side *client)
{
    struct tls_context *context;
    uint8_t pin[TLS_PIN_BYTES];

    cr_assert_eq(tls_context_server(&context, certificate, key, NULL), CN_OK);
    side_init(server, context, 1 << 20);
    tls_context_pin(context, pin);
    cr_assert_eq(tls_context_client(&context, pin, NULL), CN_OK);
    side_init(client, context, 1 << 20);
}

/* Gives what one side wrote to the other, in pieces of so many bytes, as its handshake wants. */
static void carry(struct side *from, struct side *to, size_t piece)
{
    while (from->records.len > 0 && to->status == TLS_HUNGRY) {
        uint8_t bytes[4096];
        size_t len = from->records.len < piece ? from->records.len : piece;

        memcpy(bytes, from->records.data, len);
        cn_buf_drop(&from->records, len);
        tls_input(to->tls, bytes, len);
        to->status = tls_handshake(to->tls);
    }
}

static void shake_hands(struct side *server, struct side *client, size_t piece)
{
    client->status = tls_handshake(client->tls);
    for (int i = 0; i < 10; i++) {
        carry(client, server, piece);
        carry(server, client, piece);
    }
}

Test(tls, stands_however_the_bytes_are_cut)
{
    static const size_t pieces[] = {1, 7, 100, 4096};

    for (size_t i = 0; i < CN_COUNT(pieces); i++) {
        struct side server, client;
        uint8_t mine[32], yours[32], text[32];
        size_t got;

        sides_init(&server, &client);
        shake_hands(&server, &client, pieces[i]);
        cr_assert_eq(server.status, TLS_OK);
        cr_assert_eq(client.status, TLS_OK);
        cr_assert_eq(tls_exporter(client.tls, mine, 32), CN_OK);
        cr_assert_eq(tls_exporter(server.tls, yours, 32), CN_OK);
        cr_assert_eq(memcmp(mine, yours, 32), 0);
        cr_assert_eq(tls_write(client.tls, (const uint8_t *)"hello", 5), CN_OK);
        cr_assert_leq(client.records.len, tls_write_bytes_max(5));
        tls_close(client.tls);
        tls_input(server.tls, client.records.data, client.records.len);
        cr_assert_eq(tls_read(server.tls, text, sizeof text, &got), TLS_OK);
        cr_assert_eq(got, 5);
        cr_assert_eq(memcmp(text, "hello", 5), 0);
        cr_assert_eq(tls_read(server.tls, text, sizeof text, &got), TLS_CLOSED);
        side_clear(&server);
        side_clear(&client);
    }
}

Test(tls, sends_no_tickets)
{
    struct side server, client;

    sides_init(&server, &client);
    shake_hands(&server, &client, 4096);
    cr_assert_eq(server.status, TLS_OK);
    cr_assert_eq(server.records.len, 0, "nothing follows the server's part of the handshake");
    side_clear(&server);
    side_clear(&client);
}

Test(tls, fails_when_more_waits_than_allowed)
{
    struct side server, client;
    static uint8_t bytes[100000];
    const char *text;

    sides_init(&server, &client);
    shake_hands(&server, &client, 4096);
    client.records.max = 50000;
    cr_assert_eq(tls_write(client.tls, bytes, sizeof bytes), CN_E_TLS);
    cr_assert_eq(tls_failure(client.tls, &text), CN_E_TLS);
    cr_assert_str_eq(text, "too many bytes wait to be sent");
    side_clear(&server);
    side_clear(&client);
}

Test(tls, bounds_what_a_write_appends)
{
    struct side server, client;
    static uint8_t bytes[300000];

    sides_init(&server, &client);
    shake_hands(&server, &client, 4096);
    for (size_t len = 1; len <= sizeof bytes; len = len * 3 + 16383) {
        cn_buf_reset(&client.records);
        cr_assert_eq(tls_write(client.tls, bytes, len), CN_OK);
        cr_assert_leq(client.records.len, tls_write_bytes_max(len));
    }
    side_clear(&server);
    side_clear(&client);
}

Test(tls, refuses_changed_records)
{
    struct side server, client;
    uint8_t text[32];
    size_t got;

    sides_init(&server, &client);
    shake_hands(&server, &client, 4096);
    cr_assert_eq(tls_write(client.tls, (const uint8_t *)"hello", 5), CN_OK);
    client.records.data[client.records.len - 1] ^= 1;
    tls_input(server.tls, client.records.data, client.records.len);
    cr_assert_eq(tls_read(server.tls, text, sizeof text, &got), TLS_FAILED);
    side_clear(&server);
    side_clear(&client);
}

/* A client of OpenSSL's own making, to say what ours would not. */
static enum tls_status greet(int version_max, const char *groups, bool alpn)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    struct tls_context *context;
    struct side server;
    char *bytes;
    long len;

    cr_assert(SSL_set_max_proto_version(ssl, version_max));
    if (groups)
        cr_assert(SSL_set1_groups_list(ssl, groups));
    if (alpn)
        cr_assert_eq(SSL_set_alpn_protos(ssl, (const unsigned char *)"\x07" TLS_ALPN, 8), 0);
    else
        cr_assert_eq(SSL_set_alpn_protos(ssl, (const unsigned char *)"\x02h2", 3), 0);
    SSL_set_bio(ssl, in, out);
    SSL_set_connect_state(ssl);
    SSL_do_handshake(ssl);
    len = BIO_get_mem_data(out, &bytes);
    cr_assert_gt(len, 0);
    cr_assert_eq(tls_context_server(&context, certificate, key, NULL), CN_OK);
    side_init(&server, context, 1 << 20);
    tls_input(server.tls, (uint8_t *)bytes, (size_t)len);
    server.status = tls_handshake(server.tls);
    side_clear(&server);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return server.status;
}

Test(tls, speaks_one_version_one_group_one_protocol)
{
    cr_assert_eq(greet(TLS1_3_VERSION, NULL, true), TLS_HUNGRY);
    cr_assert_eq(greet(TLS1_2_VERSION, NULL, true), TLS_FAILED);
    cr_assert_eq(greet(TLS1_3_VERSION, "P-256", true), TLS_FAILED);
    cr_assert_eq(greet(TLS1_3_VERSION, NULL, false), TLS_FAILED);
}

Test(tls, generates_a_key_that_only_its_owner_reads)
{
    struct stat status;

    cr_assert_eq(stat(key, &status), 0);
    cr_assert_eq(status.st_mode & 0777, 0600);
    cr_assert_eq(stat(certificate, &status), 0);
    cr_assert_eq(status.st_mode & 0777, 0644);
}

Test(tls, gives_every_key_a_pin_of_its_own_that_stays)
{
    struct tls_context *context;
    uint8_t first[TLS_PIN_BYTES], again[TLS_PIN_BYTES];

    cr_assert_eq(tls_context_server(&context, certificate, key, NULL), CN_OK);
    tls_context_pin(context, first);
    tls_context_free(context);
    cr_assert_eq(tls_context_server(&context, certificate, key, NULL), CN_OK);
    tls_context_pin(context, again);
    tls_context_free(context);
    cr_assert_eq(memcmp(first, again, TLS_PIN_BYTES), 0);
    cr_assert_eq(tls_generate(certificate, key, "cairn test", NULL), CN_OK);
    cr_assert_eq(tls_context_server(&context, certificate, key, NULL), CN_OK);
    tls_context_pin(context, again);
    tls_context_free(context);
    cr_assert_neq(memcmp(first, again, TLS_PIN_BYTES), 0);
}

static enum cn_err load(const char *cert_path, const char *key_path, struct cn_diag *diag)
{
    struct tls_context *context;
    enum cn_err err;

    cn_diag_clear(diag);
    err = tls_context_server(&context, cert_path, key_path, diag);
    cr_assert(err == CN_OK || context == NULL);
    tls_context_free(context);
    return err;
}

Test(tls, says_what_is_wrong_with_its_files)
{
    char other_certificate[128], other_key[128];
    struct cn_diag diag;

    snprintf(other_certificate, sizeof other_certificate, "%s/other.crt", folder);
    snprintf(other_key, sizeof other_key, "%s/other.key", folder);
    cr_assert_eq(load(other_certificate, key, &diag), CN_E_NOT_FOUND);
    cr_assert_str_eq(diag.place, other_certificate);
    cr_assert_eq(load(certificate, other_key, &diag), CN_E_NOT_FOUND);
    cr_assert_str_eq(diag.place, other_key);
    cr_assert_eq(load(key, key, &diag), CN_E_TLS);
    cr_assert_str_eq(diag.text, "not a certificate in PEM form");
    cr_assert_eq(tls_generate(other_certificate, other_key, "other", NULL), CN_OK);
    cr_assert_eq(load(certificate, other_key, &diag), CN_E_CONFIG);
    cr_assert_str_eq(diag.text, "the private key does not belong to the certificate");
    cr_assert_eq(cn_file_write(other_key, "nonsense", 8, 0600, NULL), CN_OK);
    cr_assert_eq(load(certificate, other_key, &diag), CN_E_CONFIG);
    cr_assert_eq(chmod(key, 0640), 0);
    cr_assert_eq(load(certificate, key, &diag), CN_E_CONFIG);
    cr_assert(strstr(diag.hint, "chmod 600") != NULL);
    unlink(other_certificate);
    unlink(other_key);
}
