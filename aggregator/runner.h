/* SPDX-License-Identifier: Apache-2.0 */
/* Runs tasks: one after the other in the order of their submission, each round by round, each round
 * attempt by attempt until it is published. Writes ledger and store, never a socket: the server
 * brings messages and time and carries out what runner_calls ask for.
 *
 * Whatever goes wrong on this machine's disk ends in the state MENDING: ledger and store are
 * reconciled (recover.h) until that works, and then the next attempt begins. */
#ifndef CAIRN_AGGREGATOR_RUNNER_H
#define CAIRN_AGGREGATOR_RUNNER_H

#include <stdbool.h>
#include <stdint.h>

#include "aggregator/cohort.h"
#include "aggregator/registry.h"
#include "aggregator/round.h"
#include "aggregator/store.h"
#include "base/clock.h"
#include "privacy/checkpoint.h"
#include "privacy/ledger.h"

/* Work for another thread. run may not touch the runner; done is called on the owner's thread. */
struct runner_job {
    void (*run)(struct runner_job *job);
    void (*done)(struct runner_job *job, uint64_t now_ms);
};

struct runner_calls {
    void (*send)(void *ctx, const uint8_t device[DEVICE_ID_BYTES], const struct message *message);
    /* Takes the job away and brings it back through job->done, once. */
    void (*work)(void *ctx, struct runner_job *job);
    /* A round begins: count the bytes of every device from here on. May be NULL, as the next. */
    void (*traffic_start)(void *ctx);
    /* Bytes to and from all devices of the round so far. */
    void (*traffic)(void *ctx, const struct round *round, uint64_t *up, uint64_t *down);
    void *ctx;
};

struct runner_options {
    const char *folder; /* of the aggregator; borrowed, as all below */
    const char *ledger_path;
    const char *name; /* of the aggregator, in the ledger */
    struct store *store;
    const struct registry *registry;
    struct cohort *cohort;
    const struct sign_key *key; /* of the ledger */
    uint8_t registrar[SIGN_PUBLIC_BYTES];
    struct cn_random random;
    struct cn_clock clock; /* for the wall's time only */
    uint64_t uploads_max;
    uint64_t grace_ms;
    uint32_t threads;     /* that may open a sum; 0: one */
    uint32_t models_kept; /* published models of each task that stay on disk */
};

struct runner;

/* Reconciles ledger and store and stands ready. Errors as of recover_run, with diag. Returns
 * ownership. */
enum cn_err runner_new(struct runner **out, const struct runner_options *options,
                       const struct runner_calls *calls, struct cn_diag *diag);

/* Not while a job is out: see runner_rests. */
void runner_free(struct runner *runner);

/* Call at least every 100 ms. */
void runner_tick(struct runner *runner, uint64_t now_ms);

/* The store was changed by another process. */
void runner_poll(struct runner *runner, uint64_t now_ms);

/* As round_message, also between rounds. */
enum cn_err runner_message(struct runner *runner, const uint8_t device[DEVICE_ID_BYTES],
                           const struct message *message, uint64_t now_ms);

/* A device is in the cohort now; has left it; is shut out. */
void runner_device_here(struct runner *runner, const uint8_t device[DEVICE_ID_BYTES],
                        uint64_t now_ms);
void runner_device_lost(struct runner *runner, const uint8_t device[DEVICE_ID_BYTES],
                        uint64_t now_ms);
void runner_device_out(struct runner *runner, const uint8_t device[DEVICE_ID_BYTES],
                       uint64_t now_ms);

/* Writes what happened in the store (enrolments, revocations, tasks) into the ledger. */
void runner_record(struct runner *runner);

/* Ends what runs and begins nothing new. A sum that is being opened is still published. */
void runner_stop(struct runner *runner, uint64_t now_ms);

/* True when no job is out: after runner_stop the runner may be freed. */
bool runner_rests(const struct runner *runner);

/* True when no task waits or runs and nothing is left to be evaluated. */
bool runner_done(const struct runner *runner);

/* The blob if devices may fetch it now (the plan or the model of the running task), else NULL.
 * Borrowed: take a hold to keep it. */
struct blob *runner_blob(const struct runner *runner, const uint8_t hash[HASH_BYTES]);

void runner_ledger_head(const struct runner *runner, uint8_t head[HASH_BYTES], uint64_t *count);

/* Signs the ledger as it stands; and gives its head after count lines, zeros when it never had so
 * many. CN_E_STATE while the ledger can not be opened. */
enum cn_err runner_checkpoint(const struct runner *runner, struct checkpoint *checkpoint,
                              uint64_t count, uint8_t then[HASH_BYTES]);

#endif
