/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors: 8 bytes of header length, little-endian; JSON; the tensors' bytes.
 * Source: github.com/huggingface/safetensors, README. */
#include "cli/model_file.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/file.h"

#define HEADER_BYTES_MAX ((uint64_t)16 << 20)
#define LENGTH_BYTES 8u
#define METADATA_KEY "__metadata__"

/* The path is added by model_file_read. */
static enum cn_err refuse(struct cn_diag *diag, const char *name, const char *what)
{
    if (name)
        cn_diag_set(diag, NULL, 0, 0, "tensor '%.100s': %s", name, what);
    else
        cn_diag_set(diag, NULL, 0, 0, "%s", what);
    cn_diag_hint(diag, "this is not a whole safetensors file");
    return CN_E_PARSE;
}

/* Copies text so that it can be printed. */
static void printable(char *out, size_t max, const char *text)
{
    struct cn_buf buf;

    cn_buf_init(&buf, max - 1);
    cn_put_printable(&buf, text, strnlen(text, max));
    snprintf(out, max, "%.*s", (int)buf.len, buf.data ? (const char *)buf.data : "");
    cn_buf_clear(&buf);
}

static uint64_t type_bytes(const char *dtype)
{
    static const struct {
        const char *name;
        uint64_t bytes;
    } types[] = {{"F64", 8}, {"I64", 8}, {"U64", 8},  {"F32", 4}, {"I32", 4},
                 {"U32", 4}, {"F16", 2}, {"BF16", 2}, {"I16", 2}, {"U16", 2},
                 {"I8", 1},  {"U8", 1},  {"BOOL", 1}};

    for (size_t i = 0; i < CN_COUNT(types); i++)
        if (strcmp(types[i].name, dtype) == 0)
            return types[i].bytes;
    return 0;
}

static bool take_shape(struct model_file_tensor *tensor, const json_t *shape)
{
    tensor->count = 1;
    if (!json_is_array(shape) || json_array_size(shape) > MODEL_FILE_RANK_MAX)
        return false;
    tensor->rank = (uint32_t)json_array_size(shape);
    for (uint32_t i = 0; i < tensor->rank; i++) {
        json_int_t size = json_integer_value(json_array_get(shape, i));

        if (size <= 0 || __builtin_mul_overflow(tensor->count, (uint64_t)size, &tensor->count))
            return false;
        tensor->shape[i] = (uint64_t)size;
    }
    return true;
}

static bool take_offsets(struct model_file_tensor *tensor, const json_t *offsets, uint64_t room)
{
    json_int_t begin = json_integer_value(json_array_get(offsets, 0));
    json_int_t end = json_integer_value(json_array_get(offsets, 1));
    uint64_t bytes;

    if (json_array_size(offsets) != 2 || begin < 0 || end < begin || (uint64_t)end > room)
        return false;
    tensor->begin = (uint64_t)begin;
    tensor->end = (uint64_t)end;
    return !__builtin_mul_overflow(tensor->count, type_bytes(tensor->dtype), &bytes) &&
           bytes == tensor->end - tensor->begin;
}

static enum cn_err take_tensor(struct model_file *file, const char *name, const json_t *value,
                               uint64_t room, struct cn_diag *diag)
{
    struct model_file_tensor *tensor = &file->tensors[file->tensor_count++];
    const char *dtype = json_string_value(json_object_get(value, "dtype"));

    printable(tensor->name, sizeof tensor->name, name);
    if (!dtype || type_bytes(dtype) == 0)
        return refuse(diag, tensor->name, "its type is not known");
    snprintf(tensor->dtype, sizeof tensor->dtype, "%s", dtype);
    if (!take_shape(tensor, json_object_get(value, "shape")))
        return refuse(diag, tensor->name, "its shape is not valid");
    if (!take_offsets(tensor, json_object_get(value, "data_offsets"), room))
        return refuse(diag, tensor->name, "its bytes do not fit its shape or the file");
    file->parameters += tensor->count;
    return CN_OK;
}

static enum cn_err take_metadata(struct model_file *file, json_t *object)
{
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value)
    {
        char shown_key[64], shown[512];

        if (!json_is_string(value))
            continue;
        printable(shown_key, sizeof shown_key, key);
        printable(shown, sizeof shown, json_string_value(value));
        if (json_object_set_new(file->metadata, shown_key, json_string(shown)) != 0)
            return CN_E_NOMEM;
    }
    return CN_OK;
}

static double norm_of(const uint8_t *bytes, const struct model_file_tensor *tensor)
{
    double sum = 0;

    if (strcmp(tensor->dtype, "F32") != 0)
        return NAN;
    for (uint64_t i = 0; i < tensor->count; i++) {
        float value;

        memcpy(&value, bytes + tensor->begin + 4 * i, sizeof value);
        sum += (double)value * value;
    }
    return sqrt(sum);
}

static int by_offset(const void *a, const void *b)
{
    const struct model_file_tensor *one = a, *two = b;

    return (one->begin > two->begin) - (one->begin < two->begin);
}

static enum cn_err take_header(struct model_file *file, json_t *header, const uint8_t *bytes,
                               uint64_t room, struct cn_diag *diag)
{
    const char *name;
    json_t *value;

    if (!json_is_object(header) || json_object_size(header) > MODEL_FILE_TENSORS_MAX)
        return refuse(diag, NULL, "the header is not an object of tensors");
    file->tensors = calloc(json_object_size(header) + 1, sizeof *file->tensors);
    file->metadata = json_object();
    if (!file->tensors || !file->metadata)
        return CN_E_NOMEM;
    json_object_foreach(header, name, value)
    {
        if (strcmp(name, METADATA_KEY) == 0)
            CN_TRY(take_metadata(file, value));
        else
            CN_TRY(take_tensor(file, name, value, room, diag));
    }
    qsort(file->tensors, file->tensor_count, sizeof *file->tensors, by_offset);
    for (uint32_t i = 0; i < file->tensor_count; i++)
        file->tensors[i].norm = norm_of(bytes, &file->tensors[i]);
    return CN_OK;
}

static enum cn_err parse(struct model_file *file, const struct cn_buf *bytes, struct cn_diag *diag)
{
    uint64_t header_len = 0;
    json_error_t fault;
    json_t *header;
    enum cn_err err;

    if (bytes->len < LENGTH_BYTES)
        return refuse(diag, NULL, "shorter than the 8 bytes of its header's length");
    for (unsigned i = LENGTH_BYTES; i-- > 0;)
        header_len = header_len << 8 | bytes->data[i];
    if (header_len > HEADER_BYTES_MAX || header_len > bytes->len - LENGTH_BYTES)
        return refuse(diag, NULL, "the header's length passes the file's end");
    header = json_loadb((const char *)bytes->data + LENGTH_BYTES, header_len,
                        JSON_REJECT_DUPLICATES, &fault);
    if (!header)
        return refuse(diag, NULL, "the header is not JSON");
    err = take_header(file, header, bytes->data + LENGTH_BYTES + header_len,
                      bytes->len - LENGTH_BYTES - header_len, diag);
    json_decref(header);
    return err;
}

enum cn_err model_file_read(struct model_file *file, const char *path, struct cn_diag *diag)
{
    struct cn_diag fault = {0};
    struct cn_buf bytes;
    enum cn_err err;

    *file = (struct model_file){0};
    CN_TRY(cn_file_read(&bytes, path, MODEL_FILE_BYTES_MAX, diag));
    file->bytes = bytes.len;
    err = parse(file, &bytes, &fault);
    cn_buf_clear(&bytes);
    if (err == CN_OK)
        return CN_OK;
    model_file_clear(file);
    if (fault.text[0]) {
        cn_diag_set(diag, path, 0, 0, "%s", fault.text);
        cn_diag_hint(diag, "%s", fault.hint);
    }
    return err;
}

void model_file_clear(struct model_file *file)
{
    free(file->tensors);
    json_decref(file->metadata);
    *file = (struct model_file){0};
}
