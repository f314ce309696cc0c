/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates: the chain from the registrar to a device. */
#include "crypto/certificate.h"

#include <sodium.h>
#include <string.h>

#include "base/text.h"
#include "crypto/bytes.h"
#include "crypto/hash.h"

#define VERSION 1
#define LABEL "cairn-certificate"
#define BODY_MAX (CERTIFICATE_BYTES_MAX - SIGN_BYTES)

static bool in_range(const struct certificate *certificate)
{
    return cn_text_is_name(certificate->name, CERTIFICATE_NAME_MAX) && certificate->issued_s >= 0 &&
           !invitation_expired(&certificate->invitation, certificate->issued_s);
}

/* Lays out everything before the signature, of a certificate in range; returns its length. */
static size_t body_of(uint8_t out[BODY_MAX], const struct certificate *certificate)
{
    size_t name_len = strlen(certificate->name);
    uint8_t *at = bytes_put_uint(out, VERSION, 1);

    invitation_bytes(at, &certificate->invitation);
    at = bytes_put(at + INVITATION_BYTES, certificate->device, SIGN_PUBLIC_BYTES);
    at = bytes_put_uint(at, (uint64_t)certificate->issued_s, 8);
    at = bytes_put_uint(at, name_len, 1);
    at = bytes_put(at, certificate->name, name_len);
    return (size_t)(at - out);
}

enum cn_err certificate_make(struct certificate *certificate, const struct invitation *invitation,
                             const struct sign_key *one_time, const struct sign_key *device_key,
                             const char *name, int64_t now_s)
{
    struct certificate made = {.invitation = *invitation, .issued_s = now_s};
    uint8_t one_time_public[SIGN_PUBLIC_BYTES], body[BODY_MAX];
    size_t len;

    if (!cn_text_is_name(name, CERTIFICATE_NAME_MAX) || now_s < 0)
        return CN_E_CONFIG;
    if (invitation_expired(invitation, now_s))
        return CN_E_EXPIRED;
    sign_key_public(one_time, one_time_public);
    if (sodium_memcmp(one_time_public, invitation->public_key, SIGN_PUBLIC_BYTES) != 0)
        return CN_E_AUTH;
    sign_key_public(device_key, made.device);
    memcpy(made.name, name, strlen(name));
    len = body_of(body, &made);
    sign_make(made.signature, one_time, LABEL, body, len);
    *certificate = made;
    return CN_OK;
}

enum cn_err certificate_check(const struct certificate *certificate,
                              const uint8_t registrar[SIGN_PUBLIC_BYTES])
{
    CN_TRY(invitation_check(&certificate->invitation, registrar));
    return certificate_check_under(certificate, &certificate->invitation);
}

enum cn_err certificate_check_under(const struct certificate *certificate,
                                    const struct invitation *verified)
{
    uint8_t body[BODY_MAX], known[INVITATION_BYTES], shown[INVITATION_BYTES];
    size_t len;

    if (!in_range(certificate))
        return CN_E_AUTH;
    invitation_bytes(known, verified);
    invitation_bytes(shown, &certificate->invitation);
    if (memcmp(known, shown, sizeof known) != 0 ||
        memcmp(verified->id, certificate->invitation.id, INVITATION_ID_BYTES) != 0)
        return CN_E_AUTH;
    len = body_of(body, certificate);
    return sign_check(certificate->signature, certificate->invitation.public_key, LABEL, body, len);
}

enum cn_err certificate_digest(uint8_t digest[32], const struct certificate *certificate,
                               const uint8_t registrar[SIGN_PUBLIC_BYTES])
{
    uint8_t body[BODY_MAX];
    struct hash hash;

    if (!in_range(certificate))
        return CN_E_AUTH;
    size_t len = body_of(body, certificate);
    hash_init(&hash, "cairn-certificate-digest");
    hash_add(&hash, registrar, SIGN_PUBLIC_BYTES);
    hash_add(&hash, certificate->invitation.id, INVITATION_ID_BYTES);
    hash_add(&hash, body, len);
    hash_add(&hash, certificate->signature, SIGN_BYTES);
    hash_final(&hash, digest);
    return CN_OK;
}

static const struct certificate *nth(const struct certificate *first, size_t stride, uint32_t i)
{
    return (const struct certificate *)(const void *)((const uint8_t *)first + stride * i);
}

enum cn_err certificate_roster_check(const struct certificate *first, size_t stride, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct certificate *one = nth(first, stride, i);
        uint32_t used = 1;

        for (uint32_t j = 0; j < i; j++) {
            const struct certificate *other = nth(first, stride, j);

            if (memcmp(one->device, other->device, SIGN_PUBLIC_BYTES) == 0)
                return CN_E_REPLAY;
            used += memcmp(one->invitation.public_key, other->invitation.public_key,
                           SIGN_PUBLIC_BYTES) == 0;
        }
        if (used > one->invitation.uses)
            return CN_E_USED;
    }
    return CN_OK;
}

void certificate_device_id(uint8_t id[DEVICE_ID_BYTES], const struct certificate *certificate)
{
    uint8_t digest[HASH_BYTES];

    hash_of(digest, "cairn-device-id", certificate->device, SIGN_PUBLIC_BYTES);
    memcpy(id, digest, DEVICE_ID_BYTES);
}

void certificate_encode(struct cn_buf *buf, const struct certificate *certificate)
{
    uint8_t body[BODY_MAX];
    size_t len;

    CN_ASSERT(in_range(certificate));
    len = body_of(body, certificate);
    cn_put_bytes(buf, body, len);
    cn_put_bytes(buf, certificate->signature, SIGN_BYTES);
}

/* Fails the reader as a whole: what follows a broken certificate has no meaning. */
static enum cn_err refuse(struct cn_reader *reader, enum cn_err err)
{
    reader->failed = true;
    return err;
}

enum cn_err certificate_decode(struct cn_reader *reader, struct certificate *certificate)
{
    struct certificate read = {0};
    uint8_t version = cn_read_u8(reader);
    uint64_t issued_s;
    uint8_t name_len;

    if (!reader->failed && version != VERSION)
        return refuse(reader, CN_E_VERSION);
    CN_TRY(invitation_decode(reader, &read.invitation));
    cn_read_bytes(reader, read.device, SIGN_PUBLIC_BYTES);
    issued_s = cn_read_u64(reader);
    name_len = cn_read_u8(reader);
    if (name_len > CERTIFICATE_NAME_MAX || issued_s > INT64_MAX)
        return refuse(reader, CN_E_PARSE);
    read.issued_s = (int64_t)issued_s;
    cn_read_bytes(reader, read.name, name_len);
    cn_read_bytes(reader, read.signature, SIGN_BYTES);
    if (reader->failed || strlen(read.name) != name_len || !in_range(&read))
        return refuse(reader, CN_E_PARSE);
    *certificate = read;
    return CN_OK;
}
