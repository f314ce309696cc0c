/* SPDX-License-Identifier: Apache-2.0 */
/* What travels beside the weights in every vector of a round: counters that are summed under the
 * same masks, and the layout of the whole. Devices and the aggregator agree on it bit for bit.
 *
 * With differential privacy (unit example) only the number of devices travels. A device's number of
 * examples, its loss and its accuracy depend on its data, and the noise of training does not cover
 * them: sent exactly they would be a release that no accountant counts. The aggregator measures
 * loss and accuracy on its own test data instead. */
#ifndef CAIRN_TASK_TALLY_H
#define CAIRN_TASK_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "privacy/encode.h"
#include "task/task.h"

enum task_counter {
    TASK_COUNTER_DEVICES,    /* each adds 1: shows that the sum opened right */
    TASK_COUNTER_WEIGHT,     /* the following with unit none only: the device's weight */
    TASK_COUNTER_LOSS_MILLI, /* mean training loss in 1/1000, at most TALLY_LOSS_MILLI_MAX */
    TASK_COUNTER_ACCURACY,   /* share of its examples the model had right, in 1/10000 */
    TASK_COUNTER_COUNT
};

#define TALLY_LOSS_MILLI_MAX 1000000u  /* a loss of 1000 ... */
#define TALLY_LOSS_MILLI_LARGE 250000u /* ... and of 250 in cohorts above TALLY_COHORT_LARGE */
#define TALLY_COHORT_LARGE 4096u
#define TALLY_ACCURACY_ONE 10000u

/* How many counters travel: 1 or TASK_COUNTER_COUNT. */
uint32_t task_counters(const struct task *task);

/* The layout and scale of the vectors of every round. CN_E_CONFIG when no modulus of at most 32
 * bits holds the sum. */
enum cn_err task_encode_plan(struct encode_plan *plan, const struct task *task,
                             struct cn_diag *diag);

/* What one device learned about itself while training. */
struct tally_report {
    uint64_t examples;
    double loss;     /* mean over its examples, with the weights it received */
    double accuracy; /* 0 .. 1 */
};

/* Writes the counters of one device. counters [task_counters]. Values past a counter's maximum
 * count as the maximum, a loss that is not a number as well. */
void tally_write(uint32_t *counters, const struct task *task, const struct tally_report *report);

/* The factor by which a device multiplies its update, clipped to update_range, before encoding: 1,
 * or its weight over examples_max. */
double tally_scale(const struct task *task, uint64_t examples);

/* A round's sum, read. */
struct tally_sum {
    uint64_t devices;
    double divisor;  /* the decoded sum of updates / divisor is their weighted mean */
    uint64_t weight; /* sum of the devices' weights; devices when weighting is equal */
    double loss;     /* unweighted mean over devices; NaN with unit example, as the next */
    double accuracy;
};

/* Reads the sum of the counters of `survivors` devices. CN_E_INCONSISTENT when it is not theirs:
 * another number of devices, a weight of 0 or beyond what they can have. */
enum cn_err tally_read(struct tally_sum *sum, const uint64_t *counters, const struct task *task,
                       uint32_t survivors);

#endif
