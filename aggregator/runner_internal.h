/* SPDX-License-Identifier: Apache-2.0 */
/* What runner.c (which state, when), runner_end.c (how rounds end) and runner_assess.c (evaluation
 * beside the rounds) share. */
#ifndef CAIRN_AGGREGATOR_RUNNER_INTERNAL_H
#define CAIRN_AGGREGATOR_RUNNER_INTERNAL_H

#include "aggregator/aggregate.h"
#include "aggregator/assess.h"
#include "aggregator/runner.h"
#include "base/log.h"
#include "task/task.h"

enum runner_state {
    RUNNER_IDLE,    /* no task, or between two */
    RUNNER_PAUSE,   /* until resume_ms, then the next attempt */
    RUNNER_ROUND,   /* a round runs */
    RUNNER_OPENING, /* its sum is being opened by a job */
    RUNNER_MENDING, /* ledger and store have to be reconciled, at resume_ms */
};

struct runner_opening {
    struct runner_job job;
    struct runner *runner;
    struct aggregate aggregate;
};

struct runner_assessing {
    struct runner_job job;
    struct runner *runner;
    struct assess assess;
    struct assess_cache cache;
    struct store_round round; /* that is evaluated */
    struct store_task task;
};

struct runner_decline {
    uint8_t device[DEVICE_ID_BYTES];
    char reason[STORE_REASON_MAX];
};

/* A receipt that was given and not countersigned yet. */
struct runner_receipt {
    uint8_t device_key[SIGN_PUBLIC_BYTES];
    uint8_t device[DEVICE_ID_BYTES];
    struct message_outcome outcome; /* as it was sent; comes again after a new login */
    struct ledger_entry published;  /* the line that it vouches for, for what it cost */
};

enum { RUNNER_RECEIPTS_MAX = 2 * MESSAGE_MEMBERS_MAX };

struct runner {
    struct runner_options options;
    struct runner_calls calls;
    struct ledger *ledger; /* NULL while it can not be opened */
    enum runner_state state;
    bool stopping;
    uint64_t resume_ms;
    uint32_t failures; /* in a row */

    bool loaded; /* the following stand */
    struct store_task row;
    struct task *task;
    struct blob *plan, *model;
    uint32_t charged; /* rounds so far */

    struct round *round;
    uint32_t attempt;
    int64_t started_s;
    bool opened;                   /* the ledger has the round's first line, or may have it */
    char reason[STORE_REASON_MAX]; /* MENDING: of the round that did not end */
    uint64_t said_ms;              /* when the log last told what is waited for */

    struct runner_opening opening;
    bool opening_out;
    struct runner_assessing assessing;
    bool assessing_out;
    bool assess_wanted;

    struct runner_decline *declines; /* [MESSAGE_MEMBERS_MAX] not yet in the store */
    uint32_t decline_count;
    struct cn_log_limit decline_log;

    struct runner_receipt *receipts; /* [RUNNER_RECEIPTS_MAX] in no order */
    uint32_t receipt_count;
    struct ledger_entry *signed_lines; /* [RUNNER_RECEIPTS_MAX] countersigned, not in the ledger */
    uint32_t signed_count;
    uint64_t signed_ms; /* when the first of them came */
};

int64_t runner_now_s(const struct runner *runner);

/* Takes the next attempt up after a pause that grows with the failures in a row. */
void runner_pause(struct runner *runner, uint64_t now_ms);

/* Forgets the task; the next one is looked for. */
void runner_unload(struct runner *runner);

/* runner_end.c: the round's ends. */
void runner_finish_failed(struct runner *runner, uint64_t now_ms);
void runner_finish_summed(struct runner *runner, uint64_t now_ms);
void runner_mend(struct runner *runner, uint64_t now_ms);
enum cn_err runner_entry(const struct runner *runner, struct ledger_entry *entry, const char *kind);

/* runner_receipts.c: what both sides sign about a published round. */
enum cn_err runner_receipts_new(struct runner *runner);
void runner_receipts_free(struct runner *runner);
/* Tells everybody the outcome, and gives each survivor its receipt for the line that was written.
 */
void runner_receipts_give(struct runner *runner, const struct message_outcome *outcome,
                          const struct ledger_entry *published);
/* A device is back: what it has not signed yet comes again. */
void runner_receipts_again(struct runner *runner, const uint8_t device[DEVICE_ID_BYTES]);
enum cn_err runner_receipts_signed(struct runner *runner, const uint8_t device[DEVICE_ID_BYTES],
                                   const struct message_receipted *message, uint64_t now_ms);
/* Writes what was signed, under one flush, when all is there or some time has passed. */
void runner_receipts_keep(struct runner *runner, uint64_t now_ms, bool at_once);

/* runner_assess.c */
void runner_assess_start(struct runner *runner);
void runner_say_round(const struct store_task *task, const struct store_round *round);

#endif
