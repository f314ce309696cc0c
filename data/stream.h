/* SPDX-License-Identifier: Apache-2.0 */
/* A file as a stream of bytes, unpacked on the way when its content is gzip. Offsets count unpacked
 * bytes. What this leaves to its callers: never to ask for more than they have checked. */
#ifndef CAIRN_DATA_STREAM_H
#define CAIRN_DATA_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"

#define STREAM_GZIP_RATIO_MAX 1032u /* the most that deflate shrinks anything */

struct gzFile_s;

struct stream {
    struct gzFile_s *file; /* zlib's */
    const char *path;      /* borrowed */
    uint64_t offset;       /* of the next byte, unpacked */
    uint64_t bytes_max;    /* the file can not unpack to more than this */
    bool packed;           /* it is gzip */
};

/* Opens a regular file. The path is borrowed until stream_close. CN_E_NOT_FOUND, CN_E_IO with the
 * reason in diag, CN_E_DATA for a folder or a device, CN_E_NOMEM. */
enum cn_err stream_open(struct stream *stream, const char *path, struct cn_diag *diag);

/* Reads up to len bytes; *got < len at the end only. CN_E_DATA for damaged or cut gzip, CN_E_IO. */
enum cn_err stream_read(struct stream *stream, void *out, size_t len, size_t *got,
                        struct cn_diag *diag);

/* Closes the file; one that was not opened is allowed. */
void stream_close(struct stream *stream);

#endif
