/* SPDX-License-Identifier: Apache-2.0 */
/* A sorted list and a search. */
#include "data/text_tokens.h"

#include <stdlib.h>
#include <string.h>

static int by_text(const void *a, const void *b)
{
    const struct text_entry *x = a, *y = b;
    size_t len = x->len < y->len ? x->len : y->len;
    int order = memcmp(x->text, y->text, len);

    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

/* Bytes of the character at text[at] in UTF-8 that is known to be valid. */
static size_t character_bytes(const char *text, size_t len, size_t at)
{
    size_t end = at + 1;

    while (end < len && ((unsigned char)text[end] & 0xc0) == 0x80)
        end++;
    return end - at;
}

enum cn_err text_tokens_init(struct text_tokens *tokens, const struct data_text *text)
{
    size_t at = 0, len;

    *tokens = (struct text_tokens){.unit = text ? text->unit : DATA_UNIT_BYTE};
    if (!text || text->unit == DATA_UNIT_BYTE)
        return CN_OK;
    tokens->count = data_text_vocabulary(text) - DATA_TOKENS_LISTED;
    tokens->sorted = calloc(tokens->count ? tokens->count : 1, sizeof *tokens->sorted);
    if (!tokens->sorted)
        return CN_E_NOMEM;
    len = tokens->unit == DATA_UNIT_CHARACTER ? strlen(text->characters) : 0;
    for (uint32_t i = 0; i < tokens->count; i++) {
        const char *entry =
            tokens->unit == DATA_UNIT_CHARACTER ? text->characters + at : text->words[i];
        size_t bytes = tokens->unit == DATA_UNIT_CHARACTER
                           ? character_bytes(text->characters, len, at)
                           : strlen(entry);

        tokens->sorted[i] = (struct text_entry){entry, bytes, DATA_TOKENS_LISTED + i};
        at += bytes;
    }
    qsort(tokens->sorted, tokens->count, sizeof *tokens->sorted, by_text);
    return CN_OK;
}

void text_tokens_clear(struct text_tokens *tokens)
{
    free(tokens->sorted);
    *tokens = (struct text_tokens){0};
}

uint32_t text_tokens_find(const struct text_tokens *tokens, const char *text, size_t len)
{
    struct text_entry key = {text, len, 0};
    const struct text_entry *found;

    if (tokens->unit == DATA_UNIT_BYTE)
        return len ? (unsigned char)text[0] : DATA_TOKEN_UNKNOWN;
    found = bsearch(&key, tokens->sorted, tokens->count, sizeof key, by_text);

    return found ? found->token : DATA_TOKEN_UNKNOWN;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool next_word(const struct text_tokens *tokens, const char *text, size_t len, size_t *at,
                      uint32_t *token)
{
    size_t from = *at;

    while (from < len && is_blank(text[from]))
        from++;
    *at = from;
    while (*at < len && !is_blank(text[*at]))
        (*at)++;
    if (*at == from)
        return false;
    *token = text_tokens_find(tokens, text + from, *at - from);
    return true;
}

bool text_tokens_next(const struct text_tokens *tokens, const char *text, size_t len, size_t *at,
                      uint32_t *token)
{
    size_t from = *at;

    if (tokens->unit == DATA_UNIT_WORD)
        return next_word(tokens, text, len, at, token);
    if (from == len)
        return false;
    if (tokens->unit == DATA_UNIT_BYTE) {
        *token = (unsigned char)text[(*at)++];
        return true;
    }
    *at += character_bytes(text, len, from);
    *token = text_tokens_find(tokens, text + from, *at - from);
    return true;
}
