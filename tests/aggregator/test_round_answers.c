/* SPDX-License-Identifier: Apache-2.0 */
/* What devices say at the wrong time, twice, or falsely. */
#include "round_fixture.h"

TestSuite(round_answers, .init = setup, .fini = teardown);

/* ---- late, doubled, foreign ---- */

Test(round_answers, ignores_repeats_of_every_answer)
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

Test(round_answers, ignores_what_comes_too_late)
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

Test(round_answers, ignores_other_rounds_and_strangers)
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

Test(round_answers, throws_out_who_answers_ahead_of_the_phase)
{
    begin(5, 3, 5);
    fed.devices[4].mute = MESSAGE_OFFER;
    settle();
    struct message early = {.type = MESSAGE_VOUCH, .as.vouch.id = fed.devices[4].offer.id};
    expect_thrown_out(4, CN_E_UNEXPECTED, &early);
    settle();
    open_and_check("0123");
}

Test(round_answers, throws_out_who_sends_what_only_aggregators_send)
{
    begin(5, 3, 5);
    fed.devices[4].mute = MESSAGE_OFFER;
    settle();
    struct message wrong = {.type = MESSAGE_OUTCOME, .as.outcome.id = fed.devices[4].offer.id};
    cr_assert_eq((int)deliver(NULL, fed.devices[4].id, &wrong), (int)CN_E_UNEXPECTED);
}

Test(round_answers, throws_out_who_shows_keys_that_are_not_its_own)
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

Test(round_answers, throws_out_an_upload_of_another_size)
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

Test(round_answers, throws_out_an_upload_that_does_not_have_its_hash)
{
    begin(5, 3, 5);
    fed.devices[4].corrupt_upload = true;
    settle();
    cr_assert_eq((int)fed.refused[4], (int)CN_E_AUTH);
    open_and_check("0123");
}

/* Before the upload phase and in it: a slow line still delivers what an abandoned attempt wanted.
 */
Test(round_answers, ignores_chunks_of_a_blob_that_was_announced_in_an_earlier_attempt)
{
    begin(5, 3, 5);
    fed.devices[3].mute = MESSAGE_ROSTER;
    fed.devices[4].mute = MESSAGE_INBOX;
    settle();
    uint8_t bytes[4] = {0};
    struct message chunk = {.type = MESSAGE_CHUNK, .as.chunk = {.bytes = bytes, .len = 4}};
    cr_assert_eq(round_phase(current), ROUND_SHARES);
    FED_OK(round_message(current, fed.devices[4].id, &chunk, now_ms));
    pass(10000);
    cr_assert_eq(round_phase(current), ROUND_UPLOAD);
    FED_OK(round_message(current, fed.devices[4].id, &chunk, now_ms));
    cr_assert(round_has(current, fed.devices[4].id));
}

Test(round_answers, throws_out_chunks_that_nobody_asked_for)
{
    begin(5, 3, 5);
    struct round_options crowded = options(3, 5);
    crowded.uploads_max = 1; /* one upload at a time: the others wait to be asked */
    round_free(current);
    struct round_calls calls = {.send = send, .opening = opening, .declined = declined};
    FED_OK(round_new(&current, &crowded, &calls, fed.cohort, &fed.random, now_ms));
    for (int i = 0; i < 5; i++)
        fed.devices[i].mute = MESSAGE_RESUME;
    settle();
    int queued = 0;
    while (fed.devices[queued].heard[MESSAGE_RESUME])
        queued++;
    uint8_t bytes[4] = {0};
    struct message chunk = {.type = MESSAGE_CHUNK, .as.chunk = {.bytes = bytes, .len = 4}};
    hash_blob(chunk.as.chunk.hash, fed.devices[queued].packed, fed.devices[queued].packed_len);
    expect_thrown_out(queued, CN_E_UNEXPECTED, &chunk);
}

Test(round_answers, throws_out_a_second_vector)
{
    begin(5, 3, 5);
    fed.devices[4].mute = MESSAGE_RESUME;
    settle();
    struct message upload = {
        .type = MESSAGE_UPLOAD,
        .as.upload = {.id = fed.devices[4].id_of_round, .bytes = fed.devices[4].packed_len}};
    expect_thrown_out(4, CN_E_UNEXPECTED, &upload);
    settle();
    open_and_check("0123");
}

Test(round_answers, throws_out_a_vouch_that_does_not_verify)
{
    begin(5, 3, 5);
    fed.devices[4].mute = MESSAGE_SURVIVORS;
    settle();
    struct message vouch = {.type = MESSAGE_VOUCH, .as.vouch.id = fed.devices[4].id_of_round};
    expect_thrown_out(4, CN_E_AUTH, &vouch);
    settle();
    open_and_check("01234"); /* its vector was in the sum already */
}

Test(round_answers, throws_out_shares_for_the_wrong_devices)
{
    begin(5, 3, 5);
    fed.devices[4].mute = MESSAGE_ROSTER;
    settle();
    struct secagg_sealed sealed[4];
    memset(sealed, 0, sizeof(sealed));
    struct message shares = {
        .type = MESSAGE_SHARES,
        .as.shares = {.id = fed.devices[4].id_of_round, .sealed = sealed, .count = 4}};
    expect_thrown_out(4, CN_E_INCONSISTENT, &shares);
    settle();
    open_and_check("0123");
}

Test(round_answers, throws_out_a_decline_without_a_code)
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

Test(round_answers, names_a_device_whose_shares_are_wrong)
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

Test(round_answers, goes_on_without_a_device_that_is_revoked)
{
    begin(5, 3, 5);
    fed.devices[4].mute = MESSAGE_INBOX;
    settle();
    round_device_out(current, fed.devices[4].id, now_ms);
    settle();
    open_and_check("0123");
}
