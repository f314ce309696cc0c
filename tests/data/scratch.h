/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of its own for every test, and files in it. */
#ifndef CAIRN_TESTS_SCRATCH_H
#define CAIRN_TESTS_SCRATCH_H

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static char scratch_folder[] = "/tmp/cairn-test-XXXXXX";

static inline void scratch_make(void)
{
    cr_assert(mkdtemp(scratch_folder));
}

static inline int scratch_remove_one(const char *path, const struct stat *info, int kind,
                                     struct FTW *place)
{
    (void)info, (void)kind, (void)place;
    return remove(path);
}

static inline void scratch_remove(void)
{
    nftw(scratch_folder, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The path of a name in the folder; four at a time stay valid. */
static inline const char *scratch_path(const char *name)
{
    static char paths[4][256];
    static unsigned at;
    char *path = paths[at++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", scratch_folder, name);
    return path;
}

static inline const char *scratch_file(const char *name, const void *bytes, size_t len)
{
    const char *path = scratch_path(name);
    FILE *file = fopen(path, "wb");

    cr_assert(file && fwrite(bytes, 1, len, file) == len);
    cr_assert_eq(fclose(file), 0);
    return path;
}

static inline const char *scratch_text(const char *name, const char *text)
{
    return scratch_file(name, text, strlen(text));
}

static inline const char *scratch_gzip(const char *name, const void *bytes, size_t len)
{
    const char *path = scratch_path(name);
    gzFile file = gzopen(path, "wb");

    cr_assert(file && (len == 0 || gzwrite(file, bytes, (unsigned)len) == (int)len));
    cr_assert_eq(gzclose(file), Z_OK);
    return path;
}

/* All of a small file; *len out. */
static inline unsigned char *scratch_read(const char *path, size_t *len)
{
    static unsigned char bytes[1 << 20];
    FILE *file = fopen(path, "rb");

    cr_assert(file);
    *len = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return bytes;
}

#endif
