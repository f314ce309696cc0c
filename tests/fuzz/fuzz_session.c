/* SPDX-License-Identifier: Apache-2.0 */
/* Logins, downloads and what devices say about rounds, as an aggregator's sessions and its runner
 * get them: real store, ledger and signatures; the links are ours, so no socket is between. Nobody
 * may come into the cohort without its proof, be spoken to after its link has closed, or keep a
 * place when it is gone.
 *
 * The input is a list of events of four bytes: who (a connection, a device), what, and two values;
 * RAW is followed by as many bytes of a message as its last value says. */
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aggregator/aggregate.h"
#include "aggregator/session.h"
#include "base/arena.h"

enum { LINKS = 4, DEVICES = 4, EVENT = 4, EVENTS_MAX = 48, NOW_S = 1000000, ARENA = 1 << 20 };
enum what { CONNECT, HELLO, FETCH, RAW, CLOSE, PASS, DRAIN, REVOKE, ACCEPT, DECLINE, READY, WHATS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char plan_text[] =
    "task: small\n"
    "model: {input: [1, 1, 4], layers: [{type: flatten}, {type: dense, units: 2}]}\n"
    "data: {classes: 2}\n"
    "training: {learning_rate: 1, steps: 2, batch: 5}\n"
    "privacy: {unit: none}\n"
    "secure_aggregation: {mode: on, update_range: 1}\n"
    "rounds: {count: 3, cohort_min: 3, cohort_max: 4, train_s: 10}\n"
    "strategy: {name: fedavg, learning_rate: 1.0}\n";

/* The aggregator's end of a connection. */
struct link {
    bool open, ending, proved, congested;
    uint32_t sent;
    struct link_events events;
    void *ctx;
    uint8_t device[DEVICE_ID_BYTES];
};

struct device {
    struct sign_key *key;
    struct certificate certificate;
    uint8_t id[DEVICE_ID_BYTES];
};

/* Made once. */
static struct {
    bool made;
    struct cn_seeded seeded;
    struct cn_random random;
    uint8_t registrar[SIGN_PUBLIC_BYTES];
    struct device devices[DEVICES];
    struct sign_key *ledger_key;
    uint8_t ledger_public[SIGN_PUBLIC_BYTES];
} world;

/* One input's. */
static struct {
    char folder[64], store_path[96], ledger_path[96];
    struct link links[LINKS];
    struct session_host host;
    struct store *store;
    struct registry registry;
    struct cohort *cohort;
    struct runner *runner;
    struct cn_clock_manual manual;
    struct store_task row;
    struct round_id offered;
} run;

/* ---- the links' end of protocol/link.h ---- */

enum cn_err link_send(struct link *link, const struct message *message)
{
    struct cn_buf bytes;

    CN_ASSERT(link->open);
    if (message->type == MESSAGE_OFFER)
        run.offered = message->as.offer.id;
    cn_buf_init(&bytes, MESSAGE_BYTES_MAX);
    CN_ASSERT(message_encode(&bytes, message) == CN_OK);
    cn_buf_clear(&bytes);
    link->congested = ++link->sent % 3 == 0;
    return link->ending ? CN_E_CLOSED : CN_OK;
}

bool link_congested(const struct link *link)
{
    return link->congested;
}

void link_traffic(const struct link *link, uint64_t *sent, uint64_t *received)
{
    *sent = link->sent;
    *received = 0;
}

enum cn_err link_exporter(struct link *link, uint8_t out[LINK_EXPORTER_BYTES])
{
    memset(out, (int)(link - run.links), LINK_EXPORTER_BYTES);
    return CN_OK;
}

const char *link_peer(const struct link *link)
{
    (void)link;
    return "a peer";
}

void link_bye(struct link *link, enum bye_code code, const char *text)
{
    CN_ASSERT(link->open && code < BYE_CODE_COUNT && text[0]);
    link->ending = true;
}

void link_abort(struct link *link, enum cn_err why, const char *text)
{
    CN_ASSERT(link->open && why != CN_OK && text[0]);
    link->ending = true;
}

static void close_link(struct link *link)
{
    if (!link->open)
        return;
    link->events.closed(link->ctx, link, CN_E_CLOSED, BYE_CODE_COUNT, "the end");
    link->open = false;
}

/* What was said goodbye to closes when its callback has returned. */
static void close_ending(void)
{
    for (int i = 0; i < LINKS; i++)
        if (run.links[i].ending)
            close_link(&run.links[i]);
}

/* ---- the world ---- */

static void must(bool good)
{
    CN_ASSERT(good);
}

static void make_world(void)
{
    struct sign_key *registrar;

    if (world.made)
        return;
    const struct cn_log_options log = {
        .level = CN_LOG_ERROR, .fd = open("/dev/null", O_WRONLY), .clock = cn_clock_system()};
    cn_log_open(&log);
    world.random = cn_random_seeded(&world.seeded, 7);
    must(sign_key_new(&registrar, &world.random) == CN_OK);
    sign_key_public(registrar, world.registrar);
    must(sign_key_new(&world.ledger_key, &world.random) == CN_OK);
    sign_key_public(world.ledger_key, world.ledger_public);
    for (int i = 0; i < DEVICES; i++) {
        struct device *device = &world.devices[i];
        struct invitation invitation;
        struct sign_key *once;
        char name[16];

        snprintf(name, sizeof name, "device-%d", i);
        must(invitation_make(&invitation, &once, registrar, 1, NOW_S + 1000, &world.random) ==
             CN_OK);
        must(sign_key_new(&device->key, &world.random) == CN_OK);
        must(certificate_make(&device->certificate, &invitation, once, device->key, name, NOW_S) ==
             CN_OK);
        sign_key_free(once);
        certificate_device_id(device->id, &device->certificate);
    }
    sign_key_free(registrar);
    world.made = true;
}

static void call_send(void *ctx, const uint8_t id[DEVICE_ID_BYTES], const struct message *message)
{
    (void)ctx;
    session_send(&run.host, id, message);
}

static void call_work(void *ctx, struct runner_job *job)
{
    (void)ctx, (void)job;
    must(false); /* nobody here can finish a round */
}

static void submit(void)
{
    struct task *task = NULL;

    must(task_parse(&task, plan_text, sizeof plan_text - 1, "plan", NULL) == CN_OK);
    must(registry_put(&run.registry, run.row.plan, plan_text, sizeof plan_text - 1, NULL) == CN_OK);
    must(aggregate_first(run.row.model, task, &run.registry, NULL, NULL) == CN_OK);
    memset(run.row.id, 5, sizeof run.row.id);
    snprintf(run.row.name, sizeof run.row.name, "small");
    run.row.rounds = 3;
    must(store_task_add(run.store, &run.row) == CN_OK);
    task_free(task);
}

static void start(void)
{
    const struct runner_calls calls = {.send = call_send, .work = call_work};
    bool again;

    memset(&run, 0, sizeof run);
    snprintf(run.folder, sizeof run.folder, "%s/cairn-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    must(mkdtemp(run.folder));
    snprintf(run.store_path, sizeof run.store_path, "%s/store", run.folder);
    snprintf(run.ledger_path, sizeof run.ledger_path, "%s/ledger", run.folder);
    run.manual.wall_s = NOW_S;
    must(store_open(&run.store, run.store_path, NULL) == CN_OK);
    must(registry_open(&run.registry, run.folder, NULL) == CN_OK);
    must(cohort_new(&run.cohort, 3) == CN_OK);
    submit();
    for (int i = 0; i + 1 < DEVICES; i++) /* the last one has yet to join */
        must(store_enrol(run.store, &world.devices[i].certificate, NOW_S, &again) == CN_OK);
    const struct runner_options options = {.folder = run.folder,
                                           .ledger_path = run.ledger_path,
                                           .name = "here",
                                           .store = run.store,
                                           .registry = &run.registry,
                                           .cohort = run.cohort,
                                           .key = world.ledger_key,
                                           .random = world.random,
                                           .clock = cn_clock_manual(&run.manual)};
    must(runner_new(&run.runner, &options, &calls, NULL) == CN_OK);
    runner_tick(run.runner, 0);
    run.host = (struct session_host){.store = run.store,
                                     .cohort = run.cohort,
                                     .runner = run.runner,
                                     .registrar = world.registrar,
                                     .ledger_key = world.ledger_public,
                                     .clock = cn_clock_manual(&run.manual),
                                     .downloads_max = 1};
}

static int drop(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static void finish(void)
{
    session_close_all(&run.host, BYE_STOPPING, "the end");
    for (int i = 0; i < LINKS; i++)
        close_link(&run.links[i]);
    must(run.host.count == 0 && run.host.downloads == 0 && cohort_count(run.cohort) == 0);
    runner_free(run.runner);
    cohort_free(run.cohort);
    store_close(run.store);
    nftw(run.folder, drop, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- events ---- */

static void deliver(struct link *link, const struct message *message)
{
    if (link->open && !link->ending)
        must(link->events.message(link->ctx, link, message) == CN_OK);
}

static void say_hello(struct link *link, const uint8_t *event)
{
    const struct device *device = &world.devices[event[3] % DEVICES];
    struct message message = {.type = MESSAGE_HELLO};
    struct message_hello *hello = &message.as.hello;
    uint8_t exporter[LINK_EXPORTER_BYTES];
    const uint8_t flags = event[2];

    hello->version_min = hello->version_max = PROTOCOL_VERSION_MAX + (flags >> 3 & 1);
    hello->enrol = flags & 1;
    hello->certificate = device->certificate;
    hello->certificate.signature[0] ^= flags >> 4 & 1;
    hello->ledger_count = flags >> 5;
    CN_IGNORE(link_exporter(link, exporter));
    exporter[0] ^= flags >> 1 & 1;
    sign_make(hello->proof, device->key, MESSAGE_PROOF_LABEL, exporter, sizeof exporter);
    hello->proof[0] ^= flags >> 2 & 1;
    if (!(flags & 0x1e) && link->open && !link->ending) {
        link->proved = true;
        memcpy(link->device, device->id, sizeof link->device);
    }
    deliver(link, &message);
}

static void fetch(struct link *link, const uint8_t *event)
{
    struct message message = {.type = MESSAGE_FETCH, .as.fetch.offset = event[3] * 7u};
    const uint8_t *hash = event[2] & 1 ? run.row.plan : run.row.model;

    memcpy(message.as.fetch.hash, hash, HASH_BYTES);
    message.as.fetch.hash[0] ^= event[2] >> 1 & 1;
    deliver(link, &message);
}

/* Returns how many bytes it took. */
static size_t raw(struct link *link, const uint8_t *bytes, size_t len)
{
    struct cn_arena arena;
    struct message message;

    cn_arena_init(&arena, ARENA);
    if (message_decode(&message, bytes, len, &arena) == CN_OK && message.type != MESSAGE_PING &&
        message.type != MESSAGE_PONG && message.type != MESSAGE_BYE)
        deliver(link, &message);
    cn_arena_clear(&arena);
    return len;
}

static void say(struct link *link, const uint8_t *event)
{
    struct message message = {.type = MESSAGE_ACCEPT, .as.accept.id = run.offered};

    if (event[1] % WHATS == DECLINE)
        message = (struct message){
            .type = MESSAGE_DECLINE,
            .as.decline = {.id = run.offered, .code = 1 + event[2] % (DECLINE_CODE_COUNT - 1)}};
    if (event[1] % WHATS == READY) {
        message = (struct message){.type = MESSAGE_READY, .as.ready.id = run.offered};
        memset(&message.as.ready.keys, event[2], sizeof message.as.ready.keys);
    }
    message.as.accept.id.attempt += event[3] & 1;
    deliver(link, &message);
}

static void connect_link(struct link *link)
{
    if (link->open)
        return;
    *link = (struct link){.open = true};
    must(session_accept(&run.host, link, &link->events, &link->ctx));
    link->events.opened(link->ctx, link);
}

static void pass(const uint8_t *event)
{
    run.manual.steady_ms += 50u * event[2];
    run.manual.wall_s += event[3] / 8;
    session_tick(&run.host);
    runner_tick(run.runner, (uint64_t)run.manual.steady_ms);
}

static void shut_out(const uint8_t *event)
{
    CN_IGNORE(store_device_revoke(run.store, world.devices[event[2] % DEVICES].id, NOW_S));
    session_revoke(&run.host);
}

/* Returns how many bytes behind the event it took. */
static size_t happen(const uint8_t *event, size_t left)
{
    struct link *link = &run.links[event[0] % LINKS];

    switch ((enum what)(event[1] % WHATS)) {
    case CONNECT:
        connect_link(link);
        break;
    case HELLO:
        say_hello(link, event);
        break;
    case FETCH:
        fetch(link, event);
        break;
    case RAW:
        return raw(link, event + EVENT, event[3] < left ? event[3] : left);
    case CLOSE:
        close_link(link);
        break;
    case PASS:
        pass(event);
        break;
    case DRAIN:
        link->congested = false;
        if (link->open && !link->ending)
            link->events.drained(link->ctx, link);
        break;
    case REVOKE:
        shut_out(event);
        break;
    default:
        say(link, event);
    }
    return 0;
}

/* Whoever is in the cohort proved its key on a connection that is open. */
static void check(void)
{
    uint32_t open = 0;

    for (int i = 0; i < LINKS; i++)
        open += run.links[i].open;
    must(run.host.count == open && run.host.downloads <= run.host.downloads_max);
    must(cohort_count(run.cohort) <= open);
    for (int i = 0; i < DEVICES; i++) {
        bool proved = false;

        for (int k = 0; k < LINKS; k++)
            proved =
                proved || (run.links[k].open && run.links[k].proved &&
                           memcmp(run.links[k].device, world.devices[i].id, DEVICE_ID_BYTES) == 0);
        must(proved || !cohort_has(run.cohort, world.devices[i].id));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t at = 0;

    make_world();
    start();
    for (int i = 0; i < EVENTS_MAX && at + EVENT <= size; i++) {
        at += EVENT + happen(data + at, size - at - EVENT);
        close_ending();
        check();
    }
    finish();
    return 0;
}
