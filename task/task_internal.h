/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share: the YAML as it is loaded, and the checks on it. */
#ifndef CAIRN_TASK_TASK_INTERNAL_H
#define CAIRN_TASK_TASK_INTERNAL_H

#include "task/task.h"

/* clang-format off */
#define TASK_PHASE_SECONDS_MAX 604800 /* a week */
#define TASK_GATHER_DEFAULT_S 10
#define TASK_TRAIN_DEFAULT_S 120
#define TASK_PHASE_DEFAULT_S 20
#define TASK_UPLOAD_DEFAULT_S 60
#define TASK_CORRUPT_DEFAULT 0.1
#define TASK_DROPOUT_DEFAULT 0.1
/* clang-format on */

#define TASK_EXAMPLES_MAX 1000000u /* what the counter of weights holds, with every cohort */
#define TASK_CLASSES_MIN 2u

struct task_raw_model {
    uint32_t *input;
    uint32_t input_count;
    struct layer_spec *layers;
    uint32_t layer_count;
    uint64_t seed;
    uint32_t vocabulary;
    struct loss_spec loss;
};

/* The mapping of the file; owned by libcyaml, freed through base/config. */
struct task_raw {
    char *task;
    struct task_raw_model model;
    struct task_data data;
    struct task_training training;
    struct task_privacy privacy;
    struct task_secagg secure_aggregation; /* zeros: keys that are absent */
    struct task_rounds rounds;
    struct task_strategy strategy;
};

extern const struct cyaml_schema_value task_schema;
extern const struct cn_config_range task_ranges[];
extern const size_t task_range_count;

#define TASK_CLIP_RATE_DEFAULT 0.2

/* A share of 0 .. SECAGG_RING_PERMILLE_MAX / 1000 in thousandths, rounded up: of the graph and of
 * the noise more is asked than was said, never less. Shares a hair above a whole number of
 * thousandths, as decimals in binary are, count as that number. */
uint16_t task_permille(double share);

/* The text under check, for places. */
struct task_check {
    const struct task *task;
    const char *place;
    struct cn_diag *diag;
};

/* Says what is wrong at path and, if hint is not NULL, what to do. CN_E_CONFIG. */
__attribute__((format(printf, 3, 4))) enum cn_err
task_refuse(const struct task_check *check, const char *path, const char *format, ...);
enum cn_err task_refuse_hint(const struct task_check *check, const char *path, const char *text,
                             const char *hint);

/* Fills privacy's keys that were left out. */
void task_privacy_defaults(struct task *task);

/* Checks the privacy keys among themselves and with training; raw is the file's. */
enum cn_err task_check_privacy(const struct task_check *check, const struct task_raw *raw);

/* Fills the data keys that were left out. */
void task_data_defaults(struct task *task);

/* Checks the data keys with the model, and training.augment with both. */
enum cn_err task_check_data(const struct task_check *check);

/* Checks what goes beyond types and ranges; task is filled from raw but for params, epsilon and
 * hash. place is the text's name. */
enum cn_err task_check_settings(const struct task *task, const struct task_raw *raw,
                                const char *place, struct cn_diag *diag);

/* Freezes what training.freeze names. Errors of model_freeze. */
enum cn_err task_freeze(struct model *model, const struct task *task, struct cn_diag *diag);

/* Checks the layers and sets task->params. */
enum cn_err task_check_model(struct task *task, const char *place, struct cn_diag *diag);

/* Prices all rounds, sets task->epsilon and compares with privacy.epsilon_max. */
enum cn_err task_check_budget(struct task *task, const char *place, struct cn_diag *diag);

#endif
