/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping and printing diagnostics. */
#include "base/diag.h"

#include <stdarg.h>
#include <stdio.h>

void cn_diag_clear(struct cn_diag *diag)
{
    if (diag)
        *diag = (struct cn_diag){0};
}

void cn_diag_set(struct cn_diag *diag, const char *place, unsigned line, unsigned column,
                 const char *format, ...)
{
    va_list args;

    if (!diag || diag->text[0])
        return;
    snprintf(diag->place, sizeof diag->place, "%s", place ? place : "");
    diag->line = line;
    diag->column = column;
    va_start(args, format);
    vsnprintf(diag->text, sizeof diag->text, format, args);
    va_end(args);
}

void cn_diag_hint(struct cn_diag *diag, const char *format, ...)
{
    va_list args;

    if (!diag || diag->hint[0])
        return;
    va_start(args, format);
    vsnprintf(diag->hint, sizeof diag->hint, format, args);
    va_end(args);
}

const char *cn_diag_line(const struct cn_diag *diag, char out[CN_DIAG_LINE_MAX])
{
    char place[CN_DIAG_PLACE_MAX + 32] = "";

    out[0] = '\0';
    if (!diag || !diag->text[0])
        return out;
    if (diag->line && diag->column)
        snprintf(place, sizeof place, "%s:%u:%u: ", diag->place, diag->line, diag->column);
    else if (diag->line)
        snprintf(place, sizeof place, "%s:%u: ", diag->place, diag->line);
    else if (diag->place[0])
        snprintf(place, sizeof place, "%s: ", diag->place);
    snprintf(out, CN_DIAG_LINE_MAX, "%s%s%s%s%s", place, diag->text, diag->hint[0] ? " (" : "",
             diag->hint, diag->hint[0] ? ")" : "");
    return out;
}
