/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/registry.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

#define BLOB_NAME_BYTES (2 * HASH_BYTES + 1)

enum cn_err registry_open(struct registry *registry, const char *folder, struct cn_diag *diag)
{
    CN_TRY(cn_path_join(registry->blobs, folder, "blobs"));
    CN_TRY(cn_path_join(registry->models, folder, "models"));
    CN_TRY(cn_folder_make(registry->blobs, 0700, diag));
    return cn_folder_make(registry->models, 0755, diag);
}

static enum cn_err blob_path(const struct registry *registry, char out[CN_PATH_MAX],
                             const uint8_t hash[HASH_BYTES])
{
    char name[BLOB_NAME_BYTES];
    return cn_path_join(out, registry->blobs, cn_hex_encode(name, hash, HASH_BYTES));
}

bool registry_has(const struct registry *registry, const uint8_t hash[HASH_BYTES])
{
    char path[CN_PATH_MAX];
    return blob_path(registry, path, hash) == CN_OK && cn_file_exists(path);
}

enum cn_err registry_put(const struct registry *registry, uint8_t hash[HASH_BYTES],
                         const void *bytes, size_t len, struct cn_diag *diag)
{
    char path[CN_PATH_MAX];
    hash_blob(hash, bytes, len);
    CN_TRY(blob_path(registry, path, hash));
    return cn_file_exists(path) ? CN_OK : cn_file_write(path, bytes, len, 0600, diag);
}

enum cn_err registry_get(const struct registry *registry, struct blob **out,
                         const uint8_t hash[HASH_BYTES], size_t max, struct cn_diag *diag)
{
    *out = NULL;
    char path[CN_PATH_MAX];
    CN_TRY(blob_path(registry, path, hash));
    struct cn_buf bytes;
    struct blob *blob = NULL;
    enum cn_err err;
    CN_TRY_OUT(err, cn_file_read(&bytes, path, max, diag));
    uint8_t found[HASH_BYTES];
    hash_blob(found, bytes.data, bytes.len);
    if (memcmp(found, hash, HASH_BYTES) != 0) {
        cn_diag_set(diag, path, 0, 0, "the file is damaged: its content does not have its hash");
        cn_diag_hint(diag, "restore it from a backup");
        CN_TRY_OUT(err, CN_E_DATA);
    }
    blob = calloc(1, sizeof(*blob));
    if (!blob)
        CN_TRY_OUT(err, CN_E_NOMEM);
    memcpy(blob->hash, hash, HASH_BYTES);
    blob->bytes = bytes.data;
    blob->len = bytes.len;
    blob->holders = 1;
    *out = blob;
    return CN_OK;
out:
    cn_buf_clear(&bytes);
    return err;
}

enum cn_err registry_latest(const struct registry *registry, char out[CN_PATH_MAX],
                            const char *task)
{
    char name[CN_PATH_MAX];
    int len = snprintf(name, sizeof(name), "%s-latest.safetensors", task);
    if (len < 0 || (size_t)len >= sizeof(name))
        return CN_E_TOO_LARGE;
    return cn_path_join(out, registry->models, name);
}

enum cn_err registry_publish(const struct registry *registry, const char *task, const void *bytes,
                             size_t len, struct cn_diag *diag)
{
    char path[CN_PATH_MAX];
    CN_TRY(registry_latest(registry, path, task));
    return cn_file_write(path, bytes, len, 0644, diag);
}

static bool kept(const char *name, const uint8_t (*keep)[HASH_BYTES], size_t count)
{
    uint8_t hash[HASH_BYTES];
    if (cn_hex_decode(hash, sizeof(hash), name) != CN_OK)
        return true; /* none of ours */
    for (size_t i = 0; i < count; i++)
        if (memcmp(keep[i], hash, HASH_BYTES) == 0)
            return true;
    return false;
}

enum cn_err registry_collect(const struct registry *registry, const uint8_t (*keep)[HASH_BYTES],
                             size_t count, size_t *removed)
{
    if (removed)
        *removed = 0;
    DIR *folder = opendir(registry->blobs);
    if (!folder)
        return cn_err_from_errno(errno);
    enum cn_err err = CN_OK;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (kept(entry->d_name, keep, count))
            continue;
        if (unlinkat(dirfd(folder), entry->d_name, 0) != 0)
            err = cn_err_from_errno(errno);
        else if (removed)
            ++*removed;
    }
    closedir(folder);
    return err;
}

struct blob *blob_hold(struct blob *blob)
{
    blob->holders++;
    return blob;
}

void blob_drop(struct blob *blob)
{
    if (!blob || --blob->holders > 0)
        return;
    free(blob->bytes);
    free(blob);
}
