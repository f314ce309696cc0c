/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of the protocol, one struct each, and their bytes (msgpack, behind a bounded scan).
 *
 * A message is a msgpack array [type, field, ...] in the order of the struct. docs/protocol.md is
 * the exact description. Nothing here keeps state; who may say what when is the agent's and the
 * round's business. */
#ifndef CAIRN_PROTOCOL_MESSAGES_H
#define CAIRN_PROTOCOL_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/cursor.h"
#include "base/err.h"
#include "crypto/certificate.h"
#include "crypto/hash.h"
#include "crypto/secagg.h"
#include "crypto/sign.h"

#define PROTOCOL_VERSION_MIN 1
#define PROTOCOL_VERSION_MAX 1

#define MESSAGE_BYTES_MAX ((size_t)2048 * 1024)   /* a frame's payload */
#define MESSAGE_UP_BYTES_MAX ((size_t)512 * 1024) /* alike, from a device */
#define CHUNK_BYTES_MAX ((size_t)256 * 1024)      /* of a blob, in one message */
#define BLOB_BYTES_MAX ((uint64_t)1 << 33)        /* of one blob */
#define MESSAGE_TEXT_MAX 256                      /* bytes of a reason or a software's name */
#define TASK_ID_BYTES 16
#define MESSAGE_MEMBERS_MAX SECAGG_DEVICES_MAX           /* of a roster */
#define MESSAGE_NEIGHBOURS_MAX (SECAGG_DEGREE_MAX + 1u)  /* of one device, and itself */
#define MESSAGE_SHARES_MAX (2u * MESSAGE_NEIGHBOURS_MAX) /* PAIR and EDGE for each */
#define MESSAGE_ENTRY_BYTES sizeof(struct secagg_entry)

/* clang-format off */
#define MESSAGES(X) \
    X(HELLO,      hello)     /* device:     who I am; first message of a connection */ \
    X(WELCOME,    welcome)   /* aggregator: you are in; the answer to HELLO */ \
    X(OFFER,      offer)     /* aggregator: take part in this round */ \
    X(ACCEPT,     accept)    /* device:     I train now */ \
    X(DECLINE,    decline)   /* device:     not this round, and why */ \
    X(FETCH,      fetch)     /* device:     send me a blob from this offset on */ \
    X(CHUNK,      chunk)     /* both:       a piece of a blob */ \
    X(READY,      ready)     /* device:     trained; my one-time keys */ \
    X(ROSTER,     roster)    /* aggregator: everyone, the neighbours' one-time keys, the threshold */ \
    X(SHARES,     shares)    /* device:     sealed shares for every neighbour */ \
    X(INBOX,      inbox)     /* aggregator: sealed shares from the neighbours; now mask */ \
    X(UPLOAD,     upload)    /* device:     my masked vector is this blob; where shall I go on? */ \
    X(RESUME,     resume)    /* aggregator: from this offset on; offset == bytes: I have it all */ \
    X(SURVIVORS,  survivors) /* aggregator: whose masked vectors are in the sum */ \
    X(VOUCH,      vouch)     /* device:     my signature under the survivors */ \
    X(VOUCHES,    vouches)   /* aggregator: the neighbours' signatures */ \
    X(REVEAL,     reveal)    /* device:     the shares that open the sum */ \
    X(OUTCOME,    outcome)   /* aggregator: published or abandoned, and why */ \
    X(PING,       ping)      /* both:       are you there? */ \
    X(PONG,       pong)      /* both:       yes */ \
    X(BYE,        bye)       /* both:       I close the connection, and why */ \
    X(COLLECT,    collect)   /* aggregator: mode off: seal your update to this key, and upload */ \
    X(RECEIPTED,  receipted) /* device:     my signature under the words of your receipt */ \
    X(COMPLAINT,  complaint) /* device:     these neighbours' shares do not open; before UPLOAD */
/* clang-format on */

enum message_type {
    MESSAGE_NONE = 0,
#define X(NAME, field) MESSAGE_##NAME,
    MESSAGES(X)
#undef X
        MESSAGE_TYPE_COUNT
};

/* Which run of which round of which task; an abandoned round is tried again as the next attempt. */
struct round_id {
    uint8_t task[TASK_ID_BYTES];
    uint32_t round;   /* from 1 */
    uint32_t attempt; /* from 1 */
};

/* What every signature, key and mask of a round is bound to:
 * BLAKE2b-256 over (task, round, attempt, plan, model), domain "cairn-round". */
void round_binding(uint8_t out[HASH_BYTES], const struct round_id *id,
                   const uint8_t plan[HASH_BYTES], const uint8_t model[HASH_BYTES]);

bool round_id_equal(const struct round_id *a, const struct round_id *b);

enum bye_code {
    BYE_DONE = 0, /* nothing is wrong; come back when you like */
    BYE_AUTH,     /* the certificate or the proof does not verify; coming back is useless */
    BYE_UNKNOWN,  /* not enrolled here: join first */
    BYE_EXPIRED,  /* the invitation's time is over */
    BYE_USED,     /* the invitation has no uses left */
    BYE_REVOKED,  /* the operator shut this device out */
    BYE_VERSION,  /* no protocol version in common */
    BYE_PROTOCOL, /* malformed or out of turn */
    BYE_BUSY,     /* too many connections; come back later */
    BYE_REPLACED, /* the same device connected again */
    BYE_STOPPING, /* the process is being stopped; come back soon */
    BYE_CODE_COUNT
};

enum decline_code {
    DECLINE_BUDGET = 1, /* the privacy budget does not afford it */
    DECLINE_LIMIT,      /* another of the owner's limits forbids it */
    DECLINE_DATA,       /* the data is missing or does not fit the task */
    DECLINE_BUSY,       /* in another round, or out of hours */
    DECLINE_FAILED,     /* training failed */
    DECLINE_CODE_COUNT
};

struct message_hello {
    uint32_t version_min, version_max;
    bool enrol; /* the first time: count this against the invitation */
    struct certificate certificate;
    uint8_t proof[SIGN_BYTES]; /* over the TLS exporter, label MESSAGE_PROOF_LABEL */
    char software[MESSAGE_TEXT_MAX];
    uint8_t ledger_head[HASH_BYTES]; /* the aggregator's, as seen last; zeros: never */
    uint64_t ledger_count;
    uint32_t abilities; /* HELLO_CAN_*; bits that mean nothing yet are ignored */
};
#define MESSAGE_PROOF_LABEL "cairn-tls-proof"
#define HELLO_CAN_AES 1u /* has AES instructions, for masks by AES-256-CTR */

struct message_welcome {
    uint32_t version;
    uint32_t heartbeat_ms;                 /* silence after which a PING is due */
    int64_t now_s;                         /* the aggregator's wall clock */
    uint8_t aggregator[SIGN_PUBLIC_BYTES]; /* its ledger's key */
    uint8_t ledger_head[HASH_BYTES];       /* a checkpoint (privacy/checkpoint.h) ... */
    uint64_t ledger_count;
    uint8_t ledger_signature[SIGN_BYTES]; /* ... under that key */
    uint8_t ledger_then[HASH_BYTES]; /* the head after HELLO's ledger_count lines; zeros: there are
                                      * not so many, or HELLO named none */
};

struct message_offer {
    struct round_id id;
    uint8_t plan[HASH_BYTES]; /* blob: the task file's text */
    uint64_t plan_bytes;
    uint8_t model[HASH_BYTES]; /* blob: the global model as safetensors */
    uint64_t model_bytes;
    uint32_t rounds;   /* of the task, altogether */
    uint32_t train_ms; /* time until READY is too late */
    uint8_t prg;       /* enum secagg_prg of this round's masks */
};

struct message_accept {
    struct round_id id;
};

struct message_decline {
    struct round_id id;
    uint8_t code; /* enum decline_code */
    char text[MESSAGE_TEXT_MAX];
};

struct message_fetch {
    uint8_t hash[HASH_BYTES];
    uint64_t offset;
};

struct message_chunk {
    uint8_t hash[HASH_BYTES];
    uint64_t offset;
    const uint8_t *bytes; /* decoded: a view into the message's bytes */
    size_t len;           /* 1 .. CHUNK_BYTES_MAX */
};

struct message_ready {
    struct round_id id;
    struct secagg_keys keys;
};

/* The arrays of the messages below are decoded into the arena given to message_decode, and are
 * borrowed by message_encode. */

/* On a ring the entries of all devices and the neighbours of the one that gets it; in the complete
 * graph no entries, and all devices as members. */
struct message_roster {
    struct round_id id;
    uint32_t threshold;
    const uint8_t *entries; /* struct secagg_entry by position; decoded: a view, as of a chunk */
    size_t entries_len;     /* a multiple of MESSAGE_ENTRY_BYTES; 0: the complete graph */
    struct secagg_member *members;
    uint32_t count;
};

struct message_shares {
    struct round_id id;
    struct secagg_sealed *sealed;
    uint32_t count;
};

struct message_inbox {
    struct round_id id;
    struct secagg_sealed *sealed;
    uint32_t count;
};

struct message_upload {
    struct round_id id;
    uint8_t hash[HASH_BYTES];
    uint64_t bytes;
};

struct message_resume {
    uint8_t hash[HASH_BYTES];
    uint64_t offset;
};

struct message_survivors {
    struct round_id id;
    uint32_t *indices; /* positions in the roster, strictly increasing */
    uint32_t count;
};

struct message_vouch {
    struct round_id id;
    uint8_t signature[SIGN_BYTES];
};

struct message_vouches {
    struct round_id id;
    struct secagg_vouch *vouches;
    uint32_t count;
};

struct message_reveal {
    struct round_id id;
    struct secagg_share *shares; /* secrets: the arena's owner wipes them */
    uint32_t count;
};

struct message_outcome {
    struct round_id id;
    bool published;
    uint32_t survivors;
    uint8_t model[HASH_BYTES]; /* published: the new global model */
    uint8_t ledger_head[HASH_BYTES];
    uint64_t ledger_count;
    char reason[MESSAGE_TEXT_MAX]; /* abandoned: why */
    /* With ledger_head and ledger_count the words of a receipt (privacy/receipt.h); zeros for who
     * is not among the survivors: */
    uint8_t roster[HASH_BYTES];   /* of the survivors */
    uint8_t paid_for[HASH_BYTES]; /* the device's upload */
    uint8_t receipt[SIGN_BYTES];
};

struct message_ping {
    uint64_t nonce;
};

struct message_pong {
    uint64_t nonce;
};

struct message_bye {
    uint8_t code; /* enum bye_code */
    char text[MESSAGE_TEXT_MAX];
};

struct message_collect {
    struct round_id id;
    uint32_t cohort;               /* devices that are asked the same */
    uint8_t key[SECAGG_KEY_BYTES]; /* of the aggregator, for this round only */
    uint8_t signature[SIGN_BYTES]; /* its ledger key's, label MESSAGE_COLLECT_LABEL, under the
                                    * round's binding and key */
};
#define MESSAGE_COLLECT_LABEL "cairn-collect"

struct message_complaint {
    struct round_id id;
    uint32_t *indices; /* positions in the roster, strictly increasing */
    uint32_t count;    /* at least 1 */
};

struct message_receipted {
    struct round_id id;
    uint8_t signature[SIGN_BYTES]; /* of the device: receipt_countersign */
};

struct message {
    enum message_type type;
    union {
#define X(NAME, field) struct message_##field field;
        MESSAGES(X)
#undef X
    } as;
};

/* "HELLO" and so on; "?" for a number that is none. */
const char *message_name(enum message_type type);

/* Appends the message's bytes. CN_E_TOO_LARGE when they would pass MESSAGE_BYTES_MAX or a count or
 * text its maximum; CN_E_STATE for what no message may say: a number out of its range, survivors
 * out of order. out is then as it was before, but a buffer that failed stays failed. */
enum cn_err message_encode(struct cn_buf *out, const struct message *message);

/* The entries of a ROSTER, and how many devices it has. */
const struct secagg_entry *message_roster_entries(const struct message_roster *roster);
uint32_t message_roster_devices(const struct message_roster *roster);

/* Reads one message from all of bytes. Arrays live in arena, chunk bytes are a view into bytes.
 * CN_E_PARSE for anything but the one encoding of a known message, with counts that are backed by
 * bytes really there; CN_E_TOO_LARGE for bytes, counts or texts past their maximum; CN_E_NOMEM when
 * arena is full. On failure message->type is MESSAGE_NONE. */
enum cn_err message_decode(struct message *message, const uint8_t *bytes, size_t len,
                           struct cn_arena *arena);

#endif
