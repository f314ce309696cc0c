/* SPDX-License-Identifier: Apache-2.0 */
/* From a round's masked sum to the next model's blob: unmask, decode, noise (placement central),
 * tally, strategy, the next clip, safetensors, disk. One call, heavy, for a pool's thread: it
 * touches nothing but what its struct names, and the loop keeps its hands off all of it meanwhile.
 */
#ifndef CAIRN_AGGREGATOR_AGGREGATE_H
#define CAIRN_AGGREGATOR_AGGREGATE_H

#include "aggregator/registry.h"
#include "aggregator/round.h"
#include "task/tally.h"
#include "task/task.h"

struct aggregate {
    /* In, borrowed: */
    const char *folder;     /* of the aggregator: where correlated noise is kept (central.h) */
    const uint8_t *task_id; /* [TASK_ID_BYTES] */
    struct round *round;    /* in ROUND_OPEN */
    const struct task *task;
    const struct registry *registry;
    const struct blob *model; /* the model that the devices started from */
    uint32_t round_number;
    /* Its own: */
    uint8_t binding[HASH_BYTES]; /* of the round */
    /* Out: */
    enum cn_err opened;  /* what round_open said */
    enum cn_err err;     /* what happened afterwards; CN_OK: the new model is on disk */
    struct cn_diag diag; /* in words, with err */
    struct tally_sum tally;
    uint32_t survivors;
    struct blob *next; /* the new model; returns ownership of one hold */
};

/* Runs it. CN_E_INCONSISTENT in err when the sum is not one of that many honest devices. */
void aggregate_run(struct aggregate *job);

/* The first model of a task as a blob on disk: from the file start_from, whose shapes must be the
 * task's, or when that is NULL with the weights that the task's seed gives. */
enum cn_err aggregate_first(uint8_t hash[HASH_BYTES], const struct task *task,
                            const struct registry *registry, const char *start_from,
                            struct cn_diag *diag);

#endif
