/* SPDX-License-Identifier: Apache-2.0 */
/* One attempt at one round, as a state machine: who is asked, what is awaited from whom, until
 * when. Sans-I/O: messages and times come in as arguments, messages go out by a call-back; the
 * table in round.c is the whole of it on one screen.
 *
 * A round ends in ROUND_SUMMED or in ROUND_FAILED and hangs in neither: every phase has a deadline.
 * What the end means (a new model, a line in the ledger) is the runner's business, who asks for
 * the phase after every call. Places belong to devices, not to connections: a device that comes
 * back gets the message of the phase again. */
#ifndef CAIRN_AGGREGATOR_ROUND_H
#define CAIRN_AGGREGATOR_ROUND_H

#include <stdbool.h>
#include <stdint.h>

#include "aggregator/cohort.h"
#include "base/err.h"
#include "base/random.h"
#include "crypto/secagg_server.h"
#include "protocol/messages.h"

/* clang-format off */
#define ROUND_PHASES(X) \
    X(GATHER, "gather")  /* until enough devices are there; nobody is asked yet */ \
    X(TRAIN,  "train")   /* offered; devices train and announce their keys */ \
    X(SHARES, "shares")  /* the roster is out; sealed shares come in */ \
    X(UPLOAD, "upload")  /* the sealed shares are out; masked vectors come in */ \
    X(VOUCH,  "vouch")   /* the survivors are out; signatures under them come in */ \
    X(REVEAL, "reveal")  /* the signatures are out; the shares that open the sum come in */ \
    X(OPEN,   "open")    /* round_open may run, on any thread; then round_opened */ \
    X(SUMMED, "summed")  /* over: the sum is there */ \
    X(FAILED, "failed")  /* over: round_reason says why */
/* clang-format on */

enum round_phase {
#define X(NAME, text) ROUND_##NAME,
    ROUND_PHASES(X)
#undef X
        ROUND_PHASE_COUNT
};

/* "gather" and so on. Never NULL. */
const char *round_phase_name(enum round_phase phase);

/* What a round is; everything is copied. */
struct round_options {
    struct round_id id;
    uint8_t plan[HASH_BYTES];
    uint64_t plan_bytes;
    uint8_t model[HASH_BYTES];
    uint64_t model_bytes;
    uint32_t rounds; /* of the task, altogether */
    struct secagg_config secagg;
    uint8_t registrar[SIGN_PUBLIC_BYTES];
    uint32_t cohort_max;                 /* at most MESSAGE_MEMBERS_MAX */
    uint64_t wait_ms[ROUND_PHASE_COUNT]; /* of GATHER (from cohort_min on) to REVEAL */
    uint64_t grace_ms;    /* for devices that are away, when the others are enough and done */
    uint64_t uploads_max; /* bytes of unfinished uploads held at a time; one always may */
    uint64_t stall_ms; /* while others wait for room, an upload has to bring ROUND_STALL_BYTES (or
                        * its rest) in so long; 0: 10 s */
    uint32_t threads;  /* for round_open, as secagg_server_set_threads; 0: one */
    bool aes;          /* masks by AES-256-CTR when everybody in the cohort can */
    /* secure_aggregation.mode off: no masks, no shares; updates come sealed to a key of this round,
     * which is signed by ledger_key (borrowed). */
    bool unmasked;
    const struct sign_key *ledger_key;
};
#define ROUND_STALL_BYTES ((uint64_t)16 * 1024)

/* What a round tells its owner. All run inside calls of this file and must not free the round. */
struct round_calls {
    /* Sends to a device; one that is away misses it and gets it when it comes back. */
    void (*send)(void *ctx, const uint8_t device[DEVICE_ID_BYTES], const struct message *message);
    /* Before the first OFFER to a cohort of this size: the moment for the ledger. An error fails
     * the round before anybody was asked. */
    enum cn_err (*opening)(void *ctx, uint32_t cohort);
    /* A device said no. text is the device's own and not to be trusted. */
    void (*declined)(void *ctx, const uint8_t device[DEVICE_ID_BYTES], enum decline_code code,
                     const char *text);
    void *ctx;
    /* Before the first INBOX or COLLECT: from here on updates leave devices, and the round is
     * charged whatever becomes of it. An error fails the round. May be NULL, as the next. */
    enum cn_err (*uploading)(void *ctx);
    /* With options.unmasked: one device's update, [secagg.dim] modulo 2^bits; for strategies that
     * must see it. Valid during the call. */
    void (*update)(void *ctx, const uint8_t device[DEVICE_ID_BYTES], const uint32_t *vector);
};

struct round;

/* Makes a round in GATHER.
 *
 *   cohort  borrowed: those that may be asked; the round marks whom it seats
 *   random  borrowed: for the choice among them
 *
 * CN_E_CONFIG for options that no round can have; CN_E_NOMEM. Returns ownership. */
enum cn_err round_new(struct round **out, const struct round_options *options,
                      const struct round_calls *calls, struct cohort *cohort,
                      const struct cn_random *random, uint64_t now_ms);

/* Frees everything and gives the seats back to the cohort. Not while round_open runs. */
void round_free(struct round *round);

/* The one entry for messages. CN_OK also for what is late or a repeat and is therefore ignored.
 * Any error means that the device broke the protocol: it has lost its place and is to be
 * disconnected (CN_E_NOMEM: the round has failed, the device is innocent). */
enum cn_err round_message(struct round *round, const uint8_t device[DEVICE_ID_BYTES],
                          const struct message *message, uint64_t now_ms);

/* The one entry for time; call it at least every 100 ms. */
void round_tick(struct round *round, uint64_t now_ms);

/* A device has connected (and is in the cohort), is away, or is shut out for good. */
void round_device_here(struct round *round, const uint8_t device[DEVICE_ID_BYTES], uint64_t now_ms);
void round_device_lost(struct round *round, const uint8_t device[DEVICE_ID_BYTES], uint64_t now_ms);
void round_device_out(struct round *round, const uint8_t device[DEVICE_ID_BYTES], uint64_t now_ms);

/* Ends the round from outside (the operator, a full disk). Ignored when it is over; not while
 * round_open runs. */
void round_fail(struct round *round, enum cn_err why, const char *reason, uint64_t now_ms);

/* In ROUND_OPEN: takes the masks off. Heavy, for a pool's thread; touches nothing that other calls
 * touch, and the round must not be freed meanwhile. Result for round_opened. */
enum cn_err round_open(struct round *round);

/* The owner's thread says that round_open is done, and how. */
void round_opened(struct round *round, enum cn_err outcome, uint64_t now_ms);

/* Sends the end of the round to everybody who was asked. */
void round_outcome(struct round *round, const struct message_outcome *outcome);

enum round_phase round_phase(const struct round *round);

/* In ROUND_SUMMED: the sum [secagg.dim] modulo 2^bits. */
const uint32_t *round_sum(const struct round *round);

/* In ROUND_FAILED: why, for a program and for a person. Never NULL. */
enum cn_err round_error(const struct round *round);
const char *round_reason(const struct round *round);

/* Alike, with words of their own for each survivor: fill is called with a copy of outcome, the
 * device, its identity key and the address of its upload. */
typedef void (*round_fill)(void *ctx, const uint8_t device[DEVICE_ID_BYTES],
                           const uint8_t device_key[SIGN_PUBLIC_BYTES],
                           const uint8_t upload[HASH_BYTES], struct message_outcome *outcome);
void round_outcome_each(struct round *round, const struct message_outcome *outcome, round_fill fill,
                        void *ctx);

/* Numbers about a round, for logs, ledger and metrics. */
struct round_facts {
    uint32_t offered;   /* devices asked, all together */
    uint32_t ready;     /* devices that trained */
    uint32_t roster;    /* devices in the roster; 0 before it is closed */
    uint32_t survivors; /* masked vectors in the sum; before that those that arrived so far */
    bool charged;       /* a masked vector may have left a device: the round is paid for */
    uint8_t prg;        /* enum secagg_prg of the masks */
    bool unmasked;      /* secure_aggregation.mode off */
    uint64_t wait_ms[ROUND_PHASE_COUNT]; /* time spent in each phase so far */
    uint8_t binding[HASH_BYTES];
    uint8_t roster_hash[HASH_BYTES]; /* of the survivors' device ids; zeros before they stand */
};
void round_facts(const struct round *round, struct round_facts *facts);

/* True when the device was asked to take part and did not say no. */
bool round_has(const struct round *round, const uint8_t device[DEVICE_ID_BYTES]);

/* In GATHER: how many devices are available, of the smallest number that is needed. */
void round_gathered(const struct round *round, uint32_t *available, uint32_t *needed);

/* Devices whose shares were proven wrong when the sum was opened: calls visit with each. */
void round_suspects(const struct round *round,
                    void (*visit)(void *ctx, const uint8_t device[DEVICE_ID_BYTES]), void *ctx);

/* Devices that say that the shares of another one do not open: one of the two lies. */
void round_complaints(const struct round *round,
                      void (*visit)(void *ctx, const uint8_t by[DEVICE_ID_BYTES],
                                    const uint8_t of[DEVICE_ID_BYTES]),
                      void *ctx);

#endif
