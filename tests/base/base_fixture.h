/* SPDX-License-Identifier: Apache-2.0 */
/* A temporary folder and the content of files, for the tests of base. */
#ifndef CAIRN_TESTS_BASE_FIXTURE_H
#define CAIRN_TESTS_BASE_FIXTURE_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

struct fixture {
    char folder[64];
    char path[CN_PATH_MAX];
};

/* Makes a folder and gives the path of `name` in it. */
static inline struct fixture fixture_new(const char *name)
{
    struct fixture fixture = {.folder = "/tmp/cairn-test-XXXXXX"};

    cr_assert_not_null(mkdtemp(fixture.folder));
    cr_assert_eq(cn_path_join(fixture.path, fixture.folder, name), CN_OK);
    return fixture;
}

static inline void fixture_free(struct fixture *fixture)
{
    char command[96];

    snprintf(command, sizeof command, "rm -rf '%s'", fixture->folder);
    cr_assert_eq(system(command), 0);
}

/* The content of an open temporary file from its start, as a string; valid until the next call. */
static inline const char *fixture_read(FILE *file)
{
    static char content[65536];
    size_t len;

    fflush(file);
    rewind(file);
    len = fread(content, 1, sizeof content - 1, file);
    content[len] = '\0';
    return content;
}

#endif
