/* SPDX-License-Identifier: Apache-2.0 */
/* How a round ends for the devices, and what its owner may ask it. */
#include <string.h>

#include "aggregator/round_internal.h"

void round_outcome(struct round *round, const struct message_outcome *outcome)
{
    round_outcome_each(round, outcome, NULL, NULL);
}

void round_outcome_each(struct round *round, const struct message_outcome *outcome, round_fill fill,
                        void *ctx)
{
    for (uint32_t i = 0; i < round->seat_count; i++) {
        const struct seat *seat = &round->seats[i];
        struct message message = {.type = MESSAGE_OUTCOME, .as.outcome = *outcome};
        bool survived = (seat->answered & ROUND_BIT(ROUND_UPLOAD)) != 0;
        if (survived && fill)
            fill(ctx, seat->device, seat->certificate.device, seat->claim, &message.as.outcome);
        if (!seat->out)
            round_send(round, seat, &message);
    }
}

enum round_phase round_phase(const struct round *round)
{
    return round->phase;
}

const uint32_t *round_sum(const struct round *round)
{
    return round->sum;
}

enum cn_err round_error(const struct round *round)
{
    return round->error;
}

const char *round_reason(const struct round *round)
{
    return round->reason;
}

void round_facts(const struct round *round, struct round_facts *facts)
{
    memset(facts, 0, sizeof(*facts));
    facts->offered = round->seat_count;
    facts->ready = round->ready;
    facts->roster = round->roster;
    facts->survivors = round->uploaded;
    facts->charged = round->charged;
    facts->prg = round->options.secagg.prg;
    facts->unmasked = round->options.unmasked;
    memcpy(facts->wait_ms, round->wait_ms, sizeof(facts->wait_ms));
    memcpy(facts->binding, round->options.secagg.binding, HASH_BYTES);
    memcpy(facts->roster_hash, round->roster_hash, HASH_BYTES);
}

bool round_has(const struct round *round, const uint8_t device[DEVICE_ID_BYTES])
{
    const struct seat *seat = round_seat(round, device);
    return seat && !seat->out;
}

void round_gathered(const struct round *round, uint32_t *available, uint32_t *needed)
{
    *available = cohort_available(round->cohort);
    *needed = round->options.secagg.cohort_min;
}

/* The seat of a member of the roster. */
static const struct seat *seat_at(const struct round *round, uint32_t index)
{
    for (uint32_t i = 0; i < round->seat_count; i++)
        if ((round->seats[i].answered & ROUND_BIT(ROUND_TRAIN)) && round->seats[i].index == index)
            return &round->seats[i];
    return NULL;
}

void round_suspects(const struct round *round,
                    void (*visit)(void *ctx, const uint8_t device[DEVICE_ID_BYTES]), void *ctx)
{
    const uint32_t *list = NULL;
    uint32_t count = 0;
    if (round->server)
        secagg_server_liars(round->server, &list, &count);
    for (uint32_t k = 0; k < count; k++) {
        const struct seat *seat = seat_at(round, list[k]);
        if (seat)
            visit(ctx, seat->device);
    }
}

void round_complaints(const struct round *round,
                      void (*visit)(void *ctx, const uint8_t by[DEVICE_ID_BYTES],
                                    const uint8_t of[DEVICE_ID_BYTES]),
                      void *ctx)
{
    const struct secagg_complaint *list = NULL;
    uint32_t count = 0;
    if (round->server)
        secagg_server_complaints(round->server, &list, &count);
    for (uint32_t k = 0; k < count; k++) {
        const struct seat *by = seat_at(round, list[k].by), *of = seat_at(round, list[k].of);
        if (by && of)
            visit(ctx, by->device, of->device);
    }
}
