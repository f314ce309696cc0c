/* SPDX-License-Identifier: Apache-2.0 */
/* libyaml's events into the flat tree; everything that is YAML but not allowed here is refused. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/config_internal.h"
#include "base/cursor.h"
#include "base/escape.h"

#define ARENA_BYTES ((size_t)4 * 1024 * 1024)

/* What is open while events come in. */
struct builder {
    struct config_tree *tree;
    struct cn_diag *diag;
    uint32_t open[CN_CONFIG_DEPTH_MAX];
    unsigned depth;
    const char *key; /* read and waiting for its value */
    unsigned key_line, key_column;
    unsigned documents;
};

const char *config_shown(const char *text, char out[CONFIG_SHOWN_BYTES])
{
    struct cn_buf buf;
    size_t len;

    cn_buf_init(&buf, 4 * 41);
    cn_put_printable(&buf, text, strnlen(text, 40));
    len = buf.len < CONFIG_SHOWN_BYTES - 4 ? buf.len : CONFIG_SHOWN_BYTES - 4;
    snprintf(out, CONFIG_SHOWN_BYTES, "%.*s%s", (int)len, buf.data ? (const char *)buf.data : "",
             len < buf.len || strnlen(text, 41) > 40 ? "..." : "");
    cn_buf_clear(&buf);
    return out;
}

static enum cn_err refuse_at(struct builder *builder, const yaml_mark_t *mark, const char *text)
{
    cn_diag_set(builder->diag, builder->tree->place, (unsigned)mark->line + 1,
                (unsigned)mark->column + 1, "%s", text);
    return CN_E_CONFIG;
}

static const char *copy(struct builder *builder, const yaml_event_t *event)
{
    size_t len = event->data.scalar.length;
    char *text = cn_arena_alloc(&builder->tree->arena, len + 1, 1);

    if (text && len)
        memcpy(text, event->data.scalar.value, len);
    return text;
}

/* A repeated key would silently win or lose; which one was meant only its writer knows. */
static enum cn_err take_key(struct builder *builder, const yaml_event_t *event)
{
    const struct config_tree *tree = builder->tree;
    uint32_t parent = builder->open[builder->depth - 1];
    char shown[CONFIG_SHOWN_BYTES];

    builder->key = copy(builder, event);
    if (!builder->key)
        return CN_E_NOMEM;
    builder->key_line = (unsigned)event->start_mark.line + 1;
    builder->key_column = (unsigned)event->start_mark.column + 1;
    for (uint32_t i = parent + 1; i < tree->count; i++) {
        if (tree->nodes[i].parent != parent || strcmp(tree->nodes[i].key, builder->key) != 0)
            continue;
        cn_diag_set(builder->diag, tree->place, builder->key_line, builder->key_column,
                    "the key '%s' is there already, on line %u", config_shown(builder->key, shown),
                    tree->nodes[i].key_line);
        cn_diag_hint(builder->diag, "keep one of the two");
        return CN_E_CONFIG;
    }
    return CN_OK;
}

static enum cn_err add_node(struct builder *builder, const yaml_event_t *event,
                            enum config_kind kind)
{
    struct config_tree *tree = builder->tree;
    uint32_t at = tree->count, parent = builder->depth ? builder->open[builder->depth - 1] : at;
    struct config_node *node = &tree->nodes[at];

    if (at == CONFIG_NODES_MAX)
        return refuse_at(builder, &event->start_mark, "too many values in one file");
    *node = (struct config_node){
        .kind = kind,
        .parent = parent,
        .key = builder->key,
        .line = (unsigned)event->start_mark.line + 1,
        .column = (unsigned)event->start_mark.column + 1,
        .key_line = builder->key_line,
        .key_column = builder->key_column,
    };
    if (at != parent)
        node->index = tree->nodes[parent].count++;
    builder->key = NULL;
    builder->key_line = builder->key_column = 0;
    tree->count++;
    if (kind == CONFIG_SCALAR)
        return CN_OK;
    if (builder->depth == CN_CONFIG_DEPTH_MAX)
        return refuse_at(builder, &event->start_mark, "nested too deep");
    builder->open[builder->depth++] = at;
    return CN_OK;
}

static bool key_is_due(const struct builder *builder)
{
    return builder->depth && !builder->key &&
           builder->tree->nodes[builder->open[builder->depth - 1]].kind == CONFIG_MAPPING;
}

static enum cn_err take_scalar(struct builder *builder, const yaml_event_t *event)
{
    struct config_tree *tree = builder->tree;
    struct config_node *node;

    if (memchr(event->data.scalar.value, 0, event->data.scalar.length))
        return refuse_at(builder, &event->start_mark, "a zero byte in a value");
    if (key_is_due(builder))
        return take_key(builder, event);
    CN_TRY(add_node(builder, event, CONFIG_SCALAR));
    node = &tree->nodes[tree->count - 1];
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text = copy(builder, event);
    return node->text ? CN_OK : CN_E_NOMEM;
}

static enum cn_err take_collection(struct builder *builder, const yaml_event_t *event,
                                   enum config_kind kind)
{
    if (key_is_due(builder))
        return refuse_at(builder, &event->start_mark, "a key has to be a word");
    return add_node(builder, event, kind);
}

/* Anchors and tags change what a reader sees into something else; nothing here needs them. */
static enum cn_err check_plainness(struct builder *builder, const yaml_event_t *event)
{
    bool anchor = event->type == YAML_ALIAS_EVENT;
    const void *tag = NULL;

    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor != NULL;
        tag = event->data.scalar.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor != NULL;
        tag = event->data.mapping_start.tag;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor != NULL;
        tag = event->data.sequence_start.tag;
    }
    if (anchor)
        return refuse_at(builder, &event->start_mark,
                         "anchors and aliases (& and *) are not allowed here");
    if (tag)
        return refuse_at(builder, &event->start_mark, "tags (!) are not allowed here");
    return CN_OK;
}

static enum cn_err take_event(struct builder *builder, const yaml_event_t *event)
{
    CN_TRY(check_plainness(builder, event));
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++builder->documents > 1)
            return refuse_at(builder, &event->start_mark, "a second document (---) in one file");
        return CN_OK;
    case YAML_SCALAR_EVENT:
        return take_scalar(builder, event);
    case YAML_MAPPING_START_EVENT:
        return take_collection(builder, event, CONFIG_MAPPING);
    case YAML_SEQUENCE_START_EVENT:
        return take_collection(builder, event, CONFIG_SEQUENCE);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        builder->depth--;
        return CN_OK;
    default:
        return CN_OK;
    }
}

/* The place of an offset, counting characters as libyaml does. */
static void place_of(const char *text, size_t offset, unsigned *line, unsigned *column)
{
    *line = *column = 1;
    for (size_t i = 0; i < offset; i++) {
        if (text[i] == '\n') {
            ++*line;
            *column = 1;
        } else if (((unsigned char)text[i] & 0xc0) != 0x80) {
            ++*column;
        }
    }
}

/* Whether a line, counted from 1, is indented with a tab. The text has no final zero. */
static bool tab_indents(const char *text, size_t len, unsigned line)
{
    size_t at = 0;

    for (; at < len && line > 1; at++)
        line -= text[at] == '\n';
    while (at < len && text[at] == ' ')
        at++;
    return at < len && text[at] == '\t';
}

static enum cn_err refuse_yaml(struct builder *builder, const yaml_parser_t *parser,
                               const char *text, size_t len)
{
    const struct config_tree *tree = builder->tree;
    unsigned line = (unsigned)parser->problem_mark.line + 1;
    unsigned column = (unsigned)parser->problem_mark.column + 1;

    if (parser->error == YAML_MEMORY_ERROR)
        return CN_E_NOMEM;
    if (parser->error == YAML_READER_ERROR)
        place_of(text, parser->problem_offset < len ? parser->problem_offset : len, &line, &column);
    cn_diag_set(builder->diag, tree->place, line, column, "this is not YAML: %s",
                parser->problem ? parser->problem : "unreadable");
    if (tab_indents(text, len, line))
        cn_diag_hint(builder->diag, "indent with spaces, not with tabs");
    else
        cn_diag_hint(builder->diag, "look at the indentation, colons and quotes here and above");
    return CN_E_CONFIG;
}

static enum cn_err read_events(struct builder *builder, const char *text, size_t len)
{
    yaml_parser_t parser;
    yaml_event_t event;
    enum cn_err err = CN_OK;
    bool ended = false;

    if (!yaml_parser_initialize(&parser))
        return CN_E_NOMEM;
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    while (err == CN_OK && !ended) {
        if (!yaml_parser_parse(&parser, &event)) {
            err = refuse_yaml(builder, &parser, text, len);
            break;
        }
        err = take_event(builder, &event);
        ended = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return err;
}

static enum cn_err check_bytes(const char *text, size_t len, const char *place,
                               struct cn_diag *diag)
{
    unsigned line, column;
    size_t bad;

    if (len > CN_CONFIG_BYTES_MAX) {
        cn_diag_set(diag, place, 0, 0, "larger than the %zu bytes allowed", CN_CONFIG_BYTES_MAX);
        return CN_E_TOO_LARGE;
    }
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        cn_diag_set(diag, place, 1, 1, "starts with a byte order mark");
        cn_diag_hint(diag, "save the file as UTF-8 without BOM");
        return CN_E_CONFIG;
    }
    if (cn_utf8_valid(text, len, &bad))
        return CN_OK;
    place_of(text, bad, &line, &column);
    cn_diag_set(diag, place, line, column, "the byte 0x%02x is not UTF-8",
                (unsigned)(unsigned char)text[bad]);
    cn_diag_hint(diag, "save the file as UTF-8");
    return CN_E_CONFIG;
}

enum cn_err config_tree_read(struct config_tree *tree, const char *text, size_t len,
                             const char *place, struct cn_diag *diag)
{
    struct builder builder = {.tree = tree, .diag = diag};
    enum cn_err err;

    *tree = (struct config_tree){.place = place};
    cn_arena_init(&tree->arena, ARENA_BYTES);
    CN_TRY(check_bytes(text, len, place, diag));
    tree->nodes = cn_arena_alloc(&tree->arena, CONFIG_NODES_MAX, sizeof *tree->nodes);
    if (!tree->nodes)
        return CN_E_NOMEM;
    err = read_events(&builder, text, len);
    if (err == CN_OK && tree->count == 0) {
        cn_diag_set(diag, place, 1, 1, "there is nothing in it");
        err = CN_E_CONFIG;
    }
    if (err != CN_OK)
        tree->count = 0;
    return err;
}

void config_tree_clear(struct config_tree *tree)
{
    cn_arena_clear(&tree->arena);
    tree->nodes = NULL;
    tree->count = 0;
}

const char *config_tree_path(const struct config_tree *tree, uint32_t node,
                             char out[CN_CONFIG_PATH_MAX])
{
    uint32_t chain[CN_CONFIG_DEPTH_MAX + 1];
    unsigned depth = 0;
    size_t at = 0;

    for (; node != CONFIG_ROOT; node = tree->nodes[node].parent)
        chain[depth++] = node;
    out[0] = '\0';
    while (depth && at < CN_CONFIG_PATH_MAX) {
        const struct config_node *step = &tree->nodes[chain[--depth]];
        size_t room = CN_CONFIG_PATH_MAX - at;

        if (step->key)
            at += (size_t)snprintf(out + at, room, "%s%s", at ? "." : "", step->key);
        else
            at += (size_t)snprintf(out + at, room, "[%u]", step->index);
    }
    return out;
}

const struct config_node *config_tree_find(const struct config_tree *tree, const char *path)
{
    char own[CN_CONFIG_PATH_MAX];

    for (uint32_t i = 0; i < tree->count; i++) {
        if (strcmp(config_tree_path(tree, i, own), path) == 0)
            return &tree->nodes[i];
    }
    return NULL;
}

enum cn_err config_tree_refuse(const struct config_tree *tree, uint32_t node, struct cn_diag *diag,
                               const char *format, ...)
{
    const struct config_node *at = &tree->nodes[node];
    char path[CN_CONFIG_PATH_MAX], words[CN_DIAG_TEXT_MAX];
    struct cn_buf safe;
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    cn_buf_init(&safe, 4 * sizeof path);
    config_tree_path(tree, node, path);
    cn_put_printable(&safe, path, strlen(path));
    if (node == CONFIG_ROOT)
        cn_diag_set(diag, tree->place, at->line, at->column, "the file %s", words);
    else
        cn_diag_set(diag, tree->place, at->line, at->column, "'%.*s' %s", (int)safe.len,
                    safe.data ? (const char *)safe.data : "", words);
    cn_buf_clear(&safe);
    return CN_E_CONFIG;
}
