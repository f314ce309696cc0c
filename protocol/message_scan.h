/* SPDX-License-Identifier: Apache-2.0 */
/* The gate in front of msgpack-c: a look over a message's bytes that allocates nothing and lets
 * through only what msgpack-c can unpack cheaply.
 *
 * It knows msgpack's forms and no message. What passes is one array, with nothing behind it, of
 * non-negative and negative integers, true, false, strings, byte strings and further arrays:
 *   - every announced length and count is backed by bytes that are really there,
 *   - arrays nest at most MESSAGE_DEPTH_MAX deep and hold MESSAGE_OBJECTS_MAX objects in all,
 *   - every integer, length and count stands in its shortest form, so a value has one encoding.
 * Maps, nil, floats and extensions have no place in the protocol.
 * Source: github.com/msgpack/msgpack, spec.md. */
#ifndef CAIRN_PROTOCOL_MESSAGE_SCAN_H
#define CAIRN_PROTOCOL_MESSAGE_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define MESSAGE_DEPTH_MAX 4       /* message > roster > member > keys */
#define MESSAGE_OBJECTS_MAX 16400 /* 16,384 survivors have 16,391; msgpack-c takes 24 bytes each   \
                                   */

/* CN_E_PARSE unless the bytes are as above. One pass over the heads; bodies are skipped. */
enum cn_err message_scan(const uint8_t *bytes, size_t len);

#endif
