/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels for AVX-512: 32 registers of sixteen floats. */
#include "nn/kernels_internal.h"

#if defined(__x86_64__)
#define KERNELS_LANES 16
#define KERNELS_ROWS_1 16
#define KERNELS_ROWS_2 12
#define KERNELS_TABLE kernels_avx512
#define KERNELS_NAME "avx512"
#include "nn/kernels_body.h"
#endif
