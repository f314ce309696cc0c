/* SPDX-License-Identifier: Apache-2.0 */
/* Entries as JSON, by one table of fields in the order in which they are written.
 *
 * Reading goes through jansson; whether a line has its one form is then decided by writing what was
 * read and comparing bytes, so unknown keys, other orders, spaces, escapes and second spellings of
 * a number are all refused by the same comparison. */
#include "privacy/ledger_line.h"

#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum field_kind { TEXT, BYTES, COUNT, TOTAL, EVENT, DELTA };

struct field {
    const char *key;
    enum field_kind kind;
    size_t offset;
    size_t size;
};

#define AT(member) offsetof(struct ledger_entry, member), sizeof(((struct ledger_entry *)0)->member)

static const struct field fields[] = {
    {"kind", TEXT, AT(kind)},
    {"owner", TEXT, AT(owner)},
    {"role", TEXT, AT(role)},
    {"key", BYTES, AT(public_key)},
    {"task", TEXT, AT(task)},
    {"task_id", BYTES, AT(task_id)},
    {"round", COUNT, AT(round)},
    {"attempt", COUNT, AT(attempt)},
    {"event", EVENT, AT(event)},
    {"delta", DELTA, AT(delta)},
    {"unit", TEXT, AT(unit)},
    {"cohort", COUNT, AT(cohort)},
    {"survivors", COUNT, AT(survivors)},
    {"paid_for", BYTES, AT(paid_for)},
    {"binding", BYTES, AT(binding)},
    {"roster", BYTES, AT(roster)},
    {"model", BYTES, AT(model)},
    {"placement", TEXT, AT(placement)},
    {"device", BYTES, AT(device)},
    {"count", TOTAL, AT(count)},
    {"head", BYTES, AT(head)},
    {"signer", BYTES, AT(signer)},
    {"evidence", BYTES, AT(evidence)},
    {"reason", TEXT, AT(reason)},
};

#define BYTES_MAX 64
#define NUMBER_MAX 40
#define SIGNATURE_OPEN ",\"signature\":\""
#define SIGNATURE_CLOSE "\"}"
#define SIGNATURE_LEN                                                                              \
    (sizeof SIGNATURE_OPEN - 1 + 2 * (size_t)SIGN_BYTES + sizeof SIGNATURE_CLOSE - 1)

/* Writes into a text that may not pass its end; the first failure sticks. */
struct writer {
    char *text;
    size_t len;
    size_t max; /* a final zero included */
    bool failed;
};

__attribute__((format(printf, 2, 3))) static void put(struct writer *w, const char *format, ...)
{
    va_list args;
    int wrote;

    if (w->failed)
        return;
    va_start(args, format);
    wrote = vsnprintf(w->text + w->len, w->max - w->len, format, args);
    va_end(args);
    if (wrote < 0 || (size_t)wrote >= w->max - w->len)
        w->failed = true;
    else
        w->len += (size_t)wrote;
}

static void put_text(struct writer *w, const char *key, const char *text)
{
    put(w, ",\"%s\":\"", key);
    for (; *text; text++)
        put(w, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    put(w, "\"");
}

static void put_bytes(struct writer *w, const char *key, const uint8_t *bytes, size_t len)
{
    char hex[2 * BYTES_MAX + 1];

    put(w, ",\"%s\":\"%s\"", key, cn_hex_encode(hex, bytes, len));
}

/* The shortest decimal that reads back as the same double. */
static void put_double(struct writer *w, const char *key, double value)
{
    char text[NUMBER_MAX];

    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value == 0 ? 0.0 : value);
        if (strtod(text, NULL) == value)
            break;
    }
    put(w, "\"%s\":%s", key, text);
}

static bool is_zero(const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i < len; i++)
        if (at[i])
            return false;
    return true;
}

static void put_event(struct writer *w, const struct field *field, const struct ledger_entry *entry)
{
    const struct accountant_event *event = &entry->event;
    size_t count;
    const struct accountant_field *parts = accountant_fields(event->kind, &count);

    if (!entry->has_event)
        return;
    put(w, ",\"%s\":{\"kind\":\"%s\"", field->key, accountant_kind_name(event->kind));
    for (size_t i = 0; i < count; i++) {
        const uint8_t *at = (const uint8_t *)event + parts[i].offset;
        uint32_t narrow;
        uint64_t whole;
        double real;

        put(w, ",");
        if (parts[i].type == ACCOUNTANT_REAL) {
            memcpy(&real, at, sizeof real);
            put_double(w, parts[i].name, real);
        } else if (parts[i].type == ACCOUNTANT_U32) {
            memcpy(&narrow, at, sizeof narrow);
            put(w, "\"%s\":%lu", parts[i].name, (unsigned long)narrow);
        } else {
            memcpy(&whole, at, sizeof whole);
            put(w, "\"%s\":%llu", parts[i].name, (unsigned long long)whole);
        }
    }
    put(w, "}");
}

static void put_field(struct writer *w, const struct field *field, const struct ledger_entry *entry)
{
    const uint8_t *at = (const uint8_t *)entry + field->offset;

    if (field->kind == EVENT) {
        put_event(w, field, entry);
    } else if (field->kind == DELTA && entry->delta != 0) {
        put(w, ",");
        put_double(w, field->key, entry->delta);
    } else if (field->kind == COUNT && !is_zero(at, field->size)) {
        uint32_t count;

        memcpy(&count, at, sizeof count);
        put(w, ",\"%s\":%lu", field->key, (unsigned long)count);
    } else if (field->kind == TOTAL && !is_zero(at, field->size)) {
        uint64_t total;

        memcpy(&total, at, sizeof total);
        put(w, ",\"%s\":%llu", field->key, (unsigned long long)total);
    } else if (field->kind == TEXT && at[0]) {
        put_text(w, field->key, (const char *)at);
    } else if (field->kind == BYTES && !is_zero(at, field->size)) {
        put_bytes(w, field->key, at, field->size);
    }
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 32 || *text == 127)
            return true;
    return false;
}

static bool is_utf8(const char *text)
{
    json_t *string;

    while (*text && (unsigned char)*text < 128)
        text++;
    if (!*text)
        return true;
    string = json_string(text); /* refuses anything else */
    json_decref(string);
    return string != NULL;
}

static bool is_word(const char *text)
{
    if (!*text)
        return false;
    for (; *text; text++)
        if (*text != '_' && (*text < 'a' || *text > 'z'))
            return false;
    return true;
}

/* The first line and no other opens the ledger and names its owner, role and key. */
static bool opening_ok(const struct ledger_entry *entry)
{
    bool opened = strcmp(entry->kind, "opened") == 0;
    bool named = entry->owner[0] && is_word(entry->role) &&
                 !is_zero(entry->public_key, sizeof entry->public_key);
    bool nameless =
        !entry->owner[0] && !entry->role[0] && is_zero(entry->public_key, sizeof entry->public_key);

    return entry->sequence == 0 ? opened && named : !opened && nameless;
}

static enum cn_err entry_check(const struct ledger_entry *entry)
{
    for (size_t i = 0; i < CN_COUNT(fields); i++) {
        const char *text = (const char *)entry + fields[i].offset;

        if (fields[i].kind != TEXT)
            continue;
        if (strnlen(text, fields[i].size) == fields[i].size || has_control(text) || !is_utf8(text))
            return CN_E_CONFIG;
    }
    if (!is_word(entry->kind) || !opening_ok(entry) || entry->time_s < 0 ||
        entry->sequence > INT64_MAX || entry->count > LEDGER_COUNT_MAX ||
        !(entry->delta >= 0 && entry->delta < 1))
        return CN_E_CONFIG;
    return entry->has_event ? accountant_event_check(&entry->event) : CN_OK;
}

/* Everything that is signed. */
static enum cn_err write_body(struct ledger_line *line)
{
    const struct ledger_entry *entry = &line->entry;
    struct writer w = {line->text, 0, LEDGER_LINE_MAX - 1 - SIGNATURE_LEN, false};

    CN_TRY(entry_check(entry));
    put(&w, "{\"sequence\":%llu,\"time\":%lld", (unsigned long long)entry->sequence,
        (long long)entry->time_s);
    for (size_t i = 0; i < CN_COUNT(fields); i++)
        put_field(&w, &fields[i], entry);
    put_bytes(&w, "previous", line->previous, sizeof line->previous);
    CN_ASSERT(!w.failed); /* the longest of all fields take less than 3 KiB */
    line->body = w.len;
    return CN_OK;
}

static void write_signature(struct ledger_line *line)
{
    char hex[2 * SIGN_BYTES + 1];

    snprintf(line->text + line->body, LEDGER_LINE_MAX - line->body, SIGNATURE_OPEN "%s%s",
             cn_hex_encode(hex, line->signature, SIGN_BYTES), SIGNATURE_CLOSE);
    line->len = line->body + SIGNATURE_LEN;
}

enum cn_err ledger_line_make(struct ledger_line *line, const struct sign_key *key)
{
    CN_TRY(write_body(line));
    sign_make(line->signature, key, LEDGER_LABEL, line->text, line->body);
    write_signature(line);
    return CN_OK;
}

static enum cn_err read_integer(int64_t *out, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return CN_E_PARSE;
    *out = json_integer_value(value);
    return CN_OK;
}

static enum cn_err read_number(double *out, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_number(value))
        return CN_E_PARSE;
    *out = json_number_value(value);
    return CN_OK;
}

static enum cn_err read_text(char *out, size_t size, const json_t *value)
{
    size_t len = json_string_length(value);

    if (!json_is_string(value) || len >= size)
        return CN_E_PARSE;
    memcpy(out, json_string_value(value), len);
    return CN_OK;
}

static enum cn_err read_bytes(uint8_t *out, size_t size, const json_t *value)
{
    return json_is_string(value) ? cn_hex_decode(out, size, json_string_value(value)) : CN_E_PARSE;
}

/* Byte by byte: gcc 12 takes a memcpy to a computed place for one into the first member. */
static void store(struct ledger_entry *entry, size_t at, const void *value, size_t size)
{
    const uint8_t *from = value;
    uint8_t *to = (uint8_t *)entry + at;

    for (size_t i = 0; i < size; i++)
        to[i] = from[i];
}

static enum cn_err read_event_part(struct ledger_entry *entry, const struct accountant_field *part,
                                   const json_t *object)
{
    size_t at = offsetof(struct ledger_entry, event) + part->offset;
    int64_t whole;
    uint32_t narrow;
    double real;

    if (part->type == ACCOUNTANT_REAL) {
        CN_TRY(read_number(&real, object, part->name));
        store(entry, at, &real, sizeof real);
        return CN_OK;
    }
    CN_TRY(read_integer(&whole, object, part->name));
    if (part->type == ACCOUNTANT_U64) {
        store(entry, at, &whole, sizeof whole); /* never negative */
        return CN_OK;
    }
    if (whole > UINT32_MAX)
        return CN_E_PARSE;
    narrow = (uint32_t)whole;
    store(entry, at, &narrow, sizeof narrow);
    return CN_OK;
}

static enum cn_err read_event(struct ledger_entry *entry, const json_t *object)
{
    char kind[ACCOUNTANT_KIND_TEXT_MAX] = "";
    const struct accountant_field *parts;
    size_t count;

    entry->has_event = true;
    CN_TRY(read_text(kind, sizeof kind, json_object_get(object, "kind")));
    CN_TRY(accountant_kind_parse(&entry->event.kind, kind));
    parts = accountant_fields(entry->event.kind, &count);
    for (size_t i = 0; i < count; i++)
        CN_TRY(read_event_part(entry, &parts[i], object));
    return CN_OK;
}

static enum cn_err read_field(struct ledger_entry *entry, const struct field *field,
                              const json_t *object)
{
    const json_t *value = json_object_get(object, field->key);
    uint8_t *at = (uint8_t *)entry + field->offset;
    int64_t integer;
    uint32_t count;

    if (!value)
        return CN_OK; /* empty */
    switch (field->kind) {
    case TEXT:
        return read_text((char *)at, field->size, value);
    case BYTES:
        return read_bytes(at, field->size, value);
    case EVENT:
        return read_event(entry, value);
    case DELTA:
        return read_number(&entry->delta, object, field->key);
    case COUNT:
        CN_TRY(read_integer(&integer, object, field->key));
        if (integer > UINT32_MAX)
            return CN_E_PARSE;
        count = (uint32_t)integer;
        memcpy(at, &count, sizeof count);
        return CN_OK;
    case TOTAL:
        CN_TRY(read_integer(&integer, object, field->key));
        entry->count = (uint64_t)integer; /* the only field of this kind; never negative */
        return CN_OK;
    }
    return CN_E_PARSE;
}

static enum cn_err read_line(struct ledger_line *line, const json_t *object)
{
    int64_t sequence;

    CN_TRY(read_integer(&sequence, object, "sequence"));
    CN_TRY(read_integer(&line->entry.time_s, object, "time"));
    line->entry.sequence = (uint64_t)sequence;
    for (size_t i = 0; i < CN_COUNT(fields); i++)
        CN_TRY(read_field(&line->entry, &fields[i], object));
    CN_TRY(read_bytes(line->previous, HASH_BYTES, json_object_get(object, "previous")));
    return read_bytes(line->signature, SIGN_BYTES, json_object_get(object, "signature"));
}

enum cn_err ledger_line_parse(struct ledger_line *line, const char *text, size_t len)
{
    json_t *object = NULL;
    enum cn_err err;

    memset(line, 0, offsetof(struct ledger_line, text));
    if (len < SIGNATURE_LEN || len >= LEDGER_LINE_MAX)
        return CN_E_PARSE;
    object = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    err = json_is_object(object) ? read_line(line, object) : CN_E_PARSE;
    json_decref(object);
    if (err != CN_OK || write_body(line) != CN_OK)
        return CN_E_PARSE;
    write_signature(line);
    return line->len == len && memcmp(line->text, text, len) == 0 ? CN_OK : CN_E_PARSE;
}

enum cn_err ledger_line_check(const struct ledger_line *line,
                              const uint8_t public_key[SIGN_PUBLIC_BYTES])
{
    return sign_check(line->signature, public_key, LEDGER_LABEL, line->text, line->body);
}

void ledger_line_hash(uint8_t out[HASH_BYTES], const struct ledger_line *line)
{
    hash_of(out, LEDGER_LABEL, line->text, line->len);
}

void ledger_line_clean(char *text, size_t max)
{
    bool utf8;

    text[strnlen(text, max - 1)] = '\0';
    utf8 = is_utf8(text);
    for (; *text; text++)
        if ((unsigned char)*text < 32 || *text == 127 || (!utf8 && (unsigned char)*text > 127))
            *text = '?';
}
