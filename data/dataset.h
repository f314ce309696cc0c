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
#define DATASET_CLASSES_MAX 4096u

struct dataset {
    float *x;          /* [n, channels, height, width], standardised */
    uint32_t *y;       /* [n], each < classes */
    size_t n;          /* examples */
    uint32_t channels; /* tables have channels = height = 1 and width = columns */
    uint32_t height;
    uint32_t width;
    uint32_t classes;
};

/* Allocates x and y, uninitialised, for n >= 1 examples of the given shape. Returns ownership, to
 * dataset_free. CN_E_TOO_LARGE past the limits above, CN_E_SHAPE when a size is 0, CN_E_NOMEM; the
 * data set is then empty. */
enum cn_err dataset_new(struct dataset *set, size_t n, uint32_t channels, uint32_t height,
                        uint32_t width);

/* Makes room for n >= 1 examples and sets set->n; the first min(old n, n) are kept. Errors as of
 * dataset_new; the data set is then as it was, or holds more room than it says. */
enum cn_err dataset_resize(struct dataset *set, size_t n);

/* Frees what it holds and empties it; an empty one is allowed. */
void dataset_free(struct dataset *set);

/* Values of one example: channels * height * width. */
size_t dataset_features(const struct dataset *set);

/* Counts the examples of each class. counts [set->classes], out. */
void dataset_counts(size_t *counts, const struct dataset *set);

#endif
