/* SPDX-License-Identifier: Apache-2.0 */
/* What a device holds the aggregator to: the ledger that it showed before, and its receipts.
 *
 * At every login the aggregator signs how its ledger stands. A device remembers that and compares
 * at the next login: a ledger that became shorter, or has another line in an old place, was
 * rewritten. The device then keeps both signed heads in its own ledger, says it, and takes part in
 * nothing more until its owner has accepted the new ledger. */
#ifndef CAIRN_CLIENT_WITNESS_H
#define CAIRN_CLIENT_WITNESS_H

#include "base/diag.h"
#include "base/err.h"
#include "client/home.h"
#include "protocol/messages.h"

/* Fills HELLO's view of the aggregator's ledger. */
void witness_hello(const struct home *home, struct message_hello *hello);

/* Takes WELCOME's. CN_E_AUTH for a signature that does not verify or a ledger without lines: the
 * aggregator's fault. CN_E_TAMPERED when the ledger contradicts the one seen before, with diag; the
 * evidence is in the device's ledger then. Errors of home_append. */
enum cn_err witness_welcome(struct home *home, const struct message_welcome *welcome,
                            struct cn_diag *diag);

/* CN_E_TAMPERED, with diag, while an earlier contradiction stands and the owner has not accepted
 * it (home->accept_ledger). */
enum cn_err witness_check(const struct home *home, struct cn_diag *diag);

/* What a device still knows of its part in a round; NULL where it does not. */
struct witness_part {
    const uint8_t *upload; /* [HASH_BYTES] */
    const uint8_t *roster; /* [HASH_BYTES] hash over the survivors' ids */
};

/* Checks a receipt, writes it into the device's ledger and countersigns. *give tells whether answer
 * is to be sent. A receipt that is missing, or for a round that this device did not pay for last,
 * is ignored. CN_E_AUTH, CN_E_INCONSISTENT for one that lies: it is not kept; errors of
 * home_append. */
enum cn_err witness_receipt(struct home *home, const struct message_outcome *outcome,
                            const struct witness_part *part, struct message *answer, bool *give);

#endif
