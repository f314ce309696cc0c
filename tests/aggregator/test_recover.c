/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/recover.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "aggregator/aggregate.h"
#include "federation.h"
#include "folder.h"
#include "privacy/ledger_total.h"

static const char plan_text[] =
    "task: small\n"
    "model: {input: [1, 1, 4], layers: [{type: flatten}, {type: dense, units: 2}]}\n"
    "data: {classes: 2}\n"
    "training: {learning_rate: 1, steps: 2, batch: 5, sampling_rate: 0.1}\n"
    "privacy: {unit: example, clip_norm: 1, noise_multiplier: 1, delta: 1.0e-5}\n"
    "secure_aggregation: {mode: on, update_range: 1}\n"
    "rounds: {count: 3, cohort_min: 3, cohort_max: 4, train_s: 10}\n"
    "strategy: {name: fedavg, learning_rate: 1.0}\n";

static struct fed fed;
static struct store *store;
static struct registry registry;
static struct sign_key *key;
static struct ledger *ledger;
static struct store_task task;
static struct recover what;
static struct recover_result result;
static struct cn_diag diag;

static void setup(void)
{
    struct task *parsed = NULL;
    test_folder_make();
    fed_init(&fed, 1);
    memset(&task, 0, sizeof(task));
    memset(&diag, 0, sizeof(diag));
    FED_OK(sign_key_new(&key, &fed.random));
    FED_OK(store_open(&store, test_path("store"), NULL));
    FED_OK(registry_open(&registry, test_folder, NULL));
    cr_assert_eq((int)task_parse(&parsed, plan_text, sizeof(plan_text) - 1, "plan", &diag),
                 (int)CN_OK, "%s", diag.text);
    FED_OK(registry_put(&registry, task.plan, plan_text, sizeof(plan_text) - 1, NULL));
    FED_OK(aggregate_first(task.model, parsed, &registry, NULL, NULL));
    task_free(parsed);
    memset(task.id, 5, sizeof(task.id));
    snprintf(task.name, sizeof(task.name), "small");
    task.rounds = 3;
    FED_OK(store_task_add(store, &task));
    FED_OK(store_task_state_set(store, task.id, STORE_TASK_RUNNING, ""));
    static char path[CN_PATH_MAX];
    snprintf(path, sizeof(path), "%s", test_path("ledger"));
    what = (struct recover){.store = store,
                            .registry = &registry,
                            .ledger_path = path,
                            .key = key,
                            .name = "here",
                            .now_s = FED_NOW_S + 100};
    ledger = NULL;
    FED_OK(recover_run(&ledger, &what, &result, &diag));
}

static void teardown(void)
{
    ledger_close(ledger);
    store_close(store);
    sign_key_free(key);
    fed_clear(&fed);
    test_folder_remove();
}

TestSuite(recover, .init = setup, .fini = teardown);

static struct ledger_entry entry_of(const char *kind, uint32_t round, uint32_t attempt)
{
    struct ledger_entry entry = {
        .time_s = FED_NOW_S, .round = round, .attempt = attempt, .cohort = 4};
    snprintf(entry.kind, sizeof(entry.kind), "%s", kind);
    snprintf(entry.task, sizeof(entry.task), "small");
    memcpy(entry.task_id, task.id, sizeof(entry.task_id));
    memset(entry.binding, (int)(round * 10 + attempt), HASH_BYTES);
    return entry;
}

static void append(struct ledger_entry entry)
{
    FED_OK(ledger_append(ledger, &entry));
}

static void publish(uint32_t round, uint32_t attempt, const char *model)
{
    struct ledger_entry entry = entry_of("round_published", round, attempt);
    FED_OK(registry_put(&registry, entry.model, model, strlen(model), NULL));
    entry.survivors = 4;
    append(entry);
}

struct last {
    struct store_round round;
    int count;
};

static enum cn_err see(void *ctx, const struct store_round *round)
{
    struct last *last = ctx;
    last->round = *round;
    last->count++;
    return CN_OK;
}

static struct last rows(void)
{
    struct last last = {.count = 0};
    FED_OK(store_round_list(store, task.id, see, &last));
    return last;
}

static void recover(void)
{
    cr_assert_eq((int)recover_run(&ledger, &what, &result, &diag), (int)CN_OK, "%s", diag.text);
    cr_assert_not_null(ledger);
}

static void expect_ledger_whole(void)
{
    struct ledger_summary summary;
    cr_assert_eq((int)ledger_read(what.ledger_path, NULL, NULL, &summary, &diag), (int)CN_OK, "%s",
                 diag.text);
}

Test(recover, changes_nothing_when_everything_agrees)
{
    uint64_t before, after;
    ledger_head(ledger, NULL, &before);
    recover();
    ledger_head(ledger, NULL, &after);
    cr_assert_eq(before, after);
    cr_assert_eq(result.abandoned, 0);
    cr_assert_eq(result.restored, 0);
}

Test(recover, charges_nothing_for_a_round_in_which_devices_only_trained)
{
    append(entry_of("round_opened", 1, 1));
    append(entry_of(RECOVER_UPLOADING, 1, 1));
    append(entry_of("round_abandoned", 1, 1));
    append(entry_of("round_opened", 1, 2));
    recover();
    cr_assert_eq(result.abandoned, 1);
    struct last last = rows();
    cr_assert_eq(last.round.attempt, 2);
    cr_assert_not(last.round.charged);
}

Test(recover, abandons_and_charges_a_round_that_did_not_end)
{
    append(entry_of("round_opened", 1, 1));
    append(entry_of(RECOVER_UPLOADING, 1, 1));
    recover();
    cr_assert_eq(result.abandoned, 1);
    struct last last = rows();
    cr_assert_eq(last.count, 1);
    cr_assert_not(last.round.published);
    cr_assert(last.round.charged);
    cr_assert_str_eq(last.round.reason, RECOVER_REASON);
    struct ledger_summary summary;
    struct ledger_total total;
    FED_OK(ledger_total_read(&total, what.ledger_path, 0, &summary, NULL));
    cr_assert_eq(total.all.spendings, 1);
    cr_assert_eq(total.all.steps, 2);
    cr_assert_float_eq(total.all.delta, 1e-5, 0);
    ledger_total_clear(&total);
    recover();
    cr_assert_eq(result.abandoned, 0);
    cr_assert_eq(rows().count, 1);
}

Test(recover, gives_the_reason_it_was_told)
{
    append(entry_of("round_opened", 1, 1));
    what.reason = "the disk was full";
    recover();
    cr_assert_str_eq(rows().round.reason, "the disk was full");
}

Test(recover, finishes_publishing_what_the_ledger_says_is_published)
{
    append(entry_of("round_opened", 1, 1));
    publish(1, 1, "the new model");
    recover();
    cr_assert_eq(result.restored, 1);
    cr_assert_eq(result.abandoned, 0);
    struct store_task now;
    FED_OK(store_task_get(store, task.id, &now));
    cr_assert_eq(now.published, 1);
    uint8_t hash[HASH_BYTES];
    hash_blob(hash, "the new model", 13);
    cr_assert_arr_eq(now.model, hash, HASH_BYTES);
    recover();
    cr_assert_eq(result.restored, 0);
}

Test(recover, restores_rows_of_abandoned_rounds)
{
    append(entry_of("round_opened", 1, 1));
    struct ledger_entry end = entry_of("round_abandoned", 1, 1);
    snprintf(end.reason, sizeof(end.reason), "too few devices");
    append(end);
    append(entry_of("round_opened", 1, 2));
    publish(1, 2, "m");
    append(entry_of("round_opened", 2, 1));
    recover();
    cr_assert_eq(result.restored, 3); /* the one it abandons itself counts too */
    cr_assert_eq(result.abandoned, 1);
    cr_assert_eq(rows().count, 3);
    expect_ledger_whole();
}

Test(recover, does_not_point_to_a_model_that_is_missing)
{
    struct ledger_entry end = entry_of("round_published", 1, 1);
    append(entry_of("round_opened", 1, 1));
    memset(end.model, 9, HASH_BYTES);
    append(end);
    cr_assert_eq((int)recover_run(&ledger, &what, &result, &diag), (int)CN_E_DATA);
    cr_assert(strstr(diag.text, "missing from blobs/"), "%s", diag.text);
    cr_assert_null(ledger);
    struct store_task now;
    FED_OK(store_task_get(store, task.id, &now));
    cr_assert_eq(now.published, 0);
}

Test(recover, notices_that_lines_were_taken_from_the_ledger)
{
    struct store_round round = {.round = 1, .attempt = 1, .published = true};
    memcpy(round.task, task.id, sizeof(round.task));
    metrics_init(&round.metrics);
    FED_OK(store_round_add(store, &round));
    cr_assert_eq((int)recover_run(&ledger, &what, &result, &diag), (int)CN_E_TAMPERED);
    cr_assert(strstr(diag.text, "taken away"), "%s", diag.text);
}

Test(recover, notices_a_store_that_does_not_know_the_ledgers_task)
{
    memset(task.id, 6, sizeof(task.id));
    append(entry_of("round_opened", 1, 1));
    publish(1, 1, "m");
    cr_assert_eq((int)recover_run(&ledger, &what, &result, &diag), (int)CN_E_DATA);
    cr_assert(strstr(diag.text, "does not know"), "%s", diag.text);
    cr_assert_neq(diag.hint[0], '\0');
}

Test(recover, mends_a_torn_last_line_and_the_round_behind_it)
{
    append(entry_of("round_opened", 1, 1));
    ledger_close(ledger);
    ledger = NULL;
    FILE *file = fopen(what.ledger_path, "a");
    fputs("{\"sequence\":3,\"ki", file);
    fclose(file);
    recover();
    cr_assert_eq(result.abandoned, 1);
    expect_ledger_whole();
}

Test(recover, refuses_a_ledger_that_was_changed)
{
    append(entry_of("round_opened", 1, 1));
    ledger_close(ledger);
    ledger = NULL;
    int fd = open(what.ledger_path, O_RDWR);
    cr_assert_eq(pwrite(fd, "X", 1, 40), 1);
    close(fd);
    cr_assert_eq((int)recover_run(&ledger, &what, &result, &diag), (int)CN_E_TAMPERED);
    cr_assert_neq(diag.text[0], '\0');
}

Test(recover, remembers_what_the_ledger_already_tells_of_devices_and_tasks)
{
    bool again;
    FED_OK(store_enrol(store, &fed.devices[0].certificate, FED_NOW_S, &again));
    FED_OK(store_device_revoke(store, fed.devices[0].id, FED_NOW_S));
    struct ledger_entry entry = {.time_s = FED_NOW_S, .kind = "device_enrolled"};
    recover_device_reason(entry.reason, fed.devices[0].id, "device-0");
    append(entry);
    snprintf(entry.kind, sizeof(entry.kind), "device_revoked");
    append(entry);
    append(entry_of("task_submitted", 0, 0));
    recover();
    struct store_event event;
    cr_assert_eq((int)store_event_next(store, &event), (int)CN_E_NOT_FOUND);
}
