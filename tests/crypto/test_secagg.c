/* SPDX-License-Identifier: Apache-2.0 */
/* The rules both sides share, and the state machines against a round that tests/vectors/secagg
 * computes without them. */
#include <stdio.h>

#include "base/file.h"
#include "base/text.h"
#include "crypto/secagg_internal.h"
#include "tests/crypto/secagg_world.h"

Test(secagg, asks_for_more_than_two_thirds)
{
    static const uint32_t expected[][2] = {{2, 2}, {3, 3}, {4, 3},   {5, 4},    {6, 5},
                                           {8, 6}, {9, 7}, {30, 21}, {100, 67}, {1024, 683}};

    for (size_t i = 0; i < CN_COUNT(expected); i++)
        cr_assert_eq(secagg_threshold(expected[i][0]), expected[i][1]);
    for (uint32_t n = 2; n <= SECAGG_DEVICES_MAX; n++) {
        uint32_t t = secagg_threshold(n);
        /* Two lists with t vouches each meet in more devices than a third of n. */
        cr_assert(t <= n && 3 * (2 * t - n) > n, "%u", n);
    }
}

Test(secagg, takes_the_larger_of_rule_and_floor)
{
    struct secagg_config config = {.threshold_min = 7};

    cr_assert_eq(secagg_threshold_for(&config, 8), 7);
    cr_assert_eq(secagg_threshold_for(&config, 30), 21);
    cr_assert_eq(secagg_threshold_for(&config, 3), 7);
}

Test(secagg, makes_everybody_a_neighbour_unless_told_otherwise)
{
    struct secagg_config config = {.dim = 1, .bits = 8, .cohort_min = 2};

    cr_assert_eq(secagg_degree(&config, 5), 4);
    cr_assert_eq(secagg_degree(&config, 1000), 999);
    cr_assert_eq(secagg_degree(&config, 1), 0);
}

Test(secagg, gives_large_cohorts_a_ring_when_told)
{
    struct secagg_config config = {.dim = 1, .bits = 8, .cohort_min = 2};

    config.ring = (struct secagg_ring){.devices_min = SECAGG_RING_DEVICES_MIN,
                                       .corrupt_permille = 50,
                                       .dropout_permille = 100,
                                       .security_bits = SECAGG_RING_SECURITY_BITS,
                                       .correctness_bits = SECAGG_RING_CORRECTNESS_BITS};
    cr_assert_eq(secagg_degree(&config, 1000), 200);
    cr_assert_eq(secagg_degree(&config, 99), 98);
    cr_assert_lt(secagg_degree(&config, 100), 99);
    config.ring.corrupt_permille = 334;
    cr_assert_eq(secagg_degree(&config, 1000), 0);
}

Test(secagg, refuses_rings_out_of_range)
{
    const struct secagg_ring good = {2, 100, 100, 40, 20, SECAGG_MALICIOUS};
    struct secagg_config config = {.dim = 1, .bits = 8, .cohort_min = 2, .ring = good};
    struct secagg_ring bad[] = {good, good, good, good, good, good, good};

    cr_assert_eq(secagg_config_check(&config), CN_OK);
    bad[0].corrupt_permille = 334;
    bad[1].dropout_permille = 334;
    bad[2].security_bits = 129;
    bad[3].correctness_bits = 0;
    bad[4].correctness_bits = 129;
    bad[5].security_bits = 0;
    bad[6].devices_min = 0; /* no ring, but the rest is set */
    for (size_t i = 0; i < CN_COUNT(bad); i++) {
        config.ring = bad[i];
        cr_assert_eq(secagg_config_check(&config), CN_E_CONFIG, "%zu", i);
    }
}

Test(secagg, plans_fewer_neighbours_against_a_server_that_follows)
{
    struct secagg_config config = {.dim = 1, .bits = 8, .cohort_min = 2};
    struct secagg_plan plan;

    config.ring = (struct secagg_ring){.devices_min = SECAGG_RING_DEVICES_MIN,
                                       .corrupt_permille = 50,
                                       .dropout_permille = 50,
                                       .security_bits = 40,
                                       .correctness_bits = 20,
                                       .adversary = SECAGG_CURIOUS};
    ok(secagg_plan_make(&plan, &config, 1000, NULL));
    cr_assert_eq(plan.degree, 30);
    cr_assert_eq(plan.threshold, 17);
    cr_assert_eq(plan.window_min, 0);
    config.ring.adversary = SECAGG_MALICIOUS;
    ok(secagg_plan_make(&plan, &config, 1000, NULL));
    cr_assert_gt(plan.degree, 60);
    cr_assert_gt(2 * plan.window_min, plan.degree / 2);
    cr_assert_gt(plan.threshold, plan.degree / 2 + 1);
    config.ring.adversary = 2;
    fails(secagg_plan_make(&plan, &config, 1000, NULL), CN_E_CONFIG);
}

Test(secagg, plans_the_complete_graph_where_no_ring_does_and_refuses_large_cohorts)
{
    struct secagg_config config = {.dim = 1, .bits = 8, .cohort_min = 2};
    struct cn_diag diag = {0};
    struct secagg_plan plan;

    fails(secagg_plan_make(&plan, &config, 1025, &diag), CN_E_THRESHOLD);
    cr_assert(strstr(diag.text, "need a ring"), "%s", diag.text);
    config.ring = (struct secagg_ring){.devices_min = SECAGG_RING_DEVICES_MIN,
                                       .corrupt_permille = 200,
                                       .dropout_permille = 320,
                                       .security_bits = SECAGG_RING_SECURITY_BITS,
                                       .correctness_bits = SECAGG_RING_CORRECTNESS_BITS};
    ok(secagg_plan_make(&plan, &config, 1024, NULL));
    cr_assert_eq(plan.degree, 1023);
    cr_assert_eq(plan.threshold, secagg_threshold(1024));
    diag = (struct cn_diag){0};
    fails(secagg_plan_make(&plan, &config, 4000, &diag), CN_E_THRESHOLD);
    cr_assert(strstr(diag.text, "cohorts of up to 1024"), "%s", diag.text);
    /* What the diagnosis says would do does, and one more does not. */
    const char *leaving = strstr(diag.text, "corrupt; at most ");
    cr_assert(leaving, "%s", diag.text);
    config.ring.dropout_permille = (uint16_t)strtoul(leaving + 17, NULL, 10);
    ok(secagg_plan_make(&plan, &config, 4000, NULL));
    config.ring.dropout_permille++;
    fails(secagg_plan_make(&plan, &config, 4000, NULL), CN_E_THRESHOLD);
    fails(secagg_plan_make(&plan, &config, SECAGG_DEVICES_MAX + 1, NULL), CN_E_CONFIG);
    fails(secagg_plan_make(&plan, &config, 1, NULL), CN_E_CONFIG);
}

Test(secagg, binds_the_keystream_into_session_and_seeds)
{
    struct world *world = world_new(3, 5, 8);
    struct secagg_config config = world->config;
    uint8_t session[2][SECAGG_SESSION_BYTES], seed[2][MASK_SEED_BYTES], self[2][MASK_SEED_BYTES];
    uint8_t secret[AGREE_SECRET_BYTES], peer[AGREE_PUBLIC_BYTES], other[AGREE_SECRET_BYTES];
    struct secagg_member members[3];

    for (uint32_t k = 0; k < 3; k++)
        members[k] = world_member(world, k);
    ok(agree_pair(peer, other, &world->random));
    agree_scalar(secret, &world->random);
    for (uint8_t prg = 0; prg < SECAGG_PRG_COUNT; prg++) {
        struct secagg_seed what = {session[0], prg}; /* even in one session */

        config.prg = prg;
        secagg_session_id(session[prg], &config, members, 3, 3);
        ok(secagg_mask_seed(seed[prg], &what, 0, 1, secret, peer));
        secagg_self_seed(self[prg], &what, 0, secret);
    }
    cr_assert_arr_neq(session[0], session[1], sizeof session[0]);
    cr_assert_arr_neq(seed[0], seed[1], sizeof seed[0]);
    cr_assert_arr_neq(self[0], self[1], sizeof self[0]);
    config.prg = SECAGG_PRG_COUNT;
    fails(secagg_config_check(&config), CN_E_CONFIG);
    cr_assert_not(secagg_prg_is_safe(SECAGG_PRG_COUNT));
    cr_assert(secagg_prg_is_safe(secagg_prg_best()) && secagg_prg_is_safe(SECAGG_PRG_CHACHA20));
    world_free(world);
}

/* -- The vectors ------------------------------------------------------------------------------ */

enum { N = 3, DIM = 40, BITS = 20 };

static struct cn_buf file;

static void load(enum secagg_prg prg)
{
    const char *path = prg == SECAGG_PRG_CHACHA20
                           ? CAIRN_SOURCE_DIR "/tests/vectors/secagg/three-devices.txt"
                           : CAIRN_SOURCE_DIR "/tests/vectors/secagg/three-devices-aes.txt";

    ok(cn_file_read(&file, path, 1 << 16, NULL));
}

/* The value of name, with the number of a device appended when it is not negative. */
static const char *text_of(const char *name, int device)
{
    static char value[512];
    char line[64];

    snprintf(line, sizeof line, device < 0 ? "\n%s = " : "\n%s_%d = ", name, device);
    const char *at = strstr((const char *)file.data, line);
    cr_assert(at, "%s is missing", line + 1);
    at += strlen(line);
    size_t len = strcspn(at, "\n");
    cr_assert(len < sizeof value);
    memcpy(value, at, len);
    value[len] = 0;
    return value;
}

static void bytes_of(void *out, size_t len, const char *name, int device)
{
    ok(cn_hex_decode(out, len, text_of(name, device)));
}

static void expect(const void *got, size_t len, const char *name, int device)
{
    uint8_t expected[256];

    cr_assert(len <= sizeof expected);
    bytes_of(expected, len, name, device);
    cr_assert_eq(memcmp(got, expected, len), 0, "%s of device %d differs", name, device);
}

/* Gives the three one-time secrets first, as the wide numbers that reduce to them. */
struct script {
    uint8_t wide[3][64];
    unsigned given;
    struct cn_random rest;
};

static void fill_script(void *ctx, void *out, size_t len)
{
    struct script *script = ctx;

    if (script->given < 3) {
        cr_assert_eq(len, sizeof script->wide[0]);
        memcpy(out, script->wide[script->given++], len);
        return;
    }
    cn_random_fill(&script->rest, out, len);
}

static void fill_seed(void *ctx, void *out, size_t len)
{
    cr_assert_eq(len, 32);
    memcpy(out, ctx, len);
}

/* A world whose devices have the identities and secrets of the vectors. */
static struct world *world_of_vectors(struct script scripts[N], enum secagg_prg prg)
{
    struct world *world = world_new(N, DIM, BITS);

    load(prg);
    bytes_of(world->config.binding, 32, "binding", -1);
    world->config.prg = (uint8_t)prg;
    for (int k = 0; k < N; k++) {
        struct invitation invitation;
        struct sign_key *one_time;
        uint8_t seed[32], invitation_seed[32], packed[DIM * BITS / 8];
        struct cn_random invited = {fill_seed, invitation_seed};

        bytes_of(invitation_seed, sizeof invitation_seed, "invitation_seed", k);
        bytes_of(seed, sizeof seed, "identity_seed", k);
        sign_key_free(world->identity[k]);
        ok(sign_key_from_seed(&world->identity[k], seed));
        ok(invitation_make(&invitation, &one_time, world->registrar, 1, 2000000000, &invited));
        ok(certificate_make(&world->certificate[k], &invitation, one_time, world->identity[k],
                            "vector", 1700000000));
        sign_key_free(one_time);
        scripts[k] = (struct script){.rest = world->random};
        bytes_of(scripts[k].wide[0], 32, "mask_secret", k);
        bytes_of(scripts[k].wide[1], 32, "seal_secret", k);
        bytes_of(scripts[k].wide[2], 32, "self_secret", k);
        struct cn_random random = {fill_script, &scripts[k]};
        secagg_device_free(world->device[k]);
        ok(secagg_device_new(&world->device[k], &world->config, world->identity[k],
                             &world->certificate[k], world->registrar_public, &random));
        bytes_of(packed, sizeof packed, "input", k);
        memset(world->input[k], 0, DIM * sizeof *world->input[k]);
        ok(unpack_bits_add(world->input[k], DIM, BITS, packed, sizeof packed));
    }
    secagg_server_free(world->server);
    ok(secagg_server_new(&world->server, &world->config, world->registrar_public));
    return world;
}

static void run_round_of_vectors(enum secagg_prg prg)
{
    struct script scripts[N];
    struct world *world = world_of_vectors(scripts, prg);
    const struct secagg_member *members;
    uint32_t count, threshold, sum[DIM];
    uint8_t session[32], id[DEVICE_ID_BYTES], packed[DIM * BITS / 8];
    struct secagg_entry entry;

    world_keys(world);
    ok(secagg_server_members(world->server, &members, &count, &threshold));
    ok(secagg_server_session(world->server, session));
    expect(session, sizeof session, "session", -1);
    for (int k = 0; k < N; k++) {
        certificate_device_id(id, &members[k].certificate);
        expect(id, sizeof id, "device_id", k);
        secagg_entry_of(&entry, &members[k]);
        expect(&entry, sizeof entry, "entry", k);
        expect(members[k].certificate.device, 32, "device_public", k);
        expect(members[k].keys.mask_public, 32, "mask_public", k);
        expect(members[k].keys.seal_public, 32, "seal_public", k);
        expect(members[k].keys.self_public, 32, "self_public", k);
        expect(members[k].keys.signature, 64, "keys_signature", k);
    }
    world_share(world);
    ok(secagg_server_close_shares(world->server));
    for (int k = 0; k < N; k++) {
        size_t len;
        uint8_t *masked = world_mask(world, (uint32_t)k, &len);
        expect(masked, len, "masked", k);
        ok(secagg_server_masked(world->server, (uint32_t)k, masked, len));
        free(masked);
    }
    ok(secagg_server_close_masked(world->server));
    world_vouch(world);
    ok(secagg_server_close_vouches(world->server));
    const struct secagg_vouch *vouches;
    ok(secagg_server_vouches(world->server, &vouches, &count));
    for (int k = 0; k < N; k++)
        expect(vouches[k].signature, 64, "vouch", k);
    world_reveal(world);
    ok(secagg_server_open(world->server, sum));
    pack_bits(packed, sum, DIM, BITS);
    expect(packed, sizeof packed, "sum", -1);
    world_free(world);
    cn_buf_clear(&file);
}

Test(secagg, runs_the_round_of_the_vectors)
{
    run_round_of_vectors(SECAGG_PRG_CHACHA20);
}

Test(secagg, runs_the_round_of_the_vectors_with_aes)
{
    if (!secagg_prg_is_safe(SECAGG_PRG_AES256CTR))
        cr_skip_test("this machine has no instructions for AES");
    run_round_of_vectors(SECAGG_PRG_AES256CTR);
}

static void derive_all(enum secagg_prg prg)
{
    uint8_t session[32], mask[N][32], seal[N][32], self[N][32], public_key[32], key[32];
    struct secagg_seed what = {session, (uint8_t)prg};
    char name[32];

    load(prg);
    bytes_of(session, sizeof session, "session", -1);
    for (int k = 0; k < N; k++) {
        bytes_of(mask[k], 32, "mask_secret", k);
        bytes_of(seal[k], 32, "seal_secret", k);
        bytes_of(self[k], 32, "self_secret", k);
        secagg_self_seed(key, &what, (uint32_t)k, self[k]);
        expect(key, sizeof key, "self_seed", k);
    }
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) { /* from either side */
            int low = i < j ? i : j, high = i < j ? j : i;
            if (i == j)
                continue;
            snprintf(name, sizeof name, "mask_seed_%d", low);
            ok(agree_public(public_key, mask[j]));
            ok(secagg_mask_seed(key, &what, (uint32_t)i, (uint32_t)j, mask[i], public_key));
            expect(key, sizeof key, name, high);
            snprintf(name, sizeof name, "seal_key_%d", low);
            ok(agree_public(public_key, seal[j]));
            ok(secagg_seal_key(key, session, (uint32_t)i, (uint32_t)j, seal[i], public_key));
            expect(key, sizeof key, name, high);
        }
    }
    secagg_vouch_message(key, session, (uint32_t[]){0, 1, 2}, 3);
    expect(key, sizeof key, "vouch_message", -1);
    cn_buf_clear(&file);
}

Test(secagg, derives_the_seeds_and_keys_of_the_vectors)
{
    derive_all(SECAGG_PRG_CHACHA20);
    derive_all(SECAGG_PRG_AES256CTR);
}
