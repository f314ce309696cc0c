/* SPDX-License-Identifier: Apache-2.0 */
/* What has to hold between the settings of a task. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/text.h"
#include "crypto/graph.h"
#include "task/tally.h"
#include "task/task_internal.h"

enum cn_err task_refuse(const struct task_check *check, const char *path, const char *format, ...)
{
    char words[CN_DIAG_TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    return cn_config_refuse(check->diag, check->task->text, check->task->len, check->place, path,
                            "%s", words);
}

enum cn_err task_refuse_hint(const struct task_check *check, const char *path, const char *text,
                             const char *hint)
{
    enum cn_err err = task_refuse(check, path, "%s", text);

    cn_diag_hint(check->diag, "%s", hint);
    return err;
}

static enum cn_err check_names(const struct task_check *check, const struct task_raw *raw)
{
    if (!cn_text_is_name(raw->task, TASK_NAME_MAX))
        return task_refuse(check, "task", "'task' is a name of letters, digits, '-', '_' and '.'");
    if (raw->model.input_count == 2)
        return task_refuse_hint(check, "model.input", "'model.input' has 2 numbers",
                                "[channels, height, width] for images, [columns] for tables");
    return task_check_data(check);
}

static enum cn_err check_training(const struct task_check *check)
{
    const struct task_training *training = &check->task->training;

    struct optimiser_options optimiser = training->optimiser;
    struct cn_diag fault = {0};

    optimiser.learning_rate = training->learning_rate;
    optimiser.momentum = training->momentum;
    if (optimiser_check(&optimiser, &fault) != CN_OK)
        return task_refuse(check, "training", "%s", fault.text);
    if (training->steps && training->epochs)
        return task_refuse(check, "training.epochs", "'steps' and 'epochs' exclude each other");
    if (!training->steps && !training->epochs)
        return task_refuse_hint(check, "training", "how long to train is missing",
                                "give either 'steps' or 'epochs'");
    if (training->weighting == TASK_WEIGHTING_EXAMPLES && !training->examples_max)
        return task_refuse_hint(check, "training.weighting",
                                "weighting by examples needs 'examples_max'",
                                "the number of examples from which on devices count the same");
    if (training->weighting != TASK_WEIGHTING_EXAMPLES && training->examples_max)
        return task_refuse(check, "training.examples_max",
                           "'examples_max' is for 'weighting: examples' only");
    return CN_OK;
}

/* Keys of secure aggregation that stand where there is none promise what nobody keeps. */
static enum cn_err check_mode_off(const struct task_check *check, const struct task_secagg *raw)
{
    static const char *const hint = "remove it, or set 'mode: on'";

    if (raw->threshold)
        return task_refuse_hint(check, "secure_aggregation.threshold",
                                "'threshold' needs 'mode: on'", hint);
    if (raw->corrupt != 0)
        return task_refuse_hint(check, "secure_aggregation.corrupt", "'corrupt' needs 'mode: on'",
                                hint);
    if (raw->dropout != 0)
        return task_refuse_hint(check, "secure_aggregation.dropout", "'dropout' needs 'mode: on'",
                                hint);
    return CN_OK;
}

/* What a file asks of the graph must be possible in its largest cohort; a complete graph bears what
 * is not asked for in words. */
static enum cn_err check_graph(const struct task_check *check, const struct task_secagg *raw)
{
    const struct task_secagg *secagg = &check->task->secure_aggregation;
    struct graph_demand demand = {
        .devices = check->task->rounds.cohort_max,
        .corrupt_permille = task_permille(secagg->corrupt),
        .dropout_permille = task_permille(secagg->dropout),
        .security_bits = GRAPH_SECURITY_BITS,
        .correctness_bits = GRAPH_CORRECTNESS_BITS,
        .adversary = secagg->adversary == TASK_ADVERSARY_CURIOUS ? GRAPH_CURIOUS : GRAPH_MALICIOUS};
    struct graph_plan plan;
    struct cn_diag fault = {0};
    bool said = raw->corrupt != 0 || raw->dropout != 0;
    enum cn_err err = said ? graph_plan_make(&plan, &demand, &fault) : CN_OK;

    if (err == CN_E_THRESHOLD)
        return task_refuse_hint(check, "secure_aggregation", fault.text, fault.hint);
    return err;
}

/* What the rounds themselves will plan: cohorts too large for the complete graph need a ring. */
static enum cn_err check_ring(const struct task_check *check)
{
    const struct task_rounds *rounds = &check->task->rounds;
    uint32_t sizes[] = {rounds->cohort_min, rounds->cohort_max};
    struct secagg_config config = {0};
    struct cn_diag fault = {0};

    task_secagg_ring(&config.ring, check->task);
    config.dim = 1;
    config.bits = SECAGG_BITS_MAX;
    config.cohort_min = rounds->cohort_min;
    if (sizes[0] <= SECAGG_COMPLETE_MAX)
        sizes[0] = SECAGG_COMPLETE_MAX + 1;
    for (size_t i = 0; rounds->cohort_max > SECAGG_COMPLETE_MAX && i < CN_COUNT(sizes); i++) {
        struct secagg_plan plan;
        enum cn_err err = secagg_plan_make(&plan, &config, sizes[i], &fault);

        if (err == CN_E_THRESHOLD)
            return task_refuse_hint(check, "rounds.cohort_max", fault.text, fault.hint);
        CN_TRY(err);
    }
    return CN_OK;
}

static enum cn_err check_secagg(const struct task_check *check, const struct task_raw *raw)
{
    if (check->task->secure_aggregation.mode == TASK_MODE_OFF)
        return check_mode_off(check, &raw->secure_aggregation);
    CN_TRY(check_graph(check, &raw->secure_aggregation));
    return check_ring(check);
}

static enum cn_err check_rounds(const struct task_check *check)
{
    const struct task_rounds *rounds = &check->task->rounds;

    if (rounds->cohort_min > rounds->cohort_max)
        return task_refuse(check, "rounds.cohort_min", "'cohort_min' %u is above 'cohort_max' %u",
                           rounds->cohort_min, rounds->cohort_max);
    if (check->task->secure_aggregation.threshold > rounds->cohort_min)
        return task_refuse(check, "secure_aggregation.threshold",
                           "'threshold' %u is above 'rounds.cohort_min' %u: a smallest round could "
                           "never be opened",
                           check->task->secure_aggregation.threshold, rounds->cohort_min);
    return CN_OK;
}

enum cn_err task_check_settings(const struct task *task, const struct task_raw *raw,
                                const char *place, struct cn_diag *diag)
{
    struct task_check check = {task, place, diag};

    CN_TRY(check_names(&check, raw));
    CN_TRY(check_training(&check));
    CN_TRY(task_check_privacy(&check, raw));
    CN_TRY(check_rounds(&check));
    return check_secagg(&check, raw);
}

/* Refuses with the last layer, its line and its output in front of the words. */
static enum cn_err refuse_output(const struct task_check *check, const struct model *model,
                                 const char *words, const char *hint)
{
    const struct model_spec *spec = &check->task->model;
    const struct layer_spec *last = &spec->layers[spec->layer_count - 1];
    char path[CN_CONFIG_PATH_MAX], steps[32] = "";

    snprintf(path, sizeof path, "model.layers[%u]", spec->layer_count - 1);
    if (model_positions(model) > 1)
        snprintf(steps, sizeof steps, " at each of %u steps", model_positions(model));
    CN_IGNORE(task_refuse(check, path, "layer %u (%s, line %u): its output is %u%s but %s",
                          spec->layer_count, layer_kind_name(last->kind), last->line,
                          model_outputs(model), steps, words));
    if (hint)
        cn_diag_hint(check->diag, "%s", hint);
    return CN_E_CONFIG;
}

/* Numbers to predict: as many as the model gives, by a loss of numbers. */
static enum cn_err check_targets(const struct task_check *check, const struct model *model)
{
    uint32_t targets = check->task->data.target_count;
    char words[96];

    if (model_loss(model).kind == LOSS_CROSS_ENTROPY)
        return task_refuse_hint(check, "data.targets",
                                "'data.targets' are numbers, and the model's loss is "
                                "cross_entropy, which is for classes",
                                "set 'model.loss: mean_squared_error', or huber, or "
                                "binary_cross_entropy for targets from 0 to 1");
    if ((uint64_t)model_outputs(model) * model_positions(model) == targets)
        return CN_OK;
    snprintf(words, sizeof words, "'data.targets' names %u numbers", targets);
    return refuse_output(check, model, words, NULL);
}

/* Classes are predicted once for an example, or of texts at every step, or of pairs at every step
 * of their second half. */
static enum cn_err check_positions(const struct task_check *check, const struct model *model)
{
    uint32_t positions = model_positions(model), width = check->task->model.width;
    char words[128];

    if (positions == 1)
        return CN_OK;
    if (!check->task->model.vocabulary)
        return refuse_output(check, model, "an example of values has one class",
                             "add 'global_average_pool', or take the last output only");
    if (positions == width || (width % 2 == 0 && positions == width / 2))
        return CN_OK;
    snprintf(words, sizeof words, "an example of %u tokens has classes for 1 step, for all %u%s",
             width, width, width % 2 ? "" : " or, of pairs, for the second half");
    return refuse_output(check, model, words, NULL);
}

static enum cn_err check_outputs(const struct task_check *check, const struct model *model)
{
    enum loss_kind loss = model_loss(model).kind;
    bool sides = loss == LOSS_BINARY_CROSS_ENTROPY && model_outputs(model) == 1;
    uint32_t classes = sides ? 2 : model_outputs(model);
    char words[96];

    if (check->task->data.target_count)
        return check_targets(check, model);
    if (loss != LOSS_CROSS_ENTROPY && !sides)
        return task_refuse_hint(check, "data.classes",
                                "'data.classes' needs the loss cross_entropy, or "
                                "binary_cross_entropy with one output",
                                "change 'model.loss', or give 'data.targets' for numbers");
    snprintf(words, sizeof words, "'data.classes' is %u", check->task->data.classes);
    if (classes != check->task->data.classes)
        return refuse_output(check, model, words,
                             sides ? "one output tells 2 classes apart" : NULL);
    return check_positions(check, model);
}

static enum cn_err check_freeze(const struct task_check *check, struct model *model)
{
    struct cn_diag fault = {0};
    enum cn_err err;

    if (check->task->training.freeze_count && check->task->privacy.unit == TASK_UNIT_USER)
        return task_refuse(check, "training.freeze",
                           "'freeze' does not go with 'privacy.unit: user', whose noise would "
                           "change frozen layers");
    err = task_freeze(model, check->task, &fault);
    if (err != CN_E_CONFIG && err != CN_E_NOT_FOUND)
        return err;
    return task_refuse(check, "training.freeze", "%s", fault.text);
}

enum cn_err task_check_model(struct task *task, const char *place, struct cn_diag *diag)
{
    struct task_check check = {task, place, diag};
    struct cn_diag fault = {0};
    struct encode_plan plan;
    struct model *model;
    enum cn_err err = model_new(&model, &task->model, 1, &fault);

    if (err != CN_OK) {
        if (fault.line)
            cn_diag_set(diag, place, fault.line, fault.column, "%s", fault.text);
        else if (fault.text[0])
            CN_IGNORE(task_refuse(&check, "model.layers", "%s", fault.text));
        cn_diag_hint(diag, "%s", fault.hint);
        return err == CN_E_NOMEM ? err : CN_E_CONFIG;
    }
    task->params = model_params(model);
    err = check_freeze(&check, model);
    if (err == CN_OK)
        err = check_outputs(&check, model);
    if (err == CN_OK && task->params > TASK_PARAMS_MAX)
        err = task_refuse(&check, "model.layers", "%zu parameters, at most %zu", task->params,
                          TASK_PARAMS_MAX);
    model_free(model);
    if (err != CN_OK)
        return err;
    memset(&fault, 0, sizeof fault);
    err = task_encode_plan(&plan, task, &fault);
    if (err == CN_E_CONFIG)
        CN_IGNORE(task_refuse(&check, "secure_aggregation", "%s", fault.text));
    return err;
}

/* The largest number of rounds that fits, by halving. */
static uint32_t rounds_that_fit(const struct task *task)
{
    uint32_t low = 0, high = task->rounds.count;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        double epsilon;

        if (task_epsilon(task, middle, &epsilon) == CN_OK && epsilon <= task->privacy.epsilon_max)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static void suggest(const struct task *task, struct cn_diag *diag)
{
    uint32_t fits = rounds_that_fit(task);
    struct accountant_event event;
    char rounds[32] = "not even one round fits";

    if (fits)
        snprintf(rounds, sizeof rounds, "%u round%s", fits, fits == 1 ? " fits" : "s fit");
    (void)task_round_event(task, &event);
    event.steps *= task->rounds.count;
    if (accountant_calibrate(&event, task->privacy.epsilon_max, task->privacy.delta) == CN_OK)
        cn_diag_hint(diag, "%s, or all of them with noise_multiplier %.4f", rounds,
                     event.noise_multiplier + 5e-5);
    else
        cn_diag_hint(diag, "%s", rounds);
}

enum cn_err task_check_budget(struct task *task, const char *place, struct cn_diag *diag)
{
    struct task_check check = {task, place, diag};
    const struct task_privacy *privacy = &task->privacy;

    CN_TRY(task_epsilon(task, task->rounds.count, &task->epsilon));
    if (privacy->epsilon_max == 0 || task->epsilon <= privacy->epsilon_max)
        return CN_OK;
    CN_IGNORE(task_refuse(&check, "privacy.epsilon_max",
                          "%u rounds cost epsilon %.3f at delta %g, 'epsilon_max' is %g",
                          task->rounds.count, task->epsilon, privacy->delta, privacy->epsilon_max));
    suggest(task, diag);
    return CN_E_BUDGET;
}
