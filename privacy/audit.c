/* SPDX-License-Identifier: Apache-2.0 */
/* With q = e^eps / (1 + e^eps): beta = P[Bin(r, q) >= v], alpha = max over i = 1..v of
 * P[v > Bin(r, q) >= v - i] / i, p = beta + 2 m delta alpha. Probabilities are summed
 * from the largest that counts. */
#include "privacy/audit.h"

#include <math.h>
#include <stdbool.h>

#define EPSILON_MAX 100.0

static double log_choose(double n, double k)
{
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
}

static bool valid(const struct audit_result *r, double delta)
{
    return r->guesses >= 1 && r->correct <= r->guesses && r->guesses <= r->canaries &&
           r->canaries <= AUDIT_CANARIES_MAX && delta >= 0 && delta <= 1;
}

/* P[Bin(n, q) = k] */
static double mass(double n, double k, double epsilon)
{
    double log_right = -log1p(exp(-epsilon)), log_wrong = log_right - epsilon;

    return exp(log_choose(n, k) + k * log_right + (n - k) * log_wrong);
}

/* P[Bin(n, q) >= v], from the largest term that counts outward. */
static double upper_tail(double n, double v, double epsilon)
{
    double odds = exp(epsilon), start = fmax(v, fmin(n, floor((n + 1) / (1 + exp(-epsilon)))));
    double at = mass(n, start, epsilon), sum = at, term = at;

    for (double k = start; k < n && term > 0; k++) {
        term *= (n - k) / (k + 1) * odds;
        sum += term;
    }
    term = at;
    for (double k = start; k > v && term > 0; k--) {
        term *= k / ((n - k + 1) * odds);
        sum += term;
    }
    return sum;
}

static double p_value(const struct audit_result *result, double epsilon, double delta)
{
    double n = result->guesses, v = result->correct, alpha = 0, sum = 0;

    for (double k = v - 1, i = 1; delta > 0 && k >= 0 && sum < 1 - 1e-12; k--, i++) {
        sum += mass(n, k, epsilon);
        alpha = fmax(alpha, sum / i);
    }
    return fmin(1, upper_tail(n, v, epsilon) + 2 * result->canaries * delta * alpha);
}

enum cn_err audit_p_value(double *p, const struct audit_result *result, double epsilon,
                          double delta)
{
    *p = 1;
    if (!valid(result, delta) || !(epsilon >= 0 && epsilon <= EPSILON_MAX))
        return CN_E_CONFIG;
    *p = result->correct == 0 ? 1 : p_value(result, epsilon, delta);
    return CN_OK;
}

enum cn_err audit_epsilon(double *epsilon, const struct audit_result *result, double delta,
                          double significance)
{
    double low = 0, high = EPSILON_MAX;

    *epsilon = 0;
    if (!valid(result, delta) || !(significance > 0 && significance < 1))
        return CN_E_CONFIG;
    if (result->correct == 0 || p_value(result, 0, delta) >= significance)
        return CN_OK;
    while (high - low > 1e-9) {
        double middle = (low + high) / 2;

        if (p_value(result, middle, delta) < significance)
            low = middle;
        else
            high = middle;
    }
    *epsilon = low;
    return CN_OK;
}
