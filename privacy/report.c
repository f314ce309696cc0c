/* SPDX-License-Identifier: Apache-2.0 */
/* Each event once as a curve over the shared orders, once as a loss distribution. */
#include "privacy/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROUND_UP (1.0 + 1e-12)
#define SMOOTH_MAX 64 /* events; some 300 orders are tried of each */

/* A grid with sigma of 2^11 steps or more: its discrete Gaussian is, but for a factor within
 * 1 +- 2^-250, a randomised rounding of the continuous one whose variance is 9 steps^2 smaller
 * (docs/privacy.md, section 3), and sqrt(1 - 9 / 2^22) > 1 - 2^-19. */
#define GRID_LOSS (1.0 - 0x1p-19)

static const char *const kind_names[] = {
#define X(name, text) text,
    REPORT_KINDS(X)
#undef X
};
_Static_assert(CN_COUNT(kind_names) == REPORT_KIND_COUNT, "one name per kind");

const char *report_kind_name(enum report_kind kind)
{
    return (unsigned)kind < REPORT_KIND_COUNT ? kind_names[kind] : "unknown";
}

enum cn_err report_kind_parse(enum report_kind *kind, const char *name)
{
    for (unsigned i = 0; i < REPORT_KIND_COUNT; i++) {
        if (strcmp(name, kind_names[i]) == 0) {
            *kind = (enum report_kind)i;
            return CN_OK;
        }
    }
    return CN_E_PARSE;
}

static bool same(double a, double b)
{
    return !(a < b) && !(a > b);
}

bool report_same_step(const struct report_event *a, const struct report_event *b)
{
    const struct bounds_distributed *x = &a->distributed, *y = &b->distributed;

    return a->kind == b->kind && same(a->noise_multiplier, b->noise_multiplier) &&
           same(a->sampling_rate, b->sampling_rate) && same(a->square, b->square) &&
           a->sensitivity == b->sensitivity && same(a->skellam.l1, b->skellam.l1) &&
           same(a->skellam.l2, b->skellam.l2) && same(a->skellam.variance, b->skellam.variance) &&
           x->devices == y->devices && x->dim == y->dim && same(x->clip, y->clip) &&
           same(x->scale, y->scale) && same(x->beta, y->beta) && same(x->sigma, y->sigma);
}

struct report_event report_event_of(const struct accountant_event *event)
{
    static const enum report_kind kinds[] = {
        [ACCOUNTANT_GAUSSIAN] = REPORT_GAUSSIAN,
        [ACCOUNTANT_DISCRETE_GAUSSIAN] = REPORT_DISCRETE_GAUSSIAN,
        [ACCOUNTANT_CORRELATED] = REPORT_CORRELATED,
        [ACCOUNTANT_DISTRIBUTED] = REPORT_DISTRIBUTED,
    };
    _Static_assert(CN_COUNT(kinds) == ACCOUNTANT_KIND_COUNT, "every kind has its like");

    return (struct report_event){
        .kind =
            (unsigned)event->kind < ACCOUNTANT_KIND_COUNT ? kinds[event->kind] : REPORT_KIND_COUNT,
        .noise_multiplier = event->noise_multiplier,
        .sampling_rate = event->sampling_rate,
        .steps = event->steps,
        .square = event->square,
        .distributed = event->distributed,
    };
}

/* The distributed mechanism's curve when one device's vector is replaced: twice the distance. Half
 * the noise for the distances, the whole noise for tau. */
static enum cn_err distributed_rdp(double *rdp, double order, const struct report_event *event,
                                   double distance)
{
    const struct bounds_distributed *m = &event->distributed;
    struct bounds_sensitivity s;
    double noise, l2, l1, root = sqrt((double)m->dim), first, second, third;

    if (distance == 1)
        return bounds_distributed_rdp(rdp, order, m);
    *rdp = INFINITY;
    CN_TRY(bounds_distributed_sensitivity(&s, m));
    noise = sqrt((double)m->devices) * m->sigma;
    l2 = distance * s.l2 / noise;
    l1 = distance * s.l1 / noise;
    first = order / 2 * l2 * l2 + s.tau * m->dim;
    second = order / 2 * (l2 * l2 + 2 * l1 * s.tau + s.tau * s.tau * m->dim);
    third = order / 2 * (l2 + root * s.tau) * (l2 + root * s.tau);
    *rdp = fmin(first, fmin(second, third)) * ROUND_UP;
    return CN_OK;
}

static enum cn_err gaussian_rdp(double *rdp, double order, const struct report_event *event,
                                double distance)
{
    double z = event->noise_multiplier;

    *rdp = INFINITY;
    if (event->kind == REPORT_CORRELATED) {
        if (!(event->square > 0) || isinf(event->square))
            return CN_E_CONFIG;
        return rdp_gaussian(rdp, order, 1, z / (distance * sqrt(event->square)));
    }
    if (distance > 1 && event->sampling_rate > 0 && event->sampling_rate < 1)
        return CN_OK; /* no bound */
    if (event->kind == REPORT_DISCRETE_GAUSSIAN)
        return rdp_discrete_gaussian(rdp, order, event->sampling_rate, z / distance);
    return rdp_gaussian(rdp, order, event->sampling_rate, z / distance);
}

static enum cn_err step_rdp(double *rdp, double order, const struct report_event *event,
                            double distance)
{
    struct bounds_skellam skellam = event->skellam;

    switch (event->kind) {
    case REPORT_LAPLACE:
        return bounds_laplace_rdp(rdp, order, event->noise_multiplier / distance);
    case REPORT_SKELLAM:
        skellam.l1 *= distance;
        skellam.l2 *= distance;
        return bounds_skellam_rdp(rdp, order, &skellam);
    case REPORT_DISTRIBUTED:
        return distributed_rdp(rdp, order, event, distance);
    case REPORT_GAUSSIAN:
    case REPORT_DISCRETE_GAUSSIAN:
    case REPORT_CORRELATED:
        return gaussian_rdp(rdp, order, event, distance);
    default:
        *rdp = INFINITY;
        return CN_E_CONFIG;
    }
}

/* The composed curve over rdp_orders. */
static enum cn_err curve(double *total, const struct report_event *events, size_t count,
                         double distance)
{
    double step;

    for (size_t e = 0; e < count; e++) {
        if (events[e].steps > ACCOUNTANT_STEPS_MAX)
            return CN_E_CONFIG;
        for (size_t i = 0; i < RDP_ORDERS; i++) {
            CN_TRY(step_rdp(&step, rdp_orders[i], &events[e], distance));
            total[i] += events[e].steps ? (double)events[e].steps * step : 0;
        }
    }
    return CN_OK;
}

struct smooth {
    const struct report_event *events;
    size_t count;
    double distance;
};

/* The composed RDP at any order. Beyond the orders that a Gaussian's formula takes there is none.
 */
static enum cn_err smooth_rdp(double *rdp, double order, const void *ctx)
{
    const struct smooth *all = ctx;
    double total = 0, step;

    *rdp = INFINITY;
    if (order > RDP_ORDER_MAX)
        return CN_OK;
    for (size_t e = 0; e < all->count; e++) {
        CN_TRY(step_rdp(&step, order, &all->events[e], all->distance));
        total += all->events[e].steps ? (double)all->events[e].steps * step : 0;
    }
    *rdp = total;
    return CN_OK;
}

/* Whether every order costs a formula only: then the best of all real orders is looked for. */
static bool all_smooth(const struct report_event *events, size_t count)
{
    bool smooth = count <= SMOOTH_MAX;

    for (size_t e = 0; e < count && smooth; e++)
        smooth =
            (events[e].kind != REPORT_GAUSSIAN && events[e].kind != REPORT_DISCRETE_GAUSSIAN) ||
            !(events[e].sampling_rate > 0 && events[e].sampling_rate < 1);
    return smooth;
}

static enum cn_err by_rdp(struct report *report, const struct report_event *events, size_t count,
                          double distance, double delta)
{
    const struct smooth all = {events, count, distance};
    double total[RDP_ORDERS] = {0}, epsilon, order;

    CN_TRY(curve(total, events, count, distance));
    CN_TRY(rdp_epsilon(&report->epsilon_rdp, &report->rdp_order, rdp_orders, total, RDP_ORDERS,
                       delta));
    if (all_smooth(events, count)) {
        CN_TRY(bounds_rdp_epsilon(&epsilon, &order, smooth_rdp, &all, 1, delta));
        if (epsilon < report->epsilon_rdp) {
            report->epsilon_rdp = epsilon;
            report->rdp_order = order;
        }
    }
    report->epsilon_rdp *= ROUND_UP;
    return CN_OK;
}

enum cn_err report_rdp(double *rdp, double order, const struct report_event *events, size_t count,
                       enum pld_adjacency adjacency)
{
    const struct smooth all = {events, count, adjacency == PLD_REPLACE_ONE ? 2 : 1};

    *rdp = INFINITY;
    if (!(order > 1 && order <= RDP_ORDER_MAX))
        return CN_E_CONFIG;
    return smooth_rdp(rdp, order, &all);
}

/* False for kinds without a loss distribution. */
static bool pld_event_of(struct pld_event *out, const struct report_event *event)
{
    *out = (struct pld_event){PLD_GAUSSIAN, event->noise_multiplier, event->sampling_rate,
                              event->steps, 0};
    if (event->kind == REPORT_LAPLACE)
        out->mechanism = PLD_LAPLACE;
    if (event->kind == REPORT_LAPLACE || event->kind == REPORT_CORRELATED)
        out->sampling_rate = 1;
    if (event->kind == REPORT_CORRELATED)
        out->noise = event->noise_multiplier / sqrt(event->square);
    if (event->kind == REPORT_DISCRETE_GAUSSIAN)
        out->noise *= GRID_LOSS;
    if (event->kind == REPORT_DISCRETE_GAUSSIAN && event->sensitivity) {
        out->mechanism = PLD_DISCRETE_GAUSSIAN;
        out->noise = event->noise_multiplier * event->sensitivity;
        out->sensitivity = event->sensitivity;
    }
    return event->kind != REPORT_SKELLAM && event->kind != REPORT_DISTRIBUTED;
}

/* Makes the list for pld, to free; *has is false when a kind has no loss distribution. */
static enum cn_err pld_list(struct pld_event **list, bool *has, const struct report_event *events,
                            size_t count)
{
    *list = calloc(count + 1, sizeof **list);
    if (!*list)
        return CN_E_NOMEM;
    *has = true;
    for (size_t e = 0; e < count; e++)
        *has &= pld_event_of(&(*list)[e], &events[e]);
    return CN_OK;
}

static enum cn_err by_pld(struct report *report, const struct report_event *events, size_t count,
                          enum pld_adjacency adjacency, double delta)
{
    struct pld_event *list;
    struct pld_bracket epsilon;
    enum cn_err err = CN_OK;

    CN_TRY(pld_list(&list, &report->has_pld, events, count));
    if (report->has_pld) {
        err = pld_epsilon(&epsilon, list, count, adjacency, delta);
        report->epsilon_pld = epsilon.upper;
        report->epsilon_pld_lower = err == CN_OK ? epsilon.lower : 0;
    }
    free(list);
    return err;
}

enum cn_err report_pld(struct pld_bracket *epsilon, bool *has, const struct report_event *event,
                       enum pld_adjacency adjacency, double delta)
{
    struct pld_event same;

    *epsilon = (struct pld_bracket){INFINITY, INFINITY};
    *has = pld_event_of(&same, event);
    return *has ? pld_epsilon(epsilon, &same, 1, adjacency, delta) : CN_OK;
}

static enum cn_err fill(struct report *report, const struct report_event *events, size_t count,
                        enum pld_adjacency adjacency, double delta)
{
    if (count > PLD_EVENTS_MAX || !(delta >= 0 && delta < 1) ||
        (delta > 0 && delta < PLD_DELTA_MIN))
        return CN_E_CONFIG;
    if (delta > 0) /* at delta 0 RDP proves nothing */
        CN_TRY(by_rdp(report, events, count, adjacency == PLD_REPLACE_ONE ? 2 : 1, delta));
    return by_pld(report, events, count, adjacency, delta);
}

enum cn_err report_make(struct report *report, const struct report_event *events, size_t count,
                        enum pld_adjacency adjacency, double delta)
{
    static const struct report nothing = {INFINITY, 0, INFINITY, 0, false, INFINITY};
    enum cn_err err;

    *report = nothing;
    err = fill(report, events, count, adjacency, delta);
    if (err != CN_OK)
        *report = nothing;
    report->epsilon = fmin(report->epsilon_rdp, report->epsilon_pld);
    return err;
}

enum cn_err report_unsampled(struct report *report, const struct report_event *events, size_t count,
                             enum pld_adjacency adjacency, double delta)
{
    struct report_event *list = calloc(count + 1, sizeof *list);
    enum cn_err err;

    if (!list)
        return CN_E_NOMEM;
    for (size_t e = 0; e < count; e++) {
        list[e] = events[e];
        list[e].sampling_rate = events[e].sampling_rate > 0 ? 1 : 0;
    }
    err = report_make(report, list, count, adjacency, delta);
    free(list);
    return err;
}

static enum cn_err fill_delta(struct report_delta *report, const struct report_event *events,
                              size_t count, enum pld_adjacency adjacency, double epsilon)
{
    const struct smooth all = {events, count, adjacency == PLD_REPLACE_ONE ? 2 : 1};
    double total[RDP_ORDERS] = {0}, smooth, order;
    struct pld_event *list;
    struct pld_bracket delta;
    enum cn_err err = CN_OK;

    if (count > PLD_EVENTS_MAX || !(epsilon >= 0) || isinf(epsilon))
        return CN_E_CONFIG;
    CN_TRY(curve(total, events, count, all.distance));
    CN_TRY(
        rdp_delta(&report->delta_rdp, &report->rdp_order, rdp_orders, total, RDP_ORDERS, epsilon));
    if (all_smooth(events, count)) {
        CN_TRY(bounds_rdp_delta(&smooth, &order, smooth_rdp, &all, 1, epsilon));
        if (smooth < report->delta_rdp) {
            report->delta_rdp = smooth;
            report->rdp_order = order;
        }
    }
    report->delta_rdp = fmin(report->delta_rdp * ROUND_UP, 1);
    CN_TRY(pld_list(&list, &report->has_pld, events, count));
    if (report->has_pld) {
        err = pld_delta(&delta, list, count, adjacency, epsilon);
        report->delta_pld = fmin(delta.upper, 1);
        report->delta_pld_lower = delta.lower;
    }
    free(list);
    return err;
}

enum cn_err report_delta_make(struct report_delta *report, const struct report_event *events,
                              size_t count, enum pld_adjacency adjacency, double epsilon)
{
    static const struct report_delta nothing = {1, 0, 1, 0, false, 1};
    enum cn_err err;

    *report = nothing;
    err = fill_delta(report, events, count, adjacency, epsilon);
    if (err != CN_OK)
        *report = nothing;
    report->delta = fmin(report->delta_rdp, report->delta_pld);
    return err;
}
