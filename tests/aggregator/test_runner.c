/* SPDX-License-Identifier: Apache-2.0 */
/* Whole tasks without sockets: real store, ledger, blobs and secure aggregation, devices in the
 * same process, time by hand. */
#include "aggregator/runner.h"

#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "aggregator/aggregate.h"
#include "federation.h"
#include "folder.h"
#include "nn/safetensors.h"
#include "privacy/encode.h"
#include "privacy/ledger_total.h"
#include "privacy/receipt.h"

#define TASK(unit_and_more)                                                                        \
    "task: small\n"                                                                                \
    "model: {input: [1, 1, 4], layers: [{type: flatten}, {type: dense, units: 2}], seed: 3}\n"     \
    "data: {classes: 2}\n"                                                                         \
    "secure_aggregation: {mode: on, update_range: 4}\n"                                            \
    "rounds: {count: 3, cohort_min: 3, cohort_max: 4, gather_s: 2, train_s: 10, exchange_s: 10,"   \
    " upload_s: 10, survivors_s: 10, reveal_s: 10}\n"                                              \
    "strategy: {name: fedavg, learning_rate: 1.0}\n" unit_and_more

static const char private_task[] =
    TASK("training: {learning_rate: 1, steps: 2, batch: 5, sampling_rate: 0.1}\n"
         "privacy: {unit: example, clip_norm: 1, noise_multiplier: 1, delta: 1.0e-5}\n");
static const char open_task[] =
    TASK("training: {learning_rate: 1, steps: 2, batch: 5}\nprivacy: {unit: none}\n");

enum { PARAMS = 10, JOBS_MAX = 4, CRASHES = 16 };

static struct fed fed;
static struct store *store;
static struct registry registry;
static struct sign_key *key;
static struct runner *runner;
static struct task *parsed;
static struct encode_plan plan;
static struct store_task row;
static struct runner_job *jobs[JOBS_MAX];
static int job_count;
static struct cn_clock_manual manual;
static uint64_t now_ms;
static char ledger_path[CN_PATH_MAX];
static bool lie; /* devices count themselves twice */

static void fill(void *ctx, int device, uint32_t *vector)
{
    (void)ctx;
    float update[PARAMS];
    uint32_t counters[TASK_COUNTER_COUNT] = {0};
    struct tally_report report = {.examples = 10, .loss = 0.5, .accuracy = 0.75};
    for (int k = 0; k < PARAMS; k++)
        update[k] = 0.1f * (float)(device + 1);
    tally_write(counters, parsed, &report);
    if (lie)
        counters[TASK_COUNTER_DEVICES] = 2;
    FED_OK(encode_update(vector, update, counters, &plan, &fed.random));
}

static enum cn_err deliver(void *ctx, const uint8_t id[DEVICE_ID_BYTES],
                           const struct message *message)
{
    (void)ctx;
    return runner_message(runner, id, message, now_ms);
}

static void send(void *ctx, const uint8_t id[DEVICE_ID_BYTES], const struct message *message)
{
    (void)ctx;
    fed_send(&fed, id, message);
}

static void work(void *ctx, struct runner_job *job)
{
    (void)ctx;
    cr_assert_lt(job_count, JOBS_MAX);
    jobs[job_count++] = job;
}

static enum cn_err start(struct cn_diag *diag)
{
    struct runner_calls calls = {.send = send, .work = work};
    struct runner_options options = {.folder = test_folder,
                                     .ledger_path = ledger_path,
                                     .name = "here",
                                     .store = store,
                                     .registry = &registry,
                                     .cohort = fed.cohort,
                                     .key = key,
                                     .random = fed.random,
                                     .clock = cn_clock_manual(&manual),
                                     .uploads_max = 1 << 20,
                                     .grace_ms = 1000,
                                     .models_kept = 2};
    memcpy(options.registrar, fed.registrar_public, SIGN_PUBLIC_BYTES);
    return runner_new(&runner, &options, &calls, diag);
}

static void begin(const char *text, int devices)
{
    struct cn_diag diag = {0};
    fed.fill = fill;
    fed.deliver = deliver;
    cr_assert_eq((int)task_parse(&parsed, text, strlen(text), "plan", &diag), (int)CN_OK, "%s",
                 diag.text);
    FED_OK(task_encode_plan(&plan, parsed, NULL));
    FED_OK(task_secagg_config(&fed.secagg, parsed));
    sign_key_public(key, fed.ledger_key);
    fed.unmasked = parsed->secure_aggregation.mode == TASK_MODE_OFF;
    FED_OK(registry_put(&registry, row.plan, text, strlen(text), NULL));
    FED_OK(aggregate_first(row.model, parsed, &registry, NULL, NULL));
    memset(row.id, 5, sizeof(row.id));
    snprintf(row.name, sizeof(row.name), "small");
    row.rounds = parsed->rounds.count;
    FED_OK(store_task_add(store, &row));
    cr_assert_eq((int)start(&diag), (int)CN_OK, "%s", diag.text);
    for (int i = 0; i < devices; i++) {
        fed_join(&fed, i);
        runner_device_here(runner, fed.devices[i].id, now_ms);
    }
}

static void setup(void)
{
    test_folder_make();
    fed_init(&fed, 5);
    memset(&row, 0, sizeof(row));
    manual = (struct cn_clock_manual){.wall_s = FED_NOW_S};
    now_ms = 1000;
    runner = NULL;
    parsed = NULL;
    job_count = 0;
    lie = false;
    snprintf(ledger_path, sizeof(ledger_path), "%s", test_path("ledger.jsonl"));
    FED_OK(sign_key_new(&key, &fed.random));
    FED_OK(store_open(&store, test_path("store.sqlite"), NULL));
    FED_OK(registry_open(&registry, test_folder, NULL));
}

static void run_job(void)
{
    struct runner_job *job = jobs[--job_count];
    job->run(job);
    job->done(job, now_ms);
}

static void teardown(void)
{
    while (job_count)
        run_job();
    runner_free(runner);
    task_free(parsed);
    store_close(store);
    sign_key_free(key);
    fed_clear(&fed);
    test_folder_remove();
}

TestSuite(runner, .init = setup, .fini = teardown);

/* One tick, and everything that follows from it without time passing. */
static void tick(void)
{
    runner_tick(runner, now_ms);
    do {
        fed_run(&fed);
        if (job_count)
            run_job();
    } while (job_count || fed.head != fed.tail);
}

static void pass(uint64_t ms)
{
    for (uint64_t end = now_ms + ms; now_ms < end;) {
        now_ms += 50;
        manual.steady_ms += 50;
        tick();
    }
}

static void refresh(void)
{
    FED_OK(store_task_get(store, row.id, &row));
}

struct seen {
    struct store_round rounds[64];
    int count;
};

static enum cn_err see_round(void *ctx, const struct store_round *round)
{
    struct seen *seen = ctx;
    seen->rounds[seen->count++] = *round;
    return CN_OK;
}

static struct seen rounds(void)
{
    struct seen seen = {.count = 0};
    FED_OK(store_round_list(store, row.id, see_round, &seen));
    return seen;
}

static void expect_ledger_agrees(uint64_t spendings)
{
    struct ledger_summary summary;
    struct ledger_total total;
    struct cn_diag diag = {0};
    cr_assert_eq((int)ledger_total_read(&total, ledger_path, 0, &summary, &diag), (int)CN_OK, "%s",
                 diag.text);
    cr_assert_eq(total.all.spendings, spendings);
    ledger_total_clear(&total);
}

static const char *wanted_kind;

static enum cn_err count_line(void *ctx, const struct ledger_entry *entry)
{
    int *count = ctx;
    bool is = strcmp(entry->kind, wanted_kind) == 0;
    *count += is;
    if (is && strcmp(wanted_kind, "participation") == 0) {
        uint8_t owner[SIGN_PUBLIC_BYTES];
        sign_key_public(key, owner);
        FED_OK(receipt_evidence_check(entry, owner));
        cr_assert_eq(entry->has_event, parsed->privacy.unit != TASK_UNIT_NONE);
    }
    return CN_OK;
}

static int count_lines(const char *kind)
{
    struct ledger_summary summary;
    int count = 0;
    wanted_kind = kind;
    FED_OK(ledger_read(ledger_path, count_line, &count, &summary, NULL));
    return count;
}

static void load_weights(float out[PARAMS])
{
    struct model *model = NULL;
    struct blob *blob = NULL;
    refresh();
    FED_OK(task_model_new(&model, parsed, 1, NULL));
    FED_OK(registry_get(&registry, &blob, row.model, 1 << 20, NULL));
    FED_OK(safetensors_decode(model, blob->bytes, blob->len, NULL, "model", NULL));
    memcpy(out, model_weights(model), PARAMS * sizeof(float));
    blob_drop(blob);
    model_free(model);
}

/* ---- the good way ---- */

Test(runner, publishes_every_round_and_is_done)
{
    begin(private_task, 4);
    cr_assert_not(runner_done(runner));
    pass(2000);
    refresh();
    cr_assert_eq(row.state, STORE_TASK_DONE, "%s", row.note);
    cr_assert_eq(row.published, 3);
    struct seen seen = rounds();
    cr_assert_eq(seen.count, 3);
    double epsilon;
    for (int i = 0; i < 3; i++) {
        cr_assert(seen.rounds[i].published);
        cr_assert_eq(seen.rounds[i].survivors, 4);
        FED_OK(task_epsilon(parsed, (uint32_t)i + 1, &epsilon));
        cr_assert_float_eq(seen.rounds[i].metrics.epsilon, epsilon, 1e-9);
        cr_assert(isnan(seen.rounds[i].metrics.train_loss)); /* devices do not tell it under DP */
    }
    expect_ledger_agrees(3);
    cr_assert_eq(count_lines("participation"), 12); /* every device, every round */
    cr_assert_eq(count_lines("round_uploading"), 3);
    cr_assert(runner_done(runner));
    cr_assert(fed.devices[0].outcome.published);
    cr_assert_arr_eq(fed.devices[0].outcome.model, row.model, HASH_BYTES);
    cr_assert(cn_file_exists(test_path("models/small-latest.safetensors")));
}

Test(runner, moves_the_model_by_the_mean_of_the_updates)
{
    float before[PARAMS], after[PARAMS];
    begin(private_task, 4);
    load_weights(before);
    pass(2000);
    load_weights(after);
    /* Devices send 0.1, 0.2, 0.3, 0.4 in three rounds; a step of the encoding is far smaller. */
    for (int k = 0; k < PARAMS; k++)
        cr_assert_float_eq(after[k] - before[k], 3 * 0.25f, 1e-3);
}

Test(runner, reads_losses_where_no_privacy_is_promised)
{
    begin(open_task, 4);
    pass(2000);
    struct seen seen = rounds();
    cr_assert_eq(seen.count, 3);
    cr_assert_float_eq(seen.rounds[2].metrics.train_loss, 0.5, 1e-3);
    cr_assert_float_eq(seen.rounds[2].metrics.train_accuracy, 0.75, 1e-3);
    cr_assert(isnan(seen.rounds[2].metrics.epsilon));
    expect_ledger_agrees(0);
}

Test(runner, removes_old_models)
{
    begin(private_task, 4);
    uint8_t first[HASH_BYTES];
    memcpy(first, row.model, HASH_BYTES);
    pass(2000);
    refresh();
    cr_assert(registry_has(&registry, row.model));
    cr_assert(registry_has(&registry, row.plan));
    cr_assert_not(registry_has(&registry, first));
}

Test(runner, offers_only_the_plan_and_the_model_of_the_task)
{
    uint8_t other[HASH_BYTES] = {1};
    begin(private_task, 2);
    tick();
    cr_assert_not_null(runner_blob(runner, row.plan));
    cr_assert_not_null(runner_blob(runner, row.model));
    cr_assert_null(runner_blob(runner, other));
}

Test(runner, evaluates_every_model_on_the_operators_test_data)
{
    test_write("test.csv", "a,b,c,d,y\n1,2,3,4,0\n4,3,2,1,1\n0,0,1,1,0\n");
    snprintf(row.test, sizeof(row.test), "csv:%s,label=y", test_path("test.csv"));
    begin(private_task, 4);
    pass(3000);
    struct seen seen = rounds();
    cr_assert_eq(seen.count, 3);
    for (int i = 0; i < 3; i++) {
        cr_assert(isfinite(seen.rounds[i].metrics.loss));
        cr_assert(seen.rounds[i].metrics.accuracy >= 0 && seen.rounds[i].metrics.accuracy <= 1);
    }
    cr_assert(runner_done(runner));
}

Test(runner, goes_on_when_the_test_data_has_vanished)
{
    snprintf(row.test, sizeof(row.test), "csv:%s,label=y", test_path("gone.csv"));
    begin(private_task, 4);
    pass(3000);
    refresh();
    cr_assert_eq(row.state, STORE_TASK_DONE);
    cr_assert(isnan(rounds().rounds[0].metrics.accuracy));
    cr_assert(runner_done(runner));
}

Test(runner, publishes_rounds_without_masks)
{
    static const char off_task[] =
        "task: small\n"
        "model: {input: [1, 1, 4], layers: [{type: flatten}, {type: dense, units: 2}], seed: 3}\n"
        "data: {classes: 2}\n"
        "secure_aggregation: {mode: off, update_range: 4}\n"
        "rounds: {count: 3, cohort_min: 3, cohort_max: 4, gather_s: 2, train_s: 10, upload_s: 10}\n"
        "training: {learning_rate: 1, steps: 2, batch: 5}\nprivacy: {unit: none}\n";
    float before[PARAMS], after[PARAMS];
    begin(off_task, 4);
    load_weights(before);
    pass(2000);
    load_weights(after);
    for (int k = 0; k < PARAMS; k++)
        cr_assert_float_eq(after[k] - before[k], 3 * 0.25f, 1e-3);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(fed.devices[i].heard[MESSAGE_ROSTER], 0);
        cr_assert_eq(fed.devices[i].heard[MESSAGE_COLLECT], 3);
    }
    cr_assert_eq(count_lines("participation"), 12);
}

Test(runner, gives_a_receipt_again_until_it_is_signed)
{
    begin(private_task, 4);
    fed.devices[0].keeps_receipts = true;
    pass(4000);
    cr_assert_eq(count_lines("participation"), 9);
    fed.devices[0].keeps_receipts = false;
    fed_leave(&fed, 0);
    runner_device_lost(runner, fed.devices[0].id, now_ms);
    fed_join(&fed, 0);
    runner_device_here(runner, fed.devices[0].id, now_ms);
    pass(2000);
    cr_assert_eq(count_lines("participation"), 10); /* the last: it knows no others any more */
}

Test(runner, refuses_a_signature_that_is_not_under_the_receipt)
{
    begin(private_task, 4);
    fed.devices[1].signs_wrong = true;
    pass(2000);
    cr_assert_eq(fed.refused[1], CN_E_AUTH);
    cr_assert_eq(count_lines("participation"), 9);
}

Test(runner, signs_its_ledger_as_it_stands_and_as_it_was)
{
    struct checkpoint now;
    uint8_t then[HASH_BYTES], zero[HASH_BYTES] = {0};
    begin(private_task, 4);
    FED_OK(runner_checkpoint(runner, &now, 0, then));
    FED_OK(checkpoint_check(&now));
    cr_assert_arr_eq(then, zero, HASH_BYTES);
    struct checkpoint early = now;
    pass(2000);
    FED_OK(runner_checkpoint(runner, &now, early.count, then));
    cr_assert_gt(now.count, early.count);
    cr_assert_arr_eq(then, early.head, HASH_BYTES);
    FED_OK(runner_checkpoint(runner, &now, now.count + 1, then));
    cr_assert_arr_eq(then, zero, HASH_BYTES);
}

/* ---- trouble with devices ---- */

Test(runner, says_what_it_waits_for)
{
    begin(private_task, 2);
    pass(1000);
    refresh();
    cr_assert_str_eq(row.note, "round 1 waits for devices: 2 of 3 are available");
    cr_assert_eq(row.state, STORE_TASK_RUNNING);
    fed_join(&fed, 2);
    runner_device_here(runner, fed.devices[2].id, now_ms);
    pass(10000);
    refresh();
    cr_assert_eq(row.published, 3);
}

Test(runner, tries_again_after_a_round_with_too_few)
{
    begin(private_task, 4);
    fed.devices[0].declines = DECLINE_BUSY;
    fed.devices[1].declines = DECLINE_DATA;
    tick();
    tick();
    struct seen seen = rounds();
    cr_assert_eq(seen.count, 1);
    cr_assert_not(seen.rounds[0].published);
    cr_assert_not(seen.rounds[0].charged);
    cr_assert(strstr(seen.rounds[0].reason, "too few devices"), "%s", seen.rounds[0].reason);
    cr_assert(strstr(fed.devices[2].outcome.reason, "too few devices"));
    fed.devices[0].declines = fed.devices[1].declines = 0;
    pass(900);
    cr_assert_eq(rounds().count, 1); /* not at once */
    pass(3000);
    seen = rounds();
    cr_assert_eq(seen.count, 4);
    cr_assert_eq(seen.rounds[1].round, 1);
    cr_assert_eq(seen.rounds[1].attempt, 2);
    cr_assert(seen.rounds[1].published);
    expect_ledger_agrees(3);
}

Test(runner, waits_longer_after_every_failure)
{
    begin(private_task, 4);
    fed.devices[0].declines = fed.devices[1].declines = DECLINE_BUSY;
    pass(16000); /* at 0, 1, 3, 7 and 15 seconds, roughly */
    int count = rounds().count;
    cr_assert(count == 4 || count == 5, "%d", count);
}

Test(runner, keeps_the_reason_of_a_device_that_declines)
{
    bool again;
    FED_OK(store_enrol(store, &fed.devices[3].certificate, FED_NOW_S, &again));
    begin(private_task, 4);
    fed.devices[3].declines = DECLINE_BUDGET;
    pass(30000);
    struct store_device device;
    FED_OK(store_device_get(store, fed.devices[3].id, &device));
    cr_assert_str_eq(device.declined, "budget: the owner says no");
    cr_assert_eq(fed.devices[3].heard[MESSAGE_OFFER], 1); /* not again in this task */
    refresh();
    cr_assert_eq(row.published, 3);
}

Test(runner, charges_a_round_that_fails_after_vectors_have_left)
{
    begin(private_task, 4);
    fed.devices[0].mute = fed.devices[1].mute = MESSAGE_VOUCHES;
    pass(11000);
    struct seen seen = rounds();
    cr_assert_geq(seen.count, 1);
    cr_assert_not(seen.rounds[0].published);
    cr_assert(seen.rounds[0].charged);
    fed.devices[0].mute = fed.devices[1].mute = MESSAGE_NONE;
    pass(60000);
    refresh();
    cr_assert_eq(row.published, 3);
    seen = rounds();
    expect_ledger_agrees((uint64_t)seen.count);
    double epsilon;
    FED_OK(task_epsilon(parsed, (uint32_t)seen.count, &epsilon));
    cr_assert_float_eq(seen.rounds[seen.count - 1].metrics.epsilon, epsilon, 1e-9);
}

Test(runner, abandons_a_sum_that_is_not_of_so_many_devices)
{
    begin(private_task, 4);
    lie = true;
    tick();
    tick();
    struct seen seen = rounds();
    cr_assert_eq(seen.count, 1);
    cr_assert_not(seen.rounds[0].published);
    cr_assert(strstr(seen.rounds[0].reason, "not one of 4 honest devices"), "%s",
              seen.rounds[0].reason);
    lie = false;
    pass(5000);
    refresh();
    cr_assert_eq(row.published, 3);
}

/* ---- the operator ---- */

Test(runner, stops_a_task_when_the_operator_says_so)
{
    begin(private_task, 4);
    fed.devices[0].mute = MESSAGE_OFFER;
    tick();
    tick();
    FED_OK(store_task_stop(store, row.id));
    runner_poll(runner, now_ms);
    pass(500);
    struct seen seen = rounds();
    cr_assert_eq(seen.count, 1);
    cr_assert(strstr(seen.rounds[0].reason, "operator"));
    refresh();
    cr_assert_eq(row.state, STORE_TASK_STOPPED);
    cr_assert(runner_done(runner));
}

Test(runner, runs_the_next_task_after_the_first)
{
    begin(private_task, 4);
    struct store_task second = row;
    memset(second.id, 6, sizeof(second.id));
    FED_OK(store_task_add(store, &second));
    pass(5000);
    FED_OK(store_task_get(store, second.id, &second));
    cr_assert_eq(second.state, STORE_TASK_DONE);
    cr_assert_eq(second.published, 3);
    expect_ledger_agrees(6);
}

Test(runner, stops_cleanly_in_the_middle_of_a_round)
{
    begin(private_task, 4);
    fed.devices[0].mute = MESSAGE_INBOX;
    tick();
    tick();
    runner_stop(runner, now_ms);
    cr_assert(runner_rests(runner));
    struct seen seen = rounds();
    cr_assert_eq(seen.count, 1);
    cr_assert(strstr(seen.rounds[0].reason, "being stopped"));
    cr_assert(seen.rounds[0].charged);
    pass(1000);
    cr_assert_eq(rounds().count, 1);
}

Test(runner, records_enrolments_and_tasks_in_the_ledger)
{
    bool again;
    FED_OK(store_enrol(store, &fed.devices[0].certificate, FED_NOW_S, &again));
    begin(private_task, 0);
    uint64_t before, after;
    uint8_t head[HASH_BYTES];
    runner_ledger_head(runner, head, &before);
    cr_assert_eq(before, 3); /* opened, task_submitted, device_enrolled */
    FED_OK(store_device_revoke(store, fed.devices[0].id, FED_NOW_S));
    runner_poll(runner, now_ms);
    runner_poll(runner, now_ms);
    runner_ledger_head(runner, head, &after);
    cr_assert_eq(after, 4);
}

Test(runner, does_not_run_a_task_whose_plan_is_damaged)
{
    begin(private_task, 4);
    char name[2 * HASH_BYTES + 8] = "blobs/";
    for (int i = 0; i < HASH_BYTES; i++)
        snprintf(name + 6 + 2 * i, 3, "%02x", row.plan[i]);
    test_write(name, "task: other\n");
    pass(3000);
    refresh();
    cr_assert_eq(row.state, STORE_TASK_STOPPED);
    cr_assert(strstr(row.note, "damaged"), "%s", row.note);
}

/* ---- crashes and full disks ---- */

/* Forgets the process as kill -9 does and starts another on the same files. */
static void crash(void)
{
    struct cn_diag diag = {0};
    while (job_count) /* a job dies with its process; its blob may or may not be there */
        run_job();
    for (int i = 0; i < fed.count; i++) {
        if (fed.devices[i].here)
            fed_leave(&fed, i);
        fed_device_reset(&fed.devices[i]);
    }
    while (fed.head != fed.tail)
        free(fed.queue[fed.head++ % FED_QUEUE_MAX].bytes);
    runner_free(runner);
    runner = NULL;
    store_close(store);
    FED_OK(store_open(&store, test_path("store.sqlite"), NULL));
    cr_assert_eq((int)start(&diag), (int)CN_OK, "%s", diag.text);
    for (int i = 0; i < 4; i++) {
        fed_join(&fed, i);
        runner_device_here(runner, fed.devices[i].id, now_ms);
    }
}

Test(runner, goes_on_after_a_crash_at_any_message)
{
    begin(private_task, 4);
    int crashes = 0;
    for (int step = 0; row.state != STORE_TASK_DONE && step < 4000; step++) {
        now_ms += 7;
        manual.steady_ms += 7;
        runner_tick(runner, now_ms);
        fed_step(&fed);
        if (job_count && fed.head == fed.tail)
            run_job();
        if (crashes < CRASHES && cn_random_below(&fed.random, 20) == 0) {
            crash();
            crashes++;
        }
        refresh();
    }
    cr_assert_eq(row.state, STORE_TASK_DONE);
    cr_assert_geq(crashes, CRASHES / 2);
    struct seen seen = rounds();
    uint32_t published = 0, charged = 0;
    for (int i = 0; i < seen.count; i++) {
        published += seen.rounds[i].published;
        charged += seen.rounds[i].charged;
        for (int k = 0; k < i; k++) /* no attempt twice */
            cr_assert(seen.rounds[i].round != seen.rounds[k].round ||
                      seen.rounds[i].attempt != seen.rounds[k].attempt);
    }
    cr_assert_eq(published, 3);
    cr_assert_gt(seen.count, 3);
    expect_ledger_agrees(charged);
}

Test(runner, outlives_a_full_disk)
{
    begin(private_task, 4);
    fed.devices[0].mute = MESSAGE_VOUCHES;
    tick();
    tick();
    /* From here on no file can grow past one byte, as if the disk were full. */
    struct rlimit before, full;
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    full = (struct rlimit){.rlim_cur = 1, .rlim_max = before.rlim_max};
    cr_assert_neq(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &full), 0);
    fed.devices[0].mute = MESSAGE_NONE;
    pass(30000);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    refresh();
    cr_assert_eq(row.published, 0);
    pass(200000);
    refresh();
    cr_assert_eq(row.published, 3, "%s", row.note);
    struct seen seen = rounds();
    uint64_t charged = 0;
    for (int i = 0; i < seen.count; i++)
        charged += seen.rounds[i].charged;
    expect_ledger_agrees(charged);
}
