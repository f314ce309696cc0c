/* SPDX-License-Identifier: Apache-2.0 */
/* The server's state, shared by its state machine and the opening of the sum. */
#ifndef CAIRN_CRYPTO_SECAGG_SERVER_INTERNAL_H
#define CAIRN_CRYPTO_SECAGG_SERVER_INTERNAL_H

#include "crypto/secagg_internal.h"
#include "crypto/secagg_server.h"
#include "crypto/seen.h"

enum stage {
    STAGE_ENDED, /* without a sum */
    STAGE_KEYS,
    STAGE_SHARES,
    STAGE_MASKED,
    STAGE_VOUCHES,
    STAGE_REVEALS,
    STAGE_OPENED,
};

enum {
    IN_U2 = 1,
    IN_U3 = 2,
    IN_U4 = 4,
    REVEALED = 8,
    LIED = 16,
    OUT = 32,        /* put out of the sum by a complaint */
    COMPLAINED = 64, /* had its say */
    OPENABLE = 128,  /* enough was revealed of this device */
};

struct reveal {
    struct secagg_share *shares; /* of rising, then kind */
    uint32_t count;
};

/* How much of a device's secret was revealed, and how much there can be. */
struct progress {
    uint32_t holders; /* gave a share of the secret that is wanted */
    uint32_t edges;   /* gave the seed of their mask with it */
    uint32_t maskers; /* survivors that masked with it, when it dropped */
};

struct secagg_server {
    enum stage stage;
    struct secagg_config config;
    uint8_t registrar[SIGN_PUBLIC_BYTES];
    uint32_t threads;

    struct secagg_member *members; /* [count] of room, sorted by id when the roster is closed */
    struct secagg_entry *entries;  /* the same */
    uint32_t count;
    uint32_t room;
    struct seen seen;   /* keys, devices and invitations, until the roster is closed */
    uint32_t threshold; /* 0 until the roster is closed */
    uint8_t session[SECAGG_SESSION_BYTES];
    struct secagg_shape shape;

    /* All [count], from the closing of the roster. */
    uint8_t *sets;                 /* which sets a device is in */
    struct secagg_sealed **sealed; /* by sender, one per neighbour; until close_masked */
    uint32_t shared_count;         /* |U2| */

    struct secagg_complaint *complaints; /* [complaints_count] of complaints_room */
    uint32_t complaints_count;
    uint32_t complaints_room;
    uint32_t *suspicion; /* complaints by and of this device */

    uint32_t *sum;       /* [dim] modulo 2^bits */
    uint32_t *survivors; /* U3, rising */
    uint32_t survivors_count;
    uint8_t vouch_message[HASH_BYTES];
    struct secagg_vouch *vouches; /* by position; from close_vouches on U4 alone, index rising */
    uint32_t vouches_count;
    struct reveal *revealed;   /* by holder */
    struct progress *progress; /* by owner */
    uint32_t openable_count;   /* devices of U2 that are OPENABLE */
    uint32_t *liars;           /* rising */
    uint32_t liars_count;
};

static inline bool secagg_server_is_in(const struct secagg_server *server, uint32_t index,
                                       uint8_t set)
{
    return index < server->count && (server->sets[index] & set);
}

/* Ends the round when a set is too small for it: CN_E_COHORT, CN_E_THRESHOLD. */
enum cn_err secagg_server_check_size(struct secagg_server *server, uint32_t size,
                                     uint32_t threshold);

/* True when `by` complained of `of`: it then has no share of its secrets and no mask with it. */
bool secagg_server_complained(const struct secagg_server *server, uint32_t by, uint32_t of);

/* The devices that hold shares of one: its neighbours and itself, rising; out [degree + 1]. */
void secagg_server_holders(const struct secagg_server *server, uint32_t of, uint32_t *out);

/* Wipes and frees the shares that a device revealed. */
void secagg_server_drop_reveal(struct secagg_server *server, uint32_t index);

#endif
