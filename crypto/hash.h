/* SPDX-License-Identifier: Apache-2.0 */
/* BLAKE2b-256 over a label and length-prefixed parts, so that no two lists of parts and no two
 * purposes ever hash the same bytes. Source: RFC 7693.
 *
 * What is hashed: the label's length in one byte, the label, then for every part its length in
 * eight bytes, big-endian, and the part. BLAKE2b runs without key, salt or personalisation, so any
 * implementation can follow. */
#ifndef CAIRN_CRYPTO_HASH_H
#define CAIRN_CRYPTO_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_BYTES 32
#define HASH_LABEL_MAX 63

struct hash {
    _Alignas(64) uint8_t state[384]; /* libsodium's; kept out of the headers */
    uint64_t owed;                   /* bytes that the open part still has to bring */
};

/* Starts. The label names the purpose, e.g. "cairn-device-id": 1 to HASH_LABEL_MAX characters, a
 * constant of the program (asserted). */
void hash_init(struct hash *hash, const char *label);

/* Adds one part; bytes may be NULL when len is 0. */
void hash_add(struct hash *hash, const void *bytes, size_t len);

/* Adds a part of eight bytes, big-endian. */
void hash_add_u64(struct hash *hash, uint64_t value);

/* Opens a part of len bytes that come in pieces, by hash_part_more; asserted that exactly len come
 * before the next part or the end. The same as hash_add of the whole. */
void hash_part(struct hash *hash, uint64_t len);
void hash_part_more(struct hash *hash, const void *bytes, size_t len);

/* Gives the hash and wipes the state. */
void hash_final(struct hash *hash, uint8_t out[HASH_BYTES]);

/* The hash of one part under a label. */
void hash_of(uint8_t out[HASH_BYTES], const char *label, const void *bytes, size_t len);

#define HASH_BLOB_LABEL "cairn-blob"

/* The address of a blob (a model, a plan) by its content: hash_of under HASH_BLOB_LABEL. In pieces:
 * hash_init(HASH_BLOB_LABEL), hash_part(whole length), hash_part_more... */
void hash_blob(uint8_t out[HASH_BYTES], const void *bytes, size_t len);

#endif
