/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a stream of frames. The first byte says how long the pieces are in which the rest
 * arrives: cut or whole, the same frames come out, and the reader's memory stays within twice what
 * arrived. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/hash.h"
#include "protocol/frame.h"

#define SLACK_BYTES 512 /* the smallest buffer */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    enum cn_err err;
    size_t frames;
    size_t at; /* bytes taken when it ended */
    uint8_t content[HASH_BYTES];
};

static void read_all(struct outcome *out, const uint8_t *data, size_t size, size_t piece)
{
    struct frame_reader reader;
    struct frame frame;
    struct hash hash;
    size_t used;

    *out = (struct outcome){0};
    frame_reader_init(&reader);
    hash_init(&hash, "fuzz");
    while (out->at < size && out->err == CN_OK) {
        size_t len = size - out->at < piece ? size - out->at : piece;

        out->err = frame_reader_take(&reader, data + out->at, len, &used, &frame);
        CN_ASSERT(used <= len && (used > 0 || out->err != CN_OK));
        out->at += used;
        CN_ASSERT(reader.part.cap <= 2 * out->at + SLACK_BYTES);
        CN_ASSERT(out->err == CN_OK || !frame.payload);
        if (frame.payload) {
            CN_ASSERT(frame.len > 0 && frame.len <= MESSAGE_BYTES_MAX);
            CN_ASSERT(!frame_reader_inside(&reader));
            hash_add(&hash, frame.payload, frame.len);
            out->frames++;
        }
    }
    CN_ASSERT(out->err == CN_OK || out->err == CN_E_PARSE || out->err == CN_E_TOO_LARGE);
    hash_final(&hash, out->content);
    frame_reader_clear(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole, cut;

    if (size < 2)
        return 0;
    read_all(&whole, data + 1, size - 1, size);
    read_all(&cut, data + 1, size - 1, 1U + data[0] % 97U);
    CN_ASSERT(whole.err == cut.err && whole.frames == cut.frames && whole.at == cut.at);
    CN_ASSERT(memcmp(whole.content, cut.content, HASH_BYTES) == 0);
    return 0;
}
