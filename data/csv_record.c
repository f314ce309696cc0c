/* SPDX-License-Identifier: Apache-2.0 */
/* CSV records by RFC 4180, and TSV, byte by byte. */
#include "data/csv_record.h"

#include <stdlib.h>
#include <string.h>

#include "data/csv.h"

#define END_OF_FILE (-1)

enum csv_state {
    CSV_START,  /* of a field */
    CSV_PLAIN,  /* in a field without quotes */
    CSV_QUOTED, /* between quotes */
    CSV_CLOSED, /* behind a quote that ends the field or is the first of two */
};

enum cn_err csv_reader_open(struct csv_reader *reader, const char *path, char separator,
                            uint32_t field_max, struct cn_diag *diag)
{
    *reader =
        (struct csv_reader){.line = 1, .column = 1, .separator = separator, .field_max = field_max};
    cn_buf_init(&reader->record, CSV_RECORD_BYTES_MAX);
    CN_TRY(stream_open(&reader->in, path, diag));
    reader->chunk = malloc(CSV_CHUNK_BYTES);
    reader->fields = calloc(field_max, sizeof *reader->fields);
    return reader->chunk && reader->fields ? CN_OK : CN_E_NOMEM;
}

void csv_reader_close(struct csv_reader *reader)
{
    stream_close(&reader->in);
    cn_buf_clear(&reader->record);
    free(reader->chunk);
    free(reader->fields);
    reader->chunk = NULL;
    reader->fields = NULL;
}

static enum cn_err refuse(const struct csv_reader *reader, const char *what, struct cn_diag *diag)
{
    cn_diag_set(diag, reader->in.path, reader->line, reader->column, "%s", what);
    return CN_E_DATA;
}

/* Gives the next byte without taking it, or END_OF_FILE. */
static enum cn_err peek(struct csv_reader *reader, int *byte, struct cn_diag *diag)
{
    if (reader->chunk_at == reader->chunk_len) {
        reader->chunk_at = 0;
        CN_TRY(stream_read(&reader->in, reader->chunk, CSV_CHUNK_BYTES, &reader->chunk_len, diag));
    }
    *byte = reader->chunk_len ? (unsigned char)reader->chunk[reader->chunk_at] : END_OF_FILE;
    return *byte == 0 ? refuse(reader, "a zero byte; expected text", diag) : CN_OK;
}

static void take(struct csv_reader *reader, int byte)
{
    reader->chunk_at++;
    if (byte == '\n') {
        reader->line++;
        reader->column = 1;
    } else if ((byte & 0xc0) != 0x80) { /* continuation bytes of UTF-8 take no column */
        reader->column++;
    }
}

/* A byte order mark is no part of the first name. */
static void skip_mark(struct csv_reader *reader)
{
    bool start = reader->line == 1 && reader->column == 1 && reader->chunk_at == 0;

    if (start && reader->chunk_len >= 3 && memcmp(reader->chunk, "\xef\xbb\xbf", 3) == 0)
        reader->chunk_at = 3;
}

static enum cn_err field_begin(struct csv_reader *reader, struct cn_diag *diag)
{
    if (reader->field_count == reader->field_max) {
        cn_diag_set(diag, reader->in.path, reader->line, reader->column,
                    "more than %u fields in one record", reader->field_max);
        return CN_E_DATA;
    }
    reader->fields[reader->field_count++] = (struct csv_field){
        .at = reader->record.len, .line = reader->line, .column = reader->column};
    return CN_OK;
}

static void field_end(struct csv_reader *reader)
{
    struct csv_field *field = &reader->fields[reader->field_count - 1];

    field->len = reader->record.len - field->at;
    cn_put_u8(&reader->record, 0);
}

static enum cn_err field_byte(struct csv_reader *reader, int byte, struct cn_diag *diag)
{
    const struct csv_field *field = &reader->fields[reader->field_count - 1];

    cn_put_u8(&reader->record, (uint8_t)byte);
    if (reader->record.failed || reader->record.len - field->at > CSV_FIELD_BYTES_MAX) {
        if (reader->record.short_of_memory)
            return CN_E_NOMEM;
        cn_diag_set(diag, reader->in.path, field->line, field->column,
                    "the field or its record is larger than allowed (%u and %zu bytes)",
                    CSV_FIELD_BYTES_MAX, CSV_RECORD_BYTES_MAX);
        cn_diag_hint(diag, "a quote that never ends looks like this, too");
        return CN_E_TOO_LARGE;
    }
    return CN_OK;
}

/* Ends the field at a separator and the record at a line's or the file's end. */
static enum cn_err at_separator(struct csv_reader *reader, int byte, bool *done,
                                struct cn_diag *diag)
{
    field_end(reader);
    *done = byte != reader->separator;
    if (byte != END_OF_FILE)
        take(reader, byte);
    return *done ? CN_OK : field_begin(reader, diag);
}

/* A carriage return counts only as part of a line's end. */
static enum cn_err skip_return(struct csv_reader *reader, int *byte, struct cn_diag *diag)
{
    if (*byte != '\r')
        return CN_OK;
    take(reader, '\r');
    CN_TRY(peek(reader, byte, diag));
    return *byte == '\n' || *byte == END_OF_FILE
               ? CN_OK
               : refuse(reader, "a carriage return inside a line", diag);
}

static enum cn_err step_quoted(struct csv_reader *reader, enum csv_state *state, int byte,
                               struct cn_diag *diag)
{
    const struct csv_field *field = &reader->fields[reader->field_count - 1];

    if (byte == END_OF_FILE) {
        cn_diag_set(diag, reader->in.path, field->line, field->column, "the quote never ends");
        return CN_E_DATA;
    }
    take(reader, byte);
    if (byte == '"') {
        *state = CSV_CLOSED;
        return CN_OK;
    }
    return field_byte(reader, byte, diag);
}

static enum cn_err step(struct csv_reader *reader, enum csv_state *state, bool *done,
                        struct cn_diag *diag)
{
    bool quotes;
    int byte;

    CN_TRY(peek(reader, &byte, diag));
    quotes = reader->separator == ',';
    if (*state == CSV_QUOTED)
        return step_quoted(reader, state, byte, diag);
    if (byte == '"' && quotes && *state != CSV_PLAIN) {
        bool doubled = *state == CSV_CLOSED;

        take(reader, byte);
        *state = CSV_QUOTED;
        return doubled ? field_byte(reader, byte, diag) : CN_OK;
    }
    CN_TRY(skip_return(reader, &byte, diag));
    if (byte == reader->separator || byte == '\n' || byte == END_OF_FILE) {
        *state = CSV_START;
        return at_separator(reader, byte, done, diag);
    }
    if (byte == '"' && quotes)
        return refuse(reader, "a quote inside a field that does not start with one", diag);
    if (*state == CSV_CLOSED)
        return refuse(reader, "text behind a closing quote; expected a comma or a new line", diag);
    *state = CSV_PLAIN;
    take(reader, byte);
    return field_byte(reader, byte, diag);
}

static enum cn_err read_record(struct csv_reader *reader, struct cn_diag *diag)
{
    enum csv_state state = CSV_START;
    bool done = false;

    reader->field_count = 0;
    cn_buf_reset(&reader->record);
    CN_TRY(field_begin(reader, diag));
    while (!done)
        CN_TRY(step(reader, &state, &done, diag));
    for (uint32_t i = 0; i < reader->field_count; i++)
        reader->fields[i].text = (const char *)reader->record.data + reader->fields[i].at;
    return cn_buf_finish(&reader->record);
}

enum cn_err csv_reader_next(struct csv_reader *reader, bool *got, struct cn_diag *diag)
{
    int byte;

    for (*got = false;;) {
        CN_TRY(peek(reader, &byte, diag));
        skip_mark(reader);
        if (byte == END_OF_FILE)
            return CN_OK;
        CN_TRY(read_record(reader, diag));
        if (reader->field_count > 1 || reader->fields[0].len > 0) {
            *got = true;
            return CN_OK;
        }
    }
}
