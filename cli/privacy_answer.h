/* SPDX-License-Identifier: Apache-2.0 */
/* What a list of events costs in either direction, asked and shown. */
#ifndef CAIRN_CLI_PRIVACY_ANSWER_H
#define CAIRN_CLI_PRIVACY_ANSWER_H

#include <jansson.h>

#include "cli/privacy_events.h"

struct privacy_question {
    bool delta; /* asks for delta at epsilon `at`; else for epsilon at delta `at` */
    double at;
    enum pld_adjacency adjacency;
};

struct privacy_price {
    double best; /* the smallest proven bound: what may be promised */
    double rdp, rdp_order;
    double pld, pld_lower; /* with has_pld only */
    bool has_pld;
    double unsampled; /* best against whoever sees which records were drawn */
};

/* "add-remove", "replace-one": the choices of --adjacency in the order of the enum. */
#define PRIVACY_ADJACENCIES "add-remove replace-one"

/* Prices the events. CN_E_CONFIG with diag set for what can not be accounted; CN_E_NOMEM. */
enum cn_err privacy_ask(struct privacy_price *price, const struct privacy_question *question,
                        const struct report_event *events, size_t count, struct cn_diag *diag);

/* Adds the price's members to object: "epsilon", "epsilon_rdp", .. or "delta", "delta_rdp", ..
 * Not 0 when out of memory. */
int privacy_price_json(json_t *object, const struct privacy_price *price,
                       const struct privacy_question *question);

/* Prints the headline, "epsilon = 5.707", and the bounds below it. */
void privacy_price_print(const struct cn_args *args, const struct privacy_price *price,
                         const struct privacy_question *question);

const char *privacy_adjacency_name(enum pld_adjacency adjacency);

#endif
