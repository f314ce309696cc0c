/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels for vectors of four floats: SSE2 on x86-64, NEON on 64-bit Arm. */
#include "nn/kernels_internal.h"

#define KERNELS_LANES 4
#define KERNELS_ROWS_1 8
#define KERNELS_ROWS_2 6
#define KERNELS_TABLE kernels_base
#if defined(__aarch64__)
#define KERNELS_NAME "neon"
#else
#define KERNELS_NAME "base"
#endif
#include "nn/kernels_body.h"
