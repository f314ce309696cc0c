/* SPDX-License-Identifier: Apache-2.0 */
/* How many connections, and how many new ones a second, one address may have: so that one machine
 * can not take all places, nor keep a processor busy with handshakes. Sans-I/O.
 *
 * Addresses are IPv4 addresses and IPv6 networks of 64 bits, of which one machine may have all.
 * Connections of this machine itself (a reverse proxy) are not counted unless asked for. */
#ifndef CAIRN_PROTOCOL_DOOR_H
#define CAIRN_PROTOCOL_DOOR_H

#include <stdbool.h>
#include <stdint.h>

#include <sys/socket.h>

#include "base/err.h"

#define DOOR_ADDRESSES_MAX 65536u /* remembered at a time; beyond it new ones are not counted */

struct door_limits {
    uint32_t connections; /* of one address at a time; 0: any number */
    uint32_t per_second;  /* new ones of one address, after a burst of twice as many; 0: any */
    bool local_too;       /* count 127.0.0.0/8 and ::1 as well */
};

struct door;

/* CN_E_NOMEM. Returns ownership. */
enum cn_err door_new(struct door **out, const struct door_limits *limits);
void door_free(struct door *door); /* NULL is allowed */

/* Asks whether one more connection of this address may come in, and counts it. *place is what
 * door_leave wants when it has ended, 0 for one that is not counted or was refused. About 0.1 us.
 */
bool door_enter(struct door *door, const struct sockaddr_storage *address, uint64_t now_ms,
                uint32_t *place);
void door_leave(struct door *door, uint32_t place);

#endif
