/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a message: they are refused, or they are the one encoding of what they say. Whatever
 * they announce, the arena holds no more than the lists of the largest message. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/message_scan.h"
#include "protocol/messages.h"

#define ARENA_BYTES_MAX ((size_t)1 << 21)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const struct message *message, const uint8_t *data, size_t size)
{
    struct cn_buf again;

    cn_buf_init(&again, MESSAGE_BYTES_MAX);
    CN_ASSERT(message_encode(&again, message) == CN_OK);
    CN_ASSERT(again.len == size);
    CN_ASSERT(memcmp(again.data, data, size) == 0);
    cn_buf_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cn_arena arena;
    struct message message;
    enum cn_err err;

    cn_arena_init(&arena, ARENA_BYTES_MAX);
    err = message_decode(&message, data, size, &arena);
    CN_ASSERT((err == CN_OK) == (message.type != MESSAGE_NONE));
    if (err == CN_OK) {
        CN_ASSERT(message_scan(data, size) == CN_OK);
        check_same(&message, data, size);
    } else {
        CN_ASSERT(err == CN_E_PARSE || err == CN_E_TOO_LARGE);
    }
    cn_arena_clear(&arena);
    return 0;
}
