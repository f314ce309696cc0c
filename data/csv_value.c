/* SPDX-License-Identifier: Apache-2.0 */
/* Fields to values. */
#include "data/csv_value.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "data/csv_internal.h"

const char *csv_trimmed(const struct csv_field *field, size_t *len)
{
    const char *text = field->text;

    *len = field->len;
    while (*len && (text[0] == ' ' || text[0] == '\t'))
        text++, (*len)--;
    while (*len && (text[*len - 1] == ' ' || text[*len - 1] == '\t'))
        (*len)--;
    return text;
}

bool csv_is_missing(const char *text, size_t len)
{
    static const char *const words[] = {"",    "?",   "NA",   "N/A",  "na",   "n/a", "NaN",
                                        "nan", "NAN", "null", "NULL", "None", "none"};

    for (size_t i = 0; i < CN_COUNT(words); i++)
        if (strlen(words[i]) == len && memcmp(words[i], text, len) == 0)
            return true;
    return false;
}

/* Most numbers are short: up to 15 digits and a point. Digits and power of ten are then exact
 * doubles, so their one division rounds as strtod does (Clinger, PLDI 1990). False for all others,
 * which may be numbers too. */
static bool short_number(const char *text, size_t len, double *value)
{
    static const double powers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    size_t at = len > 0 && (text[0] == '-' || text[0] == '+'), digits = 0, behind = 0;
    bool point = false;
    int64_t whole = 0;

    for (; at < len && digits < CN_COUNT(powers); at++) {
        if (text[at] == '.' && !point) {
            point = true;
            continue;
        }
        if (text[at] < '0' || text[at] > '9')
            return false;
        whole = 10 * whole + (text[at] - '0');
        digits++;
        behind += point;
    }
    if (digits == 0 || digits >= CN_COUNT(powers))
        return false;
    *value = (double)whole / powers[behind];
    *value = text[0] == '-' ? -*value : *value;
    return true;
}

bool csv_number(const char *text, size_t len, double *value)
{
    char *end = NULL;

    if (short_number(text, len, value))
        return true;
    if (len == 0 || strspn(text, "+-.0123456789eE") < len)
        return false;
    *value = strtod(text, &end);
    return end == text + len && isfinite(*value);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct csv_category *)a)->name, ((const struct csv_category *)b)->name);
}

enum cn_err csv_column_use(struct csv_column *column, const struct data_column *spec,
                           uint32_t feature)
{
    column->feature = feature;
    column->spec = spec;
    if (spec->kind != DATA_COLUMN_CATEGORY || spec->category_count == 0)
        return CN_OK;
    column->sorted = calloc(spec->category_count, sizeof *column->sorted);
    if (!column->sorted)
        return CN_E_NOMEM;
    for (uint32_t i = 0; i < spec->category_count; i++)
        column->sorted[i] = (struct csv_category){spec->categories[i], i};
    qsort(column->sorted, spec->category_count, sizeof *column->sorted, by_name);
    return CN_OK;
}

void csv_column_clear(struct csv_column *column)
{
    free(column->sorted);
    column->sorted = NULL;
}

/* What take_* need to tell a fault. */
struct cell {
    const struct csv_column *column;
    const struct csv_field *field;
    const char *path;
    struct cn_diag *diag;
};

static enum cn_err refuse(const struct cell *cell, const char *what)
{
    char shown[CSV_SHOWN_MAX];

    cn_diag_set(cell->diag, cell->path, cell->field->line, cell->field->column,
                "column '%s': '%s' %s", cell->column->name, csv_shown(shown, cell->field), what);
    return CN_E_DATA;
}

static enum cn_err take_number(const struct cell *cell, float *out, double value)
{
    const struct data_column *spec = cell->column->spec;

    *out = (float)((value - spec->mean) / spec->deviation);
    return isfinite(*out) ? CN_OK : refuse(cell, "is too large");
}

static enum cn_err take_missing(const struct cell *cell, float *out)
{
    const struct data_column *spec = cell->column->spec;
    uint32_t values = data_column_values(spec);
    char shown[CSV_SHOWN_MAX];

    if (spec->missing == DATA_MISSING_REFUSE) {
        cn_diag_set(cell->diag, cell->path, cell->field->line, cell->field->column,
                    "column '%s': no value ('%s')", cell->column->name,
                    csv_shown(shown, cell->field));
        cn_diag_hint(cell->diag, "missing values are not guessed: fill them or leave the record "
                                 "out, or the task says what they become (data.columns, missing)");
        return CN_E_DATA;
    }
    memset(out, 0, values * sizeof *out);
    if (spec->indicator)
        out[values - 1] = 1;
    return spec->missing == DATA_MISSING_FILL ? take_number(cell, out, spec->fill) : CN_OK;
}

static const struct csv_category *find_category(const struct csv_column *column,
                                                const struct csv_field *field)
{
    size_t len;
    char name[DATA_NAME_MAX];
    const char *text = csv_trimmed(field, &len);
    struct csv_category key = {.name = name};

    if (len >= sizeof name || !column->sorted)
        return NULL;
    memcpy(name, text, len);
    name[len] = '\0';
    return bsearch(&key, column->sorted, column->spec->category_count, sizeof key, by_name);
}

static enum cn_err refuse_category(const struct cell *cell)
{
    const struct data_column *spec = cell->column->spec;
    enum cn_err err = refuse(cell, "is none of the task's categories");
    const char *near = cn_text_nearest(cell->field->text, (const char *const *)spec->categories,
                                       spec->category_count);

    if (near)
        cn_diag_hint(cell->diag, "did you mean '%s'?", near);
    else
        cn_diag_hint(cell->diag, "'unknown: column' in the task gives such words a column");
    return err;
}

/* A word that is listed is a category, even when it is one that else means "missing". */
static enum cn_err take_category(const struct cell *cell, float *out)
{
    const struct data_column *spec = cell->column->spec;
    const struct csv_category *found = find_category(cell->column, cell->field);
    size_t len;
    const char *text = csv_trimmed(cell->field, &len);

    if (!found && csv_is_missing(text, len))
        return take_missing(cell, out);
    if (!found && spec->unknown == DATA_UNKNOWN_REFUSE)
        return refuse_category(cell);
    memset(out, 0, data_column_values(spec) * sizeof *out);
    out[found ? found->index : spec->category_count] = 1;
    return CN_OK;
}

enum cn_err csv_value_take(float *out, const struct csv_column *column,
                           const struct csv_field *field, const char *path, struct cn_diag *diag)
{
    struct cell cell = {column, field, path, diag};
    double value = 0;
    size_t len;
    const char *text = csv_trimmed(field, &len);

    if (column->spec->kind == DATA_COLUMN_CATEGORY)
        return take_category(&cell, out);
    if (csv_is_missing(text, len))
        return take_missing(&cell, out);
    if (!csv_number(text, len, &value))
        return refuse(&cell, "is not a number");
    if (column->spec->indicator)
        out[1] = 0;
    return take_number(&cell, out, value);
}
