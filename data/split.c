/* SPDX-License-Identifier: Apache-2.0 */
/* Splits: shuffled pools of examples, dealt out. */
#include "data/split.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

static enum cn_err check_parts(size_t n, uint32_t parts)
{
    return parts == 0 || parts > SPLIT_PARTS_MAX || parts > n || n > UINT32_MAX ? CN_E_CONFIG
                                                                                : CN_OK;
}

enum cn_err split_iid(uint32_t *owner, size_t n, uint32_t parts, const struct cn_random *random)
{
    size_t each;
    uint32_t *order;

    CN_TRY(check_parts(n, parts));
    order = malloc(n * sizeof *order);
    if (!order)
        return CN_E_NOMEM;
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    cn_random_shuffle(random, order, n);
    each = n / parts;
    for (size_t i = 0; i < n; i++)
        owner[order[i]] = i / each < parts ? (uint32_t)(i / each) : SPLIT_NOBODY;
    free(order);
    return CN_OK;
}

/* A gamma variate of shape alpha >= 1 and scale 1. Source: Marsaglia, Tsang 2000. */
static double gamma_large(double alpha, const struct cn_random *random)
{
    double d = alpha - 1.0 / 3.0;
    double c = 1.0 / sqrt(9.0 * d);

    for (;;) {
        double x = cn_random_normal(random);
        double v = 1.0 + c * x;
        double u;

        if (v <= 0)
            continue;
        v = v * v * v;
        u = 1.0 - cn_random_unit(random);
        if (log(u) < 0.5 * x * x + d - d * v + d * log(v))
            return d * v;
    }
}

/* The logarithm, because small shapes give values below what a double holds: Gamma(alpha) =
 * Gamma(alpha + 1) * U^(1/alpha). */
static double gamma_log(double alpha, const struct cn_random *random)
{
    double u;

    if (alpha >= 1)
        return log(gamma_large(alpha, random));
    u = 1.0 - cn_random_unit(random);
    return log(gamma_large(alpha + 1, random)) + log(u) / alpha;
}

/* Dirichlet proportions as 32-bit weights; log_weight [classes] is scratch. */
static void draw_weights(uint64_t *weight, double *log_weight, uint32_t classes, double alpha,
                         const struct cn_random *random)
{
    double largest = -INFINITY;

    for (uint32_t c = 0; c < classes; c++) {
        log_weight[c] = gamma_log(alpha, random);
        largest = log_weight[c] > largest ? log_weight[c] : largest;
    }
    for (uint32_t c = 0; c < classes; c++)
        weight[c] = (uint64_t)(0x1p32 * exp(log_weight[c] - largest) + 0.5);
}

/* The pools: the examples of class c are order[begin[c]] .. order[end[c] - 1]. */
struct deal {
    uint32_t *order;    /* [n] */
    size_t *begin;      /* [classes] moves up as examples are taken */
    size_t *end;        /* [classes] */
    uint64_t *weight;   /* [classes] of the part being filled */
    double *log_weight; /* [classes] */
    uint32_t classes;
};

static void deal_clear(struct deal *deal)
{
    free(deal->order);
    free(deal->begin);
    free(deal->end);
    free(deal->weight);
    free(deal->log_weight);
}

static enum cn_err deal_init(struct deal *deal, size_t n, uint32_t classes)
{
    *deal = (struct deal){.classes = classes};
    deal->order = malloc(n * sizeof *deal->order);
    deal->begin = calloc(classes, sizeof *deal->begin);
    deal->end = calloc(classes, sizeof *deal->end);
    deal->weight = calloc(classes, sizeof *deal->weight);
    deal->log_weight = calloc(classes, sizeof *deal->log_weight);
    if (deal->order && deal->begin && deal->end && deal->weight && deal->log_weight)
        return CN_OK;
    deal_clear(deal);
    return CN_E_NOMEM;
}

/* Sorts the examples into pools by label (a counting sort) and shuffles each pool. */
static void deal_fill(struct deal *deal, const uint32_t *y, size_t n,
                      const struct cn_random *random)
{
    size_t at = 0;

    for (size_t i = 0; i < n; i++)
        deal->end[y[i]]++;
    for (uint32_t c = 0; c < deal->classes; c++) {
        deal->begin[c] = at;
        at += deal->end[c];
        deal->end[c] = deal->begin[c];
    }
    for (size_t i = 0; i < n; i++)
        deal->order[deal->end[y[i]]++] = (uint32_t)i;
    for (uint32_t c = 0; c < deal->classes; c++)
        cn_random_shuffle(random, deal->order + deal->begin[c], deal->end[c] - deal->begin[c]);
}

/* What draws class c: its weight while it has examples. */
static uint64_t deal_weight(const struct deal *deal, uint32_t c, bool by_stock)
{
    size_t left = deal->end[c] - deal->begin[c];

    return left == 0 ? 0 : by_stock ? left : deal->weight[c];
}

/* Takes one example of a class drawn by weight; when only classes of weight 0 are left, by what is
 * left of them. At least one example must be left. */
static uint32_t deal_take(struct deal *deal, const struct cn_random *random)
{
    uint64_t total = 0, stock = 0, at;
    bool by_stock;
    uint32_t c = 0;

    for (uint32_t i = 0; i < deal->classes; i++) {
        total += deal_weight(deal, i, false);
        stock += deal_weight(deal, i, true);
    }
    CN_ASSERT(stock > 0);
    by_stock = total == 0;
    at = cn_random_below(random, by_stock ? stock : total);
    while (at >= deal_weight(deal, c, by_stock))
        at -= deal_weight(deal, c++, by_stock);
    return deal->order[deal->begin[c]++];
}

static enum cn_err check_dirichlet(const uint32_t *y, size_t n, const struct split_dirichlet *how)
{
    CN_TRY(check_parts(n, how->parts));
    if (!(how->alpha >= SPLIT_ALPHA_MIN && how->alpha <= SPLIT_ALPHA_MAX))
        return CN_E_CONFIG;
    for (size_t i = 0; i < n; i++)
        if (y[i] >= how->classes)
            return CN_E_DATA;
    return CN_OK;
}

enum cn_err split_dirichlet(uint32_t *owner, const uint32_t *y, size_t n,
                            const struct split_dirichlet *how, const struct cn_random *random)
{
    struct deal deal;

    CN_TRY(check_dirichlet(y, n, how));
    CN_TRY(deal_init(&deal, n, how->classes));
    deal_fill(&deal, y, n, random);
    for (size_t i = 0; i < n; i++)
        owner[i] = SPLIT_NOBODY;
    for (uint32_t part = 0; part < how->parts; part++) {
        draw_weights(deal.weight, deal.log_weight, how->classes, how->alpha, random);
        for (size_t i = 0; i < n / how->parts; i++)
            owner[deal_take(&deal, random)] = part;
    }
    deal_clear(&deal);
    return CN_OK;
}
