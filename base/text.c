/* SPDX-License-Identifier: Apache-2.0 */
/* Encodings and word distances. */
#include "base/text.h"

#include <ctype.h>
#include <string.h>

#define WORD_MAX 64

static const char hex_digits[] = "0123456789abcdef";
static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const char *cn_hex_encode(char *out, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = hex_digits[bytes[i] >> 4];
        out[2 * i + 1] = hex_digits[bytes[i] & 15];
    }
    out[2 * len] = '\0';
    return out;
}

static int digit_of(const char *digits, char c)
{
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

enum cn_err cn_hex_decode(uint8_t *out, size_t len, const char *text)
{
    if (strlen(text) != 2 * len)
        return CN_E_PARSE;
    for (size_t i = 0; i < len; i++) {
        int high = digit_of(hex_digits, (char)tolower((unsigned char)text[2 * i]));
        int low = digit_of(hex_digits, (char)tolower((unsigned char)text[2 * i + 1]));

        if (high < 0 || low < 0) {
            memset(out, 0, len);
            return CN_E_PARSE;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return CN_OK;
}

const char *cn_base64_encode(char *out, const uint8_t *bytes, size_t len)
{
    uint32_t bits = 0;
    unsigned held = 0;
    size_t at = 0;

    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | bytes[i];
        for (held += 8; held >= 6; held -= 6)
            out[at++] = base64_digits[bits >> (held - 6) & 63];
    }
    if (held)
        out[at++] = base64_digits[bits << (6 - held) & 63];
    out[at] = '\0';
    return out;
}

enum cn_err cn_base64_decode(uint8_t *out, size_t max, size_t *len, const char *text)
{
    uint32_t bits = 0;
    unsigned held = 0;
    size_t at = 0;

    *len = 0;
    if (strlen(text) % 4 == 1)
        return CN_E_PARSE;
    for (; *text; text++) {
        int digit = digit_of(base64_digits, *text);

        if (digit < 0)
            return CN_E_PARSE;
        bits = bits << 6 | (uint32_t)digit;
        held += 6;
        if (held < 8)
            continue;
        if (at == max)
            return CN_E_TOO_LARGE;
        held -= 8;
        out[at++] = (uint8_t)(bits >> held);
    }
    if (bits & ((1u << held) - 1))
        return CN_E_PARSE; /* a second text for the same bytes */
    *len = at;
    return CN_OK;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t cn_text_distance(const char *a, const char *b)
{
    size_t len_a = strnlen(a, WORD_MAX - 1), len_b = strnlen(b, WORD_MAX - 1);
    size_t rows[3][WORD_MAX]; /* optimal string alignment needs the last two rows */

    for (size_t j = 0; j <= len_b; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= len_a; i++) {
        size_t *row = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= len_b; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);

            best = least(best, least(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = least(best, before[j - 2] + 1);
            row[j] = best;
        }
    }
    return rows[len_a % 3][len_b];
}

const char *cn_text_nearest(const char *word, const char *const *known, size_t count)
{
    size_t allowed = strnlen(word, WORD_MAX - 1) / 3 + 1;
    const char *nearest = NULL;

    for (size_t i = 0; i < count; i++) {
        size_t distance = cn_text_distance(word, known[i]);

        if (distance > allowed || distance >= strlen(known[i]))
            continue;
        nearest = known[i];
        allowed = distance ? distance - 1 : 0;
        if (distance == 0)
            break;
    }
    return nearest;
}

bool cn_text_is_name(const char *text, size_t max)
{
    size_t len = strnlen(text, max + 1);

    if (len == 0 || len > max || text[0] == '.' || text[0] == '-')
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (!(c < 128 && isalnum(c)) && c != '-' && c != '_' && c != '.')
            return false;
    }
    return true;
}
