/* SPDX-License-Identifier: Apache-2.0 */
/* `cairn audit`: what ledgers say was spent, and whether they may be believed. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/audit_cross.h"
#include "cli/show.h"
#include "cli/verbs.h"
#include "privacy/ledger.h"
#include "privacy/ledger_total.h"

#define DELTA_FALLBACK 1e-5

/* ---- verify ---- */

struct verified {
    const char *path;
    enum cn_err err;
    struct ledger_summary summary;
    struct cn_diag diag;
};

static enum cn_err see(void *ctx, const struct ledger_entry *entry)
{
    return cross_add(ctx, entry);
}

/* Reads every line with its signature. Entries of a ledger that fails do not stay in cross. */
static void verify_one(struct verified *one, struct cross *cross, uint32_t file, const char *path)
{
    struct ledger_reading reading = {.visit = see, .ctx = cross, .every_signature = true};

    one->path = path;
    cross_begin(cross, file);
    one->err = ledger_read_as(path, &reading, &one->summary, &one->diag);
    if (one->err != CN_OK)
        cross_drop(cross);
}

static json_t *verified_json(const struct verified *one)
{
    char key[2 * SIGN_PUBLIC_BYTES + 1], head[2 * HASH_BYTES + 1], line[CN_DIAG_LINE_MAX];
    const struct ledger_summary *summary = &one->summary;
    json_t *object =
        json_pack("{s:s, s:b, s:s, s:s, s:I, s:I, s:s, s:s}", "file", one->path, "ok",
                  one->err == CN_OK, "owner", summary->owner, "role", summary->role, "lines",
                  (json_int_t)summary->lines, "torn_bytes", (json_int_t)summary->torn_bytes, "head",
                  cn_hex_encode(head, summary->head, HASH_BYTES), "public_key",
                  cn_hex_encode(key, summary->public_key, SIGN_PUBLIC_BYTES));

    if (object && one->err != CN_OK) {
        int failed =
            json_object_set_new(object, "bad_line", json_integer((json_int_t)summary->bad_line));

        failed |= json_object_set_new(object, "fault", json_string(cn_diag_line(&one->diag, line)));
        if (failed) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static void print_verified(const struct cn_args *args, const struct verified *one, int width)
{
    char lines[SHOW_NUMBER_MAX], from[CN_TIME_TEXT_BYTES], words[CN_DIAG_LINE_MAX];
    const struct ledger_summary *summary = &one->summary;

    if (one->err != CN_OK) {
        fprintf(args->out, "  FAILED    %-*s  %s\n", width, one->path,
                cn_diag_line(&one->diag, words));
        return;
    }
    fprintf(args->out, "  verified  %-*s  %-10s  %-16.32s %8s line%s  last %s\n", width, one->path,
            summary->role, summary->owner, show_count(lines, summary->lines),
            summary->lines == 1 ? " " : "s", cn_time_text(summary->last_time_s, from));
    if (summary->torn_bytes)
        fprintf(args->out, "            %-*s  %" PRIu64 " bytes of an unfinished last line\n",
                width, "", summary->torn_bytes);
}

static void print_cross(const struct cn_args *args, const struct cross_result *result)
{
    char a[SHOW_NUMBER_MAX], b[SHOW_NUMBER_MAX];

    if (!result->rounds) {
        fprintf(args->out,
                "\nNo aggregator's ledger among them: spendings are not cross-checked.\n");
        return;
    }
    fprintf(args->out, "\n%s spending%s on devices, %s in the aggregator's rounds",
            show_count(a, result->spendings), show_plural(result->spendings),
            show_count(b, result->matched));
    if (result->foreign)
        fprintf(args->out, ", %s of other federations", show_count(a, result->foreign));
    fprintf(args->out, ".\n");
}

static json_t *verify_json(const struct verified *all, size_t count,
                           const struct cross_result *result, bool ok)
{
    json_t *ledgers = json_array(), *faults = json_array();
    bool failed = !ledgers || !faults;

    for (size_t i = 0; !failed && i < count; i++)
        failed = json_array_append_new(ledgers, verified_json(&all[i])) != 0;
    for (uint32_t i = 0; !failed && i < result->fault_count; i++)
        failed = json_array_append_new(faults, json_string(result->faults[i])) != 0;
    if (failed) {
        json_decref(ledgers);
        json_decref(faults);
        return NULL;
    }
    return json_pack("{s:b, s:o, s:I, s:I, s:I, s:I, s:o}", "ok", ok, "ledgers", ledgers, "rounds",
                     (json_int_t)result->rounds, "spendings", (json_int_t)result->spendings,
                     "matched", (json_int_t)result->matched, "foreign", (json_int_t)result->foreign,
                     "contradictions", faults);
}

static int print_verify(const struct cn_args *args, const struct verified *all, size_t count,
                        const struct cross_result *result, bool ok)
{
    size_t width = 0;

    for (size_t i = 0; i < count; i++)
        width = strlen(all[i].path) > width ? strlen(all[i].path) : width;
    for (size_t i = 0; i < count; i++)
        print_verified(args, &all[i], width < 48 ? (int)width : 48);
    print_cross(args, result);
    for (uint32_t i = 0; i < result->fault_count; i++)
        fprintf(args->out, "  CONTRADICTION  %s\n", result->faults[i]);
    if (result->faults_total > result->fault_count)
        fprintf(args->out, "  ... and %" PRIu64 " more\n",
                result->faults_total - result->fault_count);
    fprintf(args->out, "\n%s\n",
            ok ? "Everything verifies: no line was changed, removed or added by anyone else."
               : "Do not trust what failed; everything above the named line still holds.");
    return ok ? CN_EXIT_DONE : CN_EXIT_NO;
}

/* A file that can not be read is a failure; one that does not verify is an answer. */
static int unreadable(const struct cn_args *args, const struct verified *all, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (all[i].err != CN_OK && all[i].err != CN_E_TAMPERED)
            return cn_args_fail(args, all[i].err, &all[i].diag);
    return CN_EXIT_DONE;
}

static int audit_verify(const struct cn_args *args)
{
    size_t count = args->argument_count;
    struct verified *all = calloc(count, sizeof *all);
    struct cross_result *result = calloc(1, sizeof *result);
    struct cross cross = {.files = args->arguments};
    bool ok = true;
    int code;

    if (!all || !result) {
        code = cn_args_fail(args, CN_E_NOMEM, NULL);
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        verify_one(&all[i], &cross, (uint32_t)i, args->arguments[i]);
        ok = ok && all[i].err == CN_OK;
    }
    code = unreadable(args, all, count);
    if (code != CN_EXIT_DONE)
        goto out;
    cross_match(&cross, result);
    ok = ok && result->faults_total == 0;
    code = args->json ? show_json(args, verify_json(all, count, result, ok),
                                  ok ? CN_EXIT_DONE : CN_EXIT_NO)
                      : print_verify(args, all, count, result, ok);
out:
    cross_clear(&cross);
    free(result);
    free(all);
    return code;
}

/* ---- report ---- */

static json_t *total_json(const struct ledger_total_task *task)
{
    char id[2 * LEDGER_TASK_ID_BYTES + 1];
    double epsilon = 0, delta = 0;

    if (ledger_total_epsilon(task, DELTA_FALLBACK, &epsilon, &delta) != CN_OK)
        return NULL;
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:f, s:o}", "task", task->task, "id",
                     cn_hex_encode(id, task->task_id, LEDGER_TASK_ID_BYTES), "unit", task->unit,
                     "spendings", (json_int_t)task->spendings, "steps", (json_int_t)task->steps,
                     "last_round", (json_int_t)task->round_last, "delta", delta, "epsilon",
                     show_json_real(epsilon));
}

static json_t *report_json(const char *path, const struct ledger_summary *summary,
                           const struct ledger_total *total)
{
    json_t *tasks = json_array();
    bool failed = !tasks;

    for (uint32_t i = 0; !failed && i < total->count; i++)
        failed = json_array_append_new(tasks, total_json(&total->tasks[i])) != 0;
    if (failed) {
        json_decref(tasks);
        return NULL;
    }
    return json_pack("{s:s, s:s, s:s, s:I, s:o, s:o}", "file", path, "owner", summary->owner,
                     "role", summary->role, "lines", (json_int_t)summary->lines, "tasks", tasks,
                     "total", total_json(&total->all));
}

static void print_total(const struct cn_args *args, const char *name,
                        const struct ledger_total_task *task)
{
    char spendings[SHOW_NUMBER_MAX], steps[SHOW_NUMBER_MAX], shown[SHOW_NUMBER_MAX];
    double epsilon = 0, delta = 0;

    if (ledger_total_epsilon(task, DELTA_FALLBACK, &epsilon, &delta) != CN_OK)
        return;
    fprintf(args->out, "  %-28.48s %-8s %7s %10s  %9g  %9s\n", name, task->unit,
            show_count(spendings, task->spendings), show_count(steps, task->steps), delta,
            show_epsilon(shown, epsilon));
}

static void print_report(const struct cn_args *args, const char *path,
                         const struct ledger_summary *summary, const struct ledger_total *total)
{
    char lines[SHOW_NUMBER_MAX], from[CN_TIME_TEXT_BYTES], to[CN_TIME_TEXT_BYTES];

    fprintf(args->out, "%s\n  %s '%s', %s line%s, %s to %s\n", path, summary->role, summary->owner,
            show_count(lines, summary->lines), show_plural(summary->lines),
            cn_time_text(summary->first_time_s, from), cn_time_text(summary->last_time_s, to));
    if (total->count == 0) {
        fprintf(args->out, "  nothing was spent\n\n");
        return;
    }
    fprintf(args->out, "\n  %-28s %-8s %7s %10s  %9s  %9s\n", "task", "unit", "rounds", "steps",
            "delta", "epsilon");
    for (uint32_t i = 0; i < total->count; i++)
        print_total(args, total->tasks[i].task, &total->tasks[i]);
    if (total->count > 1)
        print_total(args, "all tasks together", &total->all);
    fprintf(args->out, "\n");
}

/* Prints one ledger, or appends it to list. */
static int report_one(const struct cn_args *args, const char *path, json_t *list)
{
    struct ledger_summary summary;
    struct ledger_total total;
    struct cn_diag diag = {0};
    enum cn_err err = ledger_total_read(&total, path, 0, &summary, &diag);

    if (err != CN_OK)
        return cn_args_fail(args, err, &diag);
    if (!args->json)
        print_report(args, path, &summary, &total);
    else if (json_array_append_new(list, report_json(path, &summary, &total)) != 0)
        err = CN_E_NOMEM;
    ledger_total_clear(&total);
    return err == CN_OK ? CN_EXIT_DONE : cn_args_fail(args, err, NULL);
}

static int audit_report(const struct cn_args *args)
{
    json_t *list = json_array();
    int code = list ? CN_EXIT_DONE : cn_args_fail(args, CN_E_NOMEM, NULL);

    for (size_t i = 0; code == CN_EXIT_DONE && i < args->argument_count; i++)
        code = report_one(args, args->arguments[i], list);
    if (code != CN_EXIT_DONE || !args->json) {
        json_decref(list);
        return code;
    }
    return show_json(args, json_pack("{s:o}", "ledgers", list), CN_EXIT_DONE);
}

const struct cn_verb audit_verbs[] = {
    {.name = "audit report",
     .arguments = "LEDGER...",
     .summary = "add up what each ledger's owner has spent, task by task",
     .details = "Every line is verified first; a ledger that does not verify is not added up. "
                "Epsilon is for one example of one device: on an aggregator's ledger, of a device "
                "that took part in every round.",
     .example = "cairn audit report fed/ledger.jsonl silo-1/ledger.jsonl",
     .run = audit_report},
    {.name = "audit verify",
     .arguments = "LEDGER...",
     .summary = "check that ledgers are whole, unchanged and agree with each other",
     .details = "Checks every line's form, chain and signature. Where an aggregator's ledger is "
                "among them, every spending of a device must stand in a round that the aggregator "
                "opened, with the same mechanism. Exit code 1 names the first bad line.",
     .example = "cairn audit verify fed/ledger.jsonl silo-*/ledger.jsonl",
     .run = audit_verify},
};
const size_t audit_verb_count = CN_COUNT(audit_verbs);
