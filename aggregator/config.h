/* SPDX-License-Identifier: Apache-2.0 */
/* aggregator.yaml: where to listen, what join links say, who may invite, how much is allowed. And
 * the names of everything else in an aggregator's folder. */
#ifndef CAIRN_AGGREGATOR_CONFIG_H
#define CAIRN_AGGREGATOR_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "base/file.h"
#include "crypto/join.h"
#include "crypto/sign.h"

#define CONFIG_NAME_MAX 48
#define CONFIG_PORT_DEFAULT 7443

struct config {
    char name[CONFIG_NAME_MAX + 1]; /* of the aggregator, in its ledger */
    char listen_host[JOIN_HOST_MAX + 1];
    uint16_t listen_port;                /* 0: any free one */
    char public_host[JOIN_HOST_MAX + 1]; /* what devices connect to: in join links */
    uint16_t public_port;                /* 0: as listen_port */
    uint8_t registrar[SIGN_PUBLIC_BYTES];
    char registrar_key[CN_PATH_MAX]; /* where `invite` finds the key; may lie elsewhere */
    uint32_t connections_max;
    uint32_t address_connections; /* of one address at a time; 0: any number */
    uint32_t address_per_s;       /* new ones of one address in a second; 0: any number */
    uint64_t uploads_max;         /* bytes of unfinished uploads held at a time */
    uint32_t downloads_max;       /* models being sent at a time; others wait their turn */
    uint32_t grace_s;             /* how long a phase waits for devices that are away */
    uint32_t models_kept;         /* published models of each task that stay in blobs/ */
};

/* What init starts from: any address, port 7443, ten thousand connections. */
void config_init(struct config *config);

/* Reads DIR/aggregator.yaml. CN_E_CONFIG with the place, CN_E_NOT_FOUND with the next step. */
enum cn_err config_load(struct config *config, const char *folder, struct cn_diag *diag);

/* Writes the file with comments for the operator, whole or not at all. */
enum cn_err config_save(const struct config *config, const char *folder, struct cn_diag *diag);

/* The other things in the folder. */
#define CONFIG_FILE "aggregator.yaml"
#define CONFIG_REGISTRAR_KEY "registrar.key"
#define CONFIG_LEDGER_KEY "aggregator.key"
#define CONFIG_TLS_CERTIFICATE "tls.crt"
#define CONFIG_TLS_KEY "tls.key"
#define CONFIG_LEDGER "ledger.jsonl"
#define CONFIG_STORE "store.sqlite"
#define CONFIG_LOCK "lock"
#define CONFIG_BLOBS_LOCK "blobs.lock"

#endif
