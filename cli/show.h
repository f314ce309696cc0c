/* SPDX-License-Identifier: Apache-2.0 */
/* Answers on standard output: one JSON object, or text that a person likes to read. */
#ifndef CAIRN_CLI_SHOW_H
#define CAIRN_CLI_SHOW_H

#include <stdint.h>

#include <jansson.h>

#include "base/options.h"

#define SHOW_NUMBER_MAX 32
#define SHOW_BAR_MAX 128
#define SHOW_HEX_SHORT 12

/* Prints the object, which it takes, and returns code. A NULL object (out of memory) is told as a
 * failure. */
int show_json(const struct cn_args *args, json_t *object, int code);

/* Writes 1234567 as "1,234,567"; returns out. */
const char *show_count(char out[SHOW_NUMBER_MAX], uint64_t number);

/* Writes epsilon and the like with three decimals, "unbounded" when infinite; returns out. */
const char *show_epsilon(char out[SHOW_NUMBER_MAX], double epsilon);

/* Writes a bar of blocks, share (0 .. 1) of width cells; returns out. */
const char *show_bar(char out[SHOW_BAR_MAX], double share, unsigned width);

/* "s" unless count is 1. */
const char *show_plural(uint64_t count);

/* A finite number, or null: JSON has no infinities. */
json_t *show_json_real(double number);

#endif
