/* SPDX-License-Identifier: Apache-2.0 */
/* The server's state, shared by its state machine and the opening of the sum. */
#ifndef CAIRN_CRYPTO_SECAGG_SERVER_INTERNAL_H
#define CAIRN_CRYPTO_SECAGG_SERVER_INTERNAL_H

#include "crypto/secagg_internal.h"
#include "crypto/secagg_server.h"

enum stage {
    STAGE_ENDED, /* without a sum */
    STAGE_KEYS,
    STAGE_SHARES,
    STAGE_MASKED,
    STAGE_VOUCHES,
    STAGE_REVEALS,
    STAGE_OPENED,
};

enum { IN_U2 = 1, IN_U3 = 2, IN_U4 = 4, REVEALED = 8, LIED = 16 };

struct reveal {
    struct secagg_share *shares; /* of rising */
    uint32_t count;
};

struct secagg_server {
    enum stage stage;
    struct secagg_config config;
    uint8_t registrar[SIGN_PUBLIC_BYTES];

    struct secagg_member *members;   /* [count] of room, sorted by id from the start */
    uint8_t (*ids)[DEVICE_ID_BYTES]; /* [count] of room */
    uint32_t count;
    uint32_t room;
    uint32_t threshold; /* 0 until the roster is closed */
    uint8_t session[SECAGG_SESSION_BYTES];
    struct secagg_shape shape;

    /* All [count], from the closing of the roster. */
    uint8_t *sets;                 /* which sets a device is in */
    struct secagg_sealed **sealed; /* by sender, one per neighbour; until close_masked */
    uint32_t shared_count;         /* |U2| */

    uint32_t *sum;       /* [dim] modulo 2^bits */
    uint32_t *survivors; /* U3, rising */
    uint32_t survivors_count;
    uint8_t vouch_message[HASH_BYTES];
    struct secagg_vouch *vouches; /* by index, rising */
    uint32_t vouches_count;
    struct reveal *revealed; /* by holder */
    uint32_t *holders;       /* how many revealed a share of this device */
    uint32_t openable_count; /* devices of U2 with enough holders */
    uint32_t *liars;         /* rising */
    uint32_t liars_count;
};

/* Wipes and frees the shares that a device revealed. */
void secagg_server_drop_reveal(struct secagg_server *server, uint32_t index);

#endif
