/* SPDX-License-Identifier: Apache-2.0 */
/* `cairn audit empirical`: the verb and its answers. */
#include "cli/audit_empirical.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/audit_verify.h"
#include "cli/chart.h"
#include "cli/show.h"
#include "crypto/random.h"
#include "data/source.h"

#define FASHION "/usr/share/datasets/fashion-mnist/"
#define FASHION_SOURCE                                                                             \
    "idx:" FASHION "train-images-idx3-ubyte.gz," FASHION "train-labels-idx1-ubyte.gz"

/* Everything that one run of the verb has and finds. */
struct audit {
    const struct cn_args *args;
    struct task *task;
    struct dataset data;
    struct empirical_options options;
    struct empirical_result canaries;
    struct members_result members;
    bool has_members;
    double seconds;
};

/* ---- text ---- */

static const char *about_of(const struct audit *audit)
{
    if (audit->options.noise_scale == 0)
        return "WITHOUT NOISE: what this training would give away";
    if (audit->options.noise_scale != 1)
        return "WITH A PLANTED BUG: the noise is scaled behind the accountant's back";
    return "with the task's own noise";
}

static void print_canaries(const struct audit *audit)
{
    const struct empirical_result *found = &audit->canaries;
    FILE *out = audit->args->out;
    char a[SHOW_NUMBER_MAX], b[SHOW_NUMBER_MAX], c[SHOW_NUMBER_MAX];
    double sure = 100 * (1 - audit->options.significance);

    fprintf(out, "Audit of '%s', one training, %s\n\n", audit->task->name, about_of(audit));
    fprintf(out,
            "  proven upper bound         epsilon %10s   at delta %g, for one %s, all rounds\n",
            show_epsilon(a, found->epsilon_proven), audit->task->privacy.delta,
            audit->task->privacy.unit == TASK_UNIT_USER ? "device" : "example");
    fprintf(out,
            "  lower bound by guessing    epsilon %10s   %g %% sure, whatever the mechanism is\n",
            show_epsilon(a, found->epsilon_lower), sure);
    fprintf(out,
            "  lower bound by the noise   epsilon %10s   %g %% sure, if the noise is Gaussian\n\n",
            show_epsilon(a, found->epsilon_lower_noise), sure);
    fprintf(out, "  %s %s canaries: %s of %s guesses were right; AUC %.3f\n",
            show_count(a, found->canaries),
            audit->options.canary == EMPIRICAL_DIRAC ? "dirac" : "gradient",
            show_count(b, found->correct), show_count(c, found->guesses), found->auc);
    fprintf(out, "  noise multiplier measured on %s numbers: %.4f, the task says %.4f\n",
            show_count(a, found->noise_samples), found->noise_multiplier,
            audit->task->privacy.noise_multiplier);
    fprintf(out, "  the model's accuracy on its training data: %.1f %%\n", 100 * found->accuracy);
}

static void print_curve(FILE *out, const char *name, const struct members_curve *curve)
{
    fprintf(out, "  %-22s %6.3f %14.2f %% %14.2f %%\n", name, curve->auc,
            100 * curve->tpr_at_1_percent, 100 * curve->tpr_at_1_permille);
}

static void print_members(const struct audit *audit)
{
    const struct members_result *members = &audit->members;
    char examples[SHOW_NUMBER_MAX];

    fprintf(audit->args->out,
            "\nWho was in the training data? %u models, each on half of %s examples\n\n"
            "  %-22s %6s %16s %16s\n",
            members->models, show_count(examples, members->examples), "attack", "AUC",
            "found at 1 %", "found at 0.1 %");
    print_curve(audit->args->out, "loss threshold", &members->loss);
    print_curve(audit->args->out, "LiRA, shadow models", &members->lira);
    fprintf(audit->args->out, "  %-22s %6.3f %14.2f %% %14.2f %%   (0.5 is a coin)\n", "guessing",
            0.5, 1.0, 0.1);
}

static void print_verdict(const struct audit *audit)
{
    const struct empirical_result *found = &audit->canaries;

    fprintf(audit->args->out, "\n%s (%.0f s)\n",
            found->violated
                ? "VIOLATION: a lower bound is above the proven epsilon. The promise does not hold."
                : "The promise stands: no attack proved more than what is promised.",
            audit->seconds);
}

/* ---- JSON and SVG ---- */

static json_t *numbers(const double *values)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < EMPIRICAL_CURVE; i++) {
        if (json_array_append_new(list, json_real(values[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *curve_json(const struct members_curve *curve)
{
    return json_pack("{s:f, s:f, s:f, s:o}", "auc", curve->auc, "tpr_at_fpr_1e-2",
                     curve->tpr_at_1_percent, "tpr_at_fpr_1e-3", curve->tpr_at_1_permille, "tpr",
                     numbers(curve->tpr));
}

static json_t *members_json(const struct members_result *members)
{
    return json_pack("{s:i, s:i, s:o, s:o, s:o}", "models", (int)members->models, "examples",
                     (int)members->examples, "fpr", numbers(members->fpr), "loss_threshold",
                     curve_json(&members->loss), "lira", curve_json(&members->lira));
}

static json_t *audit_json(const struct audit *audit)
{
    const struct empirical_result *found = &audit->canaries;

    return json_pack(
        "{s:s, s:s, s:s, s:f, s:f, s:f, s:f, s:o, s:b, s:i, s:i, s:i, s:f, s:f, s:f, s:I, s:f, "
        "s:f, s:f, s:o}",
        "task", audit->task->name, "unit", task_unit_text(audit->task->privacy.unit), "canary",
        audit->options.canary == EMPIRICAL_DIRAC ? "dirac" : "gradient", "noise_scale",
        audit->options.noise_scale, "delta", audit->task->privacy.delta, "epsilon_proven",
        found->epsilon_proven, "epsilon_lower", found->epsilon_lower, "epsilon_lower_noise",
        show_json_real(found->epsilon_lower_noise), "violated", found->violated, "canaries",
        (int)found->canaries, "guesses", (int)found->guesses, "correct", (int)found->correct, "auc",
        found->auc, "significance", audit->options.significance, "noise_multiplier_measured",
        found->noise_multiplier, "noise_samples", (json_int_t)found->noise_samples,
        "noise_multiplier", audit->task->privacy.noise_multiplier, "training_accuracy",
        found->accuracy, "seconds", audit->seconds, "membership",
        audit->has_members ? members_json(&audit->members) : json_null());
}

/* What epsilon and delta allow: the most members that any attack may find at each rate of errors.
 */
static void allowed(double out[EMPIRICAL_CURVE], const double *fpr, double epsilon, double delta)
{
    for (size_t i = 0; i < EMPIRICAL_CURVE; i++) {
        double more = exp(epsilon) * fpr[i] + delta;
        double less = 1 - exp(-epsilon) * (1 - delta - fpr[i]);

        out[i] = fmin(1, fmin(more, less));
    }
}

static enum cn_err write_svg(const struct audit *audit, const char *path, struct cn_diag *diag)
{
    const struct members_result *members = &audit->members;
    double most[EMPIRICAL_CURVE];
    struct chart chart = {.title = "Who was in the training data?",
                          .x_label = "share of others wrongly taken for members",
                          .y_label = "share of members found",
                          .count = 4,
                          .log_x = true,
                          .log_y = true};
    FILE *out = fopen(path, "we");
    bool failed;

    if (!out) {
        cn_diag_set(diag, path, 0, 0, "the chart can not be written: %s", strerror(errno));
        return cn_err_from_errno(errno);
    }
    allowed(most, members->fpr, audit->canaries.epsilon_proven, audit->task->privacy.delta);
    chart.series[0] = (struct chart_series){"LiRA",          members->fpr, members->lira.tpr,
                                            EMPIRICAL_CURVE, false,        false};
    chart.series[1] = (struct chart_series){"loss",          members->fpr, members->loss.tpr,
                                            EMPIRICAL_CURVE, false,        false};
    chart.series[2] =
        (struct chart_series){"proven limit", members->fpr, most, EMPIRICAL_CURVE, true, false};
    chart.series[3] =
        (struct chart_series){"guessing", members->fpr, members->fpr, EMPIRICAL_CURVE, true, false};
    chart_svg(out, &chart, true);
    failed = ferror(out) != 0;
    return fclose(out) != 0 || failed ? CN_E_IO : CN_OK;
}

/* ---- the run ---- */

static enum cn_err load(struct audit *audit, struct cn_diag *diag)
{
    const char *text = cn_args_text(audit->args, "data");
    struct data_source source;
    struct data_form form;

    CN_TRY(task_load(&audit->task, audit->args->arguments[0], diag));
    CN_TRY(data_source_parse(&source, text, diag));
    form = task_data_form(audit->task);
    CN_TRY(data_source_load(&audit->data, &source, &form, diag));
    return empirical_check(audit->task, &audit->data, diag);
}

static void choose(struct audit *audit)
{
    const struct cn_args *args = audit->args;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t most = audit->task->params, asked = cn_args_uint(args, "canaries");

    audit->options = (struct empirical_options){
        .task = audit->task,
        .data = &audit->data,
        .canary = (enum empirical_canary)cn_args_choice(args, "canary"),
        .canaries = (uint32_t)asked,
        .noise_scale = cn_args_flag(args, "no-noise") ? 0 : cn_args_real(args, "plant-noise"),
        .significance = cn_args_real(args, "significance"),
        .threads = cores > 1 ? (uint32_t)(cores < 16 ? cores : 16) : 1,
    };
    if (!cn_args_given(args, "canaries") && most < asked)
        audit->options.canaries = (uint32_t)most;
}

static enum cn_err attack_members(struct audit *audit, const struct cn_random *random,
                                  struct cn_diag *diag)
{
    struct cn_progress progress;
    struct members_options options = {.task = audit->task,
                                      .data = &audit->data,
                                      .models = (uint32_t)cn_args_uint(audit->args, "shadows"),
                                      .noise_scale = audit->options.noise_scale,
                                      .threads = audit->options.threads,
                                      .progress = &progress};
    enum cn_err err;

    if (options.models == 0 || audit->task->privacy.unit == TASK_UNIT_USER)
        return CN_OK;
    cn_progress_start(&progress, "shadow models", options.models, CN_PROGRESS_COUNT,
                      audit->args->quiet);
    err = members_run(&audit->members, &options, random, diag);
    cn_progress_finish(&progress);
    audit->has_members = err == CN_OK;
    return err;
}

static enum cn_err run(struct audit *audit, struct cn_diag *diag)
{
    struct cn_clock clock = cn_clock_system();
    uint64_t start = clock.steady_ms(clock.ctx);
    struct random_stream *stream = NULL;
    struct cn_progress progress;
    struct cn_random seed, random;
    enum cn_err err;

    CN_TRY(load(audit, diag));
    choose(audit);
    CN_TRY(random_system(&seed));
    CN_TRY(random_stream_new(&stream, &seed));
    random = random_stream_interface(stream);
    cn_progress_start(&progress, "canaries", empirical_steps(audit->task), CN_PROGRESS_COUNT,
                      audit->args->quiet);
    audit->options.progress = &progress;
    err = empirical_run(&audit->canaries, &audit->options, &random, diag);
    cn_progress_finish(&progress);
    if (err == CN_OK)
        err = attack_members(audit, &random, diag);
    random_stream_free(stream);
    audit->seconds = (double)(clock.steady_ms(clock.ctx) - start) / 1e3;
    return err;
}

static int answer(struct audit *audit)
{
    const char *svg = cn_args_text(audit->args, "svg");
    int code = audit->canaries.violated ? CN_EXIT_NO : CN_EXIT_DONE;
    struct cn_diag diag = {0};

    if (svg && !audit->has_members) {
        cn_diag_set(&diag, NULL, 0, 0,
                    "there are no membership curves to draw: unit user, or --shadows 0");
        return cn_args_fail(audit->args, CN_E_CONFIG, &diag);
    }
    if (svg) {
        enum cn_err err = write_svg(audit, svg, &diag);

        if (err != CN_OK)
            return cn_args_fail(audit->args, err, &diag);
    }
    if (audit->args->json)
        return show_json(audit->args, audit_json(audit), code);
    print_canaries(audit);
    if (audit->has_members)
        print_members(audit);
    print_verdict(audit);
    return code;
}

int audit_empirical(const struct cn_args *args)
{
    struct audit *audit = calloc(1, sizeof *audit);
    struct cn_diag diag = {0};
    enum cn_err err;
    int code;

    if (!audit)
        return cn_args_fail(args, CN_E_NOMEM, NULL);
    audit->args = args;
    err = run(audit, &diag);
    code = err == CN_OK ? answer(audit) : cn_args_fail(args, err, &diag);
    dataset_free(&audit->data);
    task_free(audit->task);
    free(audit);
    return code;
}

const struct cn_option audit_empirical_options[AUDIT_EMPIRICAL_OPTIONS] = {
    {.name = "data",
     .kind = CN_OPTION_TEXT,
     .value = "SOURCE",
     .fallback = FASHION_SOURCE,
     .help = "what to train on, as in a client's configuration"},
    {.name = "canary",
     .kind = CN_OPTION_CHOICE,
     .value = "KIND",
     .choices = "dirac gradient",
     .fallback = "dirac",
     .help = "the clip norm in one coordinate, or in a random direction"},
    {.name = "canaries",
     .kind = CN_OPTION_UINT,
     .value = "N",
     .min = 16,
     .max = EMPIRICAL_CANARIES_MAX,
     .fallback = "5000",
     .help = "how many; each is in with probability 1/2"},
    {.name = "shadows",
     .kind = CN_OPTION_UINT,
     .value = "N",
     .min = 0,
     .max = EMPIRICAL_SHADOWS_MAX,
     .fallback = "6",
     .help = "models for the membership curves; 0: none"},
    {.name = "significance",
     .kind = CN_OPTION_REAL,
     .value = "P",
     .min = 1e-6,
     .max = 0.5,
     .fallback = "0.05",
     .help = "how often a bound may be wrong"},
    {.name = "no-noise", .kind = CN_OPTION_FLAG, .help = "train without noise: must be caught"},
    {.name = "plant-noise",
     .kind = CN_OPTION_REAL,
     .value = "F",
     .min = 0.01,
     .max = 100,
     .fallback = "1",
     .help = "plant a bug: multiply the noise; 0.5 must be caught"},
    {.name = "svg", .kind = CN_OPTION_TEXT, .value = "FILE", .help = "draw the membership curves"},
};
