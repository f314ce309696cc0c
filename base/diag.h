/* SPDX-License-Identifier: Apache-2.0 */
/* A diagnostic: where a person's input is wrong, what was expected, and what to do next.
 *
 * Functions that read what a human wrote take an optional struct cn_diag *; NULL means that the
 * caller does not want the words. The first fault is the one that is kept. */
#ifndef CAIRN_BASE_DIAG_H
#define CAIRN_BASE_DIAG_H

#include <stddef.h>

#define CN_DIAG_PLACE_MAX 512
#define CN_DIAG_TEXT_MAX 512
#define CN_DIAG_HINT_MAX 512
#define CN_DIAG_LINE_MAX (CN_DIAG_PLACE_MAX + CN_DIAG_TEXT_MAX + CN_DIAG_HINT_MAX + 64)

struct cn_diag {
    char place[CN_DIAG_PLACE_MAX]; /* a file's name or whatever the input is called; may be empty */
    unsigned line;                 /* from 1; 0: unknown */
    unsigned column;               /* from 1; 0: unknown */
    char text[CN_DIAG_TEXT_MAX];   /* the fault and what was expected; no full stop */
    char hint[CN_DIAG_HINT_MAX];   /* the next step; may be empty */
};

/* Empties the diagnostic. NULL is allowed, here and below. */
void cn_diag_clear(struct cn_diag *diag);

/* Keeps place and text unless a text is kept already. place may be NULL. */
__attribute__((format(printf, 5, 6))) void cn_diag_set(struct cn_diag *diag, const char *place,
                                                       unsigned line, unsigned column,
                                                       const char *format, ...);

/* Keeps the next step for the person, unless one is kept already. */
__attribute__((format(printf, 2, 3))) void cn_diag_hint(struct cn_diag *diag, const char *format,
                                                        ...);

/* Writes "place:line:column: text (hint)" without the parts that are unknown; "" when empty.
 * Returns out. */
const char *cn_diag_line(const struct cn_diag *diag, char out[CN_DIAG_LINE_MAX]);

#endif
