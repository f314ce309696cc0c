/* SPDX-License-Identifier: Apache-2.0 */
/* Tables from anywhere, with and without names for columns and labels: what loads is finite and
 * every label is a class; what does not load says why. */
#include <math.h>
#include <stdint.h>

#include "data/csv.h"
#include "memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *path, const char *label, const struct data_form *form)
{
    struct cn_diag diag = {0};
    struct dataset set;

    if (csv_load(&set, path, label, form, &diag) != CN_OK) {
        CN_ASSERT(diag.text[0] && !set.x && !set.y);
        return;
    }
    CN_ASSERT(set.n > 0 && set.classes > 0 && set.channels == 1 && set.height == 1);
    for (size_t i = 0; i < set.n * set.width; i++)
        CN_ASSERT(isfinite(set.x[i]));
    for (size_t i = 0; i < set.n; i++)
        CN_ASSERT(set.y[i] < set.classes);
    dataset_free(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const labels[] = {"no", "yes"};
    struct data_column columns[] = {{.name = (char[]){"a"}, .mean = 1, .deviation = 2}};
    struct data_form named = {
        .classes = 2, .columns = columns, .column_count = 1, .labels = labels, .label_count = 2};
    struct memory_file file;

    memory_file_open(&file, data, size);
    check(file.path, "y", NULL);
    check(file.path, "1", NULL);
    check(file.path, "y", &named);
    memory_file_close(&file);
    return 0;
}
