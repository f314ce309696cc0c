/* SPDX-License-Identifier: Apache-2.0 */
/* "label index:value ...", line by line. */
#include "data/libsvm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/csv_internal.h"
#include "data/csv_labels.h"
#include "data/csv_value.h"
#include "data/lines.h"

#define BLANKS " \t"

struct reading {
    struct lines lines;
    struct csv_labels labels;
    struct intake intake;
    const struct data_form *form; /* may be NULL */
    struct dataset *set;
    struct cn_diag *diag;
    double mean, deviation;
    uint32_t width;   /* 0 while it is looked for */
    uint32_t largest; /* index seen */
};

/* The next word of the line from *at on, up to a blank or the comment; len 0 at the end. */
static struct csv_field next_word(const struct reading *reading, size_t *at)
{
    const char *text = reading->lines.text + *at;
    size_t blanks = strspn(text, BLANKS);
    struct csv_field word = {.text = text + blanks, .at = *at + blanks};

    word.len = strcspn(word.text, BLANKS "#");
    *at = word.at + word.len;
    return word;
}

/* Columns are counted only here, for faults. */
static enum cn_err refuse(const struct reading *reading, const struct csv_field *word,
                          const char *what)
{
    char shown[CSV_SHOWN_MAX];

    cn_diag_set(reading->diag, reading->lines.in.path, reading->lines.number,
                lines_column(&reading->lines, word->at), "'%s' %s", csv_shown(shown, word), what);
    cn_diag_hint(reading->diag, "a line is a label and index:value pairs with rising indices");
    return CN_E_DATA;
}

/* Splits "index:value". */
static enum cn_err take_pair(struct reading *reading, const struct csv_field *word, uint32_t *index,
                             double *value)
{
    size_t digits = strspn(word->text, "0123456789");

    if (digits == 0 || digits > 9 || digits + 1 >= word->len || word->text[digits] != ':')
        return refuse(reading, word, "is not index:value");
    *index = (uint32_t)strtoul(word->text, NULL, 10);
    if (!csv_number(word->text + digits + 1, word->len - digits - 1, value))
        return refuse(reading, word, "has no number behind its colon");
    if (*index == 0)
        return refuse(reading, word, "has the index 0; they count from 1");
    if (*index <= reading->largest)
        return refuse(reading, word, "is out of order or twice in its line");
    if (*index > (reading->width ? reading->width : LIBSVM_FEATURES_MAX))
        return refuse(reading, word,
                      reading->width ? "has an index beyond the task's columns"
                                     : "has an index beyond 1048576");
    reading->largest = *index;
    return CN_OK;
}

/* Fills x [width] from the pairs behind the label; x is NULL while the width is looked for. */
static enum cn_err take_pairs(struct reading *reading, size_t at, float *x)
{
    float zero = (float)(-reading->mean / reading->deviation);
    struct csv_field word;

    for (uint32_t i = 0; x && i < reading->width; i++)
        x[i] = zero;
    reading->largest = 0;
    for (word = next_word(reading, &at); word.len; word = next_word(reading, &at)) {
        uint32_t index = 0;
        double value = 0.0;

        CN_TRY(take_pair(reading, &word, &index, &value));
        value = (value - reading->mean) / reading->deviation;
        if (!isfinite((float)value))
            return refuse(reading, &word, "is too large");
        if (x)
            x[index - 1] = (float)value;
    }
    return CN_OK;
}

static enum cn_err take_target(struct reading *reading, const struct csv_field *word, float *z)
{
    const struct data_column *target = reading->form->targets;
    double value;

    if (!csv_number(word->text, word->len, &value))
        return refuse(reading, word, "is not a number to predict");
    *z = (float)((value - target->mean) / target->deviation);
    return isfinite(*z) ? CN_OK : refuse(reading, word, "is too large");
}

static enum cn_err take_label(struct reading *reading, const struct csv_field *word, size_t row)
{
    char name[DATA_NAME_MAX];
    struct csv_field label = *word;

    if (reading->set->reals)
        return take_target(reading, word, &reading->set->z[row]);
    if (word->len >= sizeof name)
        return refuse(reading, word, "is too long for a label");
    memcpy(name, word->text, word->len);
    name[word->len] = '\0';
    label.text = name;
    label.line = reading->lines.number;
    label.column = lines_column(&reading->lines, word->at);
    return csv_labels_add(&reading->labels, &reading->set->y[row], &label, reading->diag);
}

static enum cn_err take_line(struct reading *reading)
{
    size_t at = 0, row;
    struct csv_field label = next_word(reading, &at);

    if (label.len == 0)
        return CN_OK;
    if (memchr(label.text, ':', label.len))
        return refuse(reading, &label, "is no label");
    if (reading->width == 0)
        return take_pairs(reading, at, NULL);
    CN_TRY(intake_row(&reading->intake, &row, reading->lines.in.path, reading->diag));
    CN_TRY(take_label(reading, &label, row));
    return take_pairs(reading, at, reading->set->x + row * reading->width);
}

/* Walks all lines; *largest is the largest index of any of them. */
static enum cn_err walk(struct reading *reading, const char *path, uint32_t *largest)
{
    enum cn_err err;
    bool got = true;

    *largest = 0;
    CN_TRY_OUT(err, lines_open(&reading->lines, path, reading->diag));
    while (got) {
        CN_TRY_OUT(err, lines_next(&reading->lines, &got, reading->diag));
        if (got)
            CN_TRY_OUT(err, take_line(reading));
        *largest = reading->largest > *largest ? reading->largest : *largest;
    }
out:
    lines_close(&reading->lines);
    return err;
}

/* The width is the form's, or what a first pass finds. */
static enum cn_err find_width(struct reading *reading, const char *path)
{
    uint32_t width = reading->form ? reading->form->width : 0;

    if (width == 0)
        CN_TRY(walk(reading, path, &width));
    if (width == 0 || width > LIBSVM_FEATURES_MAX) {
        cn_diag_set(reading->diag, path, 0, 0, width ? "more than %u columns" : "no pairs in it",
                    LIBSVM_FEATURES_MAX);
        return width ? CN_E_TOO_LARGE : CN_E_DATA;
    }
    reading->width = width;
    return data_form_check(reading->form, 1, 1, width, path, reading->diag);
}

static enum cn_err read_all(struct reading *reading, const char *path,
                            const struct intake_options *intake)
{
    uint32_t unused;

    CN_TRY(find_width(reading, path));
    *reading->set = (struct dataset){.channels = 1, .height = 1, .width = reading->width};
    if (reading->form)
        reading->set->reals = reading->form->target_count;
    CN_TRY(intake_start(&reading->intake, reading->set, intake));
    CN_TRY(walk(reading, path, &unused));
    CN_TRY(intake_finish(&reading->intake, path, "no examples in it", reading->diag));
    return reading->set->reals ? CN_OK
                               : csv_labels_finish(&reading->labels, reading->set, reading->diag);
}

enum cn_err libsvm_load(struct dataset *set, const char *path, const struct intake_options *intake,
                        const struct data_form *form, struct cn_diag *diag)
{
    struct reading reading = {.form = form,
                              .set = set,
                              .diag = diag,
                              .labels = {.form = form, .path = path},
                              .mean = form ? form->mean : 0,
                              .deviation = form && form->deviation > 0 ? form->deviation : 1};
    enum cn_err err;

    *set = (struct dataset){0};
    if (form && (form->target_count > 1 || form->column_count)) {
        cn_diag_set(diag, path, 0, 0, "LIBSVM files have one target and columns without names");
        cn_diag_hint(diag, "leave data.columns out of the task, and all targets but one");
        return CN_E_CONFIG;
    }
    err = read_all(&reading, path, intake);
    if (err != CN_OK)
        dataset_free(set);
    csv_labels_clear(&reading.labels);
    return err;
}
