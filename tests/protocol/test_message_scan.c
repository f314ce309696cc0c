/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/message_scan.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define SCAN(literal) message_scan((const uint8_t *)(literal), sizeof(literal) - 1)

Test(message_scan, lets_every_shortest_form_through)
{
    cr_assert_eq(SCAN("\x90"), CN_OK);
    cr_assert_eq(SCAN("\x94\x00\x7f\xff\xe0"), CN_OK);
    cr_assert_eq(SCAN("\x92\xc2\xc3"), CN_OK);
    cr_assert_eq(SCAN("\x92\xcc\x80\xcc\xff"), CN_OK);
    cr_assert_eq(SCAN("\x92\xcd\x01\x00\xcd\xff\xff"), CN_OK);
    cr_assert_eq(SCAN("\x92\xce\x00\x01\x00\x00\xce\xff\xff\xff\xff"), CN_OK);
    cr_assert_eq(SCAN("\x92\xcf\0\0\0\x01\0\0\0\0\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), CN_OK);
    cr_assert_eq(SCAN("\x92\xd0\xdf\xd0\x80"), CN_OK);         /* -33, -128 */
    cr_assert_eq(SCAN("\x92\xd1\xff\x7f\xd1\x80\x00"), CN_OK); /* -129, -32768 */
    cr_assert_eq(SCAN("\x91\xd2\xff\xff\x7f\xff"), CN_OK);     /* -32769 */
    cr_assert_eq(SCAN("\x91\xd3\xff\xff\xff\xff\x7f\xff\xff\xff"), CN_OK);
    cr_assert_eq(SCAN("\x91\xd3\x80\0\0\0\0\0\0\0"), CN_OK);
    cr_assert_eq(SCAN("\x93\xa0\xa1x\xc4\x00"), CN_OK);
}

Test(message_scan, refuses_longer_forms_of_short_values)
{
    cr_assert_eq(SCAN("\x91\xcc\x7f"), CN_E_PARSE);
    cr_assert_eq(SCAN("\x91\xcd\x00\xff"), CN_E_PARSE);
    cr_assert_eq(SCAN("\x91\xce\x00\x00\xff\xff"), CN_E_PARSE);
    cr_assert_eq(SCAN("\x91\xcf\0\0\0\0\xff\xff\xff\xff"), CN_E_PARSE);
    cr_assert_eq(SCAN("\x91\xd0\x00"), CN_E_PARSE);     /* 0 as int 8 */
    cr_assert_eq(SCAN("\x91\xd0\xe0"), CN_E_PARSE);     /* -32 as int 8 */
    cr_assert_eq(SCAN("\x91\xd1\xff\x80"), CN_E_PARSE); /* -128 as int 16 */
    cr_assert_eq(SCAN("\x91\xd1\x00\x80"), CN_E_PARSE); /* 128 as int 16 */
    cr_assert_eq(SCAN("\x91\xd2\xff\xff\x80\x00"), CN_E_PARSE);
    cr_assert_eq(SCAN("\x91\xd3\xff\xff\xff\xff\x80\x00\x00\x00"), CN_E_PARSE);
    cr_assert_eq(SCAN("\x91\xd9\x01x"), CN_E_PARSE);
    cr_assert_eq(SCAN("\x91\xda\x00\x01x"), CN_E_PARSE);
    cr_assert_eq(SCAN("\x91\xdb\x00\x00\x00\x01x"), CN_E_PARSE);
    cr_assert_eq(SCAN("\x91\xc5\x00\x01x"), CN_E_PARSE);
    cr_assert_eq(SCAN("\x91\xc6\x00\x00\x00\x01x"), CN_E_PARSE);
    cr_assert_eq(SCAN("\xdc\x00\x01\x00"), CN_E_PARSE);
    cr_assert_eq(SCAN("\xdd\x00\x00\x00\x01\x00"), CN_E_PARSE);
}

Test(message_scan, refuses_forms_that_have_no_place_here)
{
    /* nil, the unused byte, ext, float, fixext, map */
    static const uint8_t firsts[] = {0xc0, 0xc1, 0xc7, 0xc8, 0xc9, 0xca, 0xcb, 0xd4, 0xd5,
                                     0xd6, 0xd7, 0xd8, 0xde, 0xdf, 0x80, 0x81, 0x8f};
    for (size_t i = 0; i < sizeof firsts; i++) {
        uint8_t bytes[32] = {0x91, firsts[i]};
        for (size_t len = 2; len <= sizeof bytes; len++)
            cr_assert_eq(message_scan(bytes, len), CN_E_PARSE, "%02x", firsts[i]);
    }
}

Test(message_scan, refuses_counts_that_nothing_backs)
{
    cr_assert_eq(SCAN(""), CN_E_PARSE);
    cr_assert_eq(SCAN("\x91"), CN_E_PARSE);
    cr_assert_eq(SCAN("\xdd\xff\xff\xff\xff"), CN_E_PARSE);
    cr_assert_eq(SCAN("\xdc\x00\x10\x00\x00"), CN_E_PARSE);
    cr_assert_eq(SCAN("\x91\xc6\xff\xff\xff\xff"), CN_E_PARSE);
    cr_assert_eq(SCAN("\x91\xa2x"), CN_E_PARSE);
    /* Each array alone is backed by the bytes, both together are not. */
    cr_assert_eq(SCAN("\x93\x93\x00\x00\x00"), CN_E_PARSE);
}

Test(message_scan, refuses_deep_nesting)
{
    cr_assert_eq(SCAN("\x91\x91\x91\x90"), CN_OK);
    cr_assert_eq(SCAN("\x91\x91\x91\x91\x90"), CN_E_PARSE);
    uint8_t deep[4096];
    memset(deep, 0x91, sizeof deep);
    cr_assert_eq(message_scan(deep, sizeof deep), CN_E_PARSE);
}

Test(message_scan, refuses_what_is_no_array_or_has_a_tail)
{
    cr_assert_eq(SCAN("\x00"), CN_E_PARSE);
    cr_assert_eq(SCAN("\xa1x"), CN_E_PARSE);
    cr_assert_eq(SCAN("\x90\x00"), CN_E_PARSE);
    cr_assert_eq(SCAN("\x91\x00\x00"), CN_E_PARSE);
}

/* An array of count integers, each one byte. */
static enum cn_err scan_array_of(uint32_t count)
{
    uint8_t *bytes = calloc(1, 5 + count);
    enum cn_err err;

    bytes[0] = 0xdc;
    bytes[1] = (uint8_t)(count >> 8);
    bytes[2] = (uint8_t)count;
    err = message_scan(bytes, 3 + count);
    free(bytes);
    return err;
}

Test(message_scan, bounds_the_objects_of_a_message)
{
    cr_assert_eq(scan_array_of(16), CN_OK);
    cr_assert_eq(scan_array_of(MESSAGE_OBJECTS_MAX - 1), CN_OK);
    cr_assert_eq(scan_array_of(MESSAGE_OBJECTS_MAX), CN_E_PARSE);
    cr_assert_eq(scan_array_of(UINT16_MAX), CN_E_PARSE);
}
