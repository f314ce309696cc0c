/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/round_internal.h"

#include <string.h>

#include "crypto/pack.h"

enum { STALL_MS = 10000, WATCH_MS = 100 };

/* Repeats are what a device sends after a broken connection. */
static enum cn_err counted(struct round *round, struct seat *seat, enum cn_err err)
{
    if (err == CN_E_REPLAY)
        return CN_OK;
    if (err == CN_OK)
        seat->answered |= ROUND_BIT(round->phase);
    return err;
}

enum cn_err round_on_accept(struct round *round, struct seat *seat, const struct message *message)
{
    (void)round, (void)seat, (void)message; /* it trains: what counts is READY */
    return CN_OK;
}

enum cn_err round_on_decline(struct round *round, struct seat *seat, const struct message *message)
{
    const struct message_decline *decline = &message->as.decline;
    if (decline->code == 0 || decline->code >= DECLINE_CODE_COUNT)
        return CN_E_PARSE;
    bool for_the_task = decline->code == DECLINE_BUDGET || decline->code == DECLINE_LIMIT;
    round_seat_out(round, seat, for_the_task ? COHORT_BARRED : COHORT_PAUSED);
    if (round->calls.declined)
        round->calls.declined(round->calls.ctx, seat->device, (enum decline_code)decline->code,
                              decline->text);
    return CN_OK;
}

enum cn_err round_on_ready(struct round *round, struct seat *seat, const struct message *message)
{
    if (seat->answered & ROUND_BIT(ROUND_TRAIN))
        return CN_OK;
    if (round->options.unmasked)
        return counted(round, seat, round_unmasked_ready(round, seat, &message->as.ready.keys));
    struct secagg_member member = {.certificate = seat->certificate,
                                   .keys = message->as.ready.keys};
    /* Who is in the cohort has shown this very certificate at its login. */
    enum cn_err err = counted(round, seat, secagg_server_keys_known(round->server, &member));
    round->ready = secagg_server_count(round->server);
    return err;
}

enum cn_err round_on_shares(struct round *round, struct seat *seat, const struct message *message)
{
    const struct message_shares *shares = &message->as.shares;
    return counted(round, seat,
                   secagg_server_shares(round->server, seat->index, shares->sealed, shares->count));
}

static void send_resume(struct round *round, const struct seat *seat, uint64_t offset)
{
    struct message resume = {.type = MESSAGE_RESUME, .as.resume = {.offset = offset}};
    memcpy(resume.as.resume.hash, seat->claim, HASH_BYTES);
    round_send(round, seat, &resume);
}

/* Begins the upload if the byte budget has room; queues it otherwise. One upload may always run,
 * so that a budget smaller than a model stops nothing. */
static enum cn_err upload_begin(struct round *round, struct seat *seat)
{
    uint64_t held = round->uploads_held;
    seat->queued = held > 0 && held + round->upload_bytes > round->options.uploads_max;
    if (seat->queued) {
        round->queue = true;
        return CN_OK;
    }
    CN_TRY(transfer_in_start(&seat->upload, seat->claim, round->upload_bytes, round->upload_bytes));
    round->uploads_held += round->upload_bytes;
    seat->stall_at = 0;
    seat->stall_ms = 0; /* the next look begins the count */
    send_resume(round, seat, 0);
    return CN_OK;
}

void round_upload_drop(struct round *round, struct seat *seat)
{
    seat->queued = false;
    if (!seat->upload.bytes)
        return;
    transfer_in_clear(&seat->upload);
    round->uploads_held -= round->upload_bytes;
    for (uint32_t i = 0; i < round->seat_count; i++) {
        struct seat *next = &round->seats[i];
        if (!next->queued || next->out)
            continue;
        /* Short of memory: it stays queued until the next upload ends or the deadline comes. */
        if (upload_begin(round, next) != CN_OK)
            next->queued = true;
        if (next->queued)
            return;
    }
}

enum cn_err round_on_upload(struct round *round, struct seat *seat, const struct message *message)
{
    const struct message_upload *upload = &message->as.upload;
    if (upload->bytes != round->upload_bytes)
        return CN_E_PARSE;
    if (seat->claimed && memcmp(seat->claim, upload->hash, HASH_BYTES) != 0)
        return CN_E_UNEXPECTED; /* two vectors from one device */
    memcpy(seat->claim, upload->hash, HASH_BYTES);
    seat->claimed = true;
    if (seat->answered & ROUND_BIT(ROUND_UPLOAD)) {
        send_resume(round, seat, round->upload_bytes);
        return CN_OK;
    }
    if (seat->upload.bytes) {
        send_resume(round, seat, seat->upload.at);
        return CN_OK;
    }
    return upload_begin(round, seat);
}

enum cn_err round_on_chunk(struct round *round, struct seat *seat, const struct message *message)
{
    if (seat->answered & ROUND_BIT(ROUND_UPLOAD))
        return CN_OK;
    if (!seat->upload.bytes)
        return CN_E_UNEXPECTED; /* nobody said RESUME */
    bool done = false;
    CN_TRY(transfer_in_chunk(&seat->upload, &message->as.chunk, &done));
    if (!done)
        return CN_OK;
    enum cn_err err = round->options.unmasked
                          ? round_unmasked_take(round, seat)
                          : secagg_server_masked(round->server, seat->index, seat->upload.bytes,
                                                 (size_t)seat->upload.len);
    CN_TRY(counted(round, seat, err));
    round->uploaded++;
    send_resume(round, seat, round->upload_bytes);
    round_upload_drop(round, seat);
    return CN_OK;
}

/* A complaint can put devices out, the one that complains too: their vectors are not awaited. */
enum cn_err round_on_complaint(struct round *round, struct seat *seat,
                               const struct message *message)
{
    const struct message_complaint *complaint = &message->as.complaint;
    if (round->options.unmasked)
        return CN_E_UNEXPECTED;
    if (seat->answered & ROUND_BIT(ROUND_UPLOAD))
        return CN_OK; /* a repeat: it came before the vector */
    enum cn_err err =
        secagg_server_complain(round->server, seat->index, complaint->indices, complaint->count);
    if (err != CN_OK)
        return err == CN_E_REPLAY ? CN_OK : err;
    for (uint32_t i = 0; i < round->seat_count; i++) {
        struct seat *other = &round->seats[i];
        bool waits = !other->out && (other->asked & ROUND_BIT(ROUND_UPLOAD)) &&
                     !(other->answered & ROUND_BIT(ROUND_UPLOAD));
        if (!waits || secagg_server_expects(round->server, other->index))
            continue;
        round_seat_out(round, other, COHORT_PAUSED);
    }
    return CN_OK;
}

/* An upload that brings nothing keeps its room for as long as nobody needs it. */
static bool stalls(const struct round *round, struct seat *seat, uint64_t now_ms)
{
    uint64_t patience = round->options.stall_ms ? round->options.stall_ms : STALL_MS;
    if (seat->stall_ms == 0 || seat->upload.at >= seat->stall_at + ROUND_STALL_BYTES) {
        seat->stall_at = seat->upload.at;
        seat->stall_ms = now_ms;
    }
    return now_ms >= seat->stall_ms + patience;
}

void round_watch_uploads(struct round *round, uint64_t now_ms)
{
    if (!round->queue || now_ms < round->watched_ms + WATCH_MS)
        return;
    round->watched_ms = now_ms;
    for (uint32_t i = 0; i < round->seat_count; i++) {
        struct seat *seat = &round->seats[i];
        if (seat->upload.bytes && !seat->out && stalls(round, seat, now_ms))
            round_device_out(round, seat->device, now_ms);
    }
    round->queue = false;
    for (uint32_t i = 0; i < round->seat_count; i++)
        round->queue |= round->seats[i].queued && !round->seats[i].out;
}

enum cn_err round_on_vouch(struct round *round, struct seat *seat, const struct message *message)
{
    return counted(round, seat,
                   secagg_server_vouch(round->server, seat->index, message->as.vouch.signature));
}

enum cn_err round_on_reveal(struct round *round, struct seat *seat, const struct message *message)
{
    const struct message_reveal *reveal = &message->as.reveal;
    return counted(round, seat,
                   secagg_server_reveal(round->server, seat->index, reveal->shares, reveal->count));
}
