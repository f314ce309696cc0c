/* SPDX-License-Identifier: Apache-2.0 */
#include "task_text.h"

#include <unistd.h>

#include "../data/scratch.h"
#include "task/tally.h"

/* The change makes the text one that is refused, in words that hold part. */
static void refuses_as(const char *text, enum cn_err expected, const char *part)
{
    char line[CN_DIAG_LINE_MAX];
    struct cn_diag diag = {0};
    struct task *task;
    enum cn_err err = task_parse(&task, text, strlen(text), "t.yaml", &diag);

    cn_diag_line(&diag, line);
    cr_assert_eq(err, expected, "%s for '%s': %s", cn_err_name(err), part, line);
    cr_assert(strstr(line, part), "'%s' lacks '%s'", line, part);
    cr_assert_null(task);
}

static void refuses(const char *from, const char *to, const char *part)
{
    refuses_as(with(private_text, from, to), CN_E_CONFIG, part);
}

static void refuses_open(const char *from, const char *to, const char *part)
{
    refuses_as(with(open_text, from, to), CN_E_CONFIG, part);
}

Test(task, reads_every_field)
{
    struct task *task = parsed(private_text);

    cr_assert_str_eq(task->name, "small");
    cr_assert(task->model.channels == 1 && task->model.height == 2 && task->model.width == 2);
    cr_assert(task->model.layer_count == 2 && task->model.layers[0].kind == LAYER_FLATTEN);
    cr_assert(task->model.layers[1].kind == LAYER_DENSE && task->model.layers[1].units == 3);
    cr_assert(task->model.layers[0].line == 5 && task->model.layers[1].line == 6);
    cr_assert(task->data.classes == 3 && task->data.mean == 0.25 && task->data.deviation == 0.5);
    cr_assert(task->training.learning_rate == 2 && task->training.steps == 10);
    cr_assert(task->training.batch == 16 && task->training.sampling_rate == 0.05);
    cr_assert(task->privacy.unit == TASK_UNIT_EXAMPLE && task->privacy.clip_norm == 0.5);
    cr_assert(task->privacy.noise_multiplier == 1.5 && task->privacy.delta == 1e-5);
    cr_assert(task->secure_aggregation.update_range == 8 && task->rounds.count == 4);
    cr_assert(task->rounds.cohort_min == 3 && task->rounds.cohort_max == 5);
    cr_assert(task->params == 15 && task->epsilon > 0 && task->epsilon < 4);
    task_free(task);
}

Test(task, fills_what_is_left_out)
{
    struct task *task = parsed(private_text);

    cr_assert(task->training.momentum == 0 && task->training.epochs == 0);
    cr_assert(task->training.weighting == TASK_WEIGHTING_EQUAL && task->privacy.epsilon_max == 0);
    cr_assert(task->secure_aggregation.threshold == 0 && task->model_seed == 0);
    cr_assert(task->rounds.gather_s == 10 && task->rounds.train_s == 120);
    cr_assert(task->rounds.keys_s == 20 && task->rounds.exchange_s == 20);
    cr_assert(task->rounds.upload_s == 60 && task->rounds.survivors_s == 20);
    cr_assert(task->rounds.reveal_s == 20 && task->strategy.learning_rate == 1);
    task_free(task);
    task = parsed(open_text);
    cr_assert(task->data.deviation == 1 && task->rounds.train_s == 7 && task->model_seed == 9);
    cr_assert(task->strategy.learning_rate == 0.5 && task->secure_aggregation.threshold == 3);
    cr_assert(task->model.channels == 1 && task->model.height == 1 && task->model.width == 2);
    task_free(task);
}

Test(task, keeps_the_exact_bytes_and_their_hash)
{
    struct task *one = parsed(private_text), *two;
    uint8_t hash[HASH_BYTES];

    hash_blob(hash, private_text, strlen(private_text));
    cr_assert(one->len == strlen(private_text) && strcmp(one->text, private_text) == 0);
    cr_assert_eq(memcmp(one->hash, hash, HASH_BYTES), 0);
    two = parsed(with(private_text, "small\n", "small \n"));
    cr_assert_neq(memcmp(one->hash, two->hash, HASH_BYTES), 0);
    task_free(one);
    task_free(two);
}

Test(task, names_a_submission_by_text_and_nonce)
{
    uint8_t hash[HASH_BYTES] = {1}, nonce[TASK_NONCE_BYTES] = {2};
    uint8_t one[TASK_ID_BYTES], two[TASK_ID_BYTES], three[TASK_ID_BYTES];

    task_make_id(one, hash, nonce);
    nonce[15] ^= 1;
    task_make_id(two, hash, nonce);
    hash[31] ^= 1;
    task_make_id(three, hash, nonce);
    cr_assert(memcmp(one, two, sizeof one) && memcmp(two, three, sizeof two));
}

Test(task, tells_unknown_keys_and_wrong_types_with_their_place)
{
    refuses("batch: 16", "bacth: 16", "t.yaml:11:3: unknown key 'bacth'");
    refuses("batch: 16", "bacth: 16", "did you mean 'batch'?");
    refuses("steps: 10", "steps: ten", "t.yaml:10:10:");
    refuses("type: dense", "type: dens", "did you mean 'dense'?");
    refuses("unit: example", "unit: person", "expected one of: example, user, none");
    refuses("rounds:\n", "round:\n", "t.yaml:19:1: unknown key 'round'");
    refuses("task: small\n", "", "task");
    refuses_as("", CN_E_CONFIG, "t.yaml");
}

Test(task, tells_numbers_out_of_range_with_their_place)
{
    static const struct {
        const char *from, *to, *part;
    } cases[] = {
        {"[1, 2, 2]", "[1, 0, 2]", "t.yaml:3:14:"},
        {"units: 3", "units: 70000", "t.yaml:6:28:"},
        {"classes: 3", "classes: 1", "t.yaml:7:17:"},
        {"deviation: 0.5", "deviation: 0", "greater than 0"},
        {"rate: 2", "rate: 0", "t.yaml:9:18:"},
        {"rate: 2", "rate: -1", "t.yaml:9:18:"},
        {"steps: 10", "steps: 0", "t.yaml:10:10:"},
        {"batch: 16", "batch: 0", "t.yaml:11:10:"},
        {"rate: 0.05", "rate: 1.5", "t.yaml:12:18:"},
        {"norm: 0.5", "norm: 0", "t.yaml:15:14:"},
        {"multiplier: 1.5", "multiplier: 0", "t.yaml:16:21:"},
        {"multiplier: 1.5", "multiplier: 1000", "t.yaml:16:21:"},
        {"1.0e-5", "0", "t.yaml:17:10:"},
        {"1.0e-5", "0.5", "t.yaml:17:10:"},
        {"range: 8", "range: 0", "t.yaml:18:36:"},
        {"count: 4", "count: 0", "t.yaml:20:10:"},
        {"cohort_min: 3", "cohort_min: 1", "t.yaml:21:15:"},
        {"cohort_max: 5", "cohort_max: 16385", "t.yaml:22:15:"},
        {"cohort_max: 5\n", "cohort_max: 5\n  reveal_s: 0\n", "t.yaml:23:13:"},
    };

    for (size_t i = 0; i < CN_COUNT(cases); i++)
        refuses(cases[i].from, cases[i].to, cases[i].part);
}

Test(task, refuses_settings_that_contradict_each_other)
{
    refuses("small", "sm/all", "'task' is a name of letters");
    refuses("[1, 2, 2]", "[2, 2]", "[channels, height, width] for images");
    refuses("units: 3", "units: 4", "its output is 4 but 'data.classes' is 3");
    refuses("classes: 3", "targets: [{name: a}]", "loss is cross_entropy, which is for classes");
    refuses("  layers:", "  loss: huber\n  layers:", "'data.classes' needs the loss cross_entropy");
    refuses("steps: 10\n", "steps: 10\n  epochs: 1\n",
            "t.yaml:11:11: 'steps' and 'epochs' exclude");
    refuses("  steps: 10\n", "", "either 'steps' or 'epochs'");
    refuses("  steps: 10\n", "  epochs: 1\n", "privacy for examples counts steps");
    refuses("  sampling_rate: 0.05\n", "", "'sampling_rate' is missing");
    refuses("  clip_norm: 0.5\n", "", "needs 'clip_norm'");
    refuses("  noise_multiplier: 1.5\n", "", "needs 'noise_multiplier'");
    refuses("  delta: 1.0e-5\n", "", "needs 'delta'");
    refuses("batch: 16\n", "batch: 16\n  weighting: examples\n  examples_max: 5\n",
            "a device's number of examples would be revealed");
    refuses("{update_range: 8}", "{mode: off, update_range: 8, threshold: 3}",
            "'threshold' needs 'mode: on'");
    refuses("{update_range: 8}", "{mode: off, update_range: 8, corrupt: 0.1}",
            "'corrupt' needs 'mode: on'");
    refuses("{update_range: 8}", "{mode: off, update_range: 8, dropout: 0.1}",
            "'dropout' needs 'mode: on'");
    refuses("{update_range: 8}", "{update_range: 8, threshold: 4}", "could never be opened");
    refuses("cohort_min: 3", "cohort_min: 6", "'cohort_min' 6 is above 'cohort_max' 5");
    refuses("classes: 3,", "classes: 3, labels: [a, b],", "names 2 classes");
    refuses("classes: 3,", "classes: 3, labels: [a, b, a],", "labels 1 and 3 are the same");
    refuses("classes: 3,", "classes: 3, columns: [{name: a}],", "names 1 columns");
    refuses("type: flatten", "type: flatten, units: 1", "units");
}

Test(task, has_large_cohorts_where_a_ring_holds)
{
    char text[4096];
    struct task *task = parsed(with(private_text, "cohort_max: 5", "cohort_max: 16384"));

    task_free(task);
    snprintf(text, sizeof text, "%s", with(private_text, "cohort_max: 5", "cohort_max: 1025"));
    refuses_as(with(text, "{update_range: 8}", "{update_range: 8, corrupt: 0.3, dropout: 0.3}"),
               CN_E_CONFIG, "no ring of 1025 devices");
    task = parsed(
        with(private_text, "{update_range: 8}", "{update_range: 8, corrupt: 0.3, dropout: 0.3}"));
    task_free(task);
}

Test(task, asks_of_the_ring_no_less_than_the_file_says)
{
    struct secagg_ring ring;
    struct task *task = parsed(with(private_text, "{update_range: 8}",
                                    "{update_range: 8, corrupt: 0.0501, dropout: 0.1}"));

    task_secagg_ring(&ring, task);
    cr_assert_eq(ring.corrupt_permille, 51);
    cr_assert_eq(ring.dropout_permille, 100);
    task_free(task);
}

Test(task, refuses_promises_without_a_unit)
{
    refuses_open("{unit: none}", "{unit: none, clip_norm: 1}", "'clip_norm' needs a unit");
    refuses_open("{unit: none}", "{unit: none, noise_multiplier: 1}", "needs a unit");
    refuses_open("{unit: none}", "{unit: none, delta: 1e-5}", "'delta' needs a unit");
    refuses_open("{unit: none}", "{unit: none, epsilon_max: 1}", "'epsilon_max' needs a unit");
    refuses_open("batch: 4\n", "batch: 4\n  sampling_rate: 0.5\n", "'sampling_rate' needs privacy");
    refuses_open("  examples_max: 100\n", "", "needs 'examples_max'");
    refuses_open("  weighting: examples\n", "", "is for 'weighting: examples' only");
}

Test(task, names_the_layer_that_does_not_fit)
{
    refuses("{type: flatten}", "{type: conv2d, filters: 2, kernel: 5}", "layer 1 (conv2d");
    refuses("{type: flatten}", "{type: conv2d, filters: 2, kernel: 5}", "5");
    refuses("    - {type: flatten}\n", "", "layer 1 (dense");
}

Test(task, refuses_a_budget_that_all_rounds_together_pass)
{
    struct task *task;
    double half, all;

    task = parsed(private_text);
    all = task->epsilon;
    cr_assert_eq(task_epsilon(task, 2, &half), CN_OK);
    task_free(task);
    cr_assert(half > 0.3 && half < all && all < 2, "%g %g", half, all);
    refuses_as(with(private_text, "delta: 1.0e-5\n", "delta: 1.0e-5\n  epsilon_max: 0.5\n"),
               CN_E_BUDGET, "t.yaml:18:16: 4 rounds cost epsilon 1.");
    refuses_as(with(private_text, "delta: 1.0e-5\n", "delta: 1.0e-5\n  epsilon_max: 0.5\n"),
               CN_E_BUDGET, "'epsilon_max' is 0.5");
    refuses_as(with(private_text, "delta: 1.0e-5\n", "delta: 1.0e-5\n  epsilon_max: 0.5\n"),
               CN_E_BUDGET, "not even one round fits, or all of them with noise_multiplier");
    task = parsed(with(private_text, "delta: 1.0e-5\n", "delta: 1.0e-5\n  epsilon_max: 3\n"));
    cr_assert_eq(task->privacy.epsilon_max, 3);
    task_free(task);
}

/* What the hint offers has to be accepted. */
Test(task, suggests_noise_that_fits)
{
    const char *text = with(private_text, "1.0e-5\n", "1.0e-5\n  epsilon_max: 0.5\n");
    char copy[TEXT_ROOM], multiplier[64];
    struct cn_diag diag = {0};
    struct task *task;
    const char *at;

    snprintf(copy, sizeof copy, "%s", text);
    cr_assert_eq(task_parse(&task, copy, strlen(copy), "t", &diag), CN_E_BUDGET);
    at = strstr(diag.hint, "noise_multiplier ");
    cr_assert(at, "%s", diag.hint);
    snprintf(multiplier, sizeof multiplier, "multiplier: %s", at + strlen("noise_multiplier "));
    task_free(parsed(with(copy, "multiplier: 1.5", multiplier)));
}

Test(task, counts_what_one_round_costs)
{
    struct task *task = parsed(private_text);
    struct accountant_event event;
    double epsilon;

    cr_assert(task_round_event(task, &event));
    cr_assert(event.noise_multiplier == 1.5 && event.sampling_rate == 0.05 && event.steps == 10);
    cr_assert(event.kind == ACCOUNTANT_DISCRETE_GAUSSIAN);
    cr_assert(task_epsilon(task, 0, &epsilon) == CN_OK && epsilon == 0);
    task_free(task);
    task = parsed(open_text);
    cr_assert(!task_round_event(task, &event) && event.steps == 0);
    cr_assert(task_epsilon(task, 4, &epsilon) == CN_OK && epsilon == 0 && task->epsilon == 0);
    task_free(task);
}

Test(task, gives_the_options_of_training)
{
    struct train_options options;
    struct task *task = parsed(private_text);

    task_train_options(&options, task);
    cr_assert(options.steps == 10 && options.epochs == 0 && options.batch == 0);
    cr_assert(options.expected_batch == 16 && options.sampling_rate == 0.05);
    cr_assert(options.clip_norm == 0.5 && options.learning_rate == 2 && !options.noise);
    task_free(task);
    task = parsed(open_text);
    task_train_options(&options, task);
    cr_assert(options.epochs == 2 && options.steps == 0 && options.batch == 4);
    cr_assert(options.expected_batch == 0 && options.momentum == 0.9 && options.clip_norm == 0);
    task_free(task);
}

Test(task, makes_the_same_model_from_the_same_seed)
{
    struct task *task = parsed(open_text);
    struct model *one, *two;

    cr_assert_eq(task_model_new(&one, task, 4, NULL), CN_OK);
    cr_assert_eq(task_model_new(&two, task, 8, NULL), CN_OK);
    cr_assert_eq(model_params(one), 6);
    cr_assert_eq(memcmp(model_weights(one), model_weights(two), 6 * sizeof(float)), 0);
    cr_assert(model_weights(one)[0] != 0);
    model_free(one);
    model_free(two);
    task_free(task);
}

Test(task, loads_data_as_it_describes_it)
{
    struct task *task = parsed(with(open_text, "{classes: 2}",
                                    "{classes: 2, labels: [no, yes], columns: [{name: b, mean: 4},"
                                    " {name: a, deviation: 2}]}"));
    struct data_source source;
    struct dataset set;

    scratch_make();
    scratch_text("t.csv", "a,b,c,y\n8,5,x,yes\n");
    cr_assert_eq(data_source_parse(&source, "csv:t.csv,label=y", NULL), CN_OK);
    cr_assert_eq(data_source_rebase(&source, scratch_folder), CN_OK);
    cr_assert_eq(task_data_load(&set, task, &source, NULL), CN_OK);
    cr_assert(set.n == 1 && set.x[0] == 1 && set.x[1] == 4 && set.y[0] == 1 && set.classes == 2);
    dataset_free(&set);
    task_free(task);
    scratch_remove();
}

Test(task, loads_from_a_file_and_tells_a_missing_one)
{
    struct cn_diag diag = {0};
    struct task *task;

    scratch_make();
    cr_assert_eq(task_load(&task, scratch_text("t.yaml", private_text), NULL), CN_OK);
    task_free(task);
    cr_assert_eq(task_load(&task, scratch_path("none.yaml"), &diag), CN_E_NOT_FOUND);
    cr_assert(diag.text[0]);
    task_free(NULL);
    scratch_remove();
}

Test(task, refuses_texts_that_are_too_large)
{
    static char text[TASK_TEXT_BYTES_MAX + 1];
    struct cn_diag diag = {0};
    struct task *task;

    memset(text, '#', sizeof text);
    cr_assert_eq(task_parse(&task, text, sizeof text, "t", &diag), CN_E_TOO_LARGE);
    cr_assert(strstr(diag.text, "65536"));
}

Test(task, accepts_the_tasks_that_come_with_it)
{
    static const char *const names[] = {"fashion-demo", "fashion-demo-no-dp", "credit-table"};

    for (size_t i = 0; i < CN_COUNT(names); i++) {
        char path[512], line[CN_DIAG_LINE_MAX];
        struct cn_diag diag = {0};
        struct encode_plan plan;
        struct task *task;
        enum cn_err err;

        snprintf(path, sizeof path, "%s/configs/tasks/%s.yaml", CAIRN_SOURCE_DIR, names[i]);
        err = task_load(&task, path, &diag);
        cr_assert_eq(err, CN_OK, "%s", cn_diag_line(&diag, line));
        cr_assert_str_eq(task->name, names[i]);
        cr_assert_eq(task_encode_plan(&plan, task, NULL), CN_OK);
        if (i == 0)
            cr_assert(task->params == 26010 && task->epsilon > 5 && task->epsilon <= 6);
        task_free(task);
    }
}

Test(task, knows_the_settings_of_every_kind_of_layer)
{
    const char *text = with(private_text, "    - {type: flatten}\n",
                            "    - {type: conv2d, filters: 4, kernel: 1}\n"
                            "    - {type: conv2d, filters: 4, kernel: 1, groups: 2}\n"
                            "    - {type: leaky_relu, slope: 0.2}\n"
                            "    - {type: gelu}\n    - {type: silu}\n    - {type: sigmoid}\n"
                            "    - {type: dropout, rate: 0.1}\n    - {type: softmax}\n"
                            "    - {type: global_average_pool}\n    - {type: layer_norm}\n"
                            "    - {type: rms_norm}\n    - {type: group_norm, groups: 2}\n"
                            "    - {type: residual, from: 9}\n");
    struct task *task = parsed(text);

    cr_assert(task->model.layers[1].groups == 2 && task->model.layers[2].slope == 0.2);
    cr_assert(task->model.layers[6].rate == 0.1);
    cr_assert_eq(task->model.layers[8].kind, LAYER_GLOBAL_AVERAGE_POOL);
    cr_assert(task->model.layers[11].groups == 2 &&
              strcmp(task->model.layers[12].source, "9") == 0);
    task_free(task);
    refuses("type: flatten", "type: dropout, rate: 1.5", "rate");
    refuses("type: flatten", "type: dropout", "'rate' must be above 0 and below 1");
}

Test(task, reads_the_optimiser_and_its_schedule)
{
    struct task *task = parsed(with(open_text, "  momentum: 0.9\n",
                                    "  optimiser: adamw\n  beta1: 0.8\n  beta2: 0.99\n"
                                    "  epsilon: 1.0e-6\n  weight_decay: 0.01\n"
                                    "  gradient_clip: 2\n  proximal: 0.1\n  schedule: step\n"
                                    "  schedule_every: 5\n  schedule_factor: 0.5\n  warm_up: 3\n"
                                    "  label_smoothing: 0.1\n"));
    struct train_options options;
    struct optimiser_options *o = &options.optimiser;

    task_train_options(&options, task);
    cr_assert(o->kind == OPTIMISER_ADAMW && o->beta1 == 0.8 && o->beta2 == 0.99);
    cr_assert(o->epsilon == 1e-6 && o->weight_decay == 0.01 && o->gradient_clip == 2);
    cr_assert(o->proximal == 0.1 && o->schedule == SCHEDULE_STEP && o->warm_up == 3);
    cr_assert(o->schedule_every == 5 && o->schedule_factor == 0.5);
    cr_assert(options.label_smoothing == 0.1 && options.learning_rate == 0.1);
    task_free(task);
    refuses_open("momentum: 0.9", "optimiser: adem", "did you mean 'adam'?");
    refuses_open("momentum: 0.9", "optimiser: nesterov", "'momentum' must be given");
    refuses_open("momentum: 0.9", "schedule: step", "'schedule_every' must be");
    refuses_open("momentum: 0.9", "beta2: 1.0", "beta2");
}
