/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks and their rounds. */
#include "aggregator/store_sqlite_internal.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(TASK_ID_BYTES == DEVICE_ID_BYTES, "store_event and store_id_pattern serve both");

#define TASK_COLUMNS                                                                               \
    "number, id, name, plan, model, rounds, published, attempt, state, submitted_s, delta,"        \
    " epsilon, test, note"
#define ROUND_COLUMNS                                                                              \
    "rounds.task, rounds.round, rounds.attempt, rounds.published, rounds.charged,"                 \
    " rounds.started_s, rounds.finished_s, rounds.cohort, rounds.survivors, rounds.model,"         \
    " rounds.reason, rounds.metrics"

const char *store_task_state_name(enum store_task_state state)
{
    static const char *const names[STORE_TASK_STATE_COUNT] = {
#define X(NAME, text) [STORE_TASK_##NAME] = text,
        STORE_TASK_STATES(X)
#undef X
    };
    return state < STORE_TASK_STATE_COUNT ? names[state] : "?";
}

/* ---- tasks ---- */

static void task_row(struct query *query, struct store_task *task)
{
    memset(task, 0, sizeof(*task));
    task->number = (uint64_t)query_int(query);
    query_blob(query, task->id, sizeof(task->id));
    query_text(query, task->name, sizeof(task->name));
    query_blob(query, task->plan, sizeof(task->plan));
    query_blob(query, task->model, sizeof(task->model));
    task->rounds = query_u32(query);
    task->published = query_u32(query);
    task->attempt = query_u32(query);
    uint32_t state = query_u32(query);
    if (state >= STORE_TASK_STATE_COUNT && query->err == CN_OK)
        query->err = CN_E_DATA;
    task->state = (enum store_task_state)state;
    task->submitted_s = query_int(query);
    task->delta = query_real(query);
    task->epsilon = query_real(query);
    query_text(query, task->test, sizeof(task->test));
    query_text(query, task->note, sizeof(task->note));
}

static enum cn_err task_first(struct query *query, struct store_task *task)
{
    bool found = query_row(query);
    if (found)
        task_row(query, task);
    CN_TRY(query_close(query));
    return found ? CN_OK : CN_E_NOT_FOUND;
}

enum cn_err store_task_add(struct store *store, struct store_task *task)
{
    struct query query = query_open(
        store, "INSERT INTO tasks (id, name, plan, model, rounds, published, attempt, state,"
               " submitted_s, delta, epsilon, test, note)"
               " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    query_bind_blob(&query, task->id, sizeof(task->id));
    query_bind_text(&query, task->name);
    query_bind_blob(&query, task->plan, sizeof(task->plan));
    query_bind_blob(&query, task->model, sizeof(task->model));
    query_bind_int(&query, task->rounds);
    query_bind_int(&query, task->published);
    query_bind_int(&query, task->attempt);
    query_bind_int(&query, (int64_t)task->state);
    query_bind_int(&query, task->submitted_s);
    query_bind_real(&query, task->delta);
    query_bind_real(&query, task->epsilon);
    query_bind_text(&query, task->test);
    query_bind_text(&query, task->note);
    CN_TRY(query_run(&query, NULL));
    task->number = (uint64_t)sqlite3_last_insert_rowid(store->db);
    return CN_OK;
}

enum cn_err store_task_get(struct store *store, const uint8_t id[TASK_ID_BYTES],
                           struct store_task *task)
{
    struct query query = query_open(store, "SELECT " TASK_COLUMNS " FROM tasks WHERE id = ?");
    query_bind_blob(&query, id, TASK_ID_BYTES);
    return task_first(&query, task);
}

enum cn_err store_task_find(struct store *store, const char *text, struct store_task *task,
                            struct cn_diag *diag)
{
    struct query query = query_open(store, "SELECT " TASK_COLUMNS " FROM tasks WHERE name = ?"
                                           " ORDER BY number DESC LIMIT 1");
    query_bind_text(&query, text);
    enum cn_err err = task_first(&query, task);
    if (err != CN_E_NOT_FOUND)
        return err;
    char pattern[2 * DEVICE_ID_BYTES + 2];
    store_id_pattern(pattern, text);
    query = query_open(store, "SELECT " TASK_COLUMNS " FROM tasks WHERE hex(id) LIKE ? LIMIT 2");
    query_bind_text(&query, pattern);
    int found = 0;
    while (query_row(&query) && ++found == 1)
        task_row(&query, task);
    CN_TRY(query_close(&query));
    if (found == 1)
        return CN_OK;
    cn_diag_set(diag, NULL, 0, 0,
                found ? "more than one task's id begins with '%s'" : "no task is called '%s'",
                text);
    cn_diag_hint(diag, "`cairn-aggregator task list DIR` shows names and ids");
    return found ? CN_E_CONFIG : CN_E_NOT_FOUND;
}

enum cn_err store_task_list(struct store *store, store_task_visit visit, void *ctx)
{
    struct query query = query_open(store, "SELECT " TASK_COLUMNS " FROM tasks ORDER BY number");
    while (query_row(&query)) {
        struct store_task task;
        task_row(&query, &task);
        if (query.err == CN_OK)
            query.err = visit(ctx, &task);
    }
    return query_close(&query);
}

enum cn_err store_task_next(struct store *store, struct store_task *task)
{
    struct query query =
        query_open(store, "SELECT " TASK_COLUMNS " FROM tasks WHERE state IN (?, ?)"
                          " ORDER BY state DESC, number LIMIT 1");
    query_bind_int(&query, STORE_TASK_WAITING);
    query_bind_int(&query, STORE_TASK_RUNNING);
    return task_first(&query, task);
}

/* Only tasks that wait or run change; those that are over stay as they are. */
static enum cn_err task_update(struct query *query)
{
    int changed = 0;
    enum cn_err err = query_run(query, &changed);
    return err == CN_OK && changed == 0 ? CN_E_STATE : err;
}

#define WHERE_OPEN " WHERE id = ? AND state < 2"
_Static_assert(STORE_TASK_WAITING < 2 && STORE_TASK_RUNNING < 2 && STORE_TASK_DONE >= 2 &&
                   STORE_TASK_STOPPED >= 2,
               "WHERE_OPEN means waiting or running");

enum cn_err store_task_state_set(struct store *store, const uint8_t id[TASK_ID_BYTES],
                                 enum store_task_state state, const char *note)
{
    struct query query = query_open(store, "UPDATE tasks SET state = ?, note = ?" WHERE_OPEN);
    query_bind_int(&query, (int64_t)state);
    query_bind_text(&query, note);
    query_bind_blob(&query, id, TASK_ID_BYTES);
    return task_update(&query);
}

enum cn_err store_task_stop(struct store *store, const uint8_t id[TASK_ID_BYTES])
{
    struct store_task task;
    CN_TRY(store_task_get(store, id, &task));
    return store_task_state_set(store, id, STORE_TASK_STOPPED, "stopped by the operator");
}

enum cn_err store_task_note(struct store *store, const uint8_t id[TASK_ID_BYTES], const char *note)
{
    struct query query = query_open(store, "UPDATE tasks SET note = ?" WHERE_OPEN);
    query_bind_text(&query, note);
    query_bind_blob(&query, id, TASK_ID_BYTES);
    return task_update(&query);
}

enum cn_err store_attempt(struct store *store, const uint8_t id[TASK_ID_BYTES], uint32_t attempt)
{
    struct query query = query_open(store, "UPDATE tasks SET attempt = ?" WHERE_OPEN);
    query_bind_int(&query, attempt);
    query_bind_blob(&query, id, TASK_ID_BYTES);
    return task_update(&query);
}

/* ---- rounds ---- */

static enum cn_err round_insert(struct store *store, const struct store_round *round, bool *added)
{
    char *metrics = metrics_encode(&round->metrics);
    if (!metrics)
        return CN_E_NOMEM;
    struct query query =
        query_open(store, "INSERT OR IGNORE INTO rounds (task, round, attempt, published, charged,"
                          " started_s, finished_s, cohort, survivors, model, reason, metrics)"
                          " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    query_bind_blob(&query, round->task, sizeof(round->task));
    query_bind_int(&query, round->round);
    query_bind_int(&query, round->attempt);
    query_bind_int(&query, round->published);
    query_bind_int(&query, round->charged);
    query_bind_int(&query, round->started_s);
    query_bind_int(&query, round->finished_s);
    query_bind_int(&query, round->cohort);
    query_bind_int(&query, round->survivors);
    query_bind_blob(&query, round->model, sizeof(round->model));
    query_bind_text(&query, round->reason);
    query_bind_text(&query, metrics);
    int changed = 0;
    enum cn_err err = query_run(&query, &changed);
    *added = changed == 1;
    free(metrics);
    return err;
}

/* A stopped task keeps its state, but what was published stays published. */
static enum cn_err task_advance(struct store *store, const struct store_round *round)
{
    struct query query = query_open(
        store, "UPDATE tasks SET model = ?1, published = ?2, attempt = 0,"
               " state = iif(?2 >= rounds AND state < 2, ?3, state),"
               " note = iif(?2 >= rounds AND state < 2, 'all rounds are published', note)"
               " WHERE id = ?4 AND published < ?2");
    query_bind_blob(&query, round->model, sizeof(round->model));
    query_bind_int(&query, round->round);
    query_bind_int(&query, STORE_TASK_DONE);
    query_bind_blob(&query, round->task, sizeof(round->task));
    return query_run(&query, NULL);
}

enum cn_err store_round_add(struct store *store, const struct store_round *round)
{
    CN_TRY(store_call_begin(store));
    bool added = false;
    enum cn_err err = round_insert(store, round, &added);
    if (err == CN_OK && added && round->published)
        err = task_advance(store, round);
    return store_call_end(store, err);
}

static void round_row(struct query *query, struct store_round *round)
{
    memset(round, 0, sizeof(*round));
    query_blob(query, round->task, sizeof(round->task));
    round->round = query_u32(query);
    round->attempt = query_u32(query);
    round->published = query_int(query) != 0;
    round->charged = query_int(query) != 0;
    round->started_s = query_int(query);
    round->finished_s = query_int(query);
    round->cohort = query_u32(query);
    round->survivors = query_u32(query);
    query_blob(query, round->model, sizeof(round->model));
    query_text(query, round->reason, sizeof(round->reason));
    char metrics[2048];
    query_text(query, metrics, sizeof(metrics));
    enum cn_err err = metrics_decode(&round->metrics, metrics);
    if (query->err == CN_OK)
        query->err = err;
}

enum cn_err store_round_list(struct store *store, const uint8_t task[TASK_ID_BYTES],
                             store_round_visit visit, void *ctx)
{
    struct query query = query_open(store, "SELECT " ROUND_COLUMNS " FROM rounds WHERE task = ?"
                                           " ORDER BY round, attempt");
    query_bind_blob(&query, task, TASK_ID_BYTES);
    while (query_row(&query)) {
        struct store_round round;
        round_row(&query, &round);
        if (query.err == CN_OK)
            query.err = visit(ctx, &round);
    }
    return query_close(&query);
}

enum cn_err store_round_count(struct store *store, uint64_t *count)
{
    struct query query = query_open(store, "SELECT count(*) FROM rounds");
    *count = query_row(&query) ? (uint64_t)query_int(&query) : 0;
    return query_close(&query);
}

enum cn_err store_round_charged(struct store *store, const uint8_t task[TASK_ID_BYTES],
                                uint32_t *count)
{
    struct query query =
        query_open(store, "SELECT count(*) FROM rounds WHERE task = ? AND charged");
    query_bind_blob(&query, task, TASK_ID_BYTES);
    *count = query_row(&query) ? query_u32(&query) : 0;
    return query_close(&query);
}

enum cn_err store_round_unevaluated(struct store *store, struct store_round *round)
{
    struct query query = query_open(
        store, "SELECT " ROUND_COLUMNS " FROM rounds JOIN tasks ON tasks.id = rounds.task"
               " WHERE rounds.published AND NOT evaluated AND tasks.test <> ''"
               " ORDER BY tasks.number, rounds.round LIMIT 1");
    bool found = query_row(&query);
    if (found)
        round_row(&query, round);
    CN_TRY(query_close(&query));
    return found ? CN_OK : CN_E_NOT_FOUND;
}

enum cn_err store_round_evaluated(struct store *store, const struct store_round *round)
{
    char *metrics = metrics_encode(&round->metrics);
    if (!metrics)
        return CN_E_NOMEM;
    struct query query = query_open(store, "UPDATE rounds SET metrics = ?, evaluated = 1"
                                           " WHERE task = ? AND round = ? AND attempt = ?");
    query_bind_text(&query, metrics);
    query_bind_blob(&query, round->task, sizeof(round->task));
    query_bind_int(&query, round->round);
    query_bind_int(&query, round->attempt);
    free(metrics);
    return query_run(&query, NULL);
}

enum cn_err store_blobs(struct store *store, uint32_t rounds, store_blob_visit visit, void *ctx)
{
    struct query query = query_open(
        store, "SELECT plan FROM tasks UNION SELECT model FROM tasks"
               " UNION SELECT rounds.model FROM rounds JOIN tasks ON tasks.id = rounds.task"
               "  WHERE rounds.published AND (rounds.round + ? > tasks.published"
               "   OR (NOT evaluated AND tasks.test <> ''))");
    query_bind_int(&query, rounds);
    while (query_row(&query)) {
        uint8_t hash[HASH_BYTES];
        query_blob(&query, hash, sizeof(hash));
        if (query.err == CN_OK)
            query.err = visit(ctx, hash);
    }
    return query_close(&query);
}
