/* SPDX-License-Identifier: Apache-2.0 */
/* The tree against a libcyaml schema. libcyaml alone would read "1e3" as the integer 1, "off" as a
 * boolean by its own list, 010 as 8 and "nan" as a number; so types are checked here, strictly. */
#include <cyaml/cyaml.h>
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_internal.h"
#include "base/text.h"

#define KEYS_MAX 64

static bool has(const struct cyaml_schema_value *schema, enum cyaml_flag flag)
{
    return (schema->flags & flag) == flag;
}

bool config_number(const char *text, double *number)
{
    char *end;

    if (strspn(text, "0123456789+-.eE") != strlen(text))
        return false;
    errno = 0;
    *number = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*number) && !(errno == ERANGE && *number == 0);
}

/* "-", digits without needless zeros: one spelling per number, none that is octal elsewhere. */
static bool is_whole(const char *text)
{
    size_t digits;

    text += *text == '-';
    digits = strspn(text, "0123456789");
    return digits > 0 && text[digits] == '\0' && (digits == 1 || text[0] != '0');
}

static enum cn_err refuse_value(const struct config_tree *tree, uint32_t node, struct cn_diag *diag,
                                const char *expected)
{
    const struct config_node *at = &tree->nodes[node];
    char shown[CONFIG_SHOWN_BYTES];

    if (at->kind != CONFIG_SCALAR)
        return config_tree_refuse(tree, node, diag, "is a %s; expected %s",
                                  at->kind == CONFIG_MAPPING ? "group of keys" : "list", expected);
    if (at->plain && at->text[0] == '\0')
        return config_tree_refuse(tree, node, diag, "has no value; expected %s", expected);
    return config_tree_refuse(tree, node, diag, "is %s'%s'; expected %s",
                              at->plain ? "" : "the text ", config_shown(at->text, shown),
                              expected);
}

static enum cn_err match_signed(const struct config_tree *tree, uint32_t node,
                                const struct cyaml_schema_value *schema, struct cn_diag *diag)
{
    const struct config_node *at = &tree->nodes[node];
    int64_t max = INT64_MAX >> (64 - 8 * schema->data_size), value = 0;
    char expected[96];

    snprintf(expected, sizeof expected, "a whole number from %" PRId64 " to %" PRId64, -max - 1,
             max);
    errno = 0;
    if (at->kind == CONFIG_SCALAR && at->plain && is_whole(at->text))
        value = strtoll(at->text, NULL, 10);
    else
        errno = EINVAL;
    return errno || value > max || value < -max - 1 ? refuse_value(tree, node, diag, expected)
                                                    : CN_OK;
}

static enum cn_err match_unsigned(const struct config_tree *tree, uint32_t node,
                                  const struct cyaml_schema_value *schema, struct cn_diag *diag)
{
    const struct config_node *at = &tree->nodes[node];
    uint64_t max = UINT64_MAX >> (64 - 8 * schema->data_size), value = 0;
    char expected[96];

    snprintf(expected, sizeof expected, "a whole number from 0 to %" PRIu64, max);
    errno = 0;
    if (at->kind == CONFIG_SCALAR && at->plain && is_whole(at->text) && at->text[0] != '-')
        value = strtoull(at->text, NULL, 10);
    else
        errno = EINVAL;
    return errno || value > max ? refuse_value(tree, node, diag, expected) : CN_OK;
}

static enum cn_err match_float(const struct config_tree *tree, uint32_t node,
                               const struct cyaml_schema_value *schema, struct cn_diag *diag)
{
    const struct config_node *at = &tree->nodes[node];
    double number;

    if (at->kind == CONFIG_SCALAR && at->plain && config_number(at->text, &number) &&
        (schema->data_size > sizeof(float) || fabs(number) <= (double)FLT_MAX))
        return CN_OK;
    return refuse_value(tree, node, diag, "a number");
}

static enum cn_err match_bool(const struct config_tree *tree, uint32_t node, struct cn_diag *diag)
{
    const struct config_node *at = &tree->nodes[node];

    if (at->kind == CONFIG_SCALAR && at->plain &&
        (strcmp(at->text, "true") == 0 || strcmp(at->text, "false") == 0))
        return CN_OK;
    return refuse_value(tree, node, diag, "true or false");
}

static enum cn_err match_enum(const struct config_tree *tree, uint32_t node,
                              const struct cyaml_schema_value *schema, struct cn_diag *diag)
{
    const struct config_node *at = &tree->nodes[node];
    const char *words[KEYS_MAX], *nearest;
    char expected[256] = "one of: ";
    size_t used = strlen(expected);

    CN_ASSERT(schema->enumeration.count <= KEYS_MAX);
    for (uint32_t i = 0; i < schema->enumeration.count; i++) {
        words[i] = schema->enumeration.strings[i].str;
        if (at->kind == CONFIG_SCALAR && strcmp(words[i], at->text) == 0)
            return CN_OK;
        if (used < sizeof expected)
            used += (size_t)snprintf(expected + used, sizeof expected - used, "%s%s", i ? ", " : "",
                                     words[i]);
    }
    CN_IGNORE(refuse_value(tree, node, diag, expected));
    nearest = at->kind == CONFIG_SCALAR
                  ? cn_text_nearest(at->text, words, schema->enumeration.count)
                  : NULL;
    if (nearest)
        cn_diag_hint(diag, "did you mean '%s'?", nearest);
    return CN_E_CONFIG;
}

static enum cn_err match_string(const struct config_tree *tree, uint32_t node,
                                const struct cyaml_schema_value *schema, struct cn_diag *diag)
{
    const struct config_node *at = &tree->nodes[node];
    uint32_t max = schema->string.max;
    size_t len = at->kind == CONFIG_SCALAR ? strlen(at->text) : 0;

    if (!has(schema, CYAML_FLAG_POINTER) && max >= schema->data_size)
        max = schema->data_size - 1;
    if (at->kind != CONFIG_SCALAR || (at->plain && len == 0))
        return refuse_value(tree, node, diag, "text");
    if (len < schema->string.min || len > max)
        return config_tree_refuse(tree, node, diag,
                                  "has %zu bytes; expected %" PRIu32 " to %" PRIu32, len,
                                  schema->string.min, max);
    return CN_OK;
}

static enum cn_err match_sequence(const struct config_tree *tree, uint32_t node,
                                  const struct cyaml_schema_value *schema, struct cn_diag *diag)
{
    const struct config_node *at = &tree->nodes[node];

    if (at->kind != CONFIG_SEQUENCE)
        return refuse_value(tree, node, diag, "a list");
    if (at->count >= schema->sequence.min && at->count <= schema->sequence.max)
        return CN_OK;
    if (schema->sequence.min == schema->sequence.max)
        return config_tree_refuse(tree, node, diag, "has %" PRIu32 " entries; expected %" PRIu32,
                                  at->count, schema->sequence.min);
    return config_tree_refuse(tree, node, diag,
                              "has %" PRIu32 " entries; expected %" PRIu32 " to %" PRIu32,
                              at->count, schema->sequence.min, schema->sequence.max);
}

static bool is_null(const struct config_node *node, const struct cyaml_schema_value *schema)
{
    static const char *const words[] = {"null", "Null", "NULL", "~"};

    if (node->kind != CONFIG_SCALAR || !has(schema, CYAML_FLAG_POINTER_NULL))
        return false;
    if (node->text[0] == '\0')
        return true;
    for (size_t i = 0; has(schema, CYAML_FLAG_POINTER_NULL_STR) && i < CN_COUNT(words); i++) {
        if (strcmp(node->text, words[i]) == 0)
            return true;
    }
    return false;
}

static enum cn_err match_value(const struct config_tree *tree, uint32_t node, struct cn_diag *diag)
{
    const struct cyaml_schema_value *schema = tree->nodes[node].schema;

    if (is_null(&tree->nodes[node], schema))
        return CN_OK;
    switch (schema->type) {
    case CYAML_INT:
        return match_signed(tree, node, schema, diag);
    case CYAML_UINT:
        return match_unsigned(tree, node, schema, diag);
    case CYAML_FLOAT:
        return match_float(tree, node, schema, diag);
    case CYAML_BOOL:
        return match_bool(tree, node, diag);
    case CYAML_ENUM:
        return match_enum(tree, node, schema, diag);
    case CYAML_STRING:
        return match_string(tree, node, schema, diag);
    case CYAML_SEQUENCE:
    case CYAML_SEQUENCE_FIXED:
        return match_sequence(tree, node, schema, diag);
    case CYAML_MAPPING:
        if (tree->nodes[node].kind == CONFIG_MAPPING)
            return CN_OK;
        return refuse_value(tree, node, diag, "a group of keys");
    default:
        CN_ASSERT(false && "a type that config.h says is not supported");
        return CN_E_CONFIG;
    }
}

static const struct cyaml_schema_field *find_field(const struct cyaml_schema_value *schema,
                                                   const char *key)
{
    for (const struct cyaml_schema_field *field = schema->mapping.fields; field->key; field++) {
        if (strcmp(field->key, key) == 0)
            return field;
    }
    return NULL;
}

static enum cn_err refuse_key(const struct config_tree *tree, const struct config_node *node,
                              struct cn_diag *diag)
{
    const struct config_node *parent = &tree->nodes[node->parent];
    char inside[CN_CONFIG_PATH_MAX], shown[CONFIG_SHOWN_BYTES], list[320] = "";
    const char *keys[KEYS_MAX], *nearest;
    size_t count = 0, used = 0;

    for (const struct cyaml_schema_field *field = parent->schema->mapping.fields;
         field->key && count < KEYS_MAX; field++) {
        keys[count++] = field->key;
        if (used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "",
                                     field->key);
    }
    config_tree_path(tree, node->parent, inside);
    cn_diag_set(diag, tree->place, node->key_line, node->key_column, "unknown key '%s'%s%s%s",
                config_shown(node->key, shown), inside[0] ? " in '" : "", inside,
                inside[0] ? "'" : "");
    nearest = cn_text_nearest(node->key, keys, count);
    if (nearest)
        cn_diag_hint(diag, "did you mean '%s'?", nearest);
    else
        cn_diag_hint(diag, "known keys: %s", list);
    return CN_E_CONFIG;
}

static enum cn_err match_node(struct config_tree *tree, uint32_t at, struct cn_diag *diag)
{
    struct config_node *node = &tree->nodes[at];
    const struct cyaml_schema_value *above = tree->nodes[node->parent].schema;

    if (above->type == CYAML_MAPPING) {
        const struct cyaml_schema_field *field = find_field(above, node->key);

        if (!field)
            return refuse_key(tree, node, diag);
        node->schema = &field->value;
    } else {
        node->schema = above->sequence.entry;
    }
    return match_value(tree, at, diag);
}

static bool has_child(const struct config_tree *tree, uint32_t parent, const char *key)
{
    for (uint32_t i = parent + 1; i < tree->count; i++) {
        if (tree->nodes[i].parent == parent && strcmp(tree->nodes[i].key, key) == 0)
            return true;
    }
    return false;
}

/* After the keys that are there: a mistyped key should be told as that, not as a missing one. */
static enum cn_err match_absent(const struct config_tree *tree, uint32_t at, struct cn_diag *diag)
{
    const struct config_node *node = &tree->nodes[at];

    if (node->kind != CONFIG_MAPPING)
        return CN_OK;
    for (const struct cyaml_schema_field *field = node->schema->mapping.fields; field->key;
         field++) {
        if (has(&field->value, CYAML_FLAG_OPTIONAL) || has_child(tree, at, field->key))
            continue;
        return config_tree_refuse(tree, at, diag, "lacks the key '%s'", field->key);
    }
    return CN_OK;
}

enum cn_err config_match(struct config_tree *tree, const struct cyaml_schema_value *schema,
                         struct cn_diag *diag)
{
    CN_ASSERT(schema->type == CYAML_MAPPING && has(schema, CYAML_FLAG_POINTER));
    tree->nodes[CONFIG_ROOT].schema = schema;
    CN_TRY(match_value(tree, CONFIG_ROOT, diag));
    for (uint32_t i = 1; i < tree->count; i++)
        CN_TRY(match_node(tree, i, diag));
    for (uint32_t i = 0; i < tree->count; i++)
        CN_TRY(match_absent(tree, i, diag));
    return CN_OK;
}
