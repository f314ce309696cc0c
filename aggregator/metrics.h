/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers that a round leaves behind for people: as a struct, and as JSON in the store. */
#ifndef CAIRN_AGGREGATOR_METRICS_H
#define CAIRN_AGGREGATOR_METRICS_H

#include "base/err.h"

struct json_t;

/* Seconds and bytes are 0 where unknown, losses and accuracies NaN. */
struct metrics {
    double gather_s, train_s, shares_s, upload_s, unmask_s, evaluate_s;
    double bytes_up, bytes_down; /* mean over the cohort, TLS included; up: from the device */
    double train_loss;           /* the devices' own means; unknown with differential privacy */
    double train_accuracy;
    double loss; /* on the operator's test data */
    double accuracy;
    double epsilon; /* of one device after this round, if it took part in all; NaN without DP */
};

/* Everything unknown. */
void metrics_init(struct metrics *metrics);

/* Writes one JSON object; unknown numbers are null. Returns ownership, to free(); NULL when memory
 * is short. */
char *metrics_encode(const struct metrics *metrics);

/* Reads it; keys that are missing stay unknown. CN_E_DATA when text is no JSON object. */
enum cn_err metrics_decode(struct metrics *metrics, const char *text);

/* A new JSON object of the numbers, or NULL. */
struct json_t *metrics_json(const struct metrics *metrics);

#endif
