/* SPDX-License-Identifier: Apache-2.0 */
/* From argv to a verb with checked arguments and options. */
#include "base/options.h"

#include <string.h>
#include <unistd.h>

#include "base/cursor.h"
#include "base/escape.h"
#include "base/log.h"
#include "base/options_internal.h"
#include "base/text.h"

#define WORDS_MAX 64 /* names offered to cn_text_nearest */

const struct cn_option options_common[] = {
    {.name = "help", .kind = CN_OPTION_FLAG, .help = "show this help"},
    {.name = "json", .kind = CN_OPTION_FLAG, .help = "answer with one JSON object"},
    {.name = "quiet", .kind = CN_OPTION_FLAG, .help = "no progress, only warnings"},
    {.name = "log",
     .kind = CN_OPTION_CHOICE,
     .value = "LEVEL",
     .choices = "debug info warn error",
     .help = "the least important line to log"},
};
const size_t options_common_count = CN_COUNT(options_common);

enum cn_exit cn_exit_code(enum cn_err err)
{
    switch (err) {
    case CN_OK:
        return CN_EXIT_DONE;
    case CN_E_TAMPERED:
    case CN_E_BUDGET:
    case CN_E_DENIED:
        return CN_EXIT_NO;
    case CN_E_CONFIG:
        return CN_EXIT_USAGE;
    default:
        return CN_EXIT_FAILED;
    }
}

struct options_arity options_arity(const char *arguments)
{
    struct options_arity arity = {0, 0};

    for (const char *at = arguments ? arguments : ""; *at;) {
        size_t len = strcspn(at, " ");
        bool many = memmem(at, len, "...", 3) != NULL;

        arity.least += at[0] != '[';
        arity.most += many ? CN_ARGUMENTS_MAX : 1;
        at += len;
        at += strspn(at, " ");
    }
    if (arity.most > CN_ARGUMENTS_MAX)
        arity.most = CN_ARGUMENTS_MAX;
    return arity;
}

/* The words of argv that name the verb: 1 or 2; 0 when they do not. */
static size_t matches(const struct cn_verb *verb, int argc, char **argv)
{
    size_t len = strcspn(verb->name, " ");

    if (argc < 1 || strlen(argv[0]) != len || memcmp(argv[0], verb->name, len) != 0)
        return 0;
    if (!verb->name[len])
        return 1;
    return argc > 1 && strcmp(argv[1], verb->name + len + 1) == 0 ? 2 : 0;
}

static const struct cn_verb *find_verb(const struct cn_program *program, int argc, char **argv,
                                       size_t *words)
{
    for (size_t i = 0; i < program->verb_count; i++) {
        *words = matches(&program->verbs[i], argc, argv);
        if (*words)
            return &program->verbs[i];
    }
    return NULL;
}

static bool is_group(const struct cn_program *program, const char *word)
{
    size_t len = strlen(word);

    for (size_t i = 0; i < program->verb_count; i++) {
        const char *name = program->verbs[i].name;

        if (strncmp(name, word, len) == 0 && name[len] == ' ')
            return true;
    }
    return false;
}

/* Offers the nearest verb: with group the second word is what was mistyped. */
static void suggest_verb(const struct cn_program *program, const char *group, const char *word,
                         struct cn_diag *fault)
{
    char firsts[WORDS_MAX][32];
    const char *words[WORDS_MAX];
    const char *nearest;
    size_t count = 0, skip = group ? strlen(group) + 1 : 0;

    for (size_t i = 0; i < program->verb_count && count < WORDS_MAX; i++) {
        const char *name = program->verbs[i].name;

        if (group && (strncmp(name, group, skip - 1) != 0 || name[skip - 1] != ' '))
            continue;
        snprintf(firsts[count], sizeof firsts[count], "%.*s", (int)strcspn(name + skip, " "),
                 name + skip);
        words[count] = firsts[count];
        count++;
    }
    nearest = cn_text_nearest(word, words, count);
    if (nearest)
        cn_diag_hint(fault, "did you mean '%s%s%s'?", group ? group : "", group ? " " : "",
                     nearest);
    else
        cn_diag_hint(fault, "%s --help lists the verbs", program->name);
}

static void put_fault(FILE *err, const char *program, const struct cn_diag *fault)
{
    char line[CN_DIAG_LINE_MAX];
    struct cn_buf safe;

    cn_diag_line(fault, line);
    cn_buf_init(&safe, 4 * sizeof line);
    cn_put_printable(&safe, line, strlen(line));
    fprintf(err, "%s: %.*s\n", program, (int)safe.len, (const char *)safe.data);
    cn_buf_clear(&safe);
}

static int wrong_verb(const struct cn_program *program, int argc, char **argv, FILE *err)
{
    struct cn_diag fault = {0};
    bool group = is_group(program, argv[0]);

    if (group && argc > 1 && argv[1][0] != '-') {
        cn_diag_set(&fault, NULL, 0, 0, "unknown verb '%s %.64s'", argv[0], argv[1]);
        suggest_verb(program, argv[0], argv[1], &fault);
    } else if (group) {
        cn_diag_set(&fault, NULL, 0, 0, "'%s' needs a second word", argv[0]);
    } else {
        cn_diag_set(&fault, NULL, 0, 0, "unknown verb '%.64s'", argv[0]);
        suggest_verb(program, NULL, argv[0], &fault);
    }
    put_fault(err, program->name, &fault);
    if (group)
        options_help_program(err, program, argv[0]);
    return CN_EXIT_USAGE;
}

static int find_option(const struct cn_args *args, const char *name, size_t len)
{
    for (size_t i = 0; i < args->option_count; i++) {
        const char *known = args->options[i]->name;

        if (strlen(known) == len && memcmp(known, name, len) == 0)
            return (int)i;
    }
    return -1;
}

static enum cn_err unknown_option(const struct cn_args *args, const char *word, size_t len,
                                  struct cn_diag *fault)
{
    char name[64];
    const char *known[CN_OPTIONS_MAX], *nearest;

    snprintf(name, sizeof name, "%.*s", (int)(len < 63 ? len : 63), word);
    for (size_t i = 0; i < args->option_count; i++)
        known[i] = args->options[i]->name;
    nearest = cn_text_nearest(name, known, args->option_count);
    cn_diag_set(fault, NULL, 0, 0, "unknown option '--%s'", name);
    if (nearest)
        cn_diag_hint(fault, "did you mean '--%s'?", nearest);
    return CN_E_CONFIG;
}

/* Takes the option argv[0] starts with "--"; *used counts the words it takes, 1 or 2. */
static enum cn_err take_option(struct cn_args *args, int argc, char **argv, int *used,
                               struct cn_diag *fault)
{
    const char *word = argv[0] + 2, *value = strchr(word, '=');
    size_t len = value ? (size_t)(value - word) : strlen(word);
    int i = find_option(args, word, len);
    bool flag;

    *used = 1;
    if (i < 0)
        return unknown_option(args, word, len, fault);
    flag = args->options[i]->kind == CN_OPTION_FLAG;
    if (flag && value)
        cn_diag_set(fault, NULL, 0, 0, "--%s takes no value", args->options[i]->name);
    else if (!flag && !value && argc < 2)
        cn_diag_set(fault, NULL, 0, 0, "--%s needs a value: %s", args->options[i]->name,
                    args->options[i]->value);
    else if (args->given[i])
        cn_diag_set(fault, NULL, 0, 0, "--%s is given twice", args->options[i]->name);
    if (fault->text[0])
        return CN_E_CONFIG;
    if (!flag && !value)
        *used = 2;
    args->given[i] = true;
    args->values[i] = flag ? "" : value ? value + 1 : argv[1];
    return options_check(args->options[i], args->values[i], fault);
}

static enum cn_err take_argument(struct cn_args *args, const char *word, struct cn_diag *fault)
{
    if (args->argument_count >= options_arity(args->verb->arguments).most) {
        cn_diag_set(fault, NULL, 0, 0, "'%.64s' is one argument too many", word);
        return CN_E_CONFIG;
    }
    args->arguments[args->argument_count++] = word;
    return CN_OK;
}

static enum cn_err take_words(struct cn_args *args, int argc, char **argv, struct cn_diag *fault)
{
    bool options_end = false;
    int used;

    for (int i = 0; i < argc; i += used) {
        used = 1;
        if (!options_end && strcmp(argv[i], "--") == 0)
            options_end = true;
        else if (!options_end && strncmp(argv[i], "--", 2) == 0)
            CN_TRY(take_option(args, argc - i, argv + i, &used, fault));
        else if (!options_end && argv[i][0] == '-' && argv[i][1]) {
            cn_diag_set(fault, NULL, 0, 0, "unknown option '%.64s'", argv[i]);
            cn_diag_hint(fault, "options start with two dashes");
            return CN_E_CONFIG;
        } else
            CN_TRY(take_argument(args, argv[i], fault));
    }
    return CN_OK;
}

/* The name of the n-th argument of "LINK DIR", for the message about its absence. */
static enum cn_err missing_argument(const struct cn_args *args, struct cn_diag *fault)
{
    const char *at = args->verb->arguments;

    for (size_t i = 0; i < args->argument_count; i++) {
        at += strcspn(at, " ");
        at += strspn(at, " ");
    }
    cn_diag_set(fault, NULL, 0, 0, "%.*s is missing", (int)strcspn(at, " ."), at);
    return CN_E_CONFIG;
}

static enum cn_err complete(struct cn_args *args, struct cn_diag *fault)
{
    if (args->argument_count < options_arity(args->verb->arguments).least)
        return missing_argument(args, fault);
    for (size_t i = 0; i < args->option_count; i++) {
        const struct cn_option *option = args->options[i];

        if (args->given[i])
            continue;
        if (option->required) {
            cn_diag_set(fault, NULL, 0, 0, "--%s %s is missing", option->name, option->value);
            return CN_E_CONFIG;
        }
        args->values[i] = option->fallback;
        CN_ASSERT(!option->fallback || options_check(option, option->fallback, NULL) == CN_OK);
    }
    return CN_OK;
}

static void collect_options(struct cn_args *args)
{
    CN_ASSERT(args->verb->option_count + options_common_count <= CN_OPTIONS_MAX);
    for (size_t i = 0; i < args->verb->option_count; i++)
        args->options[args->option_count++] = &args->verb->options[i];
    for (size_t i = 0; i < options_common_count; i++)
        args->options[args->option_count++] = &options_common[i];
}

static void open_log(const struct cn_args *args)
{
    struct cn_log_options options = {
        .level = args->quiet ? CN_LOG_WARN : CN_LOG_INFO,
        .format = CN_LOG_AUTO,
        .fd = STDERR_FILENO,
        .clock = cn_clock_system(),
    };

    if (cn_args_given(args, "log"))
        options.level = (enum cn_log_level)cn_args_choice(args, "log");
    cn_log_open(&options);
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}

static int run_verb(struct cn_args *args, int argc, char **argv)
{
    struct cn_diag fault = {0};

    if (asks_for_help(argc, argv)) {
        options_help_verb(args->out, args->program, args->verb);
        return CN_EXIT_DONE;
    }
    collect_options(args);
    if (take_words(args, argc, argv, &fault) != CN_OK || complete(args, &fault) != CN_OK) {
        put_fault(args->err, args->program->name, &fault);
        options_usage(args->err, args->program, args->verb);
        return CN_EXIT_USAGE;
    }
    args->json = cn_args_given(args, "json");
    args->quiet = cn_args_given(args, "quiet");
    open_log(args);
    return args->verb->run(args);
}

int cn_options_run(const struct cn_program *program, int argc, char **argv, FILE *out, FILE *err)
{
    struct cn_args args = {.program = program, .out = out, .err = err};
    size_t words = 0;

    argc -= argc > 0;
    argv += 1;
    if (argc == 0) {
        options_help_program(err, program, NULL);
        return CN_EXIT_USAGE;
    }
    if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0 ||
        (argc == 1 && strcmp(argv[0], "help") == 0)) {
        options_help_program(out, program, NULL);
        return CN_EXIT_DONE;
    }
    args.verb = find_verb(program, argc, argv, &words);
    if (!args.verb && is_group(program, argv[0]) && argc > 1 && asks_for_help(1, argv + 1)) {
        options_help_program(out, program, argv[0]);
        return CN_EXIT_DONE;
    }
    if (!args.verb)
        return wrong_verb(program, argc, argv, err);
    return run_verb(&args, argc - (int)words, argv + words);
}

int cn_options_main(const struct cn_program *program, int argc, char **argv)
{
    int code = cn_options_run(program, argc, argv, stdout, stderr);

    /* An answer that did not reach its reader is no answer. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "%s: standard output can not be written\n", program->name);
        return CN_EXIT_FAILED;
    }
    return code;
}

int cn_args_fail(const struct cn_args *args, enum cn_err err, const struct cn_diag *diag)
{
    struct cn_diag fault = {0};
    char line[CN_DIAG_LINE_MAX];
    struct cn_buf json;

    if (err == CN_OK)
        return CN_EXIT_DONE;
    if (diag && diag->text[0])
        fault = *diag;
    else
        cn_diag_set(&fault, NULL, 0, 0, "%s", cn_err_text(err));
    put_fault(args->err, args->program->name, &fault);
    if (!args->json)
        return (int)cn_exit_code(err);
    cn_diag_line(&fault, line);
    cn_buf_init(&json, 8 * sizeof line);
    cn_put_json(&json, line, strlen(line));
    fprintf(args->out, "{\"error\":\"%s\",\"text\":%.*s}\n", cn_err_name(err), (int)json.len,
            (const char *)json.data);
    cn_buf_clear(&json);
    return (int)cn_exit_code(err);
}
