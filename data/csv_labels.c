/* SPDX-License-Identifier: Apache-2.0 */
/* Labels to classes. */
#include "data/csv_labels.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "data/csv.h"
#include "data/csv_internal.h"

static enum cn_err find_named(uint32_t *id, const struct data_form *form, const char *path,
                              const struct csv_field *field, struct cn_diag *diag)
{
    char shown[CSV_SHOWN_MAX];
    const char *near;

    for (uint32_t i = 0; i < form->label_count; i++) {
        if (strcmp(form->labels[i], field->text) == 0) {
            *id = i;
            return CN_OK;
        }
    }
    cn_diag_set(diag, path, field->line, field->column,
                "label '%s' is none of the task's %u labels (data.labels)", csv_shown(shown, field),
                form->label_count);
    near = cn_text_nearest(field->text, form->labels, form->label_count);
    if (near)
        cn_diag_hint(diag, "did you mean '%s'?", near);
    return CN_E_DATA;
}

/* The place of name among the sorted, or where it belongs. */
static uint32_t search(const struct csv_labels *labels, const char *name, bool *found)
{
    uint32_t low = 0, high = labels->count;

    *found = false;
    while (low < high && !*found) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(labels->sorted[middle].name, name);

        *found = order == 0;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return high;
}

static enum cn_err make_room(struct csv_labels *labels)
{
    uint32_t room = labels->room ? 2 * labels->room : 16;
    struct csv_label *sorted;

    if (labels->count < labels->room)
        return CN_OK;
    sorted = realloc(labels->sorted, room * sizeof *sorted);
    if (!sorted)
        return CN_E_NOMEM;
    labels->sorted = sorted;
    labels->room = room;
    return CN_OK;
}

static enum cn_err insert(struct csv_labels *labels, uint32_t at, const struct csv_field *field,
                          struct cn_diag *diag)
{
    char *name;

    if (labels->count == CSV_LABELS_MAX) {
        cn_diag_set(diag, labels->path, field->line, field->column, "more than %u labels",
                    CSV_LABELS_MAX);
        cn_diag_hint(diag, "is this the column of the labels?");
        return CN_E_TOO_LARGE;
    }
    CN_TRY(make_room(labels));
    name = strdup(field->text);
    if (!name)
        return CN_E_NOMEM;
    memmove(labels->sorted + at + 1, labels->sorted + at,
            (labels->count - at) * sizeof *labels->sorted);
    labels->sorted[at] = (struct csv_label){name, labels->count, field->line, field->column};
    labels->count++;
    return CN_OK;
}

enum cn_err csv_labels_add(struct csv_labels *labels, uint32_t *id, const struct csv_field *field,
                           struct cn_diag *diag)
{
    bool found;
    uint32_t at;

    if (labels->form && labels->form->labels)
        return find_named(id, labels->form, labels->path, field, diag);
    at = search(labels, field->text, &found);
    if (!found)
        CN_TRY(insert(labels, at, field, diag));
    *id = labels->sorted[at].id;
    return CN_OK;
}

/* Reads a class written as a number: digits only, below CSV_LABELS_MAX, no needless zeros. */
static bool whole_number(const char *name, uint32_t *value)
{
    size_t len = strlen(name);

    *value = 0;
    if (len == 0 || len > 4 || (len > 1 && name[0] == '0'))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (name[i] < '0' || name[i] > '9')
            return false;
        *value = *value * 10 + (uint32_t)(name[i] - '0');
    }
    return *value < CSV_LABELS_MAX;
}

/* class_of [count]: by id. Numbers as they are. */
static enum cn_err map_numbers(uint32_t *class_of, const struct csv_labels *labels,
                               uint32_t *classes, struct cn_diag *diag)
{
    uint32_t bound = labels->form ? labels->form->classes : 0;
    uint32_t largest = 0;
    bool lenient = labels->form && labels->form->lenient;

    for (uint32_t i = 0; i < labels->count; i++) {
        const struct csv_label *label = &labels->sorted[i];
        uint32_t value = 0;

        bool is_number = whole_number(label->name, &value);
        if (bound && lenient && (!is_number || value >= bound)) {
            class_of[label->id] = DATASET_IGNORE;
            continue;
        }
        if (bound && value >= bound) {
            cn_diag_set(diag, labels->path, label->line, label->column,
                        "label %u, expected 0 to %u", value, bound - 1);
            cn_diag_hint(diag, "the data has more classes than the task (data.classes)");
            return CN_E_DATA;
        }
        class_of[label->id] = value;
        largest = value > largest ? value : largest;
    }
    *classes = bound ? bound : largest + 1;
    return CN_OK;
}

/* In sorted order; a device that lacks a label would number the rest otherwise than the others, so
 * all of them must be there. */
static enum cn_err map_sorted(uint32_t *class_of, const struct csv_labels *labels,
                              uint32_t *classes, struct cn_diag *diag)
{
    uint32_t bound = labels->form ? labels->form->classes : 0;

    if (bound && labels->count != bound) {
        cn_diag_set(diag, labels->path, 0, 0, "%u different labels, the task has %u classes",
                    labels->count, bound);
        cn_diag_hint(diag, "name them in the task (data.labels), so that every device numbers them "
                           "alike");
        return CN_E_DATA;
    }
    for (uint32_t i = 0; i < labels->count; i++)
        class_of[labels->sorted[i].id] = i;
    *classes = labels->count;
    return CN_OK;
}

/* True when labels are classes as they are: all whole numbers; for a lenient form, which knows how
 * many classes there are, one that is. */
static bool are_numbers(const struct csv_labels *labels)
{
    bool lenient = labels->form && labels->form->lenient && labels->form->classes;
    uint32_t value, numbers = 0;

    for (uint32_t i = 0; i < labels->count; i++)
        numbers += whole_number(labels->sorted[i].name, &value);
    return numbers == labels->count || (lenient && numbers > 0);
}

enum cn_err csv_labels_finish(struct csv_labels *labels, struct dataset *set, struct cn_diag *diag)
{
    uint32_t *class_of;
    enum cn_err err;

    if (labels->form && labels->form->labels) {
        set->classes = labels->form->label_count;
        return CN_OK;
    }
    class_of = calloc(labels->count ? labels->count : 1, sizeof *class_of);
    if (!class_of)
        return CN_E_NOMEM;
    err = are_numbers(labels) ? map_numbers(class_of, labels, &set->classes, diag)
                              : map_sorted(class_of, labels, &set->classes, diag);
    for (size_t i = 0; err == CN_OK && i < set->n; i++) {
        if (set->y[i] == DATASET_IGNORE)
            continue; /* faulty, and counted */
        set->y[i] = class_of[set->y[i]];
        set->faulty += set->y[i] == DATASET_IGNORE;
    }
    free(class_of);
    return err;
}

void csv_labels_clear(struct csv_labels *labels)
{
    for (uint32_t i = 0; i < labels->count; i++)
        free(labels->sorted[i].name);
    free(labels->sorted);
    *labels = (struct csv_labels){0};
}
