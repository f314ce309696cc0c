/* SPDX-License-Identifier: Apache-2.0 */
/* What each message looks like, as tables: one row per field, in the order in which the fields
 * travel. Encoding and decoding walk the same rows, so they can not disagree. For messages.c only.
 */
#ifndef CAIRN_PROTOCOL_MESSAGE_LAYOUT_H
#define CAIRN_PROTOCOL_MESSAGE_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/messages.h"

enum message_field_kind {
    FIELD_UINT,        /* integer: uint8_t, uint32_t or uint64_t by size, low .. high */
    FIELD_INT,         /* integer: int64_t */
    FIELD_BOOL,        /* boolean: bool */
    FIELD_BYTES,       /* byte string of exactly size: uint8_t[size] */
    FIELD_TEXT,        /* string without zero bytes: char[size], shorter than size */
    FIELD_CERTIFICATE, /* byte string as certificate_encode writes it: struct certificate */
    FIELD_VIEW,        /* byte string of low .. high: const uint8_t * here, size_t at count */
    FIELD_RECORD,      /* array of inner's fields, in order: a struct of size */
    FIELD_LIST, /* array of at most high objects like inner: pointer here, uint32_t at count */
    FIELD_KIND_COUNT
};

struct message_field {
    enum message_field_kind kind;
    size_t offset; /* in the struct that holds it */
    size_t size;   /* bytes in memory; of a LIST: of one element */
    size_t count;  /* offset of the number of bytes (VIEW) or elements (LIST) */
    uint64_t low, high;
    const struct message_field *inner; /* RECORD: its fields; LIST: the one row of its elements */
    uint32_t inner_count;              /* RECORD: number of fields */
};

struct message_layout {
    const char *name;
    const struct message_field *fields;
    uint32_t count;
};

/* NULL for a number that is no message's. */
const struct message_layout *message_layout(uint64_t type);

#endif
