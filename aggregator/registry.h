/* SPDX-License-Identifier: Apache-2.0 */
/* Models and plans: blobs on disk under their hash, the latest model of each task under its name,
 * and the blobs in memory that devices are fetching.
 *
 *   DIR/blobs/<64 hex digits>                    never changed once written
 *   DIR/models/<task>-latest.safetensors         a copy, for people and programs
 */
#ifndef CAIRN_AGGREGATOR_REGISTRY_H
#define CAIRN_AGGREGATOR_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "base/file.h"
#include "crypto/hash.h"

struct registry {
    char blobs[CN_PATH_MAX];
    char models[CN_PATH_MAX];
};

/* A blob in memory; shared by counting. One thread. */
struct blob {
    uint8_t hash[HASH_BYTES];
    uint8_t *bytes; /* [len] */
    size_t len;
    unsigned holders;
};

/* Makes the folders if they are missing. CN_E_TOO_LARGE for a long path, CN_E_NOSPACE, CN_E_IO. */
enum cn_err registry_open(struct registry *registry, const char *folder, struct cn_diag *diag);

/* Writes a blob, flushed before this returns, and gives its address. One that is there already is
 * not written again. CN_E_NOSPACE, CN_E_IO. May run on any thread. */
enum cn_err registry_put(const struct registry *registry, uint8_t hash[HASH_BYTES],
                         const void *bytes, size_t len, struct cn_diag *diag);

bool registry_has(const struct registry *registry, const uint8_t hash[HASH_BYTES]);

/* Reads a blob of at most max bytes and verifies it. Returns ownership of one hold. CN_E_NOT_FOUND;
 * CN_E_DATA when the bytes are not those of the hash; CN_E_TOO_LARGE, CN_E_IO, CN_E_NOMEM. May run
 * on any thread. */
enum cn_err registry_get(const struct registry *registry, struct blob **out,
                         const uint8_t hash[HASH_BYTES], size_t max, struct cn_diag *diag);

/* Replaces the task's latest model by these bytes. */
enum cn_err registry_publish(const struct registry *registry, const char *task, const void *bytes,
                             size_t len, struct cn_diag *diag);

/* Writes the path of the task's latest model. CN_E_TOO_LARGE. */
enum cn_err registry_latest(const struct registry *registry, char out[CN_PATH_MAX],
                            const char *task);

/* Removes every blob that is not among keep [count]; *removed, may be NULL: how many. */
enum cn_err registry_collect(const struct registry *registry, const uint8_t (*keep)[HASH_BYTES],
                             size_t count, size_t *removed);

struct blob *blob_hold(struct blob *blob);

/* Gives back a hold; the last one frees. NULL is allowed. */
void blob_drop(struct blob *blob);

#endif
