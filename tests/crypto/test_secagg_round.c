/* SPDX-License-Identifier: Apache-2.0 */
/* Whole rounds of secure aggregation: who leaves when, how many, how wide, how long. */
#include "tests/crypto/secagg_world.h"

static void round_of(uint32_t n, uint32_t dim, uint8_t bits)
{
    struct world *world = world_new(n, dim, bits);

    world_run(world, BEFORE_REVEAL);
    world_open(world);
    world_free(world);
}

Test(secagg_round, sums_two_devices)
{
    round_of(2, 5, 16);
}

Test(secagg_round, sums_three_devices)
{
    round_of(3, 101, 16);
}

Test(secagg_round, sums_eight_devices)
{
    round_of(8, 1000, 24);
}

Test(secagg_round, sums_thirty_devices)
{
    round_of(30, 257, 16);
}

Test(secagg_round, sums_one_coordinate)
{
    round_of(4, 1, 9);
}

Test(secagg_round, sums_vectors_longer_than_a_tile_of_masks)
{
    round_of(3, 2 * 16384 + 4097, 16);
    round_of(3, 2 * 16384 + 2049, 32);
}

Test(secagg_round, sums_modulo_every_kind_of_width)
{
    static const uint8_t bits[] = {8, 9, 15, 16, 17, 20, 24, 31, 32};

    for (size_t i = 0; i < sizeof bits; i++)
        round_of(3, 33, bits[i]);
}

Test(secagg_round, does_without_devices_that_leave_at_every_step)
{
    for (enum leaves step = BEFORE_KEYS; step <= BEFORE_REVEAL; step++) {
        struct world *world = world_new(8, 37, 20);

        world->leaves[7] = step;
        world->leaves[step == BEFORE_KEYS ? 6 : 0] = step;
        world_run(world, BEFORE_REVEAL);
        world_open(world);
        world_free(world);
    }
}

Test(secagg_round, does_without_devices_that_leave_one_after_the_other)
{
    struct world *world = world_new(30, 64, 16);

    world->leaves[29] = BEFORE_KEYS;
    world->leaves[3] = BEFORE_SHARES;
    world->leaves[0] = BEFORE_MASKED;
    world->leaves[17] = BEFORE_MASKED;
    world->leaves[5] = BEFORE_VOUCH;
    world->leaves[28] = BEFORE_REVEAL;
    world_run(world, BEFORE_REVEAL);
    world_open(world);
    world_free(world);
}

Test(secagg_round, opens_with_exactly_threshold_survivors)
{
    struct world *world = world_new(8, 16, 16);

    world->leaves[1] = BEFORE_MASKED; /* the threshold of eight is six */
    world->leaves[4] = BEFORE_MASKED;
    world_run(world, BEFORE_REVEAL);
    world_open(world);
    world_free(world);
}

Test(secagg_round, ends_with_one_survivor_below_the_threshold)
{
    struct world *world = world_new(8, 16, 16);

    for (uint32_t k = 0; k < 3; k++)
        world->leaves[k] = BEFORE_MASKED;
    world_run(world, BEFORE_SHARES);
    world_masked(world);
    fails(secagg_server_close_masked(world->server), CN_E_THRESHOLD);
    fails(secagg_server_close_masked(world->server), CN_E_UNEXPECTED);
    world_free(world);
}

Test(secagg_round, ends_with_one_sharer_below_the_threshold)
{
    struct world *world = world_new(8, 16, 16);

    for (uint32_t k = 0; k < 3; k++)
        world->leaves[k] = BEFORE_SHARES;
    world_keys(world);
    world_share(world);
    fails(secagg_server_close_shares(world->server), CN_E_THRESHOLD);
    world_free(world);
}

Test(secagg_round, ends_with_one_vouch_below_the_threshold)
{
    struct world *world = world_new(8, 16, 16);

    for (uint32_t k = 0; k < 3; k++)
        world->leaves[k] = BEFORE_VOUCH;
    world_run(world, BEFORE_MASKED);
    world_vouch(world);
    fails(secagg_server_close_vouches(world->server), CN_E_THRESHOLD);
    world_free(world);
}

Test(secagg_round, waits_for_one_reveal_below_the_threshold)
{
    struct world *world = world_new(8, 16, 16);
    struct secagg_share shares[WORLD_MAX];
    uint32_t sum[16] = {7};

    for (uint32_t k = 0; k < 3; k++)
        world->leaves[k] = BEFORE_REVEAL;
    world_run(world, BEFORE_REVEAL);
    cr_assert_not(secagg_server_can_open(world->server));
    fails(secagg_server_open(world->server, sum), CN_E_THRESHOLD);
    cr_assert_eq(sum[0], 7);

    uint32_t count = world_shares_of(world, 1, shares); /* late, but in time */
    ok(secagg_server_reveal(world->server, 1, shares, count));
    world_open(world);
    world_free(world);
}

Test(secagg_round, ends_when_fewer_survive_than_the_smallest_cohort)
{
    struct world *world = world_new(8, 16, 16);

    secagg_server_free(world->server);
    world->config.cohort_min = 7;
    ok(secagg_server_new(&world->server, &world->config, world->registrar_public));
    world->leaves[0] = world->leaves[1] = BEFORE_MASKED;
    world_run(world, BEFORE_SHARES);
    world_masked(world);
    fails(secagg_server_close_masked(world->server), CN_E_COHORT);
    world_free(world);
}

Test(secagg_round, opens_once)
{
    struct world *world = world_new(3, 16, 16);
    uint32_t sum[16];

    world_run(world, BEFORE_REVEAL);
    world_open(world);
    fails(secagg_server_open(world->server, sum), CN_E_UNEXPECTED);
    cr_assert_not(secagg_server_can_open(world->server));
    world_free(world);
}

Test(secagg_round, sends_vectors_that_do_not_show_their_inputs)
{
    enum { DIM = 4096 };
    struct world *world = world_new(3, DIM, 8);
    unsigned seen[256] = {0};
    double chi2 = 0;
    size_t len;

    memset(world->input[0], 0, DIM * sizeof *world->input[0]); /* all zeros go in */
    world_run(world, BEFORE_SHARES);
    uint8_t *packed = world_mask(world, 0, &len);
    for (size_t i = 0; i < len; i++)
        seen[packed[i]]++;
    for (int v = 0; v < 256; v++)
        chi2 += (seen[v] - 16.0) * (seen[v] - 16.0) / 16.0;
    /* 255 degrees of freedom: 400 is six deviations up; the seed is fixed. */
    cr_assert_lt(chi2, 400);
    free(packed);
    world_free(world);
}

Test(secagg_round, both_sides_agree_on_the_session)
{
    struct world *world = world_new(3, 4, 16);
    uint8_t session[SECAGG_SESSION_BYTES], of_device[SECAGG_SESSION_BYTES];

    fails(secagg_server_session(world->server, session), CN_E_UNEXPECTED);
    world_run(world, BEFORE_SHARES);
    ok(secagg_server_session(world->server, session));
    for (uint32_t k = 0; k < 3; k++) {
        ok(secagg_device_session(world->device[k], of_device));
        cr_assert_arr_eq(session, of_device, sizeof session);
    }
    world_free(world);
}
