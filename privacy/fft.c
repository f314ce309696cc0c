/* SPDX-License-Identifier: Apache-2.0 */
/* Radix four where possible, depth first: each quarter is finished while it is in the cache.
 * Decimation in frequency forward, in time backward, so neither needs a permutation. */
#include "privacy/fft.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

/* The same operations in the same order on wider registers: the results are the same everywhere. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__) &&   \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define WIDE __attribute__((target_clones("default", "avx2"), optimize("O3")))
#else
#define WIDE
#endif

struct fft {
    size_t n;
    double complex
        root[]; /* for each length n, n/4, n/16 .. > 2: exp(-2 pi i k / length), k < length/4 */
};

enum cn_err fft_new(struct fft **out, size_t n)
{
    struct fft *fft;
    size_t at = 0;

    *out = NULL;
    if (n < 4 || n > FFT_LENGTH_MAX || (n & (n - 1)))
        return CN_E_CONFIG;
    fft = malloc(sizeof *fft + n / 2 * sizeof fft->root[0]); /* n/4 + n/16 + .. < n/2 */
    if (!fft)
        return CN_E_NOMEM;
    fft->n = n;
    for (size_t k = 0; k < n / 4; k++) {
        double angle = -2 * M_PI * (double)k / (double)n;

        fft->root[at++] = fft_complex(cos(angle), sin(angle));
    }
    for (size_t length = n / 4, step = 4; length > 2; length /= 4, step *= 4)
        for (size_t k = 0; k < length / 4; k++)
            fft->root[at++] = fft->root[k * step];
    *out = fft;
    return CN_OK;
}

void fft_free(struct fft *fft)
{
    free(fft);
}

/* Products written out: C's own multiplication looks for infinities. */
static inline double complex times(double complex a, double complex b)
{
    return fft_complex(creal(a) * creal(b) - cimag(a) * cimag(b),
                       creal(a) * cimag(b) + cimag(a) * creal(b));
}

static inline double complex times_i(double complex a)
{
    return fft_complex(-cimag(a), creal(a));
}

/* The last bit of a place is the first decision of a bin: quarters are bins 0, 2, 1, 3 mod 4. */
WIDE static void forward(double complex *z, size_t n, const double complex *root)
{
    size_t quarter = n / 4;

    if (n == 2) {
        double complex a = z[0], b = z[1];

        z[0] = a + b;
        z[1] = a - b;
    }
    if (n <= 2)
        return;
    for (size_t k = 0; k < quarter; k++) {
        double complex w1 = root[k], w2 = times(w1, w1), w3 = times(w1, w2);
        double complex a = z[k], b = z[k + quarter], c = z[k + 2 * quarter], d = z[k + 3 * quarter];
        double complex sum = a + c, other = b + d, left = a - c, right = times_i(b - d);

        z[k] = sum + other;
        z[k + quarter] = times(sum - other, w2);
        z[k + 2 * quarter] = times(left - right, w1);
        z[k + 3 * quarter] = times(left + right, w3);
    }
    for (size_t part = 0; part < 4; part++)
        forward(z + part * quarter, quarter, root + quarter);
}

WIDE static void inverse(double complex *z, size_t n, const double complex *root)
{
    size_t quarter = n / 4;

    if (n == 2) {
        double complex a = z[0], b = z[1];

        z[0] = a + b;
        z[1] = a - b;
    }
    if (n <= 2)
        return;
    for (size_t part = 0; part < 4; part++)
        inverse(z + part * quarter, quarter, root + quarter);
    for (size_t k = 0; k < quarter; k++) {
        double complex w1 = conj(root[k]), w2 = times(w1, w1), w3 = times(w1, w2);
        double complex a = z[k], b = times(z[k + quarter], w2);
        double complex c = times(z[k + 2 * quarter], w1), d = times(z[k + 3 * quarter], w3);
        double complex sum = a + b, other = c + d, left = a - b, right = times_i(c - d);

        z[k] = sum + other;
        z[k + quarter] = left + right;
        z[k + 2 * quarter] = sum - other;
        z[k + 3 * quarter] = left - right;
    }
}

void fft_forward(const struct fft *fft, double complex *z)
{
    forward(z, fft->n, fft->root);
}

void fft_inverse(const struct fft *fft, double complex *z)
{
    inverse(z, fft->n, fft->root);
}

/* Among places with the same highest bit, negating a bin reverses the order. */
size_t fft_mirror(size_t place)
{
    size_t high;

    if (place < 2)
        return place;
    high = (size_t)1 << (63 - __builtin_clzll(place));
    return 3 * high - 1 - place;
}
