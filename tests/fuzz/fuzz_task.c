/* SPDX-License-Identifier: Apache-2.0 */
/* Task texts from anywhere, as a device gets them from an aggregator: what parses has a model, a
 * layout for its vectors and a price; what does not says why. */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "task/tally.h"
#include "task/task.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Long numbers ask for models of gigabytes, which are allowed and slow. */
static bool has_long_number(const uint8_t *data, size_t size)
{
    size_t digits = 0;

    for (size_t i = 0; i < size && digits < 5; i++)
        digits = data[i] >= '0' && data[i] <= '9' ? digits + 1 : 0;
    return digits >= 5;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cn_diag diag = {0};
    struct encode_plan plan;
    struct task *task;
    double epsilon;

    if (has_long_number(data, size))
        return 0;
    if (task_parse(&task, (const char *)data, size, "fuzz", &diag) != CN_OK) {
        CN_ASSERT(diag.text[0] && !task);
        return 0;
    }
    CN_ASSERT(task->params > 0 && task->len == size && task->epsilon >= 0);
    CN_ASSERT(task_encode_plan(&plan, task, NULL) == CN_OK && plan.values == task->params);
    CN_ASSERT(task_epsilon(task, task->rounds.count, &epsilon) == CN_OK);
    CN_ASSERT(epsilon == task->epsilon || (isinf(epsilon) && isinf(task->epsilon)));
    task_free(task);
    return 0;
}
