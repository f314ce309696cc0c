/* SPDX-License-Identifier: Apache-2.0 */
/* The labels of a table become classes: by the names that the form gives, as the whole numbers they
 * are, or in sorted order. */
#ifndef CAIRN_DATA_CSV_LABELS_H
#define CAIRN_DATA_CSV_LABELS_H

#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "data/csv_record.h"
#include "data/dataset.h"
#include "data/form.h"

struct csv_label {
    char *name;
    uint32_t id;           /* in order of appearance; what y holds until the end */
    unsigned line, column; /* where it appeared first */
};

struct csv_labels {
    const struct data_form *form; /* borrowed; may be NULL */
    const char *path;             /* borrowed */
    struct csv_label *sorted;     /* [count] by name, without names in the form */
    uint32_t count;
    uint32_t room;
};

/* Gives the class of a field, provisional when the form has no names. CN_E_DATA when the form's
 * names do not have it, CN_E_TOO_LARGE past CSV_LABELS_MAX labels, CN_E_NOMEM. */
enum cn_err csv_labels_add(struct csv_labels *labels, uint32_t *id, const struct csv_field *field,
                           struct cn_diag *diag);

/* Makes set->y final and sets set->classes. CN_E_DATA when a label or their number does not fit
 * form->classes, CN_E_NOMEM. */
enum cn_err csv_labels_finish(struct csv_labels *labels, struct dataset *set, struct cn_diag *diag);

void csv_labels_clear(struct csv_labels *labels);

#endif
