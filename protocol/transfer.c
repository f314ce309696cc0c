/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs in chunks. The hash of what comes in runs along, so the end of a blob costs no pause. */
#include "protocol/transfer.h"

#include <stdlib.h>
#include <string.h>

enum cn_err transfer_out_start(struct transfer_out *out, const uint8_t hash[HASH_BYTES],
                               const uint8_t *bytes, uint64_t len, uint64_t offset)
{
    if (offset > len)
        return CN_E_PARSE;
    *out = (struct transfer_out){.bytes = bytes, .len = len, .at = offset, .active = true};
    memcpy(out->hash, hash, HASH_BYTES);
    return CN_OK;
}

bool transfer_out_next(struct transfer_out *out, struct message *message)
{
    uint64_t left = out->len - out->at;
    size_t len = left < CHUNK_BYTES_MAX ? (size_t)left : CHUNK_BYTES_MAX;

    if (!out->active || len == 0) {
        out->active = false;
        return false;
    }
    message->type = MESSAGE_CHUNK;
    message->as.chunk = (struct message_chunk){
        .offset = out->at,
        .bytes = out->bytes + out->at,
        .len = len,
    };
    memcpy(message->as.chunk.hash, out->hash, HASH_BYTES);
    out->at += len;
    return true;
}

static void hash_restart(struct transfer_in *in)
{
    hash_init(in->running, HASH_BLOB_LABEL);
    hash_part(in->running, in->len);
    in->at = 0;
}

enum cn_err transfer_in_start(struct transfer_in *in, const uint8_t hash[HASH_BYTES], uint64_t len,
                              uint64_t max)
{
    *in = (struct transfer_in){.len = len};
    if (len == 0 || len > max || len > BLOB_BYTES_MAX || len > SIZE_MAX)
        return CN_E_TOO_LARGE;
    in->bytes = malloc((size_t)len);
    in->running = aligned_alloc(_Alignof(struct hash), sizeof *in->running);
    if (!in->bytes || !in->running) {
        transfer_in_clear(in);
        return CN_E_NOMEM;
    }
    memcpy(in->hash, hash, HASH_BYTES);
    hash_restart(in);
    return CN_OK;
}

enum cn_err transfer_in_chunk(struct transfer_in *in, const struct message_chunk *chunk, bool *done)
{
    uint8_t hash[HASH_BYTES];

    *done = false;
    if (!in->bytes || memcmp(in->hash, chunk->hash, HASH_BYTES) != 0)
        return CN_E_UNEXPECTED;
    if (chunk->offset > in->len || chunk->len > in->len - chunk->offset || chunk->len == 0)
        return CN_E_UNEXPECTED;
    if (chunk->offset + chunk->len <= in->at)
        return CN_OK;
    if (chunk->offset != in->at)
        return CN_E_UNEXPECTED;
    memcpy(in->bytes + in->at, chunk->bytes, chunk->len);
    hash_part_more(in->running, chunk->bytes, chunk->len);
    in->at += chunk->len;
    if (in->at < in->len)
        return CN_OK;
    hash_final(in->running, hash);
    if (memcmp(hash, in->hash, HASH_BYTES) != 0) {
        hash_restart(in);
        return CN_E_AUTH;
    }
    *done = true;
    return CN_OK;
}

void transfer_in_clear(struct transfer_in *in)
{
    free(in->bytes);
    free(in->running);
    *in = (struct transfer_in){0};
}
