/* SPDX-License-Identifier: Apache-2.0 */
/* What a device refuses before and after the roster (which has tests of its own). The server of
 * these tests lies: each test is one attack on a device that follows the protocol. Device 0 is the
 * victim. */
#include "tests/crypto/secagg_world.h"

enum { N = 4, DIM = 24, BITS = 16 };

Test(secagg_device, needs_a_certificate_of_its_own_key_and_registrar)
{
    struct world *world = world_new(N, DIM, BITS);
    struct secagg_device *device;
    uint8_t other[32];

    fails(secagg_device_new(&device, &world->config, world->identity[1], &world->certificate[0],
                            world->registrar_public, &world->random),
          CN_E_AUTH);
    cr_assert_null(device);
    sign_key_public(world->identity[0], other);
    fails(secagg_device_new(&device, &world->config, world->identity[0], &world->certificate[0],
                            other, &world->random),
          CN_E_AUTH);
    cr_assert_null(device);
    secagg_device_free(NULL);
    world_free(world);
}

Test(secagg_device, refuses_configurations_out_of_range)
{
    struct world *world = world_new(N, DIM, BITS);
    struct secagg_config bad[8];
    struct secagg_device *device;
    struct secagg_server *server;

    for (size_t i = 0; i < CN_COUNT(bad); i++)
        bad[i] = world->config;
    bad[0].dim = 0;
    bad[1].dim = SECAGG_DIM_MAX + 1;
    bad[2].bits = SECAGG_BITS_MIN - 1;
    bad[3].bits = SECAGG_BITS_MAX + 1;
    bad[4].cohort_min = 1;
    bad[5].cohort_min = SECAGG_DEVICES_MAX + 1;
    bad[6].threshold_min = SECAGG_DEVICES_MAX + 1;
    bad[7].bits = 0;
    for (size_t i = 0; i < CN_COUNT(bad); i++) {
        fails(secagg_device_new(&device, &bad[i], world->identity[0], &world->certificate[0],
                                world->registrar_public, &world->random),
              CN_E_CONFIG);
        fails(secagg_server_new(&server, &bad[i], world->registrar_public), CN_E_CONFIG);
        cr_assert_null(server);
    }
    world_free(world);
}

Test(secagg_device, announces_fresh_keys_every_round)
{
    struct world *world = world_new(N, DIM, BITS);
    struct secagg_member first = world_member(world, 0);

    secagg_device_free(world->device[0]);
    world->device[0] = world_device(world, 0, &world->config);
    struct secagg_member second = world_member(world, 0);
    cr_assert_arr_neq(first.keys.mask_public, second.keys.mask_public, SECAGG_KEY_BYTES);
    cr_assert_arr_neq(first.keys.seal_public, second.keys.seal_public, SECAGG_KEY_BYTES);
    cr_assert_arr_neq(first.keys.self_public, second.keys.self_public, SECAGG_KEY_BYTES);
    world_free(world);
}

/* Up to the inbox of device 0. */
static struct world *shared(struct secagg_sealed inbox[WORLD_MAX], uint32_t *count)
{
    struct world *world = world_new(N, DIM, BITS);

    world_run(world, BEFORE_SHARES);
    ok(secagg_server_inbox(world->server, 0, inbox, count));
    cr_assert_eq(*count, N - 1);
    return world;
}

static void refuses_inbox(struct world *world, const struct secagg_sealed *inbox, uint32_t count,
                          enum cn_err expected)
{
    uint32_t vector[DIM] = {0};

    fails(secagg_device_shares(world->device[0], inbox, count), expected);
    fails(secagg_device_mask(world->device[0], vector), CN_E_UNEXPECTED);
    world_free(world);
}

Test(secagg_device, refuses_shares_for_strangers)
{
    struct secagg_sealed inbox[WORLD_MAX];
    uint32_t count;
    struct world *world = shared(inbox, &count);

    ok(secagg_server_inbox(world->server, 1, inbox, &count));
    refuses_inbox(world, inbox, count, CN_E_INCONSISTENT);
}

Test(secagg_device, refuses_shares_from_strangers)
{
    struct secagg_sealed inbox[WORLD_MAX];
    uint32_t count;
    struct world *world = shared(inbox, &count);

    inbox[1].from = N;
    refuses_inbox(world, inbox, count, CN_E_INCONSISTENT);
}

Test(secagg_device, refuses_shares_from_itself)
{
    struct secagg_sealed inbox[WORLD_MAX];
    uint32_t count;
    struct world *world = shared(inbox, &count);

    inbox[1].from = 0;
    refuses_inbox(world, inbox, count, CN_E_INCONSISTENT);
}

Test(secagg_device, refuses_shares_that_are_repeated)
{
    struct secagg_sealed inbox[WORLD_MAX];
    uint32_t count;
    struct world *world = shared(inbox, &count);

    inbox[1] = inbox[0];
    refuses_inbox(world, inbox, count, CN_E_REPLAY);
}

Test(secagg_device, refuses_more_messages_than_neighbours)
{
    struct secagg_sealed inbox[WORLD_MAX];
    uint32_t count;
    struct world *world = shared(inbox, &count);

    refuses_inbox(world, inbox, N, CN_E_INCONSISTENT);
}

/* A message that does not open counts as none: its sender is named, and the vector has no mask with
 * it. Who does not ask for the names can not go on. */
static void leaves_out(struct world *world, const struct secagg_sealed *inbox, uint32_t count,
                       const uint32_t *accused, uint32_t accused_count)
{
    uint32_t list[WORLD_MAX], named, vector[DIM] = {0};

    ok(secagg_device_shares(world->device[0], inbox, count));
    ok(secagg_device_complaints(world->device[0], list, &named));
    cr_assert_eq(named, accused_count);
    cr_assert_arr_eq(list, accused, accused_count * sizeof *accused);
    ok(secagg_device_mask(world->device[0], vector));
    world_free(world);
}

Test(secagg_device, masks_nothing_while_a_complaint_was_not_asked_for)
{
    struct secagg_sealed inbox[WORLD_MAX];
    uint32_t count, vector[DIM] = {1, 2, 3};
    struct world *world = shared(inbox, &count);

    inbox[0].bytes[0] ^= 1;
    ok(secagg_device_shares(world->device[0], inbox, count));
    fails(secagg_device_mask(world->device[0], vector), CN_E_AUTH);
    cr_assert(sodium_is_zero((uint8_t *)vector, sizeof vector));
    fails(secagg_device_mask(world->device[0], vector), CN_E_UNEXPECTED);
    world_free(world);
}

Test(secagg_device, refuses_an_inbox_of_which_too_little_opens)
{
    struct secagg_sealed inbox[WORLD_MAX];
    uint32_t count;
    struct world *world = shared(inbox, &count);

    for (uint32_t k = 0; k <= N - secagg_threshold(N); k++)
        inbox[k].bytes[40] ^= 1;
    refuses_inbox(world, inbox, count, CN_E_THRESHOLD);
}

Test(secagg_device, refuses_shares_that_were_altered)
{
    struct secagg_sealed inbox[WORLD_MAX];
    uint32_t count;
    struct world *world = shared(inbox, &count);

    inbox[2].bytes[40] ^= 1;
    leaves_out(world, inbox, count, (uint32_t[]){3}, 1);
}

Test(secagg_device, refuses_shares_under_another_senders_name)
{
    struct secagg_sealed inbox[WORLD_MAX];
    uint32_t count;
    struct world *world = shared(inbox, &count);

    inbox[0].from = 2;
    inbox[1].from = 1;
    refuses_inbox(world, inbox, count, CN_E_THRESHOLD); /* two that do not open are too many */
}

Test(secagg_device, refuses_its_own_message_sent_back_under_the_neighbours_name)
{
    struct secagg_sealed inbox[WORLD_MAX], mine[WORLD_MAX];
    struct world *world = world_new(N, DIM, BITS);
    uint32_t count;

    world_keys(world);
    world_roster_of(world, 0, mine);
    ok(secagg_server_shares(world->server, 0, mine, N - 1));
    for (uint32_t k = 1; k < N; k++) {
        struct secagg_sealed out[WORLD_MAX];
        world_roster_of(world, k, out);
        ok(secagg_server_shares(world->server, k, out, N - 1));
    }
    ok(secagg_server_close_shares(world->server));
    ok(secagg_server_inbox(world->server, 0, inbox, &count));
    memcpy(inbox[0].bytes, mine[0].bytes, sizeof mine[0].bytes); /* same key, other direction */
    leaves_out(world, inbox, count, (uint32_t[]){1}, 1);
}

Test(secagg_device, refuses_shares_of_another_session)
{
    struct secagg_sealed inbox[WORLD_MAX], old[WORLD_MAX];
    uint32_t count;
    struct world *world = shared(inbox, &count);
    struct world *before = world_new(N, DIM, BITS + 1);

    world_run(before, BEFORE_SHARES);
    ok(secagg_server_inbox(before->server, 0, old, &count));
    refuses_inbox(world, old, count, CN_E_COHORT);
    world_free(before);
}

Test(secagg_device, refuses_fewer_sharers_than_the_threshold)
{
    struct secagg_sealed inbox[WORLD_MAX];
    uint32_t count;
    struct world *world = shared(inbox, &count);

    refuses_inbox(world, inbox, 1, CN_E_THRESHOLD);
}

Test(secagg_device, masks_once_only)
{
    struct secagg_sealed inbox[WORLD_MAX];
    uint32_t count, vector[DIM] = {0}, again[DIM] = {0};
    struct world *world = shared(inbox, &count);

    ok(secagg_device_shares(world->device[0], inbox, count));
    ok(secagg_device_mask(world->device[0], vector));
    fails(secagg_device_mask(world->device[0], again), CN_E_UNEXPECTED);
    for (size_t i = 0; i < DIM; i++)
        cr_assert_eq(again[i], 0);
    world_free(world);
}

/* Up to the masked vectors; device 3 drops after sharing when told so. */
static struct world *masked(bool drop)
{
    struct world *world = world_new(N, DIM, BITS);

    if (drop)
        world->leaves[3] = BEFORE_MASKED;
    world_run(world, BEFORE_MASKED);
    return world;
}

static void refuses_survivors(struct world *world, const uint32_t *list, uint32_t count,
                              enum cn_err expected)
{
    uint8_t signature[SECAGG_SIGNATURE_BYTES] = {0};

    fails(secagg_device_survivors(world->device[0], list, count, signature), expected);
    fails(secagg_device_survivors(world->device[0], list, count, signature), CN_E_UNEXPECTED);
    cr_assert(sodium_is_zero(signature, sizeof signature));
    world_free(world);
}

Test(secagg_device, refuses_survivors_out_of_order)
{
    refuses_survivors(masked(false), (uint32_t[]){0, 2, 1, 3}, 4, CN_E_INCONSISTENT);
}

Test(secagg_device, refuses_a_survivor_named_twice)
{
    refuses_survivors(masked(false), (uint32_t[]){0, 1, 1, 3}, 4, CN_E_INCONSISTENT);
}

Test(secagg_device, refuses_survivors_without_itself)
{
    refuses_survivors(masked(false), (uint32_t[]){1, 2, 3}, 3, CN_E_INCONSISTENT);
}

Test(secagg_device, refuses_survivors_beyond_the_roster)
{
    refuses_survivors(masked(false), (uint32_t[]){0, 1, 2, 4}, 4, CN_E_INCONSISTENT);
}

Test(secagg_device, refuses_survivors_below_the_threshold)
{
    refuses_survivors(masked(false), (uint32_t[]){0, 1}, 2, CN_E_THRESHOLD);
}

Test(secagg_device, refuses_survivors_below_its_smallest_cohort)
{
    struct world *world = world_new(N, DIM, BITS);

    secagg_device_free(world->device[0]);
    world->config.cohort_min = 4;
    world->device[0] = world_device(world, 0, &world->config);
    world_run(world, BEFORE_MASKED);
    refuses_survivors(world, (uint32_t[]){0, 1, 2}, 3, CN_E_COHORT);
}

Test(secagg_device, refuses_a_survivor_that_never_shared)
{
    struct world *world = world_new(N, DIM, BITS);

    world->leaves[3] = BEFORE_SHARES;
    world_run(world, BEFORE_MASKED);
    refuses_survivors(world, (uint32_t[]){0, 1, 2, 3}, 4, CN_E_INCONSISTENT);
}

Test(secagg_device, signs_one_list_of_survivors_only)
{
    struct world *world = masked(false);
    uint8_t signature[SECAGG_SIGNATURE_BYTES];

    ok(secagg_device_survivors(world->device[0], (uint32_t[]){0, 1, 2, 3}, 4, signature));
    fails(secagg_device_survivors(world->device[0], (uint32_t[]){0, 1, 2}, 3, signature),
          CN_E_UNEXPECTED);
    world_free(world);
}

/* Vouches of devices 0 .. count-1, each for the list it was shown. */
static void vouch_for(struct world *world, struct secagg_vouch *vouches, uint32_t k,
                      const uint32_t *list, uint32_t count)
{
    vouches[k].index = k;
    ok(secagg_device_survivors(world->device[k], list, count, vouches[k].signature));
}

static void refuses_vouches(struct world *world, const struct secagg_vouch *vouches, uint32_t count,
                            enum cn_err expected)
{
    struct secagg_share out[WORLD_MAX] = {{0}};
    uint32_t shares = 99;

    fails(secagg_device_reveal(world->device[0], vouches, count, out, &shares), expected);
    cr_assert_eq(shares, 0);
    cr_assert(sodium_is_zero((const uint8_t *)out, sizeof out));
    fails(secagg_device_reveal(world->device[0], vouches, count, out, &shares), CN_E_UNEXPECTED);
    world_free(world);
}

/* The server shows devices 0 and 1 that device 3 survived, devices 2 and 3 that device 1 did not.
 */
Test(secagg_device, reveals_nothing_when_others_saw_other_survivors)
{
    struct world *world = masked(false);
    struct secagg_vouch vouches[N];
    const uint32_t all[] = {0, 1, 2, 3}, some[] = {0, 2, 3};

    vouch_for(world, vouches, 0, all, 4);
    vouch_for(world, vouches, 1, all, 4);
    vouch_for(world, vouches, 2, some, 3);
    vouch_for(world, vouches, 3, some, 3);
    refuses_vouches(world, vouches, 4, CN_E_AUTH);
}

static struct world *vouched(struct secagg_vouch vouches[N])
{
    struct world *world = masked(true);
    const uint32_t survivors[] = {0, 1, 2};

    for (uint32_t k = 0; k < 3; k++)
        vouch_for(world, vouches, k, survivors, 3);
    return world;
}

Test(secagg_device, reveals_nothing_below_the_threshold_of_vouches)
{
    struct secagg_vouch vouches[N];
    struct world *world = vouched(vouches);

    refuses_vouches(world, vouches, 2, CN_E_THRESHOLD);
}

Test(secagg_device, refuses_a_vouch_counted_twice)
{
    struct secagg_vouch vouches[N];
    struct world *world = vouched(vouches);

    vouches[2] = vouches[1];
    refuses_vouches(world, vouches, 3, CN_E_INCONSISTENT);
}

Test(secagg_device, refuses_a_forged_vouch)
{
    struct secagg_vouch vouches[N];
    struct world *world = vouched(vouches);

    vouches[1].signature[5] ^= 1;
    refuses_vouches(world, vouches, 3, CN_E_AUTH);
}

Test(secagg_device, refuses_a_vouch_under_another_name)
{
    struct secagg_vouch vouches[N];
    struct world *world = vouched(vouches);

    memcpy(vouches[1].signature, vouches[2].signature, sizeof vouches[1].signature);
    refuses_vouches(world, vouches, 3, CN_E_AUTH);
}

Test(secagg_device, refuses_a_vouch_of_a_device_that_dropped)
{
    struct secagg_vouch vouches[N];
    struct world *world = vouched(vouches);

    vouches[2].index = 3;
    refuses_vouches(world, vouches, 3, CN_E_INCONSISTENT);
}

Test(secagg_device, refuses_more_vouches_than_survivors)
{
    struct secagg_vouch vouches[N];
    struct world *world = vouched(vouches);

    vouches[3] = vouches[2];
    vouches[3].index = 3;
    refuses_vouches(world, vouches, 4, CN_E_INCONSISTENT);
}

Test(secagg_device, reveals_exactly_one_share_of_each_device)
{
    struct secagg_vouch vouches[N];
    struct world *world = vouched(vouches);
    struct secagg_share out[WORLD_MAX];
    uint32_t count;

    ok(secagg_device_reveal(world->device[0], vouches, 3, out, &count));
    cr_assert_eq(count, N);
    for (uint32_t i = 0; i < N; i++) {
        cr_assert_eq(out[i].of, i);
        cr_assert_eq(out[i].kind, i == 3 ? SECAGG_PAIR : SECAGG_SELF);
    }
    fails(secagg_device_reveal(world->device[0], vouches, 3, out, &count), CN_E_UNEXPECTED);
    world_free(world);
}

Test(secagg_device, refuses_every_call_out_of_turn)
{
    struct world *world = world_new(N, DIM, BITS);
    struct secagg_device *device = world->device[0];
    struct secagg_keys keys;
    struct secagg_sealed sealed[WORLD_MAX];
    struct secagg_share shares[WORLD_MAX];
    uint32_t vector[DIM] = {5}, count, index;
    uint8_t bytes[64];

    fails(secagg_device_roster(device, NULL, 0, 0, sealed), CN_E_UNEXPECTED);
    fails(secagg_device_shares(device, sealed, 0), CN_E_UNEXPECTED);
    fails(secagg_device_mask(device, vector), CN_E_UNEXPECTED);
    fails(secagg_device_survivors(device, vector, 1, bytes), CN_E_UNEXPECTED);
    fails(secagg_device_reveal(device, NULL, 0, shares, &count), CN_E_UNEXPECTED);
    fails(secagg_device_index(device, &index), CN_E_UNEXPECTED);
    fails(secagg_device_session(device, bytes), CN_E_UNEXPECTED);
    cr_assert_eq(vector[0], 5);
    /* None of that has ended the round. */
    world_run(world, BEFORE_REVEAL);
    fails(secagg_device_keys(device, &keys), CN_E_UNEXPECTED);
    world_open(world);
    world_free(world);
}
