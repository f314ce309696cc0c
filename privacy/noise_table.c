/* SPDX-License-Identifier: Apache-2.0 */
/* Weights in fixed point by integer recurrences, then Walker's aliases.
 *
 * One unit is u = 2^-127. A product is floored, so it errs by less than one unit beyond what its
 * factors (all at most 1) bring. The distance, for sigma^2 = 1/2a, 0 < a <= 1/2, reach R = 12 sigma
 * + 2:
 *  - a is floored: 1 unit. The Taylor terms of e^-a err by at most 3 units each (a product, a
 *    division, a's own error); with a <= 2^-15 k terms count, k <= 9, and 30 at a = 1/2. So
 *    t = e^-a errs by e <= 90 units when sigma = 1, 27 when sigma >= 64, e^-2a by 2 e + 1.
 *  - t^(2x+1), by x products: e + x (2 e + 2) units. g(x) = e^(-a x^2), by x of these: less than
 *    (e + 1) x (x + 1) units. Their sum over -R..R: less than (e + 1) (2/3) (R + 2)^3 units; at
 *    sigma = 128 (R = 1538, e = 27) 2^36.1, at sigma = 1 (R = 14) 2^18.
 *  - The true sum of the weights is at least sigma sqrt(2 pi): 320 at sigma = 128. So before
 *    normalising the distance is under 2^36.1 / 2^8.3 u = 2^-99.2; flooring the normalised weights
 *    and the reciprocal, and giving the centre what is left, adds less than twice that again.
 *  - The tail beyond 12 sigma + 1 has mass below 2 e^-72 < 2^-102 (Canonne, Kamath, Steinke 2020,
 *    proposition 25).
 * Altogether under 2^-96. Poisson: from the mode outward, w(k + 1) = w(k) L / (k + 1) and
 * w(k - 1) = w(k) k / L, floored: x steps err by x units, all together by 2^22 units beside a sum
 * of at least 1; the cut tails are below 2^-100 by Chernoff at 13 sqrt L + 100 from the mean. Two
 * Poisson numbers double the distance.
 *
 * Wide: x = f + k w, f of variance s, w of variance r, s + k^2 r = sigma^2. The chance of x is a
 * sum over w of exp(-w^2/2r - (x - k w)^2/2s) = exp(-x^2/2sigma^2) exp(-(w - x k r/sigma^2)^2/2v)
 * with v = s r/sigma^2, and by Poisson's formula the sum over whole w of the second factor is,
 * whatever x, within a factor 1 +- 2.1 exp(-2 pi^2 v) of sqrt(2 pi v). Here s >= 8192 and k <= 32,
 * so v > 7.9 (worst at k = 32) and the factor is within 1 +- 2^-220: only the tables' distances add
 * up. */
#include "privacy/noise_table.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

__extension__ typedef unsigned __int128 wide;

#define ONE ((wide)1 << 127)
#define COLUMN_BITS 12
#define REST_BITS (128 - COLUMN_BITS)
#define CAPACITY ((wide)1 << REST_BITS)
#define BATCH 256 /* samples per refill: 4 KiB of randomness */
_Static_assert(NOISE_TABLE_COLUMNS == 1 << COLUMN_BITS, "a column is drawn by its bits");

struct column {
    wide threshold; /* below it the column's own value, else the alias */
    int32_t own, alias;
};

struct noise_table {
    bool difference;           /* of two draws */
    struct noise_table *wider; /* or NULL: draws of it times factor are added */
    int32_t factor;
    int32_t lowest; /* value of column 0 */
    struct column column[NOISE_TABLE_COLUMNS];
    wide weight[NOISE_TABLE_COLUMNS]; /* what was put in, of 2^128 in all */
};

/* floor(a b / 2^shift) of the 256-bit product, shift 127 or 128. */
static wide multiply(wide a, wide b, unsigned shift)
{
    uint64_t a0 = (uint64_t)a, a1 = (uint64_t)(a >> 64), b0 = (uint64_t)b, b1 = (uint64_t)(b >> 64);
    wide low = (wide)a0 * b0, left = (wide)a1 * b0, right = (wide)a0 * b1, high = (wide)a1 * b1;
    wide middle = (low >> 64) + (uint64_t)left + (uint64_t)right;

    high += (left >> 64) + (right >> 64) + (middle >> 64);
    if (shift == 128)
        return high;
    return high << 1 | (uint64_t)middle >> 63;
}

/* floor(2^127 num / den), num <= den < 2^64. */
static wide fraction(uint64_t num, uint64_t den)
{
    wide out = 0, rest = num;

    for (int bit = 0; bit < 128; bit++) {
        out <<= 1;
        if (rest >= den) {
            rest -= den;
            out |= 1;
        }
        rest <<= 1;
    }
    return out;
}

/* e^-a for a <= 1/2. */
static wide exp_minus(wide a)
{
    wide sum = ONE, term = ONE;

    for (unsigned k = 1; term; k++) {
        term = multiply(term, a, 127) / k;
        if (k & 1)
            sum -= term;
        else
            sum += term;
    }
    return sum;
}

/* floor(2^127 2^shift / sum): the reciprocal of a sum of weights below 2^shift. */
static wide reciprocal(wide high, wide low, unsigned shift)
{
    /* long division of 2^(127 + shift) by high 2^64 + low, in which high < 2^80 */
    wide rest_high = 0, rest_low = 0, out = 0;

    for (unsigned bit = 0; bit <= 254 + shift; bit++) {
        rest_high = rest_high << 1 | rest_low >> 63;
        rest_low = (rest_low << 1 | (bit == 0)) & UINT64_MAX;
        out <<= 1;
        if (rest_high > high || (rest_high == high && rest_low >= low)) {
            wide borrow = rest_low < low;

            rest_low = (rest_low - low) & UINT64_MAX;
            rest_high -= high + borrow;
            out |= 1;
        }
    }
    return out;
}

/* Scales the weights to the sum 2^128; the centre takes what flooring left. */
static void normalise(wide *weight, size_t count, size_t centre)
{
    wide high = 0, low = 0, inverse, left = 0;
    unsigned shift = 0;

    for (size_t i = 0; i < count; i++) {
        low += (uint64_t)weight[i];
        high += (weight[i] >> 64) + (low >> 64);
        low = (uint64_t)low;
    }
    while (high >> (63 + shift)) /* sum < 2^(127 + shift) */
        shift++;
    inverse = reciprocal(high, low, shift); /* 2^127 .. 2^128 of 2^(127 + shift) / sum */
    for (size_t i = 0; i < count; i++) {
        weight[i] = multiply(weight[i], inverse, 127); /* of 2^(127 + shift) */
        weight[i] = shift ? weight[i] >> (shift - 1) : weight[i] << 1;
        left -= weight[i]; /* modulo 2^128 */
    }
    weight[centre] += left;
}

/* Vose: a column that is too small is filled up by one that is too large. */
static void alias(struct noise_table *table)
{
    static const size_t n = NOISE_TABLE_COLUMNS;
    uint16_t small[NOISE_TABLE_COLUMNS], large[NOISE_TABLE_COLUMNS];
    wide mass[NOISE_TABLE_COLUMNS];
    size_t smalls = 0, larges = 0;

    memcpy(mass, table->weight, sizeof mass);
    for (size_t i = 0; i < n; i++) {
        table->column[i].own = table->column[i].alias = table->lowest + (int32_t)i;
        table->column[i].threshold = CAPACITY;
        if (mass[i] < CAPACITY)
            small[smalls++] = (uint16_t)i;
        else
            large[larges++] = (uint16_t)i;
    }
    while (smalls && larges) {
        size_t s = small[--smalls], l = large[larges - 1];

        table->column[s].threshold = mass[s];
        table->column[s].alias = table->lowest + (int32_t)l;
        mass[l] -= CAPACITY - mass[s];
        if (mass[l] < CAPACITY) {
            larges--;
            small[smalls++] = (uint16_t)l;
        }
    }
    CN_ASSERT(smalls == 0); /* the masses add up to all columns exactly */
}

static struct noise_table *table_new(void)
{
    void *table = NULL;

    if (posix_memalign(&table, 64, sizeof(struct noise_table)) != 0)
        return NULL;
    memset(table, 0, sizeof(struct noise_table));
    return table;
}

#define FINE_VARIANCE 8192

/* Two tables: the smallest factor with which the wider one is no wider than a table can be. */
static enum cn_err wide_gaussian(struct noise_table **out, uint64_t variance)
{
    struct noise_table *fine = NULL, *wider = NULL;
    uint64_t k = 1, rest = variance - FINE_VARIANCE;
    enum cn_err err;

    while (rest / (k * k) > NOISE_TABLE_SIGMA2_MAX)
        k++;
    CN_TRY_OUT(err, noise_table_gaussian(&wider, rest / (k * k), 1));
    CN_TRY_OUT(err, noise_table_gaussian(&fine, variance - k * k * (rest / (k * k)), 1));
    fine->wider = wider;
    fine->factor = (int32_t)k;
    *out = fine;
    return CN_OK;
out:
    noise_table_free(wider);
    noise_table_free(fine);
    return err;
}

enum cn_err noise_table_gaussian(struct noise_table **out, uint64_t num, uint64_t den)
{
    struct noise_table *table;
    size_t reach;
    wide t, square, factor, g = ONE;

    *out = NULL;
    if (den == 1 && num > NOISE_TABLE_SIGMA2_MAX && num <= NOISE_TABLE_WIDE_MAX)
        return wide_gaussian(out, num);
    if (den == 0 || den > NOISE_TABLE_DEN_MAX || num < den || num > den * NOISE_TABLE_SIGMA2_MAX)
        return CN_E_CONFIG;
    table = table_new();
    if (!table)
        return CN_E_NOMEM;
    reach = (size_t)ceil(12 * sqrt((double)num / (double)den)) + 2;
    CN_ASSERT(2 * reach + 1 <= NOISE_TABLE_COLUMNS);
    table->lowest = -(int32_t)reach;
    t = exp_minus(fraction(den, 2 * num));
    square = multiply(t, t, 127);
    factor = t;
    table->weight[reach] = g;
    for (size_t x = 1; x <= reach; x++) {
        g = multiply(g, factor, 127);
        factor = multiply(factor, square, 127);
        table->weight[reach + x] = table->weight[reach - x] = g;
    }
    normalise(table->weight, 2 * reach + 1, reach);
    alias(table);
    *out = table;
    return CN_OK;
}

enum cn_err noise_table_skellam(struct noise_table **out, uint32_t variance)
{
    struct noise_table *table;
    uint32_t mean = variance / 2, reach, low;
    wide w = ONE;

    *out = NULL;
    if (variance < 2 || variance % 2 || mean > NOISE_TABLE_POISSON_MAX)
        return CN_E_CONFIG;
    table = table_new();
    if (!table)
        return CN_E_NOMEM;
    reach = (uint32_t)ceil(13 * sqrt((double)mean)) + 100;
    low = mean > reach ? mean - reach : 0;
    CN_ASSERT(mean + reach - low < NOISE_TABLE_COLUMNS);
    table->difference = true;
    table->lowest = (int32_t)low;
    table->weight[mean - low] = w;
    for (uint32_t k = mean + 1; k <= mean + reach; k++) {
        w = multiply(w, fraction(mean, k), 127);
        table->weight[k - low] = w;
    }
    w = ONE;
    for (uint32_t k = mean; k > low; k--) {
        w = multiply(w, fraction(k, mean), 127);
        table->weight[k - 1 - low] = w;
    }
    normalise(table->weight, mean + reach - low + 1, mean - low);
    alias(table);
    *out = table;
    return CN_OK;
}

void noise_table_free(struct noise_table *table)
{
    if (table)
        free(table->wider); /* which has no wider one */
    free(table);
}

static inline int32_t draw(const struct noise_table *table, wide bits)
{
    const struct column *column = &table->column[(size_t)(bits >> REST_BITS)];
    int32_t keep = -(int32_t)((bits & (CAPACITY - 1)) < column->threshold);

    return (column->own & keep) | (column->alias & ~keep);
}

static void draw_batch(const struct noise_table *table, int32_t *out, size_t n,
                       const struct cn_random *random)
{
    wide bits[BATCH];
    size_t per = table->difference ? 2 : 1;

    cn_random_fill(random, bits, n * per * sizeof bits[0]);
    for (size_t i = 0; i < n; i++)
        out[i] = per == 1 ? draw(table, bits[i])
                          : draw(table, bits[2 * i]) - draw(table, bits[2 * i + 1]);
    explicit_bzero(bits, sizeof bits);
}

void noise_table_draw(const struct noise_table *table, int32_t *out, size_t n,
                      const struct cn_random *random)
{
    int32_t more[BATCH / 2];

    for (size_t at = 0; at < n; at += BATCH / 2) {
        size_t now = n - at < BATCH / 2 ? n - at : BATCH / 2;

        draw_batch(table, out + at, now, random);
        if (!table->wider)
            continue;
        draw_batch(table->wider, more, now, random);
        for (size_t i = 0; i < now; i++)
            out[at + i] += table->factor * more[i];
    }
    if (table->wider)
        explicit_bzero(more, sizeof more);
}

static double narrow_probability(const struct noise_table *table, int32_t value)
{
    wide total = 0;

    for (size_t i = 0; i < NOISE_TABLE_COLUMNS; i++) {
        const struct column *c = &table->column[i];

        total += c->own == value ? c->threshold : 0;
        total += c->alias == value ? CAPACITY - c->threshold : 0;
    }
    return (double)total * 0x1p-128;
}

double noise_table_probability(const struct noise_table *table, int32_t value)
{
    double total = 0;

    if (!table->wider)
        return narrow_probability(table, value);
    for (int32_t i = 0; i < NOISE_TABLE_COLUMNS; i++) {
        int64_t rest = value - (int64_t)table->factor * (table->wider->lowest + i) - table->lowest;

        if (rest >= 0 && rest < NOISE_TABLE_COLUMNS)
            total += (double)table->wider->weight[i] * 0x1p-128 *
                     ((double)table->weight[rest] * 0x1p-128);
    }
    return total;
}
