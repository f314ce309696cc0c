/* SPDX-License-Identifier: Apache-2.0 */
/* The matrices of Winograd's convolutions (Lavin and Gray 2015), shared by all sets of kernels.
 *
 * Cook and Toom's way: m outputs of a filter of r taps from n = m + r - 1 inputs are products of
 * polynomials, taken at n points 0, p1, -p1, p2, -p2, ... and infinity. Row i of A [n, m] has the
 * powers of point i; of G [n, r] the powers over the product of its distances to the other points;
 * of B [n, n] the coefficients of the polynomial that is zero at all other points. Then
 * y = A^T ((G w) o (B x)). Rows of p and -p differ by the sign of odd columns, which the kernels
 * use. With n = 6 the points are 5/8 and 7/4, with n = 8 they are 1, 2 and 1/2: of the sets of
 * eighths from 3/8 to 5/2 that were tried those with the smallest mean error. A and B are exact in
 * floats. In the names: B6 has n = 6, A64 has n = 6 and m = 4, G85 has n = 8 and r = 5. */
#ifndef CAIRN_NN_WINOGRAD_MATRICES_H
#define CAIRN_NN_WINOGRAD_MATRICES_H

#define WINO_N_MAX 8

/* One row a line. */
/* clang-format off */

static const float WINO_B6[6 * 6] = {
    1.19628906f, 0.0f, -3.453125f, 0.0f, 1.0f, 0.0f,
    0.0f, -1.9140625f, -3.0625f, 0.625f, 1.0f, 0.0f,
    0.0f, 1.9140625f, -3.0625f, -0.625f, 1.0f, 0.0f,
    0.0f, -0.68359375f, -0.390625f, 1.75f, 1.0f, 0.0f,
    0.0f, 0.68359375f, -0.390625f, -1.75f, 1.0f, 0.0f,
    0.0f, 1.19628906f, 0.0f, -3.453125f, 0.0f, 1.0f,
};

static const float WINO_A64[6 * 4] = {
    1.0f, 0.0f, 0.0f, 0.0f,
    1.0f, 0.625f, 0.390625f, 0.244140625f,
    1.0f, -0.625f, 0.390625f, -0.244140625f,
    1.0f, 1.75f, 3.0625f, 5.359375f,
    1.0f, -1.75f, 3.0625f, -5.359375f,
    0.0f, 0.0f, 0.0f, 1.0f,
};

static const float WINO_G63[6 * 3] = {
    0.835918367f, 0.0f, 0.0f,
    -0.479064316f, -0.299415201f, -0.187134504f,
    -0.479064316f, 0.299415201f, -0.187134504f,
    0.0611051433f, 0.106934004f, 0.187134504f,
    0.0611051433f, -0.106934004f, 0.187134504f,
    0.0f, 0.0f, 1.0f,
};

static const float WINO_B8[8 * 8] = {
    -1.0f, 0.0f, 5.25f, 0.0f, -5.25f, 0.0f, 1.0f, 0.0f,
    0.0f, 1.0f, 1.0f, -4.25f, -4.25f, 1.0f, 1.0f, 0.0f,
    0.0f, -1.0f, 1.0f, 4.25f, -4.25f, -1.0f, 1.0f, 0.0f,
    0.0f, 0.5f, 0.25f, -2.5f, -1.25f, 2.0f, 1.0f, 0.0f,
    0.0f, -0.5f, 0.25f, 2.5f, -1.25f, -2.0f, 1.0f, 0.0f,
    0.0f, 2.0f, 4.0f, -2.5f, -5.0f, 0.5f, 1.0f, 0.0f,
    0.0f, -2.0f, 4.0f, 2.5f, -5.0f, -0.5f, 1.0f, 0.0f,
    0.0f, -1.0f, 0.0f, 5.25f, 0.0f, -5.25f, 0.0f, 1.0f,
};

static const float WINO_A84[8 * 4] = {
    1.0f, 0.0f, 0.0f, 0.0f,
    1.0f, 1.0f, 1.0f, 1.0f,
    1.0f, -1.0f, 1.0f, -1.0f,
    1.0f, 2.0f, 4.0f, 8.0f,
    1.0f, -2.0f, 4.0f, -8.0f,
    1.0f, 0.5f, 0.25f, 0.125f,
    1.0f, -0.5f, 0.25f, -0.125f,
    0.0f, 0.0f, 0.0f, 1.0f,
};

static const float WINO_G85[8 * 5] = {
    -1.0f, 0.0f, 0.0f, 0.0f, 0.0f,
    -0.222222224f, -0.222222224f, -0.222222224f, -0.222222224f, -0.222222224f,
    -0.222222224f, 0.222222224f, -0.222222224f, 0.222222224f, -0.222222224f,
    0.0111111114f, 0.0222222228f, 0.0444444455f, 0.088888891f, 0.177777782f,
    0.0111111114f, -0.0222222228f, 0.0444444455f, -0.088888891f, 0.177777782f,
    0.711111128f, 0.355555564f, 0.177777782f, 0.088888891f, 0.0444444455f,
    0.711111128f, -0.355555564f, 0.177777782f, -0.088888891f, 0.0444444455f,
    0.0f, 0.0f, 0.0f, 0.0f, 1.0f,
};

/* clang-format on */

#endif
