/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger of privacy: a file to which signed lines of JSON are added and from which none is ever
 * taken. Each line holds the hash of the line before, so one signature vouches for all above it.
 *
 *   hash of a line   BLAKE2b (crypto/hash, label "cairn-ledger") of its bytes without the newline
 *   signature        Ed25519 (crypto/sign, label "cairn-ledger") of the line up to ',"signature"'
 *   head             the hash of the last line
 *
 * A line has one form only, the one that this code writes (docs/privacy.md lists it); anything else
 * does not verify. Entries hold events, never only their epsilon, so that a better accountant can
 * be applied later. One writer at a time: PATH.lock is held while a ledger is open. */
#ifndef CAIRN_PRIVACY_LEDGER_H
#define CAIRN_PRIVACY_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "crypto/hash.h"
#include "crypto/sign.h"
#include "privacy/accountant.h"

#define LEDGER_LINE_MAX 4096 /* bytes, newline included */
#define LEDGER_KIND_MAX 24
#define LEDGER_NAME_MAX 64
#define LEDGER_UNIT_MAX 16
#define LEDGER_REASON_MAX 160
#define LEDGER_TASK_ID_BYTES 16
#define LEDGER_DEVICE_BYTES 16
#define LEDGER_PLACEMENT_MAX 16
#define LEDGER_COUNT_MAX ((uint64_t)1 << 53)
#define LEDGER_BATCH_MAX 65536u

/* Texts are UTF-8 without control characters, zero-terminated. A field that is empty or all zero is
 * left out of the line; kind and time are always there. */
struct ledger_entry {
    uint64_t sequence;          /* 0 for the first line; set by ledger_append */
    int64_t time_s;             /* seconds since 1970 UTC, >= 0 */
    char kind[LEDGER_KIND_MAX]; /* a-z and _: "opened" "recovered" "joined" "task_submitted"
                                   "round_opened" "round_published" "round_abandoned" "spent"
                                   "receipt" "participation" (receipt.h) "checkpoint"
                                   (checkpoint.h) ... */
    char task[LEDGER_NAME_MAX];
    uint8_t task_id[LEDGER_TASK_ID_BYTES];
    uint32_t round;   /* from 1 */
    uint32_t attempt; /* from 1 */
    bool has_event;
    struct accountant_event event; /* what one unit of one device is charged */
    double delta;                  /* of the task; 0, or in (0, 1) */
    char unit[LEDGER_UNIT_MAX];    /* "example" "user" */
    uint32_t cohort, survivors;
    uint8_t
        paid_for[HASH_BYTES];    /* what the spending buys: hash of the bytes that leave after it */
    uint8_t binding[HASH_BYTES]; /* secagg_config's binding: matches a device's line with the
                                    aggregator's line for the same round and attempt */
    uint8_t roster[HASH_BYTES];  /* of the survivors, on the aggregator's lines */
    uint8_t model[HASH_BYTES];   /* blob address of the model that a round published */
    char placement[LEDGER_PLACEMENT_MAX]; /* who adds the noise: "local" "central" "distributed" */
    /* Evidence, signed by the other side (receipt.h, checkpoint.h): */
    uint8_t device[LEDGER_DEVICE_BYTES]; /* whom it is about */
    uint64_t count;                      /* lines of the other side's ledger ... */
    uint8_t head[HASH_BYTES];            /* ... and its head after so many, up to 2^53 */
    uint8_t signer[SIGN_PUBLIC_BYTES];   /* whose signature it is */
    uint8_t evidence[SIGN_BYTES];
    char reason[LEDGER_REASON_MAX];
    /* On the first line ("opened") only: */
    char owner[LEDGER_NAME_MAX];
    char role[LEDGER_KIND_MAX]; /* "aggregator" "device" ... */
    uint8_t public_key[SIGN_PUBLIC_BYTES];
};

struct ledger_owner {
    const char *owner; /* 1 to LEDGER_NAME_MAX - 1 bytes */
    const char *role;  /* a-z and _ */
    int64_t now_s;     /* the time of the lines that opening may write */
};

struct ledger;

/* Opens the ledger for appending, making it if missing, and verifies the chain of all lines.
 *
 *   key    borrowed until ledger_close; must be the one the first line names
 *   owner  what a new ledger's first line says
 *
 * A last line without newline is what a crash leaves (nothing it would have paid for has left): its
 * bytes are copied to PATH.torn, cut off, and a line "recovered" records how many they were.
 * CN_E_TAMPERED with the line and the kind of fault in diag; CN_E_AUTH when the ledger is another
 * key's; CN_E_BUSY when another process has it open; CN_E_CONFIG for owner; CN_E_NOSPACE, CN_E_IO,
 * CN_E_NOMEM. */
enum cn_err ledger_open(struct ledger **ledger, const char *path, const struct sign_key *key,
                        const struct ledger_owner *owner, struct cn_diag *diag);

/* Adds a line and flushes it to the disk before it returns; sets entry->sequence.
 *
 * CN_E_CONFIG for an entry that has no line (bad text, event or number); CN_E_NOSPACE and CN_E_IO:
 * the file is cut back to what it was. The ledger stays usable, except after a failed flush or cut
 * (CN_E_STATE from then on: open it again). */
enum cn_err ledger_append(struct ledger *ledger, struct ledger_entry *entry);

/* Adds lines under one flush: all of them are on the disk when it returns CN_OK, and none counts
 * before. For many signatures that come in together. count up to LEDGER_BATCH_MAX; errors as
 * ledger_append, CN_E_TOO_LARGE; on failure the file is cut back to what it was. */
enum cn_err ledger_append_all(struct ledger *ledger, struct ledger_entry *entries, size_t count);

/* Gives the head as it was after count lines: what an earlier checkpoint must have said. Reads at
 * most 256 lines of the file. CN_E_NOT_FOUND when the ledger never had so many lines, or count
 * is 0; CN_E_IO. */
enum cn_err ledger_head_at(const struct ledger *ledger, uint64_t count, uint8_t head[HASH_BYTES]);

/* Gives the hash of the last line and the count of lines. head may be NULL, count too. */
void ledger_head(const struct ledger *ledger, uint8_t head[HASH_BYTES], uint64_t *count);

/* Closes the file and releases the lock; NULL is allowed. */
void ledger_close(struct ledger *ledger);

/* clang-format off */
#define LEDGER_FAULTS(X) \
    X(NONE,      "nothing is wrong") \
    X(EMPTY,     "the file holds no line") \
    X(MALFORMED, "the line is not one that a ledger writes") \
    X(CHANGED,   "the line was changed after it was signed") \
    X(GAP,       "lines are missing before this one") \
    X(SWAPPED,   "the line is out of its order or doubled") \
    X(FOREIGN,   "the line is signed properly but belongs to another ledger") \
    X(TRUNCATED, "lines that were there before are missing at the end") \
    X(OTHER_KEY, "the ledger belongs to another key") \
    X(FORKED,    "the owner signed another line in this place before: this copy is a fork")
/* clang-format on */

enum ledger_fault {
#define X(name, text) LEDGER_##name,
    LEDGER_FAULTS(X)
#undef X
        LEDGER_FAULT_COUNT
};

/* In words for a person, no full stop. Never NULL. */
const char *ledger_fault_text(enum ledger_fault fault);

struct ledger_summary {
    uint64_t lines; /* that verified, from the first on */
    int64_t first_time_s, last_time_s;
    uint8_t head[HASH_BYTES]; /* of the last line that verified */
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    char owner[LEDGER_NAME_MAX];
    char role[LEDGER_KIND_MAX];
    uint64_t bytes; /* of the lines that verified */
    uint64_t
        torn_bytes; /* behind the last newline: a line that a crash cut, or one being written */
    uint64_t signatures; /* checked */
    enum ledger_fault fault;
    uint64_t bad_line; /* from 1; 0: none */
};

/* Sees one entry, valid during the call. Anything but CN_OK stops the reading and is returned. */
typedef enum cn_err (*ledger_visit)(void *ctx, const struct ledger_entry *entry);

/* A head that the owner signed, or that was computed from the file, earlier. */
struct ledger_mark {
    uint64_t count; /* lines there were, >= 1 */
    uint8_t head[HASH_BYTES];
};

struct ledger_reading {
    ledger_visit visit; /* may be NULL */
    void *ctx;
    bool every_signature; /* else only those that vouch for all the others: see ledger_read */
    /* What is known from elsewhere, e.g. a receipt or an earlier reading: */
    const uint8_t *public_key;       /* [SIGN_PUBLIC_BYTES] the owner's; NULL: any */
    const struct ledger_mark *marks; /* [mark_count] heads as they were seen earlier, by rising
                                        count; NULL: none */
    size_t mark_count;
};

/* Verifies the ledger line by line, in 64 KiB of memory, and shows each entry to visit (NULL: to
 * nobody). What was shown counts only if CN_OK is returned in the end.
 *
 * Of every line the form, the sequence and the chain are checked. The chain makes the last
 * signature vouch for all lines, so only the first and the last are checked, and those around a
 * fault to name it. A torn last line is no fault: see torn_bytes.
 *
 * CN_E_TAMPERED with summary->fault, summary->bad_line and diag set; CN_E_NOT_FOUND, CN_E_IO.
 * summary is always filled with what did verify, line by line while visit sees them; it may not be
 * NULL. */
enum cn_err ledger_read(const char *path, ledger_visit visit, void *ctx,
                        struct ledger_summary *summary, struct cn_diag *diag);

/* The same with every choice open. */
enum cn_err ledger_read_as(const char *path, const struct ledger_reading *reading,
                           struct ledger_summary *summary, struct cn_diag *diag);

#endif
