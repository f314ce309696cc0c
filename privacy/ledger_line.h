/* SPDX-License-Identifier: Apache-2.0 */
/* One line of the ledger: an entry, the hash of the line before, a signature, and their one form as
 * JSON. For privacy/ledger's files and their fuzzer; everyone else reads through ledger.h. */
#ifndef CAIRN_PRIVACY_LEDGER_LINE_H
#define CAIRN_PRIVACY_LEDGER_LINE_H

#include <stddef.h>
#include <stdint.h>

#include "privacy/ledger.h"

#define LEDGER_LABEL "cairn-ledger"

struct ledger_line {
    struct ledger_entry entry;
    uint8_t previous[HASH_BYTES];
    uint8_t signature[SIGN_BYTES];
    size_t body; /* bytes that are signed: up to ',"signature"' */
    size_t len;  /* without the newline */
    char text[LEDGER_LINE_MAX];
};

/* Fills text, body, len and signature from entry and previous. CN_E_CONFIG if the entry has no
 * line: a text that is not UTF-8 or holds control characters, a number out of range. */
enum cn_err ledger_line_make(struct ledger_line *line, const struct sign_key *key);

/* Fills line from len bytes without newline. CN_E_PARSE unless ledger_line_make writes the very
 * same bytes from what was read. The signature is not checked. */
enum cn_err ledger_line_parse(struct ledger_line *line, const char *text, size_t len);

/* CN_E_AUTH unless the line's signature is public_key's. */
enum cn_err ledger_line_check(const struct ledger_line *line,
                              const uint8_t public_key[SIGN_PUBLIC_BYTES]);

/* What the next line holds as "previous". */
void ledger_line_hash(uint8_t out[HASH_BYTES], const struct ledger_line *line);

/* Replaces what no line may hold (control characters; in a text that is not UTF-8 every byte
 * beyond ASCII) by '?'. For words that came from elsewhere. */
void ledger_line_clean(char *text, size_t max);

#endif
