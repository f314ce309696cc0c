/* SPDX-License-Identifier: Apache-2.0 */
/* The note beside a de-identified table, from anywhere, or a true one that was changed: what is
 * accepted says the same when it is written again, and what is refused lets no table through. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "data/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char policy_text[] = "policy: p\ncolumns: [{name: a, action: keep}]\n";
static char folder[] = "/tmp/cairn-manifest-XXXXXX", table[64], note[80], policy[64];

static void write_file(const char *path, const void *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");

    CN_ASSERT(file && fwrite(bytes, 1, len, file) == len && fclose(file) == 0);
}

static void tidy(void)
{
    remove(table);
    remove(note);
    remove(policy);
    rmdir(folder);
}

static void make_files(void)
{
    if (table[0])
        return;
    CN_ASSERT(mkdtemp(folder));
    snprintf(table, sizeof table, "%s/t.csv", folder);
    snprintf(note, sizeof note, "%s" MANIFEST_SUFFIX, table);
    snprintf(policy, sizeof policy, "%s/p.yaml", folder);
    write_file(table, "a\n1\n", 4);
    write_file(policy, policy_text, sizeof policy_text - 1);
    atexit(tidy);
}

/* The first byte: bit 0 writes a true note and lays the rest over it from the place that the second
 * byte names. */
static void write_note(const uint8_t *data, size_t size)
{
    struct manifest manifest = {.rows_in = 1, .rows_out = 1};
    uint8_t bytes[1024];
    FILE *file;

    if (size < 2 || !(data[0] & 1)) {
        write_file(note, data, size);
        return;
    }
    hash_blob(manifest.policy, policy_text, sizeof policy_text - 1);
    CN_ASSERT(manifest_hash_file(manifest.output, table, NULL) == CN_OK);
    CN_ASSERT(manifest_save(&manifest, table, NULL) == CN_OK);
    file = fopen(note, "rb");
    CN_ASSERT(file);
    size_t len = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t i = 2; i < size && data[1] + i - 2 < len; i++)
        bytes[data[1] + i - 2] ^= data[i];
    write_file(note, bytes, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct manifest first, again;
    struct cn_diag diag = {0};

    make_files();
    write_note(data, size);
    enum cn_err err = manifest_load(&first, table, &diag);
    enum cn_err may = manifest_check(table, policy, &diag);
    CN_ASSERT(may == CN_OK || may == CN_E_DENIED);
    CN_ASSERT(err == CN_OK || (diag.text[0] && may == CN_E_DENIED));
    CN_ASSERT(may == CN_OK || size != 2 || !(data[0] & 1)); /* a true note lets it through */
    if (err != CN_OK)
        return 0;
    CN_ASSERT(manifest_save(&first, table, NULL) == CN_OK);
    CN_ASSERT(manifest_load(&again, table, NULL) == CN_OK);
    CN_ASSERT(memcmp(first.policy, again.policy, HASH_BYTES) == 0 &&
              memcmp(first.output, again.output, HASH_BYTES) == 0 &&
              first.rows_in == again.rows_in && first.rows_out == again.rows_out);
    return 0;
}
