/* SPDX-License-Identifier: Apache-2.0 */
/* `cairn privacy plan`: the verb and its answers. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/progress.h"
#include "cli/chart.h"
#include "cli/plan.h"
#include "cli/show.h"
#include "cli/verbs.h"
#include "data/dataset.h"

#define CHART_COLUMNS 72u
#define CHART_ROWS 14u

static struct chart curve_of(const struct plan *plan, const struct task *task)
{
    struct chart chart = {.title = task->name,
                          .x_label = "round",
                          .y_label = "epsilon",
                          .count = 2,
                          .limit = plan->budget,
                          .limit_label = "budget"};

    chart.series[0] = (struct chart_series){
        .name = "tight (PLD)", .x = plan->round, .y = plan->tight, .count = plan->points};
    chart.series[1] = (struct chart_series){.name = "by RDP",
                                            .x = plan->round,
                                            .y = plan->by_rdp,
                                            .count = plan->points,
                                            .dashed = true};
    return chart;
}

static void print_privacy(const struct cn_args *args, const struct plan *plan,
                          const struct task *task)
{
    char rdp[SHOW_NUMBER_MAX], tight[SHOW_NUMBER_MAX], rounds[SHOW_NUMBER_MAX];
    struct chart chart = curve_of(plan, task);

    if (!plan->private) {
        fprintf(args->out, "No differential privacy: what a model remembers is not bounded.\n");
        return;
    }
    fprintf(args->out, "After %u rounds one %s has spent epsilon %s (%s by RDP) at delta %g.\n",
            task->rounds.count,
            task->privacy.unit == TASK_UNIT_EXAMPLE ? "example of one device" : "device",
            show_epsilon(tight, plan->tight[plan->points - 1]),
            show_epsilon(rdp, plan->by_rdp[plan->points - 1]), task->privacy.delta);
    if (plan->budget > 0)
        fprintf(args->out, "A budget of epsilon %g affords %s round%s.\n", plan->budget,
                plan->afforded == TASK_ROUNDS_MAX ? "any number of"
                                                  : show_count(rounds, plan->afforded),
                plan->afforded == 1 ? "" : "s");
    fputc('\n', args->out);
    chart_text(args->out, &chart, CHART_COLUMNS, CHART_ROWS, cn_args_flag(args, "ascii"));
    fprintf(args->out,
            "\nNoise and signal in one round's averaged update\n"
            "  noise per coordinate     %10.3g   length %.3g\n"
            "  update at most           %10.3g   length %.3g\n",
            plan->noise_coordinate, plan->noise_norm, plan->update_coordinate_max,
            plan->update_norm_max);
    if (plan->update_norm_max > 0)
        fprintf(args->out, "  noise / update           %10.2f\n",
                plan->noise_norm / plan->update_norm_max);
}

static void print_traffic(const struct cn_args *args, const struct plan *plan,
                          const struct task *task)
{
    char length[SHOW_NUMBER_MAX], up[SHOW_NUMBER_MAX], down[SHOW_NUMBER_MAX];

    fprintf(args->out,
            "\nOne device in one round\n"
            "  vector          %12s numbers modulo 2^%u\n"
            "  neighbours      %12u of %u devices; %u open the sum\n"
            "  up              %12s bytes\n"
            "  down            %12s bytes\n"
            "  encoding        %12.1f ms  measured here\n"
            "  masking         %12.1f ms  measured here\n",
            show_count(length, plan->length), plan->bits, plan->degree, task->rounds.cohort_max,
            plan->threshold, show_count(up, plan->up_bytes), show_count(down, plan->down_bytes),
            plan->encode_s * 1e3, plan->mask_s * 1e3);
}

static json_t *numbers(const double *values, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < count; i++) {
        if (json_array_append_new(list, show_json_real(values[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *plan_json(const struct plan *plan, const struct task *task, json_t *rows)
{
    json_t *object = json_pack(
        "{s:s, s:i, s:f, s:o, s:I, s:o, s:o, s:o, s:f, s:f, s:f, s:f, s:i, s:I, s:I, s:I, s:I, "
        "s:I, s:f, s:f}",
        "task", task->name, "rounds", (int)task->rounds.count, "delta", task->privacy.delta,
        "budget", plan->budget > 0 ? json_real(plan->budget) : json_null(), "rounds_afforded",
        (json_int_t)plan->afforded, "round", numbers(plan->round, plan->points), "epsilon",
        numbers(plan->tight, plan->points), "epsilon_rdp", numbers(plan->by_rdp, plan->points),
        "noise_coordinate", plan->noise_coordinate, "noise_norm", plan->noise_norm,
        "update_coordinate_max", plan->update_coordinate_max, "update_norm_max",
        plan->update_norm_max, "modulus_bits", (int)plan->bits, "length", (json_int_t)plan->length,
        "degree", (json_int_t)plan->degree, "threshold", (json_int_t)plan->threshold, "bytes_up",
        (json_int_t)plan->up_bytes, "bytes_down", (json_int_t)plan->down_bytes, "mask_seconds",
        plan->mask_s, "encode_seconds", plan->encode_s);

    if (object && rows && json_object_set(object, "sweep", rows) != 0) {
        json_decref(object);
        object = NULL;
    }
    json_decref(rows);
    return object;
}

static json_t *rows_json(const struct plan_row *rows)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < PLAN_ROWS; i++) {
        const struct plan_row *row = &rows[i];
        json_t *object = json_pack(
            "{s:I, s:f, s:I, s:o, s:o, s:I, s:f, s:i, s:I}", "cohort", (json_int_t)row->cohort,
            "noise_multiplier", row->noise_multiplier, "rounds", (json_int_t)row->rounds, "epsilon",
            show_json_real(row->epsilon), "epsilon_rdp", show_json_real(row->epsilon_rdp),
            "rounds_afforded", (json_int_t)row->afforded, "noise_coordinate", row->noise_coordinate,
            "modulus_bits", (int)row->bits, "bytes_up", (json_int_t)row->up_bytes);

        if (json_array_append_new(list, object) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static void print_rows(const struct cn_args *args, const struct plan_row *rows)
{
    char epsilon[SHOW_NUMBER_MAX], rdp[SHOW_NUMBER_MAX], up[SHOW_NUMBER_MAX];

    fprintf(args->out, "\n  %7s %8s %8s %10s %10s %10s %12s %5s %12s\n", "cohort", "noise",
            "rounds", "epsilon", "by RDP", "affordable", "noise/coord.", "bits", "bytes up");
    for (size_t i = 0; i < PLAN_ROWS; i++)
        fprintf(args->out, "%c %7u %8.3g %8u %10s %10s %10u %12.3g %5u %12s\n", i == 3 ? '>' : ' ',
                rows[i].cohort, rows[i].noise_multiplier, rows[i].rounds,
                show_epsilon(epsilon, rows[i].epsilon), show_epsilon(rdp, rows[i].epsilon_rdp),
                rows[i].afforded, rows[i].noise_coordinate, rows[i].bits,
                show_count(up, rows[i].up_bytes));
}

static enum cn_err write_svg(const char *path, const struct plan *plan, const struct task *task,
                             struct cn_diag *diag)
{
    struct chart chart = curve_of(plan, task);
    char title[TASK_NAME_MAX + 64];
    FILE *out = fopen(path, "we");
    bool failed;

    if (!out) {
        cn_diag_set(diag, path, 0, 0, "the chart can not be written: %s", strerror(errno));
        return cn_err_from_errno(errno);
    }
    snprintf(title, sizeof title, "%s: epsilon at delta %g", task->name, task->privacy.delta);
    chart.title = title;
    chart_svg(out, &chart, true);
    failed = ferror(out) != 0;
    return fclose(out) != 0 || failed ? CN_E_IO : CN_OK;
}

static int answer(const struct cn_args *args, const struct plan *plan, const struct task *task,
                  const struct plan_row *rows)
{
    struct cn_diag diag = {0};
    const char *svg = cn_args_text(args, "svg");
    enum cn_err err = CN_OK;

    if (svg && !plan->private) {
        cn_diag_set(&diag, NULL, 0, 0,
                    "this task has no privacy unit, so there is no curve to draw");
        return cn_args_fail(args, CN_E_CONFIG, &diag);
    }
    if (svg)
        err = write_svg(svg, plan, task, &diag);
    if (err != CN_OK)
        return cn_args_fail(args, err, &diag);
    if (args->json)
        return show_json(args, plan_json(plan, task, rows ? rows_json(rows) : NULL), CN_EXIT_DONE);
    print_privacy(args, plan, task);
    print_traffic(args, plan, task);
    if (rows)
        print_rows(args, rows);
    if (svg)
        fprintf(args->out, "\nDrawn in %s\n", svg);
    return CN_EXIT_DONE;
}

static int privacy_plan(const struct cn_args *args)
{
    int sweep = cn_args_choice(args, "sweep");
    struct plan_row rows[PLAN_ROWS];
    struct cn_diag diag = {0};
    struct plan *plan = malloc(sizeof *plan);
    struct task *task = NULL;
    enum cn_err err = plan ? task_load(&task, args->arguments[0], &diag) : CN_E_NOMEM;
    int code;

    if (err == CN_OK)
        err = plan_make(plan, task, cn_args_real(args, "epsilon"), &diag);
    if (err == CN_OK && sweep >= 0)
        err = plan_sweep_make(rows, task, (enum plan_sweep)sweep, cn_args_real(args, "epsilon"),
                              &diag);
    code = err == CN_OK ? answer(args, plan, task, sweep >= 0 ? rows : NULL)
                        : cn_args_fail(args, err, &diag);
    task_free(task);
    free(plan);
    return code;
}

static const struct cn_option plan_options[] = {
    {.name = "epsilon",
     .kind = CN_OPTION_REAL,
     .value = "E",
     .min = 1e-6,
     .max = 1e6,
     .help = "the budget whose rounds are counted (else the task's epsilon_max)"},
    {.name = "sweep",
     .kind = CN_OPTION_CHOICE,
     .value = "WHAT",
     .choices = "cohort noise rounds",
     .help = "a table with this from a quarter to four times its value"},
    {.name = "svg", .kind = CN_OPTION_TEXT, .value = "FILE", .help = "draw the curve"},
    {.name = "ascii", .kind = CN_OPTION_FLAG, .help = "draw the curve in plain ASCII"},
};

const struct cn_verb plan_verbs[] = {
    {.name = "privacy plan",
     .arguments = "TASK",
     .summary = "what a task will cost: epsilon, noise, bytes and seconds",
     .details = "Everything is computed before a single device takes part: epsilon after every "
                "round, the rounds that a budget affords (as devices count, by RDP), the noise in "
                "each coordinate beside the longest update, and what secure aggregation sends and "
                "computes. Masking and encoding are timed on this machine.",
     .example = "cairn privacy plan configs/tasks/fashion-demo.yaml\n"
                "cairn privacy plan configs/tasks/fashion-demo.yaml --epsilon 3 --sweep noise",
     .options = plan_options,
     .option_count = CN_COUNT(plan_options),
     .run = privacy_plan},
};
const size_t plan_verb_count = CN_COUNT(plan_verbs);
