/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/transfer.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define BLOB ((size_t)2 * CHUNK_BYTES_MAX + 777) /* three chunks */

static uint8_t blob[BLOB], address[HASH_BYTES];

static void setup(void)
{
    for (size_t i = 0; i < BLOB; i++)
        blob[i] = (uint8_t)(i * i >> 3);
    hash_blob(address, blob, BLOB);
}

TestSuite(transfer, .init = setup);

/* Gives the chunk at an offset. */
static struct message_chunk chunk_at(size_t offset)
{
    struct transfer_out out;
    struct message message;

    cr_assert_eq(transfer_out_start(&out, address, blob, BLOB, offset), CN_OK);
    cr_assert(transfer_out_next(&out, &message));
    cr_assert_eq(message.type, MESSAGE_CHUNK);
    return message.as.chunk;
}

static enum cn_err take(struct transfer_in *in, struct message_chunk chunk, bool *done)
{
    return transfer_in_chunk(in, &chunk, done);
}

Test(transfer, brings_a_blob_over_in_chunks)
{
    struct transfer_out out;
    struct transfer_in in;
    struct message message;
    bool done = false;
    int chunks = 0;

    cr_assert_eq(transfer_out_start(&out, address, blob, BLOB, 0), CN_OK);
    cr_assert_eq(transfer_in_start(&in, address, BLOB, BLOB), CN_OK);
    while (transfer_out_next(&out, &message)) {
        cr_assert_not(done);
        cr_assert_eq(transfer_in_chunk(&in, &message.as.chunk, &done), CN_OK);
        chunks++;
    }
    cr_assert(done);
    cr_assert_eq(chunks, 3);
    cr_assert_not(out.active);
    cr_assert_not(transfer_out_next(&out, &message));
    cr_assert_eq(memcmp(in.bytes, blob, BLOB), 0);
    transfer_in_clear(&in);
    cr_assert_null(in.bytes);
}

Test(transfer, goes_on_where_it_was_broken_off)
{
    struct transfer_in in;
    bool done;

    cr_assert_eq(transfer_in_start(&in, address, BLOB, BLOB), CN_OK);
    cr_assert_eq(take(&in, chunk_at(0), &done), CN_OK);
    cr_assert_eq(in.at, CHUNK_BYTES_MAX);
    cr_assert_eq(take(&in, chunk_at(in.at), &done), CN_OK);
    cr_assert_eq(take(&in, chunk_at(in.at), &done), CN_OK);
    cr_assert(done);
    transfer_in_clear(&in);
}

Test(transfer, ignores_a_repeat_and_refuses_gap_overlap_and_overrun)
{
    struct transfer_in in;
    struct message_chunk chunk;
    bool done;

    cr_assert_eq(transfer_in_start(&in, address, BLOB, BLOB), CN_OK);
    cr_assert_eq(take(&in, chunk_at(CHUNK_BYTES_MAX), &done), CN_E_UNEXPECTED); /* gap */
    cr_assert_eq(take(&in, chunk_at(0), &done), CN_OK);
    cr_assert_eq(take(&in, chunk_at(0), &done), CN_OK); /* repeat */
    cr_assert_eq(in.at, CHUNK_BYTES_MAX);
    cr_assert_eq(take(&in, chunk_at(5), &done), CN_E_UNEXPECTED); /* overlap */
    chunk = chunk_at(CHUNK_BYTES_MAX);
    chunk.hash[0] ^= 1;
    cr_assert_eq(take(&in, chunk, &done), CN_E_UNEXPECTED); /* another blob */
    chunk = chunk_at(2 * CHUNK_BYTES_MAX);
    chunk.len++;
    cr_assert_eq(take(&in, chunk, &done), CN_E_UNEXPECTED); /* past the end */
    chunk.offset = UINT64_MAX;
    cr_assert_eq(take(&in, chunk, &done), CN_E_UNEXPECTED);
    cr_assert_eq(in.at, CHUNK_BYTES_MAX);
    cr_assert_eq(take(&in, chunk_at(in.at), &done), CN_OK);
    cr_assert_eq(take(&in, chunk_at(in.at), &done), CN_OK);
    cr_assert(done);
    cr_assert_eq(take(&in, chunk_at(0), &done), CN_OK); /* a repeat after the end */
    cr_assert_not(done);
    transfer_in_clear(&in);
}

Test(transfer, drops_a_blob_whose_hash_is_wrong_and_can_start_again)
{
    struct transfer_in in;
    struct message_chunk chunk;
    uint8_t wrong[777];
    bool done;

    cr_assert_eq(transfer_in_start(&in, address, BLOB, BLOB), CN_OK);
    for (int turn = 0; turn < 2; turn++) {
        cr_assert_eq(take(&in, chunk_at(0), &done), CN_OK);
        cr_assert_eq(take(&in, chunk_at(CHUNK_BYTES_MAX), &done), CN_OK);
        chunk = chunk_at(2 * CHUNK_BYTES_MAX);
        cr_assert_eq(chunk.len, sizeof wrong);
        memcpy(wrong, chunk.bytes, sizeof wrong);
        wrong[776] ^= turn == 0;
        chunk.bytes = wrong;
        cr_assert_eq(take(&in, chunk, &done), turn == 0 ? CN_E_AUTH : CN_OK);
        cr_assert_eq(done, turn == 1);
        cr_assert_eq(in.at, turn == 0 ? 0 : BLOB);
    }
    transfer_in_clear(&in);
}

Test(transfer, refuses_sizes_and_offsets_out_of_range)
{
    struct transfer_in in;
    struct transfer_out out;
    struct message message;

    cr_assert_eq(transfer_in_start(&in, address, 0, 100), CN_E_TOO_LARGE);
    cr_assert_eq(transfer_in_start(&in, address, 101, 100), CN_E_TOO_LARGE);
    cr_assert_eq(transfer_in_start(&in, address, BLOB_BYTES_MAX + 1, UINT64_MAX), CN_E_TOO_LARGE);
    cr_assert_null(in.bytes);
    transfer_in_clear(&in);
    cr_assert_eq(transfer_out_start(&out, address, blob, BLOB, BLOB + 1), CN_E_PARSE);
    cr_assert_eq(transfer_out_start(&out, address, blob, BLOB, BLOB), CN_OK);
    cr_assert_not(transfer_out_next(&out, &message));
    cr_assert_not(out.active);
}

Test(transfer, takes_nothing_before_its_start)
{
    struct transfer_in in = {0};
    bool done;

    cr_assert_eq(take(&in, chunk_at(0), &done), CN_E_UNEXPECTED);
}
