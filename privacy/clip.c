/* SPDX-License-Identifier: Apache-2.0 */
/* Clipping by the L2 norm, summed in double in a fixed order of eight partial sums. */
#include "privacy/clip.h"

#include <math.h>

double clip_l2_norm(const float *v, size_t d)
{
    double part[8] = {0};
    size_t i = 0;

    for (; i + 8 <= d; i += 8)
        for (size_t j = 0; j < 8; j++)
            part[j] += (double)v[i + j] * (double)v[i + j];
    for (; i < d; i++)
        part[i % 8] += (double)v[i] * (double)v[i];
    for (size_t width = 4; width; width /= 2)
        for (size_t j = 0; j < width; j++)
            part[j] += part[j + width];
    return sqrt(part[0]); /* squares of floats stay below 2^256: no overflow in double */
}

enum cn_err clip_l2(float *v, size_t d, double bound, double *norm)
{
    double length;

    if (!(bound > 0) || !isfinite(bound))
        return CN_E_CONFIG;
    length = clip_l2_norm(v, d);
    if (!isfinite(length))
        return CN_E_DIVERGED;
    if (length > bound) {
        double factor = bound / length;

        for (size_t i = 0; i < d; i++)
            v[i] = (float)((double)v[i] * factor);
    }
    if (norm)
        *norm = length;
    return CN_OK;
}
