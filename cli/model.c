/* SPDX-License-Identifier: Apache-2.0 */
/* `cairn model`: what is in a model file, and how good it is. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/model_export.h"
#include "cli/model_file.h"
#include "cli/show.h"
#include "cli/verbs.h"
#include "nn/evaluate.h"
#include "nn/safetensors.h"
#include "task/task.h"

/* ---- show ---- */

static json_t *tensor_json(const struct model_file_tensor *tensor)
{
    json_t *shape = json_array();
    bool failed = !shape;

    for (uint32_t i = 0; !failed && i < tensor->rank; i++)
        failed = json_array_append_new(shape, json_integer((json_int_t)tensor->shape[i])) != 0;
    if (failed) {
        json_decref(shape);
        return NULL;
    }
    return json_pack("{s:s, s:s, s:o, s:I, s:o}", "name", tensor->name, "dtype", tensor->dtype,
                     "shape", shape, "parameters", (json_int_t)tensor->count, "norm",
                     show_json_real(tensor->norm));
}

static json_t *show_object(const char *path, const struct model_file *file)
{
    json_t *tensors = json_array();
    bool failed = !tensors;

    for (uint32_t i = 0; !failed && i < file->tensor_count; i++)
        failed = json_array_append_new(tensors, tensor_json(&file->tensors[i])) != 0;
    if (failed) {
        json_decref(tensors);
        return NULL;
    }
    return json_pack("{s:s, s:I, s:I, s:o, s:O}", "file", path, "bytes", (json_int_t)file->bytes,
                     "parameters", (json_int_t)file->parameters, "tensors", tensors, "metadata",
                     file->metadata);
}

static const char *shape_text(char out[64], const struct model_file_tensor *tensor)
{
    size_t at = 0;

    out[0] = '\0';
    for (uint32_t i = 0; i < tensor->rank && at < 48; i++)
        at += (size_t)snprintf(out + at, 64 - at, "%s%" PRIu64, i ? " x " : "", tensor->shape[i]);
    return out;
}

static void print_model(const struct cn_args *args, const char *path, const struct model_file *file)
{
    char count[SHOW_NUMBER_MAX], bytes[SHOW_NUMBER_MAX], shape[64];
    const char *key;
    json_t *value;

    fprintf(args->out, "%s\n  %s parameters in %u tensor%s, %s bytes\n\n", path,
            show_count(count, file->parameters), file->tensor_count,
            show_plural(file->tensor_count), show_count(bytes, file->bytes));
    fprintf(args->out, "  %-28s %-6s %-22s %12s %10s\n", "tensor", "type", "shape", "parameters",
            "L2 norm");
    for (uint32_t i = 0; i < file->tensor_count; i++) {
        const struct model_file_tensor *tensor = &file->tensors[i];

        fprintf(args->out, "  %-28s %-6s %-22s %12s %10.4g\n", tensor->name, tensor->dtype,
                shape_text(shape, tensor), show_count(count, tensor->count), tensor->norm);
    }
    if (json_object_size(file->metadata) > 0)
        fprintf(args->out, "\n");
    json_object_foreach(file->metadata, key, value)
        fprintf(args->out, "  %-16s %s\n", key, json_string_value(value));
}

static int model_show(const struct cn_args *args)
{
    const char *path = cn_args_argument(args, 0);
    struct cn_diag diag = {0};
    struct model_file file;
    enum cn_err err = model_file_read(&file, path, &diag);
    int code = CN_EXIT_DONE;

    if (err != CN_OK)
        return cn_args_fail(args, err, &diag);
    if (args->json)
        code = show_json(args, show_object(path, &file), CN_EXIT_DONE);
    else
        print_model(args, path, &file);
    model_file_clear(&file);
    return code;
}

/* ---- evaluate ---- */

#define EVALUATE_ROWS 256

struct score {
    struct evaluate_result whole;
    uint32_t classes;
    size_t *examples; /* [classes] */
    size_t *correct;  /* [classes] */
};

static void score_clear(struct score *score)
{
    free(score->examples);
    free(score->correct);
}

/* The largest logit; of equals the first. */
static uint32_t best(const float *logits, uint32_t count)
{
    uint32_t at = 0;

    for (uint32_t i = 1; i < count; i++)
        at = logits[i] > logits[at] ? i : at;
    return at;
}

static enum cn_err count_hits(struct score *score, struct model *model, const struct dataset *set)
{
    const uint32_t outputs = model_outputs(model), positions = dataset_targets(set);
    float *logits =
        calloc((size_t)EVALUATE_ROWS * model_positions(model), outputs * sizeof *logits);

    if (!logits)
        return CN_E_NOMEM;
    for (size_t from = 0; from < set->n; from += EVALUATE_ROWS) {
        size_t rows = set->n - from < EVALUATE_ROWS ? set->n - from : EVALUATE_ROWS;

        model_forward(model, logits, set->x + from * dataset_features(set), rows);
        for (size_t i = 0; i < rows * positions; i++) {
            uint32_t label = set->y[from * positions + i];

            if (label == DATASET_IGNORE)
                continue;
            score->correct[label] += best(logits + i * outputs, outputs) == label;
        }
    }
    free(logits);
    dataset_counts(score->examples, set);
    return CN_OK;
}

static enum cn_err evaluate(struct score *score, const struct cn_args *args,
                            const struct task *task, struct cn_diag *diag)
{
    struct data_source source;
    struct dataset set = {0};
    struct model *model = NULL;
    enum cn_err err;

    score->classes = task->data.classes;
    score->examples = calloc(score->classes, sizeof *score->examples);
    score->correct = calloc(score->classes, sizeof *score->correct);
    err = score->examples && score->correct ? CN_OK : CN_E_NOMEM;
    if (err != CN_OK)
        goto out;
    CN_TRY_OUT(err, data_source_parse(&source, cn_args_text(args, "data"), diag));
    CN_TRY_OUT(err, task_model_new(&model, task, MODEL_BATCH_AUTO, diag));
    CN_TRY_OUT(err, safetensors_load(model, cn_args_argument(args, 0), NULL, diag));
    CN_TRY_OUT(err, task_data_load(&set, task, &source, diag));
    CN_TRY_OUT(err, evaluate_run(model, &set, &score->whole));
    err = count_hits(score, model, &set);
out:
    dataset_free(&set);
    model_free(model);
    return err;
}

static const char *class_name(char out[DATA_NAME_MAX], const struct task *task, uint32_t class)
{
    if (task->data.labels)
        snprintf(out, DATA_NAME_MAX, "%s", task->data.labels[class]);
    else
        snprintf(out, DATA_NAME_MAX, "%u", class);
    return out;
}

static double share(size_t part, size_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

static json_t *score_json(const struct score *score, const struct task *task)
{
    json_t *classes = json_array();
    bool failed = !classes;

    for (uint32_t i = 0; !failed && i < score->classes; i++) {
        char name[DATA_NAME_MAX];
        json_t *one =
            json_pack("{s:s, s:I, s:I, s:f}", "class", class_name(name, task, i), "examples",
                      (json_int_t)score->examples[i], "correct", (json_int_t)score->correct[i],
                      "accuracy", share(score->correct[i], score->examples[i]));

        failed = json_array_append_new(classes, one) != 0;
    }
    if (failed) {
        json_decref(classes);
        return NULL;
    }
    return json_pack("{s:s, s:I, s:I, s:f, s:f, s:o}", "task", task->name, "examples",
                     (json_int_t)score->whole.n, "correct", (json_int_t)score->whole.correct,
                     "accuracy", evaluate_accuracy(&score->whole), "loss", score->whole.loss,
                     "classes", classes);
}

static void print_score(const struct cn_args *args, const struct score *score,
                        const struct task *task)
{
    char count[SHOW_NUMBER_MAX], name[DATA_NAME_MAX], bar[SHOW_BAR_MAX];

    fprintf(args->out, "accuracy  %.2f %%\nloss      %.4f\nexamples  %s\n\n",
            100 * evaluate_accuracy(&score->whole), score->whole.loss,
            show_count(count, score->whole.n));
    for (uint32_t i = 0; i < score->classes; i++) {
        double rate = share(score->correct[i], score->examples[i]);

        if (score->examples[i] == 0)
            continue;
        fprintf(args->out, "  %-12.24s %6.2f %%  of %7s  %s\n", class_name(name, task, i),
                100 * rate, show_count(count, score->examples[i]), show_bar(bar, rate, 30));
    }
}

static int model_evaluate(const struct cn_args *args)
{
    struct cn_diag diag = {0};
    struct score score = {0};
    struct task *task = NULL;
    enum cn_err err = task_load(&task, cn_args_text(args, "task"), &diag);
    int code = CN_EXIT_DONE;

    if (err == CN_OK)
        err = evaluate(&score, args, task, &diag);
    if (err != CN_OK)
        code = cn_args_fail(args, err, &diag);
    else if (args->json)
        code = show_json(args, score_json(&score, task), CN_EXIT_DONE);
    else
        print_score(args, &score, task);
    score_clear(&score);
    task_free(task);
    return code;
}

static const struct cn_option evaluate_options[] = {
    {.name = "task",
     .kind = CN_OPTION_TEXT,
     .value = "TASK.yaml",
     .required = true,
     .help = "the task that the model was trained for"},
    {.name = "data",
     .kind = CN_OPTION_TEXT,
     .value = "SOURCE",
     .required = true,
     .help = "idx:IMAGES,LABELS or csv:FILE,label=COLUMN; not seen in training"},
};

const struct cn_verb model_verbs[] = {
    {.name = "model show",
     .arguments = "FILE",
     .summary = "list a model file's tensors, shapes, norms and metadata",
     .example = "cairn model show model.safetensors",
     .run = model_show},
    {.name = "model evaluate",
     .arguments = "FILE",
     .summary = "measure a model's loss and accuracy, class by class",
     .details = "The data is standardised as the task says. Nothing leaves this machine.",
     .example = "cairn model evaluate model.safetensors --task configs/tasks/fashion-demo.yaml "
                "--data idx:t10k-images-idx3-ubyte.gz,t10k-labels-idx1-ubyte.gz",
     .options = evaluate_options,
     .option_count = CN_COUNT(evaluate_options),
     .run = model_evaluate},
    {.name = "model export",
     .arguments = "MODEL OUT",
     .summary = "write a model for other runtimes: ONNX",
     .details = "The graph's input is 'input' [batch, ...] as data files give it, standardised as "
                "the task says (tokens as 64-bit integers); its output is 'logits'.",
     .example = "cairn model export --onnx model.safetensors model.onnx --task "
                "configs/models/lenet.yaml",
     .options = model_export_options,
     .option_count = MODEL_EXPORT_OPTIONS,
     .run = model_export},
};
const size_t model_verb_count = CN_COUNT(model_verbs);
