/* SPDX-License-Identifier: Apache-2.0 */
/* Logins and downloads over real TLS links, both ends in one loop. */
#include "aggregator/session.h"

#include <sys/stat.h>

#include "aggregator/aggregate.h"
#include "federation.h"
#include "folder.h"
#include "protocol/link.h"

static const char plan_text[] =
    "task: small\n"
    "model: {input: [1, 1, 4], layers: [{type: flatten}, {type: dense, units: 2}]}\n"
    "data: {classes: 2}\n"
    "training: {learning_rate: 1, steps: 2, batch: 5}\n"
    "privacy: {unit: none}\n"
    "secure_aggregation: {mode: on, update_range: 1}\n"
    "rounds: {count: 3, cohort_min: 3, cohort_max: 4, train_s: 10}\n"
    "strategy: {name: fedavg, learning_rate: 1.0}\n";

/* One device's end of a connection, and what it does when TLS stands. */
struct peer {
    struct link *link;
    int device; /* its certificate and key */
    bool enrol;
    bool wrong_proof;
    bool silent;      /* says nothing at first */
    bool first_fetch; /* says FETCH before HELLO */
    bool opened, welcome, closed;
    enum bye_code bye;
    struct transfer_in in;
    bool got_blob;
};

static struct fed fed;
static uv_loop_t loop;
static struct link_tls *server_tls, *client_tls;
static struct link_listener *listener;
static struct store *store;
static struct registry registry;
static struct runner *runner;
static struct sign_key *key;
static struct session_host host;
static struct cn_clock_manual manual;
static struct store_task row;
static struct peer peers[4];

static void call_send(void *ctx, const uint8_t id[DEVICE_ID_BYTES], const struct message *message)
{
    (void)ctx;
    session_send(&host, id, message);
}

static void call_work(void *ctx, struct runner_job *job)
{
    (void)ctx, (void)job;
    cr_assert_fail("no round gets that far here");
}

static bool accept_one(void *ctx, struct link *link, struct link_events *events, void **link_ctx)
{
    (void)ctx;
    return session_accept(&host, link, events, link_ctx);
}

static void submit(void)
{
    struct task *task = NULL;
    FED_OK(task_parse(&task, plan_text, sizeof(plan_text) - 1, "plan", NULL));
    FED_OK(registry_put(&registry, row.plan, plan_text, sizeof(plan_text) - 1, NULL));
    FED_OK(aggregate_first(row.model, task, &registry, NULL, NULL));
    memset(row.id, 5, sizeof(row.id));
    snprintf(row.name, sizeof(row.name), "small");
    row.rounds = 3;
    FED_OK(store_task_add(store, &row));
    task_free(task);
}

static void setup(void)
{
    uint8_t pin[LINK_PIN_BYTES];
    test_folder_make();
    fed_init(&fed, 4);
    manual = (struct cn_clock_manual){.wall_s = FED_NOW_S};
    FED_OK(sign_key_new(&key, &fed.random));
    FED_OK(store_open(&store, test_path("store"), NULL));
    FED_OK(registry_open(&registry, test_folder, NULL));
    submit();
    static char ledger[CN_PATH_MAX];
    snprintf(ledger, sizeof(ledger), "%s", test_path("ledger"));
    struct runner_calls calls = {.send = call_send, .work = call_work};
    struct runner_options options = {.folder = test_folder,
                                     .ledger_path = ledger,
                                     .name = "here",
                                     .store = store,
                                     .registry = &registry,
                                     .cohort = fed.cohort,
                                     .key = key,
                                     .random = fed.random,
                                     .clock = cn_clock_manual(&manual)};
    FED_OK(runner_new(&runner, &options, &calls, NULL));
    runner_tick(runner, 0); /* takes up the task: its blobs can be fetched */
    host = (struct session_host){.store = store,
                                 .cohort = fed.cohort,
                                 .runner = runner,
                                 .registrar = fed.registrar_public,
                                 .ledger_key = fed.registrar_public,
                                 .clock = cn_clock_manual(&manual),
                                 .downloads_max = 1};
    FED_OK(link_tls_generate(test_path("crt"), test_path("key"), "localhost", NULL));
    FED_OK(link_tls_server(&server_tls, test_path("crt"), test_path("key"), NULL));
    link_tls_pin(server_tls, pin);
    FED_OK(link_tls_client(&client_tls, pin, NULL));
    cr_assert_eq(uv_loop_init(&loop), 0);
    struct link_accept accept = {.accepted = accept_one, .links_max = 10};
    FED_OK(link_listen(&listener, &loop, server_tls, "127.0.0.1", 0, &accept, NULL, NULL));
    memset(peers, 0, sizeof(peers));
}

static void teardown(void)
{
    link_listener_close(listener);
    session_close_all(&host, BYE_STOPPING, "the end");
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(host.count, 0);
    cr_assert_eq(uv_loop_close(&loop), 0);
    for (size_t i = 0; i < CN_COUNT(peers); i++)
        transfer_in_clear(&peers[i].in);
    link_tls_free(server_tls);
    link_tls_free(client_tls);
    runner_free(runner);
    store_close(store);
    sign_key_free(key);
    fed_clear(&fed);
    test_folder_remove();
}

TestSuite(session, .init = setup, .fini = teardown);

/* ---- the devices' end ---- */

static void fetch(struct peer *peer, const uint8_t hash[HASH_BYTES], uint64_t offset)
{
    struct message message = {.type = MESSAGE_FETCH, .as.fetch.offset = offset};
    memcpy(message.as.fetch.hash, hash, HASH_BYTES);
    FED_OK(link_send(peer->link, &message));
}

static void hello(struct peer *peer)
{
    uint8_t exporter[LINK_EXPORTER_BYTES];
    struct message message = {.type = MESSAGE_HELLO};
    struct message_hello *say = &message.as.hello;
    say->version_min = say->version_max = PROTOCOL_VERSION_MAX;
    say->enrol = peer->enrol;
    say->certificate = fed.devices[peer->device].certificate;
    snprintf(say->software, sizeof(say->software), "a test");
    FED_OK(link_exporter(peer->link, exporter));
    exporter[0] ^= peer->wrong_proof;
    sign_make(say->proof, fed.devices[peer->device].key, MESSAGE_PROOF_LABEL, exporter,
              sizeof(exporter));
    FED_OK(link_send(peer->link, &message));
}

static void on_opened(void *ctx, struct link *link)
{
    struct peer *peer = ctx;
    (void)link;
    peer->opened = true;
    if (peer->first_fetch)
        fetch(peer, row.plan, 0);
    else if (!peer->silent)
        hello(peer);
}

static enum cn_err on_message(void *ctx, struct link *link, const struct message *message)
{
    struct peer *peer = ctx;
    (void)link;
    if (message->type == MESSAGE_WELCOME)
        peer->welcome = true;
    if (message->type == MESSAGE_CHUNK && peer->in.bytes)
        return transfer_in_chunk(&peer->in, &message->as.chunk, &peer->got_blob);
    return CN_OK;
}

static void on_closed(void *ctx, struct link *link, enum cn_err why, enum bye_code bye,
                      const char *text)
{
    struct peer *peer = ctx;
    (void)link, (void)why, (void)text;
    peer->closed = true;
    peer->bye = bye;
}

static void dial(struct peer *peer)
{
    static const struct link_events events = {
        .opened = on_opened, .message = on_message, .closed = on_closed};
    FED_OK(link_connect(&peer->link, &loop, client_tls, "127.0.0.1", link_listener_port(listener),
                        &events, peer, NULL));
}

static void turn_until(const bool *flag)
{
    for (int i = 0; i < 20000 && !*flag; i++)
        uv_run(&loop, UV_RUN_ONCE);
    cr_assert(*flag);
}

static void enrol_all(void)
{
    bool again;
    for (int i = 0; i < fed.count; i++)
        FED_OK(store_enrol(store, &fed.devices[i].certificate, FED_NOW_S, &again));
}

static void expect_bye(struct peer *peer, enum bye_code bye)
{
    dial(peer);
    turn_until(&peer->closed);
    cr_assert_not(peer->welcome);
    cr_assert_eq(peer->bye, bye, "%d", (int)peer->bye);
    cr_assert_eq(cohort_count(fed.cohort), 0);
}

/* ---- logins ---- */

Test(session, welcomes_a_device_that_is_enrolled)
{
    enrol_all();
    dial(&peers[0]);
    turn_until(&peers[0].welcome);
    cr_assert(cohort_has(fed.cohort, fed.devices[0].id));
    session_tick(&host);
    struct store_device device;
    FED_OK(store_device_get(store, fed.devices[0].id, &device));
    cr_assert_eq(device.seen_s, FED_NOW_S);
    cr_assert_str_eq(device.software, "a test");
}

Test(session, enrols_a_device_but_does_not_ask_it_yet)
{
    peers[0].enrol = true;
    dial(&peers[0]);
    turn_until(&peers[0].welcome);
    cr_assert_eq(cohort_count(fed.cohort), 0);
    struct store_device device;
    FED_OK(store_device_get(store, fed.devices[0].id, &device));
    manual.steady_ms += SESSION_ENROL_MS + 1;
    session_tick(&host);
    turn_until(&peers[0].closed);
    cr_assert_eq(peers[0].bye, BYE_DONE);
}

/* What an enrolled device can ask for as often as it likes must not make the disk flush. */
Test(session, welcomes_who_enrols_again_without_writing_anything)
{
    struct stat before, after;
    enrol_all();
    cr_assert_eq(stat(test_path("store-wal"), &before), 0);
    manual.wall_s += 5000; /* past the invitation's end, too */
    peers[0].enrol = true;
    dial(&peers[0]);
    turn_until(&peers[0].welcome);
    cr_assert_eq(stat(test_path("store-wal"), &after), 0);
    cr_assert_eq(after.st_size, before.st_size);
    cr_assert_eq(cohort_count(fed.cohort), 0);
}

Test(session, sends_away_who_never_joined)
{
    expect_bye(&peers[0], BYE_UNKNOWN);
}

Test(session, sends_away_who_comes_with_an_expired_invitation)
{
    manual.wall_s = FED_NOW_S + 5000;
    peers[0].enrol = true;
    expect_bye(&peers[0], BYE_EXPIRED);
}

Test(session, sends_away_who_comes_with_a_used_invitation)
{
    struct invitation invitation;
    struct sign_key *once = NULL;
    bool again;
    FED_OK(invitation_make(&invitation, &once, fed.registrar, 1, FED_NOW_S + 9, &fed.random));
    for (int i = 0; i < 2; i++)
        FED_OK(certificate_make(&fed.devices[i].certificate, &invitation, once, fed.devices[i].key,
                                "twin", FED_NOW_S));
    sign_key_free(once);
    FED_OK(store_enrol(store, &fed.devices[0].certificate, FED_NOW_S, &again));
    peers[1].device = 1;
    peers[1].enrol = true;
    expect_bye(&peers[1], BYE_USED);
}

Test(session, sends_away_certificates_of_another_registrar)
{
    uint8_t other[SIGN_PUBLIC_BYTES] = {1};
    enrol_all();
    host.registrar = other;
    expect_bye(&peers[0], BYE_AUTH);
}

/* In a roster its invitation would count as used, and shut out whose it really is. */
Test(session, sends_away_who_comes_with_a_certificate_other_than_the_enrolled_one)
{
    struct invitation invitation;
    struct sign_key *once = NULL;
    enrol_all();
    FED_OK(invitation_make(&invitation, &once, fed.registrar, 1, FED_NOW_S + 9, &fed.random));
    FED_OK(certificate_make(&fed.devices[0].certificate, &invitation, once, fed.devices[0].key,
                            "device-1", FED_NOW_S));
    sign_key_free(once);
    expect_bye(&peers[0], BYE_AUTH);
    manual.wall_s = FED_NOW_S + 10;
    peers[1].enrol = true;
    expect_bye(&peers[1], BYE_EXPIRED);
}

Test(session, sends_away_who_can_not_prove_its_key_on_this_connection)
{
    enrol_all();
    peers[0].wrong_proof = true;
    expect_bye(&peers[0], BYE_AUTH);
}

Test(session, sends_away_the_revoked)
{
    enrol_all();
    FED_OK(store_device_revoke(store, fed.devices[0].id, FED_NOW_S));
    expect_bye(&peers[0], BYE_REVOKED);
}

Test(session, sends_away_who_does_not_say_hello_first)
{
    enrol_all();
    peers[0].first_fetch = true;
    expect_bye(&peers[0], BYE_PROTOCOL);
}

Test(session, sends_away_who_says_nothing)
{
    peers[0].silent = true;
    dial(&peers[0]);
    turn_until(&peers[0].opened);
    for (int i = 0; i < 200; i++) /* until TLS stands on the other side too */
        uv_run(&loop, UV_RUN_NOWAIT);
    session_tick(&host);
    manual.steady_ms += SESSION_HELLO_MS + 1;
    session_tick(&host);
    turn_until(&peers[0].closed);
    cr_assert_eq(peers[0].bye, BYE_PROTOCOL);
}

Test(session, lets_a_new_connection_of_a_device_replace_the_old)
{
    enrol_all();
    dial(&peers[0]);
    turn_until(&peers[0].welcome);
    dial(&peers[1]); /* the same device */
    turn_until(&peers[1].welcome);
    turn_until(&peers[0].closed);
    cr_assert_eq(peers[0].bye, BYE_REPLACED);
    cr_assert(cohort_has(fed.cohort, fed.devices[0].id));
    cr_assert_not(peers[1].closed);
}

Test(session, disconnects_a_device_that_is_revoked_meanwhile)
{
    enrol_all();
    dial(&peers[0]);
    turn_until(&peers[0].welcome);
    session_revoke(&host);
    cr_assert_not(peers[0].closed);
    FED_OK(store_device_revoke(store, fed.devices[0].id, FED_NOW_S));
    session_revoke(&host);
    turn_until(&peers[0].closed);
    cr_assert_eq(peers[0].bye, BYE_REVOKED);
    cr_assert_eq(cohort_count(fed.cohort), 0);
}

Test(session, drops_a_device_that_breaks_the_protocol)
{
    enrol_all();
    dial(&peers[0]);
    turn_until(&peers[0].welcome);
    hello(&peers[0]); /* a second time */
    turn_until(&peers[0].closed);
    cr_assert_eq(peers[0].bye, BYE_PROTOCOL);
}

/* ---- downloads ---- */

Test(session, sends_blobs_from_any_offset_to_several_devices_in_turn)
{
    enrol_all();
    for (int i = 0; i < 3; i++) {
        peers[i].device = i;
        dial(&peers[i]);
    }
    for (int i = 0; i < 3; i++)
        turn_until(&peers[i].welcome);
    const struct blob *model = runner_blob(runner, row.model);
    for (int i = 0; i < 3; i++) {
        FED_OK(transfer_in_start(&peers[i].in, row.model, model->len, model->len));
        if (i == 2) { /* has the first bytes from an earlier connection */
            struct message_chunk had = {.bytes = model->bytes, .len = 100};
            bool done;
            memcpy(had.hash, row.model, HASH_BYTES);
            FED_OK(transfer_in_chunk(&peers[i].in, &had, &done));
        }
        fetch(&peers[i], row.model, peers[i].in.at);
    }
    for (int i = 0; i < 3; i++)
        turn_until(&peers[i].got_blob);
    cr_assert_eq(host.downloads, 0);
}

Test(session, sends_away_who_fetches_behind_the_end)
{
    enrol_all();
    dial(&peers[0]);
    turn_until(&peers[0].welcome);
    fetch(&peers[0], row.plan, 1 << 20);
    turn_until(&peers[0].closed);
    cr_assert_eq(peers[0].bye, BYE_PROTOCOL);
    cr_assert_eq(host.downloads, 0);
}

Test(session, ignores_wishes_for_blobs_that_are_not_offered)
{
    uint8_t other[HASH_BYTES] = {9};
    enrol_all();
    dial(&peers[0]);
    turn_until(&peers[0].welcome);
    fetch(&peers[0], other, 0);
    FED_OK(transfer_in_start(&peers[0].in, row.plan, sizeof(plan_text) - 1, 4096));
    fetch(&peers[0], row.plan, 0);
    turn_until(&peers[0].got_blob);
}
