/* SPDX-License-Identifier: Apache-2.0 */
/* The formulas stand in gaussian and bounds; here is which of them an event is. */
#include "privacy/pld_exact.h"

#include <math.h>

#include "privacy/bounds.h"
#include "privacy/gaussian.h"

#define UNSURE 1e-12 /* relative: what the formulas may lose to rounding */

static double distance(enum pld_adjacency adjacency)
{
    return adjacency == PLD_REPLACE_ONE ? 2 : 1;
}

bool pld_exact_knows(const struct pld_event *event, enum pld_adjacency adjacency)
{
    double sigma = event->noise / distance(adjacency) / sqrt((double)event->steps);

    if (event->sampling_rate < 1 || event->steps == 0)
        return false;
    if (event->mechanism == PLD_GAUSSIAN)
        return sigma >= GAUSSIAN_SIGMA_MIN && sigma <= GAUSSIAN_SIGMA_MAX;
    return event->steps == 1;
}

/* At one epsilon; 1 is never too little. */
static enum cn_err delta_at(double *delta, const struct pld_event *event,
                            enum pld_adjacency adjacency, double epsilon)
{
    double apart = distance(adjacency), log_delta;

    *delta = 1;
    switch (event->mechanism) {
    case PLD_GAUSSIAN:
        CN_TRY(gaussian_log_delta(&log_delta, event->noise / apart / sqrt((double)event->steps),
                                  epsilon));
        *delta = exp(log_delta);
        return CN_OK;
    case PLD_LAPLACE:
        *delta = fmax(0, -expm1((epsilon - apart / event->noise) / 2));
        return CN_OK;
    default:
        return bounds_discrete_delta(delta, event->noise * event->noise,
                                     (uint32_t)apart * event->sensitivity, epsilon);
    }
}

/* The discrete Gaussian's by halving; high always keeps delta. Its loss is nowhere above what the
 * first high has left beyond it: no term of the sum is. */
static enum cn_err discrete_epsilon(double *epsilon, const struct pld_event *event,
                                    enum pld_adjacency adjacency, double delta)
{
    double apart = distance(adjacency) * event->sensitivity, at;
    double low = 0, high = apart * (82 * event->noise + 16 + apart) / (2 * event->noise);

    high /= event->noise;
    CN_TRY(delta_at(&at, event, adjacency, high));
    if (at > delta)
        return CN_E_CONFIG;
    CN_TRY(delta_at(&at, event, adjacency, 0));
    if (at <= delta)
        high = 0;
    while (high - low > high * 1e-14) {
        double middle = 0.5 * (low + high);

        CN_TRY(delta_at(&at, event, adjacency, middle));
        if (at <= delta)
            high = middle;
        else
            low = middle;
    }
    *epsilon = high;
    return CN_OK;
}

enum cn_err pld_exact_epsilon(struct pld_bracket *epsilon, const struct pld_event *event,
                              enum pld_adjacency adjacency, double delta)
{
    double apart = distance(adjacency), exact = INFINITY;
    enum cn_err err;

    *epsilon = (struct pld_bracket){INFINITY, INFINITY};
    if (event->mechanism == PLD_GAUSSIAN)
        err = gaussian_epsilon(&exact, event->noise / apart / sqrt((double)event->steps), delta);
    else if (event->mechanism == PLD_LAPLACE)
        err = bounds_laplace_epsilon(&exact, event->noise / apart, delta);
    else
        err = discrete_epsilon(&exact, event, adjacency, delta);
    CN_TRY(err);
    *epsilon = (struct pld_bracket){exact * (1 + UNSURE), exact * (1 - UNSURE)};
    return CN_OK;
}

enum cn_err pld_exact_delta(struct pld_bracket *delta, const struct pld_event *event,
                            enum pld_adjacency adjacency, double epsilon)
{
    double exact;

    *delta = (struct pld_bracket){1, 1};
    CN_TRY(delta_at(&exact, event, adjacency, epsilon));
    *delta = (struct pld_bracket){fmin(1, exact * (1 + UNSURE)), exact * (1 - UNSURE)};
    return CN_OK;
}
