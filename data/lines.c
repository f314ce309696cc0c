/* SPDX-License-Identifier: Apache-2.0 */
/* Lines out of chunks. */
#include "data/lines.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES ((size_t)64 * 1024)
#define MARK "\xef\xbb\xbf"

enum cn_err lines_open(struct lines *lines, const char *path, struct cn_diag *diag)
{
    *lines = (struct lines){0};
    cn_buf_init(&lines->line, LINES_BYTES_MAX + 1);
    CN_TRY(stream_open(&lines->in, path, diag));
    lines->chunk = malloc(CHUNK_BYTES);
    return lines->chunk ? CN_OK : CN_E_NOMEM;
}

void lines_close(struct lines *lines)
{
    stream_close(&lines->in);
    cn_buf_clear(&lines->line);
    free(lines->chunk);
    lines->chunk = NULL;
}

unsigned lines_column(const struct lines *lines, size_t offset)
{
    unsigned column = 1;

    for (size_t i = 0; i < offset && i < lines->len; i++)
        column += (lines->text[i] & 0xc0) != 0x80;
    return column;
}

/* Moves bytes up to the line's end, or the chunk's, into the line. */
static enum cn_err take_chunk(struct lines *lines, struct cn_diag *diag)
{
    const char *from = lines->chunk + lines->chunk_at;
    size_t left = lines->chunk_len - lines->chunk_at;
    const char *end = memchr(from, '\n', left);
    size_t len = end ? (size_t)(end - from) : left;

    cn_put_bytes(&lines->line, from, len);
    lines->chunk_at += len + (end != NULL);
    lines->ended = end != NULL;
    if (!lines->line.failed)
        return CN_OK;
    if (lines->line.short_of_memory)
        return CN_E_NOMEM;
    cn_diag_set(diag, lines->in.path, lines->number, 1, "the line is longer than %zu bytes",
                LINES_BYTES_MAX);
    return CN_E_TOO_LARGE;
}

/* Sets text and len: without a carriage return before the end, and without a mark before all. */
static enum cn_err finish(struct lines *lines, struct cn_diag *diag)
{
    const char *zero;

    lines->len = lines->line.len;
    cn_put_u8(&lines->line, 0);
    CN_TRY(cn_buf_finish(&lines->line));
    lines->text = (const char *)lines->line.data;
    if (lines->ended && lines->len && lines->text[lines->len - 1] == '\r')
        lines->line.data[--lines->len] = '\0';
    if (lines->number == 1 && lines->len >= 3 && memcmp(lines->text, MARK, 3) == 0)
        lines->text += 3, lines->len -= 3;
    zero = memchr(lines->text, 0, lines->len);
    if (!zero)
        return CN_OK;
    cn_diag_set(diag, lines->in.path, lines->number,
                lines_column(lines, (size_t)(zero - lines->text)), "a zero byte; expected text");
    return CN_E_DATA;
}

enum cn_err lines_next(struct lines *lines, bool *got, struct cn_diag *diag)
{
    *got = false;
    lines->ended = false;
    cn_buf_reset(&lines->line);
    while (!lines->ended) {
        if (lines->chunk_at == lines->chunk_len) {
            lines->chunk_at = 0;
            CN_TRY(stream_read(&lines->in, lines->chunk, CHUNK_BYTES, &lines->chunk_len, diag));
            if (lines->chunk_len == 0)
                break;
        }
        lines->number += !*got;
        *got = true;
        CN_TRY(take_chunk(lines, diag));
    }
    return *got ? finish(lines, diag) : CN_OK;
}
