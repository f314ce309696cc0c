/* SPDX-License-Identifier: Apache-2.0 */
/* The elements for what every processor of the architecture has. */
#include "nn/elements_internal.h"

#define ELEMENTS_TABLE elements_base
#define ELEMENTS_NAME "base"
#include "nn/elements_body.h"
