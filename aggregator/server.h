/* SPDX-License-Identifier: Apache-2.0 */
/* The service: listens, knows which connection is which device, brings messages and time to the
 * runner and carries its wishes out. One thread owns everything; jobs run on libuv's pool. */
#ifndef CAIRN_AGGREGATOR_SERVER_H
#define CAIRN_AGGREGATOR_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "aggregator/config.h"
#include "base/diag.h"
#include "base/err.h"

struct server_options {
    const char *folder;
    struct config config;
    bool until_done; /* stop when no task is left to do */
    /* Called once, when the port is known and connections are accepted; may be NULL. */
    void (*listening)(void *ctx, const char *host, uint16_t port);
    void *ctx;
};

/* Serves until SIGINT, SIGTERM or, with until_done, until all tasks are done; a second signal ends
 * the process at once with exit code 3. CN_OK after a clean stop. CN_E_BUSY when another process
 * serves the folder or the port is in use; CN_E_TAMPERED, CN_E_DATA when ledger and store can not
 * be reconciled; everything with diag. */
enum cn_err server_run(const struct server_options *options, struct cn_diag *diag);

#endif
