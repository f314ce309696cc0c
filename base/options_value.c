/* SPDX-License-Identifier: Apache-2.0 */
/* The values of options: checked while parsing, so that asking for them later can not fail. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/options_internal.h"

#define WHOLE_MAX 0x1p53 /* whole numbers are checked as doubles, exact up to here */
#define CHOICES_MAX 32
#define CHOICE_BYTES 64

static enum cn_err parse_number(const char *text, double *number)
{
    char *end;

    if (strspn(text, "0123456789+-.eE") != strlen(text))
        return CN_E_PARSE; /* no "nan", no "0x10", no spaces */
    errno = 0;
    *number = strtod(text, &end);
    return end == text || *end || !isfinite(*number) ? CN_E_PARSE : CN_OK;
}

static bool in_bounds(const struct cn_option *option, double value)
{
    return (option->min == 0 && option->max == 0) || (value >= option->min && value <= option->max);
}

static enum cn_err check_number(const struct cn_option *option, const char *value,
                                struct cn_diag *fault)
{
    bool whole = option->kind == CN_OPTION_UINT;
    const char *wanted = whole ? "a whole number" : "a number";
    double number;

    if (parse_number(value, &number) == CN_OK && in_bounds(option, number) &&
        (!whole || (number >= 0 && number <= WHOLE_MAX && floor(number) == number)))
        return CN_OK;
    if (option->min == 0 && option->max == 0)
        cn_diag_set(fault, NULL, 0, 0, "--%s is '%.64s'; expected %s%s", option->name, value,
                    wanted, whole ? " from 0 on" : "");
    else
        cn_diag_set(fault, NULL, 0, 0, "--%s is '%.64s'; expected %s from %.10g to %.10g",
                    option->name, value, wanted, option->min, option->max);
    return CN_E_CONFIG;
}

static enum cn_err check_duration(const struct cn_option *option, const char *value,
                                  struct cn_diag *fault)
{
    char least[CN_TIME_TEXT_BYTES], most[CN_TIME_TEXT_BYTES];
    uint64_t ms;

    if (cn_duration_parse(&ms, value) != CN_OK) {
        cn_diag_set(fault, NULL, 0, 0, "--%s is '%.64s'; expected a time such as 90s, 12h or 7d",
                    option->name, value);
        return CN_E_CONFIG;
    }
    if (in_bounds(option, (double)ms / 1000.0))
        return CN_OK;
    cn_diag_set(fault, NULL, 0, 0, "--%s is '%.64s'; expected between %s and %s", option->name,
                value, cn_duration_text((uint64_t)(option->min * 1000), least),
                cn_duration_text((uint64_t)(option->max * 1000), most));
    return CN_E_CONFIG;
}

/* Splits the words of choices; returns how many there are. */
static size_t split_choices(const char *choices, char words[CHOICES_MAX][CHOICE_BYTES])
{
    size_t count = 0;

    for (const char *at = choices; *at && count < CHOICES_MAX; count++) {
        size_t len = strcspn(at, " ");

        CN_ASSERT(len > 0 && len < CHOICE_BYTES);
        memcpy(words[count], at, len);
        words[count][len] = '\0';
        at += len;
        at += *at == ' ';
    }
    return count;
}

static int find_choice(const char *choices, const char *value)
{
    char words[CHOICES_MAX][CHOICE_BYTES];
    size_t count = split_choices(choices, words);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i], value) == 0)
            return (int)i;
    }
    return -1;
}

enum cn_err options_check(const struct cn_option *option, const char *value, struct cn_diag *fault)
{
    switch (option->kind) {
    case CN_OPTION_UINT:
    case CN_OPTION_REAL:
        return check_number(option, value, fault);
    case CN_OPTION_DURATION:
        return check_duration(option, value, fault);
    case CN_OPTION_CHOICE:
        if (find_choice(option->choices, value) >= 0)
            return CN_OK;
        cn_diag_set(fault, NULL, 0, 0, "--%s is '%.64s'; expected one of: %s", option->name, value,
                    option->choices);
        return CN_E_CONFIG;
    case CN_OPTION_FLAG:
    case CN_OPTION_TEXT:
        return CN_OK;
    }
    return CN_E_CONFIG;
}

const char *cn_args_argument(const struct cn_args *args, size_t n)
{
    return n < args->argument_count ? args->arguments[n] : NULL;
}

static size_t index_of(const struct cn_args *args, const char *name)
{
    size_t i = 0;

    while (i < args->option_count && strcmp(args->options[i]->name, name) != 0)
        i++;
    CN_ASSERT(i < args->option_count);
    return i;
}

static const char *value_of(const struct cn_args *args, const char *name, enum cn_option_kind kind)
{
    size_t i = index_of(args, name);

    CN_ASSERT(args->options[i]->kind == kind);
    return args->values[i];
}

bool cn_args_given(const struct cn_args *args, const char *name)
{
    return args->given[index_of(args, name)];
}

bool cn_args_flag(const struct cn_args *args, const char *name)
{
    return value_of(args, name, CN_OPTION_FLAG) != NULL;
}

const char *cn_args_text(const struct cn_args *args, const char *name)
{
    size_t i = index_of(args, name);

    CN_ASSERT(args->options[i]->kind == CN_OPTION_TEXT ||
              args->options[i]->kind == CN_OPTION_CHOICE);
    return args->values[i];
}

int cn_args_choice(const struct cn_args *args, const char *name)
{
    const char *value = value_of(args, name, CN_OPTION_CHOICE);

    return value ? find_choice(args->options[index_of(args, name)]->choices, value) : -1;
}

static double number_of(const char *value)
{
    double number = 0;

    if (value)
        CN_ASSERT(parse_number(value, &number) == CN_OK);
    return number;
}

uint64_t cn_args_uint(const struct cn_args *args, const char *name)
{
    return (uint64_t)number_of(value_of(args, name, CN_OPTION_UINT));
}

double cn_args_real(const struct cn_args *args, const char *name)
{
    return number_of(value_of(args, name, CN_OPTION_REAL));
}

uint64_t cn_args_ms(const struct cn_args *args, const char *name)
{
    const char *value = value_of(args, name, CN_OPTION_DURATION);
    uint64_t ms = 0;

    if (value)
        CN_ASSERT(cn_duration_parse(&ms, value) == CN_OK);
    return ms;
}
