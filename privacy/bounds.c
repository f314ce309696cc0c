/* SPDX-License-Identifier: Apache-2.0 */
/* The formulas of the papers named in the header, in an order of evaluation that cancels nothing.
 */
#include "privacy/bounds.h"

#include <math.h>
#include <stdbool.h>

#include "privacy/rdp.h"

#define ROUND_UP (1.0 + 1e-13)
#define GOLDEN 0.61803398874989484820
#define SIGMA2_MAX 0x1p24

static bool positive(double x)
{
    return x > 0 && isfinite(x);
}

static bool order_ok(double order)
{
    return order > 1 && isfinite(order);
}

enum cn_err bounds_laplace_rdp(double *rdp, double order, double scale)
{
    double high, low, sum;

    *rdp = INFINITY;
    if (!order_ok(order) || !positive(scale))
        return CN_E_CONFIG;
    /* ln of a / (2a - 1) e^((a - 1) / b) + (a - 1) / (2a - 1) e^(-a / b), around its first term */
    high = (order - 1) / scale;
    low = -(2 * order - 1) / scale;
    sum = high + log1p((order - 1) / (2 * order - 1) * expm1(low));
    *rdp = fmin(fmax(sum, 0) / (order - 1) * ROUND_UP, 1 / scale);
    return CN_OK;
}

enum cn_err bounds_laplace_epsilon(double *epsilon, double scale, double delta)
{
    *epsilon = INFINITY;
    if (!positive(scale) || !(delta >= 0 && delta < 1))
        return CN_E_CONFIG;
    *epsilon = fmax(0, 1 / scale + 2 * log1p(-delta));
    return CN_OK;
}

enum cn_err bounds_skellam_rdp(double *rdp, double order, const struct bounds_skellam *skellam)
{
    double l2 = skellam->l2 * skellam->l2, mu = skellam->variance;

    *rdp = INFINITY;
    if (!order_ok(order) || !positive(skellam->l2) || !positive(skellam->l1) || !positive(mu))
        return CN_E_CONFIG;
    *rdp = order * l2 / (2 * mu) + fmin(((2 * order - 1) * l2 + 6 * skellam->l1) / (4 * mu * mu),
                                        3 * skellam->l1 / (2 * mu));
    *rdp *= ROUND_UP;
    return CN_OK;
}

enum cn_err bounds_distributed_sensitivity(struct bounds_sensitivity *out,
                                           const struct bounds_distributed *m)
{
    double c = m->scale * m->clip, root = sqrt((double)m->dim), square;

    *out = (struct bounds_sensitivity){INFINITY, INFINITY, INFINITY};
    if (m->devices == 0 || m->dim == 0 || !positive(m->clip) || !positive(m->scale) ||
        !(m->beta >= 0 && m->beta < 1) || !(m->sigma >= 0.5) || !isfinite(m->sigma))
        return CN_E_CONFIG;
    square = (c + root) * (c + root);
    if (m->beta > 0)
        square = fmin(square, c * c + m->dim / 4.0 + sqrt(-2 * log(m->beta)) * (c + root / 2));
    out->l2 = sqrt(square);
    out->l1 = out->l2 * fmin(root, out->l2);
    out->tau = 0;
    for (double k = 1; k < m->devices; k++) {
        double term = 10 * exp(-2 * M_PI * M_PI * m->sigma * m->sigma * (k / (k + 1)));

        out->tau += term;
        if (k > 1e6 && term * (m->devices - k) < 1e-300)
            break;
    }
    return CN_OK;
}

/* The three bounds of proposition 14 as a / 2 times: (l2^2) + tau d beside, .., .. */
static enum cn_err parts(double bound[3], double *beside, const struct bounds_distributed *m)
{
    struct bounds_sensitivity s;
    double l2, l1, root = sqrt((double)m->dim), noise;

    CN_TRY(bounds_distributed_sensitivity(&s, m));
    noise = sqrt((double)m->devices) * m->sigma;
    l2 = s.l2 / noise;
    l1 = s.l1 / noise;
    bound[0] = l2 * l2;
    bound[1] = l2 * l2 + 2 * l1 * s.tau + s.tau * s.tau * m->dim;
    bound[2] = (l2 + root * s.tau) * (l2 + root * s.tau);
    *beside = s.tau * m->dim;
    return CN_OK;
}

enum cn_err bounds_distributed_rdp(double *rdp, double order, const struct bounds_distributed *m)
{
    double bound[3], beside;

    *rdp = INFINITY;
    if (!order_ok(order))
        return CN_E_CONFIG;
    CN_TRY(parts(bound, &beside, m));
    *rdp = fmin(order / 2 * bound[0] + beside, order / 2 * fmin(bound[1], bound[2])) * ROUND_UP;
    return CN_OK;
}

enum cn_err bounds_distributed_zcdp(double *rho, const struct bounds_distributed *m)
{
    double bound[3], beside;

    *rho = INFINITY;
    CN_TRY(parts(bound, &beside, m));
    *rho = fmin(bound[0] / 2 + beside, fmin(bound[1], bound[2]) / 2) * ROUND_UP;
    return CN_OK;
}

struct curve {
    bounds_rdp rdp;
    const void *ctx;
    double steps;
    bool for_delta;
    double value; /* delta, or epsilon with for_delta */
};

static enum cn_err at(double *out, const struct curve *curve, double log_excess)
{
    double order = 1 + exp(log_excess), rdp;

    CN_TRY(curve->rdp(&rdp, order, curve->ctx));
    rdp = curve->steps > 0 ? rdp * curve->steps : 0;
    return curve->for_delta ? rdp_delta(out, NULL, &order, &rdp, 1, curve->value)
                            : rdp_epsilon(out, NULL, &order, &rdp, 1, curve->value);
}

/* Any order proves its bound, so where the search ends decides how good it is, not whether it
 * holds. */
static enum cn_err best_order(double *out, double *order, const struct curve *given)
{
    const struct curve curve = *given;
    double low, high, best = INFINITY, middle = 0, value;

    for (double x = -12; x <= 18; x += 0.25) {
        CN_TRY(at(&value, &curve, x));
        if (value < best) {
            best = value;
            middle = x;
        }
    }
    low = middle - 0.25;
    high = middle + 0.25;
    while (high - low > 1e-7) {
        double a = high - GOLDEN * (high - low), b = low + GOLDEN * (high - low), fa, fb;

        CN_TRY(at(&fa, &curve, a));
        CN_TRY(at(&fb, &curve, b));
        if (fa < fb)
            high = b;
        else
            low = a;
    }
    CN_TRY(at(&value, &curve, (low + high) / 2));
    *out = fmin(best, value) * ROUND_UP;
    if (order)
        *order = 1 + exp(value < best ? (low + high) / 2 : middle);
    return CN_OK;
}

enum cn_err bounds_rdp_epsilon(double *epsilon, double *order, bounds_rdp rdp, const void *ctx,
                               double steps, double delta)
{
    *epsilon = INFINITY;
    if (!(delta > 0 && delta < 1) || !(steps >= 0))
        return CN_E_CONFIG;
    return best_order(epsilon, order, &(struct curve){rdp, ctx, steps, false, delta});
}

enum cn_err bounds_rdp_delta(double *delta, double *order, bounds_rdp rdp, const void *ctx,
                             double steps, double epsilon)
{
    *delta = 1;
    if (!(epsilon >= 0) || isinf(epsilon) || !(steps >= 0))
        return CN_E_CONFIG;
    CN_TRY(best_order(delta, order, &(struct curve){rdp, ctx, steps, true, epsilon}));
    *delta = fmin(*delta, 1);
    return CN_OK;
}

static enum cn_err zcdp_rdp(double *rdp, double order, const void *ctx)
{
    *rdp = *(const double *)ctx * order;
    return CN_OK;
}

enum cn_err bounds_zcdp_epsilon(double *epsilon, double rho, double delta)
{
    *epsilon = INFINITY;
    if (!(rho >= 0) || !isfinite(rho))
        return CN_E_CONFIG;
    return bounds_rdp_epsilon(epsilon, NULL, zcdp_rdp, &rho, 1, delta);
}

/* Sum over all whole x of x^power exp(-x^2 / (2 sigma2)), power 0 or 2, smallest terms first. */
static double theta(double sigma2, bool square)
{
    double sum = 0;

    for (double x = ceil(sqrt(sigma2) * 40) + 2; x >= 1; x--)
        sum += 2 * (square ? x * x : 1) * exp(-x * x / (2 * sigma2));
    return square ? sum : sum + 1;
}

enum cn_err bounds_discrete_variance(double *variance, double sigma2)
{
    *variance = 0;
    if (!(sigma2 > 0 && sigma2 <= SIGMA2_MAX))
        return CN_E_CONFIG;
    *variance = theta(sigma2, true) / theta(sigma2, false);
    return CN_OK;
}

/* The sum over x with loss above epsilon of P(x) (1 - e^(epsilon - loss)), P centred at 0:
 * loss = s (2 x + s) / (2 sigma2). */
enum cn_err bounds_discrete_delta(double *delta, double sigma2, uint32_t sensitivity,
                                  double epsilon)
{
    double s = sensitivity, sigma = sqrt(sigma2), sum = 0, first, last;

    *delta = 1;
    if (!(sigma2 > 0 && sigma2 <= SIGMA2_MAX) || sensitivity == 0 || !(epsilon >= 0) ||
        isinf(epsilon))
        return CN_E_CONFIG;
    first = fmax(floor(epsilon * sigma2 / s - s / 2), -ceil(40 * sigma) - 2);
    last = fmax(first, 0) + ceil(40 * sigma) + 4;
    for (double x = last; x >= first; x--) {
        double above = s * (2 * x + s) / (2 * sigma2) - epsilon;

        if (above > 0)
            sum += exp(-x * x / (2 * sigma2)) * -expm1(-above);
    }
    *delta = fmin(1, sum / theta(sigma2, false) * ROUND_UP);
    return CN_OK;
}
