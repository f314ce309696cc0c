/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files, atomically. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static enum cn_err fail(struct cn_diag *diag, const char *path, const char *what)
{
    int number = errno;

    cn_diag_set(diag, path, 0, 0, "%s: %s", what, strerror(number));
    if (number == ENOSPC || number == EDQUOT)
        cn_diag_hint(diag, "free some space and start again; nothing that was there is lost");
    else if (number == EACCES || number == EPERM)
        cn_diag_hint(diag, "check who owns it and its permissions");
    return cn_err_from_errno(number);
}

enum cn_err cn_path_join(char out[CN_PATH_MAX], const char *folder, const char *name)
{
    size_t len = strlen(folder);
    const char *slash = len && folder[len - 1] == '/' ? "" : "/";
    int wrote = snprintf(out, CN_PATH_MAX, "%s%s%s", folder, slash, name);

    if (wrote < 0 || wrote >= CN_PATH_MAX) {
        out[0] = '\0';
        return CN_E_TOO_LARGE;
    }
    return CN_OK;
}

static enum cn_err read_open_file(struct cn_buf *buf, int fd, const char *path, size_t max,
                                  struct cn_diag *diag)
{
    for (;;) {
        size_t room = buf->cap - buf->len > 65536 ? buf->cap - buf->len : 65536;
        uint8_t *place;
        ssize_t got;

        if (room > max + 1 - buf->len)
            room = max + 1 - buf->len;
        place = cn_buf_extend(buf, room);
        if (!place)
            return CN_E_NOMEM;
        got = read(fd, place, room);
        buf->len -= room - (got > 0 ? (size_t)got : 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail(diag, path, "can not be read");
        if (got == 0)
            return CN_OK;
        if (buf->len > max) {
            cn_diag_set(diag, path, 0, 0, "larger than the %zu bytes allowed", max);
            return CN_E_TOO_LARGE;
        }
    }
}

enum cn_err cn_file_read(struct cn_buf *buf, const char *path, size_t max, struct cn_diag *diag)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum cn_err err;

    cn_buf_init(buf, max + 1);
    if (fd < 0)
        return fail(diag, path, "can not be opened");
    err = read_open_file(buf, fd, path, max, diag);
    close(fd);
    if (err != CN_OK) {
        cn_buf_clear(buf);
        return err;
    }
    cn_put_u8(buf, 0);
    if (buf->failed)
        return CN_E_NOMEM;
    buf->len--;
    return CN_OK;
}

enum cn_err cn_file_write_all(int fd, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    while (len) {
        ssize_t wrote = write(fd, at, len);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return cn_err_from_errno(errno);
        if (wrote == 0) {
            errno = EIO; /* no progress and no reason: do not spin */
            return CN_E_IO;
        }
        at += wrote;
        len -= (size_t)wrote;
    }
    return CN_OK;
}

enum cn_err cn_folder_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status;

    if (fd < 0)
        return cn_err_from_errno(errno);
    status = fsync(fd);
    close(fd);
    return status == 0 ? CN_OK : CN_E_IO;
}

static enum cn_err sync_parent(const char *path)
{
    char folder[CN_PATH_MAX];
    char *slash;

    snprintf(folder, sizeof folder, "%s", path); /* fits: checked by cn_file_write */
    slash = strrchr(folder, '/');
    if (!slash)
        return cn_folder_sync(".");
    slash[slash == folder ? 1 : 0] = '\0';
    return cn_folder_sync(folder);
}

/* Makes the file whole and durable under its temporary name; on failure errno says why. */
static bool write_whole(const char *path, const void *bytes, size_t len, unsigned mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode);
    bool whole;
    int number;

    if (fd < 0)
        return false;
    whole = cn_file_write_all(fd, bytes, len) == CN_OK && fsync(fd) == 0;
    number = errno;
    if (close(fd) != 0 && whole)
        return false;
    errno = number;
    return whole;
}

/* A new name in the place of /dev/null or of a socket would take it away from everybody. */
static bool is_replaceable(const char *path)
{
    struct stat info;

    return lstat(path, &info) != 0 || S_ISREG(info.st_mode) || S_ISLNK(info.st_mode);
}

enum cn_err cn_file_write(const char *path, const void *bytes, size_t len, unsigned mode,
                          struct cn_diag *diag)
{
    char beside[CN_PATH_MAX + 32];
    enum cn_err err;

    if (strlen(path) >= CN_PATH_MAX) {
        cn_diag_set(diag, path, 0, 0, "the path is longer than %d bytes", CN_PATH_MAX - 1);
        return CN_E_TOO_LARGE;
    }
    if (!is_replaceable(path)) {
        cn_diag_set(diag, path, 0, 0, "is there already and is no regular file");
        cn_diag_hint(diag, "name a file");
        return CN_E_EXISTS;
    }
    snprintf(beside, sizeof beside, "%s.new-%ld", path, (long)getpid());
    unlink(beside); /* what a crashed process with this number may have left */
    if (!write_whole(beside, bytes, len, mode) || rename(beside, path) != 0) {
        err = fail(diag, path, "can not be written");
        unlink(beside);
        return err;
    }
    err = sync_parent(path);
    if (err != CN_OK)
        cn_diag_set(diag, path, 0, 0, "its folder can not be flushed to the disk");
    return err;
}

enum cn_err cn_folder_make(const char *path, unsigned mode, struct cn_diag *diag)
{
    char part[CN_PATH_MAX];

    if (strlen(path) >= sizeof part) {
        cn_diag_set(diag, path, 0, 0, "the path is longer than %d bytes", CN_PATH_MAX - 1);
        return CN_E_TOO_LARGE;
    }
    for (size_t i = 1; path[i]; i++) {
        if (path[i] != '/' || !path[i + 1])
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0755) != 0 && errno != EEXIST)
            return fail(diag, part, "the folder can not be made");
    }
    if (mkdir(path, (mode_t)mode) != 0) {
        struct stat info;

        if (errno != EEXIST)
            return fail(diag, path, "the folder can not be made");
        if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) {
            cn_diag_set(diag, path, 0, 0, "is there already and is not a folder");
            return CN_E_EXISTS;
        }
    }
    return CN_OK;
}

bool cn_file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

enum cn_err cn_file_lock(const char *path, int *fd, struct cn_diag *diag)
{
    enum cn_err err;

    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*fd < 0)
        return fail(diag, path, "can not be opened");
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
        return CN_OK;
    if (errno == EWOULDBLOCK) {
        cn_diag_set(diag, path, 0, 0, "another process works in this folder");
        cn_diag_hint(diag, "stop that process first, or use another folder");
        err = CN_E_BUSY;
    } else {
        err = fail(diag, path, "can not be locked");
    }
    close(*fd);
    *fd = -1;
    return err;
}
