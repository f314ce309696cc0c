/* SPDX-License-Identifier: Apache-2.0 */
/* `cairn audit diff`: two copies of one ledger line by line, or two owners' spendings by task. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/audit_verify.h"
#include "cli/show.h"
#include "privacy/ledger_total.h"

#define SHOWN_LINES 8u /* of each side, behind the place where they part */
#define DELTA_FALLBACK 1e-5

struct side {
    const char *path;
    struct ledger_summary summary;
    struct ledger_total total;
    uint64_t from; /* sequence of the first line to keep */
    struct ledger_entry kept[SHOWN_LINES];
    uint32_t kept_count;
};

static enum cn_err add_up(void *ctx, const struct ledger_entry *entry)
{
    struct side *side = ctx;

    if (entry->sequence >= side->from && side->kept_count < SHOWN_LINES)
        side->kept[side->kept_count++] = *entry;
    return ledger_total_add(&side->total, entry);
}

/* The lines from `from` on are kept for showing. */
static enum cn_err read_side(struct side *side, uint64_t from, struct cn_diag *diag)
{
    side->from = from;
    ledger_total_init(&side->total, 0);
    return ledger_read(side->path, add_up, side, &side->summary, diag);
}

/* ---- two copies ---- */

static const char *verdict(const struct audit_copy *copy)
{
    if (!copy->more_a && !copy->more_b)
        return "same";
    if (copy->more_a && copy->more_b)
        return "forked";
    return copy->more_a ? "longer" : "shorter";
}

static void print_line(FILE *out, char mark, const struct ledger_entry *entry)
{
    char time[CN_TIME_TEXT_BYTES];

    fprintf(out, "  %c %7" PRIu64 "  %s  %-16s", mark, entry->sequence + 1,
            cn_time_text(entry->time_s, time), entry->kind);
    if (entry->task[0])
        fprintf(out, "  %.48s", entry->task);
    if (entry->round)
        fprintf(out, "  round %u.%u", entry->round, entry->attempt);
    if (entry->has_event)
        fprintf(out, "  %s z=%g q=%g steps=%" PRIu64, accountant_kind_name(entry->event.kind),
                entry->event.noise_multiplier, entry->event.sampling_rate, entry->event.steps);
    fputc('\n', out);
}

static void print_side(FILE *out, char mark, const struct side *side, uint64_t more)
{
    for (uint32_t i = 0; i < side->kept_count; i++)
        print_line(out, mark, &side->kept[i]);
    if (more > side->kept_count)
        fprintf(out, "  %c         ... %" PRIu64 " more\n", mark, more - side->kept_count);
}

static void print_copies(const struct cn_args *args, const struct side sides[2],
                         const struct audit_copy *copy)
{
    fprintf(args->out, "Two copies of the ledger of %s '%s'.\n", sides[0].summary.role,
            sides[0].summary.owner);
    fprintf(args->out, "The first %" PRIu64 " lines are the same. ", copy->lines);
    if (copy->more_a && copy->more_b)
        fprintf(args->out, "Then they part: FORKED, the same key signed two histories.\n");
    else if (copy->more_a || copy->more_b)
        fprintf(args->out, "%s goes on where %s ends.\n", sides[copy->more_a ? 0 : 1].path,
                sides[copy->more_a ? 1 : 0].path);
    else
        fprintf(args->out, "There is nothing else.\n");
    if (copy->more_a || copy->more_b)
        fputc('\n', args->out);
    print_side(args->out, '-', &sides[0], copy->more_a);
    print_side(args->out, '+', &sides[1], copy->more_b);
}

/* ---- two owners ---- */

static const struct ledger_total_task *same_task(const struct ledger_total *total,
                                                 const struct ledger_total_task *like)
{
    for (uint32_t i = 0; i < total->count; i++)
        if (memcmp(total->tasks[i].task_id, like->task_id, LEDGER_TASK_ID_BYTES) == 0 &&
            strcmp(total->tasks[i].task, like->task) == 0)
            return &total->tasks[i];
    return NULL;
}

static double epsilon_of(const struct ledger_total_task *task)
{
    double epsilon = 0, delta;

    if (task && ledger_total_epsilon(task, DELTA_FALLBACK, &epsilon, &delta) != CN_OK)
        return INFINITY;
    return epsilon;
}

/* Calls show with each task of either side once. */
static bool each_task(const struct side sides[2],
                      bool (*show)(void *ctx, const struct ledger_total_task *a,
                                   const struct ledger_total_task *b),
                      void *ctx)
{
    bool ok = true;

    for (uint32_t i = 0; ok && i < sides[0].total.count; i++)
        ok = show(ctx, &sides[0].total.tasks[i],
                  same_task(&sides[1].total, &sides[0].total.tasks[i]));
    for (uint32_t i = 0; ok && i < sides[1].total.count; i++)
        if (!same_task(&sides[0].total, &sides[1].total.tasks[i]))
            ok = show(ctx, NULL, &sides[1].total.tasks[i]);
    return ok;
}

static bool print_task(void *ctx, const struct ledger_total_task *a,
                       const struct ledger_total_task *b)
{
    FILE *out = ctx;

    fprintf(out, "  %-28.28s  %8" PRIu64 " %10.3f  %8" PRIu64 " %10.3f  %+10.3f\n",
            (a ? a : b)->task, a ? a->spendings : 0, epsilon_of(a), b ? b->spendings : 0,
            epsilon_of(b), epsilon_of(b) - epsilon_of(a));
    return true;
}

static bool task_json(void *ctx, const struct ledger_total_task *a,
                      const struct ledger_total_task *b)
{
    char id[2 * LEDGER_TASK_ID_BYTES + 1];
    const struct ledger_total_task *any = a ? a : b;

    return json_array_append_new(
               ctx, json_pack("{s:s, s:s, s:I, s:o, s:I, s:o}", "task", any->task, "id",
                              cn_hex_encode(id, any->task_id, LEDGER_TASK_ID_BYTES), "spendings_a",
                              (json_int_t)(a ? a->spendings : 0), "epsilon_a",
                              show_json_real(epsilon_of(a)), "spendings_b",
                              (json_int_t)(b ? b->spendings : 0), "epsilon_b",
                              show_json_real(epsilon_of(b)))) == 0;
}

static void print_owners(const struct cn_args *args, const struct side sides[2])
{
    fprintf(args->out, "A  %s  %s '%s'\nB  %s  %s '%s'\n\n", sides[0].path, sides[0].summary.role,
            sides[0].summary.owner, sides[1].path, sides[1].summary.role, sides[1].summary.owner);
    fprintf(args->out, "  %-28s  %8s %10s  %8s %10s  %10s\n", "task", "A rounds", "epsilon",
            "B rounds", "epsilon", "B - A");
    each_task(sides, print_task, args->out);
    print_task(args->out, &sides[0].total.all, &sides[1].total.all);
}

static json_t *diff_json(const struct side sides[2], bool copies, const struct audit_copy *copy)
{
    json_t *tasks = json_array();

    if (!tasks || !each_task(sides, task_json, tasks)) {
        json_decref(tasks);
        return NULL;
    }
    return json_pack("{s:s, s:s, s:b, s:s, s:I, s:I, s:I, s:o}", "a", sides[0].path, "b",
                     sides[1].path, "same_owner", copies, "verdict",
                     copies ? verdict(copy) : "other_owner", "same_lines", (json_int_t)copy->lines,
                     "more_a", (json_int_t)copy->more_a, "more_b", (json_int_t)copy->more_b,
                     "tasks", tasks);
}

static int diff_run(const struct cn_args *args, struct side sides[2])
{
    struct audit_copy copy = {0};
    struct cn_diag diag = {0};
    bool copies;
    enum cn_err err = audit_copy_compare(&copy, sides[0].path, sides[1].path);

    for (int i = 0; err == CN_OK && i < 2; i++)
        err = read_side(&sides[i], copy.lines, &diag);
    if (err != CN_OK)
        return cn_args_fail(args, err, &diag);
    copies =
        memcmp(sides[0].summary.public_key, sides[1].summary.public_key, SIGN_PUBLIC_BYTES) == 0;
    if (args->json)
        return show_json(args, diff_json(sides, copies, &copy),
                         copies && (copy.more_a || copy.more_b) ? CN_EXIT_NO : CN_EXIT_DONE);
    if (copies)
        print_copies(args, sides, &copy);
    else
        print_owners(args, sides);
    return copies && (copy.more_a || copy.more_b) ? CN_EXIT_NO : CN_EXIT_DONE;
}

int audit_diff(const struct cn_args *args)
{
    struct side *sides = calloc(2, sizeof *sides);
    int code;

    if (!sides)
        return cn_args_fail(args, CN_E_NOMEM, NULL);
    sides[0].path = args->arguments[0];
    sides[1].path = args->arguments[1];
    code = diff_run(args, sides);
    for (int i = 0; i < 2; i++)
        ledger_total_clear(&sides[i].total);
    free(sides);
    return code;
}
