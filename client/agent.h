/* SPDX-License-Identifier: Apache-2.0 */
/* The agent: keeps a connection to the aggregator, proves who the device is, and hands the messages
 * of a round to its work. Owns the libuv loop; one thread, with training on libuv's pool. */
#ifndef CAIRN_CLIENT_AGENT_H
#define CAIRN_CLIENT_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "client/home.h"

struct agent_options {
    struct home *home;   /* borrowed */
    bool enrol;          /* count against the invitation, and return as soon as that is done */
    uint64_t give_up_ms; /* without a connection for so long: return; 0: never */
};

/* Runs until SIGINT or SIGTERM (CN_OK), until enrolment is done (CN_OK), until the aggregator
 * refuses this device for good (CN_E_AUTH, CN_E_EXPIRED, CN_E_USED, CN_E_REVOKED, CN_E_VERSION,
 * CN_E_NOT_FOUND for a device it does not know), or until give_up_ms (CN_E_CLOSED). diag says why
 * and what to do. Reconnects in between, with pauses from 0.5 to 60 s, half of each random. */
enum cn_err agent_run(const struct agent_options *options, struct cn_diag *diag);

#endif
