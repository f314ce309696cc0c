/* SPDX-License-Identifier: Apache-2.0 */
/* Plain or gzip, told apart by content. */
#include "data/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define STREAM_BUFFER_BYTES (64 * 1024)
#define STREAM_CHUNK_MAX ((size_t)1 << 30) /* gzread takes an unsigned int */

static enum cn_err refuse_errno(const char *path, const char *what, struct cn_diag *diag)
{
    int number = errno;

    cn_diag_set(diag, path, 0, 0, "%s: %s", what, strerror(number));
    if (number == ENOENT)
        cn_diag_hint(diag, "check the path; it counts from the folder the program runs in");
    return cn_err_from_errno(number);
}

static enum cn_err open_regular(int *fd, uint64_t *file_bytes, const char *path,
                                struct cn_diag *diag)
{
    struct stat info;

    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not make us wait */
    if (*fd < 0)
        return refuse_errno(path, "can not be opened", diag);
    if (fstat(*fd, &info) == 0 && S_ISREG(info.st_mode)) {
        *file_bytes = (uint64_t)info.st_size;
        return CN_OK;
    }
    close(*fd);
    cn_diag_set(diag, path, 0, 0, "is not a regular file");
    cn_diag_hint(diag, "name the data file itself");
    return CN_E_DATA;
}

enum cn_err stream_open(struct stream *stream, const char *path, struct cn_diag *diag)
{
    uint64_t file_bytes = 0;
    int fd = -1;

    *stream = (struct stream){.path = path};
    CN_TRY(open_regular(&fd, &file_bytes, path, diag));
    stream->file = gzdopen(fd, "rb");
    if (!stream->file) {
        close(fd);
        return CN_E_NOMEM;
    }
    (void)gzbuffer(stream->file, STREAM_BUFFER_BYTES); /* only speed depends on it */
    stream->packed = gzdirect(stream->file) == 0;
    stream->bytes_max = file_bytes;
    if (stream->packed &&
        __builtin_mul_overflow(file_bytes, (uint64_t)STREAM_GZIP_RATIO_MAX, &stream->bytes_max))
        stream->bytes_max = UINT64_MAX;
    return CN_OK;
}

static enum cn_err refuse_read(const struct stream *stream, struct cn_diag *diag)
{
    int code = Z_OK;
    const char *words = gzerror(stream->file, &code);

    if (code == Z_ERRNO)
        return refuse_errno(stream->path, "can not be read", diag);
    if (code == Z_MEM_ERROR)
        return CN_E_NOMEM;
    cn_diag_set(diag, stream->path, 0, 0, "%s at unpacked byte %llu (%s)",
                code == Z_BUF_ERROR ? "the gzip stream is cut off" : "the gzip stream is damaged",
                (unsigned long long)stream->offset, words);
    cn_diag_hint(diag, "copy or download the file again; `gzip -t` checks it");
    return CN_E_DATA;
}

enum cn_err stream_read(struct stream *stream, void *out, size_t len, size_t *got,
                        struct cn_diag *diag)
{
    uint8_t *to = out;

    *got = 0;
    while (*got < len) {
        size_t want = len - *got < STREAM_CHUNK_MAX ? len - *got : STREAM_CHUNK_MAX;
        int count = gzread(stream->file, to + *got, (unsigned)want);
        int code = Z_OK;

        if (count > 0) {
            *got += (size_t)count;
            stream->offset += (size_t)count;
        }
        (void)gzerror(stream->file, &code);
        if (count < 0 || code == Z_BUF_ERROR)
            return refuse_read(stream, diag);
        if (count == 0)
            break;
    }
    return CN_OK;
}

void stream_close(struct stream *stream)
{
    if (stream->file)
        (void)gzclose_r(stream->file); /* nothing was written, so nothing can be lost */
    stream->file = NULL;
}
