/* SPDX-License-Identifier: Apache-2.0 */
/* Secret sharing: a worked example, every subset of a small sharing, wrong shares. */
#include <string.h>

#include <criterion/criterion.h>
#include <sodium.h>

#include "crypto/agree.h"
#include "crypto/shamir.h"

#define ok(expr) cr_assert_eq((expr), CN_OK, "%s", #expr)

enum { MAX = 40 };

static struct cn_seeded seeded;
static uint32_t points[MAX];
static uint8_t shares[MAX][SHAMIR_BYTES], weights[MAX][SHAMIR_BYTES], secret[SHAMIR_BYTES];

static struct cn_random start(uint64_t seed)
{
    struct cn_random random = cn_random_seeded(&seeded, seed);

    for (uint32_t i = 0; i < MAX; i++)
        points[i] = i + 1;
    agree_scalar(secret, &random);
    return random;
}

/* Recovers from the given members, up to MAX of them. */
static void recover_from(uint8_t out[SHAMIR_BYTES], const uint32_t *members, uint32_t count)
{
    uint32_t at[MAX];
    uint8_t picked[MAX][SHAMIR_BYTES];

    for (uint32_t i = 0; i < count; i++) {
        at[i] = points[members[i]];
        memcpy(picked[i], shares[members[i]], SHAMIR_BYTES);
    }
    ok(shamir_weights(weights, at, count));
    shamir_combine(out, picked, weights, count);
}

/* f(x) = 1234 + 166 x + 94 x^2 at 2, 4, 5 gives 1942, 3402, 4414. */
Test(shamir, recovers_a_worked_example)
{
    static const uint32_t at[3] = {2, 4, 5};
    uint8_t values[3][SHAMIR_BYTES] = {
        {1942 & 0xff, 1942 >> 8}, {3402 & 0xff, 3402 >> 8}, {4414 & 0xff, 4414 >> 8}};
    uint8_t expected[SHAMIR_BYTES] = {1234 & 0xff, 1234 >> 8}, got[SHAMIR_BYTES];

    ok(shamir_weights(weights, at, 3));
    shamir_combine(got, values, weights, 3);
    cr_assert_arr_eq(got, expected, sizeof got);
}

Test(shamir, recovers_from_every_subset_of_three_of_six)
{
    struct cn_random random = start(1);
    uint8_t got[SHAMIR_BYTES];

    ok(shamir_split(shares, points, 6, 3, secret, &random));
    for (uint32_t i = 0; i < 6; i++) {
        for (uint32_t j = i + 1; j < 6; j++) {
            for (uint32_t k = j + 1; k < 6; k++) {
                recover_from(got, (uint32_t[]){i, j, k}, 3);
                cr_assert_arr_eq(got, secret, sizeof got);
            }
        }
    }
}

Test(shamir, recovers_from_more_than_the_threshold)
{
    struct cn_random random = start(2);
    uint8_t got[SHAMIR_BYTES];

    ok(shamir_split(shares, points, 5, 2, secret, &random));
    recover_from(got, (uint32_t[]){0, 1, 2, 3, 4}, 5);
    cr_assert_arr_eq(got, secret, sizeof got);
}

Test(shamir, gives_something_else_below_the_threshold)
{
    struct cn_random random = start(3);
    uint8_t got[SHAMIR_BYTES];

    ok(shamir_split(shares, points, 6, 4, secret, &random));
    recover_from(got, (uint32_t[]){0, 2, 5}, 3);
    cr_assert_arr_neq(got, secret, sizeof got);
}

Test(shamir, works_at_points_far_apart)
{
    struct cn_random random = start(4);
    uint8_t got[SHAMIR_BYTES];

    for (uint32_t i = 0; i < MAX; i++)
        points[i] = i < 20 ? i + 1 : UINT32_MAX - MAX + i;
    ok(shamir_split(shares, points, MAX, 27, secret, &random));
    recover_from(got, (uint32_t[]){0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  19, 20, 21, 22,
                                   23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 38, 39},
                 27);
    cr_assert_arr_eq(got, secret, sizeof got);
}

Test(shamir, shares_differ_when_shared_again)
{
    struct cn_random random = start(5);
    uint8_t first[SHAMIR_BYTES];

    ok(shamir_split(shares, points, 3, 2, secret, &random));
    memcpy(first, shares[0], sizeof first);
    ok(shamir_split(shares, points, 3, 2, secret, &random));
    cr_assert_arr_neq(first, shares[0], sizeof first);
}

Test(shamir, refuses_a_threshold_below_two)
{
    struct cn_random random = start(6);

    cr_assert_eq(shamir_split(shares, points, 5, 1, secret, &random), CN_E_CONFIG);
    cr_assert_eq(shamir_split(shares, points, 5, 0, secret, &random), CN_E_CONFIG);
}

Test(shamir, refuses_a_threshold_above_the_holders)
{
    struct cn_random random = start(7);

    cr_assert_eq(shamir_split(shares, points, 5, 6, secret, &random), CN_E_CONFIG);
}

Test(shamir, refuses_points_that_are_zero_or_do_not_rise)
{
    struct cn_random random = start(8);
    uint32_t zero[] = {0, 1, 2}, twice[] = {1, 1, 2}, falling[] = {1, 3, 2};

    cr_assert_eq(shamir_split(shares, zero, 3, 2, secret, &random), CN_E_CONFIG);
    cr_assert_eq(shamir_split(shares, twice, 3, 2, secret, &random), CN_E_CONFIG);
    cr_assert_eq(shamir_weights(weights, twice, 3), CN_E_CONFIG);
    cr_assert_eq(shamir_weights(weights, falling, 3), CN_E_CONFIG);
    cr_assert_eq(shamir_weights(weights, points, 0), CN_E_CONFIG);
}

static bool is_secret(const void *ctx, const uint8_t candidate[SHAMIR_BYTES])
{
    return memcmp(ctx, candidate, SHAMIR_BYTES) == 0;
}

static bool wrong[MAX];

static enum cn_err recover_wrong(struct shamir_search *search, uint32_t count, uint32_t threshold)
{
    struct shamir_set set = {points, shares, count, threshold};

    *search = (struct shamir_search){
        .is_right = is_secret, .ctx = secret, .work_left = SHAMIR_WORK_MAX / 32, .wrong = wrong};
    return shamir_recover(search, &set);
}

/* 2 of 7 are few enough to be named with threshold 4, 3 are few enough to do without. */
Test(shamir, finds_any_wrong_shares_up_to_those_to_spare)
{
    for (uint32_t bits = 0; bits < 1u << 7; bits++) {
        struct cn_random random = start(9 + bits);
        struct shamir_search search;
        int liars = __builtin_popcount(bits);

        ok(shamir_split(shares, points, 7, 4, secret, &random));
        for (uint32_t i = 0; i < 7; i++)
            shares[i][3] ^= bits >> i & 1;
        enum cn_err err = recover_wrong(&search, 7, 4);
        if (liars <= 3) {
            ok(err);
            cr_assert_arr_eq(search.secret, secret, sizeof secret);
            cr_assert_eq(search.certain, liars <= 2);
        }
        for (uint32_t i = 0; i < 7; i++)
            cr_assert(wrong[i] == (liars <= 2 && bits >> i & 1), "share %u, pattern %u", i, bits);
    }
}

/* Holders 1 and 2 choose their errors so that with 4 and 5 they give the right secret. */
Test(shamir, frames_nobody_when_two_conspire)
{
    struct cn_random random = start(300);
    struct shamir_search search;
    uint8_t delta[SHAMIR_BYTES] = {1}, got[SHAMIR_BYTES];

    ok(shamir_split(shares, points, 7, 4, secret, &random));
    for (uint32_t i = 0; i < 2; i++)
        crypto_core_ristretto255_scalar_add(shares[i], shares[i], delta);
    recover_from(got, (uint32_t[]){0, 1, 3, 4}, 4);
    cr_assert_arr_eq(got, secret, sizeof got);
    ok(recover_wrong(&search, 7, 4));
    cr_assert(search.certain && wrong[0] && wrong[1]);
    for (uint32_t i = 2; i < 7; i++)
        cr_assert_not(wrong[i]);
}

Test(shamir, gives_up_when_too_few_shares_are_right)
{
    struct cn_random random = start(301);
    struct shamir_search search;

    ok(shamir_split(shares, points, 5, 4, secret, &random));
    shares[0][0] ^= 1;
    shares[1][1] ^= 1;
    cr_assert_eq(recover_wrong(&search, 5, 4), CN_E_INCONSISTENT);
    cr_assert(sodium_is_zero(search.secret, sizeof search.secret));
    cr_assert_eq(shamir_recover(&search, &(struct shamir_set){points, shares, 5, 6}), CN_E_CONFIG);
}

Test(shamir, bounds_its_search)
{
    struct cn_random random = start(200);
    struct shamir_search search;

    ok(shamir_split(shares, points, MAX, 20, secret, &random));
    for (uint32_t i = 0; i < MAX; i += 2)
        shares[i][0] ^= 1; /* 20 of 40: one in 10^11 choices is right */
    cr_assert_eq(recover_wrong(&search, MAX, 20), CN_E_INCONSISTENT);
    cr_assert_eq(search.work_left, 0);
}
