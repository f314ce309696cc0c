/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of `cairn-aggregator`. All but `serve` work on the folder's files directly; a running
 * `serve` notices by itself. */
#ifndef CAIRN_AGGREGATOR_COMMANDS_H
#define CAIRN_AGGREGATOR_COMMANDS_H

#include "base/options.h"

const struct cn_program *commands_program(void);

int commands_init(const struct cn_args *args);
int commands_serve(const struct cn_args *args);
int commands_invite(const struct cn_args *args);
int commands_task_submit(const struct cn_args *args);
int commands_task_list(const struct cn_args *args);
int commands_task_show(const struct cn_args *args);
int commands_task_stop(const struct cn_args *args);
int commands_device_list(const struct cn_args *args);
int commands_device_revoke(const struct cn_args *args);
int commands_status(const struct cn_args *args);

#endif
