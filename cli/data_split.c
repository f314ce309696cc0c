/* SPDX-License-Identifier: Apache-2.0 */
/* Two passes: labels, then records to their parts. */
#include "cli/data_split.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/random.h"
#include "cli/show.h"
#include "data/csv_header.h"
#include "data/csv_labels.h"
#include "data/csv_value.h"
#include "data/csv_write.h"
#include "data/lines.h"
#include "data/split.h"

struct work {
    const struct data_source *source;
    const char *folder;
    struct cn_diag *diag;
    struct csv_labels labels;
    struct dataset set; /* y only */
    size_t room;
    uint32_t *owner; /* [set.n] */
    uint32_t parts;
    struct csv_writer writers[DATA_SPLIT_PARTS_MAX];
    uint32_t open;
    bool writing; /* the second pass */
    size_t at;    /* record of the second pass */
};

static bool is_table(const struct data_source *source)
{
    return strcmp(source->format, "csv") == 0 || strcmp(source->format, "tsv") == 0;
}

static bool is_stream(const struct data_source *source)
{
    return strcmp(source->format, "text") == 0 && !source->label[0];
}

/* Texts whose examples have no label of their own. */
static bool is_unlabelled(const struct data_source *source)
{
    return is_stream(source) || strcmp(source->format, "pairs") == 0;
}

static const char *part_path(char out[CN_PATH_MAX], const struct work *work, uint32_t part)
{
    char name[64];

    snprintf(name, sizeof name, "part-%u.%s", part + 1, work->source->format);
    CN_IGNORE(
        cn_path_join(out, work->folder, name)); /* too long: empty, which can not be written */
    return out;
}

/* First pass: keeps the record's label; NULL where there are none. */
static enum cn_err note_label(struct work *work, const struct csv_field *label)
{
    struct dataset *set = &work->set;

    if (set->n == work->room) {
        size_t room = work->room ? 2 * work->room : 1024;
        uint32_t *y = room > DATASET_EXAMPLES_MAX ? NULL : realloc(set->y, room * sizeof *y);

        if (!y)
            return CN_E_NOMEM;
        set->y = y;
        work->room = room;
    }
    set->y[set->n] = 0;
    if (label)
        CN_TRY(csv_labels_add(&work->labels, &set->y[set->n], label, work->diag));
    set->n++;
    return CN_OK;
}

/* The writer of the next record, or NULL when it is nobody's. */
static struct csv_writer *next_writer(struct work *work)
{
    uint32_t owner = work->at < work->set.n ? work->owner[work->at] : SPLIT_NOBODY;

    work->at++;
    return owner == SPLIT_NOBODY ? NULL : &work->writers[owner];
}

static void write_fields(struct csv_writer *writer, const struct csv_reader *reader)
{
    for (uint32_t i = 0; i < reader->field_count; i++)
        csv_writer_field(writer, reader->fields[i].text, reader->fields[i].len);
    csv_writer_end_record(writer);
}

/* By name, or by number from 1. */
static enum cn_err find_label(const struct work *work, const struct csv_header *header,
                              uint32_t *label)
{
    unsigned long number = strtoul(work->source->label, NULL, 10);

    *label = csv_header_find(header, work->source->label);
    if (*label == header->count && number >= 1 && number <= header->count)
        *label = (uint32_t)number - 1;
    if (*label < header->count)
        return CN_OK;
    return csv_header_refuse(header, work->source->path, "data source", work->source->label,
                             work->diag);
}

static enum cn_err walk_records(struct work *work, struct csv_reader *reader,
                                struct csv_header *header)
{
    uint32_t label;
    bool got;

    CN_TRY(csv_header_read(header, reader, work->diag));
    CN_TRY(find_label(work, header, &label));
    for (uint32_t part = 0; work->writing && part < work->parts; part++)
        write_fields(&work->writers[part], reader);
    for (;;) {
        struct csv_writer *writer;

        CN_TRY(csv_reader_next(reader, &got, work->diag));
        if (!got)
            return CN_OK;
        CN_TRY(csv_header_check(header, reader, work->diag));
        writer = work->writing ? next_writer(work) : NULL;
        if (writer)
            write_fields(writer, reader);
        if (!work->writing)
            CN_TRY(note_label(work, &reader->fields[label]));
    }
}

static enum cn_err walk_table(struct work *work)
{
    struct csv_header header = {0};
    struct csv_reader reader;
    char separator = work->source->format[0] == 't' ? '\t' : ',';
    enum cn_err err =
        csv_reader_open(&reader, work->source->path, separator, DATA_COLUMNS_MAX, work->diag);

    if (err == CN_OK)
        err = walk_records(work, &reader, &header);
    csv_header_clear(&header);
    csv_reader_close(&reader);
    return err;
}

/* The label of a line: before the tab, or the first word. False for a line without a record. */
static bool label_of(struct csv_field *label, char name[DATA_NAME_MAX], const struct work *work,
                     const struct lines *lines)
{
    bool sparse = strcmp(work->source->format, "libsvm") == 0;
    size_t from = sparse ? strspn(lines->text, " \t") : 0;
    size_t len = strcspn(lines->text + from, sparse ? " \t#" : "\t");

    if (sparse ? len == 0 : lines->len == 0)
        return false;
    len = len < DATA_NAME_MAX ? len : DATA_NAME_MAX - 1;
    memcpy(name, lines->text + from, len);
    name[len] = '\0';
    *label = (struct csv_field){.text = name, .len = len, .line = lines->number, .column = 1};
    return true;
}

static enum cn_err take_line(struct work *work, const struct lines *lines)
{
    struct csv_field label = {0};
    char name[DATA_NAME_MAX];
    bool labelled = !is_unlabelled(work->source);
    struct csv_writer *writer;

    if (labelled && !label_of(&label, name, work, lines))
        return CN_OK;
    if (lines->len == 0 && !is_stream(work->source))
        return CN_OK;
    if (!work->writing)
        return note_label(work, labelled ? &label : NULL);
    writer = next_writer(work);
    if (writer) {
        csv_writer_field(writer, lines->text, lines->len);
        csv_writer_end_record(writer);
    }
    return CN_OK;
}

static enum cn_err walk_lines(struct work *work)
{
    struct lines lines;
    bool got = true;
    enum cn_err err = lines_open(&lines, work->source->path, work->diag);

    while (err == CN_OK && got) {
        err = lines_next(&lines, &got, work->diag);
        if (err == CN_OK && got)
            err = take_line(work, &lines);
    }
    lines_close(&lines);
    return err;
}

static enum cn_err walk(struct work *work)
{
    return is_table(work->source) ? walk_table(work) : walk_lines(work);
}

enum cn_err data_split_deal(uint32_t *owner, const struct data_split_deal *deal,
                            const struct cn_args *args, struct cn_diag *diag)
{
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, cn_args_uint(args, "seed"));
    struct split_dirichlet how = {.parts = deal->parts, .classes = deal->classes};

    if (deal->parts > deal->n) {
        cn_diag_set(diag, NULL, 0, 0, "%u parts of %zu examples", deal->parts, deal->n);
        return CN_E_CONFIG;
    }
    if (!cn_args_given(args, "dirichlet"))
        return split_iid(owner, deal->n, deal->parts, &random);
    how.alpha = cn_args_real(args, "dirichlet");
    return split_dirichlet(owner, deal->y, deal->n, &how, &random);
}

static enum cn_err deal(struct work *work, const struct cn_args *args)
{
    size_t n = work->set.n;
    struct data_split_deal all = {work->set.y, n, work->set.classes, work->parts};

    work->owner = malloc((n ? n : 1) * sizeof *work->owner);
    if (!work->owner)
        return CN_E_NOMEM;
    if (!is_stream(work->source) || work->parts > n)
        return data_split_deal(work->owner, &all, args, work->diag);
    for (size_t i = 0; i < n; i++) {
        size_t part = i / (n / work->parts);

        work->owner[i] = part < work->parts ? (uint32_t)part : SPLIT_NOBODY;
    }
    return CN_OK;
}

static enum cn_err open_parts(struct work *work, char (*paths)[CN_PATH_MAX])
{
    char separator = strcmp(work->source->format, "csv") == 0 ? ',' : '\t';

    CN_TRY(cn_folder_make(work->folder, 0755, work->diag));
    for (; work->open < work->parts; work->open++)
        CN_TRY(csv_writer_open(&work->writers[work->open],
                               part_path(paths[work->open], work, work->open), separator,
                               work->diag));
    return CN_OK;
}

static enum cn_err split(struct work *work, const struct cn_args *args, char (*paths)[CN_PATH_MAX])
{
    if (is_table(work->source) && !work->source->label[0]) {
        cn_diag_set(work->diag, NULL, 0, 0, "which column is the label?");
        cn_diag_hint(work->diag, "add ',label=COLUMN' to the data source");
        return CN_E_CONFIG;
    }
    if (is_unlabelled(work->source) && cn_args_given(args, "dirichlet")) {
        cn_diag_set(work->diag, NULL, 0, 0,
                    "a text without labels has no labels to be uneven over");
        return CN_E_CONFIG;
    }
    CN_TRY(walk(work));
    if (!is_unlabelled(work->source))
        CN_TRY(csv_labels_finish(&work->labels, &work->set, work->diag));
    CN_TRY(deal(work, args));
    CN_TRY(open_parts(work, paths));
    work->writing = true;
    CN_TRY(walk(work));
    if (work->at != work->set.n) {
        cn_diag_set(work->diag, work->source->path, 0, 0, "changed while it was read");
        return CN_E_DATA;
    }
    for (uint32_t part = 0; part < work->parts; part++)
        CN_TRY(csv_writer_close(&work->writers[part], work->diag));
    return CN_OK;
}

/* The source of one part, as a device's owner would write it. */
static const char *part_text(char out[DATA_SOURCE_TEXT_MAX], const struct work *work, uint32_t part)
{
    struct data_source source = *work->source;

    source.sample = source.seed = 0;
    return data_source_text((part_path(source.path, work, part), &source), out);
}

static json_t *answer_json(const struct work *work)
{
    json_t *object = json_pack("{s:I, s:I, s:I, s:[]}", "examples", (json_int_t)work->set.n, "each",
                               (json_int_t)(work->set.n / work->parts), "left_over",
                               (json_int_t)(work->set.n % work->parts), "parts");
    char text[DATA_SOURCE_TEXT_MAX];
    int failed = !object;

    for (uint32_t part = 0; part < work->parts && !failed; part++)
        failed = json_array_append_new(json_object_get(object, "parts"),
                                       json_pack("{s:s}", "data", part_text(text, work, part)));
    if (!failed)
        return object;
    json_decref(object);
    return NULL;
}

static int answer(const struct cn_args *args, const struct work *work)
{
    char text[DATA_SOURCE_TEXT_MAX], count[SHOW_NUMBER_MAX];

    if (args->json)
        return show_json(args, answer_json(work), CN_EXIT_DONE);
    fprintf(args->out, "%u part%s of %s examples each in %s\n\nThe first device's data: %s\n",
            work->parts, show_plural(work->parts), show_count(count, work->set.n / work->parts),
            work->folder, part_text(text, work, 0));
    return CN_EXIT_DONE;
}

int data_split_lines(const struct cn_args *args, const struct data_source *source)
{
    uint32_t parts = (uint32_t)cn_args_uint(args, "parts");
    struct work *work = calloc(1, sizeof *work);
    char(*paths)[CN_PATH_MAX] = calloc(parts, sizeof *paths);
    struct cn_diag diag = {0};
    enum cn_err err = work && paths ? CN_OK : CN_E_NOMEM;
    int code;

    if (err == CN_OK && parts > DATA_SPLIT_PARTS_MAX) {
        cn_diag_set(&diag, NULL, 0, 0, "files of lines are split into at most %u parts",
                    DATA_SPLIT_PARTS_MAX);
        err = CN_E_CONFIG;
    }
    if (err == CN_OK) {
        work->source = source;
        work->folder = cn_args_text(args, "out");
        work->diag = &diag;
        work->parts = parts;
        work->labels.path = source->path;
        err = split(work, args, paths);
    }
    code = err == CN_OK ? answer(args, work) : cn_args_fail(args, err, &diag);
    for (uint32_t part = 0; work && part < work->open; part++)
        csv_writer_drop(&work->writers[part]);
    if (work) {
        csv_labels_clear(&work->labels);
        free(work->set.y);
        free(work->owner);
    }
    free(work);
    free(paths);
    return code;
}
