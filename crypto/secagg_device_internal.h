/* SPDX-License-Identifier: Apache-2.0 */
/* A device's state, shared by its state machine and its entry into a roster. */
#ifndef CAIRN_CRYPTO_SECAGG_DEVICE_INTERNAL_H
#define CAIRN_CRYPTO_SECAGG_DEVICE_INTERNAL_H

#include "crypto/secagg_device.h"
#include "crypto/secagg_internal.h"

enum phase {
    PHASE_KEYS,
    PHASE_ROSTER,
    PHASE_SHARES,
    PHASE_MASK,
    PHASE_SURVIVORS,
    PHASE_REVEAL,
    PHASE_ENDED,
    PHASE_COUNT
};

/* What a device and one neighbour have in common. */
struct device_shared {
    uint8_t seal_key[SEAL_KEY_BYTES];    /* from the sharing until the neighbour's shares came */
    uint8_t edge[MASK_SEED_BYTES];       /* of the mask between the two, from the sharing on */
    struct secagg_pair_of_shares shares; /* the neighbour's, from the inbox on */
};

/* All that must not leak, in one sodium_malloc block; it grows when the roster is known. */
struct device_secrets {
    uint8_t mask[AGREE_SECRET_BYTES]; /* of the pairwise masks */
    uint8_t seal[AGREE_SECRET_BYTES]; /* opens what neighbours seal */
    uint8_t self[AGREE_SECRET_BYTES]; /* b, of the self mask */
    struct secagg_pair_of_shares own; /* this device's shares of its own secrets */
    struct secagg_pair_of_shares opened;
    struct device_shared shared[]; /* [shared_count] by neighbour */
};

enum { IN_U2 = 1, IN_U3 = 2, VOUCHED = 4, ACCUSED = 8 };

struct device_neighbour {
    uint32_t index; /* in the roster */
    uint8_t sets;
    uint8_t device[SIGN_PUBLIC_BYTES];
    uint8_t mask_public[SECAGG_KEY_BYTES];
    uint8_t seal_public[SECAGG_KEY_BYTES];
};

struct secagg_device {
    enum phase phase;
    struct secagg_config config;
    const struct sign_key *identity;
    struct certificate_cache *known; /* or NULL */
    struct cn_random random;
    struct certificate own;
    uint8_t registrar[SIGN_PUBLIC_BYTES];
    struct secagg_keys keys;
    struct device_secrets *secrets;
    uint32_t shared_count; /* plan.degree from the roster on; 0 before */

    /* From the roster on. */
    uint32_t count; /* of the roster; 0 before */
    uint32_t index;
    uint8_t session[SECAGG_SESSION_BYTES];
    uint32_t threshold;                  /* of survivors, and in the complete graph of vouches */
    struct secagg_plan plan;             /* in the complete graph its threshold is the roster's */
    uint8_t sets;                        /* of this device itself */
    struct device_neighbour *neighbours; /* [plan.degree] index rising */
    uint32_t *around;                    /* [plan.degree + 1] on a ring: the neighbours by place,
                                          * this device (as plan.degree) in the middle; else NULL */

    uint32_t accused; /* neighbours whose shares did not open */
    bool has_complained;
    uint32_t survivors_count;
    uint8_t vouch_message[HASH_BYTES];
};

/* The place of a neighbour in the list, plan.degree when there is none with this index. */
uint32_t secagg_device_slot(const struct secagg_device *device, uint32_t index);

/* Whose members are where: all of the roster, or the neighbours alone. */
struct roster_view {
    const struct secagg_entry *entries; /* [count] */
    uint32_t count;
    uint32_t threshold;
    const struct secagg_member *members;
    bool is_whole;
};

/* Checks the roster and keeps what the device needs of it; errors as secagg_device_roster. */
enum cn_err secagg_device_enter(struct secagg_device *device, const struct roster_view *view);

/* Shares both secrets among the neighbours; out [plan.degree]. */
enum cn_err secagg_device_share_out(struct secagg_device *device, struct secagg_sealed *out);

/* The associated data of a message between from and to. */
struct device_sealing {
    struct secagg_channel channel;
    struct seal_binding binding;
};
void secagg_device_sealing(struct device_sealing *sealing, const struct secagg_device *device,
                           uint32_t from, uint32_t to);

#endif
