/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "crypto/direct.h"

static struct cn_seeded seeded;
static struct cn_random random_source;
static struct direct_key *device, *aggregator;
static struct sign_key *identity;
static uint8_t identity_public[SIGN_PUBLIC_BYTES], device_public[32], aggregator_public[32];
static const uint8_t binding[32] = {1, 2, 3};
static const uint8_t other[32] = {1, 2, 4};

static void setup(void)
{
    random_source = cn_random_seeded(&seeded, 5);
    cr_assert_eq(direct_key_new(&device, &random_source), CN_OK);
    cr_assert_eq(direct_key_new(&aggregator, &random_source), CN_OK);
    cr_assert_eq(sign_key_new(&identity, &random_source), CN_OK);
    sign_key_public(identity, identity_public);
    direct_key_public(device, device_public);
    direct_key_public(aggregator, aggregator_public);
}

static void teardown(void)
{
    direct_key_free(device);
    direct_key_free(aggregator);
    sign_key_free(identity);
}

TestSuite(direct, .init = setup, .fini = teardown);

Test(direct, what_a_device_seals_the_aggregator_opens_and_nobody_else)
{
    uint8_t sealed[5 + DIRECT_OVERHEAD], plain[5];
    struct direct_key *stranger;

    cr_assert_eq(direct_seal(sealed, "hello", 5, device, aggregator_public, binding), CN_OK);
    cr_assert_eq(direct_open(plain, sealed, sizeof sealed, aggregator, device_public, binding),
                 CN_OK);
    cr_assert_eq(memcmp(plain, "hello", 5), 0);
    cr_assert_eq(direct_open(plain, sealed, sizeof sealed, aggregator, device_public, other),
                 CN_E_AUTH);
    cr_assert_eq(direct_open(plain, sealed, sizeof sealed, aggregator, aggregator_public, binding),
                 CN_E_AUTH);
    cr_assert_eq(direct_key_new(&stranger, &random_source), CN_OK);
    cr_assert_eq(direct_open(plain, sealed, sizeof sealed, stranger, device_public, binding),
                 CN_E_AUTH);
    direct_key_free(stranger);
    for (size_t i = 0; i < sizeof sealed; i++) {
        sealed[i] ^= 1;
        cr_assert_eq(direct_open(plain, sealed, sizeof sealed, aggregator, device_public, binding),
                     CN_E_AUTH);
        sealed[i] ^= 1;
        cr_assert_eq(direct_open(plain, sealed, i, aggregator, device_public, binding), CN_E_AUTH);
    }
}

Test(direct, an_announced_key_is_the_devices_own_and_of_this_round)
{
    struct secagg_keys keys;

    direct_announce(&keys, device, binding, identity);
    cr_assert_eq(direct_announced(&keys, binding, identity_public), CN_OK);
    cr_assert_eq(direct_announced(&keys, other, identity_public), CN_E_AUTH);
    cr_assert_eq(direct_announced(&keys, binding, device_public), CN_E_AUTH);
    keys.mask_public[0] = 1;
    cr_assert_eq(direct_announced(&keys, binding, identity_public), CN_E_AUTH);
    keys.mask_public[0] = 0;
    memcpy(keys.seal_public, aggregator_public, sizeof keys.seal_public);
    cr_assert_eq(direct_announced(&keys, binding, identity_public), CN_E_AUTH);
}

Test(direct, a_key_that_is_no_point_is_refused)
{
    uint8_t sealed[1 + DIRECT_OVERHEAD], zero[32] = {0};

    cr_assert_eq(direct_seal(sealed, "x", 1, device, zero, binding), CN_E_AUTH);
}
