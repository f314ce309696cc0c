/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels for AVX2 with fused multiply-add: 16 registers of eight floats. */
#include "nn/kernels_internal.h"

#if defined(__x86_64__)
#define KERNELS_LANES 8
#define KERNELS_ROWS_1 12
#define KERNELS_ROWS_2 6
#define KERNELS_TABLE kernels_avx2
#define KERNELS_NAME "avx2"
#include "nn/kernels_body.h"
#endif
