/* SPDX-License-Identifier: Apache-2.0 */
/* Where the examples that a reader finds go: all of them into the data set, which grows, or a
 * uniform sample of a fixed size, whatever the file's length (algorithm R: Vitter, ACM TOMS 1985).
 * A file larger than memory is read once, in bounded memory, and every line of it is still checked.
 */
#ifndef CAIRN_DATA_INTAKE_H
#define CAIRN_DATA_INTAKE_H

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "base/random.h"
#include "data/dataset.h"

/* What a reader is asked to keep. Zeroed: everything. */
struct intake_options {
    uint64_t sample; /* at most this many examples; 0: all. At most DATASET_EXAMPLES_MAX - 1 */
    uint64_t seed;   /* of the sample; the same seed gives the same one, on every machine */
};

struct intake {
    struct dataset *set; /* borrowed; holds more rows than examples until intake_finish */
    uint64_t seen;       /* examples so far */
    size_t sample;
    struct cn_seeded seeded;
    struct cn_random random; /* its ctx is set at every draw: an intake may be moved */
};

/* Allocates the first rows of a data set of the given shape (and targets, when the data set already
 * says how many; it is otherwise empty). Errors as of dataset_resize. */
enum cn_err intake_start(struct intake *intake, struct dataset *set,
                         const struct intake_options *options);

/* Gives the row, of the data set's arrays, for the next example: the caller writes all of it. A row
 * may be given again later; then the example that was there is not in the sample. Errors as of
 * dataset_resize, told with place and what to do. */
enum cn_err intake_row(struct intake *intake, size_t *row, const char *place, struct cn_diag *diag);

/* Cuts the data set to the examples it holds. CN_E_DATA when there were none, with the words. */
enum cn_err intake_finish(struct intake *intake, const char *place, const char *nothing,
                          struct cn_diag *diag);

#endif
