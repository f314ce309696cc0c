/* SPDX-License-Identifier: Apache-2.0 */
/* Sort the lines by binding, then look every one up on the other side. */
#include "cli/audit_cross.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/hash.h"
#include "privacy/checkpoint.h"
#include "privacy/receipt.h"

static const uint8_t none[HASH_BYTES];

void cross_begin(struct cross *cross, uint32_t file)
{
    cross->file = file;
    for (int kind = 0; kind < CROSS_KINDS; kind++)
        cross->lines[kind].kept = cross->lines[kind].count;
    cross->marks.kept = cross->marks.count;
}

void cross_drop(struct cross *cross)
{
    for (int kind = 0; kind < CROSS_KINDS; kind++)
        cross->lines[kind].count = cross->lines[kind].kept;
    cross->marks.count = cross->marks.kept;
}

void cross_clear(struct cross *cross)
{
    for (int kind = 0; kind < CROSS_KINDS; kind++) {
        free(cross->lines[kind].at);
        cross->lines[kind] = (struct cross_lines){0};
    }
    free(cross->marks.at);
    cross->marks = (struct cross_marks){0};
}

static size_t more_room(size_t room)
{
    return room ? 2 * room : 256;
}

static enum cn_err append(struct cross_lines *lines, const struct cross_line *line)
{
    if (lines->count == lines->room) {
        size_t room = more_room(lines->room);
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

static enum cn_err append_mark(struct cross *cross, const struct checkpoint *checkpoint,
                               uint64_t number)
{
    struct cross_marks *marks = &cross->marks;
    struct cross_mark *mark;

    if (marks->count == marks->room) {
        size_t room = more_room(marks->room);
        struct cross_mark *at =
            room > CROSS_LINES_MAX ? NULL : realloc(marks->at, room * sizeof *at);

        if (!at)
            return room > CROSS_LINES_MAX ? CN_E_TOO_LARGE : CN_E_NOMEM;
        marks->at = at;
        marks->room = room;
    }
    mark = &marks->at[marks->count++];
    *mark = (struct cross_mark){.file = cross->file, .number = number};
    memcpy(mark->owner, checkpoint->owner, SIGN_PUBLIC_BYTES);
    memcpy(mark->mark.head, checkpoint->head, HASH_BYTES);
    mark->mark.count = checkpoint->count;
    return CN_OK;
}

static enum cross_kind kind_of(const struct ledger_entry *entry)
{
    if (strcmp(entry->kind, "spent") == 0)
        return CROSS_SPENT;
    if (strcmp(entry->kind, RECEIPT_KIND) == 0)
        return CROSS_RECEIPT;
    if (strcmp(entry->kind, RECEIPT_PARTICIPATION_KIND) == 0)
        return CROSS_PARTICIPATION;
    return strncmp(entry->kind, "round_", 6) == 0 ? CROSS_ROUND : CROSS_KINDS;
}

/* What a published round, its receipts and its participations must say alike. */
static void facts_of(uint8_t facts[CROSS_FACTS_BYTES], const struct ledger_entry *entry)
{
    uint8_t digest[HASH_BYTES];
    struct hash hash;

    /* Of a round's own lines the one that publishes it knows survivors and model. */
    if (strncmp(entry->kind, "round_", 6) == 0 && strcmp(entry->kind, "round_published") != 0)
        return;
    hash_init(&hash, "cairn-audit-facts");
    hash_add_u64(&hash, entry->survivors);
    hash_add(&hash, entry->roster, HASH_BYTES);
    hash_add(&hash, entry->model, HASH_BYTES);
    hash_final(&hash, digest);
    memcpy(facts, digest, CROSS_FACTS_BYTES);
}

enum cn_err cross_add(struct cross *cross, const struct ledger_entry *entry)
{
    enum cross_kind kind = kind_of(entry);
    struct checkpoint checkpoint;
    struct cross_line line = {.file = cross->file,
                              .round = entry->round,
                              .attempt = entry->attempt,
                              .number = entry->sequence + 1,
                              .has_event = entry->has_event,
                              .event = entry->event,
                              .delta = entry->delta};

    if (checkpoint_of_entry(&checkpoint, entry) == CN_OK)
        CN_TRY(append_mark(cross, &checkpoint, line.number));
    if (kind == CROSS_KINDS || memcmp(entry->binding, none, HASH_BYTES) == 0)
        return CN_OK;
    memcpy(line.binding, entry->binding, HASH_BYTES);
    memcpy(line.task_id, entry->task_id, LEDGER_TASK_ID_BYTES);
    memcpy(line.signer, entry->signer, SIGN_PUBLIC_BYTES);
    if (kind != CROSS_SPENT)
        facts_of(line.facts, entry);
    return append(&cross->lines[kind], &line);
}

/* ---- heads ---- */

static int by_owner_and_count(const void *a, const void *b)
{
    const struct cross_mark *x = a, *y = b;
    int order = memcmp(x->owner, y->owner, SIGN_PUBLIC_BYTES);

    if (order)
        return order;
    return x->mark.count < y->mark.count ? -1 : x->mark.count > y->mark.count;
}

static int by_count(const void *a, const void *b)
{
    const struct ledger_mark *x = a, *y = b;

    return x->count < y->count ? -1 : x->count > y->count;
}

enum cn_err cross_marks_of(const struct cross *cross, const uint8_t owner[SIGN_PUBLIC_BYTES],
                           struct ledger_mark **marks, size_t *count)
{
    *count = 0;
    *marks = calloc(cross->marks.count + 1, sizeof **marks);
    if (!*marks)
        return CN_E_NOMEM;
    for (size_t i = 0; i < cross->marks.count; i++)
        if (memcmp(cross->marks.at[i].owner, owner, SIGN_PUBLIC_BYTES) == 0)
            (*marks)[(*count)++] = cross->marks.at[i].mark;
    qsort(*marks, *count, sizeof **marks, by_count);
    return CN_OK;
}

const struct cross_mark *cross_witness(const struct cross *cross,
                                       const uint8_t owner[SIGN_PUBLIC_BYTES], uint64_t count,
                                       const uint8_t *now)
{
    for (size_t i = 0; i < cross->marks.count; i++) {
        const struct cross_mark *mark = &cross->marks.at[i];

        if (memcmp(mark->owner, owner, SIGN_PUBLIC_BYTES) != 0)
            continue;
        if (now ? mark->mark.count == count && memcmp(mark->mark.head, now, HASH_BYTES) != 0
                : mark->mark.count >= count)
            return mark;
    }
    return NULL;
}

/* Two devices that were shown different ledgers prove a fork, with or without the ledger here. */
static void match_marks(struct cross *cross, struct cross_result *result)
{
    struct cross_marks *marks = &cross->marks;
    char words[CROSS_FAULT_TEXT / 2];

    if (marks->count)
        qsort(marks->at, marks->count, sizeof *marks->at, by_owner_and_count);
    for (size_t i = 1; i < marks->count; i++) {
        const struct cross_mark *a = &marks->at[i - 1], *b = &marks->at[i];

        if (by_owner_and_count(a, b) != 0 || memcmp(a->mark.head, b->mark.head, HASH_BYTES) == 0)
            continue;
        snprintf(words, sizeof words,
                 "the aggregator's ledger is forked: after its line %" PRIu64
                 " it showed another head to %.200s:%" PRIu64,
                 b->mark.count, cross->files[a->file], a->number);
        cross_tell(cross, result, b->file, b->number, words);
    }
}

/* ---- rounds ---- */

static int by_binding(const void *a, const void *b)
{
    return memcmp(((const struct cross_line *)a)->binding, ((const struct cross_line *)b)->binding,
                  HASH_BYTES);
}

/* The first of the lines with this binding, or NULL; the others follow it. */
static const struct cross_line *find(const struct cross_lines *lines, const struct cross_line *like)
{
    const struct cross_line *found = NULL;

    if (lines->count)
        found = bsearch(like, lines->at, lines->count, sizeof *like, by_binding);
    while (found && found > lines->at && by_binding(found - 1, like) == 0)
        found--;
    return found;
}

/* The next line with the same binding, or NULL. */
static const struct cross_line *next_alike(const struct cross_lines *lines,
                                           const struct cross_line *line)
{
    return line + 1 < lines->at + lines->count && by_binding(line, line + 1) == 0 ? line + 1 : NULL;
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
    return accountant_same_step(&a->event, &b->event) && a->event.steps == b->event.steps &&
           a->delta == b->delta;
}

void cross_tell(const struct cross *cross, struct cross_result *result, uint32_t file,
                uint64_t number, const char *what)
{
    result->faults_total++;
    if (result->fault_count < CROSS_FAULTS_MAX)
        snprintf(result->faults[result->fault_count++], CROSS_FAULT_TEXT, "%.250s:%" PRIu64 ": %s",
                 cross->files[file], number, what);
}

static void tell(const struct cross *cross, struct cross_result *result,
                 const struct cross_line *line, const char *what)
{
    char words[CROSS_FAULT_TEXT / 2];

    snprintf(words, sizeof words, "round %u, attempt %u: %s", line->round, line->attempt, what);
    cross_tell(cross, result, line->file, line->number, words);
}

static bool same_place(const struct cross_line *a, const struct cross_line *b)
{
    return memcmp(a->task_id, b->task_id, LEDGER_TASK_ID_BYTES) == 0 && a->round == b->round &&
           a->attempt == b->attempt;
}

/* The words for what is wrong between a spending and a line of the same round, or NULL. A line that
 * charges nothing contradicts nothing: an update may have been paid for and never have arrived. */
static const char *contradiction(const struct cross_line *spent, const struct cross_line *round)
{
    if (!same_place(spent, round))
        return "the aggregator has this round's binding under another task, round or attempt";
    if (!round->has_event)
        return NULL;
    if (!spent->has_event)
        return "the aggregator charged privacy for it, the device did not";
    return same_event(spent, round) ? NULL : "device and aggregator charged different mechanisms";
}

static void match_spent(const struct cross *cross, struct cross_result *result,
                        const struct cross_line *spent)
{
    const struct cross_lines *rounds = &cross->lines[CROSS_ROUND];
    const struct cross_line *round = find(rounds, spent);

    if (!round && !knows_task(rounds, spent->task_id)) {
        result->foreign++;
        return;
    }
    if (!round) {
        tell(cross, result, spent, "the aggregator's ledger has no such round");
        return;
    }
    for (; round; round = next_alike(rounds, round)) {
        const char *what = contradiction(spent, round);

        if (what) {
            tell(cross, result, spent, what);
            return;
        }
    }
    result->matched++;
}

/* Whether a line with facts about the same round says otherwise. missing: there is none. */
static bool facts_differ(const struct cross_lines *rounds, const struct cross_line *line,
                         bool *missing)
{
    *missing = true;
    for (const struct cross_line *at = find(rounds, line); at; at = next_alike(rounds, at)) {
        if (memcmp(at->facts, none, CROSS_FACTS_BYTES) == 0)
            continue;
        *missing = false;
        if (memcmp(at->facts, line->facts, CROSS_FACTS_BYTES) != 0 || !same_place(at, line))
            return true;
    }
    return false;
}

static bool spent_in(const struct cross_lines *spent, const struct cross_line *line, uint32_t file)
{
    for (const struct cross_line *at = find(spent, line); at; at = next_alike(spent, at))
        if (at->file == file && same_place(at, line))
            return true;
    return false;
}

static bool owner_is_here(const struct cross *cross, const uint8_t owner[SIGN_PUBLIC_BYTES],
                          uint32_t *file)
{
    for (uint32_t i = 0; i < cross->file_count; i++) {
        *file = i;
        if (cross->whole[i] && memcmp(cross->owners[i], owner, SIGN_PUBLIC_BYTES) == 0)
            return true;
    }
    return false;
}

/* A receipt stands on a spending of its own ledger and on a round that its signer published. */
static void match_receipt(const struct cross *cross, struct cross_result *result,
                          const struct cross_line *receipt)
{
    bool missing, differ = facts_differ(&cross->lines[CROSS_ROUND], receipt, &missing);
    uint32_t file;

    if (!spent_in(&cross->lines[CROSS_SPENT], receipt, receipt->file))
        tell(cross, result, receipt,
             "there is a receipt, but this ledger holds no spending for it");
    else if (!owner_is_here(cross, receipt->signer, &file))
        return;
    else if (missing)
        tell(cross, result, receipt,
             "the aggregator signed a receipt for a round that its ledger did not publish");
    else if (differ)
        tell(cross, result, receipt,
             "the receipt names other survivors or another model than the aggregator's ledger");
    else
        result->receipts_matched++;
}

static void match_participation(const struct cross *cross, struct cross_result *result,
                                const struct cross_line *line)
{
    bool missing, differ = facts_differ(&cross->lines[CROSS_ROUND], line, &missing);
    uint32_t file;

    if (missing || differ)
        tell(cross, result, line,
             missing ? "a device countersigned a round that this ledger did not publish"
                     : "a device countersigned other survivors or another model");
    else if (!owner_is_here(cross, line->signer, &file))
        return;
    else if (!spent_in(&cross->lines[CROSS_SPENT], line, file))
        tell(cross, result, line,
             "the device countersigned it, but its own ledger holds no spending for it");
    else
        result->participations_matched++;
}

void cross_match(struct cross *cross, struct cross_result *result)
{
    const struct cross_lines *rounds = &cross->lines[CROSS_ROUND];
    const struct cross_lines *spent = &cross->lines[CROSS_SPENT];
    const struct cross_lines *receipts = &cross->lines[CROSS_RECEIPT];
    const struct cross_lines *participations = &cross->lines[CROSS_PARTICIPATION];

    result->rounds = rounds->count;
    result->spendings = spent->count;
    result->receipts = receipts->count;
    result->participations = participations->count;
    result->marks = cross->marks.count;
    if (rounds->count)
        qsort(rounds->at, rounds->count, sizeof *rounds->at, by_binding);
    if (spent->count)
        qsort(spent->at, spent->count, sizeof *spent->at, by_binding);
    for (size_t i = 0; rounds->count && i < spent->count; i++)
        match_spent(cross, result, &spent->at[i]);
    for (size_t i = 0; i < receipts->count; i++)
        match_receipt(cross, result, &receipts->at[i]);
    for (size_t i = 0; i < participations->count; i++)
        match_participation(cross, result, &participations->at[i]);
    match_marks(cross, result);
}
