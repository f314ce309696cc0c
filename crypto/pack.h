/* SPDX-License-Identifier: Apache-2.0 */
/* Packing: vectors of b-bit numbers as bytes, without gaps.
 *
 * Number i takes the bits i * b .. i * b + b - 1 of the bytes, where bit k is bit k % 8 (from the
 * lowest) of byte k / 8. So 8, 16, 24 and 32 bits are little-endian integers in a row. Unused bits
 * of the last byte are zero. */
#ifndef CAIRN_CRYPTO_PACK_H
#define CAIRN_CRYPTO_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PACK_BITS_MAX 32

/* Bytes that n numbers take; n at most SIZE_MAX / PACK_BITS_MAX (asserted), bits 1 .. 32. */
size_t pack_bytes(size_t n, uint8_t bits);

/* Packs n numbers, of which bits above b are ignored.
 *
 *   out     [pack_bytes(n, bits)]
 *   vector  [n] */
void pack_bits(uint8_t *out, const uint32_t *vector, size_t n, uint8_t bits);

/* Unpacks n numbers and adds them to sum modulo 2^bits, in one pass.
 *
 *   sum  [n]  below 2^bits before and after
 *
 * CN_E_PARSE when len is not pack_bytes(n, bits) or an unused bit is set; sum is then unchanged. */
enum cn_err unpack_bits_add(uint32_t *sum, size_t n, uint8_t bits, const uint8_t *packed,
                            size_t len);

#endif
