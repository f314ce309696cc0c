/* SPDX-License-Identifier: Apache-2.0 */
/* See witness.h. */
#include "client/witness.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "privacy/receipt.h"

void witness_hello(const struct home *home, struct message_hello *hello)
{
    memcpy(hello->ledger_head, home->seen.head, HASH_BYTES);
    hello->ledger_count = home->seen.count;
}

static enum cn_err keep(struct home *home, const struct checkpoint *now, const char *reason)
{
    struct ledger_entry entry;

    checkpoint_entry(&entry, now, home->clock.wall_s(home->clock.ctx));
    snprintf(entry.reason, sizeof entry.reason, "%s", reason);
    return home_append(home, &entry);
}

static void explain(struct cn_diag *diag, const struct home *home, const char *what)
{
    cn_diag_set(diag, home->config.host, home->config.port, 0,
                "the aggregator's ledger was rewritten: %s", what);
    cn_diag_hint(diag,
                 "ask the operator; both signed heads are in ledger.jsonl. To hold to the new "
                 "ledger from now on: cairn-client run DIR --accept-ledger");
}

enum cn_err witness_check(const struct home *home, struct cn_diag *diag)
{
    if (!home->quarrel || home->accept_ledger)
        return CN_OK;
    explain(diag, home, "this device has seen two versions of it");
    return CN_E_TAMPERED;
}

/* The head after the old count tells whether a longer ledger is the old one with more lines. */
static enum checkpoint_verdict judge(const struct home *home, const struct checkpoint *now,
                                     const uint8_t then[HASH_BYTES])
{
    enum checkpoint_verdict verdict = checkpoint_compare(&home->seen, now);

    if (verdict == CHECKPOINT_EXTENDED && memcmp(then, home->seen.head, HASH_BYTES) != 0)
        return CHECKPOINT_FORKED;
    return verdict;
}

static enum cn_err accept(struct home *home, const struct checkpoint *now)
{
    home->accept_ledger = false;
    cn_log(CN_LOG_WARN, "the owner accepts the aggregator's ledger as it is now",
           cn_log_uint("lines", now->count));
    return keep(home, now, "");
}

enum cn_err witness_welcome(struct home *home, const struct message_welcome *welcome,
                            struct cn_diag *diag)
{
    struct checkpoint now = {.count = welcome->ledger_count};
    enum checkpoint_verdict verdict;

    memcpy(now.owner, welcome->aggregator, sizeof now.owner);
    memcpy(now.head, welcome->ledger_head, sizeof now.head);
    memcpy(now.signature, welcome->ledger_signature, sizeof now.signature);
    if (checkpoint_check(&now) != CN_OK)
        return CN_E_AUTH;
    if (home->seen.count == 0)
        return keep(home, &now, "");
    if (home->accept_ledger)
        return accept(home, &now);
    verdict = judge(home, &now, welcome->ledger_then);
    if (verdict != CHECKPOINT_SAME && verdict != CHECKPOINT_EXTENDED) {
        explain(diag, home, checkpoint_verdict_text(verdict));
        CN_TRY(keep(home, &now, checkpoint_verdict_text(verdict)));
        return CN_E_TAMPERED;
    }
    home->seen = now;
    if (home->clock.wall_s(home->clock.ctx) - home->seen_kept_s < HOME_DAY_S)
        return CN_OK;
    return keep(home, &now, "");
}

/* ---- receipts ---- */

static void words(struct receipt *receipt, const struct home *home,
                  const struct message_outcome *outcome, const struct home_payment *paid)
{
    *receipt = (struct receipt){.round = outcome->id.round,
                                .attempt = outcome->id.attempt,
                                .survivors = outcome->survivors,
                                .count = outcome->ledger_count};
    memcpy(receipt->aggregator, home->seen.owner, sizeof receipt->aggregator);
    certificate_device_id(receipt->device, &home->certificate);
    memcpy(receipt->task_id, outcome->id.task, sizeof receipt->task_id);
    memcpy(receipt->binding, paid->binding, HASH_BYTES);
    memcpy(receipt->roster, outcome->roster, HASH_BYTES);
    memcpy(receipt->model, outcome->model, HASH_BYTES);
    memcpy(receipt->paid_for, outcome->paid_for, HASH_BYTES);
    memcpy(receipt->head, outcome->ledger_head, HASH_BYTES);
    memcpy(receipt->signature, outcome->receipt, SIGN_BYTES);
}

static bool is_given(const struct message_outcome *outcome)
{
    static const uint8_t none[SIGN_BYTES];

    return outcome->published && memcmp(outcome->receipt, none, sizeof none) != 0;
}

static bool same(const uint8_t *known, const uint8_t said[HASH_BYTES])
{
    return !known || memcmp(known, said, HASH_BYTES) == 0;
}

enum cn_err witness_receipt(struct home *home, const struct message_outcome *outcome,
                            const struct witness_part *part, struct message *answer, bool *give)
{
    struct home_payment *paid = home_payment(home, outcome->id.task);
    struct ledger_entry entry;
    struct receipt receipt;

    *give = false;
    if (!is_given(outcome) || !paid || !round_id_equal(&paid->id, &outcome->id))
        return CN_OK;
    words(&receipt, home, outcome, paid);
    CN_TRY(receipt_check(&receipt));
    if (!same(part->upload, outcome->paid_for) || !same(part->roster, outcome->roster))
        return CN_E_INCONSISTENT;
    if (!paid->receipted) {
        receipt_entry(&entry, &receipt, paid->task, home->clock.wall_s(home->clock.ctx));
        CN_TRY(home_append(home, &entry));
    }
    *answer = (struct message){.type = MESSAGE_RECEIPTED};
    answer->as.receipted.id = outcome->id;
    receipt_countersign(answer->as.receipted.signature, &receipt, home->identity);
    *give = true;
    return CN_OK;
}
