/* SPDX-License-Identifier: Apache-2.0 */
/* `cairn privacy plan`: what a task will cost in privacy, accuracy and traffic, before it runs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/progress.h"
#include "cli/chart.h"
#include "cli/plan.h"
#include "cli/show.h"
#include "cli/verbs.h"
#include "crypto/graph.h"
#include "crypto/mask.h"
#include "crypto/pack.h"
#include "crypto/random.h"
#include "crypto/secagg.h"
#include "privacy/report.h"
#include "task/tally.h"

#define CURVE_POINTS 48u
#define BENCH_WORDS ((size_t)1 << 20)
#define SEALED_BYTES_ABOUT 160u /* one device's share of two secrets for a neighbour, sealed */

/* ---- what it costs in privacy ---- */

static double epsilon_after(const struct task *task, uint32_t rounds)
{
    double epsilon;

    return task_epsilon(task, rounds, &epsilon) == CN_OK ? epsilon : INFINITY;
}

/* The tight epsilon; never more than RDP's. */
static double tight_after(const struct task *task, uint32_t rounds, double by_rdp)
{
    struct accountant_event event;
    struct report_event step;
    struct report report;

    if (!task_round_event(task, &event) || event.kind == ACCOUNTANT_CORRELATED)
        return by_rdp;
    event.steps *= rounds;
    step = report_event_of(&event);
    if (report_make(&report, &step, 1, PLD_ADD_REMOVE, task->privacy.delta) != CN_OK)
        return by_rdp;
    return fmin(by_rdp, report.epsilon);
}

uint32_t plan_rounds_afforded(const struct task *task, double epsilon)
{
    uint32_t low = 0, high = TASK_ROUNDS_MAX;

    if (epsilon_after(task, high) <= epsilon)
        return high;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (epsilon_after(task, middle) <= epsilon)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static void fill_curve(struct plan *plan, const struct task *task)
{
    uint32_t count = task->rounds.count, points = count < CURVE_POINTS ? count : CURVE_POINTS;

    for (uint32_t i = 0; i < points; i++) {
        uint32_t round =
            points == count ? i + 1 : 1 + (uint32_t)((uint64_t)(count - 1) * i / (points - 1));

        plan->round[i] = round;
        plan->by_rdp[i] = epsilon_after(task, round);
        plan->tight[i] = tight_after(task, round, plan->by_rdp[i]);
    }
    plan->points = points;
}

/* ---- noise against signal ---- */

/* In the averaged update of a whole cohort, after one round and without momentum. */
static void fill_noise(struct plan *plan, const struct task *task)
{
    const struct task_privacy *privacy = &task->privacy;
    double devices = task->rounds.cohort_max, server = task->strategy.learning_rate;
    double steps = task->training.steps ? task->training.steps : 1;
    double rate = task->training.learning_rate;

    if (privacy->unit == TASK_UNIT_NONE)
        return;
    if (privacy->unit == TASK_UNIT_EXAMPLE) {
        double step = rate * privacy->clip_norm / (task->training.batch ? task->training.batch : 1);

        plan->noise_coordinate = server * step * privacy->noise_multiplier * sqrt(steps / devices);
        plan->update_norm_max = server * rate * steps * privacy->clip_norm;
    } else {
        plan->noise_coordinate = server * privacy->noise_multiplier * privacy->clip_norm / devices;
        plan->update_norm_max = server * privacy->clip_norm;
    }
    plan->update_coordinate_max = plan->update_norm_max / sqrt((double)task->params);
    plan->noise_norm = plan->noise_coordinate * sqrt((double)task->params);
}

/* ---- bytes and seconds ---- */

/* Seconds per word and mask, measured now. */
static enum cn_err measure_mask(double *seconds, uint8_t bits)
{
    uint32_t *vector = calloc(BENCH_WORDS, sizeof *vector);
    struct mask masks[2] = {{.seed = {1}}, {.seed = {2}, .subtract = true}};
    struct cn_clock clock = cn_clock_system();
    uint64_t start, end;
    enum cn_err err;

    *seconds = 0;
    if (!vector)
        return CN_E_NOMEM;
    err = mask_apply(vector, BENCH_WORDS, bits, masks, 2); /* warms the caches */
    start = clock.steady_ms(clock.ctx);
    end = start;
    uint32_t runs = 0;
    for (; err == CN_OK && end < start + 40; runs++) {
        err = mask_apply(vector, BENCH_WORDS, bits, masks, 2);
        end = clock.steady_ms(clock.ctx);
    }
    free(vector);
    if (err == CN_OK)
        *seconds = (double)(end - start) / 1e3 / (runs * 2.0 * BENCH_WORDS);
    return err;
}

/* Seconds for encoding one vector of the task, measured now on a vector of its own size. */
static enum cn_err measure_encode(double *seconds, const struct encode_plan *plan)
{
    size_t length = encode_length(plan);
    uint32_t *out = calloc(length, sizeof *out),
             *counters = calloc(plan->counters + 1, sizeof *counters);
    float *update = calloc((size_t)plan->values + 1, sizeof *update);
    struct cn_clock clock = cn_clock_system();
    struct cn_random random;
    uint64_t start = clock.steady_ms(clock.ctx), end = start;
    uint32_t runs = 0;
    enum cn_err err = out && counters && update ? random_system(&random) : CN_E_NOMEM;

    for (; err == CN_OK && end < start + 40; runs++) {
        err = encode_update(out, update, counters, plan, &random);
        end = clock.steady_ms(clock.ctx);
    }
    *seconds = runs ? (double)(end - start) / 1e3 / runs : 0;
    free(out);
    free(counters);
    free(update);
    return err;
}

static enum cn_err fill_traffic(struct plan *plan, const struct task *task, struct cn_diag *diag)
{
    struct graph_demand demand = {.devices = task->rounds.cohort_max,
                                  .corrupt_permille = 100,
                                  .dropout_permille = 200,
                                  .security_bits = GRAPH_SECURITY_BITS,
                                  .correctness_bits = GRAPH_CORRECTNESS_BITS,
                                  .adversary = GRAPH_MALICIOUS};
    struct graph_plan graph;
    struct encode_plan encode;
    double mask;

    CN_TRY(task_encode_plan(&encode, task, diag));
    CN_TRY(graph_plan_make(&graph, &demand, diag));
    plan->bits = encode.modulus_bits;
    plan->length = encode_length(&encode);
    plan->degree = graph.degree;
    plan->threshold =
        task->secure_aggregation.threshold ? task->secure_aggregation.threshold : graph.threshold;
    plan->up_bytes =
        pack_bytes(plan->length, encode.modulus_bits) + (size_t)graph.degree * SEALED_BYTES_ABOUT;
    plan->down_bytes = task->params * sizeof(float) + (size_t)graph.degree * 2 * SEALED_BYTES_ABOUT;
    CN_TRY(measure_mask(&mask, encode.modulus_bits));
    CN_TRY(measure_encode(&plan->encode_s, &encode));
    plan->mask_s = mask * (double)plan->length * (graph.degree + 1);
    return CN_OK;
}

enum cn_err plan_make(struct plan *plan, const struct task *task, double epsilon,
                      struct cn_diag *diag)
{
    memset(plan, 0, sizeof *plan);
    plan->private = task->privacy.unit != TASK_UNIT_NONE;
    plan->budget = epsilon > 0 ? epsilon : task->privacy.epsilon_max;
    if (plan->private) {
        fill_curve(plan, task);
        if (plan->budget > 0)
            plan->afforded = plan_rounds_afforded(task, plan->budget);
    }
    fill_noise(plan, task);
    return fill_traffic(plan, task, diag);
}

/* ---- sweeps ---- */

static void sweep_set(struct task *task, enum plan_sweep sweep, double factor,
                      const struct task *base)
{
    if (sweep == PLAN_SWEEP_COHORT) {
        double devices = round(base->rounds.cohort_max * factor);

        task->rounds.cohort_max = (uint32_t)fmin(fmax(devices, 2), SECAGG_DEVICES_MAX);
    } else if (sweep == PLAN_SWEEP_NOISE) {
        task->privacy.noise_multiplier = base->privacy.noise_multiplier * factor;
    } else {
        task->rounds.count =
            (uint32_t)fmin(fmax(round(base->rounds.count * factor), 1), TASK_ROUNDS_MAX);
    }
}

enum cn_err plan_sweep_make(struct plan_row *rows, const struct task *task, enum plan_sweep sweep,
                            double epsilon, struct cn_diag *diag)
{
    static const double factors[PLAN_ROWS] = {0.25, 0.5, 0.75, 1, 1.5, 2, 4};
    struct plan *plan = malloc(sizeof *plan);
    struct task changed = *task; /* shares what it points to */
    enum cn_err err = plan ? CN_OK : CN_E_NOMEM;

    for (size_t i = 0; err == CN_OK && i < PLAN_ROWS; i++) {
        struct plan_row *row = &rows[i];

        sweep_set(&changed, sweep, factors[i], task);
        err = plan_make(plan, &changed, epsilon, diag);
        if (err != CN_OK)
            break;
        row->cohort = changed.rounds.cohort_max;
        row->noise_multiplier = changed.privacy.noise_multiplier;
        row->rounds = changed.rounds.count;
        row->epsilon = plan->points ? plan->tight[plan->points - 1] : 0;
        row->epsilon_rdp = plan->points ? plan->by_rdp[plan->points - 1] : 0;
        row->afforded = plan->afforded;
        row->noise_coordinate = plan->noise_coordinate;
        row->bits = plan->bits;
        row->up_bytes = plan->up_bytes;
    }
    free(plan);
    return err;
}
