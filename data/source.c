/* SPDX-License-Identifier: Apache-2.0 */
/* Data sources: their text and the reader behind each format. */
#include "data/source.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/csv.h"
#include "data/idx.h"
#include "data/image_folder.h"
#include "data/intake.h"
#include "data/libsvm.h"
#include "data/manifest.h"
#include "data/text.h"

#define NUMBER_DIGITS_MAX 9

typedef enum cn_err load_fn(struct dataset *set, const struct data_source *source,
                            const struct data_form *form, struct cn_diag *diag);

/* What a format is and which keys it knows. */
struct format {
    const char *name;
    bool label;  /* knows the key label */
    bool length; /* knows the key length */
    bool sample; /* knows sample and seed */
    load_fn *load;
};

static struct intake_options intake_of(const struct data_source *source)
{
    return (struct intake_options){source->sample, source->seed};
}

static enum cn_err load_idx(struct dataset *set, const struct data_source *source,
                            const struct data_form *form, struct cn_diag *diag)
{
    return idx_load_dataset(set, source->images, source->labels, form, diag);
}

static enum cn_err load_table(struct dataset *set, const struct data_source *source,
                              const struct data_form *form, struct cn_diag *diag)
{
    struct csv_options options = {.label = source->label,
                                  .separator = source->format[0] == 't' ? '\t' : ',',
                                  .intake = intake_of(source)};

    return csv_load_as(set, source->path, &options, form, diag);
}

static enum cn_err load_libsvm(struct dataset *set, const struct data_source *source,
                               const struct data_form *form, struct cn_diag *diag)
{
    struct intake_options intake = intake_of(source);

    return libsvm_load(set, source->path, &intake, form, diag);
}

static enum cn_err load_images(struct dataset *set, const struct data_source *source,
                               const struct data_form *form, struct cn_diag *diag)
{
    struct intake_options intake = intake_of(source);

    return image_folder_load(set, source->path, &intake, form, diag);
}

static enum cn_err load_text(struct dataset *set, const struct data_source *source,
                             const struct data_form *form, struct cn_diag *diag)
{
    struct text_options options = {.labelled = source->label[0],
                                   .pairs = source->format[0] == 'p',
                                   .length = source->length,
                                   .intake = intake_of(source)};

    return text_load(set, source->path, &options, form, diag);
}

/* clang-format off */
static const struct format formats[] = {
    {.name = "idx",                                              .load = load_idx},
    {.name = "csv",    .label = true,                 .sample = true, .load = load_table},
    {.name = "tsv",    .label = true,                 .sample = true, .load = load_table},
    {.name = "libsvm",                                .sample = true, .load = load_libsvm},
    {.name = "images",                                .sample = true, .load = load_images},
    {.name = "text",   .label = true, .length = true, .sample = true, .load = load_text},
    {.name = "pairs",                                 .sample = true, .load = load_text},
};
/* clang-format on */

static const struct format *find_format(const char *name)
{
    for (size_t i = 0; i < CN_COUNT(formats); i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}

static enum cn_err refuse(const char *text, const char *what, struct cn_diag *diag)
{
    cn_diag_set(diag, NULL, 0, 0, "'%.200s': %s", text, what);
    cn_diag_hint(diag, "write idx:IMAGES,LABELS or csv:FILE,label=COLUMN; also tsv:, libsvm:FILE, "
                       "images:FOLDER, text:FILE, pairs:FILE");
    return CN_E_CONFIG;
}

/* Copies the characters [from, to); false when there are none or too many. */
static bool copy_part(char *out, size_t max, const char *from, const char *to)
{
    size_t len = (size_t)(to - from);

    if (len == 0 || len >= max)
        return false;
    memcpy(out, from, len);
    out[len] = '\0';
    return true;
}

static enum cn_err parse_idx(struct data_source *source, const char *text, struct cn_diag *diag)
{
    const char *from = text + strlen("idx:");
    const char *comma = strchr(from, ',');

    if (!comma || strchr(comma + 1, ','))
        return refuse(text, "expected two files with one comma between them", diag);
    if (!copy_part(source->images, sizeof source->images, from, comma) ||
        !copy_part(source->labels, sizeof source->labels, comma + 1, comma + strlen(comma)))
        return refuse(text, "a file's name is missing or too long", diag);
    return CN_OK;
}

/* The next ",key=" of those that exist, from at on, or the text's end. Names of files and columns
 * may hold commas, so only these words end them. */
static const char *next_key(const char *at)
{
    static const char *const keys[] = {",label=", ",length=", ",sample=", ",seed="};
    const char *first = at + strlen(at);

    for (size_t i = 0; i < CN_COUNT(keys); i++) {
        const char *found = strstr(at, keys[i]);

        first = found && found < first ? found : first;
    }
    return first;
}

/* Reads a whole number above 0. */
static bool read_number(uint32_t *out, const char *from, const char *to)
{
    size_t len = (size_t)(to - from);

    if (*out != 0 || len == 0 || len > NUMBER_DIGITS_MAX || strspn(from, "0123456789") < len)
        return false;
    *out = (uint32_t)strtoul(from, NULL, 10);
    return *out > 0;
}

/* Reads the ",key=value" at `at`; the next one begins at `to`. */
static enum cn_err parse_key(struct data_source *source, const char *at, const char *to,
                             const char *text, struct cn_diag *diag)
{
    const char *value = strchr(at, '=') + 1;
    uint32_t *number = NULL;

    if (strncmp(at, ",label=", 7) == 0) {
        if (source->label[0] || !copy_part(source->label, sizeof source->label, value, to))
            return refuse(text, "the column's name is missing, too long or there twice", diag);
        return CN_OK;
    }
    if (strncmp(at, ",length=", 8) == 0)
        number = &source->length;
    else if (strncmp(at, ",sample=", 8) == 0)
        number = &source->sample;
    else
        number = &source->seed;
    if (!read_number(number, value, to))
        return refuse(text, "length, sample and seed are whole numbers from 1 to 999999999, once",
                      diag);
    return CN_OK;
}

static enum cn_err parse_path(struct data_source *source, const char *text, const char *from,
                              struct cn_diag *diag)
{
    const char *at = next_key(from);

    if (!copy_part(source->path, sizeof source->path, from, at))
        return refuse(text, "the file's name is missing or too long", diag);
    while (*at) {
        const char *to = next_key(at + 1);

        CN_TRY(parse_key(source, at, to, text, diag));
        at = to;
    }
    return CN_OK;
}

static enum cn_err parse(struct data_source *source, const char *text, struct cn_diag *diag)
{
    const char *colon = strchr(text, ':');
    struct cn_diag fault = {0};

    if (!colon || !copy_part(source->format, sizeof source->format, text, colon) ||
        !find_format(source->format))
        return refuse(text, "is no data source", diag);
    if (strcmp(source->format, "idx") == 0)
        return parse_idx(source, text, diag);
    CN_TRY(parse_path(source, text, colon + 1, diag));
    if (data_source_check(source, &fault) != CN_OK)
        return refuse(text, fault.text, diag);
    return CN_OK;
}

enum cn_err data_source_parse(struct data_source *source, const char *text, struct cn_diag *diag)
{
    enum cn_err err;

    *source = (struct data_source){0};
    err = parse(source, text, diag);
    if (err != CN_OK)
        *source = (struct data_source){0};
    return err;
}

static enum cn_err refuse_key(const struct data_source *source, const char *what,
                              struct cn_diag *diag)
{
    cn_diag_set(diag, NULL, 0, 0, "format %s %s", source->format, what);
    return CN_E_CONFIG;
}

enum cn_err data_source_check(const struct data_source *source, struct cn_diag *diag)
{
    const struct format *format = find_format(source->format);
    bool pair = format && format->load == load_idx;

    if (!format) {
        cn_diag_set(diag, NULL, 0, 0,
                    "unknown format '%s'; expected idx, csv, tsv, libsvm, images, text or pairs",
                    source->format);
        return CN_E_CONFIG;
    }
    if (pair && (!source->images[0] || !source->labels[0]))
        return refuse_key(source, "needs the keys images and labels", diag);
    if (!pair && !source->path[0])
        return refuse_key(source, "needs the key path", diag);
    if (pair ? source->path[0] != '\0' : source->images[0] || source->labels[0])
        return refuse_key(source, pair ? "has no key path" : "has no keys images and labels", diag);
    if (source->label[0] && !format->label)
        return refuse_key(source, "has no key label", diag);
    if (source->label[0] && format->length && strcmp(source->label, "1") != 0)
        return refuse_key(source, "has its label in column 1: label=1", diag);
    if (source->length && !format->length)
        return refuse_key(source, "has no key length", diag);
    if ((source->sample || source->seed) && !format->sample)
        return refuse_key(source, "has no keys sample and seed", diag);
    if (source->require_policy[0] && format->load != load_table)
        return refuse_key(source, "has no key require_policy, which is for csv and tsv", diag);
    if (source->seed && !source->sample)
        return refuse_key(source, "has a seed but no sample", diag);
    return CN_OK;
}

static enum cn_err rebase_path(char path[CN_PATH_MAX], const char *folder)
{
    char joined[CN_PATH_MAX];

    if (path[0] == '\0' || path[0] == '/')
        return CN_OK;
    CN_TRY(cn_path_join(joined, folder, path));
    memcpy(path, joined, sizeof joined);
    return CN_OK;
}

enum cn_err data_source_rebase(struct data_source *source, const char *folder)
{
    struct data_source moved = *source;

    CN_TRY(rebase_path(moved.images, folder));
    CN_TRY(rebase_path(moved.labels, folder));
    CN_TRY(rebase_path(moved.path, folder));
    CN_TRY(rebase_path(moved.require_policy, folder));
    *source = moved;
    return CN_OK;
}

const char *data_source_place(const struct data_source *source)
{
    return source->images[0] ? source->images : source->path;
}

const char *data_source_text(const struct data_source *source, char out[DATA_SOURCE_TEXT_MAX])
{
    size_t at;

    if (strcmp(source->format, "idx") == 0) {
        (void)snprintf(out, DATA_SOURCE_TEXT_MAX, "idx:%s,%s", source->images, source->labels);
        return out;
    }
    at = (size_t)snprintf(out, DATA_SOURCE_TEXT_MAX, "%s:%s", source->format, source->path);
    if (source->label[0])
        at += (size_t)snprintf(out + at, DATA_SOURCE_TEXT_MAX - at, ",label=%s", source->label);
    if (source->length)
        at += (size_t)snprintf(out + at, DATA_SOURCE_TEXT_MAX - at, ",length=%u", source->length);
    if (source->sample)
        at += (size_t)snprintf(out + at, DATA_SOURCE_TEXT_MAX - at, ",sample=%u", source->sample);
    if (source->seed)
        (void)snprintf(out + at, DATA_SOURCE_TEXT_MAX - at, ",seed=%u", source->seed);
    return out;
}

enum cn_err data_source_load(struct dataset *set, const struct data_source *source,
                             const struct data_form *form, struct cn_diag *diag)
{
    const struct format *format = find_format(source->format);

    *set = (struct dataset){0};
    if (!format) {
        cn_diag_set(diag, NULL, 0, 0, "the data source is not set");
        return CN_E_CONFIG;
    }
    if (source->require_policy[0])
        CN_TRY(manifest_check(data_source_place(source), source->require_policy, diag));
    return format->load(set, source, form, diag);
}
