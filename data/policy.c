/* SPDX-License-Identifier: Apache-2.0 */
/* Policies: their schema, their checks, and the actions that need no key. */
#include "data/policy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cyaml/cyaml.h>

#include "base/config.h"
#include "base/file.h"
#include "data/csv_value.h"

#define MUST CYAML_FLAG_DEFAULT
#define MAY CYAML_FLAG_OPTIONAL
#define POINTER CYAML_FLAG_POINTER

/* clang-format off */
static const cyaml_strval_t actions[] = {
    {"keep", POLICY_KEEP}, {"drop", POLICY_DROP}, {"hash", POLICY_HASH},
    {"prefix", POLICY_PREFIX}, {"map", POLICY_MAP}, {"bucket", POLICY_BUCKET},
    {"shift_date", POLICY_SHIFT_DATE},
};
static const cyaml_schema_field_t pair_fields[] = {
    CYAML_FIELD_STRING_PTR("from", POINTER, struct policy_pair, from, 1, DATA_NAME_MAX - 1),
    CYAML_FIELD_STRING_PTR("to", POINTER, struct policy_pair, to, 1, DATA_NAME_MAX - 1),
    CYAML_FIELD_END
};
static const cyaml_schema_value_t pair_value = {
    CYAML_VALUE_MAPPING(MUST, struct policy_pair, pair_fields)};
static const cyaml_schema_value_t edge_value = {CYAML_VALUE_FLOAT(MUST, double)};
static const cyaml_schema_field_t column_fields[] = {
    CYAML_FIELD_STRING_PTR("name", POINTER, struct policy_column, name, 1, DATA_NAME_MAX - 1),
    CYAML_FIELD_ENUM("action", CYAML_FLAG_STRICT, struct policy_column, action, actions,
                     CYAML_ARRAY_LEN(actions)),
    CYAML_FIELD_UINT("keep", MAY, struct policy_column, keep),
    CYAML_FIELD_SEQUENCE_COUNT("map", POINTER | MAY, struct policy_column, map, map_count,
                               &pair_value, 1, POLICY_MAP_MAX),
    CYAML_FIELD_STRING_PTR("other", POINTER | MAY, struct policy_column, other,
                           1, DATA_NAME_MAX - 1),
    CYAML_FIELD_SEQUENCE_COUNT("edges", POINTER | MAY, struct policy_column, edges, edge_count,
                               &edge_value, 1, POLICY_EDGES_MAX),
    CYAML_FIELD_FLOAT("width", MAY, struct policy_column, width),
    CYAML_FIELD_UINT("days", MAY, struct policy_column, days),
    CYAML_FIELD_END
};
static const cyaml_schema_value_t column_value = {
    CYAML_VALUE_MAPPING(MUST, struct policy_column, column_fields)};
static const cyaml_schema_value_t name_value = {
    CYAML_VALUE_STRING(POINTER, char *, 1, DATA_NAME_MAX - 1)};
static const cyaml_schema_field_t policy_fields[] = {
    CYAML_FIELD_STRING_PTR("policy", POINTER, struct policy, name, 1, DATA_NAME_MAX - 1),
    CYAML_FIELD_SEQUENCE_COUNT("columns", POINTER, struct policy, columns, column_count,
                               &column_value, 1, DATA_COLUMNS_MAX),
    CYAML_FIELD_STRING_PTR("person", POINTER | MAY, struct policy, person, 1, DATA_NAME_MAX - 1),
    CYAML_FIELD_SEQUENCE_COUNT("quasi", POINTER | MAY, struct policy, quasi, quasi_count,
                               &name_value, 1, DATA_COLUMNS_MAX),
    CYAML_FIELD_UINT("k", MAY, struct policy, k),
    CYAML_FIELD_STRING_PTR("sensitive", POINTER | MAY, struct policy, sensitive,
                           1, DATA_NAME_MAX - 1),
    CYAML_FIELD_UINT("l", MAY, struct policy, l),
    CYAML_FIELD_END
};
static const cyaml_schema_value_t policy_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct policy, policy_fields)};

static const struct cn_config_range ranges[] = {
    {"k", 2, POLICY_K_MAX, false},
    {"l", 2, POLICY_K_MAX, false},
    {"columns[].keep", 0, 64, false},
    {"columns[].edges[]", -1e15, 1e15, false},
    {"columns[].width", 0, 1e15, true},
    {"columns[].days", 1, POLICY_DAYS_MAX, false},
};
/* clang-format on */

/* The text under check, for places. */
struct check {
    const struct policy *policy;
    const char *text;
    size_t len;
    const char *place;
    struct cn_diag *diag;
};

static enum cn_err refuse(const struct check *check, const char *path, const char *name,
                          const char *what)
{
    return cn_config_refuse(check->diag, check->text, check->len, check->place, path, "'%.63s' %s",
                            name, what);
}

static enum cn_err refuse_column(const struct check *check, uint32_t i, const char *what)
{
    char path[CN_CONFIG_PATH_MAX];

    snprintf(path, sizeof path, "columns[%u]", i);
    return refuse(check, path, check->policy->columns[i].name, what);
}

/* Keys that an action does not know must not stand there: they would promise something. */
static enum cn_err check_keys(const struct check *check, uint32_t i)
{
    const struct policy_column *column = &check->policy->columns[i];
    char path[CN_CONFIG_PATH_MAX];
    unsigned line, at;
    bool kept;

    snprintf(path, sizeof path, "columns[%u].keep", i);
    kept = cn_config_where(check->text, check->len, path, &line, &at);
    if (column->action != POLICY_PREFIX && kept)
        return refuse_column(check, i, "has 'keep', which is for 'action: prefix'");
    if (column->action == POLICY_PREFIX && !kept)
        return refuse_column(check, i, "needs 'keep', the characters that stay");
    if (column->action != POLICY_MAP && (column->map || column->other))
        return refuse_column(check, i, "has 'map' or 'other', which are for 'action: map'");
    if (column->action == POLICY_MAP && !column->map)
        return refuse_column(check, i, "needs 'map', a list of from and to");
    if (column->action != POLICY_BUCKET && (column->edges || column->width != 0))
        return refuse_column(check, i, "has 'edges' or 'width', which are for 'action: bucket'");
    if (column->action == POLICY_BUCKET && (column->edges != NULL) == (column->width != 0))
        return refuse_column(check, i, "needs either 'edges' or 'width'");
    if ((column->action == POLICY_SHIFT_DATE) != (column->days != 0))
        return refuse_column(check, i,
                             column->days ? "has 'days', which is for 'shift_date'"
                                          : "needs 'days', the most that dates move");
    return CN_OK;
}

static enum cn_err check_column(const struct check *check, uint32_t i)
{
    const struct policy *policy = check->policy;
    const struct policy_column *column = &policy->columns[i];

    CN_TRY(check_keys(check, i));
    for (uint32_t j = 0; j < i; j++)
        if (strcmp(policy->columns[j].name, column->name) == 0)
            return refuse_column(check, i, "stands in 'columns' twice");
    for (uint32_t e = 1; e < column->edge_count; e++)
        if (!(column->edges[e] > column->edges[e - 1]))
            return refuse_column(check, i, "has edges that do not rise");
    for (uint32_t a = 1; a < column->map_count; a++)
        for (uint32_t b = 0; b < a; b++)
            if (strcmp(column->map[a].from, column->map[b].from) == 0)
                return refuse_column(check, i, "maps one word twice");
    if (column->action == POLICY_SHIFT_DATE && !policy->person)
        return refuse_column(check, i, "moves by person: name the column with 'person'");
    return CN_OK;
}

static enum cn_err check_named(const struct check *check, const char *path, const char *name,
                               bool in_output)
{
    uint32_t i = policy_find(check->policy, name);

    if (i == check->policy->column_count)
        return refuse(check, path, name, "is none of the policy's columns");
    if (in_output && check->policy->columns[i].action == POLICY_DROP)
        return refuse(check, path, name, "is dropped, so it gives nobody away");
    return CN_OK;
}

static enum cn_err check_crowd(const struct check *check)
{
    const struct policy *policy = check->policy;
    char path[CN_CONFIG_PATH_MAX];

    if (policy->person)
        CN_TRY(check_named(check, "person", policy->person, false));
    if (policy->sensitive)
        CN_TRY(check_named(check, "sensitive", policy->sensitive, true));
    for (uint32_t i = 0; i < policy->quasi_count; i++) {
        snprintf(path, sizeof path, "quasi[%u]", i);
        CN_TRY(check_named(check, path, policy->quasi[i], true));
        if (policy->sensitive && strcmp(policy->sensitive, policy->quasi[i]) == 0)
            return refuse(check, path, policy->quasi[i], "is both quasi and sensitive");
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(policy->quasi[i], policy->quasi[j]) == 0)
                return refuse(check, path, policy->quasi[i], "stands in 'quasi' twice");
    }
    if ((policy->k != 0) != (policy->quasi_count != 0))
        return refuse(
            check, policy->k ? "k" : "quasi", policy->k ? "k" : "quasi",
            "needs the other: 'quasi' says which columns, 'k' how many people share them");
    if ((policy->l != 0) != (policy->sensitive != NULL) || (policy->l && !policy->k))
        return refuse(check, policy->l ? "l" : "sensitive", policy->l ? "l" : "sensitive",
                      "needs the others: 'sensitive', 'l' and 'k' go together");
    return CN_OK;
}

static enum cn_err check_all(const struct check *check)
{
    const struct policy *policy = check->policy;
    uint32_t left = 0;

    CN_TRY(cn_config_check(check->text, check->len, check->place, ranges, CN_COUNT(ranges),
                           check->diag));
    for (uint32_t i = 0; i < policy->column_count; i++) {
        CN_TRY(check_column(check, i));
        left += policy->columns[i].action != POLICY_DROP;
    }
    if (left == 0)
        return refuse(check, "columns", policy->name, "drops every column");
    return check_crowd(check);
}

enum cn_err policy_parse(struct policy **out, const char *text, size_t len, const char *place,
                         struct cn_diag *diag)
{
    struct check check = {.text = text, .len = len, .place = place, .diag = diag};
    void *loaded = NULL;
    enum cn_err err;

    *out = NULL;
    CN_TRY(cn_config_parse(&loaded, text, len, place, &policy_schema, diag));
    check.policy = loaded;
    err = check_all(&check);
    if (err != CN_OK) {
        policy_free(loaded);
        return err;
    }
    *out = loaded;
    hash_blob((*out)->hash, text, len);
    return CN_OK;
}

enum cn_err policy_load(struct policy **out, const char *path, struct cn_diag *diag)
{
    struct cn_buf text;
    enum cn_err err;

    *out = NULL;
    err = cn_file_read(&text, path, CN_CONFIG_BYTES_MAX, diag);
    if (err == CN_OK)
        err = policy_parse(out, (const char *)text.data, text.len, path, diag);
    cn_buf_clear(&text);
    return err;
}

void policy_free(struct policy *policy)
{
    cn_config_free(&policy_schema, policy);
}

uint32_t policy_find(const struct policy *policy, const char *name)
{
    uint32_t i = 0;

    while (i < policy->column_count && strcmp(policy->columns[i].name, name) != 0)
        i++;
    return i;
}

bool policy_needs_key(const struct policy *policy)
{
    for (uint32_t i = 0; i < policy->column_count; i++)
        if (policy->columns[i].action == POLICY_HASH ||
            policy->columns[i].action == POLICY_SHIFT_DATE)
            return true;
    return false;
}

const char *policy_action_text(enum policy_action action)
{
    return actions[action].str;
}

static void put_prefix(char out[POLICY_TEXT_MAX], uint32_t keep, const char *value, size_t len)
{
    size_t at = 0;

    for (uint32_t i = 0; i < keep && at < len && at + 8 < POLICY_TEXT_MAX; i++)
        for (at++; at < len && ((unsigned char)value[at] & 0xc0) == 0x80;)
            at++;
    at = at < POLICY_TEXT_MAX - 2 ? at : POLICY_TEXT_MAX - 2;
    memcpy(out, value, at);
    memcpy(out + at, at < len ? "*" : "", at < len ? 2 : 1);
}

static bool put_mapped(char out[POLICY_TEXT_MAX], const struct policy_column *column,
                       const char *value, size_t len)
{
    for (uint32_t i = 0; i < column->map_count; i++) {
        if (strlen(column->map[i].from) == len && memcmp(column->map[i].from, value, len) == 0) {
            snprintf(out, POLICY_TEXT_MAX, "%s", column->map[i].to);
            return true;
        }
    }
    if (column->other)
        snprintf(out, POLICY_TEXT_MAX, "%s", column->other);
    return column->other != NULL;
}

static void put_bucket(char out[POLICY_TEXT_MAX], const struct policy_column *column, double value)
{
    uint32_t i = 0;

    if (column->width > 0) {
        double low = floor(value / column->width) * column->width;

        snprintf(out, POLICY_TEXT_MAX, "%.10g to %.10g", low, low + column->width);
        return;
    }
    while (i < column->edge_count && value >= column->edges[i])
        i++;
    if (i == 0)
        snprintf(out, POLICY_TEXT_MAX, "below %.10g", column->edges[0]);
    else if (i == column->edge_count)
        snprintf(out, POLICY_TEXT_MAX, "from %.10g", column->edges[i - 1]);
    else
        snprintf(out, POLICY_TEXT_MAX, "%.10g to %.10g", column->edges[i - 1], column->edges[i]);
}

bool policy_generalise(char out[POLICY_TEXT_MAX], const struct policy_column *column,
                       const char *value, size_t len, const char **what)
{
    double number;

    if (column->action == POLICY_PREFIX) {
        put_prefix(out, column->keep, value, len);
        return true;
    }
    if (column->action == POLICY_MAP) {
        *what = "is not in the policy's map, which has no 'other'";
        return put_mapped(out, column, value, len);
    }
    *what = "is not a number";
    if (!csv_number(value, len, &number))
        return false;
    put_bucket(out, column, number);
    return true;
}
