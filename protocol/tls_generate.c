/* SPDX-License-Identifier: Apache-2.0 */
/* A server's key and the self-signed certificate that carries it. Nobody reads more of it than the
 * key, so it has no end date of meaning: clients pin the key. */
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/file.h"
#include "protocol/tls.h"

#define SERIAL_BITS 127
#define CLOCK_SLACK_S ((time_t)24 * 3600)
#define NO_END "99991231235959Z" /* RFC 5280, section 4.1.2.5: no well-defined end */

static bool set_serial(X509 *certificate)
{
    BIGNUM *number = BN_new();
    bool ok = number && BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
              BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;

    BN_free(number);
    return ok;
}

static bool set_names(X509 *certificate, const char *common_name)
{
    X509_NAME *name = X509_get_subject_name(certificate);

    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name,
                                      -1, -1, 0) == 1 &&
           X509_set_issuer_name(certificate, name) == 1;
}

static bool fill(X509 *certificate, EVP_PKEY *key, const char *common_name)
{
    time_t start = time(NULL) - CLOCK_SLACK_S;

    return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
           set_names(certificate, common_name) &&
           ASN1_TIME_set(X509_getm_notBefore(certificate), start) != NULL &&
           ASN1_TIME_set_string(X509_getm_notAfter(certificate), NO_END) == 1 &&
           X509_set_pubkey(certificate, key) == 1 && X509_sign(certificate, key, NULL) > 0;
}

/* Writes what OpenSSL put into a BIO as a file. */
static enum cn_err write_bio(const char *path, BIO *bio, unsigned mode, struct cn_diag *diag)
{
    char *text = NULL;
    long len = BIO_get_mem_data(bio, &text);

    return len > 0 ? cn_file_write(path, text, (size_t)len, mode, diag) : CN_E_NOMEM;
}

static enum cn_err make(BIO *key_pem, BIO *certificate_pem, const char *common_name)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    X509 *certificate = X509_new();
    bool ok = key && certificate && key_pem && certificate_pem &&
              fill(certificate, key, common_name) &&
              PEM_write_bio_PKCS8PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL) == 1 &&
              PEM_write_bio_X509(certificate_pem, certificate) == 1;

    X509_free(certificate);
    EVP_PKEY_free(key);
    return ok ? CN_OK : CN_E_CRYPTO;
}

enum cn_err tls_generate(const char *certificate_path, const char *key_path,
                         const char *common_name, struct cn_diag *diag)
{
    BIO *key_pem = BIO_new(BIO_s_secmem());
    BIO *certificate_pem = BIO_new(BIO_s_mem());
    enum cn_err err;

    ERR_clear_error();
    err = make(key_pem, certificate_pem, common_name);
    if (err != CN_OK)
        cn_diag_set(diag, NULL, 0, 0, "a certificate for '%s' could not be made", common_name);
    if (err == CN_OK)
        err = write_bio(key_path, key_pem, 0600, diag);
    if (err == CN_OK)
        err = write_bio(certificate_path, certificate_pem, 0644, diag);
    BIO_free(key_pem); /* secure memory: wiped */
    BIO_free(certificate_pem);
    ERR_clear_error();
    return err;
}
