/* SPDX-License-Identifier: Apache-2.0 */
/* Writing into arrays whose size is known: what is signed or hashed is laid out without an
 * allocation that could fail. Each function returns the place after what it wrote. For this folder
 * only; everything that grows goes through cn_buf. */
#ifndef CAIRN_CRYPTO_BYTES_H
#define CAIRN_CRYPTO_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint8_t *bytes_put(uint8_t *at, const void *bytes, size_t len)
{
    memcpy(at, bytes, len);
    return at + len;
}

/* Big-endian in width bytes; the value must fit. */
static inline uint8_t *bytes_put_uint(uint8_t *at, uint64_t value, size_t width)
{
    for (size_t i = width; i-- > 0; value >>= 8)
        at[i] = (uint8_t)value;
    return at + width;
}

#endif
