/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual time, the network, what a seed means, and the run of one seed. */
#include "sim_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUN_MS_MAX = 20 * 60 * 1000, MESSAGE_ROOM = 1 << 22 };

static long secret_blocks;

/* The linker puts these before libsodium's (--wrap), so that no secret goes uncounted. */
void *__real_sodium_malloc(size_t size);
void __real_sodium_free(void *block);
void *__wrap_sodium_malloc(size_t size);
void __wrap_sodium_free(void *block);

void *__wrap_sodium_malloc(size_t size)
{
    void *block = __real_sodium_malloc(size);

    secret_blocks += block != NULL;
    return block;
}

void __wrap_sodium_free(void *block)
{
    secret_blocks -= block != NULL;
    __real_sodium_free(block);
}

long sim_secret_blocks(void)
{
    return secret_blocks;
}

void sim_broken(struct sim_world *world, const char *format, ...)
{
    va_list args;

    if (world->failed)
        return;
    world->failed = true;
    va_start(args, format);
    vsnprintf(world->why, sizeof world->why, format, args);
    va_end(args);
    sim_trace(world, "BROKEN: %s", world->why);
}

void sim_trace(const struct sim_world *world, const char *format, ...)
{
    va_list args;

    if (!world->trace)
        return;
    printf("%8.3f s  ", (double)world->now_ms / 1000);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

uint32_t sim_below(struct sim_world *world, uint32_t bound)
{
    return (uint32_t)cn_random_below(&world->random, bound);
}

bool sim_chance(struct sim_world *world, uint32_t per_mille)
{
    return per_mille > 0 && sim_below(world, 1000) < per_mille;
}

struct sim_device *sim_find(struct sim_world *world, const uint8_t id[DEVICE_ID_BYTES])
{
    for (uint32_t i = 0; i < world->plan.devices; i++)
        if (memcmp(world->devices[i].id, id, DEVICE_ID_BYTES) == 0)
            return &world->devices[i];
    return NULL;
}

struct sim_device *sim_find_key(struct sim_world *world, const uint8_t key[SIGN_PUBLIC_BYTES])
{
    for (uint32_t i = 0; i < world->plan.devices; i++)
        if (memcmp(world->devices[i].certificate.device, key, SIGN_PUBLIC_BYTES) == 0)
            return &world->devices[i];
    return NULL;
}

void sim_binding(uint8_t binding[HASH_BYTES], const struct round_id *id,
                 const uint8_t model[HASH_BYTES])
{
    static const uint8_t none[HASH_BYTES];

    round_binding(binding, id, none, SIM_PLANTED(SAME_MODEL) ? none : model);
}

void sim_vector(const struct sim_world *world, uint32_t device, const struct round_id *id,
                uint32_t vector[SIM_DIM_MAX])
{
    struct cn_seeded seeded;
    uint64_t place = ((uint64_t)id->round * 64 + id->attempt) * SIM_DEVICES_MAX + device;
    struct cn_random random = cn_random_seeded(&seeded, world->seed * 1000003 + place);

    for (uint32_t k = 0; k < world->plan.dim; k++)
        vector[k] = (uint32_t)cn_random_below(&random, UINT64_C(1) << world->plan.bits);
}

/* ---- letters ---- */

static void put_letter(struct sim_world *world, int from, int to, const uint8_t *bytes, size_t len)
{
    struct sim_device *device = &world->devices[to == SIM_AGGREGATOR ? from : to];
    uint64_t *last = &device->last_ms[to == SIM_AGGREGATOR];
    uint64_t at = world->now_ms + 5 + sim_below(world, world->plan.delay_ms);

    if (to == SIM_AGGREGATOR)
        at += device->slow_ms;

    if (world->letter_count == SIM_LETTERS_MAX) {
        sim_broken(world, "more letters are under way than any federation writes");
        return;
    }
    if (world->plan.ordered && at < *last)
        at = *last;
    *last = at;
    struct sim_letter *letter = &world->letters[world->letter_count++];
    *letter = (struct sim_letter){.at_ms = at,
                                  .order = world->order++,
                                  .from = from,
                                  .to = to,
                                  .connection = device->connection,
                                  .bytes = malloc(len ? len : 1),
                                  .len = len};
    CN_ASSERT(letter->bytes);
    memcpy(letter->bytes, bytes, len);
}

void sim_post_bytes(struct sim_world *world, int from, int to, const uint8_t *bytes, size_t len)
{
    struct sim_device *device = &world->devices[to == SIM_AGGREGATOR ? from : to];

    if (!device->here)
        return;
    put_letter(world, from, to, bytes, len);
    if (!world->plan.ordered && sim_chance(world, world->plan.duplicate))
        put_letter(world, from, to, bytes, len);
    if (sim_chance(world, world->plan.cut))
        sim_cut(world, device, false);
}

void sim_post(struct sim_world *world, int from, int to, const struct message *message)
{
    struct cn_buf bytes;

    cn_buf_init(&bytes, MESSAGE_BYTES_MAX);
    if (message_encode(&bytes, message) != CN_OK)
        sim_broken(world, "%s can not be encoded", message_name(message->type));
    else
        sim_post_bytes(world, from, to, bytes.data, bytes.len);
    cn_buf_clear(&bytes);
}

void sim_cut(struct sim_world *world, struct sim_device *device, bool crash)
{
    bool was_here = device->here;

    if (crash) {
        sim_trace(world, "device %u crashes", device->number);
        world->counts.crashes++;
        sim_device_crash(device);
        sim_device_start(device);
    }
    if (!was_here)
        return;
    sim_trace(world, "device %u loses its connection", device->number);
    world->counts.cuts++;
    device->here = false;
    device->connection++;
    device->last_ms[0] = device->last_ms[1] = 0;
    device->back_ms = world->now_ms + 200 + sim_below(world, crash ? 15000 : 6000);
    if (!world->plan.evil)
        sim_aggregator_lost(world, device);
}

static void come_back(struct sim_world *world, struct sim_device *device)
{
    if (device->here || world->now_ms < device->back_ms)
        return;
    device->here = true;
    sim_trace(world, "device %u is connected", device->number);
    if (!world->plan.evil)
        sim_aggregator_here(world, device);
}

static void hand_over(struct sim_world *world, const struct sim_letter *letter)
{
    bool up = letter->to == SIM_AGGREGATOR;
    struct sim_device *device = &world->devices[up ? letter->from : letter->to];
    struct message message;
    struct cn_arena arena;

    if (letter->connection != device->connection || !device->here)
        return; /* lost with its connection */
    world->counts.letters++;
    cn_arena_init(&arena, MESSAGE_ROOM);
    enum cn_err err = message_decode(&message, letter->bytes, letter->len, &arena);
    sim_trace(world, up ? "device %u -> %s" : "         %u <- %s", device->number,
              err == CN_OK ? message_name(message.type) : "garbage");
    if (!up && err == CN_OK)
        sim_device_hear(device, &message);
    else if (world->plan.evil && err == CN_OK)
        sim_evil_hear(world, device, &message);
    else if (err == CN_OK)
        sim_aggregator_hear(world, device, &message);
    else if (!world->plan.evil)
        sim_aggregator_bad_bytes(world, device);
    cn_arena_clear(&arena);
}

static bool before(const struct sim_letter *a, const struct sim_letter *b)
{
    return a->at_ms < b->at_ms || (a->at_ms == b->at_ms && a->order < b->order);
}

/* Delivers the next letter that is due by until_ms. */
static bool deliver(struct sim_world *world, uint64_t until_ms)
{
    struct sim_letter *next = NULL;

    for (uint32_t i = 0; i < world->letter_count; i++)
        if (world->letters[i].at_ms <= until_ms && (!next || before(&world->letters[i], next)))
            next = &world->letters[i];
    if (!next)
        return false;
    struct sim_letter letter = *next;
    *next = world->letters[--world->letter_count];
    if (letter.at_ms > world->now_ms)
        world->now_ms = letter.at_ms;
    hand_over(world, &letter);
    free(letter.bytes);
    return true;
}

void sim_graph(struct sim_ring *ring, const struct secagg_config *config,
               const uint8_t session[SECAGG_SESSION_BYTES], uint32_t count, uint32_t threshold)
{
    struct secagg_shape shape = {0};

    *ring = (struct sim_ring){0};
    if (count < SECAGG_DEVICES_MIN)
        return;
    CN_ASSERT(secagg_shape_init(&shape, config, session, count, threshold) == CN_OK);
    ring->threshold = shape.threshold;
    ring->degree = shape.graph.degree;
    ring->window_min = shape.window_min;
    ring->neighbours_min = shape.neighbours_min;
    for (uint32_t i = 0; i < count; i++) {
        ring->place[i] = shape.graph.place ? shape.graph.place[i] : i;
        for (uint32_t j = 0; j < count; j++)
            ring->near[i] |= (uint32_t)graph_is_neighbour(&shape.graph, i, j) << j;
    }
    secagg_shape_clear(&shape);
}

/* ---- what a seed means ---- */

static void plan_faults(struct sim_world *world)
{
    static const uint32_t delays[] = {20, 200, 800, 4000};
    struct sim_plan *plan = &world->plan;

    plan->ordered = !sim_chance(world, 350);
    plan->delay_ms = delays[sim_below(world, 4)];
    plan->calm = sim_chance(world, plan->evil ? 300 : 150);
    if (plan->calm)
        return;
    plan->cut = sim_chance(world, 500) ? sim_below(world, 40) : 0;
    plan->crash = sim_chance(world, 500) ? 1 + sim_below(world, 4) : 0;
    plan->duplicate = plan->ordered ? 0 : sim_below(world, 300);
    plan->bad_disk = sim_chance(world, 300) ? 300 : 0;
    plan->aggregator_crash = sim_chance(world, 300) ? 1 + sim_below(world, 6) : 0;
    plan->aggregator_disk = sim_chance(world, 150) ? 300 : 0;
}

/* The adversary holds fewer than a third of the smallest cohort. Every fourth world has a ring. */
static void plan_make(struct sim_world *world)
{
    struct sim_plan *plan = &world->plan;
    uint32_t smallest = world->seed % 4 == 0 ? 10 : 3, largest = SIM_COMPLETE_MAX;

    plan->ring = world->seed % 4 == 0;
    if (plan->ring)
        largest = SIM_DEVICES_MAX;
    plan->devices = smallest + sim_below(world, largest - smallest + 1);
    plan->cohort_min = smallest + sim_below(world, plan->devices - smallest + 1);
    plan->cohort_max = plan->cohort_min + sim_below(world, plan->devices - plan->cohort_min + 1);
    plan->evil = sim_chance(world, 400);
    if (plan->evil) {
        smallest += !plan->ring;
        plan->devices = smallest + sim_below(world, largest - smallest + 1);
        plan->cohort_min =
            smallest + sim_below(world, 1 + sim_below(world, plan->devices - smallest + 1));
        plan->cohort_max = plan->devices;
        plan->attacks = 1u << sim_below(world, SIM_ATTACK_COUNT);
        if (sim_chance(world, 300))
            plan->attacks |= 1u << sim_below(world, SIM_ATTACK_COUNT);
        plan->corrupt = (plan->cohort_min - 1) / 3;
    } else if (sim_chance(world, 450)) {
        plan->corrupt = (plan->cohort_min - 1) / 3;
    }
    if (plan->ring && plan->corrupt > 1)
        plan->corrupt = 1;
    plan->rounds = 1 + sim_below(world, 2);
    plan->attempts = 3;
    plan->dim = 1 + sim_below(world, SIM_DIM_MAX);
    plan->bits = (uint8_t)(SECAGG_BITS_MIN + sim_below(world, SECAGG_BITS_MAX - 7));
    plan_faults(world);
}

static void make_device(struct sim_world *world, uint32_t i)
{
    struct sim_device *device = &world->devices[i];
    struct invitation invitation;
    struct sign_key *one_time = NULL;

    device->world = world;
    device->number = i;
    CN_ASSERT(invitation_make(&invitation, &one_time, world->registrar, 1, 2000000000,
                              &world->secrets) == CN_OK);
    CN_ASSERT(sign_key_new(&device->key, &world->secrets) == CN_OK);
    CN_ASSERT(certificate_make(&device->certificate, &invitation, one_time, device->key, "device",
                               1700000000) == CN_OK);
    sign_key_free(one_time);
    certificate_device_id(device->id, &device->certificate);
    device->corrupt = i < world->plan.corrupt;
    if (device->corrupt && !world->plan.evil)
        device->lie = (enum sim_lie)(1 + sim_below(world, SIM_LIE_COUNT - 1));
    if (device->lie == SIM_LIE_BAD_SEAL) { /* complaints go before the vector they speak of */
        world->plan.ordered = true;
        world->plan.duplicate = 0;
    }
    if (sim_chance(world, world->plan.bad_disk)) {
        device->disk.fails_from = sim_below(world, 2);
        device->disk.fails_to = device->disk.fails_from + 1 + sim_below(world, 3);
    }
    device->back_ms = sim_below(world, 3000);
    sim_device_start(device);
}

/* The demands on the ring are so high that in these small worlds they hold for certain, wherever
 * the corrupt devices stand. */
static void config_make(struct sim_world *world)
{
    const struct sim_plan *plan = &world->plan;

    world->config = (struct secagg_config){
        .dim = plan->dim, .bits = plan->bits, .cohort_min = plan->cohort_min};
    if (!plan->ring)
        return;
    world->config.ring = (struct secagg_ring){
        .devices_min = (uint16_t)plan->cohort_min,
        .corrupt_permille =
            (uint16_t)((1000 * plan->corrupt + plan->cohort_min - 1) / plan->cohort_min),
        .dropout_permille = 0,
        .security_bits = 60,
        .correctness_bits = 1};
    sim_trace(world, "a ring, of degree %u at full cohort",
              secagg_degree(&world->config, plan->cohort_max));
}

static void world_make(struct sim_world *world)
{
    world->letters = calloc(SIM_LETTERS_MAX, sizeof *world->letters);
    world->sittings = calloc(SIM_SITTINGS_MAX, sizeof *world->sittings);
    CN_ASSERT(world->letters && world->sittings);
    world->random = cn_random_seeded(&world->seeded, world->seed);
    world->secrets = cn_random_seeded(&world->secret_seeded, ~world->seed);
    plan_make(world);
    struct sim_plan *plan = &world->plan;
    world->task.privacy.unit = TASK_UNIT_NONE;
    world->task.rounds.cohort_min = plan->cohort_min;
    config_make(world);
    CN_ASSERT(sign_key_new(&world->registrar, &world->secrets) == CN_OK);
    sign_key_public(world->registrar, world->registrar_public);
    sim_trace(world, "%u devices, %u corrupt, cohort %u to %u, %u x %u bits, %s network of %u ms",
              plan->devices, plan->corrupt, plan->cohort_min, plan->cohort_max, plan->dim,
              plan->bits, plan->ordered ? "ordered" : "unordered", plan->delay_ms);
    for (uint32_t i = 0; i < plan->devices; i++)
        make_device(world, i);
    sim_adversary_start(world);
    if (plan->evil)
        sim_evil_start(world);
    else
        sim_aggregator_start(world);
}

static void world_clear(struct sim_world *world)
{
    if (world->plan.evil)
        sim_evil_free(world);
    else
        sim_aggregator_free(world);
    sim_adversary_free(world);
    for (uint32_t i = 0; i < world->plan.devices; i++) {
        sim_device_crash(&world->devices[i]);
        sign_key_free(world->devices[i].key);
    }
    for (uint32_t i = 0; i < world->letter_count; i++)
        free(world->letters[i].bytes);
    free(world->letters);
    free(world->sittings);
    sign_key_free(world->registrar);
}

static void tick(struct sim_world *world)
{
    for (uint32_t i = 0; i < world->plan.devices; i++) {
        struct sim_device *device = &world->devices[i];

        come_back(world, device);
        sim_device_tick(device);
        if (device->here && sim_chance(world, world->plan.crash))
            sim_cut(world, device, true);
    }
    if (world->plan.evil)
        sim_evil_tick(world);
    else
        sim_aggregator_tick(world);
}

static bool done(const struct sim_world *world)
{
    return world->failed || (world->plan.evil ? sim_evil_done(world) : sim_aggregator_done(world));
}

/* Where nothing breaks and nobody lies, every round succeeds: else the checks would check nothing.
 */
static void check_calm(struct sim_world *world)
{
    const struct sim_plan *plan = &world->plan;

    if (!plan->calm || !plan->ordered || plan->corrupt || plan->delay_ms > 1000)
        return;
    if (!plan->evil && world->counts.published != plan->rounds)
        sim_broken(world, "nothing is wrong, and %u of %u rounds are published",
                   (uint32_t)world->counts.published, plan->rounds);
}

bool sim_run(struct sim_world *world, uint64_t seed, bool trace)
{
    long blocks = sim_secret_blocks();

    memset(world, 0, sizeof *world);
    world->seed = seed;
    world->trace = trace;
    world_make(world);
    while (!done(world) && world->now_ms < RUN_MS_MAX) {
        uint64_t until = world->now_ms / SIM_TICK_MS * SIM_TICK_MS + SIM_TICK_MS;

        while (!world->failed && deliver(world, until))
            ;
        world->now_ms = until;
        tick(world);
    }
    if (!done(world))
        sim_broken(world, "the federation does not come to an end");
    check_calm(world);
    world_clear(world);
    if (sim_secret_blocks() != blocks)
        sim_broken(world, "%ld blocks of secrets are left when all is over",
                   sim_secret_blocks() - blocks);
    return !world->failed;
}
