/* SPDX-License-Identifier: Apache-2.0 */
/* Receipts and participations: evidence that a device took part in a published round, each side's
 * signature in the other side's ledger.
 *
 *   receipt        the aggregator signs, the device keeps: "your upload is in the sum of this
 * round, with so many others, and this model came out of it; my ledger then had this head"
 *   participation  the device signs the very same words, the aggregator keeps them: "I took part"
 *
 * One and the same bytes under two labels ("cairn-receipt", "cairn-participation"), by crypto/sign:
 * the parts aggregator, device, task_id, round, attempt, binding, roster, survivors, model,
 * paid_for, count, head, hashed by crypto/hash under the label "cairn-receipt-words", numbers as
 * hash_add_u64. */
#ifndef CAIRN_PRIVACY_RECEIPT_H
#define CAIRN_PRIVACY_RECEIPT_H

#include <stdint.h>

#include "base/err.h"
#include "privacy/ledger.h"

#define RECEIPT_KIND "receipt"
#define RECEIPT_PARTICIPATION_KIND "participation"

struct receipt {
    uint8_t aggregator[SIGN_PUBLIC_BYTES]; /* the key of its ledger */
    uint8_t device[LEDGER_DEVICE_BYTES];
    uint8_t task_id[LEDGER_TASK_ID_BYTES];
    uint32_t round, attempt;
    uint8_t binding[HASH_BYTES];
    uint8_t roster[HASH_BYTES]; /* of the survivors, as on the line "round_published" */
    uint32_t survivors;
    uint8_t model[HASH_BYTES];    /* address of the model that the round published */
    uint8_t paid_for[HASH_BYTES]; /* address of the device's upload; zero: not said */
    uint64_t count;               /* lines of the aggregator's ledger, "round_published" included */
    uint8_t head[HASH_BYTES];     /* after so many lines */
    uint8_t signature[SIGN_BYTES];
};

/* Signs; fills aggregator and signature. key is the aggregator's ledger key. */
void receipt_make(struct receipt *receipt, const struct sign_key *key);

/* CN_E_AUTH unless it is aggregator's signature. The caller still compares round, binding, roster,
 * model and paid_for with what it knows itself. */
enum cn_err receipt_check(const struct receipt *receipt);

/* The device's signature under the same words. */
void receipt_countersign(uint8_t signature[SIGN_BYTES], const struct receipt *receipt,
                         const struct sign_key *device);
enum cn_err receipt_countersign_check(const uint8_t signature[SIGN_BYTES],
                                      const struct receipt *receipt,
                                      const uint8_t device_key[SIGN_PUBLIC_BYTES]);

/* The line "receipt" of a device's ledger. */
void receipt_entry(struct ledger_entry *entry, const struct receipt *receipt, const char *task,
                   int64_t now_s);

/* The line "participation" of the aggregator's ledger; event (may be NULL), delta and unit say what
 * the device was charged, so that a report can add up each device. */
void receipt_participation_entry(struct ledger_entry *entry, const struct receipt *receipt,
                                 const uint8_t signature[SIGN_BYTES],
                                 const uint8_t device_key[SIGN_PUBLIC_BYTES], int64_t now_s);

/* The receipt that a line "receipt" holds, or the words that a line "participation" signs
 * (aggregator: the key of the ledger that it stands in; signature zero). CN_E_NOT_FOUND for lines
 * of other kinds. */
enum cn_err receipt_of_entry(struct receipt *receipt, const struct ledger_entry *entry,
                             const uint8_t aggregator[SIGN_PUBLIC_BYTES]);

/* Whether the evidence of a line is what it says: CN_OK for good evidence and for lines that hold
 * none, CN_E_AUTH for a signature that does not fit, CN_E_PARSE for evidence with missing fields.
 * owner is the key of the ledger in which the line stands. */
enum cn_err receipt_evidence_check(const struct ledger_entry *entry,
                                   const uint8_t owner[SIGN_PUBLIC_BYTES]);

#endif
