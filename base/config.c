/* SPDX-License-Identifier: Apache-2.0 */
/* The public face: check with config_tree and config_match, then let libcyaml load. */
#include "base/config.h"

#include <cyaml/cyaml.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/config_internal.h"
#include "base/file.h"

static const cyaml_config_t loader = {
    .mem_fn = cyaml_mem,
    .flags = CYAML_CFG_NO_ALIAS,
};

enum cn_err cn_config_parse(void **out, const char *text, size_t len, const char *place,
                            const struct cyaml_schema_value *schema, struct cn_diag *diag)
{
    struct config_tree tree;
    enum cn_err err;
    cyaml_err_t loaded;

    *out = NULL;
    err = config_tree_read(&tree, text, len, place, diag);
    if (err == CN_OK)
        err = config_match(&tree, schema, diag);
    config_tree_clear(&tree);
    if (err != CN_OK)
        return err;
    loaded = cyaml_load_data((const uint8_t *)text, len, &loader, schema, out, NULL);
    if (loaded == CYAML_OK)
        return CN_OK;
    *out = NULL;
    if (loaded == CYAML_ERR_OOM)
        return CN_E_NOMEM;
    cn_diag_set(diag, place, 0, 0, "can not be loaded: %s", cyaml_strerror(loaded));
    return CN_E_CONFIG;
}

enum cn_err cn_config_load(void **out, const char *path, const struct cyaml_schema_value *schema,
                           struct cn_diag *diag)
{
    struct cn_buf text;
    enum cn_err err;

    *out = NULL;
    CN_TRY(cn_file_read(&text, path, CN_CONFIG_BYTES_MAX, diag));
    err = cn_config_parse(out, (const char *)text.data, text.len, path, schema, diag);
    cn_buf_clear(&text);
    return err;
}

void cn_config_free(const struct cyaml_schema_value *schema, void *out)
{
    if (out)
        (void)cyaml_free(&loader, schema, out, 0);
}

bool cn_config_where(const char *text, size_t len, const char *path, unsigned *line,
                     unsigned *column)
{
    struct config_tree tree;
    const struct config_node *node = NULL;

    *line = *column = 0;
    if (config_tree_read(&tree, text, len, NULL, NULL) == CN_OK)
        node = config_tree_find(&tree, path);
    if (node) {
        *line = node->line;
        *column = node->column;
    }
    config_tree_clear(&tree);
    return node != NULL;
}

/* "layers[3].kernel" against "layers[].kernel". */
static bool path_fits(const char *path, const char *pattern)
{
    for (; *path && *pattern; path++, pattern++) {
        if (*path != *pattern)
            return false;
        if (*pattern == '[' && pattern[1] == ']')
            path += strspn(path + 1, "0123456789");
    }
    return *path == *pattern;
}

static enum cn_err refuse_range(const struct config_tree *tree, uint32_t node,
                                const struct cn_config_range *range, struct cn_diag *diag)
{
    char shown[CONFIG_SHOWN_BYTES];
    const char *from = range->open_min ? "a number greater than" : "a number from";
    const char *to = range->open_min ? "and at most" : "to";

    config_shown(tree->nodes[node].text ? tree->nodes[node].text : "", shown);
    return config_tree_refuse(tree, node, diag, "is '%s'; expected %s %.10g %s %.10g", shown, from,
                              range->min, to, range->max);
}

static enum cn_err check_range(const struct config_tree *tree, const struct cn_config_range *range,
                               struct cn_diag *diag)
{
    char path[CN_CONFIG_PATH_MAX];

    for (uint32_t i = 1; i < tree->count; i++) {
        const struct config_node *node = &tree->nodes[i];
        double number;

        if (!path_fits(config_tree_path(tree, i, path), range->path))
            continue;
        if (node->kind != CONFIG_SCALAR || !config_number(node->text, &number) ||
            number > range->max || number < range->min || (range->open_min && number <= range->min))
            return refuse_range(tree, i, range, diag);
    }
    return CN_OK;
}

enum cn_err cn_config_check(const char *text, size_t len, const char *place,
                            const struct cn_config_range *ranges, size_t count,
                            struct cn_diag *diag)
{
    struct config_tree tree;
    enum cn_err err = config_tree_read(&tree, text, len, place, diag);

    for (size_t i = 0; err == CN_OK && i < count; i++)
        err = check_range(&tree, &ranges[i], diag);
    config_tree_clear(&tree);
    return err;
}

/* Cuts the last step of a path; the empty path is the root. */
static void enclosing(char *path)
{
    size_t at = strlen(path);

    while (at > 0 && path[at - 1] != '.' && path[at - 1] != '[')
        at--;
    path[at ? at - 1 : 0] = '\0';
}

enum cn_err cn_config_refuse(struct cn_diag *diag, const char *text, size_t len, const char *place,
                             const char *path, const char *format, ...)
{
    char at[CN_CONFIG_PATH_MAX], words[CN_DIAG_TEXT_MAX];
    unsigned line, column;
    va_list args;

    snprintf(at, sizeof at, "%s", path);
    while (!cn_config_where(text, len, at, &line, &column) && at[0])
        enclosing(at);
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    cn_diag_set(diag, place, line, column, "%s", words);
    return CN_E_CONFIG;
}
