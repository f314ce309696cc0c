/* SPDX-License-Identifier: Apache-2.0 */
/* What `cairn train` found out, and how it is told. */
#ifndef CAIRN_CLI_TRAIN_H
#define CAIRN_CLI_TRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/options.h"
#include "base/progress.h"
#include "nn/fit.h"
#include "task/task.h"

#define TRAIN_LOOKS_MAX 1000u /* the answer names so many; later ones are only counted */

struct train_answer {
    const struct task *task;
    struct fit_result result;
    size_t examples; /* of the data */
    double seconds;
    bool private;   /* trained with clipping and noise */
    double epsilon; /* of all steps at the task's delta */
    bool seeded;    /* from a seed: repeatable, and no noise to hide behind */
    uint64_t seed;
    const char *out; /* the model's file, or NULL */
    struct fit_report looks[TRAIN_LOOKS_MAX];
    uint32_t look_count;
    const struct cn_args *args;
    struct cn_progress progress;
};

/* A fit_report_fn over a struct train_answer: keeps the look and prints a line to args->err. */
void train_answer_look(void *ctx, const struct fit_report *report);

/* The answer as JSON, NULL when memory is short, and as text. */
json_t *train_answer_json(const struct train_answer *answer);
void train_answer_print(const struct train_answer *answer);

#endif
