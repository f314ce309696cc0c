/* SPDX-License-Identifier: Apache-2.0 */
/* Sensitivities of noise that is correlated over time (DP-FTRL): tree aggregation and banded
 * factorisations, where nothing is sampled.
 *
 * A record takes part at most so many times, with at least `separation` steps between two of them
 * (x and y take part: y - x - 1 >= separation). The squared sensitivity S then costs what one
 * Gaussian of noise multiplier z / sqrt(S) costs: gaussian_epsilon, exactly; rho = S / (2 z^2).
 * Sources: Kairouz et al. 2021 (arXiv 2103.00039), appendix D; Choquette-Choo et al. 2023 (arXiv
 * 2306.08153), algorithm 3. Neighbours: one record's contributions replaced by zero. */
#ifndef CAIRN_PRIVACY_TREE_H
#define CAIRN_PRIVACY_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define TREE_STEPS_MAX ((uint64_t)1 << 40)
#define TREE_PARTICIPATIONS_MAX 65536
#define BANDED_STEPS_MAX ((size_t)1 << 22)

/* A tree restarted after every `steps`, `trees` times, one participation in each:
 * trees * (floor(log2 steps) + 1). CN_E_CONFIG for zeros. */
enum cn_err tree_restart_square(uint64_t *square, uint64_t steps, uint64_t trees);

/* One tree over all steps: the worst case over all patterns, exactly where that takes less than
 * some seconds; else an upper bound (each level's nodes as full as the separation allows). */
enum cn_err tree_square(uint64_t *square, uint64_t steps, uint32_t participations,
                        uint64_t separation);

/* A factor C whose columns reach over at most band steps, band <= separation + 1, so that the
 * columns that one record touches are orthogonal: the largest sum of its squared column norms.
 *
 *   norms  [n]  squared norm of each column, >= 0
 *
 * CN_E_CONFIG if n is beyond BANDED_STEPS_MAX or the band too wide; CN_E_NOMEM. */
enum cn_err tree_banded_square(double *square, const double *norms, size_t n, size_t band,
                               uint32_t participations, uint64_t separation);

#endif
