/* SPDX-License-Identifier: Apache-2.0 */
/* The search: quasi-Newton (BFGS) on the logarithm of the error.
 *
 * With v = 1 / c and w = v / (1 - x) as power series, the rows of B = A C^-1 are w, and the summed
 * squared error is ||c||^2 F, F = sum_k (n - k) w_k^2. Since dv/dc_j = -x^j v^2, the gradient is
 * dF/dc_j = -2 sum_k (n - k) w_k u_(k-j) with u = w / c: three passes of n * band. */
#include "privacy/factorise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 200
#define HALVINGS_MAX 40
#define ARMIJO 1e-4
#define FLAT 1e-9 /* a gradient of the logarithm so small ends the search */

struct search {
    size_t n, band;
    double *w, *u;                                          /* [n] */
    double x[FACTORISE_BAND_MAX];                           /* c_0 = 1, fixed */
    double slope[FACTORISE_BAND_MAX];                       /* of the logarithm; [0] is 0 */
    double value;                                           /* ln(||c||^2 F) */
    double inverse[FACTORISE_BAND_MAX][FACTORISE_BAND_MAX]; /* of the Hessian, about */
};

/* out = in / c as power series; in NULL: 1 / (1 - x), all ones. */
static void divide(double *out, const double *in, const double *c, size_t n, size_t band)
{
    for (size_t k = 0; k < n; k++) {
        double rest = in ? in[k] : 1;

        for (size_t j = 1; j < band && j <= k; j++)
            rest -= c[j] * out[k - j];
        out[k] = rest / c[0];
    }
}

static double norm_square(const double *c, size_t band)
{
    double sum = 0;

    for (size_t j = 0; j < band; j++)
        sum += c[j] * c[j];
    return sum;
}

/* F; leaves w behind. */
static double errors(double *w, const double *c, size_t n, size_t band)
{
    double sum = 0;

    divide(w, NULL, c, n, band);
    for (size_t k = n; k-- > 0;)
        sum += (double)(n - k) * w[k] * w[k];
    return sum;
}

static double value_at(struct search *s, const double *c)
{
    double value = log(norm_square(c, s->band) * errors(s->w, c, s->n, s->band));

    return isfinite(value) ? value : INFINITY;
}

/* At s->x, after value_at of it. */
static void find_slope(struct search *s)
{
    double all = 0, square = norm_square(s->x, s->band);

    divide(s->u, s->w, s->x, s->n, s->band);
    for (size_t k = 0; k < s->n; k++)
        all += (double)(s->n - k) * s->w[k] * s->w[k];
    for (size_t j = 1; j < s->band; j++) {
        double sum = 0;

        for (size_t k = j; k < s->n; k++)
            sum += (double)(s->n - k) * s->w[k] * s->u[k - j];
        s->slope[j] = 2 * s->x[j] / square - 2 * sum / all;
    }
}

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0;

    for (size_t i = 1; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* The inverse Hessian learns from one step: BFGS, symmetric in place. */
static void learn(struct search *s, const double *step, const double *change)
{
    double along = dot(step, change, s->band), through[FACTORISE_BAND_MAX] = {0}, curve;

    if (!(along > 1e-300))
        return;
    for (size_t i = 1; i < s->band; i++)
        through[i] = dot(s->inverse[i], change, s->band);
    curve = (1 + dot(change, through, s->band) / along) / along;
    for (size_t i = 1; i < s->band; i++)
        for (size_t j = 1; j < s->band; j++)
            s->inverse[i][j] +=
                curve * step[i] * step[j] - (through[i] * step[j] + step[i] * through[j]) / along;
}

/* One step downhill; 0 when there is none. */
static int descend(struct search *s)
{
    double step[FACTORISE_BAND_MAX] = {0}, next[FACTORISE_BAND_MAX] = {1},
           before[FACTORISE_BAND_MAX];
    double fall, length = 1;

    for (size_t i = 1; i < s->band; i++)
        step[i] = -dot(s->inverse[i], s->slope, s->band);
    fall = dot(step, s->slope, s->band);
    if (!(fall < 0) || sqrt(dot(s->slope, s->slope, s->band)) < FLAT)
        return 0;
    for (int halvings = 0; halvings < HALVINGS_MAX; halvings++, length /= 2) {
        double value;

        for (size_t i = 1; i < s->band; i++)
            next[i] = s->x[i] + length * step[i];
        value = value_at(s, next);
        if (value > s->value + ARMIJO * length * fall)
            continue;
        memcpy(before, s->slope, sizeof before);
        memcpy(s->x, next, sizeof next);
        s->value = value;
        find_slope(s);
        for (size_t i = 1; i < s->band; i++) {
            step[i] *= length;
            before[i] = s->slope[i] - before[i];
        }
        learn(s, step, before);
        return 1;
    }
    return 0;
}

/* From the square root of A, 1 / sqrt(1 - x), cut at the band. */
static void run(struct search *s)
{
    s->x[0] = 1;
    for (size_t j = 1; j < s->band; j++)
        s->x[j] = s->x[j - 1] * (2 * (double)j - 1) / (2 * (double)j);
    for (size_t j = 1; j < s->band; j++)
        s->inverse[j][j] = 1;
    s->value = value_at(s, s->x);
    find_slope(s);
    for (int i = 0; i < STEPS_MAX && descend(s); i++)
        ;
}

static void reals_of(double *c, const struct factorise *factor)
{
    for (size_t j = 0; j < factor->band; j++)
        c[j] = (double)factor->c[j] / (double)FACTORISE_ONE;
}

enum cn_err factorise_error(double *error, const struct factorise *factor, size_t rounds)
{
    double c[FACTORISE_BAND_MAX], *w;

    *error = INFINITY;
    if (rounds == 0 || rounds > FACTORISE_ROUNDS_MAX || factor->band == 0 ||
        factor->band > FACTORISE_BAND_MAX || factor->c[0] != FACTORISE_ONE)
        return CN_E_CONFIG;
    w = malloc(rounds * sizeof *w);
    if (!w)
        return CN_E_NOMEM;
    reals_of(c, factor);
    *error =
        sqrt(errors(w, c, rounds, factor->band) / (double)rounds * norm_square(c, factor->band));
    free(w);
    return CN_OK;
}

enum cn_err factorise_banded(struct factorise *factor, size_t rounds, size_t band)
{
    struct search *s;
    double c[FACTORISE_BAND_MAX];

    *factor = (struct factorise){0};
    if (rounds == 0 || rounds > FACTORISE_ROUNDS_MAX || band == 0 || band > FACTORISE_BAND_MAX)
        return CN_E_CONFIG;
    s = calloc(1, sizeof *s);
    if (!s)
        return CN_E_NOMEM;
    s->n = rounds;
    s->band = band < rounds ? band : rounds;
    s->w = malloc(2 * rounds * sizeof *s->w);
    if (!s->w) {
        free(s);
        return CN_E_NOMEM;
    }
    s->u = s->w + rounds;
    run(s);
    factor->band = band;
    factor->c[0] = FACTORISE_ONE;
    for (size_t j = 1; j < s->band; j++)
        factor->c[j] = llround(s->x[j] * (double)FACTORISE_ONE);
    free(s->w);
    free(s);
    reals_of(c, factor);
    factor->square = norm_square(c, band);
    return factorise_error(&factor->error, factor, rounds);
}
