/* SPDX-License-Identifier: Apache-2.0 */
#include "client/guard.h"
#include "client_fixture.h"

static struct fixture f;
static struct home *home;
static struct task *task;
static const struct round_id first = {{7}, 1, 1};

static const char task_text[] =
    "task: guard\n"
    "model:\n  input: [1, 1, 4]\n  layers:\n    - {type: flatten}\n    - {type: dense, units: 2}\n"
    "data: {classes: 2}\n"
    "training: {learning_rate: 1, steps: 29, batch: 255, sampling_rate: 0.034}\n"
    "privacy: {unit: example, clip_norm: 0.1, noise_multiplier: 0.95, delta: 1.0e-5}\n"
    "secure_aggregation: {update_range: 20}\n"
    "rounds: {count: 15, cohort_min: 6, cohort_max: 8}\n";

static void load_task(const char *text)
{
    struct cn_diag diag = {0};
    char line[CN_DIAG_LINE_MAX];
    enum cn_err err = task_parse(&task, text, strlen(text), "test", &diag);

    cr_assert_eq(err, CN_OK, "%s", cn_diag_line(&diag, line));
}

static void open_it(void)
{
    fixture_open(&f);
    MUST(fixture_join(&f, NULL));
    MUST(home_open(&home, f.dir, NULL, f.clock, NULL));
    load_task(task_text);
}

static void close_it(void)
{
    task_free(task);
    home_close(home);
    fixture_close(&f);
}

TestSuite(guard, .init = open_it, .fini = close_it);

static enum cn_err spend(struct round_id id)
{
    uint8_t binding[HASH_BYTES] = {(uint8_t)id.round};

    return guard_spend(home, task, &id, binding, (struct guard_cohort){8, 6}, NULL);
}

/* Spends round by round until one is refused, and says why; at least one fits. */
static enum cn_err spend_all(void)
{
    uint32_t round = 1;
    enum cn_err err;

    while ((err = spend((struct round_id){{7}, round, 1})) == CN_OK)
        cr_assert_lt(++round, 50);
    cr_assert_gt(round, 1);
    return err;
}

Test(guard, prices_the_first_round_and_allows_it)
{
    struct guard_verdict verdict;

    MUST(guard_judge(&verdict, home, task, &first));
    cr_assert_gt(verdict.epsilon_round, 0.5);
    cr_assert_lt(verdict.epsilon_round, 3.0);
    /* The filter's own count: sound for tasks chosen after results, so a little above. */
    cr_assert_geq(verdict.epsilon_after, verdict.epsilon_round);
    cr_assert_lt(verdict.epsilon_after, 1.5 * verdict.epsilon_round);
}

Test(guard, what_was_spent_is_counted_and_survives_a_restart)
{
    struct guard_verdict before, after;

    MUST(spend(first));
    MUST(guard_judge(&before, home, task, &(struct round_id){{7}, 2, 1}));
    cr_assert_gt(before.epsilon_after, before.epsilon_round);
    home_close(home);
    MUST(home_open(&home, f.dir, NULL, f.clock, NULL));
    MUST(guard_judge(&after, home, task, &(struct round_id){{7}, 2, 1}));
    cr_assert_float_eq(after.epsilon_after, before.epsilon_after, 1e-12);
}

Test(guard, an_attempt_that_was_paid_for_is_never_paid_again)
{
    struct guard_verdict verdict;

    MUST(spend((struct round_id){{7}, 2, 3}));
    home_close(home);
    MUST(home_open(&home, f.dir, NULL, f.clock, NULL));
    cr_assert_eq(guard_judge(&verdict, home, task, &(struct round_id){{7}, 2, 3}), CN_E_DENIED);
    cr_assert_eq(guard_judge(&verdict, home, task, &(struct round_id){{7}, 2, 2}), CN_E_DENIED);
    cr_assert_eq(guard_judge(&verdict, home, task, &(struct round_id){{7}, 1, 9}), CN_E_DENIED);
    MUST(guard_judge(&verdict, home, task, &(struct round_id){{7}, 2, 4}));
    MUST(guard_judge(&verdict, home, task, &(struct round_id){{8}, 1, 1}));
}

Test(guard, the_life_budget_ends_the_rounds_and_says_both_numbers)
{
    struct guard_verdict verdict;
    uint32_t round = 1;

    home->limits.epsilon_life = 6;
    MUST(home_use_limits(home, NULL));
    while (spend((struct round_id){{7}, round, 1}) == CN_OK)
        cr_assert_lt(++round, 20);
    cr_assert_gt(round, 1);
    cr_assert_eq(guard_judge(&verdict, home, task, &(struct round_id){{7}, round, 1}), CN_E_BUDGET);
    cr_assert_not_null(strstr(verdict.reason, "6"), "%s", verdict.reason);
    cr_assert_not_null(strstr(verdict.reason, "life"), "%s", verdict.reason);
    cr_assert_eq(verdict.again_s, BUDGET_NEVER);
}

Test(guard, a_task_has_a_budget_of_its_own)
{
    struct guard_verdict verdict;

    MUST(guard_judge(&verdict, home, task, &first));
    home->limits.epsilon_task = 2 * verdict.epsilon_round;
    MUST(home_use_limits(home, NULL));
    cr_assert_eq(spend_all(), CN_E_BUDGET);
    cr_assert_eq(guard_judge(&verdict, home, task, &(struct round_id){{7}, 99, 1}), CN_E_BUDGET);
    cr_assert_not_null(strstr(verdict.reason, "task"), "%s", verdict.reason);
    MUST(guard_judge(&verdict, home, task, &(struct round_id){{8}, 1, 1}));
}

Test(guard, the_day_budget_comes_back_after_a_day)
{
    struct guard_verdict verdict;
    const struct round_id second = {{7}, 99, 1};

    MUST(guard_judge(&verdict, home, task, &first));
    home->limits.epsilon_period = 2 * verdict.epsilon_round;
    MUST(home_use_limits(home, NULL));
    cr_assert_eq(spend_all(), CN_E_BUDGET);
    cr_assert_eq(guard_judge(&verdict, home, task, &second), CN_E_BUDGET);
    cr_assert_not_null(strstr(verdict.reason, "again"), "%s", verdict.reason);
    cr_assert_eq(verdict.again_s, 1800000000 + HOME_DAY_S);
    f.time.wall_s += HOME_DAY_S + 1;
    MUST(guard_judge(&verdict, home, task, &second));
}

Test(guard, updates_without_masks_need_the_owners_consent)
{
    struct guard_verdict verdict;

    task->secure_aggregation.mode = TASK_MODE_OFF;
    cr_assert_eq(guard_judge(&verdict, home, task, &first), CN_E_DENIED);
    cr_assert_not_null(strstr(verdict.reason, "own update"), "%s", verdict.reason);
    home->limits.allow_unmasked = true;
    MUST(guard_judge(&verdict, home, task, &first));
}

Test(guard, a_sparse_graph_has_to_bear_what_the_owner_demands)
{
    struct guard_verdict verdict;

    home->limits.corrupt_min = 0.2;
    MUST(guard_judge(&verdict, home, task, &first)); /* small cohorts: every two are neighbours */
    task->rounds.cohort_max = 500;
    cr_assert_eq(guard_judge(&verdict, home, task, &first), CN_E_DENIED);
    cr_assert_not_null(strstr(verdict.reason, "corrupt_min is 0.2"), "%s", verdict.reason);
    task->secure_aggregation.corrupt = 0.2;
    MUST(guard_judge(&verdict, home, task, &first));
    task->secure_aggregation.adversary = TASK_ADVERSARY_CURIOUS;
    cr_assert_eq(guard_judge(&verdict, home, task, &first), CN_E_DENIED);
    cr_assert_not_null(strstr(verdict.reason, "curious"), "%s", verdict.reason);
}

Test(guard, a_round_above_its_limit_is_refused)
{
    struct guard_verdict verdict;

    home->limits.epsilon_round = 0.1;
    cr_assert_eq(guard_judge(&verdict, home, task, &first), CN_E_BUDGET);
    cr_assert_not_null(strstr(verdict.reason, "per round"));
}

Test(guard, a_task_without_noise_needs_the_owners_consent)
{
    static const char plain[] =
        "task: plain\n"
        "model:\n  input: [1, 1, 4]\n  layers:\n    - {type: dense, units: 2}\n"
        "data: {classes: 2}\n"
        "training: {learning_rate: 0.1, epochs: 1, batch: 32}\n"
        "privacy: {unit: none}\n"
        "secure_aggregation: {update_range: 20}\n"
        "rounds: {count: 15, cohort_min: 6, cohort_max: 8}\n";
    struct guard_verdict verdict;

    task_free(task);
    load_task(plain);
    cr_assert_eq(guard_judge(&verdict, home, task, &first), CN_E_DENIED);
    home->limits.privacy_required = false;
    MUST(guard_judge(&verdict, home, task, &first));
    MUST(spend(first));
}

Test(guard, floors_of_the_owner_are_not_lowered_by_a_task)
{
    struct guard_verdict verdict;
    uint32_t cohort, threshold;

    home->limits.cohort_min = 7;
    cr_assert_eq(guard_judge(&verdict, home, task, &first), CN_E_DENIED);
    cr_assert_not_null(strstr(verdict.reason, "7 or more"));
    guard_floors(home, task, &cohort, &threshold);
    cr_assert_eq(cohort, 7);
}

Test(guard, a_delta_above_the_owners_is_refused)
{
    struct guard_verdict verdict;

    home->limits.delta = 1e-6;
    cr_assert_eq(guard_judge(&verdict, home, task, &first), CN_E_DENIED);
    cr_assert_not_null(strstr(verdict.reason, "delta"));
}

/* A line for one task too many would be on disk, and no folder with it opens again. */
Test(guard, a_task_more_than_the_ledger_can_count_is_refused_before_it_is_written)
{
    struct guard_verdict verdict;
    struct round_id id = {{0}, 1, 1};
    uint64_t lines, after;

    for (uint32_t i = 0; i < LEDGER_TOTAL_TASKS_MAX; i++) {
        id.task[0] = (uint8_t)(i >> 8);
        id.task[1] = (uint8_t)i;
        MUST(home_remember(home, &id));
    }
    ledger_head(home->ledger, NULL, &lines);
    id.task[2] = 1;
    cr_assert_eq(guard_judge(&verdict, home, task, &id), CN_E_DENIED);
    cr_assert_not_null(strstr(verdict.reason, "1024 tasks"), "%s", verdict.reason);
    cr_assert_eq(spend(id), CN_E_DENIED);
    ledger_head(home->ledger, NULL, &after);
    cr_assert_eq(after, lines);
    id.task[2] = 0;
    id.round = 2;
    MUST(spend(id));
}
