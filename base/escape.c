/* SPDX-License-Identifier: Apache-2.0 */
/* One decoder of UTF-8, and the two ways of printing what it finds. */
#include "base/escape.h"

#include <stdint.h>

#define BROKEN UINT32_MAX

/* Decodes the first character of len > 0 bytes; *used is its length, 1 for a broken byte. The
 * table of RFC 3629 section 4: the second byte's range depends on the first. */
static uint32_t decode(const uint8_t *bytes, size_t len, size_t *used)
{
    uint8_t lead = bytes[0];
    size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    uint32_t code;

    *used = 1;
    if (lead < 0x80)
        return lead;
    if (lead < 0xc2 || lead > 0xf4 || more >= len || bytes[1] < low || bytes[1] > high)
        return BROKEN;
    code = lead & (0x3fu >> more);
    for (size_t i = 1; i <= more; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return BROKEN;
        code = code << 6 | (bytes[i] & 0x3f);
    }
    *used = more + 1;
    return code;
}

/* Controls, and the characters that reorder or hide the text around them on a screen. */
static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029 ||
           (code >= 0x200b && code <= 0x200f) || (code >= 0x202a && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

bool cn_utf8_valid(const char *bytes, size_t len, size_t *bad)
{
    const uint8_t *at = (const uint8_t *)bytes;
    size_t used;

    for (size_t i = 0; i < len; i += used) {
        if (decode(at + i, len - i, &used) != BROKEN)
            continue;
        if (bad)
            *bad = i;
        return false;
    }
    return true;
}

static void put_json_character(struct cn_buf *buf, const uint8_t *at, size_t used, uint32_t code)
{
    if (code == BROKEN)
        cn_put_bytes(buf, "\xef\xbf\xbd", 3);
    else if (code == '\n')
        cn_put_bytes(buf, "\\n", 2);
    else if (code == '\t')
        cn_put_bytes(buf, "\\t", 2);
    else if (is_control(code))
        cn_put_text(buf, "\\u%04x", (unsigned)code);
    else if (code == '"' || code == '\\')
        cn_put_text(buf, "\\%c", (char)code);
    else
        cn_put_bytes(buf, at, used);
}

void cn_put_json(struct cn_buf *buf, const char *bytes, size_t len)
{
    const uint8_t *at = (const uint8_t *)bytes;
    size_t used;

    cn_put_u8(buf, '"');
    for (size_t i = 0; i < len && !buf->failed; i += used) {
        uint32_t code = decode(at + i, len - i, &used);

        put_json_character(buf, at + i, used, code);
    }
    cn_put_u8(buf, '"');
}

void cn_put_printable(struct cn_buf *buf, const char *bytes, size_t len)
{
    const uint8_t *at = (const uint8_t *)bytes;
    size_t used;

    for (size_t i = 0; i < len && !buf->failed; i += used) {
        uint32_t code = decode(at + i, len - i, &used);

        if (code == BROKEN || is_control(code)) {
            for (size_t j = 0; j < used; j++)
                cn_put_text(buf, "\\x%02x", at[i + j]);
        } else if (code == '\\') {
            cn_put_bytes(buf, "\\\\", 2);
        } else {
            cn_put_bytes(buf, at + i, used);
        }
    }
}
