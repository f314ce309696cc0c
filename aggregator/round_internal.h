/* SPDX-License-Identifier: Apache-2.0 */
/* What round.c (the table, time, the ends) and round_answers.c (what devices say) share. */
#ifndef CAIRN_AGGREGATOR_ROUND_INTERNAL_H
#define CAIRN_AGGREGATOR_ROUND_INTERNAL_H

#include "aggregator/round.h"
#include "crypto/direct.h"
#include "crypto/seen.h"
#include "protocol/transfer.h"

#define ROUND_BIT(phase) ((uint16_t)(1u << (phase)))

/* A device's place in the round. */
struct seat {
    uint8_t device[DEVICE_ID_BYTES];
    struct certificate certificate;
    uint32_t index;    /* in the roster, once that is closed */
    uint16_t asked;    /* bit per phase: it got, or is owed, the phase's message */
    uint16_t answered; /* bit per phase: its answer counts */
    bool out;          /* said no, broke the protocol or was shut out; nothing is awaited */
    bool here;         /* connected */
    uint64_t lost_ms;  /* since when it is not */
    bool claimed;      /* it announced an upload: */
    bool queued;       /* which waits for others to finish */
    uint8_t claim[HASH_BYTES];
    struct transfer_in upload;     /* bytes NULL: not begun */
    uint64_t stall_at;             /* bytes that were there ... */
    uint64_t stall_ms;             /* ... then */
    uint8_t key[SECAGG_KEY_BYTES]; /* unmasked: the device's, of this round */
};

struct round {
    struct round_options options;
    struct round_calls calls;
    struct cohort *cohort;
    const struct cn_random *random;
    struct secagg_server *server; /* NULL when unmasked, as is the next when not */
    struct direct_key *direct;
    uint8_t *opened;  /* unmasked: [upload_bytes - DIRECT_OVERHEAD] of one update */
    uint32_t *vector; /* unmasked: [dim] alike, when somebody looks at it */
    enum round_phase phase;
    uint64_t entered_ms;  /* when the phase began */
    uint64_t deadline_ms; /* UINT64_MAX: none yet */
    struct seat *seats;   /* [seats_max] */
    uint32_t seat_count, seats_max;
    uint32_t seats_out;   /* of them */
    struct seen places;   /* device id to place among the seats */
    uint32_t asked;       /* places that got the message of this phase; the others' turn comes */
    uint32_t slow;        /* a place that was awaited when somebody last looked */
    uint64_t paced_ms;    /* since when ... */
    uint64_t paced_bytes; /* ... so much went out */
    uint32_t target;      /* seats to keep filled while devices train */
    uint32_t ready;
    uint32_t roster;
    uint32_t uploaded;
    bool charged;
    uint64_t upload_bytes;     /* of one upload */
    uint64_t uploads_held;     /* bytes reserved for unfinished uploads */
    struct secagg_sealed *box; /* scratch for one message: [MESSAGE_NEIGHBOURS_MAX], as are */
    struct secagg_member *neighbours; /* ... these, for a ring */
    struct secagg_vouch *vouches;
    uint32_t *sum;       /* [dim] */
    uint64_t watched_ms; /* when unfinished uploads were looked at */
    bool queue;          /* somebody waits for room to upload */
    uint64_t wait_ms[ROUND_PHASE_COUNT];
    uint8_t roster_hash[HASH_BYTES];
    enum cn_err error;
    char reason[MESSAGE_TEXT_MAX];
};

/* The handlers of round.c's table: CN_OK when the answer counts or is ignored. */
enum cn_err round_on_accept(struct round *round, struct seat *seat, const struct message *message);
enum cn_err round_on_decline(struct round *round, struct seat *seat, const struct message *message);
enum cn_err round_on_ready(struct round *round, struct seat *seat, const struct message *message);
enum cn_err round_on_shares(struct round *round, struct seat *seat, const struct message *message);
enum cn_err round_on_upload(struct round *round, struct seat *seat, const struct message *message);
enum cn_err round_on_chunk(struct round *round, struct seat *seat, const struct message *message);
enum cn_err round_on_vouch(struct round *round, struct seat *seat, const struct message *message);
enum cn_err round_on_reveal(struct round *round, struct seat *seat, const struct message *message);

enum cn_err round_on_complaint(struct round *round, struct seat *seat,
                               const struct message *message);

/* round_unmasked.c: the steps of a round without masks. */
enum cn_err round_unmasked_new(struct round *round);
void round_unmasked_free(struct round *round);
enum cn_err round_unmasked_ready(struct round *round, struct seat *seat,
                                 const struct secagg_keys *keys);
enum cn_err round_unmasked_close_train(struct round *round);
void round_unmasked_ask(struct round *round, struct seat *seat);
enum cn_err round_unmasked_take(struct round *round, struct seat *seat);
enum cn_err round_unmasked_close_upload(struct round *round);

/* Drops uploads that hold room for which others wait, and bring nothing. */
void round_watch_uploads(struct round *round, uint64_t now_ms);

/* Gives up a seat's unfinished upload and lets the next queued one begin. */
void round_upload_drop(struct round *round, struct seat *seat);

void round_send(struct round *round, const struct seat *seat, const struct message *message);

/* round_seats.c: who sits, and who is asked when. */
struct seat *round_seat(const struct round *round, const uint8_t device[DEVICE_ID_BYTES]);
bool round_awaits(const struct round *round, const struct seat *seat);

/* Takes a device's place away; its upload is dropped. */
void round_seat_out(struct round *round, struct seat *seat, enum cohort_mark mark);

/* Seats one more device; false when nobody is left. */
bool round_seat_add(struct round *round);

/* Keeps the number of devices that train, as long as there is time for a newcomer to finish. */
void round_seats_refill(struct round *round, uint64_t now_ms);

/* Sends the phase's message to those whose turn it is: no more than ROUND_PACE_BYTES begin in
 * ROUND_PACE_MS, so that the rosters of thousands do not fill memory, or block the loop. */
void round_ask_some(struct round *round, uint64_t now_ms);
#define ROUND_PACE_BYTES ((uint64_t)16 * 1024 * 1024)
enum { ROUND_PACE_MS = 50 };

/* round.c: the phase's message to one seat. */
void round_ask(struct round *round, struct seat *seat, uint64_t now_ms);

#endif
