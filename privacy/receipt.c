/* SPDX-License-Identifier: Apache-2.0 */
/* The same words under two labels. */
#include "privacy/receipt.h"

#include <stdio.h>
#include <string.h>

#include "crypto/certificate.h"
#include "privacy/checkpoint.h"

#define LABEL_RECEIPT "cairn-receipt"
#define LABEL_PARTICIPATION "cairn-participation"
#define LABEL_WORDS "cairn-receipt-words"
_Static_assert(LEDGER_DEVICE_BYTES == DEVICE_ID_BYTES, "the same identity");

static void words(uint8_t out[HASH_BYTES], const struct receipt *receipt)
{
    struct hash hash;

    hash_init(&hash, LABEL_WORDS);
    hash_add(&hash, receipt->aggregator, sizeof receipt->aggregator);
    hash_add(&hash, receipt->device, sizeof receipt->device);
    hash_add(&hash, receipt->task_id, sizeof receipt->task_id);
    hash_add_u64(&hash, receipt->round);
    hash_add_u64(&hash, receipt->attempt);
    hash_add(&hash, receipt->binding, sizeof receipt->binding);
    hash_add(&hash, receipt->roster, sizeof receipt->roster);
    hash_add_u64(&hash, receipt->survivors);
    hash_add(&hash, receipt->model, sizeof receipt->model);
    hash_add(&hash, receipt->paid_for, sizeof receipt->paid_for);
    hash_add_u64(&hash, receipt->count);
    hash_add(&hash, receipt->head, sizeof receipt->head);
    hash_final(&hash, out);
}

void receipt_make(struct receipt *receipt, const struct sign_key *key)
{
    uint8_t message[HASH_BYTES];

    sign_key_public(key, receipt->aggregator);
    words(message, receipt);
    sign_make(receipt->signature, key, LABEL_RECEIPT, message, sizeof message);
}

enum cn_err receipt_check(const struct receipt *receipt)
{
    uint8_t message[HASH_BYTES];

    words(message, receipt);
    return sign_check(receipt->signature, receipt->aggregator, LABEL_RECEIPT, message,
                      sizeof message);
}

void receipt_countersign(uint8_t signature[SIGN_BYTES], const struct receipt *receipt,
                         const struct sign_key *device)
{
    uint8_t message[HASH_BYTES];

    words(message, receipt);
    sign_make(signature, device, LABEL_PARTICIPATION, message, sizeof message);
}

enum cn_err receipt_countersign_check(const uint8_t signature[SIGN_BYTES],
                                      const struct receipt *receipt,
                                      const uint8_t device_key[SIGN_PUBLIC_BYTES])
{
    uint8_t message[HASH_BYTES];

    words(message, receipt);
    return sign_check(signature, device_key, LABEL_PARTICIPATION, message, sizeof message);
}

/* What both kinds of lines say alike. */
static void fill(struct ledger_entry *entry, const struct receipt *receipt, int64_t now_s)
{
    memset(entry, 0, sizeof *entry);
    entry->time_s = now_s;
    entry->round = receipt->round;
    entry->attempt = receipt->attempt;
    entry->survivors = receipt->survivors;
    entry->count = receipt->count;
    memcpy(entry->device, receipt->device, sizeof entry->device);
    memcpy(entry->task_id, receipt->task_id, sizeof entry->task_id);
    memcpy(entry->binding, receipt->binding, HASH_BYTES);
    memcpy(entry->roster, receipt->roster, HASH_BYTES);
    memcpy(entry->model, receipt->model, HASH_BYTES);
    memcpy(entry->paid_for, receipt->paid_for, HASH_BYTES);
    memcpy(entry->head, receipt->head, HASH_BYTES);
}

void receipt_entry(struct ledger_entry *entry, const struct receipt *receipt, const char *task,
                   int64_t now_s)
{
    fill(entry, receipt, now_s);
    memcpy(entry->kind, RECEIPT_KIND, sizeof RECEIPT_KIND);
    snprintf(entry->task, sizeof entry->task, "%s", task);
    memcpy(entry->signer, receipt->aggregator, SIGN_PUBLIC_BYTES);
    memcpy(entry->evidence, receipt->signature, SIGN_BYTES);
}

void receipt_participation_entry(struct ledger_entry *entry, const struct receipt *receipt,
                                 const uint8_t signature[SIGN_BYTES],
                                 const uint8_t device_key[SIGN_PUBLIC_BYTES], int64_t now_s)
{
    fill(entry, receipt, now_s);
    memcpy(entry->kind, RECEIPT_PARTICIPATION_KIND, sizeof RECEIPT_PARTICIPATION_KIND);
    memcpy(entry->signer, device_key, SIGN_PUBLIC_BYTES);
    memcpy(entry->evidence, signature, SIGN_BYTES);
}

enum cn_err receipt_of_entry(struct receipt *receipt, const struct ledger_entry *entry,
                             const uint8_t aggregator[SIGN_PUBLIC_BYTES])
{
    bool own = strcmp(entry->kind, RECEIPT_KIND) == 0;

    memset(receipt, 0, sizeof *receipt);
    if (!own && strcmp(entry->kind, RECEIPT_PARTICIPATION_KIND) != 0)
        return CN_E_NOT_FOUND;
    memcpy(receipt->aggregator, own ? entry->signer : aggregator, SIGN_PUBLIC_BYTES);
    memcpy(receipt->device, entry->device, sizeof receipt->device);
    memcpy(receipt->task_id, entry->task_id, sizeof receipt->task_id);
    receipt->round = entry->round;
    receipt->attempt = entry->attempt;
    receipt->survivors = entry->survivors;
    receipt->count = entry->count;
    memcpy(receipt->binding, entry->binding, HASH_BYTES);
    memcpy(receipt->roster, entry->roster, HASH_BYTES);
    memcpy(receipt->model, entry->model, HASH_BYTES);
    memcpy(receipt->paid_for, entry->paid_for, HASH_BYTES);
    memcpy(receipt->head, entry->head, HASH_BYTES);
    if (own)
        memcpy(receipt->signature, entry->evidence, SIGN_BYTES);
    return CN_OK;
}

static bool all_zero(const uint8_t *bytes, size_t len)
{
    uint8_t any = 0;

    for (size_t i = 0; i < len; i++)
        any |= bytes[i];
    return any == 0;
}

/* Evidence without these could be evidence of anything. */
static bool is_whole(const struct receipt *receipt)
{
    return !all_zero(receipt->device, sizeof receipt->device) && receipt->round > 0 &&
           receipt->attempt > 0 && !all_zero(receipt->binding, HASH_BYTES);
}

/* A device's identity follows from its key, so nobody can sign for another. */
static bool is_key_of(const uint8_t device[LEDGER_DEVICE_BYTES],
                      const uint8_t key[SIGN_PUBLIC_BYTES])
{
    struct certificate certificate = {0};
    uint8_t id[DEVICE_ID_BYTES];

    memcpy(certificate.device, key, SIGN_PUBLIC_BYTES);
    certificate_device_id(id, &certificate);
    return memcmp(id, device, sizeof id) == 0;
}

enum cn_err receipt_evidence_check(const struct ledger_entry *entry,
                                   const uint8_t owner[SIGN_PUBLIC_BYTES])
{
    struct checkpoint checkpoint;
    struct receipt receipt;

    if (receipt_of_entry(&receipt, entry, owner) == CN_OK) {
        if (!is_whole(&receipt))
            return CN_E_PARSE;
        if (strcmp(entry->kind, RECEIPT_KIND) == 0)
            return receipt_check(&receipt);
        if (!is_key_of(entry->device, entry->signer))
            return CN_E_AUTH;
        return receipt_countersign_check(entry->evidence, &receipt, entry->signer);
    }
    if (strcmp(entry->kind, CHECKPOINT_KIND) != 0)
        return CN_OK;
    if (checkpoint_of_entry(&checkpoint, entry) != CN_OK)
        return CN_E_PARSE;
    return checkpoint_check(&checkpoint);
}
