/* SPDX-License-Identifier: Apache-2.0 */
/* Judging offers, writing spendings. */
#include "client/guard.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/file.h"

enum { DECLINED_MS = 10000 };

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

/* Noise that is correlated over rounds covers a device's turns only as long as they lie apart. */
static enum cn_err judge_turn(struct guard_verdict *verdict, const struct home *home,
                              const struct task *task, const struct round_id *id)
{
    const struct round_id *paid = home_paid(home, id->task);
    uint32_t next = paid ? task_next_round(task, paid->round) : 0;

    if (id->round >= next)
        return CN_OK;
    return refuse(verdict, CN_E_DENIED,
                  "the task's correlated noise lets this device take part again in round %u", next);
}

/* Complete graphs bear every aggregator that has less than a third of the devices on its side. */
static enum cn_err judge_graph(struct guard_verdict *verdict, const struct client_limits *limits,
                               const struct task *task)
{
    const struct task_secagg *secagg = &task->secure_aggregation;

    if (task->rounds.cohort_max < SECAGG_RING_DEVICES_MIN || !(limits->corrupt_min > 0))
        return CN_OK;
    if (secagg->adversary != TASK_ADVERSARY_MALICIOUS)
        return refuse(verdict, CN_E_DENIED,
                      "the task's sums are not protected from an aggregator that lies "
                      "(secure_aggregation.adversary: curious), and the owner's corrupt_min is %g",
                      limits->corrupt_min);
    if (!(secagg->corrupt >= limits->corrupt_min))
        return refuse(verdict, CN_E_DENIED,
                      "the task's sums stay secret while at most %g of the devices help the "
                      "aggregator; the owner's corrupt_min is %g",
                      secagg->corrupt, limits->corrupt_min);
    return CN_OK;
}

static enum cn_err judge_limits(struct guard_verdict *verdict, const struct home *home,
                                const struct task *task)
{
    const struct client_limits *limits = &home->limits;

    if (home->quarrel)
        return refuse(verdict, CN_E_DENIED,
                      "the aggregator's ledger was rewritten, and the owner has not accepted that");
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
    if (task->secure_aggregation.mode == TASK_MODE_OFF)
        return limits->allow_unmasked
                   ? CN_OK
                   : refuse(verdict, CN_E_DENIED,
                            "the task shows this device's own update to the aggregator "
                            "(secure_aggregation.mode: off) and the owner does not allow that");
    return judge_graph(verdict, limits, task);
}

static enum cn_err epsilon_with(double *epsilon, const struct accountant *spent,
                                const struct accountant_event *event, double delta)
{
    struct accountant after = *spent;

    CN_TRY(accountant_add(&after, event));
    return accountant_epsilon(&after, delta, epsilon, NULL);
}

static enum cn_err judge_budget(struct guard_verdict *verdict, const struct home *home,
                                const struct round_id *id, const struct accountant_event *event)
{
    const struct client_limits *limits = &home->limits;
    struct budget_limits scopes = home_budget_limits(limits);
    struct budget_answer answer;
    struct accountant nothing;
    char text[BUDGET_TEXT_MAX];

    accountant_init(&nothing);
    CN_TRY(epsilon_with(&verdict->epsilon_round, &nothing, event, limits->delta));
    if (limits->epsilon_round > 0 && !(verdict->epsilon_round <= limits->epsilon_round))
        return refuse(verdict, CN_E_BUDGET,
                      "this round alone costs epsilon %.3f; the owner's limit per round is %.3f",
                      verdict->epsilon_round, limits->epsilon_round);
    CN_TRY(budget_ask(&answer, home->budget, id->task, event, home->clock.wall_s(home->clock.ctx)));
    verdict->epsilon_after = answer.scope[BUDGET_LIFE].after;
    verdict->again_s = answer.again_s;
    if (answer.allowed)
        return CN_OK;
    budget_explain(text, &answer, &scopes);
    return refuse(verdict, CN_E_BUDGET, "%s", text);
}

enum cn_err guard_judge(struct guard_verdict *verdict, const struct home *home,
                        const struct task *task, const struct round_id *id)
{
    struct accountant_event event;
    enum cn_err err;

    *verdict = (struct guard_verdict){.again_s = BUDGET_NEVER};
    CN_TRY(judge_attempt(verdict, home, id));
    CN_TRY(judge_turn(verdict, home, task, id));
    CN_TRY(judge_limits(verdict, home, task));
    if (!task_round_event(task, &event))
        return CN_OK;
    err = judge_budget(verdict, home, id, &event);
    if (err != CN_OK && !verdict->reason[0])
        return refuse(verdict, err, "what the round costs can not be computed: %s",
                      cn_err_text(err));
    return err;
}

void guard_keep_declined(struct home *home, const struct task *task, const struct round_id *id,
                         const struct guard_verdict *verdict)
{
    uint64_t now_ms = home->clock.steady_ms(home->clock.ctx);
    char path[CN_PATH_MAX];
    json_t *again =
        verdict->again_s == BUDGET_NEVER ? json_null() : json_integer((json_int_t)verdict->again_s);
    json_t *object = json_pack("{s:I, s:s, s:i, s:s, s:f, s:o}", "time",
                               (json_int_t)home->clock.wall_s(home->clock.ctx), "task", task->name,
                               "round", (int)id->round, "reason", verdict->reason, "epsilon_round",
                               verdict->epsilon_round, "again", again);
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    bool due = !home->has_declined || now_ms >= home->declined_ms + DECLINED_MS;

    if (text && due && cn_path_join(path, home->dir, HOME_DECLINED_FILE) == CN_OK) {
        home->has_declined = true;
        home->declined_ms = now_ms;
        CN_IGNORE(
            cn_file_write(path, text, strlen(text), 0600, NULL)); /* only words for its owner */
    }
    free(text);
    json_decref(object);
}

static void describe(struct ledger_entry *entry, const struct home *home, const struct task *task,
                     const struct round_id *id)
{
    *entry = (struct ledger_entry){
        .time_s = home->clock.wall_s(home->clock.ctx), .round = id->round, .attempt = id->attempt};
    snprintf(entry->kind, sizeof entry->kind, "spent");
    snprintf(entry->task, sizeof entry->task, "%s", task->name);
    snprintf(entry->unit, sizeof entry->unit, "%s", task_unit_text(task->privacy.unit));
    snprintf(entry->placement, sizeof entry->placement, "%s",
             task_placement_text(task->privacy.placement));
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
    return home_append(home, &entry);
}

void guard_floors(const struct home *home, const struct task *task, uint32_t *cohort_min,
                  uint32_t *threshold)
{
    uint32_t owner = home->limits.cohort_min;

    *cohort_min = task->rounds.cohort_min > owner ? task->rounds.cohort_min : owner;
    *threshold = task->secure_aggregation.threshold;
}
