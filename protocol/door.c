/* SPDX-License-Identifier: Apache-2.0 */
/* A table of addresses with a bucket of tokens each. */
#include "protocol/door.h"

#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>

#include "base/random.h"
#include "crypto/hash.h"
#include "crypto/random.h"

enum { PROBES = 16, MILLI = 1000, KEY_BYTES = 9 };

struct visitor {
    uint8_t key[KEY_BYTES]; /* family, then the address or network; zero: free */
    uint32_t connections;
    uint64_t milli_tokens;
    uint64_t seen_ms;
};

struct door {
    struct door_limits limits;
    uint8_t seed[8]; /* nobody can choose addresses that meet in one place */
    struct visitor visitors[DOOR_ADDRESSES_MAX];
};

enum cn_err door_new(struct door **out, const struct door_limits *limits)
{
    struct cn_random random;

    *out = NULL;
    CN_TRY(random_system(&random));
    *out = calloc(1, sizeof **out);
    if (!*out)
        return CN_E_NOMEM;
    (*out)->limits = *limits;
    cn_random_fill(&random, (*out)->seed, sizeof(*out)->seed);
    return CN_OK;
}

void door_free(struct door *door)
{
    free(door);
}

/* False for an address that is not counted. */
static bool key_of(uint8_t key[KEY_BYTES], const struct sockaddr_storage *address, bool local_too)
{
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;
    const uint8_t *bytes = NULL;

    memset(key, 0, KEY_BYTES);
    if (address->ss_family == AF_INET)
        bytes = (const uint8_t *)&v4->sin_addr;
    else if (address->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
        bytes = v6->sin6_addr.s6_addr + 12;
    if (bytes) {
        key[0] = 4;
        memcpy(key + 1, bytes, 4);
        return local_too || bytes[0] != 127;
    }
    if (address->ss_family != AF_INET6)
        return false;
    key[0] = 6;
    memcpy(key + 1, v6->sin6_addr.s6_addr, 8);
    return local_too || !IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static uint64_t burst(const struct door *door)
{
    return (uint64_t)door->limits.per_second * 2 * MILLI;
}

static void refill(const struct door *door, struct visitor *visitor, uint64_t now_ms)
{
    uint64_t gone_ms = now_ms - visitor->seen_ms;
    uint64_t full = burst(door);

    visitor->seen_ms = now_ms;
    if (door->limits.per_second == 0 || gone_ms >= full / door->limits.per_second)
        visitor->milli_tokens = full;
    else
        visitor->milli_tokens += gone_ms * door->limits.per_second;
    if (visitor->milli_tokens > full)
        visitor->milli_tokens = full;
}

/* The address's place: where it is, or a free one, or one whose address may be forgotten, because
 * it has no connection and all its tokens. NULL when none is within reach. */
static struct visitor *find(struct door *door, const uint8_t key[KEY_BYTES], uint64_t now_ms)
{
    uint8_t digest[HASH_BYTES];
    struct hash hash;
    struct visitor *room = NULL;
    uint32_t start;

    hash_init(&hash, "cairn-door");
    hash_add(&hash, door->seed, sizeof door->seed);
    hash_add(&hash, key, KEY_BYTES);
    hash_final(&hash, digest);
    memcpy(&start, digest, sizeof start);
    for (uint32_t i = 0; i < PROBES; i++) {
        struct visitor *at = &door->visitors[(start + i) % DOOR_ADDRESSES_MAX];

        if (memcmp(at->key, key, KEY_BYTES) == 0)
            return at;
        if (room)
            continue;
        if (at->key[0] && at->connections == 0)
            refill(door, at, now_ms);
        if (!at->key[0] || (at->connections == 0 && at->milli_tokens == burst(door)))
            room = at;
    }
    if (room) {
        *room = (struct visitor){.milli_tokens = burst(door), .seen_ms = now_ms};
        memcpy(room->key, key, KEY_BYTES);
    }
    return room;
}

bool door_enter(struct door *door, const struct sockaddr_storage *address, uint64_t now_ms,
                uint32_t *place)
{
    const struct door_limits *limits = &door->limits;
    struct visitor *visitor;
    uint8_t key[KEY_BYTES];

    *place = 0;
    if (!key_of(key, address, limits->local_too))
        return true;
    visitor = find(door, key, now_ms);
    if (!visitor)
        return true;
    refill(door, visitor, now_ms);
    if (limits->connections > 0 && visitor->connections >= limits->connections)
        return false;
    if (limits->per_second > 0 && visitor->milli_tokens < MILLI)
        return false;
    if (limits->per_second > 0)
        visitor->milli_tokens -= MILLI;
    visitor->connections++;
    *place = (uint32_t)(visitor - door->visitors) + 1;
    return true;
}

void door_leave(struct door *door, uint32_t place)
{
    if (place > 0)
        door->visitors[place - 1].connections--;
}
