/* SPDX-License-Identifier: Apache-2.0 */
/* Budgets: limits on what a device spends in its life, in any period, and on any one task, kept by
 * a privacy filter that is sound although every task may be chosen after all earlier results.
 *
 * The filter (Rogers, Roth, Ullman, Vadhan 2016, in Renyi form: Feldman and Zrnic 2021,
 * theorem 4.5; Lecuyer 2021): fix weights w_a over the orders a of rdp_orders that sum to at most
 * 1, before anything is spent. A spending is allowed while for at least one order
 *
 *     sum of rho_i(a)  +  conversion(a, w_a * delta)  <=  epsilon.
 *
 * Then the whole interaction is (epsilon, delta)-private: stopped by the condition of one order
 * alone it has Renyi divergence at most epsilon - conversion at that order, so its delta is w_a
 * delta; and the union over the orders gives delta. Nine tenths of the weight lie on the order that
 * suits a Gaussian of just this budget, so adaptivity costs little (docs/privacy.md has the proof
 * and the figures). "Spent" below is what this filter counts: the epsilon of an odometer, a little
 * above the one that a composition fixed in advance would have.
 *
 * Counts are integers (steps per kind of event), so what leaves a period leaves it without rest and
 * nothing is ever computed twice: adding a line costs a microsecond. */
#ifndef CAIRN_PRIVACY_BUDGET_H
#define CAIRN_PRIVACY_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "privacy/accountant.h"
#include "privacy/ledger.h"

#define BUDGET_EVENTS_MAX 4096u       /* kinds of steps that differ in any number */
#define BUDGET_TASKS_MAX 65536u       /* tasks */
#define BUDGET_SPENDINGS_MAX 4194304u /* lines within one period */
#define BUDGET_PERIOD_MIN_S 60u
#define BUDGET_PERIOD_MAX_S (100u * 366u * 86400u)
#define BUDGET_TEXT_MAX 320
#define BUDGET_ROUNDS_MAX ((uint64_t)1 << 32)
#define BUDGET_NEVER INT64_MAX

enum budget_scope { BUDGET_LIFE, BUDGET_PERIOD, BUDGET_TASK, BUDGET_SCOPES };

struct budget_limit {
    double epsilon; /* > 0; 0: no limit in this scope (infinity is not a limit either) */
    double delta;   /* in (0, 1) where epsilon is set */
};

struct budget_limits {
    struct budget_limit scope[BUDGET_SCOPES];
    uint64_t period_s; /* of BUDGET_PERIOD: any window of this length; e.g. 30 * 86400 */
};

struct budget;

/* Makes an empty budget. CN_E_CONFIG for limits out of range, CN_E_NOMEM. */
enum cn_err budget_new(struct budget **out, const struct budget_limits *limits);

void budget_free(struct budget *budget); /* NULL is allowed */

/* Counts a line of the device's own ledger: those of kind "spent" with an event; others change
 * nothing. A ledger_visit: ctx is the struct budget. Lines may come with clocks that went back: a
 * spending leaves the period when its own time is a period before the latest time ever seen.
 * CN_E_CONFIG for an event that can not be accounted, CN_E_TOO_LARGE past a maximum, CN_E_NOMEM:
 * the budget is then closed, and budget_ask refuses everything. */
enum cn_err budget_add(void *ctx, const struct ledger_entry *entry);

struct budget_state {
    bool limited;
    struct budget_limit limit;
    double spent;    /* epsilon so far, as the filter counts; 0: nothing */
    double after;    /* epsilon after the round asked for */
    bool allowed;    /* after does not pass the limit; true where there is none */
    uint64_t rounds; /* such rounds that still fit, this one included; BUDGET_ROUNDS_MAX: more */
};

struct budget_answer {
    bool allowed;                 /* by every scope */
    enum budget_scope blocked_by; /* the scope that frees last; when not allowed */
    struct budget_state scope[BUDGET_SCOPES];
    uint64_t rounds;        /* the fewest of the scopes: that fit without waiting */
    int64_t again_s;        /* when it fits again if nothing else is spent: now_s, a time, or
                               BUDGET_NEVER */
    int64_t next_release_s; /* when the oldest spending of the period leaves it; BUDGET_NEVER */
};

/* Asks whether one more round with this event may be spent on the task at now_s. event NULL: a
 * round that charges nothing, always allowed. Changes nothing but the period's window. Never says
 * yes by mistake: what can not be computed is not allowed, and the error is returned as well.
 * CN_E_CONFIG for the event; CN_E_STATE for a budget that is closed. */
enum cn_err budget_ask(struct budget_answer *answer, struct budget *budget,
                       const uint8_t task_id[LEDGER_TASK_ID_BYTES],
                       const struct accountant_event *event, int64_t now_s);

/* What a task has spent, by the filter of BUDGET_TASK's delta or, without a limit, delta; and the
 * same over life. For lists. */
enum cn_err budget_task_spent(double *epsilon, const struct budget *budget,
                              const uint8_t task_id[LEDGER_TASK_ID_BYTES], double delta);

/* "life", "period", "task". */
const char *budget_scope_text(enum budget_scope scope);

/* One sentence for the owner of a device: why not, and when again; or how many rounds are left.
 * No full stop. */
void budget_explain(char out[BUDGET_TEXT_MAX], const struct budget_answer *answer,
                    const struct budget_limits *limits);

#endif
