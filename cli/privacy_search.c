/* SPDX-License-Identifier: Apache-2.0 */
/* First a guess, from the accountant of the continuous mechanism; then regula falsi (Illinois) on
 * logarithms around it, by what `privacy epsilon` would answer. */
#include "cli/privacy_search.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/privacy_events.h"
#include "privacy/accountant.h"
#include "privacy/gaussian.h"

#define PRECISION 4e-7 /* of the logarithm of the noise */
#define NEAR 5e-10     /* the first step from a guess that should be right */
#define GROWTH 16.0
#define FAR 1.0 /* and from one that may be anything */
#define LOG_NOISE_MAX 70.0
#define SEARCH_STEPS 200

struct search {
    struct report_event event;
    const struct privacy_question *question;
    double target;
    bool tight; /* PLD asks for less noise than RDP, which takes long where noise is little */
    double low, f_low, high, f_high; /* logarithms of noise, and of epsilon / target there */
};

/* Up to twelve digits, as they are read again: what is printed must not be less than was priced. */
static double tidy(double noise)
{
    char text[40];
    double near;

    for (double at = noise;; at *= 1 + 1e-12) {
        snprintf(text, sizeof text, "%.11e", at);
        near = strtod(text, NULL);
        if (!(near < noise))
            return near;
    }
}

static double distance(const struct privacy_question *question)
{
    return question->adjacency == PLD_REPLACE_ONE ? 2 : 1;
}

/* Noise that a mechanism does not take costs without end. */
static enum cn_err price(double *f, struct search *search, double log_noise)
{
    struct report report;
    enum cn_err err;

    privacy_event_set_noise(&search->event, tidy(exp(log_noise)));
    err =
        report_make(&report, &search->event, 1, search->question->adjacency, search->question->at);
    *f = err == CN_OK && report.epsilon <= search->target
             ? fmin(0, log(fmax(report.epsilon, 1e-12) / search->target))
             : log(report.epsilon / search->target);
    return err == CN_E_CONFIG ? CN_OK : err;
}

/* Steps away from the guess, each longer than the one before, until the target lies between. */
static enum cn_err bracket(struct search *search, double guess, double step)
{
    double at = guess, f;

    CN_TRY(price(&f, search, at));
    search->low = search->high = at;
    search->f_low = search->f_high = f;
    for (double by = step; search->f_high > 0; by *= GROWTH) {
        search->low = search->high;
        search->f_low = search->f_high;
        search->high += by;
        if (search->high > LOG_NOISE_MAX)
            return CN_E_BUDGET;
        CN_TRY(price(&search->f_high, search, search->high));
    }
    for (double by = step; search->f_low <= 0; by *= GROWTH) {
        search->high = search->low;
        search->f_high = search->f_low;
        search->low -= by;
        if (search->low < -LOG_NOISE_MAX)
            return CN_E_CONFIG; /* nothing costs anything: not a mechanism */
        CN_TRY(price(&search->f_low, search, search->low));
    }
    return CN_OK;
}

static enum cn_err narrow(struct search *search)
{
    double weight_low = 1, weight_high = 1, f;
    int side = 0;

    for (int i = 0; i < SEARCH_STEPS && search->high - search->low > PRECISION; i++) {
        double width = search->high - search->low, a = weight_low * search->f_low;
        double b = weight_high * search->f_high, share = a / (a - b), at;

        if (!(share > 0 && share < 1) || i % 4 == 3) /* a jump: halve */
            share = 0.5;
        at = search->low + width * share + PRECISION / 3;
        at = fmin(fmax(at, search->low + PRECISION / 4), search->high - PRECISION / 4);
        CN_TRY(price(&f, search, at));
        if (f <= 0) {
            search->high = at;
            search->f_high = f;
            weight_high = 1;
            weight_low = side == 1 ? weight_low / 2 : 1;
            side = 1;
        } else {
            search->low = at;
            search->f_low = f;
            weight_low = 1;
            weight_high = side == -1 ? weight_high / 2 : 1;
            side = -1;
        }
    }
    return CN_OK;
}

/* CN_E_BUDGET from one accountant only says that it has no noise to name. */
static enum cn_err or_none(double *noise, enum cn_err err)
{
    if (err != CN_OK)
        *noise = INFINITY;
    return err == CN_E_BUDGET ? CN_OK : err;
}

static enum cn_err guess_rdp(double *noise, const struct report_event *event,
                             const struct privacy_question *question, double target)
{
    struct accountant_event same = {
        .kind = event->kind == REPORT_GAUSSIAN ? ACCOUNTANT_GAUSSIAN : ACCOUNTANT_DISCRETE_GAUSSIAN,
        .sampling_rate = event->sampling_rate,
        .steps = event->steps};
    double far = distance(question);
    enum cn_err err;

    *noise = INFINITY;
    if (far > 1 && event->sampling_rate > 0 && event->sampling_rate < 1)
        return CN_OK; /* RDP has no bound then */
    err = accountant_calibrate(&same, target, question->at);
    *noise = far * same.noise_multiplier;
    return or_none(noise, err);
}

static enum cn_err guess_pld(double *noise, const struct report_event *event,
                             const struct privacy_question *question, double target)
{
    struct pld_event same = {PLD_GAUSSIAN, 0, event->sampling_rate, event->steps, 0};
    double squares = (double)event->steps;
    enum cn_err err;

    if (event->kind == REPORT_LAPLACE) {
        same.mechanism = PLD_LAPLACE;
        same.sampling_rate = 1;
    } else if (event->kind == REPORT_CORRELATED || event->sampling_rate >= 1) {
        squares = event->kind == REPORT_CORRELATED ? event->square : squares;
        err = gaussian_sigma(noise, target, question->at);
        *noise *= distance(question) * sqrt(squares);
        return or_none(noise, err);
    }
    err = pld_calibrate(noise, &same, question->adjacency, target, question->at);
    return or_none(noise, err);
}

/* Where to begin, and how far from there the answer may lie. */
static enum cn_err guess(struct privacy_noise *found, double *step,
                         const struct report_event *event, const struct privacy_question *question,
                         double target)
{
    bool gaussian = event->kind == REPORT_GAUSSIAN || event->kind == REPORT_DISCRETE_GAUSSIAN;

    found->pld = found->rdp = INFINITY;
    *step = event->sensitivity ? 1e-3 : NEAR;
    if (event->kind == REPORT_SKELLAM || event->kind == REPORT_DISTRIBUTED) {
        *step = FAR;
        return CN_OK;
    }
    if (gaussian)
        CN_TRY(guess_rdp(&found->rdp, event, question, target));
    return guess_pld(&found->pld, event, question, target);
}

static enum cn_err refuse(struct cn_diag *diag, enum cn_err err, const struct report_event *event,
                          const struct privacy_question *question, double target)
{
    if (err == CN_E_BUDGET) {
        cn_diag_set(diag, NULL, 0, 0, "no noise brings %" PRIu64 " steps to epsilon %g at delta %g",
                    event->steps, target, question->at);
        cn_diag_hint(diag, "take fewer steps, a smaller sampling rate or a larger delta");
    } else if (err == CN_E_CONFIG) {
        cn_diag_set(diag, NULL, 0, 0, "no noise can be found for these parameters");
        cn_diag_hint(diag, "delta is above 1e-100, or 0 for laplace; at most 2^40 steps");
    }
    return err;
}

enum cn_err privacy_search(struct privacy_noise *found, const struct report_event *event,
                           const struct privacy_question *question, double target,
                           struct cn_diag *diag)
{
    struct search search = {.event = *event, .question = question, .target = target};
    double start, step;
    enum cn_err err = guess(found, &step, event, question, target);

    if (err != CN_OK)
        return refuse(diag, err, event, question, target);
    start = fmin(found->pld, found->rdp);
    search.tight = found->pld <= found->rdp && isfinite(found->pld);
    if (event->kind == REPORT_SKELLAM || event->kind == REPORT_DISTRIBUTED)
        start = 1;
    err = isfinite(start) ? bracket(&search, log(start), step) : CN_E_BUDGET;
    if (err == CN_OK)
        err = narrow(&search);
    if (err != CN_OK)
        return refuse(diag, err, event, question, target);
    found->noise = tidy(exp(search.high));
    return CN_OK;
}
