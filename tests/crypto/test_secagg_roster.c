/* SPDX-License-Identifier: Apache-2.0 */
/* What a device refuses of a roster. The server of these tests lies: each test is one attack of a
 * server, or of a device behind it, on a device that follows the protocol. Device 0 is the victim.
 */
#include "crypto/secagg_internal.h"
#include "tests/crypto/secagg_world.h"

enum { N = 4, DIM = 24, BITS = 16 };

/* A world whose devices have announced their keys; members is the honest roster. */
static struct world *announced(struct secagg_member members[N])
{
    struct world *world = world_new(N, DIM, BITS);

    for (uint32_t k = 0; k < N; k++)
        members[k] = world_member(world, k);
    return world;
}

static enum cn_err give_roster(struct world *world, const struct secagg_member *members,
                               uint32_t count, uint32_t threshold)
{
    struct secagg_sealed out[WORLD_MAX];

    return secagg_device_roster(world->device[0], members, count, threshold, out);
}

/* Device 0 refuses this roster, and its round is over. */
static void refuses_roster(struct world *world, const struct secagg_member *members, uint32_t count,
                           uint32_t threshold, enum cn_err expected)
{
    fails(give_roster(world, members, count, threshold), expected);
    fails(give_roster(world, members, count, threshold), CN_E_UNEXPECTED);
    world_free(world);
}

Test(secagg_roster, accepts_the_honest_roster)
{
    struct secagg_member members[N];
    struct world *world = announced(members);

    ok(give_roster(world, members, N, 3));
    world_free(world);
}

Test(secagg_roster, accepts_a_threshold_above_the_rule)
{
    struct secagg_member members[N];
    struct world *world = announced(members);

    ok(give_roster(world, members, N, 4));
    world_free(world);
}

Test(secagg_roster, refuses_a_threshold_below_two_thirds)
{
    struct secagg_member members[N];
    struct world *world = announced(members);

    refuses_roster(world, members, N, 2, CN_E_THRESHOLD);
}

Test(secagg_roster, refuses_a_threshold_above_the_roster)
{
    struct secagg_member members[N];
    struct world *world = announced(members);

    refuses_roster(world, members, N, N + 1, CN_E_THRESHOLD);
}

Test(secagg_roster, refuses_a_threshold_below_its_own_floor)
{
    struct secagg_member members[N];
    struct world *world = announced(members);

    secagg_device_free(world->device[0]);
    world->config.threshold_min = 4;
    world->device[0] = world_device(world, 0, &world->config);
    members[0] = world_member(world, 0);
    refuses_roster(world, members, N, 3, CN_E_THRESHOLD);
}

Test(secagg_roster, refuses_a_roster_below_its_smallest_cohort)
{
    struct secagg_member members[N];
    struct world *world = announced(members);

    secagg_device_free(world->device[0]);
    world->config.cohort_min = N + 1;
    world->device[0] = world_device(world, 0, &world->config);
    members[0] = world_member(world, 0);
    refuses_roster(world, members, N, 3, CN_E_COHORT);
}

Test(secagg_roster, refuses_a_roster_of_nobody)
{
    struct secagg_member members[N];
    struct world *world = announced(members);

    refuses_roster(world, members, 0, 1, CN_E_COHORT);
}

Test(secagg_roster, refuses_a_roster_that_is_too_large)
{
    struct secagg_member members[N];
    struct world *world = announced(members);

    refuses_roster(world, members, SECAGG_DEVICES_MAX + 1, 1024, CN_E_TOO_LARGE);
}

Test(secagg_roster, refuses_swapped_mask_keys)
{
    struct secagg_member members[N];
    struct world *world = announced(members);
    uint8_t secret[AGREE_SECRET_BYTES];

    /* The server puts itself in the middle between the victim and device 1. */
    ok(agree_pair(members[1].keys.mask_public, secret, &world->random));
    refuses_roster(world, members, N, 3, CN_E_AUTH);
}

Test(secagg_roster, refuses_swapped_seal_keys)
{
    struct secagg_member members[N];
    struct world *world = announced(members);
    uint8_t secret[AGREE_SECRET_BYTES];

    ok(agree_pair(members[1].keys.seal_public, secret, &world->random));
    refuses_roster(world, members, N, 3, CN_E_AUTH);
}

Test(secagg_roster, refuses_the_keys_of_two_members_exchanged)
{
    struct secagg_member members[N];
    struct world *world = announced(members);
    struct secagg_keys keys = members[1].keys;

    members[1].keys = members[2].keys;
    members[2].keys = keys;
    refuses_roster(world, members, N, 3, CN_E_AUTH);
}

Test(secagg_roster, refuses_other_keys_than_it_announced_for_itself)
{
    struct secagg_member members[N];
    struct world *world = announced(members);

    /* Rightly signed keys, but of another round of its own. */
    secagg_device_free(world->device[0]);
    world->device[0] = world_device(world, 0, &world->config);
    CN_IGNORE(secagg_device_keys(world->device[0], &(struct secagg_keys){0}));
    refuses_roster(world, members, N, 3, CN_E_AUTH);
}

Test(secagg_roster, refuses_a_roster_without_itself)
{
    struct secagg_member members[N];
    struct world *world = announced(members);

    refuses_roster(world, members + 1, N - 1, 3, CN_E_AUTH);
}

Test(secagg_roster, refuses_an_invented_device)
{
    struct secagg_member members[N];
    struct world *world = announced(members);
    struct world *inventor = world_new(N, DIM, BITS + 1); /* under a registrar nobody trusts */

    inventor->config = world->config;
    secagg_device_free(inventor->device[0]);
    inventor->device[0] = world_device(inventor, 0, &world->config);
    members[1] = world_member(inventor, 0);
    for (uint32_t i = 1; i < N; i++) { /* in its right place */
        for (uint32_t j = i; j > 0; j--) {
            if (world_order(&members[j - 1].certificate, &members[j].certificate) < 0)
                break;
            struct secagg_member member = members[j];
            members[j] = members[j - 1];
            members[j - 1] = member;
        }
    }
    world_free(inventor);
    refuses_roster(world, members, N, 3, CN_E_AUTH);
}

Test(secagg_roster, refuses_a_device_twice)
{
    struct secagg_member members[N];
    struct world *world = announced(members);

    members[2] = members[1];
    refuses_roster(world, members, N, 3, CN_E_INCONSISTENT);
}

Test(secagg_roster, refuses_an_order_that_the_server_chose)
{
    struct secagg_member members[N];
    struct world *world = announced(members);
    struct secagg_member first = members[1];

    members[1] = members[2];
    members[2] = first;
    refuses_roster(world, members, N, 3, CN_E_INCONSISTENT);
}

/* Signs keys as a device would that follows no other rule: bytes as in docs. */
static void sign_keys_of(struct world *world, uint32_t k, struct secagg_keys *keys)
{
    uint8_t message[32 + 4 + 1 + 1 + 3 * SECAGG_KEY_BYTES], *at = message;

    memcpy(at, world->config.binding, 32);
    at[32] = at[33] = at[34] = 0;
    at[35] = DIM;
    at[36] = BITS;
    at[37] = SECAGG_PRG_CHACHA20;
    memcpy(at + 38, keys->mask_public, 32);
    memcpy(at + 70, keys->seal_public, 32);
    memcpy(at + 102, keys->self_public, 32);
    sign_make(keys->signature, world->identity[k], "cairn-secagg-keys-2", message, sizeof message);
}

Test(secagg_roster, refuses_one_time_keys_that_occur_twice)
{
    struct secagg_member members[N];
    struct world *world = announced(members);

    memcpy(members[2].keys.mask_public, members[1].keys.mask_public, SECAGG_KEY_BYTES);
    sign_keys_of(world, 2, &members[2].keys);
    refuses_roster(world, members, N, 3, CN_E_USED);
}

Test(secagg_roster, refuses_a_member_that_uses_one_key_for_two_purposes)
{
    struct secagg_member members[N];
    struct world *world = announced(members);

    memcpy(members[1].keys.seal_public, members[1].keys.mask_public, SECAGG_KEY_BYTES);
    sign_keys_of(world, 1, &members[1].keys);
    refuses_roster(world, members, N, 3, CN_E_USED);
}

Test(secagg_roster, refuses_the_identity_as_a_key)
{
    struct secagg_member members[N];
    struct world *world = announced(members);

    memset(members[3].keys.mask_public, 0, SECAGG_KEY_BYTES);
    sign_keys_of(world, 3, &members[3].keys);
    refuses_roster(world, members, N, 3, CN_E_AUTH);
}

Test(secagg_roster, refuses_keys_that_are_not_points)
{
    struct secagg_member members[N];
    struct world *world = announced(members);

    memset(members[3].keys.seal_public, 0xff, SECAGG_KEY_BYTES);
    sign_keys_of(world, 3, &members[3].keys);
    refuses_roster(world, members, N, 3, CN_E_AUTH);
}

Test(secagg_roster, refuses_more_devices_of_one_invitation_than_its_uses)
{
    struct world *world = world_new(3, DIM, BITS);
    struct secagg_member members[3];
    struct invitation invitation;
    struct sign_key *one_time;

    /* The holder of one invitation for one device fills the cohort with two of its own. */
    ok(invitation_make(&invitation, &one_time, world->registrar, 1, 2000000000, &world->random));
    for (uint32_t k = 1; k < 3; k++)
        ok(certificate_make(&world->certificate[k], &invitation, one_time, world->identity[k],
                            "twin", 1700000000));
    sign_key_free(one_time);
    for (uint32_t k = 0; k < 3; k++) {
        secagg_device_free(world->device[k]);
        world->device[k] = world_device(world, k, &world->config);
        members[k] = world_member(world, k);
    }
    ok(secagg_server_keys(world->server, &members[1]));
    fails(secagg_server_keys(world->server, &members[2]), CN_E_USED);
    cr_assert_eq(secagg_server_count(world->server), 1);
    refuses_roster(world, members, 3, 3, CN_E_USED);
}

Test(secagg_roster, refuses_keys_replayed_from_another_round)
{
    struct secagg_member members[N];
    struct world *world = announced(members);
    struct secagg_config old = world->config;

    old.binding[0] ^= 1;
    secagg_device_free(world->device[1]);
    world->device[1] = world_device(world, 1, &old);
    members[1] = world_member(world, 1);
    fails(secagg_server_keys(world->server, &members[1]), CN_E_AUTH);
    refuses_roster(world, members, N, 3, CN_E_AUTH);
}

Test(secagg_roster, refuses_neighbours_that_sum_other_shapes)
{
    struct secagg_member members[N];
    struct world *world = announced(members);
    struct secagg_config other = world->config;

    other.bits++;
    secagg_device_free(world->device[1]);
    world->device[1] = world_device(world, 1, &other);
    members[1] = world_member(world, 1);
    refuses_roster(world, members, N, 3, CN_E_AUTH);
}

/* The victim believes another model than the others (another binding): even if nobody checked
 * signatures, its masks would not cancel. */
Test(secagg_roster, masks_differently_under_another_model)
{
    struct world *world = world_new(3, DIM, BITS);
    uint8_t session[2][SECAGG_SESSION_BYTES], seed[2][MASK_SEED_BYTES];
    uint8_t secret[AGREE_SECRET_BYTES], peer[AGREE_PUBLIC_BYTES], other[AGREE_SECRET_BYTES];
    struct secagg_config config = world->config;
    struct secagg_member members[3];

    for (uint32_t k = 0; k < 3; k++)
        members[k] = world_member(world, k);
    ok(agree_pair(peer, other, &world->random));
    agree_scalar(secret, &world->random);
    for (int i = 0; i < 2; i++) {
        struct secagg_seed what = {session[i], config.prg};

        secagg_session_id(session[i], &config, members, 3, 3);
        ok(secagg_mask_seed(seed[i], &what, 0, 1, secret, peer));
        config.binding[31] ^= 1;
    }
    cr_assert_arr_neq(session[0], session[1], sizeof session[0]);
    cr_assert_arr_neq(seed[0], seed[1], sizeof seed[0]);
    world_free(world);
}
