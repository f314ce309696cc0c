/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of the program `cairn`: one table per subject, put together by cli_program. */
#ifndef CAIRN_CLI_VERBS_H
#define CAIRN_CLI_VERBS_H

#include <stddef.h>

#include "base/options.h"

extern const struct cn_verb privacy_verbs[];
extern const size_t privacy_verb_count;
extern const struct cn_verb plan_verbs[];
extern const size_t plan_verb_count;
extern const struct cn_verb audit_verbs[];
extern const size_t audit_verb_count;
extern const struct cn_verb model_verbs[];
extern const size_t model_verb_count;
extern const struct cn_verb train_verbs[];
extern const size_t train_verb_count;
extern const struct cn_verb data_verbs[];
extern const size_t data_verb_count;
extern const struct cn_verb bench_verbs[];
extern const size_t bench_verb_count;
extern const struct cn_verb bench_train_verbs[];
extern const size_t bench_train_verb_count;

/* The program, valid for ever. */
const struct cn_program *cli_program(void);

#endif
