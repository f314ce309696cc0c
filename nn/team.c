/* SPDX-License-Identifier: Apache-2.0 */
/* Workers that wait for a generation to begin, and replicas that they run.
 *
 * One owner, the caller, starts a generation by raising a counter; every worker does its share and
 * raises the count of those that are done. Who waits spins first, if there are as many processors
 * as threads, and then sleeps on a condition. */
#include "nn/team.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "nn/gradient_internal.h"
#include "nn/model_internal.h"
#include "nn/wide.h"

#define SPIN_NS 200000
#define SPIN_LOOK 64 /* pauses between two looks at the clock */
#define ALONE_NS_MIN 2000000
#define ALONE_NS_MAX 128000000
/* A batch is shared when its multiplications, forward, outweigh what sharing costs: some
 * microseconds for waking, and with replicas every weight and sum going from one core's cache to
 * another's. */
#define WAKE_WORK 250000.0
#define WEIGHT_WORK 80.0 /* per weight */
#define WIDE_WORK 60000.0
#define RANGE_UNIT 16

/* One thread's share; its own cache lines. */
struct part {
    struct team *team;
    uint32_t index;
    struct model *model; /* part 0: the team's own */
    float *sum;          /* [d]; part 0: NULL, it adds to the caller's */
    struct cn_seeded seeded;
    struct cn_random random;
    struct gradient_seen seen;
    enum cn_err err;
    pthread_t thread;
    bool started;
} __attribute__((aligned(64)));

/* What one generation of team_gradient is about. */
struct task {
    float *sum;
    const struct gradient_batch *batch;
    const struct gradient_clip *clip;
    double *norms;
};

enum way { WAY_ALONE, WAY_PARTS, WAY_WIDE };

struct team {
    struct model *model;
    uint32_t threads;
    struct part *parts; /* [threads] */
    struct task task;
    team_work_fn work;
    void *ctx;
    bool spins, ending;
    enum way way;        /* of the last gradient */
    int64_t alone_until; /* after a barrier was slow */
    int64_t alone_ns;    /* for how long, doubled while it goes on */
    atomic_bool slow;    /* a barrier of this gradient was */
    pthread_mutex_t lock;
    pthread_cond_t wake, finished;
    atomic_uint generation __attribute__((aligned(64)));
    atomic_uint done __attribute__((aligned(64)));
    pthread_cond_t meet;
    atomic_uint arrived __attribute__((aligned(64)));
    atomic_uint meetings __attribute__((aligned(64)));
};

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* True as soon as *counter is value; false after SPIN_NS. */
static bool spin(const struct team *team, atomic_uint *counter, unsigned value)
{
    int64_t end = 0;

    do {
        for (int i = 0; i < SPIN_LOOK; i++) {
            if (atomic_load_explicit(counter, memory_order_acquire) == value)
                return true;
            if (!team->spins)
                return false;
            pause_briefly();
        }
        end = end ? end : now_ns() + SPIN_NS;
    } while (now_ns() < end);
    return false;
}

static void sleep_until(struct team *team, atomic_uint *counter, unsigned value,
                        pthread_cond_t *cond)
{
    pthread_mutex_lock(&team->lock);
    while (atomic_load_explicit(counter, memory_order_acquire) != value)
        pthread_cond_wait(cond, &team->lock);
    pthread_mutex_unlock(&team->lock);
}

static void wait_for(struct team *team, atomic_uint *counter, unsigned value, pthread_cond_t *cond)
{
    if (!spin(team, counter, value))
        sleep_until(team, counter, value, cond);
}

static void *worker_main(void *arg)
{
    struct part *part = arg;
    struct team *team = part->team;

    for (unsigned generation = 1;; generation++) {
        wait_for(team, &team->generation, generation, &team->wake);
        if (team->ending)
            return NULL;
        team->work(team->ctx, part->index, team->threads);
        if (atomic_fetch_add_explicit(&team->done, 1, memory_order_acq_rel) + 2 < team->threads)
            continue;
        pthread_mutex_lock(&team->lock); /* the last one; the caller may sleep */
        pthread_cond_signal(&team->finished);
        pthread_mutex_unlock(&team->lock);
    }
}

static void start_generation(struct team *team)
{
    atomic_store_explicit(&team->done, 0, memory_order_relaxed);
    pthread_mutex_lock(&team->lock);
    atomic_fetch_add_explicit(&team->generation, 1, memory_order_release);
    pthread_cond_broadcast(&team->wake);
    pthread_mutex_unlock(&team->lock);
}

void team_run(struct team *team, team_work_fn work, void *ctx)
{
    if (team->threads > 1) {
        team->work = work;
        team->ctx = ctx;
        start_generation(team);
    }
    work(ctx, 0, team->threads);
    if (team->threads > 1)
        wait_for(team, &team->done, team->threads - 1, &team->finished);
}

void team_barrier(struct team *team)
{
    unsigned meeting = atomic_load_explicit(&team->meetings, memory_order_relaxed);

    if (atomic_fetch_add_explicit(&team->arrived, 1, memory_order_acq_rel) + 1 < team->threads) {
        if (!spin(team, &team->meetings, meeting + 1)) {
            atomic_store_explicit(&team->slow, true, memory_order_relaxed);
            sleep_until(team, &team->meetings, meeting + 1, &team->meet);
        }
        return;
    }
    atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
    pthread_mutex_lock(&team->lock);
    atomic_store_explicit(&team->meetings, meeting + 1, memory_order_release);
    pthread_cond_broadcast(&team->meet);
    pthread_mutex_unlock(&team->lock);
}

static enum cn_err part_start(struct part *part)
{
    struct model *model = part->team->model;

    CN_TRY(model_replica(&part->model, model));
    part->sum = aligned_alloc(64, (model_params(model) * sizeof *part->sum + 63) / 64 * 64);
    if (!part->sum)
        return CN_E_NOMEM;
    part->started = pthread_create(&part->thread, NULL, worker_main, part) == 0;
    return part->started ? CN_OK : CN_E_NOMEM;
}

enum cn_err team_new(struct team **out, struct model *model, uint32_t threads)
{
    struct team *team;
    enum cn_err err = CN_OK;

    *out = NULL;
    if (threads < 1 || threads > TEAM_THREADS_MAX)
        return CN_E_CONFIG;
    team = aligned_alloc(64, sizeof *team);
    if (!team)
        return CN_E_NOMEM;
    *team = (struct team){.model = model, .threads = threads};
    team->spins = (long)threads <= sysconf(_SC_NPROCESSORS_ONLN);
    pthread_mutex_init(&team->lock, NULL);
    pthread_cond_init(&team->wake, NULL);
    pthread_cond_init(&team->finished, NULL);
    pthread_cond_init(&team->meet, NULL);
    team->parts = aligned_alloc(64, threads * sizeof *team->parts);
    if (team->parts)
        memset(team->parts, 0, threads * sizeof *team->parts);
    else
        err = CN_E_NOMEM;
    for (uint32_t i = 0; err == CN_OK && i < threads; i++) {
        struct part *part = &team->parts[i];

        *part = (struct part){.team = team, .index = i, .model = i ? NULL : model};
        err = i ? part_start(part) : CN_OK;
    }
    if (err != CN_OK)
        team_free(team);
    else
        *out = team;
    return err;
}

void team_free(struct team *team)
{
    if (!team)
        return;
    team->ending = true;
    start_generation(team);
    for (uint32_t i = 1; team->parts && i < team->threads; i++) {
        struct part *part = &team->parts[i];

        if (part->started)
            pthread_join(part->thread, NULL);
        model_free(part->model);
        free(part->sum);
    }
    free(team->parts);
    pthread_cond_destroy(&team->finished);
    pthread_cond_destroy(&team->meet);
    pthread_cond_destroy(&team->wake);
    pthread_mutex_destroy(&team->lock);
    free(team);
}

uint32_t team_threads(const struct team *team)
{
    return team->threads;
}

size_t team_bytes(const struct team *team)
{
    size_t bytes = sizeof *team + team->threads * sizeof *team->parts;

    for (uint32_t i = 1; i < team->threads; i++)
        bytes += model_bytes(team->parts[i].model) + model_params(team->model) * sizeof(float);
    return bytes;
}

struct team_range team_range_of(size_t count, uint32_t index, uint32_t parts)
{
    size_t units = (count + RANGE_UNIT - 1) / RANGE_UNIT, from, to;

    from = (units / parts * index + units % parts * index / parts) * RANGE_UNIT;
    to = (units / parts * (index + 1) + units % parts * (index + 1) / parts) * RANGE_UNIT;
    return (struct team_range){from < count ? from : count, to < count ? to : count};
}

/* The gradients of a part's examples, into its own sum. */
static void sum_part(void *ctx, uint32_t index, uint32_t threads)
{
    struct team *team = ctx;
    struct part *part = &team->parts[index];
    const struct task *task = &team->task;
    const size_t n = task->batch->n, from = n * index / threads, to = n * (index + 1) / threads;
    struct gradient_batch own = *task->batch;
    double *norms = task->norms ? task->norms + from : NULL;
    float *sum = index ? part->sum : task->sum;

    own.rows += from;
    own.n = to - from;
    part->seen = (struct gradient_seen){0};
    memset(sum, 0, model_params(team->model) * sizeof *sum);
    part->err = task->clip ? gradient_add_clipped_with(part->model, sum, &part->seen, &own,
                                                       task->clip, norms)
                           : gradient_add(part->model, sum, &part->seen, &own);
}

/* Adds a range of all sums, in the order of the parts. */
static void add_sums(void *ctx, uint32_t index, uint32_t threads)
{
    struct team *team = ctx;
    struct team_range range = team_range_of(model_params(team->model), index, threads);

    for (uint32_t i = 1; i < threads; i++)
        team->model->kernels->add_rows(team->task.sum + range.from, team->parts[i].sum + range.from,
                                       1, range.to - range.from);
}

/* Replicas get the settings of this training; each part its own generator for dropout. */
static void brief_parts(struct team *team)
{
    const struct cn_random *random = team->model->random;

    for (uint32_t i = 0; i < team->threads; i++) {
        struct part *part = &team->parts[i];

        if (i)
            model_follow(part->model);
        if (!team->model->draws || !random)
            continue;
        part->random = cn_random_seeded(&part->seeded, cn_random_u64(random));
        if (i)
            part->model->random = &part->random;
    }
}

static enum cn_err gather(struct team *team, struct gradient_seen *seen)
{
    enum cn_err err = CN_OK;

    for (uint32_t i = 0; i < team->threads; i++) {
        const struct part *part = &team->parts[i];

        seen->loss += part->seen.loss;
        seen->correct += part->seen.correct;
        seen->n += part->seen.n;
        seen->counted += part->seen.counted;
        err = err == CN_OK ? part->err : err;
    }
    return err;
}

static enum way way_of(const struct team *team, size_t n)
{
    const struct model *model = team->model;
    double work = 0.0;

    if (team->threads == 1 || n < team->threads)
        return WAY_ALONE;
    for (uint32_t i = 0; i < model->layer_count; i++) {
        const struct layer *layer = &model->layers[i];

        work += (double)layer->weight_count * layer->in.height * layer->in.width;
    }
    work *= (double)n;
    if (wide_fits(model)) /* its barriers are too many for threads that can not all run */
        return team->spins && work > WIDE_WORK ? WAY_WIDE : WAY_ALONE;
    return work > WAKE_WORK + WEIGHT_WORK * (double)model->d ? WAY_PARTS : WAY_ALONE;
}

bool team_shares(const struct team *team, size_t n)
{
    return way_of(team, n) != WAY_ALONE;
}

struct ranges_call {
    struct team *team;
    team_range_fn fn;
    void *ctx;
};

static void run_ranges(void *ctx, uint32_t index, uint32_t threads)
{
    const struct ranges_call *call = ctx;
    const struct model *model = call->team->model;

    if (call->team->way == WAY_WIDE)
        wide_own(model, index, threads, call->fn, call->ctx);
    else
        call->fn(call->ctx, team_range_of(model_params(model), index, threads));
}

void team_ranges(struct team *team, team_range_fn fn, void *ctx)
{
    struct ranges_call call = {team, fn, ctx};

    if (team->way == WAY_ALONE)
        run_ranges(&call, 0, 1);
    else
        team_run(team, run_ranges, &call);
}

struct wide_call {
    struct team *team;
    struct wide wide;
};

static void run_wide(void *ctx, uint32_t index, uint32_t threads)
{
    struct wide_call *call = ctx;
    struct part *part = &call->team->parts[index];

    part->seen = (struct gradient_seen){0};
    part->err = wide_part(&call->wide, &part->seen, index, threads);
}

/* Threads that wait at barriers for one that has no core lose more than they win: after a slow
 * barrier the caller goes on alone for a while, twice as long each time. */
static void rest_after(struct team *team)
{
    if (atomic_load(&team->slow)) {
        int64_t twice = 2 * team->alone_ns;

        team->alone_ns = twice < ALONE_NS_MIN   ? ALONE_NS_MIN
                         : twice > ALONE_NS_MAX ? ALONE_NS_MAX
                                                : twice;
        team->alone_until = now_ns() + team->alone_ns;
    } else if (team->alone_ns) {
        team->alone_ns -= team->alone_ns / 8 + 1;
        team->alone_until = 0;
    }
}

static enum cn_err gradient_wide(struct team *team, const struct task *task,
                                 struct gradient_seen *seen)
{
    struct wide_call call = {team,
                             {.team = team,
                              .model = team->model,
                              .sum = task->sum,
                              .batch = task->batch,
                              .clip = task->clip,
                              .norms = task->norms}};

    if (task->clip)
        gradient_check_clip(team->model, task->clip);
    atomic_store(&team->slow, false);
    team_run(team, run_wide, &call);
    rest_after(team);
    return gather(team, seen);
}

static enum cn_err gradient_alone(struct team *team, const struct task *task,
                                  struct gradient_seen *seen)
{
    struct model *model = team->model;

    memset(task->sum, 0, model_params(model) * sizeof *task->sum);
    if (task->clip)
        return gradient_add_clipped_with(model, task->sum, seen, task->batch, task->clip,
                                         task->norms);
    return gradient_add(model, task->sum, seen, task->batch);
}

static enum cn_err gradient_parts(struct team *team, const struct task *task,
                                  struct gradient_seen *seen)
{
    struct model *model = team->model;
    const struct cn_random *random = model->random;

    team->task = *task;
    model_prepare(model);
    brief_parts(team);
    model->prepared = true;
    if (model->draws && random)
        model->random = &team->parts[0].random;
    team_run(team, sum_part, team);
    model->random = random;
    model->prepared = false;
    team_run(team, add_sums, team);
    return gather(team, seen);
}

enum cn_err team_gradient(struct team *team, float *sum, struct gradient_seen *seen,
                          const struct gradient_batch *batch, const struct gradient_clip *clip,
                          double *norms)
{
    const struct task task = {sum, batch, clip, norms};

    team->way = way_of(team, batch->n);
    if (team->way == WAY_WIDE && team->alone_until && now_ns() < team->alone_until)
        team->way = WAY_ALONE;
    if (team->way == WAY_WIDE)
        return gradient_wide(team, &task, seen);
    return team->way == WAY_PARTS ? gradient_parts(team, &task, seen)
                                  : gradient_alone(team, &task, seen);
}
