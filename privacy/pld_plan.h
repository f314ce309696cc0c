/* SPDX-License-Identifier: Apache-2.0 */
/* Where to look: the tilt, the window and the grid for one question. Internal to pld. Nothing here
 * is trusted: pld.c bounds what falls outside the window from the losses it really composed. */
#ifndef CAIRN_PRIVACY_PLD_PLAN_H
#define CAIRN_PRIVACY_PLD_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "privacy/pld_pair.h"

#define PLD_POINTS_MAX ((size_t)1 << 21)

struct pld_plan {
    double s;           /* the tilt: losses are weighted by exp(s L) */
    double bottom, top; /* the window, around the answer */
    double up, down;    /* Chernoff's exponents for what lies above and below it */
    double h;           /* the grid's step */
    size_t n;           /* points of the window: (top - bottom) / h or more */
    double log_delta;   /* estimate of ln delta */
};

/* Plans for delta = value (find epsilon) or epsilon = value (find delta). CN_E_NOMEM. */
enum cn_err pld_plan_make(struct pld_plan *plan, const struct pld_pair *pairs, size_t count,
                          bool for_epsilon, double value);

#endif
