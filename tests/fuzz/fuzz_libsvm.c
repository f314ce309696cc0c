/* SPDX-License-Identifier: Apache-2.0 */
/* Sparse tables from anywhere, with and without a width: what loads is finite and every label is a
 * class; what does not load says why. */
#include <math.h>
#include <stdint.h>

#include "data/libsvm.h"
#include "memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *path, const struct data_form *form)
{
    struct intake_options intake = {.sample = 3};
    struct cn_diag diag = {0};
    struct dataset set;

    if (libsvm_load(&set, path, &intake, form, &diag) != CN_OK) {
        CN_ASSERT(diag.text[0] && !set.x && !set.y && !set.z);
        return;
    }
    CN_ASSERT(set.n > 0 && set.n <= 3 && set.width > 0);
    for (size_t i = 0; i < set.n * set.width; i++)
        CN_ASSERT(isfinite(set.x[i]));
    for (size_t i = 0; i < set.n; i++)
        CN_ASSERT(set.reals ? isfinite(set.z[i]) : set.y[i] < set.classes);
    dataset_free(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct data_column target = {.name = (char[]){"t"}, .mean = 1, .deviation = 2};
    struct data_form real = {.width = 5, .targets = &target, .target_count = 1};
    struct memory_file file;

    memory_file_open(&file, data, size);
    check(file.path, NULL);
    check(file.path, &real);
    memory_file_close(&file);
    return 0;
}
