/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines of the three programs: verbs in a table, typed options, help, exit codes.
 *
 *     static const struct cn_option submit_options[] = {
 *         {.name = "rounds", .kind = CN_OPTION_UINT, .value = "N", .min = 1, .max = 1e6,
 *          .fallback = "15", .help = "rounds to run"},
 *         {.name = "expires", .kind = CN_OPTION_DURATION, .value = "TIME", .help = "e.g. 7d, 12h"},
 *     };
 *     static const struct cn_verb verbs[] = {
 *         {.name = "task submit", .arguments = "DIR TASK", .summary = "hand a task to the service",
 *          .example = "cairn-aggregator task submit ./fed configs/tasks/fashion.yaml",
 *          .options = submit_options, .option_count = CN_COUNT(submit_options),
 *          .run = task_submit},
 *     };
 *     static const struct cn_program program = {.name = "cairn-aggregator", .summary = "...",
 *         .verbs = verbs, .verb_count = CN_COUNT(verbs)};
 *     int main(int argc, char **argv) { return cn_options_main(&program, argc, argv); }
 *
 * Every verb also takes --help, --json, --quiet and --log LEVEL. An option's value follows as the
 * next word or after '='; "--" ends the options. Anything wrong: what and what was meant, on
 * standard error, exit code 2. */
#ifndef CAIRN_BASE_OPTIONS_H
#define CAIRN_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/diag.h"
#include "base/err.h"

enum cn_exit {
    CN_EXIT_DONE = 0,
    CN_EXIT_NO = 1,     /* the answer is no: a ledger does not verify, a budget is exceeded */
    CN_EXIT_USAGE = 2,  /* wrong usage or configuration */
    CN_EXIT_FAILED = 3, /* everything else */
};

/* The exit code for an error: TAMPERED, BUDGET and DENIED are an answer, CONFIG is usage. */
enum cn_exit cn_exit_code(enum cn_err err);

enum cn_option_kind {
    CN_OPTION_FLAG,     /* --no-dp: there or not */
    CN_OPTION_TEXT,     /* any words */
    CN_OPTION_UINT,     /* whole number in min .. max; "1e6" is one */
    CN_OPTION_REAL,     /* finite number in min .. max */
    CN_OPTION_DURATION, /* "90s", "7d", "1h30m", "250ms"; min and max in seconds */
    CN_OPTION_CHOICE,   /* one of the words of .choices */
};

struct cn_option {
    const char *name; /* without the dashes */
    enum cn_option_kind kind;
    const char *value;    /* how the value is called in the help, "N"; NULL for flags */
    const char *help;     /* one line, small first letter, no full stop */
    double min, max;      /* both 0: any (UINT: up to 2^53) */
    const char *choices;  /* CHOICE: the words, separated by single spaces */
    const char *fallback; /* what holds when it is absent, as it would be written; NULL: nothing */
    bool required;
};

#define CN_OPTIONS_MAX 32     /* of one verb, with the common four */
#define CN_ARGUMENTS_MAX 4096 /* ledgers of a large federation at once */

struct cn_args;

struct cn_verb {
    const char *name;      /* "run"; two words nest: "task submit" */
    const char *arguments; /* "LINK DIR"; "[DIR]" may be absent; a last "LEDGER..." takes one or
                              more; "[LEDGER...]" any number; NULL: none */
    const char *summary;   /* one line, small first letter, no full stop */
    const char *details;   /* paragraphs for --help, wrapped here; may be NULL */
    const char *example;   /* one or more command lines, separated by '\n' */
    const struct cn_option *options;
    size_t option_count;
    int (*run)(const struct cn_args *args); /* returns an enum cn_exit */
};

struct cn_program {
    const char *name;
    const char *summary; /* one line */
    const struct cn_verb *verbs;
    size_t verb_count;
};

/* What was given, checked; valid while run() runs. */
struct cn_args {
    const struct cn_program *program;
    const struct cn_verb *verb;
    bool json;
    bool quiet;
    FILE *out; /* standard output: the answer */
    FILE *err; /* standard error: progress and faults */
    const char *arguments[CN_ARGUMENTS_MAX];
    size_t argument_count;
    const struct cn_option *options[CN_OPTIONS_MAX]; /* the verb's, then the common ones */
    const char *values[CN_OPTIONS_MAX];              /* as given or the fallback; NULL: absent */
    bool given[CN_OPTIONS_MAX];
    size_t option_count;
};

/* Runs the verb that argv names and returns its exit code; prints help or the fault instead where
 * that is due. Sets the log's sink: level info (warn with --quiet), or --log's. */
int cn_options_main(const struct cn_program *program, int argc, char **argv);

/* The same with other streams; for tests. */
int cn_options_run(const struct cn_program *program, int argc, char **argv, FILE *out, FILE *err);

/* The n-th argument, from 0; NULL when an optional one is absent. */
const char *cn_args_argument(const struct cn_args *args, size_t n);

/* The following take an option's name; asking for one that the verb's table does not have, or of
 * another kind, is a bug (CN_ASSERT). */

/* Whether it stands on the command line (a fallback does not count). */
bool cn_args_given(const struct cn_args *args, const char *name);

bool cn_args_flag(const struct cn_args *args, const char *name);

/* TEXT or CHOICE; NULL when absent and without a fallback. */
const char *cn_args_text(const struct cn_args *args, const char *name);

/* The place of a CHOICE among its words, from 0; -1 when absent without a fallback. */
int cn_args_choice(const struct cn_args *args, const char *name);

/* 0 when absent without a fallback; ask cn_args_given first where 0 is a value. */
uint64_t cn_args_uint(const struct cn_args *args, const char *name);
double cn_args_real(const struct cn_args *args, const char *name);
uint64_t cn_args_ms(const struct cn_args *args, const char *name); /* DURATION */

/* Tells a failure, "cairn-client: task.yaml:3:1: ... (...)", on args->err (with --json also
 * {"error":...} on args->out) and returns its exit code. diag may be NULL or empty: then the
 * error's own words. For CN_OK it prints nothing and returns CN_EXIT_DONE. */
int cn_args_fail(const struct cn_args *args, enum cn_err err, const struct cn_diag *diag);

#endif
