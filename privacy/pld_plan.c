/* SPDX-License-Identifier: Apache-2.0 */
/* The saddle point by the cumulant K(s) = ln E_P[exp(s L)], from a coarse quadrature.
 *
 * delta(epsilon) <= exp(K(s) - s epsilon + s ln s - (s + 1) ln(s + 1)) for every s > 0; at the best
 * s the tilted loss has its mean near epsilon, so all that matters lies within some ten of its
 * standard deviations. On the grid each step's loss gains a variance of at most h^2 / 6 on average,
 * which moves epsilon by (s + 1) h^2 / 12. */
#include "privacy/pld_plan.h"

#include <math.h>
#include <stdlib.h>

#define LOG_S_MIN (-7.0)
#define LOG_S_MAX 14.0
#define SCAN 42
#define GOLDEN 0.61803398874989484820
#define OUTSIDE 36.0 /* exp(-OUTSIDE) of the tilted mass may lie beyond the window, each side */
#define PIECE_COARSE 0.125
#define ATOMS_COARSE 4000
#define POINTS_MIN ((size_t)1 << 10)
#define CELLS_MAX 0x1p20
#define ATOM_STEP 1e-4
#define PRECISION 3e-5

struct cloud {
    double *p, *loss; /* what one step's losses are, event after event */
    size_t *end;      /* [count] */
    const struct pld_pair *pairs;
    size_t count, used, room;
    bool failed;
};

static void gather(void *ctx, double p, double loss)
{
    struct cloud *cloud = ctx;

    if (cloud->used == cloud->room) {
        size_t room = 2 * cloud->room + 1024;
        double *grown = reallocarray(cloud->p, room, sizeof *grown);

        if (grown)
            cloud->p = grown;
        cloud->failed |= !grown;
        grown = reallocarray(cloud->loss, room, sizeof *grown);
        if (grown)
            cloud->loss = grown;
        cloud->failed |= !grown;
        cloud->room = cloud->failed ? cloud->room : room;
    }
    if (cloud->failed || !(p > 0))
        return;
    cloud->p[cloud->used] = p;
    cloud->loss[cloud->used++] = loss;
}

static void cloud_clear(struct cloud *cloud)
{
    free(cloud->p);
    free(cloud->loss);
    free(cloud->end);
}

static enum cn_err cloud_make(struct cloud *cloud, const struct pld_pair *pairs, size_t count)
{
    *cloud = (struct cloud){.pairs = pairs, .count = count};
    cloud->end = calloc(count, sizeof *cloud->end);
    cloud->failed = !cloud->end;
    for (size_t e = 0; e < count && !cloud->failed; e++) {
        struct pld_pair coarse = pairs[e];

        coarse.piece = PIECE_COARSE;
        if (coarse.shape == PLD_SHAPE_DISCRETE && coarse.high - coarse.low > ATOMS_COARSE) {
            coarse.shape = coarse.of;
            coarse.shift = (double)coarse.sensitivity / coarse.sigma;
            coarse.low /= coarse.sigma;
            coarse.high /= coarse.sigma;
        }
        pld_pair_walk(&coarse, 0, gather, cloud);
        cloud->end[e] = cloud->used;
    }
    return cloud->failed ? CN_E_NOMEM : CN_OK;
}

/* One step of event e: ln E[exp(s L)]; with moments, also the tilted mean and variance. */
static double cumulant_of(const struct cloud *cloud, size_t e, double s, double *moments)
{
    size_t start = e ? cloud->end[e - 1] : 0, end = cloud->end[e];
    double high = -INFINITY, sum[3] = {0};

    for (size_t i = start; i < end; i++)
        high = fmax(high, s * cloud->loss[i]);
    for (size_t i = start; i < end; i++) {
        double w = cloud->p[i] * exp(s * cloud->loss[i] - high);

        sum[0] += w;
        if (moments) {
            sum[1] += w * cloud->loss[i];
            sum[2] += w * cloud->loss[i] * cloud->loss[i];
        }
    }
    if (moments) {
        double mean = sum[1] / sum[0], variance = sum[2] / sum[0] - mean * mean;

        moments[0] += cloud->pairs[e].steps * mean;
        moments[1] += cloud->pairs[e].steps * fmax(variance, 0);
    }
    return high + log(sum[0]);
}

static double cumulant(const struct cloud *cloud, double s, double *moments)
{
    double total = 0;

    for (size_t e = 0; e < cloud->count; e++)
        total += cloud->pairs[e].steps * cumulant_of(cloud, e, s, moments);
    return total;
}

struct question {
    const struct cloud *cloud;
    bool for_epsilon;
    double value; /* ln delta, or epsilon */
};

/* The bound at s on what is asked for: epsilon, or ln delta. */
static double bound(const struct question *ask, double log_s)
{
    double s = exp(log_s);
    double top = cumulant(ask->cloud, s, NULL) + s * log_s - (s + 1) * log1p(s);

    return ask->for_epsilon ? (top - ask->value) / s : top - s * ask->value;
}

static double best_tilt(const struct question *ask)
{
    double step = (LOG_S_MAX - LOG_S_MIN) / SCAN, best = INFINITY, at = 0, low, high, a, b, fa, fb;

    for (int i = 0; i <= SCAN; i++) {
        double value = bound(ask, LOG_S_MIN + i * step);

        if (value < best) {
            best = value;
            at = LOG_S_MIN + i * step;
        }
    }
    low = at - step;
    high = at + step;
    a = high - GOLDEN * (high - low);
    b = low + GOLDEN * (high - low);
    fa = bound(ask, a);
    fb = bound(ask, b);
    while (high - low > 1e-3) {
        if (fa < fb) {
            high = b;
            b = a;
            fb = fa;
            a = high - GOLDEN * (high - low);
            fa = bound(ask, a);
        } else {
            low = a;
            a = b;
            fa = fb;
            b = low + GOLDEN * (high - low);
            fb = bound(ask, b);
        }
    }
    return exp(fmin(fmax((low + high) / 2, LOG_S_MIN), LOG_S_MAX));
}

/* The nearest edge, on the side of sign, beyond which Chernoff leaves exp(-OUTSIDE); its t. */
static double edge(const struct cloud *cloud, double s, double deviation, double sign,
                   double *best_t)
{
    double at_s = cumulant(cloud, s, NULL), best = INFINITY;
    double t = fmin(sqrt(2 * OUTSIDE) / fmax(deviation, 1e-7), 1e7) / 16;

    for (int i = 0; i < 20; i++, t *= 1.35) {
        double reach = (cumulant(cloud, s + sign * t, NULL) - at_s + OUTSIDE) / t;

        if (reach < best) {
            best = reach;
            *best_t = t;
        }
    }
    return sign * best;
}

static void choose_grid(struct pld_plan *plan, const struct pld_pair *pairs, size_t count,
                        double mean)
{
    double steps = 0.5, range = 0, width = plan->top - plan->bottom, spare;
    double error = PRECISION * fmin(fmax(mean, 0.1), 40);
    bool discrete = false;

    for (size_t e = 0; e < count; e++) {
        steps += pairs[e].steps;
        range = fmax(range, pld_pair_high(&pairs[e]) - pld_pair_low(&pairs[e]));
        discrete |= pairs[e].shape == PLD_SHAPE_DISCRETE;
    }
    plan->h = sqrt(12 * error / ((plan->s + 1) * steps));
    plan->h = fmin(plan->h, fmin(width / 128, 0.5 / (plan->s + 1)));
    if (discrete) /* no density to smooth over what the grid does to an atom */
        plan->h = fmin(plan->h, ATOM_STEP);
    plan->h = fmax(plan->h, range / CELLS_MAX);
    if (count == 1 && pairs[0].shape == PLD_SHAPE_LAPLACE) /* its atoms on the grid */
        plan->h = pairs[0].shift / ceil(pairs[0].shift / plan->h);
    plan->h = fmax(plan->h, width / (double)(PLD_POINTS_MAX - 4));
    for (plan->n = POINTS_MIN; (double)plan->n < width / plan->h + 4;)
        plan->n *= 2;
    spare = (double)plan->n * plan->h - width;
    plan->bottom -= spare / 2;
    plan->top += spare / 2;
}

enum cn_err pld_plan_make(struct pld_plan *plan, const struct pld_pair *pairs, size_t count,
                          bool for_epsilon, double value)
{
    struct cloud cloud;
    struct question ask = {&cloud, for_epsilon, for_epsilon ? log(value) : value};
    double moments[2] = {0}, s, deviation;
    enum cn_err err = cloud_make(&cloud, pairs, count);

    if (err == CN_OK) {
        s = best_tilt(&ask);
        plan->s = s;
        plan->log_delta = for_epsilon ? log(value) : bound(&ask, log(s));
        cumulant(&cloud, s, moments);
        deviation = sqrt(moments[1]);
        plan->top = edge(&cloud, s, deviation, 1, &plan->up);
        plan->bottom = edge(&cloud, s, deviation, -1, &plan->down);
        choose_grid(plan, pairs, count, moments[0]);
    }
    cloud_clear(&cloud);
    return err;
}
