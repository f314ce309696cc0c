/* SPDX-License-Identifier: Apache-2.0 */
/* The records of a CSV or TSV file, one after the other: quotes, line ends, limits. No meaning. */
#ifndef CAIRN_DATA_CSV_RECORD_H
#define CAIRN_DATA_CSV_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/diag.h"
#include "base/err.h"
#include "data/stream.h"

#define CSV_CHUNK_BYTES ((size_t)64 * 1024)

struct csv_field {
    const char *text; /* [len] and a zero; without its quotes; valid until the next record */
    size_t at;        /* the same as an offset, while the record grows */
    size_t len;
    unsigned line; /* where it starts in the file, from 1; columns count characters */
    unsigned column;
};

struct csv_reader {
    struct stream in;
    char *chunk; /* [CSV_CHUNK_BYTES] */
    size_t chunk_at, chunk_len;
    struct cn_buf record; /* the fields' text, each with a zero */
    struct csv_field *fields;
    uint32_t field_count;
    uint32_t field_max;
    unsigned line, column; /* of the next byte */
    char separator;        /* ',' with quotes as in RFC 4180; '\t' without: a quote is text */
};

/* Opens the file. A record may have up to field_max fields, separated by ',' or '\t'. Errors as of
 * stream_open. The reader is cleared by csv_reader_close, after a failure too. */
enum cn_err csv_reader_open(struct csv_reader *reader, const char *path, char separator,
                            uint32_t field_max, struct cn_diag *diag);

/* Reads the next record that is not an empty line; *got is false at the end of the file. CN_E_DATA
 * with line and column: a quote that never ends or stands inside a field, text behind a closing
 * quote, a lone carriage return, a zero byte, too many fields; CN_E_TOO_LARGE for a record or field
 * past csv.h's limits; CN_E_IO, CN_E_NOMEM. */
enum cn_err csv_reader_next(struct csv_reader *reader, bool *got, struct cn_diag *diag);

void csv_reader_close(struct csv_reader *reader);

#endif
