/* SPDX-License-Identifier: Apache-2.0 */
/* Key agreement: known answers of RFC 9496, agreement of both sides, refusal of bad keys. */
#include <string.h>

#include <criterion/criterion.h>
#include <sodium.h>

#include "base/text.h"
#include "crypto/agree.h"
#include "crypto/hash.h"

#define ok(expr) cr_assert_eq((expr), CN_OK, "%s", #expr)

static struct cn_seeded seeded;

static struct cn_random seeded_random(uint64_t seed)
{
    return cn_random_seeded(&seeded, seed);
}

static void fill_zeros(void *ctx, void *out, size_t len)
{
    (void)ctx;
    memset(out, 0, len);
}

Test(agree, gives_the_multiples_of_the_generator)
{
    static const char *const multiples[] = {
        /* RFC 9496, appendix A.1 */
        "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76",
        "6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919",
    };
    uint8_t secret[AGREE_SECRET_BYTES] = {0}, expected[32], got[32];

    for (uint8_t k = 0; k < 2; k++) {
        secret[0] = (uint8_t)(k + 1);
        ok(cn_hex_decode(expected, sizeof expected, multiples[k]));
        ok(agree_public(got, secret));
        cr_assert_arr_eq(got, expected, sizeof got);
    }
}

Test(agree, both_sides_derive_the_same_key)
{
    struct cn_random random = seeded_random(1);
    struct agree_binding binding = {"test", "session", 7};
    uint8_t a[32], b[32], pub_a[32], pub_b[32], key_a[32], key_b[32];

    ok(agree_pair(pub_a, a, &random));
    ok(agree_pair(pub_b, b, &random));
    ok(agree_derive(key_a, a, pub_b, &binding));
    ok(agree_derive(key_b, b, pub_a, &binding));
    cr_assert_arr_eq(key_a, key_b, sizeof key_a);
}

Test(agree, derives_the_hash_of_binding_and_point)
{
    struct cn_random random = seeded_random(2);
    struct agree_binding binding = {"test", "abc", 3};
    uint8_t a[32], b[32], pub_a[32], pub_b[32], key[32], point[32], expected[32];
    struct hash hash;

    ok(agree_pair(pub_a, a, &random));
    ok(agree_pair(pub_b, b, &random));
    cr_assert_eq(crypto_scalarmult_ristretto255(point, a, pub_b), 0);
    hash_init(&hash, "test");
    hash_add(&hash, "abc", 3);
    hash_add(&hash, point, sizeof point);
    hash_final(&hash, expected);
    ok(agree_derive(key, a, pub_b, &binding));
    cr_assert_arr_eq(key, expected, sizeof key);
}

Test(agree, derives_other_keys_for_other_purposes_and_data)
{
    struct cn_random random = seeded_random(3);
    struct agree_binding bindings[] = {
        {"mask", "s1", 2}, {"seal", "s1", 2}, {"mask", "s2", 2}, {"mask", "s", 1}};
    uint8_t a[32], pub[32], key[4][32];

    ok(agree_pair(pub, a, &random));
    for (size_t i = 0; i < 4; i++) {
        ok(agree_derive(key[i], a, pub, &bindings[i]));
        for (size_t j = 0; j < i; j++)
            cr_assert_arr_neq(key[i], key[j], 32);
    }
}

Test(agree, refuses_the_identity)
{
    struct cn_random random = seeded_random(4);
    struct agree_binding binding = {"test", NULL, 0};
    uint8_t a[32], pub[32], key[32] = {1}, identity[32] = {0};

    ok(agree_pair(pub, a, &random));
    cr_assert_eq(agree_check_public(identity), CN_E_AUTH);
    cr_assert_eq(agree_derive(key, a, identity, &binding), CN_E_AUTH);
    cr_assert(sodium_is_zero(key, sizeof key));
    ok(agree_check_public(pub));
}

Test(agree, refuses_encodings_that_are_not_canonical)
{
    static const char *const bad[] = {
        /* RFC 9496, appendix A.2: not canonical, negative, no square root */
        "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
    };
    struct cn_random random = seeded_random(5);
    struct agree_binding binding = {"test", NULL, 0};
    uint8_t point[32], a[32], pub[32], key[32];

    ok(agree_pair(pub, a, &random));
    for (size_t i = 0; i < CN_COUNT(bad); i++) {
        ok(cn_hex_decode(point, sizeof point, bad[i]));
        cr_assert_eq(agree_check_public(point), CN_E_AUTH);
        cr_assert_eq(agree_derive(key, a, point, &binding), CN_E_AUTH);
    }
}

Test(agree, refuses_a_source_of_zeros)
{
    struct cn_random zeros = {fill_zeros, NULL};
    uint8_t pub[32], secret[32];

    cr_assert_eq(agree_pair(pub, secret, &zeros), CN_E_RANDOM);
}

Test(agree, knows_scalars_below_the_order)
{
    uint8_t order[32];

    ok(cn_hex_decode(order, sizeof order,
                     "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"));
    cr_assert_not(agree_is_scalar(order));
    order[0]--;
    cr_assert(agree_is_scalar(order));
    memset(order, 0xff, sizeof order);
    cr_assert_not(agree_is_scalar(order));
    memset(order, 0, sizeof order);
    cr_assert(agree_is_scalar(order));
}
