/* SPDX-License-Identifier: Apache-2.0 */
#include "privacy/budget.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

TestSuite(budget);

#define DAY ((int64_t)86400)
#define START ((int64_t)1795000000)

static const struct accountant_event step = {.kind = ACCOUNTANT_DISCRETE_GAUSSIAN,
                                             .noise_multiplier = 0.95,
                                             .sampling_rate = 0.034,
                                             .steps = 29};
static const uint8_t task_a[LEDGER_TASK_ID_BYTES] = {1}, task_b[LEDGER_TASK_ID_BYTES] = {2};

static struct budget *made(double life, double period, double task)
{
    struct budget_limits limits = {.scope = {{life, 1e-5}, {period, 1e-5}, {task, 1e-5}},
                                   .period_s = 30 * 86400};
    struct budget *budget;

    cr_assert_eq(budget_new(&budget, &limits), CN_OK);
    return budget;
}

static void spend(struct budget *budget, const uint8_t *task, int64_t time_s,
                  const struct accountant_event *event)
{
    struct ledger_entry entry = {.kind = "spent", .time_s = time_s, .has_event = true};

    entry.event = *event;
    memcpy(entry.task_id, task, sizeof entry.task_id);
    cr_assert_eq(budget_add(budget, &entry), CN_OK);
}

static struct budget_answer ask(struct budget *budget, const uint8_t *task, int64_t now_s)
{
    struct budget_answer answer;

    cr_assert_eq(budget_ask(&answer, budget, task, &step, now_s), CN_OK);
    return answer;
}

/* What a composition that was fixed in advance costs. */
static double composed(uint64_t rounds)
{
    struct accountant accountant;
    struct accountant_event all = step;
    double epsilon;

    all.steps *= rounds;
    accountant_init(&accountant);
    cr_assert_eq(accountant_add(&accountant, &all), CN_OK);
    cr_assert_eq(accountant_epsilon(&accountant, 1e-5, &epsilon, NULL), CN_OK);
    return epsilon;
}

Test(budget, counts_a_little_more_than_a_composition_fixed_in_advance)
{
    struct budget *budget = made(8, 0, 0);

    for (uint64_t n = 1; n <= 20; n++) {
        double spent;

        spend(budget, task_a, START, &step);
        spent = ask(budget, task_a, START).scope[BUDGET_LIFE].spent;
        cr_assert_geq(spent, composed(n));
        if (spent > 4)
            cr_assert_leq(spent, composed(n) + 0.6);
    }
    budget_free(budget);
}

Test(budget, lets_exactly_as_many_rounds_pass_as_it_says)
{
    struct budget *budget = made(6, 0, 0);
    uint64_t promised = ask(budget, task_a, START).rounds, passed = 0;

    cr_assert_gt(promised, 3);
    for (; ask(budget, task_a, START).allowed; passed++) {
        cr_assert_eq(ask(budget, task_a, START).rounds, promised - passed);
        spend(budget, task_a, START, &step);
    }
    cr_assert_eq(passed, promised);
    cr_assert_leq(composed(passed), 6.0);
    cr_assert_gt(composed(passed + 1), 5.0, "the price of adaptivity is small");
    budget_free(budget);
}

Test(budget, never_frees_what_was_spent_for_life_or_on_a_task)
{
    struct budget *budget = made(0, 0, 4);
    struct budget_answer answer;

    while (ask(budget, task_a, START).allowed)
        spend(budget, task_a, START, &step);
    answer = ask(budget, task_a, START + 4000 * DAY);
    cr_assert_not(answer.allowed);
    cr_assert_eq(answer.blocked_by, BUDGET_TASK);
    cr_assert_eq(answer.again_s, BUDGET_NEVER);
    cr_assert(ask(budget, task_b, START).allowed, "another task has its own");
    budget_free(budget);
}

Test(budget, says_when_a_period_affords_the_round_again_and_keeps_its_word)
{
    struct budget *budget = made(0, 4, 0);
    struct budget_answer answer;
    int64_t now = START;

    for (; ask(budget, task_a, now).allowed; now += DAY)
        spend(budget, task_a, now, &step);
    answer = ask(budget, task_a, now);
    cr_assert_eq(answer.blocked_by, BUDGET_PERIOD);
    cr_assert_geq(answer.again_s, START + 30 * DAY);
    cr_assert_leq(answer.again_s, now + 30 * DAY);
    cr_assert_eq(answer.next_release_s, START + 30 * DAY);
    cr_assert_not(ask(budget, task_a, answer.again_s - 1).allowed);
    cr_assert(ask(budget, task_a, answer.again_s).allowed);
    budget_free(budget);
}

Test(budget, leaves_nothing_behind_when_a_period_has_passed)
{
    struct budget *budget = made(0, 4, 0);
    struct accountant_event other = {
        .kind = ACCOUNTANT_GAUSSIAN, .noise_multiplier = 3.7, .sampling_rate = 0.11, .steps = 13};

    for (int i = 0; i < 400; i++) {
        spend(budget, task_a, START + i, &step);
        spend(budget, task_b, START + i, &other);
    }
    cr_assert_gt(ask(budget, task_a, START + 400).scope[BUDGET_PERIOD].spent, 4.0);
    cr_assert_eq(ask(budget, task_a, START + 31 * DAY).scope[BUDGET_PERIOD].spent, 0.0);
    budget_free(budget);
}

Test(budget, gives_nothing_back_to_a_clock_that_goes_back)
{
    struct budget *budget = made(0, 4, 0);

    while (ask(budget, task_a, START).allowed)
        spend(budget, task_a, START, &step);
    cr_assert_not(ask(budget, task_a, START - 300 * DAY).allowed);
    spend(budget, task_a, START - 3 * DAY, &step); /* a line out of order */
    cr_assert_eq(ask(budget, task_a, START).next_release_s, START + 27 * DAY);
    cr_assert_not(ask(budget, task_a, START).allowed);
    budget_free(budget);
}

Test(budget, lets_a_round_pass_that_charges_nothing)
{
    struct budget *budget = made(0.001, 0, 0);
    struct budget_answer answer;

    cr_assert_not(ask(budget, task_a, START).allowed);
    cr_assert_eq(budget_ask(&answer, budget, task_a, NULL, START), CN_OK);
    cr_assert(answer.allowed);
    cr_assert_eq(answer.rounds, BUDGET_ROUNDS_MAX);
    budget_free(budget);
}

Test(budget, counts_spendings_only)
{
    struct budget *budget = made(8, 0, 0);
    struct ledger_entry entry = {
        .kind = "round_published", .time_s = START, .has_event = true, .event = step};

    cr_assert_eq(budget_add(budget, &entry), CN_OK);
    cr_assert_eq(ask(budget, task_a, START).scope[BUDGET_LIFE].spent, 0.0);
    budget_free(budget);
}

Test(budget, closes_after_a_line_that_it_can_not_count)
{
    struct budget *budget = made(8, 0, 0);
    struct budget_answer answer;
    struct ledger_entry entry = {.kind = "spent", .time_s = START, .has_event = true};
    double epsilon;

    entry.event = step;
    entry.event.noise_multiplier = NAN;
    cr_assert_eq(budget_add(budget, &entry), CN_E_CONFIG);
    cr_assert_eq(budget_ask(&answer, budget, task_a, &step, START), CN_E_STATE);
    cr_assert_not(answer.allowed);
    cr_assert_eq(budget_task_spent(&epsilon, budget, task_a, 1e-5), CN_E_STATE);
    cr_assert(isinf(epsilon));
    budget_free(budget);
}

Test(budget, refuses_an_event_that_has_no_price)
{
    struct budget *budget = made(8, 0, 0);
    struct accountant_event bad = step;
    struct budget_answer answer;

    bad.sampling_rate = 1.5;
    cr_assert_eq(budget_ask(&answer, budget, task_a, &bad, START), CN_E_CONFIG);
    cr_assert_not(answer.allowed);
    budget_free(budget);
}

Test(budget, refuses_limits_out_of_range)
{
    const struct budget_limits bad[] = {
        {.scope = {{-1, 1e-5}}},
        {.scope = {{NAN, 1e-5}}},
        {.scope = {{1, 0}}},
        {.scope = {{1, 1}}},
        {.scope = {{0}, {1, 1e-5}}},
        {.scope = {{0}, {1, 1e-5}}, .period_s = 59},
        {.scope = {{0}, {0}, {1, -1e-5}}},
    };
    struct budget *budget;

    for (size_t i = 0; i < CN_COUNT(bad); i++) {
        cr_assert_eq(budget_new(&budget, &bad[i]), CN_E_CONFIG, "case %zu", i);
        cr_assert_null(budget);
    }
    budget_free(NULL);
}

Test(budget, tells_tasks_apart)
{
    struct budget *budget = made(0, 0, 0);
    double a, b;

    spend(budget, task_a, START, &step);
    spend(budget, task_a, START, &step);
    spend(budget, task_b, START, &step);
    cr_assert_eq(budget_task_spent(&a, budget, task_a, 1e-5), CN_OK);
    cr_assert_eq(budget_task_spent(&b, budget, task_b, 1e-5), CN_OK);
    cr_assert_gt(a, b);
    cr_assert_gt(b, 0);
    budget_free(budget);
}

Test(budget, explains_itself_to_the_owner)
{
    struct budget_limits limits = {.scope = {{0}, {4, 1e-5}, {0}}, .period_s = 30 * 86400};
    struct budget *budget = made(0, 4, 0);
    char words[BUDGET_TEXT_MAX];
    struct budget_answer answer = ask(budget, task_a, START);

    budget_explain(words, &answer, &limits);
    cr_assert(strstr(words, "affords"), "%s", words);
    while (ask(budget, task_a, START).allowed)
        spend(budget, task_a, START, &step);
    answer = ask(budget, task_a, START);
    budget_explain(words, &answer, &limits);
    cr_assert(strstr(words, "any 30 days") && strstr(words, "fits again from 2026-"), "%s", words);
    budget_free(budget);
}
