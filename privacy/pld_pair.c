/* SPDX-License-Identifier: Apache-2.0 */
/* Losses and densities of the pairs.
 *
 * Outcomes t are in standard deviations from Q's mean; y = m t - m^2 / 2 is the unsampled loss, and
 *   l(t) = ln(1 - q + q e^y)         remove: P = (1-q) N(0) + q N(m), Q = N(0)
 *   -l(-t)                           add: P = N(0), Q = (1-q) N(0) + q N(-m), mirrored
 *   l(t) - l(-t)                     replace: P as in remove, Q = (1-q) N(0) + q N(-m)
 * all of which grow with t. Masses are integrated by Gauss and Legendre's rule with three nodes on
 * pieces of at most 1/32, two below 1/512: all terms are positive, and the error is below 1e-9
 * relative at ten deviations from the mean, 1e-13 within three. */
#include "privacy/pld_pair.h"

#include <math.h>
#include <stdbool.h>

#define PIECE (1.0 / 32)
#define NARROW (1.0 / 512)
#define BIG 30.0
#define INVERSE_SQRT_3 0.57735026918962576451
#define INVERSE_SQRT_2PI 0.39894228040143267794

/* l as a function of y, without cancellation for small q or overflow for large y. */
static double sampled(double y, double q)
{
    if (q == 1)
        return y;
    return y < BIG ? log1p(q * expm1(y)) : y + log(q) + log1p((1 - q) / q * exp(-y));
}

/* Its inverse; -infinity where no y is low enough. */
static double unsampled(double loss, double q)
{
    double ratio;

    if (q == 1)
        return loss;
    if (loss > BIG)
        return loss - log(q) + log1p(-(1 - q) * exp(-loss));
    ratio = expm1(loss) / q;
    return ratio > -1 ? log1p(ratio) : -INFINITY;
}

/* y of the replace pair: a root of the quadratic that e^loss = (b + a Y) / (b + a' / Y) is, with
 * Y = e^(m t); returns t, for loss >= 0. */
static double replace_place(double loss, double q, double m)
{
    double log_a = log(q) - m * m / 2, log_e, root;

    if (q == 1)
        return loss / (2 * m);
    if (loss < 1e-12)
        return 0;
    /* 2 a Y = b (e^loss - 1) + sqrt(b^2 (e^loss - 1)^2 + 4 a^2 e^loss) */
    log_e = log1p(-q) + (loss > BIG ? loss : log(expm1(loss)));
    root = exp(2 * (M_LN2 + log_a - log_e) + loss);
    return (log_e - log_a - M_LN2 + log1p(sqrt(1 + root))) / m;
}

static double loss_at(const struct pld_pair *pair, double t)
{
    double m = pair->shift;

    switch (pair->shape) {
    case PLD_SHAPE_ADD:
        return -sampled(-m * t - m * m / 2, pair->q);
    case PLD_SHAPE_REPLACE:
        return sampled(m * t - m * m / 2, pair->q) - sampled(-m * t - m * m / 2, pair->q);
    case PLD_SHAPE_LAPLACE:
        return m + 2 * t; /* t in [-m, 0] */
    default:
        return sampled(m * t - m * m / 2, pair->q);
    }
}

static double place_of(const struct pld_pair *pair, double loss)
{
    double m = pair->shift;

    switch (pair->shape) {
    case PLD_SHAPE_ADD:
        return -(unsampled(-loss, pair->q) / m + m / 2);
    case PLD_SHAPE_REPLACE:
        return loss < 0 ? -replace_place(-loss, pair->q, m) : replace_place(loss, pair->q, m);
    case PLD_SHAPE_LAPLACE:
        return (loss - m) / 2;
    default:
        return unsampled(loss, pair->q) / m + m / 2;
    }
}

static double density(const struct pld_pair *pair, double t)
{
    double base, moved;

    if (pair->shape == PLD_SHAPE_LAPLACE)
        return 0.5 * exp(t);
    base = INVERSE_SQRT_2PI * exp(-0.5 * t * t);
    if (pair->shape == PLD_SHAPE_ADD)
        return base;
    moved = INVERSE_SQRT_2PI * exp(-0.5 * (t - pair->shift) * (t - pair->shift));
    return (1 - pair->q) * base + pair->q * moved;
}

/* The discrete Gaussian's loss at the whole number x and its mass there. */
static double discrete_loss(const struct pld_pair *pair, double x, double *p)
{
    double s = (double)pair->sensitivity, v = 2 * pair->sigma * pair->sigma;
    double up = s * (2 * x - s) / v, down = s * (-2 * x - s) / v;
    double base = exp(-x * x / v - pair->log_normal);
    double moved = exp(-(x - s) * (x - s) / v - pair->log_normal);

    *p = pair->of == PLD_SHAPE_ADD ? base : (1 - pair->q) * base + pair->q * moved;
    if (pair->of == PLD_SHAPE_ADD)
        return -sampled(down, pair->q);
    if (pair->of == PLD_SHAPE_REPLACE)
        return sampled(up, pair->q) - sampled(down, pair->q);
    return sampled(up, pair->q);
}

static void make_discrete(struct pld_pair *pair, const struct pld_event *event, double z)
{
    double reach = ceil(event->noise * (z + 1)) + 1, sum = 0;

    for (double x = reach + ceil(event->noise * 30); x >= 1; x--)
        sum += 2 * exp(-x * x / (2 * event->noise * event->noise));
    pair->of = pair->shape;
    pair->shape = PLD_SHAPE_DISCRETE;
    pair->sigma = event->noise;
    pair->sensitivity = event->sensitivity;
    pair->log_normal = log1p(sum);
    if (pair->of == PLD_SHAPE_REMOVE && pair->q == 1 && pair->shift == 2)
        pair->sensitivity *= 2; /* shift carried the factor of replacing */
    pair->low = -reach;
    pair->high = reach + (pair->of == PLD_SHAPE_ADD ? 0 : (double)pair->sensitivity);
}

void pld_pair_make(struct pld_pair *pair, const struct pld_event *event,
                   enum pld_adjacency adjacency, enum pld_direction direction, double tail)
{
    double z = sqrt(-2 * log(tail)); /* P[N(0, 1) > z] <= exp(-z^2 / 2) / 2 */
    bool replace = adjacency == PLD_REPLACE_ONE;

    *pair = (struct pld_pair){.q = event->sampling_rate, .steps = (double)event->steps};
    pair->piece = PIECE;
    pair->cut = tail;
    pair->shape = direction == PLD_ADD ? PLD_SHAPE_ADD : PLD_SHAPE_REMOVE;
    pair->shift = event->mechanism == PLD_DISCRETE_GAUSSIAN ? 1 : 1 / event->noise;
    if (replace && pair->q < 1)
        pair->shape = PLD_SHAPE_REPLACE;
    else if (replace)
        pair->shift *= 2; /* nothing is sampled: the same noise, twice the distance */
    if (replace && pair->q == 1)
        pair->shape = PLD_SHAPE_REMOVE;
    if (event->mechanism == PLD_DISCRETE_GAUSSIAN) {
        make_discrete(pair, event, z);
    } else if (event->mechanism == PLD_LAPLACE) {
        pair->shape = PLD_SHAPE_LAPLACE;
        pair->low = -pair->shift;
        pair->cut = 0;
    } else {
        pair->low = -z;
        pair->high = z + (pair->shape == PLD_SHAPE_ADD ? 0 : pair->shift);
    }
}

int pld_pair_symmetric(const struct pld_pair *pair)
{
    return pair->shape == PLD_SHAPE_LAPLACE || pair->shape == PLD_SHAPE_REPLACE || pair->q == 1 ||
           (pair->shape == PLD_SHAPE_DISCRETE && pair->of == PLD_SHAPE_REPLACE);
}

double pld_pair_low(const struct pld_pair *pair)
{
    double p;

    return pair->shape == PLD_SHAPE_DISCRETE ? discrete_loss(pair, pair->low, &p)
                                             : loss_at(pair, pair->low);
}

double pld_pair_high(const struct pld_pair *pair)
{
    double p;

    return pair->shape == PLD_SHAPE_DISCRETE ? discrete_loss(pair, pair->high, &p)
                                             : loss_at(pair, pair->high);
}

/* All of [from, to] by two nodes where it is narrow, else three. */
static void walk_piece(const struct pld_pair *pair, double from, double to, pld_visit visit,
                       void *ctx)
{
    static const double node[3] = {-0.77459666924148337704, 0, 0.77459666924148337704};
    static const double weight[3] = {5.0 / 18, 8.0 / 18, 5.0 / 18};

    if (to - from < NARROW) {
        double half = 0.5 * (to - from), middle = 0.5 * (from + to), off = half * INVERSE_SQRT_3;

        visit(ctx, half * density(pair, middle - off), loss_at(pair, middle - off));
        visit(ctx, half * density(pair, middle + off), loss_at(pair, middle + off));
        return;
    }
    for (int k = 0; k < 3; k++) {
        double t = 0.5 * (from + to) + 0.5 * (to - from) * node[k];

        visit(ctx, weight[k] * (to - from) * density(pair, t), loss_at(pair, t));
    }
}

static void walk_atoms(const struct pld_pair *pair, pld_visit visit, void *ctx)
{
    for (double x = pair->low; x <= pair->high; x++) {
        double p, loss = discrete_loss(pair, x, &p);

        visit(ctx, p, loss);
    }
}

void pld_pair_walk(const struct pld_pair *pair, double h, pld_visit visit, void *ctx)
{
    double from = pair->low, low = pld_pair_low(pair), cell = 0;

    if (pair->shape == PLD_SHAPE_DISCRETE) {
        walk_atoms(pair, visit, ctx);
        return;
    }
    if (pair->shape == PLD_SHAPE_LAPLACE) {
        visit(ctx, 0.5, pair->shift);
        visit(ctx, 0.5 * exp(-pair->shift), -pair->shift);
    }
    if (h > 0)
        cell = floor(low / h);
    while (from < pair->high) {
        double end = h > 0 ? place_of(pair, ++cell * h) : pair->high;
        double pieces;

        if (!(end < pair->high)) /* true for NaN too */
            end = pair->high;
        if (end <= from)
            continue;
        pieces = ceil((end - from) / pair->piece);
        for (double k = 0; k < pieces; k++)
            walk_piece(pair, from + (end - from) * k / pieces,
                       from + (end - from) * (k + 1) / pieces, visit, ctx);
        from = end;
    }
}
