/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that share the work of a step: each takes a part of the batch.
 *
 * The calling thread and threads - 1 workers run the model and replicas of it that share its
 * weights; each sums the gradients of its part of the batch, and the sums are added in the order of
 * the parts. Chains of dense layers are split by outputs instead (wide.h), without replicas. Either
 * way a batch and a number of threads give the same bits, whatever the machine does meanwhile;
 * numbers of threads differ by rounding only, and for chains of dense layers not even by that.
 * Workers spin for some microseconds before they sleep, because the steps of a small model are
 * short. */
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
 * threads and n only. (A chain of dense layers gives the same bits either way, so for a while after
 * a wait at a barrier was long, because other programs held a core, the caller works alone.) */
bool team_shares(const struct team *team, size_t n);

/* As gradient_add, or with clip as gradient_add_clipped_with, into sum [d] started from zero, by
 * all threads. Examples lie in the parts in their order. A batch that is not shared is the caller's
 * alone. Dropout draws from one generator per part, seeded by the one given with
 * gradient_use_random. */
enum cn_err team_gradient(struct team *team, float *sum, struct gradient_seen *seen,
                          const struct gradient_batch *batch, const struct gradient_clip *clip,
                          double *norms);

struct team_range {
    size_t from, to;
};

/* Calls fn for ranges that cover the d parameters once, each on the thread whose core's cache has
 * it since the last gradient. Returns when all are done. */
typedef void (*team_range_fn)(void *ctx, struct team_range range);
void team_ranges(struct team *team, team_range_fn fn, void *ctx);

/* The part [from, to) of [0, count) that falls to part index of parts: nearly equal, cut at
 * multiples of 16 so that parts do not share cache lines. */
struct team_range team_range_of(size_t count, uint32_t index, uint32_t parts);

/* Runs work(ctx, index, threads) once per thread, index from 0 (the caller), and returns when all
 * are done. */
typedef void (*team_work_fn)(void *ctx, uint32_t index, uint32_t threads);
void team_run(struct team *team, team_work_fn work, void *ctx);

/* Within team_run's work: returns when every thread of the team has come here. Who waits for long,
 * because the machine has other work for the cores, sleeps. */
void team_barrier(struct team *team);

#endif
