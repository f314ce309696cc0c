/* SPDX-License-Identifier: Apache-2.0 */
/* Framing and unframing. */
#include "protocol/frame.h"

#include <string.h>

#define KEEP_BYTES ((size_t)64 * 1024) /* an idle reader holds no more than this */

enum cn_err frame_encode(struct cn_buf *out, const struct message *message)
{
    size_t before = out->len, payload;
    uint8_t *head;
    enum cn_err err;

    if (!cn_buf_extend(out, FRAME_HEAD_BYTES))
        return cn_buf_finish(out);
    err = message_encode(out, message);
    if (err != CN_OK) {
        out->len = before;
        return err;
    }
    head = out->data + before;
    payload = out->len - before - FRAME_HEAD_BYTES;
    for (size_t i = FRAME_HEAD_BYTES; i-- > 0; payload >>= 8)
        head[i] = (uint8_t)payload;
    return CN_OK;
}

void frame_reader_init(struct frame_reader *reader)
{
    *reader = (struct frame_reader){.payload_max = MESSAGE_BYTES_MAX};
    cn_buf_init(&reader->part, MESSAGE_BYTES_MAX);
}

void frame_reader_clear(struct frame_reader *reader)
{
    size_t payload_max = reader->payload_max;

    cn_buf_clear(&reader->part);
    frame_reader_init(reader);
    reader->payload_max = payload_max;
}

static enum cn_err take_head(struct frame_reader *reader, struct cn_reader *in)
{
    struct cn_reader head;

    while (reader->head_len < FRAME_HEAD_BYTES && cn_reader_left(in) > 0)
        reader->head[reader->head_len++] = cn_read_u8(in);
    if (reader->head_len < FRAME_HEAD_BYTES)
        return CN_OK;
    cn_reader_init(&head, reader->head, FRAME_HEAD_BYTES);
    reader->payload_bytes = cn_read_u32(&head);
    if (reader->payload_bytes == 0)
        return CN_E_PARSE;
    if (reader->payload_bytes > reader->payload_max)
        return CN_E_TOO_LARGE;
    /* A large frame's memory is kept while large frames come, given back with the first small. */
    if (reader->payload_bytes <= KEEP_BYTES && reader->part.cap > KEEP_BYTES)
        cn_buf_clear(&reader->part);
    cn_buf_reset(&reader->part);
    return CN_OK;
}

static enum cn_err take_payload(struct frame_reader *reader, struct cn_reader *in,
                                struct frame *frame)
{
    size_t missing = reader->payload_bytes - reader->part.len;
    size_t take = cn_reader_left(in) < missing ? cn_reader_left(in) : missing;
    const uint8_t *view = cn_read_view(in, take);

    *frame = (struct frame){view, reader->payload_bytes};
    if (take < reader->payload_bytes) {
        if (take > 0)
            cn_put_bytes(&reader->part, view, take);
        CN_TRY(cn_buf_finish(&reader->part));
        frame->payload = take == missing ? reader->part.data : NULL;
    }
    if (take == missing)
        reader->head_len = reader->payload_bytes = 0;
    return CN_OK;
}

enum cn_err frame_reader_take(struct frame_reader *reader, const uint8_t *bytes, size_t len,
                              size_t *used, struct frame *frame)
{
    struct cn_reader in;
    enum cn_err err = CN_OK;

    *frame = (struct frame){0};
    cn_reader_init(&in, bytes, len);
    if (reader->payload_bytes == 0)
        err = take_head(reader, &in);
    if (err == CN_OK && reader->payload_bytes > 0)
        err = take_payload(reader, &in, frame);
    if (err != CN_OK || !frame->payload)
        *frame = (struct frame){0};
    *used = len - cn_reader_left(&in);
    return err;
}

bool frame_reader_inside(const struct frame_reader *reader)
{
    return reader->head_len > 0;
}
