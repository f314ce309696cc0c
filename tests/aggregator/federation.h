/* SPDX-License-Identifier: Apache-2.0 */
/* Devices in the same process, for tests of the round and the runner: real keys, real secure
 * aggregation, real message bytes, no sockets. A device can be told to be away, to say no, to fall
 * silent from a message on, or to lie. */
#ifndef CAIRN_TESTS_AGGREGATOR_FEDERATION_H
#define CAIRN_TESTS_AGGREGATOR_FEDERATION_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/cohort.h"
#include "base/arena.h"
#include "crypto/direct.h"
#include "crypto/pack.h"
#include "crypto/secagg_device.h"
#include "privacy/receipt.h"
#include "protocol/messages.h"
#include "protocol/transfer.h"

#define FED_DEVICES_MAX 8
#define FED_QUEUE_MAX 4096
#define FED_NOW_S 1000000
#define FED_OK(expr) cr_assert_eq((int)(expr), (int)CN_OK)

struct fed_device {
    struct sign_key *key;
    struct certificate certificate;
    uint8_t id[DEVICE_ID_BYTES];
    bool here;
    enum decline_code declines; /* 0: it takes part */
    enum message_type mute;     /* does not answer this message (0: answers all) */
    bool corrupt_upload;        /* uploads bytes that do not have the announced hash */
    bool wrong_shares;          /* reveals shares that are wrong */
    bool keeps_receipts;        /* does not countersign */
    bool signs_wrong;           /* countersigns other words */
    bool bad_shares;            /* its sealed shares do not open */
    struct direct_key *direct;  /* of a round without masks */
    struct secagg_device *secagg;
    struct round_id id_of_round;
    uint8_t *packed; /* the masked vector */
    size_t packed_len;
    struct transfer_out out;
    uint32_t heard[MESSAGE_TYPE_COUNT]; /* how often it got each message */
    struct message_outcome outcome;
    struct message_offer offer;
    struct secagg_keys keys;
    uint8_t binding[HASH_BYTES];
};

struct fed_letter {
    uint8_t *bytes;
    size_t len;
    int to; /* device; -1: the aggregator */
    int from;
};

struct fed {
    struct sign_key *registrar;
    uint8_t registrar_public[SIGN_PUBLIC_BYTES];
    struct cn_seeded seeded;
    struct cn_random random;
    struct cohort *cohort;
    struct fed_device devices[FED_DEVICES_MAX];
    int count;
    bool unmasked; /* the rounds are without masks */
    struct fed_letter queue[FED_QUEUE_MAX];
    size_t head, tail;
    struct secagg_config secagg; /* but the binding and the keystream */
    uint8_t ledger_key[SIGN_PUBLIC_BYTES];
    /* Fills the vector of one device, [secagg.dim]. */
    void (*fill)(void *ctx, int device, uint32_t *vector);
    /* Hands a message to what is tested. */
    enum cn_err (*deliver)(void *ctx, const uint8_t id[DEVICE_ID_BYTES], const struct message *);
    void *ctx;
    enum cn_err refused[FED_DEVICES_MAX]; /* the last error that a device's message met */
};

__attribute__((unused)) static void fed_init(struct fed *fed, int count)
{
    memset(fed, 0, sizeof(*fed));
    fed->random = cn_random_seeded(&fed->seeded, 7);
    fed->count = count;
    FED_OK(sign_key_new(&fed->registrar, &fed->random));
    sign_key_public(fed->registrar, fed->registrar_public);
    FED_OK(cohort_new(&fed->cohort, 100));
    for (int i = 0; i < count; i++) {
        struct fed_device *device = &fed->devices[i];
        struct invitation invitation;
        struct sign_key *one_time = NULL;
        char name[16];
        snprintf(name, sizeof(name), "device-%d", i);
        FED_OK(invitation_make(&invitation, &one_time, fed->registrar, 1, FED_NOW_S + 1000,
                               &fed->random));
        FED_OK(sign_key_new(&device->key, &fed->random));
        FED_OK(certificate_make(&device->certificate, &invitation, one_time, device->key, name,
                                FED_NOW_S));
        sign_key_free(one_time);
        certificate_device_id(device->id, &device->certificate);
    }
}

__attribute__((unused)) static void fed_device_reset(struct fed_device *device)
{
    secagg_device_free(device->secagg);
    direct_key_free(device->direct);
    device->direct = NULL;
    device->secagg = NULL;
    free(device->packed);
    device->packed = NULL;
    device->out.active = false;
}

__attribute__((unused)) static void fed_clear(struct fed *fed)
{
    for (int i = 0; i < fed->count; i++) {
        fed_device_reset(&fed->devices[i]);
        sign_key_free(fed->devices[i].key);
    }
    while (fed->head != fed->tail)
        free(fed->queue[fed->head++ % FED_QUEUE_MAX].bytes);
    sign_key_free(fed->registrar);
    cohort_free(fed->cohort);
}

__attribute__((unused)) static int fed_index(const struct fed *fed,
                                             const uint8_t id[DEVICE_ID_BYTES])
{
    for (int i = 0; i < fed->count; i++)
        if (memcmp(fed->devices[i].id, id, DEVICE_ID_BYTES) == 0)
            return i;
    cr_assert_fail("a message to nobody");
    return -1;
}

static void fed_post(struct fed *fed, int from, int to, const struct message *message)
{
    struct cn_buf bytes;
    cn_buf_init(&bytes, MESSAGE_BYTES_MAX);
    FED_OK(message_encode(&bytes, message));
    cr_assert_lt(fed->tail - fed->head, FED_QUEUE_MAX);
    fed->queue[fed->tail++ % FED_QUEUE_MAX] =
        (struct fed_letter){.bytes = bytes.data, .len = bytes.len, .to = to, .from = from};
}

/* The aggregator's send. */
__attribute__((unused)) static void fed_send(struct fed *fed, const uint8_t id[DEVICE_ID_BYTES],
                                             const struct message *message)
{
    int to = fed_index(fed, id);
    if (fed->devices[to].here)
        fed_post(fed, -1, to, message);
}

/* ---- what a device does ---- */

static void fed_on_offer(struct fed *fed, int i, const struct message_offer *offer)
{
    struct fed_device *device = &fed->devices[i];
    struct message message = {.type = MESSAGE_ACCEPT, .as.accept.id = offer->id};
    if (device->declines) {
        message = (struct message){.type = MESSAGE_DECLINE,
                                   .as.decline = {.id = offer->id,
                                                  .code = (uint8_t)device->declines,
                                                  .text = "the owner says no"}};
        fed_post(fed, i, -1, &message);
        return;
    }
    fed_post(fed, i, -1, &message);
    bool known = device->secagg && round_id_equal(&device->id_of_round, &offer->id);
    if (!known) {
        struct secagg_config config = fed->secagg;
        fed_device_reset(device);
        round_binding(config.binding, &offer->id, offer->plan, offer->model);
        round_binding(device->binding, &offer->id, offer->plan, offer->model);
        config.prg = offer->prg;
        FED_OK(secagg_device_new(&device->secagg, &config, device->key, &device->certificate,
                                 fed->registrar_public, &fed->random));
        FED_OK(secagg_device_keys(device->secagg, &device->keys));
        device->id_of_round = offer->id;
    }
    if (fed->unmasked && !device->direct) {
        FED_OK(direct_key_new(&device->direct, &fed->random));
        direct_announce(&device->keys, device->direct, device->binding, device->key);
    }
    message = (struct message){.type = MESSAGE_READY, .as.ready = {offer->id, device->keys}};
    fed_post(fed, i, -1, &message);
}

static void fed_on_roster(struct fed *fed, int i, const struct message_roster *roster)
{
    struct secagg_sealed sealed[FED_DEVICES_MAX];
    struct message message = {
        .type = MESSAGE_SHARES,
        .as.shares = {.id = roster->id, .sealed = sealed, .count = roster->count - 1}};
    FED_OK(secagg_device_roster(fed->devices[i].secagg, roster->members, roster->count,
                                roster->threshold, sealed));
    if (fed->devices[i].bad_shares)
        for (uint32_t k = 0; k + 1 < roster->count; k++)
            sealed[k].bytes[40] ^= 1;
    fed_post(fed, i, -1, &message);
}

static void fed_announce(struct fed *fed, int i)
{
    struct fed_device *device = &fed->devices[i];
    struct message message = {
        .type = MESSAGE_UPLOAD,
        .as.upload = {.id = device->id_of_round, .bytes = device->packed_len}};
    hash_blob(message.as.upload.hash, device->packed, device->packed_len);
    if (device->corrupt_upload)
        device->packed[0] ^= 1;
    fed_post(fed, i, -1, &message);
}

static void fed_on_inbox(struct fed *fed, int i, const struct message_inbox *inbox)
{
    struct fed_device *device = &fed->devices[i];
    if (!device->packed) {
        uint32_t *vector = calloc(fed->secagg.dim, sizeof(*vector));
        fed->fill(fed->ctx, i, vector);
        uint32_t list[FED_DEVICES_MAX];
        struct message complaint = {.type = MESSAGE_COMPLAINT,
                                    .as.complaint = {.id = inbox->id, .indices = list}};
        FED_OK(secagg_device_shares(device->secagg, inbox->sealed, inbox->count));
        FED_OK(secagg_device_complaints(device->secagg, list, &complaint.as.complaint.count));
        if (complaint.as.complaint.count)
            fed_post(fed, i, -1, &complaint);
        FED_OK(secagg_device_mask(device->secagg, vector));
        device->packed_len = pack_bytes(fed->secagg.dim, fed->secagg.bits);
        device->packed = malloc(device->packed_len);
        pack_bits(device->packed, vector, fed->secagg.dim, fed->secagg.bits);
        free(vector);
    }
    fed_announce(fed, i);
}

static void fed_on_collect(struct fed *fed, int i, const struct message_collect *collect)
{
    struct fed_device *device = &fed->devices[i];
    uint8_t words[HASH_BYTES + SECAGG_KEY_BYTES];
    memcpy(words, device->binding, HASH_BYTES);
    memcpy(words + HASH_BYTES, collect->key, SECAGG_KEY_BYTES);
    FED_OK(sign_check(collect->signature, fed->ledger_key, MESSAGE_COLLECT_LABEL, words,
                      sizeof(words)));
    if (!device->packed) {
        size_t len = pack_bytes(fed->secagg.dim, fed->secagg.bits);
        uint32_t *vector = calloc(fed->secagg.dim, sizeof(*vector));
        uint8_t *plain = malloc(len);
        fed->fill(fed->ctx, i, vector);
        pack_bits(plain, vector, fed->secagg.dim, fed->secagg.bits);
        device->packed_len = len + DIRECT_OVERHEAD;
        device->packed = malloc(device->packed_len);
        FED_OK(
            direct_seal(device->packed, plain, len, device->direct, collect->key, device->binding));
        free(plain);
        free(vector);
    }
    fed_announce(fed, i);
}

/* Countersigns the words of the receipt. */
static void fed_on_outcome(struct fed *fed, int i, const struct message_outcome *outcome)
{
    static const uint8_t none[SIGN_BYTES];
    struct fed_device *device = &fed->devices[i];
    struct message message = {.type = MESSAGE_RECEIPTED, .as.receipted.id = outcome->id};
    struct receipt receipt = {.round = outcome->id.round,
                              .attempt = outcome->id.attempt,
                              .survivors = outcome->survivors,
                              .count = outcome->ledger_count + device->signs_wrong};
    device->outcome = *outcome;
    if (memcmp(outcome->receipt, none, sizeof(none)) == 0 || device->keeps_receipts)
        return;
    memcpy(receipt.aggregator, fed->ledger_key, SIGN_PUBLIC_BYTES);
    memcpy(receipt.device, device->id, DEVICE_ID_BYTES);
    memcpy(receipt.task_id, outcome->id.task, TASK_ID_BYTES);
    memcpy(receipt.binding, device->binding, HASH_BYTES);
    memcpy(receipt.roster, outcome->roster, HASH_BYTES);
    memcpy(receipt.model, outcome->model, HASH_BYTES);
    memcpy(receipt.paid_for, outcome->paid_for, HASH_BYTES);
    memcpy(receipt.head, outcome->ledger_head, HASH_BYTES);
    receipt_countersign(message.as.receipted.signature, &receipt, device->key);
    fed_post(fed, i, -1, &message);
}

static void fed_on_resume(struct fed *fed, int i, const struct message_resume *resume)
{
    struct fed_device *device = &fed->devices[i];
    struct message chunk;
    FED_OK(transfer_out_start(&device->out, resume->hash, device->packed, device->packed_len,
                              resume->offset));
    while (transfer_out_next(&device->out, &chunk))
        fed_post(fed, i, -1, &chunk);
}

static void fed_on_survivors(struct fed *fed, int i, const struct message_survivors *survivors)
{
    struct message message = {.type = MESSAGE_VOUCH, .as.vouch.id = survivors->id};
    FED_OK(secagg_device_survivors(fed->devices[i].secagg, survivors->indices, survivors->count,
                                   message.as.vouch.signature));
    fed_post(fed, i, -1, &message);
}

static void fed_on_vouches(struct fed *fed, int i, const struct message_vouches *vouches)
{
    struct secagg_share shares[2 * FED_DEVICES_MAX];
    struct message message = {.type = MESSAGE_REVEAL,
                              .as.reveal = {.id = vouches->id, .shares = shares}};
    FED_OK(secagg_device_reveal(fed->devices[i].secagg, vouches->vouches, vouches->count, shares,
                                &message.as.reveal.count));
    if (fed->devices[i].wrong_shares)
        for (uint32_t k = 0; k < message.as.reveal.count; k++)
            shares[k].value[0] ^= 1;
    fed_post(fed, i, -1, &message);
}

static void fed_hear(struct fed *fed, int i, const struct message *message)
{
    struct fed_device *device = &fed->devices[i];
    device->heard[message->type]++;
    if (message->type == MESSAGE_OFFER)
        device->offer = message->as.offer;
    if (message->type == device->mute)
        return;
    switch (message->type) {
    case MESSAGE_OFFER:
        fed_on_offer(fed, i, &message->as.offer);
        break;
    case MESSAGE_ROSTER:
        fed_on_roster(fed, i, &message->as.roster);
        break;
    case MESSAGE_INBOX:
        fed_on_inbox(fed, i, &message->as.inbox);
        break;
    case MESSAGE_RESUME:
        fed_on_resume(fed, i, &message->as.resume);
        break;
    case MESSAGE_SURVIVORS:
        fed_on_survivors(fed, i, &message->as.survivors);
        break;
    case MESSAGE_VOUCHES:
        fed_on_vouches(fed, i, &message->as.vouches);
        break;
    case MESSAGE_OUTCOME:
        fed_on_outcome(fed, i, &message->as.outcome);
        break;
    case MESSAGE_COLLECT:
        fed_on_collect(fed, i, &message->as.collect);
        break;
    default:
        cr_assert_fail("a device got %s", message_name(message->type));
    }
}

/* Delivers one letter; false when none is under way. What a device that is away should get, or
 * has sent, is lost. */
__attribute__((unused)) static bool fed_step(struct fed *fed)
{
    if (fed->head == fed->tail)
        return false;
    struct fed_letter letter = fed->queue[fed->head++ % FED_QUEUE_MAX];
    struct cn_arena arena;
    struct message message;
    int device = letter.to < 0 ? letter.from : letter.to;
    cn_arena_init(&arena, (size_t)1 << 24);
    FED_OK(message_decode(&message, letter.bytes, letter.len, &arena));
    if (fed->devices[device].here && letter.to >= 0) {
        fed_hear(fed, letter.to, &message);
    } else if (fed->devices[device].here) {
        enum cn_err err = fed->deliver(fed->ctx, fed->devices[device].id, &message);
        if (err != CN_OK)
            fed->refused[device] = err;
    }
    cn_arena_clear(&arena);
    free(letter.bytes);
    return true;
}

__attribute__((unused)) static void fed_run(struct fed *fed)
{
    while (fed_step(fed))
        ;
}

/* Connects a device; the caller tells the round or the runner. */
__attribute__((unused)) static void fed_join(struct fed *fed, int i)
{
    fed->devices[i].here = true;
    FED_OK(cohort_join(fed->cohort, &fed->devices[i].certificate));
}

__attribute__((unused)) static void fed_leave(struct fed *fed, int i)
{
    fed->devices[i].here = false;
    cohort_leave(fed->cohort, fed->devices[i].id);
}

#endif
