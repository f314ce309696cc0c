/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/cohort.h"

#include <stdlib.h>
#include <string.h>

/* An open-addressing index from device id to place would be faster to look up; a scan over ids that
 * lie together costs 10 us for ten thousand devices and happens once per connection and mark. */
struct cohort {
    uint32_t count;
    uint32_t available;
    uint32_t max;
    uint32_t room;
    uint8_t (*ids)[DEVICE_ID_BYTES];
    struct certificate **certificates; /* one block each: picked ones keep their address */
    enum cohort_mark *marks;
    uint32_t *abilities;
};

enum { FIRST_ROOM = 64 };

enum cn_err cohort_new(struct cohort **out, uint32_t devices_max)
{
    *out = calloc(1, sizeof(**out));
    if (!*out)
        return CN_E_NOMEM;
    (*out)->max = devices_max;
    return CN_OK;
}

void cohort_free(struct cohort *cohort)
{
    if (!cohort)
        return;
    for (uint32_t i = 0; i < cohort->count; i++)
        free(cohort->certificates[i]);
    free(cohort->certificates);
    free(cohort->ids);
    free(cohort->marks);
    free(cohort->abilities);
    free(cohort);
}

/* Gives the device's place, or count when it is not there. */
static uint32_t place_of(const struct cohort *cohort, const uint8_t device[DEVICE_ID_BYTES])
{
    uint32_t i = 0;
    while (i < cohort->count && memcmp(cohort->ids[i], device, DEVICE_ID_BYTES) != 0)
        i++;
    return i;
}

static enum cn_err grow(struct cohort *cohort)
{
    if (cohort->count < cohort->room)
        return CN_OK;
    uint32_t room = cohort->room ? cohort->room * 2 : FIRST_ROOM;
    if (room > cohort->max)
        room = cohort->max;
    void *ids = realloc(cohort->ids, (size_t)room * DEVICE_ID_BYTES);
    if (!ids)
        return CN_E_NOMEM;
    cohort->ids = ids;
    struct certificate **certificates =
        realloc(cohort->certificates, room * sizeof(struct certificate *));
    if (!certificates)
        return CN_E_NOMEM;
    cohort->certificates = certificates;
    enum cohort_mark *marks = realloc(cohort->marks, room * sizeof(*marks));
    if (!marks)
        return CN_E_NOMEM;
    cohort->marks = marks;
    uint32_t *abilities = realloc(cohort->abilities, room * sizeof(*abilities));
    if (!abilities)
        return CN_E_NOMEM;
    cohort->abilities = abilities;
    cohort->room = room;
    return CN_OK;
}

enum cn_err cohort_join(struct cohort *cohort, const struct certificate *certificate)
{
    uint8_t id[DEVICE_ID_BYTES];
    certificate_device_id(id, certificate);
    if (place_of(cohort, id) < cohort->count)
        return CN_E_EXISTS;
    if (cohort->count == cohort->max)
        return CN_E_TOO_LARGE;
    CN_TRY(grow(cohort));
    struct certificate *copy = malloc(sizeof(*copy));
    if (!copy)
        return CN_E_NOMEM;
    *copy = *certificate;
    uint32_t place = cohort->count++;
    memcpy(cohort->ids[place], id, DEVICE_ID_BYTES);
    cohort->certificates[place] = copy;
    cohort->marks[place] = COHORT_FREE;
    cohort->abilities[place] = 0;
    cohort->available++;
    return CN_OK;
}

static void set_mark(struct cohort *cohort, uint32_t place, enum cohort_mark mark)
{
    cohort->available -= cohort->marks[place] == COHORT_FREE;
    cohort->marks[place] = mark;
    cohort->available += mark == COHORT_FREE;
}

void cohort_leave(struct cohort *cohort, const uint8_t device[DEVICE_ID_BYTES])
{
    uint32_t place = place_of(cohort, device);
    if (place == cohort->count)
        return;
    set_mark(cohort, place, COHORT_BARRED);
    free(cohort->certificates[place]);
    uint32_t last = --cohort->count;
    memmove(cohort->ids[place], cohort->ids[last], DEVICE_ID_BYTES);
    cohort->certificates[place] = cohort->certificates[last];
    cohort->marks[place] = cohort->marks[last];
    cohort->abilities[place] = cohort->abilities[last];
}

void cohort_set_abilities(struct cohort *cohort, const uint8_t device[DEVICE_ID_BYTES],
                          uint32_t abilities)
{
    uint32_t place = place_of(cohort, device);
    if (place < cohort->count)
        cohort->abilities[place] = abilities;
}

uint32_t cohort_abilities(const struct cohort *cohort, const uint8_t device[DEVICE_ID_BYTES])
{
    uint32_t place = place_of(cohort, device);
    return place < cohort->count ? cohort->abilities[place] : 0;
}

bool cohort_has(const struct cohort *cohort, const uint8_t device[DEVICE_ID_BYTES])
{
    return place_of(cohort, device) < cohort->count;
}

void cohort_mark(struct cohort *cohort, const uint8_t device[DEVICE_ID_BYTES],
                 enum cohort_mark mark)
{
    uint32_t place = place_of(cohort, device);
    if (place < cohort->count)
        set_mark(cohort, place, mark);
}

void cohort_next_attempt(struct cohort *cohort)
{
    for (uint32_t i = 0; i < cohort->count; i++)
        if (cohort->marks[i] != COHORT_BARRED)
            set_mark(cohort, i, COHORT_FREE);
}

void cohort_next_task(struct cohort *cohort)
{
    for (uint32_t i = 0; i < cohort->count; i++)
        set_mark(cohort, i, COHORT_FREE);
}

uint32_t cohort_count(const struct cohort *cohort)
{
    return cohort->count;
}

uint32_t cohort_available(const struct cohort *cohort)
{
    return cohort->available;
}

const struct certificate *cohort_pick(struct cohort *cohort, const struct cn_random *random)
{
    if (!cohort->available)
        return NULL;
    uint64_t skip = cn_random_below(random, cohort->available);
    for (uint32_t i = 0; i < cohort->count; i++) {
        if (cohort->marks[i] != COHORT_FREE || skip--)
            continue;
        set_mark(cohort, i, COHORT_SEATED);
        return cohort->certificates[i];
    }
    return NULL;
}
