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

uint32_t dataset_targets(const struct dataset *set)
{
    if (set->reals)
        return 0;
    return set->targets ? set->targets : 1;
}

enum cn_err dataset_new_with(struct dataset *set, size_t n, const struct dataset_options *options)
{
    enum cn_err err;

    *set = (struct dataset){0};
    if ((options->targets && options->reals) ||
        (options->vocabulary && (options->channels != 1 || options->height != 1)))
        return CN_E_SHAPE;
    if (options->targets > DATASET_TARGETS_MAX || options->reals > DATASET_TARGETS_MAX ||
        options->vocabulary > DATASET_VOCABULARY_MAX)
        return CN_E_TOO_LARGE;
    *set = (struct dataset){.channels = options->channels,
                            .height = options->height,
                            .width = options->width,
                            .vocabulary = options->vocabulary,
                            .targets = options->targets || options->reals ? options->targets : 1,
                            .reals = options->reals};
    err = dataset_resize(set, n);
    if (err != CN_OK)
        dataset_free(set);
    return err;
}

enum cn_err dataset_new(struct dataset *set, size_t n, uint32_t channels, uint32_t height,
                        uint32_t width)
{
    struct dataset_options options = {.channels = channels, .height = height, .width = width};

    return dataset_new_with(set, n, &options);
}

enum cn_err dataset_resize(struct dataset *set, size_t n)
{
    const size_t targets = dataset_targets(set);
    float *x, *z;
    uint32_t *y;

    CN_TRY(check_sizes(n, set->channels, set->height, set->width));
    if (targets + set->reals > DATASET_VALUES_MAX / n)
        return CN_E_TOO_LARGE;
    x = realloc(set->x, n * dataset_features(set) * sizeof *x);
    if (!x)
        return CN_E_NOMEM;
    set->x = x;
    if (targets > 0) {
        y = realloc(set->y, n * targets * sizeof *y);
        if (!y)
            return CN_E_NOMEM;
        set->y = y;
    }
    if (set->reals > 0) {
        z = realloc(set->z, n * set->reals * sizeof *z);
        if (!z)
            return CN_E_NOMEM;
        set->z = z;
    }
    set->n = n;
    return CN_OK;
}

void dataset_free(struct dataset *set)
{
    free(set->x);
    free(set->y);
    free(set->z);
    *set = (struct dataset){0};
}

void dataset_counts(size_t *counts, const struct dataset *set)
{
    memset(counts, 0, set->classes * sizeof *counts);
    for (size_t i = 0; i < set->n * dataset_targets(set); i++)
        if (set->y[i] != DATASET_IGNORE)
            counts[set->y[i]]++;
}
