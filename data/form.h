/* SPDX-License-Identifier: Apache-2.0 */
/* What a reader has to find and how it turns values into numbers of order one: the same on every
 * device, so it comes from the task. */
#ifndef CAIRN_DATA_FORM_H
#define CAIRN_DATA_FORM_H

#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"

#define DATA_COLUMNS_MAX 4096u
#define DATA_NAME_MAX 64 /* of a column or a label, with the final zero */

/* One column of a table: the value v becomes (v - mean) / deviation. */
struct data_column {
    char *name;
    double mean;
    double deviation; /* > 0 */
};

/* Zeroed is "anything": no expectation, values as they are. Everything is borrowed. */
struct data_form {
    uint32_t channels; /* expected shape of an example; 0: whatever the file has */
    uint32_t height;
    uint32_t width;
    uint32_t classes; /* labels must be below it; 0: the largest label + 1 */
    double mean;      /* of images, whose bytes count as byte / 255; of tables' columns that the */
    double deviation; /* list below does not name; a deviation of 0 stands for 1 */
    const struct data_column *columns; /* tables: what makes an example, in this order; NULL: all */
    uint32_t column_count;             /* columns but the label's, in the file's order */
    const char *const *labels; /* tables: names of the classes 0, 1, ...; NULL: the file's labels */
    uint32_t label_count;      /* in sorted order, or whole numbers as they are */
};

/* Checks that the shape of an example is the expected one. place is the file's name. CN_E_SHAPE. */
enum cn_err data_form_check(const struct data_form *form, uint32_t channels, uint32_t height,
                            uint32_t width, const char *place, struct cn_diag *diag);

#endif
