/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_world.h"

#include "nn/safetensors.h"
#include "task/task.h"

TestSuite(model, .init = scratch_make, .fini = world_clear);

static const char task_text[] = "task: table\n"
                                "model: {input: [2], layers: [{type: dense, units: 2}]}\n"
                                "data: {classes: 2, labels: [no, yes]}\n"
                                "training: {learning_rate: 1, steps: 1, batch: 1}\n"
                                "privacy: {unit: none}\n"
                                "secure_aggregation: {update_range: 1}\n"
                                "rounds: {count: 1, cohort_min: 2, cohort_max: 2}\n";

/* A model that says yes when a > b: logits (0, a - b). */
static void make_files(void)
{
    static const float weights[] = {0, 0, 1, -1, 0, 0};
    struct safetensors_metadata metadata = {0};
    struct model *model;
    struct task *task;

    cr_assert_eq(task_load(&task, scratch_text("t.yaml", task_text), NULL), CN_OK);
    cr_assert_eq(task_model_new(&model, task, 1, NULL), CN_OK);
    cr_assert_eq(model_set_weights(model, weights), CN_OK);
    cr_assert_eq(safetensors_metadata_set(&metadata, "round", "15"), CN_OK);
    cr_assert_eq(safetensors_save(scratch_path("m.safetensors"), model, &metadata, NULL), CN_OK);
    model_free(model);
    task_free(task);
    scratch_text("d.csv", "a,b,y\n2,1,yes\n1,2,no\n3,1,no\n5,4,yes\n");
}

static int evaluate(const char *model, const char *data, const char *extra)
{
    return world_runf("model evaluate %s/%s --task %s/t.yaml --data csv:%s/%s%s", scratch_folder,
                      model, scratch_folder, scratch_folder, data, extra);
}

Test(model, shows_tensors_and_metadata)
{
    json_t *answer, *tensor;

    make_files();
    cr_assert_eq(world_runf("model show %s/m.safetensors", scratch_folder), 0);
    SAYS(world_out, "6 parameters in 2 tensors");
    SAYS(world_out, "2 x 2");
    SAYS(world_out, "15");
    cr_assert_eq(world_runf("model show %s/m.safetensors --json", scratch_folder), 0);
    answer = world_json();
    cr_assert_eq(json_integer_value(json_object_get(answer, "parameters")), 6);
    tensor = json_array_get(json_object_get(answer, "tensors"), 0);
    cr_assert_str_eq(json_string_value(json_object_get(tensor, "dtype")), "F32");
    cr_assert_float_eq(json_real_value(json_object_get(tensor, "norm")), 1.41421356, 1e-6);
    cr_assert_str_eq(
        json_string_value(json_object_get(json_object_get(answer, "metadata"), "round")), "15");
    json_decref(answer);
}

Test(model, refuses_every_truncation_of_a_file)
{
    unsigned char *bytes;
    size_t len;

    make_files();
    bytes = scratch_read(scratch_path("m.safetensors"), &len);
    for (size_t cut = 0; cut < len; cut++) {
        scratch_file("cut", bytes, cut);
        cr_assert_eq(world_runf("model show %s/cut", scratch_folder), 3, "cut at %zu", cut);
        SAYS(world_err, "safetensors");
    }
}

/* A file of one header and `room` zero bytes; the exit code of showing it. */
static int show_header(const char *header, size_t room)
{
    uint8_t bytes[1024] = {(uint8_t)strlen(header), (uint8_t)(strlen(header) >> 8)};

    memcpy(bytes + 8, header, strlen(header));
    scratch_file("f", bytes, 8 + strlen(header) + room);
    return world_runf("model show %s/f", scratch_folder);
}

Test(model, refuses_headers_that_lie)
{
    cr_assert_eq(show_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8),
                 0);
    cr_assert_eq(show_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7),
                 3);
    SAYS(world_err, "'a': its bytes do not fit");
    cr_assert_eq(show_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8),
                 3);
    cr_assert_eq(
        show_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}", 8), 3);
    cr_assert_eq(show_header("{\"a\":{\"dtype\":\"F31\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8),
                 3);
    SAYS(world_err, "type is not known");
    cr_assert_eq(show_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,2],"
                             "\"data_offsets\":[0,8]}}",
                             8),
                 3);
    SAYS(world_err, "shape is not valid");
    cr_assert_eq(show_header("{\"a\":3}", 8), 3);
    cr_assert_eq(show_header("[]", 8), 3);
    cr_assert_eq(show_header("{\"a\"", 8), 3);
    SAYS(world_err, "not JSON");
}

Test(model, prints_hostile_names_harmlessly)
{
    cr_assert_eq(show_header("{\"__metadata__\":{\"k\":\"\\u001b[31m\"}}", 0), 0);
    cr_assert(!strchr(world_out, 0x1b));
    SAYS(world_out, "\\x1b[31m");
}

Test(model, measures_accuracy_class_by_class)
{
    json_t *answer, *classes;

    make_files();
    cr_assert_eq(evaluate("m.safetensors", "d.csv,label=y", ""), 0);
    SAYS(world_out, "accuracy    75.00 %");
    SAYS(world_out, "yes");
    cr_assert_eq(evaluate("m.safetensors", "d.csv,label=y", " --json"), 0);
    answer = world_json();
    cr_assert_float_eq(json_real_value(json_object_get(answer, "accuracy")), 0.75, 1e-12);
    /* losses: ln(1 + e^-1), the same, ln(1 + e^2), ln(1 + e^-1) */
    cr_assert_float_eq(json_real_value(json_object_get(answer, "loss")),
                       (3 * 0.31326169 + 2.12692801) / 4, 1e-5);
    classes = json_object_get(answer, "classes");
    cr_assert_eq(json_integer_value(json_object_get(json_array_get(classes, 0), "correct")), 1);
    cr_assert_eq(json_integer_value(json_object_get(json_array_get(classes, 1), "correct")), 2);
    json_decref(answer);
}

Test(model, tells_what_does_not_fit)
{
    make_files();
    cr_assert_eq(evaluate("none.safetensors", "d.csv,label=y", ""), 3);
    SAYS(world_err, "none.safetensors");
    cr_assert_eq(evaluate("m.safetensors", "none.csv,label=y", ""), 3);
    SAYS(world_err, "none.csv");
    cr_assert_eq(evaluate("m.safetensors", "d.csv", ""), 2);
    SAYS(world_err, ",label=");
    scratch_text("wide.csv", "a,b,c,y\n1,2,3,yes\n");
    cr_assert_eq(evaluate("m.safetensors", "wide.csv,label=y", ""), 3);
    SAYS(world_err, "1 x 1 x 3");
    show_header("{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8);
    cr_assert_eq(evaluate("f", "d.csv,label=y", " --json"), 3);
    json_decref(world_json());
    scratch_text("t.yaml", "task: [");
    cr_assert_eq(evaluate("m.safetensors", "d.csv,label=y", ""), 2);
    SAYS(world_err, "t.yaml:");
}

Test(model, tells_confusions_and_how_it_ranks)
{
    json_t *answer, *yes, *row;

    make_files();
    cr_assert_eq(evaluate("m.safetensors", "d.csv,label=y", " --json"), 0);
    answer = world_json();
    /* logits of yes over no: 1, 1 where it is and -1, 2 where it is not: two pairs of four */
    cr_assert_float_eq(json_real_value(json_object_get(answer, "auc")), 0.5, 1e-12);
    yes = json_array_get(json_object_get(answer, "classes"), 1);
    cr_assert_float_eq(json_real_value(json_object_get(yes, "precision")), 2.0 / 3, 1e-12);
    cr_assert_float_eq(json_real_value(json_object_get(yes, "recall")), 1.0, 1e-12);
    cr_assert_float_eq(json_real_value(json_object_get(yes, "f1")), 0.8, 1e-12);
    row = json_object_get(json_array_get(json_object_get(answer, "classes"), 0), "taken_for");
    cr_assert_eq(json_integer_value(json_array_get(row, 0)), 1);
    cr_assert_eq(json_integer_value(json_array_get(row, 1)), 1);
    json_decref(answer);
    cr_assert_eq(evaluate("m.safetensors", "d.csv,label=y", ""), 0);
    SAYS(world_out, "AUC         0.5000");
    SAYS(world_out, "taken for");
}

Test(model, writes_itself_as_onnx)
{
    size_t len;
    unsigned char *bytes;

    make_files();
    cr_assert_eq(world_runf("model export --onnx %s/m.safetensors %s/m.onnx --task %s/t.yaml",
                            scratch_folder, scratch_folder, scratch_folder),
                 0);
    SAYS(world_out, "6 parameters");
    bytes = scratch_read(scratch_path("m.onnx"), &len);
    cr_assert(len > 100 && memmem(bytes, len, "Gemm", 4) && memmem(bytes, len, "logits", 6));
    cr_assert_eq(world_runf("model export %s/t.yaml %s/m.onnx --task %s/t.yaml", scratch_folder,
                            scratch_folder, scratch_folder),
                 3);
    SAYS(world_err, "t.yaml");
}
