/* SPDX-License-Identifier: Apache-2.0 */
/* The elements for AVX2. */
#include "nn/elements_internal.h"

#if defined(__x86_64__)
#define ELEMENTS_TABLE elements_avx2
#define ELEMENTS_NAME "avx2"
#include "nn/elements_body.h"
#endif
