/* SPDX-License-Identifier: Apache-2.0 */
/* An arena: allocations that live together and die together, under one maximum.
 *
 * One per round and one per training run. Not for secrets: those live in sodium_malloc blocks. */
#ifndef CAIRN_BASE_ARENA_H
#define CAIRN_BASE_ARENA_H

#include <stddef.h>

#include "base/err.h"

#define CN_ARENA_ALIGN 64 /* every allocation starts a cache line, which SIMD kernels want too */

struct cn_arena_block;

struct cn_arena {
    struct cn_arena_block *head;
    size_t used_bytes; /* over all blocks, padding included */
    size_t max_bytes;
};

/* Makes an empty arena that refuses to hold more than max_bytes. Allocates nothing yet. */
void cn_arena_init(struct cn_arena *arena, size_t max_bytes);

/* Gives count * size zeroed bytes aligned to CN_ARENA_ALIGN, valid until cn_arena_clear.
 * NULL when the product overflows, the maximum would be passed or memory is short; a count or size
 * of zero gives a valid pointer to nothing. */
void *cn_arena_alloc(struct cn_arena *arena, size_t count, size_t size);

/* Copies a string; NULL as above. */
char *cn_arena_strdup(struct cn_arena *arena, const char *text);

/* Frees everything; the arena can be used again. */
void cn_arena_clear(struct cn_arena *arena);

#endif
