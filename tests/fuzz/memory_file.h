/* SPDX-License-Identifier: Apache-2.0 */
/* A fuzzer's bytes as a file, for readers that take a path. */
#ifndef CAIRN_TESTS_MEMORY_FILE_H
#define CAIRN_TESTS_MEMORY_FILE_H

#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"

struct memory_file {
    int fd;
    char path[32];
};

static inline void memory_file_open(struct memory_file *file, const uint8_t *data, size_t size)
{
    file->fd = memfd_create("fuzz", MFD_CLOEXEC);
    CN_ASSERT(file->fd >= 0);
    CN_ASSERT(size == 0 || write(file->fd, data, size) == (ssize_t)size);
    snprintf(file->path, sizeof file->path, "/proc/self/fd/%d", file->fd);
}

static inline void memory_file_close(struct memory_file *file)
{
    close(file->fd);
}

#endif
