/* SPDX-License-Identifier: Apache-2.0 */
/* Fast noise from tables: the discrete Gaussian up to sigma 4096, and Skellam.
 *
 * Every sample takes the same instructions and the same 16 random bytes; no branch depends on it.
 * Which table entry is read does, so a process that shares the cache could learn about it;
 * noise.h's sampler is exact but its time depends on the value.
 *
 * What is drawn is within a total variation distance of 2^-96 of the distribution named, tails of
 * less than 2^-100 being cut (noise_table.c proves it): m samples add at most m 2^-96 (1 + e^eps)
 * to delta. Source of the method: Walker 1977; Vose 1991. */
#ifndef CAIRN_PRIVACY_NOISE_TABLE_H
#define CAIRN_PRIVACY_NOISE_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/random.h"

#define NOISE_TABLE_SIGMA2_MAX 16384
#define NOISE_TABLE_WIDE_MAX (1 << 24) /* for a whole sigma^2: from two tables */
#define NOISE_TABLE_POISSON_MAX 16384
#define NOISE_TABLE_DEN_MAX ((uint64_t)1 << 32)
#define NOISE_TABLE_COLUMNS 4096 /* of 32 bytes */

struct noise_table;

/* Makes a table for the discrete Gaussian with sigma^2 = num / den in 1 .. NOISE_TABLE_SIGMA2_MAX,
 * den up to NOISE_TABLE_DEN_MAX; up to NOISE_TABLE_WIDE_MAX with den 1, at twice the distance named
 * above and half the speed. The caller owns it; it holds nothing secret and may be shared between
 * threads. CN_E_CONFIG, CN_E_NOMEM. About a millisecond. */
enum cn_err noise_table_gaussian(struct noise_table **table, uint64_t num, uint64_t den);

/* Makes a table for Skellam noise with the whole variance, an even number up to twice
 * NOISE_TABLE_POISSON_MAX: the difference of two Poisson numbers of mean variance / 2. Sums of
 * Skellam noise are Skellam noise, so more variance is had by adding. */
enum cn_err noise_table_skellam(struct noise_table **table, uint32_t variance);

void noise_table_free(struct noise_table *table);

/* Draws n independent samples. No allocation. */
void noise_table_draw(const struct noise_table *table, int32_t *out, size_t n,
                      const struct cn_random *random);

/* Gives the probability with which the value is drawn (of the Poisson number, for Skellam), as a
 * fraction of 2^128 rounded to double: what the tests compare. */
double noise_table_probability(const struct noise_table *table, int32_t value);

#endif
