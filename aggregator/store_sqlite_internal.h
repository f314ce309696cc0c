/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite behind a cursor: parameters are bound and columns read in their order, the first failure
 * sticks, and one check at the end decides. For the store_sqlite*.c only. */
#ifndef CAIRN_AGGREGATOR_STORE_SQLITE_INTERNAL_H
#define CAIRN_AGGREGATOR_STORE_SQLITE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "aggregator/store.h"

struct store {
    sqlite3 *db;
    bool in_transaction; /* between store_begin and store_commit */
};

struct query {
    sqlite3_stmt *statement;
    enum cn_err err;
    int bound;  /* parameters so far */
    int column; /* of the row, read so far */
    struct store *store;
};

/* Translates SQLite's answer. CN_E_EXISTS for a key that is there. */
enum cn_err store_err(int code);

struct query query_open(struct store *store, const char *sql);
void query_bind_blob(struct query *query, const void *bytes, size_t len);
void query_bind_int(struct query *query, int64_t value);
void query_bind_real(struct query *query, double value);
void query_bind_text(struct query *query, const char *text);

/* Moves to the next row; false at the end and after a failure. */
bool query_row(struct query *query);

/* A blob of another size is CN_E_DATA and read as zeros; texts are cut at max - 1 bytes. */
void query_blob(struct query *query, void *out, size_t len);
int64_t query_int(struct query *query);
double query_real(struct query *query);
uint32_t query_u32(struct query *query);
void query_text(struct query *query, char *out, size_t max);

/* Ends the query; CN_OK, or the first failure. */
enum cn_err query_close(struct query *query);

/* Runs what gives no rows, and ends it. changed, may be NULL: rows changed. */
enum cn_err query_run(struct query *query, int *changed);

/* A transaction of one call; inside store_begin's they do nothing. */
enum cn_err store_call_begin(struct store *store);
enum cn_err store_call_end(struct store *store, enum cn_err err);

/* The pattern of a search by name, hexadecimal id or its beginning: for "id LIKE" on hex(id); ""
 * when text can be no id. */
void store_id_pattern(char out[2 * DEVICE_ID_BYTES + 2], const char *text);

#endif
