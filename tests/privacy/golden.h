/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the golden tables for the tests: comma-separated, a header line, fields that may be empty.
 */
#ifndef CAIRN_TESTS_PRIVACY_GOLDEN_H
#define CAIRN_TESTS_PRIVACY_GOLDEN_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN_COLUMNS 32

struct golden {
    FILE *file;
    char names[2048];
    char line[2048];
    char *name[GOLDEN_COLUMNS];
    char *value[GOLDEN_COLUMNS];
    size_t columns;
};

static inline size_t golden_split(char *line, char **out)
{
    size_t count = 0;

    line[strcspn(line, "\r\n")] = '\0';
    for (char *at = line; at && count < GOLDEN_COLUMNS;)
        out[count++] = strsep(&at, ",");
    return count;
}

static inline void golden_open(struct golden *g, const char *name)
{
    char path[1024];

    snprintf(path, sizeof path, "%s/tests/vectors/%s", CAIRN_SOURCE_DIR, name);
    g->file = fopen(path, "r");
    cr_assert(g->file, "%s is missing", path);
    cr_assert(fgets(g->names, sizeof g->names, g->file));
    g->columns = golden_split(g->names, g->name);
}

/* False at the end of the file. */
static inline int golden_next(struct golden *g)
{
    if (!fgets(g->line, sizeof g->line, g->file)) {
        fclose(g->file);
        return 0;
    }
    cr_assert_eq(golden_split(g->line, g->value), g->columns);
    return 1;
}

static inline double golden_get(const struct golden *g, const char *name)
{
    for (size_t i = 0; i < g->columns; i++)
        if (strcmp(g->name[i], name) == 0)
            return strtod(g->value[i], NULL);
    cr_assert_fail("no column %s", name);
    return 0;
}

#endif
