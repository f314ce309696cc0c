/* SPDX-License-Identifier: Apache-2.0 */
/* What a sequence of mechanisms costs: composition in RDP over the shared grid of orders. */
#ifndef CAIRN_PRIVACY_ACCOUNTANT_H
#define CAIRN_PRIVACY_ACCOUNTANT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "privacy/rdp.h"

/* clang-format off */
#define ACCOUNTANT_KINDS(X) \
    X(GAUSSIAN,          "gaussian")          /* Poisson-subsampled Gaussian, real-valued */ \
    X(DISCRETE_GAUSSIAN, "discrete_gaussian") /* the same on integers: noise_gradient's */
/* clang-format on */

enum accountant_kind {
#define X(name, text) ACCOUNTANT_##name,
    ACCOUNTANT_KINDS(X)
#undef X
        ACCOUNTANT_KIND_COUNT
};

#define ACCOUNTANT_KIND_TEXT_MAX 24
#define ACCOUNTANT_STEPS_MAX ((uint64_t)1 << 40)

struct accountant_event {
    enum accountant_kind kind;
    double noise_multiplier; /* sigma / sensitivity */
    double sampling_rate;    /* each record is in a step with this probability, independently */
    uint64_t steps;          /* so many steps alike */
};

struct accountant {
    double rdp[RDP_ORDERS];       /* composed so far */
    uint64_t events;              /* added so far */
    struct accountant_event last; /* of which last_rdp is the cost of one step; steps 0: none */
    double last_rdp[RDP_ORDERS];
};

/* "gaussian", "discrete_gaussian"; "unknown" for anything else. */
const char *accountant_kind_name(enum accountant_kind kind);

/* CN_E_PARSE for a name that no kind has. */
enum cn_err accountant_kind_parse(enum accountant_kind *kind, const char *name);

/* CN_OK if the event can be accounted: a known kind, noise multiplier RDP_SIGMA_MIN ..
 * RDP_SIGMA_MAX, rate in [0, 1], steps up to ACCOUNTANT_STEPS_MAX. CN_E_CONFIG otherwise. */
enum cn_err accountant_event_check(const struct accountant_event *event);

/* Nothing spent. */
void accountant_init(struct accountant *a);

/* Composes one event. CN_E_CONFIG as accountant_event_check, a is then unchanged. About a
 * millisecond for a new kind of step, a microsecond for one like the last. */
enum cn_err accountant_add(struct accountant *a, const struct accountant_event *event);

/* The epsilon at delta, rounded up; 0 when nothing was added. order may be NULL.
 * CN_E_CONFIG unless 0 < delta < 1; *epsilon is then infinite. */
enum cn_err accountant_epsilon(const struct accountant *a, double delta, double *epsilon,
                               double *order);

/* The delta at epsilon >= 0; 0 when nothing was added. order may be NULL. */
enum cn_err accountant_delta(const struct accountant *a, double epsilon, double *delta,
                             double *order);

/* Fills event->noise_multiplier with the smallest one, rounded up by at most 1e-6 relative, for
 * which event's steps of event's kind at event's rate cost at most epsilon at delta.
 * CN_E_CONFIG for parameters out of range; CN_E_BUDGET when no noise multiplier up to RDP_SIGMA_MAX
 * achieves it. event->noise_multiplier is 0 on failure. */
enum cn_err accountant_calibrate(struct accountant_event *event, double epsilon, double delta);

#endif
