/* SPDX-License-Identifier: Apache-2.0 */
/* Messages to bytes and back: msgpack-c's packer and unpacker, driven by the rows of
 * message_layout.c. For each kind of field put_x and get_x stand together; the unpacker sees only
 * bytes that message_scan let through. */
#include "protocol/messages.h"

#include <msgpack.h>
#include <string.h>

#include "protocol/message_layout.h"
#include "protocol/message_scan.h"

struct writer {
    msgpack_packer packer;
    enum cn_err err; /* the first failure sticks */
};

struct source {
    struct cn_arena *arena;
    enum cn_err err; /* the first failure sticks */
};

static void put_field(struct writer *w, const struct message_field *row, const uint8_t *base);
static void get_field(struct source *s, const struct message_field *row, uint8_t *base,
                      const msgpack_object *object);

static void writer_fail(struct writer *w, enum cn_err err)
{
    if (w->err == CN_OK)
        w->err = err;
}

static void source_fail(struct source *s, enum cn_err err)
{
    if (s->err == CN_OK)
        s->err = err;
}

/* Fails unless the object is of this type. */
static bool expect(struct source *s, const msgpack_object *object, msgpack_object_type type)
{
    if (object->type != type)
        source_fail(s, CN_E_PARSE);
    return s->err == CN_OK;
}

/* --- integers and booleans --- */

static uint64_t load_uint(const uint8_t *place, size_t size)
{
    uint32_t value32;
    uint64_t value64;

    if (size == sizeof(uint8_t))
        return *place;
    if (size == sizeof value32) {
        memcpy(&value32, place, sizeof value32);
        return value32;
    }
    memcpy(&value64, place, sizeof value64);
    return value64;
}

static void store_uint(uint8_t *place, size_t size, uint64_t value)
{
    uint32_t value32 = (uint32_t)value;

    if (size == sizeof(uint8_t))
        *place = (uint8_t)value;
    else if (size == sizeof value32)
        memcpy(place, &value32, sizeof value32);
    else
        memcpy(place, &value, sizeof value);
}

static void put_uint(struct writer *w, const struct message_field *row, const uint8_t *place)
{
    uint64_t value = load_uint(place, row->size);

    if (value < row->low || value > row->high)
        writer_fail(w, CN_E_STATE);
    msgpack_pack_uint64(&w->packer, value);
}

static void get_uint(struct source *s, const struct message_field *row, uint8_t *place,
                     const msgpack_object *object)
{
    if (!expect(s, object, MSGPACK_OBJECT_POSITIVE_INTEGER))
        return;
    if (object->via.u64 < row->low || object->via.u64 > row->high)
        source_fail(s, CN_E_PARSE);
    else
        store_uint(place, row->size, object->via.u64);
}

static void put_int(struct writer *w, const struct message_field *row, const uint8_t *place)
{
    int64_t value;

    (void)row;
    memcpy(&value, place, sizeof value);
    msgpack_pack_int64(&w->packer, value);
}

static void get_int(struct source *s, const struct message_field *row, uint8_t *place,
                    const msgpack_object *object)
{
    bool positive = object->type == MSGPACK_OBJECT_POSITIVE_INTEGER;

    (void)row;
    if (positive && object->via.u64 > INT64_MAX)
        source_fail(s, CN_E_PARSE);
    else if (positive || expect(s, object, MSGPACK_OBJECT_NEGATIVE_INTEGER))
        memcpy(place, &object->via.i64, sizeof object->via.i64);
}

static void put_bool(struct writer *w, const struct message_field *row, const uint8_t *place)
{
    (void)row;
    if (*place)
        msgpack_pack_true(&w->packer);
    else
        msgpack_pack_false(&w->packer);
}

static void get_bool(struct source *s, const struct message_field *row, uint8_t *place,
                     const msgpack_object *object)
{
    (void)row;
    if (expect(s, object, MSGPACK_OBJECT_BOOLEAN))
        *place = object->via.boolean;
}

/* --- bytes and texts --- */

static void put_bin(struct writer *w, const void *bytes, size_t len)
{
    msgpack_pack_bin(&w->packer, len);
    msgpack_pack_bin_body(&w->packer, bytes, len);
}

static void put_bytes(struct writer *w, const struct message_field *row, const uint8_t *place)
{
    put_bin(w, place, row->size);
}

static void get_bytes(struct source *s, const struct message_field *row, uint8_t *place,
                      const msgpack_object *object)
{
    if (!expect(s, object, MSGPACK_OBJECT_BIN))
        return;
    if (object->via.bin.size != row->size)
        source_fail(s, CN_E_PARSE);
    else
        memcpy(place, object->via.bin.ptr, row->size);
}

static void put_text(struct writer *w, const struct message_field *row, const uint8_t *place)
{
    size_t len = strnlen((const char *)place, row->size);

    if (len == row->size) {
        writer_fail(w, CN_E_TOO_LARGE);
        return;
    }
    msgpack_pack_str(&w->packer, len);
    msgpack_pack_str_body(&w->packer, place, len);
}

static void get_text(struct source *s, const struct message_field *row, uint8_t *place,
                     const msgpack_object *object)
{
    size_t len;

    if (!expect(s, object, MSGPACK_OBJECT_STR))
        return;
    len = object->via.str.size;
    if (len >= row->size)
        source_fail(s, CN_E_TOO_LARGE);
    else if (len > 0 && memchr(object->via.str.ptr, 0, len))
        source_fail(s, CN_E_PARSE);
    else if (len > 0)
        memcpy(place, object->via.str.ptr, len); /* the message began as zeros */
}

static void put_certificate(struct writer *w, const struct message_field *row, const uint8_t *place)
{
    struct cn_buf bytes;

    (void)row;
    cn_buf_init(&bytes, CERTIFICATE_BYTES_MAX);
    certificate_encode(&bytes, (const struct certificate *)(const void *)place);
    if (cn_buf_finish(&bytes) == CN_OK)
        put_bin(w, bytes.data, bytes.len);
    else
        writer_fail(w, cn_buf_finish(&bytes));
    cn_buf_clear(&bytes);
}

static void get_certificate(struct source *s, const struct message_field *row, uint8_t *place,
                            const msgpack_object *object)
{
    struct cn_reader reader;

    (void)row;
    if (!expect(s, object, MSGPACK_OBJECT_BIN))
        return;
    cn_reader_init(&reader, object->via.bin.ptr, object->via.bin.size);
    if (certificate_decode(&reader, (struct certificate *)(void *)place) != CN_OK ||
        cn_reader_finish(&reader) != CN_OK)
        source_fail(s, CN_E_PARSE);
}

/* A pointer into the peer's bytes; its length stands elsewhere in the struct. */
static void put_view(struct writer *w, const struct message_field *row, const uint8_t *base)
{
    const uint8_t *bytes;
    size_t len;

    memcpy(&bytes, base + row->offset, sizeof bytes);
    memcpy(&len, base + row->count, sizeof len);
    if (len < row->low || len > row->high)
        writer_fail(w, len < row->low ? CN_E_STATE : CN_E_TOO_LARGE);
    else
        put_bin(w, bytes, len);
}

static void get_view(struct source *s, const struct message_field *row, uint8_t *base,
                     const msgpack_object *object)
{
    const uint8_t *bytes;
    size_t len;

    if (!expect(s, object, MSGPACK_OBJECT_BIN))
        return;
    bytes = (const uint8_t *)object->via.bin.ptr;
    len = object->via.bin.size;
    if (len < row->low || len > row->high) {
        source_fail(s, len < row->low ? CN_E_PARSE : CN_E_TOO_LARGE);
        return;
    }
    memcpy(base + row->offset, &bytes, sizeof bytes);
    memcpy(base + row->count, &len, sizeof len);
}

/* --- fields of fields --- */

static void put_rows(struct writer *w, const struct message_field *rows, uint32_t count,
                     const uint8_t *base)
{
    for (uint32_t i = 0; i < count && w->err == CN_OK; i++)
        put_field(w, &rows[i], base);
}

static void get_rows(struct source *s, const struct message_field *rows, uint32_t count,
                     uint8_t *base, const msgpack_object *objects)
{
    for (uint32_t i = 0; i < count && s->err == CN_OK; i++)
        get_field(s, &rows[i], base, &objects[i]);
}

static void put_record(struct writer *w, const struct message_field *row, const uint8_t *place)
{
    msgpack_pack_array(&w->packer, row->inner_count);
    put_rows(w, row->inner, row->inner_count, place);
}

static void get_record(struct source *s, const struct message_field *row, uint8_t *place,
                       const msgpack_object *object)
{
    if (!expect(s, object, MSGPACK_OBJECT_ARRAY))
        return;
    if (object->via.array.size != row->inner_count)
        source_fail(s, CN_E_PARSE);
    else
        get_rows(s, row->inner, row->inner_count, place, object->via.array.ptr);
}

static void put_list(struct writer *w, const struct message_field *row, const uint8_t *base)
{
    const uint8_t *items;
    uint32_t count;

    memcpy(&items, base + row->offset, sizeof items);
    memcpy(&count, base + row->count, sizeof count);
    if (count > row->high) {
        writer_fail(w, CN_E_TOO_LARGE);
        return;
    }
    msgpack_pack_array(&w->packer, count);
    for (uint32_t i = 0; i < count && w->err == CN_OK; i++)
        put_field(w, row->inner, items + i * row->size);
}

static void get_list(struct source *s, const struct message_field *row, uint8_t *base,
                     const msgpack_object *object)
{
    uint8_t *items;
    uint32_t count;

    if (!expect(s, object, MSGPACK_OBJECT_ARRAY))
        return;
    count = object->via.array.size;
    if (count > row->high) {
        source_fail(s, CN_E_TOO_LARGE);
        return;
    }
    items = cn_arena_alloc(s->arena, count, row->size);
    if (!items) {
        source_fail(s, CN_E_NOMEM);
        return;
    }
    for (uint32_t i = 0; i < count && s->err == CN_OK; i++)
        get_field(s, row->inner, items + i * row->size, &object->via.array.ptr[i]);
    memcpy(base + row->offset, &items, sizeof items);
    memcpy(base + row->count, &count, sizeof count);
}

/* --- one field, by its kind --- */

static void put_field(struct writer *w, const struct message_field *row, const uint8_t *base)
{
    static void (*const put[])(struct writer *, const struct message_field *, const uint8_t *) = {
        [FIELD_UINT] = put_uint, [FIELD_INT] = put_int,
        [FIELD_BOOL] = put_bool, [FIELD_BYTES] = put_bytes,
        [FIELD_TEXT] = put_text, [FIELD_CERTIFICATE] = put_certificate,
        [FIELD_VIEW] = put_view, [FIELD_RECORD] = put_record,
        [FIELD_LIST] = put_list,
    };
    _Static_assert(CN_COUNT(put) == FIELD_KIND_COUNT, "one writer per kind");
    bool two_places = row->kind == FIELD_VIEW || row->kind == FIELD_LIST;

    put[row->kind](w, row, two_places ? base : base + row->offset);
}

static void get_field(struct source *s, const struct message_field *row, uint8_t *base,
                      const msgpack_object *object)
{
    static void (*const get[])(struct source *, const struct message_field *, uint8_t *,
                               const msgpack_object *) = {
        [FIELD_UINT] = get_uint, [FIELD_INT] = get_int,
        [FIELD_BOOL] = get_bool, [FIELD_BYTES] = get_bytes,
        [FIELD_TEXT] = get_text, [FIELD_CERTIFICATE] = get_certificate,
        [FIELD_VIEW] = get_view, [FIELD_RECORD] = get_record,
        [FIELD_LIST] = get_list,
    };
    _Static_assert(CN_COUNT(get) == FIELD_KIND_COUNT, "one reader per kind");
    bool two_places = row->kind == FIELD_VIEW || row->kind == FIELD_LIST;

    get[row->kind](s, row, two_places ? base : base + row->offset, object);
}

/* --- whole messages --- */

static bool rises(const uint32_t *list, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        if (list[i] <= list[i - 1])
            return false;
    }
    return true;
}

/* True for what the rows can not say: positions are strictly increasing, complaints name one,
 * entries are whole. */
static bool in_order(const struct message *message)
{
    if (message->type == MESSAGE_SURVIVORS)
        return rises(message->as.survivors.indices, message->as.survivors.count);
    if (message->type == MESSAGE_COMPLAINT)
        return message->as.complaint.count > 0 &&
               rises(message->as.complaint.indices, message->as.complaint.count);
    if (message->type == MESSAGE_ROSTER)
        return message->as.roster.entries_len % MESSAGE_ENTRY_BYTES == 0;
    return true;
}

static int append(void *ctx, const char *bytes, size_t len)
{
    struct cn_buf *out = ctx;

    if (len > 0)
        cn_put_bytes(out, bytes, len);
    return out->failed ? -1 : 0;
}

enum cn_err message_encode(struct cn_buf *out, const struct message *message)
{
    const struct message_layout *layout = message_layout((uint64_t)message->type);
    struct writer w = {.err = CN_OK};
    size_t before = out->len;

    if (!layout)
        return CN_E_STATE;
    msgpack_packer_init(&w.packer, out, append);
    msgpack_pack_array(&w.packer, layout->count + 1);
    msgpack_pack_uint64(&w.packer, (uint64_t)message->type);
    put_rows(&w, layout->fields, layout->count, (const uint8_t *)&message->as);
    if (w.err == CN_OK && !in_order(message))
        w.err = CN_E_STATE;
    if (w.err == CN_OK)
        w.err = cn_buf_finish(out);
    if (w.err == CN_OK && out->len - before > MESSAGE_BYTES_MAX)
        w.err = CN_E_TOO_LARGE;
    if (w.err != CN_OK)
        out->len = before;
    return w.err;
}

static void get_message(struct source *s, struct message *message, const msgpack_object *object)
{
    const msgpack_object *fields = object->via.array.ptr;
    const struct message_layout *layout;

    if (!expect(s, object, MSGPACK_OBJECT_ARRAY))
        return;
    if (object->via.array.size == 0 || fields[0].type != MSGPACK_OBJECT_POSITIVE_INTEGER) {
        source_fail(s, CN_E_PARSE);
        return;
    }
    layout = message_layout(fields[0].via.u64);
    if (!layout || object->via.array.size != layout->count + 1) {
        source_fail(s, CN_E_PARSE);
        return;
    }
    message->type = (enum message_type)fields[0].via.u64;
    get_rows(s, layout->fields, layout->count, (uint8_t *)&message->as, fields + 1);
    if (s->err == CN_OK && !in_order(message))
        source_fail(s, CN_E_PARSE);
}

enum cn_err message_decode(struct message *message, const uint8_t *bytes, size_t len,
                           struct cn_arena *arena)
{
    struct source s = {.arena = arena};
    msgpack_unpacked unpacked;
    size_t used = 0;

    memset(message, 0, sizeof *message);
    if (len > MESSAGE_BYTES_MAX)
        return CN_E_TOO_LARGE;
    CN_TRY(message_scan(bytes, len));
    msgpack_unpacked_init(&unpacked);
    switch (msgpack_unpack_next(&unpacked, (const char *)bytes, len, &used)) {
    case MSGPACK_UNPACK_SUCCESS:
        get_message(&s, message, &unpacked.data);
        break;
    case MSGPACK_UNPACK_NOMEM_ERROR:
        s.err = CN_E_NOMEM;
        break;
    default:
        s.err = CN_E_PARSE;
    }
    msgpack_unpacked_destroy(&unpacked);
    if (s.err != CN_OK)
        memset(message, 0, sizeof *message);
    return s.err;
}

_Static_assert(sizeof(struct secagg_entry) == DEVICE_ID_BYTES + INVITATION_ID_BYTES + 32 &&
                   _Alignof(struct secagg_entry) == 1,
               "entries travel as they lie");

const struct secagg_entry *message_roster_entries(const struct message_roster *roster)
{
    return roster->entries_len ? (const struct secagg_entry *)(const void *)roster->entries : NULL;
}

uint32_t message_roster_devices(const struct message_roster *roster)
{
    return roster->entries_len ? (uint32_t)(roster->entries_len / MESSAGE_ENTRY_BYTES)
                               : roster->count;
}

const char *message_name(enum message_type type)
{
    const struct message_layout *layout = message_layout((uint64_t)type);

    return layout ? layout->name : "?";
}

void round_binding(uint8_t out[HASH_BYTES], const struct round_id *id,
                   const uint8_t plan[HASH_BYTES], const uint8_t model[HASH_BYTES])
{
    struct hash hash;

    hash_init(&hash, "cairn-round");
    hash_add(&hash, id->task, sizeof id->task);
    hash_add_u64(&hash, id->round);
    hash_add_u64(&hash, id->attempt);
    hash_add(&hash, plan, HASH_BYTES);
    hash_add(&hash, model, HASH_BYTES);
    hash_final(&hash, out);
}

bool round_id_equal(const struct round_id *a, const struct round_id *b)
{
    return a->round == b->round && a->attempt == b->attempt &&
           memcmp(a->task, b->task, sizeof a->task) == 0;
}
