/* SPDX-License-Identifier: Apache-2.0 */
/* What the two ways of planning a graph share. */
#ifndef CAIRN_CRYPTO_GRAPH_INTERNAL_H
#define CAIRN_CRYPTO_GRAPH_INTERNAL_H

#include "crypto/graph.h"

#define GRAPH_PERMILLE_MAX 1000u

/* CN_E_CONFIG when a field is out of its range. */
enum cn_err graph_demand_check(const struct graph_demand *demand);

/* So many of a thousand, rounded down. */
static inline uint32_t graph_part_of(uint32_t devices, uint32_t permille)
{
    return (uint32_t)((uint64_t)devices * permille / GRAPH_PERMILLE_MAX);
}

#endif
