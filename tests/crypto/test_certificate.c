/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "base/text.h"
#include "crypto/certificate.h"
#include "crypto/certificate_cache.h"

#define NOW 1900000000
#define EXPIRES 2000000000
#define NAME_AT (1 + INVITATION_BYTES + 32 + 8) /* its length; the name follows */

static struct sign_key *key_of(uint8_t byte)
{
    struct sign_key *key;
    uint8_t seed[SIGN_SEED_BYTES];

    memset(seed, byte, sizeof seed);
    cr_assert(sign_key_from_seed(&key, seed) == CN_OK);
    return key;
}

static void public_of(uint8_t out[SIGN_PUBLIC_BYTES], uint8_t byte)
{
    struct sign_key *key = key_of(byte);

    sign_key_public(key, out);
    sign_key_free(key);
}

static void fill_byte(void *ctx, void *out, size_t len)
{
    memset(out, *(uint8_t *)ctx, len);
}

/* Registrar 1 invites one-time key `one_time`, which certifies device `device`. */
static void chain(struct certificate *certificate, uint8_t one_time, uint8_t device, uint32_t uses)
{
    const struct cn_random random = {fill_byte, &one_time};
    struct sign_key *registrar = key_of(1), *once, *own = key_of(device);
    struct invitation invitation;

    cr_assert(invitation_make(&invitation, &once, registrar, uses, EXPIRES, &random) == CN_OK);
    cr_assert(certificate_make(certificate, &invitation, once, own, "silo-1", NOW) == CN_OK);
    sign_key_free(registrar);
    sign_key_free(once);
    sign_key_free(own);
}

static size_t encoded(uint8_t out[CERTIFICATE_BYTES_MAX], const struct certificate *certificate)
{
    struct cn_buf buf;
    size_t len;

    cn_buf_init(&buf, CERTIFICATE_BYTES_MAX);
    certificate_encode(&buf, certificate);
    cr_assert(cn_buf_finish(&buf) == CN_OK);
    len = buf.len;
    memcpy(out, buf.data, len);
    cn_buf_clear(&buf);
    return len;
}

/* The layout in crypto/certificate.h in Python, signed by OpenSSL, from the same seeds. */
Test(certificate, bytes_are_those_of_an_independent_program)
{
    struct certificate certificate;
    uint8_t bytes[CERTIFICATE_BYTES_MAX], id[DEVICE_ID_BYTES];
    char text[2 * CERTIFICATE_BYTES_MAX + 1];

    chain(&certificate, 2, 3, 3);
    cr_assert_eq(encoded(bytes, &certificate), 253);
    cr_assert_str_eq(cn_hex_encode(text, bytes + 142, 253 - 142),
                     "ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d1"
                     "00000000713fb300"
                     "0673696c6f2d31"
                     "3b1c8117c2205c60dbe86f5dd1a9a7eddd197dbd561e6e72969384ffc1f85cc5"
                     "155bfaf2064125ef205e02456ef28660bc513095936034e296dc09ead3d19307");
    certificate_device_id(id, &certificate);
    cr_assert_str_eq(cn_hex_encode(text, id, sizeof id), "a48241d66fd5ab8d73764cdbfec2cab7");
}

Test(certificate, decodes_what_was_encoded_and_leaves_what_follows)
{
    struct certificate certificate, again;
    uint8_t bytes[CERTIFICATE_BYTES_MAX + 1], registrar[SIGN_PUBLIC_BYTES];
    struct cn_reader reader;
    size_t len;

    chain(&certificate, 2, 3, 3);
    public_of(registrar, 1);
    len = encoded(bytes, &certificate);
    bytes[len] = 77;
    cn_reader_init(&reader, bytes, len + 1);
    cr_assert(certificate_decode(&reader, &again) == CN_OK);
    cr_assert_eq(cn_read_u8(&reader), 77);
    cr_assert(certificate_check(&again, registrar) == CN_OK);
    cr_assert_str_eq(again.name, "silo-1");
    cr_assert_eq(again.issued_s, NOW);
    cr_assert_arr_eq(again.device, certificate.device, SIGN_PUBLIC_BYTES);
}

Test(certificate, every_changed_bit_is_refused)
{
    struct certificate certificate, again;
    uint8_t bytes[CERTIFICATE_BYTES_MAX], registrar[SIGN_PUBLIC_BYTES];
    struct cn_reader reader;
    size_t len;

    chain(&certificate, 2, 3, 3);
    public_of(registrar, 1);
    len = encoded(bytes, &certificate);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        enum cn_err err;

        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        cn_reader_init(&reader, bytes, len);
        err = certificate_decode(&reader, &again);
        if (err == CN_OK)
            err = certificate_check(&again, registrar);
        cr_assert(err == CN_E_AUTH || err == CN_E_PARSE || err == CN_E_VERSION, "bit %zu", bit);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

Test(certificate, every_truncation_is_malformed_and_leaves_the_output)
{
    struct certificate certificate, again, before;
    uint8_t bytes[CERTIFICATE_BYTES_MAX];
    struct cn_reader reader;
    size_t len;

    chain(&certificate, 2, 3, 3);
    memset(&again, 0x5a, sizeof again);
    before = again;
    len = encoded(bytes, &certificate);
    for (size_t part = 0; part < len; part++) {
        cn_reader_init(&reader, bytes, part);
        cr_assert(certificate_decode(&reader, &again) == CN_E_PARSE, "%zu bytes", part);
        cr_assert(reader.failed);
    }
    cr_assert_eq(memcmp(&again, &before, sizeof again), 0);
}

Test(certificate, names_that_no_certificate_holds_are_malformed)
{
    static const char bad[][6] = {{'s', 'i', 0, 'o', '-', '1'},
                                  {'.', 'i', 'l', 'o', '-', '1'},
                                  {'s', 'i', '\n', 'o', '-', '1'},
                                  {'s', 'i', 'l', 'o', '-', 0},
                                  {'s', 'i', (char)0xc3, (char)0xa9, '-', '1'}};
    struct certificate certificate, again;
    uint8_t bytes[CERTIFICATE_BYTES_MAX];
    struct cn_reader reader;
    size_t len;

    chain(&certificate, 2, 3, 3);
    len = encoded(bytes, &certificate);
    for (size_t i = 0; i < CN_COUNT(bad); i++) {
        memcpy(bytes + NAME_AT + 1, bad[i], 6);
        cn_reader_init(&reader, bytes, len);
        cr_assert(certificate_decode(&reader, &again) == CN_E_PARSE, "name %zu", i);
    }
    memcpy(bytes + NAME_AT + 1, "silo-1", 6);
    bytes[NAME_AT] = 0;
    cn_reader_init(&reader, bytes, len);
    cr_assert(certificate_decode(&reader, &again) == CN_E_PARSE);
    bytes[NAME_AT] = CERTIFICATE_NAME_MAX + 1;
    cn_reader_init(&reader, bytes, len);
    cr_assert(certificate_decode(&reader, &again) == CN_E_PARSE);
}

Test(certificate, version_from_the_future_is_told)
{
    struct certificate certificate;
    uint8_t bytes[CERTIFICATE_BYTES_MAX];
    struct cn_reader reader;
    size_t len;

    chain(&certificate, 2, 3, 3);
    len = encoded(bytes, &certificate);
    bytes[0] = 2;
    cn_reader_init(&reader, bytes, len);
    cr_assert(certificate_decode(&reader, &certificate) == CN_E_VERSION);
    bytes[0] = 1;
    bytes[1] = 9; /* the invitation's */
    cn_reader_init(&reader, bytes, len);
    cr_assert(certificate_decode(&reader, &certificate) == CN_E_VERSION);
}

Test(certificate, longest_name_fits_and_a_longer_one_does_not)
{
    const struct cn_random random = {fill_byte, &(uint8_t){2}};
    struct sign_key *registrar = key_of(1), *once, *own = key_of(3);
    uint8_t bytes[CERTIFICATE_BYTES_MAX];
    struct certificate certificate;
    struct invitation invitation;
    char name[CERTIFICATE_NAME_MAX + 2];

    memset(name, 'a', sizeof name);
    name[CERTIFICATE_NAME_MAX + 1] = '\0';
    cr_assert(invitation_make(&invitation, &once, registrar, 1, EXPIRES, &random) == CN_OK);
    cr_assert(certificate_make(&certificate, &invitation, once, own, name, NOW) == CN_E_CONFIG);
    name[CERTIFICATE_NAME_MAX] = '\0';
    cr_assert(certificate_make(&certificate, &invitation, once, own, name, NOW) == CN_OK);
    cr_assert_eq(encoded(bytes, &certificate), CERTIFICATE_BYTES_MAX);
    sign_key_free(registrar);
    sign_key_free(once);
    sign_key_free(own);
}

Test(certificate, make_refuses_bad_names_wrong_keys_and_wrong_times)
{
    const struct cn_random random = {fill_byte, &(uint8_t){2}};
    struct sign_key *registrar = key_of(1), *once, *own = key_of(3);
    struct certificate certificate, before;
    struct invitation invitation;

    memset(&certificate, 0x5a, sizeof certificate);
    before = certificate;
    cr_assert(invitation_make(&invitation, &once, registrar, 1, EXPIRES, &random) == CN_OK);
    cr_assert(certificate_make(&certificate, &invitation, once, own, "", NOW) == CN_E_CONFIG);
    cr_assert(certificate_make(&certificate, &invitation, once, own, "a/b", NOW) == CN_E_CONFIG);
    cr_assert(certificate_make(&certificate, &invitation, once, own, "a", -1) == CN_E_CONFIG);
    cr_assert(certificate_make(&certificate, &invitation, own, own, "a", NOW) == CN_E_AUTH);
    cr_assert(certificate_make(&certificate, &invitation, once, own, "a", EXPIRES) == CN_E_EXPIRED);
    cr_assert_eq(memcmp(&certificate, &before, sizeof before), 0);
    sign_key_free(registrar);
    sign_key_free(once);
    sign_key_free(own);
}

Test(certificate, every_changed_field_is_refused)
{
    struct certificate certificate, changed;
    uint8_t registrar[SIGN_PUBLIC_BYTES], stranger[SIGN_PUBLIC_BYTES];

    chain(&certificate, 2, 3, 3);
    public_of(registrar, 1);
    public_of(stranger, 9);
    cr_assert(certificate_check(&certificate, registrar) == CN_OK);
    cr_assert(certificate_check(&certificate, stranger) == CN_E_AUTH);
    changed = certificate;
    memcpy(changed.device, stranger, sizeof stranger);
    cr_assert(certificate_check(&changed, registrar) == CN_E_AUTH);
    changed = certificate;
    changed.name[0] = 'S';
    cr_assert(certificate_check(&changed, registrar) == CN_E_AUTH);
    changed = certificate;
    memset(changed.name, 'a', sizeof changed.name); /* without an end */
    cr_assert(certificate_check(&changed, registrar) == CN_E_AUTH);
    changed = certificate;
    changed.issued_s = EXPIRES;
    cr_assert(certificate_check(&changed, registrar) == CN_E_AUTH);
    changed = certificate;
    changed.issued_s = -1;
    cr_assert(certificate_check(&changed, registrar) == CN_E_AUTH);
    changed = certificate;
    changed.invitation.uses = 1000;
    cr_assert(certificate_check(&changed, registrar) == CN_E_AUTH);
}

Test(certificate, one_invitation_does_not_vouch_for_a_device_of_another)
{
    struct certificate a, b;
    uint8_t registrar[SIGN_PUBLIC_BYTES];

    chain(&a, 2, 3, 1);
    chain(&b, 4, 5, 1);
    public_of(registrar, 1);
    a.invitation = b.invitation;
    cr_assert(certificate_check(&a, registrar) == CN_E_AUTH);
}

Test(certificate, id_follows_the_device_key_alone)
{
    struct certificate a, b, c;
    uint8_t id_a[DEVICE_ID_BYTES], id_b[DEVICE_ID_BYTES], id_c[DEVICE_ID_BYTES];

    chain(&a, 2, 3, 1);
    chain(&b, 4, 3, 1);
    chain(&c, 2, 5, 1);
    certificate_device_id(id_a, &a);
    certificate_device_id(id_b, &b);
    certificate_device_id(id_c, &c);
    cr_assert_arr_eq(id_a, id_b, DEVICE_ID_BYTES);
    cr_assert(memcmp(id_a, id_c, DEVICE_ID_BYTES) != 0);
}

Test(certificate, roster_takes_a_device_once_and_an_invitation_as_often_as_it_says)
{
    struct {
        struct certificate certificate;
        uint8_t more[40];
    } members[4];

    chain(&members[0].certificate, 2, 3, 2);
    chain(&members[1].certificate, 4, 5, 1);
    chain(&members[2].certificate, 2, 6, 2);
    cr_assert(certificate_roster_check(&members[0].certificate, sizeof members[0], 0) == CN_OK);
    cr_assert(certificate_roster_check(&members[0].certificate, sizeof members[0], 3) == CN_OK);
    chain(&members[3].certificate, 2, 7, 2);
    cr_assert(certificate_roster_check(&members[0].certificate, sizeof members[0], 4) == CN_E_USED);
    chain(&members[3].certificate, 8, 5, 2);
    cr_assert(certificate_roster_check(&members[0].certificate, sizeof members[0], 4) ==
              CN_E_REPLAY);
}

/* A certificate under an invitation that was verified needs that very invitation. */
Test(certificate, checks_the_rest_under_a_verified_invitation)
{
    struct certificate certificate, other;
    struct invitation verified;

    chain(&certificate, 2, 3, 2);
    chain(&other, 4, 5, 2);
    cr_assert(certificate_check_under(&certificate, &certificate.invitation) == CN_OK);
    cr_assert(certificate_check_under(&certificate, &other.invitation) == CN_E_AUTH);
    verified = certificate.invitation;
    certificate.invitation.id[0] ^= 1;
    cr_assert(certificate_check_under(&certificate, &verified) == CN_E_AUTH);
    certificate.invitation = verified;
    certificate.invitation.uses++;
    cr_assert(certificate_check_under(&certificate, &verified) == CN_E_AUTH);
    certificate.invitation = verified;
    certificate.signature[5] ^= 1;
    cr_assert(certificate_check_under(&certificate, &verified) == CN_E_AUTH);
    /* The holder of the one-time key gives itself more uses: the chain below is right. */
    verified.uses++;
    struct sign_key *one_time, *device = key_of(3);
    uint8_t seed = 2;
    const struct cn_random random = {fill_byte, &seed};
    cr_assert(sign_key_new(&one_time, &random) == CN_OK);
    cr_assert(certificate_make(&other, &verified, one_time, device, "silo-1", NOW) == CN_OK);
    cr_assert(certificate_check_under(&other, &verified) == CN_OK);
    verified.uses--;
    cr_assert(certificate_check_under(&other, &verified) == CN_E_AUTH);
    sign_key_free(one_time);
    sign_key_free(device);
}

/* What changes any field, or the registrar, is another certificate to the cache. */
Test(certificate, remembers_what_was_verified_and_that_alone)
{
    struct certificate certificate, changed[5];
    struct certificate_cache *cache;
    uint8_t registrar[SIGN_PUBLIC_BYTES];

    cr_assert(certificate_cache_new(&cache) == CN_OK);
    chain(&certificate, 2, 3, 2);
    memcpy(registrar, certificate.invitation.registrar, sizeof registrar);
    for (int i = 0; i < 3; i++)
        cr_assert(certificate_cache_check(cache, &certificate, registrar) == CN_OK);
    for (size_t i = 0; i < 5; i++)
        changed[i] = certificate;
    changed[0].signature[0] ^= 1;
    changed[1].invitation.id[0] ^= 1;
    changed[2].invitation.signature[0] ^= 1;
    changed[3].device[0] ^= 1;
    changed[4].name[0]++;
    for (size_t i = 0; i < 5; i++)
        for (int again = 0; again < 2; again++)
            cr_assert(certificate_cache_check(cache, &changed[i], registrar) == CN_E_AUTH, "%zu",
                      i);
    registrar[0] ^= 1;
    cr_assert(certificate_cache_check(cache, &certificate, registrar) == CN_E_AUTH);
    cr_assert(certificate_cache_check(NULL, &certificate, registrar) == CN_E_AUTH);
    certificate_cache_free(cache);
    certificate_cache_free(NULL);
}
