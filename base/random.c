/* SPDX-License-Identifier: Apache-2.0 */
/* The seeded generator and the distributions that training and simulations draw from. */
#include "base/random.h"

#include <math.h>
#include <string.h>

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t rotate_left(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

static uint64_t seeded_next(struct cn_seeded *seeded)
{
    uint64_t *s = seeded->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

/* Bytes are taken little-endian, whatever the machine, so that a seed means the same everywhere. */
static void seeded_fill(void *ctx, void *out, size_t len)
{
    uint8_t *bytes = out;

    while (len) {
        uint64_t word = seeded_next(ctx);
        size_t take = len < 8 ? len : 8;

        for (size_t i = 0; i < take; i++)
            bytes[i] = (uint8_t)(word >> (8 * i));
        bytes += take;
        len -= take;
    }
}

struct cn_random cn_random_seeded(struct cn_seeded *seeded, uint64_t seed)
{
    for (size_t i = 0; i < 4; i++)
        seeded->state[i] = splitmix64(&seed);
    return (struct cn_random){seeded_fill, seeded};
}

void cn_random_fill(const struct cn_random *random, void *out, size_t len)
{
    random->fill(random->ctx, out, len);
}

uint64_t cn_random_u64(const struct cn_random *random)
{
    uint8_t bytes[8];
    uint64_t word = 0;

    random->fill(random->ctx, bytes, sizeof bytes);
    for (int i = 7; i >= 0; i--)
        word = word << 8 | bytes[i];
    return word;
}

uint64_t cn_random_below(const struct cn_random *random, uint64_t bound)
{
    /* 2^64 mod bound values at the bottom are rejected; the rest divides evenly. */
    uint64_t reject_below = (0 - bound) % bound;
    uint64_t word;

    do
        word = cn_random_u64(random);
    while (word < reject_below);
    return word % bound;
}

double cn_random_unit(const struct cn_random *random)
{
    return (double)(cn_random_u64(random) >> 11) * 0x1p-53;
}

double cn_random_normal(const struct cn_random *random)
{
    double u = 1.0 - cn_random_unit(random); /* in (0, 1]: the logarithm is finite */
    double v = cn_random_unit(random);

    return sqrt(-2.0 * log(u)) * cos(2.0 * 3.14159265358979323846 * v);
}

void cn_random_shuffle(const struct cn_random *random, uint32_t *order, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)cn_random_below(random, i);
        uint32_t swap = order[i - 1];

        order[i - 1] = order[j];
        order[j] = swap;
    }
}
