/* SPDX-License-Identifier: Apache-2.0 */
/* The loop around train_step: looks, patience, checkpoints. */
#include "nn/fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "nn/train_internal.h"

/* Places in checkpoint.extra. */
enum { EXTRA_BEST_LOSS, EXTRA_BEST_STEP, EXTRA_WAITED, EXTRA_SEEN_LOSS, EXTRA_SEEN_N };

struct fit {
    const struct fit_options *options;
    struct model *model;
    struct train *train;
    struct checkpoint checkpoint; /* extra: the state of this loop, so that it is kept */
    float *best;                  /* [d] with patience */
    uint32_t every;
    struct evaluate_result test; /* of the last look */
};

static uint32_t look_every(const struct fit_options *options, size_t n, uint32_t steps)
{
    uint32_t batch = options->train.batch;

    if (options->every > 0)
        return options->every;
    if (batch > 0)
        return (uint32_t)((n + batch - 1) / batch);
    return steps / 10 > 0 ? steps / 10 : 1;
}

/* Compares with the best look before; false when patience is used up. */
static bool judge(struct fit *fit, struct fit_report *report)
{
    double *extra = fit->checkpoint.extra;

    report->best = report->test.loss < extra[EXTRA_BEST_LOSS];
    if (!report->best) {
        extra[EXTRA_WAITED] += 1;
        return fit->options->patience == 0 || extra[EXTRA_WAITED] < fit->options->patience;
    }
    extra[EXTRA_BEST_LOSS] = report->test.loss;
    extra[EXTRA_BEST_STEP] = report->step;
    extra[EXTRA_WAITED] = 0;
    if (fit->best)
        memcpy(fit->best, model_weights(fit->model), model_params(fit->model) * sizeof *fit->best);
    return true;
}

static enum cn_err keep(const struct fit *fit, struct cn_diag *diag)
{
    if (!fit->options->checkpoint)
        return CN_OK;
    return checkpoint_save(fit->options->checkpoint, fit->train, &fit->checkpoint, diag);
}

static enum cn_err look(struct fit *fit, bool *go_on, struct cn_diag *diag)
{
    const struct gradient_seen *seen = &fit->train->seen;
    double *extra = fit->checkpoint.extra, n = (double)seen->n - extra[EXTRA_SEEN_N];
    struct fit_report report = {.step = fit->train->done, .steps = fit->train->steps};

    report.loss = n > 0 ? (seen->loss - extra[EXTRA_SEEN_LOSS]) / n : 0;
    extra[EXTRA_SEEN_LOSS] = seen->loss;
    extra[EXTRA_SEEN_N] = (double)seen->n;
    if (fit->options->test) {
        CN_TRY(evaluate_run(fit->model, fit->options->test, &report.test));
        report.tested = true;
        fit->test = report.test;
        *go_on = judge(fit, &report);
    }
    if (fit->options->report)
        fit->options->report(fit->options->report_ctx, &report);
    return keep(fit, diag);
}

static bool progress_ends(const struct fit *fit)
{
    const struct train_options *options = &fit->options->train;

    return options->progress &&
           options->progress(options->progress_ctx, fit->train->done, fit->train->steps);
}

/* The last look, when a file says that it was already had, is not repeated. */
static enum cn_err run(struct fit *fit, struct cn_diag *diag)
{
    const struct train *train = fit->train;
    uint32_t patience = fit->options->patience;
    bool go_on = patience == 0 || fit->checkpoint.extra[EXTRA_WAITED] < patience;

    while (go_on && train->done < train->steps) {
        CN_TRY(train_step(fit->train));
        if (train->done % fit->every == 0 || train->done == train->steps)
            CN_TRY(look(fit, &go_on, diag));
        if (progress_ends(fit)) {
            CN_TRY(keep(fit, diag));
            return CN_E_DEADLINE;
        }
    }
    return CN_OK;
}

static enum cn_err start(struct fit *fit, struct fit_result *result, struct cn_diag *diag)
{
    const struct fit_options *options = fit->options;

    if (options->patience > 0) {
        fit->best = malloc(model_params(fit->model) * sizeof *fit->best);
        if (!fit->best)
            return CN_E_NOMEM;
        memcpy(fit->best, model_weights(fit->model), model_params(fit->model) * sizeof *fit->best);
    }
    memcpy(fit->checkpoint.identity, options->identity, sizeof options->identity);
    fit->checkpoint.seeded = options->seeded;
    fit->checkpoint.best = fit->best;
    fit->checkpoint.extra[EXTRA_BEST_LOSS] = INFINITY;
    if (!options->checkpoint || !options->resume || !cn_file_exists(options->checkpoint))
        return CN_OK;
    CN_TRY(checkpoint_load(fit->train, &fit->checkpoint, options->checkpoint, diag));
    result->resumed_at = fit->train->done;
    return CN_OK;
}

/* The weights that the caller gets, and what they are worth. */
static enum cn_err finish(struct fit *fit, struct fit_result *result)
{
    const double *extra = fit->checkpoint.extra;

    result->stopped_early = fit->train->done < fit->train->steps;
    if (!fit->options->test)
        return CN_OK;
    result->best_step = (uint32_t)extra[EXTRA_BEST_STEP];
    if (fit->best)
        CN_TRY(model_set_weights(fit->model, fit->best));
    return evaluate_run(fit->model, fit->options->test, &result->test);
}

enum cn_err fit_run(struct model *model, const struct dataset *data,
                    const struct fit_options *options, const struct cn_random *random,
                    struct fit_result *result, struct cn_diag *diag)
{
    struct fit fit = {.options = options, .model = model};
    enum cn_err err;

    *result = (struct fit_result){0};
    if (options->patience > 0 && !options->test) {
        cn_diag_set(diag, NULL, 0, 0, "training: an early end needs test data");
        return CN_E_CONFIG;
    }
    CN_TRY(train_new(&fit.train, model, data, &options->train, random));
    fit.every = look_every(options, data->n, train_steps(fit.train));
    err = start(&fit, result, diag);
    if (err == CN_OK)
        err = run(&fit, diag);
    result->train = train_result_of(fit.train);
    result->train.cancelled = err == CN_E_DEADLINE;
    if (err == CN_OK)
        err = finish(&fit, result);
    train_free(fit.train);
    free(fit.best);
    return err;
}
