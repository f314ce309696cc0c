/* SPDX-License-Identifier: Apache-2.0 */
/* Local training: from the global model and the owner's data to the update, on a pool thread.
 *
 * The trainer holds the data set between rounds. Whatever depends on the data, losses and counts
 * too, stays in here under privacy: only the noised update and public counters come out. */
#ifndef CAIRN_CLIENT_TRAINER_H
#define CAIRN_CLIENT_TRAINER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "data/dataset.h"
#include "data/source.h"
#include "task/tally.h"
#include "task/task.h"

struct trainer {
    struct data_source source;
    struct dataset data; /* as the task below wants it; empty: not loaded */
    uint8_t data_plan[HASH_BYTES];
};

struct trainer_job {
    /* in, borrowed */
    struct trainer *trainer;
    const struct task *task;
    uint32_t round;       /* from 0, below the task's number of rounds */
    const uint8_t *plan;  /* [HASH_BYTES], names the task */
    const uint8_t *model; /* safetensors */
    size_t model_len;
    atomic_bool cancel;

    /* out */
    enum cn_err err;
    struct cn_diag diag;
    float *update; /* [d + 1], trained minus global, and what adaptive clipping adds (adaptive.h);
                      owned by the job's owner */
    size_t d;
    double clip; /* the norm that the round clips updates to */
    uint32_t counters[TASK_COUNTER_COUNT];
    uint64_t examples;    /* seen; for the owner's own log */
    uint64_t deadline_ms; /* by the system's steady clock: training ends then; 0: none */
    bool diverged;        /* with privacy: the update is zero instead, and nobody else may know */
    double seconds;
};

void trainer_init(struct trainer *trainer, const struct data_source *source);
void trainer_clear(struct trainer *trainer);

/* Runs the job to its end or until cancel. job->err: CN_E_DATA and its like when the data is
 * missing or does not fit, CN_E_SHAPE when model and task differ, CN_E_DIVERGED without privacy
 * (with it the update is zero and diverged set: a refusal would depend on the data), CN_E_RANDOM
 * when no sound noise can be had (nothing is then given out), CN_E_DEADLINE when cancelled,
 * CN_E_NOMEM. */
void trainer_run(struct trainer_job *job);

/* The largest batch that training with noise takes, for the task's batch b and the expected number
 * of examples in a batch. The noise grows with it, so it must not tell how many examples there are:
 * it follows from b alone while expected <= b + sqrt(b), from 2 b, 4 b ... for larger data sets. A
 * Poisson batch passes b + 10 sqrt(b) + 32 with a probability below 2^-55 then (Chernoff, at any
 * b): such a batch ends the training, so the bound that the noise's slack assumes always holds. */
uint32_t trainer_batch_bound(uint32_t batch, double expected);

/* Frees the job's outputs. */
void trainer_job_clear(struct trainer_job *job);

#endif
