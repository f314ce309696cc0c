/* SPDX-License-Identifier: Apache-2.0 */
/* Small tasks to start from, and changes to them. */
#ifndef CAIRN_TESTS_TASK_TEXT_H
#define CAIRN_TESTS_TASK_TEXT_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "task/task.h"

static const char private_text[] = "task: small\n"                                    /* 1 */
                                   "model:\n"                                         /* 2 */
                                   "  input: [1, 2, 2]\n"                             /* 3 */
                                   "  layers:\n"                                      /* 4 */
                                   "    - {type: flatten}\n"                          /* 5 */
                                   "    - {type: dense, units: 3}\n"                  /* 6 */
                                   "data: {classes: 3, mean: 0.25, deviation: 0.5}\n" /* 7 */
                                   "training:\n"                                      /* 8 */
                                   "  learning_rate: 2\n"                             /* 9 */
                                   "  steps: 10\n"                                    /* 10 */
                                   "  batch: 16\n"                                    /* 11 */
                                   "  sampling_rate: 0.05\n"                          /* 12 */
                                   "privacy:\n"                                       /* 13 */
                                   "  unit: example\n"                                /* 14 */
                                   "  clip_norm: 0.5\n"                               /* 15 */
                                   "  noise_multiplier: 1.5\n"                        /* 16 */
                                   "  delta: 1.0e-5\n"                                /* 17 */
                                   "secure_aggregation: {update_range: 8}\n"          /* 18 */
                                   "rounds:\n"                                        /* 19 */
                                   "  count: 4\n"                                     /* 20 */
                                   "  cohort_min: 3\n"                                /* 21 */
                                   "  cohort_max: 5\n";                               /* 22 */

static const char open_text[] = "task: open\n"
                                "model:\n"
                                "  input: [2]\n"
                                "  layers:\n"
                                "    - {type: dense, units: 2}\n"
                                "  seed: 9\n"
                                "data: {classes: 2}\n"
                                "training:\n"
                                "  learning_rate: 0.1\n"
                                "  momentum: 0.9\n"
                                "  epochs: 2\n"
                                "  batch: 4\n"
                                "  weighting: examples\n"
                                "  examples_max: 100\n"
                                "privacy: {unit: none}\n"
                                "secure_aggregation: {mode: on, update_range: 8, threshold: 3}\n"
                                "rounds: {count: 4, cohort_min: 3, cohort_max: 5, train_s: 7}\n"
                                "strategy: {name: fedavg, learning_rate: 0.5}\n";

#define TEXT_ROOM 4096

/* The text with the first `from` replaced; one at a time is valid. */
static inline const char *with(const char *text, const char *from, const char *to)
{
    static char changed[TEXT_ROOM];
    const char *at = strstr(text, from);
    int len;

    cr_assert(at, "'%s' is not in the text", from);
    len = snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, to,
                   at + strlen(from));
    cr_assert(len > 0 && (size_t)len < sizeof changed);
    return changed;
}

static inline struct task *parsed(const char *text)
{
    char line[CN_DIAG_LINE_MAX];
    struct cn_diag diag = {0};
    struct task *task;
    enum cn_err err = task_parse(&task, text, strlen(text), "t.yaml", &diag);

    cr_assert_eq(err, CN_OK, "%s: %s", cn_err_name(err), cn_diag_line(&diag, line));
    return task;
}

#endif
