/* SPDX-License-Identifier: Apache-2.0 */
/* Linear probing in a table at most half full; see seen.h. */
#include "crypto/seen.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#define ROOM_MIN 64

_Static_assert(sizeof((struct seen){0}.key) == crypto_shorthash_KEYBYTES, "the key of SipHash");

/* The item's place, or the free one where it would go. */
static struct seen_item *place_of(const struct seen *seen, uint32_t kind,
                                  const uint8_t bytes[SEEN_BYTES])
{
    uint8_t what[sizeof kind + SEEN_BYTES], digest[crypto_shorthash_BYTES];
    uint64_t at;

    memcpy(what, &kind, sizeof kind);
    memcpy(what + sizeof kind, bytes, SEEN_BYTES);
    crypto_shorthash(digest, what, sizeof what, seen->key);
    memcpy(&at, digest, sizeof at);
    for (;; at++) {
        struct seen_item *item = &seen->items[at & (seen->room - 1)];

        if (item->kind == 0 || (item->kind == kind && memcmp(item->bytes, bytes, SEEN_BYTES) == 0))
            return item;
    }
}

struct seen_item *seen_get(const struct seen *seen, uint32_t kind, const uint8_t bytes[SEEN_BYTES])
{
    if (seen->room == 0)
        return NULL;
    struct seen_item *item = place_of(seen, kind, bytes);
    return item->kind == 0 ? NULL : item;
}

enum cn_err seen_reserve(struct seen *seen, size_t more)
{
    struct seen bigger = *seen;

    if (seen->count + more <= seen->room / 2)
        return CN_OK;
    bigger.room = seen->room ? seen->room : ROOM_MIN;
    while (seen->count + more > bigger.room / 2)
        bigger.room *= 2;
    bigger.items = calloc(bigger.room, sizeof *bigger.items);
    if (!bigger.items)
        return CN_E_NOMEM;
    if (seen->room == 0)
        crypto_shorthash_keygen(bigger.key);
    for (size_t i = 0; i < seen->room; i++) {
        if (seen->items[i].kind != 0)
            *place_of(&bigger, seen->items[i].kind, seen->items[i].bytes) = seen->items[i];
    }
    free(seen->items);
    *seen = bigger;
    return CN_OK;
}

struct seen_item *seen_put(struct seen *seen, uint32_t kind, const uint8_t bytes[SEEN_BYTES])
{
    CN_ASSERT(kind > 0 && seen->count < seen->room);
    struct seen_item *item = place_of(seen, kind, bytes);

    if (item->kind == 0) {
        item->kind = kind;
        memcpy(item->bytes, bytes, SEEN_BYTES);
        seen->count++;
    }
    return item;
}

void seen_clear(struct seen *seen)
{
    free(seen->items);
    *seen = (struct seen){0};
}
