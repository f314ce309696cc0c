/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that claim to be a weight file. What is accepted must survive being written again. */
#include <stdint.h>
#include <string.h>

#include "nn/safetensors.h"

static const struct model_spec SPEC = {.channels = 1,
                                       .height = 1,
                                       .width = 2,
                                       .layers = {{.kind = LAYER_DENSE, .units = 1}},
                                       .layer_count = 1};

/* Writes the model, reads it back and compares. */
static void expect_round_trip(struct model *model, const struct safetensors_metadata *metadata)
{
    float weights[3];
    struct cn_buf out;

    memcpy(weights, model_weights(model), sizeof weights);
    cn_buf_init(&out, safetensors_bytes_max(model));
    CN_ASSERT(safetensors_encode(&out, model, metadata) == CN_OK);
    CN_ASSERT(safetensors_decode(model, out.data, out.len, NULL, "again", NULL) == CN_OK);
    CN_ASSERT(memcmp(weights, model_weights(model), sizeof weights) == 0);
    cn_buf_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct safetensors_metadata metadata;
    struct cn_diag diag = {0};
    struct model *model = NULL;

    if (model_new(&model, &SPEC, 1, NULL) != CN_OK)
        return 0;
    if (safetensors_decode(model, bytes, len, &metadata, "fuzz", &diag) == CN_OK)
        expect_round_trip(model, &metadata);
    else
        CN_ASSERT(diag.text[0] != '\0');
    model_free(model);
    return 0;
}
