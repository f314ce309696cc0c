/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/frame.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void put_frame(struct cn_buf *out, size_t len, uint8_t fill)
{
    cn_put_u32(out, (uint32_t)len);
    memset(cn_buf_extend(out, len), fill, len);
}

/* Feeds the stream in pieces of so many bytes; checks that frame i has length lens[i], all i. */
static void take_in_pieces(const struct cn_buf *stream, size_t piece, const size_t *lens,
                           size_t count)
{
    struct frame_reader reader;
    size_t seen = 0;

    frame_reader_init(&reader);
    for (size_t at = 0; at < stream->len;) {
        size_t len = stream->len - at < piece ? stream->len - at : piece, used;
        uint8_t *copy = malloc(len); /* exactly so long: reads past it are seen */
        struct frame frame;

        memcpy(copy, stream->data + at, len);
        cr_assert_eq(frame_reader_take(&reader, copy, len, &used, &frame), CN_OK);
        cr_assert(used > 0 && used <= len);
        at += used;
        if (frame.payload) {
            cr_assert_lt(seen, count);
            cr_assert_eq(frame.len, lens[seen]);
            for (size_t i = 0; i < frame.len; i++)
                cr_assert_eq(frame.payload[i], (uint8_t)seen);
            cr_assert_not(frame_reader_inside(&reader));
            seen++;
        }
        free(copy);
    }
    cr_assert_eq(seen, count);
    frame_reader_clear(&reader);
}

Test(frame, comes_out_whole_however_the_stream_is_cut)
{
    static const size_t lens[] = {1, 2, 300, 5, 4, 1, 70};
    struct cn_buf stream;

    cn_buf_init(&stream, 1 << 20);
    for (size_t i = 0; i < CN_COUNT(lens); i++)
        put_frame(&stream, lens[i], (uint8_t)i);
    for (size_t piece = 1; piece <= stream.len; piece++)
        take_in_pieces(&stream, piece, lens, CN_COUNT(lens));
    cn_buf_clear(&stream);
}

Test(frame, may_be_as_large_as_the_largest_message)
{
    static const size_t lens[] = {MESSAGE_BYTES_MAX, 3, MESSAGE_BYTES_MAX};
    struct cn_buf stream;

    cn_buf_init(&stream, 4 * MESSAGE_BYTES_MAX);
    for (size_t i = 0; i < CN_COUNT(lens); i++)
        put_frame(&stream, lens[i], (uint8_t)i);
    take_in_pieces(&stream, 65536, lens, CN_COUNT(lens));
    take_in_pieces(&stream, stream.len, lens, CN_COUNT(lens));
    cn_buf_clear(&stream);
}

static enum cn_err take(const char *bytes, size_t len)
{
    struct frame_reader reader;
    struct frame frame;
    size_t used;
    enum cn_err err;

    frame_reader_init(&reader);
    err = frame_reader_take(&reader, (const uint8_t *)bytes, len, &used, &frame);
    cr_assert_null(frame.payload);
    cr_assert_eq(reader.part.cap, 0);
    frame_reader_clear(&reader);
    return err;
}

Test(frame, of_no_or_too_many_bytes_is_refused_at_its_head)
{
    cr_assert_eq(take("\x00\x00\x00\x00", 4), CN_E_PARSE);
    cr_assert_eq(take("\xff\xff\xff\xff", 4), CN_E_TOO_LARGE);
    cr_assert_eq(take("\x00\x20\x00\x01", 4), CN_E_TOO_LARGE);
    cr_assert_eq(take("\x00\x20\x00\x00", 4), CN_OK);
    cr_assert_eq(take("\xff\xff\xff", 3), CN_OK); /* not yet a head */
}

Test(frame, has_a_smaller_maximum_where_its_reader_wants_it)
{
    struct frame_reader reader;
    struct frame frame;
    size_t used;

    frame_reader_init(&reader);
    reader.payload_max = MESSAGE_UP_BYTES_MAX;
    frame_reader_clear(&reader);
    cr_assert_eq(frame_reader_take(&reader, (const uint8_t *)"\x00\x08\x00\x00", 4, &used, &frame),
                 CN_OK);
    frame_reader_clear(&reader);
    cr_assert_eq(frame_reader_take(&reader, (const uint8_t *)"\x00\x08\x00\x01", 4, &used, &frame),
                 CN_E_TOO_LARGE);
    frame_reader_clear(&reader);
}

Test(frame, takes_memory_for_bytes_that_came_only)
{
    struct frame_reader reader;
    struct frame frame;
    size_t used;

    frame_reader_init(&reader);
    cr_assert_eq(
        frame_reader_take(&reader, (const uint8_t *)"\x00\x10\x00\x00xyz", 7, &used, &frame),
        CN_OK);
    cr_assert_eq(used, 7);
    cr_assert_null(frame.payload);
    cr_assert(frame_reader_inside(&reader));
    cr_assert_leq(reader.part.cap, 4096);
    frame_reader_clear(&reader);
}

Test(frame, is_not_copied_when_it_came_in_one_piece)
{
    static const uint8_t bytes[] = {0, 0, 0, 2, 7, 8, 0, 0};
    struct frame_reader reader;
    struct frame frame;
    size_t used;

    frame_reader_init(&reader);
    cr_assert_eq(frame_reader_take(&reader, bytes, sizeof bytes, &used, &frame), CN_OK);
    cr_assert_eq(frame.payload, bytes + 4);
    cr_assert_eq(frame.len, 2);
    cr_assert_eq(used, 6);
    frame_reader_clear(&reader);
}

Test(frame, gives_memory_back_when_frames_are_small_again)
{
    struct frame_reader reader;
    struct cn_buf stream;
    struct frame frame;
    size_t used;

    frame_reader_init(&reader);
    cn_buf_init(&stream, 4 * MESSAGE_BYTES_MAX);
    put_frame(&stream, MESSAGE_BYTES_MAX, 1);
    cr_assert_eq(frame_reader_take(&reader, stream.data, 1000, &used, &frame), CN_OK);
    cr_assert_eq(frame_reader_take(&reader, stream.data + 1000, stream.len - 1000, &used, &frame),
                 CN_OK);
    cr_assert_eq(frame.len, MESSAGE_BYTES_MAX);
    cr_assert_geq(reader.part.cap, MESSAGE_BYTES_MAX);
    cr_assert_eq(frame_reader_take(&reader, (const uint8_t *)"\0\0\0\1x", 5, &used, &frame), CN_OK);
    cr_assert_eq(frame.len, 1);
    cr_assert_leq(reader.part.cap, 65536);
    frame_reader_clear(&reader);
    cn_buf_clear(&stream);
}

Test(frame, holds_a_message)
{
    struct message ping = {.type = MESSAGE_PING, .as.ping.nonce = 300},
                   bad = {.type = MESSAGE_NONE};
    struct cn_buf out;

    cn_buf_init(&out, 1024);
    cr_assert_eq(frame_encode(&out, &ping), CN_OK);
    cr_assert_eq(out.len, 9);
    cr_assert_eq(memcmp(out.data, "\0\0\0\x05\x92\x13\xcd\x01\x2c", 9), 0);
    cr_assert_eq(frame_encode(&out, &bad), CN_E_STATE);
    cr_assert_eq(out.len, 9);
    cn_buf_clear(&out);
}
