/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#include "crypto/hash.h"
#include "crypto/seal.h"

#define LEN 32

static const struct seal_binding binding = {"test", "from 1 to 2", 11};
static const uint8_t key[SEAL_KEY_BYTES] = {1, 2, 3};
static const char msg[LEN] = "the share of a secret";

static void sealed_msg(uint8_t out[LEN + SEAL_OVERHEAD], uint64_t seed)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, seed);

    seal_make(out, msg, LEN, &binding, key, &random);
}

Test(seal, opens_what_was_sealed)
{
    uint8_t sealed[LEN + SEAL_OVERHEAD], out[LEN];

    sealed_msg(sealed, 1);
    cr_assert(seal_open(out, sealed, sizeof sealed, &binding, key) == CN_OK);
    cr_assert_arr_eq(out, msg, LEN);
}

Test(seal, is_xchacha20_poly1305_with_the_bound_data_hashed)
{
    uint8_t sealed[LEN + SEAL_OVERHEAD], out[LEN], bound[HASH_BYTES];
    unsigned long long len;

    sealed_msg(sealed, 1);
    hash_of(bound, "test", "from 1 to 2", 11);
    cr_assert_eq(crypto_aead_xchacha20poly1305_ietf_decrypt(out, &len, NULL, sealed + 24, LEN + 16,
                                                            bound, sizeof bound, sealed, key),
                 0);
    cr_assert_eq(len, LEN);
    cr_assert_arr_eq(out, msg, LEN);
}

Test(seal, nonces_differ_and_so_do_the_bytes)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 1);
    uint8_t a[LEN + SEAL_OVERHEAD], b[LEN + SEAL_OVERHEAD];

    seal_make(a, msg, LEN, &binding, key, &random);
    seal_make(b, msg, LEN, &binding, key, &random);
    cr_assert(memcmp(a, b, SEAL_NONCE_BYTES) != 0);
    cr_assert(memcmp(a + SEAL_NONCE_BYTES, b + SEAL_NONCE_BYTES, LEN) != 0);
}

Test(seal, empty_message_is_sealed_too)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 1);
    uint8_t sealed[SEAL_OVERHEAD], nothing[1] = {9};

    seal_make(sealed, NULL, 0, &binding, key, &random);
    cr_assert(seal_open(nothing, sealed, sizeof sealed, &binding, key) == CN_OK);
    sealed[3] ^= 1;
    cr_assert(seal_open(nothing, sealed, sizeof sealed, &binding, key) == CN_E_AUTH);
    cr_assert_eq(nothing[0], 9);
}

Test(seal, every_changed_bit_is_refused_and_leaves_zeros)
{
    uint8_t sealed[LEN + SEAL_OVERHEAD], out[LEN];

    sealed_msg(sealed, 1);
    for (size_t bit = 0; bit < 8 * sizeof sealed; bit++) {
        memset(out, 0xaa, sizeof out);
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        cr_assert(seal_open(out, sealed, sizeof sealed, &binding, key) == CN_E_AUTH);
        cr_assert(sodium_is_zero(out, sizeof out), "bit %zu", bit);
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

Test(seal, every_truncation_is_refused)
{
    uint8_t sealed[LEN + SEAL_OVERHEAD], out[LEN];

    sealed_msg(sealed, 1);
    for (size_t len = 0; len < sizeof sealed; len++)
        cr_assert(seal_open(out, sealed, len, &binding, key) == CN_E_AUTH, "%zu bytes", len);
}

Test(seal, another_key_label_or_binding_is_refused)
{
    const struct seal_binding label = {"tess", "from 1 to 2", 11};
    const struct seal_binding data = {"test", "from 2 to 1", 11};
    const struct seal_binding shorter = {"test", "from 1 to 2", 10};
    const struct seal_binding none = {"test", NULL, 0};
    const uint8_t other[SEAL_KEY_BYTES] = {1, 2, 4};
    uint8_t sealed[LEN + SEAL_OVERHEAD], out[LEN];

    sealed_msg(sealed, 1);
    cr_assert(seal_open(out, sealed, sizeof sealed, &label, key) == CN_E_AUTH);
    cr_assert(seal_open(out, sealed, sizeof sealed, &data, key) == CN_E_AUTH);
    cr_assert(seal_open(out, sealed, sizeof sealed, &shorter, key) == CN_E_AUTH);
    cr_assert(seal_open(out, sealed, sizeof sealed, &none, key) == CN_E_AUTH);
    cr_assert(seal_open(out, sealed, sizeof sealed, &binding, other) == CN_E_AUTH);
}
