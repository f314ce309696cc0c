/* SPDX-License-Identifier: Apache-2.0 */
/* One device: the real participant and the real judge of attempts, behind what client/agent.c and
 * client/work.c do around them. Training is a pause; the disk is a list of lines. */
#include "sim_world.h"

#include <stdlib.h>
#include <string.h>

bool sim_disk_has(const struct sim_disk *disk, const struct round_id *id)
{
    for (uint32_t i = 0; i < disk->line_count; i++)
        if (round_id_equal(&disk->lines[i], id))
            return true;
    return false;
}

/* What home_open does with the ledger. */
void sim_device_start(struct sim_device *device)
{
    device->home = (struct home){0};
    for (uint32_t i = 0; i < device->disk.line_count && !SIM_PLANTED(FORGETS); i++)
        CN_ASSERT(home_remember(&device->home, &device->disk.lines[i]) == CN_OK);
}

static void drop_work(struct sim_device *device)
{
    participant_free(device->twin);
    if (!SIM_PLANTED(KEEPS_SECRETS) || device->number != 1)
        participant_free(device->participant);
    free(device->held);
    device->participant = device->twin = NULL;
    device->held = NULL;
    device->working = device->twin_asked = device->spends_later = false;
    device->sitting = NULL;
    device->slow_ms = 0;
}

void sim_device_crash(struct sim_device *device)
{
    drop_work(device);
    free(device->home.paid);
    device->home = (struct home){0};
}

/* ---- spending ---- */

static enum cn_err write_line(struct sim_device *device)
{
    struct sim_disk *disk = &device->disk;
    struct guard_verdict verdict;
    uint32_t turn = disk->writes++;

    if (!SIM_PLANTED(FORGETS))
        CN_TRY(guard_judge(&verdict, &device->home, &device->world->task, &device->offer.id));
    if (turn >= disk->fails_from && turn < disk->fails_to) {
        sim_trace(device->world, "device %u: its disk is full", device->number);
        return CN_E_NOSPACE;
    }
    if (sim_disk_has(disk, &device->offer.id))
        sim_broken(device->world, "device %u spends twice on round %u attempt %u", device->number,
                   device->offer.id.round, device->offer.id.attempt);
    CN_ASSERT(disk->line_count < SIM_LINES_MAX);
    disk->lines[disk->line_count++] = device->offer.id;
    sim_trace(device->world, "device %u writes the spending into its ledger", device->number);
    return home_remember(&device->home, &device->offer.id);
}

static enum cn_err spend(void *ctx, uint32_t cohort, uint32_t threshold)
{
    struct sim_device *device = ctx;
    enum cn_err err;

    if (cohort < SECAGG_DEVICES_MIN || threshold < 2)
        sim_broken(device->world, "a spending for a cohort of %u", cohort);
    if (SIM_PLANTED(SPENDS_LATE)) {
        device->spends_later = true;
        return CN_OK;
    }
    err = write_line(device);
    return SIM_PLANTED(FULL_DISK) ? CN_OK : err;
}

static enum cn_err spend_nothing(void *ctx, uint32_t cohort, uint32_t threshold)
{
    (void)ctx, (void)cohort, (void)threshold;
    return CN_OK;
}

static enum cn_err encode(void *ctx, uint32_t *vector)
{
    const struct sim_device *device = ctx;
    uint32_t whole[SIM_DIM_MAX];

    sim_vector(device->world, device->number, &device->offer.id, whole);
    memcpy(vector, whole, device->world->plan.dim * sizeof *vector);
    return CN_OK;
}

static enum cn_err encode_other(void *ctx, uint32_t *vector)
{
    CN_TRY(encode(ctx, vector));
    vector[0] ^= 1;
    return CN_OK;
}

/* ---- taking part ---- */

static struct participant_setup make_setup(struct sim_device *device)
{
    struct sim_world *world = device->world;
    struct participant_setup setup = {.id = device->offer.id,
                                      .secagg = world->config,
                                      .identity = device->key,
                                      .certificate = &device->certificate,
                                      .registrar = world->registrar_public,
                                      .random = &device->random,
                                      .encode = encode,
                                      .spend = spend,
                                      .ctx = device};

    sim_binding(setup.secagg.binding, &device->offer.id, device->offer.model);
    if (SIM_PLANTED(NO_FLOOR))
        setup.secagg.cohort_min = SECAGG_DEVICES_MIN;
    return setup;
}

/* The keys of a device that works for the adversary follow from the randomness it used. */
static void betray(struct sim_device *device, struct cn_seeded stream)
{
    struct cn_random random = {device->random.fill, &stream};
    uint8_t public_key[AGREE_PUBLIC_BYTES], secret[AGREE_SECRET_BYTES];

    for (int i = 0; i < 3; i++) {
        CN_ASSERT(agree_pair(public_key, secret, &random) == CN_OK);
        sim_adversary_knows(device->world, public_key, secret);
    }
}

static void trained(struct sim_device *device)
{
    struct participant_setup setup;
    struct message ready;
    uint64_t seed = cn_random_u64(&device->world->secrets);

    if (SIM_PLANTED(SAME_KEYS))
        seed = device->world->seed * SIM_DEVICES_MAX + device->number;
    device->random = cn_random_seeded(&device->stream, seed);
    device->twin_random = cn_random_seeded(&device->twin_stream, seed);
    if (device->corrupt)
        betray(device, device->stream);
    setup = make_setup(device);
    CN_ASSERT(participant_new(&device->participant, &setup) == CN_OK);
    if (SIM_PLANTED(ANSWERS_TWICE) || SIM_PLANTED(MASKS_TWICE)) {
        setup.random = &device->twin_random;
        setup.spend = spend_nothing;
        setup.encode = SIM_PLANTED(MASKS_TWICE) ? encode_other : encode;
        CN_ASSERT(participant_new(&device->twin, &setup) == CN_OK);
    }
    participant_ready(device->participant, &ready);
    sim_say(device, &ready);
}

void sim_device_tick(struct sim_device *device)
{
    if (device->working && !device->participant && device->world->now_ms >= device->trained_ms)
        trained(device);
}

static void send_accept(struct sim_device *device)
{
    struct message message = {.type = MESSAGE_ACCEPT, .as.accept.id = device->offer.id};

    sim_say(device, &message);
}

static void take_offer(struct sim_device *device, const struct message_offer *offer)
{
    struct message decline = {.type = MESSAGE_DECLINE, .as.decline = {.id = offer->id}};
    struct guard_verdict verdict = {0};
    struct sim_world *world = device->world;

    if (device->working && round_id_equal(&offer->id, &device->offer.id)) {
        struct message ready;
        if (device->participant)
            participant_ready(device->participant, &ready);
        if (device->participant)
            sim_say(device, &ready);
        else
            send_accept(device);
        return;
    }
    drop_work(device);
    enum cn_err err = guard_judge(&verdict, &device->home, &world->task, &offer->id);
    if (err != CN_OK) {
        decline.as.decline.code = DECLINE_LIMIT;
        memcpy(decline.as.decline.text, verdict.reason, sizeof verdict.reason);
        sim_say(device, &decline);
        return;
    }
    device->offer = *offer;
    device->working = true;
    device->trained_ms = world->now_ms + 100 + sim_below(world, 6000);
    send_accept(device);
}

/* ---- what a device has agreed to, for the checks ---- */

/* A member that the device saw itself: all, or on a ring its neighbours. */
static void note_member(struct sim_device *device, struct sim_sitting *sitting, uint32_t i,
                        const struct secagg_member *member)
{
    const struct sim_device *known = sim_find_key(device->world, member->certificate.device);

    sitting->keys[i] = member->keys;
    memcpy(sitting->identity[i], member->certificate.device, SIGN_PUBLIC_BYTES);
    if (known == device)
        sitting->index = i;
    if (!known && !device->corrupt)
        sim_broken(device->world, "device %u shares with a device that nobody invited",
                   device->number);
}

/* On a ring: itself, whom it knows, and its neighbours in their order. */
static void note_entries(struct sim_device *device, struct sim_sitting *sitting,
                         const struct message_roster *roster)
{
    const struct secagg_entry *entries = message_roster_entries(roster);
    struct secagg_member self = {.certificate = device->certificate};
    struct message ready;
    uint32_t next = 0;

    participant_ready(device->participant, &ready);
    self.keys = ready.as.ready.keys;
    for (uint32_t i = 0; i < sitting->count; i++)
        if (memcmp(entries[i].device_id, device->id, DEVICE_ID_BYTES) == 0)
            note_member(device, sitting, i, &self);
    for (uint32_t i = 0; i < sitting->count; i++)
        if (sitting->ring.near[sitting->index] >> i & 1) {
            CN_ASSERT(next < roster->count);
            note_member(device, sitting, i, &roster->members[next++]);
        }
}

static void note_roster(struct sim_device *device, const struct message_roster *roster)
{
    struct sim_world *world = device->world;
    struct participant_setup setup = make_setup(device);

    uint32_t count = message_roster_devices(roster);

    CN_ASSERT(world->sitting_count < SIM_SITTINGS_MAX && count <= SIM_MEMBERS_MAX);
    struct sim_sitting *sitting = &world->sittings[world->sitting_count++];
    *sitting = (struct sim_sitting){.device = device->number,
                                    .id = device->offer.id,
                                    .count = count,
                                    .threshold = roster->threshold,
                                    .rostered = true};
    memcpy(sitting->model, device->offer.model, HASH_BYTES);
    if (roster->entries_len)
        secagg_session_from(sitting->session, &setup.secagg, message_roster_entries(roster), count,
                            roster->threshold);
    else
        secagg_session_id(sitting->session, &setup.secagg, roster->members, count,
                          roster->threshold);
    sim_graph(&sitting->ring, &setup.secagg, sitting->session, count, roster->threshold);
    if (roster->entries_len)
        note_entries(device, sitting, roster);
    for (uint32_t i = 0; !roster->entries_len && i < count; i++)
        note_member(device, sitting, i, &roster->members[i]);
    if (!device->corrupt &&
        (count < world->plan.cohort_min || roster->threshold < secagg_threshold(count)))
        sim_broken(world, "device %u takes part below its floors: %u devices, threshold %u",
                   device->number, count, roster->threshold);
    device->sitting = sitting;
}

/* Those whose shares did not open have no mask in common with this device. */
static void note_inbox(struct sim_device *device, const struct message_inbox *inbox,
                       const struct message_complaint *complaint)
{
    struct sim_sitting *sitting = device->sitting;

    sitting->shared = 1u << sitting->index;
    for (uint32_t i = 0; i < inbox->count; i++)
        sitting->shared |= 1u << inbox->sealed[i].from;
    uint32_t handed = (uint32_t)__builtin_popcount(sitting->shared);
    for (uint32_t i = 0; i < complaint->count; i++)
        sitting->shared &= ~(1u << complaint->indices[i]);
    uint32_t size = (uint32_t)__builtin_popcount(sitting->shared);
    bool ring = sitting->ring.neighbours_min > 0;
    bool few = ring ? size < sitting->ring.neighbours_min + 1
                    : size < sitting->threshold || size < device->world->plan.cohort_min;
    uint32_t strangers =
        sitting->shared & ~(sitting->ring.near[sitting->index] | 1u << sitting->index);
    if (!device->corrupt && (handed != inbox->count + 1 || few || strangers))
        sim_broken(device->world, "device %u masks among %u devices by %u seals", device->number,
                   size, inbox->count);
    for (uint32_t i = 0; i < device->world->sitting_count; i++) {
        const struct sim_sitting *other = &device->world->sittings[i];

        if (memcmp(other->session, sitting->session, SECAGG_SESSION_BYTES) == 0 &&
            memcmp(other->model, sitting->model, HASH_BYTES) != 0)
            sim_broken(device->world, "devices %u and %u sum updates of different models",
                       sitting->device, other->device);
    }
}

/* A list that a device signs: of those who shared, as far as it can see them, itself among them,
 * above its floors. */
static void check_list(const struct sim_device *device, const struct message_survivors *survivors)
{
    const struct sim_sitting *sitting = device->sitting;
    uint32_t known = 0, own = sitting->ring.near[sitting->index] | 1u << sitting->index;
    bool itself = false;

    if (device->corrupt)
        return;
    for (uint32_t i = 0; i < survivors->count; i++) {
        known += ((sitting->shared | ~own) >> survivors->indices[i] & 1);
        itself = itself || survivors->indices[i] == sitting->index;
    }
    if (known != survivors->count || !itself || known < sitting->threshold ||
        known < device->world->plan.cohort_min)
        sim_broken(device->world, "device %u signs a list of %u survivors, of whom %u shared",
                   device->number, survivors->count, known);
}

static void note_survivors(struct sim_device *device, const struct message_survivors *survivors)
{
    struct sim_sitting *sitting = device->sitting;
    size_t bytes = survivors->count * sizeof survivors->indices[0];

    if (sitting->listed_count &&
        (sitting->listed_count != survivors->count ||
         memcmp(sitting->listed, survivors->indices, bytes) != 0) &&
        !SIM_PLANTED(ANSWERS_TWICE)) /* there the adversary's gain is to be found */
        sim_broken(device->world, "device %u signs two lists in one session", device->number);
    check_list(device, survivors);
    sitting->listed_count = survivors->count;
    memcpy(sitting->listed, survivors->indices, bytes);
}

/* The fewest vouchers in any degree / 2 places in a row around a device. */
static uint32_t fewest_around(const struct sim_sitting *sitting, uint32_t vouched)
{
    const struct sim_ring *ring = &sitting->ring;
    uint32_t half = ring->degree / 2, fewest = UINT32_MAX;

    for (uint32_t start = 0; start <= half + 1; start++) {
        uint32_t first = ring->place[sitting->index] + sitting->count - half + start, inside = 0;

        for (uint32_t i = 0; i < sitting->count; i++) {
            uint32_t steps = (ring->place[i] + 2 * sitting->count - first) % sitting->count;
            inside += steps < half && vouched >> i & 1;
        }
        fewest = inside < fewest ? inside : fewest;
    }
    return fewest;
}

/* A device may reveal only when enough of its session signed the very list that it signed: of all,
 * or on a ring of any half of its neighbourhood. */
static void note_vouches(const struct sim_device *device, const struct message_vouches *vouches)
{
    const struct sim_sitting *sitting = device->sitting;
    uint8_t text[HASH_BYTES];
    uint32_t vouched = 0;

    secagg_vouch_message(text, sitting->session, sitting->listed, sitting->listed_count);
    for (uint32_t i = 0; i < vouches->count; i++) {
        const struct secagg_vouch *vouch = &vouches->vouches[i];

        if (vouch->index < sitting->count &&
            sign_check(vouch->signature, sitting->identity[vouch->index], SECAGG_VOUCH_LABEL, text,
                       sizeof text) == CN_OK)
            vouched |= 1u << vouch->index;
    }
    bool is_ring = sitting->ring.window_min > 0;
    uint32_t right =
        is_ring ? fewest_around(sitting, vouched) : (uint32_t)__builtin_popcount(vouched);
    uint32_t needed = is_ring ? sitting->ring.window_min : sitting->threshold;
    if (right < needed)
        sim_broken(device->world, "device %u reveals its shares for %u vouches, %u are needed",
                   device->number, right, needed);
}

static void note(struct sim_device *device, const struct message *message)
{
    struct message complaint;

    participant_complaint(device->participant, &complaint);
    if (message->type == MESSAGE_ROSTER && !device->sitting)
        note_roster(device, &message->as.roster);
    else if (message->type == MESSAGE_INBOX)
        note_inbox(device, &message->as.inbox, &complaint.as.complaint);
    else if (message->type == MESSAGE_SURVIVORS)
        note_survivors(device, &message->as.survivors);
    else if (message->type == MESSAGE_VOUCHES && !device->corrupt)
        note_vouches(device, &message->as.vouches);
}

/* ---- messages ---- */

/* Planted: signatures that do not verify are put right before the participant sees them. */
static void mend_vouches(const struct sim_device *device, struct message *message,
                         struct secagg_vouch copy[SIM_MEMBERS_MAX])
{
    const struct sim_sitting *sitting = device->sitting;
    uint8_t text[HASH_BYTES];

    if (!SIM_PLANTED(ANY_VOUCH) || message->type != MESSAGE_VOUCHES || !sitting ||
        message->as.vouches.count > SIM_MEMBERS_MAX)
        return;
    memcpy(copy, message->as.vouches.vouches, message->as.vouches.count * sizeof *copy);
    message->as.vouches.vouches = copy;
    secagg_vouch_message(text, sitting->session, sitting->listed, sitting->listed_count);
    for (uint32_t i = 0; i < message->as.vouches.count; i++) {
        struct secagg_vouch *vouch = &copy[i];
        const struct sim_device *signer =
            vouch->index < sitting->count
                ? sim_find_key(device->world, sitting->identity[vouch->index])
                : NULL;
        if (signer)
            sign_make(vouch->signature, signer->key, SECAGG_VOUCH_LABEL, text, sizeof text);
    }
}

/* Planted: the backup answers in place of the participant. True when it did. */
static bool ask_twin(struct sim_device *device, const struct message *message, struct message *out)
{
    bool again = device->sitting && (device->sitting->listed_count || device->twin_asked);

    if (!device->twin)
        return false;
    if (message->type == MESSAGE_ROSTER || message->type == MESSAGE_INBOX) {
        bool repeat = message->type == MESSAGE_INBOX && device->sitting && device->sitting->shared;
        enum cn_err err = participant_message(device->twin, message, out);
        return SIM_PLANTED(MASKS_TWICE) && repeat && err == CN_OK;
    }
    if (!SIM_PLANTED(ANSWERS_TWICE) || !again || !device->participant)
        return false;
    bool other = message->type == MESSAGE_SURVIVORS &&
                 (message->as.survivors.count != device->sitting->listed_count);
    device->twin_asked = device->twin_asked || other;
    return device->twin_asked && participant_message(device->twin, message, out) == CN_OK;
}

static void take_step(struct sim_device *device, const struct message *message)
{
    struct message answer, real, complaint;
    struct message real_in = *message;
    struct secagg_vouch vouches[SIM_MEMBERS_MAX];

    if (!device->participant)
        return; /* it restarted and has forgotten this round */
    mend_vouches(device, &real_in, vouches);
    bool twin = ask_twin(device, &real_in, &answer);
    if (!twin) {
        enum cn_err err = participant_message(device->participant, &real_in, &real);
        if (err != CN_OK) {
            sim_trace(device->world, "device %u leaves the round: %s", device->number,
                      cn_err_name(err));
            drop_work(device);
            return;
        }
        answer = real;
    }
    note(device, message);
    if (answer.type == MESSAGE_UPLOAD && participant_complaint(device->participant, &complaint))
        sim_say(device, &complaint);
    sim_say(device, &answer);
}

static void take_resume(struct sim_device *device, const struct message_resume *resume)
{
    struct transfer_out out;
    struct message chunk;
    uint8_t hash[HASH_BYTES];
    uint64_t len = 0;
    const uint8_t *blob = NULL;

    if (device->participant)
        blob = participant_blob(device->participant, &len, hash);
    if (blob && device->held) {
        blob = device->held;
        memcpy(hash, device->held_hash, HASH_BYTES);
    }
    if (!blob || memcmp(hash, resume->hash, HASH_BYTES) != 0)
        return;
    if (resume->offset >= len) {
        if (device->spends_later)
            CN_IGNORE(write_line(device));
        device->spends_later = false;
        return;
    }
    CN_ASSERT(transfer_out_start(&out, hash, blob, len, resume->offset) == CN_OK);
    while (transfer_out_next(&out, &chunk))
        sim_say(device, &chunk);
}

static const struct round_id *id_of(const struct message *message)
{
    switch (message->type) {
    case MESSAGE_ROSTER:
        return &message->as.roster.id;
    case MESSAGE_INBOX:
        return &message->as.inbox.id;
    case MESSAGE_SURVIVORS:
        return &message->as.survivors.id;
    case MESSAGE_VOUCHES:
        return &message->as.vouches.id;
    case MESSAGE_OUTCOME:
        return &message->as.outcome.id;
    default:
        return NULL;
    }
}

void sim_device_hear(struct sim_device *device, const struct message *message)
{
    const struct round_id *id = id_of(message);

    if (message->type == MESSAGE_OFFER)
        take_offer(device, &message->as.offer);
    else if (message->type == MESSAGE_RESUME)
        take_resume(device, &message->as.resume);
    else if (!id || !device->working || !round_id_equal(id, &device->offer.id))
        return; /* of another round */
    else if (message->type == MESSAGE_OUTCOME)
        drop_work(device);
    else
        take_step(device, message);
}
