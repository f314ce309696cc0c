/* SPDX-License-Identifier: Apache-2.0 */
/* `cairn audit report`: adding up, and the answers as text and JSON. */
#include "cli/audit_report.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/show.h"
#include "privacy/receipt.h"

#define DEVICES_SHOWN 20u

/* ---- adding up ---- */

static int32_t month_of(int64_t time_s)
{
    time_t at = (time_t)time_s;
    struct tm parts;

    return gmtime_r(&at, &parts) ? (parts.tm_year + 1900) * 12 + parts.tm_mon : 0;
}

const char *audit_month_text(char out[16], int32_t month)
{
    snprintf(out, 16, "%04d-%02d", (int)(month / 12), (int)(month % 12) + 1);
    return out;
}

double audit_epsilon_of(const struct ledger_total_task *spent, double *delta)
{
    double epsilon, used;

    if (ledger_total_epsilon(spent, AUDIT_DELTA_FALLBACK, &epsilon, &used) != CN_OK)
        epsilon = INFINITY;
    if (delta)
        *delta = used;
    return epsilon;
}

static void start(struct ledger_total_task *spent)
{
    memset(spent, 0, sizeof *spent);
    accountant_init(&spent->spent);
}

static enum cn_err add_to(struct ledger_total_task *spent, const struct ledger_entry *entry)
{
    CN_TRY(accountant_add(&spent->spent, &entry->event));
    spent->spendings++;
    spent->steps += entry->event.steps;
    if (entry->delta > 0 && (spent->delta == 0 || entry->delta < spent->delta))
        spent->delta = entry->delta;
    if (entry->unit[0])
        memcpy(spent->unit, entry->unit, sizeof spent->unit);
    return CN_OK;
}

static enum cn_err add_month(struct audit_report *report, const struct ledger_entry *entry)
{
    int32_t month = month_of(entry->time_s);
    uint32_t i = report->month_count;

    while (i > 0 && report->months[i - 1].month != month)
        i--;
    if (i == 0) {
        if (report->month_count == AUDIT_MONTHS_MAX)
            return CN_E_TOO_LARGE;
        i = ++report->month_count;
        report->months[i - 1].month = month;
        start(&report->months[i - 1].spent);
    }
    return add_to(&report->months[i - 1].spent, entry);
}

static enum cn_err add_device(struct audit_report *report, const struct ledger_entry *entry)
{
    uint32_t i = 0;

    while (i < report->device_count &&
           memcmp(report->devices[i].id, entry->device, LEDGER_DEVICE_BYTES) != 0)
        i++;
    if (i == AUDIT_DEVICES_MAX) {
        report->device_lines_omitted++;
        return CN_OK;
    }
    if (i == report->device_count) {
        memcpy(report->devices[i].id, entry->device, LEDGER_DEVICE_BYTES);
        start(&report->devices[i].spent);
        report->device_count++;
    }
    return add_to(&report->devices[i].spent, entry);
}

static void add_point(struct audit_report *report, int64_t time_s)
{
    struct audit_curve *curve = &report->curve;

    if (++curve->seen % curve->stride)
        return;
    if (curve->count == AUDIT_CURVE_MAX) { /* keep every second, and go on at half the pace */
        for (size_t i = 0; i < AUDIT_CURVE_MAX / 2; i++) {
            curve->time_s[i] = curve->time_s[2 * i + 1];
            curve->epsilon[i] = curve->epsilon[2 * i + 1];
        }
        curve->count = AUDIT_CURVE_MAX / 2;
        curve->stride *= 2;
        if (curve->seen % curve->stride)
            return;
    }
    curve->time_s[curve->count] = (double)time_s;
    curve->epsilon[curve->count++] = audit_epsilon_of(&report->total.all, NULL);
}

static enum cn_err see(void *ctx, const struct ledger_entry *entry)
{
    struct audit_report *report = ctx;

    CN_TRY(ledger_total_add(&report->total, entry));
    if (!entry->has_event)
        return CN_OK;
    if (strcmp(entry->kind, RECEIPT_PARTICIPATION_KIND) == 0)
        return add_device(report, entry);
    add_point(report, entry->time_s);
    return add_month(report, entry);
}

void audit_report_clear(struct audit_report *report)
{
    ledger_total_clear(&report->total);
    free(report->months);
    free(report->devices);
    report->months = NULL;
    report->devices = NULL;
}

static int by_month(const void *a, const void *b)
{
    return ((const struct audit_month *)a)->month - ((const struct audit_month *)b)->month;
}

/* The rooms are given back to the length that was used. */
static void shrink(struct audit_report *report)
{
    void *months = realloc(report->months, (report->month_count + 1) * sizeof *report->months);
    void *devices = realloc(report->devices, (report->device_count + 1) * sizeof *report->devices);

    report->months = months ? months : report->months;
    report->devices = devices ? devices : report->devices;
    qsort(report->months, report->month_count, sizeof *report->months, by_month);
}

enum cn_err audit_report_read(struct audit_report *report, const char *path, struct cn_diag *diag)
{
    enum cn_err err;

    memset(report, 0, sizeof *report);
    report->path = path;
    report->curve.stride = 1;
    ledger_total_init(&report->total, 0);
    report->months = calloc(AUDIT_MONTHS_MAX, sizeof *report->months);
    report->devices = calloc(AUDIT_DEVICES_MAX, sizeof *report->devices);
    err = report->months && report->devices ? ledger_read(path, see, report, &report->summary, diag)
                                            : CN_E_NOMEM;
    if (err == CN_OK)
        shrink(report);
    else
        audit_report_clear(report);
    return err;
}

/* ---- JSON ---- */

static json_t *spent_json(const char *key, const char *name, const struct ledger_total_task *spent)
{
    double delta, epsilon = audit_epsilon_of(spent, &delta);

    return json_pack("{s:s, s:I, s:I, s:f, s:o}", key, name, "spendings",
                     (json_int_t)spent->spendings, "steps", (json_int_t)spent->steps, "delta",
                     delta, "epsilon", show_json_real(epsilon));
}

static json_t *total_json(const struct ledger_total_task *task)
{
    char id[2 * LEDGER_TASK_ID_BYTES + 1];
    json_t *object = spent_json("task", task->task, task);
    int failed = !object;

    if (failed)
        return NULL;
    cn_hex_encode(id, task->task_id, LEDGER_TASK_ID_BYTES);
    failed |= json_object_set_new(object, "id", json_string(id));
    failed |= json_object_set_new(object, "unit", json_string(task->unit));
    failed |= json_object_set_new(object, "last_round", json_integer(task->round_last));
    if (!failed)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *tasks_json(const struct audit_report *report)
{
    json_t *list = json_array();

    for (uint32_t i = 0; list && i < report->total.count; i++)
        if (json_array_append_new(list, total_json(&report->total.tasks[i])) != 0)
            return json_decref(list), NULL;
    return list;
}

static json_t *months_json(const struct audit_report *report)
{
    json_t *list = json_array();
    char name[16];

    for (uint32_t i = 0; list && i < report->month_count; i++)
        if (json_array_append_new(list, spent_json("month",
                                                   audit_month_text(name, report->months[i].month),
                                                   &report->months[i].spent)) != 0)
            return json_decref(list), NULL;
    return list;
}

static json_t *devices_json(const struct audit_report *report)
{
    char id[2 * LEDGER_DEVICE_BYTES + 1];
    json_t *list = json_array();

    for (uint32_t i = 0; list && i < report->device_count; i++)
        if (json_array_append_new(
                list,
                spent_json("device", cn_hex_encode(id, report->devices[i].id, LEDGER_DEVICE_BYTES),
                           &report->devices[i].spent)) != 0)
            return json_decref(list), NULL;
    return list;
}

static json_t *report_json(const struct audit_report *report)
{
    const struct ledger_summary *summary = &report->summary;
    char head[2 * HASH_BYTES + 1];

    return json_pack(
        "{s:s, s:s, s:s, s:I, s:s, s:o, s:o, s:o, s:I, s:o}", "file", report->path, "owner",
        summary->owner, "role", summary->role, "lines", (json_int_t)summary->lines, "head",
        cn_hex_encode(head, summary->head, HASH_BYTES), "tasks", tasks_json(report), "months",
        months_json(report), "devices", devices_json(report), "device_lines_omitted",
        (json_int_t)report->device_lines_omitted, "total", total_json(&report->total.all));
}

/* ---- text ---- */

static void print_row(const struct cn_args *args, const char *name,
                      const struct ledger_total_task *spent)
{
    char spendings[SHOW_NUMBER_MAX], steps[SHOW_NUMBER_MAX], shown[SHOW_NUMBER_MAX];
    double delta, epsilon = audit_epsilon_of(spent, &delta);

    fprintf(args->out, "  %-32.48s %-8s %9s %12s  %9g  %10s\n", name, spent->unit,
            show_count(spendings, spent->spendings), show_count(steps, spent->steps), delta,
            show_epsilon(shown, epsilon));
}

static void print_head(const struct cn_args *args, const char *what)
{
    fprintf(args->out, "\n  %-32s %-8s %9s %12s  %9s  %10s\n", what, "unit", "rounds", "steps",
            "delta", "epsilon");
}

static void print_months(const struct cn_args *args, const struct audit_report *report)
{
    double most = 0;

    for (uint32_t i = 0; i < report->month_count; i++)
        most = fmax(most, audit_epsilon_of(&report->months[i].spent, NULL));
    fprintf(args->out, "\n  %-10s %9s  %10s\n", "month", "rounds", "epsilon");
    for (uint32_t i = 0; i < report->month_count; i++) {
        const struct ledger_total_task *spent = &report->months[i].spent;
        char name[16], count[SHOW_NUMBER_MAX], shown[SHOW_NUMBER_MAX], bar[SHOW_BAR_MAX];
        double epsilon = audit_epsilon_of(spent, NULL);

        fprintf(args->out, "  %-10s %9s  %10s  %s\n",
                audit_month_text(name, report->months[i].month),
                show_count(count, spent->spendings), show_epsilon(shown, epsilon),
                show_bar(bar, most > 0 && isfinite(most) ? epsilon / most : 1, 30));
    }
}

static void print_devices(const struct cn_args *args, const struct audit_report *report)
{
    char id[2 * LEDGER_DEVICE_BYTES + 1];

    print_head(args, "device (as it countersigned)");
    for (uint32_t i = 0; i < report->device_count && i < DEVICES_SHOWN; i++)
        print_row(args, cn_hex_encode(id, report->devices[i].id, LEDGER_DEVICE_BYTES),
                  &report->devices[i].spent);
    if (report->device_count > DEVICES_SHOWN)
        fprintf(args->out, "  ... and %u more devices (--json lists them)\n",
                report->device_count - DEVICES_SHOWN);
    if (report->device_lines_omitted)
        fprintf(args->out, "  ... and %" PRIu64 " participations of devices past the first %u\n",
                report->device_lines_omitted, AUDIT_DEVICES_MAX);
}

static void print_report(const struct cn_args *args, const struct audit_report *report)
{
    char lines[SHOW_NUMBER_MAX], from[CN_TIME_TEXT_BYTES], to[CN_TIME_TEXT_BYTES];
    const struct ledger_summary *summary = &report->summary;

    fprintf(args->out, "%s\n  %s '%s', %s line%s, %s to %s\n", report->path, summary->role,
            summary->owner, show_count(lines, summary->lines), show_plural(summary->lines),
            cn_time_text(summary->first_time_s, from), cn_time_text(summary->last_time_s, to));
    if (report->total.count == 0) {
        fprintf(args->out, "  nothing was spent\n\n");
        return;
    }
    print_head(args, "task");
    for (uint32_t i = 0; i < report->total.count; i++)
        print_row(args, report->total.tasks[i].task, &report->total.tasks[i]);
    if (report->total.count > 1)
        print_row(args, "all tasks together", &report->total.all);
    if (report->device_count)
        print_devices(args, report);
    print_months(args, report);
    fprintf(args->out, "\n");
}

/* ---- the verb ---- */

static json_t *list_json(const struct audit_report *reports, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < count; i++)
        if (json_array_append_new(list, report_json(&reports[i])) != 0)
            return json_decref(list), NULL;
    return list ? json_pack("{s:o}", "ledgers", list) : NULL;
}

static int show_all(const struct cn_args *args, const struct audit_report *reports, size_t count)
{
    const char *html = cn_args_text(args, "html");
    struct cn_diag diag = {0};
    enum cn_err err = html ? audit_html_write(html, reports, count, &diag) : CN_OK;

    if (err != CN_OK)
        return cn_args_fail(args, err, &diag);
    if (args->json)
        return show_json(args, list_json(reports, count), CN_EXIT_DONE);
    for (size_t i = 0; i < count; i++)
        print_report(args, &reports[i]);
    if (html)
        fprintf(args->out, "Written to %s\n", html);
    return CN_EXIT_DONE;
}

int audit_report(const struct cn_args *args)
{
    size_t count = args->argument_count, read = 0;
    struct audit_report *reports = calloc(count, sizeof *reports);
    struct cn_diag diag = {0};
    enum cn_err err = reports ? CN_OK : CN_E_NOMEM;
    int code;

    for (; err == CN_OK && read < count; read += err == CN_OK)
        err = audit_report_read(&reports[read], args->arguments[read], &diag);
    code = err == CN_OK ? show_all(args, reports, count) : cn_args_fail(args, err, &diag);
    for (size_t i = 0; i < read; i++)
        audit_report_clear(&reports[i]);
    free(reports);
    return code;
}
