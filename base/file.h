/* SPDX-License-Identifier: Apache-2.0 */
/* Files as a whole: read with a maximum, replaced without a moment in which they are half there. */
#ifndef CAIRN_BASE_FILE_H
#define CAIRN_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/diag.h"
#include "base/err.h"

#define CN_PATH_MAX 1024

/* Joins folder and name with one slash. CN_E_TOO_LARGE when the result passes CN_PATH_MAX. */
enum cn_err cn_path_join(char out[CN_PATH_MAX], const char *folder, const char *name);

/* Reads the whole file into buf, which is initialised here with max (plus a final zero that is not
 * counted) and cleared by the caller, on failure too. CN_E_NOT_FOUND, CN_E_TOO_LARGE, CN_E_IO. */
enum cn_err cn_file_read(struct cn_buf *buf, const char *path, size_t max, struct cn_diag *diag);

/* Replaces the file: a new file beside it is written, flushed and renamed, and the folder flushed.
 * After a crash the old or the new content is there, whole. mode as for open(2), e.g. 0600.
 * CN_E_EXISTS for what is no file (a device, a folder) and stays; CN_E_NOSPACE, CN_E_IO. */
enum cn_err cn_file_write(const char *path, const void *bytes, size_t len, unsigned mode,
                          struct cn_diag *diag);

/* Writes all len bytes to fd, whatever is interrupted or written in parts. */
enum cn_err cn_file_write_all(int fd, const void *bytes, size_t len);

/* Flushes a folder, so that names made or changed in it survive a crash. */
enum cn_err cn_folder_sync(const char *path);

/* Makes a folder and those above it; one that is there already is fine. */
enum cn_err cn_folder_make(const char *path, unsigned mode, struct cn_diag *diag);

bool cn_file_exists(const char *path);

/* Takes an exclusive lock on path (made if missing) for as long as the process lives; the kernel
 * gives it back after a crash. CN_E_BUSY when another process holds it. *fd stays open. */
enum cn_err cn_file_lock(const char *path, int *fd, struct cn_diag *diag);

#endif
