/* SPDX-License-Identifier: Apache-2.0 */
/* Charts as SVG. */
#include "cli/chart.h"

#include <math.h>
#include <string.h>

#include "base/err.h"

#define WIDTH 720
#define HEIGHT 360
#define LEFT 72.0
#define RIGHT 20.0
#define TOP 44.0
#define BOTTOM 58.0
#define DIGIT 8.0 /* how wide one is, about */
#define PLOT_W (WIDTH - LEFT - RIGHT)
#define PLOT_H (HEIGHT - TOP - BOTTOM)

void chart_escape(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\'':
            fputs("&#39;", out);
            break;
        default:
            fputc((unsigned char)*text < 32 && *text != '\n' ? '?' : *text, out);
        }
    }
}

void chart_style(FILE *out)
{
    fputs(".cn{font:13px system-ui,sans-serif;--ink:#1b2430;--soft:#5c6773;--grid:#dfe4ea;"
          "--back:#fff;--c0:#1f6feb;--c1:#d1242f;--c2:#1a7f37;--c3:#8250df;--c4:#bc4c00;"
          "--c5:#0a7ea4;--limit:#9a6700;max-width:100%;height:auto}"
          "@media(prefers-color-scheme:dark){.cn{--ink:#e6edf3;--soft:#9aa5b1;--grid:#2d3540;"
          "--back:#12171e;--c0:#6cb1ff;--c1:#ff7b72;--c2:#56d364;--c3:#d2a8ff;--c4:#ffa657;"
          "--c5:#76e3ea;--limit:#e3b341}}"
          ".cn .back{fill:var(--back)}.cn text{fill:var(--ink)}.cn .soft{fill:var(--soft)}"
          ".cn .title{font-weight:600;font-size:15px}.cn .grid{stroke:var(--grid)}"
          ".cn .axis{stroke:var(--soft)}.cn .line{fill:none;stroke-width:2;stroke-linejoin:round}"
          ".cn .limit{stroke:var(--limit);stroke-dasharray:6 4}.cn .limited{fill:var(--limit)}",
          out);
    for (unsigned i = 0; i < CHART_SERIES_MAX; i++)
        fprintf(out, ".cn .s%u{stroke:var(--c%u)}.cn .f%u{fill:var(--c%u)}", i, i, i, i);
}

static void open_svg(FILE *out, const char *title, bool alone)
{
    if (alone)
        fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", out);
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"cn\" viewBox=\"0 0 %d %d\" "
            "width=\"%d\" height=\"%d\" role=\"img\">\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT);
    if (alone) {
        fputs("<style>", out);
        chart_style(out);
        fputs("</style>\n", out);
    }
    fputs("<title>", out);
    chart_escape(out, title);
    fprintf(out, "</title>\n<rect class=\"back\" width=\"%d\" height=\"%d\"/>\n", WIDTH, HEIGHT);
    fprintf(out, "<text class=\"title\" x=\"%g\" y=\"22\">", LEFT);
    chart_escape(out, title);
    fputs("</text>\n", out);
}

static void text_at(FILE *out, const char *attributes, double x, double y, const char *text)
{
    fprintf(out, "<text %s x=\"%.1f\" y=\"%.1f\">", attributes, x, y);
    chart_escape(out, text);
    fputs("</text>\n", out);
}

static double px(const struct chart_axis *axis, double value)
{
    return LEFT + PLOT_W * chart_axis_place(axis, value);
}

static double py(const struct chart_axis *axis, double value)
{
    return TOP + PLOT_H * (1 - chart_axis_place(axis, value));
}

static void draw_y_axis(FILE *out, const struct chart_axis *axis, const char *label)
{
    char number[32];

    for (size_t i = 0; i < axis->tick_count; i++) {
        double y = py(axis, axis->ticks[i]);

        fprintf(out, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n",
                LEFT, LEFT + PLOT_W, y, y);
        snprintf(number, sizeof number, "%g", axis->ticks[i]);
        text_at(out, "class=\"soft\" text-anchor=\"end\"", LEFT - 8, y + 4, number);
    }
    fprintf(out,
            "<text class=\"soft\" text-anchor=\"middle\" transform=\"translate(14 %.1f) "
            "rotate(-90)\">",
            TOP + PLOT_H / 2);
    chart_escape(out, label);
    fputs("</text>\n", out);
}

static void draw_x_axis(FILE *out, const struct chart_axis *axis, const char *label)
{
    char number[32];

    fprintf(out, "<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n", LEFT,
            LEFT + PLOT_W, TOP + PLOT_H, TOP + PLOT_H);
    for (size_t i = 0; i < axis->tick_count; i++) {
        double x = px(axis, axis->ticks[i]);
        int len = snprintf(number, sizeof number, "%g", axis->ticks[i]);
        bool wide = x + DIGIT * len / 2 > WIDTH; /* it would leave the picture */

        text_at(out,
                wide ? "class=\"soft\" text-anchor=\"end\""
                     : "class=\"soft\" text-anchor=\"middle\"",
                wide ? WIDTH - 2.0 : x, TOP + PLOT_H + 18, number);
    }
    text_at(out, "class=\"soft\" text-anchor=\"middle\"", LEFT + PLOT_W / 2, HEIGHT - 12, label);
}

static void draw_series(FILE *out, const struct chart *chart, size_t n, const struct chart_axis *x,
                        const struct chart_axis *y)
{
    const struct chart_series *series = &chart->series[n];
    bool pen_down = false;

    CN_ASSERT(series->count <= CHART_POINTS_MAX);
    fprintf(out, "<path class=\"line s%zu\"%s d=\"", n,
            series->dashed ? " stroke-dasharray=\"5 4\"" : "");
    for (size_t i = 0; i < series->count; i++) {
        bool ok = chart_point_ok(chart, series->x[i], series->y[i]);

        if (ok)
            fprintf(out, "%c%.2f %.2f", pen_down ? 'L' : 'M', px(x, series->x[i]),
                    py(y, series->y[i]));
        pen_down = ok;
    }
    fputs("\"/>\n", out);
    for (size_t i = 0; series->points && i < series->count; i++)
        if (chart_point_ok(chart, series->x[i], series->y[i]))
            fprintf(out, "<circle class=\"f%zu\" cx=\"%.2f\" cy=\"%.2f\" r=\"3\"/>\n", n,
                    px(x, series->x[i]), py(y, series->y[i]));
}

/* One row above the plot, from the right. */
static void draw_legend(FILE *out, const struct chart *chart)
{
    double x = LEFT + PLOT_W;

    for (size_t n = chart->count; n-- > 0;) {
        const struct chart_series *series = &chart->series[n];

        if (!series->name)
            continue;
        x -= 7.0 * (double)strlen(series->name);
        text_at(out, "class=\"soft\"", x, TOP - 8, series->name);
        fprintf(out,
                "<line class=\"line s%zu\"%s x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n",
                n, series->dashed ? " stroke-dasharray=\"5 4\"" : "", x - 26, x - 6, TOP - 12,
                TOP - 12);
        x -= 44;
    }
}

void chart_svg(FILE *out, const struct chart *chart, bool alone)
{
    struct chart_axis x, y;

    CN_ASSERT(chart->count <= CHART_SERIES_MAX);
    chart_axes(chart, &x, &y);
    open_svg(out, chart->title, alone);
    draw_y_axis(out, &y, chart->y_label);
    draw_x_axis(out, &x, chart->x_label);
    if (chart->limit > 0) {
        double at = py(&y, chart->limit);

        fprintf(out, "<line class=\"limit\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n",
                LEFT, LEFT + PLOT_W, at, at);
        text_at(out, "class=\"limited\"", LEFT + 6, at - 5, chart->limit_label);
    }
    for (size_t n = 0; n < chart->count; n++)
        draw_series(out, chart, n, &x, &y);
    draw_legend(out, chart);
    fputs("</svg>\n", out);
}

void chart_bars_svg(FILE *out, const struct chart_bars *bars, bool alone)
{
    double high = 0, width = PLOT_W / (double)(bars->count ? bars->count : 1);
    double bar = fmin(width * 0.7, 60);
    size_t every = 1 + bars->count / 13; /* names that fit beside each other */
    struct chart_axis y;

    CN_ASSERT(bars->count <= CHART_BARS_MAX);
    for (size_t i = 0; i < bars->count; i++)
        if (isfinite(bars->values[i]))
            high = fmax(high, bars->values[i]);
    chart_axis_make(&y, 0, high, false);
    open_svg(out, bars->title, alone);
    draw_y_axis(out, &y, bars->y_label);
    draw_x_axis(out, &(struct chart_axis){.high = 1}, "");
    for (size_t i = 0; i < bars->count; i++) {
        double value = isfinite(bars->values[i]) ? bars->values[i] : high;
        double top = py(&y, value), middle = LEFT + width * ((double)i + 0.5);

        fprintf(out,
                "<rect class=\"f0\" rx=\"2\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">"
                "<title>",
                middle - bar / 2, top, bar, TOP + PLOT_H - top);
        chart_escape(out, bars->names[i]);
        fprintf(out, ": %g</title></rect>\n", bars->values[i]);
        if (i % every == 0)
            text_at(out, "class=\"soft\" text-anchor=\"middle\"", middle, TOP + PLOT_H + 18,
                    bars->names[i]);
    }
    fputs("</svg>\n", out);
}
