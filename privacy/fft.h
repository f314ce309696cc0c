/* SPDX-License-Identifier: Apache-2.0 */
/* The discrete Fourier transform of a power-of-two length, in double, for convolutions.
 *
 * The spectrum comes in bit-reversed order, which convolutions do not mind and which saves two
 * permutations. Two real sequences travel as one complex one, a + i b; fft_mirror finds the partner
 * of each bin that separates them again. Errors are about 2^-52 log2(n) of the largest value that
 * can arise (the sum of absolute values). */
#ifndef CAIRN_PRIVACY_FFT_H
#define CAIRN_PRIVACY_FFT_H

#include <complex.h>
#include <stddef.h>

#include "base/err.h"

#define FFT_LENGTH_MAX ((size_t)1 << 24)

/* C11's CMPLX, which clang does not have with every C library. */
static inline double complex fft_complex(double real, double imaginary)
{
    return __builtin_complex(real, imaginary);
}

struct fft; /* the roots of unity for one length */

/* Makes the plan for length n, a power of two from 4 to FFT_LENGTH_MAX; the caller owns it.
 * CN_E_CONFIG, CN_E_NOMEM. */
enum cn_err fft_new(struct fft **fft, size_t n);

void fft_free(struct fft *fft);

/* Transforms z [n] in place: z[place of bin j] = sum over k of z[k] exp(-2 pi i j k / n), where the
 * place of bin j is j with its bits reversed. */
void fft_forward(const struct fft *fft, double complex *z);

/* Undoes fft_forward up to the factor n, which is not divided out. */
void fft_inverse(const struct fft *fft, double complex *z);

/* The place of bin n - j, given the place of bin j; bins 0 and n / 2, at places 0 and 1, are their
 * own partners. With A and B the spectra of real a and b, and Z that of a + i b:
 * A_j = (Z_j + conj Z_(n-j)) / 2, B_j = (Z_j - conj Z_(n-j)) / 2i. */
size_t fft_mirror(size_t place);

#endif
