/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 4180 outwards. */
#include "data/csv_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static enum cn_err refuse_errno(const char *path, const char *what, struct cn_diag *diag)
{
    int number = errno;

    cn_diag_set(diag, path, 0, 0, "%s: %s", what, strerror(number));
    return cn_err_from_errno(number);
}

static enum cn_err refuse_there(const char *path, struct cn_diag *diag)
{
    cn_diag_set(diag, path, 0, 0, "is there already and is not overwritten");
    cn_diag_hint(diag, "name a new file, or remove the old one first");
    return CN_E_EXISTS;
}

enum cn_err csv_writer_open(struct csv_writer *writer, const char *path, char separator,
                            struct cn_diag *diag)
{
    size_t len = strlen(path);
    bool packed = len > 3 && strcmp(path + len - 3, ".gz") == 0;
    int fd;

    *writer = (struct csv_writer){.path = path, .separator = separator, .first = true};
    if (len >= CN_PATH_MAX)
        return CN_E_TOO_LARGE;
    if (cn_file_exists(path))
        return refuse_there(path, diag);
    snprintf(writer->part, sizeof writer->part, "%s.part-XXXXXX", path);
    fd = mkostemp(writer->part, O_CLOEXEC);
    if (fd < 0) {
        writer->part[0] = '\0';
        return refuse_errno(path, "can not be written", diag);
    }
    writer->file = gzdopen(fd, packed ? "wb6" : "wbT");
    if (!writer->file) {
        close(fd);
        csv_writer_drop(writer);
        return CN_E_NOMEM;
    }
    (void)gzbuffer(writer->file, 64 * 1024); /* only speed depends on it */
    return CN_OK;
}

static void put(struct csv_writer *writer, const char *text, size_t len)
{
    if (len && !writer->failed)
        writer->failed = gzwrite(writer->file, text, (unsigned)len) != (int)len;
}

static bool needs_quotes(const char *text, size_t len)
{
    if (len && (text[0] == ' ' || text[len - 1] == ' '))
        return true;
    for (size_t i = 0; i < len; i++)
        if (text[i] == ',' || text[i] == '"' || text[i] == '\n' || text[i] == '\r')
            return true;
    return false;
}

void csv_writer_field(struct csv_writer *writer, const char *text, size_t len)
{
    if (!writer->first)
        put(writer, &writer->separator, 1);
    writer->first = false;
    if (writer->separator != ',' || !needs_quotes(text, len)) {
        put(writer, text, len);
        return;
    }
    put(writer, "\"", 1);
    for (size_t from = 0, at = 0; at < len; from = at) {
        while (at < len && text[at] != '"')
            at++;
        at += at < len;
        put(writer, text + from, at - from);
        if (text[at - 1] == '"')
            put(writer, "\"", 1);
    }
    put(writer, "\"", 1);
}

void csv_writer_end_record(struct csv_writer *writer)
{
    put(writer, "\n", 1);
    writer->first = true;
}

static enum cn_err sync_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int status;

    if (fd < 0)
        return CN_E_IO;
    status = fsync(fd);
    close(fd);
    return status == 0 ? CN_OK : CN_E_IO;
}

enum cn_err csv_writer_close(struct csv_writer *writer, struct cn_diag *diag)
{
    bool failed = writer->failed;
    enum cn_err err = CN_OK;

    errno = EIO;
    failed = gzclose_w(writer->file) != Z_OK || failed;
    writer->file = NULL;
    if (failed)
        err = refuse_errno(writer->path, "can not be written", diag);
    if (err == CN_OK)
        err = sync_file(writer->part);
    if (err == CN_OK && link(writer->part, writer->path) != 0)
        err = errno == EEXIST ? refuse_there(writer->path, diag)
                              : refuse_errno(writer->path, "can not be named", diag);
    csv_writer_drop(writer);
    return err;
}

void csv_writer_drop(struct csv_writer *writer)
{
    if (writer->file)
        (void)gzclose_w(writer->file); /* thrown away */
    writer->file = NULL;
    if (writer->part[0])
        (void)unlink(writer->part);
    writer->part[0] = '\0';
}
