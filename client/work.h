/* SPDX-License-Identifier: Apache-2.0 */
/* What a device does for one offer: fetch the plan, judge it by the owner's limits and the ledger,
 * fetch the model, train on a pool thread, then take part in the secure sum.
 *
 *   OFFER ─▶ plan ─▶ judge ──DECLINE──▶ over
 *                      └──ACCEPT──▶ model ─▶ train ──READY──▶ participant … ─▶ OUTCOME
 *
 * Runs on the loop's thread; knows no socket: the agent hands it messages and sends what it says.
 */
#ifndef CAIRN_CLIENT_WORK_H
#define CAIRN_CLIENT_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/random.h"
#include "client/home.h"
#include "client/trainer.h"
#include "protocol/messages.h"

struct work;

struct work_host {
    /* Sends one message if a connection stands; a message that can not go now is asked for again by
     * the aggregator after the next WELCOME, so nothing is kept. */
    void (*send)(void *ctx, const struct message *message);
    /* True while bulk messages should wait; work_pump is called when that ends. */
    bool (*congested)(void *ctx);
    /* Runs trainer_run(job) off the loop's thread, then work_trained(work). */
    enum cn_err (*train)(void *ctx, struct work *work, struct trainer_job *job);
    /* The work is over: free it. Never called inside work_new, work_cancel or work_free; the last
     * thing a function of this file does when it is called. */
    void (*over)(void *ctx, struct work *work);
    void *ctx;
};

/* Starts on an offer. home, trainer and host's ctx are borrowed and outlive the work.
 * CN_E_TOO_LARGE for a plan larger than any, CN_E_NOMEM. Returns ownership.
 */
enum cn_err work_new(struct work **out, const struct message_offer *offer, struct home *home,
                     struct trainer *trainer, const struct work_host *host);

const struct round_id *work_id(const struct work *work);

/* The connection stands (again): asks on for what is missing. */
void work_connected(struct work *work);

/* Takes any message that names this round or one of its blobs. An error is the aggregator's fault:
 * the round is over for this device and the connection is to be closed with it. */
enum cn_err work_message(struct work *work, const struct message *message);

/* The trainer has finished. */
void work_trained(struct work *work);

/* Sends on with the upload until the connection is congested. */
void work_pump(struct work *work);

/* True while a pool thread works on the job: the work can not be freed yet. */
bool work_is_training(const struct work *work);

/* Ends the work without a word. A trainer that runs is asked to stop; over is called when it has.
 * One that is not training is the caller's to free. */
void work_cancel(struct work *work);

/* Wipes and frees; NULL is allowed. Not while training. */
void work_free(struct work *work);

#endif
