/* SPDX-License-Identifier: Apache-2.0 */
/* The options of `cairn privacy` as events to account for: one mechanism, or what a ledger holds.
 */
#ifndef CAIRN_CLI_PRIVACY_EVENTS_H
#define CAIRN_CLI_PRIVACY_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/options.h"
#include "privacy/ledger.h"
#include "privacy/report.h"

/* "discrete_gaussian", as ledgers write it, is the same as "discrete-gaussian". */
#define PRIVACY_MECHANISMS                                                                         \
    "gaussian discrete-gaussian discrete_gaussian laplace tree banded skellam "                    \
    "distributed-discrete-gaussian"
#define PRIVACY_UNITS_MAX 16

/* Gives the one event that --mechanism and its options describe. CN_E_CONFIG with diag set for an
 * option that is missing, or that the mechanism does not use, or out of its range. */
enum cn_err privacy_event_read(struct report_event *event, const struct cn_args *args,
                               struct cn_diag *diag);

/* The same without the option that says how much noise there is, which must not be given: sets it
 * to 1 with privacy_event_set_noise. */
enum cn_err privacy_event_read_open(struct report_event *event, const struct cn_args *args,
                                    struct cn_diag *diag);

/* Sets what the mechanism's noise option would: noise multiplier, scale, variance or sigma. */
void privacy_event_set_noise(struct report_event *event, double noise);

/* "noise-multiplier", "scale", ..: that option. */
const char *privacy_event_noise_name(const struct cn_args *args);

/* All spendings of one unit ("example", "user"), alike ones added up. */
struct privacy_unit {
    char unit[LEDGER_UNIT_MAX];  /* "" where the ledger names none */
    struct report_event *events; /* [count], owned */
    size_t count, room;
    uint64_t spendings;
    bool central; /* some noise was added by the aggregator, which saw the sum before */
    bool sampled; /* some were drawn with a probability below 1 */
};

struct privacy_ledger {
    struct privacy_unit units[PRIVACY_UNITS_MAX];
    uint32_t count;
    struct ledger_summary summary;
};

/* Reads and verifies the ledger. On failure nothing is left to clear. CN_E_TAMPERED and the like as
 * ledger_read; CN_E_TOO_LARGE past PRIVACY_UNITS_MAX units or PLD_EVENTS_MAX different spendings.
 */
enum cn_err privacy_ledger_read(struct privacy_ledger *ledger, const char *path,
                                struct cn_diag *diag);

void privacy_ledger_clear(struct privacy_ledger *ledger);

/* Whether the devices draw the records of this unit themselves and in secret, so that the discount
 * for sampling holds against the aggregator too. */
bool privacy_unit_secret(const char *unit);

/* Against whom the discount for sampling holds and against whom not; one sentence. */
const char *privacy_unit_words(const struct privacy_unit *unit);

#endif
