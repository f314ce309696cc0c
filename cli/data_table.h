/* SPDX-License-Identifier: Apache-2.0 */
/* `cairn data` on tables of people: a look before, de-identification, and its key. */
#ifndef CAIRN_CLI_DATA_TABLE_H
#define CAIRN_CLI_DATA_TABLE_H

#include "base/options.h"

/* `data inspect FILE`: columns, missing values, likely identifiers, crowds. */
int data_table_inspect(const struct cn_args *args);

/* `data deidentify IN OUT`. */
int data_table_deidentify(const struct cn_args *args);

/* `data key FILE`. */
int data_table_key(const struct cn_args *args);

#endif
