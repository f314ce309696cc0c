/* SPDX-License-Identifier: Apache-2.0 */
/* The device's side of a round over secagg_device: order, repeats, and the spending before the
 * sending. The protocol's own checks are secagg_device's. */
#include "client/participant.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "crypto/hash.h"
#include "crypto/pack.h"

enum step { STEP_ROSTER, STEP_INBOX, STEP_SURVIVORS, STEP_VOUCHES, STEP_COUNT };

/* A message that was answered, by its hash, and the answer. */
struct answered {
    bool done;
    uint8_t question[HASH_BYTES];
    struct message answer;
};

struct participant {
    struct participant_setup setup;
    struct certificate certificate;
    struct secagg_device *device;
    struct secagg_keys keys;
    uint32_t cohort; /* members of the roster */
    uint32_t threshold;
    bool spent;
    bool ended;
    struct answered steps[STEP_COUNT];
    uint32_t around;                 /* neighbours, and this device */
    struct secagg_sealed *sealed;    /* [around], SHARES */
    struct secagg_share *shares;     /* [2 around], REVEAL; secret until sent */
    uint8_t (*ids)[DEVICE_ID_BYTES]; /* [cohort] of the roster */
    uint32_t *complaints;            /* [around] neighbours whose shares do not open */
    uint32_t complaint_count;
    bool has_survivors;
    uint8_t survivors[HASH_BYTES]; /* over the ids of the list that was signed */
    uint8_t *blob;                 /* the masked vector, packed */
    uint64_t blob_len;
    uint8_t blob_hash[HASH_BYTES];
};

enum cn_err participant_new(struct participant **out, const struct participant_setup *setup)
{
    struct participant *p = calloc(1, sizeof *p);
    enum cn_err err;

    *out = NULL;
    if (!p)
        return CN_E_NOMEM;
    p->setup = *setup;
    p->certificate = *setup->certificate;
    err = secagg_device_new(&p->device, &setup->secagg, setup->identity, &p->certificate,
                            setup->registrar, setup->random);
    if (err == CN_OK) {
        secagg_device_remember(p->device, setup->known);
        err = secagg_device_keys(p->device, &p->keys);
    }
    if (err != CN_OK) {
        participant_free(p);
        return err;
    }
    *out = p;
    return CN_OK;
}

void participant_free(struct participant *p)
{
    if (!p)
        return;
    secagg_device_free(p->device);
    if (p->shares)
        explicit_bzero(p->shares, 2 * (size_t)p->around * sizeof *p->shares);
    free(p->shares);
    free(p->sealed);
    free(p->ids);
    free(p->complaints);
    free(p->blob);
    explicit_bzero(p, sizeof *p);
    free(p);
}

void participant_ready(const struct participant *p, struct message *out)
{
    *out = (struct message){.type = MESSAGE_READY};
    out->as.ready.id = p->setup.id;
    out->as.ready.keys = p->keys;
}

static enum cn_err make_room(struct participant *p, const struct message_roster *roster)
{
    p->cohort = message_roster_devices(roster);
    if (p->cohort < SECAGG_DEVICES_MIN || p->cohort > MESSAGE_MEMBERS_MAX)
        return CN_E_COHORT;
    p->around = roster->count + (roster->entries_len > 0);
    p->sealed = calloc(p->around, sizeof *p->sealed);
    p->shares = calloc(2 * (size_t)p->around, sizeof *p->shares);
    p->complaints = calloc(p->around, sizeof *p->complaints);
    p->ids = calloc(p->cohort, sizeof *p->ids);
    return p->sealed && p->shares && p->complaints && p->ids ? CN_OK : CN_E_NOMEM;
}

static void keep_ids(struct participant *p, const struct message_roster *roster)
{
    const struct secagg_entry *entries = message_roster_entries(roster);

    for (uint32_t i = 0; i < p->cohort; i++) {
        if (entries)
            memcpy(p->ids[i], entries[i].device_id, DEVICE_ID_BYTES);
        else
            certificate_device_id(p->ids[i], &roster->members[i].certificate);
    }
}

/* The graph follows from the count, so the aggregator can not choose which of the two it sends: on
 * a ring entries and neighbours, in the complete graph all members. */
static enum cn_err share(struct participant *p, const struct message_roster *roster)
{
    uint32_t degree = secagg_degree(&p->setup.secagg, p->cohort);
    bool is_ring = degree > 0 && degree + 1 < p->cohort;
    struct secagg_roster given = {.entries = message_roster_entries(roster),
                                  .count = p->cohort,
                                  .threshold = roster->threshold,
                                  .neighbours = roster->members,
                                  .neighbours_count = roster->count};

    if (degree == 0)
        return CN_E_THRESHOLD;
    if (is_ring != (roster->entries_len > 0) || (is_ring && roster->count != degree))
        return CN_E_INCONSISTENT;
    if (is_ring)
        return secagg_device_roster_entries(p->device, &given, p->sealed);
    return secagg_device_roster(p->device, roster->members, roster->count, roster->threshold,
                                p->sealed);
}

static enum cn_err answer_roster(struct participant *p, const struct message *in,
                                 struct message *out)
{
    const struct message_roster *roster = &in->as.roster;

    CN_TRY(make_room(p, roster));
    p->threshold = roster->threshold;
    CN_TRY(share(p, roster));
    keep_ids(p, roster);
    out->type = MESSAGE_SHARES;
    out->as.shares = (struct message_shares){p->setup.id, p->sealed, 0};
    return secagg_device_degree(p->device, &out->as.shares.count);
}

/* The plain vector lives in one buffer only, which the caller wipes. */
static enum cn_err encode_and_mask(struct participant *p, uint32_t *vector)
{
    const struct secagg_config *config = &p->setup.secagg;

    CN_TRY(p->setup.encode(p->setup.ctx, vector));
    CN_TRY(p->setup.spend(p->setup.ctx, p->cohort, p->threshold));
    p->spent = true;
    p->blob_len = pack_bytes(config->dim, config->bits);
    p->blob = malloc(p->blob_len);
    if (!p->blob)
        return CN_E_NOMEM;
    CN_TRY(secagg_device_mask_packed(p->device, p->blob, vector));
    hash_blob(p->blob_hash, p->blob, p->blob_len);
    return CN_OK;
}

static enum cn_err answer_inbox(struct participant *p, const struct message *in,
                                struct message *out)
{
    size_t vector_bytes = (size_t)p->setup.secagg.dim * sizeof(uint32_t);
    uint32_t *vector;
    enum cn_err err;

    CN_TRY(secagg_device_shares(p->device, in->as.inbox.sealed, in->as.inbox.count));
    CN_TRY(secagg_device_complaints(p->device, p->complaints, &p->complaint_count));
    vector = calloc(1, vector_bytes);
    if (!vector)
        return CN_E_NOMEM;
    err = encode_and_mask(p, vector);
    explicit_bzero(vector, vector_bytes);
    free(vector);
    if (err != CN_OK)
        return err;
    out->type = MESSAGE_UPLOAD;
    out->as.upload.id = p->setup.id;
    out->as.upload.bytes = p->blob_len;
    memcpy(out->as.upload.hash, p->blob_hash, HASH_BYTES);
    return CN_OK;
}

static enum cn_err answer_survivors(struct participant *p, const struct message *in,
                                    struct message *out)
{
    const struct message_survivors *survivors = &in->as.survivors;

    struct hash hash;

    out->type = MESSAGE_VOUCH;
    out->as.vouch.id = p->setup.id;
    CN_TRY(secagg_device_survivors(p->device, survivors->indices, survivors->count,
                                   out->as.vouch.signature));
    hash_init(&hash, "cairn-survivors");
    for (uint32_t i = 0; i < survivors->count; i++) {
        if (survivors->indices[i] >= p->cohort)
            return CN_E_INCONSISTENT;
        hash_add(&hash, p->ids[survivors->indices[i]], DEVICE_ID_BYTES);
    }
    hash_final(&hash, p->survivors);
    p->has_survivors = true;
    return CN_OK;
}

static enum cn_err answer_vouches(struct participant *p, const struct message *in,
                                  struct message *out)
{
    const struct message_vouches *vouches = &in->as.vouches;

    out->type = MESSAGE_REVEAL;
    out->as.reveal = (struct message_reveal){p->setup.id, p->shares, 0};
    return secagg_device_reveal_edges(p->device, vouches->vouches, vouches->count, p->shares,
                                      &out->as.reveal.count);
}

/* clang-format off */
static const struct {
    enum message_type type;
    enum cn_err (*answer)(struct participant *, const struct message *, struct message *);
} steps[] = {
    [STEP_ROSTER]    = {MESSAGE_ROSTER,    answer_roster},
    [STEP_INBOX]     = {MESSAGE_INBOX,     answer_inbox},
    [STEP_SURVIVORS] = {MESSAGE_SURVIVORS, answer_survivors},
    [STEP_VOUCHES]   = {MESSAGE_VOUCHES,   answer_vouches},
};
/* clang-format on */
_Static_assert(CN_COUNT(steps) == STEP_COUNT, "one row per step");

/* Messages have one encoding, so equal bytes are equal messages. */
static enum cn_err hash_message(uint8_t out[HASH_BYTES], const struct message *message)
{
    struct cn_buf bytes;
    enum cn_err err;

    cn_buf_init(&bytes, MESSAGE_BYTES_MAX);
    err = message_encode(&bytes, message);
    if (err == CN_OK)
        hash_of(out, "cairn-question", bytes.data, bytes.len);
    cn_buf_clear(&bytes);
    return err;
}

static bool find_step(enum message_type type, enum step *out)
{
    for (size_t i = 0; i < STEP_COUNT; i++)
        if (steps[i].type == type) {
            *out = (enum step)i;
            return true;
        }
    return false;
}

static enum cn_err answer_step(struct participant *p, enum step step, const struct message *in,
                               struct message *out)
{
    struct answered *answered = &p->steps[step];
    uint8_t question[HASH_BYTES];

    CN_TRY(hash_message(question, in));
    if (answered->done) {
        if (memcmp(question, answered->question, HASH_BYTES) != 0)
            return CN_E_INCONSISTENT;
        *out = answered->answer;
        return CN_OK;
    }
    if (step > 0 && !p->steps[step - 1].done)
        return CN_E_UNEXPECTED;
    CN_TRY(steps[step].answer(p, in, out));
    answered->done = true;
    answered->answer = *out;
    memcpy(answered->question, question, HASH_BYTES);
    return CN_OK;
}

enum cn_err participant_message(struct participant *p, const struct message *in,
                                struct message *out)
{
    enum cn_err err = CN_E_UNEXPECTED;
    enum step step;

    *out = (struct message){.type = MESSAGE_NONE};
    if (p->ended)
        return CN_E_UNEXPECTED;
    if (find_step(in->type, &step))
        err = answer_step(p, step, in, out);
    if (err != CN_OK) {
        *out = (struct message){.type = MESSAGE_NONE};
        p->ended = true;
        secagg_device_free(p->device); /* wipes the secrets of a round that can not go on */
        p->device = NULL;
    }
    return err;
}

const uint8_t *participant_blob(const struct participant *p, uint64_t *len,
                                uint8_t hash[HASH_BYTES])
{
    *len = p->blob_len;
    memcpy(hash, p->blob_hash, HASH_BYTES);
    return p->steps[STEP_INBOX].done ? p->blob : NULL;
}

bool participant_complaint(const struct participant *p, struct message *out)
{
    *out = (struct message){.type = MESSAGE_COMPLAINT};
    out->as.complaint = (struct message_complaint){p->setup.id, p->complaints, p->complaint_count};
    return p->complaint_count > 0;
}

const uint8_t *participant_survivors(const struct participant *p)
{
    return p->has_survivors ? p->survivors : NULL;
}

bool participant_has_spent(const struct participant *p)
{
    return p->spent;
}
