/* SPDX-License-Identifier: Apache-2.0 */
/* A ledger's spendings by unit, as events to account for. */
#include <stdlib.h>
#include <string.h>

#include "cli/privacy_events.h"

static struct privacy_unit *unit_of(struct privacy_ledger *ledger, const char *name)
{
    struct privacy_unit *unit;

    for (uint32_t i = 0; i < ledger->count; i++)
        if (strcmp(ledger->units[i].unit, name) == 0)
            return &ledger->units[i];
    if (ledger->count == PRIVACY_UNITS_MAX)
        return NULL;
    unit = &ledger->units[ledger->count++];
    memcpy(unit->unit, name, LEDGER_UNIT_MAX);
    return unit;
}

static enum cn_err unit_grow(struct privacy_unit *unit)
{
    size_t room = unit->room ? 2 * unit->room : 16;
    struct report_event *events;

    if (unit->count == PLD_EVENTS_MAX)
        return CN_E_TOO_LARGE;
    if (unit->count < unit->room)
        return CN_OK;
    events = realloc(unit->events, room * sizeof *events);
    if (!events)
        return CN_E_NOMEM;
    unit->events = events;
    unit->room = room;
    return CN_OK;
}

static enum cn_err see(void *ctx, const struct ledger_entry *entry)
{
    struct report_event event;
    struct privacy_unit *unit;

    if (!entry->has_event)
        return CN_OK;
    unit = unit_of(ctx, entry->unit);
    if (!unit)
        return CN_E_TOO_LARGE;
    event = report_event_of(&entry->event);
    unit->spendings++;
    unit->central |= strcmp(entry->placement, "central") == 0;
    unit->sampled |= event.sampling_rate > 0 && event.sampling_rate < 1;
    for (size_t i = 0; i < unit->count; i++) {
        if (report_same_step(&unit->events[i], &event)) {
            unit->events[i].steps += event.steps; /* a sum too large is refused by the report */
            return unit->events[i].steps < event.steps ? CN_E_TOO_LARGE : CN_OK;
        }
    }
    CN_TRY(unit_grow(unit));
    unit->events[unit->count++] = event;
    return CN_OK;
}

enum cn_err privacy_ledger_read(struct privacy_ledger *ledger, const char *path,
                                struct cn_diag *diag)
{
    enum cn_err err;

    *ledger = (struct privacy_ledger){0};
    err = ledger_read(path, see, ledger, &ledger->summary, diag);
    if (err != CN_OK)
        privacy_ledger_clear(ledger);
    return err;
}

void privacy_ledger_clear(struct privacy_ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->count; i++)
        free(ledger->units[i].events);
    ledger->count = 0;
}

bool privacy_unit_secret(const char *unit)
{
    return strcmp(unit, "example") == 0;
}

const char *privacy_unit_words(const struct privacy_unit *unit)
{
    if (unit->central)
        return "the aggregator adds noise itself, so epsilon holds against everybody else: it sees "
               "every sum before";
    if (!unit->sampled)
        return "nothing was sampled, so epsilon holds against everybody";
    if (privacy_unit_secret(unit->unit))
        return "amplification by sampling holds against third parties and against the aggregator: "
               "each device draws its examples itself, in secret";
    return "amplification by sampling holds against third parties, not against the aggregator, "
           "which sees who takes part";
}
