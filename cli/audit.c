/* SPDX-License-Identifier: Apache-2.0 */
/* `cairn audit`: what ledgers say was spent, and whether they may be believed. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/audit_verify.h"
#include "cli/show.h"
#include "cli/verbs.h"
#include "privacy/ledger.h"
#include "privacy/ledger_total.h"

#define DELTA_FALLBACK 1e-5

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

static const struct cn_option verify_options[] = {
    {.name = "every-signature",
     .kind = CN_OPTION_FLAG,
     .help = "check each line's signature, not only those that vouch for the others"},
};

const struct cn_verb audit_verbs[] = {
    {.name = "audit diff",
     .arguments = "LEDGER LEDGER",
     .summary = "compare two copies of a ledger, or what two owners spent",
     .details =
         "Two files of one key are compared line by line: the same, one longer, or forked; "
         "exit code 1 unless they are the same. Files of two keys are compared task by task.",
     .example = "cairn audit diff fed/ledger.jsonl backup/ledger.jsonl",
     .run = audit_diff},
    {.name = "audit empirical",
     .arguments = "TASK",
     .summary = "attack a task's training and compare with what is proven",
     .details =
         "Trains once with canaries (Steinke, Nasr, Jagielski 2023) and prints what that proves "
         "about epsilon from below beside the proven upper bound; then trains shadow models and "
         "measures how well members of the data can be told (loss threshold, LiRA). Exit code 1 "
         "when a lower bound is above the proven one: the implementation breaks its promise.",
     .example = "cairn audit empirical configs/tasks/fashion-demo.yaml --svg members.svg\n"
                "cairn audit empirical configs/tasks/fashion-demo.yaml --no-noise --shadows 0",
     .options = audit_empirical_options,
     .option_count = AUDIT_EMPIRICAL_OPTIONS,
     .run = audit_empirical},
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
     .details =
         "Checks every line's form, place and chain, every receipt's and countersignature's "
         "signature, and the signatures that vouch for the chain. Where an aggregator's ledger is "
         "among them, every spending and receipt of a device must stand in one of its rounds, and "
         "every head that a device was shown must be one of its heads. A gap, a swapped line, a "
         "changed line, a truncated tail and a forked copy are each told apart; the last two need "
         "a "
         "second witness: another copy, or the ledger of a device. Exit code 1 names the first bad "
         "line.",
     .example = "cairn audit verify fed/ledger.jsonl silo-*/ledger.jsonl",
     .options = verify_options,
     .option_count = CN_COUNT(verify_options),
     .run = audit_verify},
};
const size_t audit_verb_count = CN_COUNT(audit_verbs);
