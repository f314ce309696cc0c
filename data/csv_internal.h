/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the CSV reader share. */
#ifndef CAIRN_DATA_CSV_INTERNAL_H
#define CAIRN_DATA_CSV_INTERNAL_H

#include "data/csv_record.h"

#define CSV_SHOWN_MAX 64

/* Writes the start of a field so that it can be printed anywhere; returns out. */
const char *csv_shown(char out[CSV_SHOWN_MAX], const struct csv_field *field);

#endif
