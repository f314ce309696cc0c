/* SPDX-License-Identifier: Apache-2.0 */
/* Packed vectors from anywhere: what is accepted packs to the same bytes; what is refused leaves
 * the sum alone. The first byte gives the width, the second how many numbers. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t sum[256] = {0};
    uint8_t again[256 * 4];

    if (size < 2)
        return 0;
    uint8_t bits = (uint8_t)(1 + data[0] % PACK_BITS_MAX);
    size_t n = data[1], len = size - 2;

    if (unpack_bits_add(sum, n, bits, data + 2, len) != CN_OK) {
        for (size_t i = 0; i < n; i++)
            CN_ASSERT(sum[i] == 0);
        return 0;
    }
    CN_ASSERT(len == pack_bytes(n, bits));
    pack_bits(again, sum, n, bits);
    CN_ASSERT(memcmp(again, data + 2, len) == 0);
    return 0;
}
