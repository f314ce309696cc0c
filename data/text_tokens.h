/* SPDX-License-Identifier: Apache-2.0 */
/* Words and characters to token numbers. */
#ifndef CAIRN_DATA_TEXT_TOKENS_H
#define CAIRN_DATA_TEXT_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "data/form.h"

struct text_entry {
    const char *text; /* the task's, len bytes */
    size_t len;
    uint32_t token;
};

struct text_tokens {
    enum data_unit unit;
    struct text_entry *sorted; /* [count]; NULL for bytes */
    uint32_t count;
};

/* Prepares for a text that passed data_text_check; NULL: bytes. Cleared by text_tokens_clear.
 * CN_E_NOMEM. */
enum cn_err text_tokens_init(struct text_tokens *tokens, const struct data_text *text);

void text_tokens_clear(struct text_tokens *tokens);

/* The token that text [len] is as a whole, or DATA_TOKEN_UNKNOWN; of bytes, its first byte. */
uint32_t text_tokens_find(const struct text_tokens *tokens, const char *text, size_t len);

/* Takes the next token of text [len] from *at on and moves *at behind it; false at the end. Text
 * must be valid UTF-8 for characters. */
bool text_tokens_next(const struct text_tokens *tokens, const char *text, size_t len, size_t *at,
                      uint32_t *token);

#endif
