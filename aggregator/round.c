/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/round_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/hash.h"
#include "crypto/pack.h"

enum { ANSWERS_MAX = 3 };

/* One phase: who is asked what, which answers count, how it is closed, what comes next. */
struct stage {
    const char *name;
    bool (*takes_part)(const struct round *round, const struct seat *seat);
    void (*ask)(struct round *round, struct seat *seat, uint64_t now_ms);
    struct {
        enum message_type type;
        enum cn_err (*handle)(struct round *round, struct seat *seat, const struct message *);
    } answers[ANSWERS_MAX];
    enum cn_err (*close)(struct round *round); /* CN_E_COHORT, CN_E_THRESHOLD: too few came */
    enum round_phase next;
};

static bool part_train(const struct round *round, const struct seat *seat);
static bool part_shares(const struct round *round, const struct seat *seat);
static bool part_upload(const struct round *round, const struct seat *seat);
static bool part_vouch(const struct round *round, const struct seat *seat);
static bool part_reveal(const struct round *round, const struct seat *seat);
static void ask_train(struct round *round, struct seat *seat, uint64_t now_ms);
static void ask_shares(struct round *round, struct seat *seat, uint64_t now_ms);
static void ask_upload(struct round *round, struct seat *seat, uint64_t now_ms);
static void ask_vouch(struct round *round, struct seat *seat, uint64_t now_ms);
static void ask_reveal(struct round *round, struct seat *seat, uint64_t now_ms);
static enum cn_err close_gather(struct round *round);
static enum cn_err close_train(struct round *round);
static enum cn_err close_shares(struct round *round);
static enum cn_err close_upload(struct round *round);
static enum cn_err close_vouch(struct round *round);
static enum cn_err close_reveal(struct round *round);

/* The protocol. A phase closes when everybody who takes part has answered, or at its deadline,
 * options.wait_ms[phase]. DECLINE is heard in every phase. Answers of earlier phases are late and
 * ignored; answers of later phases break the protocol. */
/* clang-format off */
static const struct stage stages[ROUND_PHASE_COUNT] = {
    [ROUND_GATHER] = {"gather", NULL, NULL, {{0}}, close_gather, ROUND_TRAIN},
    [ROUND_TRAIN]  = {"train", part_train, ask_train,
                      {{MESSAGE_ACCEPT, round_on_accept}, {MESSAGE_READY, round_on_ready}},
                      close_train, ROUND_SHARES},
    [ROUND_SHARES] = {"shares", part_shares, ask_shares, {{MESSAGE_SHARES, round_on_shares}},
                      close_shares, ROUND_UPLOAD},
    [ROUND_UPLOAD] = {"upload", part_upload, ask_upload,
                      {{MESSAGE_UPLOAD, round_on_upload}, {MESSAGE_CHUNK, round_on_chunk},
                       {MESSAGE_COMPLAINT, round_on_complaint}},
                      close_upload, ROUND_VOUCH},
    [ROUND_VOUCH]  = {"vouch", part_vouch, ask_vouch, {{MESSAGE_VOUCH, round_on_vouch}},
                      close_vouch, ROUND_REVEAL},
    [ROUND_REVEAL] = {"reveal", part_reveal, ask_reveal, {{MESSAGE_REVEAL, round_on_reveal}},
                      close_reveal, ROUND_OPEN},
    [ROUND_OPEN]   = {.name = "open",   .next = ROUND_SUMMED}, /* round_opened moves on */
    [ROUND_SUMMED] = {.name = "summed", .next = ROUND_SUMMED},
    [ROUND_FAILED] = {.name = "failed", .next = ROUND_FAILED},
};
/* clang-format on */
_Static_assert(ROUND_PHASE_COUNT <= 16, "seats keep one bit per phase in 16");

const char *round_phase_name(enum round_phase phase)
{
    return phase < ROUND_PHASE_COUNT ? stages[phase].name : "?";
}

static bool over(const struct round *round)
{
    return round->phase == ROUND_SUMMED || round->phase == ROUND_FAILED;
}

static uint32_t count_answered(const struct round *round, enum round_phase phase)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < round->seat_count; i++)
        count += (round->seats[i].answered & ROUND_BIT(phase)) != 0;
    return count;
}

void round_ask(struct round *round, struct seat *seat, uint64_t now_ms)
{
    stages[round->phase].ask(round, seat, now_ms);
}

/* ---- making and freeing ---- */

static enum cn_err options_check(const struct round_options *options)
{
    CN_TRY(secagg_config_check(&options->secagg));
    bool fits = options->cohort_max >= options->secagg.cohort_min &&
                options->cohort_max <= MESSAGE_MEMBERS_MAX && options->id.round > 0 &&
                options->id.attempt > 0;
    return fits ? CN_OK : CN_E_CONFIG;
}

enum cn_err round_new(struct round **out, const struct round_options *options,
                      const struct round_calls *calls, struct cohort *cohort,
                      const struct cn_random *random, uint64_t now_ms)
{
    *out = NULL;
    CN_TRY(options_check(options));
    struct round *round = calloc(1, sizeof(*round));
    if (!round)
        return CN_E_NOMEM;
    round->options = *options;
    round->calls = *calls;
    round->cohort = cohort;
    round->random = random;
    round->entered_ms = now_ms;
    round->deadline_ms = UINT64_MAX;
    round->seats_max = 2 * options->cohort_max; /* everybody may be replaced once */
    round->upload_bytes = pack_bytes(options->secagg.dim, options->secagg.bits);
    round->seats = calloc(round->seats_max, sizeof(*round->seats));
    round->box = calloc(MESSAGE_NEIGHBOURS_MAX, sizeof(*round->box));
    round->neighbours = calloc(MESSAGE_NEIGHBOURS_MAX, sizeof(*round->neighbours));
    round->vouches = calloc(MESSAGE_NEIGHBOURS_MAX, sizeof(*round->vouches));
    round->sum = calloc(options->secagg.dim, sizeof(*round->sum));
    bool room = round->seats && round->box && round->neighbours && round->vouches && round->sum;
    enum cn_err err = room ? seen_reserve(&round->places, round->seats_max) : CN_E_NOMEM;
    if (err == CN_OK)
        err = options->unmasked
                  ? round_unmasked_new(round)
                  : secagg_server_new(&round->server, &options->secagg, options->registrar);
    if (err != CN_OK) {
        round_free(round);
        return err;
    }
    *out = round;
    return CN_OK;
}

void round_free(struct round *round)
{
    if (!round)
        return;
    for (uint32_t i = 0; round->seats && i < round->seat_count; i++) {
        transfer_in_clear(&round->seats[i].upload);
        if (!round->seats[i].out)
            cohort_mark(round->cohort, round->seats[i].device, COHORT_FREE);
    }
    secagg_server_free(round->server);
    round_unmasked_free(round);
    seen_clear(&round->places);
    free(round->seats);
    free(round->box);
    free(round->neighbours);
    free(round->vouches);
    free(round->sum);
    free(round);
}

/* ---- moving on ---- */

static void enter(struct round *round, enum round_phase phase, uint64_t now_ms)
{
    round->wait_ms[round->phase] += now_ms - round->entered_ms;
    round->entered_ms = now_ms;
    round->phase = phase;
    round->deadline_ms = UINT64_MAX;
    const struct stage *stage = &stages[phase];
    if (!stage->ask)
        return;
    round->deadline_ms = now_ms + round->options.wait_ms[phase];
    for (uint32_t i = 0; i < round->seat_count; i++)
        if (!round->seats[i].out && stage->takes_part(round, &round->seats[i]))
            round->seats[i].asked |= ROUND_BIT(phase);
    round->asked = 0;
    round_ask_some(round, now_ms);
}

void round_fail(struct round *round, enum cn_err why, const char *reason, uint64_t now_ms)
{
    if (over(round))
        return;
    snprintf(round->reason, sizeof(round->reason), "%s", reason);
    round->error = why;
    for (uint32_t i = 0; i < round->seat_count; i++)
        transfer_in_clear(&round->seats[i].upload);
    round->uploads_held = 0;
    enter(round, ROUND_FAILED, now_ms);
}

/* So many answers let a phase end well. */
static uint32_t needed(const struct round *round)
{
    uint32_t cohort = round->options.secagg.cohort_min;
    if (round->options.unmasked)
        return cohort;
    uint32_t threshold = secagg_threshold_for(&round->options.secagg, round->roster);
    return round->roster && threshold > cohort ? threshold : cohort;
}

/* Says for the phase that could not be closed how many came and how many were needed. */
static void fail_closing(struct round *round, enum cn_err err, bool late, uint64_t now_ms)
{
    static const char *const what[ROUND_PHASE_COUNT] = {
        [ROUND_TRAIN] = "finished training",         [ROUND_SHARES] = "shared their keys",
        [ROUND_UPLOAD] = "sent their masked update", [ROUND_VOUCH] = "signed the list of survivors",
        [ROUND_REVEAL] = "helped to open the sum",
    };
    const char *done = what[round->phase];
    if (!done || (err != CN_E_COHORT && err != CN_E_THRESHOLD)) {
        round_fail(round, err, cn_err_text(err), now_ms);
        return;
    }
    char reason[MESSAGE_TEXT_MAX];
    snprintf(reason, sizeof(reason), "too few devices: %u of %u %s%s, %u are needed",
             (unsigned)count_answered(round, round->phase), (unsigned)round->seat_count, done,
             late ? " in time" : "", (unsigned)needed(round));
    round_fail(round, err, reason, now_ms);
}

/* Without masks there are no shares to give, no list to sign and nothing to reveal. */
static enum round_phase next_phase(const struct round *round)
{
    if (round->options.unmasked && round->phase == ROUND_TRAIN)
        return ROUND_UPLOAD;
    if (round->options.unmasked && round->phase == ROUND_UPLOAD)
        return ROUND_OPEN;
    return stages[round->phase].next;
}

static void close_phase(struct round *round, bool late, uint64_t now_ms)
{
    enum cn_err err = stages[round->phase].close(round);
    if (err != CN_OK) {
        fail_closing(round, err, late, now_ms);
        return;
    }
    enter(round, next_phase(round), now_ms);
}

/* True when nobody who takes part still owes an answer. Those that are away for longer than the
 * grace hold up nobody, if the others are enough: a process that died would cost every phase its
 * whole deadline, one whose line broke is back within seconds. */
static bool settled(struct round *round, uint64_t now_ms)
{
    const struct seat *slow = &round->seats[round->slow];
    if (round->slow < round->seat_count && slow->here && round_awaits(round, slow))
        return false; /* as it mostly is: nobody else needs a look */
    bool enough = count_answered(round, round->phase) >= needed(round);
    for (uint32_t i = 0; i < round->seat_count; i++) {
        const struct seat *seat = &round->seats[i];
        bool given_up = enough && !seat->here && now_ms >= seat->lost_ms + round->options.grace_ms;
        if (round_awaits(round, seat) && !given_up) {
            round->slow = i;
            return false;
        }
    }
    return true;
}

static void tick_gather(struct round *round, uint64_t now_ms)
{
    uint32_t available = cohort_available(round->cohort);
    if (available < round->options.secagg.cohort_min) {
        round->deadline_ms = UINT64_MAX;
        return;
    }
    if (round->deadline_ms == UINT64_MAX)
        round->deadline_ms = now_ms + round->options.wait_ms[ROUND_GATHER];
    if (available >= round->options.cohort_max || now_ms >= round->deadline_ms)
        close_phase(round, false, now_ms);
}

void round_tick(struct round *round, uint64_t now_ms)
{
    if (round->phase == ROUND_GATHER)
        tick_gather(round, now_ms);
    if (round->phase == ROUND_UPLOAD)
        round_watch_uploads(round, now_ms);
    round_ask_some(round, now_ms);
    /* A phase whose answers are all there already is closed in the same tick. */
    while (stages[round->phase].ask) {
        bool late = now_ms >= round->deadline_ms;
        if (!late && !settled(round, now_ms))
            return;
        close_phase(round, late, now_ms);
    }
}

/* ---- the phases: taking part, asking, closing ---- */

/* AES where every device of the cohort, and this machine, have instructions for it: the choice goes
 * out with the offer and is bound into keys, session and masks. */
static enum cn_err choose_masks(struct round *round)
{
    if (!round->options.aes || round->options.unmasked)
        return CN_OK;
    for (uint32_t i = 0; i < round->seat_count; i++)
        if (!(cohort_abilities(round->cohort, round->seats[i].device) & HELLO_CAN_AES))
            return CN_OK;
    round->options.secagg.prg = SECAGG_PRG_AES256CTR;
    secagg_server_free(round->server);
    return secagg_server_new(&round->server, &round->options.secagg, round->options.registrar);
}

static enum cn_err close_gather(struct round *round)
{
    while (round->seat_count < round->options.cohort_max && round_seat_add(round))
        ;
    round->target = round->seat_count;
    if (round->target < round->options.secagg.cohort_min)
        return CN_E_COHORT;
    CN_TRY(choose_masks(round));
    return round->calls.opening ? round->calls.opening(round->calls.ctx, round->target) : CN_OK;
}

/* Messages point to arrays that may be written, because decoders fill them; encoders only read. */
static void *lend(const void *list)
{
    void *lent;
    memcpy(&lent, &list, sizeof(lent));
    return lent;
}

static bool part_train(const struct round *round, const struct seat *seat)
{
    (void)round, (void)seat;
    return true;
}

static void ask_train(struct round *round, struct seat *seat, uint64_t now_ms)
{
    uint64_t left = round->deadline_ms > now_ms ? round->deadline_ms - now_ms : 0;
    struct message message = {.type = MESSAGE_OFFER};
    struct message_offer *offer = &message.as.offer;
    offer->id = round->options.id;
    memcpy(offer->plan, round->options.plan, HASH_BYTES);
    offer->plan_bytes = round->options.plan_bytes;
    memcpy(offer->model, round->options.model, HASH_BYTES);
    offer->model_bytes = round->options.model_bytes;
    offer->rounds = round->options.rounds;
    offer->train_ms = left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
    offer->prg = round->options.secagg.prg;
    round_send(round, seat, &message);
}

/* From here on updates leave devices. */
static enum cn_err begin_uploads(struct round *round)
{
    if (round->calls.uploading)
        CN_TRY(round->calls.uploading(round->calls.ctx));
    round->charged = true;
    return CN_OK;
}

static enum cn_err close_train(struct round *round)
{
    if (round->options.unmasked) {
        CN_TRY(round_unmasked_close_train(round));
        return begin_uploads(round);
    }
    CN_TRY(secagg_server_close_roster(round->server));
    round->roster = secagg_server_count(round->server);
    for (uint32_t i = 0; i < round->seat_count; i++) {
        struct seat *seat = &round->seats[i];
        if (seat->answered & ROUND_BIT(ROUND_TRAIN))
            CN_TRY(secagg_server_find(round->server, seat->device, &seat->index));
    }
    return CN_OK;
}

static bool part_shares(const struct round *round, const struct seat *seat)
{
    (void)round;
    return (seat->answered & ROUND_BIT(ROUND_TRAIN)) != 0;
}

/* The complete graph: everybody's certificate and keys. */
static enum cn_err whole_roster(const struct round *round, struct message_roster *roster)
{
    const struct secagg_member *members = NULL;
    CN_TRY(secagg_server_members(round->server, &members, &roster->count, &roster->threshold));
    roster->members = lend(members);
    return CN_OK;
}

/* A ring: everybody's entry, and certificates and keys of the neighbours of this device. */
static enum cn_err ring_roster(const struct round *round, const struct seat *seat,
                               struct message_roster *roster)
{
    const struct secagg_entry *entries = NULL;
    uint32_t devices = 0;
    CN_TRY(secagg_server_entries(round->server, &entries, &devices, &roster->threshold));
    CN_TRY(secagg_server_neighbours(round->server, seat->index, round->neighbours, &roster->count));
    roster->entries = (const uint8_t *)entries;
    roster->entries_len = devices * MESSAGE_ENTRY_BYTES;
    roster->members = round->neighbours;
    return CN_OK;
}

static void ask_shares(struct round *round, struct seat *seat, uint64_t now_ms)
{
    (void)now_ms;
    uint32_t degree = 0;
    struct message message = {.type = MESSAGE_ROSTER, .as.roster = {.id = round->options.id}};
    struct message_roster *roster = &message.as.roster;
    enum cn_err err = secagg_server_degree(round->server, &degree);
    if (err == CN_OK)
        err = degree + 1 < round->roster ? ring_roster(round, seat, roster)
                                         : whole_roster(round, roster);
    if (err == CN_OK)
        round_send(round, seat, &message);
}

static enum cn_err close_shares(struct round *round)
{
    CN_TRY(secagg_server_close_shares(round->server));
    return begin_uploads(round);
}

static bool part_upload(const struct round *round, const struct seat *seat)
{
    enum round_phase before = round->options.unmasked ? ROUND_TRAIN : ROUND_SHARES;
    return (seat->answered & ROUND_BIT(before)) != 0;
}

static void ask_upload(struct round *round, struct seat *seat, uint64_t now_ms)
{
    seat->stall_ms = now_ms;
    if (round->options.unmasked) {
        round_unmasked_ask(round, seat);
        return;
    }
    struct message message = {.type = MESSAGE_INBOX, .as.inbox = {.id = round->options.id}};
    struct message_inbox *inbox = &message.as.inbox;
    inbox->sealed = round->box;
    if (secagg_server_inbox(round->server, seat->index, round->box, &inbox->count) == CN_OK)
        round_send(round, seat, &message);
}

static enum cn_err close_upload(struct round *round)
{
    for (uint32_t i = 0; i < round->seat_count; i++)
        transfer_in_clear(&round->seats[i].upload);
    round->uploads_held = 0;
    if (round->options.unmasked)
        return round_unmasked_close_upload(round);
    CN_TRY(secagg_server_close_masked(round->server));
    struct hash hash;
    hash_init(&hash, "cairn-survivors");
    const struct secagg_member *members;
    const uint32_t *list;
    uint32_t count, threshold, survivors;
    CN_TRY(secagg_server_members(round->server, &members, &count, &threshold));
    CN_TRY(secagg_server_survivors(round->server, &list, &survivors));
    for (uint32_t i = 0; i < survivors; i++) {
        uint8_t id[DEVICE_ID_BYTES];
        certificate_device_id(id, &members[list[i]].certificate);
        hash_add(&hash, id, sizeof(id));
    }
    hash_final(&hash, round->roster_hash);
    return CN_OK;
}

static bool part_vouch(const struct round *round, const struct seat *seat)
{
    (void)round;
    return (seat->answered & ROUND_BIT(ROUND_UPLOAD)) != 0;
}

static void ask_vouch(struct round *round, struct seat *seat, uint64_t now_ms)
{
    (void)now_ms;
    const uint32_t *list = NULL;
    struct message message = {.type = MESSAGE_SURVIVORS, .as.survivors = {.id = round->options.id}};
    struct message_survivors *survivors = &message.as.survivors;
    if (secagg_server_survivors(round->server, &list, &survivors->count) != CN_OK)
        return;
    survivors->indices = lend(list);
    round_send(round, seat, &message);
}

static enum cn_err close_vouch(struct round *round)
{
    return secagg_server_close_vouches(round->server);
}

/* Who did not sign the survivors may not see the others' signatures: it reveals nothing. */
static bool part_reveal(const struct round *round, const struct seat *seat)
{
    (void)round;
    return (seat->answered & ROUND_BIT(ROUND_VOUCH)) != 0;
}

static void ask_reveal(struct round *round, struct seat *seat, uint64_t now_ms)
{
    (void)now_ms;
    struct message message = {.type = MESSAGE_VOUCHES, .as.vouches = {.id = round->options.id}};
    struct message_vouches *vouches = &message.as.vouches;
    vouches->vouches = round->vouches;
    if (secagg_server_vouches_for(round->server, seat->index, round->vouches, &vouches->count) ==
        CN_OK)
        round_send(round, seat, &message);
}

static enum cn_err close_reveal(struct round *round)
{
    return secagg_server_can_open(round->server) ? CN_OK : CN_E_THRESHOLD;
}

/* ---- messages ---- */

/* The round that a message speaks of; NULL for CHUNK, which names its blob instead. */
static const struct round_id *message_round(const struct message *message)
{
    switch (message->type) {
    case MESSAGE_ACCEPT:
        return &message->as.accept.id;
    case MESSAGE_DECLINE:
        return &message->as.decline.id;
    case MESSAGE_READY:
        return &message->as.ready.id;
    case MESSAGE_SHARES:
        return &message->as.shares.id;
    case MESSAGE_UPLOAD:
        return &message->as.upload.id;
    case MESSAGE_COMPLAINT:
        return &message->as.complaint.id;
    case MESSAGE_VOUCH:
        return &message->as.vouch.id;
    case MESSAGE_REVEAL:
        return &message->as.reveal.id;
    default:
        return NULL;
    }
}

/* The phase in which a message is an answer; ROUND_PHASE_COUNT for none. */
static enum round_phase answers_in(enum message_type type, size_t *row)
{
    for (unsigned phase = 0; phase < ROUND_PHASE_COUNT; phase++)
        for (*row = 0; *row < ANSWERS_MAX; (*row)++)
            if (stages[phase].answers[*row].type == type)
                return (enum round_phase)phase;
    return ROUND_PHASE_COUNT;
}

/* A piece of a blob that the device did not announce in this round: on its way since an attempt
 * that was abandoned meanwhile, which is no offence. */
static bool is_left_over(const struct seat *seat, const struct message *message)
{
    return message->type == MESSAGE_CHUNK &&
           (!seat->claimed || memcmp(seat->claim, message->as.chunk.hash, HASH_BYTES) != 0);
}

static enum cn_err dispatch(struct round *round, struct seat *seat, const struct message *message)
{
    if (message->type == MESSAGE_DECLINE)
        return round_on_decline(round, seat, message);
    if (is_left_over(seat, message))
        return CN_OK;
    size_t row;
    enum round_phase phase = answers_in(message->type, &row);
    if (phase == ROUND_PHASE_COUNT)
        return CN_E_UNEXPECTED;
    if (phase < round->phase)
        return CN_OK; /* late */
    if (phase > round->phase || !(seat->asked & ROUND_BIT(phase)))
        return CN_E_UNEXPECTED;
    return stages[phase].answers[row].handle(round, seat, message);
}

enum cn_err round_message(struct round *round, const uint8_t device[DEVICE_ID_BYTES],
                          const struct message *message, uint64_t now_ms)
{
    const struct round_id *id = message_round(message);
    if (!id && message->type != MESSAGE_CHUNK)
        return CN_E_UNEXPECTED;
    struct seat *seat = round_seat(round, device);
    if (!seat || seat->out || over(round) || (id && !round_id_equal(id, &round->options.id)))
        return CN_OK; /* about another round, or too late */
    enum cn_err err = dispatch(round, seat, message);
    if (err == CN_E_NOMEM) {
        round_fail(round, err, cn_err_text(err), now_ms);
        return err;
    }
    if (err != CN_OK)
        round_device_out(round, device, now_ms);
    round_seats_refill(round, now_ms);
    round_tick(round, now_ms);
    return err;
}

void round_device_here(struct round *round, const uint8_t device[DEVICE_ID_BYTES], uint64_t now_ms)
{
    struct seat *seat = round_seat(round, device);
    if (seat) {
        cohort_mark(round->cohort, device, seat->out ? COHORT_PAUSED : COHORT_SEATED);
        seat->here = true;
        if (round_awaits(round, seat) && (uint32_t)(seat - round->seats) < round->asked)
            round_ask(round, seat, now_ms);
    }
    round_seats_refill(round, now_ms);
}

void round_device_lost(struct round *round, const uint8_t device[DEVICE_ID_BYTES], uint64_t now_ms)
{
    struct seat *seat = round_seat(round, device);
    if (!seat)
        return;
    seat->here = false;
    seat->lost_ms = now_ms;
}

void round_device_out(struct round *round, const uint8_t device[DEVICE_ID_BYTES], uint64_t now_ms)
{
    struct seat *seat = round_seat(round, device);
    if (!seat || seat->out || over(round))
        return;
    round_seat_out(round, seat, COHORT_PAUSED);
    round_seats_refill(round, now_ms);
}

/* ---- the end ---- */

enum cn_err round_open(struct round *round)
{
    if (round->phase != ROUND_OPEN)
        return CN_E_STATE;
    if (round->options.unmasked)
        return CN_OK;
    secagg_server_set_threads(round->server, round->options.threads);
    return secagg_server_open(round->server, round->sum);
}

void round_opened(struct round *round, enum cn_err outcome, uint64_t now_ms)
{
    if (round->phase != ROUND_OPEN)
        return;
    if (outcome == CN_OK)
        enter(round, ROUND_SUMMED, now_ms);
    else
        round_fail(round, outcome, "the sum does not open: shares of devices contradict each other",
                   now_ms);
}
