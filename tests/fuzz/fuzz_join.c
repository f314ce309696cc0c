/* SPDX-License-Identifier: Apache-2.0 */
/* Join links from anywhere: what parses is formatted to the same text, less the blanks around it.
 *
 * No fuzzer guesses a checksum, so an input that begins with '!' is mended first: the rest is a
 * host (up to the first zero), a port in two bytes, and the bytes that the checksum covers. */
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "crypto/hash.h"
#include "crypto/join.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_MAX 4096

static void mend(char out[TEXT_MAX], const uint8_t *data, size_t size)
{
    const uint8_t *zero = memchr(data, 0, size);
    size_t host_len = zero ? (size_t)(zero - data) : 0, body_len;
    uint8_t digest[HASH_BYTES], body[600];
    struct hash hash;
    int len;

    out[0] = '\0';
    if (!zero || host_len > 300 || size - host_len < 3)
        return;
    body_len = size - host_len - 3;
    if (body_len > 500)
        return;
    memcpy(body, zero + 3, body_len);
    hash_init(&hash, "cairn-join-link");
    hash_add(&hash, data, host_len);
    hash_add(&hash, zero + 1, 2);
    hash_add(&hash, body, body_len);
    hash_final(&hash, digest);
    memcpy(body + body_len, digest, 7);
    len =
        snprintf(out, TEXT_MAX, memchr(data, ':', host_len) ? "cairn://[%s]:%u/" : "cairn://%s:%u/",
                 (const char *)data, (unsigned)zero[1] << 8 | zero[2]);
    sodium_bin2base64(out + len, TEXT_MAX - (size_t)len, body, body_len + 7,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TEXT_MAX], again[JOIN_LINK_MAX];
    struct cn_diag diag = {0};
    struct join_link link;

    if (size >= TEXT_MAX)
        return 0;
    if (size && data[0] == '!') {
        mend(text, data + 1, size - 1);
    } else {
        memcpy(text, data, size);
        text[size] = '\0';
    }
    if (join_link_parse(&link, text, &diag) != CN_OK) {
        CN_ASSERT(diag.text[0] && sodium_is_zero((const uint8_t *)&link, sizeof link));
        return 0;
    }
    CN_ASSERT(join_link_format(again, &link) == CN_OK);
    CN_ASSERT(strncmp(text + strspn(text, " \t\r\n"), again, strlen(again)) == 0);
    return 0;
}
