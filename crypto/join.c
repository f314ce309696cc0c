/* SPDX-License-Identifier: Apache-2.0 */
/* Join links as text. Everything on the way holds the secret, so everything is wiped. */
#include "crypto/join.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "crypto/bytes.h"
#include "crypto/hash.h"

#define SCHEME "cairn://"
#define VERSION 1
#define CHECK_BYTES 7
#define BODY_BYTES (1 + JOIN_PIN_BYTES + SIGN_PUBLIC_BYTES + 8 + 4 + SIGN_BYTES + SIGN_SEED_BYTES)
#define PAYLOAD_BYTES (BODY_BYTES + CHECK_BYTES)
#define PAYLOAD_TEXT (PAYLOAD_BYTES / 3 * 4)
#define AUTHORITY_MAX (JOIN_HOST_MAX + 2 + 6) /* brackets and ":65535" */

_Static_assert(PAYLOAD_BYTES == 180, "the header says the layout");
_Static_assert(PAYLOAD_BYTES % 3 == 0, "base64 without loose bits");
_Static_assert(JOIN_LINK_MAX > sizeof SCHEME + AUTHORITY_MAX + 1 + PAYLOAD_TEXT, "a link fits");

static bool host_is_valid(const char *host)
{
    size_t len = strnlen(host, JOIN_HOST_MAX + 1);
    struct in6_addr address;

    if (len == 0 || len > JOIN_HOST_MAX)
        return false;
    if (strchr(host, ':'))
        return inet_pton(AF_INET6, host, &address) == 1;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)host[i];
        bool letter = c < 128 && isalnum(c);

        if (!letter && (i == 0 || (c != '-' && c != '.' && c != '_')))
            return false;
    }
    return true;
}

static void checksum_of(uint8_t out[CHECK_BYTES], const struct join_link *link, const uint8_t *body,
                        size_t len)
{
    uint8_t port[2], digest[HASH_BYTES];
    struct hash hash;

    bytes_put_uint(port, link->port, sizeof port);
    hash_init(&hash, "cairn-join-link");
    hash_add(&hash, link->host, strlen(link->host));
    hash_add(&hash, port, sizeof port);
    hash_add(&hash, body, len);
    hash_final(&hash, digest);
    memcpy(out, digest, CHECK_BYTES);
    sodium_memzero(digest, sizeof digest);
}

static enum cn_err public_of_secret(uint8_t out[SIGN_PUBLIC_BYTES],
                                    const uint8_t secret[SIGN_SEED_BYTES])
{
    struct sign_key *key;

    CN_TRY(sign_key_from_seed(&key, secret));
    sign_key_public(key, out);
    sign_key_free(key);
    return CN_OK;
}

static void payload_of(uint8_t out[PAYLOAD_BYTES], const struct join_link *link)
{
    uint8_t *at = bytes_put_uint(out, VERSION, 1);

    at = bytes_put(at, link->tls_pin, JOIN_PIN_BYTES);
    at = bytes_put(at, link->invitation.registrar, SIGN_PUBLIC_BYTES);
    at = bytes_put_uint(at, (uint64_t)link->invitation.expires_s, 8);
    at = bytes_put_uint(at, link->invitation.uses, 4);
    at = bytes_put(at, link->invitation.signature, SIGN_BYTES);
    at = bytes_put(at, link->secret, SIGN_SEED_BYTES);
    checksum_of(at, link, out, BODY_BYTES);
}

enum cn_err join_link_format(char out[JOIN_LINK_MAX], const struct join_link *link)
{
    uint8_t payload[PAYLOAD_BYTES], public_key[SIGN_PUBLIC_BYTES];
    bool is_ipv6;
    int len;

    out[0] = '\0';
    if (!host_is_valid(link->host) || link->port == 0)
        return CN_E_CONFIG;
    CN_TRY(public_of_secret(public_key, link->secret));
    if (sodium_memcmp(public_key, link->invitation.public_key, SIGN_PUBLIC_BYTES) != 0)
        return CN_E_AUTH;
    CN_TRY(invitation_check(&link->invitation, link->invitation.registrar));
    is_ipv6 = strchr(link->host, ':') != NULL;
    len = snprintf(out, JOIN_LINK_MAX, SCHEME "%s%s%s:%u/", is_ipv6 ? "[" : "", link->host,
                   is_ipv6 ? "]" : "", link->port);
    payload_of(payload, link);
    sodium_bin2base64(out + len, JOIN_LINK_MAX - (size_t)len, payload, sizeof payload,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(payload, sizeof payload);
    return CN_OK;
}

/* Reads 1 to 65535 without leading zeros; 0 for anything else. */
static uint16_t port_of(const char *text, size_t len)
{
    uint32_t port = 0;

    if (len < 1 || len > 5 || text[0] == '0')
        return 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        port = port * 10 + (uint32_t)(text[i] - '0');
    }
    return port <= UINT16_MAX ? (uint16_t)port : 0;
}

/* Reads HOST:PORT, exactly as join_link_format writes it. */
static bool read_authority(struct join_link *link, const char *text, size_t len)
{
    const char *colon = memrchr(text, ':', len);
    size_t host_len = colon ? (size_t)(colon - text) : 0;
    bool brackets = host_len >= 2 && text[0] == '[' && text[host_len - 1] == ']';

    if (!colon)
        return false;
    link->port = port_of(colon + 1, len - host_len - 1);
    if (brackets) {
        text++;
        host_len -= 2;
    }
    if (link->port == 0 || host_len > JOIN_HOST_MAX)
        return false;
    memcpy(link->host, text, host_len);
    link->host[host_len] = '\0';
    return host_is_valid(link->host) && brackets == (strchr(link->host, ':') != NULL);
}

static enum cn_err mistyped(struct cn_diag *diag)
{
    cn_diag_set(diag, "join link", 0, 0, "the link is incomplete or mistyped");
    cn_diag_hint(diag, "paste it again whole, from cairn:// to its last letter");
    return CN_E_PARSE;
}

static enum cn_err forged(struct cn_diag *diag)
{
    cn_diag_set(diag, "join link", 0, 0,
                "the link is whole, but its invitation was not signed by the registrar it names");
    cn_diag_hint(diag, "do not use it; ask the operator for a new one over a channel you trust");
    return CN_E_AUTH;
}

/* Fills the invitation from a payload whose checksum is right. */
static enum cn_err read_payload(struct join_link *link, const uint8_t *payload, size_t len,
                                struct cn_diag *diag)
{
    struct invitation *invitation = &link->invitation;
    struct cn_reader reader;
    uint64_t expires_s;

    if (payload[0] != VERSION) {
        cn_diag_set(diag, "join link", 0, 0, "the link is of version %u, this Cairn knows %u",
                    payload[0], VERSION);
        cn_diag_hint(diag, "install the version of Cairn that the operator runs");
        return CN_E_VERSION;
    }
    if (len != PAYLOAD_BYTES)
        return mistyped(diag);
    cn_reader_init(&reader, payload + 1, BODY_BYTES - 1);
    cn_read_bytes(&reader, link->tls_pin, JOIN_PIN_BYTES);
    cn_read_bytes(&reader, invitation->registrar, SIGN_PUBLIC_BYTES);
    expires_s = cn_read_u64(&reader);
    invitation->uses = cn_read_u32(&reader);
    cn_read_bytes(&reader, invitation->signature, SIGN_BYTES);
    cn_read_bytes(&reader, link->secret, SIGN_SEED_BYTES);
    CN_TRY(cn_reader_finish(&reader));
    invitation->expires_s = expires_s <= INT64_MAX ? (int64_t)expires_s : 0;
    CN_TRY(public_of_secret(invitation->public_key, link->secret));
    invitation_id(invitation->id, invitation->public_key);
    if (invitation_check(invitation, invitation->registrar) != CN_OK)
        return forged(diag);
    return CN_OK;
}

/* Decodes text in its one form only: libsodium 1.0.18 takes some bytes above 127 for letters. */
static bool decode(uint8_t out[JOIN_LINK_MAX], size_t *len, const char *text, size_t text_len)
{
    const int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
    char again[JOIN_LINK_MAX + 1];
    bool same;

    if (text_len >= JOIN_LINK_MAX ||
        sodium_base642bin(out, JOIN_LINK_MAX, text, text_len, NULL, len, NULL, variant) != 0)
        return false;
    sodium_bin2base64(again, sizeof again, out, *len, variant);
    same = strlen(again) == text_len && sodium_memcmp(again, text, text_len) == 0;
    sodium_memzero(again, sizeof again);
    return same;
}

static enum cn_err read_base64(struct join_link *link, const char *text, size_t text_len,
                               struct cn_diag *diag)
{
    uint8_t payload[JOIN_LINK_MAX], check[CHECK_BYTES];
    enum cn_err err = CN_OK;
    size_t len;

    if (!decode(payload, &len, text, text_len) || len <= CHECK_BYTES) {
        err = mistyped(diag);
        goto out;
    }
    checksum_of(check, link, payload, len - CHECK_BYTES);
    if (sodium_memcmp(check, payload + len - CHECK_BYTES, CHECK_BYTES) != 0)
        err = mistyped(diag);
    else
        err = read_payload(link, payload, len, diag);
out:
    sodium_memzero(payload, sizeof payload);
    return err;
}

static enum cn_err read_link(struct join_link *link, const char *text, size_t len,
                             struct cn_diag *diag)
{
    size_t scheme_len = strlen(SCHEME);
    const char *slash;

    if (len < scheme_len || memcmp(text, SCHEME, scheme_len) != 0) {
        cn_diag_set(diag, "join link", 0, 0, "this is no join link: one begins with " SCHEME);
        cn_diag_hint(diag, "paste the link again whole, as the operator sent it");
        return CN_E_PARSE;
    }
    text += scheme_len;
    len -= scheme_len;
    slash = memchr(text, '/', len);
    if (!slash || !read_authority(link, text, (size_t)(slash - text)))
        return mistyped(diag);
    len -= (size_t)(slash + 1 - text);
    return read_base64(link, slash + 1, len, diag);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

enum cn_err join_link_parse(struct join_link *link, const char *text, struct cn_diag *diag)
{
    size_t len = strlen(text);
    enum cn_err err;

    join_link_wipe(link);
    while (len && is_blank(text[0])) {
        text++;
        len--;
    }
    while (len && is_blank(text[len - 1]))
        len--;
    err = read_link(link, text, len, diag);
    if (err != CN_OK)
        join_link_wipe(link);
    return err;
}

void join_link_wipe(struct join_link *link)
{
    sodium_memzero(link, sizeof *link);
}
