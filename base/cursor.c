/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded reading and writing of bytes. */
#include "base/cursor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST_BYTES 256

void cn_reader_init(struct cn_reader *reader, const void *bytes, size_t len)
{
    reader->at = bytes;
    reader->end = len ? reader->at + len : reader->at;
    reader->failed = false;
}

size_t cn_reader_left(const struct cn_reader *reader)
{
    return reader->failed ? 0 : (size_t)(reader->end - reader->at);
}

const uint8_t *cn_read_view(struct cn_reader *reader, size_t len)
{
    const uint8_t *view = reader->at;

    if (reader->failed || len > (size_t)(reader->end - reader->at)) {
        reader->failed = true;
        return NULL;
    }
    if (len)
        reader->at += len;
    return view;
}

void cn_read_bytes(struct cn_reader *reader, void *out, size_t len)
{
    const uint8_t *view = cn_read_view(reader, len);

    if (len == 0)
        return;
    if (view)
        memcpy(out, view, len);
    else
        memset(out, 0, len);
}

static uint64_t read_big_endian(struct cn_reader *reader, size_t len)
{
    const uint8_t *view = cn_read_view(reader, len);
    uint64_t value = 0;

    for (size_t i = 0; view && i < len; i++)
        value = value << 8 | view[i];
    return value;
}

uint8_t cn_read_u8(struct cn_reader *reader)
{
    return (uint8_t)read_big_endian(reader, 1);
}

uint16_t cn_read_u16(struct cn_reader *reader)
{
    return (uint16_t)read_big_endian(reader, 2);
}

uint32_t cn_read_u32(struct cn_reader *reader)
{
    return (uint32_t)read_big_endian(reader, 4);
}

uint64_t cn_read_u64(struct cn_reader *reader)
{
    return read_big_endian(reader, 8);
}

enum cn_err cn_reader_finish(const struct cn_reader *reader)
{
    return reader->failed || reader->at != reader->end ? CN_E_PARSE : CN_OK;
}

void cn_buf_init(struct cn_buf *buf, size_t max)
{
    *buf = (struct cn_buf){.max = max};
}

void cn_buf_clear(struct cn_buf *buf)
{
    free(buf->data);
    cn_buf_init(buf, buf->max);
}

void cn_buf_reset(struct cn_buf *buf)
{
    buf->len = 0;
    buf->failed = buf->short_of_memory = false;
}

/* Grows to hold need bytes, need <= max. Doubling keeps appends linear in total. */
static bool buf_reserve(struct cn_buf *buf, size_t need)
{
    size_t cap = buf->cap ? buf->cap : BUF_FIRST_BYTES;
    uint8_t *data;

    if (need <= buf->cap)
        return true;
    while (cap < need)
        cap = cap > buf->max / 2 ? buf->max : cap * 2;
    data = realloc(buf->data, cap);
    if (!data)
        return false;
    buf->data = data;
    buf->cap = cap;
    return true;
}

uint8_t *cn_buf_extend(struct cn_buf *buf, size_t len)
{
    uint8_t *place;

    if (buf->failed || len > buf->max - buf->len) {
        buf->failed = true;
        return NULL;
    }
    if (!buf_reserve(buf, buf->len + len)) {
        buf->failed = buf->short_of_memory = true;
        return NULL;
    }
    place = buf->data + buf->len;
    buf->len += len;
    return place;
}

void cn_buf_drop(struct cn_buf *buf, size_t len)
{
    if (len >= buf->len) {
        buf->len = 0;
        return;
    }
    if (len == 0)
        return;
    memmove(buf->data, buf->data + len, buf->len - len);
    buf->len -= len;
}

static void put_big_endian(struct cn_buf *buf, uint64_t value, size_t len)
{
    uint8_t *place = cn_buf_extend(buf, len);

    for (size_t i = 0; place && i < len; i++)
        place[i] = (uint8_t)(value >> (8 * (len - 1 - i)));
}

void cn_put_u8(struct cn_buf *buf, uint8_t value)
{
    put_big_endian(buf, value, 1);
}

void cn_put_u16(struct cn_buf *buf, uint16_t value)
{
    put_big_endian(buf, value, 2);
}

void cn_put_u32(struct cn_buf *buf, uint32_t value)
{
    put_big_endian(buf, value, 4);
}

void cn_put_u64(struct cn_buf *buf, uint64_t value)
{
    put_big_endian(buf, value, 8);
}

void cn_put_bytes(struct cn_buf *buf, const void *bytes, size_t len)
{
    uint8_t *place = cn_buf_extend(buf, len);

    if (place && len)
        memcpy(place, bytes, len);
}

void cn_put_text(struct cn_buf *buf, const char *format, ...)
{
    va_list args;
    int len;
    uint8_t *place;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0) {
        buf->failed = true;
        return;
    }
    /* vsnprintf wants room for a final zero, which is not counted. */
    place = cn_buf_extend(buf, (size_t)len + 1);
    if (!place)
        return;
    va_start(args, format);
    vsnprintf((char *)place, (size_t)len + 1, format, args);
    va_end(args);
    buf->len--;
}

enum cn_err cn_buf_finish(const struct cn_buf *buf)
{
    if (!buf->failed)
        return CN_OK;
    return buf->short_of_memory ? CN_E_NOMEM : CN_E_TOO_LARGE;
}
