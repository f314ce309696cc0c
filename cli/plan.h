/* SPDX-License-Identifier: Apache-2.0 */
/* What a task will cost, computed before it runs: privacy after every round, noise against signal,
 * bytes and seconds of one device. Seconds are measured on this machine while the plan is made. */
#ifndef CAIRN_CLI_PLAN_H
#define CAIRN_CLI_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "task/task.h"

#define PLAN_POINTS_MAX 64u
#define PLAN_ROWS 7u

struct plan {
    bool private;      /* the task has a unit of privacy */
    double budget;     /* epsilon: asked for, or the task's own; 0: none */
    uint32_t afforded; /* rounds within it, by the accountant that devices use (RDP) */
    double round[PLAN_POINTS_MAX], by_rdp[PLAN_POINTS_MAX], tight[PLAN_POINTS_MAX];
    size_t points;
    /* Of one round's averaged update: */
    double noise_coordinate;      /* standard deviation of the noise in each coordinate */
    double noise_norm;            /* its length: times sqrt(params) */
    double update_norm_max;       /* longest update that clipping allows, without momentum */
    double update_coordinate_max; /* that, spread evenly over the coordinates */
    /* Of one device and one round: */
    uint8_t bits;  /* of the modulus */
    size_t length; /* coordinates, counters and padding included */
    uint32_t degree, threshold;
    size_t up_bytes, down_bytes;
    double mask_s, encode_s;
};

enum plan_sweep { PLAN_SWEEP_COHORT, PLAN_SWEEP_NOISE, PLAN_SWEEP_ROUNDS };

struct plan_row {
    uint32_t cohort, rounds, afforded;
    double noise_multiplier, epsilon, epsilon_rdp, noise_coordinate;
    uint8_t bits;
    size_t up_bytes;
};

/* Makes the plan; epsilon 0: the budget that the task names. Errors of task_encode_plan and
 * graph_plan_make, with words in diag; CN_E_NOMEM. A second or two. */
enum cn_err plan_make(struct plan *plan, const struct task *task, double epsilon,
                      struct cn_diag *diag);

/* The most rounds that cost at most epsilon, up to TASK_ROUNDS_MAX. */
uint32_t plan_rounds_afforded(const struct task *task, double epsilon);

/* The plan with one number from a quarter to four times its value. rows [PLAN_ROWS]. */
enum cn_err plan_sweep_make(struct plan_row *rows, const struct task *task, enum plan_sweep sweep,
                            double epsilon, struct cn_diag *diag);

#endif
