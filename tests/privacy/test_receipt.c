/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence: every word of a receipt counts, and each signature is good for one purpose only. */
#include "privacy/receipt.h"

#include "crypto/certificate.h"
#include "ledger_fixture.h"
#include "privacy/checkpoint.h"

static struct sign_key *device_key;
static uint8_t device_public[SIGN_PUBLIC_BYTES], owner_public[SIGN_PUBLIC_BYTES];

static void start(void)
{
    static const uint8_t seed[SIGN_SEED_BYTES] = {9};

    fixture_start();
    cr_assert_eq(sign_key_from_seed(&device_key, seed), CN_OK);
    sign_key_public(device_key, device_public);
    sign_key_public(key, owner_public);
}

static void stop(void)
{
    sign_key_free(device_key);
    fixture_stop();
}

TestSuite(receipt, .init = start, .fini = stop);
TestSuite(checkpoint, .init = start, .fini = stop);

static struct receipt made(void)
{
    struct receipt receipt = {.task_id = {7}, .round = 3, .attempt = 2, .binding = {1}};
    struct certificate certificate = {0};

    memcpy(certificate.device, device_public, SIGN_PUBLIC_BYTES);
    certificate_device_id(receipt.device, &certificate);
    receipt.roster[0] = 2;
    receipt.survivors = 8;
    receipt.model[0] = 3;
    receipt.paid_for[0] = 4;
    receipt.count = 17;
    receipt.head[0] = 5;
    receipt_make(&receipt, key);
    return receipt;
}

Test(receipt, holds_and_comes_back_from_its_line)
{
    struct receipt receipt = made(), back;
    struct ledger_entry entry;

    cr_assert_eq(receipt_check(&receipt), CN_OK);
    receipt_entry(&entry, &receipt, "fashion", FIXTURE_TIME);
    cr_assert_eq(receipt_of_entry(&back, &entry, device_public), CN_OK);
    cr_assert_arr_eq(&back, &receipt, sizeof back);
    cr_assert_eq(receipt_evidence_check(&entry, device_public), CN_OK);
}

Test(receipt, fails_with_any_bit_changed)
{
    struct receipt receipt = made();
    uint8_t *bytes = (uint8_t *)&receipt;

    for (size_t i = 0; i < offsetof(struct receipt, signature) + SIGN_BYTES; i++) {
        bool padding = i >= offsetof(struct receipt, survivors) + 4 + HASH_BYTES * 2 &&
                       i < offsetof(struct receipt, count);

        if (padding)
            continue;
        bytes[i] ^= 1;
        cr_assert_eq(receipt_check(&receipt), CN_E_AUTH, "byte %zu", i);
        bytes[i] ^= 1;
    }
    cr_assert_eq(receipt_check(&receipt), CN_OK);
}

Test(receipt, is_countersigned_by_the_device_that_it_names_only)
{
    struct receipt receipt = made();
    uint8_t signature[SIGN_BYTES];
    struct ledger_entry entry;

    receipt_countersign(signature, &receipt, device_key);
    cr_assert_eq(receipt_countersign_check(signature, &receipt, device_public), CN_OK);
    cr_assert_eq(receipt_countersign_check(signature, &receipt, owner_public), CN_E_AUTH);
    receipt_participation_entry(&entry, &receipt, signature, device_public, FIXTURE_TIME);
    cr_assert_eq(receipt_evidence_check(&entry, owner_public), CN_OK);
    cr_assert_eq(receipt_evidence_check(&entry, device_public), CN_E_AUTH, "another ledger");
    entry.device[0] ^= 1;
    cr_assert_eq(receipt_evidence_check(&entry, owner_public), CN_E_AUTH);
    receipt_countersign(signature, &receipt, key); /* the aggregator can not sign for the device */
    receipt_participation_entry(&entry, &receipt, signature, owner_public, FIXTURE_TIME);
    cr_assert_eq(receipt_evidence_check(&entry, owner_public), CN_E_AUTH);
}

Test(receipt, is_no_participation_and_the_other_way_round)
{
    struct receipt receipt = made();

    cr_assert_eq(receipt_countersign_check(receipt.signature, &receipt, owner_public), CN_E_AUTH);
    receipt_countersign(receipt.signature, &receipt, key);
    cr_assert_eq(receipt_check(&receipt), CN_E_AUTH);
}

Test(receipt, without_a_round_is_no_evidence)
{
    struct receipt receipt = made();
    struct ledger_entry entry;

    receipt.round = 0;
    receipt_make(&receipt, key);
    receipt_entry(&entry, &receipt, "fashion", FIXTURE_TIME);
    cr_assert_eq(receipt_evidence_check(&entry, device_public), CN_E_PARSE);
}

Test(receipt, stands_in_a_ledger_like_any_line)
{
    struct ledger *ledger = fixture_open();
    struct receipt receipt = made();
    struct ledger_entry entries[3];
    struct ledger_summary summary;

    receipt_entry(&entries[0], &receipt, "fashion", FIXTURE_TIME);
    receipt_countersign(receipt.signature, &receipt, device_key);
    receipt_participation_entry(&entries[1], &receipt, receipt.signature, device_public,
                                FIXTURE_TIME);
    entries[2] = fixture_spent(4);
    snprintf(entries[2].placement, sizeof entries[2].placement, "local");
    cr_assert_eq(ledger_append_all(ledger, entries, 3), CN_OK);
    cr_assert_eq(entries[2].sequence, 3);
    ledger_close(ledger);
    cr_assert_eq(ledger_read(path, NULL, NULL, &summary, NULL), CN_OK);
    cr_assert_eq(summary.lines, 4);
}

Test(receipt, is_not_kept_in_half_a_batch)
{
    struct ledger *ledger = fixture_open();
    struct ledger_entry entries[3] = {fixture_spent(1), fixture_spent(2), fixture_spent(3)};
    struct ledger_summary summary;
    uint64_t count;

    entries[2].event.noise_multiplier = -1;
    cr_assert_eq(ledger_append_all(ledger, entries, 3), CN_E_CONFIG);
    ledger_head(ledger, NULL, &count);
    cr_assert_eq(count, 1);
    entries[2] = fixture_spent(3);
    cr_assert_eq(ledger_append_all(ledger, entries, 3), CN_OK);
    cr_assert_eq(ledger_append_all(ledger, entries, LEDGER_BATCH_MAX + 1), CN_E_TOO_LARGE);
    ledger_close(ledger);
    cr_assert_eq(ledger_read(path, NULL, NULL, &summary, NULL), CN_OK);
    cr_assert_eq(summary.lines, 4);
}

Test(checkpoint, is_signed_and_comes_back_from_its_line)
{
    struct checkpoint checkpoint, back;
    uint8_t head[HASH_BYTES] = {1};
    struct ledger_entry entry;

    checkpoint_make(&checkpoint, 12, head, key);
    cr_assert_eq(checkpoint_check(&checkpoint), CN_OK);
    checkpoint_entry(&entry, &checkpoint, FIXTURE_TIME);
    cr_assert_eq(receipt_evidence_check(&entry, device_public), CN_OK);
    cr_assert_eq(checkpoint_of_entry(&back, &entry), CN_OK);
    cr_assert_arr_eq(&back, &checkpoint, sizeof back);
    entry.count = 13;
    cr_assert_eq(receipt_evidence_check(&entry, device_public), CN_E_AUTH);
    entry.count = 0;
    cr_assert_eq(receipt_evidence_check(&entry, device_public), CN_E_PARSE);
    back.count = 0;
    cr_assert_eq(checkpoint_check(&back), CN_E_CONFIG);
    entry = fixture_spent(1);
    cr_assert_eq(checkpoint_of_entry(&back, &entry), CN_E_NOT_FOUND);
}

Test(checkpoint, tells_growth_from_shortening_forks_and_strangers)
{
    struct checkpoint then, now;
    uint8_t head[HASH_BYTES] = {1}, other[HASH_BYTES] = {2};

    checkpoint_make(&then, 12, head, key);
    checkpoint_make(&now, 12, head, key);
    cr_assert_eq(checkpoint_compare(&then, &now), CHECKPOINT_SAME);
    checkpoint_make(&now, 13, other, key);
    cr_assert_eq(checkpoint_compare(&then, &now), CHECKPOINT_EXTENDED);
    checkpoint_make(&now, 11, other, key);
    cr_assert_eq(checkpoint_compare(&then, &now), CHECKPOINT_SHORTER);
    checkpoint_make(&now, 12, other, key);
    cr_assert_eq(checkpoint_compare(&then, &now), CHECKPOINT_FORKED);
    checkpoint_make(&now, 12, head, device_key);
    cr_assert_eq(checkpoint_compare(&then, &now), CHECKPOINT_OTHER_KEY);
    for (int v = 0; v <= CHECKPOINT_OTHER_KEY; v++)
        cr_assert_str_neq(checkpoint_verdict_text((enum checkpoint_verdict)v), "unknown verdict");
}

Test(checkpoint, finds_every_earlier_head_of_a_ledger)
{
    static uint8_t heads[600][HASH_BYTES];
    struct ledger *ledger = fixture_open();
    uint8_t head[HASH_BYTES];
    uint64_t count;

    ledger_head(ledger, heads[1], &count);
    for (uint32_t n = 2; n <= 540; n++) {
        struct ledger_entry entry = fixture_spent(n);

        cr_assert_eq(ledger_append_all(ledger, &entry, 1), CN_OK);
        ledger_head(ledger, heads[n], &count);
    }
    for (int again = 0; again < 2; again++) {
        for (uint64_t n = 1; n <= 540; n += n < 250 || n > 260 ? 17 : 1) {
            cr_assert_eq(ledger_head_at(ledger, n, head), CN_OK);
            cr_assert_arr_eq(head, heads[n], HASH_BYTES, "line %d", (int)n);
        }
        cr_assert_eq(ledger_head_at(ledger, 0, head), CN_E_NOT_FOUND);
        cr_assert_eq(ledger_head_at(ledger, 541, head), CN_E_NOT_FOUND);
        ledger_close(ledger);
        ledger = fixture_open();
    }
    ledger_close(ledger);
}
