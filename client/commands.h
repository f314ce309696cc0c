/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of `cairn-client`, as base/options calls them; each returns an exit code. */
#ifndef CAIRN_CLIENT_COMMANDS_H
#define CAIRN_CLIENT_COMMANDS_H

#include "base/options.h"

/* The whole program: verbs, options, help. */
const struct cn_program *commands_program(void);

int commands_join(const struct cn_args *args);
int commands_run(const struct cn_args *args);
int commands_status(const struct cn_args *args);
int commands_budget(const struct cn_args *args);
int commands_limits(const struct cn_args *args);

#endif
