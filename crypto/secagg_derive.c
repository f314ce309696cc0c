/* SPDX-License-Identifier: Apache-2.0 */
/* Rosters, hashes and key derivations of secure aggregation; see secagg_internal.h. */
#include <stdlib.h>
#include <string.h>

#include "crypto/secagg_internal.h"

#define KEYS_LABEL "cairn-secagg-keys-2"
#define KEYS_MESSAGE_BYTES (32 + 4 + 1 + 1 + SECAGG_KEYS_OF_MEMBER * SECAGG_KEY_BYTES)

_Static_assert(sizeof(struct secagg_entry) == DEVICE_ID_BYTES + INVITATION_ID_BYTES + 32,
               "entries are hashed as they lie");

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
    hash_add_u64(hash, ring->adversary);
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
    *at++ = config->prg;
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

enum cn_err secagg_keys_check_signature(const struct secagg_member *member,
                                        const struct secagg_config *config)
{
    uint8_t message[KEYS_MESSAGE_BYTES];

    keys_message(message, config, &member->keys);
    return sign_check(member->keys.signature, member->certificate.device, KEYS_LABEL, message,
                      sizeof message);
}

enum cn_err secagg_keys_check(const struct secagg_member *member,
                              const struct secagg_config *config)
{
    CN_TRY(secagg_keys_check_signature(member, config));
    CN_TRY(agree_check_public(member->keys.mask_public));
    CN_TRY(agree_check_public(member->keys.seal_public));
    return agree_check_public(member->keys.self_public);
}

enum cn_err secagg_member_check(const struct secagg_member *member,
                                const struct secagg_config *config, const uint8_t registrar[32])
{
    CN_TRY(certificate_check(&member->certificate, registrar));
    return secagg_keys_check(member, config);
}

void secagg_entry_of(struct secagg_entry *entry, const struct secagg_member *member)
{
    struct hash hash;

    certificate_device_id(entry->device_id, &member->certificate);
    memcpy(entry->invitation_id, member->certificate.invitation.id, INVITATION_ID_BYTES);
    hash_init(&hash, "cairn-secagg-member-1");
    hash_add(&hash, member->certificate.device, SIGN_PUBLIC_BYTES);
    hash_add(&hash, member->keys.mask_public, SECAGG_KEY_BYTES);
    hash_add(&hash, member->keys.seal_public, SECAGG_KEY_BYTES);
    hash_add(&hash, member->keys.self_public, SECAGG_KEY_BYTES);
    hash_final(&hash, entry->member);
}

enum cn_err secagg_entries_check(const struct secagg_config *config,
                                 const struct secagg_entry *entries, uint32_t count,
                                 uint32_t threshold)
{
    if (count > SECAGG_DEVICES_MAX)
        return CN_E_TOO_LARGE;
    if (count < config->cohort_min)
        return CN_E_COHORT;
    if (threshold < secagg_threshold_for(config, count) || threshold > count)
        return CN_E_THRESHOLD;
    for (uint32_t i = 1; i < count; i++) {
        if (memcmp(entries[i - 1].device_id, entries[i].device_id, DEVICE_ID_BYTES) >= 0)
            return CN_E_INCONSISTENT;
    }
    return CN_OK;
}

uint32_t secagg_entries_find(const struct secagg_entry *entries, uint32_t count,
                             const uint8_t id[DEVICE_ID_BYTES])
{
    uint32_t low = 0, high = count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (memcmp(entries[middle].device_id, id, DEVICE_ID_BYTES) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && memcmp(entries[low].device_id, id, DEVICE_ID_BYTES) == 0 ? low : count;
}

/* Devices that came by one invitation. */
static uint32_t uses_of(const struct secagg_entry *entries, uint32_t count,
                        const uint8_t invitation_id[INVITATION_ID_BYTES])
{
    uint32_t used = 0;

    for (uint32_t i = 0; i < count; i++)
        used += memcmp(entries[i].invitation_id, invitation_id, INVITATION_ID_BYTES) == 0;
    return used;
}

enum cn_err secagg_entry_check(const struct secagg_entry *entries, uint32_t count, uint32_t index,
                               const struct secagg_member *member)
{
    const struct invitation *invitation = &member->certificate.invitation;
    struct secagg_entry entry;

    secagg_entry_of(&entry, member);
    if (memcmp(&entry, &entries[index], sizeof entry) != 0)
        return CN_E_AUTH;
    /* Nobody needs to count what can not be exceeded. */
    if (invitation->uses < count && uses_of(entries, count, invitation->id) > invitation->uses)
        return CN_E_USED;
    return CN_OK;
}

static int compare_keys(const void *a, const void *b)
{
    return memcmp(a, b, SECAGG_KEY_BYTES);
}

enum cn_err secagg_keys_distinct(uint8_t (*keys)[SECAGG_KEY_BYTES], size_t count)
{
    qsort(keys, count, sizeof *keys, compare_keys);
    for (size_t i = 1; i < count; i++) {
        if (memcmp(keys[i - 1], keys[i], SECAGG_KEY_BYTES) == 0)
            return CN_E_USED;
    }
    return CN_OK;
}

void secagg_session_from(uint8_t session[SECAGG_SESSION_BYTES], const struct secagg_config *config,
                         const struct secagg_entry *entries, uint32_t count, uint32_t threshold)
{
    struct hash hash;

    hash_init(&hash, "cairn-secagg-session-2");
    hash_add(&hash, config->binding, sizeof config->binding);
    hash_add_u64(&hash, config->dim);
    hash_add_u64(&hash, config->bits);
    hash_add_u64(&hash, config->prg);
    hash_add_u64(&hash, threshold);
    hash_add_u64(&hash, count);
    hash_ring(&hash, &config->ring);
    hash_add(&hash, entries, count * sizeof *entries);
    hash_final(&hash, session);
}

void secagg_session_id(uint8_t session[SECAGG_SESSION_BYTES], const struct secagg_config *config,
                       const struct secagg_member *members, uint32_t count, uint32_t threshold)
{
    struct secagg_entry *entries = calloc(count, sizeof *entries);

    CN_ASSERT(entries || count == 0);
    for (uint32_t i = 0; i < count; i++)
        secagg_entry_of(&entries[i], &members[i]);
    secagg_session_from(session, config, entries, count, threshold);
    free(entries);
}

void secagg_channel_make(struct secagg_channel *channel,
                         const uint8_t session[SECAGG_SESSION_BYTES], uint32_t from, uint32_t to)
{
    uint8_t *at = put_bytes(channel->bytes, session, SECAGG_SESSION_BYTES);

    at = put_u32(at, from);
    put_u32(at, to);
}

/* The channel and the keystream that its seed is for. */
struct mask_channel {
    struct secagg_channel pair;
    uint8_t prg;
};
_Static_assert(sizeof(struct mask_channel) == sizeof(struct secagg_channel) + 1, "no padding");

enum cn_err secagg_mask_seed(uint8_t seed[MASK_SEED_BYTES], const struct secagg_seed *what,
                             uint32_t i, uint32_t j, const uint8_t secret[AGREE_SECRET_BYTES],
                             const uint8_t peer[AGREE_PUBLIC_BYTES])
{
    struct mask_channel data = {.prg = what->prg};
    struct agree_binding binding = {"cairn-secagg-mask-2", &data, sizeof data};

    secagg_channel_make(&data.pair, what->session, i < j ? i : j, i < j ? j : i);
    return agree_derive(seed, secret, peer, &binding);
}

enum cn_err secagg_seal_key(uint8_t key[SEAL_KEY_BYTES],
                            const uint8_t session[SECAGG_SESSION_BYTES], uint32_t i, uint32_t j,
                            const uint8_t secret[AGREE_SECRET_BYTES],
                            const uint8_t peer[AGREE_PUBLIC_BYTES])
{
    struct secagg_channel pair;
    struct agree_binding binding = {"cairn-secagg-seal-1", pair.bytes, sizeof pair.bytes};

    secagg_channel_make(&pair, session, i < j ? i : j, i < j ? j : i);
    return agree_derive(key, secret, peer, &binding);
}

void secagg_self_seed(uint8_t seed[MASK_SEED_BYTES], const struct secagg_seed *what, uint32_t i,
                      const uint8_t b[AGREE_SECRET_BYTES])
{
    struct hash hash;

    hash_init(&hash, "cairn-secagg-self-2");
    hash_add(&hash, what->session, SECAGG_SESSION_BYTES);
    hash_add_u64(&hash, i);
    hash_add_u64(&hash, what->prg);
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
