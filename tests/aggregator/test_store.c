/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/store.h"

#include <math.h>
#include <sys/stat.h>

#include "federation.h"
#include "folder.h"

static struct store *store;
static struct fed fed;

static void setup(void)
{
    struct cn_diag diag = {0};
    test_folder_make();
    fed_init(&fed, 4);
    cr_assert_eq((int)store_open(&store, test_path("s"), &diag), (int)CN_OK, "%s", diag.text);
}

static void teardown(void)
{
    store_close(store);
    fed_clear(&fed);
    test_folder_remove();
}

TestSuite(store, .init = setup, .fini = teardown);

static void reopen(void)
{
    store_close(store);
    FED_OK(store_open(&store, test_path("s"), NULL));
}

static enum cn_err count(void *ctx, const struct store_round *round)
{
    (void)round;
    ++*(int *)ctx;
    return CN_OK;
}

/* ---- opening ---- */

Test(store, refuses_files_that_are_no_store)
{
    struct store *other = NULL;
    struct cn_diag diag = {0};
    char text[4096];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    test_write("junk", text);
    cr_assert_eq((int)store_open(&other, test_path("junk"), &diag), (int)CN_E_DATA);
    cr_assert_neq(diag.text[0], '\0');
    cr_assert_null(other);
    cr_assert_eq((int)store_open(&other, test_path("no/such"), &diag), (int)CN_E_IO);
}

Test(store, can_be_opened_twice_and_tells_what_the_other_changed)
{
    struct store *other = NULL;
    uint64_t before, same, after;
    FED_OK(store_open(&other, test_path("s"), NULL));
    FED_OK(store_version(store, &before));
    bool again;
    FED_OK(store_enrol(store, &fed.devices[0].certificate, FED_NOW_S, &again));
    FED_OK(store_version(store, &same));
    cr_assert_eq(before, same);
    FED_OK(store_device_revoke(other, fed.devices[0].id, FED_NOW_S));
    FED_OK(store_version(store, &after));
    cr_assert_neq(before, after);
    store_close(other);
}

/* ---- devices ---- */

Test(store, enrols_a_device_once_and_counts_its_use_durably)
{
    bool again = true;
    FED_OK(store_enrol(store, &fed.devices[0].certificate, FED_NOW_S, &again));
    cr_assert_not(again);
    reopen();
    FED_OK(store_enrol(store, &fed.devices[0].certificate, FED_NOW_S, &again));
    cr_assert(again);
    struct store_device device;
    FED_OK(store_device_get(store, fed.devices[0].id, &device));
    cr_assert_str_eq(device.certificate.name, "device-0");
    cr_assert_eq(device.enrolled_s, FED_NOW_S);
}

/* A certificate of device i under an invitation of its own with so many uses. */
static struct certificate certify(const struct invitation *invitation, const struct sign_key *once,
                                  int i)
{
    struct certificate certificate;
    FED_OK(
        certificate_make(&certificate, invitation, once, fed.devices[i].key, "phone", FED_NOW_S));
    return certificate;
}

Test(store, refuses_an_invitation_that_is_used_up)
{
    struct invitation invitation;
    struct sign_key *once = NULL;
    bool again;
    FED_OK(invitation_make(&invitation, &once, fed.registrar, 2, FED_NOW_S + 9, &fed.random));
    struct certificate first = certify(&invitation, once, 0);
    struct certificate second = certify(&invitation, once, 1);
    struct certificate third = certify(&invitation, once, 2);
    FED_OK(store_enrol(store, &first, FED_NOW_S, &again));
    FED_OK(store_enrol(store, &second, FED_NOW_S, &again));
    reopen();
    cr_assert_eq((int)store_enrol(store, &third, FED_NOW_S, &again), (int)CN_E_USED);
    struct store_device device;
    cr_assert_eq((int)store_device_get(store, fed.devices[2].id, &device), (int)CN_E_NOT_FOUND);
    FED_OK(store_enrol(store, &first, FED_NOW_S, &again));
    cr_assert(again);
    sign_key_free(once);
}

Test(store, lets_a_device_come_with_a_new_invitation)
{
    struct invitation invitation;
    struct sign_key *once = NULL;
    bool again;
    FED_OK(store_enrol(store, &fed.devices[0].certificate, FED_NOW_S, &again));
    FED_OK(invitation_make(&invitation, &once, fed.registrar, 1, FED_NOW_S + 9, &fed.random));
    struct certificate renewed = certify(&invitation, once, 0);
    FED_OK(store_enrol(store, &renewed, FED_NOW_S + 1, &again));
    cr_assert_not(again);
    struct store_device device;
    FED_OK(store_device_get(store, fed.devices[0].id, &device));
    cr_assert_str_eq(device.certificate.name, "phone");
    cr_assert_eq(device.enrolled_s, FED_NOW_S);
    struct certificate other = certify(&invitation, once, 1);
    cr_assert_eq((int)store_enrol(store, &other, FED_NOW_S, &again), (int)CN_E_USED);
    sign_key_free(once);
}

Test(store, keeps_the_revoked_out)
{
    bool again;
    FED_OK(store_enrol(store, &fed.devices[0].certificate, FED_NOW_S, &again));
    FED_OK(store_device_revoke(store, fed.devices[0].id, FED_NOW_S + 5));
    FED_OK(store_device_revoke(store, fed.devices[0].id, FED_NOW_S + 9));
    reopen();
    cr_assert_eq((int)store_enrol(store, &fed.devices[0].certificate, FED_NOW_S, &again),
                 (int)CN_E_REVOKED);
    struct store_device device;
    FED_OK(store_device_get(store, fed.devices[0].id, &device));
    cr_assert_eq(device.revoked_s, FED_NOW_S + 5);
    cr_assert_eq((int)store_device_revoke(store, fed.devices[1].id, 1), (int)CN_E_NOT_FOUND);
}

Test(store, finds_devices_by_name_and_by_the_beginning_of_their_id)
{
    struct store_device device;
    struct cn_diag diag = {0};
    char hex[2 * DEVICE_ID_BYTES + 1];
    bool again;
    for (int i = 0; i < 3; i++)
        FED_OK(store_enrol(store, &fed.devices[i].certificate, FED_NOW_S, &again));
    FED_OK(store_device_find(store, "device-1", &device, &diag));
    cr_assert_arr_eq(device.id, fed.devices[1].id, DEVICE_ID_BYTES);
    for (int k = 0; k < DEVICE_ID_BYTES; k++)
        snprintf(hex + 2 * k, 3, "%02x", fed.devices[2].id[k]);
    hex[8] = '\0';
    FED_OK(store_device_find(store, hex, &device, &diag));
    cr_assert_arr_eq(device.id, fed.devices[2].id, DEVICE_ID_BYTES);
    cr_assert_eq((int)store_device_find(store, "%", &device, &diag), (int)CN_E_NOT_FOUND);
    cr_assert(strstr(diag.hint, "device list"));
}

Test(store, remembers_who_was_seen_and_why_who_declined)
{
    bool again;
    FED_OK(store_enrol(store, &fed.devices[0].certificate, FED_NOW_S, &again));
    FED_OK(store_device_seen(store, fed.devices[0].id, "cairn 0.1", FED_NOW_S + 3));
    FED_OK(store_device_declined(store, fed.devices[0].id, "budget: spent", FED_NOW_S + 4));
    reopen();
    struct store_device device;
    FED_OK(store_device_get(store, fed.devices[0].id, &device));
    cr_assert_eq(device.seen_s, FED_NOW_S + 3);
    cr_assert_str_eq(device.software, "cairn 0.1");
    cr_assert_str_eq(device.declined, "budget: spent");
}

Test(store, gives_back_everything_when_a_transaction_is_rolled_back)
{
    bool again;
    struct store_device device;
    FED_OK(store_begin(store));
    FED_OK(store_enrol(store, &fed.devices[0].certificate, FED_NOW_S, &again));
    store_rollback(store);
    cr_assert_eq((int)store_device_get(store, fed.devices[0].id, &device), (int)CN_E_NOT_FOUND);
}

/* ---- events ---- */

static struct store_task make_task(uint8_t mark, uint32_t rounds)
{
    struct store_task task = {.rounds = rounds, .submitted_s = FED_NOW_S, .delta = 1e-5};
    memset(task.id, mark, sizeof(task.id));
    memset(task.plan, mark, sizeof(task.plan));
    memset(task.model, mark + 100, sizeof(task.model));
    snprintf(task.name, sizeof(task.name), "task-%u", mark);
    FED_OK(store_task_add(store, &task));
    return task;
}

Test(store, tells_each_event_until_it_is_done)
{
    struct store_event event;
    bool again;
    FED_OK(store_enrol(store, &fed.devices[0].certificate, FED_NOW_S, &again));
    FED_OK(store_device_revoke(store, fed.devices[0].id, FED_NOW_S + 1));
    struct store_task task = make_task(1, 3);
    static const enum store_event_kind kinds[] = {STORE_ENROLLED, STORE_SUBMITTED, STORE_REVOKED};
    for (size_t i = 0; i < CN_COUNT(kinds); i++) {
        FED_OK(store_event_next(store, &event));
        cr_assert_eq(event.kind, kinds[i]);
        cr_assert_arr_eq(event.id, i == 1 ? task.id : fed.devices[0].id, DEVICE_ID_BYTES);
        FED_OK(store_event_done(store, &event));
        FED_OK(store_event_done(store, &event));
        reopen();
    }
    cr_assert_eq((int)store_event_next(store, &event), (int)CN_E_NOT_FOUND);
}

/* ---- tasks and rounds ---- */

static struct store_round make_round(const struct store_task *task, uint32_t number,
                                     uint32_t attempt, bool published)
{
    struct store_round round = {.round = number,
                                .attempt = attempt,
                                .published = published,
                                .charged = published,
                                .started_s = FED_NOW_S,
                                .finished_s = FED_NOW_S + 5,
                                .cohort = 4,
                                .survivors = 3};
    memcpy(round.task, task->id, sizeof(round.task));
    memset(round.model, published ? (int)number : 0, sizeof(round.model));
    snprintf(round.reason, sizeof(round.reason), "%s", published ? "" : "too few");
    metrics_init(&round.metrics);
    FED_OK(store_round_add(store, &round));
    return round;
}

Test(store, runs_tasks_in_the_order_they_came)
{
    struct store_task next;
    struct store_task first = make_task(9, 1), second = make_task(1, 1);
    FED_OK(store_task_next(store, &next));
    cr_assert_arr_eq(next.id, first.id, TASK_ID_BYTES);
    FED_OK(store_task_state_set(store, second.id, STORE_TASK_RUNNING, ""));
    FED_OK(store_task_next(store, &next));
    cr_assert_arr_eq(next.id, second.id, TASK_ID_BYTES); /* what runs goes on */
    FED_OK(store_task_stop(store, second.id));
    FED_OK(store_task_next(store, &next));
    cr_assert_arr_eq(next.id, first.id, TASK_ID_BYTES);
    FED_OK(store_task_stop(store, first.id));
    cr_assert_eq((int)store_task_next(store, &next), (int)CN_E_NOT_FOUND);
    cr_assert_eq((int)store_task_stop(store, first.id), (int)CN_E_STATE);
    cr_assert_eq((int)store_task_add(store, &first), (int)CN_E_EXISTS);
}

Test(store, moves_a_task_on_with_every_published_round)
{
    struct store_task task = make_task(1, 2);
    FED_OK(store_task_state_set(store, task.id, STORE_TASK_RUNNING, ""));
    FED_OK(store_attempt(store, task.id, 1));
    make_round(&task, 1, 1, false);
    FED_OK(store_attempt(store, task.id, 2));
    struct store_round published = make_round(&task, 1, 2, true);
    reopen();
    FED_OK(store_task_get(store, task.id, &task));
    cr_assert_eq(task.published, 1);
    cr_assert_eq(task.attempt, 0);
    cr_assert_eq(task.state, STORE_TASK_RUNNING);
    cr_assert_arr_eq(task.model, published.model, HASH_BYTES);
    make_round(&task, 2, 1, true);
    FED_OK(store_task_get(store, task.id, &task));
    cr_assert_eq(task.state, STORE_TASK_DONE);
    uint32_t charged = 0;
    uint64_t ended = 0;
    FED_OK(store_round_charged(store, task.id, &charged));
    FED_OK(store_round_count(store, &ended));
    cr_assert_eq(charged, 2);
    cr_assert_eq(ended, 3);
}

Test(store, takes_a_repeated_round_as_nothing_new)
{
    struct store_task task = make_task(1, 3);
    make_round(&task, 1, 1, true);
    make_round(&task, 2, 1, true);
    struct store_round again = {.round = 1, .attempt = 1, .published = true};
    memcpy(again.task, task.id, sizeof(again.task));
    metrics_init(&again.metrics);
    FED_OK(store_round_add(store, &again));
    FED_OK(store_task_get(store, task.id, &task));
    cr_assert_eq(task.published, 2);
    int rounds = 0;
    FED_OK(store_round_list(store, task.id, count, &rounds));
    cr_assert_eq(rounds, 2);
}

Test(store, leaves_a_stopped_task_stopped_when_its_last_round_is_published)
{
    struct store_task task = make_task(1, 1);
    FED_OK(store_task_stop(store, task.id));
    make_round(&task, 1, 1, true);
    FED_OK(store_task_get(store, task.id, &task));
    cr_assert_eq(task.state, STORE_TASK_STOPPED);
    cr_assert_eq(task.published, 1);
    cr_assert_eq((int)store_attempt(store, task.id, 2), (int)CN_E_STATE);
    cr_assert_eq((int)store_task_note(store, task.id, "x"), (int)CN_E_STATE);
}

Test(store, finds_the_last_task_of_a_name_and_tasks_by_id)
{
    struct store_task task, found;
    struct cn_diag diag = {0};
    make_task(1, 1);
    task = make_task(2, 1);
    snprintf(task.name, sizeof(task.name), "task-1");
    memset(task.id, 3, sizeof(task.id));
    FED_OK(store_task_add(store, &task));
    FED_OK(store_task_find(store, "task-1", &found, &diag));
    cr_assert_arr_eq(found.id, task.id, TASK_ID_BYTES);
    FED_OK(store_task_find(store, "0202", &found, &diag));
    cr_assert_str_eq(found.name, "task-2");
    cr_assert_eq((int)store_task_find(store, "nothing", &found, &diag), (int)CN_E_NOT_FOUND);
}

Test(store, hands_out_rounds_to_evaluate_one_after_the_other)
{
    struct store_round round;
    struct store_task silent = make_task(1, 3);
    make_round(&silent, 1, 1, true); /* without test data */
    struct store_task task = {.rounds = 3, .test = "idx:a,b"};
    memset(task.id, 7, sizeof(task.id));
    snprintf(task.name, sizeof(task.name), "t");
    FED_OK(store_task_add(store, &task));
    make_round(&task, 1, 1, false);
    make_round(&task, 1, 2, true);
    make_round(&task, 2, 1, true);
    for (uint32_t i = 1; i <= 2; i++) {
        FED_OK(store_round_unevaluated(store, &round));
        cr_assert_eq(round.round, i);
        round.metrics.accuracy = 0.5;
        FED_OK(store_round_evaluated(store, &round));
    }
    cr_assert_eq((int)store_round_unevaluated(store, &round), (int)CN_E_NOT_FOUND);
}

struct blobs {
    uint8_t hashes[16][HASH_BYTES];
    int count;
};

static enum cn_err keep(void *ctx, const uint8_t hash[HASH_BYTES])
{
    struct blobs *blobs = ctx;
    memcpy(blobs->hashes[blobs->count++], hash, HASH_BYTES);
    return CN_OK;
}

static bool has(const struct blobs *blobs, uint8_t mark)
{
    for (int i = 0; i < blobs->count; i++)
        if (blobs->hashes[i][0] == mark)
            return true;
    return false;
}

Test(store, names_the_blobs_that_must_stay)
{
    struct store_task task = make_task(50, 9);
    for (uint32_t i = 1; i <= 5; i++)
        make_round(&task, i, 1, true);
    struct blobs blobs = {.count = 0};
    FED_OK(store_blobs(store, 2, keep, &blobs));
    cr_assert(has(&blobs, 50));
    cr_assert(has(&blobs, 4) && has(&blobs, 5));
    cr_assert_not(has(&blobs, 1) || has(&blobs, 2) || has(&blobs, 3));
}

Test(store, keeps_a_rounds_numbers)
{
    struct store_task task = {.rounds = 3, .test = "idx:a,b"};
    memset(task.id, 7, sizeof(task.id));
    FED_OK(store_task_add(store, &task));
    struct store_round round = make_round(&task, 1, 1, true);
    round.metrics.accuracy = 0.25;
    round.metrics.bytes_up = 1234;
    FED_OK(store_round_evaluated(store, &round));
    reopen();
    int rounds = 0;
    FED_OK(store_round_list(store, task.id, count, &rounds));
    cr_assert_eq(rounds, 1);
    cr_assert_eq((int)store_round_unevaluated(store, &round), (int)CN_E_NOT_FOUND);
}

static enum cn_err refuse(void *ctx, const struct store_round *round)
{
    (void)ctx, (void)round;
    return CN_E_NOMEM;
}

Test(store, stops_a_list_when_the_visitor_fails)
{
    struct store_task task = make_task(1, 3);
    make_round(&task, 1, 1, true);
    cr_assert_eq((int)store_round_list(store, task.id, refuse, NULL), (int)CN_E_NOMEM);
}

Test(store, counts_invitations)
{
    struct store_invitation invitation = {.made_s = 1, .expires_s = 2, .uses = 3, .name = "ward"};
    memset(invitation.id, 1, sizeof(invitation.id));
    FED_OK(store_invitation_add(store, &invitation));
    cr_assert_eq((int)store_invitation_add(store, &invitation), (int)CN_E_EXISTS);
}
