/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of a task about data and augmentation. */
#include "task_text.h"

TestSuite(task_data);

static void refuses(const char *text, const char *words, unsigned line)
{
    char shown[CN_DIAG_LINE_MAX];
    struct cn_diag diag = {0};
    struct task *task;

    cr_assert_eq(task_parse(&task, text, strlen(text), "t.yaml", &diag), CN_E_CONFIG, "%s", words);
    cn_diag_line(&diag, shown);
    cr_assert(strstr(shown, words), "'%s' lacks '%s'", shown, words);
    cr_assert_eq(diag.line, line, "%s", shown);
}

#define COLUMNS                                                                                    \
    "data:\n  classes: 2\n  columns:\n"                                                            \
    "    - {name: age, mean: 40, deviation: 9, missing: mean, indicator: true}\n"                  \
    "    - {name: use, type: category, categories: [car, tv], unknown: column, missing: zeros}\n"

Test(task_data, reads_typed_columns_and_counts_their_values)
{
    static char wide[TEXT_ROOM];
    struct task *task;
    struct data_form form;

    snprintf(wide, sizeof wide, "%s", with(open_text, "data: {classes: 2}\n", COLUMNS));
    refuses(wide, "2 columns of 5 values, 'model.input' is 1 x 1 x 2", 10);
    task = parsed(with(wide, "input: [2]", "input: [5]"));
    form = task_data_form(task);
    cr_assert(form.column_count == 2 && form.columns[0].indicator);
    cr_assert(form.columns[0].missing == DATA_MISSING_MEAN && form.columns[0].deviation == 9);
    cr_assert(form.columns[1].kind == DATA_COLUMN_CATEGORY && form.columns[1].category_count == 2);
    cr_assert_str_eq(form.columns[1].categories[1], "tv");
    task_free(task);
    refuses(with(wide, "missing: zeros", "missing: mean"), "no mean or fill", 11);
    refuses(with(wide, "missing: mean", "missing: zeros"), "'missing: zeros' is for", 10);
}

Test(task_data, reads_targets_in_place_of_classes)
{
    static char text[TEXT_ROOM];
    struct task *task;
    struct data_form form;

    snprintf(text, sizeof text, "%s",
             with(open_text, "data: {classes: 2}",
                  "data: {targets: [{name: a, mean: 3}, {name: b, deviation: 2}]}"));
    snprintf(text, sizeof text, "%s", with(text, "  seed: 9\n", "  loss: mean_squared_error\n"));
    task = parsed(text);
    form = task_data_form(task);
    cr_assert(form.target_count == 2 && form.targets[0].mean == 3);
    cr_assert(form.targets[0].deviation == 1 && form.targets[1].deviation == 2);
    task_free(task);
    refuses(with(text, "{targets:", "{classes: 2, targets:"), "exclude each other", 7);
    refuses(with(open_text, "{classes: 2}", "{mean: 1}"), "what is to be learnt is missing", 7);
}

Test(task_data, reads_augmentation_and_refuses_what_privacy_does_not_count)
{
    struct train_options options;
    struct task *task = parsed(with(private_text, "  steps: 10\n",
                                    "  steps: 10\n  augment: {flip: 0.5, shift: 1, noise: 0.1}\n"));

    task_train_options(&options, task);
    cr_assert(options.augment && options.augment->shift == 1 && options.augment->flip == 0.5);
    task_free(task);
    task = parsed(private_text);
    task_train_options(&options, task);
    cr_assert(!options.augment);
    task_free(task);
    refuses(with(private_text, "  steps: 10\n", "  steps: 10\n  augment: {mix_up: 0.2}\n"),
            "privacy for examples counts one", 11);
    refuses(with(private_text, "  steps: 10\n", "  steps: 10\n  augment: {shift: 2}\n"),
            "'shift': expected fewer pixels", 11);
    task = parsed(with(open_text, "  epochs: 2\n", "  epochs: 2\n  augment: {mix_up: 0.2}\n"));
    cr_assert_eq(task->training.augment.mix_up, 0.2);
    task_free(task);
}
