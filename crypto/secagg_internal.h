/* SPDX-License-Identifier: Apache-2.0 */
/* What the two state machines of secure aggregation share: checks, hashes and key derivations.
 * docs/secure-aggregation.md gives the same byte by byte. */
#ifndef CAIRN_CRYPTO_SECAGG_INTERNAL_H
#define CAIRN_CRYPTO_SECAGG_INTERNAL_H

#include "crypto/agree.h"
#include "crypto/graph.h"
#include "crypto/hash.h"
#include "crypto/mask.h"
#include "crypto/seal.h"
#include "crypto/secagg.h"
#include "crypto/shamir.h"
#include "crypto/sign.h"

/* Two shares as they are sealed. */
struct secagg_pair_of_shares {
    uint8_t of_self[SECAGG_SHARE_BYTES];
    uint8_t of_mask[SECAGG_SHARE_BYTES];
};

/* The two ends of a channel in a session, as associated data. */
struct secagg_channel {
    uint8_t bytes[SECAGG_SESSION_BYTES + 4 + 4];
};

/* Signs keys, whose three public keys are set. */
void secagg_keys_sign(struct secagg_keys *keys, const struct secagg_config *config,
                      const struct sign_key *identity);

#define SECAGG_KEYS_OF_MEMBER 3

/* CN_E_AUTH unless the signature under config verifies. */
enum cn_err secagg_keys_check_signature(const struct secagg_member *member,
                                        const struct secagg_config *config);

/* The same and the three points. */
enum cn_err secagg_keys_check(const struct secagg_member *member,
                              const struct secagg_config *config);

/* The same and the certificate. */
enum cn_err secagg_member_check(const struct secagg_member *member,
                                const struct secagg_config *config, const uint8_t registrar[32]);

/* What a device checks of a roster as a whole: size, threshold, order; errors as
 * secagg_device_roster. */
enum cn_err secagg_entries_check(const struct secagg_config *config,
                                 const struct secagg_entry *entries, uint32_t count,
                                 uint32_t threshold);

/* The position of a device, count when it is not there. Entries are sorted. */
uint32_t secagg_entries_find(const struct secagg_entry *entries, uint32_t count,
                             const uint8_t id[DEVICE_ID_BYTES]);

/* CN_E_AUTH unless the entry at index is the member's; CN_E_USED when its invitation brought more
 * devices than it may. */
enum cn_err secagg_entry_check(const struct secagg_entry *entries, uint32_t count, uint32_t index,
                               const struct secagg_member *member);

/* Sorts keys; CN_E_USED when one occurs twice. */
enum cn_err secagg_keys_distinct(uint8_t (*keys)[SECAGG_KEY_BYTES], size_t count);

void secagg_session_from(uint8_t session[SECAGG_SESSION_BYTES], const struct secagg_config *config,
                         const struct secagg_entry *entries, uint32_t count, uint32_t threshold);

/* The same from the members themselves, for tests and tools: asserts that there is memory. */
void secagg_session_id(uint8_t session[SECAGG_SESSION_BYTES], const struct secagg_config *config,
                       const struct secagg_member *members, uint32_t count, uint32_t threshold);

/* The graph of a session. */
struct secagg_shape {
    struct graph graph;
    uint32_t threshold;      /* shares that open a secret; the roster's threshold when complete */
    uint32_t window_min;     /* as in struct secagg_plan */
    uint32_t neighbours_min; /* the same */
};

/* Makes the graph that config gives a roster of so many; equal on both sides. Errors as
 * secagg_plan_make: shape is then empty. secagg_shape_clear frees; a zeroed shape is allowed. */
enum cn_err secagg_shape_init(struct secagg_shape *shape, const struct secagg_config *config,
                              const uint8_t session[SECAGG_SESSION_BYTES], uint32_t devices,
                              uint32_t threshold);
void secagg_shape_clear(struct secagg_shape *shape);

/* True when `holder` has a share of `of`: neighbours do, and everybody of itself. */
static inline bool secagg_holds(const struct secagg_shape *shape, uint32_t holder, uint32_t of)
{
    return holder == of || graph_is_neighbour(&shape->graph, holder, of);
}

/* True for the ring of a server that follows the protocol: nobody looks at vouches. */
static inline bool secagg_shape_is_trusting(const struct secagg_shape *shape)
{
    return shape->graph.place && shape->window_min == 0;
}

/* What the seeds of a round's masks are bound to. */
struct secagg_seed {
    const uint8_t *session; /* [SECAGG_SESSION_BYTES] */
    uint8_t prg;
};

/* Derives the seed of the mask between positions i and j, from either side. */
enum cn_err secagg_mask_seed(uint8_t seed[MASK_SEED_BYTES], const struct secagg_seed *what,
                             uint32_t i, uint32_t j, const uint8_t secret[AGREE_SECRET_BYTES],
                             const uint8_t peer[AGREE_PUBLIC_BYTES]);

/* Derives the key under which i and j seal shares for each other. */
enum cn_err secagg_seal_key(uint8_t key[SEAL_KEY_BYTES],
                            const uint8_t session[SECAGG_SESSION_BYTES], uint32_t i, uint32_t j,
                            const uint8_t secret[AGREE_SECRET_BYTES],
                            const uint8_t peer[AGREE_PUBLIC_BYTES]);

/* Derives the seed of position i's own mask from its secret b. */
void secagg_self_seed(uint8_t seed[MASK_SEED_BYTES], const struct secagg_seed *what, uint32_t i,
                      const uint8_t b[AGREE_SECRET_BYTES]);

/* The associated data of a sealed message. */
void secagg_channel_make(struct secagg_channel *channel,
                         const uint8_t session[SECAGG_SESSION_BYTES], uint32_t from, uint32_t to);
#define SECAGG_SHARE_LABEL "cairn-secagg-share-1"

/* What a vouch signs, under SECAGG_VOUCH_LABEL. */
void secagg_vouch_message(uint8_t message[HASH_BYTES], const uint8_t session[SECAGG_SESSION_BYTES],
                          const uint32_t *survivors, uint32_t count);
#define SECAGG_VOUCH_LABEL "cairn-secagg-vouch-1"

#endif
