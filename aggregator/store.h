/* SPDX-License-Identifier: Apache-2.0 */
/* What the aggregator remembers: devices, invitations, tasks, rounds. One interface; store_sqlite.c
 * keeps it in one file.
 *
 * Every call that changes something is one transaction, flushed before it returns, unless it stands
 * between store_begin and store_commit. Models and plans are blobs of the registry; here stand
 * their hashes. Several processes may have the store open: `serve` notices by store_version what
 * the other verbs changed. The ledger, not the store, proves what happened: see recover.h. */
#ifndef CAIRN_AGGREGATOR_STORE_H
#define CAIRN_AGGREGATOR_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "aggregator/metrics.h"
#include "base/diag.h"
#include "base/err.h"
#include "crypto/certificate.h"
#include "data/source.h"
#include "protocol/messages.h"
#include "task/task.h"

#define STORE_REASON_MAX 256
#define STORE_NAME_MAX 64

struct store;

struct store_device {
    uint8_t id[DEVICE_ID_BYTES];
    struct certificate certificate;
    int64_t enrolled_s;
    int64_t seen_s;    /* last login; 0: never */
    int64_t revoked_s; /* 0: welcome */
    char software[MESSAGE_TEXT_MAX];
    char declined[STORE_REASON_MAX]; /* its last reason to say no; empty: none */
    int64_t declined_s;
};

struct store_invitation {
    uint8_t id[INVITATION_ID_BYTES];
    char name[STORE_NAME_MAX]; /* the operator's own note; may be empty */
    int64_t made_s;
    int64_t expires_s;
    uint32_t uses;
    uint32_t used;
};

/* clang-format off */
#define STORE_TASK_STATES(X) \
    X(WAITING, "waiting") /* for its turn */ \
    X(RUNNING, "running") \
    X(DONE,    "done")    /* all rounds are published */ \
    X(STOPPED, "stopped") /* by the operator */
/* clang-format on */

enum store_task_state {
#define X(NAME, text) STORE_TASK_##NAME,
    STORE_TASK_STATES(X)
#undef X
        STORE_TASK_STATE_COUNT
};

/* "waiting" and so on. Never NULL. */
const char *store_task_state_name(enum store_task_state state);

struct store_task {
    uint8_t id[TASK_ID_BYTES];
    uint64_t number; /* order of submission; set by store_task_add */
    char name[TASK_NAME_MAX + 1];
    uint8_t plan[HASH_BYTES];
    uint8_t model[HASH_BYTES]; /* of the last published round; first the one to start from */
    uint32_t rounds;           /* to publish */
    uint32_t published;        /* so far */
    uint32_t attempt;          /* the last one tried of round published + 1; 0: none */
    enum store_task_state state;
    int64_t submitted_s;
    double delta;                    /* of its promise of privacy; 0: none is made */
    double epsilon;                  /* of one device after all rounds; 0: none */
    char test[DATA_SOURCE_TEXT_MAX]; /* the operator's test data; empty: none */
    char note[STORE_REASON_MAX];     /* what the task is doing or waits for, in words */
};

struct store_round {
    uint8_t task[TASK_ID_BYTES];
    uint32_t round, attempt;
    bool published;
    bool charged; /* it counts for everybody's privacy budget, published or not */
    int64_t started_s, finished_s;
    uint32_t cohort, survivors;
    uint8_t model[HASH_BYTES];
    char reason[STORE_REASON_MAX]; /* abandoned: why */
    struct metrics metrics;
};

/* Opens the store, making or upgrading it. CN_E_DATA when the file is no store or of a newer Cairn
 * (with diag); CN_E_BUSY, CN_E_NOSPACE, CN_E_IO, CN_E_NOMEM as for every call below. */
enum cn_err store_open(struct store **out, const char *path, struct cn_diag *diag);

/* NULL is allowed. */
void store_close(struct store *store);

/* A number that changes when another connection has changed the store. */
enum cn_err store_version(struct store *store, uint64_t *version);

/* Makes what follows one transaction. Not nested. */
enum cn_err store_begin(struct store *store);
enum cn_err store_commit(struct store *store);
void store_rollback(struct store *store);

/* Remembers an invitation that was made here; CN_E_EXISTS. */
enum cn_err store_invitation_add(struct store *store, const struct store_invitation *invitation);

typedef enum cn_err (*store_invitation_visit)(void *ctx, const struct store_invitation *invitation);
enum cn_err store_invitation_list(struct store *store, store_invitation_visit visit, void *ctx);

/* Enrols the device of a verified, unexpired certificate and counts one use of its invitation, both
 * or none. The same certificate again is fine and counts nothing: *again is then true. A device
 * that comes with another certificate of its key uses that invitation and keeps its place.
 * CN_E_USED when the invitation has no uses left; CN_E_REVOKED for a device that was shut out. */
enum cn_err store_enrol(struct store *store, const struct certificate *certificate, int64_t now_s,
                        bool *again);

/* CN_E_NOT_FOUND. */
enum cn_err store_device_get(struct store *store, const uint8_t id[DEVICE_ID_BYTES],
                             struct store_device *device);

/* Finds a device by its name, its id in hexadecimal or the id's first 4 digits or more.
 * CN_E_NOT_FOUND; CN_E_CONFIG when several fit; both with diag. */
enum cn_err store_device_find(struct store *store, const char *text, struct store_device *device,
                              struct cn_diag *diag);

typedef enum cn_err (*store_device_visit)(void *ctx, const struct store_device *device);
enum cn_err store_device_list(struct store *store, store_device_visit visit, void *ctx);

/* Shuts a device out; it stays so. CN_E_NOT_FOUND. */
enum cn_err store_device_revoke(struct store *store, const uint8_t id[DEVICE_ID_BYTES],
                                int64_t now_s);

enum cn_err store_device_seen(struct store *store, const uint8_t id[DEVICE_ID_BYTES],
                              const char *software, int64_t now_s);
enum cn_err store_device_declined(struct store *store, const uint8_t id[DEVICE_ID_BYTES],
                                  const char *reason, int64_t now_s);

/* What happened in the store and is not yet in the ledger. */
enum store_event_kind { STORE_ENROLLED, STORE_REVOKED, STORE_SUBMITTED };

struct store_event {
    enum store_event_kind kind;
    uint8_t id[DEVICE_ID_BYTES]; /* the device's or the task's, both of this size */
    char name[STORE_NAME_MAX];
    int64_t time_s;
};

/* Gives the oldest such event; CN_E_NOT_FOUND when there is none. */
enum cn_err store_event_next(struct store *store, struct store_event *event);

/* Remembers that the event stands in the ledger. */
enum cn_err store_event_done(struct store *store, const struct store_event *event);

/* Adds a task behind all others; sets task->number. CN_E_EXISTS. */
enum cn_err store_task_add(struct store *store, struct store_task *task);

/* CN_E_NOT_FOUND. */
enum cn_err store_task_get(struct store *store, const uint8_t id[TASK_ID_BYTES],
                           struct store_task *task);

/* By name (the last submitted of that name), id, or the id's first 4 digits or more; as
 * store_device_find. */
enum cn_err store_task_find(struct store *store, const char *text, struct store_task *task,
                            struct cn_diag *diag);

typedef enum cn_err (*store_task_visit)(void *ctx, const struct store_task *task);
enum cn_err store_task_list(struct store *store, store_task_visit visit, void *ctx);

/* The running task, or else the oldest that waits. CN_E_NOT_FOUND when nothing is to be done. */
enum cn_err store_task_next(struct store *store, struct store_task *task);

enum cn_err store_task_state_set(struct store *store, const uint8_t id[TASK_ID_BYTES],
                                 enum store_task_state state, const char *note);

/* Stops a task that waits or runs. CN_E_STATE when it is over already, CN_E_NOT_FOUND. */
enum cn_err store_task_stop(struct store *store, const uint8_t id[TASK_ID_BYTES]);

/* Says what a task that waits or runs is doing. */
enum cn_err store_task_note(struct store *store, const uint8_t id[TASK_ID_BYTES], const char *note);

/* Remembers an attempt before it starts, so that no attempt's number is ever used twice. */
enum cn_err store_attempt(struct store *store, const uint8_t id[TASK_ID_BYTES], uint32_t attempt);

/* Adds a round's end. A published one also moves the task on: its model, its count of rounds, its
 * state when it was the last. A repeat changes nothing. */
enum cn_err store_round_add(struct store *store, const struct store_round *round);

/* All rounds of a task in the order of rounds and attempts. */
typedef enum cn_err (*store_round_visit)(void *ctx, const struct store_round *round);
enum cn_err store_round_list(struct store *store, const uint8_t task[TASK_ID_BYTES],
                             store_round_visit visit, void *ctx);

/* How many rounds of all tasks have ended. */
enum cn_err store_round_count(struct store *store, uint64_t *count);

/* How many rounds of a task were charged. */
enum cn_err store_round_charged(struct store *store, const uint8_t task[TASK_ID_BYTES],
                                uint32_t *count);

/* Gives the oldest published round whose task has test data and which was not evaluated.
 * CN_E_NOT_FOUND. */
enum cn_err store_round_unevaluated(struct store *store, struct store_round *round);

/* Replaces the metrics of a round and calls it evaluated. */
enum cn_err store_round_evaluated(struct store *store, const struct store_round *round);

/* Shows every blob that must stay: plans, the tasks' models, those of the last `rounds` published
 * rounds of each task, those not evaluated yet. One may be shown twice. */
typedef enum cn_err (*store_blob_visit)(void *ctx, const uint8_t hash[HASH_BYTES]);
enum cn_err store_blobs(struct store *store, uint32_t rounds, store_blob_visit visit, void *ctx);

#endif
