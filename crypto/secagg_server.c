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
    return index < server->count && (server->sets[index] & set);
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
    free(server->members);
    free(server->ids);
    free(server->sets);
    free(server->survivors);
    free(server->vouches);
    free(server->holders);
    free(server->liars);
    free(server);
}

/* The place of id among the sorted ids, or where it would go. */
static uint32_t place_of(const struct secagg_server *server, const uint8_t id[DEVICE_ID_BYTES],
                         bool *found)
{
    uint32_t low = 0, high = server->count;

    *found = false;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = memcmp(server->ids[middle], id, DEVICE_ID_BYTES);

        *found = *found || order == 0;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* CN_E_USED when the newcomer brings a key that is in the roster, or no use of its invitation is
 * left. */
static enum cn_err check_newcomer(const struct secagg_server *server,
                                  const struct secagg_member *member)
{
    const struct invitation *invitation = &member->certificate.invitation;
    uint32_t used = 0;

    if (secagg_keys_meet(&member->keys, &member->keys))
        return CN_E_USED;
    for (uint32_t i = 0; i < server->count; i++) {
        const struct secagg_member *other = &server->members[i];

        if (secagg_keys_meet(&other->keys, &member->keys))
            return CN_E_USED;
        if (memcmp(other->certificate.invitation.public_key, invitation->public_key,
                   sizeof invitation->public_key) != 0)
            continue;
        used++;
        if (used >= invitation->uses || used >= other->certificate.invitation.uses)
            return CN_E_USED;
    }
    return CN_OK;
}

static enum cn_err make_room(struct secagg_server *server)
{
    if (server->count < server->room)
        return CN_OK;
    uint32_t room = server->room ? 2 * server->room : 16;
    struct secagg_member *members = realloc(server->members, room * sizeof *members);
    if (!members)
        return CN_E_NOMEM;
    server->members = members;
    uint8_t(*ids)[DEVICE_ID_BYTES] = realloc(server->ids, room * sizeof *ids);
    if (!ids)
        return CN_E_NOMEM;
    server->ids = ids;
    server->room = room;
    return CN_OK;
}

enum cn_err secagg_server_keys(struct secagg_server *server, const struct secagg_member *member)
{
    uint8_t id[DEVICE_ID_BYTES];
    bool found;

    CN_TRY(in_stage(server, STAGE_KEYS));
    CN_TRY(secagg_member_check(member, &server->config, server->registrar));
    certificate_device_id(id, &member->certificate);
    uint32_t place = place_of(server, id, &found);
    if (found)
        return CN_E_REPLAY;
    if (server->count >= SECAGG_DEVICES_MAX)
        return CN_E_TOO_LARGE;
    CN_TRY(check_newcomer(server, member));
    CN_TRY(make_room(server));
    uint32_t behind = server->count - place;
    memmove(server->members + place + 1, server->members + place, behind * sizeof *server->members);
    memmove(server->ids + place + 1, server->ids + place, behind * sizeof *server->ids);
    server->members[place] = *member;
    memcpy(server->ids[place], id, sizeof id);
    server->count++;
    return CN_OK;
}

uint32_t secagg_server_count(const struct secagg_server *server)
{
    return server->count;
}

/* Ends the round when a set is too small for it. */
static enum cn_err check_size(struct secagg_server *server, uint32_t size, uint32_t threshold)
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

enum cn_err secagg_server_close_roster(struct secagg_server *server)
{
    uint32_t n = server->count;

    CN_TRY(in_stage(server, STAGE_KEYS));
    uint32_t threshold = secagg_threshold_for(&server->config, n);
    CN_TRY(check_size(server, n, threshold));
    server->sets = calloc(n, sizeof *server->sets);
    server->sealed = calloc(n, sizeof *server->sealed);
    server->revealed = calloc(n, sizeof *server->revealed);
    server->survivors = calloc(n, sizeof *server->survivors);
    server->vouches = calloc(n, sizeof *server->vouches);
    server->holders = calloc(n, sizeof *server->holders);
    server->liars = calloc(n, sizeof *server->liars);
    server->sum = calloc(server->config.dim, sizeof *server->sum);
    if (!server->sets || !server->sealed || !server->revealed || !server->survivors ||
        !server->vouches || !server->holders || !server->liars || !server->sum) {
        server->stage = STAGE_ENDED;
        return CN_E_NOMEM;
    }
    secagg_session_id(server->session, &server->config, server->members, n, threshold);
    enum cn_err err =
        secagg_shape_init(&server->shape, &server->config, server->session, n, threshold);
    server->threshold = err == CN_OK ? threshold : 0;
    server->stage = err == CN_OK ? STAGE_SHARES : STAGE_ENDED;
    return err;
}

/* The roster exists from its closing on, even when the round has ended since. */
static enum cn_err has_roster(const struct secagg_server *server)
{
    return server->threshold > 0 ? CN_OK : CN_E_UNEXPECTED;
}

enum cn_err secagg_server_members(const struct secagg_server *server,
                                  const struct secagg_member **members, uint32_t *count,
                                  uint32_t *threshold)
{
    CN_TRY(has_roster(server));
    *members = server->members;
    *count = server->count;
    *threshold = server->threshold;
    return CN_OK;
}

enum cn_err secagg_server_find(const struct secagg_server *server,
                               const uint8_t device_id[DEVICE_ID_BYTES], uint32_t *index)
{
    bool found;

    CN_TRY(has_roster(server));
    uint32_t place = place_of(server, device_id, &found);
    if (!found)
        return CN_E_NOT_FOUND;
    *index = place;
    return CN_OK;
}

enum cn_err secagg_server_session(const struct secagg_server *server,
                                  uint8_t session[SECAGG_SESSION_BYTES])
{
    CN_TRY(has_roster(server));
    memcpy(session, server->session, SECAGG_SESSION_BYTES);
    return CN_OK;
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
    CN_TRY(check_size(server, server->shared_count, server->threshold));
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
    uint32_t filled = 0;

    CN_TRY(in_stage(server, STAGE_MASKED));
    if (!is_in(server, to, IN_U2))
        return CN_E_INCONSISTENT;
    for (uint32_t from = 0; from < server->count; from++) {
        if (is_in(server, from, IN_U2) && graph_is_neighbour(&server->shape.graph, from, to))
            out[filled++] = *sealed_for(server, from, to);
    }
    *count = filled;
    return CN_OK;
}

enum cn_err secagg_server_masked(struct secagg_server *server, uint32_t index,
                                 const uint8_t *packed, size_t len)
{
    CN_TRY(in_stage(server, STAGE_MASKED));
    if (!is_in(server, index, IN_U2))
        return CN_E_INCONSISTENT;
    if (is_in(server, index, IN_U3))
        return CN_E_REPLAY;
    CN_TRY(unpack_bits_add(server->sum, server->config.dim, server->config.bits, packed, len));
    server->sets[index] |= IN_U3;
    server->survivors_count++;
    return CN_OK;
}

/* On a ring: whether enough neighbours of everybody survived, everywhere. */
static bool is_openable(const struct secagg_server *server)
{
    uint32_t degree = server->shape.graph.degree, neighbours[GRAPH_DEGREE_MAX];

    if (degree + 1 == server->count)
        return true;
    for (uint32_t of = 0; of < server->count; of++) {
        uint32_t holders = is_in(server, of, IN_U3);

        if (!is_in(server, of, IN_U2))
            continue;
        graph_neighbours(&server->shape.graph, of, neighbours);
        for (uint32_t k = 0; k < degree; k++)
            holders += is_in(server, neighbours[k], IN_U3);
        if (holders < server->shape.threshold)
            return false;
    }
    return secagg_windows_hold(&server->shape, server->sets, IN_U3);
}

enum cn_err secagg_server_close_masked(struct secagg_server *server)
{
    uint32_t filled = 0;

    CN_TRY(in_stage(server, STAGE_MASKED));
    CN_TRY(check_size(server, server->survivors_count, server->threshold));
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
    CN_TRY(sign_check(signature, server->members[index].certificate.device, SECAGG_VOUCH_LABEL,
                      server->vouch_message, sizeof server->vouch_message));
    uint32_t at = server->vouches_count;
    for (; at > 0 && server->vouches[at - 1].index > index; at--)
        server->vouches[at] = server->vouches[at - 1];
    server->vouches[at].index = index;
    memcpy(server->vouches[at].signature, signature, SECAGG_SIGNATURE_BYTES);
    server->vouches_count++;
    server->sets[index] |= IN_U4;
    return CN_OK;
}

enum cn_err secagg_server_close_vouches(struct secagg_server *server)
{
    CN_TRY(in_stage(server, STAGE_VOUCHES));
    CN_TRY(check_size(server, server->vouches_count, server->threshold));
    if (!secagg_windows_hold(&server->shape, server->sets, IN_U4)) {
        server->stage = STAGE_ENDED;
        return CN_E_THRESHOLD;
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

/* Exactly one share, of the right kind, of each member of U2 of whom index holds one. */
static enum cn_err check_shares(const struct secagg_server *server, uint32_t index,
                                const struct secagg_share *shares, uint32_t count)
{
    uint32_t next = 0;

    for (uint32_t of = 0; of < server->count; of++) {
        if (!is_in(server, of, IN_U2) || !secagg_holds(&server->shape, index, of))
            continue;
        if (next == count || shares[next].of != of)
            return CN_E_INCONSISTENT;
        if (shares[next].kind != (is_in(server, of, IN_U3) ? SECAGG_SELF : SECAGG_PAIR))
            return CN_E_INCONSISTENT;
        if (!agree_is_scalar(shares[next].value))
            return CN_E_PARSE;
        next++;
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
        if (++server->holders[copy[k].of] == server->shape.threshold)
            server->openable_count++;
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

void secagg_server_liars(const struct secagg_server *server, const uint32_t **list, uint32_t *count)
{
    *list = server->liars;
    *count = server->liars_count;
}
