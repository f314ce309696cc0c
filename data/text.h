/* SPDX-License-Identifier: Apache-2.0 */
/* Text files, plain or gzip, as tokens: bytes, characters or words, numbered by the task's list.
 *
 * Without labels a file is one stream of tokens for a language model: each example has `length`
 * tokens and, for every position, the token that follows as its target; the next example starts
 * with the last one's last target, so that every token but the first is predicted once. What is
 * missing behind the last is padding, its targets DATASET_IGNORE.
 *
 * With labels every line is an example: the label, a tab, the text; of which the first `length`
 * tokens count, and padding fills the rest.
 *
 * With pairs every line is one sequence and what it becomes: the source, a tab, the target. An
 * example is `length` tokens in two halves, each filled with padding: the source, then a line feed
 * and the target. The class targets of the second half's places are the target and a line feed
 * (nothing behind it counts), so a model learns where to end; the line feed has to be a token. Of
 * longer ones the first tokens count. */
#ifndef CAIRN_DATA_TEXT_H
#define CAIRN_DATA_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "data/dataset.h"
#include "data/form.h"
#include "data/intake.h"

#define TEXT_LENGTH_MAX DATASET_TARGETS_MAX
#define TEXT_LENGTH_DEFAULT 128u

struct text_options {
    bool labelled;   /* lines of label, tab, text */
    bool pairs;      /* lines of source, tab, target; not with labelled */
    uint32_t length; /* tokens of an example; 0: the form's, or else TEXT_LENGTH_DEFAULT */
    struct intake_options intake;
};

/* Loads the file. Returns ownership, to dataset_free: shape 1 x 1 x length, token numbers, with
 * vocabulary set. Line ends are a line feed for bytes and characters, a blank for words. Memory:
 * the data set and one line. CN_E_DATA with line and column: a zero byte, broken UTF-8
 * (characters), a line without label or without a tab, or too little text; CN_E_CONFIG when two
 * lengths disagree, or when pairs lack the line feed in the task's list; CN_E_SHAPE when the form's
 * classes are not the vocabulary, or when pairs do not have two halves; CN_E_TOO_LARGE,
 * CN_E_NOT_FOUND, CN_E_IO, CN_E_NOMEM. */
enum cn_err text_load(struct dataset *set, const char *path, const struct text_options *options,
                      const struct data_form *form, struct cn_diag *diag);

#endif
