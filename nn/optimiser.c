/* SPDX-License-Identifier: Apache-2.0 */
/* SGD and its relatives. */
#include "nn/optimiser.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn/kernels.h"

/* What a kind may be told, and its defaults. */
static const struct optimiser_row {
    bool momentum, beta1, beta2;
    double beta2_default, epsilon_default; /* epsilon 0: it has none */
} ROWS[] = {
    [OPTIMISER_SGD] = {true, false, false, 0, 0},
    [OPTIMISER_NESTEROV] = {true, false, false, 0, 0},
    [OPTIMISER_ADAM] = {false, true, true, 0.999, 1e-8},
    [OPTIMISER_ADAMW] = {false, true, true, 0.999, 1e-8},
    [OPTIMISER_RMSPROP] = {true, false, true, 0.99, 1e-8},
    [OPTIMISER_ADAGRAD] = {false, false, false, 0, 1e-10},
};
_Static_assert(CN_COUNT(ROWS) == OPTIMISER_KIND_COUNT, "every kind has its row");

static enum cn_err refuse(struct cn_diag *diag, const char *option, const char *expected)
{
    cn_diag_set(diag, NULL, 0, 0, "training: '%s' must be %s", option, expected);
    return CN_E_CONFIG;
}

static bool is_amount(double value)
{
    return value >= 0.0 && isfinite(value);
}

static bool is_share(double value)
{
    return value >= 0.0 && value < 1.0;
}

static enum cn_err check_schedule(const struct optimiser_options *options, struct cn_diag *diag)
{
    bool by_steps = options->schedule == SCHEDULE_STEP;

    if ((unsigned)options->schedule >= SCHEDULE_KIND_COUNT)
        return refuse(diag, "schedule", "a known one");
    if (by_steps != (options->schedule_every > 0))
        return refuse(diag, "schedule_every", "given with 'schedule: step' only, and then it must");
    if (by_steps ? !(options->schedule_factor > 0.0 && options->schedule_factor <= 1.0)
                 : options->schedule_factor != 0.0)
        return refuse(diag, "schedule_factor",
                      "above 0 and at most 1 with 'schedule: step', else absent");
    return CN_OK;
}

enum cn_err optimiser_check(const struct optimiser_options *options, struct cn_diag *diag)
{
    const struct optimiser_row *row;

    if ((unsigned)options->kind >= OPTIMISER_KIND_COUNT)
        return refuse(diag, "optimiser", "a known one");
    row = &ROWS[options->kind];
    if (!(options->learning_rate > 0.0) || !isfinite(options->learning_rate))
        return refuse(diag, "learning_rate", "a positive number");
    if (!is_share(options->momentum))
        return refuse(diag, "momentum", "at least 0 and below 1");
    if (!row->momentum && options->momentum != 0.0)
        return refuse(diag, "momentum", "absent with this optimiser");
    if (options->kind == OPTIMISER_NESTEROV && options->momentum == 0.0)
        return refuse(diag, "momentum", "given with 'optimiser: nesterov'");
    if (!is_share(options->beta1) || (!row->beta1 && options->beta1 != 0.0))
        return refuse(diag, "beta1", "above 0 and below 1, with adam and adamw only");
    if (!is_share(options->beta2) || (!row->beta2 && options->beta2 != 0.0))
        return refuse(diag, "beta2", "above 0 and below 1, with adam, adamw and rmsprop only");
    if (!is_amount(options->epsilon) || (row->epsilon_default == 0.0 && options->epsilon != 0.0))
        return refuse(diag, "epsilon", "a positive number, and absent with sgd and nesterov");
    if (!is_amount(options->weight_decay))
        return refuse(diag, "weight_decay", "a number from 0 on");
    if (!is_amount(options->gradient_clip))
        return refuse(diag, "gradient_clip", "a positive number");
    if (!is_amount(options->proximal))
        return refuse(diag, "proximal", "a number from 0 on");
    return check_schedule(options, diag);
}

static enum cn_err make(float **out, size_t d, bool wanted)
{
    *out = wanted ? calloc(d ? d : 1, sizeof **out) : NULL;
    return wanted && !*out ? CN_E_NOMEM : CN_OK;
}

enum cn_err optimiser_init(struct optimiser *optimiser, const struct optimiser_options *options,
                           const float *weights, size_t d, uint32_t steps)
{
    const struct optimiser_row *row;
    struct optimiser_options *own = &optimiser->options;

    *optimiser = (struct optimiser){.options = *options, .d = d, .steps = steps};
    CN_TRY(optimiser_check(options, NULL));
    row = &ROWS[own->kind];
    if (own->beta1 == 0.0)
        own->beta1 = row->beta1 ? 0.9 : 0.0;
    if (own->beta2 == 0.0)
        own->beta2 = row->beta2_default;
    if (own->epsilon == 0.0)
        own->epsilon = row->epsilon_default;
    CN_TRY(make(&optimiser->first, d, row->beta1 || own->momentum > 0.0));
    CN_TRY(make(&optimiser->squares, d, row->epsilon_default > 0.0));
    CN_TRY(make(&optimiser->start, d, own->proximal > 0.0));
    if (optimiser->start)
        memcpy(optimiser->start, weights, d * sizeof *weights);
    return CN_OK;
}

void optimiser_clear(struct optimiser *optimiser)
{
    free(optimiser->first);
    free(optimiser->squares);
    free(optimiser->start);
    *optimiser = (struct optimiser){0};
}

double optimiser_rate(const struct optimiser_options *options, uint32_t step, uint32_t steps)
{
    double rate = options->learning_rate, left;
    uint32_t warm = options->warm_up;

    if (steps > 0 && step >= steps)
        step = steps - 1;
    if (step < warm)
        return rate * ((double)step + 1.0) / ((double)warm + 1.0);
    if (options->schedule == SCHEDULE_STEP)
        return rate * pow(options->schedule_factor, (step - warm) / options->schedule_every);
    if (options->schedule == SCHEDULE_COSINE && steps > warm) {
        left = (double)(step - warm) / (double)(steps - warm);
        return rate * 0.5 * (1.0 + cos(M_PI * left));
    }
    return rate;
}

/* Clips the gradient, then adds what pulls at the weights themselves. */
static void pull(const struct optimiser *optimiser, const float *weights, float *gradient)
{
    const struct optimiser_options *options = &optimiser->options;
    const float decay = options->kind == OPTIMISER_ADAMW ? 0.0f : (float)options->weight_decay;
    const float proximal = (float)options->proximal;
    const size_t d = optimiser->d;

    if (options->gradient_clip > 0.0) {
        double norm = sqrt(kernels_best()->sum_squares(gradient, d));

        if (norm > options->gradient_clip)
            kernels_best()->scale(gradient, (float)(options->gradient_clip / norm), d);
    }
    if (decay > 0.0f)
        kernels_best()->add_scaled(gradient, weights, decay, d);
    for (size_t i = 0; optimiser->start && i < d; i++)
        gradient[i] += proximal * (weights[i] - optimiser->start[i]);
}

static void step_sgd(struct optimiser *optimiser, float *weights, const float *gradient, float rate)
{
    const float momentum = (float)optimiser->options.momentum;
    const bool ahead = optimiser->options.kind == OPTIMISER_NESTEROV;
    float *velocity = optimiser->first;

    if (!velocity) {
        for (size_t i = 0; i < optimiser->d; i++)
            weights[i] -= rate * gradient[i];
        return;
    }
    for (size_t i = 0; i < optimiser->d; i++) {
        velocity[i] = momentum * velocity[i] + gradient[i];
        weights[i] -= rate * (ahead ? gradient[i] + momentum * velocity[i] : velocity[i]);
    }
}

static void step_adam(struct optimiser *optimiser, float *weights, const float *gradient,
                      double rate)
{
    const struct optimiser_options *options = &optimiser->options;
    const float beta1 = (float)options->beta1, beta2 = (float)options->beta2;
    const float new1 = (float)(1.0 - options->beta1), new2 = (float)(1.0 - options->beta2);
    const double t = (double)optimiser->step + 1.0;
    const float size = (float)(rate / (1.0 - pow(options->beta1, t)));
    const float root = (float)(1.0 / sqrt(1.0 - pow(options->beta2, t)));
    const float epsilon = (float)options->epsilon;
    const float keep =
        options->kind == OPTIMISER_ADAMW ? (float)(1.0 - rate * options->weight_decay) : 1.0f;

    for (size_t i = 0; i < optimiser->d; i++) {
        const float g = gradient[i];

        optimiser->first[i] = beta1 * optimiser->first[i] + new1 * g;
        optimiser->squares[i] = beta2 * optimiser->squares[i] + new2 * g * g;
        weights[i] = weights[i] * keep -
                     size * optimiser->first[i] / (sqrtf(optimiser->squares[i]) * root + epsilon);
    }
}

/* rmsprop and adagrad: the gradient over the root of its squares so far. */
static void step_scaled(struct optimiser *optimiser, float *weights, float *gradient, float rate)
{
    const struct optimiser_options *options = &optimiser->options;
    const bool fading = options->kind == OPTIMISER_RMSPROP;
    const float old = fading ? (float)options->beta2 : 1.0f;
    const float new = fading ? (float)(1.0 - options->beta2) : 1.0f;
    const float epsilon = (float)options->epsilon;

    for (size_t i = 0; i < optimiser->d; i++) {
        optimiser->squares[i] = old * optimiser->squares[i] + new *gradient[i] * gradient[i];
        gradient[i] /= sqrtf(optimiser->squares[i]) + epsilon;
    }
    step_sgd(optimiser, weights, gradient, rate);
}

void optimiser_step(struct optimiser *optimiser, float *weights, float *gradient)
{
    double rate = optimiser_rate(&optimiser->options, optimiser->schedule_from + optimiser->step,
                                 optimiser->steps);

    pull(optimiser, weights, gradient);
    switch (optimiser->options.kind) {
    case OPTIMISER_ADAM:
    case OPTIMISER_ADAMW:
        step_adam(optimiser, weights, gradient, rate);
        break;
    case OPTIMISER_RMSPROP:
    case OPTIMISER_ADAGRAD:
        step_scaled(optimiser, weights, gradient, (float)rate);
        break;
    default:
        step_sgd(optimiser, weights, gradient, (float)rate);
    }
    optimiser->step++;
}
