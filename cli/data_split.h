/* SPDX-License-Identifier: Apache-2.0 */
/* `cairn data split` of files whose records are lines: tables, sparse tables, texts. */
#ifndef CAIRN_CLI_DATA_SPLIT_H
#define CAIRN_CLI_DATA_SPLIT_H

#include "base/options.h"
#include "data/source.h"

#define DATA_SPLIT_PARTS_MAX 256u /* files that are open at a time */

/* Splits a csv, tsv, libsvm or text source by the verb's options. Records keep their order and stay
 * as they are; a text without labels is cut into stretches of equal numbers of lines. */
int data_split_lines(const struct cn_args *args, const struct data_source *source);

#endif
