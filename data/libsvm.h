/* SPDX-License-Identifier: Apache-2.0 */
/* Sparse tables as LIBSVM and SVMlight write them, plain or gzip: a label, then index:value pairs
 * with rising indices from 1; what is not named is 0; '#' starts a comment. Source: Chang, Lin,
 * LIBSVM's README ("The format of training and testing data files"). */
#ifndef CAIRN_DATA_LIBSVM_H
#define CAIRN_DATA_LIBSVM_H

#include "base/diag.h"
#include "base/err.h"
#include "data/dataset.h"
#include "data/form.h"
#include "data/intake.h"

#define LIBSVM_FEATURES_MAX (1u << 20) /* examples are dense in memory */

/* Loads the file. Returns ownership, to dataset_free; its shape is 1 x 1 x form->width, or the
 * largest index where the form has no width (that takes a pass of its own). A value v becomes
 * (v - form->mean) / form->deviation. Labels become classes as in csv.h, or, where the form has one
 * target, are numbers, standardised by it. Memory: the data set and one line.
 *
 * CN_E_DATA with line and column: a label or value that is no number, an index that is 0, does not
 * rise or is beyond the width; CN_E_CONFIG when the form has more than one target; CN_E_TOO_LARGE,
 * CN_E_NOT_FOUND, CN_E_IO, CN_E_NOMEM. */
enum cn_err libsvm_load(struct dataset *set, const char *path, const struct intake_options *intake,
                        const struct data_form *form, struct cn_diag *diag);

#endif
