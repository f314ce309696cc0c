/* SPDX-License-Identifier: Apache-2.0 */
/* One message of every type in which every field has a value of its own: for tests of the bytes. */
#ifndef CAIRN_TESTS_PROTOCOL_SAMPLE_H
#define CAIRN_TESTS_PROTOCOL_SAMPLE_H

#include <string.h>

#include "protocol/messages.h"

#define SAMPLE_LIST 5

/* Arrays that samples point to; as large as the largest lists. */
static struct secagg_entry sample_entries[MESSAGE_MEMBERS_MAX];
static struct secagg_member sample_members[MESSAGE_NEIGHBOURS_MAX];
static struct secagg_sealed sample_sealed[MESSAGE_NEIGHBOURS_MAX];
static struct secagg_vouch sample_vouches[MESSAGE_NEIGHBOURS_MAX];
static struct secagg_share sample_shares[MESSAGE_SHARES_MAX];
static uint32_t sample_indices[MESSAGE_MEMBERS_MAX];
static uint8_t sample_bytes[CHUNK_BYTES_MAX];

static inline void sample_fill(void *out, size_t len, unsigned seed)
{
    uint8_t *bytes = out;

    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(1 + (i * 31 + seed * 7) % 255);
}

/* A chain that verifies under the registrar made from seed 1, 1, 1 ... */
static inline void sample_certificate(struct certificate *out, unsigned number)
{
    uint8_t seed[SIGN_SEED_BYTES];
    struct sign_key *registrar = NULL, *one_time = NULL, *device = NULL;
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, number);
    struct invitation invitation;
    char name[CERTIFICATE_NAME_MAX + 1];

    memset(seed, 1, sizeof seed);
    memset(out, 0, sizeof *out);
    snprintf(name, sizeof name, "phone-%u", number);
    CN_ASSERT(sign_key_from_seed(&registrar, seed) == CN_OK);
    CN_ASSERT(invitation_make(&invitation, &one_time, registrar, 3, 2000000000, &random) == CN_OK);
    CN_ASSERT(sign_key_new(&device, &random) == CN_OK);
    CN_ASSERT(certificate_make(out, &invitation, one_time, device, name, 1900000000) == CN_OK);
    sign_key_free(registrar);
    sign_key_free(one_time);
    sign_key_free(device);
}

static inline void sample_arrays(void)
{
    if (sample_indices[1] != 0)
        return;
    for (uint32_t i = 0; i < MESSAGE_MEMBERS_MAX; i++)
        sample_indices[i] = i;
    sample_fill(sample_entries, sizeof sample_entries, 40);
    for (uint32_t i = 0; i < MESSAGE_SHARES_MAX; i++) {
        sample_shares[i].of = i;
        sample_shares[i].kind = (uint8_t)(i % 2 ? SECAGG_SELF : SECAGG_PAIR);
        sample_fill(sample_shares[i].value, sizeof sample_shares[i].value, i);
    }
    for (uint32_t i = 0; i < MESSAGE_NEIGHBOURS_MAX; i++) {
        if (i < SAMPLE_LIST)
            sample_certificate(&sample_members[i].certificate, i + 1);
        else
            sample_members[i].certificate = sample_members[i % SAMPLE_LIST].certificate;
        sample_fill(&sample_members[i].keys, sizeof sample_members[i].keys, i);
        sample_sealed[i] =
            (struct secagg_sealed){.from = i, .to = (i * 7 + 1) % MESSAGE_MEMBERS_MAX};
        sample_fill(sample_sealed[i].bytes, sizeof sample_sealed[i].bytes, i);
        sample_vouches[i].index = i;
        sample_fill(sample_vouches[i].signature, sizeof sample_vouches[i].signature, i);
    }
    sample_fill(sample_bytes, sizeof sample_bytes, 99);
}

static inline struct round_id sample_id(void)
{
    struct round_id id = {.round = 7, .attempt = 300};

    sample_fill(id.task, sizeof id.task, 3);
    return id;
}

/* The most elements that the list of a message takes. */
static inline uint32_t sample_lists_max(enum message_type type)
{
    if (type == MESSAGE_REVEAL)
        return MESSAGE_SHARES_MAX;
    return type == MESSAGE_SURVIVORS ? MESSAGE_MEMBERS_MAX : MESSAGE_NEIGHBOURS_MAX;
}

static inline void sample_lists(struct message *m, uint32_t count)
{
    switch (m->type) {
    case MESSAGE_ROSTER:
        m->as.roster.threshold = 3;
        m->as.roster.entries = (const uint8_t *)sample_entries;
        m->as.roster.entries_len =
            (count > SAMPLE_LIST ? MESSAGE_MEMBERS_MAX : 7) * MESSAGE_ENTRY_BYTES;
        m->as.roster.members = sample_members;
        m->as.roster.count = count;
        break;
    case MESSAGE_SHARES:
    case MESSAGE_INBOX: /* the same struct but for its name */
        m->as.shares.sealed = sample_sealed;
        m->as.shares.count = count;
        break;
    case MESSAGE_SURVIVORS:
        m->as.survivors.indices = sample_indices;
        m->as.survivors.count = count;
        break;
    case MESSAGE_COMPLAINT:
        m->as.complaint.indices = sample_indices;
        m->as.complaint.count = count;
        break;
    case MESSAGE_VOUCHES:
        m->as.vouches.vouches = sample_vouches;
        m->as.vouches.count = count;
        break;
    case MESSAGE_REVEAL:
        m->as.reveal.shares = sample_shares;
        m->as.reveal.count = count;
        break;
    default:
        break;
    }
}

static inline void sample_login(struct message *m)
{
    if (m->type == MESSAGE_HELLO) {
        m->as.hello.version_min = 1;
        m->as.hello.version_max = 70000;
        m->as.hello.enrol = true;
        m->as.hello.certificate = sample_members[0].certificate;
        sample_fill(m->as.hello.proof, SIGN_BYTES, 5);
        strcpy(m->as.hello.software, "cairn-client 0.1.0");
        sample_fill(m->as.hello.ledger_head, HASH_BYTES, 6);
        m->as.hello.ledger_count = 1ULL << 40;
        m->as.hello.abilities = HELLO_CAN_AES;
    } else {
        m->as.welcome.version = 1;
        m->as.welcome.heartbeat_ms = 15000;
        m->as.welcome.now_s = -5;
        sample_fill(m->as.welcome.aggregator, SIGN_PUBLIC_BYTES, 7);
        sample_fill(m->as.welcome.ledger_head, HASH_BYTES, 8);
        m->as.welcome.ledger_count = 128;
        sample_fill(m->as.welcome.ledger_signature, SIGN_BYTES, 19);
        sample_fill(m->as.welcome.ledger_then, HASH_BYTES, 20);
    }
}

static inline void sample_round(struct message *m)
{
    switch (m->type) {
    case MESSAGE_OFFER:
        sample_fill(m->as.offer.plan, HASH_BYTES, 9);
        m->as.offer.plan_bytes = 1234;
        sample_fill(m->as.offer.model, HASH_BYTES, 10);
        m->as.offer.model_bytes = BLOB_BYTES_MAX;
        m->as.offer.rounds = 50;
        m->as.offer.train_ms = 600000;
        m->as.offer.prg = 1;
        break;
    case MESSAGE_DECLINE:
        m->as.decline.code = DECLINE_BUDGET;
        strcpy(m->as.decline.text, "epsilon 8.1 would pass the owner's 8");
        break;
    case MESSAGE_READY:
        sample_fill(&m->as.ready.keys, sizeof m->as.ready.keys, 11);
        break;
    case MESSAGE_UPLOAD:
        sample_fill(m->as.upload.hash, HASH_BYTES, 12);
        m->as.upload.bytes = 31337;
        break;
    case MESSAGE_VOUCH:
        sample_fill(m->as.vouch.signature, SIGN_BYTES, 13);
        break;
    case MESSAGE_OUTCOME:
        m->as.outcome.published = true;
        m->as.outcome.survivors = 19;
        sample_fill(m->as.outcome.model, HASH_BYTES, 14);
        sample_fill(m->as.outcome.ledger_head, HASH_BYTES, 15);
        m->as.outcome.ledger_count = 255;
        strcpy(m->as.outcome.reason, "too few devices: 3 of 5");
        sample_fill(m->as.outcome.roster, HASH_BYTES, 21);
        sample_fill(m->as.outcome.paid_for, HASH_BYTES, 22);
        sample_fill(m->as.outcome.receipt, SIGN_BYTES, 23);
        break;
    case MESSAGE_COLLECT:
        m->as.collect.cohort = 9;
        sample_fill(m->as.collect.key, sizeof m->as.collect.key, 24);
        sample_fill(m->as.collect.signature, SIGN_BYTES, 25);
        break;
    case MESSAGE_RECEIPTED:
        sample_fill(m->as.receipted.signature, SIGN_BYTES, 26);
        break;
    default:
        break;
    }
}

static inline void sample_other(struct message *m)
{
    switch (m->type) {
    case MESSAGE_FETCH:
        sample_fill(m->as.fetch.hash, HASH_BYTES, 16);
        m->as.fetch.offset = 65536;
        break;
    case MESSAGE_CHUNK:
        sample_fill(m->as.chunk.hash, HASH_BYTES, 17);
        m->as.chunk.offset = 262144;
        m->as.chunk.bytes = sample_bytes;
        m->as.chunk.len = 300;
        break;
    case MESSAGE_RESUME:
        sample_fill(m->as.resume.hash, HASH_BYTES, 18);
        m->as.resume.offset = 127;
        break;
    case MESSAGE_PING:
    case MESSAGE_PONG: /* the same struct but for its name */
        m->as.ping.nonce = UINT64_MAX;
        break;
    case MESSAGE_BYE:
        m->as.bye.code = BYE_REVOKED;
        strcpy(m->as.bye.text, "the operator shut this device out");
        break;
    default:
        break;
    }
}

/* The id is the first field of every message of a round. */
static inline bool sample_has_id(enum message_type type)
{
    return type == MESSAGE_OFFER || type == MESSAGE_ACCEPT || type == MESSAGE_DECLINE ||
           type == MESSAGE_UPLOAD || type == MESSAGE_OUTCOME || type == MESSAGE_COLLECT ||
           type == MESSAGE_RECEIPTED || type == MESSAGE_COMPLAINT ||
           (type >= MESSAGE_READY && type <= MESSAGE_INBOX) ||
           (type >= MESSAGE_SURVIVORS && type <= MESSAGE_REVEAL);
}

static inline void sample_message(struct message *m, enum message_type type)
{
    sample_arrays();
    memset(m, 0, sizeof *m);
    m->type = type;
    if (sample_has_id(type))
        m->as.accept.id = sample_id();
    if (type == MESSAGE_HELLO || type == MESSAGE_WELCOME)
        sample_login(m);
    sample_lists(m, SAMPLE_LIST);
    sample_round(m);
    sample_other(m);
}

#endif
