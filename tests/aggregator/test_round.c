/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/round.h"
#include "federation.h"

enum { DIM = 40, BITS = 16 };

static struct fed fed;
static struct round *current;
static uint64_t now_ms;
static uint32_t openings, opened_cohort, declines;
static enum cn_err opening_answer;
static enum decline_code decline_code;

static void fill(void *ctx, int device, uint32_t *vector)
{
    (void)ctx;
    for (uint32_t k = 0; k < DIM; k++)
        vector[k] = (uint32_t)(device + 1) * 10 + k;
}

static enum cn_err deliver(void *ctx, const uint8_t id[DEVICE_ID_BYTES],
                           const struct message *message)
{
    (void)ctx;
    return round_message(current, id, message, now_ms);
}

static void send(void *ctx, const uint8_t id[DEVICE_ID_BYTES], const struct message *message)
{
    (void)ctx;
    fed_send(&fed, id, message);
}

static enum cn_err opening(void *ctx, uint32_t cohort)
{
    (void)ctx;
    openings++;
    opened_cohort = cohort;
    return opening_answer;
}

static void declined(void *ctx, const uint8_t id[DEVICE_ID_BYTES], enum decline_code code,
                     const char *text)
{
    (void)ctx, (void)id;
    declines++;
    decline_code = code;
    cr_assert_str_eq(text, "the owner says no");
}

static struct round_options options(uint32_t cohort_min, uint32_t cohort_max)
{
    struct round_options o = {.plan_bytes = 10,
                              .model_bytes = 20,
                              .rounds = 5,
                              .cohort_max = cohort_max,
                              .grace_ms = 2000,
                              .uploads_max = 1 << 20};
    memset(o.id.task, 3, sizeof(o.id.task));
    o.id.round = 2;
    o.id.attempt = 1;
    memset(o.plan, 4, sizeof(o.plan));
    memset(o.model, 5, sizeof(o.model));
    o.secagg = (struct secagg_config){.dim = DIM, .bits = BITS, .cohort_min = cohort_min};
    round_binding(o.secagg.binding, &o.id, o.plan, o.model);
    memcpy(o.registrar, fed.registrar_public, SIGN_PUBLIC_BYTES);
    for (int phase = ROUND_GATHER; phase <= ROUND_REVEAL; phase++)
        o.wait_ms[phase] = 10000;
    return o;
}

static void begin_with(int devices, const struct round_options *o)
{
    struct round_calls calls = {.send = send, .opening = opening, .declined = declined};
    fed.secagg = o->secagg;
    fed.fill = fill;
    fed.deliver = deliver;
    FED_OK(round_new(&current, o, &calls, fed.cohort, &fed.random, now_ms));
    for (int i = 0; i < devices; i++)
        fed_join(&fed, i);
}

static void begin(int devices, uint32_t cohort_min, uint32_t cohort_max)
{
    fed_init(&fed, devices);
    struct round_options o = options(cohort_min, cohort_max);
    begin_with(devices, &o);
}

static void setup(void)
{
    now_ms = 5000;
    openings = opened_cohort = declines = 0;
    opening_answer = CN_OK;
    current = NULL;
}

static void teardown(void)
{
    round_free(current);
    fed_clear(&fed);
}

TestSuite(round, .init = setup, .fini = teardown);

/* Runs until nothing more happens without time passing. */
static void settle(void)
{
    do {
        round_tick(current, now_ms);
        fed_run(&fed);
    } while (fed.head != fed.tail);
    round_tick(current, now_ms);
}

static void pass(uint64_t ms)
{
    now_ms += ms;
    settle();
}

static void open_and_check(const char *who)
{
    uint32_t expected = 0, count = 0;
    cr_assert_eq(round_phase(current), ROUND_OPEN, "%s: %s, %s", who,
                 round_phase_name(round_phase(current)), round_reason(current));
    FED_OK(round_open(current));
    round_opened(current, CN_OK, now_ms);
    cr_assert_eq(round_phase(current), ROUND_SUMMED);
    for (const char *c = who; *c; c++, count++)
        expected += (uint32_t)(*c - '0' + 1) * 10;
    for (uint32_t k = 0; k < DIM; k++)
        cr_assert_eq(round_sum(current)[k], expected + count * k);
    struct round_facts facts;
    round_facts(current, &facts);
    cr_assert_eq(facts.survivors, count);
}

static void expect_failed(enum cn_err why, const char *words)
{
    cr_assert_eq(round_phase(current), ROUND_FAILED, "%s",
                 round_phase_name(round_phase(current)));
    cr_assert_eq((int)round_error(current), (int)why, "%s", cn_err_name(round_error(current)));
    cr_assert(strstr(round_reason(current), words), "%s", round_reason(current));
}

/* ---- the good way ---- */

Test(round, sums_the_vectors_of_all_devices)
{
    begin(4, 3, 4);
    settle();
    cr_assert_eq(openings, 1);
    cr_assert_eq(opened_cohort, 4);
    open_and_check("0123");
}

Test(round, asks_nobody_before_enough_are_there)
{
    begin(2, 3, 4);
    pass(100000);
    cr_assert_eq(round_phase(current), ROUND_GATHER);
    cr_assert_eq(openings, 0);
    cr_assert_eq(fed.devices[0].heard[MESSAGE_OFFER], 0);
    uint32_t available, needed;
    round_gathered(current, &available, &needed);
    cr_assert_eq(available, 2);
    cr_assert_eq(needed, 3);
}

Test(round, waits_for_a_full_cohort_only_so_long)
{
    begin(3, 3, 4);
    settle();
    pass(9999);
    cr_assert_eq(round_phase(current), ROUND_GATHER);
    pass(1);
    open_and_check("012");
}

Test(round, asks_no_more_than_cohort_max)
{
    begin(6, 3, 4);
    settle();
    uint32_t offers = 0;
    for (int i = 0; i < 6; i++)
        offers += fed.devices[i].heard[MESSAGE_OFFER];
    cr_assert_eq(offers, 4);
    cr_assert_eq(round_phase(current), ROUND_OPEN);
}

Test(round, tells_everybody_in_it_how_it_ended)
{
    begin(4, 3, 4);
    settle();
    open_and_check("0123");
    struct message_outcome outcome = {.id = fed.devices[0].id_of_round,
                                      .published = true,
                                      .survivors = 4,
                                      .ledger_count = 9};
    round_outcome(current, &outcome);
    fed_run(&fed);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(fed.devices[i].outcome.ledger_count, 9);
}

Test(round, takes_no_offer_out_when_the_ledger_can_not_be_written)
{
    opening_answer = CN_E_NOSPACE;
    begin(4, 3, 4);
    settle();
    expect_failed(CN_E_NOSPACE, "no space");
    cr_assert_eq(fed.devices[0].heard[MESSAGE_OFFER], 0);
}

/* ---- saying no ---- */

Test(round, goes_on_without_a_device_that_declines)
{
    begin(4, 3, 4);
    fed.devices[1].declines = DECLINE_BUDGET;
    settle();
    cr_assert_eq(declines, 1);
    cr_assert_eq(decline_code, DECLINE_BUDGET);
    open_and_check("023");
}

Test(round, offers_the_place_of_one_that_declines_to_another)
{
    begin(5, 4, 4);
    for (int i = 0; i < 5; i++)
        fed.devices[i].declines = DECLINE_BUSY;
    settle();
    /* Everybody is asked once, then nobody is left. */
    for (int i = 0; i < 5; i++)
        cr_assert_eq(fed.devices[i].heard[MESSAGE_OFFER], 1);
    expect_failed(CN_E_COHORT, "too few devices: 0 of 5 finished training");
}

Test(round, is_abandoned_when_too_few_accept)
{
    begin(4, 3, 4);
    fed.devices[0].declines = DECLINE_DATA;
    fed.devices[2].declines = DECLINE_LIMIT;
    settle();
    expect_failed(CN_E_COHORT, "2 of 4 finished training, 3 are needed");
    struct round_facts facts;
    round_facts(current, &facts);
    cr_assert_not(facts.charged);
}

Test(round, keeps_those_without_budget_out_of_the_next_attempt_too)
{
    begin(4, 3, 4);
    fed.devices[0].declines = DECLINE_BUDGET;
    fed.devices[1].declines = DECLINE_BUSY;
    settle();
    expect_failed(CN_E_COHORT, "too few");
    round_free(current);
    current = NULL;
    cohort_next_attempt(fed.cohort);
    cr_assert_eq(cohort_available(fed.cohort), 3);
    cohort_next_task(fed.cohort);
    cr_assert_eq(cohort_available(fed.cohort), 4);
}

Test(round, hears_a_no_in_a_later_phase)
{
    begin(5, 3, 5);
    fed.devices[4].mute = MESSAGE_INBOX;
    settle();
    cr_assert_eq(round_phase(current), ROUND_UPLOAD);
    struct message no = {.type = MESSAGE_DECLINE,
                         .as.decline = {.id = fed.devices[4].id_of_round,
                                        .code = DECLINE_FAILED,
                                        .text = "the owner says no"}};
    FED_OK(deliver(NULL, fed.devices[4].id, &no));
    settle(); /* without waiting for the deadline */
    open_and_check("0123");
}

/* ---- silence, in each phase, until the deadline ---- */

static void silent_from(enum message_type type, int devices)
{
    begin(5, 3, 5);
    for (int i = 0; i < devices; i++)
        fed.devices[4 - i].mute = type;
    settle();
    pass(9999);
}

Test(round, leaves_out_who_does_not_finish_training)
{
    silent_from(MESSAGE_OFFER, 1);
    cr_assert_eq(round_phase(current), ROUND_TRAIN);
    pass(1);
    open_and_check("0123");
}

Test(round, leaves_out_who_does_not_share)
{
    silent_from(MESSAGE_ROSTER, 1);
    cr_assert_eq(round_phase(current), ROUND_SHARES);
    pass(1);
    open_and_check("0123");
}

Test(round, removes_the_masks_of_who_does_not_upload)
{
    silent_from(MESSAGE_INBOX, 1);
    cr_assert_eq(round_phase(current), ROUND_UPLOAD);
    pass(1);
    open_and_check("0123");
}

Test(round, keeps_the_vector_of_who_does_not_vouch)
{
    silent_from(MESSAGE_SURVIVORS, 1);
    cr_assert_eq(round_phase(current), ROUND_VOUCH);
    pass(1);
    cr_assert_eq(fed.devices[4].heard[MESSAGE_VOUCHES], 0); /* nor is it asked to reveal */
    open_and_check("01234");
}

Test(round, opens_without_the_last_revealing_device)
{
    silent_from(MESSAGE_VOUCHES, 1);
    cr_assert_eq(round_phase(current), ROUND_REVEAL);
    pass(1);
    open_and_check("01234");
}

struct silence {
    enum message_type type;
    int devices;
    enum cn_err why;
    const char *words;
};

Test(round, is_abandoned_with_its_reason_when_too_few_answer_in_any_phase)
{
    static const struct silence silences[] = {
        {MESSAGE_OFFER, 3, CN_E_COHORT, "2 of 5 finished training in time, 3 are needed"},
        {MESSAGE_ROSTER, 2, CN_E_THRESHOLD, "3 of 5 shared their keys in time, 4 are needed"},
        {MESSAGE_INBOX, 2, CN_E_THRESHOLD, "3 of 5 sent their masked update in time, 4 are"},
        {MESSAGE_SURVIVORS, 2, CN_E_THRESHOLD, "3 of 5 signed the list of survivors in time"},
        {MESSAGE_VOUCHES, 2, CN_E_THRESHOLD, "3 of 5 helped to open the sum in time, 4 are"},
    };
    for (size_t i = 0; i < CN_COUNT(silences); i++) {
        silent_from(silences[i].type, silences[i].devices);
        cr_assert_neq(round_phase(current), ROUND_FAILED);
        pass(1);
        expect_failed(silences[i].why, silences[i].words);
        struct round_facts facts;
        round_facts(current, &facts);
        cr_assert_eq(facts.charged, silences[i].type != MESSAGE_OFFER &&
                                        silences[i].type != MESSAGE_ROSTER);
        if (i + 1 < CN_COUNT(silences)) {
            teardown();
            setup();
        }
    }
}

/* ---- connections that break ---- */

static void lose(int i)
{
    fed_leave(&fed, i);
    round_device_lost(current, fed.devices[i].id, now_ms);
}

static void come_back(int i)
{
    fed_join(&fed, i);
    round_device_here(current, fed.devices[i].id, now_ms);
}

Test(round, repeats_the_phase_to_a_device_that_comes_back)
{
    static const enum message_type types[] = {MESSAGE_OFFER, MESSAGE_ROSTER, MESSAGE_INBOX,
                                              MESSAGE_SURVIVORS, MESSAGE_VOUCHES};
    for (size_t i = 0; i < CN_COUNT(types); i++) {
        begin(4, 3, 4);
        fed.devices[2].mute = types[i];
        settle();
        lose(2);
        pass(1500);
        cr_assert_eq(fed.devices[2].heard[types[i]], 1);
        fed.devices[2].mute = MESSAGE_NONE;
        come_back(2);
        settle();
        cr_assert_eq(fed.devices[2].heard[types[i]], 2);
        open_and_check("0123");
        if (i + 1 < CN_COUNT(types)) {
            teardown();
            setup();
        }
    }
}

Test(round, repeats_nothing_that_was_answered)
{
    begin(4, 3, 4);
    fed.devices[0].mute = MESSAGE_ROSTER;
    settle();
    lose(3);
    come_back(3);
    settle();
    cr_assert_eq(fed.devices[3].heard[MESSAGE_ROSTER], 1);
    cr_assert_eq(round_phase(current), ROUND_SHARES);
}

Test(round, waits_in_training_only_the_grace_for_those_that_are_away)
{
    begin(4, 3, 4);
    fed.devices[3].mute = MESSAGE_OFFER;
    settle();
    lose(3);
    pass(1999);
    cr_assert_eq(round_phase(current), ROUND_TRAIN);
    pass(1);
    open_and_check("012");
}

Test(round, resumes_an_upload_where_it_broke)
{
    struct round_options o;
    fed_init(&fed, 3);
    o = options(3, 3);
    o.secagg.dim = 400000; /* four chunks */
    begin_with(3, &o);
    fed.fill = fill;
    round_tick(current, now_ms);
    /* Until the first chunk of device 1 has arrived, then its line breaks. */
    bool broken = false;
    while (fed_step(&fed)) {
        const struct fed_letter *next = &fed.queue[fed.head % FED_QUEUE_MAX];
        if (!broken && fed.head != fed.tail && next->to < 0 && next->from == 1 &&
            fed.devices[1].heard[MESSAGE_RESUME] == 1 && next->len > CHUNK_BYTES_MAX) {
            fed_step(&fed);
            lose(1);
            broken = true;
        }
    }
    cr_assert(broken);
    cr_assert_eq(round_phase(current), ROUND_UPLOAD);
    come_back(1);
    uint32_t before = fed.devices[1].heard[MESSAGE_RESUME];
    while (fed.devices[1].heard[MESSAGE_RESUME] == before)
        cr_assert(fed_step(&fed));
    cr_assert_eq(fed.devices[1].out.at, fed.devices[1].packed_len);
    settle();
    cr_assert_eq(round_phase(current), ROUND_OPEN);
}

Test(round, queues_uploads_beyond_the_byte_budget)
{
    fed_init(&fed, 4);
    struct round_options o = options(3, 4);
    o.uploads_max = 1; /* one at a time */
    begin_with(4, &o);
    settle();
    open_and_check("0123");
}

Test(round, gives_the_turn_of_a_stuck_upload_to_others_when_it_leaves)
{
    fed_init(&fed, 5);
    struct round_options o = options(3, 5);
    o.uploads_max = 1;
    begin_with(5, &o);
    for (int i = 0; i < 5; i++)
        fed.devices[i].mute = MESSAGE_RESUME;
    settle();
    cr_assert_eq(round_phase(current), ROUND_UPLOAD);
    int stuck = -1;
    for (int i = 0; i < 5; i++) {
        if (fed.devices[i].heard[MESSAGE_RESUME])
            stuck = i;
        fed.devices[i].mute = MESSAGE_NONE;
    }
    cr_assert_geq(stuck, 0);
    round_device_out(current, fed.devices[stuck].id, now_ms);
    settle();
    cr_assert_eq(round_phase(current), ROUND_OPEN);
    FED_OK(round_open(current));
}

/* ---- late, doubled, foreign ---- */

Test(round, ignores_repeats_of_every_answer)
{
    begin(4, 3, 4);
    do {
        round_tick(current, now_ms);
        while (fed.head != fed.tail) {
            struct fed_letter *letter = &fed.queue[fed.head % FED_QUEUE_MAX];
            if (letter->to < 0) { /* everything that devices say arrives twice */
                struct cn_arena arena;
                struct message message;
                cn_arena_init(&arena, (size_t)1 << 24);
                FED_OK(message_decode(&message, letter->bytes, letter->len, &arena));
                if (message.type != MESSAGE_CHUNK)
                    FED_OK(deliver(NULL, fed.devices[letter->from].id, &message));
                cn_arena_clear(&arena);
            }
            fed_step(&fed);
        }
        round_tick(current, now_ms);
    } while (fed.head != fed.tail);
    open_and_check("0123");
}

Test(round, ignores_what_comes_too_late)
{
    begin(5, 3, 5);
    fed.devices[4].mute = MESSAGE_OFFER;
    settle();
    pass(10000);
    cr_assert_eq(round_phase(current), ROUND_OPEN);
    struct message late = {.type = MESSAGE_ACCEPT, .as.accept.id = fed.devices[0].id_of_round};
    FED_OK(deliver(NULL, fed.devices[4].id, &late));
    late = (struct message){.type = MESSAGE_READY, .as.ready.id = fed.devices[0].id_of_round};
    FED_OK(deliver(NULL, fed.devices[4].id, &late));
    open_and_check("0123");
}

Test(round, ignores_other_rounds_and_strangers)
{
    begin(4, 3, 4);
    fed.devices[3].mute = MESSAGE_ROSTER;
    settle();
    struct message other = {.type = MESSAGE_VOUCH, .as.vouch.id = fed.devices[0].id_of_round};
    other.as.vouch.id.attempt = 7;
    FED_OK(deliver(NULL, fed.devices[0].id, &other));
    static const uint8_t stranger[DEVICE_ID_BYTES] = {1};
    other.as.vouch.id.attempt = 1;
    FED_OK(deliver(NULL, stranger, &other));
    cr_assert_eq(round_phase(current), ROUND_SHARES);
}

/* ---- lies ---- */

static void expect_thrown_out(int liar, enum cn_err err, const struct message *message)
{
    cr_assert_eq((int)deliver(NULL, fed.devices[liar].id, message), (int)err);
    cr_assert_not(round_has(current, fed.devices[liar].id));
}

Test(round, throws_out_who_answers_ahead_of_the_phase)
{
    begin(5, 3, 5);
    fed.devices[4].mute = MESSAGE_OFFER;
    settle();
    struct message early = {.type = MESSAGE_VOUCH, .as.vouch.id = fed.devices[4].offer.id};
    expect_thrown_out(4, CN_E_UNEXPECTED, &early);
    settle();
    open_and_check("0123");
}

Test(round, throws_out_who_sends_what_only_aggregators_send)
{
    begin(5, 3, 5);
    fed.devices[4].mute = MESSAGE_OFFER;
    settle();
    struct message wrong = {.type = MESSAGE_OUTCOME, .as.outcome.id = fed.devices[4].offer.id};
    cr_assert_eq((int)deliver(NULL, fed.devices[4].id, &wrong), (int)CN_E_UNEXPECTED);
}

Test(round, throws_out_who_shows_keys_that_are_not_its_own)
{
    begin(5, 3, 5);
    fed.devices[4].mute = MESSAGE_OFFER;
    fed.devices[3].mute = MESSAGE_OFFER;
    settle();
    struct message stolen = {.type = MESSAGE_READY,
                             .as.ready = {fed.devices[0].id_of_round, fed.devices[0].keys}};
    expect_thrown_out(4, CN_E_AUTH, &stolen);
    fed.devices[3].mute = MESSAGE_NONE;
    lose(3);
    come_back(3);
    settle();
    open_and_check("0123");
}

Test(round, throws_out_an_upload_of_another_size)
{
    begin(5, 3, 5);
    fed.devices[4].mute = MESSAGE_INBOX;
    settle();
    struct message upload = {.type = MESSAGE_UPLOAD,
                             .as.upload = {.id = fed.devices[4].id_of_round, .bytes = 1 << 30}};
    expect_thrown_out(4, CN_E_PARSE, &upload);
    settle();
    open_and_check("0123");
}

Test(round, throws_out_an_upload_that_does_not_have_its_hash)
{
    begin(5, 3, 5);
    fed.devices[4].corrupt_upload = true;
    settle();
    cr_assert_eq((int)fed.refused[4], (int)CN_E_AUTH);
    open_and_check("0123");
}

Test(round, throws_out_chunks_that_nobody_asked_for)
{
    begin(5, 3, 5);
    fed.devices[4].mute = MESSAGE_INBOX;
    settle();
    uint8_t bytes[4] = {0};
    struct message chunk = {.type = MESSAGE_CHUNK, .as.chunk = {.bytes = bytes, .len = 4}};
    expect_thrown_out(4, CN_E_UNEXPECTED, &chunk);
    settle();
    open_and_check("0123");
}

Test(round, throws_out_a_second_vector)
{
    begin(5, 3, 5);
    fed.devices[4].mute = MESSAGE_RESUME;
    settle();
    struct message upload = {.type = MESSAGE_UPLOAD,
                             .as.upload = {.id = fed.devices[4].id_of_round,
                                           .bytes = fed.devices[4].packed_len}};
    expect_thrown_out(4, CN_E_UNEXPECTED, &upload);
    settle();
    open_and_check("0123");
}

Test(round, throws_out_a_vouch_that_does_not_verify)
{
    begin(5, 3, 5);
    fed.devices[4].mute = MESSAGE_SURVIVORS;
    settle();
    struct message vouch = {.type = MESSAGE_VOUCH, .as.vouch.id = fed.devices[4].id_of_round};
    expect_thrown_out(4, CN_E_AUTH, &vouch);
    settle();
    open_and_check("01234"); /* its vector was in the sum already */
}

Test(round, throws_out_shares_for_the_wrong_devices)
{
    begin(5, 3, 5);
    fed.devices[4].mute = MESSAGE_ROSTER;
    settle();
    struct secagg_sealed sealed[4];
    memset(sealed, 0, sizeof(sealed));
    struct message shares = {.type = MESSAGE_SHARES,
                             .as.shares = {.id = fed.devices[4].id_of_round,
                                           .sealed = sealed,
                                           .count = 4}};
    expect_thrown_out(4, CN_E_INCONSISTENT, &shares);
    settle();
    open_and_check("0123");
}

Test(round, throws_out_a_decline_without_a_code)
{
    begin(5, 3, 5);
    fed.devices[4].mute = MESSAGE_OFFER;
    settle();
    struct message no = {.type = MESSAGE_DECLINE, .as.decline.id = fed.devices[4].offer.id};
    expect_thrown_out(4, CN_E_PARSE, &no);
    cr_assert_eq(declines, 0);
}

static void count_suspect(void *ctx, const uint8_t device[DEVICE_ID_BYTES])
{
    (void)device;
    ++*(int *)ctx;
}

Test(round, names_a_device_whose_shares_are_wrong)
{
    begin(6, 3, 6);
    fed.devices[2].wrong_shares = true;
    settle();
    cr_assert_eq(round_phase(current), ROUND_OPEN);
    enum cn_err err = round_open(current);
    round_opened(current, err, now_ms);
    int suspects = 0;
    round_suspects(current, count_suspect, &suspects);
    cr_assert_gt(suspects, 0);
    if (err != CN_OK)
        expect_failed(CN_E_INCONSISTENT, "contradict");
}

Test(round, goes_on_without_a_device_that_is_revoked)
{
    begin(5, 3, 5);
    fed.devices[4].mute = MESSAGE_INBOX;
    settle();
    round_device_out(current, fed.devices[4].id, now_ms);
    settle();
    open_and_check("0123");
}

/* ---- ends from outside ---- */

Test(round, can_be_ended_from_outside_in_every_phase)
{
    static const enum message_type types[] = {MESSAGE_OFFER, MESSAGE_ROSTER, MESSAGE_INBOX,
                                              MESSAGE_RESUME, MESSAGE_SURVIVORS, MESSAGE_VOUCHES};
    for (size_t i = 0; i < CN_COUNT(types); i++) {
        begin(4, 3, 4);
        fed.devices[0].mute = types[i];
        settle();
        round_fail(current, CN_E_STATE, "the operator said so", now_ms);
        expect_failed(CN_E_STATE, "the operator said so");
        pass(100000);
        expect_failed(CN_E_STATE, "the operator said so");
        struct message late = {.type = MESSAGE_VOUCH, .as.vouch.id = fed.devices[1].id_of_round};
        FED_OK(deliver(NULL, fed.devices[1].id, &late));
        if (i + 1 < CN_COUNT(types)) {
            teardown();
            setup();
        }
    }
}

Test(round, refuses_options_that_no_round_can_have)
{
    fed_init(&fed, 0);
    struct round_calls calls = {.send = send};
    struct round_options o = options(3, 2);
    cr_assert_eq((int)round_new(&current, &o, &calls, fed.cohort, &fed.random, 0),
                 (int)CN_E_CONFIG);
    o = options(3, SECAGG_DEVICES_MAX + 1);
    cr_assert_eq((int)round_new(&current, &o, &calls, fed.cohort, &fed.random, 0),
                 (int)CN_E_CONFIG);
    o = options(1, 4);
    cr_assert_eq((int)round_new(&current, &o, &calls, fed.cohort, &fed.random, 0),
                 (int)CN_E_CONFIG);
    o = options(3, 4);
    o.id.attempt = 0;
    cr_assert_eq((int)round_new(&current, &o, &calls, fed.cohort, &fed.random, 0),
                 (int)CN_E_CONFIG);
    cr_assert_null(current);
}

Test(round, can_not_be_opened_out_of_turn)
{
    begin(4, 3, 4);
    cr_assert_eq((int)round_open(current), (int)CN_E_STATE);
    round_opened(current, CN_OK, now_ms);
    cr_assert_eq(round_phase(current), ROUND_GATHER);
}
