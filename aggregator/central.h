/* SPDX-License-Identifier: Apache-2.0 */
/* Noise that the aggregator adds to a round's sum (placement central), after it was unmasked: it
 * sees the sum before the noise, everybody else sees the noisy one.
 *
 * Correlated noise has a state, DIR/noise/<task>.<round>: the file with which that round's noise is
 * made. It is written before the round before it is published, and kept until the round after:
 * whatever instant the process dies at, the file that the ledger's last published round asks for is
 * there, and no other is taken. */
#ifndef CAIRN_AGGREGATOR_CENTRAL_H
#define CAIRN_AGGREGATOR_CENTRAL_H

#include "base/diag.h"
#include "base/err.h"
#include "base/random.h"
#include "crypto/random.h"
#include "privacy/correlated.h"
#include "task/task.h"

struct central {
    const struct task *task;
    const char *folder;     /* of the aggregator */
    const uint8_t *task_id; /* [TASK_ID_BYTES] */
    uint32_t round;
    struct cn_diag *diag;
    /* Its own: */
    struct random_stream *stream;
    struct correlated *state;
};

/* Whether the aggregator adds this task's noise. */
bool central_wanted(const struct task *task);

/* Adds the round's noise to the sum's whole numbers: an encode_noise, ctx is a struct central.
 * CN_E_TAMPERED and CN_E_NOT_FOUND with diag set when the state is not this round's; CN_E_STATE
 * without a folder; CN_E_CONFIG, CN_E_NOMEM. */
enum cn_err central_add(void *ctx, int64_t *values, size_t n, double sensitivity);

/* Keeps what the next round's noise needs, flushed: before anything of this round is given out.
 * CN_E_NOSPACE, CN_E_IO. */
enum cn_err central_keep(struct central *central);

void central_clear(struct central *central);

#endif
