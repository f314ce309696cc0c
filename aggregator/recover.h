/* SPDX-License-Identifier: Apache-2.0 */
/* Makes ledger and store agree after a crash, a full disk or a failed flush.
 *
 * The order of a round's writes is: attempt's number (store), round_opened (ledger), offers; then
 * the new model's blob, round_published or round_abandoned (ledger), the round's row (store). Every
 * write is flushed before the next. So the ledger is never behind the store, and
 *   - an opened round without an end is abandoned here, and charged: devices may have paid for it;
 *   - an end without its row is put into the store again, a published one from its blob.
 * A store that knows more than the ledger means that lines were taken away: CN_E_TAMPERED. */
#ifndef CAIRN_AGGREGATOR_RECOVER_H
#define CAIRN_AGGREGATOR_RECOVER_H

#include "aggregator/registry.h"
#include "aggregator/store.h"
#include "privacy/ledger.h"

#define RECOVER_REASON "the aggregator stopped in the middle"

/* The kind of the line that stands before the first update of a round can leave a device. */
#define RECOVER_UPLOADING "round_uploading"

struct recover {
    struct store *store;
    const struct registry *registry;
    const char *ledger_path;
    const struct sign_key *key;
    const char *name; /* the ledger's owner, for a new ledger */
    int64_t now_s;
    const char *reason; /* said of an open round; NULL: RECOVER_REASON */
};

struct recover_result {
    uint32_t abandoned; /* rounds ended here: 0 or 1 */
    uint32_t restored;  /* rows put into the store again */
};

/* Opens the ledger (closing *ledger first, if it is not NULL) and reconciles. On failure *ledger is
 * NULL and calling again is fine. CN_E_TAMPERED, CN_E_DATA with diag; CN_E_NOSPACE, CN_E_IO. */
enum cn_err recover_run(struct ledger **ledger, const struct recover *what,
                        struct recover_result *result, struct cn_diag *diag);

/* "device_enrolled" and "device_revoked" lines name their device in the reason: the id in
 * hexadecimal, a blank, the name. */
void recover_device_reason(char out[LEDGER_REASON_MAX], const uint8_t id[DEVICE_ID_BYTES],
                           const char *name);

/* Puts what a round of the task costs into the entry that ends it: event, delta, unit. Only ends
 * carry events, so that a ledger's total counts each round once. Changes nothing for a task without
 * differential privacy. */
void recover_charge(struct ledger_entry *entry, const struct task *task);

#endif
