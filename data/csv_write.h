/* SPDX-License-Identifier: Apache-2.0 */
/* Tables written field by field, plain or gzip, to a file that appears only when it is whole. */
#ifndef CAIRN_DATA_CSV_WRITE_H
#define CAIRN_DATA_CSV_WRITE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"
#include "base/err.h"
#include "base/file.h"

struct gzFile_s;

struct csv_writer {
    struct gzFile_s *file; /* zlib's */
    const char *path;      /* borrowed */
    char part[CN_PATH_MAX + 16];
    char separator; /* ',' or '\t' */
    bool first;     /* of the record */
    bool failed;
};

/* Opens a new file of mode 0600 beside path; gzip when the name ends in ".gz". CN_E_EXISTS when
 * path is there already, CN_E_IO and others as errno says. Ended by csv_writer_close or _drop. */
enum cn_err csv_writer_open(struct csv_writer *writer, const char *path, char separator,
                            struct cn_diag *diag);

/* Writes a field, with quotes where they are needed; a failure sticks until csv_writer_close. */
void csv_writer_field(struct csv_writer *writer, const char *text, size_t len);

void csv_writer_end_record(struct csv_writer *writer);

/* Flushes and gives the file its name. CN_E_EXISTS when path has appeared; CN_E_NOSPACE, CN_E_IO;
 * after a failure nothing is left. */
enum cn_err csv_writer_close(struct csv_writer *writer, struct cn_diag *diag);

/* Throws away what was written; one that was closed or never opened is allowed. */
void csv_writer_drop(struct csv_writer *writer);

#endif
