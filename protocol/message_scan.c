/* SPDX-License-Identifier: Apache-2.0 */
/* A cursor over msgpack's heads and a stack of what each open array still owes. */
#include "protocol/message_scan.h"

#include <stdbool.h>

#include "base/cursor.h"

enum shape { VALUE, BODY, ARRAY }; /* nothing follows; bytes follow; objects follow */

/* The forms whose number is in `width` bytes behind the first. The number must be at least `least`
 * (or, of negative integers, at most `least`): below it a shorter form exists. */
struct form {
    uint8_t width; /* 0: not a form of the protocol */
    uint8_t shape;
    bool negative;
    int64_t least;
};

#define FORM_FIRST 0xc4
static const struct form forms[0xdd - FORM_FIRST + 1] = {
    [0xc4 - FORM_FIRST] = {1, BODY, false, 0},          /* bin 8 */
    [0xc5 - FORM_FIRST] = {2, BODY, false, 0x100},      /* bin 16 */
    [0xc6 - FORM_FIRST] = {4, BODY, false, 0x10000},    /* bin 32 */
    [0xcc - FORM_FIRST] = {1, VALUE, false, 0x80},      /* uint 8 */
    [0xcd - FORM_FIRST] = {2, VALUE, false, 0x100},     /* uint 16 */
    [0xce - FORM_FIRST] = {4, VALUE, false, 0x10000},   /* uint 32 */
    [0xcf - FORM_FIRST] = {8, VALUE, false, 1LL << 32}, /* uint 64 */
    [0xd0 - FORM_FIRST] = {1, VALUE, true, -33},        /* int 8 */
    [0xd1 - FORM_FIRST] = {2, VALUE, true, INT8_MIN - 1},
    [0xd2 - FORM_FIRST] = {4, VALUE, true, INT16_MIN - 1},
    [0xd3 - FORM_FIRST] = {8, VALUE, true, (int64_t)INT32_MIN - 1},
    [0xd9 - FORM_FIRST] = {1, BODY, false, 0x20},     /* str 8 */
    [0xda - FORM_FIRST] = {2, BODY, false, 0x100},    /* str 16 */
    [0xdb - FORM_FIRST] = {4, BODY, false, 0x10000},  /* str 32 */
    [0xdc - FORM_FIRST] = {2, ARRAY, false, 0x10},    /* array 16 */
    [0xdd - FORM_FIRST] = {4, ARRAY, false, 0x10000}, /* array 32 */
};

struct head {
    enum shape shape;
    uint64_t count; /* bytes or objects that follow */
};

static bool read_number(struct cn_reader *reader, const struct form *form, uint64_t *number)
{
    unsigned unused = 64 - 8U * form->width;
    uint64_t value = 0;

    for (uint8_t i = 0; i < form->width; i++)
        value = value << 8 | cn_read_u8(reader);
    *number = value;
    if (reader->failed)
        return false;
    if (form->negative) /* the shift down carries the sign */
        return (int64_t)(value << unused) >> unused <= form->least;
    return value >= (uint64_t)form->least;
}

/* Reads the first byte of an object, and the number behind it. */
static bool read_head(struct cn_reader *reader, struct head *head)
{
    uint8_t first = cn_read_u8(reader);
    const struct form *form;

    *head = (struct head){VALUE, 0};
    if (reader->failed)
        return false;
    if (first < 0x80 || first >= 0xe0 || first == 0xc2 || first == 0xc3)
        return true; /* small integers, false, true */
    if (first >= 0x90 && first < 0xa0) {
        *head = (struct head){ARRAY, first & 0x0f};
        return true;
    }
    if (first >= 0xa0 && first < 0xc0) {
        *head = (struct head){BODY, first & 0x1f};
        return true;
    }
    if (first < FORM_FIRST || first - FORM_FIRST >= (int)CN_COUNT(forms))
        return false;
    form = &forms[first - FORM_FIRST];
    head->shape = (enum shape)form->shape;
    return form->width > 0 && read_number(reader, form, &head->count);
}

struct scan {
    struct cn_reader reader;
    uint64_t left[MESSAGE_DEPTH_MAX]; /* objects that each open array still owes */
    unsigned depth;
    uint64_t owed;    /* the sum of left: each object takes a byte at least */
    uint64_t objects; /* so far and owed */
};

static bool open_array(struct scan *scan, uint64_t count)
{
    if (scan->depth == MESSAGE_DEPTH_MAX || count > MESSAGE_OBJECTS_MAX - scan->objects)
        return false;
    scan->objects += count;
    scan->owed += count;
    scan->left[scan->depth++] = count;
    return scan->owed <= cn_reader_left(&scan->reader);
}

static bool take_object(struct scan *scan)
{
    struct head head;

    if (!read_head(&scan->reader, &head))
        return false;
    if (head.shape == ARRAY)
        return open_array(scan, head.count);
    if (head.shape == BODY)
        return head.count <= cn_reader_left(&scan->reader) &&
               (head.count == 0 || cn_read_view(&scan->reader, head.count) != NULL);
    return true;
}

enum cn_err message_scan(const uint8_t *bytes, size_t len)
{
    struct scan scan = {.objects = 1};
    struct head head;

    cn_reader_init(&scan.reader, bytes, len);
    if (!read_head(&scan.reader, &head) || head.shape != ARRAY || !open_array(&scan, head.count))
        return CN_E_PARSE;
    while (scan.depth > 0) {
        uint64_t *left = &scan.left[scan.depth - 1];

        if (*left == 0) {
            scan.depth--;
            continue;
        }
        --*left;
        --scan.owed;
        if (!take_object(&scan))
            return CN_E_PARSE;
    }
    return cn_reader_finish(&scan.reader);
}
