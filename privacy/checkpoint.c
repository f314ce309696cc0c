/* SPDX-License-Identifier: Apache-2.0 */
/* Count and head under one signature. */
#include "privacy/checkpoint.h"

#include <string.h>

#define LABEL "cairn-ledger-checkpoint"
#define WORDS_BYTES (8 + HASH_BYTES)

static void words(uint8_t out[WORDS_BYTES], const struct checkpoint *checkpoint)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(checkpoint->count >> (56 - 8 * i));
    memcpy(out + 8, checkpoint->head, HASH_BYTES);
}

void checkpoint_make(struct checkpoint *checkpoint, uint64_t count, const uint8_t head[HASH_BYTES],
                     const struct sign_key *key)
{
    uint8_t message[WORDS_BYTES];

    CN_ASSERT(count >= 1 && count <= LEDGER_COUNT_MAX);
    memset(checkpoint, 0, sizeof *checkpoint);
    checkpoint->count = count;
    memcpy(checkpoint->head, head, HASH_BYTES);
    sign_key_public(key, checkpoint->owner);
    words(message, checkpoint);
    sign_make(checkpoint->signature, key, LABEL, message, sizeof message);
}

enum cn_err checkpoint_check(const struct checkpoint *checkpoint)
{
    uint8_t message[WORDS_BYTES];

    if (checkpoint->count < 1 || checkpoint->count > LEDGER_COUNT_MAX)
        return CN_E_CONFIG;
    words(message, checkpoint);
    return sign_check(checkpoint->signature, checkpoint->owner, LABEL, message, sizeof message);
}

enum checkpoint_verdict checkpoint_compare(const struct checkpoint *then,
                                           const struct checkpoint *now)
{
    if (memcmp(then->owner, now->owner, SIGN_PUBLIC_BYTES) != 0)
        return CHECKPOINT_OTHER_KEY;
    if (now->count != then->count)
        return now->count > then->count ? CHECKPOINT_EXTENDED : CHECKPOINT_SHORTER;
    return memcmp(then->head, now->head, HASH_BYTES) == 0 ? CHECKPOINT_SAME : CHECKPOINT_FORKED;
}

const char *checkpoint_verdict_text(enum checkpoint_verdict verdict)
{
    switch (verdict) {
    case CHECKPOINT_SAME:
        return "the ledger is as it was";
    case CHECKPOINT_EXTENDED:
        return "the ledger has grown";
    case CHECKPOINT_SHORTER:
        return "the ledger is shorter than it was: lines that were there are missing";
    case CHECKPOINT_FORKED:
        return "the ledger was rewritten: another line stands where one was seen before";
    case CHECKPOINT_OTHER_KEY:
        return "the ledger is signed by another key than before";
    }
    return "unknown verdict";
}

void checkpoint_entry(struct ledger_entry *entry, const struct checkpoint *checkpoint,
                      int64_t now_s)
{
    memset(entry, 0, sizeof *entry);
    memcpy(entry->kind, CHECKPOINT_KIND, sizeof CHECKPOINT_KIND);
    entry->time_s = now_s;
    entry->count = checkpoint->count;
    memcpy(entry->head, checkpoint->head, HASH_BYTES);
    memcpy(entry->signer, checkpoint->owner, SIGN_PUBLIC_BYTES);
    memcpy(entry->evidence, checkpoint->signature, SIGN_BYTES);
}

enum cn_err checkpoint_of_entry(struct checkpoint *checkpoint, const struct ledger_entry *entry)
{
    bool own = strcmp(entry->kind, CHECKPOINT_KIND) == 0;

    memset(checkpoint, 0, sizeof *checkpoint);
    if ((!own && strcmp(entry->kind, "receipt") != 0) || entry->count == 0)
        return CN_E_NOT_FOUND;
    checkpoint->count = entry->count;
    memcpy(checkpoint->head, entry->head, HASH_BYTES);
    memcpy(checkpoint->owner, entry->signer, SIGN_PUBLIC_BYTES);
    if (own)
        memcpy(checkpoint->signature, entry->evidence, SIGN_BYTES);
    return CN_OK;
}
