/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that share the work of a step: each takes a part of the batch.
 *
 * The calling thread and threads - 1 workers run the model and replicas of it that share its
 * weights; each sums the gradients of its part of the batch, and the sums are added in the order of
 * the parts. So a batch and a number of threads give the same bits, whatever the machine does
 * meanwhile; numbers of threads differ by rounding only. Workers spin for some microseconds before
 * they sleep, because the steps of a small model are short. */
#ifndef CAIRN_NN_TEAM_H
#define CAIRN_NN_TEAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "nn/gradient.h"
#include "nn/model.h"

#define TEAM_THREADS_MAX 64u

struct team;

/* Starts threads - 1 workers (threads from 1 to TEAM_THREADS_MAX). The model must outlive the team
 * and is the team's while a call is under way. Returns ownership, to team_free. Allocates one
 * replica's activations and one vector of d floats per worker. CN_E_CONFIG for a number of threads
 * outside its range, CN_E_NOMEM when memory or threads are short. */
enum cn_err team_new(struct team **out, struct model *model, uint32_t threads);

/* Ends the workers and frees the team. NULL is allowed. */
void team_free(struct team *team);

uint32_t team_threads(const struct team *team);

/* Bytes of the replicas and sums, without the model itself. */
size_t team_bytes(const struct team *team);

/* Whether team_gradient lets the workers take part in a batch of n: where it would not pay for
 * waking them and for moving weights and sums between cores, it does not. Depends on the model, the
 * threads and n only. */
bool team_shares(const struct team *team, size_t n);

/* As gradient_add, or with clip as gradient_add_clipped_with, by all threads. Examples lie in the
 * parts in their order. A batch that is not shared is the caller's alone. Dropout draws from one
 * generator per part, seeded by the one given with gradient_use_random. */
enum cn_err team_gradient(struct team *team, float *sum, struct gradient_seen *seen,
                          const struct gradient_batch *batch, const struct gradient_clip *clip,
                          double *norms);

/* The part [from, to) of [0, count) that falls to part index of parts: nearly equal, cut at
 * multiples of 16 so that parts do not share cache lines. */
struct team_range {
    size_t from, to;
};
struct team_range team_range_of(size_t count, uint32_t index, uint32_t parts);

/* Runs work(ctx, index, threads) once per thread, index from 0 (the caller), and returns when all
 * are done. */
typedef void (*team_work_fn)(void *ctx, uint32_t index, uint32_t threads);
void team_run(struct team *team, team_work_fn work, void *ctx);

#endif
