/* SPDX-License-Identifier: Apache-2.0 */
/* Rosters as devices of a ring get them: one entry of everybody, certificates of neighbours alone.
 */
#include "secagg_world.h"

#include "crypto/secagg_internal.h"

#define N 24
#define DIM 20
#define BITS 16

static const struct secagg_ring RING = {.devices_min = 20,
                                        .corrupt_permille = 100,
                                        .dropout_permille = 100,
                                        .security_bits = 3,
                                        .correctness_bits = 2};

/* A world whose roster is closed, and what device 0 gets of it, to be changed at will. */
struct given {
    struct world *world;
    struct secagg_entry entries[N];
    struct secagg_member neighbours[N];
    struct secagg_roster roster;
};

static struct given given_of(const struct secagg_ring *ring)
{
    struct given given = {.world = world_make(N, DIM, BITS, ring)};
    const struct secagg_entry *entries;

    world_keys(given.world);
    ok(secagg_server_entries(given.world->server, &entries, &given.roster.count,
                             &given.roster.threshold));
    memcpy(given.entries, entries, sizeof given.entries);
    ok(secagg_server_neighbours(given.world->server, 0, given.neighbours,
                                &given.roster.neighbours_count));
    return given;
}

static enum cn_err enter(struct given *given, struct secagg_sealed out[N])
{
    given->roster.entries = given->entries;
    given->roster.neighbours = given->neighbours;
    return secagg_device_roster_entries(given->world->device[0], &given->roster, out);
}

static void refuses(struct given *given, enum cn_err expected)
{
    struct secagg_sealed out[N];

    fails(enter(given, out), expected);
    fails(enter(given, out), CN_E_UNEXPECTED);
    world_free(given->world);
}

/* Where a device is among those that device 0 got. */
static uint32_t position_of(const struct given *given, uint32_t slot)
{
    struct secagg_entry entry;

    secagg_entry_of(&entry, &given->neighbours[slot]);
    for (uint32_t i = 0; i < N; i++) {
        if (memcmp(&entry, &given->entries[i], sizeof entry) == 0)
            return i;
    }
    cr_assert_fail("a neighbour without an entry");
    return N;
}

/* A whole round in which nobody sees more than it needs. */
static void run(struct world *world)
{
    struct secagg_roster roster;
    struct secagg_member neighbours[N];
    struct secagg_sealed sealed[N];
    struct secagg_vouch vouches[N];
    struct secagg_share shares[2 * N];
    uint32_t count;

    world_keys(world);
    ok(secagg_server_entries(world->server, &roster.entries, &roster.count, &roster.threshold));
    for (uint32_t k = 0; k < N; k++) {
        ok(secagg_server_neighbours(world->server, k, neighbours, &roster.neighbours_count));
        roster.neighbours = neighbours;
        ok(secagg_device_roster_entries(world->device[k], &roster, sealed));
        ok(secagg_server_shares(world->server, k, sealed, roster.neighbours_count));
    }
    ok(secagg_server_close_shares(world->server));
    world_masked(world);
    ok(secagg_server_close_masked(world->server));
    world_vouch(world);
    ok(secagg_server_close_vouches(world->server));
    for (uint32_t k = 0; k < N; k++) {
        if (!world_has(world, k, BEFORE_REVEAL))
            continue;
        ok(secagg_server_vouches_for(world->server, k, vouches, &count));
        ok(secagg_device_reveal_edges(world->device[k], vouches, count, shares, &count));
        ok(secagg_server_reveal(world->server, k, shares, count));
    }
    secagg_server_set_threads(world->server, 3);
    world_open(world);
}

Test(secagg_entries, carry_a_whole_round_on_a_ring)
{
    struct world *world = world_make(N, DIM, BITS, &RING);

    world->leaves[3] = BEFORE_MASKED;
    run(world);
    world_free(world);
}

/* Coordinates enough for every thread to have its own. */
Test(secagg_entries, carry_a_round_that_several_threads_open)
{
    struct world *world = world_make(N, 300000, BITS, &RING);

    world->leaves[5] = BEFORE_MASKED;
    run(world);
    world_free(world);
}

Test(secagg_entries, carry_a_round_of_a_server_that_is_trusted_to_follow)
{
    struct secagg_ring ring = RING;

    ring.adversary = SECAGG_CURIOUS;
    struct world *world = world_make(N, DIM, BITS, &ring);
    cr_assert_lt(secagg_degree(&world->config, N), N / 2);
    world->leaves[9] = BEFORE_MASKED;
    run(world);
    world_free(world);
}

Test(secagg_entries, carry_a_round_on_the_complete_graph)
{
    struct world *world = world_make(N, DIM, BITS, NULL);

    world->leaves[3] = BEFORE_MASKED;
    run(world);
    world_free(world);
}

Test(secagg_entries, give_the_session_that_whole_members_give)
{
    struct given given = given_of(&RING);
    struct secagg_sealed out[WORLD_MAX];
    uint8_t of_one[SECAGG_SESSION_BYTES], of_other[SECAGG_SESSION_BYTES];

    ok(enter(&given, out));
    world_roster_of(given.world, 1, out);
    ok(secagg_device_session(given.world->device[0], of_one));
    ok(secagg_device_session(given.world->device[1], of_other));
    cr_assert_arr_eq(of_one, of_other, sizeof of_one);
    world_free(given.world);
}

Test(secagg_entries, refuse_a_neighbour_that_is_not_the_one_named)
{
    struct given given = given_of(&RING);

    given.neighbours[2] = given.neighbours[3];
    refuses(&given, CN_E_AUTH);
}

Test(secagg_entries, refuse_neighbours_in_another_number)
{
    struct given given = given_of(&RING);

    given.roster.neighbours_count--;
    refuses(&given, CN_E_INCONSISTENT);
    given = given_of(&RING);
    given.roster.neighbours_count++;
    refuses(&given, CN_E_INCONSISTENT);
}

Test(secagg_entries, refuse_an_order_that_the_server_chose)
{
    struct given given = given_of(&RING);
    struct secagg_entry first = given.entries[4];

    given.entries[4] = given.entries[5];
    given.entries[5] = first;
    refuses(&given, CN_E_INCONSISTENT);
}

Test(secagg_entries, refuse_a_device_that_occurs_twice)
{
    struct given given = given_of(&RING);

    given.entries[5] = given.entries[4];
    refuses(&given, CN_E_INCONSISTENT);
}

Test(secagg_entries, refuse_a_roster_without_this_device_or_with_other_keys_of_it)
{
    struct given given = given_of(&RING);

    given.entries[0].member[0] ^= 1;
    refuses(&given, CN_E_AUTH);
    given = given_of(&RING);
    given.entries[0].device_id[DEVICE_ID_BYTES - 1] ^= 1;
    refuses(&given, CN_E_AUTH);
}

/* The server puts the ids of its own making into the list, wherever they are not looked at: it
 * changes the session, and with it the neighbours that it would have to name. */
Test(secagg_entries, give_another_session_when_an_entry_changes)
{
    struct given given = given_of(&RING), honest = given_of(&RING);
    uint8_t a[SECAGG_SESSION_BYTES], b[SECAGG_SESSION_BYTES];

    given.entries[N - 1].member[31] ^= 1;
    secagg_session_from(a, &given.world->config, given.entries, N, given.roster.threshold);
    secagg_session_from(b, &given.world->config, honest.entries, N, given.roster.threshold);
    cr_assert_arr_neq(a, b, sizeof a);
    world_free(honest.world);
    world_free(given.world);
}

/* An invitation for one device that brought two: whoever is beside either of them sees it. */
Test(secagg_entries, refuse_more_devices_of_one_invitation_than_its_uses)
{
    struct given given = given_of(&RING);
    uint32_t neighbour = position_of(&given, 1), other = neighbour == N - 1 ? 1 : N - 1;

    memcpy(given.entries[other].invitation_id, given.entries[neighbour].invitation_id,
           INVITATION_ID_BYTES);
    cr_assert_eq(secagg_entry_check(given.entries, N, neighbour, &given.neighbours[1]), CN_E_USED);
    world_free(given.world);
}

Test(secagg_entries, refuse_a_ring_with_fewer_neighbours_than_a_device_demands)
{
    struct given given = given_of(&RING);
    struct secagg_config config = given.world->config;

    config.degree_min = given.roster.neighbours_count + 1;
    secagg_device_free(given.world->device[0]);
    given.world->device[0] = world_device(given.world, 0, &config);
    struct secagg_member self = world_member(given.world, 0);
    secagg_entry_of(&given.entries[0], &self);
    refuses(&given, CN_E_THRESHOLD);
}

Test(secagg_entries, take_a_certificate_that_was_verified_before)
{
    struct given given = given_of(&RING);
    struct certificate_cache *cache;
    struct secagg_sealed out[N];

    ok(certificate_cache_new(&cache));
    for (uint32_t k = 0; k < given.roster.neighbours_count; k++)
        ok(certificate_cache_check(cache, &given.neighbours[k].certificate,
                                   given.world->registrar_public));
    secagg_device_remember(given.world->device[0], cache);
    ok(enter(&given, out));
    world_free(given.world);
    certificate_cache_free(cache);
}

Test(secagg_entries, refuse_a_wrong_certificate_whatever_was_verified_before)
{
    struct given given = given_of(&RING);
    struct certificate_cache *cache;

    ok(certificate_cache_new(&cache));
    for (uint32_t k = 0; k < given.roster.neighbours_count; k++)
        ok(certificate_cache_check(cache, &given.neighbours[k].certificate,
                                   given.world->registrar_public));
    given.neighbours[1].certificate.signature[0] ^= 1;
    secagg_device_remember(given.world->device[0], cache);
    refuses(&given, CN_E_AUTH);
    certificate_cache_free(cache);
}

/* The stranger's vouch can not be judged by a device that knows its neighbours alone. */
Test(secagg_entries, pass_over_vouches_of_strangers_and_miss_those_of_neighbours)
{
    struct world *world = world_make(N, DIM, BITS, &RING);
    struct secagg_vouch vouches[N];
    struct secagg_share shares[2 * N];
    uint32_t count;

    world_run(world, BEFORE_VOUCH);
    ok(secagg_server_vouches_for(world->server, 0, vouches, &count));
    cr_assert_eq(count, secagg_degree(&world->config, N) + 1);
    fails(secagg_device_reveal(world->device[0], vouches, count / 2, shares, &count),
          CN_E_THRESHOLD);
    ok(secagg_server_vouches_for(world->server, 1, vouches, &count));
    vouches[0].signature[0] ^= 1;
    fails(secagg_device_reveal(world->device[1], vouches, count, shares, &count), CN_E_AUTH);
    fails(secagg_server_vouches_for(world->server, N, vouches, &count), CN_E_INCONSISTENT);
    world_free(world);
}
