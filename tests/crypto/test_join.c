/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#include "crypto/hash.h"
#include "crypto/join.h"

/* The layout in crypto/join.h in Python, signed by OpenSSL, from the seeds below. */
#define KNOWN                                                                                      \
    "cairn://fl.example.org:7443/"                                                                 \
    "AQQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEiojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1wAAAAA" \
    "dzWUAAAAAAPluPPe3hOyY07W-IfuRcS8WQoFELt8Nz0dl5gW1Qca0-NqTNsTsvgu-0Hq_DV02l8D_ck2VYjRRb0Uskdw" \
    "zzoGAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgLZOqAsyuYs"

#define PAYLOAD 180
#define SECRET_AT (PAYLOAD - 7 - 32)

static void fill_two(void *ctx, void *out, size_t len)
{
    (void)ctx;
    memset(out, 2, len);
}

/* Registrar's seed 32 times 1, secret 32 times 2, pin 32 times 4. */
static struct join_link link_to(const char *host, uint16_t port)
{
    const struct cn_random random = {fill_two, NULL};
    const uint8_t ones[SIGN_SEED_BYTES] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                           1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    struct sign_key *registrar, *one_time;
    struct join_link link = {.port = port};

    cr_assert(sign_key_from_seed(&registrar, ones) == CN_OK);
    cr_assert(invitation_make(&link.invitation, &one_time, registrar, 3, 2000000000, &random) ==
              CN_OK);
    sign_key_seed(one_time, link.secret);
    memset(link.tls_pin, 4, sizeof link.tls_pin);
    strcpy(link.host, host);
    sign_key_free(registrar);
    sign_key_free(one_time);
    return link;
}

/* Parses, and compares the error and a word of its text. */
static void refused(const char *text, enum cn_err want, const char *word)
{
    struct cn_diag diag = {0};
    struct join_link link;
    enum cn_err err;

    memset(&link, 0x5a, sizeof link);
    err = join_link_parse(&link, text, &diag);
    cr_assert(err == want, "%s: %s", text, cn_err_name(err));
    cr_assert_not_null(strstr(diag.text, word), "%s: %s", text, diag.text);
    cr_assert_neq(diag.hint[0], '\0');
    cr_assert(sodium_is_zero((const uint8_t *)&link, sizeof link));
    cr_assert(join_link_parse(&link, text, NULL) == want);
}

/* Changes the payload of the known link and writes it back with a right checksum. */
static void reseal(char out[JOIN_LINK_MAX], size_t at, uint8_t flip, size_t body_len)
{
    uint8_t payload[PAYLOAD], digest[HASH_BYTES];
    const char *text = strrchr(KNOWN, '/') + 1;
    struct hash hash;
    size_t len;

    cr_assert_eq(sodium_base642bin(payload, sizeof payload, text, strlen(text), NULL, &len, NULL,
                                   sodium_base64_VARIANT_URLSAFE_NO_PADDING),
                 0);
    payload[at] ^= flip;
    hash_init(&hash, "cairn-join-link");
    hash_add(&hash, "fl.example.org", 14);
    hash_add(&hash, "\x1d\x13", 2);
    hash_add(&hash, payload, body_len);
    hash_final(&hash, digest);
    memcpy(payload + body_len, digest, 7);
    strcpy(out, "cairn://fl.example.org:7443/");
    sodium_bin2base64(out + strlen(out), JOIN_LINK_MAX - strlen(out), payload, body_len + 7,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

Test(join, text_is_that_of_an_independent_program)
{
    struct join_link link = link_to("fl.example.org", 7443);
    char text[JOIN_LINK_MAX];

    cr_assert(join_link_format(text, &link) == CN_OK);
    cr_assert_str_eq(text, KNOWN);
}

Test(join, parses_what_was_formatted_for_every_kind_of_host)
{
    static const char *const hosts[] = {"localhost", "192.0.2.7",     "fl.example.org",
                                        "::1",       "2001:db8::7:1", "a_b-c"};
    char text[JOIN_LINK_MAX];

    for (size_t i = 0; i < CN_COUNT(hosts); i++) {
        struct join_link link = link_to(hosts[i], (uint16_t)(i == 0 ? 65535 : i)), again;
        struct cn_diag diag = {0};

        cr_assert(join_link_format(text, &link) == CN_OK, "%s", hosts[i]);
        cr_assert(join_link_parse(&again, text, &diag) == CN_OK, "%s: %s", text, diag.text);
        cr_assert_str_eq(again.host, hosts[i]);
        cr_assert_eq(again.port, link.port);
        cr_assert_arr_eq(again.tls_pin, link.tls_pin, JOIN_PIN_BYTES);
        cr_assert_arr_eq(again.secret, link.secret, SIGN_SEED_BYTES);
        cr_assert_eq(again.invitation.uses, 3);
        cr_assert_eq(again.invitation.expires_s, 2000000000);
        cr_assert_arr_eq(again.invitation.id, link.invitation.id, INVITATION_ID_BYTES);
        cr_assert(invitation_check(&again.invitation, link.invitation.registrar) == CN_OK);
    }
}

Test(join, address_of_version_6_stands_in_brackets)
{
    struct join_link link = link_to("2001:db8::1", 80);
    char text[JOIN_LINK_MAX];

    cr_assert(join_link_format(text, &link) == CN_OK);
    cr_assert_eq(strncmp(text, "cairn://[2001:db8::1]:80/", 25), 0);
}

Test(join, longest_host_fits)
{
    char host[JOIN_HOST_MAX + 1], text[JOIN_LINK_MAX];
    struct join_link link, again;

    memset(host, 'h', JOIN_HOST_MAX);
    host[JOIN_HOST_MAX] = '\0';
    link = link_to(host, 65535);
    cr_assert(join_link_format(text, &link) == CN_OK);
    cr_assert(join_link_parse(&again, text, NULL) == CN_OK);
    cr_assert_str_eq(again.host, host);
}

Test(join, blanks_around_a_link_are_skipped)
{
    struct join_link link;

    cr_assert(join_link_parse(&link, " \t\n" KNOWN "\r\n ", NULL) == CN_OK);
    cr_assert_str_eq(link.host, "fl.example.org");
}

Test(join, every_truncation_is_called_incomplete)
{
    char text[JOIN_LINK_MAX];

    for (size_t len = strlen("cairn://"); len < strlen(KNOWN); len++) {
        memcpy(text, KNOWN, len);
        text[len] = '\0';
        refused(text, CN_E_PARSE, "incomplete or mistyped");
    }
}

/* With every byte: libsodium's decoder of base64 takes 0x9e for an underscore. */
Test(join, every_mistyped_character_is_called_mistyped)
{
    char text[JOIN_LINK_MAX] = KNOWN;
    struct join_link link;

    for (size_t at = strlen("cairn://"); at < strlen(KNOWN); at++)
        for (unsigned byte = 1; byte < 256; byte++) {
            if (KNOWN[at] == (char)byte)
                continue;
            text[at] = (char)byte;
            cr_assert(join_link_parse(&link, text, NULL) == CN_E_PARSE, "%zu: %02x", at, byte);
            text[at] = KNOWN[at];
        }
    text[40] ^= 1;
    refused(text, CN_E_PARSE, "incomplete or mistyped");
}

Test(join, text_after_the_link_is_called_mistyped)
{
    refused(KNOWN "A", CN_E_PARSE, "incomplete or mistyped");
    refused(KNOWN "AAAA", CN_E_PARSE, "incomplete or mistyped");
    refused(KNOWN " " KNOWN, CN_E_PARSE, "incomplete or mistyped");
    refused(KNOWN "/", CN_E_PARSE, "incomplete or mistyped");
}

Test(join, endless_text_is_refused)
{
    static char text[100000];

    memset(text, 'A', sizeof text - 1);
    memcpy(text, "cairn://h:1/", 12);
    refused(text, CN_E_PARSE, "incomplete or mistyped");
    memset(text + 8, 'A', 20);
    refused(text, CN_E_PARSE, "incomplete or mistyped");
}

Test(join, what_is_no_link_is_called_so)
{
    refused("", CN_E_PARSE, "no join link");
    refused("   ", CN_E_PARSE, "no join link");
    refused("cairn:/", CN_E_PARSE, "no join link");
    refused("https://fl.example.org:7443/abc", CN_E_PARSE, "no join link");
    refused("CAIRN://fl.example.org:7443/abc", CN_E_PARSE, "no join link");
}

Test(join, odd_hosts_and_ports_are_refused)
{
    static const char *const texts[] = {
        "cairn://:1/AAAA",       "cairn://h/AAAA",         "cairn://h:/AAAA",
        "cairn://h:0/AAAA",      "cairn://h:01/AAAA",      "cairn://h:65536/AAAA",
        "cairn://h:99999/AAAA",  "cairn://h:+1/AAAA",      "cairn://::1:1/AAAA",
        "cairn://[::1:1/AAAA",   "cairn://[h]:1/AAAA",     "cairn://[]:1/AAAA",
        "cairn://[::g]:1/AAAA",  "cairn://-h:1/AAAA",      "cairn://h h:1/AAAA",
        "cairn://h\x1b[31m:1/A", "cairn://[fe80::1%1]:1/A"};

    for (size_t i = 0; i < CN_COUNT(texts); i++)
        refused(texts[i], CN_E_PARSE, "incomplete or mistyped");
}

Test(join, whole_but_forged_link_is_told_from_a_mistyped_one)
{
    char text[JOIN_LINK_MAX];

    /* The registrar, its signature, the secret, the expiry: each changed, with a right checksum. */
    reseal(text, 1 + 32, 1, PAYLOAD - 7);
    refused(text, CN_E_AUTH, "not signed by the registrar");
    reseal(text, SECRET_AT - 1, 1, PAYLOAD - 7);
    refused(text, CN_E_AUTH, "not signed by the registrar");
    reseal(text, SECRET_AT, 1, PAYLOAD - 7);
    refused(text, CN_E_AUTH, "not signed by the registrar");
    reseal(text, 1 + 64, 0x80, PAYLOAD - 7);
    refused(text, CN_E_AUTH, "not signed by the registrar");
    reseal(text, 0, 0, PAYLOAD - 7);
    cr_assert_str_eq(text, KNOWN);
}

Test(join, newer_version_and_other_length_are_told)
{
    char text[JOIN_LINK_MAX];

    reseal(text, 0, 1 ^ 2, PAYLOAD - 7);
    refused(text, CN_E_VERSION, "version 2");
    reseal(text, 0, 1 ^ 2, 50);
    refused(text, CN_E_VERSION, "version 2");
    reseal(text, 0, 0, 50);
    refused(text, CN_E_PARSE, "incomplete or mistyped");
}

Test(join, format_refuses_what_no_link_can_hold)
{
    static const char *const hosts[] = {"", "a b", "a/b", "-a", ".a", "[::1]", "::g", "a:1"};
    struct join_link link;
    char text[JOIN_LINK_MAX];

    for (size_t i = 0; i < CN_COUNT(hosts); i++) {
        link = link_to(hosts[i], 1);
        cr_assert(join_link_format(text, &link) == CN_E_CONFIG, "%s", hosts[i]);
        cr_assert_str_eq(text, "");
    }
    link = link_to("h", 0);
    cr_assert(join_link_format(text, &link) == CN_E_CONFIG);
    link = link_to("h", 1);
    link.secret[0] ^= 1;
    cr_assert(join_link_format(text, &link) == CN_E_AUTH);
    link = link_to("h", 1);
    link.invitation.uses++;
    cr_assert(join_link_format(text, &link) == CN_E_AUTH);
}

Test(join, wipe_leaves_zeros)
{
    struct join_link link = link_to("h", 1);

    join_link_wipe(&link);
    cr_assert(sodium_is_zero((const uint8_t *)&link, sizeof link));
}
