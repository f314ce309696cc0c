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

/* The factor that shortens share * gradient to gradient_clip. */
static float clip_factor(const struct optimiser *optimiser, const float *gradient, float share)
{
    double norm, bound = optimiser->options.gradient_clip;

    if (!(bound > 0.0))
        return 1.0f;
    norm = sqrt(kernels_best()->sum_squares(gradient, optimiser->d)) * fabs((double)share);
    return norm > bound ? (float)(bound / norm) : 1.0f;
}

struct update optimiser_begin(const struct optimiser *optimiser, const float *gradient, float share)
{
    const struct optimiser_options *o = &optimiser->options;
    const double rate =
        optimiser_rate(o, optimiser->schedule_from + optimiser->step, optimiser->steps);
    const double t = (double)optimiser->step + 1.0;
    const bool adam = o->kind == OPTIMISER_ADAM || o->kind == OPTIMISER_ADAMW;
    struct update u = {
        .share = share * clip_factor(optimiser, gradient, share),
        .rate = (float)(adam ? rate / (1.0 - pow(o->beta1, t)) : rate),
        .momentum = (float)o->momentum,
        .ahead = o->kind == OPTIMISER_NESTEROV,
        .beta1 = (float)o->beta1,
        .beta2 = (float)o->beta2,
        .new1 = (float)(1.0 - o->beta1),
        .new2 = (float)(1.0 - o->beta2),
        .root = adam ? (float)(1.0 / sqrt(1.0 - pow(o->beta2, t))) : 1.0f,
        .epsilon = (float)o->epsilon,
        .keep = o->kind == OPTIMISER_ADAMW ? (float)(1.0 - rate * o->weight_decay) : 1.0f,
    };

    return u;
}

/* Adds what pulls at the weights themselves to the gradient, times share; true if there is any. */
static bool pull(const struct optimiser *optimiser, const struct update *u, const float *weights,
                 float *gradient, struct optimiser_range r)
{
    const struct optimiser_options *o = &optimiser->options;
    const float decay = o->kind == OPTIMISER_ADAMW ? 0.0f : (float)o->weight_decay;
    const float proximal = (float)o->proximal;

    if (!(decay > 0.0f) && !optimiser->start)
        return false;
    kernels_best()->scale(gradient + r.from, u->share, r.to - r.from);
    if (decay > 0.0f)
        kernels_best()->add_scaled(gradient + r.from, weights + r.from, decay, r.to - r.from);
    for (size_t i = r.from; optimiser->start && i < r.to; i++)
        gradient[i] += proximal * (weights[i] - optimiser->start[i]);
    return true;
}

/* rmsprop and adagrad: the gradient over the root of its squares so far. */
static void divide_by_roots(struct optimiser *optimiser, const struct update *u, float *gradient,
                            struct optimiser_range r)
{
    const bool fading = optimiser->options.kind == OPTIMISER_RMSPROP;
    const float old = fading ? u->beta2 : 1.0f, new = fading ? u->new2 : 1.0f;
    float *squares = optimiser->squares;

    for (size_t i = r.from; i < r.to; i++) {
        const float g = u->share * gradient[i];

        squares[i] = old * squares[i] + new *g *g;
        gradient[i] = g / (sqrtf(squares[i]) + u->epsilon);
    }
}

bool optimiser_apply(struct optimiser *optimiser, const struct update *update, float *weights,
                     float *gradient, struct optimiser_range r)
{
    const struct kernels *kernels = kernels_best();
    const enum optimiser_kind kind = optimiser->options.kind;
    const size_t n = r.to - r.from;
    float *w = weights + r.from, *g = gradient + r.from;
    struct update u = *update;

    if (pull(optimiser, &u, weights, gradient, r))
        u.share = 1.0f;
    if (kind == OPTIMISER_ADAM || kind == OPTIMISER_ADAMW)
        return kernels->step_adam(w, optimiser->first + r.from, optimiser->squares + r.from, g, &u,
                                  n);
    if (kind == OPTIMISER_RMSPROP || kind == OPTIMISER_ADAGRAD) {
        divide_by_roots(optimiser, &u, gradient, r);
        u.share = 1.0f;
    }
    if (optimiser->first)
        return kernels->step_momentum(w, optimiser->first + r.from, g, &u, n);
    return kernels->step_plain(w, g, &u, n);
}

void optimiser_end(struct optimiser *optimiser)
{
    optimiser->step++;
}

void optimiser_step(struct optimiser *optimiser, float *weights, float *gradient)
{
    struct update update = optimiser_begin(optimiser, gradient, 1.0f);

    optimiser_apply(optimiser, &update, weights, gradient,
                    (struct optimiser_range){0, optimiser->d});
    optimiser_end(optimiser);
}
