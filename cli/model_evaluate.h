/* SPDX-License-Identifier: Apache-2.0 */
/* `cairn model evaluate`: how good a model is, in the measures that fit what it predicts. */
#ifndef CAIRN_CLI_MODEL_EVALUATE_H
#define CAIRN_CLI_MODEL_EVALUATE_H

#include "base/options.h"

int model_evaluate(const struct cn_args *args);

#define MODEL_EVALUATE_OPTIONS 3
extern const struct cn_option model_evaluate_options[MODEL_EVALUATE_OPTIONS];

#endif
