/* SPDX-License-Identifier: Apache-2.0 */
/* The seats of a round: whose they are, who leaves, and in what pace they are asked. */
#include <string.h>

#include "aggregator/round_internal.h"

enum { SEEN_SEAT = 1 };

static void key_of(uint8_t key[SEEN_BYTES], const uint8_t device[DEVICE_ID_BYTES])
{
    memset(key, 0, SEEN_BYTES);
    memcpy(key, device, DEVICE_ID_BYTES);
}

struct seat *round_seat(const struct round *round, const uint8_t device[DEVICE_ID_BYTES])
{
    uint8_t key[SEEN_BYTES];
    key_of(key, device);
    const struct seen_item *item = seen_get(&round->places, SEEN_SEAT, key);
    return item ? &round->seats[item->count] : NULL;
}

bool round_awaits(const struct round *round, const struct seat *seat)
{
    uint16_t bit = ROUND_BIT(round->phase);
    return !seat->out && (seat->asked & bit) && !(seat->answered & bit);
}

void round_seat_out(struct round *round, struct seat *seat, enum cohort_mark mark)
{
    round->seats_out += !seat->out;
    seat->out = true;
    round_upload_drop(round, seat);
    cohort_mark(round->cohort, seat->device, mark);
}

bool round_seat_add(struct round *round)
{
    if (round->seat_count == round->seats_max)
        return false;
    const struct certificate *certificate = cohort_pick(round->cohort, round->random);
    if (!certificate)
        return false;
    struct seat *seat = &round->seats[round->seat_count];
    memset(seat, 0, sizeof(*seat));
    certificate_device_id(seat->device, certificate);
    bool able = round->phase == ROUND_GATHER || round->options.secagg.prg != SECAGG_PRG_AES256CTR ||
                (cohort_abilities(round->cohort, seat->device) & HELLO_CAN_AES);
    if (!able || round_seat(round, seat->device)) {
        cohort_mark(round->cohort, seat->device, COHORT_PAUSED); /* asked once in this attempt */
        return false;
    }
    uint8_t key[SEEN_BYTES];
    key_of(key, seat->device);
    seen_put(&round->places, SEEN_SEAT, key)->count = round->seat_count;
    seat->certificate = *certificate;
    seat->here = true;
    round->seat_count++;
    return true;
}

void round_seats_refill(struct round *round, uint64_t now_ms)
{
    uint64_t half = round->options.wait_ms[ROUND_TRAIN] / 2;
    if (round->phase != ROUND_TRAIN || now_ms + half > round->deadline_ms)
        return;
    while (round->seat_count - round->seats_out < round->target && round_seat_add(round))
        round->seats[round->seat_count - 1].asked |= ROUND_BIT(ROUND_TRAIN);
    round_ask_some(round, now_ms);
}

/* About how many bytes a message will be; a bound for those that grow with the cohort. */
static uint64_t weight(const struct message *message)
{
    enum { SMALL = 512, MEMBER = 512, SEALED = 128, VOUCH = 80, INDEX = 4 };
    switch (message->type) {
    case MESSAGE_ROSTER:
        return SMALL + message->as.roster.entries_len + (uint64_t)message->as.roster.count * MEMBER;
    case MESSAGE_INBOX:
        return SMALL + (uint64_t)message->as.inbox.count * SEALED;
    case MESSAGE_SURVIVORS:
        return SMALL + (uint64_t)message->as.survivors.count * INDEX;
    case MESSAGE_VOUCHES:
        return SMALL + (uint64_t)message->as.vouches.count * VOUCH;
    default:
        return SMALL;
    }
}

void round_send(struct round *round, const struct seat *seat, const struct message *message)
{
    if (!seat->here)
        return;
    round->paced_bytes += weight(message);
    round->calls.send(round->calls.ctx, seat->device, message);
}

void round_ask_some(struct round *round, uint64_t now_ms)
{
    if (now_ms >= round->paced_ms + ROUND_PACE_MS) {
        round->paced_ms = now_ms;
        round->paced_bytes = 0;
    }
    while (round->asked < round->seat_count && round->paced_bytes < ROUND_PACE_BYTES) {
        struct seat *seat = &round->seats[round->asked++];
        if (round_awaits(round, seat))
            round_ask(round, seat, now_ms);
    }
}
