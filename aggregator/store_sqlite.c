/* SPDX-License-Identifier: Apache-2.0 */
/* The file itself: opening, upgrading, transactions, the cursor over queries. */
#include "aggregator/store_sqlite_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STORE_VERSION = 1, BUSY_MS = 3000, APPLICATION_ID = 0x4361726e /* "Carn" */ };

/* Entry i upgrades from version i. Never edit one that was released; add another. */
static const char *const upgrades[STORE_VERSION] = {
    "CREATE TABLE devices (id BLOB PRIMARY KEY, name TEXT NOT NULL, certificate BLOB NOT NULL,"
    "  invitation BLOB NOT NULL, enrolled_s INTEGER NOT NULL, seen_s INTEGER NOT NULL DEFAULT 0,"
    "  revoked_s INTEGER NOT NULL DEFAULT 0, software TEXT NOT NULL DEFAULT '',"
    "  declined TEXT NOT NULL DEFAULT '', declined_s INTEGER NOT NULL DEFAULT 0,"
    "  enrolled_recorded INTEGER NOT NULL DEFAULT 0,"
    "  revoked_recorded INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
    "CREATE TABLE invitations (id BLOB PRIMARY KEY, name TEXT NOT NULL, made_s INTEGER NOT NULL,"
    "  expires_s INTEGER NOT NULL, uses INTEGER NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE tasks (number INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE,"
    "  name TEXT NOT NULL, plan BLOB NOT NULL, model BLOB NOT NULL, rounds INTEGER NOT NULL,"
    "  published INTEGER NOT NULL, attempt INTEGER NOT NULL, state INTEGER NOT NULL,"
    "  submitted_s INTEGER NOT NULL, delta REAL NOT NULL, epsilon REAL NOT NULL,"
    "  test TEXT NOT NULL, note TEXT NOT NULL,"
    "  recorded INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE rounds (task BLOB NOT NULL, round INTEGER NOT NULL, attempt INTEGER NOT NULL,"
    "  published INTEGER NOT NULL, charged INTEGER NOT NULL, started_s INTEGER NOT NULL,"
    "  finished_s INTEGER NOT NULL,"
    "  cohort INTEGER NOT NULL, survivors INTEGER NOT NULL, model BLOB NOT NULL,"
    "  reason TEXT NOT NULL, metrics TEXT NOT NULL, evaluated INTEGER NOT NULL DEFAULT 0,"
    "  PRIMARY KEY (task, round, attempt)) WITHOUT ROWID;",
};

enum cn_err store_err(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return CN_OK;
    case SQLITE_FULL:
        return CN_E_NOSPACE;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return CN_E_BUSY;
    case SQLITE_CONSTRAINT:
        return CN_E_EXISTS;
    case SQLITE_NOMEM:
        return CN_E_NOMEM;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_MISMATCH:
        return CN_E_DATA;
    default:
        return CN_E_IO;
    }
}

/* ---- queries ---- */

struct query query_open(struct store *store, const char *sql)
{
    struct query query = {.store = store};
    query.err = store_err(sqlite3_prepare_v2(store->db, sql, -1, &query.statement, NULL));
    return query;
}

static void keep(struct query *query, int code)
{
    if (query->err == CN_OK)
        query->err = store_err(code);
}

void query_bind_blob(struct query *query, const void *bytes, size_t len)
{
    if (query->err == CN_OK)
        keep(query,
             sqlite3_bind_blob64(query->statement, ++query->bound, bytes, len, SQLITE_TRANSIENT));
}

void query_bind_int(struct query *query, int64_t value)
{
    if (query->err == CN_OK)
        keep(query, sqlite3_bind_int64(query->statement, ++query->bound, value));
}

void query_bind_real(struct query *query, double value)
{
    if (query->err == CN_OK)
        keep(query, sqlite3_bind_double(query->statement, ++query->bound, value));
}

void query_bind_text(struct query *query, const char *text)
{
    if (query->err == CN_OK)
        keep(query,
             sqlite3_bind_text(query->statement, ++query->bound, text, -1, SQLITE_TRANSIENT));
}

bool query_row(struct query *query)
{
    if (query->err != CN_OK)
        return false;
    query->column = 0;
    int code = sqlite3_step(query->statement);
    keep(query, code);
    return code == SQLITE_ROW;
}

void query_blob(struct query *query, void *out, size_t len)
{
    int column = query->column++;
    const void *bytes = sqlite3_column_blob(query->statement, column);
    size_t found = (size_t)sqlite3_column_bytes(query->statement, column);
    if (!bytes || found != len) {
        memset(out, 0, len);
        keep(query, SQLITE_CORRUPT);
        return;
    }
    memcpy(out, bytes, len);
}

int64_t query_int(struct query *query)
{
    return sqlite3_column_int64(query->statement, query->column++);
}

double query_real(struct query *query)
{
    return sqlite3_column_double(query->statement, query->column++);
}

uint32_t query_u32(struct query *query)
{
    int64_t value = query_int(query);
    if (value < 0 || value > UINT32_MAX) {
        keep(query, SQLITE_CORRUPT);
        return 0;
    }
    return (uint32_t)value;
}

void query_text(struct query *query, char *out, size_t max)
{
    const unsigned char *text = sqlite3_column_text(query->statement, query->column++);
    snprintf(out, max, "%s", text ? (const char *)text : "");
}

enum cn_err query_close(struct query *query)
{
    sqlite3_finalize(query->statement);
    query->statement = NULL;
    return query->err;
}

enum cn_err query_run(struct query *query, int *changed)
{
    while (query_row(query))
        ;
    if (changed)
        *changed = query->err == CN_OK ? sqlite3_changes(query->store->db) : 0;
    return query_close(query);
}

static enum cn_err run(struct store *store, const char *sql)
{
    return store_err(sqlite3_exec(store->db, sql, NULL, NULL, NULL));
}

/* ---- transactions ---- */

enum cn_err store_begin(struct store *store)
{
    CN_ASSERT(!store->in_transaction);
    CN_TRY(run(store, "BEGIN IMMEDIATE"));
    store->in_transaction = true;
    return CN_OK;
}

enum cn_err store_commit(struct store *store)
{
    CN_ASSERT(store->in_transaction);
    enum cn_err err = run(store, "COMMIT");
    if (err != CN_OK)
        CN_IGNORE(run(store, "ROLLBACK"));
    store->in_transaction = false;
    return err;
}

void store_rollback(struct store *store)
{
    if (store->in_transaction)
        CN_IGNORE(run(store, "ROLLBACK"));
    store->in_transaction = false;
}

enum cn_err store_call_begin(struct store *store)
{
    return store->in_transaction ? CN_OK : run(store, "BEGIN IMMEDIATE");
}

enum cn_err store_call_end(struct store *store, enum cn_err err)
{
    if (store->in_transaction)
        return err;
    if (err == CN_OK)
        err = run(store, "COMMIT");
    if (err != CN_OK)
        CN_IGNORE(run(store, "ROLLBACK"));
    return err;
}

/* ---- the file ---- */

static enum cn_err number_of(struct store *store, const char *pragma, int64_t *number)
{
    struct query query = query_open(store, pragma);
    *number = query_row(&query) ? query_int(&query) : 0;
    return query_close(&query);
}

static enum cn_err upgrade(struct store *store, int64_t version)
{
    CN_TRY(run(store, "BEGIN EXCLUSIVE"));
    int64_t now = version; /* another process may have been faster */
    enum cn_err err = number_of(store, "PRAGMA user_version", &now);
    for (int64_t i = now; err == CN_OK && i < STORE_VERSION; i++)
        err = run(store, upgrades[i]);
    char marks[96];
    snprintf(marks, sizeof(marks), "PRAGMA application_id=%d; PRAGMA user_version=%d",
             APPLICATION_ID, STORE_VERSION);
    if (err == CN_OK)
        err = run(store, marks);
    return store_call_end(store, err);
}

static enum cn_err prepare(struct store *store, const char *path, struct cn_diag *diag)
{
    int64_t version = 0, application = 0, tables = 0;
    CN_TRY(number_of(store, "PRAGMA user_version", &version));
    CN_TRY(number_of(store, "PRAGMA application_id", &application));
    CN_TRY(number_of(store, "SELECT count(*) FROM sqlite_master", &tables));
    if (tables > 0 && application != APPLICATION_ID) {
        cn_diag_set(diag, path, 0, 0, "this is a database, but not an aggregator's store");
        return CN_E_DATA;
    }
    if (version > STORE_VERSION) {
        cn_diag_set(diag, path, 0, 0, "the store is of version %lld; this program knows %d",
                    (long long)version, STORE_VERSION);
        cn_diag_hint(diag, "use the newer cairn-aggregator that wrote it");
        return CN_E_DATA;
    }
    CN_TRY(run(store, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON"));
    return version < STORE_VERSION ? upgrade(store, version) : CN_OK;
}

enum cn_err store_open(struct store **out, const char *path, struct cn_diag *diag)
{
    *out = NULL;
    struct store *store = calloc(1, sizeof(*store));
    if (!store)
        return CN_E_NOMEM;
    int code = sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    enum cn_err err = store_err(code);
    if (err == CN_OK) {
        sqlite3_busy_timeout(store->db, BUSY_MS);
        err = prepare(store, path, diag);
    }
    if (err != CN_OK) {
        cn_diag_set(diag, path, 0, 0, "the store can not be opened: %s",
                    store->db ? sqlite3_errmsg(store->db) : cn_err_text(err));
        store_close(store);
        return err;
    }
    *out = store;
    return CN_OK;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    store_rollback(store);
    sqlite3_close(store->db);
    free(store);
}

enum cn_err store_version(struct store *store, uint64_t *version)
{
    int64_t number = 0;
    CN_TRY(number_of(store, "PRAGMA data_version", &number));
    *version = (uint64_t)number;
    return CN_OK;
}

void store_id_pattern(char out[2 * DEVICE_ID_BYTES + 2], const char *text)
{
    size_t len = strlen(text);
    out[0] = '\0';
    if (len < 4 || len > (size_t)2 * DEVICE_ID_BYTES)
        return;
    for (size_t i = 0; i < len; i++)
        if (!isxdigit((unsigned char)text[i]))
            return;
    snprintf(out, 2 * DEVICE_ID_BYTES + 2, "%s%%", text);
}
