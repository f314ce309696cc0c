/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax cross-entropy, in double, with the largest logit taken out so that nothing overflows. */
#include "nn/loss.h"

#include <math.h>
#include <stddef.h>

static uint32_t largest(const float *logits, uint32_t classes)
{
    uint32_t best = 0;

    for (uint32_t c = 1; c < classes; c++)
        if (logits[c] > logits[best])
            best = c;
    return best;
}

static double sum_of_exponentials(const float *logits, uint32_t classes, float top)
{
    double sum = 0.0;

    for (uint32_t c = 0; c < classes; c++)
        sum += exp((double)logits[c] - (double)top);
    return sum;
}

void loss_softmax(float *out, const float *logits, uint32_t classes)
{
    float top = logits[largest(logits, classes)];
    double sum = sum_of_exponentials(logits, classes, top);

    for (uint32_t c = 0; c < classes; c++)
        out[c] = (float)(exp((double)logits[c] - (double)top) / sum);
}

double loss_cross_entropy(float *gradient, bool *correct, const float *logits, uint32_t classes,
                          uint32_t label)
{
    uint32_t best = largest(logits, classes);
    double sum = 0.0;

    *correct = best == label;
    for (uint32_t c = 0; c < classes; c++)
        if (!isfinite(logits[c]))
            return (double)NAN;
    for (uint32_t c = 0; c < classes; c++) {
        double e = exp((double)logits[c] - (double)logits[best]);

        sum += e;
        if (gradient)
            gradient[c] = (float)e;
    }
    for (uint32_t c = 0; gradient && c < classes; c++)
        gradient[c] = (float)((double)gradient[c] / sum);
    if (gradient)
        gradient[label] -= 1.0f;
    return log(sum) - ((double)logits[label] - (double)logits[best]);
}

double loss_smooth(float *gradient, const float *logits, uint32_t classes, uint32_t label,
                   double share)
{
    double mean = 0.0;

    for (uint32_t c = 0; c < classes; c++) {
        mean += (double)logits[c] / classes;
        gradient[c] -= (float)(share / classes);
    }
    gradient[label] += (float)share;
    return share * ((double)logits[label] - mean);
}
