/* SPDX-License-Identifier: Apache-2.0 */
/* Loss and hits over a data set. */
#include "nn/evaluate.h"

#include <math.h>

#include "nn/gradient.h"
#include "nn/loss.h"
#include "nn/model_internal.h"

static void evaluate_chunk(struct model *model, struct loss_sum *sum, const struct dataset *data,
                           size_t from, uint32_t n)
{
    const struct loss_form form = {model->loss, 0.0, model->positions, model_outputs(model)};
    const size_t features = model_features(model), targets = dataset_targets(data);
    const size_t outputs = (size_t)form.positions * form.outputs;
    const float *logits;

    for (uint32_t b = 0; b < n; b++)
        model_put_example(model, b, data->x + (from + b) * features);
    logits = model_run(model, n);
    for (uint32_t b = 0; b < n; b++)
        loss_add(sum, NULL, logits + b * outputs, &form,
                 targets ? data->y + (from + b) * targets : NULL,
                 data->reals ? data->z + (from + b) * data->reals : NULL);
}

enum cn_err evaluate_run(struct model *model, const struct dataset *data,
                         struct evaluate_result *result)
{
    const bool distances =
        model->loss.kind == LOSS_MEAN_SQUARED_ERROR || model->loss.kind == LOSS_HUBER;
    struct loss_sum sum = {0};

    *result = (struct evaluate_result){0};
    CN_TRY(gradient_check(model, data, NULL));
    model_prepare(model);
    for (size_t done = 0; done < data->n;) {
        size_t left = data->n - done;
        uint32_t n = left < model->batch_max ? (uint32_t)left : model->batch_max;

        evaluate_chunk(model, &sum, data, done, n);
        done += n;
    }
    if (!isfinite(sum.loss))
        return CN_E_DIVERGED;
    *result = (struct evaluate_result){data->n ? sum.loss / (double)data->n : 0.0, sum.correct,
                                       data->n, distances ? 0 : sum.counted};
    return CN_OK;
}

double evaluate_accuracy(const struct evaluate_result *result)
{
    return result->counted ? (double)result->correct / (double)result->counted : 0.0;
}
