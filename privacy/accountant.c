/* SPDX-License-Identifier: Apache-2.0 */
/* Composition: the RDP of a sequence is the sum of its parts', order by order. */
#include "privacy/accountant.h"

#include <math.h>
#include <string.h>

/* More than the rounding of any sum here can take away. */
#define ROUND_UP (1.0 + 1e-12)
#define CALIBRATE_PRECISION 1e-6

static const char *const kind_names[] = {
#define X(name, text) text,
    ACCOUNTANT_KINDS(X)
#undef X
};
_Static_assert(CN_COUNT(kind_names) == ACCOUNTANT_KIND_COUNT, "one name per kind");

typedef enum cn_err (*step_rdp)(double *rdp, double order, double q, double sigma);

static const step_rdp kind_steps[] = {
    [ACCOUNTANT_GAUSSIAN] = rdp_gaussian,
    [ACCOUNTANT_DISCRETE_GAUSSIAN] = rdp_discrete_gaussian,
};
_Static_assert(CN_COUNT(kind_steps) == ACCOUNTANT_KIND_COUNT, "one curve per kind");

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

enum cn_err accountant_event_check(const struct accountant_event *event)
{
    bool ok = (unsigned)event->kind < ACCOUNTANT_KIND_COUNT &&
              event->noise_multiplier >= RDP_SIGMA_MIN &&
              event->noise_multiplier <= RDP_SIGMA_MAX && event->sampling_rate >= 0 &&
              event->sampling_rate <= 1 && event->steps <= ACCOUNTANT_STEPS_MAX;

    return ok ? CN_OK : CN_E_CONFIG;
}

void accountant_init(struct accountant *a)
{
    memset(a, 0, sizeof *a);
}

static bool same_step(const struct accountant_event *a, const struct accountant_event *b)
{
    return a->kind == b->kind && a->noise_multiplier == b->noise_multiplier &&
           a->sampling_rate == b->sampling_rate;
}

static enum cn_err fill_step(double rdp[RDP_ORDERS], const struct accountant_event *event)
{
    for (size_t i = 0; i < RDP_ORDERS; i++)
        CN_TRY(kind_steps[event->kind](&rdp[i], rdp_orders[i], event->sampling_rate,
                                       event->noise_multiplier));
    return CN_OK;
}

enum cn_err accountant_add(struct accountant *a, const struct accountant_event *event)
{
    CN_TRY(accountant_event_check(event));
    if (event->steps == 0)
        return CN_OK;
    if (a->last.steps == 0 || !same_step(&a->last, event)) {
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

/* Bisection on the logarithm; high always meets the target, so rounding is up. */
static enum cn_err bisect(double *noise_multiplier, const struct accountant_event *event,
                          double target, double delta)
{
    double low = RDP_SIGMA_MIN, high = RDP_SIGMA_MAX, epsilon;

    CN_TRY(price(&epsilon, *event, high, delta));
    if (epsilon > target)
        return CN_E_BUDGET;
    while (high / low > 1 + CALIBRATE_PRECISION) {
        double middle = sqrt(low * high);

        CN_TRY(price(&epsilon, *event, middle, delta));
        if (epsilon <= target)
            high = middle;
        else
            low = middle;
    }
    *noise_multiplier = high;
    return CN_OK;
}

enum cn_err accountant_calibrate(struct accountant_event *event, double epsilon, double delta)
{
    struct accountant_event checked = *event;

    event->noise_multiplier = 0;
    checked.noise_multiplier = 1;
    CN_TRY(accountant_event_check(&checked));
    if (!(epsilon > 0) || !isfinite(epsilon) || !(delta > 0 && delta < 1))
        return CN_E_CONFIG;
    return bisect(&event->noise_multiplier, &checked, epsilon, delta);
}
