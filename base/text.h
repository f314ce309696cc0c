/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as text: lower-case hexadecimal, base64url without padding; names and near misses. Not
 * constant-time: secrets are encoded by crypto/. */
#ifndef CAIRN_BASE_TEXT_H
#define CAIRN_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Writes 2 * len digits and a zero; returns out. */
const char *cn_hex_encode(char *out, const uint8_t *bytes, size_t len);

/* Reads exactly len bytes; text must have exactly 2 * len digits. CN_E_PARSE otherwise. */
enum cn_err cn_hex_decode(uint8_t *out, size_t len, const char *text);

#define CN_BASE64_LEN(len) (((len)*4 + 2) / 3)

/* Writes CN_BASE64_LEN(len) characters and a zero; returns out. */
const char *cn_base64_encode(char *out, const uint8_t *bytes, size_t len);

/* Decodes all of text; at most max bytes. CN_E_PARSE for a foreign character, a length that no
 * encoding has or unused bits that are set; CN_E_TOO_LARGE. */
enum cn_err cn_base64_decode(uint8_t *out, size_t max, size_t *len, const char *text);

/* Edits (insert, drop, change, swap of neighbours) between two words of at most 63 characters. */
size_t cn_text_distance(const char *a, const char *b);

/* The known word nearest to word, or NULL when none is near enough to be what was meant. */
const char *cn_text_nearest(const char *word, const char *const *known, size_t count);

/* True for 1 to max characters of letters, digits, '-', '_' and '.', not starting with '.' or '-':
 * names that are safe in file names, logs and terminals. */
bool cn_text_is_name(const char *text, size_t max);

#endif
