/* SPDX-License-Identifier: Apache-2.0 */
/* Who is whose neighbour in a secure aggregation: how many neighbours suffice, how many of them it
 * takes to open a secret, and the ring that says which.
 *
 * Numbers: Bell et al., CCS 2020, section 3, in the exact form of hypergeometric tails. Those of
 * graph_plan_make and graph_plan_ring come from floating point: for plans and comparisons. Those of
 * graph_plan_checked and the ring itself come from integers only: equal on every machine. Where the
 * seed comes from, and that nobody chose it, is the protocol's business. */
#ifndef CAIRN_CRYPTO_GRAPH_H
#define CAIRN_CRYPTO_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"

#define GRAPH_DEVICES_MIN 2u
#define GRAPH_DEVICES_MAX (1u << 20)
#define GRAPH_DEGREE_MAX 2048u     /* of a ring; more neighbours are no gain over smaller cohorts */
#define GRAPH_SPARSE_MIN 100u      /* cohorts below get the complete graph */
#define GRAPH_SECURITY_BITS 40u    /* usual: a bad graph with probability 2^-40 */
#define GRAPH_CORRECTNESS_BITS 20u /* usual: a round lost to drop-outs with probability 2^-20 */
#define GRAPH_BITS_MAX 128u
#define GRAPH_SEED_BYTES 32

enum graph_adversary {
    GRAPH_CURIOUS,   /* the server follows the protocol and reads everything */
    GRAPH_MALICIOUS, /* the server tells different devices different things */
};

struct graph_demand {
    uint32_t devices;          /* GRAPH_DEVICES_MIN .. GRAPH_DEVICES_MAX */
    uint32_t corrupt_permille; /* devices that help the server, of a thousand, rounded down */
    uint32_t dropout_permille; /* devices that leave during the round, of a thousand */
    uint32_t security_bits;    /* 1 .. GRAPH_BITS_MAX */
    uint32_t correctness_bits; /* 1 .. GRAPH_BITS_MAX */
    enum graph_adversary adversary;
};

struct graph_plan {
    uint32_t degree;         /* neighbours of each device; devices - 1: the complete graph */
    uint32_t threshold;      /* shares that open a secret, at least 2 */
    uint32_t threshold_max;  /* a larger one fails for drop-outs more often than allowed */
    uint32_t window_min;     /* of graph_plan_checked; else 0 */
    uint32_t neighbours_min; /* of graph_plan_checked; else 0 */
};

/* The largest or smallest values that make an unattainable demand attainable when everything else
 * stays. GRAPH_NONE: that number alone can not do it. */
#define GRAPH_NONE UINT32_MAX
struct graph_advice {
    uint32_t corrupt_permille; /* at most */
    uint32_t dropout_permille; /* at most */
    uint32_t devices;          /* at least */
};

/* Plans: the complete graph for cohorts below GRAPH_SPARSE_MIN, and where no ring will do but the
 * complete graph does; else the ring of graph_plan_ring.
 *
 * In the complete graph the threshold is more than half of the devices (curious) or, against a
 * server that lies, more than two thirds and more than half of devices and corrupt ones together.
 *
 * CN_E_CONFIG for a field out of its range; CN_E_THRESHOLD for a demand that no graph can meet,
 * with the numbers that would do in diag. Milliseconds. */
enum cn_err graph_plan_make(struct graph_plan *plan, const struct graph_demand *demand,
                            struct cn_diag *diag);

/* The smallest even degree of a ring, and its threshold, such that
 *   - the honest devices that stay are connected, with probability 1 - 2^-(security_bits + 1);
 *   - in no neighbourhood do the corrupt reach the threshold alone, or (against a server that
 *     lies) the thresholds of both of a device's secrets, with the same probability; counted are
 *     the shares of the k neighbours, a share that the owner keeps must not count;
 *   - everywhere as many neighbours stay as the threshold, with 1 - 2^-correctness_bits.
 * Errors as graph_plan_make, without diag; CN_E_NOMEM. */
enum cn_err graph_plan_ring(struct graph_plan *plan, const struct graph_demand *demand);

/* The smallest even degree below devices - 1 and GRAPH_DEGREE_MAX, from integers only, with
 * fractions rounded against the reader: what rounds use.
 *
 * GRAPH_CURIOUS: as graph_plan_ring; window_min and neighbours_min are 0.
 *
 * GRAPH_MALICIOUS: for rounds in which the server chooses who drops out, whose messages reach whom
 * and what list of survivors each device is shown, after it has seen the ring. Their rules: each
 * device masks with neighbours_min neighbours or more, signs no list of survivors that names a
 * neighbour with whom it did not, signs one list, and helps to open a sum only when it sees, in
 * every window of degree / 2 places among its neighbours and itself, window_min signatures under
 * its own list. With h = degree / 2, `low` the most corrupt neighbours of a device and `liars` the
 * most corrupt in a window, both with probability 1 - 2^-(security_bits + 1):
 *   - window_min is more than half of h + liars: two devices that share a window help with one
 * list;
 *   - threshold = neighbours_min = h + low + 2: a secret opens only when more than h + 1 honest
 *     devices among degree + 1 places help, too close together for two lists;
 *   - everywhere threshold neighbours stay, and in every window window_min devices, with
 *     1 - 2 * 2^-correctness_bits when those who leave are random.
 * docs/secure-aggregation.md section 11 has the argument. CN_E_THRESHOLD at once when the fractions
 * together reach a half. Errors as graph_plan_ring. */
enum cn_err graph_plan_checked(struct graph_plan *plan, const struct graph_demand *demand);

/* What would make the demand attainable by graph_plan_make. Errors as there for bad fields. */
enum cn_err graph_advise(struct graph_advice *advice, const struct graph_demand *demand);

/* A graph over positions 0 .. devices-1. */
struct graph {
    uint32_t devices;
    uint32_t degree;
    uint32_t *place;  /* [devices] on the ring, of each position; NULL: complete */
    uint32_t *tenant; /* [devices] the position at each place */
};

/* Makes the complete graph (degree devices - 1, seed is not used) or the ring in which places are
 * given by a uniform permutation that follows from seed, and those at distance degree / 2 or less
 * are neighbours.
 *
 *   degree  devices - 1, or even, at least 2 and less
 *
 * The permutation: Fisher and Yates's from the last place down; for place i a 32-bit little-endian
 * word of the ChaCha20 keystream (RFC 8439; key seed, nonce 0, counter from 0) modulo i + 1, where
 * words of the last incomplete multiple of i + 1 below 2^32 are skipped. Public, so not constant in
 * time. CN_E_CONFIG, CN_E_NOMEM: graph is then empty. graph_clear frees. */
enum cn_err graph_init(struct graph *graph, uint32_t devices, uint32_t degree,
                       const uint8_t seed[GRAPH_SEED_BYTES]);

/* Frees; an empty graph is allowed. */
void graph_clear(struct graph *graph);

/* True when i and j are neighbours. Symmetric; never with oneself; false beyond the graph. */
bool graph_is_neighbour(const struct graph *graph, uint32_t i, uint32_t j);

/* True when every window of degree / 2 places in a row holds at least window_min positions i with
 * sets[i] & set. True for the complete graph.
 *
 *   sets  [devices] */
bool graph_windows_hold(const struct graph *graph, const uint8_t *sets, uint8_t set,
                        uint32_t window_min);

/* Writes the neighbours of i, rising; out [degree]. i is below devices (asserted). */
void graph_neighbours(const struct graph *graph, uint32_t i, uint32_t *out);

#endif
