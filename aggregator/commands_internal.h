/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs share: opening a folder, passphrases, answers in JSON. */
#ifndef CAIRN_AGGREGATOR_COMMANDS_INTERNAL_H
#define CAIRN_AGGREGATOR_COMMANDS_INTERNAL_H

#include <jansson.h>

#include "aggregator/commands.h"
#include "aggregator/config.h"
#include "aggregator/registry.h"
#include "aggregator/store.h"
#include "crypto/keyfile.h"

/* An aggregator's folder, opened by a verb. */
struct folder {
    const char *path;
    struct config config;
    struct store *store;
    struct registry registry;
};

/* Opens the folder that the first argument names. CN_E_NOT_FOUND and others with diag; folder_close
 * is due in every case. */
enum cn_err folder_open(struct folder *folder, const struct cn_args *args, struct cn_diag *diag);
void folder_close(struct folder *folder);

int64_t commands_now_s(void);

#define PASSPHRASE_ROOM (KEYFILE_PASSPHRASE_MAX + 2)

/* Reads the first line of the file that --passphrase-file names; without that option, and when ask
 * is set and a person sits at the terminal, asks for it (twice with confirm). *given: there is one.
 * The caller wipes out. */
enum cn_err commands_passphrase(char out[PASSPHRASE_ROOM], bool *given, const struct cn_args *args,
                                bool ask, struct cn_diag *diag);

/* Prints the object as one line and takes ownership of it. */
int commands_json(const struct cn_args *args, json_t *object);

/* "3f2a..." as a JSON string. */
json_t *commands_hex(const uint8_t *bytes, size_t len);

json_t *commands_task_json(const struct store_task *task);

/* A list of a task's rounds for JSON; and as a table for people. */
enum cn_err commands_rounds_json(json_t **out, struct store *store, const struct store_task *task);
enum cn_err commands_rounds_table(const struct cn_args *args, struct store *store,
                                  const struct store_task *task);

/* "on", "off" (secure_aggregation.mode of the task's plan), "unknown" when the plan is not there.
 */
const char *commands_task_mode(const struct registry *registry, const struct store_task *task);
#define COMMANDS_UNMASKED "without masks: the aggregator sees each device's own update"

/* One line about a task for people. */
void commands_task_line(const struct cn_args *args, const struct store_task *task);

#endif
