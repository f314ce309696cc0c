/* SPDX-License-Identifier: Apache-2.0 */
/* Tight accounting by the distribution of the privacy loss, between two proven bounds.
 *
 * A mechanism's worst pair of outputs P, Q has the loss L = ln P/Q; the loss of a sequence is a sum
 * of independent ones, and delta(epsilon) = E_P[(1 - exp(epsilon - L))_+]. Losses are put on a
 * common grid so that nothing gets cheaper (upper) or dearer (lower), and added up by FFT under an
 * exponential tilt, which keeps every digit of a small delta. docs/privacy.md proves the bounds.
 * Sources: Doroshenko, Ghazi, Kamath, Kumar, Manurangsi, "Connect the Dots", 2022; Koskela,
 * Jaelkoe, Honkela 2020; Zhu, Dong, Wang 2022 (dominating pairs); Lebeda et al. 2024 (both
 * directions are composed before the larger is taken). */
#ifndef CAIRN_PRIVACY_PLD_H
#define CAIRN_PRIVACY_PLD_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PLD_EVENTS_MAX 4096
#define PLD_NOISE_MIN 1e-2
#define PLD_NOISE_MAX 1e6
#define PLD_DELTA_MIN 1e-100
#define PLD_STEPS_MAX ((uint64_t)1 << 40)
#define PLD_SIGMA_INTEGER_MAX 4096.0 /* of the discrete Gaussian */

enum pld_mechanism {
    PLD_GAUSSIAN,         /* Poisson-subsampled; exact composition when the rate is 1 */
    PLD_LAPLACE,          /* rate 1 only */
    PLD_DISCRETE_GAUSSIAN /* one whole number with integer sensitivity, Poisson-subsampled */
};

/* Neighbours. Noise is stated for a record added or removed, sensitivity 1; replacing one moves the
 * query by up to 2, from opposite sides. */
enum pld_adjacency { PLD_ADD_REMOVE, PLD_REPLACE_ONE };

struct pld_event {
    enum pld_mechanism mechanism;
    double noise;         /* sigma / sensitivity; Laplace: scale / sensitivity; discrete Gaussian:
                             sigma in whole units */
    double sampling_rate; /* each record is in a step with this probability, independently */
    uint64_t steps;
    uint32_t sensitivity; /* discrete Gaussian only: whole units, 1 .. 2^16 */
};

struct pld_bracket {
    double upper; /* what is promised: never below the truth */
    double lower; /* never above it */
};

/* Gives epsilon at delta of all events together.
 *
 * 0 < delta < 1, PLD_DELTA_MIN at least; or delta 0, for Laplace alone (else infinite). upper
 * exceeds the truth by about 3e-5 (relative where epsilon is above 1, 1.2e-3 at most) unless
 * that would need more than 2^21 points. CN_E_CONFIG for parameters out of range, CN_E_NOMEM; the
 * bracket is then infinite. lower is
 * within some per cent. Typically 5 to 100 ms. */
enum cn_err pld_epsilon(struct pld_bracket *epsilon, const struct pld_event *events, size_t count,
                        enum pld_adjacency adjacency, double delta);

/* Gives delta at epsilon >= 0. */
enum cn_err pld_delta(struct pld_bracket *delta, const struct pld_event *events, size_t count,
                      enum pld_adjacency adjacency, double epsilon);

/* Gives the smallest noise (rounded up by at most 1e-6 relative) with which event's steps cost at
 * most epsilon at delta; event->noise is not read. For PLD_GAUSSIAN and PLD_LAPLACE. CN_E_BUDGET
 * when no noise does. *noise is 0 on failure. About ten times pld_epsilon. */
enum cn_err pld_calibrate(double *noise, const struct pld_event *event,
                          enum pld_adjacency adjacency, double epsilon, double delta);

#endif
