/* SPDX-License-Identifier: Apache-2.0 */
/* Help: aligned, at most 100 columns wide, the same for every verb. */
#include <string.h>

#include "base/options_internal.h"

#define COLUMNS 100
#define LEFT_MIN 16
#define LEFT_MAX 36

/* Prints text in lines of at most COLUMNS, each indented; the first line starts at column `at`. */
static void put_wrapped(FILE *out, const char *text, size_t indent, size_t at)
{
    size_t column = at;

    while (*text) {
        size_t len = strcspn(text, " \n");
        size_t gap = column > indent ? 1 : 0;

        if (gap && column + gap + len > COLUMNS) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
            gap = 0;
        }
        fprintf(out, "%s%.*s", gap ? " " : "", (int)len, text);
        column += gap + len;
        text += len;
        if (*text == '\n') {
            fprintf(out, "\n%*s", text[1] ? (int)indent : 0, "");
            column = indent;
        }
        text += *text != '\0';
    }
    fputc('\n', out);
}

/* "  name   text", the text starting at column left. */
static void put_row(FILE *out, const char *name, const char *text, size_t left)
{
    size_t len = strlen(name) + 2;

    if (len + 2 > left)
        fprintf(out, "  %s\n%*s", name, (int)left, "");
    else
        fprintf(out, "  %s%*s", name, (int)(left - len), "");
    put_wrapped(out, text, left, left);
}

static size_t left_column(size_t widest)
{
    size_t left = widest + 4;

    return left < LEFT_MIN ? LEFT_MIN : left > LEFT_MAX ? LEFT_MAX : left;
}

static bool in_group(const struct cn_verb *verb, const char *group)
{
    size_t len = group ? strlen(group) : 0;

    return !group || (strncmp(verb->name, group, len) == 0 && verb->name[len] == ' ');
}

void options_help_program(FILE *out, const struct cn_program *program, const char *group)
{
    char name[96];
    size_t widest = 0;

    if (!group)
        fprintf(out, "%s: %s\n\n", program->name, program->summary);
    fprintf(out, "usage: %s %s%sVERB [arguments] [options]\n\n", program->name, group ? group : "",
            group ? " " : "");
    for (int print = 0; print < 2; print++) {
        for (size_t i = 0; i < program->verb_count; i++) {
            const struct cn_verb *verb = &program->verbs[i];

            if (!in_group(verb, group))
                continue;
            snprintf(name, sizeof name, "%s%s%s", verb->name, verb->arguments ? " " : "",
                     verb->arguments ? verb->arguments : "");
            if (print)
                put_row(out, name, verb->summary, left_column(widest));
            else if (strlen(name) > widest)
                widest = strlen(name);
        }
    }
    fprintf(out, "\n'%s VERB --help' shows a verb's options and an example.\n", program->name);
}

void options_usage(FILE *out, const struct cn_program *program, const struct cn_verb *verb)
{
    fprintf(out, "usage: %s %s%s%s", program->name, verb->name, verb->arguments ? " " : "",
            verb->arguments ? verb->arguments : "");
    for (size_t i = 0; i < verb->option_count; i++) {
        if (verb->options[i].required)
            fprintf(out, " --%s %s", verb->options[i].name, verb->options[i].value);
    }
    fprintf(out, " [options]\n");
}

static void option_name(const struct cn_option *option, char *out, size_t len)
{
    snprintf(out, len, "--%s%s%s", option->name, option->value ? " " : "",
             option->value ? option->value : "");
}

/* The help line with bounds and what holds when the option is absent. */
static void option_text(const struct cn_option *option, char *out, size_t len)
{
    size_t at = (size_t)snprintf(out, len, "%s", option->help);
    bool number = option->kind == CN_OPTION_UINT || option->kind == CN_OPTION_REAL;

    if (at < len && option->kind == CN_OPTION_CHOICE)
        at += (size_t)snprintf(out + at, len - at, ": %s", option->choices);
    if (at < len && number && option->min < option->max)
        at += (size_t)snprintf(out + at, len - at, ", %.10g to %.10g", option->min, option->max);
    if (at < len && option->required)
        snprintf(out + at, len - at, " (required)");
    else if (at < len && option->fallback)
        snprintf(out + at, len - at, " (default: %s)", option->fallback);
}

static void put_options(FILE *out, const struct cn_option *options, size_t count, size_t left)
{
    char name[96], text[512];

    for (size_t i = 0; i < count; i++) {
        option_name(&options[i], name, sizeof name);
        option_text(&options[i], text, sizeof text);
        put_row(out, name, text, left);
    }
}

static size_t widest_option(const struct cn_option *options, size_t count, size_t widest)
{
    char name[96];

    for (size_t i = 0; i < count; i++) {
        option_name(&options[i], name, sizeof name);
        if (strlen(name) > widest)
            widest = strlen(name);
    }
    return widest;
}

void options_help_verb(FILE *out, const struct cn_program *program, const struct cn_verb *verb)
{
    size_t widest = widest_option(options_common, options_common_count, 0);
    size_t left = left_column(widest_option(verb->options, verb->option_count, widest));

    fprintf(out, "%s %s: %s\n\n", program->name, verb->name, verb->summary);
    options_usage(out, program, verb);
    if (verb->details) {
        fputc('\n', out);
        put_wrapped(out, verb->details, 0, 0);
    }
    fprintf(out, "\noptions:\n");
    put_options(out, verb->options, verb->option_count, left);
    put_options(out, options_common, options_common_count, left);
    if (verb->example) {
        fprintf(out, "\nexample:\n  ");
        for (const char *at = verb->example; *at; at++) {
            fputc(*at, out);
            if (*at == '\n' && at[1])
                fputs("  ", out);
        }
        fputc('\n', out);
    }
}
