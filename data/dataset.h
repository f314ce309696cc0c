/* SPDX-License-Identifier: Apache-2.0 */
/* A labelled data set in memory: the one shape that readers produce and training consumes. */
#ifndef CAIRN_DATA_DATASET_H
#define CAIRN_DATA_DATASET_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define DATASET_EXAMPLES_MAX ((size_t)1 << 27)
#define DATASET_FEATURES_MAX ((size_t)1 << 24) /* of one example */
#define DATASET_VALUES_MAX ((size_t)1 << 32)   /* of all examples: 16 GiB of floats */
#define DATASET_CLASSES_MAX 65536u             /* words to predict need many */

#define DATASET_TARGETS_MAX 65536u                 /* class targets, or reals, of one example */
#define DATASET_VOCABULARY_MAX ((uint32_t)1 << 24) /* every token number is exact as a float */
/* A class target that counts nothing: no loss, no gradient, no hit. */
#define DATASET_IGNORE UINT32_MAX

/* A target is a class (y) or a real number (z), never both. */
struct dataset {
    float *x;          /* [n, channels, height, width], standardised; or token numbers */
    uint32_t *y;       /* [n, targets], each < classes or DATASET_IGNORE; NULL with reals */
    size_t n;          /* examples */
    uint32_t channels; /* tables have channels = height = 1 and width = columns */
    uint32_t height;
    uint32_t width;
    uint32_t classes;
    uint32_t vocabulary; /* 0: x are values; else token numbers below it, channels = height = 1 */
    uint32_t targets;    /* of one example: one per position of a language model; 0 means 1 */
    float *z;            /* [n, reals] of regression or of several yes-or-no labels; else NULL */
    uint32_t reals;
    size_t faulty; /* records of the file that did not fit, for readers with a lenient form: x is
                    * zeros, y DATASET_IGNORE (no gradient), z zeros (the example of all means) */
};

/* Shape of the examples of a new data set. */
struct dataset_options {
    uint32_t channels, height, width;
    uint32_t vocabulary; /* 0: values */
    uint32_t targets;    /* 0: 1 */
    uint32_t reals;      /* above 0: z in place of y; targets is then 0 */
};

/* Allocates x and y, or x and z, uninitialised, for n >= 1 examples. Returns ownership, to
 * dataset_free. CN_E_TOO_LARGE past the limits above; CN_E_SHAPE when a size is 0, when tokens have
 * channels or height, or when both targets and reals are given; CN_E_NOMEM. The data set is then
 * empty. */
enum cn_err dataset_new_with(struct dataset *set, size_t n, const struct dataset_options *options);

/* The same for values with one class target each. */
enum cn_err dataset_new(struct dataset *set, size_t n, uint32_t channels, uint32_t height,
                        uint32_t width);

/* Makes room for n >= 1 examples and sets set->n; the first min(old n, n) are kept. Errors as of
 * dataset_new; the data set is then as it was, or holds more room than it says. */
enum cn_err dataset_resize(struct dataset *set, size_t n);

/* Frees what it holds and empties it; an empty one is allowed. */
void dataset_free(struct dataset *set);

/* Values of one example: channels * height * width. */
size_t dataset_features(const struct dataset *set);

/* Class targets of one example: 1 unless set->targets says more; 0 with reals. */
uint32_t dataset_targets(const struct dataset *set);

/* Counts the targets of each class, ignored ones left out. counts [set->classes], out. */
void dataset_counts(size_t *counts, const struct dataset *set);

#endif
