/* SPDX-License-Identifier: Apache-2.0 */
/* Rules, hashes and key derivations of secure aggregation; see secagg.h and secagg_internal.h. */
#include "crypto/secagg.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "crypto/secagg_internal.h"

_Static_assert(SECAGG_SEALED_BYTES == sizeof(struct secagg_pair_of_shares) + SEAL_OVERHEAD,
               "a sealed message is two shares");
_Static_assert(SECAGG_KEY_BYTES == AGREE_PUBLIC_BYTES, "keys are points");
_Static_assert(SECAGG_SHARE_BYTES == SHAMIR_BYTES, "shares are scalars");
_Static_assert(SECAGG_DEGREE_MAX + 1 <= SHAMIR_SHARES_MAX, "all neighbours can hold a share");
_Static_assert(SECAGG_BITS_MAX <= MASK_BITS_MAX, "masks cover every coordinate");

#define KEYS_LABEL "cairn-secagg-keys-1"
#define KEYS_OF_MEMBER 3
#define KEYS_MESSAGE_BYTES (32 + 4 + 1 + KEYS_OF_MEMBER * SECAGG_KEY_BYTES)

uint32_t secagg_threshold(uint32_t devices)
{
    return (uint32_t)((uint64_t)devices * 2 / 3 + 1);
}

uint32_t secagg_threshold_for(const struct secagg_config *config, uint32_t devices)
{
    uint32_t rule = secagg_threshold(devices);

    return rule > config->threshold_min ? rule : config->threshold_min;
}

static enum cn_err ring_check(const struct secagg_ring *ring)
{
    if (ring->devices_min == 0)
        return ring->corrupt_permille || ring->dropout_permille || ring->security_bits ||
                       ring->correctness_bits
                   ? CN_E_CONFIG
                   : CN_OK;
    if (ring->security_bits < 1 || ring->security_bits > GRAPH_BITS_MAX)
        return CN_E_CONFIG;
    if (ring->correctness_bits < 1 || ring->correctness_bits > GRAPH_BITS_MAX)
        return CN_E_CONFIG;
    return ring->corrupt_permille > SECAGG_RING_PERMILLE_MAX ||
                   ring->dropout_permille > SECAGG_RING_PERMILLE_MAX
               ? CN_E_CONFIG
               : CN_OK;
}

/* degree devices - 1 when there is no ring. */
static enum cn_err plan_graph(struct graph_plan *plan, const struct secagg_ring *ring,
                              uint32_t devices)
{
    struct graph_demand demand = {.devices = devices,
                                  .corrupt_permille = ring->corrupt_permille,
                                  .dropout_permille = ring->dropout_permille,
                                  .security_bits = ring->security_bits,
                                  .correctness_bits = ring->correctness_bits,
                                  .adversary = GRAPH_MALICIOUS};
    enum cn_err err = CN_E_THRESHOLD;

    *plan = (struct graph_plan){.degree = devices - 1};
    if (ring->devices_min > 0 && devices >= ring->devices_min)
        err = graph_plan_checked(plan, &demand);
    return err == CN_E_THRESHOLD ? CN_OK : err;
}

uint32_t secagg_degree(const struct secagg_config *config, uint32_t devices)
{
    struct graph_plan plan;

    if (devices < SECAGG_DEVICES_MIN || ring_check(&config->ring) != CN_OK ||
        plan_graph(&plan, &config->ring, devices) != CN_OK)
        return 0;
    return plan.degree;
}

enum cn_err secagg_shape_init(struct secagg_shape *shape, const struct secagg_config *config,
                              const uint8_t session[SECAGG_SESSION_BYTES], uint32_t devices,
                              uint32_t threshold)
{
    uint8_t seed[GRAPH_SEED_BYTES];
    struct graph_plan plan;

    *shape = (struct secagg_shape){0};
    CN_TRY(plan_graph(&plan, &config->ring, devices));
    hash_of(seed, "cairn-secagg-ring-1", session, SECAGG_SESSION_BYTES);
    CN_TRY(graph_init(&shape->graph, devices, plan.degree, seed));
    shape->threshold = plan.degree == devices - 1 ? threshold : plan.threshold;
    shape->window_min = plan.window_min;
    shape->neighbours_min = plan.neighbours_min;
    return CN_OK;
}

void secagg_shape_clear(struct secagg_shape *shape)
{
    graph_clear(&shape->graph);
}

enum cn_err secagg_config_check(const struct secagg_config *config)
{
    if (config->dim < 1 || config->dim > SECAGG_DIM_MAX)
        return CN_E_CONFIG;
    if (config->bits < SECAGG_BITS_MIN || config->bits > SECAGG_BITS_MAX)
        return CN_E_CONFIG;
    if (config->cohort_min < SECAGG_DEVICES_MIN || config->cohort_min > SECAGG_DEVICES_MAX)
        return CN_E_CONFIG;
    if (config->threshold_min > SECAGG_DEVICES_MAX)
        return CN_E_CONFIG;
    return ring_check(&config->ring);
}

/* Whether a graph may be sparse is a part of the session. */
static void hash_ring(struct hash *hash, const struct secagg_ring *ring)
{
    if (ring->devices_min == 0)
        return;
    hash_add_u64(hash, ring->devices_min);
    hash_add_u64(hash, ring->corrupt_permille);
    hash_add_u64(hash, ring->dropout_permille);
    hash_add_u64(hash, ring->security_bits);
    hash_add_u64(hash, ring->correctness_bits);
}

static uint8_t *put_u32(uint8_t *at, uint32_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        *at++ = (uint8_t)(value >> shift);
    return at;
}

static uint8_t *put_bytes(uint8_t *at, const void *bytes, size_t len)
{
    memcpy(at, bytes, len);
    return at + len;
}

static void keys_message(uint8_t message[KEYS_MESSAGE_BYTES], const struct secagg_config *config,
                         const struct secagg_keys *keys)
{
    uint8_t *at = put_bytes(message, config->binding, sizeof config->binding);

    at = put_u32(at, config->dim);
    *at++ = config->bits;
    at = put_bytes(at, keys->mask_public, SECAGG_KEY_BYTES);
    at = put_bytes(at, keys->seal_public, SECAGG_KEY_BYTES);
    put_bytes(at, keys->self_public, SECAGG_KEY_BYTES);
}

void secagg_keys_sign(struct secagg_keys *keys, const struct secagg_config *config,
                      const struct sign_key *identity)
{
    uint8_t message[KEYS_MESSAGE_BYTES];

    keys_message(message, config, keys);
    sign_make(keys->signature, identity, KEYS_LABEL, message, sizeof message);
}

enum cn_err secagg_member_check(const struct secagg_member *member,
                                const struct secagg_config *config, const uint8_t registrar[32])
{
    uint8_t message[KEYS_MESSAGE_BYTES];

    CN_TRY(certificate_check(&member->certificate, registrar));
    keys_message(message, config, &member->keys);
    CN_TRY(sign_check(member->keys.signature, member->certificate.device, KEYS_LABEL, message,
                      sizeof message));
    CN_TRY(agree_check_public(member->keys.mask_public));
    CN_TRY(agree_check_public(member->keys.seal_public));
    return agree_check_public(member->keys.self_public);
}

static void keys_list(const uint8_t *list[KEYS_OF_MEMBER], const struct secagg_keys *keys)
{
    list[0] = keys->mask_public;
    list[1] = keys->seal_public;
    list[2] = keys->self_public;
}

bool secagg_keys_meet(const struct secagg_keys *a, const struct secagg_keys *b)
{
    const uint8_t *of_a[KEYS_OF_MEMBER], *of_b[KEYS_OF_MEMBER];

    keys_list(of_a, a);
    keys_list(of_b, b);
    for (size_t i = 0; i < KEYS_OF_MEMBER; i++) {
        for (size_t j = 0; j < KEYS_OF_MEMBER; j++) {
            bool itself = a == b && i == j;
            if (!itself && memcmp(of_a[i], of_b[j], SECAGG_KEY_BYTES) == 0)
                return true;
        }
    }
    return false;
}

static int compare_keys(const void *a, const void *b)
{
    return memcmp(*(const uint8_t *const *)a, *(const uint8_t *const *)b, SECAGG_KEY_BYTES);
}

/* CN_E_USED when a one-time key occurs twice in the roster. */
static enum cn_err check_keys_distinct(const struct secagg_member *members, uint32_t count)
{
    size_t total = (size_t)count * KEYS_OF_MEMBER;
    const uint8_t **list = calloc(total, sizeof *list);
    enum cn_err err = CN_OK;

    if (!list)
        return CN_E_NOMEM;
    for (uint32_t i = 0; i < count; i++)
        keys_list(list + (size_t)i * KEYS_OF_MEMBER, &members[i].keys);
    qsort(list, total, sizeof *list, compare_keys);
    for (size_t i = 1; i < total && err == CN_OK; i++) {
        if (memcmp(list[i - 1], list[i], SECAGG_KEY_BYTES) == 0)
            err = CN_E_USED;
    }
    free(list);
    return err;
}

/* CN_E_INCONSISTENT unless device ids rise strictly, so that the server places nobody. */
static enum cn_err check_order(const struct secagg_member *members, uint32_t count)
{
    uint8_t last[DEVICE_ID_BYTES], id[DEVICE_ID_BYTES];

    for (uint32_t i = 0; i < count; i++) {
        certificate_device_id(id, &members[i].certificate);
        if (i > 0 && memcmp(last, id, sizeof id) >= 0)
            return CN_E_INCONSISTENT;
        memcpy(last, id, sizeof id);
    }
    return CN_OK;
}

enum cn_err secagg_roster_check(const struct secagg_config *config,
                                const struct secagg_member *members, uint32_t count,
                                uint32_t threshold, const uint8_t registrar[32])
{
    if (count > SECAGG_DEVICES_MAX)
        return CN_E_TOO_LARGE;
    if (count < config->cohort_min)
        return CN_E_COHORT;
    if (threshold < secagg_threshold_for(config, count) || threshold > count)
        return CN_E_THRESHOLD;
    CN_TRY(check_order(members, count));
    for (uint32_t i = 0; i < count; i++)
        CN_TRY(secagg_member_check(&members[i], config, registrar));
    CN_TRY(certificate_roster_check(&members->certificate, sizeof *members, count));
    return check_keys_distinct(members, count);
}

void secagg_session_id(uint8_t session[SECAGG_SESSION_BYTES], const struct secagg_config *config,
                       const struct secagg_member *members, uint32_t count, uint32_t threshold)
{
    struct hash hash;

    hash_init(&hash, "cairn-secagg-session-1");
    hash_add(&hash, config->binding, sizeof config->binding);
    hash_add_u64(&hash, config->dim);
    hash_add_u64(&hash, config->bits);
    hash_add_u64(&hash, threshold);
    hash_add_u64(&hash, count);
    hash_ring(&hash, &config->ring);
    for (uint32_t i = 0; i < count; i++) {
        hash_add(&hash, members[i].certificate.device, SIGN_PUBLIC_BYTES);
        hash_add(&hash, members[i].keys.mask_public, SECAGG_KEY_BYTES);
        hash_add(&hash, members[i].keys.seal_public, SECAGG_KEY_BYTES);
        hash_add(&hash, members[i].keys.self_public, SECAGG_KEY_BYTES);
    }
    hash_final(&hash, session);
}

void secagg_channel_make(struct secagg_channel *channel,
                         const uint8_t session[SECAGG_SESSION_BYTES], uint32_t from, uint32_t to)
{
    uint8_t *at = put_bytes(channel->bytes, session, SECAGG_SESSION_BYTES);

    at = put_u32(at, from);
    put_u32(at, to);
}

/* Both sides of a pair derive the same: the lower position stands first. */
static enum cn_err derive_pair(uint8_t key[AGREE_KEY_BYTES], const char *label,
                               const struct secagg_channel *pair,
                               const uint8_t secret[AGREE_SECRET_BYTES],
                               const uint8_t peer[AGREE_PUBLIC_BYTES])
{
    struct agree_binding binding = {label, pair->bytes, sizeof pair->bytes};

    return agree_derive(key, secret, peer, &binding);
}

enum cn_err secagg_mask_seed(uint8_t seed[MASK_SEED_BYTES],
                             const uint8_t session[SECAGG_SESSION_BYTES], uint32_t i, uint32_t j,
                             const uint8_t secret[AGREE_SECRET_BYTES],
                             const uint8_t peer[AGREE_PUBLIC_BYTES])
{
    struct secagg_channel pair;

    secagg_channel_make(&pair, session, i < j ? i : j, i < j ? j : i);
    return derive_pair(seed, "cairn-secagg-mask-1", &pair, secret, peer);
}

enum cn_err secagg_seal_key(uint8_t key[SEAL_KEY_BYTES],
                            const uint8_t session[SECAGG_SESSION_BYTES], uint32_t i, uint32_t j,
                            const uint8_t secret[AGREE_SECRET_BYTES],
                            const uint8_t peer[AGREE_PUBLIC_BYTES])
{
    struct secagg_channel pair;

    secagg_channel_make(&pair, session, i < j ? i : j, i < j ? j : i);
    return derive_pair(key, "cairn-secagg-seal-1", &pair, secret, peer);
}

void secagg_self_seed(uint8_t seed[MASK_SEED_BYTES], const uint8_t session[SECAGG_SESSION_BYTES],
                      uint32_t i, const uint8_t b[AGREE_SECRET_BYTES])
{
    struct hash hash;

    hash_init(&hash, "cairn-secagg-self-1");
    hash_add(&hash, session, SECAGG_SESSION_BYTES);
    hash_add_u64(&hash, i);
    hash_add(&hash, b, AGREE_SECRET_BYTES);
    hash_final(&hash, seed);
}

void secagg_vouch_message(uint8_t message[HASH_BYTES], const uint8_t session[SECAGG_SESSION_BYTES],
                          const uint32_t *survivors, uint32_t count)
{
    struct hash hash;

    hash_init(&hash, "cairn-secagg-survivors-1");
    hash_add(&hash, session, SECAGG_SESSION_BYTES);
    hash_add_u64(&hash, count);
    for (uint32_t i = 0; i < count; i++)
        hash_add_u64(&hash, survivors[i]);
    hash_final(&hash, message);
}
