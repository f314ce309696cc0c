/* SPDX-License-Identifier: Apache-2.0 */
/* Models as ONNX: the bytes are well-formed protobuf here; tests/e2e/test_onnx.sh sets
 * CAIRN_ONNX_DIR, in which this leaves every model with an input and our logits, and lets ONNX
 * Runtime compare. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/onnx.h"
#include "task/task.h"

#define FOLDER CAIRN_SOURCE_DIR "/configs/models"
#define EXAMPLES 3

/* ---- protobuf, read back ---- */

static uint64_t read_varint(struct cn_reader *in)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = cn_read_u8(in);

        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
    in->failed = true;
    return 0;
}

/* Calls on_field for every field; bytes is NULL for a number. Fails the test on damage. */
typedef void (*field_fn)(void *ctx, uint64_t field, const uint8_t *bytes, size_t len);

static void walk(const void *bytes, size_t len, field_fn on_field, void *ctx)
{
    struct cn_reader in;

    cn_reader_init(&in, bytes, len);
    while (cn_reader_left(&in) > 0) {
        uint64_t tag = read_varint(&in), size = 0;
        const uint8_t *view = NULL;

        if ((tag & 7) == 2) {
            size = read_varint(&in);
            view = cn_read_view(&in, (size_t)size);
        } else if ((tag & 7) == 5) {
            (void)cn_read_view(&in, 4);
        } else {
            cr_assert_eq(tag & 7, 0);
            size = read_varint(&in);
        }
        on_field(ctx, tag >> 3, view, (size_t)size);
    }
    cr_assert_eq(cn_reader_finish(&in), CN_OK);
}

struct tally {
    size_t nodes, tensors, floats;
    bool is_float;
    size_t raw;
    uint64_t opset;
};

static void on_tensor(void *ctx, uint64_t field, const uint8_t *bytes, size_t len)
{
    struct tally *tally = ctx;

    (void)bytes;
    if (field == 2)
        tally->is_float = len == 1;
    if (field == 9)
        tally->raw = len;
}

static void on_graph(void *ctx, uint64_t field, const uint8_t *bytes, size_t len)
{
    struct tally *tally = ctx;

    tally->nodes += field == 1;
    if (field != 5)
        return;
    tally->tensors++;
    walk(bytes, len, on_tensor, tally);
    tally->floats += tally->is_float ? tally->raw / sizeof(float) : 0;
}

static void on_opset(void *ctx, uint64_t field, const uint8_t *bytes, size_t len)
{
    (void)bytes;
    if (field == 2)
        ((struct tally *)ctx)->opset = len;
}

static void on_model(void *ctx, uint64_t field, const uint8_t *bytes, size_t len)
{
    if (field == 7)
        walk(bytes, len, on_graph, ctx);
    if (field == 8)
        walk(bytes, len, on_opset, ctx);
}

/* ---- cases ---- */

static void put_numbers(FILE *out, const char *key, const float *values, size_t count)
{
    fprintf(out, "\"%s\":[", key);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s%.9g", i ? "," : "", (double)values[i]);
    fprintf(out, "]");
}

/* NAME.onnx and NAME.json: shape and values of an input, logits. */
static void leave(const char *folder, const char *name, struct model *model,
                  const struct model_spec *spec, const float *x)
{
    size_t features = model_features(model);
    size_t outputs = (size_t)model_positions(model) * model_outputs(model);
    float *logits = calloc(EXAMPLES * outputs, sizeof *logits);
    char path[1024];
    FILE *out;

    snprintf(path, sizeof path, "%s/%s.onnx", folder, name);
    cr_assert_eq(onnx_save(path, model, name, NULL), CN_OK);
    snprintf(path, sizeof path, "%s/%s.json", folder, name);
    out = fopen(path, "w");
    cr_assert(out && logits);
    model_forward(model, logits, x, EXAMPLES);
    fprintf(out, "{\"type\":\"%s\",\"dims\":[%d,", spec->vocabulary ? "int64" : "float32",
            EXAMPLES);
    if (spec->channels == 1 && spec->height == 1)
        fprintf(out, "%u],", spec->width);
    else
        fprintf(out, "%u,%u,%u],", spec->channels, spec->height, spec->width);
    put_numbers(out, "x", x, EXAMPLES * features);
    fprintf(out, ",");
    put_numbers(out, "logits", logits, EXAMPLES * outputs);
    fprintf(out, "}\n");
    cr_assert_eq(fclose(out), 0);
    free(logits);
}

static void expect_exports(const char *name, struct model *model, const struct model_spec *spec)
{
    const char *folder = getenv("CAIRN_ONNX_DIR");
    size_t count = EXAMPLES * model_features(model);
    struct tally tally = {0};
    struct cn_seeded seeded;
    struct cn_random random = cn_random_seeded(&seeded, 3);
    struct cn_diag diag = {0};
    char line[CN_DIAG_LINE_MAX];
    float *x = calloc(count, sizeof *x);
    struct cn_buf bytes;

    cr_assert(x);
    for (size_t i = 0; i < count; i++) /* the last fifth of an example's tokens is padding */
        x[i] = !spec->vocabulary ? (float)cn_random_normal(&random)
               : i % spec->width >= spec->width * 4 / 5
                   ? 0.0f
                   : (float)cn_random_below(&random, spec->vocabulary);
    cn_buf_init(&bytes, ONNX_BYTES_MAX);
    cr_assert_eq(onnx_encode(&bytes, model, name, &diag), CN_OK, "%s: %s", name,
                 cn_diag_line(&diag, line));
    walk(bytes.data, bytes.len, on_model, &tally);
    cr_assert_geq(tally.opset, 13);
    cr_assert_gt(tally.nodes, 1);
    cr_assert_geq(tally.floats, model_params(model), "%s: every weight is in the file", name);
    if (folder)
        leave(folder, name, model, spec, x);
    cn_buf_clear(&bytes);
    free(x);
}

static void export_task(const char *name, struct task *task)
{
    struct model *model;

    cr_assert_eq(task_model_new(&model, task, EXAMPLES, NULL), CN_OK);
    /* Norms start even: other gains and biases show whether they are in their places. */
    for (size_t i = 0; i < model_params(model); i++)
        model_weights(model)[i] += 0.01f * (float)((int)(i % 7) - 3);
    expect_exports(name, model, &task->model);
    model_free(model);
    task_free(task);
}

Test(onnx, every_ready_model_can_be_written)
{
    DIR *folder = opendir(FOLDER);
    unsigned count = 0;

    cr_assert(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        char path[1024], *end = strstr(entry->d_name, ".yaml");
        struct task *task;

        if (!end)
            continue;
        snprintf(path, sizeof path, FOLDER "/%s", entry->d_name);
        cr_assert_eq(task_load(&task, path, NULL), CN_OK);
        *end = '\0';
        export_task(entry->d_name, task);
        count++;
    }
    closedir(folder);
    cr_assert_eq(count, 9);
}

/* Kinds and settings that no ready model has. */
static const char *const others[][2] = {
    {"curves",
     "input: [2, 5, 6], layers: [{type: conv2d, filters: 4, kernel: 3, stride: 2, padding: "
     "1, groups: 2}, {type: leaky_relu, slope: 0.2}, {type: rms_norm}, {type: silu}, "
     "{type: layer_norm}, {type: softmax}, {type: sigmoid}, {type: flatten}, {type: gelu}, "
     "{type: dense, units: 3}, {type: softmax}]"},
    {"pools",
     "input: [2, 7, 6], layers: [{type: conv2d, filters: 3, kernel: 2}, {type: max_pool, kernel: "
     "3, stride: 2, padding: 2}, {type: average_pool, kernel: 3, stride: 1, padding: 1}, {type: "
     "global_max_pool}, {type: dense, units: 3}]"},
    {"largest",
     "input: [9], vocabulary: 7, layers: [{type: embedding, units: 6}, {type: gru, units: 5, "
     "sequence: true}, {type: global_max_pool}, {type: dense, units: 3}]"},
    {"row",
     "input: [3, 1, 8], layers: [{type: conv2d, filters: 4, kernel: 3, padding: 1, name: a}, "
     "{type: tanh}, {type: group_norm, groups: 2}, {type: residual, from: a}, {type: "
     "conv2d, filters: 4, kernel: 1}, {type: flatten}, {type: dense, units: 3}]"},
    {"recurrent",
     "input: [9], vocabulary: 7, layers: [{type: embedding, units: 6}, {type: gru, "
     "units: 5, layers: 2, sequence: true}, {type: slice, start: 1, length: 7}, {type: "
     "lstm, units: 4}, {type: dense, units: 3}]"},
    {"attention", "input: [6], vocabulary: 7, layers: [{type: embedding, units: 8}, {type: "
                  "attention, heads: 2, causal: true, mask_padding: true}, {type: gru, units: 4}, "
                  "{type: dense, units: 3}]"},
    {"one",
     "input: [5], layers: [{type: gru, units: 4}, {type: position}, {type: attention, heads: "
     "2}, {type: dropout, rate: 0.5}, {type: global_average_pool}, {type: dense, units: 3}]"},
    {"padded",
     "input: [4], vocabulary: 5, layers: [{type: slice, start: 0, length: 2, name: a}, "
     "{type: embedding, units: 4, name: read}, {type: slice, from: input, start: 3, length: "
     "1}, {type: embedding, units: 4}, {type: attention, heads: 1, memory: read, "
     "mask_padding: true}, {type: dense, units: 3}]"},
};

Test(onnx, other_kinds_of_layers_can_be_written)
{
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char text[2048], line[CN_DIAG_LINE_MAX];
        struct cn_diag diag = {0};
        struct task *task;

        snprintf(text, sizeof text,
                 "task: %s\nmodel: {%s}\ndata: {classes: 3}\n"
                 "training: {learning_rate: 1, steps: 1, batch: 1}\nprivacy: {unit: none}\n"
                 "secure_aggregation: {update_range: 1}\n"
                 "rounds: {count: 1, cohort_min: 2, cohort_max: 2}\n",
                 others[i][0], others[i][1]);
        cr_assert_eq(task_parse(&task, text, strlen(text), others[i][0], &diag), CN_OK, "%s",
                     cn_diag_line(&diag, line));
        export_task(others[i][0], task);
    }
}

Test(onnx, a_file_that_would_be_too_large_is_refused)
{
    struct cn_buf bytes;
    struct model *model;
    struct task *task;

    cr_assert_eq(task_load(&task, FOLDER "/logistic.yaml", NULL), CN_OK);
    cr_assert_eq(task_model_new(&model, task, 1, NULL), CN_OK);
    cn_buf_init(&bytes, 100);
    cr_assert_eq(onnx_encode(&bytes, model, "x", NULL), CN_E_TOO_LARGE);
    cn_buf_clear(&bytes);
    cr_assert_neq(onnx_save("/nowhere/at/all.onnx", model, "x", NULL), CN_OK);
    model_free(model);
    task_free(task);
}
