/* SPDX-License-Identifier: Apache-2.0 */
/* The safetensors format, written plainly and read strictly. */
#include "nn/safetensors.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/file.h"

#define LENGTH_BYTES 8
#define METADATA_KEY "__metadata__"
#define SHAPE_TEXT 64

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors are little-endian, as we are");
_Static_assert(sizeof(float) == 4, "F32");

enum cn_err safetensors_metadata_set(struct safetensors_metadata *metadata, const char *key,
                                     const char *value)
{
    struct safetensors_pair *pair = NULL;

    if (strlen(key) >= SAFETENSORS_KEY_MAX || strlen(value) >= SAFETENSORS_VALUE_MAX)
        return CN_E_TOO_LARGE;
    for (uint32_t i = 0; i < metadata->count; i++)
        if (strcmp(metadata->pairs[i].key, key) == 0)
            pair = &metadata->pairs[i];
    if (!pair) {
        if (metadata->count == SAFETENSORS_PAIRS_MAX)
            return CN_E_TOO_LARGE;
        pair = &metadata->pairs[metadata->count++];
    }
    snprintf(pair->key, sizeof pair->key, "%s", key);
    snprintf(pair->value, sizeof pair->value, "%s", value);
    return CN_OK;
}

const char *safetensors_metadata_get(const struct safetensors_metadata *metadata, const char *key)
{
    for (uint32_t i = 0; i < metadata->count; i++)
        if (strcmp(metadata->pairs[i].key, key) == 0)
            return metadata->pairs[i].value;
    return NULL;
}

size_t safetensors_bytes_max(const struct model *model)
{
    return LENGTH_BYTES + SAFETENSORS_HEADER_MAX + model_params(model) * sizeof(float);
}

/* ---- writing ---- */

static json_t *tensor_entry(const struct model_tensor *tensor)
{
    json_t *shape = json_array();
    json_int_t from = (json_int_t)(tensor->offset * sizeof(float));
    json_int_t to = (json_int_t)((tensor->offset + tensor->count) * sizeof(float));

    for (uint32_t i = 0; i < tensor->rank; i++)
        if (json_array_append_new(shape, json_integer(tensor->shape[i])) != 0) {
            json_decref(shape);
            return NULL;
        }
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape, "data_offsets", from,
                     to);
}

static enum cn_err add_metadata(json_t *header, const struct safetensors_metadata *metadata)
{
    json_t *pairs;

    if (!metadata || metadata->count == 0)
        return CN_OK;
    pairs = json_object();
    if (json_object_set_new(header, METADATA_KEY, pairs) != 0)
        return CN_E_NOMEM;
    for (uint32_t i = 0; i < metadata->count; i++)
        if (json_object_set_new(pairs, metadata->pairs[i].key,
                                json_string(metadata->pairs[i].value)) != 0)
            return CN_E_PARSE; /* jansson refuses what is not UTF-8 */
    return CN_OK;
}

static enum cn_err make_header(json_t *header, const struct model *model,
                               const struct safetensors_metadata *metadata)
{
    CN_TRY(add_metadata(header, metadata));
    for (uint32_t i = 0; i < model_tensor_count(model); i++) {
        const struct model_tensor *tensor = model_tensor_at(model, i);

        if (json_object_set_new(header, tensor->name, tensor_entry(tensor)) != 0)
            return CN_E_NOMEM;
    }
    return CN_OK;
}

static void put_little_endian(struct cn_buf *out, uint64_t value)
{
    for (unsigned i = 0; i < LENGTH_BYTES; i++)
        cn_put_u8(out, (uint8_t)(value >> (8 * i)));
}

enum cn_err safetensors_encode(struct cn_buf *out, const struct model *model,
                               const struct safetensors_metadata *metadata)
{
    json_t *header = json_object();
    char *text = NULL;
    size_t len;
    enum cn_err err;

    if (!header)
        return CN_E_NOMEM;
    CN_TRY_OUT(err, make_header(header, model, metadata));
    text = json_dumps(header, JSON_COMPACT);
    if (!text) {
        err = CN_E_NOMEM;
        goto out;
    }
    len = strlen(text);
    put_little_endian(out, (len + 7) / 8 * 8);
    cn_put_bytes(out, text, len);
    while (len++ % 8)
        cn_put_u8(out, ' ');
    cn_put_bytes(out, model_weights_const(model), model_params(model) * sizeof(float));
    err = cn_buf_finish(out);
out:
    free(text);
    json_decref(header);
    return err;
}

enum cn_err safetensors_save(const char *path, const struct model *model,
                             const struct safetensors_metadata *metadata, struct cn_diag *diag)
{
    struct cn_buf bytes;
    enum cn_err err;

    cn_buf_init(&bytes, safetensors_bytes_max(model));
    err = safetensors_encode(&bytes, model, metadata);
    if (err == CN_OK)
        err = cn_file_write(path, bytes.data, bytes.len, 0644, diag);
    else
        cn_diag_set(diag, path, 0, 0, "the model can not be written: %s", cn_err_text(err));
    cn_buf_clear(&bytes);
    return err;
}

/* ---- reading ---- */

/* One file while it is read. */
struct reading {
    const struct model *model;
    const uint8_t *data; /* behind the header */
    size_t data_bytes;
    const char *place;
    struct cn_diag *diag;
};

/* Where one of the model's tensors lies in the file. */
struct found {
    size_t from, to; /* bytes, from the start of data */
    uint32_t index;
};

__attribute__((format(printf, 3, 4))) static enum cn_err
fault(const struct reading *r, enum cn_err err, const char *format, ...)
{
    char text[CN_DIAG_TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cn_diag_set(r->diag, r->place, 0, 0, "%s", text);
    return err;
}

static void shape_of_tensor(const struct model_tensor *tensor, char out[SHAPE_TEXT])
{
    size_t len = 0;

    out[0] = '\0';
    for (uint32_t i = 0; i < tensor->rank && len < SHAPE_TEXT; i++)
        len +=
            (size_t)snprintf(out + len, SHAPE_TEXT - len, "%s%u", i ? "x" : "", tensor->shape[i]);
}

static void shape_of_json(const json_t *shape, char out[SHAPE_TEXT])
{
    size_t len = 0;

    snprintf(out, SHAPE_TEXT, "%s", "none");
    for (size_t i = 0; i < json_array_size(shape) && len < SHAPE_TEXT; i++)
        len += (size_t)snprintf(out + len, SHAPE_TEXT - len, "%s%" JSON_INTEGER_FORMAT,
                                i ? "x" : "", json_integer_value(json_array_get(shape, i)));
}

static bool same_shape(const json_t *shape, const struct model_tensor *tensor)
{
    if (!json_is_array(shape) || json_array_size(shape) != tensor->rank)
        return false;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        const json_t *size = json_array_get(shape, i);

        if (!json_is_integer(size) || json_integer_value(size) != tensor->shape[i])
            return false;
    }
    return true;
}

/* Reads the entry of one tensor: exactly dtype, shape and data_offsets, and the model's. */
static enum cn_err read_entry(struct found *found, const struct reading *r, const json_t *entry,
                              const struct model_tensor *tensor)
{
    const json_t *dtype = json_object_get(entry, "dtype"), *shape = json_object_get(entry, "shape");
    const json_t *offsets = json_object_get(entry, "data_offsets");
    json_int_t from = json_integer_value(json_array_get(offsets, 0));
    json_int_t to = json_integer_value(json_array_get(offsets, 1));
    char expected[SHAPE_TEXT], got[SHAPE_TEXT];

    if (json_object_size(entry) != 3 || !json_is_string(dtype) || !json_is_array(shape) ||
        json_array_size(offsets) != 2 || !json_is_integer(json_array_get(offsets, 0)) ||
        !json_is_integer(json_array_get(offsets, 1)))
        return fault(r, CN_E_PARSE, "tensor '%s' must have exactly dtype, shape and data_offsets",
                     tensor->name);
    if (strcmp(json_string_value(dtype), "F32") != 0)
        return fault(r, CN_E_SHAPE, "tensor '%s' must be F32 but is %.16s", tensor->name,
                     json_string_value(dtype));
    if (!same_shape(shape, tensor)) {
        shape_of_tensor(tensor, expected);
        shape_of_json(shape, got);
        return fault(r, CN_E_SHAPE, "tensor '%s' must have shape %s but has %s", tensor->name,
                     expected, got);
    }
    if (from < 0 || to < from || (uint64_t)to > r->data_bytes ||
        (uint64_t)(to - from) != tensor->count * sizeof(float))
        return fault(r, CN_E_PARSE,
                     "tensor '%s' lies at %" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT
                     " but has %zu bytes, in a file with %zu bytes of tensors",
                     tensor->name, from, to, tensor->count * sizeof(float), r->data_bytes);
    found->from = (size_t)from;
    found->to = (size_t)to;
    return CN_OK;
}

static int by_place(const void *a, const void *b)
{
    const struct found *x = a, *y = b;

    return (x->from > y->from) - (x->from < y->from);
}

/* The tensors must lie side by side from the first to the last byte. */
static enum cn_err check_gaps(const struct reading *r, struct found *found, uint32_t count)
{
    size_t at = 0;

    qsort(found, count, sizeof *found, by_place);
    for (uint32_t i = 0; i < count; at = found[i++].to)
        if (found[i].from != at)
            return fault(r, CN_E_PARSE,
                         "tensor '%s' starts at byte %zu but the one before ends %zu",
                         model_tensor_at(r->model, found[i].index)->name, found[i].from, at);
    if (at != r->data_bytes)
        return fault(r, CN_E_PARSE, "%zu bytes follow the last tensor", r->data_bytes - at);
    return CN_OK;
}

/* Finds every tensor of the model; that none is left over follows from the counts. */
static enum cn_err find_tensors(struct found *found, const struct reading *r, const json_t *header)
{
    uint32_t count = model_tensor_count(r->model);
    const char *name;
    json_t *entry;

    for (uint32_t i = 0; i < count; i++) {
        const struct model_tensor *tensor = model_tensor_at(r->model, i);

        entry = json_object_get(header, tensor->name);
        if (!json_is_object(entry))
            return fault(r, CN_E_SHAPE, "tensor '%s' is missing", tensor->name);
        found[i].index = i;
        CN_TRY(read_entry(&found[i], r, entry, tensor));
    }
    json_object_foreach((json_t *)(uintptr_t)header, name, entry)
    {
        bool known = strcmp(name, METADATA_KEY) == 0;

        for (uint32_t i = 0; !known && i < count; i++)
            known = strcmp(name, model_tensor_at(r->model, i)->name) == 0;
        if (!known)
            return fault(r, CN_E_SHAPE, "tensor '%.64s' is none of the model's", name);
    }
    return check_gaps(r, found, count);
}

static enum cn_err read_metadata(struct safetensors_metadata *metadata, const struct reading *r,
                                 const json_t *header)
{
    json_t *pairs = json_object_get(header, METADATA_KEY), *value;
    const char *key;

    metadata->count = 0;
    if (!pairs)
        return CN_OK;
    if (!json_is_object(pairs))
        return fault(r, CN_E_PARSE, "'%s' must be an object", METADATA_KEY);
    json_object_foreach(pairs, key, value)
    {
        if (!json_is_string(value))
            return fault(r, CN_E_PARSE, "metadata '%.64s' must be a string", key);
        if (safetensors_metadata_set(metadata, key, json_string_value(value)) != CN_OK)
            return fault(r, CN_E_TOO_LARGE,
                         "metadata '%.64s': at most %u pairs of keys below %d and values below %d "
                         "bytes are read",
                         key, SAFETENSORS_PAIRS_MAX, SAFETENSORS_KEY_MAX, SAFETENSORS_VALUE_MAX);
    }
    return CN_OK;
}

/* Copies the tensors into weights [d] if all are finite. */
static enum cn_err read_weights(float *weights, const struct reading *r, const struct found *found)
{
    CN_ASSERT(r->data);
    for (uint32_t i = 0; i < model_tensor_count(r->model); i++) {
        const struct model_tensor *tensor = model_tensor_at(r->model, found[i].index);
        float *out = weights + tensor->offset;

        memcpy(out, r->data + found[i].from, tensor->count * sizeof *out);
        for (size_t j = 0; j < tensor->count; j++)
            if (!isfinite(out[j]))
                return fault(r, CN_E_DIVERGED, "tensor '%s': value %zu is not finite", tensor->name,
                             j);
    }
    return CN_OK;
}

/* Cuts bytes into header and data, and reads the header. Returns ownership of *header. */
static enum cn_err open_bytes(json_t **header, struct reading *r, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    uint64_t header_bytes = 0;
    json_error_t error;

    if (len < LENGTH_BYTES)
        return fault(r, CN_E_PARSE, "not a safetensors file: only %zu bytes", len);
    for (unsigned i = LENGTH_BYTES; i > 0; i--)
        header_bytes = header_bytes << 8 | at[i - 1];
    if (header_bytes > SAFETENSORS_HEADER_MAX)
        return fault(r, CN_E_TOO_LARGE, "a header of %" PRIu64 " bytes; at most %zu are read",
                     header_bytes, SAFETENSORS_HEADER_MAX);
    if (header_bytes > len - LENGTH_BYTES)
        return fault(r, CN_E_PARSE, "cut off: the header has %" PRIu64 " bytes, the file %zu",
                     header_bytes, len);
    at += LENGTH_BYTES;
    if (header_bytes == 0 || at[0] != '{')
        return fault(r, CN_E_PARSE, "not a safetensors file: no header");
    *header = json_loadb((const char *)at, (size_t)header_bytes, JSON_REJECT_DUPLICATES, &error);
    if (!*header)
        return fault(r, CN_E_PARSE, "the header is not JSON: %s at byte %d", error.text,
                     error.position);
    r->data = at + header_bytes;
    r->data_bytes = len - LENGTH_BYTES - (size_t)header_bytes;
    return CN_OK;
}

enum cn_err safetensors_decode(struct model *model, const void *bytes, size_t len,
                               struct safetensors_metadata *metadata, const char *place,
                               struct cn_diag *diag)
{
    struct reading r = {.model = model, .place = place, .diag = diag};
    struct found found[MODEL_TENSORS_MAX] = {0};
    struct safetensors_metadata pairs;
    json_t *header = NULL;
    float *weights = NULL;
    enum cn_err err;

    CN_TRY_OUT(err, open_bytes(&header, &r, bytes, len));
    CN_TRY_OUT(err, find_tensors(found, &r, header));
    CN_TRY_OUT(err, read_metadata(&pairs, &r, header));
    weights = malloc(model_params(model) * sizeof *weights);
    if (!weights) {
        err = CN_E_NOMEM;
        goto out;
    }
    CN_TRY_OUT(err, read_weights(weights, &r, found));
    CN_TRY_OUT(err, model_set_weights(model, weights));
    if (metadata)
        *metadata = pairs;
out:
    free(weights);
    json_decref(header);
    return err;
}

enum cn_err safetensors_load(struct model *model, const char *path,
                             struct safetensors_metadata *metadata, struct cn_diag *diag)
{
    struct cn_buf bytes;
    enum cn_err err = cn_file_read(&bytes, path, safetensors_bytes_max(model), diag);

    if (err == CN_OK)
        err = safetensors_decode(model, bytes.data, bytes.len, metadata, path, diag);
    else if (err == CN_E_TOO_LARGE)
        cn_diag_hint(diag, "the task's model has %zu parameters: was the file made for this task?",
                     model_params(model));
    cn_buf_clear(&bytes);
    return err;
}
