/* SPDX-License-Identifier: Apache-2.0 */
/* Judging offers, writing spendings. */
#include "client/guard.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Keeps the reason and passes the error on. */
__attribute__((format(printf, 3, 4))) static enum cn_err
refuse(struct guard_verdict *verdict, enum cn_err err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(verdict->reason, sizeof verdict->reason, format, args);
    va_end(args);
    return err;
}

/* Attempts only ever grow, also over a restart of either side; one that does not was paid for
 * already, or is an old one played again. */
static enum cn_err judge_attempt(struct guard_verdict *verdict, const struct home *home,
                                 const struct round_id *id)
{
    const struct round_id *paid = home_paid(home, id->task);

    if (!paid && home->paid_count == LEDGER_TOTAL_TASKS_MAX)
        return refuse(verdict, CN_E_DENIED,
                      "the device's ledger tells of %d tasks already, and of no more",
                      LEDGER_TOTAL_TASKS_MAX);
    if (!paid || id->round > paid->round ||
        (id->round == paid->round && id->attempt > paid->attempt))
        return CN_OK;
    return refuse(verdict, CN_E_DENIED,
                  "round %u attempt %u is not after round %u attempt %u, which is paid for",
                  id->round, id->attempt, paid->round, paid->attempt);
}

static enum cn_err judge_limits(struct guard_verdict *verdict, const struct home *home,
                                const struct task *task)
{
    const struct client_limits *limits = &home->limits;

    if (limits->privacy_required && task->privacy.unit == TASK_UNIT_NONE)
        return refuse(verdict, CN_E_DENIED,
                      "the task adds no noise (privacy.unit: none) and the owner requires privacy");
    if (task->privacy.unit != TASK_UNIT_NONE && task->privacy.delta > limits->delta)
        return refuse(verdict, CN_E_DENIED, "the task's delta %g is above the owner's limit %g",
                      task->privacy.delta, limits->delta);
    if (task->rounds.cohort_min < limits->cohort_min)
        return refuse(verdict, CN_E_DENIED,
                      "the task allows cohorts of %u devices; the owner's limit is %u or more",
                      task->rounds.cohort_min, limits->cohort_min);
    return CN_OK;
}

static enum cn_err epsilon_with(double *epsilon, const struct accountant *spent,
                                const struct accountant_event *event, double delta)
{
    struct accountant after = *spent;

    CN_TRY(accountant_add(&after, event));
    return accountant_epsilon(&after, delta, epsilon, NULL);
}

/* What the ledger says was spent in the last 24 hours. */
static enum cn_err spent_today(struct accountant *spent, const struct home *home)
{
    int64_t now_s = home->clock.wall_s(home->clock.ctx);
    struct ledger_total today;
    struct ledger_summary summary;
    char path[CN_PATH_MAX];

    CN_TRY(cn_path_join(path, home->dir, HOME_LEDGER_FILE));
    CN_TRY(ledger_total_read(&today, path, now_s > HOME_DAY_S ? now_s - HOME_DAY_S : 0, &summary,
                             NULL));
    *spent = today.all.spent;
    ledger_total_clear(&today);
    return CN_OK;
}

static enum cn_err judge_budget(struct guard_verdict *verdict, const struct home *home,
                                const struct accountant_event *event)
{
    const struct client_limits *limits = &home->limits;
    struct accountant spent;
    double today;

    accountant_init(&spent);
    CN_TRY(epsilon_with(&verdict->epsilon_round, &spent, event, limits->delta));
    CN_TRY(epsilon_with(&verdict->epsilon_after, &home->spent.all.spent, event, limits->delta));
    if (limits->epsilon_round > 0 && !(verdict->epsilon_round <= limits->epsilon_round))
        return refuse(verdict, CN_E_BUDGET,
                      "this round alone costs epsilon %.3f; the owner's limit per round is %.3f",
                      verdict->epsilon_round, limits->epsilon_round);
    if (!(verdict->epsilon_after <= limits->epsilon_life))
        return refuse(verdict, CN_E_BUDGET,
                      "epsilon would come to %.3f; the owner's limit for life is %.3f",
                      verdict->epsilon_after, limits->epsilon_life);
    if (!(limits->epsilon_day > 0))
        return CN_OK;
    CN_TRY(spent_today(&spent, home));
    CN_TRY(epsilon_with(&today, &spent, event, limits->delta));
    if (!(today <= limits->epsilon_day))
        return refuse(verdict, CN_E_BUDGET,
                      "epsilon of these 24 hours would come to %.3f; the owner's limit is %.3f",
                      today, limits->epsilon_day);
    return CN_OK;
}

enum cn_err guard_judge(struct guard_verdict *verdict, const struct home *home,
                        const struct task *task, const struct round_id *id)
{
    struct accountant_event event;
    enum cn_err err;

    *verdict = (struct guard_verdict){0};
    CN_TRY(judge_attempt(verdict, home, id));
    CN_TRY(judge_limits(verdict, home, task));
    if (!task_round_event(task, &event))
        return CN_OK;
    err = judge_budget(verdict, home, &event);
    if (err != CN_OK && !verdict->reason[0])
        return refuse(verdict, err, "what the round costs can not be computed: %s",
                      cn_err_text(err));
    return err;
}

static void describe(struct ledger_entry *entry, const struct home *home, const struct task *task,
                     const struct round_id *id)
{
    *entry = (struct ledger_entry){
        .time_s = home->clock.wall_s(home->clock.ctx), .round = id->round, .attempt = id->attempt};
    snprintf(entry->kind, sizeof entry->kind, "spent");
    snprintf(entry->task, sizeof entry->task, "%s", task->name);
    snprintf(entry->unit, sizeof entry->unit, "%s", task_unit_text(task->privacy.unit));
    memcpy(entry->task_id, id->task, sizeof entry->task_id);
    entry->has_event = task_round_event(task, &entry->event);
    entry->delta = entry->has_event ? task->privacy.delta : 0;
}

enum cn_err guard_spend(struct home *home, const struct task *task, const struct round_id *id,
                        const uint8_t binding[HASH_BYTES], struct guard_cohort cohort,
                        struct cn_diag *diag)
{
    struct guard_verdict verdict;
    struct ledger_entry entry;
    enum cn_err err = guard_judge(&verdict, home, task, id);

    if (err != CN_OK) {
        cn_diag_set(diag, NULL, 0, 0, "%s", verdict.reason);
        return err;
    }
    describe(&entry, home, task, id);
    entry.cohort = cohort.devices;
    memcpy(entry.binding, binding, sizeof entry.binding);
    CN_TRY(ledger_append(home->ledger, &entry));
    /* From here on it counts, whether or not the bytes ever leave. */
    CN_TRY(home_remember(home, id));
    return ledger_total_add(&home->spent, &entry);
}

void guard_floors(const struct home *home, const struct task *task, uint32_t *cohort_min,
                  uint32_t *threshold)
{
    uint32_t owner = home->limits.cohort_min;

    *cohort_min = task->rounds.cohort_min > owner ? task->rounds.cohort_min : owner;
    *threshold = task->secure_aggregation.threshold;
}
