/* SPDX-License-Identifier: Apache-2.0 */
/* Data sources: their text and the reader behind each format. */
#include "data/source.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "data/csv.h"
#include "data/idx.h"

#define LABEL_KEY ",label="

static enum cn_err refuse(const char *text, const char *what, struct cn_diag *diag)
{
    cn_diag_set(diag, NULL, 0, 0, "'%.200s': %s", text, what);
    cn_diag_hint(diag, "write idx:IMAGES,LABELS or csv:FILE,label=COLUMN");
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
    memcpy(source->format, "idx", sizeof "idx");
    return CN_OK;
}

static enum cn_err parse_csv(struct data_source *source, const char *text, struct cn_diag *diag)
{
    const char *from = text + strlen("csv:");
    const char *key = strstr(from, LABEL_KEY);

    if (!key)
        return refuse(text, "expected the column of the labels after ',label='", diag);
    if (!copy_part(source->path, sizeof source->path, from, key))
        return refuse(text, "the file's name is missing or too long", diag);
    key += strlen(LABEL_KEY);
    if (!copy_part(source->label, sizeof source->label, key, key + strlen(key)))
        return refuse(text, "the column's name is missing or too long", diag);
    memcpy(source->format, "csv", sizeof "csv");
    return CN_OK;
}

enum cn_err data_source_parse(struct data_source *source, const char *text, struct cn_diag *diag)
{
    enum cn_err err;

    *source = (struct data_source){0};
    if (strncmp(text, "idx:", 4) == 0)
        err = parse_idx(source, text, diag);
    else if (strncmp(text, "csv:", 4) == 0)
        err = parse_csv(source, text, diag);
    else
        err = refuse(text, "is no data source", diag);
    if (err != CN_OK)
        *source = (struct data_source){0};
    return err;
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
    *source = moved;
    return CN_OK;
}

const char *data_source_text(const struct data_source *source, char out[DATA_SOURCE_TEXT_MAX])
{
    if (strcmp(source->format, "csv") == 0)
        (void)snprintf(out, DATA_SOURCE_TEXT_MAX, "csv:%s%s%s", source->path, LABEL_KEY,
                       source->label);
    else
        (void)snprintf(out, DATA_SOURCE_TEXT_MAX, "%s:%s,%s", source->format, source->images,
                       source->labels);
    return out;
}

enum cn_err data_source_load(struct dataset *set, const struct data_source *source,
                             const struct data_form *form, struct cn_diag *diag)
{
    if (strcmp(source->format, "idx") == 0)
        return idx_load_dataset(set, source->images, source->labels, form, diag);
    if (strcmp(source->format, "csv") == 0)
        return csv_load(set, source->path, source->label, form, diag);
    *set = (struct dataset){0};
    cn_diag_set(diag, NULL, 0, 0, "the data source is not set");
    return CN_E_CONFIG;
}
