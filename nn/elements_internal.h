/* SPDX-License-Identifier: Apache-2.0 */
/* The sets of elements, each in a file that is compiled for its instructions. */
#ifndef CAIRN_NN_ELEMENTS_INTERNAL_H
#define CAIRN_NN_ELEMENTS_INTERNAL_H

#include "nn/elements.h"

extern const struct elements elements_base; /* what every processor of the architecture has */

#if defined(__x86_64__)
extern const struct elements elements_avx2;   /* AVX2 and FMA */
extern const struct elements elements_avx512; /* AVX-512F */
#endif

#endif
