/* SPDX-License-Identifier: Apache-2.0 */
/* Factors of the prefix sum for noise that is correlated over rounds: A = B C, A the lower
 * triangular matrix of ones, C banded and Toeplitz, noise C^-1 z.
 *
 * The best factor for a band is searched, not looked up: the mean squared error of the prefix sums,
 * ||B||_F^2 times the squared sensitivity, is minimised over the coefficients by descent with exact
 * gradients. band 1 is independent noise; a band of all rounds approaches the square root of A,
 * which is where the search starts. Coefficients are whole multiples of 2^-FACTORISE_BITS, so that
 * the noise can be made in integers (correlated.h). Sources: Choquette-Choo et al. 2023 (arXiv
 * 2306.08153); McKenna 2024 (arXiv 2405.15913) for the Toeplitz form. */
#ifndef CAIRN_PRIVACY_FACTORISE_H
#define CAIRN_PRIVACY_FACTORISE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define FACTORISE_BAND_MAX 64
#define FACTORISE_ROUNDS_MAX 100000
#define FACTORISE_BITS 20
#define FACTORISE_ONE ((int64_t)1 << FACTORISE_BITS)

struct factorise {
    size_t band;                   /* coefficients; c[0] = FACTORISE_ONE */
    int64_t c[FACTORISE_BAND_MAX]; /* in units of 2^-FACTORISE_BITS */
    double square;                 /* of a column: the sum of squares, c[0] counting 1 */
    double error; /* root mean square error of a prefix sum, in units of z clip norms */
};

/* Finds the factor for so many rounds. The same on every machine is not promised: whoever shares
 * one writes the coefficients down. CN_E_CONFIG for numbers out of range; CN_E_NOMEM. Under a
 * second for 2,000 rounds and band 16. */
enum cn_err factorise_banded(struct factorise *factor, size_t rounds, size_t band);

/* The error of given coefficients; independent noise has sqrt((rounds + 1) / 2). */
enum cn_err factorise_error(double *error, const struct factorise *factor, size_t rounds);

#endif
