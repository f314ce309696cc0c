/* SPDX-License-Identifier: Apache-2.0 */
/* The sets of fast kernels, each in a file that is compiled for its instructions. */
#ifndef CAIRN_NN_KERNELS_INTERNAL_H
#define CAIRN_NN_KERNELS_INTERNAL_H

#include "nn/kernels.h"

extern const struct kernels kernels_base; /* what every processor of the architecture has */

#if defined(__x86_64__)
extern const struct kernels kernels_avx2;   /* AVX2 and FMA */
extern const struct kernels kernels_avx512; /* AVX-512F */
#endif

#endif
