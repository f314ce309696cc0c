/* SPDX-License-Identifier: Apache-2.0 */
/* A schema with every type that base/config supports, for its tests and its fuzzer. */
#ifndef CAIRN_TESTS_BASE_CONFIG_SCHEMA_H
#define CAIRN_TESTS_BASE_CONFIG_SCHEMA_H

#include <cyaml/cyaml.h>
#include <stdbool.h>
#include <stdint.h>

enum plan_split { PLAN_IID = 1, PLAN_DIRICHLET = 2 };

struct plan_layer {
    char kind[8];
    uint16_t kernel;
};

struct plan_training {
    double rate;
    float momentum;
    int8_t shift;
    bool shuffle;
};

struct plan {
    char *name;
    uint32_t rounds;
    int64_t seed;
    enum plan_split split;
    struct plan_training training;
    struct plan_training *fine;
    struct plan_layer *layers;
    uint32_t layers_count;
    uint8_t shape[3];
    char *note;
};

static const cyaml_strval_t plan_splits[] = {{"iid", PLAN_IID}, {"dirichlet", PLAN_DIRICHLET}};

static const cyaml_schema_field_t plan_layer_fields[] = {
    CYAML_FIELD_STRING("kind", CYAML_FLAG_DEFAULT, struct plan_layer, kind, 1),
    CYAML_FIELD_UINT("kernel", CYAML_FLAG_OPTIONAL, struct plan_layer, kernel),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t plan_layer_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct plan_layer, plan_layer_fields),
};

static const cyaml_schema_value_t plan_size_schema = {
    CYAML_VALUE_UINT(CYAML_FLAG_DEFAULT, uint8_t),
};

static const cyaml_schema_field_t plan_training_fields[] = {
    CYAML_FIELD_FLOAT("rate", CYAML_FLAG_DEFAULT, struct plan_training, rate),
    CYAML_FIELD_FLOAT("momentum", CYAML_FLAG_OPTIONAL, struct plan_training, momentum),
    CYAML_FIELD_INT("shift", CYAML_FLAG_OPTIONAL, struct plan_training, shift),
    CYAML_FIELD_BOOL("shuffle", CYAML_FLAG_OPTIONAL, struct plan_training, shuffle),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t plan_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct plan, name, 1, 20),
    CYAML_FIELD_UINT("rounds", CYAML_FLAG_DEFAULT, struct plan, rounds),
    CYAML_FIELD_INT("seed", CYAML_FLAG_OPTIONAL, struct plan, seed),
    CYAML_FIELD_ENUM("split", CYAML_FLAG_OPTIONAL, struct plan, split, plan_splits, 2),
    CYAML_FIELD_MAPPING("training", CYAML_FLAG_OPTIONAL, struct plan, training,
                        plan_training_fields),
    CYAML_FIELD_MAPPING_PTR("fine", CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER_NULL, struct plan,
                            fine, plan_training_fields),
    CYAML_FIELD_SEQUENCE("layers", CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER, struct plan, layers,
                         &plan_layer_schema, 1, 3),
    CYAML_FIELD_SEQUENCE_FIXED("shape", CYAML_FLAG_OPTIONAL, struct plan, shape, &plan_size_schema,
                               3),
    CYAML_FIELD_STRING_PTR("note", CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER_NULL_STR, struct plan,
                           note, 0, CYAML_UNLIMITED),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t plan_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct plan, plan_fields),
};

#endif
