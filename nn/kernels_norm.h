/* SPDX-License-Identifier: Apache-2.0 */
/* Normalising runs of channels: a part of kernels_body.h, which includes it. Sums in double, in
 * SUMS partial sums that are added in a fixed order. */

static void moments_fast(double out[2], const float *x, double centre, size_t n)
{
    double sums[SUMS] = {0.0}, squares[SUMS] = {0.0};
    size_t i = 0;

    for (; i + SUMS <= n; i += SUMS)
        for (size_t l = 0; l < SUMS; l++) {
            const double apart = (double)x[i + l] - centre;

            sums[l] += apart;
            squares[l] += apart * apart;
        }
    for (size_t l = 0; l < SUMS; l++) {
        out[0] += sums[l];
        out[1] += squares[l];
    }
    for (; i < n; i++) {
        const double apart = (double)x[i] - centre;

        out[0] += apart;
        out[1] += apart * apart;
    }
}

static void normalise_fast(float *restrict y, const float *restrict x, const float *restrict gain,
                           const float *restrict bias, const struct norm *norm, size_t n)
{
    const float mean = norm->mean, inverse = norm->inverse;

    if (bias)
        for (size_t i = 0; i < n; i++)
            y[i] = (x[i] - mean) * inverse * gain[i] + bias[i];
    else
        for (size_t i = 0; i < n; i++)
            y[i] = (x[i] - mean) * inverse * gain[i];
}

static void norm_dots_fast(double out[2], const float *dy, const float *x, const float *gain,
                           const struct norm *norm, size_t n)
{
    const float mean = norm->mean, inverse = norm->inverse;
    double sums[SUMS] = {0.0}, along[SUMS] = {0.0};
    size_t i = 0;

    for (; i + SUMS <= n; i += SUMS)
        for (size_t l = 0; l < SUMS; l++) {
            const float g = dy[i + l] * gain[i + l];

            sums[l] += (double)g;
            along[l] += (double)(g * ((x[i + l] - mean) * inverse));
        }
    for (size_t l = 0; l < SUMS; l++) {
        out[0] += sums[l];
        out[1] += along[l];
    }
    for (; i < n; i++) {
        const float g = dy[i] * gain[i];

        out[0] += (double)g;
        out[1] += (double)(g * ((x[i] - mean) * inverse));
    }
}

static void norm_back_fast(float *restrict dx, const float *restrict dy, const float *restrict x,
                           const float *restrict gain, const struct norm *norm, size_t n)
{
    const struct norm m = *norm;

    for (size_t i = 0; i < n; i++)
        dx[i] = m.inverse * (dy[i] * gain[i] - m.slope - (x[i] - m.mean) * m.inverse * m.along);
}

static void norm_slopes_fast(float *restrict gain, float *restrict bias, const float *restrict dy,
                             const float *restrict x, const struct norm *norm, size_t n)
{
    const float mean = norm->mean, inverse = norm->inverse;

    for (size_t i = 0; i < n; i++)
        gain[i] += dy[i] * (x[i] - mean) * inverse;
    for (size_t i = 0; bias && i < n; i++)
        bias[i] += dy[i];
}
