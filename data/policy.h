/* SPDX-License-Identifier: Apache-2.0 */
/* A policy of de-identification: what becomes of every column of a table, and in how large a crowd
 * a person must be for the row to stay. The file's keys are described for their authors in
 * docs/data.md; configs/policies/ has examples. */
#ifndef CAIRN_DATA_POLICY_H
#define CAIRN_DATA_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "crypto/hash.h"
#include "data/form.h"

#define POLICY_EDGES_MAX 64
#define POLICY_MAP_MAX 4096
#define POLICY_K_MAX 100000u
#define POLICY_DAYS_MAX 3650u
#define POLICY_TEXT_MAX 4096

enum policy_action {
    POLICY_KEEP,       /* as it is */
    POLICY_DROP,       /* the column is left out */
    POLICY_HASH,       /* a pseudonym (crypto/pseudonym.h), 32 hexadecimal digits; needs the key */
    POLICY_PREFIX,     /* the first `keep` characters and a star: 10115 -> 101* */
    POLICY_MAP,        /* by a table of words: Lyon -> France */
    POLICY_BUCKET,     /* a number becomes its interval: 37 -> 30 to 40 */
    POLICY_SHIFT_DATE, /* a date moves by a constant number of days per person; needs the key */
};

struct policy_pair {
    char *from;
    char *to;
};

struct policy_column {
    char *name;
    enum policy_action action;
    uint32_t keep;           /* prefix: characters */
    struct policy_pair *map; /* [map_count] */
    uint32_t map_count;
    char *other;   /* map: what words that are not listed become; NULL: a fault */
    double *edges; /* bucket: [edge_count] rising limits, the last interval open ... */
    uint32_t edge_count;
    double width;  /* ... or intervals of one width, from multiples of it */
    uint32_t days; /* shift_date: at most this many days either way */
};

struct policy {
    char *name;
    struct policy_column *columns; /* [column_count]: all the table's columns */
    uint32_t column_count;
    char *person; /* the column that says whom a row is about; NULL: each row another person */
    char **quasi; /* [quasi_count] columns that together may give a person away */
    uint32_t quasi_count;
    uint32_t k;               /* people in a class, at least; 0: no suppression */
    char *sensitive;          /* the column that must be diverse in a class, or NULL */
    uint32_t l;               /* different values of it, at least; 0: not asked for */
    uint8_t hash[HASH_BYTES]; /* of the file's bytes: hash_blob */
};

/* Reads and checks a policy. Returns ownership, to policy_free. CN_E_CONFIG with line, column and
 * what was expected; CN_E_NOT_FOUND, CN_E_IO, CN_E_TOO_LARGE, CN_E_NOMEM. */
enum cn_err policy_load(struct policy **out, const char *path, struct cn_diag *diag);

/* The same from bytes; place is the name that diagnostics carry. */
enum cn_err policy_parse(struct policy **out, const char *text, size_t len, const char *place,
                         struct cn_diag *diag);

void policy_free(struct policy *policy);

/* The column of that name, or column_count. */
uint32_t policy_find(const struct policy *policy, const char *name);

/* True when an action needs the owner's key. */
bool policy_needs_key(const struct policy *policy);

const char *policy_action_text(enum policy_action action);

/* Writes what the column's action makes of a value that is there (not missing), other than keep,
 * hash and shift_date, into out with a zero: the interval, the mapped word, the prefix. False when
 * the value is no number or not in the map; *what then says so. Longer texts are cut. */
bool policy_generalise(char out[POLICY_TEXT_MAX], const struct policy_column *column,
                       const char *value, size_t len, const char **what);

#endif
