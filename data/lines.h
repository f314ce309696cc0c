/* SPDX-License-Identifier: Apache-2.0 */
/* A text file line by line, plain or gzip, in bounded memory: one line and 64 KiB. */
#ifndef CAIRN_DATA_LINES_H
#define CAIRN_DATA_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cursor.h"
#include "base/diag.h"
#include "base/err.h"
#include "data/stream.h"

#define LINES_BYTES_MAX ((size_t)1 << 24) /* of one line */

struct lines {
    struct stream in;
    char *chunk;
    size_t chunk_at, chunk_len;
    struct cn_buf line;
    const char *text; /* [len] and a zero, without its end (LF or CRLF); valid until the next */
    size_t len;
    bool ended;      /* the line has an end; only a file's last may have none */
    unsigned number; /* of the line, from 1 */
};

/* Opens the file. Errors as of stream_open. Closed by lines_close, after a failure too. */
enum cn_err lines_open(struct lines *lines, const char *path, struct cn_diag *diag);

/* Reads the next line, an empty one too; *got is false at the end of the file. A byte order mark at
 * the start is skipped. CN_E_DATA with its place for a zero byte, CN_E_TOO_LARGE for a line past
 * LINES_BYTES_MAX; CN_E_IO, CN_E_NOMEM. */
enum cn_err lines_next(struct lines *lines, bool *got, struct cn_diag *diag);

/* The column, from 1 and in characters, of the byte at an offset of the line. */
unsigned lines_column(const struct lines *lines, size_t offset);

void lines_close(struct lines *lines);

#endif
