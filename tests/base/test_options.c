/* SPDX-License-Identifier: Apache-2.0 */
#include "base/options.h"

#include "tests/base/base_fixture.h"

static struct {
    const char *verb;
    size_t arguments;
    const char *first, *second;
    uint64_t rounds, expires_ms;
    double rate;
    const char *name;
    int split;
    bool dp, json, quiet, rounds_given;
} seen;

static int remember(const struct cn_args *args)
{
    seen.verb = args->verb->name;
    seen.arguments = args->argument_count;
    seen.first = cn_args_argument(args, 0);
    seen.second = cn_args_argument(args, 1);
    seen.json = args->json;
    seen.quiet = args->quiet;
    return CN_EXIT_DONE;
}

static int remember_all(const struct cn_args *args)
{
    seen.rounds = cn_args_uint(args, "rounds");
    seen.rounds_given = cn_args_given(args, "rounds");
    seen.rate = cn_args_real(args, "rate");
    seen.expires_ms = cn_args_ms(args, "expires");
    seen.name = cn_args_text(args, "name");
    seen.split = cn_args_choice(args, "split");
    seen.dp = !cn_args_flag(args, "no-dp");
    return remember(args);
}

static int fail_config(const struct cn_args *args)
{
    struct cn_diag diag = {0};

    cn_diag_set(&diag, "t.yaml", 3, 1, "unknown key 'a\x1b\"'");
    cn_diag_hint(&diag, "did you mean 'b'?");
    return cn_args_fail(args, CN_E_CONFIG, &diag);
}

static const struct cn_option options[] = {
    {.name = "rounds",
     .kind = CN_OPTION_UINT,
     .value = "N",
     .min = 1,
     .max = 1000,
     .fallback = "15",
     .help = "rounds to run"},
    {.name = "rate", .kind = CN_OPTION_REAL, .value = "X", .min = 0, .max = 1, .help = "the rate"},
    {.name = "expires",
     .kind = CN_OPTION_DURATION,
     .value = "TIME",
     .min = 60,
     .max = 31536000,
     .fallback = "7d",
     .help = "how long it can be used"},
    {.name = "name", .kind = CN_OPTION_TEXT, .value = "NAME", .help = "what it is called"},
    {.name = "split",
     .kind = CN_OPTION_CHOICE,
     .value = "HOW",
     .choices = "iid dirichlet",
     .fallback = "dirichlet",
     .help = "how data is spread"},
    {.name = "no-dp", .kind = CN_OPTION_FLAG, .help = "without noise, to compare"},
};

static const struct cn_option needed[] = {
    {.name = "delta", .kind = CN_OPTION_REAL, .value = "D", .help = "the delta", .required = true},
};

static const struct cn_verb verbs[] = {
    {.name = "join",
     .arguments = "LINK DIR",
     .summary = "join a federation",
     .example = "cairn-x join cairn://... ./silo\ncairn-x join L D",
     .run = remember},
    {.name = "task submit",
     .arguments = "DIR [TASK]",
     .summary = "hand over a task",
     .details = "The first paragraph is long enough that it has to be wrapped somewhere before the "
                "line passes one hundred columns, which is what this test looks at.\n\nThe second.",
     .example = "cairn-x task submit ./fed t.yaml",
     .options = options,
     .option_count = CN_COUNT(options),
     .run = remember_all},
    {.name = "task list",
     .arguments = "DIR",
     .summary = "show tasks",
     .example = "cairn-x task list .",
     .run = remember},
    {.name = "verify", .arguments = "LEDGER...", .summary = "check ledgers", .run = remember},
    {.name = "epsilon", .summary = "price", .options = needed, .option_count = 1, .run = remember},
    {.name = "wrong", .summary = "fails", .run = fail_config},
};

static const struct cn_program program = {
    .name = "cairn-x", .summary = "a program", .verbs = verbs, .verb_count = CN_COUNT(verbs)};

static char out[16384], err[16384];

static int run(const char *line)
{
    char words[512], *argv[80] = {(char *)"cairn-x"};
    FILE *out_file = tmpfile(), *err_file = tmpfile();
    int argc = 1, code;

    memset(&seen, 0, sizeof seen);
    snprintf(words, sizeof words, "%s", line);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    code = cn_options_run(&program, argc, argv, out_file, err_file);
    snprintf(out, sizeof out, "%s", fixture_read(out_file));
    snprintf(err, sizeof err, "%s", fixture_read(err_file));
    fclose(out_file);
    fclose(err_file);
    return code;
}

/* Expects exit code 2 and this first line on standard error. */
static void refused(const char *line, const char *expected)
{
    cr_expect_eq(run(line), CN_EXIT_USAGE, "%s", line);
    err[strcspn(err, "\n")] = '\0';
    cr_expect_str_eq(err, expected);
    cr_expect_str_eq(out, "");
    cr_expect_null(seen.verb, "nothing was run");
}

static size_t widest(const char *text)
{
    size_t most = 0;

    for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
        if (strcspn(text, "\n") > most)
            most = strcspn(text, "\n");
    return most;
}

Test(options, runs_the_verb_with_its_arguments)
{
    cr_assert_eq(run("join link dir"), CN_EXIT_DONE);
    cr_assert_str_eq(seen.verb, "join");
    cr_assert_eq(seen.arguments, 2);
    cr_assert_not(seen.json || seen.quiet);
    cr_assert_eq(run("task list --json d --quiet"), CN_EXIT_DONE);
    cr_assert_str_eq(seen.verb, "task list");
    cr_assert(seen.json && seen.quiet);
    cr_assert_eq(run("verify a b c d"), CN_EXIT_DONE);
    cr_assert_eq(seen.arguments, 4);
}

Test(options, gives_fallbacks_and_values)
{
    cr_assert_eq(run("task submit d"), CN_EXIT_DONE);
    cr_assert_eq(seen.arguments, 1);
    cr_assert_null(seen.second);
    cr_assert_eq(seen.rounds, 15);
    cr_assert_not(seen.rounds_given);
    cr_assert_eq(seen.rate, 0);
    cr_assert_eq(seen.expires_ms, 604800000u);
    cr_assert_null(seen.name);
    cr_assert_eq(seen.split, 1);
    cr_assert(seen.dp);
    cr_assert_eq(run("task submit --rounds=1e2 d --rate 0.5 --expires 1h30m t --name x --split iid "
                     "--no-dp --log debug"),
                 CN_EXIT_DONE);
    cr_assert_eq(seen.arguments, 2);
    cr_assert_eq(seen.rounds, 100);
    cr_assert(seen.rounds_given);
    cr_assert_eq(seen.rate, 0.5);
    cr_assert_eq(seen.expires_ms, 5400000u);
    cr_assert_eq(seen.split, 0);
    cr_assert_not(seen.dp);
}

Test(options, two_dashes_end_the_options)
{
    cr_assert_eq(run("verify -- --json -h"), CN_EXIT_DONE);
    cr_assert_eq(seen.arguments, 2);
    cr_assert_not(seen.json);
    cr_assert_eq(run("verify -"), CN_EXIT_DONE, "a single dash is an argument");
}

Test(options, wrong_words_are_told_with_what_was_meant)
{
    refused("jion link dir", "cairn-x: unknown verb 'jion' (did you mean 'join'?)");
    refused("task sumbit d", "cairn-x: unknown verb 'task sumbit' (did you mean 'task submit'?)");
    refused("task", "cairn-x: 'task' needs a second word");
    refused("xylophone", "cairn-x: unknown verb 'xylophone' (cairn-x --help lists the verbs)");
    refused("task submit d --ruonds 3", "cairn-x: unknown option '--ruonds' (did you mean "
                                        "'--rounds'?)");
    refused("task submit d --zzzzzzz", "cairn-x: unknown option '--zzzzzzz'");
    refused("join a b -v", "cairn-x: unknown option '-v' (options start with two dashes)");
    refused("join a \x1b[2J --\x1b", "cairn-x: unknown option '--\\x1b'");
}

Test(options, missing_and_spare_arguments_are_told)
{
    refused("join", "cairn-x: LINK is missing");
    refused("join link", "cairn-x: DIR is missing");
    refused("join a b c", "cairn-x: 'c' is one argument too many");
    refused("verify", "cairn-x: LEDGER is missing");
    refused("epsilon", "cairn-x: --delta D is missing");
    cr_assert_eq(run("join link"), CN_EXIT_USAGE);
    cr_assert_not_null(strstr(err, "usage: cairn-x join LINK DIR [options]\n"));
}

Test(options, values_are_checked)
{
    refused("task submit d --rounds 0", "cairn-x: --rounds is '0'; expected a whole number from 1 "
                                        "to 1000");
    refused("task submit d --rounds 1.5",
            "cairn-x: --rounds is '1.5'; expected a whole number from "
            "1 to 1000");
    refused("task submit d --rounds nan",
            "cairn-x: --rounds is 'nan'; expected a whole number from "
            "1 to 1000");
    refused("task submit d --rate 1.01",
            "cairn-x: --rate is '1.01'; expected a number from 0 to 1");
    refused("task submit d --rate=", "cairn-x: --rate is ''; expected a number from 0 to 1");
    refused("task submit d --expires soon", "cairn-x: --expires is 'soon'; expected a time such as "
                                            "90s, 12h or 7d");
    refused("task submit d --expires 1s", "cairn-x: --expires is '1s'; expected between 1 min 00 s "
                                          "and 365 d 0 h");
    refused("task submit d --split half", "cairn-x: --split is 'half'; expected one of: iid "
                                          "dirichlet");
    refused("task submit d --rounds", "cairn-x: --rounds needs a value: N");
    refused("task submit d --no-dp=1", "cairn-x: --no-dp takes no value");
    refused("task submit d --name a --name b", "cairn-x: --name is given twice");
    refused("epsilon --delta x", "cairn-x: --delta is 'x'; expected a number");
}

Test(options, help_is_complete_and_narrow)
{
    cr_assert_eq(run("--help"), CN_EXIT_DONE);
    cr_assert_str_eq(err, "");
    for (size_t i = 0; i < CN_COUNT(verbs); i++)
        cr_assert_not_null(strstr(out, verbs[i].summary));
    cr_assert_leq(widest(out), 100);
    cr_assert_eq(run("task submit --help"), CN_EXIT_DONE);
    cr_assert_leq(widest(out), 100);
    cr_assert_not_null(strstr(out, "usage: cairn-x task submit DIR [TASK] [options]\n"));
    cr_assert_not_null(strstr(out, "  --rounds N      rounds to run, 1 to 1000 (default: 15)\n"));
    cr_assert_not_null(strstr(out, "  --split HOW     how data is spread: iid dirichlet (default: "
                                   "dirichlet)\n"));
    cr_assert_not_null(strstr(out, "\nexample:\n  cairn-x task submit ./fed t.yaml\n"));
    cr_assert_not_null(strstr(out, "  --json          answer with one JSON object\n"));
    cr_assert_eq(run("join --rubbish -h"), CN_EXIT_DONE, "help wins over faults");
    cr_assert_not_null(strstr(out, "  cairn-x join cairn://... ./silo\n  cairn-x join L D\n"));
    cr_assert_eq(run("task --help"), CN_EXIT_DONE);
    cr_assert_not_null(strstr(out, "task list DIR"));
    cr_assert_null(strstr(out, "verify"));
    cr_assert_eq(run("epsilon --help"), CN_EXIT_DONE);
    cr_assert_not_null(strstr(out, "usage: cairn-x epsilon --delta D [options]\n"));
    cr_assert_eq(run(""), CN_EXIT_USAGE);
    cr_assert_not_null(strstr(err, "usage: cairn-x VERB"));
}

Test(options, failures_are_told_and_have_exit_codes)
{
    cr_assert_eq(run("wrong"), CN_EXIT_USAGE);
    cr_assert_str_eq(err, "cairn-x: t.yaml:3:1: unknown key 'a\\x1b\"' (did you mean 'b'?)\n");
    cr_assert_str_eq(out, "");
    cr_assert_eq(run("wrong --json"), CN_EXIT_USAGE);
    cr_assert_str_eq(out, "{\"error\":\"CONFIG\",\"text\":\"t.yaml:3:1: unknown key 'a\\u001b\\\"' "
                          "(did you mean 'b'?)\"}\n");
    cr_assert_eq(cn_exit_code(CN_OK), CN_EXIT_DONE);
    cr_assert_eq(cn_exit_code(CN_E_TAMPERED), CN_EXIT_NO);
    cr_assert_eq(cn_exit_code(CN_E_BUDGET), CN_EXIT_NO);
    cr_assert_eq(cn_exit_code(CN_E_IO), CN_EXIT_FAILED);
}

Test(options, an_error_without_words_has_its_own)
{
    FILE *file = tmpfile();
    struct cn_args args = {.program = &program, .out = file, .err = file};

    cr_assert_eq(cn_args_fail(&args, CN_E_NOSPACE, NULL), CN_EXIT_FAILED);
    cr_assert_eq(cn_args_fail(&args, CN_OK, NULL), CN_EXIT_DONE);
    cr_assert_str_eq(fixture_read(file), "cairn-x: no space left on the disk\n");
    fclose(file);
}
