/* SPDX-License-Identifier: Apache-2.0 */
/* Events whose delta has a closed form need no grid: unsampled Gaussians together, one step of
 * Laplace, one step of an unsampled discrete Gaussian. Internal to pld. */
#ifndef CAIRN_PRIVACY_PLD_EXACT_H
#define CAIRN_PRIVACY_PLD_EXACT_H

#include <stdbool.h>

#include "privacy/pld.h"

/* Whether the event, all its steps, is one of those. */
bool pld_exact_knows(const struct pld_event *event, enum pld_adjacency adjacency);

/* Gives what pld_epsilon would, upper and lower some 1e-12 (relative) apart. event is one that
 * pld_exact_knows, within pld_epsilon's ranges. CN_E_CONFIG. */
enum cn_err pld_exact_epsilon(struct pld_bracket *epsilon, const struct pld_event *event,
                              enum pld_adjacency adjacency, double delta);

/* The same for pld_delta. */
enum cn_err pld_exact_delta(struct pld_bracket *delta, const struct pld_event *event,
                            enum pld_adjacency adjacency, double epsilon);

#endif
