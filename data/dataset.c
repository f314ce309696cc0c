/* SPDX-License-Identifier: Apache-2.0 */
/* The data set's memory. */
#include "data/dataset.h"

#include <stdlib.h>
#include <string.h>

size_t dataset_features(const struct dataset *set)
{
    return (size_t)set->channels * set->height * set->width;
}

/* The limits make every product below fit: 2^24 * 2^24 < 2^64 before it is compared. */
static enum cn_err check_sizes(size_t n, uint32_t channels, uint32_t height, uint32_t width)
{
    size_t plane;

    if (n == 0 || channels == 0 || height == 0 || width == 0)
        return CN_E_SHAPE;
    if (n > DATASET_EXAMPLES_MAX || channels > DATASET_FEATURES_MAX)
        return CN_E_TOO_LARGE;
    plane = (size_t)height * width;
    if (plane > DATASET_FEATURES_MAX || plane * channels > DATASET_FEATURES_MAX)
        return CN_E_TOO_LARGE;
    return plane * channels > DATASET_VALUES_MAX / n ? CN_E_TOO_LARGE : CN_OK;
}

enum cn_err dataset_new(struct dataset *set, size_t n, uint32_t channels, uint32_t height,
                        uint32_t width)
{
    enum cn_err err;

    *set = (struct dataset){.channels = channels, .height = height, .width = width};
    err = dataset_resize(set, n);
    if (err != CN_OK)
        dataset_free(set);
    return err;
}

enum cn_err dataset_resize(struct dataset *set, size_t n)
{
    float *x;
    uint32_t *y;

    CN_TRY(check_sizes(n, set->channels, set->height, set->width));
    x = realloc(set->x, n * dataset_features(set) * sizeof *x);
    if (!x)
        return CN_E_NOMEM;
    set->x = x;
    y = realloc(set->y, n * sizeof *y);
    if (!y)
        return CN_E_NOMEM;
    set->y = y;
    set->n = n;
    return CN_OK;
}

void dataset_free(struct dataset *set)
{
    free(set->x);
    free(set->y);
    *set = (struct dataset){0};
}

void dataset_counts(size_t *counts, const struct dataset *set)
{
    memset(counts, 0, set->classes * sizeof *counts);
    for (size_t i = 0; i < set->n; i++)
        counts[set->y[i]]++;
}
