/* SPDX-License-Identifier: Apache-2.0 */
/* The task's keys about data: columns, categories, targets, texts, augmentation. */
#include <stdio.h>
#include <string.h>

#include <cyaml/cyaml.h>

#include "base/config.h"
#include "data/csv.h"
#include "task/task_fields.h"
#include "task/task_internal.h"

#define MUST CYAML_FLAG_DEFAULT
#define MAY CYAML_FLAG_OPTIONAL
#define POINTER CYAML_FLAG_POINTER

/* clang-format off */
static const cyaml_strval_t kinds[] = {
    {"number", DATA_COLUMN_NUMBER}, {"category", DATA_COLUMN_CATEGORY},
};
static const cyaml_strval_t missings[] = {
    {"refuse", DATA_MISSING_REFUSE}, {"mean", DATA_MISSING_MEAN}, {"fill", DATA_MISSING_FILL},
    {"zeros", DATA_MISSING_ZEROS},
};
static const cyaml_strval_t unknowns[] = {
    {"refuse", DATA_UNKNOWN_REFUSE}, {"column", DATA_UNKNOWN_COLUMN},
};
static const cyaml_strval_t text_units[] = {
    {"byte", DATA_UNIT_BYTE}, {"character", DATA_UNIT_CHARACTER}, {"word", DATA_UNIT_WORD},
};
static const cyaml_schema_value_t name_value = {
    CYAML_VALUE_STRING(POINTER, char *, 1, DATA_NAME_MAX - 1),
};
static const cyaml_schema_field_t column_fields[] = {
    CYAML_FIELD_STRING_PTR("name", POINTER, struct data_column, name, 1, DATA_NAME_MAX - 1),
    CYAML_FIELD_ENUM("type", MAY, struct data_column, kind, kinds, CN_COUNT(kinds)),
    CYAML_FIELD_FLOAT("mean", MAY, struct data_column, mean),
    CYAML_FIELD_FLOAT("deviation", MAY, struct data_column, deviation),
    CYAML_FIELD_SEQUENCE_COUNT("categories", POINTER | MAY, struct data_column, categories,
                               category_count, &name_value, 1, CSV_LABELS_MAX),
    CYAML_FIELD_ENUM("unknown", MAY, struct data_column, unknown, unknowns, CN_COUNT(unknowns)),
    CYAML_FIELD_ENUM("missing", MAY, struct data_column, missing, missings, CN_COUNT(missings)),
    CYAML_FIELD_FLOAT("fill", MAY, struct data_column, fill),
    CYAML_FIELD_BOOL("indicator", MAY, struct data_column, indicator),
    CYAML_FIELD_END
};
static const cyaml_schema_value_t column_value = {
    CYAML_VALUE_MAPPING(MUST, struct data_column, column_fields),
};
static const cyaml_schema_field_t target_fields[] = {
    CYAML_FIELD_STRING_PTR("name", POINTER, struct data_column, name, 1, DATA_NAME_MAX - 1),
    CYAML_FIELD_FLOAT("mean", MAY, struct data_column, mean),
    CYAML_FIELD_FLOAT("deviation", MAY, struct data_column, deviation),
    CYAML_FIELD_END
};
static const cyaml_schema_value_t target_value = {
    CYAML_VALUE_MAPPING(MUST, struct data_column, target_fields),
};
static const cyaml_schema_field_t text_fields[] = {
    CYAML_FIELD_ENUM("unit", CYAML_FLAG_STRICT, struct data_text, unit,
                     text_units, CN_COUNT(text_units)),
    CYAML_FIELD_STRING_PTR("characters", POINTER | MAY, struct data_text, characters, 1, 4096),
    CYAML_FIELD_SEQUENCE_COUNT("words", POINTER | MAY, struct data_text, words, word_count,
                               &name_value, 1, 65536),
    CYAML_FIELD_END
};
const cyaml_schema_field_t task_data_fields[] = {
    CYAML_FIELD_UINT("classes", MAY, struct task_data, classes),
    CYAML_FIELD_FLOAT("mean", MAY, struct task_data, mean),
    CYAML_FIELD_FLOAT("deviation", MAY, struct task_data, deviation),
    CYAML_FIELD_SEQUENCE_COUNT("columns", POINTER | MAY, struct task_data, columns,
                               column_count, &column_value, 1, DATA_COLUMNS_MAX),
    CYAML_FIELD_SEQUENCE_COUNT("labels", POINTER | MAY, struct task_data, labels,
                               label_count, &name_value, 2, CSV_LABELS_MAX),
    CYAML_FIELD_SEQUENCE_COUNT("targets", POINTER | MAY, struct task_data, targets,
                               target_count, &target_value, 1, DATA_COLUMNS_MAX),
    CYAML_FIELD_MAPPING_PTR("text", POINTER | MAY, struct task_data, text, text_fields),
    CYAML_FIELD_END
};
const cyaml_schema_field_t task_augment_fields[] = {
    CYAML_FIELD_UINT("shift", MAY, struct augment_options, shift),
    CYAML_FIELD_UINT("crop", MAY, struct augment_options, crop),
    CYAML_FIELD_FLOAT("flip", MAY, struct augment_options, flip),
    CYAML_FIELD_FLOAT("flip_up", MAY, struct augment_options, flip_up),
    CYAML_FIELD_FLOAT("rotate", MAY, struct augment_options, rotate),
    CYAML_FIELD_FLOAT("brightness", MAY, struct augment_options, brightness),
    CYAML_FIELD_FLOAT("noise", MAY, struct augment_options, noise),
    CYAML_FIELD_FLOAT("cut_out", MAY, struct augment_options, cut_out),
    CYAML_FIELD_UINT("cut_out_size", MAY, struct augment_options, cut_out_size),
    CYAML_FIELD_FLOAT("mix_up", MAY, struct augment_options, mix_up),
    CYAML_FIELD_END
};
/* clang-format on */

static void default_deviation(struct data_column *columns, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (columns[i].deviation == 0)
            columns[i].deviation = 1;
}

/* Zeros are keys that are absent: the ranges refuse a written 0. */
void task_data_defaults(struct task *task)
{
    struct task_data *data = &task->data;

    if (data->deviation == 0)
        data->deviation = 1;
    default_deviation(data->columns, data->column_count);
    default_deviation(data->targets, data->target_count);
}

static enum cn_err check_columns(const struct task_check *check)
{
    const struct task_data *data = &check->task->data;
    const struct model_spec *model = &check->task->model;
    struct data_form form = {.columns = data->columns, .column_count = data->column_count};
    char path[CN_CONFIG_PATH_MAX];

    for (uint32_t i = 0; i < data->column_count; i++) {
        struct cn_diag fault = {0};
        enum cn_err err = data_column_check(&data->columns[i], &fault);

        snprintf(path, sizeof path, "data.columns[%u]", i);
        if (err == CN_E_CONFIG)
            return task_refuse(check, path, "%s", fault.text);
        CN_TRY(err);
    }
    if (data->column_count &&
        (model->channels != 1 || model->height != 1 || model->width != data_form_values(&form)))
        return task_refuse(check, "data.columns",
                           "'data.columns' names %u columns of %u values, 'model.input' is %u x %u "
                           "x %u",
                           data->column_count, data_form_values(&form), model->channels,
                           model->height, model->width);
    return CN_OK;
}

static enum cn_err check_labels(const struct task_check *check)
{
    const struct task_data *data = &check->task->data;

    if (data->label_count && data->label_count != data->classes)
        return task_refuse(check, "data.labels",
                           "'data.labels' names %u classes, 'data.classes' is %u",
                           data->label_count, data->classes);
    for (uint32_t i = 1; i < data->label_count; i++)
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(data->labels[i], data->labels[j]) == 0)
                return task_refuse(check, "data.labels", "labels %u and %u are the same", j + 1,
                                   i + 1);
    if (data->target_count && data->classes)
        return task_refuse_hint(check, "data.targets", "'targets' and 'classes' exclude each other",
                                "numbers to predict, or classes to tell apart");
    if (!data->target_count && !data->classes)
        return task_refuse_hint(check, "data", "what is to be learnt is missing",
                                "give 'classes', or 'targets' for numbers");
    return CN_OK;
}

static enum cn_err check_text(const struct task_check *check)
{
    const struct data_text *text = check->task->data.text;
    uint32_t vocabulary = check->task->model.vocabulary;
    struct cn_diag fault = {0};
    enum cn_err err = text ? data_text_check(text, &fault) : CN_OK;

    if (err == CN_E_CONFIG)
        return task_refuse(check, "data.text", "%s", fault.text);
    if (err == CN_OK && text && data_text_vocabulary(text) != vocabulary)
        return task_refuse(check, "data.text",
                           "'data.text' has %u tokens, 'model.vocabulary' is %u",
                           data_text_vocabulary(text), vocabulary);
    return err;
}

static enum cn_err check_augment(const struct task_check *check)
{
    const struct augment_options *augment = &check->task->training.augment;
    const struct model_spec *model = &check->task->model;
    struct augment_shape shape = {model->channels, model->height, model->width};
    struct cn_diag fault = {0};

    if (augment_any(augment) && model->vocabulary)
        return task_refuse(check, "training.augment", "tokens can not be augmented");
    if (augment_check(augment, &shape, &fault) != CN_OK)
        return task_refuse(check, "training.augment", "%s", fault.text);
    if (augment->mix_up > 0 && check->task->privacy.unit == TASK_UNIT_EXAMPLE)
        return task_refuse_hint(check, "training.augment.mix_up",
                                "'mix_up' puts one example into two gradients of a batch, and "
                                "privacy for examples counts one",
                                "remove it: all other changes look at one example only");
    return CN_OK;
}

enum cn_err task_check_data(const struct task_check *check)
{
    CN_TRY(check_labels(check));
    CN_TRY(check_columns(check));
    CN_TRY(check_text(check));
    return check_augment(check);
}
