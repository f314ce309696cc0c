/* SPDX-License-Identifier: Apache-2.0 */
/* Batches of changed examples: each by itself, then in pairs. */
#include <stdlib.h>
#include <string.h>

#include "data/augment.h"

/* Room for n examples of the data's shape. The first rows are the batch, with mix-up the same
 * number behind them keeps what is mixed in. */
static enum cn_err make_room(struct augment_batch *batch, const struct dataset *data, size_t n)
{
    struct dataset *set = &batch->set;
    struct augment_shape shape = {data->channels, data->height, data->width};

    if (n > batch->room) {
        uint32_t *rows = realloc(batch->rows, n * sizeof *rows);

        if (!rows)
            return CN_E_NOMEM;
        batch->rows = rows;
        if (!set->x)
            *set = (struct dataset){.channels = data->channels,
                                    .height = data->height,
                                    .width = data->width,
                                    .classes = data->classes,
                                    .vocabulary = data->vocabulary,
                                    .targets = data->targets,
                                    .reals = data->reals};
        CN_TRY(dataset_resize(set, n));
        batch->room = n;
        for (size_t i = 0; i < n; i++)
            rows[i] = (uint32_t)i;
    }
    if (!batch->scratch)
        batch->scratch = calloc(augment_scratch(&shape), sizeof *batch->scratch);
    return batch->scratch ? CN_OK : CN_E_NOMEM;
}

static void copy_row(struct dataset *to, size_t at, const struct dataset *from, size_t row)
{
    size_t features = dataset_features(from), targets = dataset_targets(from);

    memcpy(to->x + at * features, from->x + row * features, features * sizeof *to->x);
    if (targets)
        memcpy(to->y + at * targets, from->y + row * targets, targets * sizeof *to->y);
    if (from->reals)
        memcpy(to->z + at * from->reals, from->z + row * from->reals, from->reals * sizeof *to->z);
}

/* Mixes example i with example n + other. */
static void mix(struct dataset *set, size_t i, size_t other, double share,
                const struct cn_random *random)
{
    size_t features = dataset_features(set), targets = dataset_targets(set);
    bool second = cn_random_unit(random) >= share;

    augment_mix(set->x + i * features, set->x + other * features, share, features);
    if (targets && second)
        memcpy(set->y + i * targets, set->y + other * targets, targets * sizeof *set->y);
    if (set->reals)
        augment_mix(set->z + i * set->reals, set->z + other * set->reals, share, set->reals);
}

enum cn_err augment_batch_fill(struct augment_batch *batch, const struct dataset *data,
                               const uint32_t *rows, size_t n,
                               const struct augment_options *options,
                               const struct cn_random *random)
{
    struct augment_shape shape = {data->channels, data->height, data->width};
    bool mixes = options->mix_up > 0;
    struct dataset *set = &batch->set;

    CN_TRY(make_room(batch, data, mixes ? 2 * n : n));
    for (size_t i = 0; i < n; i++) {
        copy_row(set, i, data, rows[i]);
        augment_example(set->x + i * dataset_features(set), batch->scratch, options, &shape,
                        random);
    }
    for (size_t i = 0; mixes && i < n; i++)
        copy_row(set, n + i, set, i);
    for (size_t i = 0; mixes && i < n; i++) {
        double share = augment_mix_share(options->mix_up, random);

        mix(set, i, n + (size_t)cn_random_below(random, n), share, random);
    }
    set->n = n;
    return CN_OK;
}

void augment_batch_clear(struct augment_batch *batch)
{
    dataset_free(&batch->set);
    free(batch->rows);
    free(batch->scratch);
    *batch = (struct augment_batch){0};
}
