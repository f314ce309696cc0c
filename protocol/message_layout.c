/* SPDX-License-Identifier: Apache-2.0 */
/* The tables. docs/protocol.md shows the same rows to those who write another client. */
#include "protocol/message_layout.h"

#define SIZE(s, m) sizeof(((struct s *)0)->m)
#define PLACE(k, s, m) .kind = FIELD_##k, .offset = offsetof(struct s, m), .size = SIZE(s, m)

#define UINT(s, m, lo, hi)                                                                         \
    {                                                                                              \
        PLACE(UINT, s, m), .low = (lo), .high = (hi)                                               \
    }
#define ANY32(s, m) UINT(s, m, 0, UINT32_MAX)
#define ANY64(s, m) UINT(s, m, 0, UINT64_MAX)
#define INT(s, m)                                                                                  \
    {                                                                                              \
        PLACE(INT, s, m)                                                                           \
    }
#define BOOL(s, m)                                                                                 \
    {                                                                                              \
        PLACE(BOOL, s, m)                                                                          \
    }
#define BYTES(s, m)                                                                                \
    {                                                                                              \
        PLACE(BYTES, s, m)                                                                         \
    }
#define TEXT(s, m)                                                                                 \
    {                                                                                              \
        PLACE(TEXT, s, m)                                                                          \
    }
#define CERTIFICATE(s, m)                                                                          \
    {                                                                                              \
        PLACE(CERTIFICATE, s, m)                                                                   \
    }
#define VIEW(s, m, n, lo, hi)                                                                      \
    {                                                                                              \
        PLACE(VIEW, s, m), .count = offsetof(struct s, n), .low = (lo), .high = (hi)               \
    }
#define RECORD(s, m, rows)                                                                         \
    {                                                                                              \
        PLACE(RECORD, s, m), .inner = rows, .inner_count = CN_COUNT(rows)                          \
    }
#define LIST(s, m, row) LIST_MAX(s, m, row, MESSAGE_NEIGHBOURS_MAX)
#define LIST_MAX(s, m, row, max)                                                                   \
    {                                                                                              \
        .kind = FIELD_LIST, .offset = offsetof(struct s, m), .size = sizeof(*((struct s *)0)->m),  \
        .count = offsetof(struct s, count), .high = (max), .inner = &row                           \
    }
#define ELEMENT(rows, s)                                                                           \
    {                                                                                              \
        .kind = FIELD_RECORD, .size = sizeof(struct s), .inner = rows,                             \
        .inner_count = CN_COUNT(rows)                                                              \
    }

#define INDEX(s, m) UINT(s, m, 0, MESSAGE_MEMBERS_MAX - 1)
#define ROUND(s) RECORD(s, id, round_fields)

/* clang-format off */
static const struct message_field round_fields[] = {
    BYTES(round_id, task),
    UINT(round_id, round, 1, UINT32_MAX),
    UINT(round_id, attempt, 1, UINT32_MAX),
};

static const struct message_field keys_fields[] = {
    BYTES(secagg_keys, mask_public),
    BYTES(secagg_keys, seal_public),
    BYTES(secagg_keys, self_public),
    BYTES(secagg_keys, signature),
};

static const struct message_field member_fields[] = {
    CERTIFICATE(secagg_member, certificate),
    RECORD(secagg_member, keys, keys_fields),
};
static const struct message_field member = ELEMENT(member_fields, secagg_member);

static const struct message_field sealed_fields[] = {
    INDEX(secagg_sealed, from),
    INDEX(secagg_sealed, to),
    BYTES(secagg_sealed, bytes),
};
static const struct message_field sealed = ELEMENT(sealed_fields, secagg_sealed);

static const struct message_field vouch_fields[] = {
    INDEX(secagg_vouch, index),
    BYTES(secagg_vouch, signature),
};
static const struct message_field vouch = ELEMENT(vouch_fields, secagg_vouch);

static const struct message_field share_fields[] = {
    INDEX(secagg_share, of),
    UINT(secagg_share, kind, SECAGG_SELF, SECAGG_EDGE),
    BYTES(secagg_share, value),
};
static const struct message_field share = ELEMENT(share_fields, secagg_share);

static const struct message_field member_index = {
    .kind = FIELD_UINT, .size = sizeof(uint32_t), .high = MESSAGE_MEMBERS_MAX - 1};

static const struct message_field hello_fields[] = {
    ANY32(message_hello, version_min),
    ANY32(message_hello, version_max),
    BOOL(message_hello, enrol),
    CERTIFICATE(message_hello, certificate),
    BYTES(message_hello, proof),
    TEXT(message_hello, software),
    BYTES(message_hello, ledger_head),
    ANY64(message_hello, ledger_count),
    ANY32(message_hello, abilities),
};

static const struct message_field welcome_fields[] = {
    ANY32(message_welcome, version),
    ANY32(message_welcome, heartbeat_ms),
    INT(message_welcome, now_s),
    BYTES(message_welcome, aggregator),
    BYTES(message_welcome, ledger_head),
    ANY64(message_welcome, ledger_count),
    BYTES(message_welcome, ledger_signature),
    BYTES(message_welcome, ledger_then),
};

static const struct message_field offer_fields[] = {
    ROUND(message_offer),
    BYTES(message_offer, plan),
    UINT(message_offer, plan_bytes, 1, BLOB_BYTES_MAX),
    BYTES(message_offer, model),
    UINT(message_offer, model_bytes, 1, BLOB_BYTES_MAX),
    UINT(message_offer, rounds, 1, UINT32_MAX),
    ANY32(message_offer, train_ms),
    UINT(message_offer, prg, 0, SECAGG_PRG_COUNT - 1),
};

static const struct message_field accept_fields[] = {
    ROUND(message_accept),
};

static const struct message_field decline_fields[] = {
    ROUND(message_decline),
    UINT(message_decline, code, 1, DECLINE_CODE_COUNT - 1),
    TEXT(message_decline, text),
};

static const struct message_field fetch_fields[] = {
    BYTES(message_fetch, hash),
    UINT(message_fetch, offset, 0, BLOB_BYTES_MAX),
};

static const struct message_field chunk_fields[] = {
    BYTES(message_chunk, hash),
    UINT(message_chunk, offset, 0, BLOB_BYTES_MAX),
    VIEW(message_chunk, bytes, len, 1, CHUNK_BYTES_MAX),
};

static const struct message_field ready_fields[] = {
    ROUND(message_ready),
    RECORD(message_ready, keys, keys_fields),
};

static const struct message_field roster_fields[] = {
    ROUND(message_roster),
    UINT(message_roster, threshold, 1, MESSAGE_MEMBERS_MAX),
    VIEW(message_roster, entries, entries_len, 0, MESSAGE_MEMBERS_MAX * MESSAGE_ENTRY_BYTES),
    LIST(message_roster, members, member),
};

static const struct message_field shares_fields[] = {
    ROUND(message_shares),
    LIST(message_shares, sealed, sealed),
};

static const struct message_field inbox_fields[] = {
    ROUND(message_inbox),
    LIST(message_inbox, sealed, sealed),
};

static const struct message_field upload_fields[] = {
    ROUND(message_upload),
    BYTES(message_upload, hash),
    UINT(message_upload, bytes, 1, BLOB_BYTES_MAX),
};

static const struct message_field resume_fields[] = {
    BYTES(message_resume, hash),
    UINT(message_resume, offset, 0, BLOB_BYTES_MAX),
};

static const struct message_field survivors_fields[] = {
    ROUND(message_survivors),
    LIST_MAX(message_survivors, indices, member_index, MESSAGE_MEMBERS_MAX),
};

static const struct message_field vouch_message_fields[] = {
    ROUND(message_vouch),
    BYTES(message_vouch, signature),
};

static const struct message_field vouches_fields[] = {
    ROUND(message_vouches),
    LIST(message_vouches, vouches, vouch),
};

static const struct message_field reveal_fields[] = {
    ROUND(message_reveal),
    LIST_MAX(message_reveal, shares, share, MESSAGE_SHARES_MAX),
};

static const struct message_field outcome_fields[] = {
    ROUND(message_outcome),
    BOOL(message_outcome, published),
    UINT(message_outcome, survivors, 0, MESSAGE_MEMBERS_MAX),
    BYTES(message_outcome, model),
    BYTES(message_outcome, ledger_head),
    ANY64(message_outcome, ledger_count),
    TEXT(message_outcome, reason),
    BYTES(message_outcome, roster),
    BYTES(message_outcome, paid_for),
    BYTES(message_outcome, receipt),
};

static const struct message_field ping_fields[] = {
    ANY64(message_ping, nonce),
};

static const struct message_field pong_fields[] = {
    ANY64(message_pong, nonce),
};

static const struct message_field bye_fields[] = {
    UINT(message_bye, code, 0, BYE_CODE_COUNT - 1),
    TEXT(message_bye, text),
};

static const struct message_field collect_fields[] = {
    ROUND(message_collect),
    UINT(message_collect, cohort, 1, MESSAGE_MEMBERS_MAX),
    BYTES(message_collect, key),
    BYTES(message_collect, signature),
};

static const struct message_field receipted_fields[] = {
    ROUND(message_receipted),
    BYTES(message_receipted, signature),
};

static const struct message_field complaint_fields[] = {
    ROUND(message_complaint),
    LIST(message_complaint, indices, member_index),
};

#define ROWS(name, rows) {name, rows, CN_COUNT(rows)}
static const struct message_layout layouts[] = {
    [MESSAGE_NONE] = {NULL, NULL, 0},
    [MESSAGE_HELLO] = ROWS("HELLO", hello_fields),
    [MESSAGE_WELCOME] = ROWS("WELCOME", welcome_fields),
    [MESSAGE_OFFER] = ROWS("OFFER", offer_fields),
    [MESSAGE_ACCEPT] = ROWS("ACCEPT", accept_fields),
    [MESSAGE_DECLINE] = ROWS("DECLINE", decline_fields),
    [MESSAGE_FETCH] = ROWS("FETCH", fetch_fields),
    [MESSAGE_CHUNK] = ROWS("CHUNK", chunk_fields),
    [MESSAGE_READY] = ROWS("READY", ready_fields),
    [MESSAGE_ROSTER] = ROWS("ROSTER", roster_fields),
    [MESSAGE_SHARES] = ROWS("SHARES", shares_fields),
    [MESSAGE_INBOX] = ROWS("INBOX", inbox_fields),
    [MESSAGE_UPLOAD] = ROWS("UPLOAD", upload_fields),
    [MESSAGE_RESUME] = ROWS("RESUME", resume_fields),
    [MESSAGE_SURVIVORS] = ROWS("SURVIVORS", survivors_fields),
    [MESSAGE_VOUCH] = ROWS("VOUCH", vouch_message_fields),
    [MESSAGE_VOUCHES] = ROWS("VOUCHES", vouches_fields),
    [MESSAGE_REVEAL] = ROWS("REVEAL", reveal_fields),
    [MESSAGE_OUTCOME] = ROWS("OUTCOME", outcome_fields),
    [MESSAGE_PING] = ROWS("PING", ping_fields),
    [MESSAGE_PONG] = ROWS("PONG", pong_fields),
    [MESSAGE_BYE] = ROWS("BYE", bye_fields),
    [MESSAGE_COLLECT] = ROWS("COLLECT", collect_fields),
    [MESSAGE_RECEIPTED] = ROWS("RECEIPTED", receipted_fields),
    [MESSAGE_COMPLAINT] = ROWS("COMPLAINT", complaint_fields),
};
_Static_assert(CN_COUNT(layouts) == MESSAGE_TYPE_COUNT, "one layout per message");
/* clang-format on */

const struct message_layout *message_layout(uint64_t type)
{
    return type > MESSAGE_NONE && type < MESSAGE_TYPE_COUNT ? &layouts[type] : NULL;
}
