/* SPDX-License-Identifier: Apache-2.0 */
/* A Renyi filter over weighted orders, on integer counts of steps.
 *
 * Why the union over orders is sound: let A_a be the interaction stopped before order a alone would
 * fail. With a fixed, Renyi filters give A_a divergence at most epsilon - conversion(a, w_a delta),
 * however adaptively its parts were chosen, hence E[(1 - exp(epsilon - L_a))+] <= w_a delta for its
 * privacy loss L_a. Whatever happens, the interaction that the filter lets through ends while some
 * order a still holds, and as sums only grow that order held all along: the interaction is then
 * A_a. So its delta at epsilon is at most the sum of w_a delta over all orders. */
#include "privacy/budget.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define TIME_MAX_S ((int64_t)1 << 53)
#define WEIGHT_CHOSEN 0.9
#define ROUND_UP (1.0 + 1e-12) /* more than the sums' rounding */

/* conversion(a, w_a delta) for every order, of one limit. */
struct filter {
    bool limited;
    double conversion[RDP_ORDERS];
};

/* One kind of step and its price. */
struct price {
    struct accountant_event event; /* steps 1 */
    double rdp[RDP_ORDERS];
};

struct share {
    uint32_t price;
    uint64_t steps;
};

struct spent_task {
    uint8_t id[LEDGER_TASK_ID_BYTES];
    struct share *shares;
    uint32_t count, room;
};

struct spending {
    int64_t time_s;
    uint64_t steps;
    uint32_t price;
};

struct budget {
    struct budget_limits limits;
    struct filter filters[BUDGET_SCOPES];
    bool closed;
    int64_t latest_s;
    struct price *prices; /* [price_count] */
    uint64_t *life;       /* [price_room] steps of each price */
    uint64_t *period;     /* [price_room] of those in the window */
    uint32_t price_count, price_room;
    struct spent_task *tasks; /* [task_count] */
    uint32_t task_count, task_room;
    struct spending *window; /* [window_start, window_end) by rising time */
    size_t window_start, window_end, window_room;
};

/* ---- the filter ---- */

/* The order at which a Gaussian with just this budget is best converted. */
static size_t chosen_order(const struct budget_limit *limit)
{
    double log_delta = -log(limit->delta);
    double root = sqrt(log_delta + limit->epsilon) - sqrt(log_delta);
    double wanted = 1 + sqrt(log_delta) / root;
    size_t best = 0;

    for (size_t i = 1; i < RDP_ORDERS; i++)
        if (fabs(log(rdp_orders[i] / wanted)) < fabs(log(rdp_orders[best] / wanted)))
            best = i;
    return best;
}

static void filter_make(struct filter *filter, const struct budget_limit *limit)
{
    size_t chosen;

    filter->limited = limit->epsilon > 0 && isfinite(limit->epsilon);
    if (!filter->limited)
        return;
    chosen = chosen_order(limit);
    for (size_t i = 0; i < RDP_ORDERS; i++) {
        double a = rdp_orders[i];
        double weight = i == chosen ? WEIGHT_CHOSEN : (1 - WEIGHT_CHOSEN) / (RDP_ORDERS - 1);

        filter->conversion[i] = log1p(-1 / a) - (log(weight * limit->delta) + log(a)) / (a - 1);
    }
}

/* What the filter counts for a sum of RDP; 0 for nothing at all. */
static double filter_epsilon(const struct filter *filter, const double rdp[RDP_ORDERS])
{
    double best = INFINITY;
    bool nothing = true;

    for (size_t i = 0; i < RDP_ORDERS; i++) {
        nothing = nothing && rdp[i] == 0;
        best = fmin(best, rdp[i] * ROUND_UP + filter->conversion[i]);
    }
    return nothing ? 0 : fmax(best, 0) * ROUND_UP;
}

/* How many times step fits on top of rdp. */
static uint64_t filter_rounds(const struct filter *filter, const double rdp[RDP_ORDERS],
                              const double step[RDP_ORDERS], double epsilon)
{
    double most = 0;
    double after[RDP_ORDERS];

    for (size_t i = 0; i < RDP_ORDERS; i++) {
        double left = epsilon - filter->conversion[i] - rdp[i];

        if (step[i] <= 0)
            return BUDGET_ROUNDS_MAX;
        most = fmax(most, floor(left / step[i]));
    }
    if (most >= (double)BUDGET_ROUNDS_MAX)
        return BUDGET_ROUNDS_MAX;
    for (; most > 0; most--) { /* rounding may have given one too many */
        for (size_t i = 0; i < RDP_ORDERS; i++)
            after[i] = rdp[i] + most * step[i];
        if (filter_epsilon(filter, after) <= epsilon)
            break;
    }
    return (uint64_t)most;
}

/* ---- making ---- */

static enum cn_err limits_check(const struct budget_limits *limits)
{
    for (int i = 0; i < BUDGET_SCOPES; i++) {
        const struct budget_limit *limit = &limits->scope[i];

        if (!(limit->epsilon >= 0))
            return CN_E_CONFIG;
        if (limit->epsilon > 0 && isfinite(limit->epsilon) &&
            !(limit->delta > 0 && limit->delta < 1))
            return CN_E_CONFIG;
    }
    if (limits->scope[BUDGET_PERIOD].epsilon > 0 &&
        (limits->period_s < BUDGET_PERIOD_MIN_S || limits->period_s > BUDGET_PERIOD_MAX_S))
        return CN_E_CONFIG;
    return CN_OK;
}

enum cn_err budget_new(struct budget **out, const struct budget_limits *limits)
{
    struct budget *budget;

    *out = NULL;
    CN_TRY(limits_check(limits));
    budget = calloc(1, sizeof *budget);
    if (!budget)
        return CN_E_NOMEM;
    budget->limits = *limits;
    for (int i = 0; i < BUDGET_SCOPES; i++)
        filter_make(&budget->filters[i], &limits->scope[i]);
    *out = budget;
    return CN_OK;
}

void budget_free(struct budget *budget)
{
    if (!budget)
        return;
    for (uint32_t i = 0; i < budget->task_count; i++)
        free(budget->tasks[i].shares);
    free(budget->tasks);
    free(budget->window);
    free(budget->prices);
    free(budget->life);
    free(budget->period);
    free(budget);
}

/* ---- counting ---- */

/* Gives at, of any pointer type, room for so many items. */
#define GROW(at, room)                                                                             \
    do {                                                                                           \
        void *more_ = realloc(at, (size_t)(room) * sizeof *(at));                                  \
                                                                                                   \
        if (!more_)                                                                                \
            return CN_E_NOMEM;                                                                     \
        (at) = more_;                                                                              \
    } while (0)

static enum cn_err prices_grow(struct budget *budget)
{
    uint32_t room = budget->price_room ? 2 * budget->price_room : 8;

    if (budget->price_count < budget->price_room)
        return CN_OK;
    if (room > BUDGET_EVENTS_MAX)
        return CN_E_TOO_LARGE;
    GROW(budget->prices, room);
    GROW(budget->life, room);
    GROW(budget->period, room);
    budget->price_room = room;
    return CN_OK;
}

static enum cn_err price_of(struct price *price, const struct accountant_event *event)
{
    struct accountant accountant;

    memset(price, 0, sizeof *price);
    price->event = *event;
    price->event.steps = 1;
    accountant_init(&accountant);
    CN_TRY(accountant_add(&accountant, &price->event));
    memcpy(price->rdp, accountant.rdp, sizeof price->rdp);
    return CN_OK;
}

static bool find_price(const struct budget *budget, const struct accountant_event *event,
                       uint32_t *index)
{
    for (uint32_t i = budget->price_count; i-- > 0;) {
        if (accountant_same_step(&budget->prices[i].event, event)) {
            *index = i;
            return true;
        }
    }
    return false;
}

static enum cn_err take_price(struct budget *budget, const struct accountant_event *event,
                              uint32_t *index)
{
    if (find_price(budget, event, index))
        return CN_OK;
    CN_TRY(prices_grow(budget));
    CN_TRY(price_of(&budget->prices[budget->price_count], event));
    *index = budget->price_count++;
    budget->life[*index] = budget->period[*index] = 0;
    return CN_OK;
}

static struct spent_task *find_task(const struct budget *budget,
                                    const uint8_t id[LEDGER_TASK_ID_BYTES])
{
    for (uint32_t i = budget->task_count; i-- > 0;)
        if (memcmp(budget->tasks[i].id, id, LEDGER_TASK_ID_BYTES) == 0)
            return &budget->tasks[i];
    return NULL;
}

static enum cn_err take_task(struct budget *budget, const uint8_t id[LEDGER_TASK_ID_BYTES],
                             struct spent_task **task)
{
    *task = find_task(budget, id);
    if (*task)
        return CN_OK;
    if (budget->task_count == budget->task_room) {
        uint32_t room = budget->task_room ? 2 * budget->task_room : 8;

        if (room > BUDGET_TASKS_MAX)
            return CN_E_TOO_LARGE;
        GROW(budget->tasks, room);
        budget->task_room = room;
    }
    *task = &budget->tasks[budget->task_count++];
    memset(*task, 0, sizeof **task);
    memcpy((*task)->id, id, LEDGER_TASK_ID_BYTES);
    return CN_OK;
}

static enum cn_err task_add(struct spent_task *task, uint32_t price, uint64_t steps)
{
    for (uint32_t i = 0; i < task->count; i++) {
        if (task->shares[i].price == price) {
            task->shares[i].steps += steps;
            return CN_OK;
        }
    }
    if (task->count == task->room) {
        uint32_t room = task->room ? 2 * task->room : 1;

        GROW(task->shares, room);
        task->room = room;
    }
    task->shares[task->count++] = (struct share){price, steps};
    return CN_OK;
}

/* Lets go of what is a period old. */
static void window_forget(struct budget *budget)
{
    int64_t period = (int64_t)budget->limits.period_s;

    while (budget->window_start < budget->window_end) {
        const struct spending *oldest = &budget->window[budget->window_start];

        if (oldest->time_s > budget->latest_s - period)
            break;
        budget->period[oldest->price] -= oldest->steps;
        budget->window_start++;
    }
}

static enum cn_err window_grow(struct budget *budget)
{
    size_t held = budget->window_end - budget->window_start, room;

    if (budget->window_end < budget->window_room)
        return CN_OK;
    if (budget->window_start > budget->window_room / 2) {
        memmove(budget->window, budget->window + budget->window_start,
                held * sizeof *budget->window);
        budget->window_start = 0;
        budget->window_end = held;
        return CN_OK;
    }
    room = budget->window_room ? 2 * budget->window_room : 64;
    if (room > 2 * (size_t)BUDGET_SPENDINGS_MAX)
        return CN_E_TOO_LARGE;
    GROW(budget->window, room);
    budget->window_room = room;
    return CN_OK;
}

/* Keeps the window by rising time, also when the clock of a line went back. */
static enum cn_err window_add(struct budget *budget, const struct spending *spending)
{
    size_t at;

    if (!budget->filters[BUDGET_PERIOD].limited)
        return CN_OK;
    window_forget(budget);
    if (spending->time_s <= budget->latest_s - (int64_t)budget->limits.period_s)
        return CN_OK; /* out of it already */
    CN_TRY(window_grow(budget));
    at = budget->window_end++;
    for (; at > budget->window_start && budget->window[at - 1].time_s > spending->time_s; at--)
        budget->window[at] = budget->window[at - 1];
    budget->window[at] = *spending;
    budget->period[spending->price] += spending->steps;
    return CN_OK;
}

static enum cn_err count_entry(struct budget *budget, const struct ledger_entry *entry)
{
    struct spending spending = {.time_s = entry->time_s, .steps = entry->event.steps};
    struct spent_task *task;

    if (entry->time_s < 0 || entry->time_s > TIME_MAX_S)
        return CN_E_CONFIG;

    CN_TRY(accountant_event_check(&entry->event));
    if (spending.steps == 0)
        return CN_OK;
    CN_TRY(take_price(budget, &entry->event, &spending.price));
    CN_TRY(take_task(budget, entry->task_id, &task));
    CN_TRY(task_add(task, spending.price, spending.steps));
    budget->life[spending.price] += spending.steps;
    return window_add(budget, &spending);
}

enum cn_err budget_add(void *ctx, const struct ledger_entry *entry)
{
    struct budget *budget = ctx;
    enum cn_err err;

    if (entry->time_s > budget->latest_s && entry->time_s <= TIME_MAX_S)
        budget->latest_s = entry->time_s;
    if (strcmp(entry->kind, "spent") != 0 || !entry->has_event)
        return CN_OK;
    err = count_entry(budget, entry);
    budget->closed = budget->closed || err != CN_OK;
    return err;
}

/* ---- asking ---- */

static void sum_steps(double rdp[RDP_ORDERS], const struct budget *budget, const uint64_t *steps)
{
    memset(rdp, 0, RDP_ORDERS * sizeof *rdp);
    for (uint32_t p = 0; p < budget->price_count; p++)
        for (size_t i = 0; steps[p] && i < RDP_ORDERS; i++)
            rdp[i] += (double)steps[p] * budget->prices[p].rdp[i];
}

static void sum_task(double rdp[RDP_ORDERS], const struct budget *budget,
                     const uint8_t id[LEDGER_TASK_ID_BYTES])
{
    const struct spent_task *task = find_task(budget, id);

    memset(rdp, 0, RDP_ORDERS * sizeof *rdp);
    for (uint32_t s = 0; task && s < task->count; s++)
        for (size_t i = 0; i < RDP_ORDERS; i++)
            rdp[i] += (double)task->shares[s].steps * budget->prices[task->shares[s].price].rdp[i];
}

static void fill_state(struct budget_state *state, const struct filter *filter,
                       const double spent[RDP_ORDERS], const double round[RDP_ORDERS])
{
    double after[RDP_ORDERS];

    state->limited = filter->limited;
    state->allowed = true;
    state->rounds = BUDGET_ROUNDS_MAX;
    if (!filter->limited)
        return;
    for (size_t i = 0; i < RDP_ORDERS; i++)
        after[i] = spent[i] + round[i];
    state->spent = filter_epsilon(filter, spent);
    state->after = filter_epsilon(filter, after);
    state->rounds = filter_rounds(filter, spent, round, state->limit.epsilon);
    state->allowed = state->after <= state->limit.epsilon;
    if (state->allowed && state->rounds == 0)
        state->rounds = 1; /* the closed form fell short by its rounding */
}

/* Whether the round fits when the n oldest spendings have left the window. */
static bool fits_without(const struct budget *budget, uint64_t *steps, size_t n,
                         const double round[RDP_ORDERS])
{
    double rdp[RDP_ORDERS];

    memcpy(steps, budget->period, budget->price_count * sizeof *steps);
    for (size_t i = budget->window_start; i < budget->window_start + n; i++)
        steps[budget->window[i].price] -= budget->window[i].steps;
    sum_steps(rdp, budget, steps);
    for (size_t i = 0; i < RDP_ORDERS; i++)
        rdp[i] += round[i];
    return filter_epsilon(&budget->filters[BUDGET_PERIOD], rdp) <=
           budget->limits.scope[BUDGET_PERIOD].epsilon;
}

/* The fewest oldest spendings that have to leave the window, by bisection. */
static enum cn_err period_frees(int64_t *again_s, const struct budget *budget,
                                const double round[RDP_ORDERS])
{
    size_t low = 0, high = budget->window_end - budget->window_start;
    uint64_t *steps = calloc(budget->price_count + 1, sizeof *steps);

    *again_s = BUDGET_NEVER;
    if (!steps)
        return CN_E_NOMEM;
    if (high > 0 && fits_without(budget, steps, high, round)) {
        while (high - low > 1) {
            size_t middle = low + (high - low) / 2;

            if (fits_without(budget, steps, middle, round))
                high = middle;
            else
                low = middle;
        }
        *again_s = budget->window[budget->window_start + high - 1].time_s +
                   (int64_t)budget->limits.period_s;
    }
    free(steps);
    return CN_OK;
}

static enum cn_err judge(struct budget_answer *answer, const struct budget *budget,
                         const double round[RDP_ORDERS], int64_t now_s)
{
    answer->allowed = true;
    answer->rounds = BUDGET_ROUNDS_MAX;
    for (int i = 0; i < BUDGET_SCOPES; i++) {
        answer->allowed = answer->allowed && answer->scope[i].allowed;
        if (answer->scope[i].rounds < answer->rounds)
            answer->rounds = answer->scope[i].rounds;
    }
    answer->again_s = answer->allowed ? now_s : BUDGET_NEVER;
    if (answer->allowed)
        return CN_OK;
    if (!answer->scope[BUDGET_LIFE].allowed || !answer->scope[BUDGET_TASK].allowed) {
        answer->blocked_by = answer->scope[BUDGET_LIFE].allowed ? BUDGET_TASK : BUDGET_LIFE;
        return CN_OK;
    }
    answer->blocked_by = BUDGET_PERIOD;
    return period_frees(&answer->again_s, budget, round);
}

enum cn_err budget_ask(struct budget_answer *answer, struct budget *budget,
                       const uint8_t task_id[LEDGER_TASK_ID_BYTES],
                       const struct accountant_event *event, int64_t now_s)
{
    struct price price = {0};
    double round[RDP_ORDERS] = {0}, spent[RDP_ORDERS];
    uint32_t index;

    memset(answer, 0, sizeof *answer);
    answer->again_s = answer->next_release_s = BUDGET_NEVER;
    if (budget->closed)
        return CN_E_STATE;
    if (event && find_price(budget, event, &index))
        price = budget->prices[index];
    else if (event)
        CN_TRY(price_of(&price, event));
    for (size_t i = 0; event && i < RDP_ORDERS; i++)
        round[i] = (double)event->steps * price.rdp[i];
    if (now_s > budget->latest_s && now_s <= TIME_MAX_S)
        budget->latest_s = now_s;
    if (budget->filters[BUDGET_PERIOD].limited)
        window_forget(budget);
    if (budget->window_start < budget->window_end)
        answer->next_release_s =
            budget->window[budget->window_start].time_s + (int64_t)budget->limits.period_s;
    for (int i = 0; i < BUDGET_SCOPES; i++) {
        answer->scope[i].limit = budget->limits.scope[i];
        if (i == BUDGET_TASK)
            sum_task(spent, budget, task_id);
        else
            sum_steps(spent, budget, i == BUDGET_LIFE ? budget->life : budget->period);
        fill_state(&answer->scope[i], &budget->filters[i], spent, round);
    }
    if (event && event->steps)
        return judge(answer, budget, round, now_s);
    answer->allowed = true; /* nothing is spent, so nothing can pass a limit */
    answer->rounds = BUDGET_ROUNDS_MAX;
    answer->again_s = now_s;
    return CN_OK;
}

enum cn_err budget_task_spent(double *epsilon, const struct budget *budget,
                              const uint8_t task_id[LEDGER_TASK_ID_BYTES], double delta)
{
    struct budget_limit limit = {1.0, delta};
    struct filter filter = budget->filters[BUDGET_TASK];
    double rdp[RDP_ORDERS];

    *epsilon = INFINITY;
    if (budget->closed)
        return CN_E_STATE;
    if (!filter.limited) {
        if (!(delta > 0 && delta < 1))
            return CN_E_CONFIG;
        filter_make(&filter, &limit);
    }
    sum_task(rdp, budget, task_id);
    *epsilon = filter_epsilon(&filter, rdp);
    return CN_OK;
}

/* ---- words ---- */

const char *budget_scope_text(enum budget_scope scope)
{
    static const char *const texts[] = {"life", "period", "task"};

    return (unsigned)scope < CN_COUNT(texts) ? texts[scope] : "unknown";
}

static const char *scope_words(char *out, size_t size, enum budget_scope scope,
                               const struct budget_limits *limits)
{
    if (scope == BUDGET_PERIOD && limits->period_s % 86400 == 0)
        snprintf(out, size, "any %llu days", (unsigned long long)(limits->period_s / 86400));
    else if (scope == BUDGET_PERIOD)
        snprintf(out, size, "any %.1f hours", (double)limits->period_s / 3600);
    else
        snprintf(out, size, "%s", scope == BUDGET_LIFE ? "the device's life" : "this task");
    return out;
}

void budget_explain(char out[BUDGET_TEXT_MAX], const struct budget_answer *answer,
                    const struct budget_limits *limits)
{
    const struct budget_state *state = &answer->scope[answer->blocked_by];
    char scope[48], time[CN_TIME_TEXT_BYTES];
    int wrote;

    if (answer->allowed && answer->rounds >= BUDGET_ROUNDS_MAX) {
        snprintf(out, BUDGET_TEXT_MAX, "no limit stands against it");
        return;
    }
    if (answer->allowed) {
        snprintf(out, BUDGET_TEXT_MAX, "the budget affords %llu such round%s",
                 (unsigned long long)answer->rounds, answer->rounds == 1 ? "" : "s");
        return;
    }
    wrote = snprintf(out, BUDGET_TEXT_MAX,
                     "epsilon of %s would come from %.3f to %.3f, past the owner's limit of %.3f",
                     scope_words(scope, sizeof scope, answer->blocked_by, limits), state->spent,
                     state->after, state->limit.epsilon);
    if (answer->again_s != BUDGET_NEVER)
        snprintf(out + wrote, BUDGET_TEXT_MAX - (size_t)wrote,
                 "; it fits again from %s if nothing else is spent",
                 cn_time_text(answer->again_s, time));
    else
        snprintf(out + wrote, BUDGET_TEXT_MAX - (size_t)wrote,
                 "; waiting does not help, only a larger limit or a cheaper round");
}
