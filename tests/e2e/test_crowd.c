/* SPDX-License-Identifier: Apache-2.0 */
/* A round of 1,200 devices on a ring: the aggregator's round and the devices' participants in one
 * process, every message through its bytes. Some devices leave after they shared. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aggregator/round.h"
#include "base/arena.h"
#include "client/participant.h"
#include "protocol/transfer.h"

#define MUST(call) cr_assert_eq((call), CN_OK)

enum { DEVICES = 1200, DIM = 24, LEAVERS = 6, TICK_MS = 50, MEMBERS_OF_INVITATION = 1200 };

struct one {
    struct sign_key *key;
    struct certificate certificate;
    uint8_t id[DEVICE_ID_BYTES];
    struct participant *participant;
    bool leaves;
    bool told; /* the outcome */
};

struct letter {
    uint8_t *bytes;
    size_t len;
    uint32_t to;
};

static struct one devices[DEVICES];
static struct letter queue[4 * DEVICES];
static size_t head, tail;
static uint64_t queued_bytes, queued_most, largest[MESSAGE_TYPE_COUNT];
static struct cohort *cohort;
static struct round *current;
static struct round_options options;
static struct cn_seeded seeded;
static struct cn_random random_source;
static uint8_t registrar_public[SIGN_PUBLIC_BYTES];
static uint64_t now_ms = 1000;
static uint64_t longest_ns; /* that the aggregator was busy with one call */

/* ---- the aggregator's side ---- */

static uint32_t number_of(const uint8_t id[DEVICE_ID_BYTES])
{
    static uint32_t next; /* asked mostly in a row */

    for (uint32_t tries = 0; tries < DEVICES; tries++, next = (next + 1) % DEVICES)
        if (memcmp(devices[next].id, id, DEVICE_ID_BYTES) == 0)
            return next;
    cr_assert_fail("a message to nobody");
    return 0;
}

static void send_letter(void *ctx, const uint8_t id[DEVICE_ID_BYTES], const struct message *message)
{
    struct cn_buf bytes;

    (void)ctx;
    cn_buf_init(&bytes, MESSAGE_BYTES_MAX);
    MUST(message_encode(&bytes, message));
    cr_assert_lt(tail - head, CN_COUNT(queue));
    queue[tail++ % CN_COUNT(queue)] = (struct letter){bytes.data, bytes.len, number_of(id)};
    queued_bytes += bytes.len;
    if (queued_bytes > queued_most)
        queued_most = queued_bytes;
    if (bytes.len > largest[message->type])
        largest[message->type] = bytes.len;
}

static enum cn_err opening(void *ctx, uint32_t count)
{
    (void)ctx;
    cr_assert_eq(count, DEVICES);
    return CN_OK;
}

static void declined(void *ctx, const uint8_t id[DEVICE_ID_BYTES], enum decline_code code,
                     const char *text)
{
    (void)ctx, (void)id;
    cr_assert_fail("declined: %d, %s", (int)code, text);
}

static uint64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void note_busy(uint64_t began)
{
    uint64_t took = clock_ns() - began;

    if (took > longest_ns)
        longest_ns = took;
}

/* ---- the devices' side ---- */

static enum cn_err encode(void *ctx, uint32_t *vector)
{
    const struct one *one = ctx;

    for (uint32_t k = 0; k < DIM; k++)
        vector[k] = (uint32_t)(one - devices) * 7 + k;
    return CN_OK;
}

static enum cn_err spend(void *ctx, uint32_t count, uint32_t threshold)
{
    (void)ctx;
    cr_assert_eq(count, DEVICES);
    cr_assert_eq(threshold, secagg_threshold(DEVICES));
    return CN_OK;
}

/* A device's word, through its bytes; no frame of a device's may be longer than the listener
 * takes. */
static void say(struct one *one, const struct message *message)
{
    struct cn_arena arena;
    struct message heard;
    struct cn_buf bytes;

    cn_buf_init(&bytes, MESSAGE_UP_BYTES_MAX);
    MUST(message_encode(&bytes, message));
    cn_arena_init(&arena, (size_t)1 << 22);
    MUST(message_decode(&heard, bytes.data, bytes.len, &arena));
    uint64_t began = clock_ns();
    MUST(round_message(current, one->id, &heard, now_ms));
    note_busy(began);
    cn_arena_clear(&arena);
    cn_buf_clear(&bytes);
}

static void take_part(struct one *one, const struct message_offer *offer)
{
    struct participant_setup setup = {.id = offer->id,
                                      .secagg = options.secagg,
                                      .identity = one->key,
                                      .certificate = &one->certificate,
                                      .registrar = registrar_public,
                                      .random = &random_source,
                                      .encode = encode,
                                      .spend = spend,
                                      .ctx = one};
    struct message ready;

    round_binding(setup.secagg.binding, &offer->id, offer->plan, offer->model);
    setup.secagg.prg = offer->prg;
    MUST(participant_new(&one->participant, &setup));
    participant_ready(one->participant, &ready);
    say(one, &ready);
}

static void upload(struct one *one, const struct message_resume *resume)
{
    struct transfer_out out = {0};
    struct message chunk;
    uint64_t len;
    uint8_t hash[HASH_BYTES];
    const uint8_t *blob = participant_blob(one->participant, &len, hash);

    MUST(transfer_out_start(&out, resume->hash, blob, len, resume->offset));
    while (transfer_out_next(&out, &chunk))
        say(one, &chunk);
}

static void hear(struct one *one, const struct message *message)
{
    struct message answer;

    if (message->type == MESSAGE_OFFER) {
        take_part(one, &message->as.offer);
    } else if (message->type == MESSAGE_RESUME) {
        upload(one, &message->as.resume);
    } else if (message->type == MESSAGE_OUTCOME) {
        one->told = true;
    } else if (message->type == MESSAGE_INBOX && one->leaves) {
        round_device_lost(current, one->id, now_ms);
    } else {
        MUST(participant_message(one->participant, message, &answer));
        say(one, &answer);
    }
}

static void deliver_all(void)
{
    while (head != tail) {
        struct letter letter = queue[head++ % CN_COUNT(queue)];
        struct cn_arena arena;
        struct message message;

        cn_arena_init(&arena, (size_t)1 << 22);
        MUST(message_decode(&message, letter.bytes, letter.len, &arena));
        hear(&devices[letter.to], &message);
        cn_arena_clear(&arena);
        free(letter.bytes);
        queued_bytes -= letter.len;
    }
}

/* ---- the world ---- */

static void enrol_all(void)
{
    struct sign_key *registrar, *one_time;
    struct invitation invitation;

    MUST(sign_key_new(&registrar, &random_source));
    sign_key_public(registrar, registrar_public);
    MUST(invitation_make(&invitation, &one_time, registrar, MEMBERS_OF_INVITATION, 1900000000,
                         &random_source));
    MUST(cohort_new(&cohort, DEVICES));
    for (uint32_t i = 0; i < DEVICES; i++) {
        struct one *one = &devices[i];

        MUST(sign_key_new(&one->key, &random_source));
        MUST(certificate_make(&one->certificate, &invitation, one_time, one->key, "device",
                              1800000000));
        certificate_device_id(one->id, &one->certificate);
        one->leaves = i % (DEVICES / LEAVERS) == 3;
        MUST(cohort_join(cohort, &one->certificate));
    }
    sign_key_free(one_time);
    sign_key_free(registrar);
}

/* The demands on the ring are small, so that the test is quick; the protocol is the same. */
static void open_world(void)
{
    struct round_calls calls = {.send = send_letter, .opening = opening, .declined = declined};

    random_source = cn_random_seeded(&seeded, 11);
    enrol_all();
    options = (struct round_options){.id = {{5}, 1, 1},
                                     .plan_bytes = 1,
                                     .model_bytes = 1,
                                     .rounds = 1,
                                     .cohort_max = DEVICES,
                                     .grace_ms = 100,
                                     .uploads_max = 1 << 20};
    options.secagg = (struct secagg_config){.dim = DIM,
                                            .bits = 32,
                                            .cohort_min = DEVICES - 2 * LEAVERS,
                                            .ring = {.devices_min = 100,
                                                     .corrupt_permille = 2,
                                                     .dropout_permille = 10,
                                                     .security_bits = 8,
                                                     .correctness_bits = 8,
                                                     .adversary = SECAGG_MALICIOUS}};
    for (int phase = ROUND_GATHER; phase <= ROUND_REVEAL; phase++)
        options.wait_ms[phase] = 60000;
    memcpy(options.registrar, registrar_public, SIGN_PUBLIC_BYTES);
    round_binding(options.secagg.binding, &options.id, options.plan, options.model);
    MUST(round_new(&current, &options, &calls, cohort, &random_source, now_ms));
}

static void close_world(void)
{
    round_free(current);
    for (uint32_t i = 0; i < DEVICES; i++) {
        participant_free(devices[i].participant);
        sign_key_free(devices[i].key);
    }
    cohort_free(cohort);
}

TestSuite(crowd, .init = open_world, .fini = close_world);

static void expect_sum(void)
{
    uint32_t expected[DIM] = {0}, own[DIM];

    for (uint32_t i = 0; i < DEVICES; i++) {
        if (devices[i].leaves)
            continue;
        MUST(encode(&devices[i], own));
        for (uint32_t k = 0; k < DIM; k++)
            expected[k] += own[k];
    }
    cr_assert_eq(memcmp(round_sum(current), expected, sizeof expected), 0);
}

Test(crowd, of_1200_devices_gets_its_sum_over_a_ring_though_some_leave)
{
    struct message_outcome outcome = {.id = options.id, .published = true, .survivors = 1};
    struct round_facts facts;
    uint32_t told = 0;

    for (int ticks = 0; ticks < 400 && round_phase(current) < ROUND_OPEN; ticks++) {
        uint64_t began = clock_ns();
        round_tick(current, now_ms);
        note_busy(began);
        deliver_all();
        now_ms += TICK_MS;
    }
    cr_assert_eq(round_phase(current), ROUND_OPEN, "%s: %s", round_phase_name(round_phase(current)),
                 round_reason(current));
    MUST(round_open(current));
    round_opened(current, CN_OK, now_ms);
    expect_sum();
    round_facts(current, &facts);
    cr_assert_eq(facts.roster, DEVICES);
    cr_assert_eq(facts.survivors, DEVICES - LEAVERS);
    cr_assert(largest[MESSAGE_ROSTER] > DEVICES * MESSAGE_ENTRY_BYTES);
    cr_assert(largest[MESSAGE_ROSTER] < DEVICES * MESSAGE_ENTRY_BYTES + 64 * 512,
              "a roster of %lu bytes holds more than the neighbours",
              (unsigned long)largest[MESSAGE_ROSTER]);
    cr_assert_leq(queued_most, 2 * ((uint64_t)16 << 20), "%lu bytes wait at once",
                  (unsigned long)queued_most);
    cr_log_info("the aggregator was busy for %.1f ms at most", (double)longest_ns / 1e6);
    round_outcome(current, &outcome);
    deliver_all();
    for (uint32_t i = 0; i < DEVICES; i++)
        told += devices[i].told;
    cr_assert_eq(told, DEVICES - LEAVERS);
}
