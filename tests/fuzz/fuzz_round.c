/* SPDX-License-Identifier: Apache-2.0 */
/* The message entries of aggregator/round and client/participant: a whole round between them, whose
 * letters are changed, cut, lost, doubled and put off on their way, while devices lose their
 * connections and time passes. Nobody may crash or hang, and a sum that opens is the right one
 * unless a masked vector was changed: what a device sends is its own.
 *
 * The first byte chooses the complete graph or a ring; the rest is a list of events of six bytes:
 * at which letter, what, where (two bytes), a value, and which device. A first byte of 2 or 3 alone
 * runs the round again and again, each time with one allocation failing: the first, the second and
 * so on to the last (the linker's --wrap puts ours before the allocator). */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/round.h"
#include "client/participant.h"
#include "crypto/pack.h"
#include "protocol/transfer.h"

enum { N_MAX = 8, DIM = 5, BITS = 12, EVENT = 6, EVENTS_MAX = 16, QUEUE = 512, LETTERS_MAX = 1000 };
enum { PACKED = (DIM * BITS + 7) / 8, WAIT_MS = 1000, GRACE_MS = 300 };
enum what { CHANGE, CUT, LOSE, DOUBLE, PUT_OFF, AWAY, PASS, WHATS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct letter {
    int from, to; /* -1: the aggregator */
    uint8_t *bytes;
    size_t len;
};

struct device {
    struct certificate certificate;
    uint8_t id[DEVICE_ID_BYTES];
    struct sign_key *key;
    struct participant *participant;
    bool here;
};

static struct {
    bool made;
    struct cn_seeded seeded;
    struct cn_random random;
    uint8_t registrar[SIGN_PUBLIC_BYTES];
    struct device devices[N_MAX];
} world;

static struct run {
    const uint8_t *events;
    size_t event_count;
    uint32_t n, letters;
    uint64_t now_ms;
    struct round *round;
    struct round_options options;
    struct cohort *cohort;
    struct letter queue[QUEUE];
    uint32_t head, tail;
    bool vector_changed, complained;
    uint32_t vectors[N_MAX][DIM];
    uint8_t roster[N_MAX][DEVICE_ID_BYTES];
    uint32_t survivors[N_MAX], survivor_count;
} run;

/* ---- memory that runs out ---- */

static struct {
    bool armed;     /* inside a call of what is tested */
    long left;      /* allocations until the one that fails; below 0: none does */
    bool failed;    /* it did */
    long in_vaults; /* blocks of secrets that are there */
} memory = {.left = -1};

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *at, size_t size);
void *__real_sodium_malloc(size_t size);
void __real_sodium_free(void *at);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *at, size_t size);
void *__wrap_sodium_malloc(size_t size);
void __wrap_sodium_free(void *at);

static bool runs_out(void)
{
    if (!memory.armed || memory.left < 0 || memory.left-- > 0)
        return false;
    memory.failed = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return runs_out() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return runs_out() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *at, size_t size)
{
    return runs_out() ? NULL : __real_realloc(at, size);
}

void *__wrap_sodium_malloc(size_t size)
{
    void *block = runs_out() ? NULL : __real_sodium_malloc(size);

    memory.in_vaults += block != NULL;
    return block;
}

void __wrap_sodium_free(void *at)
{
    memory.in_vaults -= at != NULL;
    __real_sodium_free(at);
}

/* Says that what follows may meet a failing allocation; gives what was before. */
static bool arm(bool armed)
{
    bool before = memory.armed;

    memory.armed = armed;
    return before;
}

static void make_world(void)
{
    struct sign_key *registrar, *one_time;
    struct invitation invitation;

    world.made = true;
    world.random = cn_random_seeded(&world.seeded, 2);
    CN_ASSERT(sign_key_new(&registrar, &world.random) == CN_OK);
    sign_key_public(registrar, world.registrar);
    CN_ASSERT(invitation_make(&invitation, &one_time, registrar, N_MAX, 1 << 30, &world.random) ==
              CN_OK);
    for (int i = 0; i < N_MAX; i++) {
        struct device *device = &world.devices[i];

        CN_ASSERT(sign_key_new(&device->key, &world.random) == CN_OK);
        CN_ASSERT(certificate_make(&device->certificate, &invitation, one_time, device->key, "d",
                                   1) == CN_OK);
        certificate_device_id(device->id, &device->certificate);
    }
    sign_key_free(one_time);
    sign_key_free(registrar);
}

/* ---- letters ---- */

static void push(struct letter letter)
{
    if (run.tail - run.head == QUEUE) { /* more than any round needs: lost */
        free(letter.bytes);
        return;
    }
    run.queue[run.tail++ % QUEUE] = letter;
}

static void post(int from, int to, const struct message *message)
{
    struct cn_buf bytes;

    cn_buf_init(&bytes, MESSAGE_BYTES_MAX);
    bool before = arm(true);
    enum cn_err err = message_encode(&bytes, message);
    arm(before);
    CN_ASSERT(err == CN_OK || memory.failed);
    if (err == CN_OK)
        push((struct letter){from, to, bytes.data, bytes.len});
    else
        cn_buf_clear(&bytes);
}

static int number_of(const uint8_t id[DEVICE_ID_BYTES])
{
    for (int i = 0; i < N_MAX; i++)
        if (memcmp(world.devices[i].id, id, DEVICE_ID_BYTES) == 0)
            return i;
    return -1;
}

static void note_roster(const struct message_roster *roster)
{
    const struct secagg_entry *entries = message_roster_entries(roster);

    for (uint32_t i = 0; i < message_roster_devices(roster); i++)
        if (entries)
            memcpy(run.roster[i], entries[i].device_id, DEVICE_ID_BYTES);
        else
            certificate_device_id(run.roster[i], &roster->members[i].certificate);
}

/* The aggregator's words, and what they say about the sum to come. */
static void send(void *ctx, const uint8_t id[DEVICE_ID_BYTES], const struct message *message)
{
    int to = number_of(id);

    (void)ctx;
    CN_ASSERT(to >= 0);
    if (message->type == MESSAGE_ROSTER)
        note_roster(&message->as.roster);
    if (message->type == MESSAGE_SURVIVORS) {
        run.survivor_count = message->as.survivors.count;
        memcpy(run.survivors, message->as.survivors.indices,
               run.survivor_count * sizeof *run.survivors);
    }
    if (world.devices[to].here)
        post(-1, to, message);
}

static enum cn_err opening(void *ctx, uint32_t cohort)
{
    (void)ctx, (void)cohort;
    return CN_OK;
}

/* ---- devices ---- */

static enum cn_err encode(void *ctx, uint32_t *vector)
{
    memcpy(vector, ctx, DIM * sizeof *vector);
    return CN_OK;
}

static enum cn_err spend(void *ctx, uint32_t cohort, uint32_t threshold)
{
    (void)ctx, (void)cohort, (void)threshold;
    return CN_OK;
}

static void drop(struct device *device)
{
    participant_free(device->participant);
    device->participant = NULL;
}

static void on_offer(int i, const struct message_offer *offer)
{
    struct device *device = &world.devices[i];
    struct message ready, accept = {.type = MESSAGE_ACCEPT, .as.accept.id = offer->id};
    struct participant_setup setup = {.id = offer->id,
                                      .secagg = run.options.secagg,
                                      .identity = device->key,
                                      .certificate = &device->certificate,
                                      .registrar = world.registrar,
                                      .random = &world.random,
                                      .encode = encode,
                                      .spend = spend,
                                      .ctx = run.vectors[i]};

    post(i, -1, &accept);
    bool before = arm(true);
    enum cn_err err = device->participant ? CN_OK : participant_new(&device->participant, &setup);
    arm(before);
    CN_ASSERT(err == CN_OK || memory.failed);
    if (err != CN_OK)
        return;
    participant_ready(device->participant, &ready);
    post(i, -1, &ready);
}

static void on_resume(int i, const struct message_resume *resume)
{
    uint8_t hash[HASH_BYTES];
    uint64_t len = 0;
    struct transfer_out out;
    struct message chunk;
    const struct device *device = &world.devices[i];
    const uint8_t *blob =
        device->participant ? participant_blob(device->participant, &len, hash) : NULL;

    if (!blob || memcmp(hash, resume->hash, HASH_BYTES) != 0 || resume->offset >= len)
        return;
    CN_ASSERT(transfer_out_start(&out, hash, blob, len, resume->offset) == CN_OK);
    while (transfer_out_next(&out, &chunk))
        post(i, -1, &chunk);
}

static void device_hears(int i, const struct message *message)
{
    struct device *device = &world.devices[i];
    struct message answer, complaint;

    if (message->type == MESSAGE_OFFER) {
        on_offer(i, &message->as.offer);
        return;
    }
    if (message->type == MESSAGE_RESUME) {
        on_resume(i, &message->as.resume);
        return;
    }
    if (!device->participant)
        return;
    bool before = arm(true);
    enum cn_err err = participant_message(device->participant, message, &answer);
    arm(before);
    if (err != CN_OK) {
        drop(device);
        return;
    }
    if (answer.type == MESSAGE_UPLOAD && participant_complaint(device->participant, &complaint)) {
        run.complained = true;
        post(i, -1, &complaint);
    }
    post(i, -1, &answer);
}

/* ---- what happens on the way ---- */

static void go_away(uint32_t i)
{
    struct device *device = &world.devices[i];

    if (device->here) {
        cohort_leave(run.cohort, device->id);
        device->here = false;
        round_device_lost(run.round, device->id, run.now_ms);
        return;
    }
    CN_ASSERT(cohort_join(run.cohort, &device->certificate) == CN_OK);
    device->here = true;
    round_device_here(run.round, device->id, run.now_ms);
}

static bool carries_vector(const struct letter *letter)
{
    struct message message;
    struct cn_arena arena;

    cn_arena_init(&arena, (size_t)1 << 22);
    CN_IGNORE(message_decode(&message, letter->bytes, letter->len, &arena));
    cn_arena_clear(&arena);
    return message.type == MESSAGE_UPLOAD || message.type == MESSAGE_CHUNK;
}

/* One event at a letter; false when the letter does not arrive now. */
static bool happens(const uint8_t *event, struct letter *letter)
{
    size_t where = (size_t)(event[2] << 8 | event[3]);

    switch (event[1] % WHATS) {
    case CHANGE:
        run.vector_changed = run.vector_changed || carries_vector(letter);
        letter->bytes[where % letter->len] =
            (uint8_t)(letter->bytes[where % letter->len] + event[4]);
        return true;
    case CUT:
        letter->len = where % letter->len;
        return true;
    case LOSE:
        return false;
    case DOUBLE:
    case PUT_OFF: {
        struct letter again = *letter;
        again.bytes = malloc(letter->len + 1);
        CN_ASSERT(again.bytes);
        memcpy(again.bytes, letter->bytes, letter->len);
        push(again);
        return event[1] % WHATS == DOUBLE;
    }
    case AWAY:
        go_away(event[5] % run.n);
        return true;
    default:
        run.now_ms += event[4] * 20u;
        return true;
    }
}

static void hand_over(const struct letter *letter)
{
    struct message message;
    struct cn_arena arena;
    int i = letter->to < 0 ? letter->from : letter->to;

    cn_arena_init(&arena, (size_t)1 << 22);
    bool before = arm(true);
    enum cn_err err = message_decode(&message, letter->bytes, letter->len, &arena);
    arm(before);
    if (world.devices[i].here && letter->to >= 0 && err == CN_OK)
        device_hears(i, &message);
    else if (world.devices[i].here && letter->to < 0) {
        before = arm(true);
        if (err == CN_OK)
            err = round_message(run.round, world.devices[i].id, &message, run.now_ms);
        arm(before);
        if (err != CN_OK) /* what the server does with a peer that breaks the protocol */
            round_device_out(run.round, world.devices[i].id, run.now_ms);
    }
    cn_arena_clear(&arena);
}

static void deliver_all(void)
{
    while (run.head != run.tail && run.letters < LETTERS_MAX) {
        struct letter letter = run.queue[run.head++ % QUEUE];
        bool arrives = true;

        for (size_t e = 0; e < run.event_count && arrives; e++)
            if (run.events[EVENT * e] == (uint8_t)run.letters && letter.len > 0)
                arrives = happens(&run.events[EVENT * e], &letter);
        run.letters++;
        if (arrives)
            hand_over(&letter);
        free(letter.bytes);
        round_tick(run.round, run.now_ms);
    }
}

static bool over(void)
{
    enum round_phase phase = round_phase(run.round);

    return phase == ROUND_SUMMED || phase == ROUND_FAILED;
}

static void check_sum(void)
{
    const uint32_t *sum = round_sum(run.round);
    uint32_t plain[DIM] = {0};

    for (uint32_t i = 0; i < run.survivor_count; i++)
        for (uint32_t k = 0; k < DIM; k++)
            plain[k] = (plain[k] + run.vectors[number_of(run.roster[run.survivors[i]])][k]) &
                       ((1u << BITS) - 1);
    /* A complaint goes before its vector, which letters that overtake each other do not keep. */
    CN_ASSERT(run.vector_changed || run.complained || memcmp(plain, sum, sizeof plain) == 0);
}

static void begin(bool ring)
{
    struct round_calls calls = {.send = send, .opening = opening};

    run.n = ring ? N_MAX : 4;
    run.now_ms = 1000;
    run.options = (struct round_options){.id = {{1}, 1, 1},
                                         .plan_bytes = 1,
                                         .model_bytes = 1,
                                         .rounds = 1,
                                         .cohort_max = run.n,
                                         .grace_ms = GRACE_MS,
                                         .uploads_max = 100};
    run.options.secagg = (struct secagg_config){.dim = DIM, .bits = BITS, .cohort_min = 3};
    if (ring)
        run.options.secagg.ring =
            (struct secagg_ring){.devices_min = 6, .security_bits = 40, .correctness_bits = 1};
    memcpy(run.options.registrar, world.registrar, SIGN_PUBLIC_BYTES);
    for (int phase = ROUND_GATHER; phase <= ROUND_REVEAL; phase++)
        run.options.wait_ms[phase] = WAIT_MS;
    CN_ASSERT(cohort_new(&run.cohort, N_MAX) == CN_OK);
    for (uint32_t i = 0; i < run.n; i++) {
        CN_ASSERT(cohort_join(run.cohort, &world.devices[i].certificate) == CN_OK);
        world.devices[i].here = true;
        for (uint32_t k = 0; k < DIM; k++)
            run.vectors[i][k] = (uint32_t)cn_random_below(&world.random, 1 << BITS);
    }
    CN_ASSERT(round_new(&run.round, &run.options, &calls, run.cohort, &world.random, run.now_ms) ==
              CN_OK);
}

static void end(void)
{
    round_free(run.round);
    cohort_free(run.cohort);
    for (uint32_t i = 0; i < run.n; i++)
        drop(&world.devices[i]);
    while (run.head != run.tail)
        free(run.queue[run.head++ % QUEUE].bytes);
}

static void tick(void)
{
    bool before = arm(true);

    round_tick(run.round, run.now_ms);
    if (round_phase(run.round) == ROUND_OPEN)
        round_opened(run.round, round_open(run.round), run.now_ms);
    arm(before);
}

/* One round; true when the allocation that was to fail was reached. */
static bool play(const uint8_t *data, size_t size)
{
    long vaults = memory.in_vaults;

    memset(&run, 0, sizeof run);
    run.events = data + 1;
    run.event_count = (size - 1) / EVENT;
    memory.failed = false;
    begin(data[0] & 1);
    uint64_t until_ms = run.now_ms + 20 * WAIT_MS + run.event_count * 256 * 20;
    while (!over() && run.now_ms < until_ms) {
        tick();
        deliver_all();
        run.now_ms += 100;
    }
    CN_ASSERT(over()); /* no round hangs */
    if (round_phase(run.round) == ROUND_SUMMED)
        check_sum();
    CN_ASSERT(run.event_count > 0 || memory.failed || round_phase(run.round) == ROUND_SUMMED);
    CN_ASSERT(round_phase(run.round) != ROUND_FAILED || round_reason(run.round)[0]);
    end();
    CN_ASSERT(memory.in_vaults == vaults); /* no secret is left */
    return memory.failed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 1 + EVENT * EVENTS_MAX)
        return 0;
    if (!world.made)
        make_world();
    memory.left = -1;
    if (data[0] >> 1 != 1 || size > 1) {
        play(data, size);
        return 0;
    }
    for (long n = 0;; n++) {
        memory.left = n;
        if (!play(data, size))
            return 0;
    }
}
