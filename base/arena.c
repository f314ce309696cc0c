/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks in a list, newest first; a request that does not fit the newest block opens another. */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_MIN_BYTES ((size_t)64 * 1024)

struct cn_arena_block {
    struct cn_arena_block *next;
    size_t size_bytes; /* usable bytes behind the header */
    size_t used_bytes;
};

/* The header fills whole cache lines so that what follows it is aligned. */
#define HEADER_BYTES CN_ARENA_ALIGN
_Static_assert(sizeof(struct cn_arena_block) <= HEADER_BYTES, "the header fits its line");

void cn_arena_init(struct cn_arena *arena, size_t max_bytes)
{
    *arena = (struct cn_arena){.max_bytes = max_bytes};
}

static struct cn_arena_block *block_new(size_t need_bytes)
{
    size_t size = need_bytes < BLOCK_MIN_BYTES ? BLOCK_MIN_BYTES : need_bytes;
    struct cn_arena_block *block = aligned_alloc(CN_ARENA_ALIGN, HEADER_BYTES + size);

    if (block)
        *block = (struct cn_arena_block){.size_bytes = size};
    return block;
}

void *cn_arena_alloc(struct cn_arena *arena, size_t count, size_t size)
{
    struct cn_arena_block *block = arena->head;
    size_t bytes;
    unsigned char *out;

    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2)
        return NULL;
    bytes = (bytes + CN_ARENA_ALIGN - 1) & ~(size_t)(CN_ARENA_ALIGN - 1);
    if (bytes == 0)
        bytes = CN_ARENA_ALIGN;
    if (bytes > arena->max_bytes - arena->used_bytes)
        return NULL;
    if (!block || bytes > block->size_bytes - block->used_bytes) {
        block = block_new(bytes);
        if (!block)
            return NULL;
        block->next = arena->head;
        arena->head = block;
    }
    out = (unsigned char *)block + HEADER_BYTES + block->used_bytes;
    block->used_bytes += bytes;
    arena->used_bytes += bytes;
    memset(out, 0, bytes);
    return out;
}

char *cn_arena_strdup(struct cn_arena *arena, const char *text)
{
    size_t len = strlen(text) + 1;
    char *copy = cn_arena_alloc(arena, len, 1);

    if (copy)
        memcpy(copy, text, len);
    return copy;
}

void cn_arena_clear(struct cn_arena *arena)
{
    struct cn_arena_block *block = arena->head;

    while (block) {
        struct cn_arena_block *next = block->next;
        free(block);
        block = next;
    }
    cn_arena_init(arena, arena->max_bytes);
}
