/* SPDX-License-Identifier: Apache-2.0 */
/* `cairn privacy`: what a plan or a ledger costs, and the noise that a budget asks for. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "cli/privacy_answer.h"
#include "cli/privacy_search.h"
#include "cli/show.h"
#include "cli/verbs.h"
#include "privacy/accountant.h"
#include "privacy/factorise.h"
#include "privacy/gaussian.h"

/* ---- one mechanism ---- */

/* What the distributed mechanism's price comes from: Kairouz, Liu, Steinke 2021, proposition 14. */
static int json_distributed(json_t *object, const struct bounds_distributed *mechanism)
{
    struct bounds_sensitivity s;
    double rho;

    if (bounds_distributed_sensitivity(&s, mechanism) != CN_OK ||
        bounds_distributed_zcdp(&rho, mechanism) != CN_OK)
        return -1;
    return json_object_set_new(object, "l2_sensitivity", json_real(s.l2)) |
           json_object_set_new(object, "l1_sensitivity", json_real(s.l1)) |
           json_object_set_new(object, "tau", json_real(s.tau)) |
           json_object_set_new(object, "rho_per_step", json_real(rho));
}

static int json_mechanism(json_t *object, const struct cn_args *args,
                          const struct report_event *event)
{
    bool noisy = event->noise_multiplier > 0, rate = cn_args_given(args, "sampling-rate");
    const char *name = event->kind == REPORT_CORRELATED ? cn_args_text(args, "mechanism")
                                                        : report_kind_name(event->kind);
    int failed = json_object_set_new(object, "mechanism", json_string(name));

    failed |=
        json_object_set_new(object, "steps", json_integer((json_int_t)cn_args_uint(args, "steps")));
    if (noisy)
        failed |=
            json_object_set_new(object, "noise_multiplier", json_real(event->noise_multiplier));
    if (rate)
        failed |= json_object_set_new(object, "sampling_rate", json_real(event->sampling_rate));
    if (event->kind == REPORT_CORRELATED)
        failed |= json_object_set_new(object, "squared_sensitivity", json_real(event->square));
    if (event->kind == REPORT_DISTRIBUTED)
        failed |= json_distributed(object, &event->distributed);
    return failed;
}

static void print_mechanism(const struct cn_args *args, const struct report_event *event)
{
    char steps[SHOW_NUMBER_MAX];

    fprintf(args->out, "  mechanism          %s\n", cn_args_text(args, "mechanism"));
    if (event->noise_multiplier > 0)
        fprintf(args->out, "  noise multiplier   %g\n", event->noise_multiplier);
    if (cn_args_given(args, "sampling-rate"))
        fprintf(args->out,
                "  sampling rate      %-12g %.3g %% of the records in a step, on average\n",
                event->sampling_rate, 100 * event->sampling_rate);
    if (event->kind == REPORT_CORRELATED)
        fprintf(args->out, "  sensitivity^2      %-12g over the whole run\n", event->square);
    fprintf(args->out, "  steps              %s\n", show_count(steps, cn_args_uint(args, "steps")));
}

static json_t *failed_json(json_t *object, int failed)
{
    if (!failed)
        return object;
    json_decref(object);
    return NULL;
}

static int json_order(json_t *object, double order, double rdp)
{
    return json_object_set_new(object, "order", json_real(order)) |
           json_object_set_new(object, "rdp_at_order", show_json_real(rdp));
}

static enum cn_err ask_order(double *rdp, const struct cn_args *args,
                             const struct report_event *event, enum pld_adjacency adjacency,
                             struct cn_diag *diag)
{
    enum cn_err err;

    *rdp = INFINITY;
    if (!cn_args_given(args, "order"))
        return CN_OK;
    err = report_rdp(rdp, cn_args_real(args, "order"), event, 1, adjacency);
    if (err == CN_E_CONFIG) {
        cn_diag_set(diag, NULL, 0, 0, "no RDP at order %g", cn_args_real(args, "order"));
        cn_diag_hint(diag, "orders lie above 1, up to %g", RDP_ORDER_MAX);
    }
    return err;
}

static int mechanism_json(json_t *object, const struct cn_args *args,
                          const struct report_event *event, const struct privacy_price *price,
                          const struct privacy_question *question)
{
    return privacy_price_json(object, price, question) | json_mechanism(object, args, event);
}

static int ask_mechanism(const struct cn_args *args, const struct privacy_question *question)
{
    struct cn_diag diag = {0};
    struct privacy_price price;
    struct report_event event;
    json_t *object;
    double rdp;
    enum cn_err err = privacy_event_read(&event, args, &diag);

    if (err == CN_OK)
        err = privacy_ask(&price, question, &event, 1, &diag);
    if (err == CN_OK)
        err = ask_order(&rdp, args, &event, question->adjacency, &diag);
    if (err != CN_OK)
        return cn_args_fail(args, err, &diag);
    if (args->json) {
        int failed;

        object = json_object();
        failed = mechanism_json(object, args, &event, &price, question);
        if (cn_args_given(args, "order"))
            failed |= json_order(object, cn_args_real(args, "order"), rdp);
        return show_json(args, failed_json(object, failed), CN_EXIT_DONE);
    }
    privacy_price_print(args, &price, question);
    print_mechanism(args, &event);
    if (cn_args_given(args, "order"))
        fprintf(args->out, "  RDP at order %-5g %.10g\n", cn_args_real(args, "order"), rdp);
    return CN_EXIT_DONE;
}

/* ---- a ledger ---- */

static enum cn_err ask_units(struct privacy_price *prices, const struct privacy_ledger *ledger,
                             const struct privacy_question *question, struct cn_diag *diag)
{
    for (uint32_t i = 0; i < ledger->count; i++) {
        const struct privacy_unit *unit = &ledger->units[i];

        CN_TRY(privacy_ask(&prices[i], question, unit->events, unit->count, diag));
    }
    return CN_OK;
}

static double against_aggregator(const struct privacy_unit *unit, const struct privacy_price *price)
{
    return privacy_unit_secret(unit->unit) ? price->best : price->unsampled;
}

static json_t *unit_json(const struct privacy_unit *unit, const struct privacy_price *price,
                         const struct privacy_question *question)
{
    json_t *object = json_pack(
        "{s:s, s:I, s:o, s:s}", "unit", unit->unit, "spendings", (json_int_t)unit->spendings,
        question->delta ? "delta_against_aggregator" : "epsilon_against_aggregator",
        show_json_real(against_aggregator(unit, price)), "amplification", privacy_unit_words(unit));

    return failed_json(object, privacy_price_json(object, price, question));
}

/* With one unit its price stands at the top as well, where a mechanism's stands. */
static json_t *ledger_json(const struct privacy_ledger *ledger, const struct privacy_price *prices,
                           const struct privacy_question *question, const char *path)
{
    json_t *units = json_array();
    json_t *object = json_pack("{s:s, s:b, s:I, s:s, s:o}", "ledger", path, "verified", 1, "lines",
                               (json_int_t)ledger->summary.lines, "owner", ledger->summary.owner,
                               "units", units);
    int failed = ledger->count == 1 ? privacy_price_json(object, &prices[0], question) : 0;

    for (uint32_t i = 0; i < ledger->count; i++)
        failed |= json_array_append_new(units, unit_json(&ledger->units[i], &prices[i], question));
    return failed_json(object, failed);
}

static void print_ledger(const struct cn_args *args, const struct privacy_ledger *ledger,
                         const struct privacy_price *prices,
                         const struct privacy_question *question)
{
    char lines[SHOW_NUMBER_MAX], count[SHOW_NUMBER_MAX];

    fprintf(args->out, "ledger of %s, verified, %s line%s\n", ledger->summary.owner,
            show_count(lines, ledger->summary.lines), show_plural(ledger->summary.lines));
    for (uint32_t i = 0; i < ledger->count; i++) {
        const struct privacy_unit *unit = &ledger->units[i];

        fprintf(args->out, "\nfor every %s, %s spending%s: ", unit->unit[0] ? unit->unit : "record",
                show_count(count, unit->spendings), show_plural(unit->spendings));
        privacy_price_print(args, &prices[i], question);
        fprintf(args->out, "  %s\n", privacy_unit_words(unit));
    }
}

/* Everything that describes a mechanism contradicts a ledger, which says it itself. */
static enum cn_err check_alone(const struct cn_args *args, struct cn_diag *diag)
{
    static const char *const shared[] = {"ledger", "delta", "epsilon", "adjacency"};

    for (size_t i = 0; i < args->verb->option_count; i++) {
        const char *name = args->verb->options[i].name;
        bool own = !cn_args_given(args, name);

        for (size_t k = 0; k < CN_COUNT(shared); k++)
            own |= strcmp(name, shared[k]) == 0;
        if (own)
            continue;
        cn_diag_set(diag, NULL, 0, 0, "--%s does not go with --ledger", name);
        cn_diag_hint(diag, "a ledger names the mechanisms that it was charged for");
        return CN_E_CONFIG;
    }
    return CN_OK;
}

static int ask_ledger(const struct cn_args *args, const struct privacy_question *question)
{
    const char *path = cn_args_text(args, "ledger");
    struct privacy_price prices[PRIVACY_UNITS_MAX];
    struct privacy_ledger ledger;
    struct cn_diag diag = {0};
    int code = CN_EXIT_DONE;
    enum cn_err err = check_alone(args, &diag);

    if (err == CN_OK)
        err = privacy_ledger_read(&ledger, path, &diag);
    if (err != CN_OK)
        return cn_args_fail(args, err, &diag);
    if (ledger.count == 0)
        ledger.count = 1; /* nothing was spent: one unit without events */
    err = ask_units(prices, &ledger, question, &diag);
    if (err != CN_OK)
        code = cn_args_fail(args, err, &diag);
    else if (args->json)
        code = show_json(args, ledger_json(&ledger, prices, question, path), CN_EXIT_DONE);
    else
        print_ledger(args, &ledger, prices, question);
    privacy_ledger_clear(&ledger);
    return code;
}

static int ask(const struct cn_args *args, bool delta)
{
    struct privacy_question question = {
        .delta = delta,
        .at = cn_args_real(args, delta ? "epsilon" : "delta"),
        .adjacency = cn_args_choice(args, "adjacency") == 1 ? PLD_REPLACE_ONE : PLD_ADD_REMOVE,
    };

    return cn_args_given(args, "ledger") ? ask_ledger(args, &question)
                                         : ask_mechanism(args, &question);
}

static int privacy_epsilon(const struct cn_args *args)
{
    return ask(args, false);
}

static int privacy_delta(const struct cn_args *args)
{
    return ask(args, true);
}

/* ---- calibrate ---- */

static json_t *calibrated_json(const struct cn_args *args, const struct privacy_noise *found,
                               const struct privacy_price *price,
                               const struct privacy_question *question,
                               const struct report_event *event)
{
    json_t *object =
        json_pack("{s:o, s:o, s:f, s:f, s:s}", "noise_multiplier_pld", show_json_real(found->pld),
                  "noise_multiplier_rdp", show_json_real(found->rdp), "epsilon_target",
                  cn_args_real(args, "epsilon"), "noise", found->noise, "noise_is",
                  privacy_event_noise_name(args));

    return failed_json(object, mechanism_json(object, args, event, price, question));
}

static int privacy_calibrate(const struct cn_args *args)
{
    struct privacy_question question = {
        .at = cn_args_real(args, "delta"),
        .adjacency = cn_args_choice(args, "adjacency") == 1 ? PLD_REPLACE_ONE : PLD_ADD_REMOVE,
    };
    double target = cn_args_real(args, "epsilon");
    struct privacy_noise found = {0};
    struct privacy_price price = {0};
    struct report_event event;
    struct cn_diag diag = {0};
    enum cn_err err = privacy_event_read_open(&event, args, &diag);

    if (err == CN_OK)
        err = privacy_search(&found, &event, &question, target, &diag);
    if (err == CN_OK) {
        privacy_event_set_noise(&event, found.noise);
        err = privacy_ask(&price, &question, &event, 1, &diag);
    }
    if (err != CN_OK)
        return cn_args_fail(args, err, &diag);
    if (args->json)
        return show_json(args, calibrated_json(args, &found, &price, &question, &event),
                         CN_EXIT_DONE);
    if (strcmp(privacy_event_noise_name(args), "noise-multiplier") == 0)
        fprintf(args->out, "noise multiplier = %.12g\n\n", found.noise);
    else
        fprintf(args->out, "%s = %.12g\n\n", privacy_event_noise_name(args), found.noise);
    if (isfinite(found.rdp) && isfinite(found.pld))
        fprintf(args->out, "  by RDP it would be %.6g\n", found.rdp);
    fprintf(args->out, "  asked for          epsilon %g at most; it costs:\n\n", target);
    privacy_price_print(args, &price, &question);
    print_mechanism(args, &event);
    return CN_EXIT_DONE;
}

/* clang-format off */
#define REAL_OPTION(word, letter, low, high, text) \
    {.name = word, .kind = CN_OPTION_REAL, .value = letter, .min = low, .max = high, .help = text}
#define UINT_OPTION(word, letter, low, high, text) \
    {.name = word, .kind = CN_OPTION_UINT, .value = letter, .min = low, .max = high, .help = text}
#define ADJACENCY_OPTION {.name = "adjacency", .kind = CN_OPTION_CHOICE, .value = "NAME", \
     .choices = PRIVACY_ADJACENCIES, .fallback = "add-remove", \
     .help = "neighbouring data: one record more or less, or another in its place"}
#define DELTA_OPTION {.name = "delta", .kind = CN_OPTION_REAL, .value = "D", .min = 0, \
     .max = 0.999999, .required = true, \
     .help = "chance that the promise may fail, e.g. 1e-5; 0 for laplace"}
#define LEDGER_OPTION {.name = "ledger", .kind = CN_OPTION_TEXT, .value = "FILE", \
     .help = "instead of a mechanism: verify this ledger and price all that it holds"}
#define MECHANISM_OPTIONS \
    {.name = "mechanism", .kind = CN_OPTION_CHOICE, .value = "NAME", \
     .choices = PRIVACY_MECHANISMS, .fallback = "gaussian", .help = "what adds the noise"}, \
    ADJACENCY_OPTION, \
    UINT_OPTION("steps", "T", 1, 1e12, "steps, over all rounds"), \
    REAL_OPTION("noise-multiplier", "Z", PLD_NOISE_MIN, PLD_NOISE_MAX, \
                "standard deviation of the noise / clip norm"), \
    REAL_OPTION("sampling-rate", "Q", 0, 1, "probability of each record to be in a step"), \
    UINT_OPTION("sensitivity", "N", 1, 65536, \
                "discrete-gaussian: of one whole number that a record moves by N"), \
    REAL_OPTION("scale", "S", 1e-9, 1e12, "laplace: scale / sensitivity; distributed: units / 1"), \
    UINT_OPTION("trees", "N", 1, 1e9, "tree: restarted so often, each over --steps"), \
    UINT_OPTION("participations", "N", 1, 65536, "tree, banded: steps in which one record may be"), \
    UINT_OPTION("separation", "N", 0, 1e12, "tree, banded: steps between two of them, at least"), \
    UINT_OPTION("band", "B", 1, FACTORISE_BAND_MAX, "banded: coefficients of the factor"), \
    REAL_OPTION("l2", "N", 1e-9, 1e15, "skellam: sensitivity in whole units"), \
    REAL_OPTION("l1", "N", 1e-9, 1e18, "skellam: the same in the L1 norm"), \
    REAL_OPTION("variance", "V", 1e-9, 1e30, "skellam: of the sum's noise"), \
    UINT_OPTION("clients", "N", 1, 1e9, "distributed: honest survivors, at least"), \
    UINT_OPTION("dim", "D", 1, 4e9, "distributed: numbers in a vector, padding included"), \
    REAL_OPTION("clip", "C", 1e-12, 1e12, "distributed: L2 norm of a vector before scaling"), \
    REAL_OPTION("sigma-local", "S", 0.5, 1e12, "distributed: each device's noise in whole units"), \
    REAL_OPTION("beta", "B", 0, 0.999999, "distributed: of the conditional rounding, 0: none")
#define ORDER_OPTION \
    REAL_OPTION("order", "A", 1, RDP_ORDER_MAX, "tell the RDP of all steps at this order, too")

static const struct cn_option epsilon_options[] = {DELTA_OPTION, LEDGER_OPTION, MECHANISM_OPTIONS,
                                                   ORDER_OPTION};
static const struct cn_option delta_options[] = {
    {.name = "epsilon", .kind = CN_OPTION_REAL, .value = "E", .min = 0, .max = 1e6,
     .required = true, .help = "at this epsilon"},
    LEDGER_OPTION,
    MECHANISM_OPTIONS,
    ORDER_OPTION,
};
static const struct cn_option calibrate_options[] = {
    {.name = "epsilon", .kind = CN_OPTION_REAL, .value = "E", .min = 1e-6, .max = 1e6,
     .required = true, .help = "budget for all steps together"},
    DELTA_OPTION,
    MECHANISM_OPTIONS,
};
/* clang-format on */

const struct cn_verb privacy_verbs[] = {
    {.name = "privacy epsilon",
     .summary = "price a mechanism or a ledger: its epsilon at a delta",
     .details = "Bounds are proven, by privacy loss distributions (PLD) and by Renyi differential "
                "privacy (RDP), and rounded up; epsilon is the smaller of them. They hold for "
                "everything that is computed from the noisy sums afterwards.\n\n"
                "Options that a mechanism does not use are refused. With --ledger FILE the ledger "
                "is verified and everything that it was charged for is priced, unit by unit.",
     .example = "cairn privacy epsilon --noise-multiplier 0.95 --sampling-rate 0.034 --steps 435 "
                "--delta 1e-5",
     .options = epsilon_options,
     .option_count = CN_COUNT(epsilon_options),
     .run = privacy_epsilon},
    {.name = "privacy delta",
     .summary = "the other direction: the delta of a mechanism or a ledger at an epsilon",
     .example = "cairn privacy delta --mechanism laplace --scale 20 --steps 100 --epsilon 3",
     .options = delta_options,
     .option_count = CN_COUNT(delta_options),
     .run = privacy_delta},
    {.name = "privacy calibrate",
     .summary = "find the smallest noise multiplier that keeps a budget",
     .details = "The smallest by PLD, rounded up; what RDP would ask for stands beside it. All "
                "options of the mechanism but its noise are given: --noise-multiplier, --scale "
                "(laplace), --variance (skellam) or --sigma-local (distributed) is the answer.",
     .example = "cairn privacy calibrate --epsilon 6 --delta 1e-5 --sampling-rate 0.034 "
                "--steps 435",
     .options = calibrate_options,
     .option_count = CN_COUNT(calibrate_options),
     .run = privacy_calibrate},
};
const size_t privacy_verb_count = CN_COUNT(privacy_verbs);
