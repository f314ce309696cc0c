/* SPDX-License-Identifier: Apache-2.0 */
/* All examples, or a reservoir of them. */
#include "data/intake.h"

#define FIRST_ROWS ((size_t)256)
#define FIRST_VALUES ((size_t)1 << 20) /* wide examples start with fewer rows */

enum cn_err intake_start(struct intake *intake, struct dataset *set,
                         const struct intake_options *options)
{
    size_t sample = options && options->sample < DATASET_EXAMPLES_MAX ? options->sample : 0;
    size_t rows = FIRST_ROWS;

    *intake = (struct intake){.set = set, .sample = sample};
    intake->random = cn_random_seeded(&intake->seeded, options ? options->seed : 0);
    while (rows > 1 && rows * dataset_features(set) > FIRST_VALUES)
        rows /= 2;
    return dataset_resize(set, sample && sample < rows ? sample + 1 : rows);
}

/* Doubles the rows, up to the sample and the one spare row behind it. */
static enum cn_err grow(struct intake *intake, const char *place, struct cn_diag *diag)
{
    size_t rows = 2 * intake->set->n;
    enum cn_err err;

    if (intake->sample && rows > intake->sample + 1)
        rows = intake->sample + 1;
    err = dataset_resize(intake->set, rows);
    if (err == CN_E_TOO_LARGE || err == CN_E_NOMEM) {
        cn_diag_set(diag, place, 0, 0, "does not fit into memory beyond %llu examples",
                    (unsigned long long)intake->seen);
        cn_diag_hint(diag, "add ',sample=N' to the data source: N examples, drawn uniformly");
    }
    return err;
}

enum cn_err intake_row(struct intake *intake, size_t *row, const char *place, struct cn_diag *diag)
{
    uint64_t at = intake->seen;

    if (intake->sample && at >= intake->sample) {
        intake->random.ctx = &intake->seeded;
        at = cn_random_below(&intake->random, at + 1);
        at = at < intake->sample ? at : intake->sample; /* the spare row: not in the sample */
    }
    if (at >= intake->set->n)
        CN_TRY(grow(intake, place, diag));
    intake->seen++;
    *row = (size_t)at;
    return CN_OK;
}

enum cn_err intake_finish(struct intake *intake, const char *place, const char *nothing,
                          struct cn_diag *diag)
{
    uint64_t n = intake->seen;

    if (n == 0) {
        cn_diag_set(diag, place, 0, 0, "%s", nothing);
        return CN_E_DATA;
    }
    if (intake->sample && n > intake->sample)
        n = intake->sample;
    return dataset_resize(intake->set, (size_t)n);
}
