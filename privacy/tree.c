/* SPDX-License-Identifier: Apache-2.0 */
/* A node that c participations touch adds c^2. The worst pattern by dynamic programming over
 * complete subtrees: best[c][a][t] is the largest sum for c participations in a subtree of size S
 * at leaves a .. S + t - p, p = separation + 1, for a and t in 0 .. p - 1; at t a following subtree
 * may go on from its leaf t. The steps are complete trees of falling size, side by side. */
#include "privacy/tree.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define IMPOSSIBLE (-((int64_t)1 << 60))
#define WORK_MAX 0x1p31

struct table {
    size_t p, counts; /* separation + 1, participations + 1 */
    int64_t *best;    /* [counts, p, p] of the level */
    int64_t *next;    /* the same, of the level above */
    int64_t *rest;    /* [counts, p] of the smaller trees behind */
    int64_t *joined;  /* the same, with the level's tree in front */
};

static int64_t *cell(int64_t *values, const struct table *t, size_t c, size_t a, size_t end)
{
    return &values[(c * t->p + a) * t->p + end];
}

static unsigned log2_floor(uint64_t x)
{
    return 63 - (unsigned)__builtin_clzll(x);
}

enum cn_err tree_restart_square(uint64_t *square, uint64_t steps, uint64_t trees)
{
    *square = UINT64_MAX;
    if (steps == 0 || trees == 0 || steps > TREE_STEPS_MAX || trees > TREE_STEPS_MAX / 64)
        return CN_E_CONFIG;
    *square = trees * (log2_floor(steps) + 1);
    return CN_OK;
}

/* Trees of one leaf. */
static void fill_leaves(struct table *t)
{
    for (size_t c = 0; c < t->counts; c++)
        for (size_t a = 0; a < t->p; a++)
            for (size_t end = 0; end < t->p; end++)
                *cell(t->best, t, c, a, end) = c == 0 && a <= 1 + end          ? 0
                                               : c == 1 && a + t->p <= 1 + end ? 1
                                                                               : IMPOSSIBLE;
    for (size_t c = 0; c < t->counts; c++)
        for (size_t a = 0; a < t->p; a++)
            t->rest[c * t->p + a] = c == 0 ? 0 : IMPOSSIBLE;
}

/* next = best of two subtrees below a common node. */
static void double_size(struct table *t)
{
    int64_t *swap = t->next;

    for (size_t i = 0; i < t->counts * t->p * t->p; i++)
        t->next[i] = IMPOSSIBLE;
    for (size_t c = 0; c < t->counts; c++)
        for (size_t i = 0; i <= c; i++)
            for (size_t a = 0; a < t->p; a++)
                for (size_t j = 0; j < t->p; j++) {
                    int64_t left = *cell(t->best, t, c - i, a, j) + (int64_t)(c * c);
                    const int64_t *right = cell(t->best, t, i, j, 0);
                    int64_t *out = cell(t->next, t, c, a, 0);

                    for (size_t end = 0; left >= 0 && end < t->p; end++)
                        out[end] = left + right[end] > out[end] ? left + right[end] : out[end];
                }
    t->next = t->best;
    t->best = swap;
}

/* rest = the level's tree, then rest. */
static void put_in_front(struct table *t)
{
    int64_t *swap = t->joined;

    for (size_t i = 0; i < t->counts * t->p; i++)
        t->joined[i] = IMPOSSIBLE;
    for (size_t c = 0; c < t->counts; c++)
        for (size_t i = 0; i <= c; i++)
            for (size_t a = 0; a < t->p; a++)
                for (size_t j = 0; j < t->p; j++) {
                    int64_t sum = *cell(t->best, t, c - i, a, j) + t->rest[i * t->p + j];
                    int64_t *out = &t->joined[c * t->p + a];

                    *out = sum > *out ? sum : *out;
                }
    t->joined = t->rest;
    t->rest = swap;
}

static enum cn_err exact(uint64_t *square, uint64_t steps, size_t participations, size_t p)
{
    struct table t = {.p = p, .counts = participations + 1};
    enum cn_err err = CN_E_NOMEM;

    t.best = calloc(t.counts * p * p, sizeof *t.best);
    t.next = calloc(t.counts * p * p, sizeof *t.next);
    t.rest = calloc(t.counts * p, sizeof *t.rest);
    t.joined = calloc(t.counts * p, sizeof *t.joined);
    if (t.best && t.next && t.rest && t.joined) {
        fill_leaves(&t);
        for (uint64_t left = steps; left; left >>= 1) {
            if (left & 1)
                put_in_front(&t);
            if (left > 1)
                double_size(&t);
        }
        *square = 0;
        for (size_t c = 0; c < t.counts; c++)
            if (t.rest[c * p] > (int64_t)*square)
                *square = (uint64_t)t.rest[c * p];
        err = CN_OK;
    }
    free(t.best);
    free(t.next);
    free(t.rest);
    free(t.joined);
    return err;
}

enum cn_err tree_square(uint64_t *square, uint64_t steps, uint32_t participations,
                        uint64_t separation)
{
    uint64_t p = separation + 1, k, total = 0;
    unsigned levels;
    double work;

    *square = UINT64_MAX;
    if (steps == 0 || steps > TREE_STEPS_MAX || participations == 0 ||
        participations > TREE_PARTICIPATIONS_MAX || separation >= TREE_STEPS_MAX)
        return CN_E_CONFIG;
    k = (steps + p - 1) / p;
    k = k < participations ? k : participations;
    levels = log2_floor(steps) + 1;
    if (k == 1) {
        *square = levels;
        return CN_OK;
    }
    work = (double)(k * k) / 2 * (double)p * (double)p * (double)p * levels;
    if (work <= WORK_MAX)
        return exact(square, steps, k, p);
    for (unsigned level = 0; level < levels; level++) {
        uint64_t most = (((uint64_t)1 << level) + p - 1) / p;

        total += k * (most < k ? most : k);
    }
    *square = total;
    return CN_OK;
}

enum cn_err tree_banded_square(double *square, const double *norms, size_t n, size_t band,
                               uint32_t participations, uint64_t separation)
{
    double *best;

    *square = INFINITY;
    if (n == 0 || n > BANDED_STEPS_MAX || band == 0 || band > separation + 1 ||
        participations == 0 || participations > TREE_PARTICIPATIONS_MAX)
        return CN_E_CONFIG;
    for (size_t i = 0; i < n; i++)
        if (!(norms[i] >= 0) || isinf(norms[i]))
            return CN_E_CONFIG;
    best = calloc(2 * (n + 1), sizeof *best); /* from step i on, with k - 1 and with k left */
    if (!best)
        return CN_E_NOMEM;
    for (uint32_t k = 0; k < participations && k <= n / (separation + 1) + 1; k++) {
        double *fewer = best + (k & 1) * (n + 1), *now = best + (~k & 1) * (n + 1);

        now[n] = 0;
        for (size_t i = n; i-- > 0;) {
            size_t after = separation + 1 < n - i ? i + (size_t)separation + 1 : n;

            now[i] = fmax(now[i + 1], norms[i] + fewer[after]);
        }
        *square = now[0] * (1 + 1e-9);
    }
    free(best);
    return CN_OK;
}
