/* SPDX-License-Identifier: Apache-2.0 */
/* With a = 1/2s - eps s and b = a - 1/s: e^eps phi(b) = phi(a), so by Mills' ratio
 * M(x) = Phi(-x) / phi(x), delta = phi(a) (M(-a) - M(-b)), in which no e^eps appears. */
#include "privacy/gaussian.h"

#include <math.h>
#include <stdbool.h>

#define HALF_LOG_2PI 0.91893853320467274178
#define ROUND_UP 1e-13

/* M(x) for x >= 0. */
static double mills(double x)
{
    double square, error, tail = x;

    if (x < 8) {
        square = 0.5 * x * x;
        error = fma(0.5 * x, x, -square); /* what rounding the square lost */
        return sqrt(M_PI / 2) * exp(square) * (1 + error) * erfc(x * M_SQRT1_2);
    }
    for (double k = 60; k >= 1; k--) /* Laplace's continued fraction */
        tail = x + k / tail;
    return 1 / tail;
}

static bool sigma_ok(double sigma)
{
    return sigma >= GAUSSIAN_SIGMA_MIN && sigma <= GAUSSIAN_SIGMA_MAX;
}

static double log_delta_at(double sigma, double epsilon)
{
    double a = 0.5 / sigma - epsilon * sigma, below = 0.5 / sigma + epsilon * sigma;
    double log_density = -0.5 * a * a - HALF_LOG_2PI;

    if (a <= 0)
        return log_density + log(mills(-a) - mills(below));
    return log(0.5 * erfc(-a * M_SQRT1_2) - exp(log_density) * mills(below));
}

enum cn_err gaussian_log_delta(double *log_delta, double sigma, double epsilon)
{
    *log_delta = 0;
    if (!sigma_ok(sigma) || !(epsilon >= 0) || isinf(epsilon))
        return CN_E_CONFIG;
    *log_delta = fmin(0, log_delta_at(sigma, epsilon));
    return CN_OK;
}

enum cn_err gaussian_epsilon(double *epsilon, double sigma, double delta)
{
    double low = 0, high, target;

    *epsilon = INFINITY;
    if (!sigma_ok(sigma) || !(delta > 0 && delta < 1))
        return CN_E_CONFIG;
    target = log(delta);
    if (log_delta_at(sigma, 0) <= target) {
        *epsilon = 0;
        return CN_OK;
    }
    high = 0.5 / (sigma * sigma) + sqrt(-2 * target) / sigma; /* the tail of the loss alone */
    for (int i = 0; i < 200 && high - low > high * 1e-15; i++) {
        double middle = 0.5 * (low + high);

        if (log_delta_at(sigma, middle) <= target)
            high = middle;
        else
            low = middle;
    }
    *epsilon = high * (1 + ROUND_UP);
    return CN_OK;
}

enum cn_err gaussian_sigma(double *sigma, double epsilon, double delta)
{
    double low = GAUSSIAN_SIGMA_MIN, high = GAUSSIAN_SIGMA_MAX, target = log(delta);

    *sigma = 0;
    if (!(epsilon >= 0) || isinf(epsilon) || !(delta > 0 && delta < 1))
        return CN_E_CONFIG;
    if (log_delta_at(high, epsilon) > target)
        return CN_E_BUDGET;
    while (high / low > 1 + 1e-14) {
        double middle = sqrt(low * high);

        if (log_delta_at(middle, epsilon) <= target)
            high = middle;
        else
            low = middle;
    }
    *sigma = high * (1 + ROUND_UP);
    return CN_OK;
}
