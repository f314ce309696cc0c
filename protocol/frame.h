/* SPDX-License-Identifier: Apache-2.0 */
/* Frames: four bytes of length, big-endian, then so many bytes, 1 .. MESSAGE_BYTES_MAX. One frame
 * holds one message. Sans-I/O. */
#ifndef CAIRN_PROTOCOL_FRAME_H
#define CAIRN_PROTOCOL_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/err.h"
#include "protocol/messages.h"

#define FRAME_HEAD_BYTES 4

/* Appends one message as a frame. Errors as message_encode; out is then as it was before. */
enum cn_err frame_encode(struct cn_buf *out, const struct message *message);

/* Takes a stream apart. Memory grows with the bytes that came, never with those announced. */
struct frame_reader {
    uint8_t head[FRAME_HEAD_BYTES];
    size_t head_len;
    size_t payload_bytes; /* of the frame that has begun; 0 while the head is incomplete */
    size_t payload_max;   /* MESSAGE_BYTES_MAX unless the owner sets less after init */
    struct cn_buf part;   /* what came of a payload that did not come in one piece */
};

void frame_reader_init(struct frame_reader *reader);

/* Frees the memory; the reader is then as after init, with the payload_max it had. */
void frame_reader_clear(struct frame_reader *reader);

struct frame {
    const uint8_t
        *payload; /* valid until the bytes given go away or the next call; NULL: none yet */
    size_t len;
};

/* Takes from bytes until a frame is complete or they are used up; *used says how many were taken.
 * A payload that lies in bytes whole is not copied. CN_E_PARSE for a length of zero, CN_E_TOO_LARGE
 * for one past the maximum, each as soon as the head is there; the stream is then of no more use.
 * CN_E_NOMEM. */
enum cn_err frame_reader_take(struct frame_reader *reader, const uint8_t *bytes, size_t len,
                              size_t *used, struct frame *frame);

/* True when a frame has begun and is not complete. */
bool frame_reader_inside(const struct frame_reader *reader);

#endif
