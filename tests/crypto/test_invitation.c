/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "base/text.h"
#include "crypto/invitation.h"

/* The layout in crypto/invitation.h in Python, signed by OpenSSL: registrar's seed 32 times 1,
 * one-time key's seed 32 times 2, expires 2000000000, 3 uses. */
#define KNOWN                                                                                      \
    "018139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b3948a88e3dd7409f195fd52db2d3c" \
    "ba5d72ca6709bf1d94121bf3748801b40f6f5c000000007735940000000003e5b8f3dede13b2634ed6f887ee45c4" \
    "bc590a0510bb7c373d1d979816d5071ad3e36a4cdb13b2f82efb41eafc3574da5f03fdc9365588d145bd14b24770" \
    "cf3a06"
#define KNOWN_ID "67de318b2f75744f82cdcba8edf25e68"

/* Gives the same 32 bytes as seed: 2, 2, 2 ... */
static void fill_two(void *ctx, void *out, size_t len)
{
    (void)ctx;
    memset(out, 2, len);
}

static struct sign_key *key_of(uint8_t byte)
{
    struct sign_key *key;
    uint8_t seed[SIGN_SEED_BYTES];

    memset(seed, byte, sizeof seed);
    cr_assert(sign_key_from_seed(&key, seed) == CN_OK);
    return key;
}

static void made(struct invitation *invitation, uint8_t registrar_public[SIGN_PUBLIC_BYTES])
{
    const struct cn_random random = {fill_two, NULL};
    struct sign_key *registrar = key_of(1), *one_time;

    cr_assert(invitation_make(invitation, &one_time, registrar, 3, 2000000000, &random) == CN_OK);
    sign_key_public(registrar, registrar_public);
    sign_key_free(registrar);
    sign_key_free(one_time);
}

Test(invitation, bytes_are_those_of_an_independent_program)
{
    struct invitation invitation;
    uint8_t registrar[SIGN_PUBLIC_BYTES], bytes[INVITATION_BYTES];
    char text[2 * INVITATION_BYTES + 1];

    made(&invitation, registrar);
    invitation_bytes(bytes, &invitation);
    cr_assert_str_eq(cn_hex_encode(text, bytes, sizeof bytes), KNOWN);
    cr_assert_str_eq(cn_hex_encode(text, invitation.id, sizeof invitation.id), KNOWN_ID);
}

Test(invitation, decodes_what_was_encoded_and_leaves_what_follows)
{
    struct invitation invitation, again;
    uint8_t registrar[SIGN_PUBLIC_BYTES];
    struct cn_reader reader;
    struct cn_buf buf;

    made(&invitation, registrar);
    cn_buf_init(&buf, 200);
    invitation_encode(&buf, &invitation);
    cn_put_u8(&buf, 77);
    cr_assert(cn_buf_finish(&buf) == CN_OK);
    cr_assert_eq(buf.len, INVITATION_BYTES + 1);
    cn_reader_init(&reader, buf.data, buf.len);
    cr_assert(invitation_decode(&reader, &again) == CN_OK);
    cr_assert_eq(cn_read_u8(&reader), 77);
    cr_assert(cn_reader_finish(&reader) == CN_OK);
    cr_assert(invitation_check(&again, registrar) == CN_OK);
    cr_assert_arr_eq(again.id, invitation.id, INVITATION_ID_BYTES);
    cr_assert_eq(again.uses, 3);
    cr_assert_eq(again.expires_s, 2000000000);
    cn_buf_clear(&buf);
}

Test(invitation, every_changed_bit_is_refused)
{
    struct invitation invitation, again;
    uint8_t registrar[SIGN_PUBLIC_BYTES], bytes[INVITATION_BYTES];
    struct cn_reader reader;

    made(&invitation, registrar);
    invitation_bytes(bytes, &invitation);
    for (size_t bit = 0; bit < 8 * INVITATION_BYTES; bit++) {
        enum cn_err err;

        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        cn_reader_init(&reader, bytes, sizeof bytes);
        err = invitation_decode(&reader, &again);
        if (err == CN_OK)
            err = invitation_check(&again, registrar);
        cr_assert(err == CN_E_AUTH || err == CN_E_PARSE || err == CN_E_VERSION, "bit %zu", bit);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

Test(invitation, every_truncation_is_malformed_and_leaves_the_output)
{
    struct invitation invitation, again, before;
    uint8_t registrar[SIGN_PUBLIC_BYTES], bytes[INVITATION_BYTES];
    struct cn_reader reader;

    made(&invitation, registrar);
    invitation_bytes(bytes, &invitation);
    memset(&again, 0x5a, sizeof again);
    before = again;
    for (size_t len = 0; len < INVITATION_BYTES; len++) {
        cn_reader_init(&reader, bytes, len);
        cr_assert(invitation_decode(&reader, &again) == CN_E_PARSE, "%zu bytes", len);
        cr_assert(reader.failed);
    }
    cr_assert_eq(memcmp(&again, &before, sizeof again), 0);
}

Test(invitation, fields_out_of_range_are_malformed)
{
    static const struct {
        size_t at;
        uint8_t byte;
        enum cn_err err;
    } cases[] = {
        {0, 2, CN_E_VERSION},   /* version */
        {65, 0x80, CN_E_PARSE}, /* expires beyond int64 */
        {73, 0xff, CN_E_PARSE}, /* uses beyond the maximum */
    };
    struct invitation invitation;
    uint8_t registrar[SIGN_PUBLIC_BYTES], bytes[INVITATION_BYTES];
    struct cn_reader reader;

    made(&invitation, registrar);
    for (size_t i = 0; i < CN_COUNT(cases); i++) {
        invitation_bytes(bytes, &invitation);
        bytes[cases[i].at] = cases[i].byte;
        cn_reader_init(&reader, bytes, sizeof bytes);
        cr_assert(invitation_decode(&reader, &invitation) == cases[i].err, "case %zu", i);
        cr_assert(cn_reader_finish(&reader) == CN_E_PARSE);
    }
    invitation_bytes(bytes, &invitation);
    memset(bytes + 73, 0, 4); /* no use at all */
    cn_reader_init(&reader, bytes, sizeof bytes);
    cr_assert(invitation_decode(&reader, &invitation) == CN_E_PARSE);
    invitation_bytes(bytes, &invitation);
    memset(bytes + 65, 0, 8); /* expired in 1970 */
    cn_reader_init(&reader, bytes, sizeof bytes);
    cr_assert(invitation_decode(&reader, &invitation) == CN_E_PARSE);
}

Test(invitation, make_refuses_no_use_too_many_uses_and_no_expiry)
{
    const struct cn_random random = {fill_two, NULL};
    struct sign_key *registrar = key_of(1), *one_time = registrar;
    struct invitation invitation;

    cr_assert(invitation_make(&invitation, &one_time, registrar, 0, 9, &random) == CN_E_CONFIG);
    cr_assert_null(one_time);
    cr_assert(invitation_make(&invitation, &one_time, registrar, INVITATION_USES_MAX + 1, 9,
                              &random) == CN_E_CONFIG);
    cr_assert(invitation_make(&invitation, &one_time, registrar, 1, 0, &random) == CN_E_CONFIG);
    cr_assert(invitation_make(&invitation, &one_time, registrar, 1, -1, &random) == CN_E_CONFIG);
    sign_key_free(registrar);
}

Test(invitation, another_registrar_is_refused)
{
    struct sign_key *other = key_of(9);
    struct invitation invitation;
    uint8_t registrar[SIGN_PUBLIC_BYTES], stranger[SIGN_PUBLIC_BYTES];

    made(&invitation, registrar);
    sign_key_public(other, stranger);
    cr_assert(invitation_check(&invitation, stranger) == CN_E_AUTH);
    memcpy(invitation.registrar, stranger, sizeof stranger);
    cr_assert(invitation_check(&invitation, stranger) == CN_E_AUTH);
    cr_assert(invitation_check(&invitation, registrar) == CN_E_AUTH);
    sign_key_free(other);
}

Test(invitation, every_changed_field_is_refused)
{
    struct invitation invitation, changed;
    uint8_t registrar[SIGN_PUBLIC_BYTES];

    made(&invitation, registrar);
    cr_assert(invitation_check(&invitation, registrar) == CN_OK);
    changed = invitation;
    changed.uses = 4;
    cr_assert(invitation_check(&changed, registrar) == CN_E_AUTH);
    changed = invitation;
    changed.uses = 0;
    cr_assert(invitation_check(&changed, registrar) == CN_E_AUTH);
    changed = invitation;
    changed.expires_s++;
    cr_assert(invitation_check(&changed, registrar) == CN_E_AUTH);
    changed = invitation;
    changed.id[0] ^= 1;
    cr_assert(invitation_check(&changed, registrar) == CN_E_AUTH);
    changed = invitation;
    changed.public_key[0] ^= 1;
    invitation_id(changed.id, changed.public_key);
    cr_assert(invitation_check(&changed, registrar) == CN_E_AUTH);
}

Test(invitation, expires_at_its_second)
{
    struct invitation invitation;
    uint8_t registrar[SIGN_PUBLIC_BYTES];

    made(&invitation, registrar);
    cr_assert_not(invitation_expired(&invitation, 1999999999));
    cr_assert(invitation_expired(&invitation, 2000000000));
    cr_assert(invitation_expired(&invitation, INT64_MAX));
    cr_assert_not(invitation_expired(&invitation, INT64_MIN));
}

Test(invitation, buffer_that_is_full_says_so)
{
    struct invitation invitation;
    uint8_t registrar[SIGN_PUBLIC_BYTES];
    struct cn_buf buf;

    made(&invitation, registrar);
    cn_buf_init(&buf, INVITATION_BYTES - 1);
    invitation_encode(&buf, &invitation);
    cr_assert(cn_buf_finish(&buf) == CN_E_TOO_LARGE);
    cn_buf_clear(&buf);
}
