/* SPDX-License-Identifier: Apache-2.0 */
/* Losses onto the grid, their sum by FFT, and the answer read off.
 *
 * Upper: a mass p at loss L in cell [i h, (i + 1) h) is split between its ends so that both p and
 * p exp(-L) are kept; delta is convex in exp(-L), so it can only grow (this is connecting the
 * dots). Lower: a cell's outcomes are merged into one, which is post-processing; its loss lies
 * close to the cell's middle and is lowered to (i + 1/2) h - offset. Both travel in one complex
 * sequence, upper real and lower imaginary, tilted by exp(s L) and divided by the upper's exp(K).
 * In the tilted scale, where delta is exp(K - s epsilon) times S1 - S2,  Sr = sum over L > epsilon
 * of f(L) exp(-(s + r - 1) (L - epsilon)), a mass that falls out of the window, or an error of
 * rounding, counts at most once. */
#include "privacy/pld.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "privacy/fft.h"
#include "privacy/pld_exact.h"
#include "privacy/pld_pair.h"
#include "privacy/pld_plan.h"

#define CUT 1e-10        /* the share of delta that is cut off as infinite losses */
#define TAIL_MIN 1e-290  /* stays a normal number */
#define EXACT_EVERY 1024 /* places between two exact logarithms in a descent */
#define FAINT 120.0      /* a power under exp(-FAINT / 2) is taken for 0 */
#define OFFSETS 4096
#define NOISE_MERGED_MIN 1e-4

/* One event's losses in one step. */
struct grid {
    double h;
    double span;   /* 1 - exp(-h) */
    int64_t first; /* cell of index 0 */
    size_t cells;
    double *upper;  /* [cells + 1] */
    double *mass;   /* [cells] merged: of P */
    double *excess; /* [cells] merged: sum of p (1 - exp(i h - L)) */
};

struct composition {
    const struct pld_plan *plan;
    const struct fft *fft;
    double complex *now, *all; /* [n] one event; the product of spectra so far */
    double cumulant;           /* K */
    double cut;                /* mass of infinite losses */
    double steps;
    double shift;          /* the lower sequence's losses lie k h + shift */
    double up[2], down[2]; /* logarithms of moments for the masses outside: upper, lower */
    double rounding;       /* bound on the error of one entry */
    int64_t bottom[2];     /* index of the window's lowest loss: upper, lower */
};

/* exp(x), 0 where it would be no normal number: the library takes long for those. */
static inline double weigh(double x)
{
    return x < -700 ? 0 : exp(x);
}

/* 1 - exp(-x), to the last digits. */
static inline double fall(double x)
{
    if (fabs(x) < 1e-3) /* the next term is x^4 / 120 of it */
        return x * (1 - x / 2 * (1 - x / 3 * (1 - x / 4)));
    return -expm1(-x);
}

static void deposit(void *ctx, double p, double loss)
{
    struct grid *grid = ctx;
    double cell = floor(loss / grid->h) - (double)grid->first, rest, share;
    size_t i = cell < 0 ? 0 : cell >= (double)grid->cells ? grid->cells - 1 : (size_t)cell;

    rest = loss - (double)((int64_t)i + grid->first) * grid->h;
    rest = fall(rest);
    share = fmin(fmax(rest / grid->span, 0), 1);
    grid->upper[i] += p * (1 - share);
    grid->upper[i + 1] += p * share;
    grid->mass[i] += p;
    grid->excess[i] += p * rest;
}

static void grid_clear(struct grid *grid)
{
    free(grid->upper);
    free(grid->mass);
    free(grid->excess);
}

static enum cn_err grid_make(struct grid *grid, const struct pld_pair *pair, double h)
{
    double total = 0;

    *grid =
        (struct grid){.h = h, .span = fall(h), .first = (int64_t)floor(pld_pair_low(pair) / h) - 1};
    grid->cells = (size_t)((int64_t)floor(pld_pair_high(pair) / h) + 2 - grid->first);
    grid->upper = calloc(grid->cells + 1, sizeof *grid->upper);
    grid->mass = calloc(grid->cells, sizeof *grid->mass);
    grid->excess = calloc(grid->cells, sizeof *grid->excess);
    if (!grid->upper || !grid->mass || !grid->excess)
        return CN_E_NOMEM;
    pld_pair_walk(pair, h, deposit, grid);
    for (size_t i = 0; i <= grid->cells; i++)
        total += grid->upper[i];
    grid->upper[1] += fmax(0, 1 - total); /* what lies lower, or was lost to rounding */
    return CN_OK;
}

/* How far cell i's merged loss lies above its low end, in steps; the guard is the rounding of
 * the quotient. */
static double above_end(const struct grid *grid, size_t i)
{
    double above = -log1p(-grid->excess[i] / grid->mass[i]) - 1e-15;

    return fmin(fmax(above / grid->h, 0), 1 - 0x1p-20);
}

/* Where in its cell, in steps, a lower loss shall lie, for the least mean loss of loss: a cell
 * whose merged loss lies under that falls to the next cell. weight [cells] is what masses count. */
static double best_offset(const struct grid *grid, const double *weight)
{
    double share[OFFSETS] = {0}, mean = 0, all = 0, fallen = 0, best = INFINITY, offset = 0;

    for (size_t i = 0; i < grid->cells; i++) {
        double above;

        if (!(grid->mass[i] > 0))
            continue;
        above = above_end(grid, i);
        share[(size_t)(above * OFFSETS)] += weight[i];
        mean += weight[i] * above;
        all += weight[i];
    }
    for (size_t k = 0; k < OFFSETS; k++) { /* at offset k / OFFSETS */
        double cost = mean - all * (double)k / OFFSETS + fallen;

        if (cost < best) {
            best = cost;
            offset = (double)k / OFFSETS;
        }
        fallen += share[k];
    }
    return offset;
}

static double log_moment(const double *value, size_t count, double first, double h, double s)
{
    double origin = s > 0 ? first + (double)(count - 1) : first, sum = 0;

    for (size_t i = 0; i < count; i++)
        if (value[i] > 0)
            sum += value[i] * weigh(s * h * (first + (double)i - origin));
    return s * h * origin + log(sum);
}

static size_t wrap(int64_t index, size_t n)
{
    return (size_t)((uint64_t)index & (n - 1));
}

/* The lower sequence's masses [cells + 1] from the merged cells; index 0 is cell first - 1. */
static void lower_masses(double *lower, const struct grid *grid, double offset)
{
    for (size_t i = 0; i < grid->cells; i++)
        if (grid->mass[i] > 0)
            lower[above_end(grid, i) >= offset ? i + 1 : i] += grid->mass[i];
}

/* Both sequences of one event, tilted, into c->now; the moments into c. */
static enum cn_err tilt(struct composition *c, const struct grid *grid, double steps)
{
    const struct pld_plan *plan = c->plan;
    double first = (double)grid->first, h = grid->h, s = plan->s, k, offset, place;
    double *weight = calloc(2 * grid->cells + 1, sizeof *weight), *lower = weight + grid->cells;

    if (!weight)
        return CN_E_NOMEM;
    memset(c->now, 0, plan->n * sizeof *c->now);
    k = log_moment(grid->upper, grid->cells + 1, first, h, s);
    for (size_t i = 0; i <= grid->cells; i++) {
        double tilted = grid->upper[i] > 0 || (i < grid->cells && grid->mass[i] > 0)
                            ? weigh(s * h * (first + (double)i) - k)
                            : 0;

        if (i < grid->cells)
            weight[i] = grid->mass[i] * tilted;
        c->now[wrap(grid->first + (int64_t)i, plan->n)] += grid->upper[i] * tilted;
    }
    offset = best_offset(grid, weight);
    place = h * offset;
    lower_masses(lower, grid, offset);
    for (size_t i = 0; i <= grid->cells; i++) {
        double loss = h * (first - 1 + (double)i) + place;
        double tilted = lower[i] > 0 ? lower[i] * weigh(s * loss - k) : 0;

        c->now[wrap(grid->first - 1 + (int64_t)i, plan->n)] += fft_complex(0, tilted);
    }
    c->cumulant += steps * k;
    c->shift += steps * place;
    c->up[0] += steps * (log_moment(grid->upper, grid->cells + 1, first, h, s + plan->up) - k);
    c->down[0] += steps * (log_moment(grid->upper, grid->cells + 1, first, h, s - plan->down) - k);
    c->up[1] += steps * (log_moment(lower, grid->cells + 1, first - 1, h, s + plan->up) - k +
                         (s + plan->up) * place);
    c->down[1] += steps * (log_moment(lower, grid->cells + 1, first - 1, h, s - plan->down) - k +
                           (s - plan->down) * place);
    free(weight);
    return CN_OK;
}

static inline double complex times(double complex a, double complex b)
{
    return fft_complex(creal(a) * creal(b) - cimag(a) * cimag(b),
                       creal(a) * cimag(b) + cimag(a) * creal(b));
}

static double complex power(double complex x, uint64_t n, double faint)
{
    double complex out = 1;

    if (creal(x) * creal(x) + cimag(x) * cimag(x) < faint)
        return 0;
    for (; n; n >>= 1) {
        if (n & 1)
            out = times(out, x);
        x = times(x, x);
    }
    return out;
}

/* c->all *= spectrum of c->now to the power of steps. At the place of bin j c->all holds the
 * upper's bin j, at its mirror the lower's; at places 0 and 1 the two real numbers together. */
static void multiply(struct composition *c, uint64_t steps)
{
    double faint = exp(-FAINT / (double)steps);

    fft_forward(c->fft, c->now);
    for (size_t j = 0; j < 2; j++) {
        double upper = creal(power(creal(c->now[j]), steps, faint));
        double lower = creal(power(cimag(c->now[j]), steps, faint));

        c->all[j] = fft_complex(creal(c->all[j]) * upper, cimag(c->all[j]) * lower);
    }
    for (size_t j = 2; j < c->plan->n; j++) {
        size_t partner = fft_mirror(j);
        double complex z = c->now[j], other;

        if (partner < j)
            continue;
        other = conj(c->now[partner]);
        c->all[j] = times(c->all[j], power((z + other) / 2, steps, faint));
        z = (z - other) / 2;
        c->all[partner] =
            times(c->all[partner], power(fft_complex(cimag(z), -creal(z)), steps, faint));
    }
}

/* The composed sequences into c->all. An entry errs by at most the mean over the bins of: a
 * relative error of 2^-52 log2 n for the transform of the (positive, summing to 1) input and a few
 * 2^-53 for each product, times the number of factors; and what was taken for 0. */
static void join(struct composition *c)
{
    size_t n = c->plan->n;
    double size = 2;

    for (size_t j = 2; j < n; j++) {
        size_t partner = fft_mirror(j);
        double complex a = c->all[j], b;

        if (partner < j)
            continue;
        b = c->all[partner];
        size += 2 * fmax(fabs(creal(a)) + fabs(cimag(a)), fabs(creal(b)) + fabs(cimag(b)));
        c->all[j] = fft_complex(creal(a) - cimag(b), cimag(a) + creal(b));
        c->all[partner] = fft_complex(creal(a) + cimag(b), creal(b) - cimag(a));
    }
    c->rounding = size / (double)n * (c->steps + 2) * log2((double)n) * 0x1p-50 + exp(-FAINT / 2);
    fft_inverse(c->fft, c->all);
    for (size_t j = 0; j < n; j++)
        c->all[j] /= (double)n;
}

/* The two sums S1, S2 going down from the top, at the place of index k; which: 0 upper, 1 lower. */
struct sums {
    const struct composition *c;
    int which;
    double fall1, fall2; /* exp(-s h), exp(-(s + 1) h) */
    double first, second;
    double unsure; /* in S1: to be added for upper, subtracted for lower */
    int64_t k;
};

static double loss_of(const struct sums *sums, int64_t k)
{
    return (double)k * sums->c->plan->h + (sums->which ? sums->c->shift : 0);
}

static void sums_start(struct sums *sums, const struct composition *c, int which)
{
    const struct pld_plan *plan = c->plan;
    double below, above, terms = fmin((double)plan->n, 1 / -expm1(-plan->s * plan->h));

    *sums = (struct sums){.c = c, .which = which};
    sums->fall1 = exp(-plan->s * plan->h);
    sums->fall2 = exp(-(plan->s + 1) * plan->h);
    sums->k = c->bottom[which] + (int64_t)plan->n;
    above = exp(c->up[which] - plan->up * loss_of(sums, sums->k));
    below = exp(c->down[which] + plan->down * loss_of(sums, c->bottom[which]));
    sums->unsure = above + terms * c->rounding;
    if (which)
        sums->unsure = -(sums->unsure + below);
}

static void sums_step(struct sums *sums)
{
    double complex both = sums->c->all[wrap(--sums->k, sums->c->plan->n)];
    double f = fmax(0, sums->which ? cimag(both) : creal(both));

    sums->first = f + sums->fall1 * sums->first;
    sums->second = f + sums->fall2 * sums->second;
}

/* What S1 - S2 has to reach at the place of the sums for delta to be reached. */
static double wanted(const struct sums *sums, double log_left)
{
    return exp(log_left - sums->c->cumulant + sums->c->plan->s * loss_of(sums, sums->k));
}

/* Goes down to the first place where delta is reached; before: the place above. False: nowhere. */
static bool descend(struct sums *sums, struct sums *before, double log_left)
{
    double about = 0; /* wanted, within 1e-9 */

    for (size_t i = 0; sums->k != sums->c->bottom[sums->which]; i++) {
        double have;

        *before = *sums;
        sums_step(sums);
        about = i % EXACT_EVERY && isfinite(about) ? about * sums->fall1 : wanted(sums, log_left);
        have = sums->first - sums->second + sums->unsure;
        if (have < about * (1 - 1e-9))
            continue;
        if (!(have < wanted(sums, log_left)))
            return true;
    }
    return false;
}

static double find_epsilon(const struct composition *c, int which, double delta)
{
    double left = which ? delta : delta - c->cut, log_left, h = c->plan->h, want, y;
    struct sums sums, before;

    if (!(left > 0))
        return INFINITY;
    log_left = log(left);
    sums_start(&sums, c, which);
    if (!which && !(sums.unsure < wanted(&sums, log_left)))
        return INFINITY; /* not even the window's top is proven */
    if (!descend(&sums, &before, log_left))
        return which ? 0 : fmax(0, loss_of(&sums, sums.k));
    if (isnan(sums.first - sums.second + sums.unsure))
        return which ? 0 : INFINITY;
    /* between this point and the one before, delta is linear in exp(epsilon) */
    want = wanted(&before, log_left);
    if (!which) /* the doubt counts at its largest in the interval */
        before.unsure /= before.fall1;
    y = (before.first + before.unsure - want) / before.second;
    y = before.second > 0 ? fmin(fmax(log(fmax(y, 1e-300)), -h), 0) : (which ? -h : 0);
    return fmax(0, loss_of(&before, before.k) + y);
}

static double find_delta(const struct composition *c, int which, double epsilon)
{
    struct sums sums;
    double gap, scaled, delta;

    sums_start(&sums, c, which);
    while (sums.k > c->bottom[which] && loss_of(&sums, sums.k - 1) > epsilon)
        sums_step(&sums);
    gap = loss_of(&sums, sums.k) - epsilon; /* above: the losses that count */
    scaled = sums.first * exp(-c->plan->s * gap) - sums.second * exp(-(c->plan->s + 1) * gap);
    delta = exp(c->cumulant - c->plan->s * epsilon) * (scaled + sums.unsure);
    if (isnan(delta))
        return which ? 0 : 1;
    return fmin(1, fmax(0, which ? delta : delta + c->cut));
}

static enum cn_err compose(struct composition *c, const struct pld_pair *pairs, size_t count)
{
    const struct pld_plan *plan = c->plan;
    struct grid grid = {0};
    enum cn_err err = CN_OK;

    c->all[0] = c->all[1] = fft_complex(1, 1);
    for (size_t j = 2; j < plan->n; j++)
        c->all[j] = 1;
    for (size_t e = 0; e < count && err == CN_OK; e++) {
        err = grid_make(&grid, &pairs[e], plan->h);
        if (err == CN_OK)
            err = tilt(c, &grid, pairs[e].steps);
        if (err == CN_OK)
            multiply(c, (uint64_t)pairs[e].steps);
        grid_clear(&grid);
        c->steps += pairs[e].steps;
        c->cut += pairs[e].steps * pairs[e].cut;
    }
    c->bottom[0] = (int64_t)floor(plan->bottom / plan->h);
    c->bottom[1] = (int64_t)floor((plan->bottom - c->shift) / plan->h);
    join(c);
    return err;
}

struct question {
    enum pld_adjacency adjacency;
    bool for_epsilon;
    double value; /* delta, or epsilon */
};

/* What no loss but those that were cut off is above: an epsilon that always holds. Where the window
 * is coarse (very small rates over very many steps) it is the better one. */
static double largest(const struct pld_pair *pairs, size_t count)
{
    double total = 0;

    for (size_t e = 0; e < count; e++)
        total += pairs[e].steps * pld_pair_high(&pairs[e]);
    return fmax(0, total) * (1 + 1e-9);
}

static enum cn_err ask_planned(struct pld_bracket *out, const struct question *ask,
                               const struct pld_plan *plan, const struct pld_pair *pairs,
                               size_t count)
{
    struct composition c = {.plan = plan};
    struct fft *fft = NULL;
    enum cn_err err = fft_new(&fft, plan->n);

    c.fft = fft;
    c.now = malloc(plan->n * sizeof *c.now);
    c.all = malloc(plan->n * sizeof *c.all);
    if (err == CN_OK && (!c.now || !c.all))
        err = CN_E_NOMEM;
    if (err == CN_OK)
        err = compose(&c, pairs, count);
    if (err == CN_OK) {
        double (*find)(const struct composition *, int, double) =
            ask->for_epsilon ? find_epsilon : find_delta;

        out->upper = find(&c, 0, ask->value);
        if (ask->for_epsilon && c.cut < ask->value)
            out->upper = fmin(out->upper, largest(pairs, count));
        out->lower = fmin(out->upper, find(&c, 1, ask->value));
    }
    free(c.now);
    free(c.all);
    fft_free(fft);
    return err;
}

static void make_pairs(struct pld_pair *pairs, const struct pld_event *events, size_t count,
                       const struct question *ask, enum pld_direction direction, double delta)
{
    double steps = 0;

    for (size_t e = 0; e < count; e++)
        steps += (double)events[e].steps;
    for (size_t e = 0; e < count; e++)
        pld_pair_make(&pairs[e], &events[e], ask->adjacency, direction,
                      fmax(TAIL_MIN, delta * CUT / steps));
}

static enum cn_err ask_direction(struct pld_bracket *out, const struct question *ask,
                                 const struct pld_event *events, size_t count,
                                 enum pld_direction direction)
{
    struct pld_pair *pairs = calloc(count, sizeof *pairs);
    struct pld_plan plan;
    enum cn_err err;

    if (!pairs)
        return CN_E_NOMEM;
    make_pairs(pairs, events, count, ask, direction, ask->for_epsilon ? ask->value : 1e-30);
    CN_TRY_OUT(err, pld_plan_make(&plan, pairs, count, ask->for_epsilon, ask->value));
    if (!ask->for_epsilon) { /* now that delta's size is known, cut where it does not show */
        make_pairs(pairs, events, count, ask, direction, exp(fmax(plan.log_delta - 10, -600)));
        CN_TRY_OUT(err, pld_plan_make(&plan, pairs, count, false, ask->value));
    }
    CN_TRY_OUT(err, ask_planned(out, ask, &plan, pairs, count));
out:
    free(pairs);
    return err;
}

static bool both_directions_alike(const struct pld_event *events, size_t count,
                                  enum pld_adjacency adjacency)
{
    for (size_t e = 0; e < count; e++)
        if (adjacency == PLD_ADD_REMOVE && events[e].sampling_rate < 1)
            return false;
    return true;
}

static bool event_ok(const struct pld_event *event)
{
    bool known = (unsigned)event->mechanism <= PLD_DISCRETE_GAUSSIAN;
    bool discrete = event->mechanism == PLD_DISCRETE_GAUSSIAN;

    return known && event->noise >= PLD_NOISE_MIN && event->noise <= PLD_NOISE_MAX &&
           event->sampling_rate >= 0 && event->sampling_rate <= 1 &&
           event->steps <= PLD_STEPS_MAX &&
           (event->mechanism != PLD_LAPLACE || event->sampling_rate == 1 ||
            event->sampling_rate == 0) &&
           (!discrete || (event->sensitivity >= 1 && event->sensitivity <= 1u << 16 &&
                          event->noise <= PLD_SIGMA_INTEGER_MAX));
}

static bool alike(const struct pld_event *a, const struct pld_event *b)
{
    return a->mechanism == b->mechanism && a->noise == b->noise &&
           a->sampling_rate == b->sampling_rate &&
           (a->mechanism != PLD_DISCRETE_GAUSSIAN || a->sensitivity == b->sensitivity);
}

/* Joins events that are alike, and unsampled Gaussians into the one that they are together. */
static enum cn_err merge(struct pld_event *out, size_t *out_count, const struct pld_event *events,
                         size_t count)
{
    double gaussian = 0; /* sum of 1 / sigma^2 */
    size_t used = 0, at;

    for (size_t e = 0; e < count; e++) {
        if (!event_ok(&events[e]))
            return CN_E_CONFIG;
        if (events[e].steps == 0 || events[e].sampling_rate == 0)
            continue;
        if (events[e].mechanism == PLD_GAUSSIAN && events[e].sampling_rate == 1) {
            gaussian += (double)events[e].steps / (events[e].noise * events[e].noise);
            continue;
        }
        for (at = 0; at < used && !alike(&out[at], &events[e]);)
            at++;
        if (at == used) {
            out[used++] = events[e];
            continue;
        }
        out[at].steps += events[e].steps;
        if (out[at].steps > PLD_STEPS_MAX)
            return CN_E_CONFIG;
    }
    if (gaussian > 0)
        out[used++] = (struct pld_event){PLD_GAUSSIAN, 1 / sqrt(gaussian), 1, 1, 0};
    *out_count = used;
    return gaussian > 1 / (NOISE_MERGED_MIN * NOISE_MERGED_MIN) ? CN_E_CONFIG : CN_OK;
}

/* Delta 0: the sum of the largest losses. */
static void pure(struct pld_bracket *out, const struct question *ask,
                 const struct pld_event *events, size_t count)
{
    double total = 0;

    for (size_t e = 0; e < count; e++)
        total += events[e].mechanism == PLD_LAPLACE ? (double)events[e].steps / events[e].noise
                                                    : INFINITY;
    total *= ask->adjacency == PLD_REPLACE_ONE ? 2 : 1;
    *out = (struct pld_bracket){total, total};
}

/* Adding a record that is drawn at rate q < 1 never loses more than -ln(1 - q) in a step of the
 * Gaussian kinds: where that is less than what removing costs it need not be composed. */
static double largest_added(const struct pld_event *events, size_t count)
{
    double total = 0;

    for (size_t e = 0; e < count; e++)
        total += events[e].mechanism == PLD_LAPLACE
                     ? INFINITY
                     : -(double)events[e].steps * log1p(-events[e].sampling_rate);
    return total;
}

static enum cn_err ask_all(struct pld_bracket *out, const struct question *ask,
                           const struct pld_event *events, size_t count)
{
    struct pld_bracket remove = {0}, add = {0};

    if (count == 0) {
        *out = (struct pld_bracket){0, 0};
        return CN_OK;
    }
    if (ask->for_epsilon && ask->value == 0) {
        pure(out, ask, events, count);
        return CN_OK;
    }
    if (count == 1 && pld_exact_knows(events, ask->adjacency))
        return ask->for_epsilon ? pld_exact_epsilon(out, events, ask->adjacency, ask->value)
                                : pld_exact_delta(out, events, ask->adjacency, ask->value);
    CN_TRY(ask_direction(&remove, ask, events, count, PLD_REMOVE));
    if (!both_directions_alike(events, count, ask->adjacency) &&
        largest_added(events, count) > (ask->for_epsilon ? remove.upper : ask->value))
        CN_TRY(ask_direction(&add, ask, events, count, PLD_ADD));
    out->upper = fmax(remove.upper, add.upper);
    out->lower = fmax(remove.lower, add.lower);
    return CN_OK;
}

static enum cn_err answer(struct pld_bracket *out, const struct question *question,
                          const struct pld_event *events, size_t count)
{
    struct pld_event *merged;
    enum cn_err err;

    if (count > PLD_EVENTS_MAX)
        return CN_E_CONFIG;
    merged = calloc(count + 1, sizeof *merged);
    if (!merged)
        return CN_E_NOMEM;
    CN_TRY_OUT(err, merge(merged, &count, events, count));
    CN_TRY_OUT(err, ask_all(out, question, merged, count));
out:
    free(merged);
    return err;
}

enum cn_err pld_epsilon(struct pld_bracket *epsilon, const struct pld_event *events, size_t count,
                        enum pld_adjacency adjacency, double delta)
{
    const struct question question = {adjacency, true, delta};

    *epsilon = (struct pld_bracket){INFINITY, INFINITY};
    if (!(delta >= 0 && delta < 1) || (delta > 0 && delta < PLD_DELTA_MIN))
        return CN_E_CONFIG;
    return answer(epsilon, &question, events, count);
}

enum cn_err pld_delta(struct pld_bracket *delta, const struct pld_event *events, size_t count,
                      enum pld_adjacency adjacency, double epsilon)
{
    const struct question question = {adjacency, false, epsilon};

    *delta = (struct pld_bracket){1, 1};
    if (!(epsilon >= 0) || isinf(epsilon))
        return CN_E_CONFIG;
    return answer(delta, &question, events, count);
}
