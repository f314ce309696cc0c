/* SPDX-License-Identifier: Apache-2.0 */
/* What options.c (parsing) shares with options_help.c (printing) and options_value.c (values). */
#ifndef CAIRN_BASE_OPTIONS_INTERNAL_H
#define CAIRN_BASE_OPTIONS_INTERNAL_H

#include "base/options.h"

/* --help, --json, --quiet, --log */
extern const struct cn_option options_common[];
extern const size_t options_common_count;

/* Checks value against the option's kind and bounds; the words go to fault. CN_E_CONFIG. */
enum cn_err options_check(const struct cn_option *option, const char *value, struct cn_diag *fault);

/* How many arguments a verb takes, from its .arguments; many: the last may repeat. */
struct options_arity {
    size_t least;
    size_t most;
};
struct options_arity options_arity(const char *arguments);

/* Help for the program: its verbs. group, may be NULL: only verbs that start with that word. */
void options_help_program(FILE *out, const struct cn_program *program, const char *group);

void options_help_verb(FILE *out, const struct cn_program *program, const struct cn_verb *verb);

/* "usage: cairn-client join LINK DIR [options]" and a new line. */
void options_usage(FILE *out, const struct cn_program *program, const struct cn_verb *verb);

#endif
