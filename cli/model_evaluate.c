/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/model_evaluate.h"

#include <math.h>
#include <stdlib.h>

#include "cli/show.h"
#include "nn/gradient.h"
#include "nn/metrics.h"
#include "nn/safetensors.h"
#include "task/task.h"

#define CLASSES_SHOWN_MAX 64u   /* as text; JSON has them all */
#define CONFUSION_SHOWN_MAX 16u /* columns that fit a terminal */

struct score {
    const struct task *task;
    struct metrics metrics;
    uint32_t k;
};

static enum cn_err measure(struct score *score, const struct cn_args *args, struct cn_diag *diag)
{
    struct data_source source;
    struct dataset set = {0};
    struct model *model = NULL;
    uint32_t k = (uint32_t)cn_args_uint(args, "top");
    enum cn_err err;

    CN_TRY_OUT(err, data_source_parse(&source, cn_args_text(args, "data"), diag));
    CN_TRY_OUT(err, task_model_new(&model, score->task, MODEL_BATCH_AUTO, diag));
    CN_TRY_OUT(err, safetensors_load(model, cn_args_argument(args, 0), NULL, diag));
    CN_TRY_OUT(err, task_data_load(&set, score->task, &source, diag));
    CN_TRY_OUT(err, gradient_check(model, &set, diag));
    switch (model_loss(model).kind) {
    case LOSS_CROSS_ENTROPY:
        score->k = k < model_outputs(model) ? k : model_outputs(model);
        break;
    case LOSS_BINARY_CROSS_ENTROPY:
        score->k = k < 2 ? k : 2;
        break;
    default:
        score->k = 1;
    }
    err = metrics_run(&score->metrics, model, &set, score->k);
out:
    dataset_free(&set);
    model_free(model);
    return err;
}

static const char *class_name(char out[DATA_NAME_MAX], const struct task *task, uint32_t class)
{
    if (task->data.labels && class < task->data.label_count)
        snprintf(out, DATA_NAME_MAX, "%s", task->data.labels[class]);
    else
        snprintf(out, DATA_NAME_MAX, "%u", class);
    return out;
}

static double share(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

static uint64_t row_sum(const struct metrics *metrics, uint32_t label)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < metrics->classes; i++)
        sum += metrics->confusion[(size_t)label * metrics->classes + i];
    return sum;
}

static uint64_t hits(const struct metrics *metrics, uint32_t label)
{
    return metrics->confusion[(size_t)label * metrics->classes + label];
}

/* ---- JSON ---- */

static json_t *scores_json(struct metrics_scores scores)
{
    return json_pack("{s:f, s:f, s:f}", "precision", scores.precision, "recall", scores.recall,
                     "f1", scores.f1);
}

static json_t *confusion_json(const struct metrics *metrics, uint32_t label)
{
    json_t *row = json_array();

    for (uint32_t i = 0; row && i < metrics->classes; i++) {
        uint64_t count = metrics->confusion[(size_t)label * metrics->classes + i];

        if (json_array_append_new(row, json_integer((json_int_t)count)) != 0) {
            json_decref(row);
            return NULL;
        }
    }
    return row;
}

static json_t *class_json(const struct score *score, uint32_t class)
{
    const struct metrics *metrics = &score->metrics;
    struct metrics_scores scores = metrics_class(metrics, class);
    char name[DATA_NAME_MAX];

    return json_pack(
        "{s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:o}", "class", class_name(name, score->task, class),
        "examples", (json_int_t)row_sum(metrics, class), "correct",
        (json_int_t)hits(metrics, class), "accuracy", scores.recall, "precision", scores.precision,
        "recall", scores.recall, "f1", scores.f1, "taken_for", confusion_json(metrics, class));
}

static json_t *classes_json(const struct score *score)
{
    json_t *classes = json_array();

    if (!score->metrics.confusion)
        return classes;
    for (uint32_t i = 0; classes && i < score->metrics.classes; i++)
        if (json_array_append_new(classes, class_json(score, i)) != 0) {
            json_decref(classes);
            return NULL;
        }
    return classes;
}

static json_t *score_json(const struct score *score)
{
    const struct metrics *metrics = &score->metrics;

    if (metrics->classes == 0)
        return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o}", "task", score->task->name, "examples",
                         (json_int_t)metrics->n, "loss", show_json_real(metrics->loss), "r2",
                         show_json_real(metrics->r2), "mae", show_json_real(metrics->mae), "rmse",
                         show_json_real(metrics->rmse));
    return json_pack("{s:s, s:I, s:I, s:f, s:o, s:o, s:o, s:o, s:{s:I, s:f}, s:o, s:o}", "task",
                     score->task->name, "examples", (json_int_t)metrics->n, "correct",
                     (json_int_t)metrics->correct, "accuracy", metrics_accuracy(metrics), "loss",
                     show_json_real(metrics->loss), "perplexity",
                     show_json_real(metrics->perplexity), "bits", show_json_real(metrics->bits),
                     "auc", show_json_real(metrics->auc), "top", "k", (json_int_t)score->k,
                     "accuracy", share(metrics->top_k, metrics->n), "mean",
                     metrics->confusion ? scores_json(metrics_mean(metrics)) : json_null(),
                     "classes", classes_json(score));
}

/* ---- text ---- */

static void print_number(FILE *out, const char *name, double number, const char *format)
{
    if (!isfinite(number))
        return;
    fprintf(out, "%-12s", name);
    fprintf(out, format[0] == 'p' ? "%.2f %%\n" : "%.4f\n",
            format[0] == 'p' ? 100 * number : number);
}

static void print_classes(FILE *out, const struct score *score)
{
    const struct metrics *metrics = &score->metrics;
    char name[DATA_NAME_MAX], count[SHOW_NUMBER_MAX], bar[SHOW_BAR_MAX];

    uint32_t shown = 0, there = 0;

    fprintf(out, "\n  %-14s %9s  %9s  %9s %9s\n", "class", "recall", "precision", "F1", "of");
    for (uint32_t i = 0; i < metrics->classes; i++) {
        struct metrics_scores scores = metrics_class(metrics, i);

        if (row_sum(metrics, i) == 0)
            continue;
        there++;
        if (shown == CLASSES_SHOWN_MAX)
            continue;
        shown++;
        fprintf(out, "  %-14.24s %7.2f %% %7.2f %% %9.4f %9s  %s\n",
                class_name(name, score->task, i), 100 * scores.recall, 100 * scores.precision,
                scores.f1, show_count(count, row_sum(metrics, i)),
                show_bar(bar, scores.recall, 20));
    }
    if (there > shown)
        fprintf(out, "  (the first %u of %u classes in the data; --json has them all)\n", shown,
                there);
}

static void print_confusion(FILE *out, const struct score *score)
{
    const struct metrics *metrics = &score->metrics;
    char name[DATA_NAME_MAX];

    if (metrics->classes > CONFUSION_SHOWN_MAX)
        return;
    fprintf(out, "\n  %-14s taken for\n  %-14s", "", "");
    for (uint32_t i = 0; i < metrics->classes; i++)
        fprintf(out, " %7.7s", class_name(name, score->task, i));
    for (uint32_t i = 0; i < metrics->classes; i++) {
        fprintf(out, "\n  %-14.14s", class_name(name, score->task, i));
        for (uint32_t j = 0; j < metrics->classes; j++)
            fprintf(out, " %7llu",
                    (unsigned long long)metrics->confusion[(size_t)i * metrics->classes + j]);
    }
    fprintf(out, "\n");
}

static void print_score(const struct cn_args *args, const struct score *score)
{
    const struct metrics *metrics = &score->metrics;
    char count[SHOW_NUMBER_MAX], name[16];
    FILE *out = args->out;

    if (metrics->classes)
        print_number(out, "accuracy", metrics_accuracy(metrics), "p");
    if (score->k > 1 && score->k < metrics->classes) {
        snprintf(name, sizeof name, "top %u", score->k);
        print_number(out, name, share(metrics->top_k, metrics->n), "p");
    }
    print_number(out, "loss", metrics->loss, "n");
    print_number(out, "perplexity", metrics->perplexity, "n");
    print_number(out, "bits", metrics->bits, "n");
    print_number(out, "AUC", metrics->auc, "n");
    print_number(out, "R2", metrics->r2, "n");
    print_number(out, "MAE", metrics->mae, "n");
    print_number(out, "RMSE", metrics->rmse, "n");
    fprintf(out, "%-12s%s\n", "examples", show_count(count, metrics->n));
    if (!metrics->confusion)
        return;
    print_number(out, "mean F1", metrics_mean(metrics).f1, "n");
    print_classes(out, score);
    print_confusion(out, score);
}

int model_evaluate(const struct cn_args *args)
{
    struct cn_diag diag = {0};
    struct score score = {0};
    struct task *task = NULL;
    enum cn_err err = task_load(&task, cn_args_text(args, "task"), &diag);
    int code = CN_EXIT_DONE;

    score.task = task;
    if (err == CN_OK)
        err = measure(&score, args, &diag);
    if (err != CN_OK)
        code = cn_args_fail(args, err, &diag);
    else if (args->json)
        code = show_json(args, score_json(&score), CN_EXIT_DONE);
    else
        print_score(args, &score);
    metrics_clear(&score.metrics);
    task_free(task);
    return code;
}

const struct cn_option model_evaluate_options[MODEL_EVALUATE_OPTIONS] = {
    {.name = "task",
     .kind = CN_OPTION_TEXT,
     .value = "TASK.yaml",
     .required = true,
     .help = "the task that the model was trained for"},
    {.name = "data",
     .kind = CN_OPTION_TEXT,
     .value = "SOURCE",
     .required = true,
     .help = "e.g. idx:IMAGES,LABELS or csv:FILE,label=COLUMN; not seen in training"},
    {.name = "top",
     .kind = CN_OPTION_UINT,
     .value = "K",
     .min = 1,
     .max = 4096,
     .fallback = "5",
     .help = "count a class as found when it is among the K most likely"},
};
