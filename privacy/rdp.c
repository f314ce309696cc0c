/* SPDX-License-Identifier: Apache-2.0 */
/* The moments of the subsampled Gaussian's likelihood ratio, in logarithms.
 *
 * With Q = N(0, s^2), P = N(1, s^2), r = P / Q and u = q (r - 1), the RDP at order a is
 * ln E_Q[(1 + u)^a] / (a - 1). Because E_Q[u] = 0, what is computed is the excess
 *
 *     E_Q[(1 + u)^a] - 1 = E_Q[f(u)],   f(u) = (1 + u)^a - 1 - a u >= 0 :
 *
 * a sum or an integral of positive terms, so nothing cancels however small the rate is. Whole
 * orders expand it by the binomial theorem; the others integrate by the trapezoidal rule, which for
 * such analytic integrands errs by less than 1e-14 at the step chosen here. (The published series
 * for these orders alternates in sign and converges slowly; tests compare with its true value.) */
#include "privacy/rdp.h"

#include <math.h>

#define POINTS_MAX 65536.0
#define TAIL 12.0 /* standard deviations on either side; exp(-72) of the peak is beyond */
#define BIG 30.0  /* exp(-BIG) is below what a double adds to 1 */

/* The largest error of what is below, added so that the result is never under the truth. */
#define ROUND_UP (1.0 + 1e-11)

/* clang-format off */
const double rdp_orders[RDP_ORDERS] = {
    1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0, 2.1, 2.2, 2.3, 2.4, 2.5, 2.6, 2.7, 2.8,
    2.9, 3.0, 3.1, 3.2, 3.3, 3.4, 3.5, 3.6, 3.7, 3.8, 3.9, 4.0, 4.1, 4.2, 4.3, 4.4, 4.5, 4.6,
    4.7, 4.8, 4.9, 5.0, 5.1, 5.2, 5.3, 5.4, 5.5, 5.6, 5.7, 5.8, 5.9, 6.0, 6.1, 6.2, 6.3, 6.4,
    6.5, 6.6, 6.7, 6.8, 6.9, 7.0, 7.1, 7.2, 7.3, 7.4, 7.5, 7.6, 7.7, 7.8, 7.9, 8.0, 8.1, 8.2,
    8.3, 8.4, 8.5, 8.6, 8.7, 8.8, 8.9, 9.0, 9.1, 9.2, 9.3, 9.4, 9.5, 9.6, 9.7, 9.8, 9.9, 10.0,
    10.1, 10.2, 10.3, 10.4, 10.5, 10.6, 10.7, 10.8, 10.9,
    11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33,
    34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56,
    57, 58, 59, 60, 61, 62, 63, 128, 256, 512, 1024,
};
/* clang-format on */

static double log_add(double a, double b)
{
    double high = a > b ? a : b, low = a > b ? b : a;

    return high == -INFINITY ? high : high + log1p(exp(low - high));
}

/* ln(e^x - 1), x > 0 */
static double log_expm1(double x)
{
    return x > BIG ? x : log(expm1(x));
}

/* ln(1 + e^x) */
static double log1p_exp(double x)
{
    return x > BIG ? x : log1p(exp(x));
}

/* ln E_Q[(1 + u)^a] for a whole order: the excess is the sum over k >= 2 of
 * C(a, k) (1 - q)^(a - k) q^k (exp((k^2 - k) / (2 s^2)) - 1). */
static double log_moment_whole(double order, double q, double sigma)
{
    double log_q = log(q), log_rest = log1p(-q), log_choose = 0.0, total = -INFINITY;

    for (double k = 1; k <= order; k++) {
        double exponent = k * (k - 1) / (2 * sigma * sigma);

        log_choose += log((order - k + 1) / k);
        if (k < 2)
            continue;
        total =
            log_add(total, log_choose + (order - k) * log_rest + k * log_q + log_expm1(exponent));
    }
    return log1p_exp(total);
}

/* f(u) for small u by the binomial series from its second term on. */
static double excess_series(double u, double order)
{
    double term = order * (order - 1) / 2 * u * u, sum = 0;

    for (double k = 2; k < 40; k++) {
        sum += term;
        if (fabs(term) < 1e-18 * fabs(sum))
            break;
        term *= (order - k) / (k + 1) * u;
    }
    return sum;
}

/* ln f(u) where ln r = log_ratio. */
static double log_excess(double log_ratio, double order, double q)
{
    double log_power, u;

    if (log_ratio < BIG) {
        u = q * expm1(log_ratio);
        if (fabs(u) < 0.05 && fabs(order * u) < 0.5)
            return log(excess_series(u, order));
        log_power = order * log1p(u);
        if (log_power < BIG)
            return log(expm1(log_power) - order * u);
        return log_power + log1p(-(1 + order * u) * exp(-log_power));
    }
    /* u = q r within 1e-13 of itself, and 1 + u might be too large for a double */
    log_power = order * log_add(log1p(-q), log(q) + log_ratio);
    if (log_power < BIG)
        return log(expm1(log_power) - order * q * expm1(log_ratio));
    return log_power + log1p(-exp(-log_power) - exp(log(order * q) + log_ratio - log_power));
}

static double quadrature_step(double sigma)
{
    /* 1 + u has a zero at Im(x) = pi s^2; exp(-2 pi * pi s / step) is the error it causes */
    return 0.4 * sigma < 0.25 ? 0.4 * sigma : 0.25;
}

/* ln E_Q[(1 + u)^a] for any order, by the trapezoidal rule in t = x / s. All the mass lies between
 * the peaks of its terms, at t = 0 to a / s. */
static double log_moment_quadrature(double order, double q, double sigma)
{
    double step = quadrature_step(sigma), end = order / sigma + TAIL, total = -INFINITY;

    for (double i = 0; - TAIL + i * step <= end; i++) {
        double t = -TAIL + i * step;
        double log_ratio = t / sigma - 0.5 / (sigma * sigma);
        double log_value = log_excess(log_ratio, order, q) - 0.5 * t * t;

        if (!isnan(log_value)) /* f underflows to 0 at r = 1 exactly */
            total = log_add(total, log_value);
    }
    return log1p_exp(total + log(step) - 0.91893853320467274178 /* ln(2 pi) / 2 */);
}

/* The chord of the moment's logarithm, which is convex in the order and 0 at order 1. */
static double log_moment_chord(double order, double q, double sigma)
{
    double low = floor(order);
    double at_low = low > 1 ? log_moment_whole(low, q, sigma) : 0.0;

    return at_low + (order - low) * (log_moment_whole(low + 1, q, sigma) - at_low);
}

static enum cn_err prepare(double *rdp, double order, double q, double sigma)
{
    *rdp = INFINITY;
    if (!(order > 1 && order <= RDP_ORDER_MAX) || !(q >= 0 && q <= 1) ||
        !(sigma >= RDP_SIGMA_MIN && sigma <= RDP_SIGMA_MAX))
        return CN_E_CONFIG;
    return CN_OK;
}

enum cn_err rdp_gaussian(double *rdp, double order, double q, double sigma)
{
    double log_moment;

    CN_TRY(prepare(rdp, order, q, sigma));
    if (q == 0)
        log_moment = 0;
    else if (q == 1)
        log_moment = order * (order - 1) / (2 * sigma * sigma);
    else if (order == floor(order))
        log_moment = log_moment_whole(order, q, sigma);
    else if ((order / sigma + 2 * TAIL) / quadrature_step(sigma) <= POINTS_MAX)
        log_moment = log_moment_quadrature(order, q, sigma);
    else
        log_moment = log_moment_chord(order, q, sigma);
    *rdp = log_moment / (order - 1) * ROUND_UP;
    return CN_OK;
}

enum cn_err rdp_discrete_gaussian(double *rdp, double order, double q, double sigma)
{
    double low = floor(order), at_low = 0, at_high;

    CN_TRY(prepare(rdp, order, q, sigma));
    if (order == low)
        return rdp_gaussian(rdp, order, q, sigma);
    if (low > 1)
        CN_TRY(rdp_gaussian(&at_low, low, q, sigma));
    CN_TRY(rdp_gaussian(&at_high, low + 1, q, sigma));
    at_low *= low - 1; /* the chord is of (a - 1) * rdp */
    at_high *= low;
    *rdp = (at_low + (order - low) * (at_high - at_low)) / (order - 1) * ROUND_UP;
    return CN_OK;
}

enum cn_err rdp_epsilon(double *epsilon, double *order, const double *orders, const double *rdp,
                        size_t n, double delta)
{
    double best = INFINITY, best_order = 0;

    *epsilon = INFINITY;
    if (!(delta > 0 && delta < 1))
        return CN_E_CONFIG;
    for (size_t i = 0; i < n; i++) {
        double a = orders[i];
        double eps = rdp[i] + log1p(-1 / a) - (log(delta) + log(a)) / (a - 1);

        /* Bretagnolle and Huber: total variation <= sqrt(1 - exp(-rdp)), here at most delta */
        if (eps < 0 || -expm1(-rdp[i]) < delta * delta)
            eps = 0;
        if (eps < best) {
            best = eps;
            best_order = a;
        }
    }
    *epsilon = best;
    if (order)
        *order = best_order;
    return CN_OK;
}

enum cn_err rdp_delta(double *delta, double *order, const double *orders, const double *rdp,
                      size_t n, double epsilon)
{
    double best = 1, best_order = 0;

    *delta = 1;
    if (!(epsilon >= 0))
        return CN_E_CONFIG;
    for (size_t i = 0; i < n; i++) {
        double a = orders[i];
        double log_delta = (a - 1) * (rdp[i] - epsilon) - log(a - 1) + a * log1p(-1 / a);
        double value = fmin(exp(log_delta), sqrt(-expm1(-rdp[i])));

        if (value < best) {
            best = value;
            best_order = a;
        }
    }
    *delta = best;
    if (order)
        *order = best_order;
    return CN_OK;
}
