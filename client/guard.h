/* SPDX-License-Identifier: Apache-2.0 */
/* The owner's limits, applied: may this device take part, and the line in its ledger before it
 * does. A check that can not be made is a refusal. */
#ifndef CAIRN_CLIENT_GUARD_H
#define CAIRN_CLIENT_GUARD_H

#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "client/home.h"
#include "protocol/messages.h"
#include "task/task.h"

struct guard_verdict {
    char reason[MESSAGE_TEXT_MAX]; /* of a refusal: for the owner and for the aggregator */
    double epsilon_round;          /* of this round alone; 0 for a task without privacy */
    double epsilon_after;          /* for life, if this round is paid for, by the budget's filter */
    int64_t again_s;               /* of CN_E_BUDGET: when it would fit, or BUDGET_NEVER */
};

/* Judges an offer. CN_OK: take part. CN_E_BUDGET: the ledger and the limits do not afford it.
 * CN_E_DENIED: another limit forbids it, or this attempt was paid for before a restart. Anything
 * else: the check could not be made. verdict->reason is set on every refusal. */
enum cn_err guard_judge(struct guard_verdict *verdict, const struct home *home,
                        const struct task *task, const struct round_id *id);

/* Keeps, for the verb `budget`, why an offer was too dear and when it will fit, in declined.json;
 * every ten seconds at most. */
void guard_keep_declined(struct home *home, const struct task *task, const struct round_id *id,
                         const struct guard_verdict *verdict);

struct guard_cohort {
    uint32_t devices;
    uint32_t threshold;
};

/* Writes the spending of one round into the device's ledger and flushes it. Judges once more
 * first: two offers that were both affordable may not be so together. Errors as guard_judge, and of
 * home_append: nothing may then be sent. */
enum cn_err guard_spend(struct home *home, const struct task *task, const struct round_id *id,
                        const uint8_t binding[HASH_BYTES], struct guard_cohort cohort,
                        struct cn_diag *diag);

/* The smallest cohort and threshold this device takes part in: the larger of the task's and the
 * owner's. threshold 0: the rule of more than two thirds alone. */
void guard_floors(const struct home *home, const struct task *task, uint32_t *cohort_min,
                  uint32_t *threshold);

#endif
