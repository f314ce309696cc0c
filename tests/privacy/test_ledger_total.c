/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "ledger_fixture.h"
#include "privacy/ledger_total.h"

TestSuite(ledger_total, .init = fixture_start, .fini = fixture_stop);

static double price(const struct accountant_event *event, uint64_t times, double delta)
{
    struct accountant_event all = *event;
    struct accountant a;
    double epsilon;

    all.steps *= times;
    accountant_init(&a);
    cr_assert_eq(accountant_add(&a, &all), CN_OK);
    cr_assert_eq(accountant_epsilon(&a, delta, &epsilon, NULL), CN_OK);
    return epsilon;
}

static void write_two_tasks(void)
{
    struct ledger *ledger = fixture_open();

    for (uint32_t n = 1; n <= 6; n++) {
        struct ledger_entry entry = fixture_spent(n);

        if (n % 3 == 0) {
            memset(entry.task_id, 0x11, sizeof entry.task_id);
            snprintf(entry.task, sizeof entry.task, "other");
            entry.delta = 1e-6;
            snprintf(entry.unit, sizeof entry.unit, "user");
        }
        cr_assert_eq(ledger_append(ledger, &entry), CN_OK);
        snprintf(entry.kind, sizeof entry.kind, "round_opened");
        entry.has_event = false;
        cr_assert_eq(ledger_append(ledger, &entry), CN_OK);
    }
    ledger_close(ledger);
}

Test(ledger_total, adds_up_per_task_and_over_all)
{
    const struct accountant_event event = fixture_spent(1).event;
    struct ledger_summary summary;
    struct ledger_total total;
    double epsilon, delta;

    write_two_tasks();
    cr_assert_eq(ledger_total_read(&total, path, 0, &summary, NULL), CN_OK);
    cr_assert_eq(summary.lines, 13);
    cr_assert_eq(total.count, 2);
    cr_assert_str_eq(total.tasks[0].task, "fashion");
    cr_assert_eq(total.tasks[0].spendings, 4);
    cr_assert_eq(total.tasks[0].round_last, 5);
    cr_assert_eq(total.tasks[0].steps, 4 * 29);
    cr_assert_str_eq(total.tasks[1].unit, "user");
    cr_assert_eq(total.all.spendings, 6);
    cr_assert_eq(ledger_total_epsilon(&total.tasks[0], 0, &epsilon, &delta), CN_OK);
    cr_assert_float_eq(epsilon / price(&event, 4, 1e-5), 1, 1e-12);
    cr_assert_eq(delta, 1e-5);
    cr_assert_eq(ledger_total_epsilon(&total.tasks[1], 0, &epsilon, &delta), CN_OK);
    cr_assert_float_eq(epsilon / price(&event, 2, 1e-6), 1, 1e-12);
    cr_assert_eq(ledger_total_epsilon(&total.all, 0, &epsilon, &delta), CN_OK);
    cr_assert_float_eq(epsilon / price(&event, 6, 1e-6), 1, 1e-12);
    ledger_total_clear(&total);
}

Test(ledger_total, can_start_at_a_time)
{
    struct ledger_summary summary;
    struct ledger_total total;

    write_two_tasks();
    cr_assert_eq(ledger_total_read(&total, path, FIXTURE_TIME + 5 * 60, &summary, NULL), CN_OK);
    cr_assert_eq(total.all.spendings, 2);
    cr_assert_eq(total.count, 2);
    ledger_total_clear(&total);
}

Test(ledger_total, takes_the_callers_delta_when_no_entry_names_one)
{
    struct ledger_entry entry = fixture_spent(1);
    struct ledger_total total;
    double epsilon, delta;

    entry.delta = 0;
    ledger_total_init(&total, 0);
    cr_assert_eq(ledger_total_add(&total, &entry), CN_OK);
    cr_assert_eq(ledger_total_epsilon(&total.all, 1e-7, &epsilon, &delta), CN_OK);
    cr_assert_eq(delta, 1e-7);
    cr_assert_gt(epsilon, 0);
    cr_assert_eq(ledger_total_epsilon(&total.all, 0, &epsilon, &delta), CN_E_CONFIG);
    ledger_total_clear(&total);
}

Test(ledger_total, tells_tasks_without_id_apart_by_name)
{
    struct ledger_entry entry = fixture_spent(1);
    struct ledger_total total;

    memset(entry.task_id, 0, sizeof entry.task_id);
    ledger_total_init(&total, 0);
    cr_assert_eq(ledger_total_add(&total, &entry), CN_OK);
    snprintf(entry.task, sizeof entry.task, "second");
    cr_assert_eq(ledger_total_add(&total, &entry), CN_OK);
    cr_assert_eq(ledger_total_add(&total, &entry), CN_OK);
    cr_assert_eq(total.count, 2);
    cr_assert_eq(total.tasks[1].spendings, 2);
    ledger_total_clear(&total);
}

Test(ledger_total, has_a_maximum_of_tasks)
{
    struct ledger_entry entry = fixture_spent(1);
    struct ledger_total total;

    ledger_total_init(&total, 0);
    for (uint32_t i = 0; i < LEDGER_TOTAL_TASKS_MAX; i++) {
        memcpy(entry.task_id, &i, sizeof i);
        cr_assert_eq(ledger_total_add(&total, &entry), CN_OK);
    }
    entry.task_id[5] = 1;
    cr_assert_eq(ledger_total_add(&total, &entry), CN_E_TOO_LARGE);
    ledger_total_clear(&total);
}

Test(ledger_total, is_empty_when_the_ledger_does_not_verify)
{
    struct ledger_summary summary;
    struct ledger_total total;
    size_t len;

    write_two_tasks();
    char *text = fixture_text(&len);
    *strstr(fixture_line(text, 7), "0.034") = '1';
    fixture_put(text, len);
    free(text);
    cr_assert_eq(ledger_total_read(&total, path, 0, &summary, NULL), CN_E_TAMPERED);
    cr_assert_eq(total.count, 0);
    cr_assert_eq(total.all.spendings, 0);
}
