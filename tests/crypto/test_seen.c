/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <criterion/criterion.h>
#include <sodium.h>

#include "crypto/seen.h"

static void value_of(uint8_t out[SEEN_BYTES], uint32_t i)
{
    memset(out, 0, SEEN_BYTES);
    memcpy(out, &i, sizeof i);
}

Test(seen, finds_what_was_put_and_nothing_else)
{
    struct seen seen = {0};
    uint8_t bytes[SEEN_BYTES];

    cr_assert(sodium_init() >= 0);
    value_of(bytes, 7);
    cr_assert_null(seen_get(&seen, 1, bytes), "an empty table");
    cr_assert_eq(seen_reserve(&seen, 1), CN_OK);
    seen_put(&seen, 1, bytes)->count = 5;
    cr_assert_eq(seen_get(&seen, 1, bytes)->count, 5);
    cr_assert_null(seen_get(&seen, 2, bytes), "another kind");
    value_of(bytes, 8);
    cr_assert_null(seen_get(&seen, 1, bytes), "another value");
    seen_clear(&seen);
    cr_assert_null(seen_get(&seen, 1, bytes));
}

Test(seen, counts_a_value_once_and_keeps_it_while_growing)
{
    struct seen seen = {0};
    uint8_t bytes[SEEN_BYTES];

    cr_assert(sodium_init() >= 0);
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 5000; i++) {
            value_of(bytes, i);
            cr_assert_eq(seen_reserve(&seen, 1), CN_OK);
            seen_put(&seen, 1 + i % 3, bytes)->count += i;
        }
    }
    cr_assert_eq(seen.count, 5000);
    cr_assert_leq(2 * seen.count, seen.room);
    for (uint32_t i = 0; i < 5000; i++) {
        value_of(bytes, i);
        cr_assert_eq(seen_get(&seen, 1 + i % 3, bytes)->count, 2 * i);
    }
    seen_clear(&seen);
}
