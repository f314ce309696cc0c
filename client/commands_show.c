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
    struct ledger_total life, day;
    struct ledger_summary summary;
    char ledger[CN_PATH_MAX];
    bool running;
};

static void view_clear(struct view *view)
{
    ledger_total_clear(&view->life);
    ledger_total_clear(&view->day);
}

static enum cn_err read_ledger(struct view *view, struct cn_diag *diag)
{
    int64_t now_s = cn_clock_system().wall_s(NULL);
    int64_t since_s = now_s > HOME_DAY_S ? now_s - HOME_DAY_S : 0;

    if (!cn_file_exists(view->ledger))
        return CN_OK; /* joined, never run */
    CN_TRY(ledger_total_read(&view->life, view->ledger, 0, &view->summary, diag));
    return ledger_total_read(&view->day, view->ledger, since_s, &view->summary, diag);
}

static enum cn_err view_open(struct view *view, const char *dir, struct cn_diag *diag)
{
    memset(view, 0, sizeof *view);
    ledger_total_init(&view->life, 0);
    ledger_total_init(&view->day, 0);
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

static void budget_json(const struct cn_args *args, const struct view *view)
{
    double life = epsilon_of(&view->life.all, view->limits.delta);

    print_json(args,
               json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:o}", "epsilon_life", life,
                         "epsilon_life_limit", view->limits.epsilon_life, "epsilon_life_left",
                         life < view->limits.epsilon_life ? view->limits.epsilon_life - life : 0.0,
                         "epsilon_day", epsilon_of(&view->day.all, view->limits.delta),
                         "epsilon_day_limit", view->limits.epsilon_day, "delta", view->limits.delta,
                         "tasks", budget_tasks(view)));
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

static void budget_text(const struct cn_args *args, const struct view *view)
{
    budget_line(args->out, "for life", epsilon_of(&view->life.all, view->limits.delta),
                view->limits.epsilon_life);
    budget_line(args->out, "24 hours", epsilon_of(&view->day.all, view->limits.delta),
                view->limits.epsilon_day);
    fprintf(args->out, "at delta %g; computed from %s, which verifies\n", view->limits.delta,
            view->ledger);
    if (view->life.count)
        fprintf(args->out, "\n%-32s %7s %9s %9s\n", "task", "rounds", "steps", "epsilon");
    for (uint32_t i = 0; i < view->life.count; i++) {
        const struct ledger_total_task *task = &view->life.tasks[i];

        fprintf(args->out, "%-32.32s %7" PRIu64 " %9" PRIu64 " %9.3f\n", task->task,
                task->spendings, task->steps, epsilon_of(task, view->limits.delta));
    }
}

int commands_budget(const struct cn_args *args)
{
    struct cn_diag diag = {0};
    struct view view;
    enum cn_err err = view_open(&view, cn_args_argument(args, 0), &diag);
    bool used_up = false;

    if (err == CN_OK) {
        double life = epsilon_of(&view.life.all, view.limits.delta);
        double day = epsilon_of(&view.day.all, view.limits.delta);

        used_up = life >= view.limits.epsilon_life ||
                  (view.limits.epsilon_day > 0 && day >= view.limits.epsilon_day);
        (args->json ? budget_json : budget_text)(args, &view);
    }
    view_clear(&view);
    if (err == CN_OK && used_up)
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
        {"epsilon-day", offsetof(struct client_limits, epsilon_day)},
        {"epsilon-round", offsetof(struct client_limits, epsilon_round)},
        {"delta", offsetof(struct client_limits, delta)},
    };
    bool changed = false;

    for (size_t i = 0; i < CN_COUNT(reals); i++) {
        double value = cn_args_real(args, reals[i].option);

        if (!cn_args_given(args, reals[i].option))
            continue;
        memcpy((char *)limits + reals[i].offset, &value, sizeof value);
        changed = true;
    }
    if (cn_args_given(args, "cohort-min")) {
        limits->cohort_min = (uint32_t)cn_args_uint(args, "cohort-min");
        changed = true;
    }
    if (cn_args_given(args, "privacy")) {
        limits->privacy_required = cn_args_choice(args, "privacy") == 0;
        changed = true;
    }
    return changed;
}

static void limits_json(const struct cn_args *args, const struct client_limits *limits)
{
    print_json(args, json_pack("{s:s, s:f, s:f, s:f, s:f, s:i}", "privacy",
                               limits->privacy_required ? "required" : "optional", "epsilon_life",
                               limits->epsilon_life, "epsilon_day", limits->epsilon_day,
                               "epsilon_round", limits->epsilon_round, "delta", limits->delta,
                               "cohort_min", (int)limits->cohort_min));
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
    fprintf(args->out, "%-24s %s\n", "noise on every example",
            limits->privacy_required ? "required" : "optional");
    put_limit(args->out, "for life", limits->epsilon_life);
    put_limit(args->out, "in 24 hours", limits->epsilon_day);
    put_limit(args->out, "one round", limits->epsilon_round);
    fprintf(args->out, "%-24s %g\n%-24s %u devices\n", "delta", limits->delta, "smallest cohort",
            limits->cohort_min);
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
