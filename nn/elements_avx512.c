/* SPDX-License-Identifier: Apache-2.0 */
/* The elements for AVX-512. */
#include "nn/elements_internal.h"

#if defined(__x86_64__)
#define ELEMENTS_TABLE elements_avx512
#define ELEMENTS_NAME "avx512"
#include "nn/elements_body.h"
#endif
