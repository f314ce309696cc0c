/* SPDX-License-Identifier: Apache-2.0 */
/* The two files in a client's folder that its owner may edit: client.yaml (where to connect, where
 * the data lies) and limits.yaml (what no aggregator can talk this device into). */
#ifndef CAIRN_CLIENT_CONFIG_H
#define CAIRN_CLIENT_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "crypto/certificate.h"
#include "crypto/join.h"
#include "data/source.h"

#define CLIENT_CONFIG_FILE "client.yaml"
#define CLIENT_LIMITS_FILE "limits.yaml"
#define CLIENT_PERIOD_DAYS_MAX 3650

struct client_config {
    char host[JOIN_HOST_MAX + 1];
    uint16_t port;
    uint8_t pin[JOIN_PIN_BYTES];
    uint8_t registrar[SIGN_PUBLIC_BYTES];
    char name[CERTIFICATE_NAME_MAX + 1];
    struct data_source
        data; /* format "": the owner has not said yet; paths count from the folder */
};

struct client_limits {
    bool privacy_required; /* refuse tasks that add no noise */
    double epsilon_life;   /* over all tasks, for ever; > 0 */
    double epsilon_period; /* in any period_days days; 0: no such limit */
    uint32_t period_days;
    double epsilon_task;    /* on any one task; 0: no such limit */
    double epsilon_round;   /* one round alone; 0: no such limit */
    double delta;           /* at which epsilon is computed, and the largest a task may ask for */
    uint32_t cohort_min;    /* never in a sum of fewer devices, at least 2 */
    double corrupt_min;     /* a sparse graph has to hold when this share of the devices lies */
    bool allow_unmasked;    /* take part in tasks whose aggregator sees this device's update */
    uint32_t train_minutes; /* of computing for one round; 0: as long as the task gives */
};

/* What a device starts with: privacy required, epsilon 8 for life and 3 a round at delta 1e-5,
 * cohorts of three or more. */
struct client_limits client_limits_default(void);

/* Reads DIR/client.yaml or DIR/limits.yaml. CN_E_CONFIG with the place, CN_E_NOT_FOUND. */
enum cn_err client_config_load(struct client_config *config, const char *dir, struct cn_diag *diag);
enum cn_err client_limits_load(struct client_limits *limits, const char *dir, struct cn_diag *diag);

/* Writes the file with comments for the owner, whole or not at all. */
enum cn_err client_config_save(const struct client_config *config, const char *dir,
                               struct cn_diag *diag);
enum cn_err client_limits_save(const struct client_limits *limits, const char *dir,
                               struct cn_diag *diag);

#endif
