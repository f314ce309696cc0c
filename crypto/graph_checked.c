/* SPDX-License-Identifier: Apache-2.0 */
/* Degrees and thresholds from integers only; see graph_plan_checked. Probabilities are 64 leading
 * bits and an exponent, rounded down in every operation: their relative error stays below 2^-50,
 * and is the same everywhere. */
#include <stdlib.h>

#include "base/err.h"
#include "crypto/graph_internal.h"

/* bits * 2^exponent; bits has its top bit set, or is 0. */
struct scaled {
    uint64_t bits;
    int32_t exponent;
};

static const struct scaled one = {UINT64_C(1) << 63, -63};

static struct scaled scaled_of(unsigned __int128 value, int32_t exponent)
{
    uint64_t high = (uint64_t)(value >> 64), low = (uint64_t)value;

    if (value == 0)
        return (struct scaled){0, 0};
    int zeros = high ? __builtin_clzll(high) : 64 + __builtin_clzll(low);
    return (struct scaled){(uint64_t)(value << zeros >> 64), exponent + 64 - zeros};
}

/* value * times / by; times and by below 2^63, by > 0. */
static struct scaled scaled_ratio(struct scaled value, uint64_t times, uint64_t by)
{
    CN_ASSERT(by > 0);
    unsigned __int128 product = (unsigned __int128)value.bits * times;

    if (product == 0)
        return (struct scaled){0, 0};
    uint64_t high = (uint64_t)(product >> 64);
    int zeros = high ? __builtin_clzll(high) : 64 + __builtin_clzll((uint64_t)product);
    return scaled_of((product << zeros) / by, value.exponent - zeros);
}

static struct scaled scaled_add(struct scaled a, struct scaled b)
{
    if (a.bits == 0 || (b.bits != 0 && b.exponent > a.exponent))
        return b.bits == 0 ? a : scaled_add(b, a);
    int32_t apart = a.exponent - b.exponent;
    uint64_t smaller = b.bits == 0 || apart > 63 ? 0 : b.bits >> apart;

    return scaled_of((unsigned __int128)a.bits + smaller, a.exponent);
}

static bool scaled_above(struct scaled a, struct scaled b)
{
    if (a.bits == 0 || b.bits == 0)
        return a.bits > b.bits;
    return a.exponent != b.exponent ? a.exponent > b.exponent : a.bits > b.bits;
}

/* How many of k devices, chosen without regard to it, are among `marked` of n: the weight of every
 * count, up to a common factor. */
struct tally {
    uint32_t cases; /* how many such choices there are that must all go well */
    uint32_t devices;
    struct scaled weight[GRAPH_DEGREE_MAX + 1]; /* [k + 1] */
    struct scaled total;
};

static void tally_fill(struct tally *tally, uint32_t marked, uint32_t k)
{
    uint32_t others = tally->devices - marked, least = k > others ? k - others : 0;
    struct scaled weight = one;

    tally->total = (struct scaled){0, 0};
    for (uint32_t x = 0; x <= k; x++) {
        bool possible = x >= least && x <= marked;

        if (possible && x > least) /* C(marked, x) C(others, k - x), from the count before */
            weight = scaled_ratio(weight, (uint64_t)(marked - x + 1) * (k - x + 1),
                                  (uint64_t)x * ((uint64_t)others - k + x));
        tally->weight[x] = possible ? weight : (struct scaled){0, 0};
        tally->total = scaled_add(tally->total, tally->weight[x]);
    }
}

/* Whether a tail's probability is above 2^-bits / cases. */
static bool is_likely(const struct tally *tally, struct scaled tail, uint32_t bits)
{
    struct scaled all = scaled_ratio(tail, tally->cases, 1);

    all.exponent += (int32_t)bits;
    return scaled_above(all, tally->total);
}

/* The least x such that more than x of k are marked with probability 2^-bits / cases at most. */
static uint32_t most(struct tally *tally, uint32_t marked, uint32_t k, uint32_t bits)
{
    struct scaled tail = {0, 0};
    uint32_t x = k;

    tally_fill(tally, marked, k);
    for (; x > 0; x--) {
        tail = scaled_add(tail, tally->weight[x]);
        if (is_likely(tally, tail, bits))
            break;
    }
    return x;
}

/* The largest x such that fewer than x of k are marked with probability 2^-bits / cases at most.
 */
static uint32_t least(struct tally *tally, uint32_t marked, uint32_t k, uint32_t bits)
{
    struct scaled tail = {0, 0};
    uint32_t x = 0;

    tally_fill(tally, marked, k);
    for (; x < k; x++) {
        tail = scaled_add(tail, tally->weight[x]);
        if (is_likely(tally, tail, bits))
            break;
    }
    return x;
}

/* So many of a thousand, rounded up. */
static uint32_t at_most(uint32_t devices, uint32_t permille)
{
    return devices - graph_part_of(devices, GRAPH_PERMILLE_MAX - permille);
}

/* What a degree is tried with: how many of all devices are corrupt, how many stay. */
struct trial {
    const struct graph_demand *demand;
    uint32_t corrupt;
    uint32_t staying;
    struct tally around; /* the neighbours of a device: some of all others */
    struct tally window; /* places in a row: some of all */
};

/* Whether the honest devices that stay are connected but with probability 2^-(security_bits + 1):
 * the union bound over every device that may be cut off, and twice as many. */
static bool is_connected(const struct trial *trial, uint32_t k)
{
    uint64_t n = trial->demand->devices, gone = n - trial->staying + trial->corrupt;
    struct scaled chance = one;

    if (k > gone)
        return true;
    for (uint32_t i = 0; i < k; i++)
        chance = scaled_ratio(chance, gone - i, n - i);
    chance = scaled_ratio(chance, n * (n - k - 1), 2);
    chance.exponent += (int32_t)trial->demand->security_bits + 1;
    return scaled_above(one, chance);
}

static bool try_curious(struct graph_plan *plan, struct trial *trial, uint32_t k)
{
    const struct graph_demand *demand = trial->demand;

    if (!is_connected(trial, k))
        return false;
    uint32_t low = most(&trial->around, trial->corrupt, k, demand->security_bits + 1);
    uint32_t high = least(&trial->around, trial->staying - 1, k, demand->correctness_bits);
    uint32_t threshold = low + 1 < 2 ? 2 : low + 1;
    *plan = (struct graph_plan){.degree = k, .threshold = threshold, .threshold_max = high};
    return threshold <= high;
}

static bool try_malicious(struct graph_plan *plan, struct trial *trial, uint32_t k)
{
    const struct graph_demand *demand = trial->demand;
    uint32_t half = k / 2;
    uint32_t high = least(&trial->around, trial->staying - 1, k, demand->correctness_bits);

    if (high < half + 2)
        return false;
    uint32_t low = most(&trial->around, trial->corrupt, k, demand->security_bits + 1);
    uint32_t threshold = half + low + 2;
    if (threshold > high)
        return false;
    uint32_t liars = most(&trial->window, trial->corrupt, half, demand->security_bits + 1);
    uint32_t window_min = (half + liars) / 2 + 1;
    if (window_min > least(&trial->window, trial->staying, half, demand->correctness_bits))
        return false;
    *plan = (struct graph_plan){k, threshold, high, window_min, threshold};
    return true;
}

/* Whether so many devices can not do, whatever the degree: their averages already fail. */
static bool is_hopeless(const struct graph_demand *demand)
{
    uint32_t lost = demand->corrupt_permille + demand->dropout_permille;

    return lost >=
           (demand->adversary == GRAPH_CURIOUS ? GRAPH_PERMILLE_MAX : GRAPH_PERMILLE_MAX / 2);
}

enum cn_err graph_plan_checked(struct graph_plan *plan, const struct graph_demand *demand)
{
    enum cn_err err = CN_E_THRESHOLD;
    uint32_t n = demand->devices;

    CN_TRY(graph_demand_check(demand));
    if (is_hopeless(demand))
        return CN_E_THRESHOLD;
    struct trial *trial = malloc(sizeof *trial);
    if (!trial)
        return CN_E_NOMEM;
    trial->demand = demand;
    trial->corrupt = at_most(n, demand->corrupt_permille);
    trial->staying = n - at_most(n, demand->dropout_permille);
    trial->around.cases = trial->window.cases = n;
    trial->around.devices = n - 1;
    trial->window.devices = n;
    for (uint32_t k = 2; k + 1 < n && k < GRAPH_DEGREE_MAX && trial->staying > 0; k += 2) {
        bool fits = demand->adversary == GRAPH_CURIOUS ? try_curious(plan, trial, k)
                                                       : try_malicious(plan, trial, k);
        if (fits) {
            err = CN_OK;
            break;
        }
    }
    free(trial);
    return err;
}
