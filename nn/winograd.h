/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions of 3x3 and 5x5 with a quarter or less of the multiplications.
 *
 * Winograd's way (Lavin and Gray 2015): outputs are cut into tiles of 4x4; the n x n inputs under a
 * tile, the filter and the outputs have transforms in which the convolution is a product per place,
 * so all tiles together are n * n small matrix products over channels. Gradients are the exact
 * transposes of the same steps. Relative error: 6e-7 (n = 6) and 2e-6 (n = 8) of the outputs' mean
 * size, where adding up directly has 2e-7; tests hold it under 2e-5.
 *
 * Weights here are [ky, kx, C, F]; x [height, width, C] and y [height, width, F] are channels-last.
 */
#ifndef CAIRN_NN_WINOGRAD_H
#define CAIRN_NN_WINOGRAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nn/kernels.h"

struct winograd {
    struct window window;
    uint32_t filters;
    uint32_t n; /* places of a tile's inputs along one side; of its outputs there are four */
    enum wino_matrix a, b, g;
    uint32_t rows, columns; /* of tiles */
    uint32_t together;      /* examples whose tiles go through one product */
};

/* Whether the convolution has this way and gains by it: windows of 3x3 or 5x5 that move by one, C
 * and F multiples of 16, not too many weights, and few places of tiles outside the image. Fills
 * *out if so. */
bool winograd_plan(struct winograd *out, const struct window *window, uint32_t filters);

/* Floats of packed weights, and of scratch for any one call. */
size_t winograd_packed(const struct winograd *wino);
size_t winograd_scratch(const struct winograd *wino);

/* Packs weights [ky, kx, C, F] for winograd_forward. */
void winograd_pack(const struct winograd *wino, const struct kernels *kernels, float *packed,
                   const float *weights);

/* Packs weights [F, ky, kx, C] for winograd_backward. */
void winograd_pack_back(const struct winograd *wino, const struct kernels *kernels, float *packed,
                        const float *weights);

/* y = convolution of x + bias, for n examples. */
void winograd_forward(const struct winograd *wino, const struct kernels *kernels, float *y,
                      const float *x, const float *packed, const float *bias, uint32_t n,
                      float *scratch);

/* dx from dy, for n examples. */
void winograd_backward(const struct winograd *wino, const struct kernels *kernels, float *dx,
                       const float *dy, const float *packed_back, uint32_t n, float *scratch);

/* Writes, or with add adds, the sum of the weights' gradients of n examples to out [ky, kx, C, F].
 */
void winograd_gradient(const struct winograd *wino, const struct kernels *kernels, float *out,
                       const float *x, const float *dy, uint32_t n, bool add, float *scratch);

#endif
