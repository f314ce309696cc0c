/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_world.h"

#include "crypto/certificate.h"
#include "crypto/sign.h"
#include "privacy/ledger.h"
#include "privacy/receipt.h"

TestSuite(audit, .init = scratch_make, .fini = world_clear);

static const struct accountant_event paid = {.kind = ACCOUNTANT_DISCRETE_GAUSSIAN,
                                             .noise_multiplier = 0.95,
                                             .sampling_rate = 0.034,
                                             .steps = 29};

static struct ledger *opened(const char *name, const char *role, uint8_t seed)
{
    uint8_t bytes[32] = {seed};
    static struct sign_key *keys[4];
    struct ledger_owner owner = {name, role, 1000};
    struct ledger *ledger;
    char file[64];

    cr_assert(seed < 4 && sign_key_from_seed(&keys[seed], bytes) == CN_OK);
    snprintf(file, sizeof file, "%s.jsonl", name);
    cr_assert_eq(ledger_open(&ledger, scratch_path(file), keys[seed], &owner, NULL), CN_OK);
    return ledger;
}

/* One line; round also gives the binding. */
static void add(struct ledger *ledger, const char *kind, uint32_t round,
                const struct accountant_event *event)
{
    struct ledger_entry entry = {.time_s = 1000 + round,
                                 .task = "fashion",
                                 .task_id = {7},
                                 .round = round,
                                 .attempt = 1,
                                 .unit = "example",
                                 .binding = {1, (uint8_t)round}};

    snprintf(entry.kind, sizeof entry.kind, "%s", kind);
    entry.has_event = event != NULL;
    if (event) {
        entry.event = *event;
        entry.delta = 1e-5;
    }
    cr_assert_eq(ledger_append(ledger, &entry), CN_OK);
}

/* An aggregator with three rounds, the last one abandoned without a charge; a device that spent in
 * all of them. */
static void federation(void)
{
    struct ledger *aggregator = opened("aggregator", "aggregator", 1);
    struct ledger *device = opened("silo", "device", 2);

    for (uint32_t round = 1; round <= 3; round++) {
        add(aggregator, "round_opened", round, NULL);
        add(device, "spent", round, &paid);
        add(aggregator, round < 3 ? "round_published" : "round_abandoned", round,
            round < 3 ? &paid : NULL);
    }
    ledger_close(aggregator);
    ledger_close(device);
}

static int verify(const char *extra)
{
    return world_runf("audit verify %s/aggregator.jsonl %s/silo.jsonl%s", scratch_folder,
                      scratch_folder, extra);
}

Test(audit, verifies_ledgers_that_agree)
{
    json_t *answer;

    federation();
    cr_assert_eq(verify(""), 0);
    SAYS(world_out, "Everything verifies");
    SAYS(world_out, "3 spendings on devices, 3 in the aggregator's rounds");
    cr_assert_eq(verify(" --json"), 0);
    answer = world_json();
    cr_assert(json_is_true(json_object_get(answer, "ok")));
    cr_assert_eq(json_integer_value(json_object_get(answer, "matched")), 3);
    cr_assert_eq(json_array_size(json_object_get(answer, "ledgers")), 2);
    json_decref(answer);
}

Test(audit, names_the_line_that_was_changed)
{
    unsigned char *bytes;
    json_t *answer, *bad;
    size_t len;
    char *at;

    federation();
    bytes = scratch_read(scratch_path("silo.jsonl"), &len);
    at = memmem(bytes, len, "0.95", 4);
    cr_assert(at);
    at[3] = '9'; /* more noise than was used, in the second line */
    scratch_file("silo.jsonl", bytes, len);
    cr_assert_eq(verify(""), 1);
    SAYS(world_out, "FAILED");
    SAYS(world_out, "silo.jsonl:2:");
    cr_assert_eq(verify(" --json"), 1);
    answer = world_json();
    cr_assert(json_is_false(json_object_get(answer, "ok")));
    bad = json_array_get(json_object_get(answer, "ledgers"), 1);
    cr_assert_eq(json_integer_value(json_object_get(bad, "bad_line")), 2);
    json_decref(answer);
}

Test(audit, finds_spendings_in_rounds_that_never_were)
{
    struct ledger *device;

    federation();
    device = opened("other", "device", 3);
    add(device, "spent", 9, &paid);
    ledger_close(device);
    cr_assert_eq(world_runf("audit verify %s/aggregator.jsonl %s/other.jsonl", scratch_folder,
                            scratch_folder),
                 1);
    SAYS(world_out, "other.jsonl:2: round 9, attempt 1: the aggregator's ledger has no such round");
}

Test(audit, finds_mechanisms_that_differ)
{
    struct accountant_event less = paid;
    struct ledger *device;

    federation();
    device = opened("other", "device", 3);
    less.noise_multiplier = 2;
    add(device, "spent", 1, &less);
    add(device, "spent", 2, NULL);
    ledger_close(device);
    cr_assert_eq(world_runf("audit verify %s/aggregator.jsonl %s/other.jsonl --json",
                            scratch_folder, scratch_folder),
                 1);
    SAYS(world_out, "charged different mechanisms");
    SAYS(world_out, "the device did not");
    json_decref(world_json());
}

Test(audit, does_not_judge_other_federations)
{
    federation();
    cr_assert_eq(world_runf("audit verify %s/silo.jsonl", scratch_folder), 0);
    SAYS(world_out, "not cross-checked");
}

Test(audit, adds_up_what_was_spent)
{
    json_t *answer, *ledger, *task;

    federation();
    cr_assert_eq(world_runf("audit report %s/aggregator.jsonl %s/silo.jsonl", scratch_folder,
                            scratch_folder),
                 0);
    SAYS(world_out, "fashion");
    SAYS(world_out, "device 'silo'");
    cr_assert_eq(world_runf("audit report %s/silo.jsonl --json", scratch_folder), 0);
    answer = world_json();
    ledger = json_array_get(json_object_get(answer, "ledgers"), 0);
    task = json_array_get(json_object_get(ledger, "tasks"), 0);
    cr_assert_eq(json_integer_value(json_object_get(task, "spendings")), 3);
    cr_assert_eq(json_integer_value(json_object_get(task, "steps")), 87);
    cr_assert_gt(json_real_value(json_object_get(task, "epsilon")), 1);
    json_decref(answer);
}

Test(audit, reports_nothing_from_a_ledger_that_does_not_verify)
{
    unsigned char *bytes;
    size_t len;

    federation();
    bytes = scratch_read(scratch_path("silo.jsonl"), &len);
    scratch_file("silo.jsonl", bytes + 1, len - 1);
    cr_assert_eq(world_runf("audit report %s/silo.jsonl", scratch_folder), 1);
    SAYS(world_err, "silo.jsonl:1");
    cr_assert_str_eq(world_out, "");
}

Test(audit, tells_a_missing_file_as_a_failure)
{
    cr_assert_eq(world_runf("audit verify %s/none.jsonl", scratch_folder), 3);
    SAYS(world_err, "none.jsonl");
    cr_assert_eq(world_runf("audit report %s/none.jsonl --json", scratch_folder), 3);
    json_decref(world_json());
    cr_assert_eq(world_run("audit verify"), 2);
}

/* ---- evidence, copies, heads ---- */

static struct sign_key *key_of(uint8_t seed)
{
    uint8_t bytes[32] = {seed};
    struct sign_key *key;

    cr_assert_eq(sign_key_from_seed(&key, bytes), CN_OK);
    return key;
}

/* What the aggregator (key 1) signs for the device (key 2) behind the line of the round. */
static struct receipt receipt_for(const struct ledger *aggregator, uint32_t round)
{
    struct receipt receipt = {
        .task_id = {7}, .round = round, .attempt = 1, .binding = {1, (uint8_t)round}};
    struct sign_key *owner = key_of(1), *device = key_of(2);
    struct certificate certificate = {0};

    sign_key_public(device, certificate.device);
    certificate_device_id(receipt.device, &certificate);
    ledger_head(aggregator, receipt.head, &receipt.count);
    receipt_make(&receipt, owner);
    sign_key_free(owner);
    sign_key_free(device);
    return receipt;
}

static void keep_receipt(struct ledger *device, const struct receipt *receipt)
{
    struct ledger_entry entry;

    receipt_entry(&entry, receipt, "fashion", 2000);
    cr_assert_eq(ledger_append(device, &entry), CN_OK);
}

static void keep_participation(struct ledger *aggregator, const struct receipt *receipt)
{
    uint8_t signature[SIGN_BYTES], public_key[SIGN_PUBLIC_BYTES];
    struct sign_key *device = key_of(2);
    struct ledger_entry entry;

    sign_key_public(device, public_key);
    receipt_countersign(signature, receipt, device);
    receipt_participation_entry(&entry, receipt, signature, public_key, 2000);
    cr_assert_eq(ledger_append(aggregator, &entry), CN_OK);
    sign_key_free(device);
}

/* Two rounds with receipts and countersignatures: 7 lines there, 5 here. */
static void evidence(void)
{
    struct ledger *aggregator = opened("aggregator", "aggregator", 1);
    struct ledger *device = opened("silo", "device", 2);

    for (uint32_t round = 1; round <= 2; round++) {
        struct receipt receipt;

        add(aggregator, "round_opened", round, NULL);
        add(device, "spent", round, &paid);
        add(aggregator, "round_published", round, &paid);
        receipt = receipt_for(aggregator, round);
        keep_receipt(device, &receipt);
        keep_participation(aggregator, &receipt);
    }
    ledger_close(aggregator);
    ledger_close(device);
}

/* Writes the first `lines` lines of one file as another. */
static void cut(const char *from, const char *to, int lines)
{
    size_t len, keep = 0;
    unsigned char *bytes = scratch_read(scratch_path(from), &len);

    for (; lines > 0; lines--)
        keep +=
            (size_t)((unsigned char *)memchr(bytes + keep, '\n', len - keep) - (bytes + keep)) + 1;
    scratch_file(to, bytes, keep);
}

Test(audit, finds_every_receipt_and_countersignature_on_the_other_side)
{
    json_t *answer;

    evidence();
    cr_assert_eq(verify(" --every-signature"), 0, "%s", world_out);
    SAYS(world_out, "2 receipts signed by the aggregator, 2 found");
    SAYS(world_out, "2 countersignatures of devices, 2 found");
    SAYS(world_out, "2 heads of the aggregator's ledger remembered");
    cr_assert_eq(verify(" --json"), 0);
    answer = world_json();
    cr_assert_eq(json_integer_value(json_object_get(answer, "receipts_matched")), 2);
    cr_assert_eq(json_integer_value(json_object_get(answer, "participations_matched")), 2);
    json_decref(answer);
}

Test(audit, names_who_remembers_a_tail_that_was_cut_off)
{
    evidence();
    cut("aggregator.jsonl", "aggregator.jsonl", 4);
    cr_assert_eq(verify(""), 1);
    SAYS(world_out, "aggregator.jsonl:5: the ledger does not verify: lines that were there before");
    SAYS(world_out, "silo.jsonl:5 holds the owner's signature");
}

Test(audit, names_who_remembers_another_history)
{
    struct ledger *aggregator;

    evidence();
    cut("aggregator.jsonl", "aggregator.jsonl", 4);
    aggregator = opened("aggregator", "aggregator", 1);
    for (uint32_t round = 2; round <= 4; round++)
        add(aggregator, "round_opened", round, NULL);
    ledger_close(aggregator);
    cr_assert_eq(verify(""), 1);
    SAYS(world_out,
         "aggregator.jsonl:6: the ledger does not verify: the owner signed another line");
    SAYS(world_out, "silo.jsonl:5 holds");
}

Test(audit, tells_a_truncated_copy_from_a_forked_one)
{
    struct ledger *copy;

    evidence();
    cut("silo.jsonl", "copy.jsonl", 3);
    cr_assert_eq(verify("/../x"), 3);
    cr_assert_eq(
        world_runf("audit verify %s/silo.jsonl %s/copy.jsonl", scratch_folder, scratch_folder), 1);
    SAYS(world_out, "silo.jsonl:4: truncated tail");
    copy = opened("copy", "device", 2);
    add(copy, "spent", 8, &paid);
    ledger_close(copy);
    cr_assert_eq(
        world_runf("audit verify %s/silo.jsonl %s/copy.jsonl", scratch_folder, scratch_folder), 1);
    SAYS(world_out, "copy.jsonl:4: forked copy: the first 3 lines");
    cr_assert_eq(
        world_runf("audit verify %s/silo.jsonl %s/silo.jsonl", scratch_folder, scratch_folder), 0,
        "the same file twice is no contradiction: %s", world_out);
}

Test(audit, finds_a_fork_that_two_devices_were_shown)
{
    struct ledger *aggregator, *device;
    struct receipt receipt;

    evidence();
    cut("aggregator.jsonl", "fork.jsonl", 5);
    aggregator = opened("fork", "aggregator", 1);
    add(aggregator, "round_published", 2, NULL); /* line 6, in place of the charged one */
    receipt = receipt_for(aggregator, 2);
    ledger_close(aggregator);
    device = opened("other", "device", 3);
    add(device, "spent", 2, &paid);
    keep_receipt(device, &receipt);
    ledger_close(device);
    cr_assert_eq(
        world_runf("audit verify %s/silo.jsonl %s/other.jsonl", scratch_folder, scratch_folder), 1);
    SAYS(world_out, "the aggregator's ledger is forked: after its line 6");
}

Test(audit, finds_receipts_that_fit_nothing)
{
    struct ledger *aggregator, *device;
    struct receipt receipt;

    evidence();
    aggregator = opened("aggregator", "aggregator", 1);
    device = opened("silo", "device", 2);
    receipt = receipt_for(aggregator, 9);
    keep_receipt(device, &receipt); /* never spent */
    add(device, "spent", 3, &paid);
    receipt = receipt_for(aggregator, 3);
    keep_receipt(device, &receipt); /* never published */
    add(device, "spent", 4, &paid);
    add(aggregator, "round_published", 4, &paid);
    receipt = receipt_for(aggregator, 4);
    receipt.model[0] = 1;
    {
        struct sign_key *owner = key_of(1);

        receipt_make(&receipt, owner);
        sign_key_free(owner);
    }
    keep_receipt(device, &receipt); /* another model */
    receipt = receipt_for(aggregator, 2);
    receipt.round = 5;
    keep_participation(aggregator, &receipt); /* by the device, of a round that was not */
    ledger_close(aggregator);
    ledger_close(device);
    cr_assert_eq(verify(""), 1);
    SAYS(world_out, "this ledger holds no spending for it");
    SAYS(world_out, "a round that its ledger did not publish");
    SAYS(world_out, "other survivors or another model than");
    SAYS(world_out, "a device countersigned other survivors or another model");
}

Test(audit, finds_a_device_that_denies_what_it_countersigned)
{
    evidence();
    cut("silo.jsonl", "silo.jsonl", 3);
    cr_assert_eq(verify(""), 1);
    SAYS(world_out, "its own ledger holds no spending for it");
}

Test(audit, refuses_evidence_that_its_signer_did_not_sign)
{
    struct ledger *device;
    struct receipt receipt;

    evidence();
    device = opened("silo", "device", 2);
    receipt = (struct receipt){.round = 9, .attempt = 1, .device = {1}, .binding = {1}};
    keep_receipt(device, &receipt);
    ledger_close(device);
    cr_assert_eq(verify(""), 1);
    SAYS(world_out, "silo.jsonl:6: the receipt of round 9, attempt 1, does not carry");
}

Test(audit, shows_where_copies_part)
{
    struct ledger *copy;
    json_t *answer;

    evidence();
    cut("silo.jsonl", "copy.jsonl", 3);
    cr_assert_eq(
        world_runf("audit diff %s/silo.jsonl %s/copy.jsonl", scratch_folder, scratch_folder), 1);
    SAYS(world_out, "The first 3 lines are the same");
    SAYS(world_out, "silo.jsonl goes on where");
    copy = opened("copy", "device", 2);
    add(copy, "spent", 8, &paid);
    ledger_close(copy);
    cr_assert_eq(
        world_runf("audit diff %s/silo.jsonl %s/copy.jsonl", scratch_folder, scratch_folder), 1);
    SAYS(world_out, "FORKED");
    SAYS(world_out, "round 8.1");
    cr_assert_eq(
        world_runf("audit diff %s/silo.jsonl %s/copy.jsonl --json", scratch_folder, scratch_folder),
        1);
    answer = world_json();
    cr_assert_str_eq(json_string_value(json_object_get(answer, "verdict")), "forked");
    cr_assert_eq(json_integer_value(json_object_get(answer, "same_lines")), 3);
    json_decref(answer);
    cr_assert_eq(
        world_runf("audit diff %s/silo.jsonl %s/silo.jsonl", scratch_folder, scratch_folder), 0);
    cr_assert_eq(
        world_runf("audit diff %s/silo.jsonl %s/aggregator.jsonl", scratch_folder, scratch_folder),
        0);
    SAYS(world_out, "B - A");
}

/* ---- the report ---- */

Test(audit, reports_by_month_and_by_device)
{
    json_t *answer, *ledger, *months, *devices, *device;
    struct ledger *aggregator;
    struct receipt receipt;
    struct ledger_entry entry;

    evidence();
    aggregator = opened("aggregator", "aggregator", 1);
    receipt = receipt_for(aggregator, 2);
    receipt_participation_entry(&entry, &receipt, receipt.signature, receipt.aggregator,
                                1800000000);
    entry.has_event = true;
    entry.event = paid;
    entry.delta = 1e-5;
    cr_assert_eq(ledger_append(aggregator, &entry), CN_OK);
    entry = (struct ledger_entry){.kind = "round_published",
                                  .time_s = 1800000000, /* 2027-01-15 */
                                  .task = "fashion",
                                  .task_id = {7},
                                  .round = 3,
                                  .has_event = true,
                                  .event = paid,
                                  .delta = 1e-5};
    cr_assert_eq(ledger_append(aggregator, &entry), CN_OK);
    ledger_close(aggregator);
    cr_assert_eq(world_runf("audit report %s/aggregator.jsonl --json", scratch_folder), 0);
    answer = world_json();
    ledger = json_array_get(json_object_get(answer, "ledgers"), 0);
    months = json_object_get(ledger, "months");
    devices = json_object_get(ledger, "devices");
    cr_assert_eq(json_array_size(months), 2);
    cr_assert_str_eq(json_string_value(json_object_get(json_array_get(months, 1), "month")),
                     "2027-01");
    cr_assert_eq(json_integer_value(json_object_get(json_array_get(months, 0), "spendings")), 2);
    cr_assert_eq(json_array_size(devices), 1, "the others say no event");
    device = json_array_get(devices, 0);
    cr_assert_eq(json_integer_value(json_object_get(device, "spendings")), 1);
    cr_assert_eq(json_integer_value(json_object_get(json_object_get(ledger, "total"), "spendings")),
                 3, "participations are not counted twice");
    json_decref(answer);
    cr_assert_eq(world_runf("audit report %s/aggregator.jsonl", scratch_folder), 0);
    SAYS(world_out, "as it countersigned");
    SAYS(world_out, "2027-01");
}

Test(audit, writes_a_page_that_needs_nothing_else)
{
    static const char *const foreign[] = {"http://", "https://", "<script",
                                          "<link",   "<img",     "@import"};
    struct ledger *device;
    unsigned char *page;
    size_t len;

    evidence();
    device = opened("a<b>c", "device", 3);
    add(device, "spent", 1, &paid);
    ledger_close(device);
    cr_assert_eq(world_runf("audit report %s/silo.jsonl %s/a<b>c.jsonl --html %s/report.html",
                            scratch_folder, scratch_folder, scratch_folder),
                 0);
    SAYS(world_out, "Written to");
    page = scratch_read(scratch_path("report.html"), &len);
    for (size_t i = 0; i < CN_COUNT(foreign); i++) {
        unsigned char *at = memmem(page, len, foreign[i], strlen(foreign[i]));

        while (at && memcmp(at, "http://www.w3.org/2000/svg", 26) == 0)
            at = memmem(at + 26, len - (size_t)(at + 26 - page), foreign[i], strlen(foreign[i]));
        cr_assert_null(at, "%s", foreign[i]);
    }
    cr_assert_null(memmem(page, len, "a<b>c", 5), "names are escaped");
    cr_assert(memmem(page, len, "a&lt;b&gt;c", 11));
    cr_assert(memmem(page, len, "<svg", 4));
    cr_assert(memmem(page, len, "Epsilon of each month", 21));
    cr_assert_eq(world_runf("audit report %s/silo.jsonl --html %s/no/report.html", scratch_folder,
                            scratch_folder),
                 3);
}
