/* SPDX-License-Identifier: Apache-2.0 */
/* IDX files from anywhere: what loads is as large as it says, and what it says is backed by the
 * file's size; the same bytes as images and as labels of each other. */
#include <stdint.h>

#include "data/idx.h"
#include "memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEFLATE_RATIO_MAX 1032u

static uint32_t touch(const struct idx *idx)
{
    size_t bytes = idx_item_bytes(idx) * idx->dims[0];
    uint32_t sum = 0;

    for (size_t i = 0; i < bytes; i++)
        sum += idx->bytes[i];
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct data_form form = {.classes = 10, .mean = 0.3, .deviation = 0.4};
    struct cn_diag diag = {0};
    struct memory_file file;
    struct dataset set;
    struct idx idx;

    memory_file_open(&file, data, size);
    if (idx_load(&idx, file.path, &diag) == CN_OK) {
        CN_ASSERT(idx_item_bytes(&idx) * idx.dims[0] <= size * DEFLATE_RATIO_MAX);
        volatile uint32_t seen = touch(&idx);
        (void)seen;
        idx_free(&idx);
    } else {
        CN_ASSERT(diag.text[0] && !idx.bytes && idx.dim_count == 0);
    }
    /* one file can not be both */
    CN_ASSERT(idx_load_dataset(&set, file.path, file.path, &form, NULL) != CN_OK && !set.x);
    memory_file_close(&file);
    return 0;
}
