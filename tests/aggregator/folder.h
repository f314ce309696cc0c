/* SPDX-License-Identifier: Apache-2.0 */
/* A folder for one test, removed with everything in it. */
#ifndef CAIRN_TESTS_AGGREGATOR_FOLDER_H
#define CAIRN_TESTS_AGGREGATOR_FOLDER_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"

static char test_folder[CN_PATH_MAX];

__attribute__((unused)) static int test_folder_drop(const char *path, const struct stat *st,
                                                    int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

__attribute__((unused)) static void test_folder_make(void)
{
    snprintf(test_folder, sizeof(test_folder), "/tmp/cairn-aggregator-XXXXXX");
    if (!mkdtemp(test_folder))
        abort();
}

__attribute__((unused)) static void test_folder_remove(void)
{
    nftw(test_folder, test_folder_drop, 16, FTW_DEPTH | FTW_PHYS);
}

/* A path in the folder; valid until the fourth call after. */
__attribute__((unused)) static const char *test_path(const char *name)
{
    static char paths[4][CN_PATH_MAX + 64];
    static int turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", test_folder, name);
    return path;
}

__attribute__((unused)) static void test_write(const char *name, const char *text)
{
    FILE *file = fopen(test_path(name), "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        abort();
}

#endif
