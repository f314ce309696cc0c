/* SPDX-License-Identifier: Apache-2.0 */
/* Which options belong to which mechanism, and what they say. */
#include "cli/privacy_events.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "privacy/factorise.h"
#include "privacy/tree.h"

struct form {
    const char *name;
    enum report_kind kind;
    const char *noise;       /* the option that says how much there is of it; also in needs */
    const char *needs, *may; /* names of options between spaces */
};

static const struct form forms[] = {
    {"gaussian", REPORT_GAUSSIAN, "noise-multiplier", " noise-multiplier sampling-rate steps ",
     " "},
    {"discrete-gaussian", REPORT_DISCRETE_GAUSSIAN, "noise-multiplier",
     " noise-multiplier sampling-rate steps ", " sensitivity "},
    {"discrete_gaussian", REPORT_DISCRETE_GAUSSIAN, "noise-multiplier",
     " noise-multiplier sampling-rate steps ", " sensitivity "},
    {"laplace", REPORT_LAPLACE, "scale", " scale steps ", " "},
    {"tree", REPORT_CORRELATED, "noise-multiplier", " noise-multiplier steps ",
     " trees participations separation "},
    {"banded", REPORT_CORRELATED, "noise-multiplier", " noise-multiplier steps band ",
     " participations separation "},
    {"skellam", REPORT_SKELLAM, "variance", " l2 l1 variance steps ", " "},
    {"distributed-discrete-gaussian", REPORT_DISTRIBUTED, "sigma-local",
     " clients dim clip scale sigma-local steps ", " beta "},
};

/* Every option that some mechanism uses. */
static const char *const details[] = {
    "noise-multiplier", "sampling-rate", "steps", "sensitivity", "scale", "trees",
    "participations",   "separation",    "band",  "l2",          "l1",    "variance",
    "clients",          "dim",           "clip",  "sigma-local", "beta",
};

static bool lists(const char *words, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = strstr(words, name); at; at = strstr(at + 1, name))
        if (at[-1] == ' ' && at[len] == ' ')
            return true;
    return false;
}

/* The form's options as a person reads them, "--scale --steps". */
static void hint_form(struct cn_diag *diag, const struct form *form)
{
    char words[CN_DIAG_HINT_MAX] = "";
    size_t len = 0;

    for (size_t i = 0; i < CN_COUNT(details); i++) {
        bool needed = lists(form->needs, details[i]);

        if ((needed || lists(form->may, details[i])) && len < sizeof words)
            len += (size_t)snprintf(words + len, sizeof words - len, needed ? " --%s" : " [--%s]",
                                    details[i]);
    }
    cn_diag_hint(diag, "it takes%s", words);
}

/* open: the noise is what is asked for. */
static enum cn_err check_form(const struct form *form, bool open, const struct cn_args *args,
                              struct cn_diag *diag)
{
    for (size_t i = 0; i < CN_COUNT(details); i++) {
        bool given = cn_args_given(args, details[i]), needed = lists(form->needs, details[i]);
        bool asked = open && strcmp(form->noise, details[i]) == 0;

        if (asked ? !given : needed == given || lists(form->may, details[i]))
            continue;
        cn_diag_set(diag, NULL, 0, 0, "mechanism %s %s --%s", form->name,
                    asked    ? "is asked for its"
                    : needed ? "needs"
                             : "does not use",
                    details[i]);
        hint_form(diag, form);
        return CN_E_CONFIG;
    }
    return CN_OK;
}

/* The factor that is searched for so many steps; the noise multiplier is of one participation. */
static enum cn_err read_banded(struct report_event *event, const struct cn_args *args,
                               struct cn_diag *diag)
{
    size_t n = cn_args_uint(args, "steps"), band = cn_args_uint(args, "band");
    uint64_t separation =
        cn_args_given(args, "separation") ? cn_args_uint(args, "separation") : band - 1;
    uint32_t turns =
        cn_args_given(args, "participations") ? (uint32_t)cn_args_uint(args, "participations") : 1;
    struct factorise factor;
    double *norms, sum = 0;
    enum cn_err err = factorise_banded(&factor, n, band);

    if (err == CN_OK && separation + 1 < band)
        err = CN_E_CONFIG;
    if (err == CN_E_CONFIG) {
        cn_diag_set(diag, NULL, 0, 0, "no banded factor with these numbers");
        cn_diag_hint(diag, "--steps up to %d, --band up to %d, --separation of band - 1 or more",
                     FACTORISE_ROUNDS_MAX, FACTORISE_BAND_MAX);
    }
    CN_TRY(err);
    norms = calloc(n, sizeof *norms);
    if (!norms)
        return CN_E_NOMEM;
    for (size_t j = 0; j < n; j++) { /* from the last column, which is the shortest */
        sum += j < band ? pow((double)factor.c[j] / (double)FACTORISE_ONE, 2) : 0;
        norms[n - 1 - j] = sum;
    }
    err = tree_banded_square(&event->square, norms, n, band, turns, separation);
    event->square /= factor.square;
    event->steps = 1;
    free(norms);
    return err;
}

/* A tree over all steps, or with --trees one of so many steps after another. */
static enum cn_err read_tree(struct report_event *event, const struct cn_args *args,
                             struct cn_diag *diag)
{
    bool restarts = cn_args_given(args, "trees");
    bool repeats = cn_args_given(args, "participations") || cn_args_given(args, "separation");
    uint64_t square = 0, steps = cn_args_uint(args, "steps");
    uint32_t participations = 1;
    enum cn_err err;

    if (restarts && repeats) {
        cn_diag_set(diag, NULL, 0, 0, "--trees does not go with --participations or --separation");
        cn_diag_hint(diag, "restarted trees hold one participation each");
        return CN_E_CONFIG;
    }
    if (cn_args_given(args, "participations"))
        participations = (uint32_t)cn_args_uint(args, "participations");
    if (repeats)
        err = tree_square(&square, steps, participations, cn_args_uint(args, "separation"));
    else
        err = tree_restart_square(&square, steps, restarts ? cn_args_uint(args, "trees") : 1);
    event->square = (double)square;
    event->steps = 1;
    return err;
}

static void read_sums(struct report_event *event, const struct cn_args *args)
{
    event->skellam = (struct bounds_skellam){.l2 = cn_args_real(args, "l2"),
                                             .l1 = cn_args_real(args, "l1"),
                                             .variance = cn_args_real(args, "variance")};
    event->distributed =
        (struct bounds_distributed){.devices = (uint32_t)cn_args_uint(args, "clients"),
                                    .dim = (uint32_t)cn_args_uint(args, "dim"),
                                    .clip = cn_args_real(args, "clip"),
                                    .scale = cn_args_real(args, "scale"),
                                    .beta = cn_args_real(args, "beta"),
                                    .sigma = cn_args_real(args, "sigma-local")};
}

static enum cn_err read_event(struct report_event *event, bool open, const struct cn_args *args,
                              struct cn_diag *diag)
{
    const struct form *form = &forms[cn_args_choice(args, "mechanism")];

    *event = (struct report_event){.kind = form->kind};
    CN_TRY(check_form(form, open, args, diag));
    event->noise_multiplier =
        cn_args_real(args, form->kind == REPORT_LAPLACE ? "scale" : "noise-multiplier");
    event->sampling_rate =
        cn_args_given(args, "sampling-rate") ? cn_args_real(args, "sampling-rate") : 1;
    event->steps = cn_args_uint(args, "steps");
    event->sensitivity = (uint32_t)cn_args_uint(args, "sensitivity");
    read_sums(event, args);
    if (open)
        privacy_event_set_noise(event, 1);
    if (form->kind != REPORT_CORRELATED)
        return CN_OK;
    return strcmp(form->name, "banded") == 0 ? read_banded(event, args, diag)
                                             : read_tree(event, args, diag);
}

enum cn_err privacy_event_read(struct report_event *event, const struct cn_args *args,
                               struct cn_diag *diag)
{
    return read_event(event, false, args, diag);
}

enum cn_err privacy_event_read_open(struct report_event *event, const struct cn_args *args,
                                    struct cn_diag *diag)
{
    return read_event(event, true, args, diag);
}

void privacy_event_set_noise(struct report_event *event, double noise)
{
    if (event->kind == REPORT_SKELLAM)
        event->skellam.variance = noise;
    else if (event->kind == REPORT_DISTRIBUTED)
        event->distributed.sigma = noise;
    else
        event->noise_multiplier = noise;
}

const char *privacy_event_noise_name(const struct cn_args *args)
{
    return forms[cn_args_choice(args, "mechanism")].noise;
}
