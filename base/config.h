/* SPDX-License-Identifier: Apache-2.0 */
/* YAML into C structs by a libcyaml schema, with faults told as a person needs them:
 *
 *   task.yaml:14:5: unknown key 'momentun' in 'training' (did you mean 'momentum'?)
 *   task.yaml:9:14: 'rounds.count' is 'ten'; expected a whole number from 0 to 4294967295
 *
 * The text is first walked along the schema here (unknown, missing and repeated keys, types, sizes,
 * with places), then loaded by libcyaml. Stricter than libcyaml: one document; no aliases, anchors
 * or tags; booleans are true or false only; enums by name only; numbers decimal and finite; UTF-8
 * without a byte order mark; at most 64 KiB and 16 levels.
 *
 * Optional keys that are absent leave zeros; cn_config_where tells absent from zero.
 * Not supported in a schema: CYAML_BITFIELD, CYAML_FLAGS, CYAML_IGNORE; case-insensitive keys. */
#ifndef CAIRN_BASE_CONFIG_H
#define CAIRN_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"
#include "base/err.h"

struct cyaml_schema_value;

#define CN_CONFIG_BYTES_MAX ((size_t)64 * 1024)
#define CN_CONFIG_DEPTH_MAX 16
#define CN_CONFIG_PATH_MAX 256

/* Loads text into a new struct, *out: returns ownership, to cn_config_free. place is the name that
 * diagnostics carry. schema is a CYAML_VALUE_MAPPING with CYAML_FLAG_POINTER.
 * CN_E_CONFIG for any fault of the text (then *out is NULL), CN_E_TOO_LARGE, CN_E_NOMEM. */
enum cn_err cn_config_parse(void **out, const char *text, size_t len, const char *place,
                            const struct cyaml_schema_value *schema, struct cn_diag *diag);

/* The same from a file. Who needs the text later (cn_config_where) reads the file with
 * cn_file_read and parses that. Also CN_E_NOT_FOUND and CN_E_IO. */
enum cn_err cn_config_load(void **out, const char *path, const struct cyaml_schema_value *schema,
                           struct cn_diag *diag);

/* Frees what parse or load gave; NULL is allowed. */
void cn_config_free(const struct cyaml_schema_value *schema, void *out);

/* Finds the value at a path such as "rounds.count" or "model.layers[3].kernel" (from 0) in a text
 * that cn_config_parse accepted. False when the key is absent; line and column are then 0. */
bool cn_config_where(const char *text, size_t len, const char *path, unsigned *line,
                     unsigned *column);

/* A number's bounds, both allowed values. "[]" in path stands for every entry of a sequence:
 * "model.layers[].kernel". Keys that are absent are not checked. */
struct cn_config_range {
    const char *path;
    double min;
    double max;
    bool open_min; /* min itself is refused: "greater than 0" */
};

/* Checks every number that a range names. CN_E_CONFIG with the place of the first outside. */
enum cn_err cn_config_check(const char *text, size_t len, const char *place,
                            const struct cn_config_range *ranges, size_t count,
                            struct cn_diag *diag);

/* For checks across keys: keeps the words with the place of path's value (of the nearest enclosing
 * key that is there, when path is absent). Always CN_E_CONFIG, so callers return it. */
__attribute__((format(printf, 6, 7))) enum cn_err
cn_config_refuse(struct cn_diag *diag, const char *text, size_t len, const char *place,
                 const char *path, const char *format, ...);

#endif
