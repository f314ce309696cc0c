/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels for vectors of four floats: SSE2 on x86-64, NEON on 64-bit Arm. */
#include "nn/kernels_internal.h"

#define KERNELS_LANES 4
#define KERNELS_ROWS_1 8
#define KERNELS_ROWS_2 6
#define KERNELS_TABLE kernels_base
#define KERNELS_NAME "base"
#include "nn/kernels_body.h"
