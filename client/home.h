/* SPDX-License-Identifier: Apache-2.0 */
/* A client's folder: its key, certificate, configuration, limits and ledger, and the lock that lets
 * one process at a time work in it.
 *
 *   client.yaml  limits.yaml  device.key  device.crt  ledger.jsonl  declined.json  lock */
#ifndef CAIRN_CLIENT_HOME_H
#define CAIRN_CLIENT_HOME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "client/config.h"
#include "crypto/certificate.h"
#include "crypto/certificate_cache.h"
#include "crypto/sign.h"
#include "privacy/budget.h"
#include "privacy/checkpoint.h"
#include "privacy/ledger.h"
#include "privacy/ledger_total.h"
#include "protocol/messages.h"

#define HOME_LEDGER_FILE "ledger.jsonl"
#define HOME_DAY_S (24 * 60 * 60)
#define HOME_DECLINED_FILE "declined.json"

struct home_payment {
    struct round_id id;
    uint8_t binding[HASH_BYTES]; /* what the line "spent" says the round was */
    char task[LEDGER_NAME_MAX];
    bool receipted; /* the aggregator's receipt for it is in the ledger */
};

struct home {
    char dir[CN_PATH_MAX];
    struct client_config config;
    struct client_limits limits;
    struct certificate certificate;
    struct sign_key *identity;
    struct ledger *ledger;
    struct ledger_total spent; /* of the whole ledger, kept up to date by home_append */
    struct budget *budget;     /* alike */
    struct checkpoint seen;    /* the newest of the aggregator's ledger; count 0: none yet */
    int64_t seen_kept_s;       /* when it was last written into the device's ledger */
    bool accept_ledger; /* the owner said so: the ledger that is met next is the one to hold to */
    struct cn_log_limit decline_log;
    bool has_declined;
    uint64_t declined_ms; /* when declined.json was last written */
    bool quarrel; /* the aggregator's ledger was seen to contradict itself, and the owner has not
                   * said that this is all right */
    struct home_payment *paid; /* [paid_count] the last attempt paid for, one per task */
    uint32_t paid_count;
    struct certificate_cache *known; /* of members of earlier rounds; may be NULL */
    struct cn_clock clock;
    int lock;
};

/* Makes the folder of a device that is about to join: a new key and its certificate under the
 * invitation, configuration, default limits. A folder that holds a device already, or the ledger of
 * one, is never touched: CN_E_EXISTS. passphrase may be NULL. */
struct home_plan {
    const char *dir;
    const struct join_link *link;
    const char *name;
    const struct data_source *data; /* format "": none yet */
    const char *passphrase;
    struct cn_clock clock;
};
enum cn_err home_make(const struct home_plan *plan, struct cn_diag *diag);

/* Opens the folder: locks it, loads and checks everything, verifies the ledger and adds it up.
 * CN_E_NOT_FOUND (join first), CN_E_BUSY, CN_E_CONFIG, CN_E_TAMPERED, CN_E_AUTH when key and
 * certificate do not belong together. Returns ownership. */
enum cn_err home_open(struct home **out, const char *dir, const char *passphrase,
                      struct cn_clock clock, struct cn_diag *diag);

/* Closes the ledger, wipes the key, gives the lock back; NULL is allowed. */
void home_close(struct home *home);

/* Reads the certificate in a folder. CN_E_NOT_FOUND, CN_E_DATA. */
enum cn_err home_read_certificate(struct certificate *certificate, const char *dir,
                                  struct cn_diag *diag);

/* Takes away a folder that home_make made and no aggregator knows; keeps files that are not ours.
 */
void home_remove(const char *dir);

/* Whether a process works in the folder now. */
bool home_is_running(const char *dir);

/* Adds a line to the device's ledger, on disk when it returns, and counts it everywhere: spendings,
 * payments, checkpoints. Errors as ledger_append; also those of budget_add, after which every offer
 * is declined. */
enum cn_err home_append(struct home *home, struct ledger_entry *entry);

/* Counts the ledger anew under home->limits, which were changed. Errors as of home_open. */
enum cn_err home_use_limits(struct home *home, struct cn_diag *diag);

/* What the owner's limits are to the budget's filter. */
struct budget_limits home_budget_limits(const struct client_limits *limits);

/* What was paid for last of this task, or NULL. */
struct home_payment *home_payment(const struct home *home, const uint8_t task[TASK_ID_BYTES]);

/* The latest attempt of this task that the ledger says was paid for, or NULL. */
struct round_id *home_paid(const struct home *home, const uint8_t task[TASK_ID_BYTES]);

/* Remembers a payment. CN_E_NOMEM. */
enum cn_err home_remember(struct home *home, const struct round_id *id);

#endif
