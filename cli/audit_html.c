/* SPDX-License-Identifier: Apache-2.0 */
/* The report as one HTML file: no script, no font, no picture from elsewhere. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/audit_report.h"
#include "cli/chart.h"
#include "cli/show.h"

#define MONTHS_DRAWN 36u
#define DEVICES_DRAWN 200u
#define DAY_S 86400.0

static const char page_style[] =
    ":root{color-scheme:light dark;--ink:#1b2430;--soft:#5c6773;--back:#fff;--card:#f6f8fa;"
    "--line:#dfe4ea}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9aa5b1;--back:#12171e;"
    "--card:#1a212a;--line:#2d3540}}"
    "body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--back);"
    "max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "h1{font-size:1.6rem;margin:0}h2{font-size:1.25rem;margin:2.5rem 0 .25rem;padding-top:1.5rem;"
    "border-top:1px solid var(--line)}h3{font-size:1rem;margin:1.5rem 0 .5rem}"
    "p{margin:.25rem 0}.soft{color:var(--soft)}code{font-size:.85em;overflow-wrap:anywhere}"
    ".cards{display:flex;flex-wrap:wrap;gap:.75rem;margin:1rem 0}"
    ".card{background:var(--card);border:1px solid var(--line);border-radius:8px;"
    "padding:.6rem 1rem;min-width:8rem}.card b{display:block;font-size:1.4rem}"
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}"
    "th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:right}"
    "th:first-child,td:first-child{text-align:left}th{color:var(--soft);font-weight:500}"
    ".scroll{overflow-x:auto}svg{display:block;margin:1rem 0}"
    "@media print{body{max-width:none}h2{break-before:auto}table,svg{break-inside:avoid}}";

static void put_card(FILE *out, const char *name, const char *value)
{
    fputs("<div class=\"card\"><b>", out);
    chart_escape(out, value);
    fputs("</b><span class=\"soft\">", out);
    chart_escape(out, name);
    fputs("</span></div>\n", out);
}

static void put_table(FILE *out, const char *what)
{
    fprintf(out,
            "<div class=\"scroll\"><table><tr><th>%s</th><th>rounds</th><th>steps</th>"
            "<th>delta</th><th>epsilon</th></tr>\n",
            what);
}

static void put_row(FILE *out, const char *name, const struct ledger_total_task *spent)
{
    char rounds[SHOW_NUMBER_MAX], steps[SHOW_NUMBER_MAX], shown[SHOW_NUMBER_MAX];
    double delta, epsilon = audit_epsilon_of(spent, &delta);

    fputs("<tr><td>", out);
    chart_escape(out, name);
    fprintf(out, "</td><td>%s</td><td>%s</td><td>%g</td><td>%s</td></tr>\n",
            show_count(rounds, spent->spendings), show_count(steps, spent->steps), delta,
            show_epsilon(shown, epsilon));
}

/* The unit in which a span reads well. */
static double unit_of(double span_s, const char **label)
{
    static const struct {
        double seconds;
        const char *label;
    } units[] = {{DAY_S, "days since the first spending"},
                 {3600, "hours since the first spending"},
                 {60, "minutes since the first spending"},
                 {1, "seconds since the first spending"}};
    size_t i = 0;

    while (i + 1 < CN_COUNT(units) && span_s < 2 * units[i].seconds)
        i++;
    *label = units[i].label;
    return units[i].seconds;
}

static void put_curve(FILE *out, const struct audit_report *report)
{
    const struct audit_curve *curve = &report->curve;
    double times[AUDIT_CURVE_MAX], unit;
    struct chart chart = {.title = "Epsilon spent so far", .y_label = "epsilon", .count = 1};

    if (curve->count < 2)
        return;
    unit = unit_of(curve->time_s[curve->count - 1] - curve->time_s[0], &chart.x_label);
    for (size_t i = 0; i < curve->count; i++)
        times[i] = (curve->time_s[i] - curve->time_s[0]) / unit;
    chart.series[0] = (struct chart_series){.x = times, .y = curve->epsilon, .count = curve->count};
    chart_svg(out, &chart, false);
}

/* The last months. */
static void put_months(FILE *out, const struct audit_report *report)
{
    uint32_t count = report->month_count < MONTHS_DRAWN ? report->month_count : MONTHS_DRAWN;
    const struct audit_month *first = report->months + (report->month_count - count);
    char texts[MONTHS_DRAWN][16];
    const char *names[MONTHS_DRAWN];
    double values[MONTHS_DRAWN];
    struct chart_bars bars = {"Epsilon of each month, taken alone", "epsilon", names, values,
                              count};

    for (uint32_t i = 0; i < count; i++) {
        names[i] = audit_month_text(texts[i], first[i].month);
        values[i] = audit_epsilon_of(&first[i].spent, NULL);
    }
    chart_bars_svg(out, &bars, false);
    put_table(out, "month");
    for (uint32_t i = 0; i < report->month_count; i++) {
        char name[16];

        put_row(out, audit_month_text(name, report->months[i].month), &report->months[i].spent);
    }
    fputs("</table></div>\n", out);
}

static void put_tasks(FILE *out, const struct audit_report *report)
{
    fputs("<h3>By task</h3>\n", out);
    put_table(out, "task");
    for (uint32_t i = 0; i < report->total.count; i++)
        put_row(out, report->total.tasks[i].task, &report->total.tasks[i]);
    if (report->total.count > 1)
        put_row(out, "all tasks together", &report->total.all);
    fputs("</table></div>\n", out);
}

static void put_devices(FILE *out, const struct audit_report *report)
{
    char id[2 * LEDGER_DEVICE_BYTES + 1];

    if (!report->device_count)
        return;
    fputs("<h3>By device</h3>\n<p class=\"soft\">What each device countersigned in this "
          "ledger.</p>\n",
          out);
    put_table(out, "device");
    for (uint32_t i = 0; i < report->device_count && i < DEVICES_DRAWN; i++)
        put_row(out, cn_hex_encode(id, report->devices[i].id, LEDGER_DEVICE_BYTES),
                &report->devices[i].spent);
    fputs("</table></div>\n", out);
    if (report->device_count > DEVICES_DRAWN)
        fprintf(out, "<p class=\"soft\">and %u more devices</p>\n",
                report->device_count - DEVICES_DRAWN);
}

static void put_report(FILE *out, const struct audit_report *report)
{
    const struct ledger_summary *summary = &report->summary;
    char number[SHOW_NUMBER_MAX], from[CN_TIME_TEXT_BYTES], to[CN_TIME_TEXT_BYTES];
    char head[2 * HASH_BYTES + 1];

    fputs("<h2>", out);
    chart_escape(out, summary->owner);
    fputs(" <span class=\"soft\">", out);
    chart_escape(out, summary->role);
    fputs("</span></h2>\n<p class=\"soft\"><code>", out);
    chart_escape(out, report->path);
    fprintf(out, "</code>, %s to %s, verified</p>\n<p class=\"soft\">head <code>%s</code></p>\n",
            cn_time_text(summary->first_time_s, from), cn_time_text(summary->last_time_s, to),
            cn_hex_encode(head, summary->head, HASH_BYTES));
    fputs("<div class=\"cards\">\n", out);
    put_card(out, "epsilon, all tasks",
             show_epsilon(number, audit_epsilon_of(&report->total.all, NULL)));
    put_card(out, "rounds paid for", show_count(number, report->total.all.spendings));
    put_card(out, "tasks", show_count(number, report->total.count));
    put_card(out, "lines", show_count(number, summary->lines));
    fputs("</div>\n", out);
    if (!report->total.count) {
        fputs("<p>Nothing was spent.</p>\n", out);
        return;
    }
    put_curve(out, report);
    put_tasks(out, report);
    put_devices(out, report);
    fputs("<h3>By month</h3>\n", out);
    put_months(out, report);
}

/* One bar per ledger, to compare devices at a glance. */
static void put_overview(FILE *out, const struct audit_report *reports, size_t count)
{
    const char **names = calloc(count, sizeof *names);
    double *values = calloc(count, sizeof *values);
    struct chart_bars bars = {"Epsilon of each ledger, all tasks", "epsilon", names, values, count};

    for (size_t i = 0; names && values && i < count; i++) {
        names[i] = reports[i].summary.owner;
        values[i] = audit_epsilon_of(&reports[i].total.all, NULL);
    }
    if (names && values && count > 1 && count <= CHART_BARS_MAX)
        chart_bars_svg(out, &bars, false);
    free(names);
    free(values);
}

enum cn_err audit_html_write(const char *path, const struct audit_report *reports, size_t count,
                             struct cn_diag *diag)
{
    FILE *out = fopen(path, "we");
    bool failed;

    if (!out) {
        cn_diag_set(diag, path, 0, 0, "the report can not be written: %s", strerror(errno));
        return cn_err_from_errno(errno);
    }
    fputs("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
          "<title>Privacy report</title>\n<style>",
          out);
    fputs(page_style, out);
    chart_style(out);
    fprintf(out,
            "</style>\n<h1>Privacy report</h1>\n<p class=\"soft\">%zu ledger%s, every line "
            "verified. Epsilon counts one example of one device (or one device, where the "
            "task's unit is user), by R&eacute;nyi accounting; on an aggregator's ledger that "
            "of a device that took part in every round.</p>\n",
            count, show_plural(count));
    put_overview(out, reports, count);
    for (size_t i = 0; i < count; i++)
        put_report(out, &reports[i]);
    fputs("</html>\n", out);
    failed = ferror(out) != 0;
    return fclose(out) != 0 || failed ? CN_E_IO : CN_OK;
}
