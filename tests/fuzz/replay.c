/* SPDX-License-Identifier: Apache-2.0 */
/* A main for fuzz targets where libFuzzer is not: feeds each file of a corpus folder, every
 * truncation of the small ones, and mutations under a fixed seed. Finds again what a fuzzer found
 * once; to find anything new is ./dev fuzz's work. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/random.h"

#define FILE_BYTES_MAX ((size_t)4 * 1024 * 1024)
#define FILES_MAX 4096
#define TRUNCATIONS_MAX 512
#define MUTATIONS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

static size_t inputs;

/* A copy of its own, exactly as long, lets AddressSanitizer see a read past the end. */
static void feed(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    CN_ASSERT(copy);
    if (size)
        memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    inputs++;
}

static void feed_truncations(const uint8_t *data, size_t size)
{
    size_t step = size / TRUNCATIONS_MAX + 1;

    for (size_t len = 0; len < size; len += step)
        feed(data, len);
}

/* Each mutation changes one to four bytes; the odd ones are also cut or swollen with 0xff. */
static void feed_mutations(const uint8_t *data, size_t size, const struct cn_random *random)
{
    uint8_t *copy = malloc(size + 16);

    CN_ASSERT(copy);
    for (int i = 0; i < MUTATIONS && size; i++) {
        size_t len = size;

        memcpy(copy, data, size);
        for (uint64_t n = cn_random_below(random, 4) + 1; n; n--)
            copy[cn_random_below(random, size)] = (uint8_t)cn_random_below(random, 256);
        if (i % 4 == 1)
            len = (size_t)cn_random_below(random, size);
        if (i % 4 == 3) {
            memset(copy + size, 0xff, 16);
            len += 16;
        }
        feed(copy, len);
    }
    free(copy);
}

static int replay_file(const char *folder, const char *name, const struct cn_random *random)
{
    char path[CN_PATH_MAX], line[CN_DIAG_LINE_MAX];
    struct cn_diag diag = {0};
    struct cn_buf buf;

    if (cn_path_join(path, folder, name) != CN_OK)
        return 1;
    if (cn_file_read(&buf, path, FILE_BYTES_MAX, &diag) != CN_OK) {
        fprintf(stderr, "%s\n", cn_diag_line(&diag, line));
        return 1;
    }
    feed(buf.data, buf.len);
    feed_truncations(buf.data, buf.len);
    feed_mutations(buf.data, buf.len, random);
    cn_buf_clear(&buf);
    return 0;
}

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    struct dirent **entries;
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 1);
    int failed = 0, count;

    if (argc != 2) {
        fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
        return 2;
    }
    if (LLVMFuzzerInitialize)
        LLVMFuzzerInitialize(&argc, &argv);
    count = scandir(argv[1], &entries, is_input, alphasort);
    if (count <= 0 || count > FILES_MAX) {
        fprintf(stderr, "%s: no corpus, or one of more than %d files\n", argv[1], FILES_MAX);
        return 2;
    }
    feed((const uint8_t *)"", 0);
    for (int i = 0; i < count; i++) {
        failed |= replay_file(argv[1], entries[i]->d_name, &random);
        free(entries[i]);
    }
    free(entries);
    printf("%zu inputs from %d files\n", inputs, count);
    return failed;
}
