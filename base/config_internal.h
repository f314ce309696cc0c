/* SPDX-License-Identifier: Apache-2.0 */
/* A YAML text as a flat tree of values with their places; what the files config*.c share.
 *
 * Nodes stand in the order of the text: a parent before its children. Walks are loops over the
 * array, never recursion. */
#ifndef CAIRN_BASE_CONFIG_INTERNAL_H
#define CAIRN_BASE_CONFIG_INTERNAL_H

#include <stdint.h>

#include "base/arena.h"
#include "base/config.h"

#define CONFIG_NODES_MAX 4096
#define CONFIG_ROOT 0u

enum config_kind { CONFIG_SCALAR, CONFIG_MAPPING, CONFIG_SEQUENCE };

struct config_node {
    enum config_kind kind;
    uint32_t parent;  /* the root is its own */
    uint32_t index;   /* place among the parent's children */
    uint32_t count;   /* children */
    const char *key;  /* under a mapping, else NULL */
    const char *text; /* of a scalar; no zero bytes inside */
    bool plain;       /* a scalar without quotes */
    unsigned line, column;
    unsigned key_line, key_column;
    const struct cyaml_schema_value *schema; /* set by config_match */
};

struct config_tree {
    struct cn_arena arena;
    struct config_node *nodes; /* [CONFIG_NODES_MAX] */
    uint32_t count;            /* 0 after a failure */
    const char *place;         /* for diagnostics; borrowed */
};

/* Reads text into tree, which the caller clears in every case. CN_E_CONFIG with the place of what
 * is not YAML or not allowed here; CN_E_NOMEM. */
enum cn_err config_tree_read(struct config_tree *tree, const char *text, size_t len,
                             const char *place, struct cn_diag *diag);

void config_tree_clear(struct config_tree *tree);

/* Writes "model.layers[3].kernel"; "" for the root. Returns out. */
const char *config_tree_path(const struct config_tree *tree, uint32_t node,
                             char out[CN_CONFIG_PATH_MAX]);

/* Finds the node at a path; NULL when it is absent. */
const struct config_node *config_tree_find(const struct config_tree *tree, const char *path);

/* Keeps a fault about a node, with its path before the words: "'rounds.count' <words>". */
__attribute__((format(printf, 4, 5))) enum cn_err config_tree_refuse(const struct config_tree *tree,
                                                                     uint32_t node,
                                                                     struct cn_diag *diag,
                                                                     const char *format, ...);

/* A value as shown in a message: printable and at most 40 characters. Returns out. */
#define CONFIG_SHOWN_BYTES 64
const char *config_shown(const char *text, char out[CONFIG_SHOWN_BYTES]);

/* Matches every node with the schema of its place and checks it. CN_E_CONFIG. */
enum cn_err config_match(struct config_tree *tree, const struct cyaml_schema_value *schema,
                         struct cn_diag *diag);

/* Reads a finite decimal number, all of text. */
bool config_number(const char *text, double *number);

#endif
