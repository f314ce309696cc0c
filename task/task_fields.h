/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the task file's schema that have files of their own. */
#ifndef CAIRN_TASK_TASK_FIELDS_H
#define CAIRN_TASK_TASK_FIELDS_H

#include <cyaml/cyaml.h>

extern const cyaml_schema_field_t task_data_fields[];    /* of struct task_data */
extern const cyaml_schema_field_t task_augment_fields[]; /* of struct augment_options */

#endif
