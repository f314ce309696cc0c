/* SPDX-License-Identifier: Apache-2.0 */
/* Axes, and charts in a terminal. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cli/chart.h"

#define COLUMNS_MAX 200u
#define ROWS_MAX 60u
#define LABEL_WIDTH 9

/* ---- axes ---- */

static void ticks_logarithmic(struct chart_axis *axis)
{
    double first = floor(log10(axis->low) + 1e-9), last = ceil(log10(axis->high) - 1e-9);
    double step = ceil((last - first + 1) / 9);

    if (last <= first)
        last = first + 1;
    axis->low = pow(10, first);
    axis->high = pow(10, last);
    for (double e = first; e <= last + 1e-9 && axis->tick_count < CN_COUNT(axis->ticks); e += step)
        axis->ticks[axis->tick_count++] = pow(10, e);
}

static void ticks_linear(struct chart_axis *axis)
{
    double rough = (axis->high - axis->low) / 5, power = pow(10, floor(log10(rough)));
    double part = rough / power, step = power * (part <= 1   ? 1
                                                 : part <= 2 ? 2
                                                 : part <= 5 ? 5
                                                             : 10);

    axis->low = floor(axis->low / step + 1e-9) * step;
    axis->high = ceil(axis->high / step - 1e-9) * step;
    for (double n = 0; axis->tick_count < CN_COUNT(axis->ticks); n++) {
        double tick = axis->low + n * step;

        if (tick > axis->high + step / 2)
            break;
        axis->ticks[axis->tick_count++] = fabs(tick) < step / 1e6 ? 0 : tick;
    }
}

void chart_axis_make(struct chart_axis *axis, double low, double high, bool logarithmic)
{
    *axis = (struct chart_axis){.low = low, .high = high, .logarithmic = logarithmic};
    if (!(isfinite(low) && isfinite(high) && low <= high) || (logarithmic && low <= 0)) {
        axis->low = logarithmic ? 0.1 : 0;
        axis->high = 1;
    }
    if (axis->low == axis->high && !logarithmic)
        axis->high = axis->low + (axis->low != 0 ? fabs(axis->low) : 1);
    if (logarithmic)
        ticks_logarithmic(axis);
    else
        ticks_linear(axis);
}

double chart_axis_place(const struct chart_axis *axis, double value)
{
    if (axis->logarithmic)
        return log(value / axis->low) / log(axis->high / axis->low);
    return (value - axis->low) / (axis->high - axis->low);
}

bool chart_point_ok(const struct chart *chart, double x, double y)
{
    return isfinite(x) && isfinite(y) && (!chart->log_x || x > 0) && (!chart->log_y || y > 0);
}

void chart_axes(const struct chart *chart, struct chart_axis *x, struct chart_axis *y)
{
    double x_low = INFINITY, x_high = -INFINITY, y_low = chart->log_y ? INFINITY : 0;
    double y_high = chart->limit > 0 ? chart->limit : -INFINITY;

    for (size_t n = 0; n < chart->count; n++) {
        const struct chart_series *series = &chart->series[n];

        for (size_t i = 0; i < series->count; i++) {
            if (!chart_point_ok(chart, series->x[i], series->y[i]))
                continue;
            x_low = fmin(x_low, series->x[i]);
            x_high = fmax(x_high, series->x[i]);
            y_low = fmin(y_low, series->y[i]);
            y_high = fmax(y_high, series->y[i]);
        }
    }
    chart_axis_make(x, x_low, x_high, chart->log_x);
    chart_axis_make(y, y_low, y_high, chart->log_y);
}

/* ---- text ---- */

/* Dots: 2 by 4 in each cell, as braille has them. */
struct canvas {
    unsigned columns, rows;
    uint8_t cells[ROWS_MAX][COLUMNS_MAX];
    uint8_t marks[ROWS_MAX][COLUMNS_MAX]; /* which series was here last, from 1 */
};

static void dot(struct canvas *canvas, double x, double y, uint8_t mark)
{
    static const uint8_t bits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    double wide = canvas->columns * 2 - 1, tall = canvas->rows * 4 - 1;
    unsigned at_x, at_y;

    if (!(x >= 0 && x <= 1 && y >= 0 && y <= 1))
        return;
    at_x = (unsigned)lround(x * wide);
    at_y = (unsigned)lround((1 - y) * tall);
    canvas->cells[at_y / 4][at_x / 2] |= bits[at_y % 4][at_x % 2];
    canvas->marks[at_y / 4][at_x / 2] = mark;
}

static void stroke(struct canvas *canvas, const struct chart *chart, size_t n,
                   const struct chart_axis *x, const struct chart_axis *y)
{
    const struct chart_series *series = &chart->series[n];
    double from_x = 0, from_y = 0;
    bool pen_down = false;

    for (size_t i = 0; i < series->count; i++) {
        double to_x, to_y;

        if (!chart_point_ok(chart, series->x[i], series->y[i])) {
            pen_down = false;
            continue;
        }
        to_x = chart_axis_place(x, series->x[i]);
        to_y = chart_axis_place(y, series->y[i]);
        for (unsigned s = pen_down ? 1 : 256; s <= 256; s++)
            dot(canvas, pen_down ? from_x + (to_x - from_x) * s / 256 : to_x,
                pen_down ? from_y + (to_y - from_y) * s / 256 : to_y, (uint8_t)(n + 1));
        from_x = to_x;
        from_y = to_y;
        pen_down = true;
    }
}

static void put_cell(FILE *out, uint8_t cell, uint8_t mark, bool ascii)
{
    static const char letters[] = " *o+x#@";

    if (ascii || cell == 0)
        fputc(cell ? letters[mark] : ' ', out);
    else /* U+2800 and the dots, in UTF-8 */
        fprintf(out, "\xe2%c%c", 0xa0 + (cell >> 6), 0x80 + (cell & 0x3f));
}

/* The tick nearest to the middle of a row, if there is one within it. */
static bool tick_in_row(const struct chart_axis *axis, unsigned row, unsigned rows, double *tick)
{
    for (size_t i = 0; i < axis->tick_count; i++) {
        double at = (1 - chart_axis_place(axis, axis->ticks[i])) * (rows - 1);

        *tick = axis->ticks[i];
        if ((unsigned)lround(at) == row)
            return true;
    }
    return false;
}

static void put_x_axis(FILE *out, const struct chart_axis *axis, const struct chart *chart,
                       unsigned columns, bool ascii)
{
    char line[COLUMNS_MAX + 40];
    size_t end = 0;

    fprintf(out, "%*s%s", LABEL_WIDTH + 1, "", ascii ? "+" : "\xe2\x94\x94");
    for (unsigned i = 0; i < columns; i++)
        fputs(ascii ? "-" : "\xe2\x94\x80", out);
    memset(line, ' ', sizeof line);
    for (size_t i = 0; i < axis->tick_count; i++) {
        char number[24];
        size_t len = (size_t)snprintf(number, sizeof number, "%g", axis->ticks[i]);
        size_t at = (size_t)lround(chart_axis_place(axis, axis->ticks[i]) * (columns - 1));

        at = at > len / 2 ? at - len / 2 : 0;
        if ((end && at < end + 2) || at + len > columns + 4)
            continue;
        memcpy(line + at, number, len);
        end = at + len;
    }
    fprintf(
        out, "\n%*s%.*s\n%*s%s\n", LABEL_WIDTH + 2, "", (int)end, line,
        LABEL_WIDTH + 2 +
            (int)(columns > strlen(chart->x_label) ? (columns - strlen(chart->x_label)) / 2 : 0),
        "", chart->x_label);
}

void chart_text(FILE *out, const struct chart *chart, unsigned columns, unsigned rows, bool ascii)
{
    static const char letters[] = "*o+x#@";
    struct canvas *canvas = calloc(1, sizeof *canvas);
    struct chart_axis x, y;
    double tick;

    CN_ASSERT(columns >= 40 && columns <= COLUMNS_MAX && rows >= 8 && rows <= ROWS_MAX);
    if (!canvas)
        return;
    canvas->columns = columns - LABEL_WIDTH - 2;
    canvas->rows = rows;
    chart_axes(chart, &x, &y);
    if (chart->limit > 0)
        for (unsigned i = 0; i <= canvas->columns * 2; i += 4)
            dot(canvas, i / (canvas->columns * 2.0), chart_axis_place(&y, chart->limit), 2);
    for (size_t n = 0; n < chart->count; n++)
        stroke(canvas, chart, n, &x, &y);
    fprintf(out, "%*s%s", LABEL_WIDTH + 2, "", chart->y_label);
    for (size_t n = 0; n < chart->count && chart->count > 1; n++)
        fprintf(out, "%s%c %s", n ? "  " : "   ", ascii ? letters[n] : ' ', chart->series[n].name);
    fputc('\n', out);
    for (unsigned row = 0; row < rows; row++) {
        if (tick_in_row(&y, row, rows, &tick))
            fprintf(out, "%*g %s", LABEL_WIDTH, tick, ascii ? "|" : "\xe2\x94\xa4");
        else
            fprintf(out, "%*s %s", LABEL_WIDTH, "", ascii ? "|" : "\xe2\x94\x82");
        for (unsigned column = 0; column < canvas->columns; column++)
            put_cell(out, canvas->cells[row][column], canvas->marks[row][column], ascii);
        fputc('\n', out);
    }
    put_x_axis(out, &x, chart, canvas->columns, ascii);
    free(canvas);
}
