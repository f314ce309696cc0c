/* SPDX-License-Identifier: Apache-2.0 */
/* A training's file that was changed on the disk, its sum put right again in every second input.
 * What is accepted can be written again as it is and trained on; what is refused says why and
 * changes nothing.
 *
 * The first byte: bit 0 puts the sum right, bit 1 cuts the file, by the second byte from its end;
 * then changes of three bytes: where (two bytes, modulo the size) and what to add. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "nn/checkpoint.h"

enum { EXAMPLES = 4, FEATURES = 2, SUM_BYTES = 8, HEAD = 2, CHANGE = 3 };

static const struct model_spec SPEC = {.channels = 1,
                                       .height = 1,
                                       .width = FEATURES,
                                       .layers = {{.kind = LAYER_DENSE, .units = 2}},
                                       .layer_count = 1};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_sum(uint8_t *bytes, size_t len)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);

    if (len < SUM_BYTES)
        return;
    for (size_t i = 0; i < len - SUM_BYTES; i++)
        sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
    for (int i = 0; i < SUM_BYTES; i++)
        bytes[len - SUM_BYTES + (size_t)i] = (uint8_t)(sum >> (56 - 8 * i));
}

static size_t change(uint8_t *bytes, size_t len, const uint8_t *data, size_t size)
{
    if (data[0] & 2)
        len -= data[1] % len;
    for (size_t k = HEAD; k + CHANGE <= size; k += CHANGE) {
        uint8_t *at = &bytes[((size_t)data[k] << 8 | data[k + 1]) % len];
        *at = (uint8_t)(*at + data[k + 2]);
    }
    if (data[0] & 1)
        put_sum(bytes, len);
    return len;
}

static void try_file(struct train *train, struct checkpoint *checkpoint, const uint8_t *bytes,
                     size_t len)
{
    struct cn_diag diag = {0};
    struct cn_buf again;

    if (checkpoint_decode(train, checkpoint, bytes, len, "fuzz", &diag) != CN_OK) {
        CN_ASSERT(diag.text[0] != '\0');
        return;
    }
    cn_buf_init(&again, checkpoint_bytes_max(train));
    CN_ASSERT(checkpoint_encode(&again, train, checkpoint) == CN_OK);
    CN_ASSERT(again.len == len && memcmp(again.data, bytes, len) == 0);
    cn_buf_clear(&again);
    if (train_result_of(train).steps < train_steps(train))
        CN_IGNORE(train_step(train));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 3);
    struct checkpoint checkpoint = {.seeded = &seeded};
    struct train_options options = {.learning_rate = 0.1, .momentum = 0.9, .batch = 2, .epochs = 2};
    struct dataset set = {0};
    struct model *model = NULL;
    struct train *train = NULL;
    struct cn_buf file;

    if (size < HEAD)
        return 0;
    CN_ASSERT(model_new(&model, &SPEC, 2, NULL) == CN_OK);
    CN_ASSERT(dataset_new(&set, EXAMPLES, 1, 1, FEATURES) == CN_OK);
    set.classes = 2;
    for (uint32_t i = 0; i < EXAMPLES; i++) {
        set.y[i] = i % 2;
        set.x[FEATURES * i] = (float)i;
        set.x[FEATURES * i + 1] = 1.0f;
    }
    model_init_weights(model, &random);
    CN_ASSERT(train_new(&train, model, &set, &options, &random) == CN_OK);
    CN_ASSERT(train_step(train) == CN_OK);
    cn_buf_init(&file, checkpoint_bytes_max(train));
    CN_ASSERT(checkpoint_encode(&file, train, &checkpoint) == CN_OK);
    try_file(train, &checkpoint, file.data, change(file.data, file.len, data, size));
    cn_buf_clear(&file);
    train_free(train);
    dataset_free(&set);
    model_free(model);
    return 0;
}
