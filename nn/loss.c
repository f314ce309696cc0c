/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax cross-entropy with the largest logit taken out so that nothing overflows: in double for
 * few classes, in vectors of floats for many. Sigmoid cross-entropy, squares, Huber. */
#include "nn/loss.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "data/dataset.h"
#include "nn/elements.h"

#define MANY_CLASSES 48u

const char *loss_kind_name(enum loss_kind kind)
{
    static const char *const NAMES[] = {"cross_entropy", "binary_cross_entropy",
                                        "mean_squared_error", "huber"};
    _Static_assert(sizeof NAMES / sizeof NAMES[0] == LOSS_KIND_COUNT, "every loss has its name");

    return (unsigned)kind < LOSS_KIND_COUNT ? NAMES[kind] : "unknown";
}

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

void loss_sigmoid(float *p, const float *x, size_t n)
{
    elements_best()->sigmoid(p, x, n);
}

/* 0 for finite values, else NaN. */
static float poison_of(const float *x, size_t n)
{
    float poison = 0.0f;

    for (size_t i = 0; i < n; i++)
        poison += 0.0f * x[i];
    return poison;
}

/* As loss_cross_entropy, in vectors. gradient must be there. */
static double many_classes(float *gradient, bool *correct, const float *logits, uint32_t classes,
                           uint32_t label)
{
    const struct elements *elements = elements_best();
    const float top = elements->largest(logits, classes);
    float share;
    double sum;

    if (isnan(poison_of(logits, classes))) {
        *correct = false;
        return (double)NAN;
    }
    *correct = logits[label] >= top;
    for (uint32_t c = 0; *correct && c < label; c++)
        *correct = logits[c] < top; /* of equals the smaller class counts */
    sum = elements->exp_shifted(gradient, logits, top, classes);
    share = (float)(1.0 / sum);
    for (uint32_t c = 0; c < classes; c++)
        gradient[c] *= share;
    gradient[label] -= 1.0f;
    return log(sum) - ((double)logits[label] - (double)top);
}

static double one_position(float *gradient, bool *correct, const float *logits,
                           const struct loss_form *form, uint32_t label)
{
    double loss;

    if (gradient && form->outputs >= MANY_CLASSES)
        loss = many_classes(gradient, correct, logits, form->outputs, label);
    else
        loss = loss_cross_entropy(gradient, correct, logits, form->outputs, label);
    if (gradient && form->smoothing > 0.0)
        loss += loss_smooth(gradient, logits, form->outputs, label, form->smoothing);
    return loss;
}

static void add_cross_entropy(struct loss_sum *sum, float *gradient, const float *output,
                              const struct loss_form *form, const uint32_t *y)
{
    const size_t outputs = form->outputs;
    uint64_t counted = 0;
    double loss = 0.0;

    for (uint32_t p = 0; p < form->positions; p++)
        counted += y[p] != DATASET_IGNORE;
    for (uint32_t p = 0; p < form->positions; p++) {
        float *row = gradient ? gradient + p * outputs : NULL;
        bool correct;

        if (row && y[p] == DATASET_IGNORE)
            memset(row, 0, outputs * sizeof *row);
        if (y[p] == DATASET_IGNORE)
            continue;
        loss += one_position(row, &correct, output + p * outputs, form, y[p]);
        sum->correct += correct;
        for (size_t c = 0; row && counted > 1 && c < outputs; c++)
            row[c] /= (float)counted;
    }
    sum->counted += counted;
    sum->loss += counted ? loss / (double)counted : 0.0;
}

/* Of a target from 0 to 1; the gradient is sigmoid(x) - z. */
static double binary(double *slope, double x, double z)
{
    double e = exp(-fabs(x));

    *slope = (x >= 0.0 ? 1.0 / (1.0 + e) : e / (1.0 + e)) - z;
    return fmax(x, 0.0) - x * z + log1p(e);
}

static double distance(double *slope, double apart, const struct loss_spec *spec)
{
    if (spec->kind == LOSS_MEAN_SQUARED_ERROR) {
        *slope = 2.0 * apart;
        return apart * apart;
    }
    *slope = fmax(-spec->delta, fmin(spec->delta, apart));
    if (fabs(apart) <= spec->delta)
        return 0.5 * apart * apart;
    return spec->delta * (fabs(apart) - 0.5 * spec->delta);
}

static void add_real(struct loss_sum *sum, float *gradient, const float *output,
                     const struct loss_form *form, const float *z)
{
    const size_t count = (size_t)form->positions * form->outputs;
    const bool sides = form->spec.kind == LOSS_BINARY_CROSS_ENTROPY;
    double loss = 0.0;

    for (size_t i = 0; i < count; i++) {
        double x = (double)output[i], slope;

        if (!isfinite(x))
            loss = (double)NAN;
        loss += sides ? binary(&slope, x, (double)z[i])
                      : distance(&slope, x - (double)z[i], &form->spec);
        sum->correct += sides && (x > 0.0) == (z[i] > 0.5f);
        if (gradient)
            gradient[i] = (float)(slope / (double)count);
    }
    sum->counted += count;
    sum->loss += loss / (double)count;
}

/* Classes 0 and 1 of one output, by their sides. */
static void add_sides(struct loss_sum *sum, float *gradient, const float *output,
                      const struct loss_form *form, const uint32_t *y)
{
    uint64_t counted = 0;
    double loss = 0.0;

    for (uint32_t p = 0; p < form->positions; p++)
        counted += y[p] != DATASET_IGNORE;
    for (uint32_t p = 0; p < form->positions; p++) {
        const bool counts = y[p] != DATASET_IGNORE;
        double slope = 0.0;

        if (counts && !isfinite(output[p]))
            loss = (double)NAN;
        if (counts)
            loss += binary(&slope, (double)output[p], (double)y[p]);
        sum->correct += counts && (output[p] > 0.0f) == (y[p] == 1);
        if (gradient)
            gradient[p] = counts ? (float)(slope / (double)counted) : 0.0f;
    }
    sum->counted += counted;
    sum->loss += counted ? loss / (double)counted : 0.0;
}

void loss_add(struct loss_sum *sum, float *gradient, const float *output,
              const struct loss_form *form, const uint32_t *y, const float *z)
{
    if (form->spec.kind == LOSS_CROSS_ENTROPY)
        add_cross_entropy(sum, gradient, output, form, y);
    else if (z)
        add_real(sum, gradient, output, form, z);
    else
        add_sides(sum, gradient, output, form, y);
}
