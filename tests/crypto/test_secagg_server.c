/* SPDX-License-Identifier: Apache-2.0 */
/* What the server refuses of devices, and that a refusal changes nothing: after every lie of one
 * device the round goes on with the others and gives the right sum. */
#include "crypto/secagg_internal.h"
#include "tests/crypto/secagg_world.h"

enum { N = 8, DIM = 24, BITS = 16, T = 6 };

Test(secagg_server, admits_a_device_once)
{
    struct world *world = world_new(N, DIM, BITS);
    struct secagg_member member = world_member(world, 2);

    ok(secagg_server_keys(world->server, &member));
    fails(secagg_server_keys(world->server, &member), CN_E_REPLAY);
    secagg_device_free(world->device[2]);
    world->device[2] = world_device(world, 2, &world->config);
    member = world_member(world, 2);
    fails(secagg_server_keys(world->server, &member), CN_E_REPLAY);
    cr_assert_eq(secagg_server_count(world->server), 1);
    world_free(world);
}

Test(secagg_server, refuses_keys_that_were_tampered_with)
{
    struct world *world = world_new(N, DIM, BITS);
    struct secagg_member good = world_member(world, 0);

    for (size_t i = 0; i < sizeof good.keys; i++) {
        struct secagg_member bad = good;
        ((uint8_t *)&bad.keys)[i] ^= 0x10;
        fails(secagg_server_keys(world->server, &bad), CN_E_AUTH);
    }
    struct secagg_member bad = good;
    bad.certificate = world->certificate[1];
    fails(secagg_server_keys(world->server, &bad), CN_E_AUTH);
    cr_assert_eq(secagg_server_count(world->server), 0);
    ok(secagg_server_keys(world->server, &good));
    world_free(world);
}

Test(secagg_server, refuses_devices_of_another_registrar)
{
    struct world *world = world_new(N, DIM, BITS), *other = world_new(N, DIM, BITS + 1);

    secagg_device_free(other->device[0]);
    other->device[0] = world_device(other, 0, &world->config);
    struct secagg_member member = world_member(other, 0);
    fails(secagg_server_keys(world->server, &member), CN_E_AUTH);
    world_free(other);
    world_free(world);
}

Test(secagg_server, refuses_a_roster_below_the_smallest_cohort)
{
    struct world *world = world_new(N, DIM, BITS);
    struct secagg_member member = world_member(world, 0);

    ok(secagg_server_keys(world->server, &member));
    fails(secagg_server_close_roster(world->server), CN_E_COHORT);
    fails(secagg_server_close_roster(world->server), CN_E_UNEXPECTED);
    world_free(world);
}

Test(secagg_server, refuses_a_roster_below_the_floor_of_the_threshold)
{
    struct world *world = world_new(3, DIM, BITS);

    secagg_server_free(world->server);
    world->config.threshold_min = 4;
    ok(secagg_server_new(&world->server, &world->config, world->registrar_public));
    for (uint32_t k = 0; k < 3; k++) {
        struct secagg_member member = world_member(world, k);
        ok(secagg_server_keys(world->server, &member));
    }
    fails(secagg_server_close_roster(world->server), CN_E_THRESHOLD);
    world_free(world);
}

Test(secagg_server, finds_positions_by_device_id)
{
    struct world *world = world_new(N, DIM, BITS);
    uint8_t id[DEVICE_ID_BYTES];
    uint32_t index;

    certificate_device_id(id, &world->certificate[5]);
    fails(secagg_server_find(world->server, id, &index), CN_E_UNEXPECTED);
    world_keys(world);
    ok(secagg_server_find(world->server, id, &index));
    cr_assert_eq(index, 5);
    id[0] ^= 1;
    fails(secagg_server_find(world->server, id, &index), CN_E_NOT_FOUND);
    world_free(world);
}

Test(secagg_server, refuses_every_call_out_of_turn)
{
    struct world *world = world_new(N, DIM, BITS);
    const struct secagg_member *members;
    const struct secagg_vouch *vouches;
    const uint32_t *list;
    struct secagg_sealed sealed[WORLD_MAX];
    struct secagg_share shares[WORLD_MAX];
    uint32_t count, threshold, sum[DIM];
    uint8_t bytes[64] = {0};

    fails(secagg_server_members(world->server, &members, &count, &threshold), CN_E_UNEXPECTED);
    fails(secagg_server_shares(world->server, 0, sealed, 0), CN_E_UNEXPECTED);
    fails(secagg_server_close_shares(world->server), CN_E_UNEXPECTED);
    fails(secagg_server_inbox(world->server, 0, sealed, &count), CN_E_UNEXPECTED);
    fails(secagg_server_masked(world->server, 0, bytes, 0), CN_E_UNEXPECTED);
    fails(secagg_server_close_masked(world->server), CN_E_UNEXPECTED);
    fails(secagg_server_survivors(world->server, &list, &count), CN_E_UNEXPECTED);
    fails(secagg_server_vouch(world->server, 0, bytes), CN_E_UNEXPECTED);
    fails(secagg_server_close_vouches(world->server), CN_E_UNEXPECTED);
    fails(secagg_server_vouches(world->server, &vouches, &count), CN_E_UNEXPECTED);
    fails(secagg_server_reveal(world->server, 0, shares, 0), CN_E_UNEXPECTED);
    fails(secagg_server_open(world->server, sum), CN_E_UNEXPECTED);
    cr_assert_not(secagg_server_can_open(world->server));
    world_run(world, BEFORE_REVEAL);
    struct secagg_member member = {.certificate = world->certificate[0]};
    fails(secagg_server_keys(world->server, &member), CN_E_UNEXPECTED);
    fails(secagg_server_close_roster(world->server), CN_E_UNEXPECTED);
    world_open(world);
    world_free(world);
}

Test(secagg_server, refuses_shares_that_are_not_one_per_neighbour)
{
    struct world *world = world_new(N, DIM, BITS);
    struct secagg_sealed good[WORLD_MAX], bad[WORLD_MAX];

    world_keys(world);
    world_roster_of(world, 3, good);
    fails(secagg_server_shares(world->server, 3, good, N - 2), CN_E_INCONSISTENT);
    fails(secagg_server_shares(world->server, 3, good, N), CN_E_INCONSISTENT);
    fails(secagg_server_shares(world->server, 2, good, N - 1), CN_E_INCONSISTENT); /* as another */
    fails(secagg_server_shares(world->server, N, good, N - 1), CN_E_INCONSISTENT);
    memcpy(bad, good, sizeof bad);
    bad[4] = bad[3]; /* two for one */
    fails(secagg_server_shares(world->server, 3, bad, N - 1), CN_E_INCONSISTENT);
    memcpy(bad, good, sizeof bad);
    bad[2].to = 3; /* to itself */
    fails(secagg_server_shares(world->server, 3, bad, N - 1), CN_E_INCONSISTENT);
    memcpy(bad, good, sizeof bad);
    bad[N - 2].to = N; /* to a stranger */
    fails(secagg_server_shares(world->server, 3, bad, N - 1), CN_E_INCONSISTENT);
    memcpy(bad, good, sizeof bad);
    bad[1].from = 4; /* in another's name */
    fails(secagg_server_shares(world->server, 3, bad, N - 1), CN_E_INCONSISTENT);
    ok(secagg_server_shares(world->server, 3, good, N - 1));
    fails(secagg_server_shares(world->server, 3, good, N - 1), CN_E_REPLAY);
    world_free(world);
}

Test(secagg_server, gives_inboxes_of_sharers_to_sharers_only)
{
    struct world *world = world_new(N, DIM, BITS);
    struct secagg_sealed inbox[WORLD_MAX];
    uint32_t count;

    world->leaves[2] = BEFORE_SHARES;
    world_run(world, BEFORE_SHARES);
    fails(secagg_server_inbox(world->server, 2, inbox, &count), CN_E_INCONSISTENT);
    fails(secagg_server_inbox(world->server, N, inbox, &count), CN_E_INCONSISTENT);
    ok(secagg_server_inbox(world->server, 3, inbox, &count));
    cr_assert_eq(count, N - 2);
    for (uint32_t k = 0, from = 0; k < count; k++, from++) {
        from += from == 2 || from == 3;
        from += from == 3;
        cr_assert_eq(inbox[k].from, from);
        cr_assert_eq(inbox[k].to, 3);
    }
    world_free(world);
}

Test(secagg_server, refuses_bad_vectors_and_sums_the_rest)
{
    struct world *world = world_new(N, DIM + 1, 9); /* 225 bits: 7 unused */
    size_t len;

    world->leaves[6] = BEFORE_SHARES;
    world_run(world, BEFORE_SHARES);
    uint8_t *packed = world_mask(world, 0, &len);
    fails(secagg_server_masked(world->server, 0, packed, len - 1), CN_E_PARSE);
    fails(secagg_server_masked(world->server, 0, packed, len + 1), CN_E_PARSE);
    fails(secagg_server_masked(world->server, 0, packed, 0), CN_E_PARSE);
    packed[len - 1] |= 0x80; /* an unused bit */
    fails(secagg_server_masked(world->server, 0, packed, len), CN_E_PARSE);
    packed[len - 1] &= 0x01;
    fails(secagg_server_masked(world->server, 6, packed, len), CN_E_INCONSISTENT);
    fails(secagg_server_masked(world->server, N, packed, len), CN_E_INCONSISTENT);
    ok(secagg_server_masked(world->server, 0, packed, len));
    fails(secagg_server_masked(world->server, 0, packed, len), CN_E_REPLAY);
    free(packed);
    for (uint32_t k = 1; k < N; k++) {
        if (!world_has(world, k, BEFORE_MASKED))
            continue;
        packed = world_mask(world, k, &len);
        ok(secagg_server_masked(world->server, k, packed, len));
        free(packed);
    }
    ok(secagg_server_close_masked(world->server));
    world_vouch(world);
    ok(secagg_server_close_vouches(world->server));
    world_reveal(world);
    world_open(world);
    world_free(world);
}

Test(secagg_server, refuses_a_masked_vector_after_its_owner_was_declared_dropped)
{
    struct world *world = world_new(N, DIM, BITS);
    size_t len;

    world->leaves[4] = BEFORE_MASKED;
    world_run(world, BEFORE_SHARES);
    uint8_t *late = world_mask(world, 4, &len);
    world_masked(world);
    ok(secagg_server_close_masked(world->server));
    fails(secagg_server_masked(world->server, 4, late, len), CN_E_UNEXPECTED);
    world_vouch(world);
    ok(secagg_server_close_vouches(world->server));
    world_reveal(world);
    world_open(world);
    free(late);
    world_free(world);
}

/* What the late vector of a dropped device shows to a server that recovered its mask secret: the
 * input under the self mask, whose secret nobody reveals. */
Test(secagg_server, learns_nothing_from_a_late_masked_vector)
{
    enum { LONG = 2048 };
    struct world *world = world_new(N, LONG, 8);
    const struct secagg_member *members;
    uint32_t count, threshold, vector[LONG] = {0}, points[T];
    uint8_t shares[T][SHAMIR_BYTES], weights[T][SHAMIR_BYTES], secret[SHAMIR_BYTES];
    uint8_t session[SECAGG_SESSION_BYTES];
    size_t len, zeros = 0;

    memset(world->input[4], 0, LONG * sizeof *world->input[4]);
    world->leaves[4] = BEFORE_MASKED;
    world_run(world, BEFORE_SHARES);
    uint8_t *late = world_mask(world, 4, &len);
    world_masked(world);
    ok(secagg_server_close_masked(world->server));
    world_vouch(world);
    ok(secagg_server_close_vouches(world->server));
    for (uint32_t k = 0, i = 0; i < T; k++) {
        struct secagg_share revealed[WORLD_MAX];
        if (k == 4)
            continue;
        world_shares_of(world, k, revealed);
        points[i] = k + 1;
        memcpy(shares[i++], revealed[4].value, SHAMIR_BYTES);
    }
    ok(shamir_weights(weights, points, T));
    shamir_combine(secret, shares, weights, T);
    ok(secagg_server_members(world->server, &members, &count, &threshold));
    ok(secagg_server_session(world->server, session));
    ok(unpack_bits_add(vector, LONG, 8, late, len));
    for (uint32_t k = 0; k < N; k++) {
        struct secagg_seed what = {session, world->config.prg};
        uint8_t seed[MASK_SEED_BYTES];
        if (k == 4)
            continue;
        ok(secagg_mask_seed(seed, &what, 4, k, secret, members[k].keys.mask_public));
        ok(k < 4 ? mask_add(vector, LONG, 8, seed) : mask_sub(vector, LONG, 8, seed));
    }
    for (size_t i = 0; i < LONG; i++)
        zeros += vector[i] == 0;
    cr_assert_lt(zeros, 40); /* 8 expected of 2048 when uniform; 2048 without the self mask */
    free(late);
    world_free(world);
}

Test(secagg_server, refuses_vouches_that_do_not_verify)
{
    struct world *world = world_new(N, DIM, BITS);
    const uint32_t *survivors;
    uint32_t count;
    uint8_t signature[SECAGG_SIGNATURE_BYTES];

    world->leaves[7] = BEFORE_MASKED;
    world_run(world, BEFORE_MASKED);
    ok(secagg_server_survivors(world->server, &survivors, &count));
    cr_assert_eq(count, N - 1);
    ok(secagg_device_survivors(world->device[0], survivors, count, signature));
    fails(secagg_server_vouch(world->server, 1, signature), CN_E_AUTH);
    fails(secagg_server_vouch(world->server, 7, signature), CN_E_INCONSISTENT);
    fails(secagg_server_vouch(world->server, N, signature), CN_E_INCONSISTENT);
    signature[0] ^= 1;
    fails(secagg_server_vouch(world->server, 0, signature), CN_E_AUTH);
    signature[0] ^= 1;
    ok(secagg_server_vouch(world->server, 0, signature));
    fails(secagg_server_vouch(world->server, 0, signature), CN_E_REPLAY);
    world_free(world);
}

Test(secagg_server, lists_vouches_in_order_whatever_order_they_came_in)
{
    struct world *world = world_new(N, DIM, BITS);
    const uint32_t *survivors;
    const struct secagg_vouch *vouches;
    uint32_t count;
    uint8_t signature[SECAGG_SIGNATURE_BYTES];

    world_run(world, BEFORE_MASKED);
    ok(secagg_server_survivors(world->server, &survivors, &count));
    for (uint32_t i = 0; i < N; i++) {
        uint32_t k = (i * 3 + 2) % N;
        ok(secagg_device_survivors(world->device[k], survivors, count, signature));
        ok(secagg_server_vouch(world->server, k, signature));
    }
    ok(secagg_server_close_vouches(world->server));
    ok(secagg_server_vouches(world->server, &vouches, &count));
    cr_assert_eq(count, N);
    for (uint32_t k = 0; k < N; k++)
        cr_assert_eq(vouches[k].index, k);
    world_reveal(world);
    world_open(world);
    world_free(world);
}

Test(secagg_server, refuses_shares_that_are_not_exactly_those_of_the_round)
{
    struct world *world = world_new(N, DIM, BITS);
    struct secagg_share good[WORLD_MAX], bad[WORLD_MAX];

    world->leaves[1] = BEFORE_SHARES;
    world->leaves[4] = BEFORE_MASKED;
    world_run(world, BEFORE_VOUCH);
    uint32_t count = world_shares_of(world, 0, good);
    cr_assert_eq(count, N - 1);
    fails(secagg_server_reveal(world->server, 0, good, count - 1), CN_E_INCONSISTENT);
    fails(secagg_server_reveal(world->server, 4, good, count), CN_E_INCONSISTENT);
    fails(secagg_server_reveal(world->server, N, good, count), CN_E_INCONSISTENT);
    memcpy(bad, good, sizeof bad);
    bad[2].kind = SECAGG_PAIR; /* the other share of a survivor */
    fails(secagg_server_reveal(world->server, 0, bad, count), CN_E_INCONSISTENT);
    memcpy(bad, good, sizeof bad);
    bad[2] = bad[1]; /* one device twice */
    fails(secagg_server_reveal(world->server, 0, bad, count), CN_E_INCONSISTENT);
    memcpy(bad, good, sizeof bad);
    bad[1].of = 1; /* a device that never shared */
    fails(secagg_server_reveal(world->server, 0, bad, count), CN_E_INCONSISTENT);
    memcpy(bad, good, sizeof bad);
    memset(bad[3].value, 0xff, sizeof bad[3].value);
    fails(secagg_server_reveal(world->server, 0, bad, count), CN_E_PARSE);
    ok(secagg_server_reveal(world->server, 0, good, count));
    fails(secagg_server_reveal(world->server, 0, good, count), CN_E_REPLAY);
    for (uint32_t k = 1; k < N; k++) {
        if (!world_has(world, k, BEFORE_REVEAL))
            continue;
        count = world_shares_of(world, k, good);
        ok(secagg_server_reveal(world->server, k, good, count));
    }
    world_open(world);
    world_free(world);
}

/* Reveals in which some devices lie about some shares. */
static void reveal_with_liars(struct world *world, const bool lies[WORLD_MAX], uint32_t about)
{
    struct secagg_share shares[WORLD_MAX];

    for (uint32_t k = 0; k < world->n; k++) {
        if (!world_has(world, k, BEFORE_REVEAL))
            continue;
        uint32_t count = world_shares_of(world, k, shares);
        if (lies[k])
            shares[about].value[0] ^= 1;
        ok(secagg_server_reveal(world->server, k, shares, count));
    }
}

static void expect_liars(const struct world *world, const bool lies[WORLD_MAX])
{
    const uint32_t *list;
    uint32_t count, next = 0;

    secagg_server_liars(world->server, &list, &count);
    for (uint32_t k = 0; k < world->n; k++) {
        if (lies[k])
            cr_assert(next < count && list[next++] == k);
    }
    cr_assert_eq(next, count);
}

Test(secagg_server, names_the_sender_of_a_wrong_share_and_opens_the_sum)
{
    for (uint32_t liar = 0; liar < N; liar += 7) { /* among the first shares, and not */
        struct world *world = world_new(N, DIM, BITS);
        bool lies[WORLD_MAX] = {false};

        lies[liar] = true;
        world_run(world, BEFORE_VOUCH);
        reveal_with_liars(world, lies, 2);
        world_open(world);
        if (liar < T) /* the others are not needed, and not looked at */
            expect_liars(world, lies);
        world_free(world);
    }
}

Test(secagg_server, opens_the_sum_although_several_lie)
{
    struct world *world = world_new(30, DIM, BITS); /* threshold 21 */
    bool lies[WORLD_MAX] = {false};

    lies[0] = lies[13] = lies[29] = true;
    world->leaves[7] = BEFORE_MASKED;
    world_run(world, BEFORE_VOUCH);
    reveal_with_liars(world, lies, 7); /* about the mask secret of the one that dropped */
    world_open(world);
    expect_liars(world, lies);
    world_free(world);
}

Test(secagg_server, gives_up_when_more_lie_than_shares_are_to_spare)
{
    struct world *world = world_new(N, DIM, BITS);
    bool lies[WORLD_MAX] = {[1] = true, [2] = true, [3] = true};
    uint32_t sum[DIM] = {1};

    world_run(world, BEFORE_VOUCH);
    reveal_with_liars(world, lies, 5);
    cr_assert(secagg_server_can_open(world->server));
    fails(secagg_server_open(world->server, sum), CN_E_INCONSISTENT);
    cr_assert(sodium_is_zero((const uint8_t *)sum, sizeof sum));
    fails(secagg_server_open(world->server, sum), CN_E_UNEXPECTED);
    world_free(world);
}

/* A server that took other people's word for its members still gets noise: one device masks under a
 * session of its own (as with another model), so its masks do not cancel. */
Test(secagg_server, gets_noise_from_a_device_whose_masks_are_of_another_session)
{
    enum { LONG = 1024 };
    struct world *world = world_new(3, LONG, 8);
    uint32_t vector[LONG] = {0}, sum[LONG], right = 0;
    uint8_t packed[LONG], seed[MASK_SEED_BYTES];

    world->leaves[0] = BEFORE_MASKED;
    world_run(world, BEFORE_SHARES);
    /* Device 0 follows the protocol, but every seed of its is bound to another session. */
    free(world_mask(world, 0, &(size_t){0}));
    for (uint32_t k = 0; k < 3; k++) {
        memset(seed, (int)k + 1, sizeof seed);
        ok(mask_add(vector, LONG, 8, seed));
    }
    pack_bits(packed, vector, LONG, 8);
    ok(secagg_server_masked(world->server, 0, packed, LONG));
    world->leaves[0] = NEVER;
    for (uint32_t k = 1; k < 3; k++) {
        size_t len;
        uint8_t *masked = world_mask(world, k, &len);
        ok(secagg_server_masked(world->server, k, masked, len));
        free(masked);
    }
    ok(secagg_server_close_masked(world->server));
    world_vouch(world);
    ok(secagg_server_close_vouches(world->server));
    world_reveal(world);
    ok(secagg_server_open(world->server, sum));
    for (uint32_t i = 0; i < LONG; i++)
        right += sum[i] == ((world->input[1][i] + world->input[2][i]) & 0xff);
    cr_assert_lt(right, 32); /* 4 expected by chance */
    world_free(world);
}

/* The aggregator's own mistakes must not reach past the roster's end either. */
Test(secagg_server, refuses_positions_that_are_none_and_questions_that_come_too_early)
{
    struct world *world = world_new(N, DIM, BITS);
    struct secagg_sealed sealed[WORLD_MAX];
    struct secagg_vouch vouches[WORLD_MAX];
    uint32_t count, degree, nobody = 1;

    fails(secagg_device_degree(world->device[0], &degree), CN_E_UNEXPECTED);
    world_keys(world);
    world_roster_of(world, 0, sealed);
    ok(secagg_device_degree(world->device[0], &degree));
    cr_assert_eq(degree, N - 1);
    fails(secagg_server_shares(world->server, N, sealed, N - 1), CN_E_INCONSISTENT);
    fails(secagg_server_shares(world->server, UINT32_MAX, sealed, N - 1), CN_E_INCONSISTENT);
    for (uint32_t k = 0; k + 1 < N; k++) { /* the last one leaves */
        if (k > 0)
            world_roster_of(world, k, sealed);
        ok(secagg_server_shares(world->server, k, sealed, N - 1));
    }
    ok(secagg_server_close_shares(world->server));
    fails(secagg_server_complain(world->server, N - 1, &nobody, 1), CN_E_INCONSISTENT);
    fails(secagg_server_vouches_for(world->server, 0, vouches, &count), CN_E_UNEXPECTED);
    world_free(world);
}
