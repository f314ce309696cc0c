/* SPDX-License-Identifier: Apache-2.0 */
/* The aggregator that lies. It keeps no rule of the protocol that it does not need: whatever
 * devices answer, it goes on at its own times, session after session, and hands everything it
 * hears to sim_adversary.c. */
#include <stdlib.h>
#include <string.h>

#include "crypto/pack.h"
#include "sim_world.h"

enum { SESSIONS = 2, RECORDS_MAX = 512, VICTIM_NONE = SIM_DEVICES_MAX };

enum stage {
    STAGE_OFFER,
    STAGE_ROSTER,
    STAGE_INBOX,
    STAGE_SURVIVORS,
    STAGE_VOUCHES,
    STAGE_AGAIN_SURVIVORS,
    STAGE_AGAIN_VOUCHES,
    STAGE_REPLAY, /* the same again, from the record */
    STAGE_END = STAGE_REPLAY + STAGE_VOUCHES + 1
};

struct puppet {
    struct sign_key *key;
    struct secagg_member member;
    uint8_t seal_secret[AGREE_SECRET_BYTES];
};

/* What was sent to a device, to be sent again. */
struct record {
    enum stage stage;
    uint32_t to;
    struct message message; /* arrays copied */
    void *array;
    uint8_t *entries; /* of a ROSTER, or NULL */
};

struct sim_evil {
    uint32_t sessions;
    enum stage stage;
    uint64_t next_ms;
    struct round_id id;
    struct secagg_config config;
    uint8_t model[HASH_BYTES], other_model[HASH_BYTES];
    uint32_t victim;
    struct secagg_member ready[SIM_DEVICES_MAX];
    bool is_ready[SIM_DEVICES_MAX], uploaded[SIM_DEVICES_MAX];
    struct sign_key *registrar; /* its own */
    struct puppet puppets[SIM_PUPPETS_MAX];
    uint32_t puppet_count;
    struct secagg_member members[SIM_MEMBERS_MAX]; /* sorted; the roster for most */
    uint32_t count, threshold;
    struct secagg_member swapped[SIM_MEMBERS_MAX]; /* the victim's, with keys that it made */
    uint8_t swapped_secret[SIM_MEMBERS_MAX][AGREE_SECRET_BYTES];
    struct secagg_sealed box[SIM_MEMBERS_MAX][SIM_MEMBERS_MAX]; /* from, to */
    bool shared[SIM_MEMBERS_MAX];
    struct sim_ring rings[2]; /* by the roster, and by the victim's */
    uint32_t lists[2][SIM_MEMBERS_MAX], list_count[2];
    struct secagg_vouch vouches[2][SIM_MEMBERS_MAX];
    bool vouched[2][SIM_MEMBERS_MAX];
    uint32_t told[SIM_DEVICES_MAX]; /* which list */
    struct record *records;
    uint32_t record_count;
};

static const char *const attack_texts[] = {
#define X(NAME, text) text,
    SIM_ATTACKS(X)
#undef X
};

static bool attacks(const struct sim_world *world, enum sim_attack attack)
{
    return world->plan.attacks >> attack & 1;
}

static void free_record(struct record *record)
{
    free(record->array);
    free(record->entries);
}

void sim_evil_start(struct sim_world *world)
{
    struct sim_evil *evil = calloc(1, sizeof *evil);

    CN_ASSERT(evil);
    world->evil = evil;
    evil->records = calloc(RECORDS_MAX, sizeof *evil->records);
    CN_ASSERT(evil->records);
    CN_ASSERT(sign_key_new(&evil->registrar, &world->secrets) == CN_OK);
    evil->next_ms = 3500;
    for (int i = 0; i < SIM_ATTACK_COUNT; i++)
        if (attacks(world, (enum sim_attack)i))
            sim_trace(world, "THE AGGREGATOR LIES: it %s", attack_texts[i]);
    world->counts.attacks++;
}

static void forget(struct sim_evil *evil)
{
    for (uint32_t i = 0; i < evil->puppet_count; i++)
        sign_key_free(evil->puppets[i].key);
    for (uint32_t i = 0; i < evil->record_count; i++)
        free_record(&evil->records[i]);
    evil->puppet_count = evil->record_count = 0;
}

void sim_evil_free(struct sim_world *world)
{
    forget(world->evil);
    sign_key_free(world->evil->registrar);
    free(world->evil->records);
    free(world->evil);
}

bool sim_evil_done(const struct sim_world *world)
{
    return world->evil->sessions == SESSIONS;
}

static void tell(struct sim_world *world, uint32_t to, const struct message *message,
                 const void *array, size_t bytes)
{
    struct sim_evil *evil = world->evil;

    sim_post(world, SIM_AGGREGATOR, (int)to, message);
    if (evil->record_count == RECORDS_MAX || !attacks(world, SIM_ATTACK_REPLAY))
        return;
    struct record *record = &evil->records[evil->record_count++];
    *record = (struct record){.stage = evil->stage, .to = to, .message = *message};
    record->array = bytes ? malloc(bytes) : NULL;
    if (bytes)
        memcpy(record->array, array, bytes);
    if (message->type != MESSAGE_ROSTER || !message->as.roster.entries_len)
        return;
    record->entries = malloc(message->as.roster.entries_len);
    memcpy(record->entries, message->as.roster.entries, message->as.roster.entries_len);
}

/* ---- devices that it makes up ---- */

/* Keys whose secrets it knows, signed by whom it likes. */
static void make_keys(struct sim_world *world, struct secagg_keys *keys, const struct sign_key *by,
                      uint8_t seal_secret[AGREE_SECRET_BYTES])
{
    uint8_t *publics[] = {keys->mask_public, keys->self_public, keys->seal_public};

    for (size_t i = 0; i < CN_COUNT(publics); i++) {
        CN_ASSERT(agree_pair(publics[i], seal_secret, &world->secrets) == CN_OK);
        sim_adversary_knows(world, publics[i], seal_secret);
    }
    secagg_keys_sign(keys, &world->evil->config, by);
}

static void invent(struct sim_world *world)
{
    struct sim_evil *evil = world->evil;
    struct puppet *puppet = &evil->puppets[evil->puppet_count++];
    const struct sign_key *registrar = SIM_PLANTED(ANY_DEVICE) ? world->registrar : evil->registrar;
    struct invitation invitation;
    struct sign_key *one_time = NULL;

    CN_ASSERT(invitation_make(&invitation, &one_time, registrar, 1, 2000000000, &world->secrets) ==
              CN_OK);
    CN_ASSERT(sign_key_new(&puppet->key, &world->secrets) == CN_OK);
    CN_ASSERT(certificate_make(&puppet->member.certificate, &invitation, one_time, puppet->key,
                               "puppet", 1700000000) == CN_OK);
    sign_key_free(one_time);
    make_keys(world, &puppet->member.keys, puppet->key, puppet->seal_secret);
}

/* Sealed shares from someone whose secret it knows: they open, whatever they hold. */
static void seal_fake(struct sim_world *world, const struct secagg_member *members,
                      const uint8_t seal_secret[AGREE_SECRET_BYTES], struct secagg_sealed *sealed)
{
    struct sim_evil *evil = world->evil;
    uint8_t session[SECAGG_SESSION_BYTES], key[SEAL_KEY_BYTES];
    struct secagg_pair_of_shares shares;
    struct secagg_channel channel;
    struct seal_binding binding = {SECAGG_SHARE_LABEL, channel.bytes, sizeof channel.bytes};

    secagg_session_id(session, &evil->config, members, evil->count, evil->threshold);
    agree_scalar(shares.of_self, &world->secrets);
    agree_scalar(shares.of_mask, &world->secrets);
    secagg_channel_make(&channel, session, sealed->from, sealed->to);
    if (secagg_seal_key(key, session, sealed->from, sealed->to, seal_secret,
                        members[sealed->to].keys.seal_public) == CN_OK)
        seal_make(sealed->bytes, &shares, sizeof shares, &binding, key, &world->secrets);
}

static void share_puppet(struct sim_world *world, const struct puppet *puppet, uint32_t from)
{
    struct sim_evil *evil = world->evil;

    for (uint32_t to = 0; to < evil->count; to++) {
        if (to != from && !(evil->rings[0].near[from] >> to & 1))
            continue;
        evil->box[from][to] = (struct secagg_sealed){.from = from, .to = to};
        seal_fake(world, evil->members, puppet->seal_secret, &evil->box[from][to]);
    }
    evil->shared[from] = true;
}

/* ---- who is where ---- */

static int by_id(const void *a, const void *b)
{
    uint8_t one[DEVICE_ID_BYTES], two[DEVICE_ID_BYTES];

    certificate_device_id(one, &((const struct secagg_member *)a)->certificate);
    certificate_device_id(two, &((const struct secagg_member *)b)->certificate);
    return memcmp(one, two, sizeof one);
}

/* The position of a key's owner in the roster, or -1. */
static int position(const struct sim_evil *evil, const uint8_t key[SIGN_PUBLIC_BYTES])
{
    for (uint32_t i = 0; i < evil->count; i++)
        if (memcmp(evil->members[i].certificate.device, key, SIGN_PUBLIC_BYTES) == 0)
            return (int)i;
    return -1;
}

static int position_of(const struct sim_world *world, uint32_t device)
{
    return position(world->evil, world->devices[device].certificate.device);
}

static const struct puppet *puppet_at(const struct sim_evil *evil, uint32_t index)
{
    for (uint32_t i = 0; i < evil->puppet_count; i++)
        if (position(evil, evil->puppets[i].member.certificate.device) == (int)index)
            return &evil->puppets[i];
    return NULL;
}

/* ---- stages ---- */

static void restart_all(struct sim_world *world)
{
    for (uint32_t i = 0; i < world->plan.devices; i++) {
        sim_device_crash(&world->devices[i]);
        sim_device_start(&world->devices[i]);
    }
}

static void stage_offer(struct sim_world *world)
{
    struct sim_evil *evil = world->evil;
    struct message message = {.type = MESSAGE_OFFER};

    forget(evil);
    memset(evil->is_ready, 0, sizeof evil->is_ready);
    memset(evil->uploaded, 0, sizeof evil->uploaded);
    memset(evil->shared, 0, sizeof evil->shared);
    memset(evil->vouched, 0, sizeof evil->vouched);
    evil->count = 0;
    evil->id = (struct round_id){{9}, 1, evil->sessions + 1};
    if (attacks(world, SIM_ATTACK_REPLAY)) {
        evil->id.attempt = 1; /* which was paid for in the first session */
        restart_all(world);
    }
    memset(evil->model, 3, HASH_BYTES);
    memset(evil->other_model, 4, HASH_BYTES);
    evil->victim =
        world->plan.corrupt + sim_below(world, world->plan.devices - world->plan.corrupt);
    evil->config = world->config;
    sim_binding(evil->config.binding, &evil->id, evil->model);
    for (uint32_t i = 0; i < world->plan.devices; i++) {
        bool other = i == evil->victim && attacks(world, SIM_ATTACK_MODELS);

        message.as.offer = (struct message_offer){
            .id = evil->id, .plan_bytes = 1, .model_bytes = 1, .rounds = 1, .train_ms = 1};
        memcpy(message.as.offer.model, other ? evil->other_model : evil->model, HASH_BYTES);
        tell(world, i, &message, NULL, 0);
    }
}

static void gather_members(struct sim_world *world)
{
    struct sim_evil *evil = world->evil;

    for (uint32_t i = 0; i < world->plan.devices; i++) {
        bool ours = world->devices[i].corrupt || i == evil->victim;

        if (evil->is_ready[i] && (ours || !attacks(world, SIM_ATTACK_COHORT)))
            evil->members[evil->count++] = evil->ready[i];
    }
    for (uint32_t i = 0; attacks(world, SIM_ATTACK_INVENT) && i < SIM_PUPPETS_MAX; i++) {
        invent(world);
        evil->members[evil->count++] = evil->puppets[i].member;
    }
    if (attacks(world, SIM_ATTACK_TWICE_KEYS) && evil->is_ready[0] && evil->is_ready[evil->victim])
        for (uint32_t i = 0; i < evil->count; i++)
            if (memcmp(evil->members[i].certificate.device, world->devices[0].certificate.device,
                       SIGN_PUBLIC_BYTES) == 0) {
                evil->members[i].keys = evil->ready[evil->victim].keys;
                secagg_keys_sign(&evil->members[i].keys, &evil->config, world->devices[0].key);
            }
    qsort(evil->members, evil->count, sizeof evil->members[0], by_id);
    evil->threshold = secagg_threshold(evil->count);
    if (attacks(world, SIM_ATTACK_THRESHOLD) || attacks(world, SIM_ATTACK_COHORT))
        evil->threshold = world->plan.corrupt < 2 ? 2 : world->plan.corrupt;
}

static void find_neighbours(const struct sim_evil *evil, const struct secagg_member *members,
                            struct sim_ring *ring)
{
    uint8_t session[SECAGG_SESSION_BYTES];

    secagg_session_id(session, &evil->config, members, evil->count, evil->threshold);
    sim_graph(ring, &evil->config, session, evil->count, evil->threshold);
}

/* A device's roster: everybody, or on a ring entries and those that are its neighbours there. */
static void tell_roster(struct sim_world *world, uint32_t to, struct secagg_member *members,
                        const struct sim_ring *ring)
{
    const struct sim_evil *evil = world->evil;
    struct message message = {.type = MESSAGE_ROSTER,
                              .as.roster = {.id = evil->id, .threshold = evil->threshold}};
    struct message_roster *roster = &message.as.roster;
    struct secagg_entry entries[SIM_MEMBERS_MAX];
    struct secagg_member near[SIM_MEMBERS_MAX];
    int place = position_of(world, to);
    bool whole = ring->degree + 1 >= evil->count;

    if (place < 0)
        return;
    roster->members = whole ? members : near;
    roster->count = whole ? evil->count : 0;
    for (uint32_t i = 0; !whole && i < evil->count; i++) {
        secagg_entry_of(&entries[i], &members[i]);
        if (ring->near[place] >> i & 1)
            near[roster->count++] = members[i];
    }
    roster->entries = (const uint8_t *)entries;
    roster->entries_len = whole ? 0 : evil->count * sizeof entries[0];
    tell(world, to, &message, roster->members, roster->count * sizeof near[0]);
}

static void stage_roster(struct sim_world *world)
{
    struct sim_evil *evil = world->evil;
    struct secagg_member *swapped = evil->swapped;

    gather_members(world);
    if (evil->count == 0)
        return;
    memcpy(swapped, evil->members, sizeof evil->swapped);
    for (uint32_t i = 0; attacks(world, SIM_ATTACK_SWAP_KEYS) && i < evil->count; i++)
        if ((int)i != position_of(world, evil->victim))
            make_keys(world, &swapped[i].keys, world->devices[0].key, evil->swapped_secret[i]);
    find_neighbours(evil, evil->members, &evil->rings[0]);
    find_neighbours(evil, swapped, &evil->rings[1]);
    for (uint32_t i = 0; i < world->plan.devices; i++) {
        bool victim = i == evil->victim;

        tell_roster(world, i, victim ? swapped : evil->members, &evil->rings[victim]);
    }
    for (uint32_t i = 0; i < evil->count; i++) {
        const struct puppet *puppet = puppet_at(evil, i);
        if (puppet)
            share_puppet(world, puppet, i);
    }
}

static bool is_ours(struct sim_world *world, uint32_t index)
{
    const struct sim_device *device =
        sim_find_key(world, world->evil->members[index].certificate.device);

    return !device || device->corrupt;
}

static void stage_inbox(struct sim_world *world)
{
    struct sim_evil *evil = world->evil;
    struct secagg_sealed sealed[SIM_MEMBERS_MAX];

    for (uint32_t i = 0; i < world->plan.devices; i++) {
        struct message message = {.type = MESSAGE_INBOX, .as.inbox = {evil->id, sealed, 0}};
        int own = position_of(world, i);
        uint32_t left_out = attacks(world, SIM_ATTACK_INBOXES) ? (uint32_t)own + 1 : evil->count;

        if (attacks(world, SIM_ATTACK_GHOSTS) && i != evil->victim)
            left_out = (uint32_t)position_of(world, evil->victim);
        bool swaps = attacks(world, SIM_ATTACK_SWAP_KEYS) && i == evil->victim;
        for (uint32_t from = 0; own >= 0 && from < evil->count; from++)
            if (evil->rings[swaps].near[own] >> from & 1 && evil->shared[from] &&
                from != left_out) {
                sealed[message.as.inbox.count] = evil->box[from][own];
                sealed[message.as.inbox.count++].from = from;
            }
        for (uint32_t k = 0; k < message.as.inbox.count; k++)
            sealed[k].to = (uint32_t)own;
        if (swaps)
            for (uint32_t k = 0; k < message.as.inbox.count; k++)
                seal_fake(world, evil->swapped, evil->swapped_secret[sealed[k].from], &sealed[k]);
        if (attacks(world, SIM_ATTACK_STRANGERS) && i == evil->victim && message.as.inbox.count)
            sealed[0] = evil->box[sealed[0].from][(own + 1) % (int)evil->count];
        else if (attacks(world, SIM_ATTACK_STRANGERS) && message.as.inbox.count > 1)
            sealed[1] = sealed[0];
        for (uint32_t k = 0; attacks(world, SIM_ATTACK_SPOILED) && k < message.as.inbox.count; k++)
            sealed[k].bytes[9] ^= i == evil->victim && !is_ours(world, sealed[k].from);
        if (attacks(world, SIM_ATTACK_FEW) && evil->sessions > 0 &&
            message.as.inbox.count > world->plan.corrupt)
            message.as.inbox.count = world->plan.corrupt;
        if (own >= 0 && evil->shared[own])
            tell(world, i, &message, sealed, message.as.inbox.count * sizeof *sealed);
    }
}

/* List 0 holds the victim; list 1 does not. */
static void make_lists(struct sim_world *world)
{
    struct sim_evil *evil = world->evil;
    int victim = position_of(world, evil->victim);

    evil->list_count[0] = evil->list_count[1] = 0;
    for (uint32_t i = 0; i < evil->count; i++) {
        struct sim_device *device = sim_find_key(world, evil->members[i].certificate.device);
        bool ours = !device || device->corrupt;

        if (device && !evil->uploaded[device->number] && !device->corrupt &&
            !attacks(world, SIM_ATTACK_GHOSTS))
            continue;
        if (attacks(world, SIM_ATTACK_FEW) && !ours && (int)i != victim)
            continue;
        evil->lists[0][evil->list_count[0]++] = i;
        if ((int)i != victim)
            evil->lists[1][evil->list_count[1]++] = i;
    }
}

static void stage_survivors(struct sim_world *world, bool again)
{
    struct sim_evil *evil = world->evil;
    bool split = attacks(world, SIM_ATTACK_TWO_LISTS) || attacks(world, SIM_ATTACK_VOUCHES);

    if (!again)
        make_lists(world);
    for (uint32_t i = 0; i < world->plan.devices; i++) {
        uint32_t list = split && i % 2 && i != evil->victim;

        if (again && i != evil->victim)
            list = !list;
        evil->told[i] = list;
        struct message message = {
            .type = MESSAGE_SURVIVORS,
            .as.survivors = {evil->id, evil->lists[list], evil->list_count[list]}};
        if (position_of(world, i) >= 0 && evil->list_count[list])
            tell(world, i, &message, evil->lists[list], evil->list_count[list] * sizeof(uint32_t));
    }
}

/* What its own devices sign: whatever it needs. */
static bool sign_for(struct sim_world *world, uint32_t list, uint32_t index,
                     struct secagg_vouch *out)
{
    struct sim_evil *evil = world->evil;
    const struct sim_device *device = sim_find_key(world, evil->members[index].certificate.device);
    const struct puppet *puppet = puppet_at(evil, index);
    uint8_t session[SECAGG_SESSION_BYTES], text[HASH_BYTES];

    if (!puppet && !device->corrupt)
        return false;
    secagg_session_id(session, &evil->config, evil->members, evil->count, evil->threshold);
    secagg_vouch_message(text, session, evil->lists[list], evil->list_count[list]);
    out->index = index;
    sign_make(out->signature, puppet ? puppet->key : device->key, SECAGG_VOUCH_LABEL, text,
              sizeof text);
    return true;
}

static void stage_vouches(struct sim_world *world)
{
    struct sim_evil *evil = world->evil;
    bool forge = attacks(world, SIM_ATTACK_VOUCHES);
    struct secagg_vouch vouches[SIM_MEMBERS_MAX];

    for (uint32_t i = 0; i < world->plan.devices; i++) {
        uint32_t list = evil->told[i];
        struct message message = {.type = MESSAGE_VOUCHES, .as.vouches = {evil->id, vouches, 0}};
        uint32_t *count = &message.as.vouches.count;

        for (uint32_t k = 0; k < evil->list_count[list]; k++) {
            uint32_t index = evil->lists[list][k];

            if (sign_for(world, list, index, &vouches[*count]))
                (*count)++;
            else if (evil->vouched[list][index])
                vouches[(*count)++] = evil->vouches[list][index];
            else if (forge && evil->vouched[!list][index])
                vouches[(*count)++] = evil->vouches[!list][index];
            else if (forge)
                vouches[(*count)++] = (struct secagg_vouch){.index = index};
        }
        if (position_of(world, i) >= 0 && *count)
            tell(world, i, &message, vouches, *count * sizeof *vouches);
    }
}

/* Plays the record of one stage. */
static void stage_replay(struct sim_world *world, enum stage stage)
{
    struct sim_evil *evil = world->evil;

    if (stage == STAGE_OFFER)
        restart_all(world);
    for (uint32_t i = 0; i < evil->record_count; i++) {
        struct record *record = &evil->records[i];
        struct message *message = &record->message;

        if (record->stage != stage)
            continue;
        if (message->type == MESSAGE_ROSTER) {
            message->as.roster.members = record->array;
            message->as.roster.entries = record->entries;
        }
        if (message->type == MESSAGE_INBOX)
            message->as.inbox.sealed = record->array;
        if (message->type == MESSAGE_SURVIVORS)
            message->as.survivors.indices = record->array;
        if (message->type == MESSAGE_VOUCHES)
            message->as.vouches.vouches = record->array;
        sim_post(world, SIM_AGGREGATOR, (int)record->to, message);
    }
}

static void end_session(struct sim_world *world)
{
    sim_trace(world, "THE SESSION ENDS");
    sim_adversary_check(world);
    world->evil->sessions++;
    world->evil->stage = STAGE_OFFER;
    world->evil->next_ms = world->now_ms + 1000;
}

void sim_evil_tick(struct sim_world *world)
{
    struct sim_evil *evil = world->evil;
    enum stage stage = evil->stage;
    uint64_t turn = 2 * (uint64_t)world->plan.delay_ms + 300;

    if (world->now_ms < evil->next_ms)
        return;
    if (stage == STAGE_END || (stage == STAGE_REPLAY && !attacks(world, SIM_ATTACK_REPLAY))) {
        end_session(world);
        return;
    }
    sim_trace(world, "the aggregator's stage %d", (int)stage);
    if (stage == STAGE_OFFER)
        stage_offer(world);
    else if (stage == STAGE_ROSTER)
        stage_roster(world);
    else if (stage == STAGE_INBOX)
        stage_inbox(world);
    else if (stage == STAGE_SURVIVORS || stage == STAGE_AGAIN_SURVIVORS)
        stage_survivors(world, stage == STAGE_AGAIN_SURVIVORS);
    else if (stage == STAGE_VOUCHES || stage == STAGE_AGAIN_VOUCHES)
        stage_vouches(world);
    else
        stage_replay(world, (enum stage)(stage - STAGE_REPLAY));
    bool trains = stage == STAGE_OFFER || stage == STAGE_REPLAY;
    evil->stage = (enum stage)(stage + 1);
    evil->next_ms = world->now_ms + turn * (stage == STAGE_INBOX ? 2 : 1) + (trains ? 6500 : 0);
    /* Only these attacks ask a second time. */
    if (evil->stage == STAGE_AGAIN_SURVIVORS && !attacks(world, SIM_ATTACK_ASK_TWICE) &&
        !attacks(world, SIM_ATTACK_TWO_LISTS))
        evil->stage = STAGE_REPLAY;
}

/* ---- what devices say ---- */

static void take_shares(struct sim_world *world, uint32_t device,
                        const struct message_shares *shares)
{
    struct sim_evil *evil = world->evil;
    int own = position_of(world, device);

    for (uint32_t i = 0; own >= 0 && i < shares->count; i++)
        if (shares->sealed[i].to < evil->count)
            evil->box[own][shares->sealed[i].to] = shares->sealed[i];
    if (own >= 0)
        evil->shared[own] = true;
}

static void take_upload(struct sim_world *world, uint32_t device,
                        const struct message_upload *upload)
{
    struct message message = {.type = MESSAGE_RESUME};

    memcpy(message.as.resume.hash, upload->hash, HASH_BYTES);
    sim_post(world, SIM_AGGREGATOR, (int)device, &message);
}

static void take_vouch(struct sim_world *world, uint32_t device, const struct message_vouch *vouch)
{
    struct sim_evil *evil = world->evil;
    uint32_t list = evil->told[device];
    int own = position_of(world, device);

    if (own < 0)
        return;
    evil->vouches[list][own].index = (uint32_t)own;
    memcpy(evil->vouches[list][own].signature, vouch->signature, SIGN_BYTES);
    evil->vouched[list][own] = true;
}

void sim_evil_hear(struct sim_world *world, struct sim_device *from, const struct message *message)
{
    struct sim_evil *evil = world->evil;
    uint32_t i = from->number;

    if (message->type == MESSAGE_READY && evil->stage == STAGE_ROSTER &&
        round_id_equal(&message->as.ready.id, &evil->id)) {
        evil->ready[i].certificate = from->certificate;
        evil->ready[i].keys = message->as.ready.keys;
        evil->is_ready[i] = true;
    } else if (message->type == MESSAGE_SHARES) {
        take_shares(world, i, &message->as.shares);
    } else if (message->type == MESSAGE_UPLOAD) {
        take_upload(world, i, &message->as.upload);
    } else if (message->type == MESSAGE_CHUNK) {
        evil->uploaded[i] = true;
        world->counts.uploads++;
    } else if (message->type == MESSAGE_VOUCH) {
        take_vouch(world, i, &message->as.vouch);
    }
}
