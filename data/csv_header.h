/* SPDX-License-Identifier: Apache-2.0 */
/* The first record of a table: the names of its columns. */
#ifndef CAIRN_DATA_CSV_HEADER_H
#define CAIRN_DATA_CSV_HEADER_H

#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "data/csv_record.h"
#include "data/form.h"

struct csv_header {
    char (*names)[DATA_NAME_MAX]; /* [count]; without blanks around them; "" is no name */
    uint32_t count;
};

/* Reads the first record. CN_E_DATA with the place: an empty file, a name that is too long, not
 * UTF-8 or there twice. Freed by csv_header_clear, after a failure too. */
enum cn_err csv_header_read(struct csv_header *header, struct csv_reader *reader,
                            struct cn_diag *diag);

void csv_header_clear(struct csv_header *header);

/* The column called name, or count. */
uint32_t csv_header_find(const struct csv_header *header, const char *name);

/* CN_E_CONFIG: tells that the header lacks a name, which `what` asks for, and which is near. */
enum cn_err csv_header_refuse(const struct csv_header *header, const char *path, const char *what,
                              const char *name, struct cn_diag *diag);

/* CN_E_DATA unless the record that was read last has a field for every name. */
enum cn_err csv_header_check(const struct csv_header *header, const struct csv_reader *reader,
                             struct cn_diag *diag);

#endif
