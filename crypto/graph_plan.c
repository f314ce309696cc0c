/* SPDX-License-Identifier: Apache-2.0 */
/* Degrees and thresholds by hypergeometric tails; see graph.h. Among the k neighbours of a device,
 * chosen uniformly of the others by the permutation, the corrupt and the staying ones are counted
 * by hypergeometric distributions; the union over all devices costs a factor of devices. */
#include "crypto/graph_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define GRAPH_ADVICE_DEVICES_MAX 65536u /* larger cohorts are no advice */

/* The demand in whole devices, and ln(i!) for i up to devices. */
struct cohort {
    const struct graph_demand *demand;
    uint32_t devices;
    uint32_t corrupt;
    uint32_t staying;
    double *log_factorial;
};

enum cn_err graph_demand_check(const struct graph_demand *demand)
{
    if (demand->devices < GRAPH_DEVICES_MIN || demand->devices > GRAPH_DEVICES_MAX)
        return CN_E_CONFIG;
    if (demand->corrupt_permille > GRAPH_PERMILLE_MAX ||
        demand->dropout_permille > GRAPH_PERMILLE_MAX)
        return CN_E_CONFIG;
    if (demand->security_bits < 1 || demand->security_bits > GRAPH_BITS_MAX)
        return CN_E_CONFIG;
    if (demand->correctness_bits < 1 || demand->correctness_bits > GRAPH_BITS_MAX)
        return CN_E_CONFIG;
    return demand->adversary == GRAPH_CURIOUS || demand->adversary == GRAPH_MALICIOUS ? CN_OK
                                                                                      : CN_E_CONFIG;
}

static struct cohort cohort_of(const struct graph_demand *demand)
{
    uint32_t n = demand->devices;

    return (struct cohort){.demand = demand,
                           .devices = n,
                           .corrupt = graph_part_of(n, demand->corrupt_permille),
                           .staying = n - graph_part_of(n, demand->dropout_permille)};
}

static double log_choose(const struct cohort *cohort, uint32_t n, uint32_t k)
{
    return cohort->log_factorial[n] - cohort->log_factorial[k] - cohort->log_factorial[n - k];
}

/* The probability that exactly x of k devices are among `marked` ones. */
static double exactly(const struct cohort *cohort, uint32_t marked, uint32_t k, uint32_t x)
{
    uint32_t n = cohort->devices;

    if (x > marked || k - x > n - marked)
        return 0;
    return exp(log_choose(cohort, marked, x) + log_choose(cohort, n - marked, k - x) -
               log_choose(cohort, n, k));
}

/* The least x such that more than x of k neighbours are corrupt with probability at most limit. */
static uint32_t corrupt_most(const struct cohort *cohort, uint32_t k, double limit)
{
    double tail = 0;
    uint32_t x = k;

    for (; x > 0; x--) {
        tail += exactly(cohort, cohort->corrupt, k, x);
        if (tail > limit)
            break;
    }
    return x;
}

/* The largest x such that fewer than x of k neighbours stay with probability at most limit. */
static uint32_t staying_least(const struct cohort *cohort, uint32_t k, double limit)
{
    double tail = 0;
    uint32_t x = 0;

    for (; x < k; x++) {
        tail += exactly(cohort, cohort->staying, k, x);
        if (tail > limit)
            break;
    }
    return x;
}

/* Bound for the event that corrupt and leaving devices, at random places, part the others: some two
 * windows of k / 2 places hold nobody else. */
static bool is_connected(const struct cohort *cohort, uint32_t k)
{
    uint32_t n = cohort->devices, gone = cohort->corrupt + (n - cohort->staying);
    const double *log_factorial = cohort->log_factorial;

    if (k > gone || k + 1 >= n)
        return true;
    if (gone > n)
        return false;
    double chance = log(n) + log(n - k - 1) - M_LN2 + log_factorial[gone] + log_factorial[n - k] -
                    log_factorial[n] - log_factorial[gone - k];
    return chance < -(double)(cohort->demand->security_bits + 1) * M_LN2;
}

/* The threshold that security wants, when drop-outs allow it. */
static bool try_degree(struct graph_plan *plan, const struct cohort *cohort, uint32_t k)
{
    const struct graph_demand *demand = cohort->demand;
    double n = cohort->devices;

    if (!is_connected(cohort, k))
        return false;
    uint32_t low = corrupt_most(cohort, k, ldexp(1 / n, -(int)demand->security_bits - 1));
    uint32_t high = staying_least(cohort, k, ldexp(1 / n, -(int)demand->correctness_bits));
    if (demand->adversary == GRAPH_MALICIOUS)
        low = (low + k) / 2; /* so 2 (low + 1) > k + corrupt: honest neighbours give one kind */
    if (low >= high)
        return false;
    *plan = (struct graph_plan){k, low + 1 < 2 ? 2 : low + 1, high, 0, 0};
    return true;
}

/* False when even the averages forbid every degree. */
static bool is_thinkable(const struct cohort *cohort)
{
    uint64_t corrupt = cohort->corrupt, staying = cohort->staying;

    if (cohort->demand->adversary == GRAPH_MALICIOUS)
        return corrupt + cohort->devices < 2 * staying;
    return corrupt < staying;
}

static enum cn_err find_ring(struct graph_plan *plan, struct cohort *cohort)
{
    uint32_t n = cohort->devices;

    if (!is_thinkable(cohort))
        return CN_E_THRESHOLD;
    cohort->log_factorial = calloc((size_t)n + 1, sizeof *cohort->log_factorial);
    if (!cohort->log_factorial)
        return CN_E_NOMEM;
    for (uint32_t i = 2; i <= n; i++) {
        int sign;
        cohort->log_factorial[i] = lgamma_r((double)i + 1, &sign);
    }
    enum cn_err err = CN_E_THRESHOLD;
    for (uint32_t k = 2; k < n && k <= GRAPH_DEGREE_MAX && err != CN_OK; k += 2)
        err = try_degree(plan, cohort, k) ? CN_OK : CN_E_THRESHOLD;
    free(cohort->log_factorial);
    return err;
}

enum cn_err graph_plan_ring(struct graph_plan *plan, const struct graph_demand *demand)
{
    CN_TRY(graph_demand_check(demand));
    struct cohort cohort = cohort_of(demand);
    return find_ring(plan, &cohort);
}

/* No probabilities here: everybody is everybody's neighbour. */
static enum cn_err find_complete(struct graph_plan *plan, const struct cohort *cohort)
{
    uint32_t n = cohort->devices, threshold = n / 2 + 1;

    if (threshold <= cohort->corrupt)
        threshold = cohort->corrupt + 1;
    if (cohort->demand->adversary == GRAPH_MALICIOUS) {
        uint32_t two_thirds = 2 * n / 3 + 1, both = (n + cohort->corrupt) / 2 + 1;
        threshold = two_thirds > both ? two_thirds : both;
    }
    if (threshold > cohort->staying || n - cohort->corrupt < 2)
        return CN_E_THRESHOLD;
    *plan = (struct graph_plan){n - 1, threshold < 2 ? 2 : threshold, cohort->staying, 0, 0};
    return plan->threshold > cohort->staying ? CN_E_THRESHOLD : CN_OK;
}

static enum cn_err find_any(struct graph_plan *plan, const struct graph_demand *demand)
{
    struct cohort cohort = cohort_of(demand);
    enum cn_err err = CN_E_THRESHOLD;

    if (cohort.devices >= GRAPH_SPARSE_MIN)
        err = find_ring(plan, &cohort);
    return err == CN_E_THRESHOLD ? find_complete(plan, &cohort) : err;
}

/* The largest value of one of demand's fractions, below the one demanded, that is attainable. */
static enum cn_err largest_part(uint32_t *best, struct graph_demand *demand, uint32_t *field)
{
    uint32_t low = 0, high = *field;
    struct graph_plan plan;

    *best = GRAPH_NONE;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        *field = middle;
        enum cn_err err = find_any(&plan, demand);
        if (err == CN_OK) {
            *best = middle;
            low = middle + 1;
        } else if (err == CN_E_THRESHOLD) {
            high = middle;
        } else {
            return err;
        }
    }
    return CN_OK;
}

/* The smallest larger cohort in which the same fractions are attainable. It is looked for by
 * doubling and halving: fractions that round down differently make it slightly jagged. */
static enum cn_err smallest_cohort(uint32_t *best, struct graph_demand demand)
{
    uint32_t low = demand.devices + 1, high = GRAPH_NONE;
    struct graph_plan plan;

    *best = GRAPH_NONE;
    while (low < high) {
        uint32_t middle = high == GRAPH_NONE ? 2 * low : low + (high - low) / 2;

        if (middle > GRAPH_ADVICE_DEVICES_MAX)
            return CN_OK;
        demand.devices = middle;
        enum cn_err err = find_any(&plan, &demand);
        if (err == CN_OK)
            *best = high = middle;
        else if (err == CN_E_THRESHOLD)
            low = high == GRAPH_NONE ? middle : middle + 1;
        else
            return err;
    }
    return CN_OK;
}

enum cn_err graph_advise(struct graph_advice *advice, const struct graph_demand *demand)
{
    struct graph_demand fewer_corrupt = *demand, fewer_leave = *demand;

    CN_TRY(graph_demand_check(demand));
    CN_TRY(
        largest_part(&advice->corrupt_permille, &fewer_corrupt, &fewer_corrupt.corrupt_permille));
    CN_TRY(largest_part(&advice->dropout_permille, &fewer_leave, &fewer_leave.dropout_permille));
    return smallest_cohort(&advice->devices, *demand);
}

/* One of the ways out, or "" when there is none. */
struct way {
    char text[80];
};

static struct way way_of(uint32_t permille, const char *who)
{
    struct way way = {""};

    if (permille != GRAPH_NONE)
        snprintf(way.text, sizeof way.text, " at most %u.%u %% that %s;", permille / 10,
                 permille % 10, who);
    return way;
}

static void explain(struct cn_diag *diag, const struct graph_demand *demand)
{
    struct graph_advice advice;

    cn_diag_set(diag, NULL, 0, 0,
                "no threshold fits %u devices of which %u.%u %% may help the server and %u.%u %% "
                "may leave",
                demand->devices, demand->corrupt_permille / 10, demand->corrupt_permille % 10,
                demand->dropout_permille / 10, demand->dropout_permille % 10);
    if (!diag || graph_advise(&advice, demand) != CN_OK)
        return;
    struct way corrupt = way_of(advice.corrupt_permille, "help the server");
    struct way leaving = way_of(advice.dropout_permille, "leave");
    struct way larger = {""};
    if (advice.devices != GRAPH_NONE)
        snprintf(larger.text, sizeof larger.text, " at least %u devices;", advice.devices);
    if (corrupt.text[0] || leaving.text[0] || larger.text[0])
        cn_diag_hint(diag, "one of these would do:%s%s%s otherwise change several", corrupt.text,
                     leaving.text, larger.text);
    else
        cn_diag_hint(diag, "no single number would do: lower both fractions");
}

enum cn_err graph_plan_make(struct graph_plan *plan, const struct graph_demand *demand,
                            struct cn_diag *diag)
{
    CN_TRY(graph_demand_check(demand));
    enum cn_err err = find_any(plan, demand);
    if (err == CN_E_THRESHOLD)
        explain(diag, demand);
    return err;
}
