/* SPDX-License-Identifier: Apache-2.0 */
/* `cairn model export`: a trained model for runtimes of other people. */
#ifndef CAIRN_CLI_MODEL_EXPORT_H
#define CAIRN_CLI_MODEL_EXPORT_H

#include "base/options.h"

int model_export(const struct cn_args *args);

#define MODEL_EXPORT_OPTIONS 2
extern const struct cn_option model_export_options[MODEL_EXPORT_OPTIONS];

#endif
