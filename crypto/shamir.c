/* SPDX-License-Identifier: Apache-2.0 */
/* Shamir's secret sharing over the scalars of ristretto255; see shamir.h. Points are public, shares
 * are not: nothing branches on a share. */
#include "crypto/shamir.h"

#include <stdbool.h>
#include <string.h>

#include <sodium.h>

#include "crypto/agree.h"

_Static_assert(SHAMIR_BYTES == crypto_core_ristretto255_SCALARBYTES, "scalar size");

static bool points_are_good(const uint32_t *points, uint32_t count)
{
    uint32_t last = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (points[i] <= last)
            return false;
        last = points[i];
    }
    return count <= SHAMIR_SHARES_MAX;
}

static void scalar_of(uint8_t out[SHAMIR_BYTES], uint64_t value)
{
    memset(out, 0, SHAMIR_BYTES);
    for (size_t i = 0; i < sizeof value; i++)
        out[i] = (uint8_t)(value >> (8 * i));
}

/* One step of Horner's rule for every holder at once, so that only one coefficient exists. */
static void horner_step(uint8_t (*shares)[SHAMIR_BYTES], const uint32_t *points, uint32_t count,
                        const uint8_t coefficient[SHAMIR_BYTES])
{
    uint8_t x[SHAMIR_BYTES];

    for (uint32_t i = 0; i < count; i++) {
        scalar_of(x, points[i]);
        crypto_core_ristretto255_scalar_mul(shares[i], shares[i], x);
        crypto_core_ristretto255_scalar_add(shares[i], shares[i], coefficient);
    }
}

enum cn_err shamir_split(uint8_t (*shares)[SHAMIR_BYTES], const uint32_t *points, uint32_t count,
                         uint32_t threshold, const uint8_t secret[SHAMIR_BYTES],
                         const struct cn_random *random)
{
    uint8_t coefficient[SHAMIR_BYTES];

    if (threshold < SHAMIR_THRESHOLD_MIN || threshold > count || !points_are_good(points, count))
        return CN_E_CONFIG;
    memset(shares, 0, (size_t)count * SHAMIR_BYTES);
    for (uint32_t k = 1; k < threshold; k++) {
        agree_scalar(coefficient, random);
        horner_step(shares, points, count, coefficient);
    }
    horner_step(shares, points, count, secret);
    sodium_memzero(coefficient, sizeof coefficient);
    return CN_OK;
}

/* Gives points[i] times the product over j of points[j] - points[i]. Factors are small, so several
 * go into one 64-bit word before one scalar multiplication. */
static void denominator(uint8_t out[SHAMIR_BYTES], const uint32_t *points, uint32_t count,
                        uint32_t i)
{
    uint8_t factor[SHAMIR_BYTES];
    uint64_t word = points[i];

    scalar_of(out, 1);
    for (uint32_t j = 0; j < count; j++) {
        if (j == i)
            continue;
        if (word >> 32) {
            scalar_of(factor, word);
            crypto_core_ristretto255_scalar_mul(out, out, factor);
            word = 1;
        }
        word *= points[j] > points[i] ? points[j] - points[i] : points[i] - points[j];
    }
    scalar_of(factor, word);
    crypto_core_ristretto255_scalar_mul(out, out, factor);
    if (i % 2 == 1) /* the points rise, so i of the differences are negative */
        crypto_core_ristretto255_scalar_negate(out, out);
}

/* Turns weights, which hold the denominators, into numerator / denominator with one inversion
 * (Montgomery's trick): products from the left, one inverse, then back. */
static enum cn_err divide_all(uint8_t (*weights)[SHAMIR_BYTES],
                              const uint8_t numerator[SHAMIR_BYTES], uint32_t count)
{
    uint8_t left[SHAMIR_SHARES_MAX][SHAMIR_BYTES];
    uint8_t all[SHAMIR_BYTES], inverse[SHAMIR_BYTES], weight[SHAMIR_BYTES];

    scalar_of(all, 1);
    for (uint32_t i = 0; i < count; i++) {
        memcpy(left[i], all, SHAMIR_BYTES);
        crypto_core_ristretto255_scalar_mul(all, all, weights[i]);
    }
    if (crypto_core_ristretto255_scalar_invert(inverse, all) != 0)
        return CN_E_CRYPTO;
    crypto_core_ristretto255_scalar_mul(inverse, inverse, numerator);
    for (uint32_t i = count; i-- > 0;) {
        crypto_core_ristretto255_scalar_mul(weight, inverse, left[i]);
        crypto_core_ristretto255_scalar_mul(inverse, inverse, weights[i]);
        memcpy(weights[i], weight, SHAMIR_BYTES);
    }
    return CN_OK;
}

enum cn_err shamir_weights(uint8_t (*weights)[SHAMIR_BYTES], const uint32_t *points, uint32_t count)
{
    uint8_t numerator[SHAMIR_BYTES], x[SHAMIR_BYTES];

    if (count == 0 || !points_are_good(points, count))
        return CN_E_CONFIG;
    scalar_of(numerator, 1);
    for (uint32_t i = 0; i < count; i++) {
        denominator(weights[i], points, count, i);
        scalar_of(x, points[i]);
        crypto_core_ristretto255_scalar_mul(numerator, numerator, x);
    }
    return divide_all(weights, numerator, count);
}

void shamir_combine(uint8_t secret[SHAMIR_BYTES], const uint8_t (*shares)[SHAMIR_BYTES],
                    const uint8_t (*weights)[SHAMIR_BYTES], uint32_t count)
{
    uint8_t sum[SHAMIR_BYTES] = {0}, term[SHAMIR_BYTES];

    for (uint32_t i = 0; i < count; i++) {
        crypto_core_ristretto255_scalar_mul(term, shares[i], weights[i]);
        crypto_core_ristretto255_scalar_add(sum, sum, term);
    }
    memcpy(secret, sum, SHAMIR_BYTES);
    sodium_memzero(sum, sizeof sum);
    sodium_memzero(term, sizeof term);
}

/* threshold members of a set, with the weights that fit them. */
struct pick {
    uint32_t members[SHAMIR_SHARES_MAX]; /* places in the set, rising */
    uint32_t points[SHAMIR_SHARES_MAX];
    uint8_t shares[SHAMIR_SHARES_MAX][SHAMIR_BYTES];
    uint8_t weights[SHAMIR_SHARES_MAX][SHAMIR_BYTES];
};

/* Combines the members of pick into candidate. */
static enum cn_err pick_combine(struct pick *pick, const struct shamir_set *set,
                                uint8_t candidate[SHAMIR_BYTES])
{
    for (uint32_t k = 0; k < set->threshold; k++) {
        pick->points[k] = set->points[pick->members[k]];
        memcpy(pick->shares[k], set->shares[pick->members[k]], SHAMIR_BYTES);
    }
    CN_TRY(shamir_weights(pick->weights, pick->points, set->threshold));
    shamir_combine(candidate, (const uint8_t(*)[SHAMIR_BYTES])pick->shares,
                   (const uint8_t(*)[SHAMIR_BYTES])pick->weights, set->threshold);
    return CN_OK;
}

/* Fills pick with the first threshold members that are not left out (rising). */
static void pick_without(struct pick *pick, const struct shamir_set *set, const uint32_t *out,
                         uint32_t out_count)
{
    uint32_t filled = 0, next = 0;

    for (uint32_t i = 0; i < set->count && filled < set->threshold; i++) {
        if (next < out_count && out[next] == i)
            next++;
        else
            pick->members[filled++] = i;
    }
}

/* The next choice of `size` out of 0 .. count-1 in lexicographic order; false after the last. */
static bool next_choice(uint32_t *choice, uint32_t size, uint32_t count)
{
    for (uint32_t k = size; k-- > 0;) {
        if (choice[k] < count - size + k) {
            choice[k]++;
            for (uint32_t j = k + 1; j < size; j++)
                choice[j] = choice[j - 1] + 1;
            return true;
        }
    }
    return false;
}

/* Marks every share that is not on the polynomial through pick: put in the place of a member, it
 * gives another secret. */
static enum cn_err mark_wrong(struct pick *pick, bool *wrong, const struct shamir_set *set,
                              const uint8_t secret[SHAMIR_BYTES])
{
    uint8_t candidate[SHAMIR_BYTES];
    uint32_t next = 0;
    enum cn_err err = CN_OK;

    for (uint32_t i = 0; i < set->count && err == CN_OK; i++) {
        wrong[i] = false;
        if (next < set->threshold && i == pick->members[next]) {
            next++;
            continue;
        }
        /* Members stay rising when i takes the place of the one just below it (or of the first). */
        uint32_t at = next > 0 ? next - 1 : 0, kept = pick->members[at];
        pick->members[at] = i;
        err = pick_combine(pick, set, candidate);
        wrong[i] = err == CN_OK && sodium_memcmp(candidate, secret, SHAMIR_BYTES) != 0;
        pick->members[at] = kept;
    }
    sodium_memzero(candidate, sizeof candidate);
    return err;
}

/* True when so few are marked that nobody can have been framed: two polynomials with the same
 * secret meet in threshold - 2 shares at most, so one that fits this many is the dealer's unless
 * more than (count - threshold) / 2 + 1 holders conspired. */
static bool marks_are_certain(const bool *wrong, const struct shamir_set *set)
{
    uint32_t marked = 0;

    for (uint32_t i = 0; i < set->count; i++)
        marked += wrong[i];
    return 2 * marked <= set->count + 1 - set->threshold;
}

/* Multiplications that one candidate takes: one per pair of points, three of them in a word, and a
 * point to check. */
static uint64_t cost_of(const struct shamir_set *set)
{
    return (uint64_t)set->threshold * set->threshold / 3 + 4 * (uint64_t)set->threshold + 200;
}

/* Tries one choice. CN_OK: secret is right, and *certain says whether wrong is, too. */
static enum cn_err try_pick(struct pick *pick, struct shamir_search *search,
                            const struct shamir_set *set)
{
    uint8_t candidate[SHAMIR_BYTES];

    search->work_left -= search->work_left < cost_of(set) ? search->work_left : cost_of(set);
    CN_TRY(pick_combine(pick, set, candidate));
    if (search->is_right(search->ctx, candidate)) {
        uint64_t cost = cost_of(set) * (set->count - set->threshold);
        search->work_left -= search->work_left < cost ? search->work_left : cost;
        memcpy(search->secret, candidate, SHAMIR_BYTES);
        search->found = true;
        CN_TRY(mark_wrong(pick, search->wrong, set, candidate));
        search->certain = marks_are_certain(search->wrong, set);
    }
    sodium_memzero(candidate, sizeof candidate);
    return CN_OK;
}

/* Leaves out 0, 1, 2 ... of the shares until the marks are certain or the work is used up. The last
 * member of a pick is always threshold + size - 1, so every subset comes up once. */
static enum cn_err search_all(struct pick *pick, struct shamir_search *search,
                              const struct shamir_set *set)
{
    uint32_t out[SHAMIR_SHARES_MAX];

    for (uint32_t size = 0; size <= set->count - set->threshold; size++) {
        for (uint32_t k = 0; k < size; k++)
            out[k] = k;
        do {
            if (search->work_left == 0)
                return CN_OK;
            pick_without(pick, set, out, size);
            CN_TRY(try_pick(pick, search, set));
            if (search->certain)
                return CN_OK;
        } while (next_choice(out, size, set->threshold + size - 1));
    }
    return CN_OK;
}

enum cn_err shamir_recover(struct shamir_search *search, const struct shamir_set *set)
{
    if (set->threshold < SHAMIR_THRESHOLD_MIN || set->threshold > set->count ||
        !points_are_good(set->points, set->count))
        return CN_E_CONFIG;
    struct pick *pick = sodium_init() < 0 ? NULL : sodium_malloc(sizeof *pick);
    if (!pick)
        return CN_E_NOMEM;
    search->found = false;
    search->certain = false;
    enum cn_err err = search_all(pick, search, set);
    sodium_free(pick); /* wipes */
    if (err == CN_OK && !search->found)
        err = CN_E_INCONSISTENT;
    if (err != CN_OK)
        sodium_memzero(search->secret, SHAMIR_BYTES);
    if (err != CN_OK || !search->certain)
        memset(search->wrong, 0, set->count * sizeof *search->wrong);
    return err;
}
