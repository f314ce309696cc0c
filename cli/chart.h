/* SPDX-License-Identifier: Apache-2.0 */
/* Charts: lines and bars as SVG (alone in a file or inside a page) and lines as text for a
 * terminal.
 *
 * SVG follows the reader's light or dark preference by itself and needs nothing else. Numbers that
 * are not finite, or not positive on a logarithmic axis, are left out. */
#ifndef CAIRN_CLI_CHART_H
#define CAIRN_CLI_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define CHART_SERIES_MAX 6u
#define CHART_POINTS_MAX 4096u
#define CHART_BARS_MAX 240u

struct chart_series {
    const char *name;
    const double *x, *y; /* [count], x rising */
    size_t count;        /* up to CHART_POINTS_MAX (asserted) */
    bool dashed;
    bool points; /* a mark at each point */
};

struct chart {
    const char *title;
    const char *x_label, *y_label;
    struct chart_series series[CHART_SERIES_MAX];
    size_t count;
    bool log_x, log_y;
    double limit;            /* a horizontal line; 0: none */
    const char *limit_label; /* what it is */
};

struct chart_bars {
    const char *title;
    const char *y_label;
    const char *const *names; /* [count] */
    const double *values;     /* [count] >= 0 */
    size_t count;             /* up to CHART_BARS_MAX (asserted) */
};

/* Writes one <svg> element of 720 by 360 units. alone: as a document of its own. */
void chart_svg(FILE *out, const struct chart *chart, bool alone);
void chart_bars_svg(FILE *out, const struct chart_bars *bars, bool alone);

/* Writes the chart in so many columns (40 to 200) and rows (8 to 60) of text; ascii: in ASCII, else
 * with braille dots. */
void chart_text(FILE *out, const struct chart *chart, unsigned columns, unsigned rows, bool ascii);

/* Writes text with what HTML or XML would read as its own replaced. */
void chart_escape(FILE *out, const char *text);

/* The style sheet that the charts of a page share. */
void chart_style(FILE *out);

struct chart_axis {
    double low, high;
    bool logarithmic;
    double ticks[16];
    size_t tick_count;
};

/* Rounds the range of values outward and chooses ticks. Empty ranges become a range around them. */
void chart_axis_make(struct chart_axis *axis, double low, double high, bool logarithmic);

/* Where a value lies on the axis, 0 to 1 within it. */
double chart_axis_place(const struct chart_axis *axis, double value);

/* Axes that hold all points of a chart. */
void chart_axes(const struct chart *chart, struct chart_axis *x, struct chart_axis *y);

/* Whether the point can be drawn. */
bool chart_point_ok(const struct chart *chart, double x, double y);

#endif
