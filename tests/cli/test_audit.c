/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_world.h"

#include "crypto/sign.h"
#include "privacy/ledger.h"

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
