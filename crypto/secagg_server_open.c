/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the sum: secrets from shares, masks from secrets, masks out of the accumulator; see
 * secagg_server.h. Of a survivor only the self secret is ever recovered, of a dropped device only
 * the mask secret. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "crypto/secagg_server_internal.h"

#define MASK_BATCH 1024                      /* masks in one pass over the accumulator */
#define THREAD_WORDS_MIN 4 * MASK_TILE_WORDS /* coordinates that are worth a thread */

/* Everything secret, in one sodium_malloc block. */
struct opening {
    uint32_t list[SECAGG_DEGREE_MAX + 1];    /* who may hold one */
    uint32_t holders[SECAGG_DEGREE_MAX + 1]; /* who revealed a share of the device at hand */
    uint32_t points[SECAGG_DEGREE_MAX + 1];
    uint8_t shares[SECAGG_DEGREE_MAX + 1][SHAMIR_BYTES];
    uint32_t count;
    uint32_t weighted[SECAGG_DEGREE_MAX + 1]; /* the points that weights are for */
    uint8_t weights[SECAGG_DEGREE_MAX + 1][SHAMIR_BYTES];
    bool has_weights;
    bool wrong[SECAGG_DEGREE_MAX + 1];
    struct shamir_search search; /* its work_left lasts for all devices together */
    uint8_t secret[SHAMIR_BYTES];
    struct mask masks[MASK_BATCH];
    size_t filled;
};

static int compare_share(const void *wanted, const void *share)
{
    const struct secagg_share *a = wanted, *b = share;

    if (a->of != b->of)
        return a->of > b->of ? 1 : -1;
    return (a->kind > b->kind) - (a->kind < b->kind);
}

/* What a device revealed of another, NULL when it did not. */
static const struct secagg_share *revealed_by(const struct secagg_server *server, uint32_t holder,
                                              uint32_t of, enum secagg_kind kind)
{
    const struct reveal *reveal = &server->revealed[holder];
    const struct secagg_share wanted = {.of = of, .kind = (uint8_t)kind};

    if (!(server->sets[holder] & REVEALED))
        return NULL;
    return bsearch(&wanted, reveal->shares, reveal->count, sizeof *reveal->shares, compare_share);
}

/* Gathers the shares of one device from all who revealed and have not lied. */
static enum cn_err gather(const struct secagg_server *server, struct opening *opening, uint32_t of)
{
    enum secagg_kind kind = server->sets[of] & IN_U3 ? SECAGG_SELF : SECAGG_PAIR;

    opening->count = 0;
    secagg_server_holders(server, of, opening->list);
    for (uint32_t k = 0; k <= server->shape.graph.degree; k++) {
        uint32_t i = opening->list[k];
        const struct secagg_share *share = revealed_by(server, i, of, kind);

        if (!share || (server->sets[i] & LIED))
            continue;
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

/* One thread's part of the coordinates. */
struct part {
    pthread_t thread;
    bool started;
    uint32_t *vector; /* the part itself */
    size_t first, n;
    const struct mask_set *set;
    enum cn_err err;
};

static void *run_part(void *arg)
{
    struct part *part = arg;

    part->err = mask_apply_range(part->vector, part->first, part->n, part->set);
    return NULL;
}

/* Gives every thread a range of whole tiles; what can not get a thread is done here. */
static enum cn_err apply_all(struct secagg_server *server, const struct mask_set *set)
{
    struct part parts[SECAGG_THREADS_MAX];
    size_t dim = server->config.dim, done = 0, tiles = dim / MASK_TILE_WORDS + 1;
    size_t words = (tiles + server->threads - 1) / server->threads * MASK_TILE_WORDS;
    uint32_t count = 0;
    enum cn_err err = CN_OK;

    for (; done < dim; done += words, count++) {
        struct part *part = &parts[count];

        *part = (struct part){.vector = server->sum + done,
                              .first = done,
                              .n = dim - done < words ? dim - done : words,
                              .set = set};
        bool is_last = done + part->n == dim;
        part->started = !is_last && part->n >= THREAD_WORDS_MIN &&
                        pthread_create(&part->thread, NULL, run_part, part) == 0;
        if (!part->started)
            run_part(part);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (parts[i].started && pthread_join(parts[i].thread, NULL) != 0)
            err = CN_E_CRYPTO;
        if (err == CN_OK)
            err = parts[i].err;
    }
    return err;
}

static enum cn_err flush(struct secagg_server *server, struct opening *opening)
{
    struct mask_set set = {.bits = server->config.bits,
                           .algorithm = (enum mask_algorithm)server->config.prg,
                           .masks = opening->masks,
                           .count = opening->filled};

    opening->filled = 0;
    return apply_all(server, &set);
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
    struct secagg_seed what = {server->session, server->config.prg};
    struct mask *mask;

    CN_TRY(recover(server, opening, of));
    CN_TRY(next_mask(server, opening, &mask));
    secagg_self_seed(mask->seed, &what, of, opening->secret);
    mask->subtract = true;
    return CN_OK;
}

/* The seed of a survivor's mask with one that dropped: as it revealed it, or from the secret. */
static enum cn_err pair_seed(const struct secagg_server *server, struct opening *opening,
                             uint32_t survivor, uint32_t dropped, bool by_edges, uint8_t *seed)
{
    struct secagg_seed what = {server->session, server->config.prg};

    if (!by_edges)
        return secagg_mask_seed(seed, &what, survivor, dropped, opening->secret,
                                server->members[survivor].keys.mask_public);
    const struct secagg_share *edge = revealed_by(server, survivor, dropped, SECAGG_EDGE);
    CN_ASSERT(edge); /* they were counted */
    memcpy(seed, edge->value, MASK_SEED_BYTES);
    return CN_OK;
}

/* Takes back what the survivors put on theirs for a neighbour that dropped: the lower position had
 * added it. When all of them told their seeds, the secret is not needed; a wrong seed spoils the
 * sum just as a wrong vector from the same device would. */
static enum cn_err remove_pairs(struct secagg_server *server, struct opening *opening,
                                uint32_t dropped)
{
    const struct progress *progress = &server->progress[dropped];
    bool by_edges = progress->edges == progress->maskers;
    uint32_t list[SECAGG_DEGREE_MAX];
    struct mask *mask;

    if (!by_edges)
        CN_TRY(recover(server, opening, dropped));
    graph_neighbours(&server->shape.graph, dropped, list);
    for (uint32_t k = 0; k < server->shape.graph.degree; k++) {
        uint32_t i = list[k];

        if (!(server->sets[i] & IN_U3) || secagg_server_complained(server, i, dropped))
            continue;
        CN_TRY(next_mask(server, opening, &mask));
        mask->subtract = i < dropped;
        CN_TRY(pair_seed(server, opening, i, dropped, by_edges, mask->seed));
    }
    return CN_OK;
}

static enum cn_err remove_masks(struct secagg_server *server, struct opening *opening)
{
    for (uint32_t of = 0; of < server->count; of++) {
        if (!(server->sets[of] & IN_U2))
            continue;
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
