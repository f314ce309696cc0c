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
 * a ring (crypto/graph.h) whose order follows from the session, to which every device contributed;
 * it then sees one short entry of every device and the certificates of its neighbours alone.
 */
#ifndef CAIRN_CRYPTO_SECAGG_H
#define CAIRN_CRYPTO_SECAGG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "crypto/certificate.h"
#include "crypto/graph.h"

#define SECAGG_DEVICES_MIN 2u     /* the sum of one device is that device */
#define SECAGG_DEVICES_MAX 16384u /* members of one roster */
#define SECAGG_COMPLETE_MAX 1024u /* members of one whose graph is complete */
#define SECAGG_DEGREE_MAX 2046u   /* neighbours of one device */
#define SECAGG_DIM_MAX (1u << 28) /* coordinates of one vector */
#define SECAGG_BITS_MIN 8
#define SECAGG_BITS_MAX 32
#define SECAGG_KEY_BYTES 32                               /* public keys: ristretto255 points */
#define SECAGG_SHARE_BYTES 32                             /* one share: a ristretto255 scalar */
#define SECAGG_SEALED_BYTES (2 * SECAGG_SHARE_BYTES + 40) /* nonce 24, two shares, tag 16 */
#define SECAGG_SESSION_BYTES 32
#define SECAGG_SIGNATURE_BYTES 64

_Static_assert(SECAGG_DEGREE_MAX >= SECAGG_COMPLETE_MAX - 1 && SECAGG_DEGREE_MAX < GRAPH_DEGREE_MAX,
               "every graph fits");

/* Where masks come from; the whole round uses one. The caller negotiates, the choice is bound into
 * the signed keys, the session and every mask's seed. */
enum secagg_prg {
    SECAGG_PRG_CHACHA20 = 0,  /* the portable choice */
    SECAGG_PRG_AES256CTR = 1, /* only where both ends have instructions for AES */
    SECAGG_PRG_COUNT
};

/* True when this machine computes prg fast and in constant time. */
bool secagg_prg_is_safe(enum secagg_prg prg);

/* What this machine would rather use: AES where it has instructions for it. */
enum secagg_prg secagg_prg_best(void);

/* What the server is expected to do, for the choice of a ring. Zero is the careful choice. */
enum secagg_adversary {
    SECAGG_MALICIOUS = 0, /* tells different devices different things, decides who drops out */
    SECAGG_CURIOUS = 1,   /* follows the protocol and reads everything: fewer neighbours */
};

/* The graph of large cohorts; all zero: the complete graph whatever the cohort's size.
 *
 * The order on the ring is a hash of everybody's one-time keys. A server can try keys of its own
 * devices, and rosters, until it likes the order, while the devices wait for the roster: 2^60 tries
 * are allowed for by SECAGG_RING_SECURITY_BITS = 40 + 60 (a try shuffles a whole roster; so many in
 * one hour would take some 10^9 cores). Where no ring does, the complete graph is used for up to
 * SECAGG_COMPLETE_MAX devices; larger rosters are refused. */
#define SECAGG_RING_DEVICES_MIN 100
#define SECAGG_RING_SECURITY_BITS 100
#define SECAGG_RING_CORRECTNESS_BITS 20
#define SECAGG_RING_PERMILLE_MAX 333 /* less than a third: what secagg_threshold stands on */
struct secagg_ring {
    uint16_t devices_min;      /* smaller rosters get the complete graph; 0: no ring, and the others
                                * are 0, too */
    uint16_t corrupt_permille; /* devices that may help the server, 0 .. SECAGG_RING_PERMILLE_MAX */
    uint16_t dropout_permille; /* devices that may leave, 0 .. SECAGG_RING_PERMILLE_MAX */
    uint8_t security_bits;     /* 1 .. GRAPH_BITS_MAX: of a ring on which the server can win */
    uint8_t correctness_bits;  /* 1 .. GRAPH_BITS_MAX: of a round lost to random drop-outs */
    uint8_t adversary;         /* enum secagg_adversary */
};

/* What a round sums. Both sides build it from the task; the server can not choose it for a device:
 * every signature and every mask is bound to it (but to the floors, which are each party's own). */
struct secagg_config {
    uint8_t binding[32];    /* hash over task, round, attempt, model and plan, made by the caller */
    uint32_t dim;           /* coordinates, 1 .. SECAGG_DIM_MAX */
    uint8_t bits;           /* sums are modulo 2^bits, SECAGG_BITS_MIN .. SECAGG_BITS_MAX */
    uint8_t prg;            /* enum secagg_prg */
    uint32_t cohort_min;    /* floor: smallest roster and smallest set of survivors, at least 2 */
    uint32_t threshold_min; /* floor of the threshold beside secagg_threshold(); 0: none */
    uint32_t degree_min;    /* floor: a device with fewer neighbours on a ring leaves; 0: none */
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

/* What a device sees of every member of a ring's roster. */
struct secagg_entry {
    uint8_t device_id[DEVICE_ID_BYTES];
    uint8_t invitation_id[INVITATION_ID_BYTES];
    uint8_t member[32]; /* hash over the device's public key and its three one-time keys */
};

/* A roster as one device of a ring gets it. */
struct secagg_roster {
    const struct secagg_entry *entries; /* [count] by position */
    uint32_t count;
    uint32_t threshold;
    const struct secagg_member *neighbours; /* [neighbours_count] of this device, by position */
    uint32_t neighbours_count;
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
    SECAGG_EDGE = 3, /* not a share: the seed of the mask between the sender and such a device */
};

struct secagg_share {
    uint32_t of;  /* whose secret */
    uint8_t kind; /* enum secagg_kind: SELF, or PAIR with EDGE behind it, never both */
    uint8_t value[SECAGG_SHARE_BYTES];
};

/* The threshold against a server that lies: floor(2 n / 3) + 1. While fewer than a third of the
 * devices help the server, it can not gather that many vouches for each of two lists. */
uint32_t secagg_threshold(uint32_t devices);

/* The threshold that a roster of so many devices gets under config: the larger of the rule above
 * and config->threshold_min. May exceed devices; then no round is possible. */
uint32_t secagg_threshold_for(const struct secagg_config *config, uint32_t devices);

/* The graph that a roster of so many devices gets. */
struct secagg_plan {
    uint32_t degree;         /* neighbours of each; devices - 1: the complete graph */
    uint32_t threshold;      /* shares that open a secret */
    uint32_t window_min;     /* on a ring: devices that must vouch in any degree / 2 places */
    uint32_t neighbours_min; /* on a ring: neighbours with whom a device must mask */
};

/* Plans the graph. The complete one below ring.devices_min, without a ring, and where no ring will
 * do but there are at most SECAGG_COMPLETE_MAX devices.
 *
 *   diag  may be NULL; on CN_E_THRESHOLD it names numbers that would do
 *
 * CN_E_CONFIG for a config that is not valid or a count beyond SECAGG_DEVICES_MIN ..
 * SECAGG_DEVICES_MAX; CN_E_THRESHOLD for more than SECAGG_COMPLETE_MAX devices without a ring;
 * CN_E_NOMEM. Milliseconds of integer arithmetic, equal on every machine. */
enum cn_err secagg_plan_make(struct secagg_plan *plan, const struct secagg_config *config,
                             uint32_t devices, struct cn_diag *diag);

/* The degree of secagg_plan_make, which is what a list of sealed shares to send holds; 0 where that
 * fails. */
uint32_t secagg_degree(const struct secagg_config *config, uint32_t devices);

/* CN_E_CONFIG when a field is out of its range; threshold_min and cohort_min may be at most
 * SECAGG_DEVICES_MAX. */
enum cn_err secagg_config_check(const struct secagg_config *config);

/* Fills the entry of a member. */
void secagg_entry_of(struct secagg_entry *entry, const struct secagg_member *member);

#endif
