/* SPDX-License-Identifier: Apache-2.0 */
/* Packing of b-bit numbers; see pack.h. Whole bytes per number have loops of their own. */
#include "crypto/pack.h"

#include <endian.h>
#include <string.h>

static uint32_t low_bits(uint8_t bits)
{
    CN_ASSERT(bits >= 1 && bits <= PACK_BITS_MAX);
    return UINT32_MAX >> (PACK_BITS_MAX - bits);
}

size_t pack_bytes(size_t n, uint8_t bits)
{
    CN_ASSERT(bits >= 1 && bits <= PACK_BITS_MAX && n <= SIZE_MAX / PACK_BITS_MAX);
    return (n * bits + 7) / 8;
}

static void pack_8(uint8_t *restrict out, const uint32_t *restrict vector, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)vector[i];
}

static void pack_16(uint8_t *restrict out, const uint32_t *restrict vector, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t word = htole16((uint16_t)vector[i]);
        memcpy(out + 2 * i, &word, sizeof word);
    }
}

static void pack_24(uint8_t *restrict out, const uint32_t *restrict vector, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[3 * i] = (uint8_t)vector[i];
        out[3 * i + 1] = (uint8_t)(vector[i] >> 8);
        out[3 * i + 2] = (uint8_t)(vector[i] >> 16);
    }
}

static void pack_32(uint8_t *restrict out, const uint32_t *restrict vector, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t word = htole32(vector[i]);
        memcpy(out + 4 * i, &word, sizeof word);
    }
}

static void pack_any(uint8_t *restrict out, const uint32_t *restrict vector, size_t n, uint8_t bits)
{
    uint32_t low = low_bits(bits);
    uint64_t held = 0; /* fewer than 32 bits wait in it between numbers */
    unsigned count = 0;

    for (size_t i = 0; i < n; i++) {
        held |= (uint64_t)(vector[i] & low) << count;
        count += bits;
        if (count >= 32) {
            uint32_t word = htole32((uint32_t)held);
            memcpy(out, &word, sizeof word);
            out += sizeof word;
            held >>= 32;
            count -= 32;
        }
    }
    for (; count > 0; count = count > 8 ? count - 8 : 0, held >>= 8)
        *out++ = (uint8_t)held;
}

void pack_bits(uint8_t *out, const uint32_t *vector, size_t n, uint8_t bits)
{
    switch (bits) {
    case 8:
        pack_8(out, vector, n);
        break;
    case 16:
        pack_16(out, vector, n);
        break;
    case 24:
        pack_24(out, vector, n);
        break;
    case 32:
        pack_32(out, vector, n);
        break;
    default:
        pack_any(out, vector, n, bits);
    }
}

static void add_8(uint32_t *restrict sum, size_t n, const uint8_t *restrict packed)
{
    for (size_t i = 0; i < n; i++)
        sum[i] = (sum[i] + packed[i]) & 0xff;
}

__attribute__((always_inline)) static inline void add_16_loop(uint32_t *restrict sum, size_t n,
                                                              const uint8_t *restrict packed)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t word;
        memcpy(&word, packed + 2 * i, sizeof word);
        sum[i] = (sum[i] + le16toh(word)) & 0xffff;
    }
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void add_16_avx2(uint32_t *restrict sum, size_t n,
                                                        const uint8_t *restrict packed)
{
    add_16_loop(sum, n, packed);
}
#endif

/* The usual width, so the widest registers there are. */
static void add_16(uint32_t *restrict sum, size_t n, const uint8_t *restrict packed)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        add_16_avx2(sum, n, packed);
        return;
    }
#endif
    add_16_loop(sum, n, packed);
}

static void add_24(uint32_t *restrict sum, size_t n, const uint8_t *restrict packed)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t word =
            packed[3 * i] | (uint32_t)packed[3 * i + 1] << 8 | (uint32_t)packed[3 * i + 2] << 16;
        sum[i] = (sum[i] + word) & 0xffffff;
    }
}

static void add_32(uint32_t *restrict sum, size_t n, const uint8_t *restrict packed)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t word;
        memcpy(&word, packed + 4 * i, sizeof word);
        sum[i] += le32toh(word);
    }
}

static void add_any(uint32_t *restrict sum, size_t n, uint8_t bits, const uint8_t *restrict packed,
                    size_t len)
{
    uint32_t low = low_bits(bits);
    uint64_t held = 0;
    unsigned count = 0;

    for (size_t i = 0; i < n; i++) {
        if (count < bits && len >= 4) {
            uint32_t word;
            memcpy(&word, packed, sizeof word);
            held |= (uint64_t)le32toh(word) << count;
            packed += 4;
            len -= 4;
            count += 32;
        }
        for (; count < bits; len--, count += 8) /* at the end; len lasts, it was checked */
            held |= (uint64_t)*packed++ << count;
        sum[i] = (sum[i] + (uint32_t)held) & low;
        held >>= bits;
        count -= bits;
    }
}

enum cn_err unpack_bits_add(uint32_t *sum, size_t n, uint8_t bits, const uint8_t *packed,
                            size_t len)
{
    if (len != pack_bytes(n, bits))
        return CN_E_PARSE;
    unsigned used = (unsigned)(n * bits % 8);
    if (used > 0 && packed[len - 1] >> used != 0)
        return CN_E_PARSE;
    switch (bits) {
    case 8:
        add_8(sum, n, packed);
        break;
    case 16:
        add_16(sum, n, packed);
        break;
    case 24:
        add_24(sum, n, packed);
        break;
    case 32:
        add_32(sum, n, packed);
        break;
    default:
        add_any(sum, n, bits, packed, len);
    }
    return CN_OK;
}
