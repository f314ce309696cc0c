/* SPDX-License-Identifier: Apache-2.0 */
/* Noise with a memory. The header has the argument.
 *
 * Sigmas beyond the sampler's are made of two draws, x = f + k w: as in noise_table.c, with whole
 * sigmas s of f and r of w and s = 8 k the result is within a factor 1 +- 2^-1000 of the discrete
 * Gaussian of variance s^2 + k^2 r^2 (v is at least 32). */
#include "privacy/correlated.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/file.h"
#include "crypto/hash.h"
#include "privacy/noise.h"

#define PIECE 1024 /* numbers drawn at once */
#define FINE_PER_FACTOR 8
#define WHOLE_MAX 0x1p30
#define MAGIC "cairn-noise-1\n"
#define MAGIC_BYTES (sizeof MAGIC - 1)
#define HEADER_BYTES                                                                               \
    (MAGIC_BYTES + CORRELATED_ID_BYTES + 4 * sizeof(uint32_t) + 2 * sizeof(uint64_t) +             \
     FACTORISE_BAND_MAX * sizeof(uint64_t))
#define STATE_BYTES_MAX ((size_t)1 << 36)

struct correlated {
    struct correlated_plan plan;
    uint8_t id[CORRELATED_ID_BYTES];
    size_t n;
    size_t rows;
    uint32_t round; /* the next */
    uint64_t sigma; /* of a draw, in whole units; 0 until the first */
    int64_t *past; /* [rows, n]: BANDED: n_t at row t modulo rows; TREE: the open node of a level */
};

static unsigned log2_floor(uint32_t x)
{
    return 31 - (unsigned)__builtin_clz(x);
}

static size_t rows_of(const struct correlated_plan *plan)
{
    return plan->kind == CORRELATED_TREE ? log2_floor(plan->rounds) + 1 : plan->factor.band - 1;
}

static bool plan_ok(const struct correlated_plan *plan)
{
    if (plan->kind == CORRELATED_TREE)
        return plan->rounds > 0 && log2_floor(plan->rounds) < CORRELATED_TREE_LEVELS_MAX;
    return plan->kind == CORRELATED_BANDED && plan->factor.band > 0 &&
           plan->factor.band <= FACTORISE_BAND_MAX && plan->factor.c[0] == FACTORISE_ONE &&
           plan->factor.square >= 1 && isfinite(plan->factor.square);
}

double correlated_square(const struct correlated_plan *plan)
{
    return plan->kind == CORRELATED_TREE ? (double)rows_of(plan) : plan->factor.square;
}

uint32_t correlated_next(const struct correlated_plan *plan, uint32_t last)
{
    if (plan->kind == CORRELATED_TREE)
        return last == 0 ? 1 : ((last - 1) / plan->rounds + 1) * plan->rounds + 1;
    return last == 0 ? 1 : last + (uint32_t)plan->factor.band;
}

enum cn_err correlated_new(struct correlated **out, const struct correlated_plan *plan, size_t n,
                           const uint8_t id[CORRELATED_ID_BYTES])
{
    struct correlated *state;

    *out = NULL;
    if (!plan_ok(plan) || n == 0 || n > NOISE_DIMENSION_MAX ||
        rows_of(plan) > STATE_BYTES_MAX / sizeof(int64_t) / n)
        return CN_E_CONFIG;
    state = calloc(1, sizeof *state);
    if (!state)
        return CN_E_NOMEM;
    state->plan = *plan;
    state->n = n;
    state->rows = rows_of(plan);
    state->round = 1;
    memcpy(state->id, id, CORRELATED_ID_BYTES);
    state->past = calloc(state->rows * n + 1, sizeof *state->past);
    if (!state->past) {
        free(state);
        return CN_E_NOMEM;
    }
    *out = state;
    return CN_OK;
}

void correlated_free(struct correlated *state)
{
    if (!state)
        return;
    explicit_bzero(state->past, state->rows * state->n * sizeof *state->past);
    free(state->past);
    free(state);
}

uint32_t correlated_round(const struct correlated *state)
{
    return state->round;
}

static enum cn_err draw(int64_t *out, size_t n, uint64_t sigma, const struct cn_random *random)
{
    int64_t fine[PIECE];
    uint64_t factor = 1, wide, narrow;
    enum cn_err err;

    while ((double)sigma / (double)factor > WHOLE_MAX)
        factor *= 2;
    if (factor == 1)
        return noise_discrete_gaussian(out, n, sigma * sigma, 1, random);
    wide = sigma / factor + 1;
    narrow = FINE_PER_FACTOR * factor;
    CN_ASSERT(n <= PIECE);
    CN_TRY(noise_discrete_gaussian(out, n, wide * wide, 1, random));
    err = noise_discrete_gaussian(fine, n, narrow * narrow, 1, random);
    for (size_t i = 0; i < n; i++)
        out[i] = out[i] * (int64_t)factor + fine[i];
    explicit_bzero(fine, sizeof fine);
    return err;
}

/* n_t of PIECE numbers from i on, in z; remembers it. */
static void band_noise(struct correlated *state, int64_t *z, size_t at, size_t count)
{
    const struct factorise *factor = &state->plan.factor;

    for (size_t j = 1; j < factor->band && j < state->round; j++) {
        const int64_t *past = state->past + (state->round - j) % state->rows * state->n + at;

        for (size_t i = 0; i < count; i++)
            z[i] -= factor->c[j] * past[i];
    }
    for (size_t i = 0; i < count; i++)
        z[i] = (z[i] + FACTORISE_ONE / 2) >> FACTORISE_BITS;
    if (state->rows)
        memcpy(state->past + state->round % state->rows * state->n + at, z, count * sizeof *z);
}

/* Round t opens the node at the level of t's lowest one and closes those below. */
static void tree_noise(struct correlated *state, int64_t *z, size_t at, size_t count)
{
    uint32_t t = (state->round - 1) % state->plan.rounds + 1;
    unsigned level = (unsigned)__builtin_ctz(t);
    int64_t closed[PIECE] = {0};

    for (unsigned l = 0; l < level; l++) {
        int64_t *node = state->past + l * state->n + at;

        for (size_t i = 0; i < count; i++)
            closed[i] += node[i];
        memset(node, 0, count * sizeof *node);
    }
    memcpy(state->past + level * state->n + at, z, count * sizeof *z);
    for (size_t i = 0; i < count; i++)
        z[i] -= closed[i];
    explicit_bzero(closed, sizeof closed);
}

static enum cn_err choose_sigma(uint64_t *sigma, const struct correlated *state,
                                double noise_multiplier, double sensitivity)
{
    double one = state->plan.kind == CORRELATED_BANDED ? (double)FACTORISE_ONE : 1;
    double wish = ceil(noise_multiplier * sensitivity * sqrt(correlated_square(&state->plan)) *
                       one * (1 + 1e-12));

    *sigma = 0;
    if (!(noise_multiplier >= NOISE_MULTIPLIER_MIN) || !(sensitivity > 0) ||
        !(wish >= 1 && wish <= CORRELATED_SIGMA_MAX))
        return CN_E_CONFIG;
    *sigma = (uint64_t)wish;
    return state->sigma == 0 || state->sigma == *sigma ? CN_OK : CN_E_CONFIG;
}

enum cn_err correlated_add(struct correlated *state, int64_t *values, double noise_multiplier,
                           double sensitivity, const struct cn_random *random)
{
    int64_t z[PIECE];
    uint64_t sigma;

    CN_TRY(choose_sigma(&sigma, state, noise_multiplier, sensitivity));
    if (state->round == UINT32_MAX)
        return CN_E_CONFIG;
    for (size_t at = 0; at < state->n; at += PIECE) {
        size_t count = state->n - at < PIECE ? state->n - at : PIECE;

        CN_TRY(draw(z, count, sigma, random));
        if (state->plan.kind == CORRELATED_TREE)
            tree_noise(state, z, at, count);
        else
            band_noise(state, z, at, count);
        for (size_t i = 0; i < count; i++)
            values[at + i] += z[i];
    }
    explicit_bzero(z, sizeof z);
    if (state->plan.kind == CORRELATED_TREE && state->round % state->plan.rounds == 0)
        memset(state->past, 0, state->rows * state->n * sizeof *state->past); /* a new tree */
    state->sigma = sigma;
    state->round++;
    return CN_OK;
}

/* ---- the file: header, rows, and the hash of both ---- */

static void put_header(struct cn_buf *buf, const struct correlated *state)
{
    cn_put_bytes(buf, MAGIC, MAGIC_BYTES);
    cn_put_bytes(buf, state->id, sizeof state->id);
    cn_put_u32(buf, (uint32_t)state->plan.kind);
    cn_put_u32(buf, state->plan.rounds);
    cn_put_u32(buf, (uint32_t)state->plan.factor.band);
    cn_put_u32(buf, state->round);
    cn_put_u64(buf, state->n);
    cn_put_u64(buf, state->sigma);
    for (size_t j = 0; j < FACTORISE_BAND_MAX; j++)
        cn_put_u64(buf, (uint64_t)state->plan.factor.c[j]);
}

enum cn_err correlated_save(const struct correlated *state, const char *path, struct cn_diag *diag)
{
    size_t count = state->rows * state->n;
    uint8_t hash[HASH_BYTES];
    struct cn_buf buf;
    enum cn_err err;

    cn_buf_init(&buf, HEADER_BYTES + count * sizeof(int64_t) + HASH_BYTES);
    put_header(&buf, state);
    for (size_t i = 0; i < count; i++)
        cn_put_u64(&buf, (uint64_t)state->past[i]);
    CN_TRY_OUT(err, cn_buf_finish(&buf));
    hash_blob(hash, buf.data, buf.len);
    cn_put_bytes(&buf, hash, sizeof hash);
    CN_TRY_OUT(err, cn_buf_finish(&buf));
    CN_TRY_OUT(err, cn_file_write(path, buf.data, buf.len, 0600, diag));
out:
    if (buf.data)
        explicit_bzero(buf.data, buf.len);
    cn_buf_clear(&buf);
    return err;
}

static enum cn_err refuse(struct cn_diag *diag, const char *path, const char *what)
{
    cn_diag_set(diag, path, 0, 0, "%s", what);
    cn_diag_hint(diag,
                 "noise must be neither reused nor lost: restore the file that belongs to the "
                 "last published round, or submit the task anew");
    return CN_E_TAMPERED;
}

/* Whether the header is of this very plan, task and round; takes the factor from it. */
static const char *header_fault(struct cn_reader *reader, struct correlated *state, uint32_t round)
{
    const uint8_t *magic = cn_read_view(reader, MAGIC_BYTES);
    const uint8_t *id = cn_read_view(reader, CORRELATED_ID_BYTES);
    struct correlated_plan *plan = &state->plan;
    double square = 0;

    if (!magic || memcmp(magic, MAGIC, MAGIC_BYTES) != 0)
        return "this is no file of correlated noise";
    if (!id || memcmp(id, state->id, CORRELATED_ID_BYTES) != 0)
        return "the noise is another task's";
    if (cn_read_u32(reader) != (uint32_t)plan->kind || cn_read_u32(reader) != plan->rounds ||
        cn_read_u32(reader) != plan->factor.band)
        return "the noise was planned otherwise";
    state->round = cn_read_u32(reader);
    if (state->round != round)
        return "the noise is of another round";
    if (cn_read_u64(reader) != state->n)
        return "the noise is for another number of weights";
    state->sigma = cn_read_u64(reader);
    for (size_t j = 0; j < FACTORISE_BAND_MAX; j++) {
        plan->factor.c[j] = (int64_t)cn_read_u64(reader);
        square += pow((double)plan->factor.c[j] / (double)FACTORISE_ONE, 2);
    }
    plan->factor.square = square;
    return plan_ok(plan) ? NULL : "the noise's factor is none";
}

static enum cn_err parse(struct correlated *state, const struct cn_buf *buf, uint32_t round,
                         const char *path, struct cn_diag *diag)
{
    size_t count = state->rows * state->n;
    uint8_t hash[HASH_BYTES];
    struct cn_reader reader;
    const char *fault;

    if (buf->len != HEADER_BYTES + count * sizeof(int64_t) + HASH_BYTES)
        return refuse(diag, path, "the file of correlated noise has another length than it must");
    hash_blob(hash, buf->data, buf->len - HASH_BYTES);
    if (memcmp(hash, buf->data + buf->len - HASH_BYTES, HASH_BYTES) != 0)
        return refuse(diag, path, "the file of correlated noise was damaged");
    cn_reader_init(&reader, buf->data, buf->len - HASH_BYTES);
    fault = header_fault(&reader, state, round);
    if (fault)
        return refuse(diag, path, fault);
    for (size_t i = 0; i < count; i++)
        state->past[i] = (int64_t)cn_read_u64(&reader);
    return cn_reader_finish(&reader);
}

enum cn_err correlated_load(struct correlated **out, const struct correlated_plan *plan, size_t n,
                            const uint8_t id[CORRELATED_ID_BYTES], uint32_t round, const char *path,
                            struct cn_diag *diag)
{
    struct correlated *state;
    struct cn_buf buf;
    enum cn_err err;

    *out = NULL;
    CN_TRY(correlated_new(&state, plan, n, id));
    err = cn_file_read(&buf, path, HEADER_BYTES + state->rows * n * sizeof(int64_t) + HASH_BYTES,
                       diag);
    if (err == CN_E_TOO_LARGE)
        err = refuse(diag, path, "the file of correlated noise has another length than it must");
    else if (err == CN_OK)
        err = parse(state, &buf, round, path, diag);
    if (buf.data)
        explicit_bzero(buf.data, buf.len);
    cn_buf_clear(&buf);
    if (err != CN_OK) {
        correlated_free(state);
        return err;
    }
    *out = state;
    return CN_OK;
}
