/* SPDX-License-Identifier: Apache-2.0 */
/* Randomness as an argument. This file gives the interface and a seeded generator for simulations,
 * splits and shuffles; randomness for secrets and noise is crypto/random's. */
#ifndef CAIRN_BASE_RANDOM_H
#define CAIRN_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct cn_random {
    void (*fill)(void *ctx, void *out, size_t len); /* can not fail; aborts if it must */
    void *ctx;
};

struct cn_seeded {
    uint64_t state[4];
};

/* A generator whose bytes follow from seed alone, the same on every machine; seeded is borrowed.
 * xoshiro256** (Blackman, Vigna 2018) filled by splitmix64. NOT for secrets, NOT for noise. */
struct cn_random cn_random_seeded(struct cn_seeded *seeded, uint64_t seed);

void cn_random_fill(const struct cn_random *random, void *out, size_t len);

uint64_t cn_random_u64(const struct cn_random *random);

/* Uniform in 0 .. bound-1, without bias; bound > 0. */
uint64_t cn_random_below(const struct cn_random *random, uint64_t bound);

/* Uniform in [0, 1) with 53 bits. For simulations and training, not for noise. */
double cn_random_unit(const struct cn_random *random);

/* Standard normal (Box-Muller). For initial weights and simulations, not for noise. */
double cn_random_normal(const struct cn_random *random);

/* Permutes order[0..n-1] uniformly (Fisher-Yates). */
void cn_random_shuffle(const struct cn_random *random, uint32_t *order, size_t n);

#endif
