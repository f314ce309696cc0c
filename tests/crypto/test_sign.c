/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#include "base/text.h"
#include "crypto/hash.h"
#include "crypto/sign.h"

/* RFC 8032, section 7.1, test 1: this seed has this public key. */
#define SEED "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
#define PUBLIC "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"

static struct sign_key *rfc_key(void)
{
    struct sign_key *key;
    uint8_t seed[SIGN_SEED_BYTES];

    cr_assert(cn_hex_decode(seed, sizeof seed, SEED) == CN_OK);
    cr_assert(sign_key_from_seed(&key, seed) == CN_OK);
    return key;
}

Test(sign, seed_of_rfc_8032_has_its_public_key)
{
    struct sign_key *key = rfc_key();
    uint8_t public_key[SIGN_PUBLIC_BYTES], seed[SIGN_SEED_BYTES];
    char text[2 * SIGN_PUBLIC_BYTES + 1];

    sign_key_public(key, public_key);
    cr_assert_str_eq(cn_hex_encode(text, public_key, sizeof public_key), PUBLIC);
    sign_key_seed(key, seed);
    cr_assert_str_eq(cn_hex_encode(text, seed, sizeof seed), SEED);
    sign_key_free(key);
}

/* The layout in crypto/sign.h in Python, signed by OpenSSL. */
Test(sign, signature_is_the_one_openssl_makes)
{
    struct sign_key *key = rfc_key();
    uint8_t sig[SIGN_BYTES];
    char text[2 * SIGN_BYTES + 1];

    sign_make(sig, key, "test", "abc", 3);
    cr_assert_str_eq(cn_hex_encode(text, sig, sizeof sig),
                     "2e18add2ea63b6266e618e403fa68850c3546747952e9a39082b2b1f65404c1c"
                     "ed3aa44ea895e1d1f364a5d7bd3a86b77c849daf0c6e5dfa5424b5d5c698f600");
    sign_key_free(key);
}

Test(sign, check_accepts_what_make_made_and_nothing_else)
{
    struct sign_key *key = rfc_key();
    uint8_t sig[SIGN_BYTES], public_key[SIGN_PUBLIC_BYTES], other[SIGN_PUBLIC_BYTES];

    sign_key_public(key, public_key);
    memcpy(other, public_key, sizeof other);
    other[5] ^= 1;
    sign_make(sig, key, "test", "abc", 3);
    cr_assert(sign_check(sig, public_key, "test", "abc", 3) == CN_OK);
    cr_assert(sign_check(sig, public_key, "test", "abd", 3) == CN_E_AUTH);
    cr_assert(sign_check(sig, public_key, "test", "ab", 2) == CN_E_AUTH);
    cr_assert(sign_check(sig, public_key, "tes", "tabc", 4) == CN_E_AUTH);
    cr_assert(sign_check(sig, public_key, "tesu", "abc", 3) == CN_E_AUTH);
    cr_assert(sign_check(sig, other, "test", "abc", 3) == CN_E_AUTH);
    sign_key_free(key);
}

Test(sign, every_changed_bit_of_the_signature_is_refused)
{
    struct sign_key *key = rfc_key();
    uint8_t sig[SIGN_BYTES], public_key[SIGN_PUBLIC_BYTES];

    sign_key_public(key, public_key);
    sign_make(sig, key, "test", NULL, 0);
    cr_assert(sign_check(sig, public_key, "test", NULL, 0) == CN_OK);
    for (size_t bit = 0; bit < 8 * SIGN_BYTES; bit++) {
        sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
        cr_assert(sign_check(sig, public_key, "test", NULL, 0) == CN_E_AUTH, "bit %zu", bit);
        sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    sign_key_free(key);
}

/* The order of the group, added to S, gives a second form of the same signature. */
Test(sign, second_form_of_a_signature_is_refused)
{
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                      0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    struct sign_key *key = rfc_key();
    uint8_t sig[SIGN_BYTES], public_key[SIGN_PUBLIC_BYTES];

    sign_key_public(key, public_key);
    sign_make(sig, key, "test", "abc", 3);
    sodium_add(sig + 32, order, 32);
    cr_assert(sign_check(sig, public_key, "test", "abc", 3) == CN_E_AUTH);
    sign_key_free(key);
}

/* Under the neutral point as key, R = S*B would verify for every message. */
Test(sign, key_of_small_order_is_refused)
{
    uint8_t sig[SIGN_BYTES] = {1}, neutral[SIGN_PUBLIC_BYTES] = {1};

    cr_assert(sign_check(sig, neutral, "test", "abc", 3) == CN_E_AUTH);
}

Test(sign, new_keys_differ_and_follow_from_the_randomness)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 1);
    struct sign_key *a, *b, *again;
    uint8_t pa[SIGN_PUBLIC_BYTES], pb[SIGN_PUBLIC_BYTES], pagain[SIGN_PUBLIC_BYTES];

    cr_assert(sign_key_new(&a, &random) == CN_OK);
    cr_assert(sign_key_new(&b, &random) == CN_OK);
    random = cn_random_seeded(&seeded, 1);
    cr_assert(sign_key_new(&again, &random) == CN_OK);
    sign_key_public(a, pa);
    sign_key_public(b, pb);
    sign_key_public(again, pagain);
    cr_assert(memcmp(pa, pb, sizeof pa) != 0);
    cr_assert_arr_eq(pa, pagain, sizeof pa);
    sign_key_free(a);
    sign_key_free(b);
    sign_key_free(again);
    sign_key_free(NULL);
}

Test(sign, keeps_many_keys_in_one_block)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 3);
    struct sign_keys *keys;
    uint8_t first[SIGN_PUBLIC_BYTES], last[SIGN_PUBLIC_BYTES], signature[SIGN_BYTES];

    cr_assert_eq(sign_keys_new(&keys, 500, &random), CN_OK);
    sign_key_public(sign_keys_at(keys, 0), first);
    sign_key_public(sign_keys_at(keys, 499), last);
    cr_assert_arr_neq(first, last, sizeof first);
    sign_make(signature, sign_keys_at(keys, 499), "label", "text", 4);
    cr_assert_eq(sign_check(signature, last, "label", "text", 4), CN_OK);
    cr_assert_eq(sign_check(signature, first, "label", "text", 4), CN_E_AUTH);
    sign_keys_free(keys);
    sign_keys_free(NULL);
}
