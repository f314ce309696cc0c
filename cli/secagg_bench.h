/* SPDX-License-Identifier: Apache-2.0 */
/* One whole round of secure aggregation in this process, with real keys, real messages' sizes and
 * the state machines that are deployed, and what it cost each side.
 *
 * Times are CPU time of this process inside the calls of crypto/secagg_device,
 * crypto/secagg_server and crypto/pack; transport, disks and training have no part in it. */
#ifndef CAIRN_CLI_SECAGG_BENCH_H
#define CAIRN_CLI_SECAGG_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "base/progress.h"
#include "crypto/secagg.h"

struct secagg_bench_options {
    uint32_t clients; /* 2 .. SECAGG_DEVICES_MAX */
    uint32_t dim;
    uint8_t bits;              /* 8 .. 32 */
    uint32_t drop_permille;    /* leave after they shared their keys, the costliest moment */
    uint32_t corrupt_permille; /* for the plan; nobody misbehaves here */
    bool ring; /* the sparse graph of struct secagg_ring, for cohorts that are large enough */
    enum graph_adversary adversary;
    enum secagg_prg prg;
    uint32_t threads; /* for the opening; 0: one */
};

struct secagg_bench_result {
    uint32_t degree;    /* as it ran */
    uint32_t threshold; /* of survivors */
    uint32_t opening;   /* shares that open a secret */
    uint32_t dropped;
    double client_cpu_ms_mean; /* of the clients that stayed, all phases together */
    double client_cpu_ms_max;
    double client_meeting_ms; /* mean; once per certificate of a neighbour, not in the above */
    double server_cpu_ms;     /* without the certificates, which are verified at login */
    double open_wall_ms;      /* the opening of the sum, by the clock on the wall */
    double server_peak_mb;    /* heap in use after any of the server's calls, above what was in use
                               * before the round; 2^20 bytes; 0 where nobody can tell */
    double bytes_up_per_client; /* messages with their frames' heads, mean over those that stayed */
    double bytes_down_per_client;
    double prg_gb_per_s;       /* ChaCha20 keystream, 10^9 bytes; measured in the same run */
    double aes256ctr_gb_per_s; /* the same for AES-256-CTR */
    double
        floor_client_ms; /* bytes of mask that one client, or the server, has to expand / speed */
    double floor_server_ms;
    bool sum_ok; /* the opened sum is the plain sum of the vectors of those who stayed */
};

/* Runs one round.
 *
 *   progress  started with a total of 6 * clients steps; may be NULL
 *
 * CN_E_CONFIG for options out of range; CN_E_THRESHOLD when so many leave that no round can open,
 * or no graph meets the demand (diag says which numbers would do); CN_E_NOMEM, CN_E_RANDOM. Memory:
 * about 400 bytes per pair of neighbours, and 8 * dim bytes. */
enum cn_err secagg_bench_run(struct secagg_bench_result *result,
                             const struct secagg_bench_options *options,
                             struct cn_progress *progress, struct cn_diag *diag);

#endif
