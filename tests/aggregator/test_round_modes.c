/* SPDX-License-Identifier: Apache-2.0 */
/* How rounds choose their masks, go without any, hear complaints and get rid of stalled uploads. */
#include "round_fixture.h"

TestSuite(round_modes, .init = setup, .fini = teardown);

static void everybody_can(int devices, uint32_t abilities)
{
    for (int i = 0; i < devices; i++)
        cohort_set_abilities(fed.cohort, fed.devices[i].id, abilities);
}

static enum secagg_prg prg_of_round(void)
{
    struct round_facts facts;
    round_facts(current, &facts);
    return (enum secagg_prg)facts.prg;
}

static void begin_aes(int devices, uint32_t cohort_min, uint32_t cohort_max)
{
    fed_init(&fed, devices);
    struct round_options o = options(cohort_min, cohort_max);
    o.aes = true;
    begin_with(devices, &o);
}

Test(round_modes, masks_by_aes_where_everybody_can)
{
    if (!secagg_prg_is_safe(SECAGG_PRG_AES256CTR))
        cr_skip_test("no instructions for AES here");
    begin_aes(4, 3, 4);
    everybody_can(4, HELLO_CAN_AES);
    settle();
    cr_assert_eq(prg_of_round(), SECAGG_PRG_AES256CTR);
    cr_assert_eq(fed.devices[0].offer.prg, SECAGG_PRG_AES256CTR);
    open_and_check("0123");
}

Test(round_modes, masks_by_chacha20_when_one_can_not)
{
    begin_aes(4, 3, 4);
    everybody_can(3, HELLO_CAN_AES | 1u << 20);
    settle();
    cr_assert_eq(prg_of_round(), SECAGG_PRG_CHACHA20);
    open_and_check("0123");
}

Test(round_modes, asks_nobody_who_can_not_when_others_decline)
{
    if (!secagg_prg_is_safe(SECAGG_PRG_AES256CTR))
        cr_skip_test("no instructions for AES here");
    fed_init(&fed, 5);
    struct round_options o = options(3, 4);
    o.aes = true;
    begin_with(4, &o);
    everybody_can(4, HELLO_CAN_AES);
    fed.devices[1].declines = DECLINE_BUDGET;
    fed.devices[0].mute = MESSAGE_OFFER;
    settle();
    fed_join(&fed, 4); /* it can not */
    round_device_here(current, fed.devices[4].id, now_ms);
    settle();
    cr_assert_eq(fed.devices[4].heard[MESSAGE_OFFER], 0);
}

/* ---- without masks ---- */

static uint32_t seen_updates;

static void see_update(void *ctx, const uint8_t id[DEVICE_ID_BYTES], const uint32_t *vector)
{
    (void)ctx;
    uint32_t expected = ((uint32_t)fed_index(&fed, id) + 1) * 10;
    cr_assert_eq(vector[0], expected);
    cr_assert_eq(vector[DIM - 1], expected + DIM - 1);
    seen_updates++;
}

static enum cn_err uploading_answer;
static uint32_t uploadings;

static enum cn_err uploading(void *ctx)
{
    (void)ctx;
    uploadings++;
    return uploading_answer;
}

static struct sign_key *ledger_key;

static void begin_unmasked(int devices, uint32_t cohort_min)
{
    struct round_calls calls = {.send = send,
                                .opening = opening,
                                .declined = declined,
                                .uploading = uploading,
                                .update = see_update};
    fed_init(&fed, devices);
    FED_OK(sign_key_new(&ledger_key, &fed.random));
    sign_key_public(ledger_key, fed.ledger_key);
    struct round_options o = options(cohort_min, (uint32_t)devices);
    o.unmasked = true;
    o.ledger_key = ledger_key;
    fed.unmasked = true;
    fed.secagg = o.secagg;
    fed.fill = fill;
    fed.deliver = deliver;
    seen_updates = uploadings = 0;
    uploading_answer = CN_OK;
    FED_OK(round_new(&current, &o, &calls, fed.cohort, &fed.random, now_ms));
    for (int i = 0; i < devices; i++)
        fed_join(&fed, i);
}

static void end_unmasked(void)
{
    sign_key_free(ledger_key);
}

Test(round_modes, sums_and_shows_updates_without_masks)
{
    begin_unmasked(4, 3);
    settle();
    open_and_check("0123");
    cr_assert_eq(seen_updates, 4);
    cr_assert_eq(uploadings, 1);
    struct round_facts facts;
    round_facts(current, &facts);
    cr_assert(facts.unmasked && facts.charged);
    end_unmasked();
}

Test(round_modes, goes_on_without_masks_when_one_is_silent_or_lies)
{
    begin_unmasked(5, 3);
    fed.devices[1].mute = MESSAGE_COLLECT;
    fed.devices[2].corrupt_upload = true;
    settle();
    pass(10000);
    cr_assert_eq(fed.refused[2], CN_E_AUTH);
    open_and_check("034");
    end_unmasked();
}

Test(round_modes, fails_without_masks_when_too_few_upload)
{
    begin_unmasked(3, 3);
    fed.devices[1].mute = MESSAGE_COLLECT;
    settle();
    pass(10000);
    expect_failed(CN_E_COHORT, "2 of 3 sent");
    end_unmasked();
}

Test(round_modes, refuses_a_key_that_its_device_did_not_sign)
{
    begin_unmasked(4, 3);
    fed.devices[3].mute = MESSAGE_OFFER;
    settle();
    struct message ready = {.type = MESSAGE_READY, .as.ready = {.id = fed.devices[3].offer.id}};
    ready.as.ready.keys = fed.devices[0].keys;
    cr_assert_eq((int)round_message(current, fed.devices[3].id, &ready, now_ms), CN_E_AUTH);
    settle();
    open_and_check("012");
    end_unmasked();
}

Test(round_modes, lets_no_update_leave_when_the_ledger_can_not_be_written)
{
    begin_unmasked(3, 3);
    uploading_answer = CN_E_NOSPACE;
    settle();
    cr_assert_eq(round_phase(current), ROUND_FAILED);
    cr_assert_eq(fed.devices[0].heard[MESSAGE_COLLECT], 0);
    struct round_facts facts;
    round_facts(current, &facts);
    cr_assert_not(facts.charged);
    end_unmasked();
}

/* ---- complaints ---- */

static uint32_t complaints_of[FED_DEVICES_MAX];

static void see_complaint(void *ctx, const uint8_t by[DEVICE_ID_BYTES],
                          const uint8_t of[DEVICE_ID_BYTES])
{
    (void)ctx, (void)by;
    complaints_of[fed_index(&fed, of)]++;
}

Test(round_modes, goes_on_without_a_device_whose_shares_do_not_open)
{
    begin(6, 3, 6);
    fed.devices[2].bad_shares = true;
    settle();
    pass(10000);
    open_and_check("01345");
    memset(complaints_of, 0, sizeof(complaints_of));
    round_complaints(current, see_complaint, NULL);
    cr_assert_geq(complaints_of[2], 4);
    cr_assert_eq(complaints_of[0], 0);
}

Test(round_modes, throws_out_complaints_about_strangers_and_late_ones_are_ignored)
{
    begin(5, 3, 5);
    fed.devices[4].mute = MESSAGE_INBOX;
    settle();
    uint32_t nobody = 77;
    struct message complaint = {
        .type = MESSAGE_COMPLAINT,
        .as.complaint = {.id = fed.devices[0].id_of_round, .indices = &nobody, .count = 1}};
    FED_OK(round_message(current, fed.devices[0].id, &complaint, now_ms)); /* has uploaded */
    cr_assert_eq((int)round_message(current, fed.devices[4].id, &complaint, now_ms),
                 CN_E_INCONSISTENT);
    settle();
    open_and_check("0123");
}

/* ---- stalled uploads ---- */

static void begin_crowded(int devices)
{
    fed_init(&fed, devices);
    struct round_options o = options(3, (uint32_t)devices);
    o.uploads_max = 1; /* one at a time */
    o.stall_ms = 2000;
    begin_with(devices, &o);
}

Test(round_modes, drops_an_upload_that_brings_nothing_while_others_wait)
{
    begin_crowded(5);
    for (int i = 0; i < 5; i++)
        fed.devices[i].mute = MESSAGE_RESUME;
    settle();
    int first = 0;
    while (!fed.devices[first].heard[MESSAGE_RESUME])
        first++;
    for (int i = 0; i < 5; i++)
        if (i != first)
            fed.devices[i].mute = MESSAGE_NONE;
    pass(100);
    pass(1500);
    cr_assert(round_has(current, fed.devices[first].id));
    pass(600);
    cr_assert_not(round_has(current, fed.devices[first].id));
    char who[6] = "01234";
    memmove(who + first, who + first + 1, (size_t)(5 - first));
    open_and_check(who);
}

Test(round_modes, waits_for_a_slow_upload_that_is_in_nobodys_way)
{
    fed_init(&fed, 5);
    struct round_options o = options(3, 5);
    o.stall_ms = 2000;
    begin_with(5, &o);
    fed.devices[3].mute = MESSAGE_RESUME;
    fed.devices[4].mute = MESSAGE_INBOX;
    settle();
    pass(5000);
    cr_assert(round_has(current, fed.devices[3].id));
    cr_assert_eq(round_phase(current), ROUND_UPLOAD);
}
