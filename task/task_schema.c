/* SPDX-License-Identifier: Apache-2.0 */
/* The task file's keys, types and ranges as tables. */
#include <cyaml/cyaml.h>

#include "base/config.h"
#include "crypto/secagg.h"
#include "privacy/noise.h"
#include "task/task_fields.h"
#include "task/task_internal.h"

#define MUST CYAML_FLAG_DEFAULT
#define MAY CYAML_FLAG_OPTIONAL

/* clang-format off */
static const cyaml_strval_t layer_kinds[] = {
    {"dense", LAYER_DENSE},
    {"conv2d", LAYER_CONV2D},
    {"max_pool", LAYER_MAX_POOL},
    {"average_pool", LAYER_AVERAGE_POOL},
    {"relu", LAYER_RELU},
    {"tanh", LAYER_TANH},
    {"flatten", LAYER_FLATTEN},
    {"leaky_relu", LAYER_LEAKY_RELU},
    {"gelu", LAYER_GELU},
    {"silu", LAYER_SILU},
    {"sigmoid", LAYER_SIGMOID},
    {"softmax", LAYER_SOFTMAX},
    {"global_average_pool", LAYER_GLOBAL_AVERAGE_POOL},
    {"global_max_pool", LAYER_GLOBAL_MAX_POOL},
    {"dropout", LAYER_DROPOUT},
    {"layer_norm", LAYER_LAYER_NORM},
    {"rms_norm", LAYER_RMS_NORM},
    {"group_norm", LAYER_GROUP_NORM},
    {"residual", LAYER_RESIDUAL},
    {"embedding", LAYER_EMBEDDING},
    {"position", LAYER_POSITION},
    {"slice", LAYER_SLICE},
    {"lstm", LAYER_LSTM},
    {"gru", LAYER_GRU},
    {"attention", LAYER_ATTENTION},
    {"encoder", LAYER_ENCODER},
    {"decoder", LAYER_DECODER},
};
_Static_assert(CN_COUNT(layer_kinds) == LAYER_KIND_COUNT - 1, "every kind has its word");

static const cyaml_strval_t weightings[] = {
    {"equal", TASK_WEIGHTING_EQUAL},
    {"examples", TASK_WEIGHTING_EXAMPLES},
};
static const cyaml_strval_t units[] = {
    {"example", TASK_UNIT_EXAMPLE}, {"user", TASK_UNIT_USER}, {"none", TASK_UNIT_NONE},
};
static const cyaml_strval_t placements[] = {
    {"local", TASK_PLACEMENT_LOCAL}, {"central", TASK_PLACEMENT_CENTRAL},
    {"distributed", TASK_PLACEMENT_DISTRIBUTED},
};
static const cyaml_strval_t correlations[] = {
    {"tree", CORRELATED_TREE}, {"banded", CORRELATED_BANDED},
};
static const cyaml_strval_t modes[] = {{"on", TASK_MODE_ON}, {"off", TASK_MODE_OFF}};
static const cyaml_strval_t adversaries[] = {
    {"malicious", TASK_ADVERSARY_MALICIOUS}, {"curious", TASK_ADVERSARY_CURIOUS},
};
static const cyaml_strval_t optimisers[] = {
    {"sgd", OPTIMISER_SGD},   {"nesterov", OPTIMISER_NESTEROV}, {"adam", OPTIMISER_ADAM},
    {"adamw", OPTIMISER_ADAMW}, {"rmsprop", OPTIMISER_RMSPROP}, {"adagrad", OPTIMISER_ADAGRAD},
};
_Static_assert(CN_COUNT(optimisers) == OPTIMISER_KIND_COUNT, "every optimiser has its word");
static const cyaml_strval_t schedules[] = {
    {"constant", SCHEDULE_CONSTANT}, {"step", SCHEDULE_STEP}, {"cosine", SCHEDULE_COSINE},
};
_Static_assert(CN_COUNT(schedules) == SCHEDULE_KIND_COUNT, "every schedule has its word");
static const cyaml_strval_t strategies[] = {{"fedavg", TASK_STRATEGY_FEDAVG}};

static const cyaml_strval_t losses[] = {
    {"cross_entropy", LOSS_CROSS_ENTROPY}, {"binary_cross_entropy", LOSS_BINARY_CROSS_ENTROPY},
    {"mean_squared_error", LOSS_MEAN_SQUARED_ERROR}, {"huber", LOSS_HUBER},
};
_Static_assert(CN_COUNT(losses) == LOSS_KIND_COUNT, "every loss has its word");
static const cyaml_strval_t spans[] = {{"round", TASK_SPAN_ROUND}, {"task", TASK_SPAN_TASK}};
static const cyaml_strval_t clippings[] = {
    {"flat", TASK_CLIPPING_FLAT}, {"per_layer", TASK_CLIPPING_PER_LAYER},
};

static const cyaml_schema_field_t layer_fields[] = {
    CYAML_FIELD_ENUM("type", MUST, struct layer_spec, kind, layer_kinds, CN_COUNT(layer_kinds)),
    CYAML_FIELD_UINT("units", MAY, struct layer_spec, units),
    CYAML_FIELD_UINT("filters", MAY, struct layer_spec, filters),
    CYAML_FIELD_UINT("kernel", MAY, struct layer_spec, kernel),
    CYAML_FIELD_UINT("stride", MAY, struct layer_spec, stride),
    CYAML_FIELD_UINT("padding", MAY, struct layer_spec, padding),
    CYAML_FIELD_UINT("groups", MAY, struct layer_spec, groups),
    CYAML_FIELD_STRING("from", MAY, struct layer_spec, source, 1),
    CYAML_FIELD_STRING("name", MAY, struct layer_spec, name, 1),
    CYAML_FIELD_STRING("memory", MAY, struct layer_spec, memory, 1),
    CYAML_FIELD_UINT("heads", MAY, struct layer_spec, heads),
    CYAML_FIELD_UINT("layers", MAY, struct layer_spec, layers),
    CYAML_FIELD_UINT("start", MAY, struct layer_spec, start),
    CYAML_FIELD_UINT("length", MAY, struct layer_spec, length),
    CYAML_FIELD_BOOL("sequence", MAY, struct layer_spec, sequence),
    CYAML_FIELD_BOOL("causal", MAY, struct layer_spec, causal),
    CYAML_FIELD_BOOL("mask_padding", MAY, struct layer_spec, mask_padding),
    CYAML_FIELD_BOOL("pre_norm", MAY, struct layer_spec, pre_norm),
    CYAML_FIELD_BOOL("learned", MAY, struct layer_spec, learned),
    CYAML_FIELD_BOOL("projection", MAY, struct layer_spec, projection),
    CYAML_FIELD_ENUM("activation", MAY, struct layer_spec, activation, layer_kinds,
                     CN_COUNT(layer_kinds)),
    CYAML_FIELD_FLOAT("slope", MAY, struct layer_spec, slope),
    CYAML_FIELD_FLOAT("rate", MAY, struct layer_spec, rate),
    CYAML_FIELD_END
};
static const cyaml_schema_value_t layer_value = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct layer_spec, layer_fields),
};
static const cyaml_schema_value_t size_value = {
    CYAML_VALUE_UINT(CYAML_FLAG_DEFAULT, uint32_t),
};
static const cyaml_schema_field_t model_fields[] = {
    CYAML_FIELD_SEQUENCE("input", CYAML_FLAG_POINTER, struct task_raw_model, input, &size_value,
                         1, 3),
    CYAML_FIELD_SEQUENCE_COUNT("layers", CYAML_FLAG_POINTER, struct task_raw_model, layers,
                               layer_count, &layer_value, 1, MODEL_LAYERS_MAX),
    CYAML_FIELD_UINT("seed", MAY, struct task_raw_model, seed),
    CYAML_FIELD_UINT("vocabulary", MAY, struct task_raw_model, vocabulary),
    CYAML_FIELD_ENUM("loss", MAY, struct task_raw_model, loss.kind, losses, CN_COUNT(losses)),
    CYAML_FIELD_FLOAT("huber_delta", MAY, struct task_raw_model, loss.delta),
    CYAML_FIELD_END
};

static const cyaml_schema_value_t pattern_value = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 1, MODEL_LABEL_MAX - 1),
};
static const cyaml_schema_field_t training_fields[] = {
    CYAML_FIELD_FLOAT("learning_rate", MUST, struct task_training, learning_rate),
    CYAML_FIELD_FLOAT("momentum", MAY, struct task_training, momentum),
    CYAML_FIELD_UINT("steps", MAY, struct task_training, steps),
    CYAML_FIELD_UINT("epochs", MAY, struct task_training, epochs),
    CYAML_FIELD_UINT("batch", MUST, struct task_training, batch),
    CYAML_FIELD_FLOAT("sampling_rate", MAY, struct task_training, sampling_rate),
    CYAML_FIELD_ENUM("weighting", MAY, struct task_training, weighting,
                     weightings, CN_COUNT(weightings)),
    CYAML_FIELD_UINT("examples_max", MAY, struct task_training, examples_max),
    CYAML_FIELD_FLOAT("label_smoothing", MAY, struct task_training, label_smoothing),
    CYAML_FIELD_ENUM("optimiser", MAY, struct task_training, optimiser.kind,
                     optimisers, CN_COUNT(optimisers)),
    CYAML_FIELD_FLOAT("beta1", MAY, struct task_training, optimiser.beta1),
    CYAML_FIELD_FLOAT("beta2", MAY, struct task_training, optimiser.beta2),
    CYAML_FIELD_FLOAT("epsilon", MAY, struct task_training, optimiser.epsilon),
    CYAML_FIELD_FLOAT("weight_decay", MAY, struct task_training, optimiser.weight_decay),
    CYAML_FIELD_FLOAT("gradient_clip", MAY, struct task_training, optimiser.gradient_clip),
    CYAML_FIELD_FLOAT("proximal", MAY, struct task_training, optimiser.proximal),
    CYAML_FIELD_ENUM("schedule", MAY, struct task_training, optimiser.schedule,
                     schedules, CN_COUNT(schedules)),
    CYAML_FIELD_ENUM("schedule_over", MAY, struct task_training, schedule_over, spans,
                     CN_COUNT(spans)),
    CYAML_FIELD_SEQUENCE_COUNT("freeze", CYAML_FLAG_POINTER | MAY, struct task_training, freeze,
                               freeze_count, &pattern_value, 1, MODEL_LAYERS_MAX),
    CYAML_FIELD_UINT("warm_up", MAY, struct task_training, optimiser.warm_up),
    CYAML_FIELD_UINT("schedule_every", MAY, struct task_training, optimiser.schedule_every),
    CYAML_FIELD_FLOAT("schedule_factor", MAY, struct task_training, optimiser.schedule_factor),
    CYAML_FIELD_MAPPING("augment", MAY, struct task_training, augment, task_augment_fields),
    CYAML_FIELD_END
};
static const cyaml_schema_field_t privacy_fields[] = {
    CYAML_FIELD_ENUM("unit", MUST, struct task_privacy, unit, units, CN_COUNT(units)),
    CYAML_FIELD_ENUM("placement", MAY, struct task_privacy, placement,
                     placements, CN_COUNT(placements)),
    CYAML_FIELD_UINT("honest_min", MAY, struct task_privacy, honest_min),
    CYAML_FIELD_FLOAT("clip_quantile", MAY, struct task_privacy, clip_quantile),
    CYAML_FIELD_FLOAT("clip_rate", MAY, struct task_privacy, clip_rate),
    CYAML_FIELD_FLOAT("clip_count_noise", MAY, struct task_privacy, clip_count_noise),
    CYAML_FIELD_ENUM("correlation", MAY, struct task_privacy, correlation,
                     correlations, CN_COUNT(correlations)),
    CYAML_FIELD_UINT("correlation_rounds", MAY, struct task_privacy, correlation_rounds),
    CYAML_FIELD_FLOAT("clip_norm", MAY, struct task_privacy, clip_norm),
    CYAML_FIELD_ENUM("clipping", MAY, struct task_privacy, clipping, clippings,
                     CN_COUNT(clippings)),
    CYAML_FIELD_FLOAT("noise_multiplier", MAY, struct task_privacy, noise_multiplier),
    CYAML_FIELD_FLOAT("delta", MAY, struct task_privacy, delta),
    CYAML_FIELD_FLOAT("epsilon_max", MAY, struct task_privacy, epsilon_max),
    CYAML_FIELD_END
};
static const cyaml_schema_field_t secagg_fields[] = {
    CYAML_FIELD_ENUM("mode", MAY, struct task_secagg, mode, modes, CN_COUNT(modes)),
    CYAML_FIELD_FLOAT("update_range", MAY, struct task_secagg, update_range),
    CYAML_FIELD_UINT("threshold", MAY, struct task_secagg, threshold),
    CYAML_FIELD_FLOAT("corrupt", MAY, struct task_secagg, corrupt),
    CYAML_FIELD_FLOAT("dropout", MAY, struct task_secagg, dropout),
    CYAML_FIELD_ENUM("adversary", MAY, struct task_secagg, adversary,
                     adversaries, CN_COUNT(adversaries)),
    CYAML_FIELD_END
};
static const cyaml_schema_field_t rounds_fields[] = {
    CYAML_FIELD_UINT("count", MUST, struct task_rounds, count),
    CYAML_FIELD_UINT("cohort_min", MUST, struct task_rounds, cohort_min),
    CYAML_FIELD_UINT("cohort_max", MUST, struct task_rounds, cohort_max),
    CYAML_FIELD_UINT("gather_s", MAY, struct task_rounds, gather_s),
    CYAML_FIELD_UINT("train_s", MAY, struct task_rounds, train_s),
    CYAML_FIELD_UINT("keys_s", MAY, struct task_rounds, keys_s),
    CYAML_FIELD_UINT("exchange_s", MAY, struct task_rounds, exchange_s),
    CYAML_FIELD_UINT("upload_s", MAY, struct task_rounds, upload_s),
    CYAML_FIELD_UINT("survivors_s", MAY, struct task_rounds, survivors_s),
    CYAML_FIELD_UINT("reveal_s", MAY, struct task_rounds, reveal_s),
    CYAML_FIELD_END
};
static const cyaml_schema_field_t strategy_fields[] = {
    CYAML_FIELD_ENUM("name", MUST, struct task_strategy, name, strategies, CN_COUNT(strategies)),
    CYAML_FIELD_FLOAT("learning_rate", MAY, struct task_strategy, learning_rate),
    CYAML_FIELD_END
};

static const cyaml_schema_field_t task_fields[] = {
    CYAML_FIELD_STRING_PTR("task", CYAML_FLAG_POINTER, struct task_raw, task, 1, TASK_NAME_MAX),
    CYAML_FIELD_MAPPING("model", MUST, struct task_raw, model, model_fields),
    CYAML_FIELD_MAPPING("data", MUST, struct task_raw, data, task_data_fields),
    CYAML_FIELD_MAPPING("training", MUST, struct task_raw, training, training_fields),
    CYAML_FIELD_MAPPING("privacy", MUST, struct task_raw, privacy, privacy_fields),
    CYAML_FIELD_MAPPING("secure_aggregation", MAY, struct task_raw, secure_aggregation,
                        secagg_fields),
    CYAML_FIELD_MAPPING("rounds", MUST, struct task_raw, rounds, rounds_fields),
    CYAML_FIELD_MAPPING("strategy", MAY, struct task_raw, strategy, strategy_fields),
    CYAML_FIELD_END
};
const cyaml_schema_value_t task_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct task_raw, task_fields),
};

const struct cn_config_range task_ranges[] = {
    {"model.input[]", 1, MODEL_SIZE_MAX, false},
    {"model.layers[].units", 1, MODEL_SIZE_MAX, false},
    {"model.layers[].filters", 1, MODEL_SIZE_MAX, false},
    {"model.layers[].kernel", 1, MODEL_SIZE_MAX, false},
    {"model.layers[].stride", 1, MODEL_SIZE_MAX, false},
    {"model.layers[].padding", 0, MODEL_SIZE_MAX, false},
    {"model.layers[].groups", 1, MODEL_SIZE_MAX, false},
    {"model.layers[].heads", 1, MODEL_SIZE_MAX, false},
    {"model.layers[].layers", 1, MODEL_LAYERS_MAX, false},
    {"model.layers[].start", 0, MODEL_SIZE_MAX, false},
    {"model.layers[].length", 1, MODEL_SIZE_MAX, false},
    {"model.vocabulary", 2, DATASET_VOCABULARY_MAX, false},
    {"model.huber_delta", 0, 1e9, true},
    {"model.layers[].slope", 0, 1, true},
    {"model.layers[].rate", 0, 1, true},
    {"data.classes", TASK_CLASSES_MIN, DATASET_CLASSES_MAX, false},
    {"data.mean", -1e9, 1e9, false},
    {"data.deviation", 0, 1e9, true},
    {"data.columns[].mean", -1e12, 1e12, false},
    {"data.columns[].deviation", 0, 1e12, true},
    {"data.columns[].fill", -1e12, 1e12, false},
    {"data.targets[].mean", -1e12, 1e12, false},
    {"data.targets[].deviation", 0, 1e12, true},
    {"training.learning_rate", 0, 1e6, true},
    {"training.momentum", 0, 0.9999, false},
    {"training.steps", 1, 1e6, false},
    {"training.epochs", 1, 1e4, false},
    {"training.batch", 1, 1 << 20, false},
    {"training.sampling_rate", 0, 1, true},
    {"training.examples_max", 1, TASK_EXAMPLES_MAX, false},
    {"training.label_smoothing", 0, 0.9999, false},
    {"training.beta1", 0, 0.999999, true},
    {"training.beta2", 0, 0.999999, true},
    {"training.epsilon", 0, 1, true},
    {"training.weight_decay", 0, 1e6, false},
    {"training.gradient_clip", 0, 1e6, true},
    {"training.proximal", 0, 1e6, false},
    {"training.warm_up", 0, 1e6, false},
    {"training.schedule_every", 1, 1e6, false},
    {"training.schedule_factor", 0, 1, true},
    {"privacy.honest_min", 1, TASK_COHORT_MAX, false},
    {"privacy.clip_quantile", 0, 0.999, true},
    {"privacy.clip_rate", 0, 1, true},
    {"privacy.clip_count_noise", 0, 1e6, true},
    {"privacy.correlation_rounds", 1, (1 << CORRELATED_TREE_LEVELS_MAX) - 1, false},
    {"privacy.clip_norm", 0x1p-40, 0x1p40, false},
    {"privacy.noise_multiplier", NOISE_MULTIPLIER_MIN, NOISE_MULTIPLIER_MAX, false},
    {"privacy.delta", 0, 1e-2, true},
    {"privacy.epsilon_max", 0, 1e6, true},
    {"secure_aggregation.update_range", 0x1p-40, 0x1p40, false},
    {"secure_aggregation.threshold", 0, TASK_COHORT_MAX, false},
    {"secure_aggregation.corrupt", 0, SECAGG_RING_PERMILLE_MAX / 1000.0, true},
    {"secure_aggregation.dropout", 0, SECAGG_RING_PERMILLE_MAX / 1000.0, true},
    {"rounds.count", 1, TASK_ROUNDS_MAX, false},
    {"rounds.cohort_min", SECAGG_DEVICES_MIN, TASK_COHORT_MAX, false},
    {"rounds.cohort_max", SECAGG_DEVICES_MIN, TASK_COHORT_MAX, false},
    {"rounds.gather_s", 1, TASK_PHASE_SECONDS_MAX, false},
    {"rounds.train_s", 1, TASK_PHASE_SECONDS_MAX, false},
    {"rounds.keys_s", 1, TASK_PHASE_SECONDS_MAX, false},
    {"rounds.exchange_s", 1, TASK_PHASE_SECONDS_MAX, false},
    {"rounds.upload_s", 1, TASK_PHASE_SECONDS_MAX, false},
    {"rounds.survivors_s", 1, TASK_PHASE_SECONDS_MAX, false},
    {"rounds.reveal_s", 1, TASK_PHASE_SECONDS_MAX, false},
    {"strategy.learning_rate", 0, 100, true},
};
const size_t task_range_count = CN_COUNT(task_ranges);
/* clang-format on */
