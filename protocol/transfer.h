/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs in chunks, addressed by their hash, resumed where a broken connection left them. Sans-I/O:
 * bytes and messages in, messages out. A blob is checked against its hash as a whole before anyone
 * sees a byte of it. */
#ifndef CAIRN_PROTOCOL_TRANSFER_H
#define CAIRN_PROTOCOL_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "protocol/messages.h"

/* A blob on its way out; the bytes are borrowed. */
struct transfer_out {
    uint8_t hash[HASH_BYTES];
    const uint8_t *bytes;
    uint64_t len;
    uint64_t at; /* next offset to send */
    bool active;
};

/* Begins, or goes on, at offset. CN_E_PARSE when offset > len. */
enum cn_err transfer_out_start(struct transfer_out *out, const uint8_t hash[HASH_BYTES],
                               const uint8_t *bytes, uint64_t len, uint64_t offset);

/* Fills the next CHUNK and moves on; false when all is sent (out is then inactive). */
bool transfer_out_next(struct transfer_out *out, struct message *message);

/* A blob on its way in. */
struct transfer_in {
    uint8_t hash[HASH_BYTES];
    uint8_t *bytes; /* [len], owned */
    uint64_t len;
    uint64_t at;          /* bytes that are there; the offset to resume from */
    struct hash *running; /* over the bytes that are there, owned */
};

/* Makes room for len bytes, 1 .. max; what in held before is not freed. CN_E_TOO_LARGE (0, too),
 * CN_E_NOMEM; in is then empty. */
enum cn_err transfer_in_start(struct transfer_in *in, const uint8_t hash[HASH_BYTES], uint64_t len,
                              uint64_t max);

/* Takes a chunk. One that lies before `at` whole is ignored (a repeat); a gap, an overlap, another
 * blob or one past the end is CN_E_UNEXPECTED, and nothing changes. *done when this chunk completes
 * the blob and its hash is right; CN_E_AUTH when it is wrong (the bytes are dropped, at is 0). */
enum cn_err transfer_in_chunk(struct transfer_in *in, const struct message_chunk *chunk,
                              bool *done);

/* Frees; zeroed or cleared before is fine. To keep the bytes, take in->bytes and set it to NULL. */
void transfer_in_clear(struct transfer_in *in);

#endif
