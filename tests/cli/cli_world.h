/* SPDX-License-Identifier: Apache-2.0 */
/* Runs verbs of `cairn` inside the test and keeps what they said. */
#ifndef CAIRN_TESTS_CLI_WORLD_H
#define CAIRN_TESTS_CLI_WORLD_H

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../data/scratch.h"
#include "cli/verbs.h"

#define WORLD_ARGS_MAX 32

static char *world_out, *world_err; /* of the last run */

/* Runs the words of line, split at single spaces; returns the exit code. */
static inline int world_run(const char *line)
{
    char *argv[WORLD_ARGS_MAX + 1] = {(char[]){"cairn"}}, *words = strdup(line), *rest = NULL;
    size_t out_len, err_len;
    FILE *out, *err;
    int argc = 1, code;

    free(world_out);
    free(world_err);
    out = open_memstream(&world_out, &out_len);
    err = open_memstream(&world_err, &err_len);
    cr_assert(words && out && err);
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        cr_assert(argc < WORLD_ARGS_MAX);
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    code = cn_options_run(cli_program(), argc, argv, out, err);
    fclose(out);
    fclose(err);
    free(words);
    return code;
}

/* The same with a format. */
__attribute__((format(printf, 1, 2))) static inline int world_runf(const char *format, ...)
{
    char line[4096];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    return world_run(line);
}

/* What the last run said, as the one JSON object it must be; to json_decref. */
static inline json_t *world_json(void)
{
    json_error_t fault;
    json_t *object = json_loads(world_out, JSON_REJECT_DUPLICATES, &fault);

    cr_assert(object && json_is_object(object), "%s: %s", fault.text, world_out);
    return object;
}

static inline void world_clear(void)
{
    free(world_out);
    free(world_err);
    world_out = world_err = NULL;
    scratch_remove();
}

#define SAYS(text, part) cr_assert(strstr(text, part), "'%s' lacks '%s'", text, part)

#endif
