/* SPDX-License-Identifier: Apache-2.0 */
/* Composition: the RDP of a sequence is the sum of its parts', order by order. */
#include "privacy/accountant.h"

#include <math.h>
#include <string.h>

/* More than the rounding of any sum here can take away. */
#define ROUND_UP (1.0 + 1e-12)
#define CALIBRATE_PRECISION 1e-7

static const char *const kind_names[] = {
#define X(name, text) text,
    ACCOUNTANT_KINDS(X)
#undef X
};
_Static_assert(CN_COUNT(kind_names) == ACCOUNTANT_KIND_COUNT, "one name per kind");

#define FIELD(name, type, member)                                                                  \
    {                                                                                              \
        name, ACCOUNTANT_##type, offsetof(struct accountant_event, member)                         \
    }
#define STEPS FIELD("steps", U64, steps)

/* clang-format off */
static const struct accountant_field sampled_fields[] = {
    FIELD("noise_multiplier", REAL, noise_multiplier),
    FIELD("sampling_rate", REAL, sampling_rate),
    STEPS,
};
static const struct accountant_field correlated_fields[] = {
    FIELD("noise_multiplier", REAL, noise_multiplier),
    FIELD("square", REAL, square),
    STEPS,
};
static const struct accountant_field distributed_fields[] = {
    FIELD("devices", U32, distributed.devices),
    FIELD("dim", U32, distributed.dim),
    FIELD("clip", REAL, distributed.clip),
    FIELD("scale", REAL, distributed.scale),
    FIELD("beta", REAL, distributed.beta),
    FIELD("sigma", REAL, distributed.sigma),
    STEPS,
};
static const struct {
    const struct accountant_field *fields;
    size_t count;
} kind_fields[] = {
    [ACCOUNTANT_GAUSSIAN] = {sampled_fields, CN_COUNT(sampled_fields)},
    [ACCOUNTANT_DISCRETE_GAUSSIAN] = {sampled_fields, CN_COUNT(sampled_fields)},
    [ACCOUNTANT_CORRELATED] = {correlated_fields, CN_COUNT(correlated_fields)},
    [ACCOUNTANT_DISTRIBUTED] = {distributed_fields, CN_COUNT(distributed_fields)},
};
/* clang-format on */
_Static_assert(CN_COUNT(kind_fields) == ACCOUNTANT_KIND_COUNT, "fields of every kind");

const struct accountant_field *accountant_fields(enum accountant_kind kind, size_t *count)
{
    bool known = (unsigned)kind < ACCOUNTANT_KIND_COUNT;

    *count = known ? kind_fields[kind].count : 0;
    return known ? kind_fields[kind].fields : NULL;
}

static double value_of(const struct accountant_event *event, const struct accountant_field *field)
{
    const uint8_t *at = (const uint8_t *)event + field->offset;
    uint32_t narrow;
    uint64_t whole;
    double real;

    switch (field->type) {
    case ACCOUNTANT_U32:
        memcpy(&narrow, at, sizeof narrow);
        return narrow;
    case ACCOUNTANT_U64:
        memcpy(&whole, at, sizeof whole);
        return (double)whole;
    case ACCOUNTANT_REAL:
        break;
    }
    memcpy(&real, at, sizeof real);
    return real;
}

bool accountant_same_step(const struct accountant_event *a, const struct accountant_event *b)
{
    size_t count;
    const struct accountant_field *fields = accountant_fields(a->kind, &count);

    if (a->kind != b->kind)
        return false;
    for (size_t i = 0; i + 1 < count; i++) { /* the last are the steps */
        double x = value_of(a, &fields[i]), y = value_of(b, &fields[i]);

        if (x < y || x > y)
            return false;
    }
    return true;
}

const char *accountant_kind_name(enum accountant_kind kind)
{
    return (unsigned)kind < ACCOUNTANT_KIND_COUNT ? kind_names[kind] : "unknown";
}

enum cn_err accountant_kind_parse(enum accountant_kind *kind, const char *name)
{
    for (unsigned i = 0; i < ACCOUNTANT_KIND_COUNT; i++) {
        if (strcmp(name, kind_names[i]) == 0) {
            *kind = (enum accountant_kind)i;
            return CN_OK;
        }
    }
    return CN_E_PARSE;
}

static bool sigma_ok(double sigma)
{
    return sigma >= RDP_SIGMA_MIN && sigma <= RDP_SIGMA_MAX;
}

enum cn_err accountant_event_check(const struct accountant_event *event)
{
    double rdp;
    bool ok = event->steps <= ACCOUNTANT_STEPS_MAX;

    switch (event->kind) {
    case ACCOUNTANT_GAUSSIAN:
    case ACCOUNTANT_DISCRETE_GAUSSIAN:
        ok &= sigma_ok(event->noise_multiplier) && event->sampling_rate >= 0 &&
              event->sampling_rate <= 1;
        break;
    case ACCOUNTANT_CORRELATED:
        ok &= event->square > 0 && sigma_ok(event->noise_multiplier / sqrt(event->square));
        break;
    case ACCOUNTANT_DISTRIBUTED:
        ok &= bounds_distributed_rdp(&rdp, 2, &event->distributed) == CN_OK;
        break;
    default:
        ok = false;
    }
    return ok ? CN_OK : CN_E_CONFIG;
}

void accountant_init(struct accountant *a)
{
    memset(a, 0, sizeof *a);
}

static enum cn_err step_rdp(double *rdp, double order, const struct accountant_event *event)
{
    switch (event->kind) {
    case ACCOUNTANT_GAUSSIAN:
        return rdp_gaussian(rdp, order, event->sampling_rate, event->noise_multiplier);
    case ACCOUNTANT_DISCRETE_GAUSSIAN:
        return rdp_discrete_gaussian(rdp, order, event->sampling_rate, event->noise_multiplier);
    case ACCOUNTANT_CORRELATED:
        return rdp_gaussian(rdp, order, 1, event->noise_multiplier / sqrt(event->square));
    case ACCOUNTANT_DISTRIBUTED:
        return bounds_distributed_rdp(rdp, order, &event->distributed);
    default:
        *rdp = INFINITY;
        return CN_E_CONFIG;
    }
}

static enum cn_err fill_step(double rdp[RDP_ORDERS], const struct accountant_event *event)
{
    for (size_t i = 0; i < RDP_ORDERS; i++)
        CN_TRY(step_rdp(&rdp[i], rdp_orders[i], event));
    return CN_OK;
}

enum cn_err accountant_add(struct accountant *a, const struct accountant_event *event)
{
    CN_TRY(accountant_event_check(event));
    if (event->steps == 0)
        return CN_OK;
    if (a->last.steps == 0 || !accountant_same_step(&a->last, event)) {
        double step[RDP_ORDERS];

        CN_TRY(fill_step(step, event));
        memcpy(a->last_rdp, step, sizeof step);
        a->last = *event;
    }
    for (size_t i = 0; i < RDP_ORDERS; i++)
        a->rdp[i] += (double)event->steps * a->last_rdp[i];
    a->events++;
    return CN_OK;
}

enum cn_err accountant_epsilon(const struct accountant *a, double delta, double *epsilon,
                               double *order)
{
    CN_TRY(rdp_epsilon(epsilon, order, rdp_orders, a->rdp, RDP_ORDERS, delta));
    *epsilon *= ROUND_UP;
    return CN_OK;
}

enum cn_err accountant_delta(const struct accountant *a, double epsilon, double *delta,
                             double *order)
{
    CN_TRY(rdp_delta(delta, order, rdp_orders, a->rdp, RDP_ORDERS, epsilon));
    *delta = fmin(1.0, *delta * ROUND_UP);
    return CN_OK;
}

static enum cn_err price(double *epsilon, struct accountant_event event, double noise_multiplier,
                         double delta)
{
    struct accountant a;

    accountant_init(&a);
    event.noise_multiplier = noise_multiplier;
    CN_TRY(accountant_add(&a, &event));
    return accountant_epsilon(&a, delta, epsilon, NULL);
}

/* Where ln price = ln target on logarithms of the noise: high always meets the target. */
struct search {
    const struct accountant_event *event;
    double target, delta;
    double low, f_low, high, f_high;
};

static enum cn_err search_at(double *f, const struct search *search, double log_noise)
{
    double epsilon, noise = fmin(fmax(exp(log_noise), RDP_SIGMA_MIN), RDP_SIGMA_MAX);

    CN_TRY(price(&epsilon, *search->event, noise, search->delta));
    *f = log(fmax(epsilon, 1e-12) / search->target);
    return CN_OK;
}

/* From noise 1 outwards, because a price at very little noise takes long to compute. */
static enum cn_err search_bracket(struct search *search)
{
    double f;

    CN_TRY(search_at(&f, search, 0));
    search->low = search->high = 0;
    search->f_low = search->f_high = f;
    while (search->f_high > 0) {
        if (search->high >= log(RDP_SIGMA_MAX))
            return CN_E_BUDGET;
        search->low = search->high;
        search->f_low = search->f_high;
        search->high += fmin(fmax(1.1 * search->f_high, 0.1), 3);
        CN_TRY(search_at(&search->f_high, search, search->high));
    }
    while (search->f_low <= 0 && search->low > log(RDP_SIGMA_MIN)) {
        search->high = search->low;
        search->f_high = search->f_low;
        search->low -= fmin(fmax(-0.6 * search->f_low, 0.1), 0.7);
        CN_TRY(search_at(&search->f_low, search, search->low));
    }
    if (search->f_low <= 0) /* the least that is accounted is enough */
        search->high = search->low;
    return CN_OK;
}

/* Regula falsi, Illinois; every fourth time the middle, against jumps. */
static enum cn_err search_run(struct search *search)
{
    double weight_low = 1, weight_high = 1, f;
    int side = 0;

    CN_TRY(search_bracket(search));
    for (int i = 1; search->high - search->low > CALIBRATE_PRECISION; i++) {
        double a = weight_low * search->f_low, b = weight_high * search->f_high;
        double share = i % 4 ? a / (a - b) : 0.5, edge = CALIBRATE_PRECISION / 3;
        double at = search->low + (search->high - search->low) * share + edge;

        at = fmin(fmax(at, search->low + edge), search->high - edge);
        CN_TRY(search_at(&f, search, at));
        if (f <= 0) {
            search->high = at;
            search->f_high = f;
            weight_high = 1;
            weight_low = side == 1 ? weight_low / 2 : 1;
            side = 1;
        } else {
            search->low = at;
            search->f_low = f;
            weight_low = 1;
            weight_high = side == -1 ? weight_high / 2 : 1;
            side = -1;
        }
    }
    return CN_OK;
}

enum cn_err accountant_calibrate(struct accountant_event *event, double epsilon, double delta)
{
    struct accountant_event checked = *event;
    struct search search;

    event->noise_multiplier = 0;
    checked.noise_multiplier = 1;
    if (event->kind == ACCOUNTANT_DISTRIBUTED)
        return CN_E_CONFIG;
    CN_TRY(accountant_event_check(&checked));
    if (!(epsilon > 0) || !isfinite(epsilon) || !(delta > 0 && delta < 1))
        return CN_E_CONFIG;
    search = (struct search){&checked, epsilon, delta, 0, 0, 0, 0};
    CN_TRY(search_run(&search));
    event->noise_multiplier = fmin(fmax(exp(search.high), RDP_SIGMA_MIN), RDP_SIGMA_MAX);
    return CN_OK;
}
