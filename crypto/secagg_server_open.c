/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the sum: secrets from shares, masks from secrets, masks out of the accumulator; see
 * secagg_server.h. Of a survivor only the self secret is ever recovered, of a dropped device only
 * the mask secret. */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "crypto/secagg_server_internal.h"

#define MASK_BATCH 64 /* masks in one pass over the accumulator */

/* Everything secret, in one sodium_malloc block. */
struct opening {
    uint32_t holders[SECAGG_DEVICES_MAX]; /* who revealed a share of the device at hand */
    uint32_t points[SECAGG_DEVICES_MAX];
    uint8_t shares[SECAGG_DEVICES_MAX][SHAMIR_BYTES];
    uint32_t count;
    uint32_t weighted[SECAGG_DEVICES_MAX]; /* the points that weights are for */
    uint8_t weights[SECAGG_DEVICES_MAX][SHAMIR_BYTES];
    bool has_weights;
    bool wrong[SECAGG_DEVICES_MAX];
    struct shamir_search search; /* its work_left lasts for all devices together */
    uint8_t secret[SHAMIR_BYTES];
    struct mask masks[MASK_BATCH];
    size_t filled;
};

static int compare_share(const void *of, const void *share)
{
    uint32_t a = *(const uint32_t *)of, b = ((const struct secagg_share *)share)->of;

    return (a > b) - (a < b);
}

/* Gathers the shares of one device from all who revealed and have not lied. */
static enum cn_err gather(const struct secagg_server *server, struct opening *opening, uint32_t of)
{
    opening->count = 0;
    for (uint32_t i = 0; i < server->count; i++) {
        if ((server->sets[i] & (REVEALED | LIED)) != REVEALED ||
            !secagg_holds(&server->shape, i, of))
            continue;
        const struct reveal *reveal = &server->revealed[i];
        const struct secagg_share *share =
            bsearch(&of, reveal->shares, reveal->count, sizeof *reveal->shares, compare_share);
        CN_ASSERT(share); /* secagg_server_reveal saw to it */
        opening->holders[opening->count] = i;
        opening->points[opening->count] = i + 1;
        memcpy(opening->shares[opening->count++], share->value, SHAMIR_BYTES);
    }
    return opening->count < server->shape.threshold ? CN_E_INCONSISTENT : CN_OK;
}

/* Weights for the first threshold points, which most devices have in common. */
static enum cn_err update_weights(struct opening *opening, uint32_t threshold)
{
    size_t bytes = threshold * sizeof *opening->points;

    if (opening->has_weights && memcmp(opening->weighted, opening->points, bytes) == 0)
        return CN_OK;
    opening->has_weights = false;
    CN_TRY(shamir_weights(opening->weights, opening->points, threshold));
    memcpy(opening->weighted, opening->points, bytes);
    opening->has_weights = true;
    return CN_OK;
}

static bool is_behind(const void *ctx, const uint8_t secret[SHAMIR_BYTES])
{
    uint8_t public_key[AGREE_PUBLIC_BYTES];

    return agree_public(public_key, secret) == CN_OK &&
           memcmp(public_key, ctx, sizeof public_key) == 0;
}

static void convict(struct secagg_server *server, const struct opening *opening)
{
    for (uint32_t k = 0; k < opening->count; k++) {
        if (opening->wrong[k])
            server->sets[opening->holders[k]] |= LIED;
    }
}

/* Recovers the one secret of a device that its fate allows, and checks it against its public key.
 */
static enum cn_err recover(struct secagg_server *server, struct opening *opening, uint32_t of)
{
    const struct secagg_keys *keys = &server->members[of].keys;
    const uint8_t *public_key = server->sets[of] & IN_U3 ? keys->self_public : keys->mask_public;

    CN_TRY(gather(server, opening, of));
    CN_TRY(update_weights(opening, server->shape.threshold));
    shamir_combine(opening->secret, (const uint8_t(*)[SHAMIR_BYTES])opening->shares,
                   (const uint8_t(*)[SHAMIR_BYTES])opening->weights, server->shape.threshold);
    if (is_behind(public_key, opening->secret))
        return CN_OK;
    struct shamir_set set = {.points = opening->points,
                             .shares = (const uint8_t(*)[SHAMIR_BYTES])opening->shares,
                             .count = opening->count,
                             .threshold = server->shape.threshold};
    opening->search.ctx = public_key;
    CN_TRY(shamir_recover(&opening->search, &set));
    memcpy(opening->secret, opening->search.secret, SHAMIR_BYTES);
    convict(server, opening);
    return CN_OK;
}

static enum cn_err flush(struct secagg_server *server, struct opening *opening)
{
    size_t count = opening->filled;

    opening->filled = 0;
    return mask_apply(server->sum, server->config.dim, server->config.bits, opening->masks, count);
}

/* The next free mask of the batch. */
static enum cn_err next_mask(struct secagg_server *server, struct opening *opening,
                             struct mask **mask)
{
    if (opening->filled == MASK_BATCH)
        CN_TRY(flush(server, opening));
    *mask = &opening->masks[opening->filled++];
    return CN_OK;
}

/* Takes back what a survivor put on its vector for itself. */
static enum cn_err remove_self(struct secagg_server *server, struct opening *opening, uint32_t of)
{
    struct mask *mask;

    CN_TRY(next_mask(server, opening, &mask));
    secagg_self_seed(mask->seed, server->session, of, opening->secret);
    mask->subtract = true;
    return CN_OK;
}

/* Takes back what the survivors put on theirs for a neighbour that dropped: the lower position
 * had added it. */
static enum cn_err remove_pairs(struct secagg_server *server, struct opening *opening,
                                uint32_t dropped)
{
    struct mask *mask;

    for (uint32_t i = 0; i < server->count; i++) {
        if (!(server->sets[i] & IN_U3) || !graph_is_neighbour(&server->shape.graph, i, dropped))
            continue;
        CN_TRY(next_mask(server, opening, &mask));
        mask->subtract = i < dropped;
        CN_TRY(secagg_mask_seed(mask->seed, server->session, i, dropped, opening->secret,
                                server->members[i].keys.mask_public));
    }
    return CN_OK;
}

static enum cn_err remove_masks(struct secagg_server *server, struct opening *opening)
{
    for (uint32_t of = 0; of < server->count; of++) {
        if (!(server->sets[of] & IN_U2))
            continue;
        CN_TRY(recover(server, opening, of));
        CN_TRY(server->sets[of] & IN_U3 ? remove_self(server, opening, of)
                                        : remove_pairs(server, opening, of));
    }
    return flush(server, opening);
}

static void list_liars(struct secagg_server *server)
{
    for (uint32_t i = 0; i < server->count; i++) {
        if (server->sets[i] & LIED)
            server->liars[server->liars_count++] = i;
    }
}

enum cn_err secagg_server_open(struct secagg_server *server, uint32_t *sum)
{
    size_t bytes = server->config.dim * sizeof *sum;

    if (server->stage != STAGE_REVEALS)
        return CN_E_UNEXPECTED;
    if (!secagg_server_can_open(server))
        return CN_E_THRESHOLD;
    struct opening *opening = sodium_malloc(sizeof *opening);
    if (!opening)
        return CN_E_NOMEM;
    opening->has_weights = false;
    opening->filled = 0;
    opening->search = (struct shamir_search){
        .is_right = is_behind, .work_left = SHAMIR_WORK_MAX, .wrong = opening->wrong};
    enum cn_err err = remove_masks(server, opening);
    sodium_free(opening); /* wipes */
    list_liars(server);
    if (err == CN_OK)
        memcpy(sum, server->sum, bytes);
    else
        sodium_memzero(sum, bytes);
    sodium_memzero(server->sum, bytes);
    for (uint32_t i = 0; i < server->count; i++)
        secagg_server_drop_reveal(server, i);
    server->stage = err == CN_OK ? STAGE_OPENED : STAGE_ENDED;
    return err;
}
