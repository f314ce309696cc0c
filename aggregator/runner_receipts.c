/* SPDX-License-Identifier: Apache-2.0 */
/* Receipts: the aggregator's signature for every survivor of a published round, and each device's
 * signature under the same words, kept as lines "participation" of the ledger.
 *
 * Receipts that were not signed yet wait in memory, and are sent again when the device is back. A
 * crash of the aggregator forgets them: the published line and the device's own ledger remain. */
#include "aggregator/runner_internal.h"

#include <stdlib.h>
#include <string.h>

#include "privacy/receipt.h"

enum { KEEP_MS = 1000 };

enum cn_err runner_receipts_new(struct runner *runner)
{
    runner->receipts = calloc(RUNNER_RECEIPTS_MAX, sizeof(*runner->receipts));
    runner->signed_lines = calloc(RUNNER_RECEIPTS_MAX, sizeof(*runner->signed_lines));
    return runner->receipts && runner->signed_lines ? CN_OK : CN_E_NOMEM;
}

void runner_receipts_free(struct runner *runner)
{
    free(runner->receipts);
    free(runner->signed_lines);
}

/* The words of a receipt, from the line it vouches for and what was sent to the device. */
static void words(struct receipt *receipt, const struct runner_receipt *kept)
{
    const struct ledger_entry *line = &kept->published;
    const struct message_outcome *outcome = &kept->outcome;
    memset(receipt, 0, sizeof(*receipt));
    memcpy(receipt->device, kept->device, sizeof(receipt->device));
    memcpy(receipt->task_id, line->task_id, sizeof(receipt->task_id));
    receipt->round = line->round;
    receipt->attempt = line->attempt;
    memcpy(receipt->binding, line->binding, HASH_BYTES);
    memcpy(receipt->roster, line->roster, HASH_BYTES);
    receipt->survivors = line->survivors;
    memcpy(receipt->model, line->model, HASH_BYTES);
    memcpy(receipt->paid_for, outcome->paid_for, HASH_BYTES);
    receipt->count = outcome->ledger_count;
    memcpy(receipt->head, outcome->ledger_head, HASH_BYTES);
}

static void take_out(struct runner *runner, uint32_t place)
{
    runner->receipts[place] = runner->receipts[--runner->receipt_count];
}

/* The receipt that waits for longest: of a device that stays away. */
static uint32_t oldest(const struct runner *runner)
{
    uint32_t place = 0;
    for (uint32_t i = 1; i < runner->receipt_count; i++)
        if (runner->receipts[i].outcome.ledger_count < runner->receipts[place].outcome.ledger_count)
            place = i;
    return place;
}

struct giving {
    struct runner *runner;
    const struct ledger_entry *published;
};

static void give_one(void *ctx, const uint8_t device[DEVICE_ID_BYTES],
                     const uint8_t device_key[SIGN_PUBLIC_BYTES], const uint8_t upload[HASH_BYTES],
                     struct message_outcome *outcome)
{
    const struct giving *giving = ctx;
    struct runner *runner = giving->runner;
    if (runner->receipt_count == RUNNER_RECEIPTS_MAX)
        take_out(runner, oldest(runner));
    struct runner_receipt *kept = &runner->receipts[runner->receipt_count++];
    struct receipt receipt;
    memcpy(kept->device, device, DEVICE_ID_BYTES);
    memcpy(kept->device_key, device_key, SIGN_PUBLIC_BYTES);
    kept->published = *giving->published;
    memcpy(outcome->roster, kept->published.roster, HASH_BYTES);
    memcpy(outcome->paid_for, upload, HASH_BYTES);
    kept->outcome = *outcome;
    words(&receipt, kept);
    receipt_make(&receipt, runner->options.key);
    memcpy(outcome->receipt, receipt.signature, SIGN_BYTES);
    kept->outcome = *outcome;
}

void runner_receipts_give(struct runner *runner, const struct message_outcome *outcome,
                          const struct ledger_entry *published)
{
    struct giving giving = {runner, published};
    round_outcome_each(runner->round, outcome, give_one, &giving);
}

void runner_receipts_again(struct runner *runner, const uint8_t device[DEVICE_ID_BYTES])
{
    for (uint32_t i = 0; i < runner->receipt_count; i++) {
        const struct runner_receipt *kept = &runner->receipts[i];
        struct message message = {.type = MESSAGE_OUTCOME, .as.outcome = kept->outcome};
        if (memcmp(kept->device, device, DEVICE_ID_BYTES) == 0)
            runner->calls.send(runner->calls.ctx, device, &message);
    }
}

static struct runner_receipt *find(struct runner *runner, const uint8_t device[DEVICE_ID_BYTES],
                                   const struct round_id *id)
{
    for (uint32_t i = 0; i < runner->receipt_count; i++)
        if (memcmp(runner->receipts[i].device, device, DEVICE_ID_BYTES) == 0 &&
            round_id_equal(&runner->receipts[i].outcome.id, id))
            return &runner->receipts[i];
    return NULL;
}

/* CN_E_AUTH for a signature that is not the device's under these words. */
enum cn_err runner_receipts_signed(struct runner *runner, const uint8_t device[DEVICE_ID_BYTES],
                                   const struct message_receipted *message, uint64_t now_ms)
{
    struct runner_receipt *kept = find(runner, device, &message->id);
    struct receipt receipt;
    if (!kept || runner->signed_count == RUNNER_RECEIPTS_MAX)
        return CN_OK; /* signed already, or of before a restart */
    words(&receipt, kept);
    sign_key_public(runner->options.key, receipt.aggregator);
    CN_TRY(receipt_countersign_check(message->signature, &receipt, kept->device_key));
    struct ledger_entry *line = &runner->signed_lines[runner->signed_count];
    receipt_participation_entry(line, &receipt, message->signature, kept->device_key,
                                runner_now_s(runner));
    line->has_event = kept->published.has_event;
    line->event = kept->published.event;
    line->delta = kept->published.delta;
    memcpy(line->unit, kept->published.unit, sizeof(line->unit));
    memcpy(line->placement, kept->published.placement, sizeof(line->placement));
    memcpy(line->task, kept->published.task, sizeof(line->task));
    if (runner->signed_count++ == 0)
        runner->signed_ms = now_ms;
    take_out(runner, (uint32_t)(kept - runner->receipts));
    return CN_OK;
}

void runner_receipts_keep(struct runner *runner, uint64_t now_ms, bool at_once)
{
    bool due = at_once || runner->receipt_count == 0 || now_ms >= runner->signed_ms + KEEP_MS;
    if (!runner->signed_count || !runner->ledger || !due)
        return;
    enum cn_err err = ledger_append_all(runner->ledger, runner->signed_lines, runner->signed_count);
    if (err == CN_OK) {
        runner->signed_count = 0;
        return;
    }
    runner->signed_ms = now_ms; /* tried again; the round's own line finds out what is wrong */
    cn_log(CN_LOG_WARN, "the devices' signatures could not be written yet", cn_log_err(err));
}
