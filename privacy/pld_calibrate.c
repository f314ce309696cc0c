/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest noise within a budget, by the accountant of pld. */
#include <math.h>

#include "privacy/pld.h"

#define PRECISION 6e-7 /* of the logarithm of the noise */

/* Looks for ln epsilon(ln noise) = ln target, which is nearly a line, by regula falsi (Illinois);
 * high always meets the target, so rounding is up. */
struct search {
    struct pld_event event;
    enum pld_adjacency adjacency;
    double target, delta;
    double low, f_low, high, f_high; /* logarithms of noise, and of epsilon / target there */
};

static enum cn_err search_at(double *f, struct search *search, double log_noise)
{
    struct pld_bracket epsilon;

    search->event.noise = fmin(fmax(exp(log_noise), PLD_NOISE_MIN), PLD_NOISE_MAX);
    CN_TRY(pld_epsilon(&epsilon, &search->event, 1, search->adjacency, search->delta));
    *f = log(fmax(epsilon.upper, 1e-12) / search->target);
    return CN_OK;
}

/* Finds a bracket by doubling from noise 1. */
static enum cn_err search_bracket(struct search *search)
{
    double at = 0, f;

    CN_TRY(search_at(&f, search, at));
    search->low = search->high = at;
    search->f_low = search->f_high = f;
    while (search->f_high > 0) {
        if (search->high >= log(PLD_NOISE_MAX))
            return CN_E_BUDGET;
        search->low = search->high;
        search->f_low = search->f_high;
        search->high += fmin(fmax(1.2 * search->f_high, 0.2), 3);
        CN_TRY(search_at(&search->f_high, search, search->high));
    }
    while (search->f_low <= 0 && search->low > log(PLD_NOISE_MIN)) {
        search->high = search->low;
        search->f_high = search->f_low;
        search->low -= fmin(fmax(-0.7 * search->f_low, 0.2), 1);
        CN_TRY(search_at(&search->f_low, search, search->low));
    }
    if (search->f_low <= 0) /* the least that is accounted is enough */
        search->high = search->low;
    return CN_OK;
}

static enum cn_err search_run(struct search *search)
{
    double weight_low = 1, weight_high = 1, f;
    int side = 0;

    CN_TRY(search_bracket(search));
    for (int i = 1; search->f_low > 0 && search->high - search->low > PRECISION; i++) {
        double a = weight_low * search->f_low, b = weight_high * search->f_high;
        double share = i % 4 ? a / (a - b) : 0.5; /* now and then the middle, against jumps */
        double at = search->low + (search->high - search->low) * share;

        /* a little beyond the estimate, so that both sides close in */
        at = fmin(fmax(at + PRECISION / 3, search->low + PRECISION / 6),
                  search->high - PRECISION / 6);
        CN_TRY(search_at(&f, search, at));
        if (f <= 0) {
            search->high = at;
            search->f_high = f;
            weight_high = 1;
            weight_low = side == 1 ? weight_low / 2 : 1;
            side = 1;
            if (f > -PRECISION / 6)
                break;
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

enum cn_err pld_calibrate(double *noise, const struct pld_event *event,
                          enum pld_adjacency adjacency, double epsilon, double delta)
{
    struct search search = {*event, adjacency, epsilon, delta, 0, 0, 0, 0};

    *noise = 0;
    if (!(epsilon > 0) || isinf(epsilon) || event->mechanism == PLD_DISCRETE_GAUSSIAN)
        return CN_E_CONFIG;
    CN_TRY(search_run(&search));
    *noise = fmin(fmax(exp(search.high), PLD_NOISE_MIN), PLD_NOISE_MAX);
    return CN_OK;
}
