/* SPDX-License-Identifier: Apache-2.0 */
/* Radix four, four numbers at a time (what every processor has); a block of 64 KiB stays in the
 * cache for all its passes. */
#include "privacy/rotate.h"

#include <math.h>
#include <string.h>

#include "crypto/random.h"

#define LANES 4
#define SMALL 8    /* neighbours that small transforms */
#define SIGNS 4096 /* coordinates per draw of signs */

typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));

static inline lanes load(const float *v)
{
    lanes out;

    memcpy(&out, v, sizeof out);
    return out;
}

static inline void store(float *v, lanes x)
{
    memcpy(v, &x, sizeof x);
}

void rotate_hadamard_ref(float *v, size_t n)
{
    float scale = (float)(1 / sqrt((double)n));

    for (size_t half = 1; half < n; half *= 2)
        for (size_t i = 0; i < n; i += 2 * half)
            for (size_t j = i; j < i + half; j++) {
                float a = v[j], b = v[j + half];

                v[j] = a + b;
                v[j + half] = a - b;
            }
    for (size_t i = 0; i < n; i++)
        v[i] *= scale;
}

/* Eight neighbours at once, scaled. */
static void small(float *v, float scale)
{
    float a0 = v[0] + v[1], a1 = v[0] - v[1], a2 = v[2] + v[3], a3 = v[2] - v[3];
    float a4 = v[4] + v[5], a5 = v[4] - v[5], a6 = v[6] + v[7], a7 = v[6] - v[7];
    float b0 = a0 + a2, b1 = a1 + a3, b2 = a0 - a2, b3 = a1 - a3;
    float b4 = a4 + a6, b5 = a5 + a7, b6 = a4 - a6, b7 = a5 - a7;

    v[0] = (b0 + b4) * scale;
    v[1] = (b1 + b5) * scale;
    v[2] = (b2 + b6) * scale;
    v[3] = (b3 + b7) * scale;
    v[4] = (b0 - b4) * scale;
    v[5] = (b1 - b5) * scale;
    v[6] = (b2 - b6) * scale;
    v[7] = (b3 - b7) * scale;
}

/* Two levels: distances step and 2 step, step >= SMALL. */
static void four(float *v, size_t n, size_t step)
{
    for (size_t i = 0; i < n; i += 4 * step)
        for (size_t j = i; j < i + step; j += LANES) {
            lanes a = load(v + j), b = load(v + j + step);
            lanes c = load(v + j + 2 * step), d = load(v + j + 3 * step);
            lanes ab = a + b, a_b = a - b, cd = c + d, c_d = c - d;

            store(v + j, ab + cd);
            store(v + j + step, a_b + c_d);
            store(v + j + 2 * step, ab - cd);
            store(v + j + 3 * step, a_b - c_d);
        }
}

static void two(float *v, size_t n, size_t step)
{
    for (size_t i = 0; i < n; i += 2 * step)
        for (size_t j = i; j < i + step; j += LANES) {
            lanes a = load(v + j), b = load(v + j + step);

            store(v + j, a + b);
            store(v + j + step, a - b);
        }
}

void rotate_hadamard(float *v, size_t n)
{
    float scale = (float)(1 / sqrt((double)n));
    size_t step = SMALL;

    if (n < SMALL) {
        rotate_hadamard_ref(v, n);
        return;
    }
    for (size_t i = 0; i < n; i += SMALL)
        small(v + i, scale);
    for (; 4 * step <= n; step *= 4)
        four(v, n, step);
    if (2 * step <= n)
        two(v, n, step);
}

static void transform(float *v, size_t d)
{
    size_t block = ROTATE_BLOCK;

    while (d) {
        while (block > d)
            block /= 2;
        rotate_hadamard(v, block);
        v += block;
        d -= block;
    }
}

static void flip(float *v, size_t d, struct random_stream *stream)
{
    uint8_t signs[SIGNS / 8];

    for (size_t at = 0; at < d; at += SIGNS) {
        size_t now = d - at < SIGNS ? d - at : SIGNS;

        random_stream_fill(stream, signs, (now + 7) / 8);
        for (size_t i = 0; i < now; i++) {
            uint32_t word;

            memcpy(&word, v + at + i, sizeof word);
            word ^= (uint32_t)(signs[i / 8] >> (i % 8) & 1) << 31;
            memcpy(v + at + i, &word, sizeof word);
        }
    }
}

enum cn_err rotate_forward(float *v, size_t d, const uint8_t seed[ROTATE_SEED_BYTES])
{
    struct random_stream *stream;

    CN_TRY(random_stream_new_keyed(&stream, seed));
    flip(v, d, stream);
    random_stream_free(stream);
    transform(v, d);
    return CN_OK;
}

enum cn_err rotate_inverse(float *v, size_t d, const uint8_t seed[ROTATE_SEED_BYTES])
{
    struct random_stream *stream;

    CN_TRY(random_stream_new_keyed(&stream, seed));
    transform(v, d);
    flip(v, d, stream);
    random_stream_free(stream);
    return CN_OK;
}
