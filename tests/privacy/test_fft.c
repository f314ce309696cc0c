/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "privacy/fft.h"

static size_t reversed(size_t j, size_t n)
{
    size_t out = 0;

    for (size_t bit = 1; bit < n; bit *= 2, j /= 2)
        out = 2 * out + (j & 1);
    return out;
}

static double complex *noise(size_t n)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, n);
    double complex *z = malloc(n * sizeof *z);

    for (size_t i = 0; i < n; i++)
        z[i] = fft_complex(cn_random_unit(&random) - 0.5, cn_random_unit(&random) - 0.5);
    return z;
}

Test(fft, equals_the_sum_it_stands_for)
{
    for (size_t n = 4; n <= 256; n *= 2) {
        double complex *z = noise(n), *got = noise(n);
        struct fft *fft;

        cr_assert_eq(fft_new(&fft, n), CN_OK);
        fft_forward(fft, got);
        for (size_t j = 0; j < n; j++) {
            double complex want = 0;

            for (size_t k = 0; k < n; k++)
                want += z[k] * cexp(-2 * M_PI * I * (double)(j * k % n) / (double)n);
            cr_assert_lt(cabs(got[reversed(j, n)] - want), 1e-13 * (double)n);
            cr_assert_eq(fft_mirror(reversed(j, n)), reversed((n - j) % n, n));
        }
        fft_free(fft);
        free(z);
        free(got);
    }
}

Test(fft, comes_back_to_where_it_started)
{
    const size_t lengths[] = {8, 1024, 32768, 65536};

    for (size_t i = 0; i < 4; i++) {
        size_t n = lengths[i];
        double complex *z = noise(n), *got = noise(n);
        struct fft *fft;

        cr_assert_eq(fft_new(&fft, n), CN_OK);
        fft_forward(fft, got);
        fft_inverse(fft, got);
        for (size_t k = 0; k < n; k++)
            cr_assert_lt(cabs(got[k] / (double)n - z[k]), 1e-14);
        fft_free(fft);
        free(z);
        free(got);
    }
}

Test(fft, refuses_lengths_that_are_no_powers_of_two)
{
    const size_t bad[] = {0, 1, 2, 3, 12, 1000, 2 * FFT_LENGTH_MAX};
    struct fft *fft;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert_eq(fft_new(&fft, bad[i]), CN_E_CONFIG);
        cr_assert_null(fft);
    }
}
