/* SPDX-License-Identifier: Apache-2.0 */
/* `cairn model`: what is in a model file, and how good it is. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/model_evaluate.h"
#include "cli/model_export.h"
#include "cli/model_file.h"
#include "cli/show.h"
#include "cli/verbs.h"

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

const struct cn_verb model_verbs[] = {
    {.name = "model show",
     .arguments = "FILE",
     .summary = "list a model file's tensors, shapes, norms and metadata",
     .example = "cairn model show lenet.safetensors",
     .run = model_show},
    {.name = "model evaluate",
     .arguments = "FILE",
     .summary = "measure a model: accuracy, confusions, AUC, perplexity, R2, whichever fit",
     .details = "The data is standardised as the task says. Nothing leaves this machine.",
     .example = "cairn model evaluate lenet.safetensors --task configs/models/lenet.yaml "
                "--data idx:t10k-images,t10k-labels",
     .options = model_evaluate_options,
     .option_count = MODEL_EVALUATE_OPTIONS,
     .run = model_evaluate},
    {.name = "model export",
     .arguments = "MODEL OUT",
     .summary = "write a model for other runtimes: ONNX",
     .details = "The graph's input is 'input' [batch, ...] as data files give it, standardised as "
                "the task says (tokens as 64-bit integers); its output is 'logits'.",
     .example = "cairn model export --onnx lenet.safetensors lenet.onnx --task "
                "configs/models/lenet.yaml",
     .options = model_export_options,
     .option_count = MODEL_EXPORT_OPTIONS,
     .run = model_export},
};
const size_t model_verb_count = CN_COUNT(model_verbs);
