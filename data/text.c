/* SPDX-License-Identifier: Apache-2.0 */
/* Lines to tokens, tokens to examples. */
#include "data/text.h"

#include <string.h>

#include "base/escape.h"
#include "data/csv_internal.h"
#include "data/csv_labels.h"
#include "data/csv_value.h"
#include "data/lines.h"
#include "data/text_tokens.h"

struct reading {
    struct lines lines;
    struct text_tokens tokens;
    struct csv_labels labels;
    struct intake intake;
    const struct data_form *form; /* may be NULL */
    struct dataset *set;
    struct cn_diag *diag;
    const char *path;
    size_t row;      /* language models: the example that is being filled */
    uint32_t filled; /* its targets so far */
    uint32_t last;   /* the token before the next one */
    uint32_t mark;   /* pairs: the token of a line feed, before and behind a target */
    bool started;    /* there is a last one */
};

/* Starts the next example; all of it is padding until it is filled. */
static enum cn_err begin(struct reading *reading)
{
    struct dataset *set = reading->set;

    CN_TRY(intake_row(&reading->intake, &reading->row, reading->path, reading->diag));
    for (uint32_t i = 0; i < set->width; i++)
        set->x[reading->row * set->width + i] = (float)DATA_TOKEN_PADDING;
    for (uint32_t i = 0; i < set->targets; i++)
        set->y[reading->row * set->targets + i] = DATASET_IGNORE;
    reading->filled = 0;
    return CN_OK;
}

/* Adds one token of the stream: the target of the one before it. */
static enum cn_err add(struct reading *reading, uint32_t token)
{
    struct dataset *set = reading->set;

    if (reading->started) {
        size_t at;

        if (reading->filled == 0 || reading->filled == set->width)
            CN_TRY(begin(reading));
        at = reading->row * set->width + reading->filled++;
        set->x[at] = (float)reading->last;
        set->y[at] = token;
    }
    reading->last = token;
    reading->started = true;
    return CN_OK;
}

static enum cn_err check_line(const struct reading *reading)
{
    const struct lines *lines = &reading->lines;
    size_t bad;

    if (reading->tokens.unit == DATA_UNIT_BYTE || cn_utf8_valid(lines->text, lines->len, &bad))
        return CN_OK;
    cn_diag_set(reading->diag, reading->path, lines->number, lines_column(lines, bad),
                "the bytes are not UTF-8");
    cn_diag_hint(reading->diag, "convert the file, e.g. with `iconv -t UTF-8`");
    return CN_E_DATA;
}

static enum cn_err stream_line(struct reading *reading)
{
    const struct lines *lines = &reading->lines;
    uint32_t token;
    size_t at = 0;

    while (text_tokens_next(&reading->tokens, lines->text, lines->len, &at, &token))
        CN_TRY(add(reading, token));
    at = 0;
    if (lines->ended && text_tokens_next(&reading->tokens, "\n", 1, &at, &token))
        CN_TRY(add(reading, token));
    return CN_OK;
}

static enum cn_err refuse_label(const struct reading *reading, const char *what)
{
    cn_diag_set(reading->diag, reading->path, reading->lines.number, 1, "%s", what);
    cn_diag_hint(reading->diag, "a line is its label, a tab, and the text");
    return CN_E_DATA;
}

static enum cn_err labelled_line(struct reading *reading)
{
    const struct lines *lines = &reading->lines;
    const char *tab = memchr(lines->text, '\t', lines->len);
    struct dataset *set = reading->set;
    char name[DATA_NAME_MAX] = "";
    struct csv_field label = {.text = name, .line = lines->number, .column = 1};
    uint32_t token;
    size_t at;

    if (lines->len == 0)
        return CN_OK;
    label.len = tab ? (size_t)(tab - lines->text) : 0;
    if (!tab)
        return refuse_label(reading, "no tab in the line");
    if (label.len == 0 || label.len >= sizeof name)
        return refuse_label(reading, "no label, or a longer one than 63 bytes");
    memcpy(name, lines->text, label.len);
    name[label.len] = '\0';
    CN_TRY(begin(reading));
    at = label.len + 1;
    while (reading->filled < set->width &&
           text_tokens_next(&reading->tokens, lines->text, lines->len, &at, &token))
        set->x[reading->row * set->width + reading->filled++] = (float)token;
    return csv_labels_add(&reading->labels, &set->y[reading->row], &label, reading->diag);
}

/* The second half: a mark and the target going in, the target and a mark to be predicted. */
static void fill_target(struct reading *reading, size_t at)
{
    const struct lines *lines = &reading->lines;
    struct dataset *set = reading->set;
    float *x = set->x + reading->row * set->width + set->targets;
    uint32_t *y = set->y + reading->row * set->targets, token = reading->mark;

    for (uint32_t i = 0; i < set->targets; i++) {
        bool more;

        x[i] = (float)token;
        more = text_tokens_next(&reading->tokens, lines->text, lines->len, &at, &token);
        y[i] = more ? token : reading->mark;
        if (!more)
            return;
    }
}

static enum cn_err pair_line(struct reading *reading)
{
    const struct lines *lines = &reading->lines;
    const char *tab = memchr(lines->text, '\t', lines->len);
    struct dataset *set = reading->set;
    size_t at = 0, len = tab ? (size_t)(tab - lines->text) : 0;
    uint32_t token;

    if (lines->len == 0)
        return CN_OK;
    if (!tab) {
        cn_diag_set(reading->diag, reading->path, lines->number, lines_column(lines, lines->len),
                    "no tab in the line");
        cn_diag_hint(reading->diag, "a line is a text, a tab, and what it becomes");
        return CN_E_DATA;
    }
    CN_TRY(begin(reading));
    while (reading->filled < set->targets &&
           text_tokens_next(&reading->tokens, lines->text, len, &at, &token))
        set->x[reading->row * set->width + reading->filled++] = (float)token;
    fill_target(reading, len + 1);
    return CN_OK;
}

typedef enum cn_err line_fn(struct reading *reading);

static enum cn_err walk(struct reading *reading, line_fn *take)
{
    enum cn_err err;
    bool got;

    CN_TRY_OUT(err, lines_open(&reading->lines, reading->path, reading->diag));
    for (;;) {
        CN_TRY_OUT(err, lines_next(&reading->lines, &got, reading->diag));
        if (!got)
            break;
        CN_TRY_OUT(err, check_line(reading));
        CN_TRY_OUT(err, take(reading));
    }
out:
    lines_close(&reading->lines);
    return err;
}

static enum cn_err find_length(uint32_t *length, const struct reading *reading,
                               const struct text_options *options)
{
    const struct data_form *form = reading->form;
    uint32_t wanted = form ? form->width : 0;

    if (wanted == 0 && form && form->text)
        wanted = form->text->length;
    *length = wanted ? wanted : options->length ? options->length : TEXT_LENGTH_DEFAULT;
    if (options->length && options->length != *length) {
        cn_diag_set(reading->diag, reading->path, 0, 0,
                    "length=%u in the data source, the task has %u", options->length, *length);
        cn_diag_hint(reading->diag, "leave the length out of the data source");
        return CN_E_CONFIG;
    }
    if (*length <= TEXT_LENGTH_MAX)
        return CN_OK;
    cn_diag_set(reading->diag, reading->path, 0, 0, "sequences of %u tokens, at most %u", *length,
                TEXT_LENGTH_MAX);
    return CN_E_TOO_LARGE;
}

static enum cn_err check_classes(const struct reading *reading, uint32_t vocabulary)
{
    uint32_t classes = reading->form ? reading->form->classes : 0;

    if (classes == 0 || classes == vocabulary)
        return CN_OK;
    cn_diag_set(reading->diag, reading->path, 0, 0,
                "the text has %u tokens, the task's data.classes is %u", vocabulary, classes);
    cn_diag_hint(reading->diag, "a language model predicts tokens; for lines of label, tab and "
                                "text add ',label=1' to the data source");
    return CN_E_SHAPE;
}

static enum cn_err check_pairs(struct reading *reading, uint32_t length)
{
    reading->mark = text_tokens_find(&reading->tokens, "\n", 1);
    if (length % 2 != 0) {
        cn_diag_set(reading->diag, reading->path, 0, 0,
                    "pairs are examples of two halves, the task's have %u tokens", length);
        cn_diag_hint(reading->diag, "make 'model.input' an even number");
        return CN_E_SHAPE;
    }
    if (reading->mark != DATA_TOKEN_UNKNOWN)
        return CN_OK;
    cn_diag_set(reading->diag, reading->path, 0, 0,
                "pairs need a token that begins and ends a target, and data.text does not list the "
                "line feed");
    cn_diag_hint(reading->diag, "add \"\\n\" to its characters or words");
    return CN_E_CONFIG;
}

static uint32_t targets_of(const struct text_options *options, uint32_t length)
{
    if (options->labelled)
        return 1;
    return options->pairs ? length / 2 : length;
}

static enum cn_err read_all(struct reading *reading, const struct text_options *options)
{
    const struct data_text *text = reading->form ? reading->form->text : NULL;
    uint32_t vocabulary = data_text_vocabulary(text), length;
    line_fn *take = options->labelled ? labelled_line : options->pairs ? pair_line : stream_line;
    bool stream = take == stream_line;

    CN_TRY(find_length(&length, reading, options));
    if (!options->labelled)
        CN_TRY(check_classes(reading, vocabulary));
    CN_TRY(text_tokens_init(&reading->tokens, text));
    if (options->pairs)
        CN_TRY(check_pairs(reading, length));
    *reading->set = (struct dataset){.channels = 1,
                                     .height = 1,
                                     .width = length,
                                     .vocabulary = vocabulary,
                                     .targets = targets_of(options, length)};
    CN_TRY(data_form_check(reading->form, 1, 1, length, reading->path, reading->diag));
    CN_TRY(intake_start(&reading->intake, reading->set, &options->intake));
    CN_TRY(walk(reading, take));
    CN_TRY(intake_finish(&reading->intake, reading->path,
                         stream ? "less than two tokens in it" : "no lines in it", reading->diag));
    reading->set->classes = vocabulary;
    return options->labelled ? csv_labels_finish(&reading->labels, reading->set, reading->diag)
                             : CN_OK;
}

enum cn_err text_load(struct dataset *set, const char *path, const struct text_options *options,
                      const struct data_form *form, struct cn_diag *diag)
{
    struct reading reading = {.form = form,
                              .set = set,
                              .diag = diag,
                              .path = path,
                              .labels = {.form = form, .path = path}};
    enum cn_err err;

    *set = (struct dataset){0};
    err = read_all(&reading, options);
    if (err != CN_OK)
        dataset_free(set);
    text_tokens_clear(&reading.tokens);
    csv_labels_clear(&reading.labels);
    return err;
}
