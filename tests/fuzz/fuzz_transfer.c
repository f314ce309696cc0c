/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks of a blob from a sender who doubles, skips, overlaps, changes and mixes them. What is
 * called complete is the blob, byte for byte; otherwise it never is.
 *
 * The input is a list of chunks of four bytes: offset, length, what to add to one byte, and which
 * blob the chunk says it is of. */
#include <stdint.h>
#include <string.h>

#include "protocol/transfer.h"

enum { BLOB = 96, CHUNK = 4, ROOM = 256 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t blob[ROOM], piece[ROOM], hash[HASH_BYTES];
    struct transfer_in in = {0};

    for (int i = 0; i < ROOM; i++)
        blob[i] = (uint8_t)(i * 37);
    hash_blob(hash, blob, BLOB);
    CN_ASSERT(transfer_in_start(&in, hash, BLOB, BLOB) == CN_OK);
    for (size_t k = 0; k + CHUNK <= size; k += CHUNK) {
        struct message_chunk chunk = {
            .offset = data[k], .bytes = piece, .len = data[k + 1] % (ROOM - 128u)};
        bool done = false;
        uint64_t before = in.at;

        memcpy(chunk.hash, hash, sizeof hash);
        chunk.hash[0] ^= data[k + 3];
        memcpy(piece, blob + data[k] % 128, chunk.len);
        piece[0] = (uint8_t)(piece[0] + data[k + 2]);
        enum cn_err err = transfer_in_chunk(&in, &chunk, &done);
        CN_ASSERT(in.at <= BLOB && (err != CN_E_UNEXPECTED || in.at == before));
        CN_ASSERT(!done || (err == CN_OK && in.at == BLOB && memcmp(in.bytes, blob, BLOB) == 0));
        if (done || err != CN_OK)
            break;
    }
    transfer_in_clear(&in);
    return 0;
}
