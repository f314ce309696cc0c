/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints: what a ledger's owner signs about its length and its head, so that others can hold
 * it to that.
 *
 * A chain of hashes makes every later head vouch for all lines before. Who keeps a checkpoint and
 * later asks for the head after the same number of lines notices every rewriting: either the answer
 * differs, or there are fewer lines than before. Two checkpoints of one key with one count and two
 * heads prove a fork to anybody.
 *
 * Signed (crypto/sign, label "cairn-ledger-checkpoint"): count, 8 bytes big-endian, and the head.
 */
#ifndef CAIRN_PRIVACY_CHECKPOINT_H
#define CAIRN_PRIVACY_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "privacy/ledger.h"

#define CHECKPOINT_KIND "checkpoint"

struct checkpoint {
    uint8_t owner[SIGN_PUBLIC_BYTES]; /* the key of the ledger */
    uint64_t count;                   /* lines, 1 to LEDGER_COUNT_MAX */
    uint8_t head[HASH_BYTES];
    uint8_t signature[SIGN_BYTES];
};

enum checkpoint_verdict {
    CHECKPOINT_SAME,      /* nothing was written since */
    CHECKPOINT_EXTENDED,  /* lines were added; ask for the head after the old count as well */
    CHECKPOINT_SHORTER,   /* lines that were there are missing: cut off or an older copy */
    CHECKPOINT_FORKED,    /* another line in the same place */
    CHECKPOINT_OTHER_KEY, /* not the same ledger at all */
};

/* Signs a head; key is the ledger's. count in its range (asserted). */
void checkpoint_make(struct checkpoint *checkpoint, uint64_t count, const uint8_t head[HASH_BYTES],
                     const struct sign_key *key);

/* CN_E_AUTH unless it is owner's signature; CN_E_CONFIG for a count out of range. */
enum cn_err checkpoint_check(const struct checkpoint *checkpoint);

/* What the later of two checkpoints says about the earlier; now is compared with then. Signatures
 * are not looked at. */
enum checkpoint_verdict checkpoint_compare(const struct checkpoint *then,
                                           const struct checkpoint *now);

/* In words for a person, no full stop. Never NULL. */
const char *checkpoint_verdict_text(enum checkpoint_verdict verdict);

/* The line "checkpoint" with which a device keeps it in its own ledger, and back.
 * checkpoint_of_entry also takes receipts, which hold one without its own signature: signature is
 * then zero. CN_E_NOT_FOUND for other lines and for receipts without one. */
void checkpoint_entry(struct ledger_entry *entry, const struct checkpoint *checkpoint,
                      int64_t now_s);
enum cn_err checkpoint_of_entry(struct checkpoint *checkpoint, const struct ledger_entry *entry);

#endif
