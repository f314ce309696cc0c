/* SPDX-License-Identifier: Apache-2.0 */
#include "client/witness.h"

#include "client_fixture.h"
#include "privacy/receipt.h"

static struct fixture f;
static struct home *home;
static struct sign_key *ledger_key;
static uint8_t old_head[HASH_BYTES] = {1}, new_head[HASH_BYTES] = {2}, zero[HASH_BYTES];
static struct cn_diag diag;

static void open_it(void)
{
    fixture_open(&f);
    MUST(fixture_join(&f, NULL));
    MUST(home_open(&home, f.dir, NULL, f.clock, NULL));
    MUST(sign_key_new(&ledger_key, &f.random));
}

static void close_it(void)
{
    home_close(home);
    sign_key_free(ledger_key);
    fixture_close(&f);
}

TestSuite(witness, .init = open_it, .fini = close_it);

static void reopen(void)
{
    home_close(home);
    MUST(home_open(&home, f.dir, NULL, f.clock, NULL));
}

static struct message_welcome welcome(uint64_t count, const uint8_t head[HASH_BYTES],
                                      const uint8_t then[HASH_BYTES])
{
    struct message_welcome out = {.version = 1, .ledger_count = count};
    struct checkpoint checkpoint;

    checkpoint_make(&checkpoint, count, head, ledger_key);
    memcpy(out.aggregator, checkpoint.owner, sizeof out.aggregator);
    memcpy(out.ledger_head, head, HASH_BYTES);
    memcpy(out.ledger_signature, checkpoint.signature, SIGN_BYTES);
    memcpy(out.ledger_then, then, HASH_BYTES);
    return out;
}

static enum cn_err meet(uint64_t count, const uint8_t head[HASH_BYTES],
                        const uint8_t then[HASH_BYTES])
{
    struct message_welcome message = welcome(count, head, then);

    return witness_welcome(home, &message, &diag);
}

Test(witness, remembers_the_first_ledger_it_meets_over_a_restart)
{
    struct message_hello hello = {0};

    witness_hello(home, &hello);
    cr_assert_eq(hello.ledger_count, 0);
    MUST(meet(5, old_head, zero));
    reopen();
    witness_hello(home, &hello);
    cr_assert_eq(hello.ledger_count, 5);
    cr_assert_eq(memcmp(hello.ledger_head, old_head, HASH_BYTES), 0);
}

Test(witness, takes_a_ledger_that_has_grown)
{
    MUST(meet(5, old_head, zero));
    MUST(meet(5, old_head, old_head));
    MUST(meet(9, new_head, old_head));
    cr_assert_eq(home->seen.count, 9);
}

Test(witness, keeps_what_it_saw_after_a_day_without_receipts)
{
    uint64_t before, after;

    MUST(meet(5, old_head, zero));
    ledger_head(home->ledger, NULL, &before);
    MUST(meet(6, new_head, old_head));
    ledger_head(home->ledger, NULL, &after);
    cr_assert_eq(after, before);
    f.time.wall_s += HOME_DAY_S + 1;
    MUST(meet(7, old_head, new_head));
    reopen();
    cr_assert_eq(home->seen.count, 7);
}

static void expect_quarrel(const char *words)
{
    cr_assert_not_null(strstr(diag.text, words), "%s", diag.text);
    cr_assert_not_null(strstr(diag.hint, "--accept-ledger"));
    cr_assert(home->quarrel);
    cr_assert_eq(witness_check(home, &diag), CN_E_TAMPERED);
    reopen();
    cr_assert_eq(witness_check(home, &diag), CN_E_TAMPERED);
    cr_assert_eq(home->seen.count, 5, "the old head is what the device still holds to");
}

Test(witness, refuses_a_ledger_that_became_shorter)
{
    MUST(meet(5, old_head, zero));
    cr_assert_eq(meet(4, new_head, zero), CN_E_TAMPERED);
    expect_quarrel("shorter");
}

Test(witness, refuses_another_line_in_the_same_place)
{
    MUST(meet(5, old_head, zero));
    cr_assert_eq(meet(5, new_head, new_head), CN_E_TAMPERED);
    expect_quarrel("rewritten");
}

Test(witness, refuses_a_longer_ledger_with_another_past)
{
    MUST(meet(5, old_head, zero));
    cr_assert_eq(meet(9, new_head, new_head), CN_E_TAMPERED);
    expect_quarrel("rewritten");
}

Test(witness, refuses_the_ledger_of_another_key)
{
    MUST(meet(5, old_head, zero));
    sign_key_free(ledger_key);
    MUST(sign_key_new(&ledger_key, &f.random));
    cr_assert_eq(meet(9, new_head, old_head), CN_E_TAMPERED);
    expect_quarrel("rewritten");
}

Test(witness, refuses_a_head_that_is_not_signed)
{
    struct message_welcome message = welcome(5, old_head, zero);

    message.ledger_head[0] ^= 1;
    cr_assert_eq(witness_welcome(home, &message, &diag), CN_E_AUTH);
    cr_assert_eq(home->seen.count, 0);
    memset(&message, 0, sizeof message);
    cr_assert_eq(witness_welcome(home, &message, &diag), CN_E_AUTH);
}

Test(witness, holds_to_the_new_ledger_when_the_owner_says_so)
{
    MUST(meet(5, old_head, zero));
    cr_assert_eq(meet(4, new_head, zero), CN_E_TAMPERED);
    reopen();
    home->accept_ledger = true;
    MUST(witness_check(home, &diag));
    MUST(meet(4, new_head, zero));
    cr_assert_not(home->quarrel);
    cr_assert_eq(home->seen.count, 4);
    reopen();
    MUST(witness_check(home, &diag));
    cr_assert_eq(home->seen.count, 4);
    cr_assert_eq(meet(3, old_head, zero), CN_E_TAMPERED);
}

/* ---- receipts ---- */

static const struct round_id paid = {{7}, 3, 2};
static const uint8_t binding[HASH_BYTES] = {9}, upload[HASH_BYTES] = {8}, roster[HASH_BYTES] = {6};

static void pay(void)
{
    struct ledger_entry entry = {.time_s = 1800000000, .round = 3, .attempt = 2};

    snprintf(entry.kind, sizeof entry.kind, "spent");
    snprintf(entry.task, sizeof entry.task, "heart");
    memcpy(entry.task_id, paid.task, sizeof entry.task_id);
    memcpy(entry.binding, binding, sizeof entry.binding);
    MUST(home_append(home, &entry));
}

static struct message_outcome outcome(struct receipt *receipt)
{
    struct message_outcome out = {.id = paid, .published = true, .survivors = 4, .ledger_count = 7};

    memset(out.model, 5, HASH_BYTES);
    memset(out.ledger_head, 4, HASH_BYTES);
    memcpy(out.roster, roster, HASH_BYTES);
    memcpy(out.paid_for, upload, HASH_BYTES);
    *receipt = (struct receipt){.round = 3, .attempt = 2, .survivors = 4, .count = 7};
    certificate_device_id(receipt->device, &home->certificate);
    memcpy(receipt->task_id, paid.task, sizeof receipt->task_id);
    memcpy(receipt->binding, binding, HASH_BYTES);
    memcpy(receipt->roster, roster, HASH_BYTES);
    memcpy(receipt->model, out.model, HASH_BYTES);
    memcpy(receipt->paid_for, upload, HASH_BYTES);
    memcpy(receipt->head, out.ledger_head, HASH_BYTES);
    receipt_make(receipt, ledger_key);
    memcpy(out.receipt, receipt->signature, SIGN_BYTES);
    return out;
}

static enum cn_err receive(const struct message_outcome *message, const uint8_t *known_upload,
                           const uint8_t *known_roster, struct message *answer, bool *give)
{
    struct witness_part part = {known_upload, known_roster};

    return witness_receipt(home, message, &part, answer, give);
}

Test(witness, keeps_a_receipt_once_and_countersigns_it_as_often_as_it_comes)
{
    struct receipt receipt;
    struct message_outcome message;
    struct message first, second;
    uint64_t before, after;
    bool give;

    MUST(meet(5, old_head, zero));
    pay();
    message = outcome(&receipt);
    MUST(receive(&message, upload, roster, &first, &give));
    cr_assert(give);
    MUST(receipt_countersign_check(first.as.receipted.signature, &receipt,
                                   home->certificate.device));
    cr_assert_eq(home->seen.count, 7, "a receipt is a checkpoint, too");
    ledger_head(home->ledger, NULL, &before);
    reopen();
    MUST(receive(&message, NULL, NULL, &second, &give));
    cr_assert(give);
    cr_assert_eq(memcmp(first.as.receipted.signature, second.as.receipted.signature, SIGN_BYTES),
                 0);
    ledger_head(home->ledger, NULL, &after);
    cr_assert_eq(after, before);
}

Test(witness, does_not_sign_what_is_not_its_own_round)
{
    struct receipt receipt;
    struct message_outcome message;
    struct message answer;
    bool give;

    MUST(meet(5, old_head, zero));
    message = outcome(&receipt);
    MUST(receive(&message, upload, roster, &answer, &give));
    cr_assert_not(give, "nothing was paid for");
    pay();
    message.id.attempt = 1;
    MUST(receive(&message, upload, roster, &answer, &give));
    cr_assert_not(give);
    message = outcome(&receipt);
    message.published = false;
    MUST(receive(&message, upload, roster, &answer, &give));
    cr_assert_not(give);
}

Test(witness, refuses_receipts_that_say_something_else)
{
    struct receipt receipt;
    struct message_outcome message;
    struct message answer;
    const uint8_t other[HASH_BYTES] = {77};
    uint64_t before, after;
    bool give;

    MUST(meet(5, old_head, zero));
    pay();
    ledger_head(home->ledger, NULL, &before);
    message = outcome(&receipt);
    cr_assert_eq(receive(&message, other, roster, &answer, &give), CN_E_INCONSISTENT);
    cr_assert_eq(receive(&message, upload, other, &answer, &give), CN_E_INCONSISTENT);
    message.survivors++;
    cr_assert_eq(receive(&message, upload, roster, &answer, &give), CN_E_AUTH);
    message = outcome(&receipt);
    message.receipt[3] ^= 1;
    cr_assert_eq(receive(&message, upload, roster, &answer, &give), CN_E_AUTH);
    cr_assert_not(give);
    ledger_head(home->ledger, NULL, &after);
    cr_assert_eq(after, before);
}
