/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "base/cursor.h"

static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0xaa, 0xbb};

Test(cursor, reads_big_endian_in_order)
{
    struct cn_reader reader;
    uint8_t rest[2];

    cn_reader_init(&reader, bytes, sizeof bytes);
    cr_assert_eq(cn_read_u8(&reader), 1);
    cr_assert_eq(cn_read_u16(&reader), 0x0203);
    cr_assert_eq(cn_read_u32(&reader), 0x04050607u);
    cr_assert_eq(cn_read_u64(&reader), 0x08090a0b0c0d0e0fu);
    cr_assert_eq(cn_reader_left(&reader), 2);
    cr_assert_eq(cn_reader_finish(&reader), CN_E_PARSE, "something is left");
    cn_read_bytes(&reader, rest, 2);
    cr_assert_eq(rest[1], 0xbb);
    cr_assert_eq(cn_reader_finish(&reader), CN_OK);
}

Test(cursor, every_truncation_fails_and_stays_failed)
{
    for (size_t len = 0; len < sizeof bytes; len++) {
        struct cn_reader reader;
        uint8_t rest[2] = {9, 9};

        cn_reader_init(&reader, bytes, len);
        cn_read_u8(&reader);
        cn_read_u16(&reader);
        cn_read_u32(&reader);
        cn_read_u64(&reader);
        cn_read_bytes(&reader, rest, 2);
        cr_assert_eq(cn_reader_finish(&reader), CN_E_PARSE);
        cr_assert_eq(rest[0] | rest[1], 0, "bytes after a failure are zeros");
        cr_assert_eq(cn_reader_left(&reader), 0);
        cr_assert_eq(cn_read_u8(&reader), 0);
        cr_assert_null(cn_read_view(&reader, 0));
    }
}

Test(cursor, a_length_beyond_the_end_fails_however_large)
{
    struct cn_reader reader;

    cn_reader_init(&reader, bytes, 4);
    cr_assert_null(cn_read_view(&reader, SIZE_MAX));
    cr_assert(reader.failed);
}

Test(cursor, an_empty_reader_over_nothing_is_finished)
{
    struct cn_reader reader;

    cn_reader_init(&reader, NULL, 0);
    cr_assert_eq(cn_reader_left(&reader), 0);
    cn_read_bytes(&reader, NULL, 0);
    cr_assert_eq(cn_reader_finish(&reader), CN_OK);
}

Test(cursor, what_is_written_reads_back)
{
    struct cn_buf buf;
    struct cn_reader reader;
    uint8_t text[8];

    cn_buf_init(&buf, 100);
    cn_put_u8(&buf, 0xfe);
    cn_put_u16(&buf, 0xfedc);
    cn_put_u32(&buf, 0xfedcba98u);
    cn_put_u64(&buf, 0xfedcba9876543210u);
    cn_put_text(&buf, "n=%d", 12345);
    cn_put_bytes(&buf, "z", 1);
    cr_assert_eq(cn_buf_finish(&buf), CN_OK);
    cr_assert_eq(buf.len, 1 + 2 + 4 + 8 + 7 + 1);
    cn_reader_init(&reader, buf.data, buf.len);
    cr_assert_eq(cn_read_u8(&reader), 0xfe);
    cr_assert_eq(cn_read_u16(&reader), 0xfedc);
    cr_assert_eq(cn_read_u32(&reader), 0xfedcba98u);
    cr_assert_eq(cn_read_u64(&reader), 0xfedcba9876543210u);
    cn_read_bytes(&reader, text, 8);
    cr_assert_arr_eq(text, "n=12345z", 8);
    cr_assert_eq(cn_reader_finish(&reader), CN_OK);
    cn_buf_clear(&buf);
}

Test(cursor, a_buffer_refuses_to_pass_its_maximum_and_stays_failed)
{
    struct cn_buf buf;

    cn_buf_init(&buf, 10);
    cn_put_u64(&buf, 1);
    cn_put_u32(&buf, 1);
    cr_assert_eq(cn_buf_finish(&buf), CN_E_TOO_LARGE);
    cn_put_u8(&buf, 1);
    cr_assert_eq(buf.len, 8, "nothing is written after a failure");
    cr_assert_null(cn_buf_extend(&buf, SIZE_MAX));
    cn_buf_reset(&buf);
    cn_put_u64(&buf, 2);
    cn_put_u16(&buf, 2);
    cr_assert_eq(cn_buf_finish(&buf), CN_OK, "a reset forgets the failure");
    cr_assert_eq(buf.len, 10);
    cn_buf_clear(&buf);
}

Test(cursor, a_buffer_grows_to_its_maximum_and_no_further)
{
    struct cn_buf buf;

    cn_buf_init(&buf, 100000);
    for (int i = 0; i < 100000; i++)
        cn_put_u8(&buf, (uint8_t)i);
    cr_assert_eq(cn_buf_finish(&buf), CN_OK);
    cr_assert_leq(buf.cap, buf.max);
    for (int i = 0; i < 100000; i++)
        cr_assert_eq(buf.data[i], (uint8_t)i);
    cn_put_u8(&buf, 0);
    cr_assert_eq(cn_buf_finish(&buf), CN_E_TOO_LARGE);
    cn_buf_clear(&buf);
}

Test(cursor, dropping_keeps_the_rest)
{
    struct cn_buf buf;

    cn_buf_init(&buf, 64);
    cn_put_bytes(&buf, "abcdef", 6);
    cn_buf_drop(&buf, 0);
    cn_buf_drop(&buf, 2);
    cr_assert_eq(buf.len, 4);
    cr_assert_arr_eq(buf.data, "cdef", 4);
    cn_buf_drop(&buf, 100);
    cr_assert_eq(buf.len, 0);
    cn_buf_clear(&buf);
}
