/* SPDX-License-Identifier: Apache-2.0 */
/* How often something has been seen: a hash table of 32-byte values of several kinds, for rosters
 * in the making. Keyed, so that nobody chooses values that collide. Only grows. */
#ifndef CAIRN_CRYPTO_SEEN_H
#define CAIRN_CRYPTO_SEEN_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SEEN_BYTES 32

struct seen_item {
    uint8_t bytes[SEEN_BYTES];
    uint32_t kind;  /* the caller's, at least 1 */
    uint32_t count; /* the caller's */
    uint32_t limit; /* the caller's */
};

struct seen {
    struct seen_item *items; /* [room], kind 0: free */
    size_t count;
    size_t room; /* a power of two, or 0 */
    uint8_t key[16];
};

/* The item, or NULL. */
struct seen_item *seen_get(const struct seen *seen, uint32_t kind, const uint8_t bytes[SEEN_BYTES]);

/* Makes room for so many more items, which then can not fail. A zeroed table is an empty one.
 * CN_E_NOMEM; items move. */
enum cn_err seen_reserve(struct seen *seen, size_t more);

/* The item, made with count and limit 0 when it was not there. Room has been reserved (asserted).
 */
struct seen_item *seen_put(struct seen *seen, uint32_t kind, const uint8_t bytes[SEEN_BYTES]);

/* Frees; an empty table is allowed. */
void seen_clear(struct seen *seen);

#endif
