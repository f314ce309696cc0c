/* SPDX-License-Identifier: Apache-2.0 */
/* The honest aggregator: the real round, and around it as much of a runner as rounds need: attempts
 * with pauses, a journal that survives crashes, and outcomes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/recover.h"
#include "crypto/pack.h"
#include "sim_world.h"

enum { GRACE_MS = 2000 };

struct sim_aggregator {
    struct cohort *cohort; /* NULL while the process does not run */
    struct round *round;
    struct cn_random random;
    uint64_t back_ms, resume_ms, began_ms;
    uint64_t enough_ms; /* when a gathering round last lacked devices, or its beginning */
    uint32_t published, attempt, tries;
    /* On disk: */
    struct round_id id;
    bool opened, ended;
    /* What it told the devices in this attempt: */
    struct secagg_member roster[SIM_DEVICES_MAX];
    uint32_t survivors[SIM_DEVICES_MAX], survivor_count;
    uint32_t late[SIM_DIM_MAX]; /* planted: vectors that came too late, added up */
};

static const uint64_t waits[ROUND_PHASE_COUNT] = {
    [ROUND_GATHER] = 3000,  [ROUND_TRAIN] = 20000, [ROUND_SHARES] = 10000,
    [ROUND_UPLOAD] = 10000, [ROUND_VOUCH] = 10000, [ROUND_REVEAL] = 10000,
};

/* Planted: deadlines never pass. */
static uint64_t round_now(const struct sim_world *world)
{
    return SIM_PLANTED(NO_DEADLINE) ? world->aggregator->began_ms : world->now_ms;
}

/* Who stands where: a ring's roster says it in entries. */
static void note_roster(struct sim_world *world, const struct message_roster *roster)
{
    const struct secagg_entry *entries = message_roster_entries(roster);

    for (uint32_t i = 0; i < message_roster_devices(roster); i++)
        world->aggregator->roster[i].certificate =
            entries ? sim_find(world, entries[i].device_id)->certificate
                    : roster->members[i].certificate;
}

static void send(void *ctx, const uint8_t id[DEVICE_ID_BYTES], const struct message *message)
{
    struct sim_world *world = ctx;
    struct sim_aggregator *aggregator = world->aggregator;
    struct sim_device *device = sim_find(world, id);

    CN_ASSERT(device);
    if (message->type == MESSAGE_OFFER &&
        !(aggregator->opened && round_id_equal(&aggregator->id, &message->as.offer.id)))
        sim_broken(world, "a round is offered before the aggregator's ledger has its line");
    if (message->type == MESSAGE_ROSTER)
        note_roster(world, &message->as.roster);
    if (message->type == MESSAGE_SURVIVORS) {
        aggregator->survivor_count = message->as.survivors.count;
        memcpy(aggregator->survivors, message->as.survivors.indices,
               message->as.survivors.count * sizeof aggregator->survivors[0]);
    }
    sim_post(world, SIM_AGGREGATOR, (int)device->number, message);
}

static enum cn_err opening(void *ctx, uint32_t cohort)
{
    struct sim_world *world = ctx;

    if (cohort < world->plan.cohort_min || cohort > world->plan.cohort_max)
        sim_broken(world, "a round for a cohort of %u", cohort);
    if (sim_chance(world, world->plan.aggregator_disk))
        return CN_E_NOSPACE;
    if (!SIM_PLANTED(OFFERS_FIRST))
        world->aggregator->opened = true;
    return CN_OK;
}

static void start_attempt(struct sim_world *world)
{
    struct sim_aggregator *aggregator = world->aggregator;
    struct round_calls calls = {.send = send, .opening = opening, .ctx = world};
    struct round_options options = {.plan_bytes = 1,
                                    .model_bytes = 1,
                                    .rounds = world->plan.rounds,
                                    .secagg = world->config,
                                    .cohort_max = world->plan.cohort_max,
                                    .grace_ms = GRACE_MS,
                                    .uploads_max = sim_below(world, 300)};

    options.id = (struct round_id){{7}, aggregator->published + 1, ++aggregator->attempt};
    aggregator->tries++;
    memset(options.model, (int)options.id.round, HASH_BYTES);
    memcpy(options.registrar, world->registrar_public, SIGN_PUBLIC_BYTES);
    memcpy(options.wait_ms, waits, sizeof waits);
    sim_binding(options.secagg.binding, &options.id, options.model);
    aggregator->id = options.id;
    aggregator->opened = aggregator->ended = false;
    aggregator->survivor_count = 0;
    memset(aggregator->late, 0, sizeof aggregator->late);
    aggregator->began_ms = aggregator->enough_ms = world->now_ms;
    cohort_next_attempt(aggregator->cohort);
    CN_ASSERT(round_new(&aggregator->round, &options, &calls, aggregator->cohort,
                        &aggregator->random, world->now_ms) == CN_OK);
    sim_trace(world, "ROUND %u, attempt %u", options.id.round, options.id.attempt);
}

void sim_aggregator_start(struct sim_world *world)
{
    world->aggregator = calloc(1, sizeof *world->aggregator);
    CN_ASSERT(world->aggregator);
    world->aggregator->random = world->random;
    CN_ASSERT(cohort_new(&world->aggregator->cohort, SIM_DEVICES_MAX) == CN_OK);
}

void sim_aggregator_free(struct sim_world *world)
{
    round_free(world->aggregator->round);
    cohort_free(world->aggregator->cohort);
    free(world->aggregator);
}

bool sim_aggregator_done(const struct sim_world *world)
{
    const struct sim_aggregator *aggregator = world->aggregator;

    return aggregator->cohort && !aggregator->round &&
           (aggregator->published == world->plan.rounds ||
            aggregator->tries == world->plan.attempts);
}

void sim_aggregator_here(struct sim_world *world, struct sim_device *device)
{
    struct sim_aggregator *aggregator = world->aggregator;

    if (!aggregator->cohort) { /* nobody listens */
        device->here = false;
        device->back_ms = aggregator->back_ms + sim_below(world, 2000);
        return;
    }
    CN_ASSERT(cohort_join(aggregator->cohort, &device->certificate) == CN_OK);
    if (aggregator->round)
        round_device_here(aggregator->round, device->id, round_now(world));
}

void sim_aggregator_lost(struct sim_world *world, struct sim_device *device)
{
    struct sim_aggregator *aggregator = world->aggregator;

    if (!aggregator->cohort)
        return;
    cohort_leave(aggregator->cohort, device->id);
    if (aggregator->round)
        round_device_lost(aggregator->round, device->id, round_now(world));
}

/* ---- ends ---- */

static void send_outcome(struct sim_world *world, bool published, const char *reason)
{
    struct message_outcome outcome = {.id = world->aggregator->id,
                                      .published = published,
                                      .survivors = world->aggregator->survivor_count};

    snprintf(outcome.reason, sizeof outcome.reason, "%s", reason);
    round_outcome(world->aggregator->round, &outcome);
}

/* Who paid for an attempt that came to nothing must be able to show where it went. */
static void check_charge(struct sim_world *world, bool charged)
{
    const struct sim_aggregator *aggregator = world->aggregator;

    for (uint32_t i = 0; i < world->plan.devices; i++)
        if (!charged && sim_disk_has(&world->devices[i].disk, &aggregator->id))
            sim_broken(world, "device %u paid for an attempt that the aggregator calls free", i);
}

static void abandoned(struct sim_world *world, const char *reason, bool charged)
{
    struct sim_aggregator *aggregator = world->aggregator;

    sim_trace(world, "ABANDONED: %s", reason);
    if (!reason[0])
        sim_broken(world, "a round is abandoned without a reason");
    check_charge(world, charged);
    aggregator->ended = true;
    world->counts.abandoned++;
    aggregator->resume_ms = world->now_ms + 1000;
}

static void expected_sum(struct sim_world *world, uint32_t sum[SIM_DIM_MAX])
{
    const struct sim_aggregator *aggregator = world->aggregator;
    uint32_t low = UINT32_MAX >> (32 - world->plan.bits);
    uint32_t vector[SIM_DIM_MAX];

    memset(sum, 0, SIM_DIM_MAX * sizeof *sum);
    for (uint32_t i = 0; i < aggregator->survivor_count; i++) {
        const struct secagg_member *member = &aggregator->roster[aggregator->survivors[i]];
        const struct sim_device *device = sim_find_key(world, member->certificate.device);
        bool lied = round_id_equal(&device->error_id, &aggregator->id);

        sim_vector(world, device->number, &aggregator->id, vector);
        for (uint32_t k = 0; k < world->plan.dim; k++)
            sum[k] = (sum[k] + vector[k] + (lied ? device->error[k] : 0)) & low;
    }
}

static void published(struct sim_world *world)
{
    struct sim_aggregator *aggregator = world->aggregator;
    const uint32_t *sum = round_sum(aggregator->round);
    uint32_t low = UINT32_MAX >> (32 - world->plan.bits);
    uint32_t expected[SIM_DIM_MAX];

    expected_sum(world, expected);
    for (uint32_t k = 0; k < world->plan.dim; k++)
        if (((sum[k] + aggregator->late[k]) & low) != expected[k]) {
            sim_broken(world, "the sum is not that of the %u announced survivors",
                       aggregator->survivor_count);
            break;
        }
    if (aggregator->survivor_count < world->plan.cohort_min)
        sim_broken(world, "a sum of only %u devices", aggregator->survivor_count);
    sim_trace(world, "PUBLISHED: the sum of %u devices", aggregator->survivor_count);
    aggregator->ended = true;
    aggregator->published++;
    aggregator->tries = 0;
    world->counts.published++;
    send_outcome(world, true, "");
}

static void suspect(void *ctx, const uint8_t id[DEVICE_ID_BYTES])
{
    struct sim_world *world = ctx;
    const struct sim_device *device = sim_find(world, id);

    sim_trace(world, "device %u is found to have revealed wrong shares", device->number);
    if (!device->corrupt)
        sim_broken(world, "device %u is honest and suspected", device->number);
}

static void step(struct sim_world *world)
{
    struct sim_aggregator *aggregator = world->aggregator;
    struct round_facts facts;

    if (!aggregator->round)
        return;
    if (round_phase(aggregator->round) == ROUND_OPEN) {
        enum cn_err err = round_open(aggregator->round);
        round_suspects(aggregator->round, suspect, world);
        if (err != CN_OK && world->plan.corrupt == 0)
            sim_broken(world, "all devices are honest and the sum does not open");
        round_opened(aggregator->round, err, world->now_ms);
    }
    enum round_phase phase = round_phase(aggregator->round);
    if (phase != ROUND_SUMMED && phase != ROUND_FAILED)
        return;
    round_facts(aggregator->round, &facts);
    if (phase == ROUND_SUMMED) {
        published(world);
    } else {
        const char *reason = SIM_PLANTED(NO_REASON) ? "" : round_reason(aggregator->round);
        abandoned(world, reason, facts.charged);
        send_outcome(world, false, reason);
    }
    round_free(aggregator->round);
    aggregator->round = NULL;
}

/* ---- messages and time ---- */

/* Planted: a vector that came after the survivors were announced is added all the same. */
static void count_late(struct sim_world *world, const struct sim_device *from,
                       const struct message *message)
{
    struct sim_aggregator *aggregator = world->aggregator;

    if (!SIM_PLANTED(LATE_COUNTS) || message->type != MESSAGE_CHUNK || !aggregator->round ||
        round_phase(aggregator->round) <= ROUND_UPLOAD || !aggregator->survivor_count)
        return;
    for (uint32_t i = 0; i < aggregator->survivor_count; i++)
        if (memcmp(aggregator->roster[aggregator->survivors[i]].certificate.device,
                   from->certificate.device, SIGN_PUBLIC_BYTES) == 0)
            return;
    CN_IGNORE(unpack_bits_add(aggregator->late, world->plan.dim, world->plan.bits,
                              message->as.chunk.bytes, message->as.chunk.len));
}

void sim_aggregator_hear(struct sim_world *world, struct sim_device *from,
                         const struct message *message)
{
    struct sim_aggregator *aggregator = world->aggregator;

    if (!aggregator->round)
        return;
    count_late(world, from, message);
    if (message->type == MESSAGE_CHUNK)
        world->counts.uploads++;
    enum cn_err err = round_message(aggregator->round, from->id, message, round_now(world));
    if (err != CN_OK) {
        sim_trace(world, "device %u is refused: %s", from->number, cn_err_name(err));
        world->counts.refused++;
        if (!from->corrupt && world->plan.ordered)
            sim_broken(world, "device %u is honest and refused for its %s: %s", from->number,
                       message_name(message->type), cn_err_name(err));
        sim_cut(world, from, false);
    }
    step(world);
}

void sim_aggregator_bad_bytes(struct sim_world *world, struct sim_device *from)
{
    world->counts.refused++;
    if (!from->corrupt)
        sim_broken(world, "device %u is honest and sent bytes that do not decode", from->number);
    sim_cut(world, from, false);
}

static void crash(struct sim_world *world)
{
    struct sim_aggregator *aggregator = world->aggregator;

    sim_trace(world, "THE AGGREGATOR CRASHES%s%s", aggregator->round ? " in phase " : "",
              aggregator->round ? round_phase_name(round_phase(aggregator->round)) : "");
    world->counts.aggregator_crashes++;
    round_free(aggregator->round);
    aggregator->round = NULL;
    cohort_free(aggregator->cohort);
    aggregator->cohort = NULL;
    aggregator->back_ms = world->now_ms + 500 + sim_below(world, 8000);
    for (uint32_t i = 0; i < world->plan.devices; i++)
        sim_cut(world, &world->devices[i], false);
}

/* As recover_run: what was opened and has no end is abandoned, and charged. */
static void restart(struct sim_world *world)
{
    struct sim_aggregator *aggregator = world->aggregator;

    CN_ASSERT(cohort_new(&aggregator->cohort, SIM_DEVICES_MAX) == CN_OK);
    if (aggregator->opened && !aggregator->ended)
        abandoned(world, SIM_PLANTED(NO_REASON) ? "" : RECOVER_REASON, true);
    aggregator->resume_ms = world->now_ms + 500;
}

/* A round may wait for devices as long as there are too few; for nothing else. */
static void check_hang(struct sim_world *world)
{
    struct sim_aggregator *aggregator = world->aggregator;
    uint64_t limit = SIM_TICK_MS * ROUND_PHASE_COUNT;
    uint32_t available, needed;

    if (!aggregator->round)
        return;
    for (size_t i = 0; i < CN_COUNT(waits); i++)
        limit += waits[i];
    round_gathered(aggregator->round, &available, &needed);
    if (round_phase(aggregator->round) == ROUND_GATHER && available < needed)
        aggregator->enough_ms = world->now_ms;
    if (world->now_ms > aggregator->enough_ms + limit)
        sim_broken(world, "the round hangs in phase %s",
                   round_phase_name(round_phase(aggregator->round)));
}

void sim_aggregator_tick(struct sim_world *world)
{
    struct sim_aggregator *aggregator = world->aggregator;

    if (!aggregator->cohort) {
        if (world->now_ms >= aggregator->back_ms)
            restart(world);
        return;
    }
    if (sim_chance(world, world->plan.aggregator_crash)) {
        crash(world);
        return;
    }
    if (!aggregator->round && !sim_aggregator_done(world) && world->now_ms >= aggregator->resume_ms)
        start_attempt(world);
    if (aggregator->round)
        round_tick(aggregator->round, SIM_PLANTED(NO_DEADLINE) && round_phase(aggregator->round)
                                          ? aggregator->began_ms
                                          : world->now_ms);
    step(world);
    check_hang(world);
}
