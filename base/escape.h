/* SPDX-License-Identifier: Apache-2.0 */
/* Text from elsewhere made safe to print: inside JSON, and on a person's terminal.
 *
 * What a peer or a file says may hold control bytes, escape sequences or broken UTF-8; none of them
 * reaches a log or a screen as it came. */
#ifndef CAIRN_BASE_ESCAPE_H
#define CAIRN_BASE_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cursor.h"

/* True when the bytes are UTF-8 as RFC 3629 has it: no overlong forms, surrogates or values beyond
 * U+10FFFF. bad, may be NULL: the offset of the first byte that is not. */
bool cn_utf8_valid(const char *bytes, size_t len, size_t *bad);

/* Appends a JSON string with its quotes. Control bytes, DEL and C1 controls become \u00XX, each
 * broken byte becomes U+FFFD. A failure sticks in buf. */
void cn_put_json(struct cn_buf *buf, const char *bytes, size_t len);

/* Appends text for a terminal: controls and broken bytes become \xXX, a backslash doubles. */
void cn_put_printable(struct cn_buf *buf, const char *bytes, size_t len);

#endif
