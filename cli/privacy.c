/* SPDX-License-Identifier: Apache-2.0 */
/* `cairn privacy`: what a plan costs, and the noise that a budget asks for. */
#include <inttypes.h>

#include "cli/show.h"
#include "cli/verbs.h"
#include "privacy/accountant.h"
#include "privacy/rdp.h"

#define MECHANISMS "gaussian discrete_gaussian"

static const enum accountant_kind kinds[] = {ACCOUNTANT_GAUSSIAN, ACCOUNTANT_DISCRETE_GAUSSIAN};
_Static_assert(CN_COUNT(kinds) == ACCOUNTANT_KIND_COUNT, "MECHANISMS names every kind");

static struct accountant_event event_of(const struct cn_args *args)
{
    return (struct accountant_event){
        .kind = kinds[cn_args_choice(args, "mechanism")],
        .sampling_rate = cn_args_real(args, "sampling-rate"),
        .steps = cn_args_uint(args, "steps"),
    };
}

static enum cn_err price(const struct accountant_event *event, double delta, double *epsilon,
                         double *order)
{
    struct accountant accountant;

    accountant_init(&accountant);
    CN_TRY(accountant_add(&accountant, event));
    return accountant_epsilon(&accountant, delta, epsilon, order);
}

static json_t *answer(const struct accountant_event *event, double delta, double epsilon,
                      double order)
{
    return json_pack("{s:s, s:f, s:f, s:I, s:f, s:o, s:f, s:s, s:s}", "mechanism",
                     accountant_kind_name(event->kind), "noise_multiplier",
                     event->noise_multiplier, "sampling_rate", event->sampling_rate, "steps",
                     (json_int_t)event->steps, "delta", delta, "epsilon", show_json_real(epsilon),
                     "order", order, "accountant", "rdp", "neighbours", "add_or_remove_one");
}

static void print_event(const struct cn_args *args, const struct accountant_event *event,
                        double delta)
{
    char steps[SHOW_NUMBER_MAX];

    fprintf(args->out, "  mechanism          %s\n",
            event->kind == ACCOUNTANT_GAUSSIAN ? "Gaussian, Poisson-sampled"
                                               : "discrete Gaussian, Poisson-sampled");
    fprintf(args->out, "  sampling rate      %-12g %.3g %% of the examples in a step, on average\n",
            event->sampling_rate, 100 * event->sampling_rate);
    fprintf(args->out, "  steps              %s\n", show_count(steps, event->steps));
    fprintf(args->out, "  delta              %g\n", delta);
}

static int privacy_epsilon(const struct cn_args *args)
{
    struct accountant_event event = event_of(args);
    double delta = cn_args_real(args, "delta");
    double epsilon = 0, order = 0;
    char shown[SHOW_NUMBER_MAX];
    enum cn_err err;

    event.noise_multiplier = cn_args_real(args, "noise-multiplier");
    err = price(&event, delta, &epsilon, &order);
    if (err != CN_OK)
        return cn_args_fail(args, err, NULL);
    if (args->json)
        return show_json(args, answer(&event, delta, epsilon, order), CN_EXIT_DONE);
    fprintf(args->out, "epsilon = %s\n\n", show_epsilon(shown, epsilon));
    fprintf(args->out, "  noise multiplier   %g\n", event.noise_multiplier);
    print_event(args, &event, delta);
    fprintf(args->out, "  accountant         RDP, order %g; for adding or removing one example\n",
            order);
    return CN_EXIT_DONE;
}

static int privacy_calibrate(const struct cn_args *args)
{
    struct accountant_event event = event_of(args);
    double delta = cn_args_real(args, "delta");
    double target = cn_args_real(args, "epsilon");
    double epsilon = 0, order = 0;
    struct cn_diag diag = {0};
    enum cn_err err = accountant_calibrate(&event, target, delta);

    if (err == CN_E_BUDGET) {
        cn_diag_set(&diag, NULL, 0, 0, "no noise brings %" PRIu64 " steps to epsilon %g at delta %g",
                    event.steps, target, delta);
        cn_diag_hint(&diag, "take fewer steps, a smaller sampling rate or a larger delta");
    }
    if (err == CN_OK)
        err = price(&event, delta, &epsilon, &order);
    if (err != CN_OK)
        return cn_args_fail(args, err, &diag);
    if (args->json)
        return show_json(args, answer(&event, delta, epsilon, order), CN_EXIT_DONE);
    fprintf(args->out, "noise multiplier = %.6g\n\n", event.noise_multiplier);
    fprintf(args->out, "  epsilon            %.4f       asked for: at most %g\n", epsilon, target);
    print_event(args, &event, delta);
    fprintf(args->out, "  accountant         RDP, order %g; for adding or removing one example\n",
            order);
    return CN_EXIT_DONE;
}

/* clang-format off */
#define MECHANISM_OPTION {.name = "mechanism", .kind = CN_OPTION_CHOICE, .value = "NAME", \
     .choices = MECHANISMS, .fallback = "gaussian", .help = "what adds the noise"}
#define RATE_OPTION {.name = "sampling-rate", .kind = CN_OPTION_REAL, .value = "Q", .min = 0, \
     .max = 1, .required = true, .help = "probability of each example to be in a step"}
#define STEPS_OPTION {.name = "steps", .kind = CN_OPTION_UINT, .value = "T", .min = 1, .max = 1e12, \
     .required = true, .help = "steps of training, over all rounds"}
#define DELTA_OPTION {.name = "delta", .kind = CN_OPTION_REAL, .value = "D", .min = 1e-300, \
     .max = 0.999999, .required = true, .help = "chance that the promise may fail, e.g. 1e-5"}

static const struct cn_option epsilon_options[] = {
    MECHANISM_OPTION,
    {.name = "noise-multiplier", .kind = CN_OPTION_REAL, .value = "Z", .min = RDP_SIGMA_MIN,
     .max = RDP_SIGMA_MAX, .required = true, .help = "standard deviation of the noise / clip norm"},
    RATE_OPTION,
    STEPS_OPTION,
    DELTA_OPTION,
};
static const struct cn_option calibrate_options[] = {
    MECHANISM_OPTION,
    {.name = "epsilon", .kind = CN_OPTION_REAL, .value = "E", .min = 1e-6, .max = 1e6,
     .required = true, .help = "budget for all steps together"},
    DELTA_OPTION,
    RATE_OPTION,
    STEPS_OPTION,
};
/* clang-format on */

const struct cn_verb privacy_verbs[] = {
    {.name = "privacy epsilon",
     .summary = "price a plan: the epsilon of noise, sampling rate and steps",
     .details = "The bound is proven by Renyi differential privacy and rounded up. It holds for "
                "everything that is computed from the noisy sums afterwards.",
     .example = "cairn privacy epsilon --noise-multiplier 0.95 --sampling-rate 0.034 --steps 435 "
                "--delta 1e-5",
     .options = epsilon_options,
     .option_count = CN_COUNT(epsilon_options),
     .run = privacy_epsilon},
    {.name = "privacy calibrate",
     .summary = "find the smallest noise multiplier that keeps a budget",
     .example = "cairn privacy calibrate --epsilon 6 --delta 1e-5 --sampling-rate 0.034 "
                "--steps 435",
     .options = calibrate_options,
     .option_count = CN_COUNT(calibrate_options),
     .run = privacy_calibrate},
};
const size_t privacy_verb_count = CN_COUNT(privacy_verbs);
