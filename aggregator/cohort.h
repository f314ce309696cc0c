/* SPDX-License-Identifier: Apache-2.0 */
/* The cohort's candidates: devices that are connected now, and which of them may be asked.
 *
 * Sans-I/O. Knows devices by id and certificate, nothing of sockets. A device that declined is not
 * asked again in the same attempt; one that declined for its budget or its owner's limits not again
 * in the same task, until it connects anew. Among those that may be asked the choice is uniform. */
#ifndef CAIRN_AGGREGATOR_COHORT_H
#define CAIRN_AGGREGATOR_COHORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/random.h"
#include "crypto/certificate.h"

enum cohort_mark {
    COHORT_FREE = 0, /* may be asked */
    COHORT_SEATED,   /* is in the running round */
    COHORT_PAUSED,   /* declined, failed or misbehaved: not again in this attempt */
    COHORT_BARRED,   /* declined for its budget or limits: not again in this task */
};

struct cohort;

/* Makes an empty set with room for devices_max. CN_E_NOMEM. Returns ownership. */
enum cn_err cohort_new(struct cohort **out, uint32_t devices_max);

void cohort_free(struct cohort *cohort);

/* Adds a connected device; the certificate was verified. CN_E_TOO_LARGE when full; CN_E_EXISTS for
 * a device that is there (the caller takes the old connection away first). */
enum cn_err cohort_join(struct cohort *cohort, const struct certificate *certificate);

/* Takes a device away; unknown ones are ignored. */
void cohort_leave(struct cohort *cohort, const uint8_t device[DEVICE_ID_BYTES]);

bool cohort_has(const struct cohort *cohort, const uint8_t device[DEVICE_ID_BYTES]);

/* Marks a device; unknown ones are ignored. */
void cohort_mark(struct cohort *cohort, const uint8_t device[DEVICE_ID_BYTES],
                 enum cohort_mark mark);

/* A new attempt: seated and paused devices may be asked again. */
void cohort_next_attempt(struct cohort *cohort);

/* A new task: all may be asked again. */
void cohort_next_task(struct cohort *cohort);

/* What a device said it can do: HELLO_CAN_* of protocol/messages.h; none until told. Unknown
 * devices are ignored, and can do nothing. */
void cohort_set_abilities(struct cohort *cohort, const uint8_t device[DEVICE_ID_BYTES],
                          uint32_t abilities);
uint32_t cohort_abilities(const struct cohort *cohort, const uint8_t device[DEVICE_ID_BYTES]);

/* Devices connected, and those of them that may be asked. */
uint32_t cohort_count(const struct cohort *cohort);
uint32_t cohort_available(const struct cohort *cohort);

/* Chooses one of the available devices uniformly, marks it seated and gives its certificate, valid
 * until the device leaves. NULL when none is available. Linear in the devices connected. */
const struct certificate *cohort_pick(struct cohort *cohort, const struct cn_random *random);

#endif
