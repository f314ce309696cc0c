/* SPDX-License-Identifier: Apache-2.0 */
/* Secure aggregation: the types that devices and the server exchange, and the rules both apply.
 *
 * Bonawitz et al., CCS 2017, in the terms of Bell et al., CCS 2020, with checks against a server
 * that lies; docs/secure-aggregation.md gives every byte. The rooms secagg_device and secagg_server
 * hold one state machine each; the bytes of messages are protocol/'s.
 *
 * A device is named by its position in the roster, 0 .. devices-1. Rosters are sorted by device id,
 * so the server does not choose positions. Which devices exchange keys and shares is asked of
 * secagg_is_neighbour() only. */
#ifndef CAIRN_CRYPTO_SECAGG_H
#define CAIRN_CRYPTO_SECAGG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "crypto/certificate.h"

#define SECAGG_DEVICES_MIN 2u     /* the sum of one device is that device */
#define SECAGG_DEVICES_MAX 1024u  /* members of one roster */
#define SECAGG_DIM_MAX (1u << 28) /* coordinates of one vector */
#define SECAGG_BITS_MIN 8
#define SECAGG_BITS_MAX 32
#define SECAGG_KEY_BYTES 32                               /* public keys: ristretto255 points */
#define SECAGG_SHARE_BYTES 32                             /* one share: a ristretto255 scalar */
#define SECAGG_SEALED_BYTES (2 * SECAGG_SHARE_BYTES + 40) /* nonce 24, two shares, tag 16 */
#define SECAGG_SESSION_BYTES 32
#define SECAGG_SIGNATURE_BYTES 64

/* What a round sums. Both sides build it from the task; the server can not choose it for a device:
 * every signature and every mask is bound to it. */
struct secagg_config {
    uint8_t binding[32];    /* hash over task, round, attempt, model and plan, made by the caller */
    uint32_t dim;           /* coordinates, 1 .. SECAGG_DIM_MAX */
    uint8_t bits;           /* sums are modulo 2^bits, SECAGG_BITS_MIN .. SECAGG_BITS_MAX */
    uint32_t cohort_min;    /* smallest roster and smallest set of survivors, at least 2 */
    uint32_t threshold_min; /* floor of the threshold beside secagg_threshold(); 0: none */
};

/* A device's one-time keys, signed with its identity key. */
struct secagg_keys {
    uint8_t mask_public[SECAGG_KEY_BYTES]; /* pairwise masks */
    uint8_t seal_public[SECAGG_KEY_BYTES]; /* sealing of shares */
    uint8_t
        self_public[SECAGG_KEY_BYTES]; /* b * G for the self mask's secret b: names wrong shares */
    uint8_t signature[SECAGG_SIGNATURE_BYTES];
};

struct secagg_member {
    struct certificate certificate;
    struct secagg_keys keys;
};

/* Two shares, of from's self secret and of from's mask secret, readable by to alone. */
struct secagg_sealed {
    uint32_t from;
    uint32_t to;
    uint8_t bytes[SECAGG_SEALED_BYTES];
};

/* A device's signature under the list of survivors. */
struct secagg_vouch {
    uint32_t index; /* who signs */
    uint8_t signature[SECAGG_SIGNATURE_BYTES];
};

enum secagg_kind {
    SECAGG_SELF = 1, /* share of a survivor's self secret */
    SECAGG_PAIR = 2, /* share of the mask secret of a device that dropped after sharing */
};

struct secagg_share {
    uint32_t of;  /* whose secret */
    uint8_t kind; /* enum secagg_kind; exactly one of the two is ever revealed of a device */
    uint8_t value[SECAGG_SHARE_BYTES];
};

/* The threshold against a server that lies: floor(2 n / 3) + 1. While fewer than a third of the
 * devices help the server, it can not gather that many vouches for each of two lists. */
uint32_t secagg_threshold(uint32_t devices);

/* The threshold that a roster of so many devices gets under config: the larger of the rule above
 * and config->threshold_min. May exceed devices; then no round is possible. */
uint32_t secagg_threshold_for(const struct secagg_config *config, uint32_t devices);

/* True when devices i and j (positions) of a roster of so many exchange keys and shares. Symmetric;
 * never with oneself; false beyond the roster. At present the complete graph. */
bool secagg_is_neighbour(uint32_t devices, uint32_t i, uint32_t j);

/* How many neighbours device i has. */
uint32_t secagg_degree(uint32_t devices, uint32_t i);

/* CN_E_CONFIG when a field is out of its range; threshold_min may be at most
 * SECAGG_DEVICES_MAX. */
enum cn_err secagg_config_check(const struct secagg_config *config);

#endif
