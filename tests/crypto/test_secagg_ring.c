/* SPDX-License-Identifier: Apache-2.0 */
/* Rounds on a ring: 24 devices with few neighbours each (a ring for few bits of security: what is
 * tried here are the machines, the numbers are test_graph's). */
#include "secagg_world.h"

#include "crypto/graph.h"
#include "crypto/secagg_internal.h"

#define N 24

static const struct secagg_ring RING = {.devices_min = 20,
                                        .corrupt_permille = 100,
                                        .dropout_permille = 100,
                                        .security_bits = 3,
                                        .correctness_bits = 2};

static struct world *ring_world(void)
{
    struct world *world = world_make(N, 50, 13, &RING);

    cr_assert_lt(secagg_degree(&world->config, N), N - 1);
    return world;
}

/* The ring of the round at hand, made from what is public. */
static struct secagg_shape shape_of(const struct world *world)
{
    uint8_t session[SECAGG_SESSION_BYTES];
    struct secagg_shape shape;

    ok(secagg_server_session(world->server, session));
    ok(secagg_shape_init(&shape, &world->config, session, N, secagg_threshold(N)));
    return shape;
}

Test(secagg_ring, opens_the_sum_when_nobody_leaves)
{
    struct world *world = ring_world();

    world_run(world, BEFORE_REVEAL);
    world_open(world);
    world_free(world);
}

Test(secagg_ring, opens_the_sum_when_devices_leave_at_every_step)
{
    struct world *world = ring_world();

    world->leaves[3] = BEFORE_SHARES;
    world->leaves[11] = BEFORE_MASKED;
    world->leaves[19] = BEFORE_VOUCH;
    world->leaves[20] = BEFORE_REVEAL;
    world_run(world, BEFORE_REVEAL);
    world_open(world);
    world_free(world);
}

Test(secagg_ring, lets_a_device_share_with_its_neighbours_only)
{
    struct world *world = ring_world();
    struct secagg_sealed sealed[WORLD_MAX];
    uint32_t degree, inbox_count;

    world_keys(world);
    world_roster_of(world, 0, sealed);
    ok(secagg_device_degree(world->device[0], &degree));
    cr_assert_eq(degree, secagg_degree(&world->config, N));
    struct secagg_shape shape = shape_of(world);
    for (uint32_t k = 0; k < degree; k++)
        cr_assert(graph_is_neighbour(&shape.graph, 0, sealed[k].to));
    secagg_shape_clear(&shape);
    fails(secagg_server_shares(world->server, 0, sealed, degree - 1), CN_E_INCONSISTENT);
    uint32_t neighbour = sealed[0].to;
    sealed[0].to = 0;
    fails(secagg_server_shares(world->server, 0, sealed, degree), CN_E_INCONSISTENT);
    sealed[0].to = neighbour;
    ok(secagg_server_shares(world->server, 0, sealed, degree));
    for (uint32_t k = 1; k < N; k++) {
        world_roster_of(world, k, sealed);
        ok(secagg_server_shares(world->server, k, sealed, degree));
    }
    ok(secagg_server_close_shares(world->server));
    ok(secagg_server_inbox(world->server, 5, sealed, &inbox_count));
    cr_assert_eq(inbox_count, degree);
    world_free(world);
}

/* A stranger's message, properly sealed, is still a stranger's. */
Test(secagg_ring, refuses_shares_of_a_device_that_is_no_neighbour)
{
    struct world *world = ring_world();
    struct secagg_sealed inbox[WORLD_MAX];
    uint32_t count, stranger = 1;

    world_run(world, BEFORE_SHARES);
    struct secagg_shape shape = shape_of(world);
    while (graph_is_neighbour(&shape.graph, 0, stranger))
        stranger++;
    ok(secagg_server_inbox(world->server, 0, inbox, &count));
    inbox[0].from = stranger;
    fails(secagg_device_shares(world->device[0], inbox, count), CN_E_INCONSISTENT);
    secagg_shape_clear(&shape);
    world_free(world);
}

Test(secagg_ring, refuses_an_inbox_below_the_shares_that_open)
{
    struct world *world = ring_world();
    struct secagg_sealed inbox[WORLD_MAX];
    uint32_t count;

    world_run(world, BEFORE_SHARES);
    struct secagg_shape shape = shape_of(world);
    ok(secagg_server_inbox(world->server, 0, inbox, &count));
    cr_assert_lt(shape.neighbours_min, count);
    fails(secagg_device_shares(world->device[0], inbox, shape.neighbours_min - 1), CN_E_THRESHOLD);
    ok(secagg_server_inbox(world->server, 1, inbox, &count));
    ok(secagg_device_shares(world->device[1], inbox, shape.neighbours_min));
    secagg_shape_clear(&shape);
    world_free(world);
}

/* Vouches of all but those in `left_out`, which device `to` is shown. */
static enum cn_err reveal_without(struct world *world, uint32_t to, const bool left_out[N])
{
    const struct secagg_vouch *vouches;
    struct secagg_vouch shown[N];
    struct secagg_share out[WORLD_MAX];
    uint32_t count, kept = 0, shares;

    ok(secagg_server_vouches(world->server, &vouches, &count));
    for (uint32_t k = 0; k < count; k++) {
        if (!left_out[vouches[k].index])
            shown[kept++] = vouches[k];
    }
    cr_assert_geq(kept, secagg_threshold(N));
    return secagg_device_reveal(world->device[to], shown, kept, out, &shares);
}

/* Devices that survive and do not vouch may have been kept from masking with each other: a server
 * that leaves out the vouches of a whole window could have cut the ring there. */
Test(secagg_ring, reveals_nothing_when_nobody_in_a_window_vouched)
{
    struct world *world = ring_world();
    bool beside[N] = {false}, spread[N] = {false};

    world_run(world, BEFORE_VOUCH);
    struct secagg_shape shape = shape_of(world);
    uint32_t window = shape.graph.degree / 2, leave = window - shape.window_min + 1;
    for (uint32_t k = 0; k < leave; k++) {
        beside[shape.graph.tenant[1 + k]] = true;
        spread[shape.graph.tenant[1 + k * (N / leave)]] = true;
    }
    fails(reveal_without(world, shape.graph.tenant[0], beside), CN_E_THRESHOLD);
    ok(reveal_without(world, shape.graph.tenant[2], spread));
    secagg_shape_clear(&shape);
    world_free(world);
}

Test(secagg_ring, ends_when_nobody_in_a_window_vouched)
{
    struct world *world = ring_world();

    world_run(world, BEFORE_MASKED);
    struct secagg_shape shape = shape_of(world);
    uint32_t window = shape.graph.degree / 2, leave = window - shape.window_min + 1;
    for (uint32_t k = 0; k < leave; k++)
        world->leaves[shape.graph.tenant[5 + k]] = BEFORE_VOUCH;
    world_vouch(world);
    fails(secagg_server_close_vouches(world->server), CN_E_THRESHOLD);
    fails(secagg_server_close_vouches(world->server), CN_E_UNEXPECTED);
    secagg_shape_clear(&shape);
    world_free(world);
}

/* The list of survivors that leaves out some, as a lying server would send it to device of. */
static enum cn_err sign_without(struct world *world, uint32_t of, const bool left_out[N])
{
    uint32_t list[N], count = 0;
    uint8_t signature[SECAGG_SIGNATURE_BYTES];

    for (uint32_t i = 0; i < N; i++) {
        if (!left_out[i])
            list[count++] = i;
    }
    return secagg_device_survivors(world->device[of], list, count, signature);
}

/* The server gives out that as many as it may have left, one beside the other: their windows would
 * cut the ring. The same number spread over the ring is accepted. */
Test(secagg_ring, signs_no_survivors_that_part_the_ring)
{
    struct world *world = ring_world();
    bool beside[N] = {false}, spread[N] = {false};

    world_run(world, BEFORE_MASKED);
    struct secagg_shape shape = shape_of(world);
    uint32_t window = shape.graph.degree / 2, leave = window - shape.window_min + 1;
    uint32_t apart = N / leave;
    cr_assert_leq(leave, N - secagg_threshold(N), "enough stay");
    cr_assert_geq(apart, 2);
    for (uint32_t k = 0; k < leave; k++) {
        beside[shape.graph.tenant[1 + k]] = true;
        spread[shape.graph.tenant[1 + k * apart]] = true;
    }
    fails(sign_without(world, shape.graph.tenant[0], beside), CN_E_THRESHOLD);
    ok(sign_without(world, shape.graph.tenant[2], spread));
    secagg_shape_clear(&shape);
    world_free(world);
}

/* A neighbour from whom no shares came has no mask in common with this device: were it a survivor,
 * the server could cut the ring between them. */
Test(secagg_ring, signs_no_survivor_whose_shares_it_never_saw)
{
    struct world *world = ring_world();
    struct secagg_sealed inbox[WORLD_MAX];
    uint32_t *vector = calloc(world->config.dim, sizeof *vector), count;
    bool nobody[N] = {false};

    world_run(world, BEFORE_SHARES);
    ok(secagg_server_inbox(world->server, 0, inbox, &count));
    ok(secagg_device_shares(world->device[0], inbox, count - 1));
    ok(secagg_device_mask(world->device[0], vector));
    fails(sign_without(world, 0, nobody), CN_E_INCONSISTENT);
    free(vector);
    world_free(world);
}

Test(secagg_ring, ends_when_a_neighbourhood_can_not_be_opened)
{
    struct world *world = ring_world();

    world_run(world, BEFORE_SHARES);
    struct secagg_shape shape = shape_of(world);
    uint32_t window = shape.graph.degree / 2, leave = window - shape.window_min + 1;
    for (uint32_t k = 0; k < leave; k++)
        world->leaves[shape.graph.tenant[5 + k]] = BEFORE_MASKED;
    world_masked(world);
    fails(secagg_server_close_masked(world->server), CN_E_THRESHOLD);
    fails(secagg_server_close_masked(world->server), CN_E_UNEXPECTED);
    secagg_shape_clear(&shape);
    world_free(world);
}

/* Both sides agree on everything but whether the graph may be sparse. */
Test(secagg_ring, shares_no_session_with_the_complete_graph)
{
    struct world *world = ring_world();
    struct secagg_config complete = world->config;
    const struct secagg_member *members;
    uint32_t count, threshold;
    uint8_t sparse_session[SECAGG_SESSION_BYTES], session[SECAGG_SESSION_BYTES];

    world_keys(world);
    ok(secagg_server_members(world->server, &members, &count, &threshold));
    complete.ring = (struct secagg_ring){0};
    secagg_session_id(session, &complete, members, count, threshold);
    ok(secagg_server_session(world->server, sparse_session));
    cr_assert_arr_neq(session, sparse_session, sizeof session);
    world_free(world);
}

Test(secagg_ring, draws_another_ring_for_other_keys)
{
    struct world *one = ring_world(), *other = ring_world();

    (void)cn_random_u64(&other->random);
    secagg_device_free(other->device[7]);
    other->device[7] = world_device(other, 7, &other->config);
    world_keys(one);
    world_keys(other);
    struct secagg_shape a = shape_of(one), b = shape_of(other);
    cr_assert_arr_neq(a.graph.place, b.graph.place, N * sizeof *a.graph.place);
    secagg_shape_clear(&a);
    secagg_shape_clear(&b);
    world_free(one);
    world_free(other);
}

Test(secagg_ring, names_a_liar_and_still_opens_the_sum)
{
    struct world *world = ring_world();
    struct secagg_share shares[WORLD_MAX];
    const uint32_t *liars;
    uint32_t count;

    world_run(world, BEFORE_VOUCH);
    for (uint32_t k = 0; k < N; k++) {
        uint32_t held = world_shares_of(world, k, shares);

        for (uint32_t s = 0; k == 4 && s < held; s++)
            shares[s].value[0] ^= 1;
        ok(secagg_server_reveal(world->server, k, shares, held));
    }
    world_open(world);
    secagg_server_liars(world->server, &liars, &count);
    cr_assert_eq(count, 1);
    cr_assert_eq(liars[0], 4);
    world_free(world);
}
