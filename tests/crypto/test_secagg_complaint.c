/* SPDX-License-Identifier: Apache-2.0 */
/* Shares that do not open: who leaves the sum, who is named, and how the rest still opens it. */
#include "secagg_world.h"

#define N 9
#define DIM 33
#define BITS 17

/* Device k hands in shares of which those for some receivers are junk. */
static void share_junk(struct world *world, uint32_t k, const bool junk[N])
{
    struct secagg_sealed sealed[WORLD_MAX];

    world_roster_of(world, k, sealed);
    for (uint32_t i = 0; i < N - 1; i++)
        sealed[i].bytes[50] ^= junk[sealed[i].to];
    ok(secagg_server_shares(world->server, k, sealed, N - 1));
}

/* One liar deals junk to those in `junk`, the others are honest. */
static struct world *world_with_junk(uint32_t liar, const bool junk[N])
{
    const bool nobody[N] = {false};
    struct world *world = world_new(N, DIM, BITS);

    world_keys(world);
    for (uint32_t k = 0; k < N; k++)
        share_junk(world, k, k == liar ? junk : nobody);
    ok(secagg_server_close_shares(world->server));
    return world;
}

/* Device k opens its inbox and complains where it must; CN_OK when its vector was taken. */
static void check_inbox(struct world *world, uint32_t k)
{
    struct secagg_sealed inbox[WORLD_MAX];
    uint32_t list[WORLD_MAX], count;

    ok(secagg_server_inbox(world->server, k, inbox, &count));
    ok(secagg_device_shares(world->device[k], inbox, count));
    ok(secagg_device_complaints(world->device[k], list, &count));
    if (count > 0)
        ok(secagg_server_complain(world->server, k, list, count));
}

static enum cn_err upload(struct world *world, uint32_t k)
{
    size_t len = pack_bytes(DIM, BITS);
    uint8_t packed[DIM * 4];

    ok(secagg_device_mask_packed(world->device[k], packed, world->input[k]));
    return secagg_server_masked(world->server, k, packed, len);
}

/* The end of a round whose survivors are there; those that are not take no part. */
static void finish(struct world *world, bool with_edges)
{
    const struct secagg_vouch *vouches;
    struct secagg_share shares[2 * WORLD_MAX];
    uint32_t count, given;

    ok(secagg_server_close_masked(world->server));
    world_vouch(world);
    ok(secagg_server_close_vouches(world->server));
    ok(secagg_server_vouches(world->server, &vouches, &count));
    for (uint32_t k = 0; k < N; k++) {
        if (!world_has(world, k, BEFORE_REVEAL))
            continue;
        ok(with_edges ? secagg_device_reveal_edges(world->device[k], vouches, count, shares, &given)
                      : secagg_device_reveal(world->device[k], vouches, count, shares, &given));
        ok(secagg_server_reveal(world->server, k, shares, given));
    }
}

static void expect_pair(const struct world *world, uint32_t at, uint32_t by, uint32_t of)
{
    const struct secagg_complaint *list;
    uint32_t count;

    secagg_server_complaints(world->server, &list, &count);
    cr_assert_lt(at, count);
    cr_assert_eq(list[at].by, by);
    cr_assert_eq(list[at].of, of);
}

Test(secagg_complaint, puts_a_device_out_whose_shares_nobody_can_open)
{
    const bool junk[N] = {true, true, true, true, true, true, true, true, true};
    struct world *world = world_with_junk(4, junk);

    for (uint32_t k = 0; k < N; k++)
        check_inbox(world, k);
    cr_assert_not(secagg_server_expects(world->server, 4));
    cr_assert(secagg_server_expects(world->server, 3));
    fails(upload(world, 4), CN_E_INCONSISTENT);
    for (uint32_t k = 0; k < N; k++) {
        if (k != 4)
            ok(upload(world, k));
    }
    world->leaves[4] = BEFORE_MASKED;
    finish(world, false);
    world_open(world);
    expect_pair(world, 0, 0, 4);
    world_free(world);
}

/* Junk for three of eight: the other five masked with the liar, and five of the six shares that
 * would open its secret are there. The seeds of those five open the sum without it. */
Test(secagg_complaint, opens_the_sum_without_the_secret_of_a_device_that_dealt_junk_to_some)
{
    const bool junk[N] = {true, true, false, false, false, false, false, false, true};

    for (int with_edges = 0; with_edges < 2; with_edges++) {
        struct world *world = world_with_junk(4, junk);

        for (uint32_t k = 0; k < N; k++)
            check_inbox(world, k);
        fails(upload(world, 4), CN_E_INCONSISTENT);
        for (uint32_t k = 0; k < N; k++) {
            if (k != 4)
                ok(upload(world, k));
        }
        world->leaves[4] = BEFORE_MASKED;
        finish(world, with_edges);
        cr_assert_eq(secagg_server_can_open(world->server), with_edges == 1);
        if (with_edges)
            world_open(world);
        world_free(world);
    }
}

/* A liar that cries over everybody has more complaints on it than any of them. */
Test(secagg_complaint, puts_out_the_device_that_accuses_everybody)
{
    const bool nobody[N] = {false};
    const uint32_t everybody[] = {0, 1, 2, 3, 5, 6, 7, 8};
    struct world *world = world_with_junk(4, nobody);

    for (uint32_t k = 0; k < N; k++)
        check_inbox(world, k);
    ok(secagg_server_complain(world->server, 4, everybody, N - 1));
    cr_assert_not(secagg_server_expects(world->server, 4));
    for (uint32_t k = 0; k < N; k++)
        fails(upload(world, k), k == 4 ? CN_E_INCONSISTENT : CN_OK);
    world->leaves[4] = BEFORE_MASKED;
    finish(world, false);
    world_open(world);
    world_free(world);
}

/* The vector of the accused is in the sum already and can not be taken out. */
Test(secagg_complaint, puts_the_complainer_out_when_the_accused_was_faster)
{
    const bool junk[N] = {true};
    struct world *world = world_with_junk(4, junk);

    for (uint32_t k = 1; k < N; k++)
        check_inbox(world, k);
    ok(upload(world, 4));
    check_inbox(world, 0);
    fails(upload(world, 0), CN_E_INCONSISTENT);
    for (uint32_t k = 1; k < N; k++) {
        if (k != 4)
            ok(upload(world, k));
    }
    world->leaves[0] = BEFORE_MASKED;
    finish(world, false);
    world_open(world);
    expect_pair(world, 0, 0, 4);
    world_free(world);
}

/* Who is out stays out, whatever is said later of the device that put it out. */
Test(secagg_complaint, keeps_a_device_out_when_its_accuser_is_accused_later)
{
    const bool junk[N] = {true};
    struct world *world = world_with_junk(4, junk);
    const uint32_t first[] = {0};

    for (uint32_t k = 0; k < N; k++)
        check_inbox(world, k);
    ok(upload(world, 0));
    ok(secagg_server_complain(world->server, 1, first, 1));
    cr_assert_not(secagg_server_expects(world->server, 4));
    fails(upload(world, 4), CN_E_INCONSISTENT);
    fails(upload(world, 1), CN_E_INCONSISTENT);
    world_free(world);
}

Test(secagg_complaint, refuses_complaints_that_can_not_be)
{
    const bool nobody[N] = {false};
    struct world *world = world_with_junk(4, nobody);
    const uint32_t self[] = {2}, beyond[] = {N}, twice[] = {3, 3}, falling[] = {3, 1}, one[] = {3};

    for (uint32_t k = 0; k < N; k++)
        check_inbox(world, k);
    fails(secagg_server_complain(world->server, N, one, 1), CN_E_INCONSISTENT);
    fails(secagg_server_complain(world->server, 2, self, 1), CN_E_INCONSISTENT);
    fails(secagg_server_complain(world->server, 2, beyond, 1), CN_E_INCONSISTENT);
    fails(secagg_server_complain(world->server, 2, twice, 2), CN_E_INCONSISTENT);
    fails(secagg_server_complain(world->server, 2, falling, 2), CN_E_INCONSISTENT);
    ok(upload(world, 5));
    fails(secagg_server_complain(world->server, 5, one, 1), CN_E_UNEXPECTED);
    ok(secagg_server_complain(world->server, 2, one, 1));
    fails(secagg_server_complain(world->server, 2, one, 1), CN_E_REPLAY);
    world_free(world);
    world = world_new(N, DIM, BITS);
    fails(secagg_server_complain(world->server, 2, one, 1), CN_E_UNEXPECTED);
    world_free(world);
}

/* A wrong seed spoils the sum, as a wrong vector would; where somebody leaves before the end,
 * shares are taken and the seeds of the others do not matter. */
Test(secagg_complaint, does_without_seeds_when_somebody_left)
{
    const bool nobody[N] = {false};
    struct world *world = world_with_junk(4, nobody);

    for (uint32_t k = 0; k < N; k++) {
        check_inbox(world, k);
        if (k != 7)
            ok(upload(world, k));
    }
    world->leaves[7] = BEFORE_MASKED;
    world->leaves[2] = BEFORE_REVEAL;
    finish(world, true);
    world_open(world);
    world_free(world);
}

Test(secagg_complaint, refuses_seeds_where_none_belong)
{
    const bool nobody[N] = {false};
    struct world *world = world_with_junk(4, nobody);
    const struct secagg_vouch *vouches;
    struct secagg_share shares[2 * WORLD_MAX];
    uint32_t count, given, at = 0;

    for (uint32_t k = 0; k < N; k++) {
        check_inbox(world, k);
        if (k != 7)
            ok(upload(world, k));
    }
    world->leaves[7] = BEFORE_MASKED;
    ok(secagg_server_close_masked(world->server));
    world_vouch(world);
    ok(secagg_server_close_vouches(world->server));
    ok(secagg_server_vouches(world->server, &vouches, &count));
    ok(secagg_device_reveal_edges(world->device[0], vouches, count, shares, &given));
    cr_assert_eq(given, N + 1);
    while (shares[at].kind != SECAGG_EDGE)
        at++;
    cr_assert_eq(shares[at].of, 7);
    shares[at].of = 6; /* survived: a seed of it must stay secret */
    fails(secagg_server_reveal(world->server, 0, shares, given), CN_E_INCONSISTENT);
    shares[at].of = 7;
    shares[at].kind = SECAGG_SELF; /* both kinds of one device */
    fails(secagg_server_reveal(world->server, 0, shares, given), CN_E_INCONSISTENT);
    shares[at].kind = SECAGG_EDGE;
    shares[given] = shares[given - 1]; /* of 8, which survived: a seed behind its share */
    shares[given].kind = SECAGG_EDGE;
    fails(secagg_server_reveal(world->server, 0, shares, given + 1), CN_E_INCONSISTENT);
    ok(secagg_server_reveal(world->server, 0, shares, given));
    world_free(world);
}
