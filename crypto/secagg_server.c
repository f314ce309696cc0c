/* SPDX-License-Identifier: Apache-2.0 */
/* The server's state machine of secure aggregation; see secagg_server.h. A message is verified
 * whole before it changes anything. Opening the sum is in secagg_server_open.c. */
#include "crypto/secagg_server.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "crypto/pack.h"
#include "crypto/secagg_internal.h"
#include "crypto/secagg_server_internal.h"

static enum cn_err in_stage(const struct secagg_server *server, enum stage stage)
{
    return server->stage == stage ? CN_OK : CN_E_UNEXPECTED;
}

static bool is_in(const struct secagg_server *server, uint32_t index, uint8_t set)
{
    return secagg_server_is_in(server, index, set);
}

static bool is_ring(const struct secagg_server *server)
{
    return server->shape.graph.place != NULL;
}

enum cn_err secagg_server_new(struct secagg_server **out, const struct secagg_config *config,
                              const uint8_t registrar[32])
{
    *out = NULL;
    CN_TRY(secagg_config_check(config));
    if (sodium_init() < 0)
        return CN_E_RANDOM;
    struct secagg_server *server = calloc(1, sizeof *server);
    if (!server)
        return CN_E_NOMEM;
    server->stage = STAGE_KEYS;
    server->config = *config;
    server->threads = 1;
    memcpy(server->registrar, registrar, sizeof server->registrar);
    *out = server;
    return CN_OK;
}

static void free_sealed(struct secagg_server *server)
{
    for (uint32_t i = 0; server->sealed && i < server->count; i++)
        free(server->sealed[i]);
    free(server->sealed);
    server->sealed = NULL;
}

void secagg_server_free(struct secagg_server *server)
{
    if (!server)
        return;
    free_sealed(server);
    for (uint32_t i = 0; server->revealed && i < server->count; i++)
        secagg_server_drop_reveal(server, i);
    free(server->revealed);
    if (server->sum)
        sodium_memzero(server->sum, server->config.dim * sizeof *server->sum);
    free(server->sum);
    secagg_shape_clear(&server->shape);
    seen_clear(&server->seen);
    free(server->members);
    free(server->entries);
    free(server->sets);
    free(server->complaints);
    free(server->suspicion);
    free(server->survivors);
    free(server->vouches);
    free(server->progress);
    free(server->liars);
    free(server);
}

enum cn_err secagg_server_check_size(struct secagg_server *server, uint32_t size,
                                     uint32_t threshold)
{
    enum cn_err err = CN_OK;

    if (size < server->config.cohort_min)
        err = CN_E_COHORT;
    else if (size < threshold)
        err = CN_E_THRESHOLD;
    if (err != CN_OK)
        server->stage = STAGE_ENDED;
    return err;
}

/* ---- shares and masked vectors ---- */

void secagg_server_holders(const struct secagg_server *server, uint32_t of, uint32_t *out)
{
    uint32_t degree = server->shape.graph.degree, at = degree;

    graph_neighbours(&server->shape.graph, of, out);
    for (; at > 0 && out[at - 1] > of; at--)
        out[at] = out[at - 1];
    out[at] = of;
}

/* One message per neighbour, in order, from this sender. */
static enum cn_err check_sealed(const struct secagg_server *server, uint32_t from,
                                const struct secagg_sealed *sealed, uint32_t count)
{
    if (count != server->shape.graph.degree)
        return CN_E_INCONSISTENT;
    for (uint32_t k = 0; k < count; k++) {
        if (sealed[k].from != from || (k > 0 && sealed[k].to <= sealed[k - 1].to))
            return CN_E_INCONSISTENT;
        if (!graph_is_neighbour(&server->shape.graph, from, sealed[k].to))
            return CN_E_INCONSISTENT;
    }
    return CN_OK;
}

enum cn_err secagg_server_shares(struct secagg_server *server, uint32_t from,
                                 const struct secagg_sealed *sealed, uint32_t count)
{
    CN_TRY(in_stage(server, STAGE_SHARES));
    if (from >= server->count)
        return CN_E_INCONSISTENT;
    if (is_in(server, from, IN_U2))
        return CN_E_REPLAY;
    CN_TRY(check_sealed(server, from, sealed, count));
    server->sealed[from] = malloc(count * sizeof *sealed);
    if (!server->sealed[from])
        return CN_E_NOMEM;
    memcpy(server->sealed[from], sealed, count * sizeof *sealed);
    server->sets[from] |= IN_U2;
    server->shared_count++;
    return CN_OK;
}

enum cn_err secagg_server_close_shares(struct secagg_server *server)
{
    CN_TRY(in_stage(server, STAGE_SHARES));
    CN_TRY(secagg_server_check_size(server, server->shared_count, server->threshold));
    server->stage = STAGE_MASKED;
    return CN_OK;
}

/* The message of one sender to `to`, which its list holds in rising order. */
static const struct secagg_sealed *sealed_for(const struct secagg_server *server, uint32_t from,
                                              uint32_t to)
{
    uint32_t low = 0, high = server->shape.graph.degree;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (server->sealed[from][middle].to < to)
            low = middle + 1;
        else
            high = middle;
    }
    return &server->sealed[from][low];
}

enum cn_err secagg_server_inbox(const struct secagg_server *server, uint32_t to,
                                struct secagg_sealed *out, uint32_t *count)
{
    uint32_t neighbours[SECAGG_DEGREE_MAX], filled = 0;

    CN_TRY(in_stage(server, STAGE_MASKED));
    if (!is_in(server, to, IN_U2))
        return CN_E_INCONSISTENT;
    graph_neighbours(&server->shape.graph, to, neighbours);
    for (uint32_t k = 0; k < server->shape.graph.degree; k++) {
        if (is_in(server, neighbours[k], IN_U2))
            out[filled++] = *sealed_for(server, neighbours[k], to);
    }
    *count = filled;
    return CN_OK;
}

bool secagg_server_complained(const struct secagg_server *server, uint32_t by, uint32_t of)
{
    if (server->suspicion[by] == 0 || server->suspicion[of] == 0)
        return false;
    for (uint32_t i = 0; i < server->complaints_count; i++) {
        if (server->complaints[i].by == by && server->complaints[i].of == of)
            return true;
    }
    return false;
}

static enum cn_err check_complaint(const struct secagg_server *server, uint32_t index,
                                   const uint32_t *list, uint32_t count)
{
    for (uint32_t k = 0; k < count; k++) {
        if (k > 0 && list[k] <= list[k - 1])
            return CN_E_INCONSISTENT;
        if (!is_in(server, list[k], IN_U2) ||
            !graph_is_neighbour(&server->shape.graph, index, list[k]))
            return CN_E_INCONSISTENT;
    }
    return CN_OK;
}

static enum cn_err make_complaint_room(struct secagg_server *server, uint32_t more)
{
    uint32_t room = server->complaints_room;

    if (more <= room - server->complaints_count)
        return CN_OK;
    room = 2 * room + more; /* at most two per pair of neighbours: below 2^32 */
    struct secagg_complaint *grown = realloc(server->complaints, room * sizeof *grown);
    if (!grown)
        return CN_E_NOMEM;
    server->complaints = grown;
    server->complaints_room = room;
    return CN_OK;
}

enum cn_err secagg_server_complain(struct secagg_server *server, uint32_t index,
                                   const uint32_t *list, uint32_t count)
{
    CN_TRY(in_stage(server, STAGE_MASKED));
    if (!is_in(server, index, IN_U2))
        return CN_E_INCONSISTENT;
    if (is_in(server, index, IN_U3))
        return CN_E_UNEXPECTED;
    if (is_in(server, index, COMPLAINED))
        return CN_E_REPLAY;
    CN_TRY(check_complaint(server, index, list, count));
    CN_TRY(make_complaint_room(server, count));
    for (uint32_t k = 0; k < count; k++) {
        server->complaints[server->complaints_count++] =
            (struct secagg_complaint){.by = index, .of = list[k]};
        server->suspicion[index]++;
        server->suspicion[list[k]]++;
        if (is_in(server, list[k], IN_U3)) /* too late to put that one out */
            server->sets[index] |= OUT;
    }
    server->sets[index] |= COMPLAINED;
    return CN_OK;
}

void secagg_server_complaints(const struct secagg_server *server,
                              const struct secagg_complaint **list, uint32_t *count)
{
    *list = server->complaints;
    *count = server->complaints_count;
}

/* Whether a device has to give way to one that it complained of, or that complained of it. */
static bool gives_way(const struct secagg_server *server, uint32_t index)
{
    const uint32_t *suspicion = server->suspicion;

    for (uint32_t i = 0; suspicion[index] > 0 && i < server->complaints_count; i++) {
        uint32_t by = server->complaints[i].by, of = server->complaints[i].of;

        if (by == index && !is_in(server, of, OUT) && suspicion[by] > suspicion[of])
            return true;
        if (of == index && !is_in(server, by, OUT) && suspicion[of] >= suspicion[by])
            return true;
    }
    return false;
}

bool secagg_server_expects(const struct secagg_server *server, uint32_t index)
{
    return server->stage == STAGE_MASKED && is_in(server, index, IN_U2) &&
           !is_in(server, index, OUT | IN_U3) && !gives_way(server, index);
}

/* Puts out everybody who complained of a device that has come in, or of whom it did. */
static void put_others_out(struct secagg_server *server, uint32_t index)
{
    for (uint32_t i = 0; server->suspicion[index] > 0 && i < server->complaints_count; i++) {
        const struct secagg_complaint *complaint = &server->complaints[i];

        if (complaint->by == index)
            server->sets[complaint->of] |= OUT;
        if (complaint->of == index)
            server->sets[complaint->by] |= OUT;
    }
}

enum cn_err secagg_server_masked(struct secagg_server *server, uint32_t index,
                                 const uint8_t *packed, size_t len)
{
    CN_TRY(in_stage(server, STAGE_MASKED));
    if (!is_in(server, index, IN_U2))
        return CN_E_INCONSISTENT;
    if (is_in(server, index, IN_U3))
        return CN_E_REPLAY;
    if (is_in(server, index, OUT) || gives_way(server, index)) {
        server->sets[index] |= OUT;
        return CN_E_INCONSISTENT;
    }
    CN_TRY(unpack_bits_add(server->sum, server->config.dim, server->config.bits, packed, len));
    server->sets[index] |= IN_U3;
    server->survivors_count++;
    put_others_out(server, index);
    return CN_OK;
}

/* Counts the survivors that masked with a device that dropped, and on a ring those that hold shares
 * of one that did not. */
static uint32_t count_survivors_near(const struct secagg_server *server, uint32_t of)
{
    uint32_t holders[SECAGG_DEGREE_MAX + 1], counted = 0;

    secagg_server_holders(server, of, holders);
    for (uint32_t k = 0; k <= server->shape.graph.degree; k++)
        counted +=
            is_in(server, holders[k], IN_U3) && !secagg_server_complained(server, holders[k], of);
    return counted;
}

/* On a ring: whether enough neighbours of everybody survived, everywhere. What a device that
 * dropped has left on the sum opens with fewer, too, if all of them help. */
static bool is_openable(struct secagg_server *server)
{
    for (uint32_t of = 0; of < server->count; of++) {
        if (!is_in(server, of, IN_U2))
            continue;
        uint32_t near = count_survivors_near(server, of);
        if (is_in(server, of, IN_U3) && near < server->shape.threshold && is_ring(server))
            return false;
        server->progress[of].maskers = near;
    }
    return graph_windows_hold(&server->shape.graph, server->sets, IN_U3, server->shape.window_min);
}

enum cn_err secagg_server_close_masked(struct secagg_server *server)
{
    uint32_t filled = 0;

    CN_TRY(in_stage(server, STAGE_MASKED));
    CN_TRY(secagg_server_check_size(server, server->survivors_count, server->threshold));
    if (!is_openable(server)) {
        server->stage = STAGE_ENDED;
        return CN_E_THRESHOLD;
    }
    for (uint32_t i = 0; i < server->count; i++) {
        if (is_in(server, i, IN_U3))
            server->survivors[filled++] = i;
    }
    secagg_vouch_message(server->vouch_message, server->session, server->survivors, filled);
    free_sealed(server);
    server->stage = STAGE_VOUCHES;
    return CN_OK;
}

enum cn_err secagg_server_survivors(const struct secagg_server *server, const uint32_t **list,
                                    uint32_t *count)
{
    if (server->stage < STAGE_VOUCHES)
        return CN_E_UNEXPECTED;
    *list = server->survivors;
    *count = server->survivors_count;
    return CN_OK;
}

enum cn_err secagg_server_vouch(struct secagg_server *server, uint32_t index,
                                const uint8_t signature[SECAGG_SIGNATURE_BYTES])
{
    CN_TRY(in_stage(server, STAGE_VOUCHES));
    if (!is_in(server, index, IN_U3))
        return CN_E_INCONSISTENT;
    if (is_in(server, index, IN_U4))
        return CN_E_REPLAY;
    if (!secagg_shape_is_trusting(&server->shape))
        CN_TRY(sign_check(signature, server->members[index].certificate.device, SECAGG_VOUCH_LABEL,
                          server->vouch_message, sizeof server->vouch_message));
    memcpy(server->vouches[index].signature, signature, SECAGG_SIGNATURE_BYTES);
    server->vouches_count++;
    server->sets[index] |= IN_U4;
    return CN_OK;
}

/* Those that are open from the start: nobody masked with them. */
static void mark_openable(struct secagg_server *server, uint32_t of)
{
    const struct progress *progress = &server->progress[of];
    bool dropped = !is_in(server, of, IN_U3);

    if (is_in(server, of, OPENABLE) || !is_in(server, of, IN_U2))
        return;
    if (progress->holders < server->shape.threshold &&
        !(dropped && progress->edges == progress->maskers))
        return;
    server->sets[of] |= OPENABLE;
    server->openable_count++;
}

/* Enough vouches everywhere: on a ring in every window, which is more than half of them all. */
static enum cn_err check_vouches(struct secagg_server *server)
{
    uint32_t threshold = is_ring(server) ? 0 : server->threshold;

    CN_TRY(secagg_server_check_size(server, server->vouches_count, threshold));
    if (graph_windows_hold(&server->shape.graph, server->sets, IN_U4, server->shape.window_min))
        return CN_OK;
    server->stage = STAGE_ENDED;
    return CN_E_THRESHOLD;
}

enum cn_err secagg_server_close_vouches(struct secagg_server *server)
{
    uint32_t filled = 0;

    CN_TRY(in_stage(server, STAGE_VOUCHES));
    CN_TRY(check_vouches(server));
    for (uint32_t i = 0; i < server->count; i++) {
        mark_openable(server, i);
        if (!is_in(server, i, IN_U4))
            continue;
        server->vouches[filled] = server->vouches[i];
        server->vouches[filled++].index = i;
    }
    server->stage = STAGE_REVEALS;
    return CN_OK;
}

enum cn_err secagg_server_vouches(const struct secagg_server *server,
                                  const struct secagg_vouch **vouches, uint32_t *count)
{
    if (server->stage < STAGE_REVEALS)
        return CN_E_UNEXPECTED;
    *vouches = server->vouches;
    *count = server->vouches_count;
    return CN_OK;
}

static int compare_vouch(const void *index, const void *vouch)
{
    uint32_t a = *(const uint32_t *)index, b = ((const struct secagg_vouch *)vouch)->index;

    return (a > b) - (a < b);
}

enum cn_err secagg_server_vouches_for(const struct secagg_server *server, uint32_t index,
                                      struct secagg_vouch *out, uint32_t *count)
{
    uint32_t holders[SECAGG_DEGREE_MAX + 1], filled = 0;

    if (server->stage < STAGE_REVEALS)
        return CN_E_UNEXPECTED;
    if (!is_in(server, index, IN_U3))
        return CN_E_INCONSISTENT;
    secagg_server_holders(server, index, holders);
    for (uint32_t k = 0; k <= server->shape.graph.degree; k++) {
        const struct secagg_vouch *vouch =
            bsearch(&holders[k], server->vouches, server->vouches_count, sizeof *server->vouches,
                    compare_vouch);
        if (vouch)
            out[filled++] = *vouch;
    }
    *count = filled;
    return CN_OK;
}

/* ---- reveals ---- */

/* What index has to reveal of a member of U2: one share of the right kind, and for one that dropped
 * perhaps the seed of their mask. *next moves past it. */
static enum cn_err check_share(const struct secagg_server *server, uint32_t of,
                               const struct secagg_share *shares, uint32_t count, uint32_t *next)
{
    enum secagg_kind kind = is_in(server, of, IN_U3) ? SECAGG_SELF : SECAGG_PAIR;

    if (*next == count || shares[*next].of != of || shares[*next].kind != kind)
        return CN_E_INCONSISTENT;
    if (!agree_is_scalar(shares[*next].value))
        return CN_E_PARSE;
    (*next)++;
    if (kind == SECAGG_PAIR && *next < count && shares[*next].of == of &&
        shares[*next].kind == SECAGG_EDGE)
        (*next)++;
    return CN_OK;
}

static enum cn_err check_shares(const struct secagg_server *server, uint32_t index,
                                const struct secagg_share *shares, uint32_t count)
{
    uint32_t list[SECAGG_DEGREE_MAX + 1], next = 0;

    secagg_server_holders(server, index, list);
    for (uint32_t k = 0; k <= server->shape.graph.degree; k++) {
        if (is_in(server, list[k], IN_U2) && !secagg_server_complained(server, index, list[k]))
            CN_TRY(check_share(server, list[k], shares, count, &next));
    }
    return next == count ? CN_OK : CN_E_INCONSISTENT;
}

enum cn_err secagg_server_reveal(struct secagg_server *server, uint32_t index,
                                 const struct secagg_share *shares, uint32_t count)
{
    CN_TRY(in_stage(server, STAGE_REVEALS));
    if (!is_in(server, index, IN_U3))
        return CN_E_INCONSISTENT;
    if (is_in(server, index, REVEALED))
        return CN_E_REPLAY;
    CN_TRY(check_shares(server, index, shares, count));
    struct secagg_share *copy = malloc(count * sizeof *copy);
    if (!copy)
        return CN_E_NOMEM;
    memcpy(copy, shares, count * sizeof *copy);
    server->revealed[index] = (struct reveal){copy, count};
    server->sets[index] |= REVEALED;
    for (uint32_t k = 0; k < count; k++) {
        struct progress *progress = &server->progress[copy[k].of];

        if (copy[k].kind == SECAGG_EDGE)
            progress->edges++;
        else
            progress->holders++;
        mark_openable(server, copy[k].of);
    }
    return CN_OK;
}

void secagg_server_drop_reveal(struct secagg_server *server, uint32_t index)
{
    struct reveal *reveal = &server->revealed[index];

    if (reveal->shares)
        sodium_memzero(reveal->shares, reveal->count * sizeof *reveal->shares);
    free(reveal->shares);
    *reveal = (struct reveal){NULL, 0};
}

bool secagg_server_can_open(const struct secagg_server *server)
{
    return server->stage == STAGE_REVEALS && server->openable_count == server->shared_count;
}

void secagg_server_set_threads(struct secagg_server *server, uint32_t threads)
{
    uint32_t most = threads < SECAGG_THREADS_MAX ? threads : SECAGG_THREADS_MAX;

    server->threads = most > 0 ? most : 1;
}

void secagg_server_liars(const struct secagg_server *server, const uint32_t **list, uint32_t *count)
{
    *list = server->liars;
    *count = server->liars_count;
}
