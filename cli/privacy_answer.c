/* SPDX-License-Identifier: Apache-2.0 */
/* One shape for both directions: a best bound, one per accountant, and one without sampling. */
#include "cli/privacy_answer.h"

#include <math.h>
#include <stdlib.h>

#include "cli/show.h"

static enum cn_err ask_once(struct privacy_price *price, const struct privacy_question *question,
                            const struct report_event *events, size_t count)
{
    struct report_delta deltas;
    struct report epsilons;

    if (question->delta) {
        CN_TRY(report_delta_make(&deltas, events, count, question->adjacency, question->at));
        *price = (struct privacy_price){deltas.delta,     deltas.delta_rdp,       deltas.rdp_order,
                                        deltas.delta_pld, deltas.delta_pld_lower, deltas.has_pld,
                                        deltas.delta};
        return CN_OK;
    }
    CN_TRY(report_make(&epsilons, events, count, question->adjacency, question->at));
    *price = (struct privacy_price){
        epsilons.epsilon,           epsilons.epsilon_rdp, epsilons.rdp_order, epsilons.epsilon_pld,
        epsilons.epsilon_pld_lower, epsilons.has_pld,     epsilons.epsilon};
    return CN_OK;
}

static bool sampled(const struct report_event *event)
{
    return (event->kind == REPORT_GAUSSIAN || event->kind == REPORT_DISCRETE_GAUSSIAN) &&
           event->sampling_rate > 0 && event->sampling_rate < 1;
}

static enum cn_err ask_unsampled(double *best, const struct privacy_question *question,
                                 const struct report_event *events, size_t count)
{
    struct report_event *list = malloc((count + 1) * sizeof *list);
    struct privacy_price price;
    enum cn_err err;

    if (!list)
        return CN_E_NOMEM;
    for (size_t i = 0; i < count; i++) {
        list[i] = events[i];
        if (sampled(&events[i]))
            list[i].sampling_rate = 1;
    }
    err = ask_once(&price, question, list, count);
    *best = err == CN_OK ? price.best : question->delta ? 1 : INFINITY;
    free(list);
    return err == CN_E_CONFIG ? CN_OK : err; /* sampled it could be priced, unsampled it is lost */
}

enum cn_err privacy_ask(struct privacy_price *price, const struct privacy_question *question,
                        const struct report_event *events, size_t count, struct cn_diag *diag)
{
    bool any = false;
    enum cn_err err = ask_once(price, question, events, count);

    for (size_t i = 0; i < count; i++)
        any |= sampled(&events[i]);
    if (err == CN_OK && any)
        err = ask_unsampled(&price->unsampled, question, events, count);
    if (err == CN_OK && !question->delta && question->at == 0 && isinf(price->best)) {
        cn_diag_set(diag, NULL, 0, 0, "no epsilon holds at delta 0 with this noise");
        cn_diag_hint(diag, "--delta 0 is for laplace; take for example 1e-5");
        return CN_E_CONFIG;
    }
    if (err == CN_E_CONFIG) {
        cn_diag_set(diag, NULL, 0, 0, "the mechanism can not be accounted with these parameters");
        cn_diag_hint(diag,
                     "noise multipliers from %g to %g, sums of at most 2^40 steps, see "
                     "docs/privacy.md",
                     PLD_NOISE_MIN, PLD_NOISE_MAX);
    }
    return err;
}

const char *privacy_adjacency_name(enum pld_adjacency adjacency)
{
    return adjacency == PLD_REPLACE_ONE ? "replace_one" : "add_or_remove_one";
}

static int set_real(json_t *object, const char *what, const char *suffix, double value)
{
    char name[64];

    snprintf(name, sizeof name, "%s%s", what, suffix);
    return json_object_set_new(object, name, show_json_real(value));
}

int privacy_price_json(json_t *object, const struct privacy_price *price,
                       const struct privacy_question *question)
{
    const char *what = question->delta ? "delta" : "epsilon";
    bool by_pld = price->has_pld && price->pld <= price->rdp;
    int failed = set_real(object, what, "", price->best);

    failed |= set_real(object, what, "_rdp", price->rdp);
    failed |= set_real(object, what, "_pld", price->has_pld ? price->pld : INFINITY);
    failed |= set_real(object, what, "_pld_lower", price->has_pld ? price->pld_lower : INFINITY);
    failed |= set_real(object, what, "_unsampled", price->unsampled);
    failed |= set_real(object, "rdp_order", "", price->rdp_order > 0 ? price->rdp_order : INFINITY);
    failed |= set_real(object, question->delta ? "epsilon" : "delta", "", question->at);
    failed |= json_object_set_new(object, "accountant", json_string(by_pld ? "pld" : "rdp"));
    failed |= json_object_set_new(object, "neighbours",
                                  json_string(privacy_adjacency_name(question->adjacency)));
    return failed;
}

static const char *show_bound(char out[SHOW_NUMBER_MAX], double value, bool delta)
{
    if (!delta)
        return show_epsilon(out, value);
    snprintf(out, SHOW_NUMBER_MAX, "%.4g", value);
    return out;
}

void privacy_price_print(const struct cn_args *args, const struct privacy_price *price,
                         const struct privacy_question *question)
{
    bool delta = question->delta;
    char a[SHOW_NUMBER_MAX], b[SHOW_NUMBER_MAX];

    fprintf(args->out, "%s = %s\n\n", delta ? "delta" : "epsilon",
            show_bound(a, price->best, delta));
    fprintf(args->out, "  %-18s %g\n", delta ? "epsilon" : "delta", question->at);
    fprintf(args->out, "  neighbours         %s\n",
            question->adjacency == PLD_REPLACE_ONE ? "one record replaced"
                                                   : "one record added or removed");
    if (price->has_pld)
        fprintf(args->out, "  by PLD             %-12s the truth is not below %s\n",
                show_bound(a, price->pld, delta), show_bound(b, price->pld_lower, delta));
    else
        fprintf(args->out, "  by PLD             none: no loss distribution of this mechanism\n");
    if (price->rdp_order > 0)
        fprintf(args->out, "  by RDP             %-12s order %g\n",
                show_bound(a, price->rdp, delta), price->rdp_order);
    else
        fprintf(args->out, "  by RDP             no bound\n");
    if (price->unsampled > price->best)
        fprintf(args->out,
                "  unsampled          %-12s against whoever sees which records are drawn\n",
                show_bound(a, price->unsampled, delta));
}
