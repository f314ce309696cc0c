/* SPDX-License-Identifier: Apache-2.0 */
/* What one training run with canaries proves about epsilon from below.
 *
 * Each of m canaries was put in with probability 1/2; someone guessed r of them and was right v
 * times. Source: Steinke, Nasr, Jagielski, "Privacy Auditing with One (1) Training Run", 2023. */
#ifndef CAIRN_PRIVACY_AUDIT_H
#define CAIRN_PRIVACY_AUDIT_H

#include <stdint.h>

#include "base/err.h"

#define AUDIT_CANARIES_MAX 1000000

struct audit_result {
    uint32_t canaries, guesses, correct;
};

/* The probability, at most, that an (epsilon, delta)-private training lets so many guesses be
 * right. CN_E_CONFIG unless 1 <= correct <= guesses <= canaries (correct may be 0). */
enum cn_err audit_p_value(double *p, const struct audit_result *result, double epsilon,
                          double delta);

/* The largest epsilon that is refuted at the significance (0.05: wrongly so in one audit of
 * twenty); 0 if none is. */
enum cn_err audit_epsilon(double *epsilon, const struct audit_result *result, double delta,
                          double significance);

#endif
