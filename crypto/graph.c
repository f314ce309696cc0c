/* SPDX-License-Identifier: Apache-2.0 */
/* Rings of neighbours; see graph.h. The numbers are graph_plan.c's and graph_checked.c's. */
#include "crypto/graph.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#define STREAM_WORDS 64 /* keystream at a time; a whole number of ChaCha20 blocks */
#define BLOCK_WORDS 16

struct stream {
    const uint8_t *key;
    uint8_t bytes[STREAM_WORDS * 4];
    uint32_t next;
    uint32_t counter; /* of the next block */
};

static uint32_t stream_word(struct stream *stream)
{
    static const uint8_t nonce[crypto_stream_chacha20_ietf_NONCEBYTES];

    if (stream->next == STREAM_WORDS) {
        memset(stream->bytes, 0, sizeof stream->bytes);
        crypto_stream_chacha20_ietf_xor_ic(stream->bytes, stream->bytes, sizeof stream->bytes,
                                           nonce, stream->counter, stream->key);
        stream->counter += STREAM_WORDS / BLOCK_WORDS;
        stream->next = 0;
    }
    const uint8_t *at = stream->bytes + (size_t)4 * stream->next++;
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint32_t stream_below(struct stream *stream, uint32_t bound)
{
    uint64_t whole = (UINT64_C(1) << 32) / bound * bound;
    uint32_t word = stream_word(stream);

    while (word >= whole)
        word = stream_word(stream);
    return word % bound;
}

static void arrange(struct graph *graph, const uint8_t seed[GRAPH_SEED_BYTES])
{
    struct stream stream = {.key = seed, .next = STREAM_WORDS};

    for (uint32_t i = 0; i < graph->devices; i++)
        graph->tenant[i] = i;
    for (uint32_t i = graph->devices - 1; i > 0; i--) {
        uint32_t j = stream_below(&stream, i + 1), moved = graph->tenant[i];

        graph->tenant[i] = graph->tenant[j];
        graph->tenant[j] = moved;
    }
    for (uint32_t i = 0; i < graph->devices; i++)
        graph->place[graph->tenant[i]] = i;
}

enum cn_err graph_init(struct graph *graph, uint32_t devices, uint32_t degree,
                       const uint8_t seed[GRAPH_SEED_BYTES])
{
    *graph = (struct graph){0};
    if (devices < GRAPH_DEVICES_MIN || devices > GRAPH_DEVICES_MAX)
        return CN_E_CONFIG;
    if (degree != devices - 1 && (degree < 2 || degree % 2 != 0 || degree >= devices))
        return CN_E_CONFIG;
    *graph = (struct graph){.devices = devices, .degree = degree};
    if (degree == devices - 1)
        return CN_OK;
    graph->place = calloc(devices, sizeof *graph->place);
    graph->tenant = calloc(devices, sizeof *graph->tenant);
    if (!graph->place || !graph->tenant) {
        graph_clear(graph);
        return CN_E_NOMEM;
    }
    arrange(graph, seed);
    return CN_OK;
}

void graph_clear(struct graph *graph)
{
    free(graph->place);
    free(graph->tenant);
    *graph = (struct graph){0};
}

bool graph_is_neighbour(const struct graph *graph, uint32_t i, uint32_t j)
{
    if (i == j || i >= graph->devices || j >= graph->devices)
        return false;
    if (!graph->place)
        return true;
    uint32_t a = graph->place[i], b = graph->place[j];
    uint32_t apart = a > b ? a - b : b - a;
    uint32_t distance = apart < graph->devices - apart ? apart : graph->devices - apart;
    return distance <= graph->degree / 2;
}

bool graph_windows_hold(const struct graph *graph, const uint8_t *sets, uint8_t set,
                        uint32_t window_min)
{
    uint32_t size = graph->degree / 2, inside = 0;

    if (!graph->place)
        return true;
    for (uint32_t end = 0; end < graph->devices + size; end++) {
        inside += (sets[graph->tenant[end % graph->devices]] & set) != 0;
        if (end >= size)
            inside -= (sets[graph->tenant[end - size]] & set) != 0;
        if (end + 1 >= size && inside < window_min)
            return false;
    }
    return true;
}

static int compare_positions(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return (left > right) - (left < right);
}

void graph_neighbours(const struct graph *graph, uint32_t i, uint32_t *out)
{
    CN_ASSERT(i < graph->devices);
    if (!graph->place) {
        for (uint32_t j = 0; j < graph->degree; j++)
            out[j] = j < i ? j : j + 1;
        return;
    }
    for (uint32_t step = 1; step <= graph->degree / 2; step++) {
        uint32_t place = graph->place[i];

        *out++ = graph->tenant[(place + step) % graph->devices];
        *out++ = graph->tenant[(place + graph->devices - step) % graph->devices];
    }
    qsort(out - graph->degree, graph->degree, sizeof *out, compare_positions);
}
