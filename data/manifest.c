/* SPDX-License-Identifier: Apache-2.0 */
/* Writing, reading and checking the note. */
#include "data/manifest.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/config.h"
#include "base/file.h"
#include "base/text.h"
#include "data/policy.h"

#define CHUNK_BYTES ((size_t)64 * 1024)
#define TEXT_MAX 512
#define CHECK_BYTES 8

static enum cn_err hash_open(uint8_t out[HASH_BYTES], int fd)
{
    uint8_t *chunk = malloc(CHUNK_BYTES);
    struct hash hash;
    size_t got = CHUNK_BYTES;
    enum cn_err err = chunk ? CN_OK : CN_E_NOMEM;

    hash_init(&hash, "cairn-deidentified-file");
    while (err == CN_OK && got == CHUNK_BYTES) {
        ssize_t more = 1;

        for (got = 0; got < CHUNK_BYTES && more > 0; got += more > 0 ? (size_t)more : 0)
            more = read(fd, chunk + got, CHUNK_BYTES - got);
        if (more < 0)
            err = CN_E_IO;
        else
            hash_add(&hash, chunk, got);
    }
    hash_final(&hash, out);
    free(chunk);
    return err;
}

enum cn_err manifest_hash_file(uint8_t out[HASH_BYTES], const char *path, struct cn_diag *diag)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat info;
    enum cn_err err;

    if (fd < 0) {
        cn_diag_set(diag, path, 0, 0, "can not be opened");
        return CN_E_NOT_FOUND;
    }
    err = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) ? hash_open(out, fd) : CN_E_DATA;
    close(fd);
    if (err != CN_OK)
        cn_diag_set(diag, path, 0, 0, "can not be read as a regular file");
    return err;
}

/* Writes the text and gives its length. */
static size_t put_text(char out[TEXT_MAX], const struct manifest *manifest)
{
    char policy[2 * HASH_BYTES + 1], output[2 * HASH_BYTES + 1], check[2 * CHECK_BYTES + 1];
    uint8_t digest[HASH_BYTES];
    size_t len;

    len = (size_t)snprintf(
        out, TEXT_MAX, "cairn-deidentified 1\npolicy %s\noutput %s\nrows %" PRIu64 " %" PRIu64 "\n",
        cn_hex_encode(policy, manifest->policy, HASH_BYTES),
        cn_hex_encode(output, manifest->output, HASH_BYTES), manifest->rows_in, manifest->rows_out);
    hash_of(digest, "cairn-deidentified-check", out, len);
    return len + (size_t)snprintf(out + len, TEXT_MAX - len, "check %s\n",
                                  cn_hex_encode(check, digest, CHECK_BYTES));
}

static enum cn_err path_of(char out[CN_PATH_MAX], const char *path, struct cn_diag *diag)
{
    if (snprintf(out, CN_PATH_MAX, "%s%s", path, MANIFEST_SUFFIX) < CN_PATH_MAX)
        return CN_OK;
    cn_diag_set(diag, path, 0, 0, "the path is too long");
    return CN_E_TOO_LARGE;
}

enum cn_err manifest_save(const struct manifest *manifest, const char *path, struct cn_diag *diag)
{
    char text[TEXT_MAX], note[CN_PATH_MAX];
    size_t len = put_text(text, manifest);

    CN_TRY(path_of(note, path, diag));
    return cn_file_write(note, text, len, 0600, diag);
}

/* What it says is written again and compared: one note, one text. */
static bool parse(struct manifest *manifest, const char *text, size_t len)
{
    char policy[2 * HASH_BYTES + 1], output[2 * HASH_BYTES + 1], again[TEXT_MAX];

    if (sscanf(text,
               "cairn-deidentified 1\npolicy %64[0-9a-f]\noutput %64[0-9a-f]\nrows %20" SCNu64
               " %20" SCNu64,
               policy, output, &manifest->rows_in, &manifest->rows_out) != 4 ||
        cn_hex_decode(manifest->policy, HASH_BYTES, policy) != CN_OK ||
        cn_hex_decode(manifest->output, HASH_BYTES, output) != CN_OK)
        return false;
    return put_text(again, manifest) == len && memcmp(again, text, len) == 0;
}

enum cn_err manifest_load(struct manifest *manifest, const char *path, struct cn_diag *diag)
{
    char note[CN_PATH_MAX];
    struct cn_buf text;
    enum cn_err err;

    *manifest = (struct manifest){0};
    CN_TRY(path_of(note, path, diag));
    err = cn_file_read(&text, note, TEXT_MAX, diag);
    if (err == CN_OK && !parse(manifest, (const char *)text.data, text.len)) {
        cn_diag_set(diag, note, 0, 0, "is no manifest of `cairn data deidentify`, or was changed");
        err = CN_E_DATA;
    }
    cn_buf_clear(&text);
    return err;
}

static enum cn_err deny(const char *path, const char *policy, const char *what,
                        struct cn_diag *diag)
{
    cn_diag_set(diag, path, 0, 0, "%s", what);
    cn_diag_hint(diag,
                 "the owner demands %.200s: `cairn data deidentify --policy %.200s IN OUT`, and "
                 "train on OUT",
                 policy, policy);
    return CN_E_DENIED;
}

static enum cn_err hash_policy(uint8_t out[HASH_BYTES], const char *path)
{
    struct policy *policy;

    CN_TRY(policy_load(&policy, path, NULL));
    memcpy(out, policy->hash, HASH_BYTES);
    policy_free(policy);
    return CN_OK;
}

enum cn_err manifest_check(const char *path, const char *policy, struct cn_diag *diag)
{
    uint8_t wanted[HASH_BYTES], found[HASH_BYTES];
    struct manifest manifest;

    if (hash_policy(wanted, policy) != CN_OK)
        return deny(policy, policy, "the policy that data has to follow can not be read", diag);
    if (manifest_load(&manifest, path, NULL) != CN_OK)
        return deny(path, policy, "has no sound manifest beside it: it is not de-identified", diag);
    if (memcmp(wanted, manifest.policy, HASH_BYTES) != 0)
        return deny(path, policy, "was de-identified by another policy", diag);
    if (manifest_hash_file(found, path, NULL) != CN_OK)
        return deny(path, policy, "can not be read", diag);
    if (memcmp(found, manifest.output, HASH_BYTES) != 0)
        return deny(path, policy, "was changed after it was de-identified", diag);
    return CN_OK;
}
