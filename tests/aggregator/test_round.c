/* SPDX-License-Identifier: Apache-2.0 */
#include "round_fixture.h"

TestSuite(round, .init = setup, .fini = teardown);

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
    struct message_outcome outcome = {
        .id = fed.devices[0].id_of_round, .published = true, .survivors = 4, .ledger_count = 9};
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
        cr_assert_eq(facts.charged,
                     silences[i].type != MESSAGE_OFFER && silences[i].type != MESSAGE_ROSTER);
        if (i + 1 < CN_COUNT(silences)) {
            teardown();
            setup();
        }
    }
}

/* ---- connections that break ---- */

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

Test(round, waits_in_every_phase_only_the_grace_for_those_that_are_away)
{
    static const enum message_type silent[] = {MESSAGE_ROSTER, MESSAGE_INBOX, MESSAGE_SURVIVORS,
                                               MESSAGE_VOUCHES};
    for (size_t i = 0; i < CN_COUNT(silent); i++) {
        begin(4, 3, 4);
        fed.devices[3].mute = silent[i];
        settle();
        enum round_phase phase = round_phase(current);
        lose(3);
        pass(1999);
        cr_assert_eq(round_phase(current), phase, "phase %s", round_phase_name(phase));
        pass(1);
        settle();
        cr_assert_eq(round_phase(current), ROUND_OPEN, "after %s", round_phase_name(phase));
        if (i + 1 < CN_COUNT(silent)) {
            teardown();
            setup();
        }
    }
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

/* ---- ends from outside ---- */

Test(round, can_be_ended_from_outside_in_every_phase)
{
    static const enum message_type types[] = {MESSAGE_OFFER,  MESSAGE_ROSTER,    MESSAGE_INBOX,
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
