/* SPDX-License-Identifier: Apache-2.0 */
#include "privacy/adaptive.h"

#include <math.h>

enum cn_err adaptive_noise(double *z_delta, double z, double sigma)
{
    *z_delta = INFINITY;
    if (!(z > 0) || !(z < 2 * sigma) || !isfinite(sigma))
        return CN_E_CONFIG;
    *z_delta = 1 / sqrt(1 / (z * z) - 1 / (4 * sigma * sigma));
    return CN_OK;
}

enum cn_err adaptive_rider(double *rider, double z, double sigma)
{
    double z_delta;

    *rider = 0;
    CN_TRY(adaptive_noise(&z_delta, z, sigma));
    *rider = z_delta / sigma;
    return CN_OK;
}

double adaptive_bit(double rider, bool within)
{
    return within ? rider / 2 : -rider / 2;
}

enum cn_err adaptive_next(double *next, double clip, const struct adaptive *adaptive, double rider,
                          double sum, uint32_t devices)
{
    double share;

    *next = clip;
    if (!(adaptive->quantile > 0 && adaptive->quantile < 1) ||
        !(adaptive->rate > 0 && adaptive->rate <= 1) || !(rider > 0) || !isfinite(sum) ||
        devices == 0 || !(clip >= ADAPTIVE_CLIP_MIN && clip <= ADAPTIVE_CLIP_MAX))
        return CN_E_CONFIG;
    share = fmin(fmax(sum / rider / devices + 0.5, 0), 1);
    clip *= exp(-adaptive->rate * (share - adaptive->quantile));
    *next = fmin(fmax(clip, ADAPTIVE_CLIP_MIN), ADAPTIVE_CLIP_MAX);
    return CN_OK;
}
