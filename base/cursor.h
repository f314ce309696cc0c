/* SPDX-License-Identifier: Apache-2.0 */
/* Byte cursors: a reader over borrowed bytes and a buffer that grows up to a maximum.
 *
 * The first failure sticks: later reads give zeros, later writes do nothing, and one check at the
 * end decides. Integers are big-endian on the wire. */
#ifndef CAIRN_BASE_CURSOR_H
#define CAIRN_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct cn_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

void cn_reader_init(struct cn_reader *reader, const void *bytes, size_t len);

/* Bytes that are still there; 0 after a failure. */
size_t cn_reader_left(const struct cn_reader *reader);

uint8_t cn_read_u8(struct cn_reader *reader);
uint16_t cn_read_u16(struct cn_reader *reader);
uint32_t cn_read_u32(struct cn_reader *reader);
uint64_t cn_read_u64(struct cn_reader *reader);

/* Gives a view of the next len bytes, valid as long as the reader's bytes; NULL on failure. */
const uint8_t *cn_read_view(struct cn_reader *reader, size_t len);

/* Copies the next len bytes; zeros on failure. */
void cn_read_bytes(struct cn_reader *reader, void *out, size_t len);

/* CN_OK when nothing failed and nothing is left, CN_E_PARSE otherwise. */
enum cn_err cn_reader_finish(const struct cn_reader *reader);

struct cn_buf {
    uint8_t *data; /* may move with every write */
    size_t len;
    size_t cap;
    size_t max; /* bytes it refuses to pass */
    bool failed;
    bool short_of_memory; /* what made it fail, when it failed */
};

/* Makes an empty buffer of at most max bytes; allocates nothing yet. */
void cn_buf_init(struct cn_buf *buf, size_t max);

/* Frees the bytes and makes the buffer empty, with the same maximum. Not for secrets. */
void cn_buf_clear(struct cn_buf *buf);

/* Forgets the content and a failure, keeps the memory. */
void cn_buf_reset(struct cn_buf *buf);

/* Makes room for len more bytes and gives the place, counted as written; NULL on failure. */
uint8_t *cn_buf_extend(struct cn_buf *buf, size_t len);

/* Drops the first len bytes (all of them if there are fewer). */
void cn_buf_drop(struct cn_buf *buf, size_t len);

void cn_put_u8(struct cn_buf *buf, uint8_t value);
void cn_put_u16(struct cn_buf *buf, uint16_t value);
void cn_put_u32(struct cn_buf *buf, uint32_t value);
void cn_put_u64(struct cn_buf *buf, uint64_t value);
void cn_put_bytes(struct cn_buf *buf, const void *bytes, size_t len);
__attribute__((format(printf, 2, 3))) void cn_put_text(struct cn_buf *buf, const char *format, ...);

/* CN_OK, or CN_E_TOO_LARGE / CN_E_NOMEM by what made the first write fail. */
enum cn_err cn_buf_finish(const struct cn_buf *buf);

#endif
