/* SPDX-License-Identifier: Apache-2.0 */
/* task submit, list, show, stop. */
#include "aggregator/commands_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "aggregator/aggregate.h"
#include "aggregator/assess.h"
#include "base/progress.h"
#include "base/text.h"
#include "crypto/random.h"

enum { LOCK_TRIES = 100, LOCK_WAIT_NS = 50 * 1000 * 1000 };

/* ---- submit ---- */

struct submitting {
    const struct cn_args *args;
    struct folder folder;
    struct task *task;
    struct store_task row;
    int lock;
};

/* Test data is tried now, not after the first round; its paths become absolute. */
static enum cn_err take_test(struct submitting *submitting, struct cn_diag *diag)
{
    const char *text = cn_args_text(submitting->args, "test");
    if (!text)
        return CN_OK;
    struct data_source source;
    CN_TRY(data_source_parse(&source, text, diag));
    char here[CN_PATH_MAX];
    if (!getcwd(here, sizeof(here)))
        return CN_E_IO;
    CN_TRY(data_source_rebase(&source, here));
    data_source_text(&source, submitting->row.test);
    struct dataset data = {0};
    enum cn_err err = assess_load(&data, submitting->task, submitting->row.test, diag);
    dataset_free(&data);
    return err;
}

/* Keeps `serve` from collecting blobs that no task points to yet. */
static enum cn_err lock_blobs(struct submitting *submitting, struct cn_diag *diag)
{
    char path[CN_PATH_MAX];
    CN_TRY(cn_path_join(path, submitting->folder.path, CONFIG_BLOBS_LOCK));
    enum cn_err err = CN_E_BUSY;
    for (int i = 0; err == CN_E_BUSY && i < LOCK_TRIES; i++) {
        const struct timespec wait = {.tv_nsec = LOCK_WAIT_NS};
        if (i > 0)
            nanosleep(&wait, NULL);
        err = cn_file_lock(path, &submitting->lock, i + 1 < LOCK_TRIES ? NULL : diag);
    }
    return err;
}

static enum cn_err fill_row(struct submitting *submitting)
{
    struct store_task *row = &submitting->row;
    const struct task *task = submitting->task;
    struct cn_random random;
    uint8_t nonce[TASK_NONCE_BYTES];
    CN_TRY(random_system(&random));
    cn_random_fill(&random, nonce, sizeof(nonce));
    task_make_id(row->id, task->hash, nonce);
    snprintf(row->name, sizeof(row->name), "%s", task->name);
    row->rounds = task->rounds.count;
    row->submitted_s = commands_now_s();
    if (task->privacy.unit != TASK_UNIT_NONE) {
        row->delta = task->privacy.delta;
        row->epsilon = task->epsilon;
    }
    snprintf(row->note, sizeof(row->note), "waits for its turn");
    return CN_OK;
}

static enum cn_err submit(struct submitting *submitting, struct cn_diag *diag)
{
    struct folder *folder = &submitting->folder;
    struct store_task *row = &submitting->row;
    CN_TRY(folder_open(folder, submitting->args, diag));
    CN_TRY(task_load(&submitting->task, cn_args_argument(submitting->args, 1), diag));
    CN_TRY(take_test(submitting, diag));
    CN_TRY(fill_row(submitting));
    CN_TRY(lock_blobs(submitting, diag));
    CN_TRY(aggregate_first(row->model, submitting->task, &folder->registry,
                           cn_args_text(submitting->args, "start-from"), diag));
    CN_TRY(registry_put(&folder->registry, row->plan, submitting->task->text, submitting->task->len,
                        diag));
    return store_task_add(folder->store, row);
}

static void tell_submitted(const struct submitting *submitting)
{
    const struct cn_args *args = submitting->args;
    const struct store_task *row = &submitting->row;
    const struct task *task = submitting->task;
    char id[2 * TASK_ID_BYTES + 1], count[CN_AMOUNT_TEXT_BYTES];
    fprintf(args->out, "Task %s, id %s\n", row->name, cn_hex_encode(id, row->id, TASK_ID_BYTES));
    fprintf(args->out, "  model    %s parameters\n", cn_count_text(task->params, count));
    fprintf(args->out, "  rounds   %u, with %u to %u devices\n", (unsigned)row->rounds,
            (unsigned)task->rounds.cohort_min, (unsigned)task->rounds.cohort_max);
    if (task->secure_aggregation.mode == TASK_MODE_OFF)
        fprintf(args->out, "  updates  " COMMANDS_UNMASKED ", where its owner allows that\n");
    if (row->delta > 0)
        fprintf(args->out, "  privacy  epsilon %.3g at delta %.3g for every %s, after all rounds\n",
                row->epsilon, row->delta, task_unit_text(task->privacy.unit));
    else
        fprintf(args->out, "  privacy  none beyond the sum: devices' owners must allow it\n");
    fprintf(args->out,
            "\nA running `cairn-aggregator serve` takes it up by itself. Follow it:\n"
            "  cairn-aggregator status %s\n",
            submitting->folder.path);
}

int commands_task_submit(const struct cn_args *args)
{
    struct submitting submitting = {.args = args, .lock = -1};
    struct cn_diag diag = {0};
    int code = CN_EXIT_DONE;
    enum cn_err err = submit(&submitting, &diag);
    if (err != CN_OK)
        /* Too costly a task is a wrong task here, not an answer. */
        code = cn_args_fail(args, err == CN_E_BUDGET ? CN_E_CONFIG : err, &diag);
    else if (args->json)
        code = commands_json(args, commands_task_json(&submitting.row));
    else
        tell_submitted(&submitting);
    if (submitting.lock >= 0)
        close(submitting.lock);
    task_free(submitting.task);
    folder_close(&submitting.folder);
    return code;
}

/* ---- showing ---- */

json_t *commands_task_json(const struct store_task *task)
{
    json_t *object =
        json_pack("{s:o, s:s, s:s, s:I, s:I, s:I, s:o, s:o, s:s}", "id",
                  commands_hex(task->id, TASK_ID_BYTES), "name", task->name, "state",
                  store_task_state_name(task->state), "rounds_total", (json_int_t)task->rounds,
                  "rounds_published", (json_int_t)task->published, "submitted",
                  (json_int_t)task->submitted_s, "plan", commands_hex(task->plan, HASH_BYTES),
                  "model", commands_hex(task->model, HASH_BYTES), "note", task->note);
    bool private = task->delta > 0;
    if (object) {
        json_object_set_new(object, "delta", private ? json_real(task->delta) : json_null());
        json_object_set_new(object, "epsilon_total",
                            private ? json_real(task->epsilon) : json_null());
    }
    return object;
}

static enum cn_err add_round(void *ctx, const struct store_round *round)
{
    json_t *object =
        json_pack("{s:I, s:I, s:b, s:b, s:I, s:I, s:I, s:I, s:s, s:o}", "round",
                  (json_int_t)round->round, "attempt", (json_int_t)round->attempt, "published",
                  (int)round->published, "charged", (int)round->charged, "started",
                  (json_int_t)round->started_s, "finished", (json_int_t)round->finished_s, "cohort",
                  (json_int_t)round->cohort, "survivors", (json_int_t)round->survivors, "reason",
                  round->reason, "metrics", metrics_json(&round->metrics));
    return json_array_append_new(ctx, object) == 0 ? CN_OK : CN_E_NOMEM;
}

enum cn_err commands_rounds_json(json_t **out, struct store *store, const struct store_task *task)
{
    *out = json_array();
    return *out ? store_round_list(store, task->id, add_round, *out) : CN_E_NOMEM;
}

const char *commands_task_mode(const struct registry *registry, const struct store_task *task)
{
    struct blob *plan = NULL;
    struct task *parsed = NULL;
    const char *mode = "unknown";
    if (registry_get(registry, &plan, task->plan, TASK_TEXT_BYTES_MAX, NULL) == CN_OK &&
        task_parse(&parsed, (const char *)plan->bytes, plan->len, "plan", NULL) == CN_OK)
        mode = parsed->secure_aggregation.mode == TASK_MODE_OFF ? "off" : "on";
    task_free(parsed);
    blob_drop(plan);
    return mode;
}

void commands_task_line(const struct cn_args *args, const struct store_task *task)
{
    char id[2 * TASK_ID_BYTES + 1];
    cn_hex_encode(id, task->id, TASK_ID_BYTES);
    fprintf(args->out, "%-24s %.8s  %-8s %u of %u rounds  %s\n", task->name, id,
            store_task_state_name(task->state), (unsigned)task->published, (unsigned)task->rounds,
            task->note);
}

static void put_number(FILE *out, int width, int digits, double value)
{
    if (isfinite(value))
        fprintf(out, "%*.*f", width, digits, value);
    else
        fprintf(out, "%*s", width, "-");
}

static enum cn_err print_round(void *ctx, const struct store_round *round)
{
    const struct cn_args *args = ctx;
    const struct metrics *m = &round->metrics;
    char up[CN_AMOUNT_TEXT_BYTES], down[CN_AMOUNT_TEXT_BYTES];
    fprintf(args->out, "%5u %4u %9u/%-3u", (unsigned)round->round, (unsigned)round->attempt,
            (unsigned)round->survivors, (unsigned)round->cohort);
    if (!round->published) {
        fprintf(args->out, "  abandoned: %s\n", round->reason);
        return CN_OK;
    }
    put_number(args->out, 8, 1, 100 * m->accuracy);
    fputs(isfinite(m->accuracy) ? "%" : " ", args->out);
    put_number(args->out, 8, 3, isfinite(m->loss) ? m->loss : m->train_loss);
    put_number(args->out, 9, 3, m->epsilon);
    fprintf(args->out, "%10s%10s", cn_bytes_text((uint64_t)m->bytes_up, up),
            cn_bytes_text((uint64_t)m->bytes_down, down));
    fprintf(args->out, "%7.1f%7.1f%7.1f%7.1f%7.1f%6.1f\n", m->gather_s, m->train_s, m->shares_s,
            m->upload_s, m->unmask_s, m->evaluate_s);
    return CN_OK;
}

enum cn_err commands_rounds_table(const struct cn_args *args, struct store *store,
                                  const struct store_task *task)
{
    fprintf(args->out, "%5s %4s %13s%9s%8s%9s%10s%10s%7s%7s%7s%7s%7s%6s\n", "round", "try",
            "survivors", "accuracy", "loss", "epsilon", "up", "down", "gather", "train", "shares",
            "upload", "unmask", "test");
    void *ctx;
    memcpy(&ctx, &args, sizeof(ctx)); /* visitors take void *; this one only reads */
    return store_round_list(store, task->id, print_round, ctx);
}

/* ---- list ---- */

struct listing {
    const struct cn_args *args;
    json_t *array;
    uint32_t count;
};

static enum cn_err list_task(void *ctx, const struct store_task *task)
{
    struct listing *listing = ctx;
    listing->count++;
    if (!listing->args->json)
        commands_task_line(listing->args, task);
    else if (json_array_append_new(listing->array, commands_task_json(task)) != 0)
        return CN_E_NOMEM;
    return CN_OK;
}

int commands_task_list(const struct cn_args *args)
{
    struct folder folder;
    struct cn_diag diag = {0};
    struct listing listing = {.args = args, .array = json_array()};
    enum cn_err err = folder_open(&folder, args, &diag);
    if (err == CN_OK)
        err = store_task_list(folder.store, list_task, &listing);
    folder_close(&folder);
    if (err != CN_OK) {
        json_decref(listing.array);
        return cn_args_fail(args, err, &diag);
    }
    if (args->json)
        return commands_json(args, json_pack("{s:o}", "tasks", listing.array));
    json_decref(listing.array);
    if (!listing.count)
        fprintf(args->out, "No task yet: cairn-aggregator task submit %s TASK.yaml\n", folder.path);
    return CN_EXIT_DONE;
}

/* ---- show, stop ---- */

static int show_json(const struct cn_args *args, struct store *store, const struct store_task *task)
{
    json_t *object = commands_task_json(task);
    json_t *rounds = NULL;
    enum cn_err err = commands_rounds_json(&rounds, store, task);
    if (err != CN_OK || json_object_set_new(object, "rounds", rounds) != 0) {
        json_decref(object);
        return cn_args_fail(args, err == CN_OK ? CN_E_NOMEM : err, NULL);
    }
    return commands_json(args, object);
}

int commands_task_show(const struct cn_args *args)
{
    struct folder folder;
    struct store_task task;
    struct cn_diag diag = {0};
    int code = CN_EXIT_DONE;
    char path[CN_PATH_MAX];
    enum cn_err err = folder_open(&folder, args, &diag);
    if (err == CN_OK)
        err = store_task_find(folder.store, cn_args_argument(args, 1), &task, &diag);
    if (err == CN_OK && args->json) {
        code = show_json(args, folder.store, &task);
    } else if (err == CN_OK) {
        commands_task_line(args, &task);
        if (task.delta > 0)
            fprintf(args->out, "privacy: epsilon %.3g at delta %.3g after all rounds\n",
                    task.epsilon, task.delta);
        err = registry_latest(&folder.registry, path, task.name);
        if (err == CN_OK && cn_file_exists(path))
            fprintf(args->out, "model: %s\n", path);
        if (err == CN_OK)
            err = commands_rounds_table(args, folder.store, &task);
    }
    folder_close(&folder);
    return err == CN_OK ? code : cn_args_fail(args, err, &diag);
}

int commands_task_stop(const struct cn_args *args)
{
    struct folder folder;
    struct store_task task = {0};
    struct cn_diag diag = {0};
    enum cn_err err = folder_open(&folder, args, &diag);
    if (err == CN_OK)
        err = store_task_find(folder.store, cn_args_argument(args, 1), &task, &diag);
    if (err == CN_OK)
        err = store_task_stop(folder.store, task.id);
    if (err == CN_E_STATE)
        cn_diag_set(&diag, NULL, 0, 0, "task '%s' is %s already", task.name,
                    store_task_state_name(task.state));
    if (err == CN_OK)
        err = store_task_get(folder.store, task.id, &task);
    folder_close(&folder);
    if (err != CN_OK)
        return cn_args_fail(args, err, &diag);
    if (args->json)
        return commands_json(args, commands_task_json(&task));
    fprintf(args->out, "Stopped %s after %u of %u rounds; the model stays.\n", task.name,
            (unsigned)task.published, (unsigned)task.rounds);
    return CN_EXIT_DONE;
}
