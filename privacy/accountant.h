/* SPDX-License-Identifier: Apache-2.0 */
/* What a sequence of mechanisms costs: composition in RDP over the shared grid of orders. */
#ifndef CAIRN_PRIVACY_ACCOUNTANT_H
#define CAIRN_PRIVACY_ACCOUNTANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "privacy/bounds.h"
#include "privacy/rdp.h"

/* clang-format off */
#define ACCOUNTANT_KINDS(X) \
    X(GAUSSIAN,          "gaussian")          /* Poisson-subsampled Gaussian, real-valued */ \
    X(DISCRETE_GAUSSIAN, "discrete_gaussian") /* the same on integers: noise_gradient's */ \
    X(CORRELATED,        "correlated")        /* one participation in correlated.h's noise */ \
    X(DISTRIBUTED,       "distributed_discrete_gaussian") /* a sum of devices' noise */
/* clang-format on */

enum accountant_kind {
#define X(name, text) ACCOUNTANT_##name,
    ACCOUNTANT_KINDS(X)
#undef X
        ACCOUNTANT_KIND_COUNT
};

#define ACCOUNTANT_KIND_TEXT_MAX 32
#define ACCOUNTANT_STEPS_MAX ((uint64_t)1 << 40)

struct accountant_event {
    enum accountant_kind kind;
    double noise_multiplier; /* sigma / sensitivity; of all kinds but DISTRIBUTED */
    double sampling_rate; /* each record is in a step with this probability, independently; of the
                             first two kinds, nothing is sampled in the others */
    uint64_t steps;       /* so many steps alike */
    double square; /* CORRELATED: squared norm of what one participation moves, in clip norms */
    struct bounds_distributed distributed; /* DISTRIBUTED */
};

/* The parameters of a kind, in the order in which ledgers and programs name them. */
enum accountant_field_type { ACCOUNTANT_REAL, ACCOUNTANT_U32, ACCOUNTANT_U64 };

struct accountant_field {
    const char *name;
    enum accountant_field_type type;
    size_t offset; /* in struct accountant_event */
};

/* Gives the fields of a kind and their count; none for what is no kind. */
const struct accountant_field *accountant_fields(enum accountant_kind kind, size_t *count);

/* Whether two events are of the same step, whatever their numbers of steps. */
bool accountant_same_step(const struct accountant_event *a, const struct accountant_event *b);

struct accountant {
    double rdp[RDP_ORDERS];       /* composed so far */
    uint64_t events;              /* added so far */
    struct accountant_event last; /* of which last_rdp is the cost of one step; steps 0: none */
    double last_rdp[RDP_ORDERS];
};

/* "gaussian", "discrete_gaussian", ..; "unknown" for anything else. */
const char *accountant_kind_name(enum accountant_kind kind);

/* CN_E_PARSE for a name that no kind has. */
enum cn_err accountant_kind_parse(enum accountant_kind *kind, const char *name);

/* CN_OK if the event can be accounted: a known kind, noise multiplier RDP_SIGMA_MIN ..
 * RDP_SIGMA_MAX, rate in [0, 1], square > 0, steps up to ACCOUNTANT_STEPS_MAX; of DISTRIBUTED what
 * bounds.h asks. CN_E_CONFIG otherwise. */
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

/* Fills event->noise_multiplier with the smallest one, rounded up by at most 1e-7 relative, for
 * which event's steps of event's kind at event's rate cost at most epsilon at delta.
 * CN_E_CONFIG for parameters out of range and for DISTRIBUTED, whose noise is not one number;
 * CN_E_BUDGET when no noise multiplier up to RDP_SIGMA_MAX achieves it. event->noise_multiplier is
 * 0 on failure. */
enum cn_err accountant_calibrate(struct accountant_event *event, double epsilon, double delta);

#endif
