/* SPDX-License-Identifier: Apache-2.0 */
/* One answer for any list of mechanisms: what they cost together, by every accountant that can say.
 *
 * Sampled events hold against whoever does not see which records were drawn; against the one who
 * does (an aggregator that picks the devices), ask again with sampling_rate 1: report_unsampled. */
#ifndef CAIRN_PRIVACY_REPORT_H
#define CAIRN_PRIVACY_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "privacy/accountant.h"
#include "privacy/bounds.h"
#include "privacy/pld.h"

/* clang-format off */
#define REPORT_KINDS(X) \
    X(GAUSSIAN,          "gaussian")          /* noise_multiplier, sampling_rate */ \
    X(DISCRETE_GAUSSIAN, "discrete_gaussian") /* the same on noise_gradient's fine grid */ \
    X(LAPLACE,           "laplace")           /* noise_multiplier: scale / sensitivity */ \
    X(CORRELATED,        "correlated")        /* noise_multiplier, square (see tree.h) */ \
    X(SKELLAM,           "skellam")           /* skellam */ \
    X(DISTRIBUTED,       "distributed_discrete_gaussian") /* distributed */
/* clang-format on */

enum report_kind {
#define X(name, text) REPORT_##name,
    REPORT_KINDS(X)
#undef X
        REPORT_KIND_COUNT
};

struct report_event {
    enum report_kind kind;
    double noise_multiplier;
    double sampling_rate; /* the first two kinds; of no meaning for the others */
    uint64_t steps;
    double square; /* squared sensitivity of a whole run, in units of one contribution */
    struct bounds_skellam skellam;
    struct bounds_distributed distributed;
    uint32_t sensitivity; /* discrete Gaussian of one whole number that a record moves by so many
                             units; its sigma is noise_multiplier * sensitivity. 0: fine grid */
};

struct report {
    double epsilon_rdp; /* infinite where RDP has no bound: sampling with replacement neighbours */
    double rdp_order;   /* the order that proves it */
    double
        epsilon_pld; /* infinite, with has_pld false, when a kind has no loss distribution here */
    double epsilon_pld_lower;
    bool has_pld;
    double epsilon; /* the smaller of the two: what may be promised */
};

/* "gaussian", ..; "unknown" for anything else. CN_E_PARSE for a name that no kind has. */
const char *report_kind_name(enum report_kind kind);
enum cn_err report_kind_parse(enum report_kind *kind, const char *name);

/* Whether two events are of the same step, whatever their numbers of steps. */
bool report_same_step(const struct report_event *a, const struct report_event *b);

/* What a ledger wrote, as an event here. */
struct report_event report_event_of(const struct accountant_event *event);

/* Fills the report. Replacing one record doubles every distance (Skellam's and the distributed
 * mechanism's sensitivities as well). Where no event is sampled, RDP is taken at the best of all
 * real orders. delta 0 has a finite epsilon for Laplace alone. CN_E_CONFIG for parameters out of
 * range or a delta that is neither 0 nor in [PLD_DELTA_MIN, 1); everything is then infinite.
 * CN_E_NOMEM. */
enum cn_err report_make(struct report *report, const struct report_event *events, size_t count,
                        enum pld_adjacency adjacency, double delta);

/* The same against an observer who knows who was sampled. */
enum cn_err report_unsampled(struct report *report, const struct report_event *events, size_t count,
                             enum pld_adjacency adjacency, double delta);

/* The tight accountant alone, for searches: one event's bracket; has is false, and the bracket
 * infinite, for kinds without a loss distribution. Errors of pld_epsilon. */
enum cn_err report_pld(struct pld_bracket *epsilon, bool *has, const struct report_event *event,
                       enum pld_adjacency adjacency, double delta);

/* Gives the composed RDP at one order in (1, RDP_ORDER_MAX]; infinite where there is no bound.
 * CN_E_CONFIG. */
enum cn_err report_rdp(double *rdp, double order, const struct report_event *events, size_t count,
                       enum pld_adjacency adjacency);

struct report_delta {
    double delta_rdp; /* 1 where RDP has no bound */
    double rdp_order;
    double delta_pld; /* 1, with has_pld false, when a kind has no loss distribution here */
    double delta_pld_lower;
    bool has_pld;
    double delta; /* the smaller of the two */
};

/* The other direction: the delta at epsilon >= 0. Errors as report_make; every delta is then 1. */
enum cn_err report_delta_make(struct report_delta *report, const struct report_event *events,
                              size_t count, enum pld_adjacency adjacency, double epsilon);

#endif
