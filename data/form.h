/* SPDX-License-Identifier: Apache-2.0 */
/* What a reader has to find and how it turns values into numbers of order one: the same on every
 * device, so it comes from the task. */
#ifndef CAIRN_DATA_FORM_H
#define CAIRN_DATA_FORM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"

#define DATA_COLUMNS_MAX 4096u
#define DATA_NAME_MAX 64 /* of a column or a label, with the final zero */

/* What the fields of a column are. */
enum data_column_kind {
    DATA_COLUMN_NUMBER,   /* v becomes (v - mean) / deviation: one value */
    DATA_COLUMN_CATEGORY, /* one value per category: 1 where it is the field's, else 0 */
};

/* What an empty field (or "NA", "?", ...) becomes. */
enum data_missing {
    DATA_MISSING_REFUSE, /* a fault with its place */
    DATA_MISSING_MEAN,   /* numbers: the column's mean, so 0 */
    DATA_MISSING_FILL,   /* numbers: the column's fill, standardised like any other */
    DATA_MISSING_ZEROS,  /* categories: none of them */
};

/* What a word that is no category becomes. */
enum data_unknown {
    DATA_UNKNOWN_REFUSE, /* a fault with its place */
    DATA_UNKNOWN_COLUMN, /* a category of its own, behind the listed ones */
};

/* One column of a table. All constants come from the task, so they are the same on every device
 * and travel with the model. Zeroed but for name and deviation: a number that must be there. */
struct data_column {
    char *name;
    double mean;
    double deviation; /* > 0 */
    enum data_column_kind kind;
    char **categories; /* [category_count], categories only */
    uint32_t category_count;
    enum data_unknown unknown;
    enum data_missing missing;
    double fill;    /* of DATA_MISSING_FILL, as it would stand in the file */
    bool indicator; /* one more value behind the column's: 1 where the field is missing */
};

enum data_unit {
    DATA_UNIT_BYTE,      /* a token is a byte: 256 of them */
    DATA_UNIT_CHARACTER, /* a token is a character of UTF-8 */
    DATA_UNIT_WORD,      /* a token is what stands between blanks; line ends are blanks */
};

#define DATA_TOKEN_PADDING 0u /* characters and words only; bytes pad with the byte 0 */
#define DATA_TOKEN_UNKNOWN 1u
#define DATA_TOKENS_LISTED 2u /* the first token of the task's list */

/* How text becomes tokens. Characters and words: 0 is padding, 1 whatever is not listed, 2 ... the
 * tokens in the order of the list. */
struct data_text {
    enum data_unit unit;
    const char *characters; /* UTF-8, each once; characters only */
    char **words;           /* [word_count]; words only; "\n" is the end of a pair's target */
    uint32_t word_count;
    uint32_t length; /* tokens of a sequence */
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
    const char *const *labels; /* names of the classes 0, 1, ...; NULL: the file's labels in */
    uint32_t label_count;      /* sorted order, or whole numbers as they are */
    const struct data_column *targets; /* numbers to predict in place of a label: name, mean and */
    uint32_t target_count;             /* deviation count; 0: examples have labels */
    bool lenient; /* a record that does not fit becomes a faulty example: see struct dataset */
    const struct data_text *text; /* how text is read; NULL: bytes */
};

/* Values that a column makes of one field: 1 or one per category, and the indicator. */
uint32_t data_column_values(const struct data_column *column);

/* Values of all columns of the form: the width of a table's example. 0 when it lists none;
 * saturates at UINT32_MAX. */
uint32_t data_form_values(const struct data_form *form);

/* Checks one column's settings against each other. CN_E_CONFIG with the column's name and what was
 * expected, without a place, which only the caller knows. */
enum cn_err data_column_check(const struct data_column *column, struct cn_diag *diag);

/* The number of different tokens; NULL: of bytes. */
uint32_t data_text_vocabulary(const struct data_text *text);

/* Checks a text's settings against each other: lists where the unit needs them, no token twice.
 * CN_E_CONFIG with what was expected, without a place. */
enum cn_err data_text_check(const struct data_text *text, struct cn_diag *diag);

/* Checks that the shape of an example is the expected one. place is the file's name. CN_E_SHAPE. */
enum cn_err data_form_check(const struct data_form *form, uint32_t channels, uint32_t height,
                            uint32_t width, const char *place, struct cn_diag *diag);

#endif
