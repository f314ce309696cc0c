/* SPDX-License-Identifier: Apache-2.0 */
/* What leaves a device: the checks that hold for every one that is honest, and how lying ones
 * change it. */
#include <stdlib.h>
#include <string.h>

#include "crypto/pack.h"
#include "sim_world.h"

/* No masked byte leaves before its line is on disk; one masked vector leaves in a session. */
static void check_upload(struct sim_device *device, const struct message *message)
{
    struct sim_world *world = device->world;
    struct sim_sitting *sitting = device->sitting;
    const uint8_t *hash;

    if (message->type == MESSAGE_UPLOAD)
        hash = message->as.upload.hash;
    else if (message->type == MESSAGE_CHUNK)
        hash = message->as.chunk.hash;
    else
        return;
    if (!sim_disk_has(&device->disk, &device->offer.id))
        sim_broken(world, "device %u sends a masked vector before its ledger says so",
                   device->number);
    if (sitting->uploaded && memcmp(sitting->upload, hash, HASH_BYTES) != 0)
        sim_broken(world, "device %u sends two masked vectors in one session", device->number);
    sitting->uploaded = true;
    memcpy(sitting->upload, hash, HASH_BYTES);
}

/* Adds an error to the masked vector: the sum will hold it, which nobody can prevent. */
static void add_error(struct sim_device *device)
{
    struct sim_world *world = device->world;
    uint32_t vector[SIM_DIM_MAX] = {0};
    uint32_t low = UINT32_MAX >> (32 - world->plan.bits);
    uint64_t len;
    uint8_t hash[HASH_BYTES];
    const uint8_t *blob = participant_blob(device->participant, &len, hash);

    if (!blob || device->held)
        return;
    CN_ASSERT(unpack_bits_add(vector, world->plan.dim, world->plan.bits, blob, len) == CN_OK);
    for (uint32_t k = 0; k < world->plan.dim; k++) {
        device->error[k] = sim_below(world, 100) & low;
        vector[k] = (vector[k] + device->error[k]) & low;
    }
    device->error_id = device->offer.id;
    device->held = malloc(len);
    CN_ASSERT(device->held);
    pack_bits(device->held, vector, world->plan.dim, world->plan.bits);
    hash_blob(device->held_hash, device->held, len);
}

/* Other bytes for the same numbers: two aggregators could disagree about what was sent. */
static void set_spare_bits(struct sim_device *device, struct message *message)
{
    const struct sim_plan *plan = &device->world->plan;
    uint32_t used = plan->dim * plan->bits % 8;
    uint64_t len;
    uint8_t hash[HASH_BYTES];
    const uint8_t *blob = participant_blob(device->participant, &len, hash);

    if (!blob || used == 0)
        return;
    free(device->held);
    device->held = malloc(len);
    CN_ASSERT(device->held);
    memcpy(device->held, blob, len);
    device->held[len - 1] |= (uint8_t)(0xff << used);
    hash_blob(device->held_hash, device->held, len);
    memcpy(message->as.upload.hash, device->held_hash, HASH_BYTES);
}

static void lie_upload(struct sim_device *device, struct message *message)
{
    if (device->lie == SIM_LIE_SPARE_BITS)
        set_spare_bits(device, message);
    if (device->lie == SIM_LIE_ERROR) {
        add_error(device);
        memcpy(message->as.upload.hash, device->held_hash, HASH_BYTES);
    }
    if (device->lie == SIM_LIE_OTHER_VECTOR) {
        struct message other = *message;
        other.as.upload.hash[0] ^= 1;
        sim_post(device->world, (int)device->number, SIM_AGGREGATOR, &other);
    }
}

static void lie_reveal(const struct sim_device *device, struct message *message,
                       struct secagg_share shares[2 * SIM_MEMBERS_MAX])
{
    struct message_reveal *reveal = &message->as.reveal;

    memcpy(shares, reveal->shares, reveal->count * sizeof *shares);
    reveal->shares = shares;
    for (uint32_t i = 0; i < reveal->count; i++) {
        if (device->lie == SIM_LIE_WRONG_SHARE)
            shares[i].value[0] ^= 1;
        if (device->lie == SIM_LIE_BOTH_SHARES && shares[i].kind != SECAGG_EDGE)
            shares[i].kind = shares[i].kind == SECAGG_SELF ? SECAGG_PAIR : SECAGG_SELF;
    }
}

static void say_too_early(struct sim_device *device, const struct round_id *id)
{
    struct message message = {.type = MESSAGE_VOUCH, .as.vouch.id = *id};

    sim_post(device->world, (int)device->number, SIM_AGGREGATOR, &message);
}

static void say_garbage(struct sim_device *device)
{
    uint8_t bytes[64];
    uint32_t len = sim_below(device->world, sizeof bytes);

    cn_random_fill(&device->world->random, bytes, sizeof bytes);
    sim_post_bytes(device->world, (int)device->number, SIM_AGGREGATOR, bytes, len);
}

void sim_say(struct sim_device *device, struct message *message)
{
    struct sim_world *world = device->world;
    struct secagg_share shares[2 * SIM_MEMBERS_MAX];
    struct secagg_sealed sealed[SIM_MEMBERS_MAX];

    if (!device->here)
        return;
    if (!device->corrupt) {
        check_upload(device, message);
        if (device->sitting)
            sim_adversary_hears(world, device->sitting, message);
        sim_post(world, (int)device->number, SIM_AGGREGATOR, message);
        return;
    }
    world->counts.lies += device->lie != SIM_LIE_NONE;
    if (message->type == MESSAGE_UPLOAD)
        lie_upload(device, message);
    if (message->type == MESSAGE_CHUNK && device->lie == SIM_LIE_LATE)
        device->slow_ms = 9000 + sim_below(world, 4000);
    if (message->type == MESSAGE_REVEAL)
        lie_reveal(device, message, shares);
    if (message->type == MESSAGE_VOUCH && device->lie == SIM_LIE_BAD_VOUCH)
        message->as.vouch.signature[3] ^= 1;
    if (message->type == MESSAGE_READY && device->lie == SIM_LIE_TOO_EARLY)
        say_too_early(device, &message->as.ready.id);
    if (message->type == MESSAGE_SHARES && device->lie == SIM_LIE_BAD_SEAL) {
        memcpy(sealed, message->as.shares.sealed, message->as.shares.count * sizeof *sealed);
        sealed[0].bytes[9] ^= 1;
        message->as.shares.sealed = sealed;
    }
    if (device->lie == SIM_LIE_GARBAGE && sim_chance(world, 250))
        say_garbage(device);
    else
        sim_post(world, (int)device->number, SIM_AGGREGATOR, message);
}
