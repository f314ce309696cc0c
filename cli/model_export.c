/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/model_export.h"

#include "cli/show.h"
#include "nn/onnx.h"
#include "nn/safetensors.h"
#include "task/task.h"

static enum cn_err export(const struct cn_args *args, struct task **task, size_t *params,
                          struct cn_diag *diag) {
    struct model *model = NULL; enum cn_err err;

    CN_TRY(task_load(task, cn_args_text(args, "task"), diag));
    CN_TRY(task_model_new(&model, *task, 1, diag));
    CN_TRY_OUT(err, safetensors_load(model, cn_args_argument(args, 0), NULL, diag));
    CN_TRY_OUT(err, onnx_save(cn_args_argument(args, 1), model, (*task)->name, diag));
    *params = model_params(model);
    out : model_free(model);
    return err;
}

int model_export(const struct cn_args *args)
{
    struct task *task = NULL;
    struct cn_diag diag = {0};
    char count[SHOW_NUMBER_MAX];
    size_t params = 0;
    enum cn_err err = export(args, &task, &params, &diag);
    int code = CN_EXIT_DONE;

    if (err != CN_OK)
        code = cn_args_fail(args, err, &diag);
    else if (args->json)
        code =
            show_json(args,
                      json_pack("{s:s, s:s, s:s, s:I}", "file", cn_args_argument(args, 1), "format",
                                "onnx", "task", task->name, "parameters", (json_int_t)params),
                      CN_EXIT_DONE);
    else
        fprintf(args->out, "%s: ONNX, %s parameters, input 'input', output 'logits'\n",
                cn_args_argument(args, 1), show_count(count, params));
    task_free(task);
    return code;
}

const struct cn_option model_export_options[MODEL_EXPORT_OPTIONS] = {
    {.name = "task",
     .kind = CN_OPTION_TEXT,
     .value = "TASK.yaml",
     .required = true,
     .help = "the task that the model was trained for"},
    {.name = "onnx",
     .kind = CN_OPTION_FLAG,
     .help = "write ONNX, opset 13, as without it: there is no other format yet"},
};
