/* SPDX-License-Identifier: Apache-2.0 */
/* Names of columns. */
#include "data/csv_header.h"

#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/text.h"
#include "data/csv_value.h"

static enum cn_err take_name(struct csv_header *header, const struct csv_reader *reader, uint32_t i,
                             struct cn_diag *diag)
{
    const struct csv_field *field = &reader->fields[i];
    size_t len;
    const char *text = csv_trimmed(field, &len);

    if (len >= DATA_NAME_MAX || !cn_utf8_valid(text, len, NULL)) {
        cn_diag_set(diag, reader->in.path, field->line, field->column,
                    "the name of column %u is longer than %d bytes or not UTF-8", i + 1,
                    DATA_NAME_MAX - 1);
        return CN_E_DATA;
    }
    memcpy(header->names[i], text, len);
    header->names[i][len] = '\0';
    for (uint32_t j = 0; len && j < i; j++) {
        if (strcmp(header->names[i], header->names[j]) != 0)
            continue;
        cn_diag_set(diag, reader->in.path, field->line, field->column,
                    "columns %u and %u have the same name '%s'", j + 1, i + 1, header->names[i]);
        return CN_E_DATA;
    }
    return CN_OK;
}

enum cn_err csv_header_read(struct csv_header *header, struct csv_reader *reader,
                            struct cn_diag *diag)
{
    bool got;

    *header = (struct csv_header){0};
    CN_TRY(csv_reader_next(reader, &got, diag));
    if (!got) {
        cn_diag_set(diag, reader->in.path, 0, 0,
                    "the file is empty, expected a header and records");
        return CN_E_DATA;
    }
    header->names = calloc(reader->field_count, sizeof *header->names);
    if (!header->names)
        return CN_E_NOMEM;
    header->count = reader->field_count;
    for (uint32_t i = 0; i < header->count; i++)
        CN_TRY(take_name(header, reader, i, diag));
    return CN_OK;
}

void csv_header_clear(struct csv_header *header)
{
    free(header->names);
    *header = (struct csv_header){0};
}

uint32_t csv_header_find(const struct csv_header *header, const char *name)
{
    uint32_t i = 0;

    while (i < header->count && strcmp(header->names[i], name) != 0)
        i++;
    return i;
}

enum cn_err csv_header_refuse(const struct csv_header *header, const char *path, const char *what,
                              const char *name, struct cn_diag *diag)
{
    const char **known = calloc(header->count, sizeof *known);
    const char *near = NULL;

    for (uint32_t i = 0; known && i < header->count; i++)
        known[i] = header->names[i];
    if (known)
        near = cn_text_nearest(name, known, header->count);
    cn_diag_set(diag, path, 1, 0, "no column '%.63s' in the header, which the %s names", name,
                what);
    if (near && near[0])
        cn_diag_hint(diag, "did you mean '%s'?", near);
    else
        cn_diag_hint(diag, "the first line must name the columns");
    free((void *)known);
    return CN_E_CONFIG;
}

enum cn_err csv_header_check(const struct csv_header *header, const struct csv_reader *reader,
                             struct cn_diag *diag)
{
    if (reader->field_count == header->count)
        return CN_OK;
    cn_diag_set(diag, reader->in.path, reader->fields[0].line, 1,
                "%u fields, the header has %u columns", reader->field_count, header->count);
    cn_diag_hint(diag, reader->separator == ',' ? "text with commas needs quotes around it"
                                                : "text must have no tabs in it");
    return CN_E_DATA;
}
