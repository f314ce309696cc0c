/* SPDX-License-Identifier: Apache-2.0 */
/* A small world for the tests of secure aggregation: a registrar, n devices in the order of the
 * roster (device k has position k), a server, inputs and their plain sums, and one function per
 * step of a round in which chosen devices leave before chosen steps. */
#ifndef CAIRN_TESTS_CRYPTO_SECAGG_WORLD_H
#define CAIRN_TESTS_CRYPTO_SECAGG_WORLD_H

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <sodium.h>

#include "crypto/pack.h"
#include "crypto/secagg_device.h"
#include "crypto/secagg_server.h"

#define WORLD_MAX 32

enum leaves { NEVER, BEFORE_KEYS, BEFORE_SHARES, BEFORE_MASKED, BEFORE_VOUCH, BEFORE_REVEAL };

struct world {
    struct cn_seeded seeded;
    struct cn_random random;
    struct secagg_config config;
    struct sign_key *registrar;
    uint8_t registrar_public[SIGN_PUBLIC_BYTES];
    uint32_t n;
    struct sign_key *identity[WORLD_MAX];
    struct certificate certificate[WORLD_MAX];
    struct secagg_device *device[WORLD_MAX];
    enum leaves leaves[WORLD_MAX];
    uint32_t *input[WORLD_MAX];
    struct secagg_server *server;
};

#define ok(expr) cr_assert_eq((expr), CN_OK, "%s", #expr)
#define fails(expr, error) cr_assert_eq((expr), (error), "%s", #expr)

/* A device under an invitation of its own. */
static inline void world_enrol(struct world *world, struct sign_key **identity,
                               struct certificate *certificate)
{
    struct invitation invitation;
    struct sign_key *one_time;

    ok(invitation_make(&invitation, &one_time, world->registrar, 1, 2000000000, &world->random));
    ok(sign_key_new(identity, &world->random));
    ok(certificate_make(certificate, &invitation, one_time, *identity, "device", 1700000000));
    sign_key_free(one_time);
}

static inline int world_order(const struct certificate *a, const struct certificate *b)
{
    uint8_t id_a[DEVICE_ID_BYTES], id_b[DEVICE_ID_BYTES];

    certificate_device_id(id_a, a);
    certificate_device_id(id_b, b);
    return memcmp(id_a, id_b, sizeof id_a);
}

static inline void world_sort(struct world *world)
{
    for (uint32_t i = 1; i < world->n; i++) {
        for (uint32_t j = i; j > 0; j--) {
            if (world_order(&world->certificate[j - 1], &world->certificate[j]) < 0)
                break;
            struct certificate certificate = world->certificate[j];
            struct sign_key *identity = world->identity[j];
            world->certificate[j] = world->certificate[j - 1];
            world->identity[j] = world->identity[j - 1];
            world->certificate[j - 1] = certificate;
            world->identity[j - 1] = identity;
        }
    }
}

static inline struct secagg_device *world_device(struct world *world, uint32_t k,
                                                 const struct secagg_config *config)
{
    struct secagg_device *device;

    ok(secagg_device_new(&device, config, world->identity[k], &world->certificate[k],
                         world->registrar_public, &world->random));
    return device;
}

/* ring may be NULL: the complete graph. */
static inline struct world *world_make(uint32_t n, uint32_t dim, uint8_t bits,
                                       const struct secagg_ring *ring)
{
    struct world *world = calloc(1, sizeof *world);

    cr_assert(world && n <= WORLD_MAX);
    world->random = cn_random_seeded(&world->seeded, 1000 * n + bits);
    world->n = n;
    world->config = (struct secagg_config){.dim = dim, .bits = bits, .cohort_min = 2};
    if (ring)
        world->config.ring = *ring;
    memset(world->config.binding, 0x42, sizeof world->config.binding);
    ok(sign_key_new(&world->registrar, &world->random));
    sign_key_public(world->registrar, world->registrar_public);
    for (uint32_t k = 0; k < n; k++)
        world_enrol(world, &world->identity[k], &world->certificate[k]);
    world_sort(world);
    for (uint32_t k = 0; k < n; k++) {
        world->device[k] = world_device(world, k, &world->config);
        world->input[k] = calloc(dim, sizeof(uint32_t));
        cr_assert(world->input[k]);
        for (uint32_t i = 0; i < dim; i++)
            world->input[k][i] = (uint32_t)cn_random_below(&world->random, UINT64_C(1) << bits);
    }
    ok(secagg_server_new(&world->server, &world->config, world->registrar_public));
    return world;
}

static inline struct world *world_new(uint32_t n, uint32_t dim, uint8_t bits)
{
    return world_make(n, dim, bits, NULL);
}

static inline void world_free(struct world *world)
{
    for (uint32_t k = 0; k < world->n; k++) {
        secagg_device_free(world->device[k]);
        sign_key_free(world->identity[k]);
        free(world->input[k]);
    }
    secagg_server_free(world->server);
    sign_key_free(world->registrar);
    free(world);
}

/* True when device k still takes part in a step. */
static inline bool world_has(const struct world *world, uint32_t k, enum leaves step)
{
    return world->leaves[k] == NEVER || world->leaves[k] > step;
}

static inline struct secagg_member world_member(struct world *world, uint32_t k)
{
    struct secagg_member member = {.certificate = world->certificate[k]};

    ok(secagg_device_keys(world->device[k], &member.keys));
    return member;
}

/* Keys of all who are there, and the roster closed. Devices leave BEFORE_KEYS only from the end of
 * the roster, so that positions stay. */
static inline void world_keys(struct world *world)
{
    for (uint32_t k = world->n; k-- > 0;) { /* arrival order is not roster order */
        if (!world_has(world, k, BEFORE_KEYS))
            continue;
        struct secagg_member member = world_member(world, k);
        ok(secagg_server_keys(world->server, &member));
    }
    ok(secagg_server_close_roster(world->server));
}

static inline void world_roster_of(struct world *world, uint32_t k,
                                   struct secagg_sealed out[WORLD_MAX])
{
    const struct secagg_member *members;
    uint32_t count, threshold, index;

    ok(secagg_server_members(world->server, &members, &count, &threshold));
    ok(secagg_device_roster(world->device[k], members, count, threshold, out));
    ok(secagg_device_index(world->device[k], &index));
    cr_assert_eq(index, k);
}

static inline void world_share(struct world *world)
{
    struct secagg_sealed sealed[WORLD_MAX];
    uint32_t degree = secagg_degree(&world->config, secagg_server_count(world->server));

    for (uint32_t k = 0; k < world->n; k++) {
        if (!world_has(world, k, BEFORE_SHARES))
            continue;
        world_roster_of(world, k, sealed);
        ok(secagg_server_shares(world->server, k, sealed, degree));
    }
}

/* The masked vector of device k, packed; the caller frees it. */
static inline uint8_t *world_mask(struct world *world, uint32_t k, size_t *len)
{
    struct secagg_sealed inbox[WORLD_MAX];
    uint32_t count, dim = world->config.dim;
    uint32_t *vector = malloc(dim * sizeof *vector);

    ok(secagg_server_inbox(world->server, k, inbox, &count));
    ok(secagg_device_shares(world->device[k], inbox, count));
    memcpy(vector, world->input[k], dim * sizeof *vector);
    ok(secagg_device_mask(world->device[k], vector));
    *len = pack_bytes(dim, world->config.bits);
    uint8_t *packed = malloc(*len);
    pack_bits(packed, vector, dim, world->config.bits);
    free(vector);
    return packed;
}

static inline void world_masked(struct world *world)
{
    for (uint32_t k = 0; k < world->n; k++) {
        size_t len;

        if (!world_has(world, k, BEFORE_MASKED))
            continue;
        uint8_t *packed = world_mask(world, k, &len);
        ok(secagg_server_masked(world->server, k, packed, len));
        free(packed);
    }
}

static inline void world_vouch(struct world *world)
{
    const uint32_t *survivors;
    uint32_t count;
    uint8_t signature[SECAGG_SIGNATURE_BYTES];

    ok(secagg_server_survivors(world->server, &survivors, &count));
    for (uint32_t k = 0; k < world->n; k++) {
        if (!world_has(world, k, BEFORE_VOUCH))
            continue;
        ok(secagg_device_survivors(world->device[k], survivors, count, signature));
        ok(secagg_server_vouch(world->server, k, signature));
    }
}

static inline uint32_t world_shares_of(struct world *world, uint32_t k,
                                       struct secagg_share out[WORLD_MAX])
{
    const struct secagg_vouch *vouches;
    uint32_t count, shares;

    ok(secagg_server_vouches(world->server, &vouches, &count));
    ok(secagg_device_reveal(world->device[k], vouches, count, out, &shares));
    return shares;
}

static inline void world_reveal(struct world *world)
{
    struct secagg_share shares[WORLD_MAX];

    for (uint32_t k = 0; k < world->n; k++) {
        if (!world_has(world, k, BEFORE_REVEAL))
            continue;
        uint32_t count = world_shares_of(world, k, shares);
        ok(secagg_server_reveal(world->server, k, shares, count));
    }
}

/* The steps up to and with one of them, each closed. */
static inline void world_run(struct world *world, enum leaves last)
{
    world_keys(world);
    if (last >= BEFORE_SHARES) {
        world_share(world);
        ok(secagg_server_close_shares(world->server));
    }
    if (last >= BEFORE_MASKED) {
        world_masked(world);
        ok(secagg_server_close_masked(world->server));
    }
    if (last >= BEFORE_VOUCH) {
        world_vouch(world);
        ok(secagg_server_close_vouches(world->server));
    }
    if (last >= BEFORE_REVEAL)
        world_reveal(world);
}

/* True when sum is the plain sum over those who sent a vector, modulo 2^bits. */
static inline bool world_sum_is_right(const struct world *world, const uint32_t *sum)
{
    uint32_t low = UINT32_MAX >> (32 - world->config.bits);

    for (uint32_t i = 0; i < world->config.dim; i++) {
        uint32_t plain = 0;

        for (uint32_t k = 0; k < world->n; k++)
            plain += world_has(world, k, BEFORE_MASKED) ? world->input[k][i] : 0;
        if (sum[i] != (plain & low))
            return false;
    }
    return true;
}

static inline void world_open(struct world *world)
{
    uint32_t *sum = malloc(world->config.dim * sizeof *sum);

    cr_assert(secagg_server_can_open(world->server));
    ok(secagg_server_open(world->server, sum));
    cr_assert(world_sum_is_right(world, sum));
    free(sum);
}

#endif
