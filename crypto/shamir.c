/* SPDX-License-Identifier: Apache-2.0 */
/* Shamir's secret sharing over the scalars of ristretto255; see shamir.h. Points are public, shares
 * are not: nothing branches on a share. */
#include "crypto/shamir.h"

#include <stdbool.h>
#include <string.h>

#include <openssl/bn.h>
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

/* Coefficients that pass through Horner's rule together: no more of a polynomial exists at a time.
 */
#define BATCH 16
#define SCALAR_BITS 253
#define WIDE_LIMBS (crypto_core_ristretto255_NONREDUCEDSCALARBYTES / 8)

struct batch {
    uint8_t coefficients[BATCH][SHAMIR_BYTES];
    uint32_t count;
    uint64_t wide[WIDE_LIMBS]; /* a share on its way, not yet reduced */
    uint8_t bytes[crypto_core_ristretto255_NONREDUCEDSCALARBYTES];
};

/* wide = wide * x + the scalar, as integers; constant in time but for x. */
static void wide_step(uint64_t wide[WIDE_LIMBS], uint32_t x, const uint8_t scalar[SHAMIR_BYTES])
{
    uint64_t carry = 0;

    for (size_t i = 0; i < WIDE_LIMBS; i++) {
        uint64_t limb = 0;

        for (size_t k = 0; i < SHAMIR_BYTES / 8 && k < 8; k++)
            limb |= (uint64_t)scalar[8 * i + k] << (8 * k);
        unsigned __int128 sum = (unsigned __int128)wide[i] * x + limb + carry;
        wide[i] = (uint64_t)sum;
        carry = (uint64_t)(sum >> 64);
    }
}

/* Several steps of Horner's rule for one holder. */
static void horner(uint8_t share[SHAMIR_BYTES], uint32_t x, struct batch *batch)
{
    memset(batch->wide, 0, sizeof batch->wide);
    wide_step(batch->wide, 0, share);
    for (uint32_t k = 0; k < batch->count; k++)
        wide_step(batch->wide, x, batch->coefficients[k]);
    for (size_t i = 0; i < sizeof batch->bytes; i++)
        batch->bytes[i] = (uint8_t)(batch->wide[i / 8] >> (8 * (i % 8)));
    crypto_core_ristretto255_scalar_reduce(share, batch->bytes);
}

/* Steps after which a share surely fits: each multiplies by x and adds less than that. */
static uint32_t steps_that_fit(uint32_t x)
{
    uint32_t bits = 33 - (uint32_t)__builtin_clz(x | 1);
    uint32_t steps = (64 * WIDE_LIMBS - SCALAR_BITS) / bits;

    return steps < BATCH ? steps : BATCH;
}

enum cn_err shamir_split(uint8_t (*shares)[SHAMIR_BYTES], const uint32_t *points, uint32_t count,
                         uint32_t threshold, const uint8_t secret[SHAMIR_BYTES],
                         const struct cn_random *random)
{
    struct batch batch = {.count = 0};

    if (threshold < SHAMIR_THRESHOLD_MIN || threshold > count || !points_are_good(points, count))
        return CN_E_CONFIG;
    uint32_t most = steps_that_fit(points[count - 1]);
    memset(shares, 0, (size_t)count * SHAMIR_BYTES);
    for (uint32_t k = 1; k <= threshold; k++) { /* the secret comes last */
        uint8_t *coefficient = batch.coefficients[batch.count++];

        if (k < threshold)
            agree_scalar(coefficient, random);
        else
            memcpy(coefficient, secret, SHAMIR_BYTES);
        if (batch.count < most && k < threshold)
            continue;
        for (uint32_t i = 0; i < count; i++)
            horner(shares[i], points[i], &batch);
        batch.count = 0;
    }
    sodium_memzero(&batch, sizeof batch);
    return CN_OK;
}

/* A product of small numbers, kept as an integer until it might pass the scalars' size. */
struct product {
    uint64_t limbs[4]; /* below 2^bits */
    unsigned bits;
    uint8_t scalar[SHAMIR_BYTES]; /* what was moved out of limbs */
};

#define PRODUCT_BITS 252 /* integers below 2^252 are canonical scalars */
#define POINT_BITS 32

static void product_move(struct product *product)
{
    uint8_t factor[SHAMIR_BYTES];

    for (size_t i = 0; i < SHAMIR_BYTES; i++)
        factor[i] = (uint8_t)(product->limbs[i / 8] >> (8 * (i % 8)));
    crypto_core_ristretto255_scalar_mul(product->scalar, product->scalar, factor);
    memset(product->limbs, 0, sizeof product->limbs);
    product->limbs[0] = 1;
    product->bits = 1;
}

static void product_init(struct product *product)
{
    *product = (struct product){.limbs = {1}, .bits = 1};
    scalar_of(product->scalar, 1);
}

static void product_times(struct product *product, uint32_t factor)
{
    unsigned bits = POINT_BITS - (unsigned)__builtin_clz(factor | 1);
    uint64_t carry = 0;

    if (product->bits + bits > PRODUCT_BITS)
        product_move(product);
    for (int i = 0; i < 4; i++) {
        unsigned __int128 wide = (unsigned __int128)product->limbs[i] * factor + carry;

        product->limbs[i] = (uint64_t)wide;
        carry = (uint64_t)(wide >> 64);
    }
    product->bits += bits;
}

/* Gives points[i] times the product over j of points[j] - points[i]. */
static void denominator(uint8_t out[SHAMIR_BYTES], const uint32_t *points, uint32_t count,
                        uint32_t i)
{
    struct product product;

    product_init(&product);
    product_times(&product, points[i]);
    for (uint32_t j = 0; j < count; j++) {
        if (j != i)
            product_times(&product,
                          points[j] > points[i] ? points[j] - points[i] : points[i] - points[j]);
    }
    product_move(&product);
    memcpy(out, product.scalar, SHAMIR_BYTES);
    if (i % 2 == 1) /* the points rise, so i of the differences are negative */
        crypto_core_ristretto255_scalar_negate(out, out);
}

/* The inverse of what anybody can compute from the points, so that time may depend on it: three
 * times as fast as libsodium's. */
static enum cn_err invert_public(uint8_t inverse[SHAMIR_BYTES], const uint8_t value[SHAMIR_BYTES])
{
    static const uint8_t order[SHAMIR_BYTES] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
                                                0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
                                                0,    0,    0,    0,    0,    0,    0,    0,
                                                0,    0,    0,    0,    0,    0,    0,    0x10};
    BIGNUM *number = BN_lebin2bn(value, SHAMIR_BYTES, NULL);
    BIGNUM *modulus = BN_lebin2bn(order, SHAMIR_BYTES, NULL);
    BN_CTX *ctx = BN_CTX_new();
    bool done = number && modulus && ctx && BN_mod_inverse(number, number, modulus, ctx) &&
                BN_bn2lebinpad(number, inverse, SHAMIR_BYTES) == SHAMIR_BYTES;

    BN_CTX_free(ctx);
    BN_free(modulus);
    BN_free(number);
    return done ? CN_OK : CN_E_CRYPTO;
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
    CN_TRY(invert_public(inverse, all));
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
    struct product numerator;

    if (count == 0 || !points_are_good(points, count))
        return CN_E_CONFIG;
    product_init(&numerator);
    for (uint32_t i = 0; i < count; i++) {
        denominator(weights[i], points, count, i);
        product_times(&numerator, points[i]);
    }
    product_move(&numerator);
    return divide_all(weights, numerator.scalar, count);
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
