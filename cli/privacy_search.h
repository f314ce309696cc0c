/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest noise that keeps a budget, for every mechanism of `cairn privacy`. */
#ifndef CAIRN_CLI_PRIVACY_SEARCH_H
#define CAIRN_CLI_PRIVACY_SEARCH_H

#include "cli/privacy_answer.h"

struct privacy_noise {
    double noise;    /* what to take: rounded up to twelve digits, and priced as it is printed */
    double pld, rdp; /* the least by either accountant alone; infinite: none, or not searched */
};

/* Looks for the least noise with which event costs at most epsilon `target` at question->at; what
 * noise event has is not read. noise is what is priced within the target, while half a millionth
 * less is not, but for the wobble of the grid that PLD computes on. CN_E_BUDGET with diag set when
 * no noise within the mechanism's limits does; CN_E_CONFIG; CN_E_NOMEM. Some 10 to 40 prices. */
enum cn_err privacy_search(struct privacy_noise *found, const struct report_event *event,
                           const struct privacy_question *question, double target,
                           struct cn_diag *diag);

#endif
