/* SPDX-License-Identifier: Apache-2.0 */
/* Weight files: round trips, a file written by hand, and every fault once. */
#include "nn/safetensors.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/nn/fixture.h"

static const struct model_spec TWO = {.channels = 1,
                                      .height = 3,
                                      .width = 3,
                                      .layers = {{.kind = LAYER_CONV2D, .filters = 2, .kernel = 2},
                                                 {.kind = LAYER_FLATTEN},
                                                 {.kind = LAYER_DENSE, .units = 2}},
                                      .layer_count = 3};
#define TWO_PARAMS 28 /* 2*4 + 2 + 2*8 + 2 */

static const struct model_spec ONE = {.channels = 1,
                                      .height = 1,
                                      .width = 2,
                                      .layers = {{.kind = LAYER_DENSE, .units = 1}},
                                      .layer_count = 1};

Test(safetensors, come_back_as_they_were_written)
{
    struct model *model = fixture_model(&TWO, 2, 1), *back = fixture_model(&TWO, 2, 2);
    struct safetensors_metadata metadata = {0}, found;
    struct cn_buf bytes;

    cr_assert_eq(model_params(model), TWO_PARAMS);
    cr_assert_eq(safetensors_metadata_set(&metadata, "round", "3"), CN_OK);
    cr_assert_eq(safetensors_metadata_set(&metadata, "task", "a \"quoted\"\n\xc3\xa9"), CN_OK);
    cr_assert_eq(safetensors_metadata_set(&metadata, "round", "4"), CN_OK);
    cn_buf_init(&bytes, safetensors_bytes_max(model));
    cr_assert_eq(safetensors_encode(&bytes, model, &metadata), CN_OK);
    cr_assert_eq(bytes.len % 4, 0);
    cr_assert_eq((bytes.len - TWO_PARAMS * 4) % 8, 0, "the header is padded to 8 bytes");
    cr_assert_eq(safetensors_decode(back, bytes.data, bytes.len, &found, "x", NULL), CN_OK);
    cr_assert_arr_eq(model_weights(back), model_weights(model), TWO_PARAMS * sizeof(float));
    cr_assert_eq(found.count, 2);
    cr_assert_str_eq(safetensors_metadata_get(&found, "round"), "4");
    cr_assert_str_eq(safetensors_metadata_get(&found, "task"), "a \"quoted\"\n\xc3\xa9");
    cr_assert_null(safetensors_metadata_get(&found, "nothing"));
    cn_buf_clear(&bytes);
    model_free(model);
    model_free(back);
}

Test(safetensors, are_written_as_the_format_says)
{
    static const char WANT[] =
        "{\"0.dense.weight\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]},"
        "\"0.dense.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}";
    const float weights[3] = {1.0f, -2.0f, 0.5f};
    struct model *model = fixture_model(&ONE, 2, 1);
    struct cn_buf bytes;
    size_t len = strlen(WANT), padded = (len + 7) / 8 * 8;

    cr_assert_eq(model_set_weights(model, weights), CN_OK);
    cn_buf_init(&bytes, safetensors_bytes_max(model));
    cr_assert_eq(safetensors_encode(&bytes, model, NULL), CN_OK);
    cr_assert_eq(bytes.len, 8 + padded + 12);
    cr_assert(bytes.data[0] == padded && bytes.data[1] == 0 && bytes.data[7] == 0);
    cr_assert_arr_eq(bytes.data + 8, WANT, len);
    cr_assert_arr_eq(bytes.data + 8 + padded, weights, 12);
    cn_buf_clear(&bytes);
    model_free(model);
}

Test(safetensors, refuse_to_write_past_the_maximum_or_words_that_are_not_utf8)
{
    struct model *model = fixture_model(&ONE, 2, 1);
    struct safetensors_metadata metadata = {.count = 1, .pairs = {{"key", "\xff"}}};
    struct cn_buf bytes;

    cn_buf_init(&bytes, 100);
    cr_assert_eq(safetensors_encode(&bytes, model, NULL), CN_E_TOO_LARGE);
    cn_buf_clear(&bytes);
    cr_assert_eq(safetensors_encode(&bytes, model, &metadata), CN_E_PARSE);
    cn_buf_clear(&bytes);
    model_free(model);
}

Test(safetensors, keep_at_most_sixteen_short_pairs)
{
    struct safetensors_metadata metadata = {0};
    char text[SAFETENSORS_VALUE_MAX + 1];

    memset(text, 'x', sizeof text);
    text[SAFETENSORS_VALUE_MAX] = '\0';
    cr_assert_eq(safetensors_metadata_set(&metadata, "key", text), CN_E_TOO_LARGE);
    cr_assert_eq(safetensors_metadata_set(&metadata, text, ""), CN_E_TOO_LARGE);
    for (char name[2] = "a"; name[0] < 'a' + 16; name[0]++)
        cr_assert_eq(safetensors_metadata_set(&metadata, name, "1"), CN_OK);
    cr_assert_eq(safetensors_metadata_set(&metadata, "q", "1"), CN_E_TOO_LARGE);
    cr_assert_eq(safetensors_metadata_set(&metadata, "p", "2"), CN_OK);
}

/* ---- reading ---- */

#define WEIGHT "\"0.dense.weight\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]}"
#define BIAS "\"0.dense.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}"

/* Makes a file of header and values and decodes it. */
static enum cn_err decode(const char *header, const float *values, size_t count,
                          struct cn_diag *diag, float *weights)
{
    struct model *model = fixture_model(&ONE, 2, 1);
    float before[3];
    struct cn_buf bytes;
    uint64_t len = strlen(header);
    enum cn_err err;

    memcpy(before, model_weights(model), sizeof before);
    cn_buf_init(&bytes, 65536);
    for (unsigned i = 0; i < 8; i++)
        cn_put_u8(&bytes, (uint8_t)(len >> 8 * i));
    cn_put_bytes(&bytes, header, len);
    cn_put_bytes(&bytes, values, count * sizeof *values);
    cr_assert_eq(cn_buf_finish(&bytes), CN_OK);
    err = safetensors_decode(model, bytes.data, bytes.len, NULL, "m.safetensors", diag);
    if (err != CN_OK)
        cr_assert_arr_eq(model_weights(model), before, sizeof before, "a failure changes nothing");
    if (weights)
        memcpy(weights, model_weights(model), sizeof before);
    cn_buf_clear(&bytes);
    model_free(model);
    return err;
}

Test(safetensors, are_read_in_any_order)
{
    static const char HEADER[] =
        "{\"0.dense.weight\":{\"shape\":[1,2],\"data_offsets\":[4,12],\"dtype\":\"F32\"},"
        "\"__metadata__\":{\"format\":\"pt\"},"
        "\"0.dense.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}   ";
    const float values[3] = {7.0f, 8.0f, 9.0f};
    float weights[3];

    cr_assert_eq(decode(HEADER, values, 3, NULL, weights), CN_OK);
    cr_assert(weights[0] == 8.0f && weights[1] == 9.0f && weights[2] == 7.0f);
}

struct fault {
    enum cn_err err;
    const char *header;
    const char *text; /* starts so */
};

static const struct fault FAULTS[] = {
    {CN_E_PARSE, "", "not a safetensors file: no header"},
    {CN_E_PARSE, "[1]", "not a safetensors file: no header"},
    {CN_E_PARSE, "{" WEIGHT "," BIAS, "the header is not JSON: "},
    {CN_E_PARSE, "{" WEIGHT "," BIAS "} x", "the header is not JSON: "},
    {CN_E_PARSE, "{" WEIGHT "," WEIGHT "," BIAS "}", "the header is not JSON: "},
    {CN_E_SHAPE, "{" WEIGHT "}", "tensor '0.dense.bias' is missing"},
    {CN_E_SHAPE, "{" WEIGHT ",\"0.dense.bias\":3}", "tensor '0.dense.bias' is missing"},
    {CN_E_SHAPE, "{" WEIGHT "," BIAS ",\"more\":{}}", "tensor 'more' is none of the model's"},
    {CN_E_SHAPE,
     "{\"0.dense.weight\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]}," BIAS "}",
     "tensor '0.dense.weight' must have shape 1x2 but has 2x1"},
    {CN_E_SHAPE,
     "{\"0.dense.weight\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,8]}," BIAS "}",
     "tensor '0.dense.weight' must have shape 1x2 but has none"},
    {CN_E_SHAPE,
     "{\"0.dense.weight\":{\"dtype\":\"F32\",\"shape\":[1,-2],\"data_offsets\":[0,8]}," BIAS "}",
     "tensor '0.dense.weight' must have shape 1x2 but has 1x-2"},
    {CN_E_SHAPE,
     "{\"0.dense.weight\":{\"dtype\":\"F16\",\"shape\":[1,2],\"data_offsets\":[0,4]}," BIAS "}",
     "tensor '0.dense.weight' must be F32 but is F16"},
    {CN_E_PARSE,
     "{\"0.dense.weight\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0]}," BIAS "}",
     "tensor '0.dense.weight' must have exactly dtype, shape and data_offsets"},
    {CN_E_PARSE,
     "{\"0.dense.weight\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8],\"x\":1}," BIAS
     "}",
     "tensor '0.dense.weight' must have exactly dtype, shape and data_offsets"},
    {CN_E_PARSE,
     "{\"0.dense.weight\":{\"dtype\":1,\"shape\":[1,2],\"data_offsets\":[0,8]}," BIAS "}",
     "tensor '0.dense.weight' must have exactly dtype, shape and data_offsets"},
    {CN_E_PARSE,
     "{\"0.dense.weight\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,7]}," BIAS "}",
     "tensor '0.dense.weight' lies at 0 to 7 but has 8 bytes"},
    {CN_E_PARSE,
     "{\"0.dense.weight\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[-8,0]}," BIAS "}",
     "tensor '0.dense.weight' lies at -8 to 0 but has 8 bytes"},
    {CN_E_PARSE,
     "{\"0.dense.weight\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[8,16]}," BIAS "}",
     "tensor '0.dense.weight' lies at 8 to 16 but has 8 bytes, in a file with 12"},
    {CN_E_PARSE,
     "{\"0.dense.weight\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[4,12]}," BIAS "}",
     "tensor '0.dense.weight' starts at byte 4 but the one before ends 0"},
    {CN_E_PARSE,
     "{" WEIGHT ",\"0.dense.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
     "tensor '0.dense.bias' starts at byte 4 but the one before ends 8"},
    {CN_E_PARSE, "{\"__metadata__\":3," WEIGHT "," BIAS "}", "'__metadata__' must be an object"},
    {CN_E_PARSE, "{\"__metadata__\":{\"a\":3}," WEIGHT "," BIAS "}",
     "metadata 'a' must be a string"},
    {CN_E_TOO_LARGE,
     "{\"__metadata__\":{\"0123456789012345678901234567890123456789012345678901234567890123\":"
     "\"x\"}," WEIGHT "," BIAS "}",
     "metadata '0123"},
};

Test(safetensors, are_refused_for_every_fault_with_its_name)
{
    const float values[3] = {1.0f, 2.0f, 3.0f};

    for (size_t i = 0; i < CN_COUNT(FAULTS); i++) {
        const struct fault *fault = &FAULTS[i];
        struct cn_diag diag = {0};

        cr_assert_eq(decode(fault->header, values, 3, &diag, NULL), fault->err, "%s: %s",
                     fault->header, diag.text);
        cr_assert_eq(strncmp(diag.text, fault->text, strlen(fault->text)), 0, "%s and not %s",
                     diag.text, fault->text);
        cr_assert_str_eq(diag.place, "m.safetensors");
        cr_assert_eq(decode(fault->header, values, 3, NULL, NULL), fault->err);
    }
}

Test(safetensors, are_refused_with_bytes_left_over)
{
    const float values[4] = {1.0f, 2.0f, 3.0f, 4.0f};
    struct cn_diag diag = {0};

    cr_assert_eq(decode("{" WEIGHT "," BIAS "}", values, 4, &diag, NULL), CN_E_PARSE);
    cr_assert_str_eq(diag.text, "4 bytes follow the last tensor");
}

Test(safetensors, are_refused_with_values_that_are_not_finite)
{
    const float values[3] = {1.0f, NAN, 3.0f}, infinite[3] = {1.0f, 2.0f, -INFINITY};
    struct cn_diag diag = {0};

    cr_assert_eq(decode("{" WEIGHT "," BIAS "}", values, 3, &diag, NULL), CN_E_DIVERGED);
    cr_assert_str_eq(diag.text, "tensor '0.dense.weight': value 1 is not finite");
    cr_assert_eq(decode("{" WEIGHT "," BIAS "}", infinite, 3, NULL, NULL), CN_E_DIVERGED);
}

Test(safetensors, are_refused_when_cut_anywhere)
{
    struct model *model = fixture_model(&TWO, 2, 1);
    struct cn_buf bytes;

    cn_buf_init(&bytes, safetensors_bytes_max(model));
    cr_assert_eq(safetensors_encode(&bytes, model, NULL), CN_OK);
    for (size_t len = 0; len < bytes.len; len++) {
        uint8_t *copy = malloc(len ? len : 1); /* so that the sanitizer sees a read past it */

        memcpy(copy, bytes.data, len);
        cr_assert_eq(safetensors_decode(model, copy, len, NULL, "x", NULL), CN_E_PARSE);
        free(copy);
    }
    cn_buf_clear(&bytes);
    model_free(model);
}

Test(safetensors, with_a_huge_header_are_refused)
{
    struct model *model = fixture_model(&ONE, 2, 1);
    const uint8_t huge[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, '{'};
    const uint8_t over[16] = {1, 0, 0x10, 0, 0, 0, 0, 0, '{'};

    cr_assert_eq(safetensors_decode(model, huge, 16, NULL, "x", NULL), CN_E_TOO_LARGE);
    cr_assert_eq(safetensors_decode(model, over, 16, NULL, "x", NULL), CN_E_TOO_LARGE);
    model_free(model);
}

Test(safetensors, are_saved_and_loaded)
{
    struct model *model = fixture_model(&TWO, 2, 1), *back = fixture_model(&TWO, 2, 2);
    struct model *other = fixture_model(&ONE, 2, 3);
    char folder[] = "/tmp/cairn-safetensors-XXXXXX", path[CN_PATH_MAX];
    struct cn_diag diag = {0};

    cr_assert(mkdtemp(folder));
    cr_assert_eq(cn_path_join(path, folder, "m.safetensors"), CN_OK);
    cr_assert_eq(safetensors_load(back, path, NULL, &diag), CN_E_NOT_FOUND);
    cr_assert_eq(safetensors_save(path, model, NULL, NULL), CN_OK);
    cr_assert_eq(safetensors_load(back, path, NULL, NULL), CN_OK);
    cr_assert_arr_eq(model_weights(back), model_weights(model), TWO_PARAMS * sizeof(float));
    cn_diag_clear(&diag);
    cr_assert_eq(safetensors_load(other, path, NULL, &diag), CN_E_SHAPE);
    cr_assert_str_eq(diag.place, path);
    cr_assert_str_eq(diag.text, "tensor '0.dense.weight' is missing");
    unlink(path);
    cr_assert_neq(safetensors_save("/nowhere/m", model, NULL, &diag), CN_OK);
    rmdir(folder);
    model_free(model);
    model_free(back);
    model_free(other);
}
