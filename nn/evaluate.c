/* SPDX-License-Identifier: Apache-2.0 */
/* Loss and hits over a data set. */
#include "nn/evaluate.h"

#include <math.h>

#include "nn/gradient.h"
#include "nn/loss.h"
#include "nn/model_internal.h"

static double evaluate_chunk(struct model *model, uint64_t *correct, const struct dataset *data,
                             size_t from, uint32_t n)
{
    size_t features = model_features(model);
    uint32_t outputs = model_outputs(model);
    const float *logits;
    double loss = 0.0;

    for (uint32_t b = 0; b < n; b++)
        model_put_example(model, b, data->x + (from + b) * features);
    logits = model_run(model, n);
    for (uint32_t b = 0; b < n; b++) {
        bool hit;

        loss += loss_cross_entropy(NULL, &hit, logits + b * outputs, outputs, data->y[from + b]);
        *correct += hit;
    }
    return loss;
}

enum cn_err evaluate_run(struct model *model, const struct dataset *data,
                         struct evaluate_result *result)
{
    uint64_t correct = 0;
    double loss = 0.0;

    *result = (struct evaluate_result){0};
    CN_TRY(gradient_check(model, data, NULL));
    model_prepare(model);
    for (size_t done = 0; done < data->n;) {
        size_t left = data->n - done;
        uint32_t n = left < model->batch_max ? (uint32_t)left : model->batch_max;

        loss += evaluate_chunk(model, &correct, data, done, n);
        done += n;
    }
    if (!isfinite(loss))
        return CN_E_DIVERGED;
    *result = (struct evaluate_result){data->n ? loss / (double)data->n : 0.0, correct, data->n};
    return CN_OK;
}
