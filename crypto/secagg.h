/* SPDX-License-Identifier: Apache-2.0 */
/* Secure aggregation: the types that devices and the server exchange, and the rules both apply.
 *
 * Bonawitz et al., CCS 2017, in the terms of Bell et al., CCS 2020, with checks against a server
 * that lies; docs/secure-aggregation.md gives every byte. The rooms secagg_device and secagg_server
 * hold one state machine each; the bytes of messages are protocol/'s.
 *
 * A device is named by its position in the roster, 0 .. devices-1. Rosters are sorted by device id,
 * so the server does not choose positions. Small cohorts use the complete graph: every two devices
 * are neighbours, who exchange keys and shares. In larger ones each device has a few neighbours on
 * a ring (crypto/graph.h) whose order follows from the session, to which every device contributed.
 */
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

/* The graph of large cohorts; all zero: the complete graph whatever the cohort's size.
 *
 * The order on the ring is a hash of everybody's one-time keys. A server can try keys of its own
 * devices, and rosters, until it likes the order: 2^80 tries are allowed for by
 * SECAGG_RING_SECURITY_BITS = 40 + 80. Where graph_plan_checked finds no ring, the complete graph
 * is used. */
#define SECAGG_RING_DEVICES_MIN 100
#define SECAGG_RING_SECURITY_BITS 120
#define SECAGG_RING_CORRECTNESS_BITS 20
#define SECAGG_RING_PERMILLE_MAX 333 /* less than a third: what secagg_threshold stands on */
struct secagg_ring {
    uint16_t devices_min;      /* smaller rosters get the complete graph; 0: no ring, and the others
                                * are 0, too */
    uint16_t corrupt_permille; /* devices that may help the server, 0 .. SECAGG_RING_PERMILLE_MAX */
    uint16_t dropout_permille; /* devices that may leave, 0 .. SECAGG_RING_PERMILLE_MAX */
    uint8_t security_bits;     /* 1 .. GRAPH_BITS_MAX: of a ring on which the server can win */
    uint8_t correctness_bits;  /* 1 .. GRAPH_BITS_MAX: of a round lost to random drop-outs */
};

/* What a round sums. Both sides build it from the task; the server can not choose it for a device:
 * every signature and every mask is bound to it. */
struct secagg_config {
    uint8_t binding[32];    /* hash over task, round, attempt, model and plan, made by the caller */
    uint32_t dim;           /* coordinates, 1 .. SECAGG_DIM_MAX */
    uint8_t bits;           /* sums are modulo 2^bits, SECAGG_BITS_MIN .. SECAGG_BITS_MAX */
    uint32_t cohort_min;    /* smallest roster and smallest set of survivors, at least 2 */
    uint32_t threshold_min; /* floor of the threshold beside secagg_threshold(); 0: none */
    struct secagg_ring ring; /* the graph of large cohorts; zeros: complete */
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

/* How many neighbours every device of a roster of so many has under config: what a list of sealed
 * shares to send holds. Up to some milliseconds of arithmetic. 0 for a config that is not valid. */
uint32_t secagg_degree(const struct secagg_config *config, uint32_t devices);

/* CN_E_CONFIG when a field is out of its range; threshold_min may be at most
 * SECAGG_DEVICES_MAX. */
enum cn_err secagg_config_check(const struct secagg_config *config);

#endif
