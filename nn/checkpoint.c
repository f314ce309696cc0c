/* SPDX-License-Identifier: Apache-2.0 */
/* The file, integers big-endian, numbers as their bits:
 *
 *   "CAIRNCK1" | identity [32] | d u64 | n u64 | steps, done u32 | position u64
 *   | seen: loss f64, correct u64, n u64, counted u64 | optimiser: step u32, parts u8 | seeded u8
 *   | state 4 u64, if seeded | extra 16 f64 | best u8 | rows [n] u32 | weights [d] f32
 *   | first, squares, start, best [d] f32, those that there are | FNV-1a of all before, u64 */
#include "nn/checkpoint.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "nn/train_internal.h"

#define MAGIC "CAIRNCK1"
#define MAGIC_BYTES 8u
#define FIXED_BYTES 1024u /* more than all that is not a vector */
#define VECTORS_MAX 5u

enum { PART_FIRST = 1, PART_SQUARES = 2, PART_START = 4 };

/* Finds damage; whoever may write the file may do anything with the training anyway. */
static uint64_t fnv(const uint8_t *bytes, size_t len)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < len; i++)
        sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
    return sum;
}

static void put_f64(struct cn_buf *out, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    cn_put_u64(out, bits);
}

static double read_f64(struct cn_reader *in)
{
    uint64_t bits = cn_read_u64(in);
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static void put_vector(struct cn_buf *out, const float *v, size_t d)
{
    for (size_t i = 0; v && i < d; i++) {
        uint32_t bits;

        memcpy(&bits, &v[i], sizeof bits);
        cn_put_u32(out, bits);
    }
}

static void read_vector(struct cn_reader *in, float *v, size_t d)
{
    for (size_t i = 0; v && i < d; i++) {
        uint32_t bits = cn_read_u32(in);

        memcpy(&v[i], &bits, sizeof bits);
    }
}

static uint8_t parts_of(const struct optimiser *optimiser)
{
    return (uint8_t)((optimiser->first ? PART_FIRST : 0) | (optimiser->squares ? PART_SQUARES : 0) |
                     (optimiser->start ? PART_START : 0));
}

size_t checkpoint_bytes_max(const struct train *train)
{
    return FIXED_BYTES + train->data->n * sizeof(uint32_t) +
           VECTORS_MAX * model_params(train->model) * sizeof(float);
}

static void put_place(struct cn_buf *out, const struct train *train)
{
    cn_put_u64(out, model_params(train->model));
    cn_put_u64(out, train->data->n);
    cn_put_u32(out, train->steps);
    cn_put_u32(out, train->done);
    cn_put_u64(out, train->position);
    put_f64(out, train->seen.loss);
    cn_put_u64(out, train->seen.correct);
    cn_put_u64(out, train->seen.n);
    cn_put_u64(out, train->seen.counted);
    cn_put_u32(out, train->optimiser.step);
    cn_put_u8(out, parts_of(&train->optimiser));
}

enum cn_err checkpoint_encode(struct cn_buf *out, const struct train *train,
                              const struct checkpoint *checkpoint)
{
    const struct optimiser *optimiser = &train->optimiser;
    size_t d = model_params(train->model), from = out->len;

    cn_put_bytes(out, MAGIC, MAGIC_BYTES);
    cn_put_bytes(out, checkpoint->identity, CHECKPOINT_IDENTITY_BYTES);
    put_place(out, train);
    cn_put_u8(out, checkpoint->seeded != NULL);
    for (size_t i = 0; checkpoint->seeded && i < 4; i++)
        cn_put_u64(out, checkpoint->seeded->state[i]);
    for (size_t i = 0; i < CHECKPOINT_EXTRA_MAX; i++)
        put_f64(out, checkpoint->extra[i]);
    cn_put_u8(out, checkpoint->best != NULL);
    for (size_t i = 0; i < train->data->n; i++)
        cn_put_u32(out, train->rows[i]);
    put_vector(out, model_weights_const(train->model), d);
    put_vector(out, optimiser->first, d);
    put_vector(out, optimiser->squares, d);
    put_vector(out, optimiser->start, d);
    put_vector(out, checkpoint->best, d);
    CN_TRY(cn_buf_finish(out));
    cn_put_u64(out, fnv(out->data + from, out->len - from));
    return cn_buf_finish(out);
}

/* ---- reading ---- */

/* The numbers of a file, before any of them is believed. */
struct numbers {
    uint8_t identity[CHECKPOINT_IDENTITY_BYTES];
    uint64_t d, n, position;
    uint32_t steps, done, optimiser_step;
    struct gradient_seen seen;
    uint8_t parts, seeded, best;
    uint64_t state[4];
    double extra[CHECKPOINT_EXTRA_MAX];
};

static void read_numbers(struct numbers *numbers, struct cn_reader *in)
{
    cn_read_bytes(in, numbers->identity, CHECKPOINT_IDENTITY_BYTES);
    numbers->d = cn_read_u64(in);
    numbers->n = cn_read_u64(in);
    numbers->steps = cn_read_u32(in);
    numbers->done = cn_read_u32(in);
    numbers->position = cn_read_u64(in);
    numbers->seen.loss = read_f64(in);
    numbers->seen.correct = cn_read_u64(in);
    numbers->seen.n = cn_read_u64(in);
    numbers->seen.counted = cn_read_u64(in);
    numbers->optimiser_step = cn_read_u32(in);
    numbers->parts = cn_read_u8(in);
    numbers->seeded = cn_read_u8(in);
    for (size_t i = 0; numbers->seeded && i < 4; i++)
        numbers->state[i] = cn_read_u64(in);
    for (size_t i = 0; i < CHECKPOINT_EXTRA_MAX; i++)
        numbers->extra[i] = read_f64(in);
    numbers->best = cn_read_u8(in);
}

static enum cn_err refuse(struct cn_diag *diag, const char *place, enum cn_err err,
                          const char *text)
{
    cn_diag_set(diag, place, 0, 0, "%s", text);
    if (err == CN_E_CONFIG)
        cn_diag_hint(diag, "give the task, data and options it was made with, or start anew "
                           "without it");
    return err;
}

static enum cn_err check_fit(const struct numbers *numbers, const struct train *train,
                             const struct checkpoint *checkpoint, const char *place,
                             struct cn_diag *diag)
{
    if (memcmp(numbers->identity, checkpoint->identity, CHECKPOINT_IDENTITY_BYTES) != 0 ||
        numbers->d != model_params(train->model) || numbers->n != train->data->n ||
        numbers->steps != train->steps || numbers->parts != parts_of(&train->optimiser))
        return refuse(diag, place, CN_E_CONFIG,
                      "the checkpoint is of another task, other data or other options");
    if ((numbers->seeded != 0) != (checkpoint->seeded != NULL))
        return refuse(diag, place, CN_E_CONFIG,
                      numbers->seeded ? "the checkpoint is of a training with a seed"
                                      : "the checkpoint is of a training without a seed");
    if ((numbers->best != 0) != (checkpoint->best != NULL))
        return refuse(diag, place, CN_E_CONFIG,
                      "the checkpoint is of a training that ends otherwise (early or not)");
    if (numbers->done > numbers->steps || numbers->position > numbers->n ||
        numbers->optimiser_step > numbers->done)
        return refuse(diag, place, CN_E_PARSE, "the checkpoint contradicts itself");
    return CN_OK;
}

/* Rows must be examples of the data set: they index it. */
static bool rows_are_sound(struct cn_reader in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (cn_read_u32(&in) >= n)
            return false;
    return true;
}

static bool all_finite(struct cn_reader in, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float value;

        read_vector(&in, &value, 1);
        if (!isfinite(value))
            return false;
    }
    return true;
}

static size_t vectors_of(const struct numbers *numbers)
{
    return 1u + (numbers->parts & PART_FIRST ? 1u : 0u) +
           (numbers->parts & PART_SQUARES ? 1u : 0u) + (numbers->parts & PART_START ? 1u : 0u) +
           (numbers->best ? 1u : 0u);
}

static enum cn_err check_vectors(const struct numbers *numbers, struct cn_reader in,
                                 const char *place, struct cn_diag *diag)
{
    size_t floats = vectors_of(numbers) * (size_t)numbers->d;

    if (cn_reader_left(&in) != ((size_t)numbers->n + floats) * sizeof(uint32_t))
        return refuse(diag, place, CN_E_PARSE, "the checkpoint is not as long as it should be");
    if (!rows_are_sound(in, (size_t)numbers->n))
        return refuse(diag, place, CN_E_PARSE, "the checkpoint names examples that are not there");
    (void)cn_read_view(&in, (size_t)numbers->n * sizeof(uint32_t));
    if (!all_finite(in, floats))
        return refuse(diag, place, CN_E_DIVERGED,
                      "the checkpoint holds numbers that are not finite");
    return CN_OK;
}

/* Everything was checked: takes it. */
static void take(struct train *train, struct checkpoint *checkpoint, const struct numbers *numbers,
                 struct cn_reader *in)
{
    struct optimiser *optimiser = &train->optimiser;
    size_t d = (size_t)numbers->d;

    train->done = numbers->done;
    train->position = (size_t)numbers->position;
    train->seen = numbers->seen;
    optimiser->step = numbers->optimiser_step;
    for (size_t i = 0; i < train->data->n; i++)
        train->rows[i] = cn_read_u32(in);
    read_vector(in, model_weights(train->model), d);
    read_vector(in, optimiser->first, d);
    read_vector(in, optimiser->squares, d);
    read_vector(in, optimiser->start, d);
    read_vector(in, checkpoint->best, d);
    memcpy(checkpoint->extra, numbers->extra, sizeof numbers->extra);
    if (checkpoint->seeded)
        memcpy(checkpoint->seeded->state, numbers->state, sizeof numbers->state);
}

enum cn_err checkpoint_decode(struct train *train, struct checkpoint *checkpoint, const void *bytes,
                              size_t len, const char *place, struct cn_diag *diag)
{
    struct numbers numbers = {0};
    struct cn_reader in, end;
    size_t body = len < sizeof(uint64_t) ? 0 : len - sizeof(uint64_t);

    if (body < MAGIC_BYTES || memcmp(bytes, MAGIC, MAGIC_BYTES) != 0)
        return refuse(diag, place, CN_E_PARSE, "not a checkpoint of a training");
    cn_reader_init(&end, (const uint8_t *)bytes + body, len - body);
    if (cn_read_u64(&end) != fnv(bytes, body))
        return refuse(diag, place, CN_E_PARSE, "the checkpoint is cut or was changed");
    cn_reader_init(&in, (const uint8_t *)bytes + MAGIC_BYTES, body - MAGIC_BYTES);
    read_numbers(&numbers, &in);
    if (in.failed)
        return refuse(diag, place, CN_E_PARSE, "the checkpoint is cut or was changed");
    CN_TRY(check_fit(&numbers, train, checkpoint, place, diag));
    CN_TRY(check_vectors(&numbers, in, place, diag));
    take(train, checkpoint, &numbers, &in);
    return CN_OK;
}

/* ---- files ---- */

enum cn_err checkpoint_save(const char *path, const struct train *train,
                            const struct checkpoint *checkpoint, struct cn_diag *diag)
{
    struct cn_buf bytes;
    enum cn_err err;

    cn_buf_init(&bytes, checkpoint_bytes_max(train));
    err = checkpoint_encode(&bytes, train, checkpoint);
    if (err == CN_OK)
        err = cn_file_write(path, bytes.data, bytes.len, 0600, diag);
    else
        cn_diag_set(diag, path, 0, 0, "the checkpoint could not be made: %s", cn_err_text(err));
    cn_buf_clear(&bytes);
    return err;
}

enum cn_err checkpoint_load(struct train *train, struct checkpoint *checkpoint, const char *path,
                            struct cn_diag *diag)
{
    struct cn_buf bytes;
    enum cn_err err = cn_file_read(&bytes, path, checkpoint_bytes_max(train), diag);

    if (err == CN_OK)
        err = checkpoint_decode(train, checkpoint, bytes.data, bytes.len, path, diag);
    cn_buf_clear(&bytes);
    return err;
}
