/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs that only look, or change the owner's own files: status, budget, limits. They take no
 * lock, so they work beside a device that runs. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/text.h"
#include "client/commands.h"
#include "client/home.h"

/* Prints and frees. */
static void print_json(const struct cn_args *args, json_t *object)
{
    json_dumpf(object, args->out, JSON_COMPACT | JSON_REAL_PRECISION(9));
    fputc('\n', args->out);
    json_decref(object);
}

/* What the folder says, read without its lock and key. */
struct view {
    struct client_config config;
    struct client_limits limits;
    struct certificate certificate;
    struct ledger_total life;
    struct budget *budget;
    struct budget_limits scopes;
    struct accountant_event last; /* that was spent; what the next round may cost */
    bool has_last;
    uint8_t last_task[LEDGER_TASK_ID_BYTES];
    struct ledger_summary summary;
    char ledger[CN_PATH_MAX];
    bool running;
};

static void view_clear(struct view *view)
{
    ledger_total_clear(&view->life);
    budget_free(view->budget);
}

static enum cn_err see_line(void *ctx, const struct ledger_entry *entry)
{
    struct view *view = ctx;

    if (entry->has_event && strcmp(entry->kind, "spent") == 0) {
        view->last = entry->event;
        view->has_last = true;
        memcpy(view->last_task, entry->task_id, sizeof view->last_task);
    }
    CN_TRY(budget_add(view->budget, entry));
    return ledger_total_add(&view->life, entry);
}

static enum cn_err read_ledger(struct view *view, struct cn_diag *diag)
{
    view->scopes = home_budget_limits(&view->limits);
    CN_TRY(budget_new(&view->budget, &view->scopes));
    if (!cn_file_exists(view->ledger))
        return CN_OK; /* joined, never run */
    return ledger_read(view->ledger, see_line, view, &view->summary, diag);
}

static enum cn_err view_open(struct view *view, const char *dir, struct cn_diag *diag)
{
    memset(view, 0, sizeof *view);
    ledger_total_init(&view->life, 0);
    CN_TRY(home_read_certificate(&view->certificate, dir, diag));
    CN_TRY(client_config_load(&view->config, dir, diag));
    CN_TRY(client_limits_load(&view->limits, dir, diag));
    CN_TRY(cn_path_join(view->ledger, dir, HOME_LEDGER_FILE));
    view->running = home_is_running(dir);
    return read_ledger(view, diag);
}

static double epsilon_of(const struct ledger_total_task *task, double delta)
{
    double epsilon = 0;

    if (task->spendings == 0 || accountant_epsilon(&task->spent, delta, &epsilon, NULL) != CN_OK)
        return 0;
    return epsilon;
}

/* ---- status ---- */

static void status_json(const struct cn_args *args, const struct view *view, const char *id)
{
    char source[DATA_SOURCE_TEXT_MAX] = "";

    if (view->config.data.format[0])
        data_source_text(&view->config.data, source);
    print_json(args, json_pack("{s:s, s:s, s:s, s:i, s:b, s:s, s:I, s:I, s:f}", "name",
                               view->config.name, "device", id, "host", view->config.host, "port",
                               (int)view->config.port, "running", view->running, "data", source,
                               "ledger_lines", (json_int_t)view->summary.lines, "spendings",
                               (json_int_t)view->life.all.spendings, "epsilon_spent",
                               epsilon_of(&view->life.all, view->limits.delta)));
}

static void status_text(const struct cn_args *args, const struct view *view, const char *id)
{
    char source[DATA_SOURCE_TEXT_MAX] = "not said yet: see client.yaml";
    char when[CN_TIME_TEXT_BYTES] = "never";

    if (view->config.data.format[0])
        data_source_text(&view->config.data, source);
    if (view->life.all.spendings)
        cn_time_text(view->life.all.last_time_s, when);
    fprintf(args->out,
            "device       %s  (%s)\n"
            "aggregator   %s:%u\n"
            "running      %s\n"
            "data         %s\n"
            "took part    %" PRIu64 " rounds, last %s\n"
            "spent        epsilon %.3f of %.3f at delta %g\n",
            view->config.name, id, view->config.host, view->config.port,
            view->running ? "yes" : "no", source, view->life.all.spendings, when,
            epsilon_of(&view->life.all, view->limits.delta), view->limits.epsilon_life,
            view->limits.delta);
}

int commands_status(const struct cn_args *args)
{
    struct cn_diag diag = {0};
    struct view view;
    enum cn_err err = view_open(&view, cn_args_argument(args, 0), &diag);

    if (err == CN_OK) {
        uint8_t id[DEVICE_ID_BYTES];
        char hex[2 * DEVICE_ID_BYTES + 1];

        certificate_device_id(id, &view.certificate);
        cn_hex_encode(hex, id, sizeof id);
        (args->json ? status_json : status_text)(args, &view, hex);
    }
    view_clear(&view);
    return cn_args_fail(args, err, &diag);
}

/* ---- budget ---- */

static json_t *budget_tasks(const struct view *view)
{
    json_t *tasks = json_array();

    for (uint32_t i = 0; i < view->life.count; i++) {
        const struct ledger_total_task *task = &view->life.tasks[i];

        json_array_append_new(tasks, json_pack("{s:s, s:I, s:I, s:s, s:f}", "task", task->task,
                                               "rounds", (json_int_t)task->spendings, "steps",
                                               (json_int_t)task->steps, "unit", task->unit,
                                               "epsilon", epsilon_of(task, view->limits.delta)));
    }
    return tasks;
}

/* What one more round like the last would do; of a device that never spent: like nothing. */
static enum cn_err ask(const struct view *view, struct budget_answer *answer)
{
    return budget_ask(answer, view->budget, view->last_task, view->has_last ? &view->last : NULL,
                      cn_clock_system().wall_s(NULL));
}

static json_t *when_json(int64_t time_s)
{
    return time_s == BUDGET_NEVER ? json_null() : json_integer((json_int_t)time_s);
}

static json_t *scopes_json(const struct budget_answer *answer)
{
    json_t *scopes = json_object();

    for (int i = 0; i < BUDGET_SCOPES; i++) {
        const struct budget_state *state = &answer->scope[i];

        if (state->limited)
            json_object_set_new(scopes, budget_scope_text((enum budget_scope)i),
                                json_pack("{s:f, s:f, s:f, s:b, s:I}", "limit",
                                          state->limit.epsilon, "delta", state->limit.delta,
                                          "spent", state->spent, "allowed", state->allowed,
                                          "rounds_left", (json_int_t)state->rounds));
    }
    return scopes;
}

static void budget_json(const struct cn_args *args, const struct view *view,
                        const struct budget_answer *answer, json_t *declined)
{
    double life = epsilon_of(&view->life.all, view->limits.delta);

    print_json(args,
               json_pack("{s:f, s:f, s:f, s:f, s:b, s:o, s:o, s:o, s:o}", "epsilon_life", life,
                         "epsilon_life_limit", view->limits.epsilon_life, "epsilon_life_left",
                         life < view->limits.epsilon_life ? view->limits.epsilon_life - life : 0.0,
                         "delta", view->limits.delta, "next_round_fits", answer->allowed, "again",
                         when_json(answer->again_s), "scopes", scopes_json(answer), "declined",
                         declined, "tasks", budget_tasks(view)));
}

static void bar(FILE *out, double part)
{
    int full = part >= 1 ? 30 : (int)(part * 30);

    fputc('[', out);
    for (int i = 0; i < 30; i++)
        fputc(i < full ? '#' : '.', out);
    fprintf(out, "] %3.0f %%", part * 100);
}

static void budget_line(FILE *out, const char *name, double spent, double limit)
{
    fprintf(out, "%-10s epsilon %7.3f", name, spent);
    if (limit > 0) {
        fprintf(out, " of %7.3f  ", limit);
        bar(out, spent / limit);
    }
    fputc('\n', out);
}

static void tasks_text(FILE *out, const struct view *view)
{
    if (view->life.count)
        fprintf(out, "\n%-32s %7s %9s %9s\n", "task", "rounds", "steps", "epsilon");
    for (uint32_t i = 0; i < view->life.count; i++) {
        const struct ledger_total_task *task = &view->life.tasks[i];

        fprintf(out, "%-32.32s %7" PRIu64 " %9" PRIu64 " %9.3f\n", task->task, task->spendings,
                task->steps, epsilon_of(task, view->limits.delta));
    }
}

/* The last offer that was too dear, from the file that the device keeps beside its ledger. */
static void declined_text(FILE *out, const json_t *declined)
{
    char when[CN_TIME_TEXT_BYTES], again[48] = "never, unless the limits change";
    const json_t *again_s = json_object_get(declined, "again");

    if (!json_is_object(declined))
        return;
    cn_time_text(json_integer_value(json_object_get(declined, "time")), when);
    if (json_is_integer(again_s))
        cn_time_text(json_integer_value(again_s), again);
    fprintf(out,
            "\nlast declined  %s: round %d of task '%s'\n  because %s\n  affordable again: %s\n",
            when, (int)json_integer_value(json_object_get(declined, "round")),
            json_string_value(json_object_get(declined, "task")),
            json_string_value(json_object_get(declined, "reason")), again);
}

static void budget_text(const struct cn_args *args, const struct view *view,
                        const struct budget_answer *answer, const json_t *declined)
{
    char period[32], words[BUDGET_TEXT_MAX];
    const struct budget_state *scope = answer->scope;

    snprintf(period, sizeof period, "%u day%s", view->limits.period_days,
             view->limits.period_days == 1 ? "" : "s");
    budget_line(args->out, "for life", scope[BUDGET_LIFE].spent, view->limits.epsilon_life);
    if (scope[BUDGET_PERIOD].limited)
        budget_line(args->out, period, scope[BUDGET_PERIOD].spent, view->limits.epsilon_period);
    if (scope[BUDGET_TASK].limited)
        budget_line(args->out, "last task", scope[BUDGET_TASK].spent, view->limits.epsilon_task);
    fprintf(args->out, "at delta %g; computed from %s, which verifies\n", view->limits.delta,
            view->ledger);
    budget_explain(words, answer, &view->scopes);
    if (view->has_last)
        fprintf(args->out, "one more round like the last: %s\n", words);
    tasks_text(args->out, view);
    declined_text(args->out, declined);
}

static json_t *read_declined(const char *dir)
{
    char path[CN_PATH_MAX];
    json_t *declined = NULL;

    if (cn_path_join(path, dir, HOME_DECLINED_FILE) == CN_OK)
        declined = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    return declined ? declined : json_null();
}

int commands_budget(const struct cn_args *args)
{
    struct cn_diag diag = {0};
    struct budget_answer answer = {0};
    struct view view;
    enum cn_err err = view_open(&view, cn_args_argument(args, 0), &diag);

    if (err == CN_OK)
        err = ask(&view, &answer);
    if (err == CN_OK) {
        json_t *declined = read_declined(cn_args_argument(args, 0));

        if (args->json) {
            budget_json(args, &view, &answer, declined);
        } else {
            budget_text(args, &view, &answer, declined);
            json_decref(declined);
        }
    }
    view_clear(&view);
    if (err == CN_OK && !answer.allowed)
        return CN_EXIT_NO;
    return cn_args_fail(args, err, &diag);
}

/* ---- limits ---- */

static bool take_changes(struct client_limits *limits, const struct cn_args *args)
{
    static const struct {
        const char *option;
        size_t offset;
    } reals[] = {
        {"epsilon-life", offsetof(struct client_limits, epsilon_life)},
        {"epsilon-period", offsetof(struct client_limits, epsilon_period)},
        {"epsilon-task", offsetof(struct client_limits, epsilon_task)},
        {"corrupt-min", offsetof(struct client_limits, corrupt_min)},
        {"epsilon-round", offsetof(struct client_limits, epsilon_round)},
        {"delta", offsetof(struct client_limits, delta)},
    };
    static const struct {
        const char *option;
        size_t offset;
    } numbers[] = {
        {"cohort-min", offsetof(struct client_limits, cohort_min)},
        {"period-days", offsetof(struct client_limits, period_days)},
        {"train-minutes", offsetof(struct client_limits, train_minutes)},
    };
    bool changed = false;

    for (size_t i = 0; i < CN_COUNT(reals); i++) {
        double value = cn_args_real(args, reals[i].option);

        if (!cn_args_given(args, reals[i].option))
            continue;
        memcpy((char *)limits + reals[i].offset, &value, sizeof value);
        changed = true;
    }
    for (size_t i = 0; i < CN_COUNT(numbers); i++) {
        uint32_t value = (uint32_t)cn_args_uint(args, numbers[i].option);

        if (!cn_args_given(args, numbers[i].option))
            continue;
        memcpy((char *)limits + numbers[i].offset, &value, sizeof value);
        changed = true;
    }
    if (cn_args_given(args, "privacy")) {
        limits->privacy_required = cn_args_choice(args, "privacy") == 0;
        changed = true;
    }
    if (cn_args_given(args, "unmasked")) {
        limits->allow_unmasked = cn_args_choice(args, "unmasked") == 1;
        changed = true;
    }
    return changed;
}

static void limits_json(const struct cn_args *args, const struct client_limits *limits)
{
    print_json(args,
               json_pack("{s:s, s:f, s:f, s:i, s:f, s:f, s:f, s:i, s:f, s:b, s:i}", "privacy",
                         limits->privacy_required ? "required" : "optional", "epsilon_life",
                         limits->epsilon_life, "epsilon_period", limits->epsilon_period,
                         "period_days", (int)limits->period_days, "epsilon_task",
                         limits->epsilon_task, "epsilon_round", limits->epsilon_round, "delta",
                         limits->delta, "cohort_min", (int)limits->cohort_min, "corrupt_min",
                         limits->corrupt_min, "allow_unmasked", limits->allow_unmasked,
                         "train_minutes", (int)limits->train_minutes));
}

static void put_limit(FILE *out, const char *name, double limit)
{
    if (limit > 0)
        fprintf(out, "%-24s epsilon %g\n", name, limit);
    else
        fprintf(out, "%-24s no limit of its own\n", name);
}

static void limits_text(const struct cn_args *args, const struct client_limits *limits)
{
    char period[32];

    fprintf(args->out, "%-24s %s\n", "noise on every example",
            limits->privacy_required ? "required" : "optional");
    put_limit(args->out, "for life", limits->epsilon_life);
    snprintf(period, sizeof period, "in %u day%s", limits->period_days,
             limits->period_days == 1 ? "" : "s");
    put_limit(args->out, period, limits->epsilon_period);
    put_limit(args->out, "one task", limits->epsilon_task);
    put_limit(args->out, "one round", limits->epsilon_round);
    fprintf(args->out, "%-24s %g\n%-24s %u devices\n", "delta", limits->delta, "smallest cohort",
            limits->cohort_min);
    fprintf(args->out, "%-24s %g %% of a cohort, at least\n", "liars withstood",
            100 * limits->corrupt_min);
    fprintf(args->out, "%-24s %s\n", "updates without masks",
            limits->allow_unmasked ? "allowed: the aggregator may see this device's own update"
                                   : "never");
    if (limits->train_minutes)
        fprintf(args->out, "%-24s %u minutes at most\n", "training", limits->train_minutes);
}

int commands_limits(const struct cn_args *args)
{
    const char *dir = cn_args_argument(args, 0);
    struct client_limits limits;
    struct certificate certificate;
    struct cn_diag diag = {0};
    enum cn_err err = home_read_certificate(&certificate, dir, &diag);

    if (err == CN_OK)
        err = client_limits_load(&limits, dir, &diag);
    if (err == CN_OK && take_changes(&limits, args)) {
        err = client_limits_save(&limits, dir, &diag);
        if (err == CN_OK && home_is_running(dir))
            fprintf(args->err, "The device runs: start it again for the new limits to hold.\n");
    }
    if (err == CN_OK)
        (args->json ? limits_json : limits_text)(args, &limits);
    return cn_args_fail(args, err, &diag);
}
