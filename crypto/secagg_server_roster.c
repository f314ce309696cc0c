/* SPDX-License-Identifier: Apache-2.0 */
/* The server's roster: who is admitted, how members are ordered, and what is told about them; see
 * secagg_server.h. */
#include <stdlib.h>
#include <string.h>

#include "crypto/secagg_server_internal.h"

static enum cn_err is_gathering(const struct secagg_server *server)
{
    return server->stage == STAGE_KEYS ? CN_OK : CN_E_UNEXPECTED;
}

enum { SEEN_KEY = 1, SEEN_DEVICE, SEEN_INVITATION };
#define SEEN_OF_MEMBER (SECAGG_KEYS_OF_MEMBER + 2)

static void keys_list(const uint8_t *list[SECAGG_KEYS_OF_MEMBER], const struct secagg_keys *keys)
{
    list[0] = keys->mask_public;
    list[1] = keys->seal_public;
    list[2] = keys->self_public;
}

/* CN_E_REPLAY for a device that is in; CN_E_USED when it brings a key that is in the roster or one
 * key twice, or no use of its invitation is left. */
static enum cn_err check_newcomer(const struct secagg_server *server,
                                  const struct secagg_member *member)
{
    const struct invitation *invitation = &member->certificate.invitation;
    const uint8_t *keys[SECAGG_KEYS_OF_MEMBER];

    if (seen_get(&server->seen, SEEN_DEVICE, member->certificate.device))
        return CN_E_REPLAY;
    if (server->count >= SECAGG_DEVICES_MAX)
        return CN_E_TOO_LARGE;
    keys_list(keys, &member->keys);
    for (size_t i = 0; i < SECAGG_KEYS_OF_MEMBER; i++) {
        if (seen_get(&server->seen, SEEN_KEY, keys[i]) ||
            memcmp(keys[i], keys[(i + 1) % SECAGG_KEYS_OF_MEMBER], SECAGG_KEY_BYTES) == 0)
            return CN_E_USED;
    }
    const struct seen_item *used = seen_get(&server->seen, SEEN_INVITATION, invitation->public_key);
    return used && (used->count >= used->limit || used->count >= invitation->uses) ? CN_E_USED
                                                                                   : CN_OK;
}

static enum cn_err make_room(struct secagg_server *server)
{
    CN_TRY(seen_reserve(&server->seen, SEEN_OF_MEMBER));
    if (server->count < server->room)
        return CN_OK;
    uint32_t room = server->room ? 2 * server->room : 16;
    struct secagg_member *members = realloc(server->members, room * sizeof *members);
    if (!members)
        return CN_E_NOMEM;
    server->members = members;
    server->room = room;
    return CN_OK;
}

static void remember(struct secagg_server *server, const struct secagg_member *member)
{
    const struct invitation *invitation = &member->certificate.invitation;
    const uint8_t *keys[SECAGG_KEYS_OF_MEMBER];

    keys_list(keys, &member->keys);
    for (size_t i = 0; i < SECAGG_KEYS_OF_MEMBER; i++)
        seen_put(&server->seen, SEEN_KEY, keys[i]);
    seen_put(&server->seen, SEEN_DEVICE, member->certificate.device);
    struct seen_item *used = seen_put(&server->seen, SEEN_INVITATION, invitation->public_key);
    if (used->count++ == 0 || invitation->uses < used->limit)
        used->limit = invitation->uses;
}

enum cn_err secagg_server_keys_known(struct secagg_server *server,
                                     const struct secagg_member *member)
{
    CN_TRY(is_gathering(server));
    CN_TRY(secagg_keys_check(member, &server->config));
    CN_TRY(check_newcomer(server, member));
    CN_TRY(make_room(server));
    remember(server, member);
    server->members[server->count++] = *member;
    return CN_OK;
}

enum cn_err secagg_server_keys(struct secagg_server *server, const struct secagg_member *member)
{
    CN_TRY(is_gathering(server));
    CN_TRY(certificate_check(&member->certificate, server->registrar));
    return secagg_server_keys_known(server, member);
}

uint32_t secagg_server_count(const struct secagg_server *server)
{
    return server->count;
}

/* A member on its way to its place. */
struct ranked {
    struct secagg_entry entry; /* first: what is compared */
    uint32_t from;
};

static int compare_ranked(const void *a, const void *b)
{
    return memcmp(a, b, DEVICE_ID_BYTES);
}

/* Sorts the members by device id and fills the entries. */
static enum cn_err sort_members(struct secagg_server *server)
{
    uint32_t n = server->count;
    struct ranked *ranks = calloc(n, sizeof *ranks);
    struct secagg_member *sorted = calloc(n, sizeof *sorted);

    server->entries = calloc(n, sizeof *server->entries);
    if (ranks && sorted && server->entries) {
        for (uint32_t i = 0; i < n; i++) {
            secagg_entry_of(&ranks[i].entry, &server->members[i]);
            ranks[i].from = i;
        }
        qsort(ranks, n, sizeof *ranks, compare_ranked);
        for (uint32_t i = 0; i < n; i++) {
            sorted[i] = server->members[ranks[i].from];
            server->entries[i] = ranks[i].entry;
        }
        free(server->members);
        server->members = sorted;
        sorted = NULL;
    }
    free(ranks);
    free(sorted);
    return server->entries && !sorted ? CN_OK : CN_E_NOMEM;
}

static enum cn_err make_sets(struct secagg_server *server)
{
    uint32_t n = server->count;

    server->sets = calloc(n, sizeof *server->sets);
    server->sealed = calloc(n, sizeof *server->sealed);
    server->suspicion = calloc(n, sizeof *server->suspicion);
    server->revealed = calloc(n, sizeof *server->revealed);
    server->survivors = calloc(n, sizeof *server->survivors);
    server->vouches = calloc(n, sizeof *server->vouches);
    server->progress = calloc(n, sizeof *server->progress);
    server->liars = calloc(n, sizeof *server->liars);
    server->sum = calloc(server->config.dim, sizeof *server->sum);
    return server->sets && server->sealed && server->suspicion && server->revealed &&
                   server->survivors && server->vouches && server->progress && server->liars &&
                   server->sum
               ? CN_OK
               : CN_E_NOMEM;
}

static enum cn_err fix_roster(struct secagg_server *server, uint32_t threshold)
{
    CN_TRY(sort_members(server));
    CN_TRY(make_sets(server));
    secagg_session_from(server->session, &server->config, server->entries, server->count,
                        threshold);
    return secagg_shape_init(&server->shape, &server->config, server->session, server->count,
                             threshold);
}

enum cn_err secagg_server_close_roster(struct secagg_server *server)
{
    uint32_t n = server->count;

    CN_TRY(is_gathering(server));
    uint32_t threshold = secagg_threshold_for(&server->config, n);
    CN_TRY(secagg_server_check_size(server, n, threshold));
    enum cn_err err = fix_roster(server, threshold);
    seen_clear(&server->seen);
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

enum cn_err secagg_server_entries(const struct secagg_server *server,
                                  const struct secagg_entry **entries, uint32_t *count,
                                  uint32_t *threshold)
{
    CN_TRY(has_roster(server));
    *entries = server->entries;
    *count = server->count;
    *threshold = server->threshold;
    return CN_OK;
}

enum cn_err secagg_server_degree(const struct secagg_server *server, uint32_t *degree)
{
    CN_TRY(has_roster(server));
    *degree = server->shape.graph.degree;
    return CN_OK;
}

enum cn_err secagg_server_neighbours(const struct secagg_server *server, uint32_t index,
                                     struct secagg_member *out, uint32_t *count)
{
    uint32_t list[SECAGG_DEGREE_MAX];

    CN_TRY(has_roster(server));
    if (index >= server->count)
        return CN_E_INCONSISTENT;
    graph_neighbours(&server->shape.graph, index, list);
    for (uint32_t k = 0; k < server->shape.graph.degree; k++)
        out[k] = server->members[list[k]];
    *count = server->shape.graph.degree;
    return CN_OK;
}

enum cn_err secagg_server_find(const struct secagg_server *server,
                               const uint8_t device_id[DEVICE_ID_BYTES], uint32_t *index)
{
    CN_TRY(has_roster(server));
    uint32_t place = secagg_entries_find(server->entries, server->count, device_id);
    if (place == server->count)
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
