/* SPDX-License-Identifier: Apache-2.0 */
/* Sort the aggregators' lines, then look every spending up. */
#include "cli/audit_cross.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cross_begin(struct cross *cross, uint32_t file)
{
    cross->file = file;
    cross->rounds.kept = cross->rounds.count;
    cross->spent.kept = cross->spent.count;
}

void cross_drop(struct cross *cross)
{
    cross->rounds.count = cross->rounds.kept;
    cross->spent.count = cross->spent.kept;
}

void cross_clear(struct cross *cross)
{
    free(cross->rounds.at);
    free(cross->spent.at);
    cross->rounds = cross->spent = (struct cross_lines){0};
}

static enum cn_err append(struct cross_lines *lines, const struct cross_line *line)
{
    if (lines->count == lines->room) {
        size_t room = lines->room ? 2 * lines->room : 256;
        struct cross_line *at;

        if (room > CROSS_LINES_MAX)
            return CN_E_TOO_LARGE;
        at = realloc(lines->at, room * sizeof *at);
        if (!at)
            return CN_E_NOMEM;
        lines->at = at;
        lines->room = room;
    }
    lines->at[lines->count++] = *line;
    return CN_OK;
}

enum cn_err cross_add(struct cross *cross, const struct ledger_entry *entry)
{
    static const uint8_t none[HASH_BYTES];
    struct cross_line line = {.file = cross->file,
                              .round = entry->round,
                              .attempt = entry->attempt,
                              .number = entry->sequence + 1,
                              .has_event = entry->has_event,
                              .event = entry->event,
                              .delta = entry->delta};

    if (memcmp(entry->binding, none, HASH_BYTES) == 0)
        return CN_OK;
    memcpy(line.binding, entry->binding, HASH_BYTES);
    memcpy(line.task_id, entry->task_id, LEDGER_TASK_ID_BYTES);
    if (strcmp(entry->kind, "spent") == 0)
        return append(&cross->spent, &line);
    return strncmp(entry->kind, "round_", 6) == 0 ? append(&cross->rounds, &line) : CN_OK;
}

static int by_binding(const void *a, const void *b)
{
    return memcmp(((const struct cross_line *)a)->binding, ((const struct cross_line *)b)->binding,
                  HASH_BYTES);
}

static bool knows_task(const struct cross_lines *rounds, const uint8_t id[LEDGER_TASK_ID_BYTES])
{
    for (size_t i = 0; i < rounds->count; i++)
        if (memcmp(rounds->at[i].task_id, id, LEDGER_TASK_ID_BYTES) == 0)
            return true;
    return false;
}

static bool same_event(const struct cross_line *a, const struct cross_line *b)
{
    return a->event.kind == b->event.kind &&
           a->event.noise_multiplier == b->event.noise_multiplier &&
           a->event.sampling_rate == b->event.sampling_rate && a->event.steps == b->event.steps &&
           a->delta == b->delta;
}

static void tell(const struct cross *cross, struct cross_result *result,
                 const struct cross_line *line, const char *what)
{
    result->faults_total++;
    if (result->fault_count == CROSS_FAULTS_MAX)
        return;
    snprintf(result->faults[result->fault_count++], CROSS_FAULT_TEXT,
             "%.400s:%" PRIu64 ": round %u, attempt %u: %s", cross->files[line->file], line->number,
             line->round, line->attempt, what);
}

/* The words for what is wrong between a spending and a line of the same round, or NULL. A line that
 * charges nothing contradicts nothing: an update may have been paid for and never have arrived. */
static const char *contradiction(const struct cross_line *spent, const struct cross_line *round)
{
    if (memcmp(spent->task_id, round->task_id, LEDGER_TASK_ID_BYTES) != 0 ||
        spent->round != round->round || spent->attempt != round->attempt)
        return "the aggregator has this round's binding under another task, round or attempt";
    if (!round->has_event)
        return NULL;
    if (!spent->has_event)
        return "the aggregator charged privacy for it, the device did not";
    return same_event(spent, round) ? NULL : "device and aggregator charged different mechanisms";
}

static void match_one(const struct cross *cross, struct cross_result *result,
                      const struct cross_line *spent)
{
    const struct cross_lines *rounds = &cross->rounds;
    const struct cross_line *found = NULL;
    const struct cross_line *end = rounds->at + rounds->count;

    if (rounds->count)
        found = bsearch(spent, rounds->at, rounds->count, sizeof *spent, by_binding);
    if (!found) {
        if (!knows_task(rounds, spent->task_id))
            result->foreign++;
        else
            tell(cross, result, spent, "the aggregator's ledger has no such round");
        return;
    }
    while (found > rounds->at && by_binding(found - 1, spent) == 0)
        found--;
    for (; found < end && by_binding(found, spent) == 0; found++) {
        const char *what = contradiction(spent, found);

        if (what) {
            tell(cross, result, spent, what);
            return;
        }
    }
    result->matched++;
}

void cross_match(struct cross *cross, struct cross_result *result)
{
    struct cross_lines *rounds = &cross->rounds;

    memset(result, 0, sizeof *result);
    result->rounds = rounds->count;
    result->spendings = cross->spent.count;
    if (rounds->count)
        qsort(rounds->at, rounds->count, sizeof *rounds->at, by_binding);
    for (size_t i = 0; rounds->count && i < cross->spent.count; i++)
        match_one(cross, result, &cross->spent.at[i]);
}
