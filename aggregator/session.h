/* SPDX-License-Identifier: Apache-2.0 */
/* One connection of one device: its login, and the models and plans it fetches. What it says about
 * rounds goes on to the runner. */
#ifndef CAIRN_AGGREGATOR_SESSION_H
#define CAIRN_AGGREGATOR_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "aggregator/cohort.h"
#include "aggregator/registry.h"
#include "aggregator/runner.h"
#include "aggregator/store.h"
#include "base/clock.h"
#include "base/log.h"
#include "crypto/certificate_cache.h"
#include "protocol/link.h"
#include "protocol/transfer.h"

#define SESSION_HELLO_MS 10000 /* for the first message */
#define SESSION_ENROL_MS 15000 /* for a device that came to enrol only to leave */
#define SESSION_BUCKETS 4096u

struct session;

/* What all sessions share; the server fills the first part. */
struct session_host {
    struct store *store;
    struct cohort *cohort;
    struct runner *runner;
    struct certificate_cache *known; /* certificates of earlier logins; may be NULL */
    const uint8_t *registrar;        /* [SIGN_PUBLIC_BYTES] */
    const uint8_t *ledger_key;       /* [SIGN_PUBLIC_BYTES] */
    struct cn_clock clock;
    uint32_t downloads_max;
    /* The sessions' own: */
    struct session *first;
    struct session *devices[SESSION_BUCKETS]; /* those logged in, by device id */
    uint32_t count;
    uint32_t downloads;
    bool handing_out;            /* places for downloads, right now */
    uint64_t gone_up, gone_down; /* bytes of links that closed since session_traffic_start */
    struct cn_log_limit log;     /* for what peers can trigger */
};

/* Takes a new connection; fills events and link_ctx for the link. False when memory is short. */
bool session_accept(struct session_host *host, struct link *link, struct link_events *events,
                    void **link_ctx);

/* Sends to a device if it is connected; a full queue ends its connection (it will come back). */
void session_send(struct session_host *host, const uint8_t device[DEVICE_ID_BYTES],
                  const struct message *message);

/* Call every second or so: deadlines, and who was seen goes into the store. */
void session_tick(struct session_host *host);

/* Shuts out whoever was revoked in the store since. */
void session_revoke(struct session_host *host);

/* Says goodbye to everybody. */
void session_close_all(struct session_host *host, enum bye_code code, const char *text);

/* Counts bytes from here on; and gives those of the devices that are in the round. */
void session_traffic_start(struct session_host *host);
void session_traffic(const struct session_host *host, const struct round *round, uint64_t *up,
                     uint64_t *down);

#endif
